// Stage: the photo with the boxes over it, and what the mouse, the pen and fingers do there.

// So far a press may slip and still be a click, and so small a box is one by accident.
const SLIP_PX = 5;
const LEAST_DRAWN_PX = 6;
// How near an edge or a handle counts as on it.
const REACH_PX = { mouse: 12, pen: 16, touch: 22 };
const ROOMY_PX = 60;
const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const CURSORS = { n: "ns", s: "ns", e: "ew", w: "ew", nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw" };
const LINE_PX = 16;
const TAG_PX = 24;

class Stage {
  // `editor` says what is there - `items`, `chosen`, `kind` - and takes what is done: `choose`, and its `hand`.
  constructor(root, editor) {
    this.editor = editor;
    this.box = root.querySelector(".stage");
    this.image = this.box.querySelector("img");
    this.boxes = this.box.querySelector(".boxes");
    this.handles = this.box.querySelector(".handles");
    this.view = new View();
    this.nodes = new Map();
    this.touches = new Map();
    this.gesture = null;
    this.preview = null;
    this.sizes = new ResizeObserver(() => this.measure());
    this.sizes.observe(this.box);
    this.box.onpointerdown = (event) => this.press(event);
    this.box.onpointermove = (event) => this.drag(event);
    this.box.onpointerup = (event) => this.release(event);
    this.box.onpointercancel = (event) => this.drop(event);
    // The focus goes where it is set, and a middle button begins no scrolling of its own.
    this.box.onmousedown = (event) => event.preventDefault();
    this.box.addEventListener("wheel", (event) => this.roll(event), { passive: false });
    // On the group it would make that one take the focus too.
    this.box.addEventListener("focusin", ({ target }) => {
      const node = target.closest(".box");
      if (node) editor.choose(node.key);
    });
  }

  // Shows a photo from its address; resolves once it can be drawn on.
  async show(url) {
    this.ready = false;
    this.cancel();
    this.view.fit();
    this.box.classList.add("waiting");
    this.image.src = url;
    await this.image.decode();
    if (this.image.getAttribute("src") !== url) return;
    this.view.photo = { width: this.image.naturalWidth, height: this.image.naturalHeight };
    this.view.settle();
    this.ready = true;
    this.box.classList.remove("waiting");
    this.draw();
  }

  measure() {
    const { clientWidth, clientHeight } = this.box;
    if (!clientWidth || !clientHeight) return;
    this.view.stage = { width: clientWidth, height: clientHeight };
    this.view.settle();
    this.draw();
  }

  zoomBy(factor) {
    this.view.zoomTo(this.view.zoom * factor);
    this.draw();
  }

  fit() {
    this.view.fit();
    this.draw();
  }

  draw() {
    const { left, top } = this.view.corner;
    const { width, height } = this.view.size;
    Object.assign(this.image.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    const items = this.ready ? this.items : [];
    const keys = new Set(items.map((item) => item.key));
    for (const [key, node] of this.nodes) {
      if (keys.has(key)) continue;
      node.remove();
      this.nodes.delete(key);
    }
    items.forEach((item, place) => this.drawItem(item, place));
    this.drawHandles(items.find((item) => item.key === this.editor.chosen));
    this.editor.zoomed(this.view.zoom);
  }

  // What is being dragged stands in the place of what it was.
  get items() {
    const { preview } = this;
    const { items } = this.editor;
    if (!preview) return items;
    const known = items.some((item) => item.key === preview.key);
    return known ? items.map((item) => (item.key === preview.key ? preview : item)) : [...items, preview];
  }

  drawItem(item, place) {
    let node = this.nodes.get(item.key);
    if (!node) {
      node = boxNode(item.key);
      this.nodes.set(item.key, node);
    }
    if (this.boxes.children[place] !== node) this.boxes.insertBefore(node, this.boxes.children[place] ?? null);
    const { name, words, colour } = this.editor.dress(item);
    const rect = this.view.toStage(item);
    const { chosen } = this.editor;
    node.setAttribute("aria-label", name);
    node.setAttribute("aria-pressed", String(item.key === chosen));
    node.classList.toggle("suggested", Boolean(item.suggested));
    node.style.setProperty("--colour", colour);
    for (const line of node.querySelectorAll(".line")) place4(line, rect);
    const text = node.querySelector("text");
    if (text.textContent !== words) text.textContent = words;
    const wide = Math.max(TAG_PX, text.getComputedTextLength() + 12);
    const tag = node.querySelector(".tag");
    // Above the box, or within it where the photo ends; never beside the stage.
    const x = clamped(rect.left + (item.key === chosen ? 10 : 0), 0, Math.max(0, this.view.stage.width - wide));
    const y = rect.top >= TAG_PX ? rect.top - TAG_PX : Math.max(0, rect.top);
    tag.setAttribute("transform", `translate(${x} ${y})`);
    tag.querySelector("rect").setAttribute("width", wide);
  }

  drawHandles(item) {
    this.handles.style.display = item ? "" : "none";
    if (!item) return;
    const rect = this.view.toStage(item);
    this.handles.style.setProperty("--colour", this.editor.dress(item).colour);
    HANDLES.forEach((edges, number) => {
      const { left, top } = handlePlace(rect, edges);
      const node = this.handles.children[number];
      node.style.display = hasHandle(rect, edges) ? "" : "none";
      place4(node, { left: left - 6, top: top - 6, width: 12, height: 12 });
    });
  }

  place(event) {
    const { left, top } = this.box.getBoundingClientRect();
    return { left: event.clientX - left - this.box.clientLeft, top: event.clientY - top - this.box.clientTop };
  }

  // What a press at a point of the stage takes hold of. Within a box that is not chosen it draws another: objects lie
  // before one another.
  find(at, reach) {
    const { items, chosen } = this.editor;
    const item = items.find((each) => each.key === chosen);
    if (item) {
      const rect = this.view.toStage(item);
      const edges = HANDLES.filter((each) => hasHandle(rect, each)).find((each) => {
        const place = handlePlace(rect, each);
        return Math.hypot(place.left - at.left, place.top - at.top) <= reach;
      });
      if (edges) return { does: "resize", item, edges };
      if (holds(item, this.view.toPhoto(at))) return { does: "move", item };
    }
    const touched = items.find((each) => isOnEdge(this.view.toStage(each), at, reach / 2));
    return touched ? { does: "move", item: touched } : { does: "draw" };
  }

  press(event) {
    if (!this.ready || event.button > 1) return;
    this.box.setPointerCapture(event.pointerId);
    const at = this.place(event);
    this.touches.set(event.pointerId, at);
    if (this.touches.size === 2) {
      this.cancel();
      this.gesture = { does: "pinch", ...this.fingers() };
    } else if (this.touches.size === 1) {
      const pans = event.button === 1 || this.editor.panning;
      // Where it begins on the photo, which may be seen otherwise before it ends.
      const start = this.view.toPhoto(at);
      this.gesture = pans ? { does: "pan", last: at } : { ...this.find(at, REACH_PX[event.pointerType]), from: at, start };
    }
  }

  drag(event) {
    const at = this.place(event);
    if (!this.touches.has(event.pointerId)) {
      if (this.ready) this.point(at, REACH_PX[event.pointerType]);
      return;
    }
    this.touches.set(event.pointerId, at);
    const { gesture } = this;
    if (gesture?.does === "pinch") this.pinch(gesture);
    else if (gesture?.does === "pan") {
      this.view.pan(at.left - gesture.last.left, at.top - gesture.last.top);
      gesture.last = at;
    } else if (gesture) {
      const far = Math.hypot(at.left - gesture.from.left, at.top - gesture.from.top);
      gesture.begun ||= far > SLIP_PX;
      if (!gesture.begun) return;
      this.preview = this.follow(gesture, at);
    }
    this.draw();
  }

  // The box as it is with the pointer at a point.
  follow({ does, item, edges, start }, at) {
    const end = this.view.toPhoto(at);
    if (does === "draw") return between({ key: "new", label: this.editor.kind ?? "" }, start, end);
    const steps = [end.x - start.x, end.y - start.y];
    return does === "move" ? moved(item, ...steps) : resized(item, edges, ...steps);
  }

  release(event) {
    const { gesture, preview } = this;
    const at = this.place(event);
    this.drop(event);
    if (!gesture?.from) return;
    if (!gesture.begun) this.editor.choose(smallestAt(this.editor.items, this.view.toPhoto(at))?.key ?? null, true);
    else if (gesture.does !== "draw") this.editor.hand.altered(preview);
    else {
      const { width, height } = this.view.toStage(preview);
      this.editor.hand.drawn(Math.min(width, height) >= LEAST_DRAWN_PX ? preview : null);
    }
  }

  drop(event) {
    this.touches.delete(event.pointerId);
    // A finger that is left of two draws nothing.
    this.cancel();
  }

  cancel() {
    this.gesture = null;
    if (!this.preview) return;
    this.preview = null;
    this.draw();
  }

  fingers() {
    const [one, other] = [...this.touches.values()];
    return {
      far: Math.max(1, Math.hypot(one.left - other.left, one.top - other.top)),
      middle: { left: (one.left + other.left) / 2, top: (one.top + other.top) / 2 },
    };
  }

  pinch(gesture) {
    const { far, middle } = this.fingers();
    this.view.pan(middle.left - gesture.middle.left, middle.top - gesture.middle.top);
    this.view.zoomTo((this.view.zoom * far) / gesture.far, middle);
    Object.assign(gesture, { far, middle });
  }

  roll(event) {
    // A whole photo is made no smaller: then the page scrolls.
    if (!this.ready || (event.deltaY > 0 && this.view.zoom === 1 && !event.ctrlKey)) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode ? LINE_PX : 1);
    this.view.zoomTo(this.view.zoom * Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.002)), this.place(event));
    this.draw();
  }

  point(at, reach) {
    const { does, edges } = this.find(at, reach);
    const moving = does === "move" ? "move" : "crosshair";
    this.box.style.cursor = this.editor.panning ? "grab" : edges ? `${CURSORS[edges]}-resize` : moving;
  }

  focus(key) {
    (this.nodes.get(key) ?? this.box).focus({ preventScroll: true });
  }
}

function svgNode(tag, name) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  if (name) node.setAttribute("class", name);
  return node;
}

function boxNode(key) {
  const node = svgNode("g", "box");
  const tag = svgNode("g", "tag");
  const ground = svgNode("rect");
  const text = svgNode("text");
  node.key = key;
  node.setAttribute("tabindex", "0");
  node.setAttribute("role", "button");
  node.setAttribute("aria-roledescription", "box");
  ground.setAttribute("height", TAG_PX);
  ground.setAttribute("rx", "4");
  text.setAttribute("x", "6");
  text.setAttribute("y", "17");
  tag.append(ground, text);
  node.append(svgNode("rect", "ring line"), svgNode("rect", "halo line"), svgNode("rect", "edge line"), tag);
  return node;
}

function place4(rect, { left, top, width, height }) {
  rect.setAttribute("x", left);
  rect.setAttribute("y", top);
  rect.setAttribute("width", Math.max(0, width));
  rect.setAttribute("height", Math.max(0, height));
}

// The corners always, and those between them where there is room; of a small box they stand a little outside.
function hasHandle({ width, height }, edges) {
  if (edges.length === 2) return true;
  return (edges === "n" || edges === "s" ? width : height) >= ROOMY_PX + 24;
}

function handlePlace({ left, top, width, height }, edges) {
  const [across, down] = [width, height].map((side) => Math.max(0, Math.min(12, (ROOMY_PX - side) / 2)));
  const x = edges.includes("w") ? left - across : edges.includes("e") ? left + width + across : left + width / 2;
  const y = edges.includes("n") ? top - down : edges.includes("s") ? top + height + down : top + height / 2;
  return { left: x, top: y };
}

function isOnEdge({ left, top, width, height }, at, reach) {
  const [x, y] = [at.left - left, at.top - top];
  const near = x >= -reach && x <= width + reach && y >= -reach && y <= height + reach;
  return near && !(x > reach && x < width - reach && y > reach && y < height - reach);
}
