// The block of ice: the backbone's blocks from the input to the head, of which the top layers turn warm as they are chosen.

const ANSWER_WITHIN_MS = 5000;
const STEPS = { ArrowLeft: 1, ArrowUp: 1, ArrowRight: -1, ArrowDown: -1 };

const blocks = new WeakMap();

export default function (component) {
  let ice = blocks.get(component.parentElement);
  if (!ice) {
    ice = new Ice(component.parentElement);
    blocks.set(component.parentElement, ice);
  }
  ice.tell = (message) => component.setTriggerValue("moved", message);
  ice.show(component.data);
  return () => blocks.delete(component.parentElement);
}

class Ice {
  constructor(root) {
    this.input = root.querySelector("input");
    this.slabs = root.querySelector(".slabs");
    this.cold = root.querySelector(".said .cold");
    this.warm = root.querySelector(".said .warm");
    this.input.oninput = () => {
      this.moving = true;
      this.paint();
    };
    // A browser says "change" when the handle is let go, but at a key for each time that it repeats.
    this.input.onchange = () => {
      if (!this.held) this.send();
    };
    this.input.onkeydown = (event) => this.press(event);
    this.input.onkeyup = () => this.send();
    this.input.onblur = () => this.send();
    // One that is let go where it was taken is no change.
    this.input.onpointerup = this.input.onpointercancel = () => this.send();
  }

  show(data) {
    this.data = data;
    this.total = data.slabs.reduce((sum, slab) => sum + slab.layers, 0);
    this.input.max = this.total;
    this.input.disabled = !data.enabled;
    this.input.setAttribute("aria-label", data.label);
    const made = JSON.stringify(data.slabs);
    if (made !== this.made) {
      this.made = made;
      this.slabs.replaceChildren(...data.slabs.map(slabOf));
    }
    // What was chosen meanwhile is not to jump back to what the page knew of when it was asked.
    const waits = this.sent && data.answered !== this.sent && Date.now() < this.until;
    if (!waits && !this.moving) this.input.value = this.known = data.top;
    this.paint();
  }

  press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const now = Number(this.input.value);
    let wanted;
    if (event.key in STEPS) wanted = now + STEPS[event.key];
    else if (event.key === "Home") wanted = 0;
    else if (event.key === "End") wanted = this.total;
    else if (event.key === "PageUp") wanted = this.edges().find((edge) => edge > now) ?? this.total;
    else if (event.key === "PageDown") wanted = this.edges().findLast((edge) => edge < now) ?? 0;
    else return;
    event.preventDefault();
    this.held = true;
    this.moving = true;
    // A range keeps within its bounds by itself.
    this.input.value = wanted;
    this.paint();
  }

  // The depths at which whole blocks are chosen, the shallowest first.
  edges() {
    let depth = 0;
    return [0, ...this.data.slabs.toReversed().map((slab) => (depth += slab.layers))];
  }

  send() {
    this.held = false;
    this.moving = false;
    const top = Number(this.input.value);
    if (top === this.known || !this.data.enabled) return;
    this.known = top;
    this.sent = `${Date.now()}-${Math.random()}`;
    this.until = Date.now() + ANSWER_WITHIN_MS;
    this.tell({ top, number: this.sent });
  }

  paint() {
    const top = Number(this.input.value);
    let above = this.total;
    this.data.slabs.forEach((slab, number) => {
      above -= slab.layers;
      const warm = Math.max(0, Math.min(top - above, slab.layers));
      const [cold, molten] = this.slabs.children[number].children;
      cold.style.flexGrow = slab.layers - warm;
      molten.style.flexGrow = warm;
    });
    this.input.setAttribute("aria-valuetext", spoken(this.data.slabs, this.total, top));
    this.cold.textContent = `${counted(this.total - top)} frozen`;
    this.warm.textContent = top ? `${counted(top)} and the head will adapt` : "the head alone will adapt";
  }
}

function slabOf(slab) {
  const place = document.createElement("div");
  const [cold, warm, name] = ["i", "i", "span"].map((tag) => document.createElement(tag));
  place.className = "slab";
  place.style.flexGrow = slab.layers;
  cold.className = "cold";
  warm.className = "warm";
  name.textContent = slab.name;
  place.append(cold, warm, name);
  return place;
}

function counted(layers) {
  return layers === 1 ? "1 layer" : `${layers} layers`;
}

function spoken(slabs, total, top) {
  if (!top) return `No layer will adapt: all ${total} stay frozen, and the head alone goes on learning`;
  if (top >= total) return `All ${total} layers will adapt`;
  let above = total;
  const lowest = slabs.find((slab) => (above -= slab.layers) < top);
  const from = top === above + lowest.layers ? lowest.name : `the middle of ${lowest.name}`;
  return `${top} of ${counted(total)} will adapt, from ${from} up to the head; ${total - top} stay frozen`;
}
