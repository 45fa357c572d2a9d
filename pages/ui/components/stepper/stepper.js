// The stepper: goes from picture to picture by button or arrow key, and acts on the one that is shown by one letter.

const MOVES = { ArrowLeft: -1, ArrowRight: 1 };
// Where the focus is while nothing is in use: arrows mean something else on a field, a slider, a tab or a table. A link
// takes none, and the focus is on that of the menu by which a person has come.
const NOTHING_IN_USE = "body, [data-testid='stMain'], [role='dialog'], a[href]";
// What lies over the page has keys of its own.
const OVER_THE_PAGE = "[role='dialog'], [role='menu'], [role='listbox']";
// What opens brings the focus to a place of its own first.
const AFTER_OPENING_MS = 150;

const steppers = new WeakMap();

export default function (component) {
  let stepper = steppers.get(component.parentElement);
  if (!stepper) {
    stepper = new Stepper(component.parentElement);
    steppers.set(component.parentElement, stepper);
  }
  stepper.post.send = (message) => component.setTriggerValue("asked", message);
  stepper.show(component.data);
  return () => stepper.leave();
}

class Stepper {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(name);
    this.bar = this.find(".walk");
    this.wanted = -1;
    this.post = new Post(() => {});
    this.find(".previous").onclick = () => this.move(-1);
    this.find(".next").onclick = () => this.move(1);
    this.bar.onkeydown = (event) => {
      // Streamlit's own single-letter keys listen further out, and so does what closes an overlay.
      if (event.key !== "Escape") event.stopPropagation();
      this.press(event);
    };
    this.elsewhere = (event) => {
      const [target] = event.composedPath();
      if (event.defaultPrevented || !this.inSight()) return;
      // Arrows that nothing else uses; letters count only where the focus is here, unless it listens to the whole page.
      if (target.matches?.(NOTHING_IN_USE) && MOVES[event.key]) this.press(event, true);
      else if (this.data.listens && isFree(target) && !MOVES[event.key]) this.press(event);
    };
    document.addEventListener("keydown", this.elsewhere);
  }

  show(data) {
    const before = this.data;
    this.data = data;
    this.post.answered(data.answered);
    // Steps that are still on their way count from where they lead.
    if (!this.post.sent) this.wanted = data.place;
    this.bar.setAttribute("aria-label", data.label);
    if (data.grab && !before) setTimeout(() => this.bar.focus({ preventScroll: true }), AFTER_OPENING_MS);
    this.find(".place").textContent = data.place < 0 ? `${data.total} pictures` : `${data.place + 1} of ${data.total}`;
    this.enable(this.find(".previous"), data.place > 0);
    this.enable(this.find(".next"), data.place < data.total - 1);
    this.offer(data.actions);
    // Only news is spoken: the first showing is read as the rest of the page is, unless the focus goes there.
    if (before ? before.said !== data.said : data.grab) this.find(".spoken").textContent = data.said;
  }

  offer(actions) {
    const place = this.find(".acting");
    if (JSON.stringify(actions.map((each) => each.name)) !== this.offered) {
      this.offered = JSON.stringify(actions.map((each) => each.name));
      place.replaceChildren(...actions.map((action) => this.button(action)));
    }
    actions.forEach((action, number) => {
      this.enable(place.children[number], action.enabled);
      place.children[number].title = action.about;
    });
  }

  button(action) {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    button.type = "button";
    button.setAttribute("aria-keyshortcuts", action.key);
    key.textContent = action.key.toUpperCase();
    key.setAttribute("aria-hidden", "true");
    button.append(action.label, key);
    button.onclick = () => this.act(action.name);
    return button;
  }

  // Not `disabled`: a button that is pressed and disabled by it would lose the focus, and the keys with it.
  enable(button, enabled) {
    button.setAttribute("aria-disabled", String(!enabled));
  }

  press(event, grabs = false) {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const action = this.data.actions.find((each) => each.key === event.key);
    if (MOVES[event.key]) {
      // While a key is held down, one step after the other is answered.
      if (!event.repeat || !this.post.sent) this.move(MOVES[event.key]);
      if (grabs) this.bar.focus({ preventScroll: true });
    } else if (action && !event.repeat) this.act(action.name);
    else return;
    event.preventDefault();
  }

  move(step) {
    const place = Math.max(0, Math.min(this.wanted + step, this.data.total - 1));
    if (place === this.wanted) return;
    this.wanted = place;
    this.post.add({ action: "go", place });
  }

  act(name) {
    // What is not yet shown is not to be judged.
    if (this.wanted !== this.data.place) return;
    const action = this.data.actions.find((each) => each.name === name);
    if (action?.enabled) this.post.add({ action: name, place: this.data.place, id: this.data.id });
  }

  inSight() {
    const { top, bottom } = this.bar.getBoundingClientRect();
    return bottom > 0 && top < window.innerHeight;
  }

  leave() {
    document.removeEventListener("keydown", this.elsewhere);
    this.post.leave();
    steppers.delete(this.root);
  }
}

function isFree(target) {
  return !isTypedInto(target) && !target.closest?.(OVER_THE_PAGE);
}
