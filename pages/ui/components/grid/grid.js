// The picture grid: keeps its tiles, what is selected and where the focus is through every rerun, and sends actions.

const SPEAK_AFTER_MS = 700;

const grids = new WeakMap();
// What is dragged from one grid to another, which share nothing else: each is drawn by a module of its own.
const DRAGGED = "application/x-thaw-pictures";
const DROPPED = "thaw-pictures-dropped";

export default function (component) {
  let grid = grids.get(component.parentElement);
  if (!grid) {
    grid = new Grid(component.parentElement);
    grids.set(component.parentElement, grid);
  }
  grid.send = (message) => component.setTriggerValue("acted", message);
  grid.show(component.data);
  return () => grid.leave();
}

class Grid {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(name);
    this.list = this.find(".tiles");
    this.tiles = [];
    this.nodes = new Map();
    this.selected = new Set();
    this.index = 0;
    this.range = null;
    this.post = new Post((message) => this.send(message));
    this.viewer = new Viewer(root, this);
    this.choices = new Choices(root);
    // Streamlit's own single-letter keys listen further out.
    this.find(".pick").onkeydown = (event) => event.stopPropagation();
    this.list.onkeydown = (event) => this.press(event);
    this.list.onclick = (event) => this.click(event);
    this.list.ondblclick = (event) => {
      if (!event.target.closest(".open") && this.placeOf(event) >= 0) this.viewer.open();
    };
    this.list.onmousedown = (event) => {
      if (event.shiftKey) event.preventDefault();
    };
    this.list.ondragstart = (event) => this.drag(event);
    this.list.ondragend = () => (this.dragging = false);
    const box = this.find(".pick");
    box.ondragover = (event) => {
      if (this.dragging || !event.dataTransfer.types.includes(DRAGGED)) return;
      event.preventDefault();
      box.classList.add("over");
    };
    box.ondragleave = (event) => box.contains(event.relatedTarget) || box.classList.remove("over");
    box.ondrop = (event) => {
      event.preventDefault();
      box.classList.remove("over");
      document.dispatchEvent(new CustomEvent(DROPPED, { detail: this.label }));
    };
    this.dropped = ({ detail }) => this.dragging && this.take(detail);
    document.addEventListener(DROPPED, this.dropped);
    this.find(".all").onclick = () => this.selectAll();
    this.find(".none").onclick = () => this.select(new Set());
    this.find(".open-active").onclick = () => this.viewer.open();
  }

  show(data) {
    this.label = data.label;
    this.list.setAttribute("aria-label", data.label);
    this.offer(data.actions);
    this.arrange(data.tiles);
    this.post.answered(data.answered);
  }

  offer(actions) {
    const offered = JSON.stringify(actions);
    if (offered === this.offered) return;
    this.offered = offered;
    this.actions = actions;
    this.find(".acting").replaceChildren(...actions.map((action) => this.button(action)));
  }

  button(action) {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    button.type = "button";
    button.dataset.action = action.name;
    button.setAttribute("aria-keyshortcuts", action.key);
    if (action.choices.length) button.setAttribute("aria-haspopup", "dialog");
    key.textContent = action.key.toUpperCase();
    key.setAttribute("aria-hidden", "true");
    button.append(action.choices.length ? `${action.label}…` : action.label, key);
    button.onclick = () => this.start(action);
    return button;
  }

  // By difference, so that the focus, the scroll position and the loaded pictures stay.
  arrange(tiles) {
    const held = this.list.contains(this.list.getRootNode().activeElement);
    const ids = new Set(tiles.map((tile) => tile.id));
    const index = this.heir(tiles, ids);
    for (const [id, node] of this.nodes) {
      if (ids.has(id)) continue;
      node.remove();
      this.nodes.delete(id);
    }
    let next = this.list.firstElementChild;
    for (const tile of tiles) {
      const node = this.nodes.get(tile.id) ?? this.make(tile.id);
      dress(node, tile);
      if (node === next) next = next.nextElementSibling;
      else this.list.insertBefore(node, next);
    }
    this.tiles = tiles;
    this.list.hidden = !tiles.length;
    this.find(".empty").hidden = Boolean(tiles.length);
    this.find(".open-active").disabled = !tiles.length;
    if (!ids.has(this.range?.from)) this.range = null;
    this.activate(index);
    this.select(new Set([...this.selected].filter((id) => ids.has(id))));
    if (held) this.focus();
    this.viewer.refresh();
  }

  // The tile that holds the focus after a change: the same, else the one that has come into its place.
  heir(tiles, ids) {
    const left = this.tiles.slice(this.index).find((tile) => ids.has(tile.id));
    const place = left ? tiles.findIndex((tile) => tile.id === left.id) : this.index;
    return Math.max(0, Math.min(place, tiles.length - 1));
  }

  make(id) {
    const node = this.find(".tile-form").content.firstElementChild.cloneNode(true);
    node.dataset.id = id;
    node.draggable = true;
    this.nodes.set(id, node);
    return node;
  }

  placeOf(event) {
    const node = event.target.closest(".tile");
    return node ? this.tiles.findIndex((tile) => tile.id === node.dataset.id) : -1;
  }

  click(event) {
    const index = this.placeOf(event);
    if (index < 0) return;
    const opens = event.target.closest(".open");
    if (event.shiftKey && !opens) this.extend(index);
    this.activate(index);
    this.focus();
    if (opens) this.viewer.open();
    else if (!event.shiftKey) this.toggle(index);
  }

  // What is dragged is what is selected, or a single picture that is not.
  drag(event) {
    const index = this.placeOf(event);
    if (index < 0 || !this.actions.some((action) => action.choices.length)) {
      event.preventDefault();
      return;
    }
    const { id } = this.tiles[index];
    if (!this.selected.has(id)) this.select(new Set([id]));
    this.dragging = true;
    event.dataTransfer.setData(DRAGGED, this.label);
    event.dataTransfer.effectAllowed = "move";
  }

  // Takes what is dragged to the grid that is called so, where an action leads there.
  take(label) {
    const action = this.actions.find(({ choices }) => choices.some(({ value }) => value === label));
    if (action) this.act(action, label);
  }

  press(event) {
    if (event.isComposing || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "a") return;
      event.preventDefault();
      this.selectAll();
      return;
    }
    const place = this.destination(event.key);
    if (place !== undefined) this.move(place, event.shiftKey);
    else if (!event.repeat && !this.command(event)) return;
    event.preventDefault();
  }

  destination(key) {
    const { index } = this;
    const last = this.tiles.length - 1;
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
    const down = (rows) => {
      const rowsBelow = Math.floor(last / columns) - Math.floor(index / columns);
      return Math.min(index + columns * Math.min(rows, rowsBelow), last);
    };
    const up = (rows) => index - columns * Math.min(rows, Math.floor(index / columns));
    const page = () => {
      const { height } = this.nodes.get(this.tiles[index].id).getBoundingClientRect();
      return Math.max(1, Math.floor(window.innerHeight / height) - 1);
    };
    const ways = {
      ArrowRight: () => Math.min(index + 1, last),
      ArrowLeft: () => Math.max(index - 1, 0),
      ArrowDown: () => down(1),
      ArrowUp: () => up(1),
      PageDown: () => down(page()),
      PageUp: () => up(page()),
      Home: () => 0,
      End: () => last,
    };
    return ways[key]?.();
  }

  command({ key, shiftKey }) {
    const action = this.actions.find((each) => each.key === key.toLowerCase());
    if (key === " ") {
      if (shiftKey) this.extend(this.index);
      else this.toggle(this.index);
    } else if (key === "Enter") this.viewer.open();
    else if (key === "Escape") this.select(new Set());
    else if (action) this.start(action);
    else return false;
    return true;
  }

  move(index, extending) {
    if (extending) this.extend(index);
    else this.range = null;
    this.activate(index);
    this.focus();
    this.reveal();
  }

  activate(index) {
    const node = (place) => this.nodes.get(this.tiles[place]?.id);
    this.list.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
    node(index)?.setAttribute("tabindex", "0");
    this.index = index;
  }

  focus() {
    const target = this.nodes.get(this.tiles[this.index]?.id) ?? this.find(".empty");
    target.focus({ preventScroll: true });
  }

  reveal() {
    this.nodes.get(this.tiles[this.index]?.id)?.scrollIntoView({ block: "nearest" });
  }

  toggle(index) {
    const { id } = this.tiles[index];
    const selected = new Set(this.selected);
    if (!selected.delete(id)) selected.add(id);
    this.range = null;
    this.select(selected);
  }

  selectAll() {
    this.range = null;
    this.select(new Set(this.tiles.map((tile) => tile.id)));
  }

  // A range grows and shrinks from where it began, and what was selected before stays.
  extend(index) {
    this.range ??= { from: this.tiles[this.index].id, base: this.selected };
    const from = this.tiles.findIndex((tile) => tile.id === this.range.from);
    const between = this.tiles.slice(Math.min(from, index), Math.max(from, index) + 1);
    this.select(new Set([...this.range.base, ...between.map((tile) => tile.id)]));
  }

  select(selected) {
    const changed = selected.size !== this.selected.size || [...selected].some((id) => !this.selected.has(id));
    this.selected = selected;
    for (const [id, node] of this.nodes) {
      const state = String(selected.has(id));
      if (node.getAttribute("aria-selected") !== state) node.setAttribute("aria-selected", state);
    }
    const count = selected.size ? `${selected.size} selected` : "None selected";
    this.find(".count").textContent = count;
    for (const button of this.find(".acting").children) button.disabled = !selected.size;
    if (changed) this.speak(`${count}, of ${this.tiles.length}.`);
  }

  start(action) {
    if (!this.selected.size) {
      this.speak("Select pictures first.");
      return;
    }
    if (!action.choices.length) this.act(action, null);
    else this.choices.open(`${action.label}: ${this.amount()}`, action.choices, (choice) => this.act(action, choice));
  }

  act(action, choice) {
    const ids = this.tiles.filter((tile) => this.selected.has(tile.id)).map((tile) => tile.id);
    if (ids.length) this.post.add({ action: action.name, ids, choice });
    this.speak(`${action.label}: ${this.amount()}.`);
    // The button is about to be disabled, which would leave the focus nowhere.
    this.focus();
  }

  amount() {
    return this.selected.size === 1 ? "1 picture" : `${this.selected.size} pictures`;
  }

  speak(words) {
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => {
      this.find(".spoken").textContent = words;
    }, SPEAK_AFTER_MS);
  }

  leave() {
    clearTimeout(this.speaking);
    document.removeEventListener(DROPPED, this.dropped);
    this.post.leave();
    grids.delete(this.root);
  }
}

function dress(node, tile) {
  const described = JSON.stringify(tile);
  if (node.described === described) return;
  node.described = described;
  const picture = node.querySelector("img");
  picture.onerror = () => node.classList.add("broken");
  picture.onload = () => node.classList.remove("broken");
  if (picture.getAttribute("src") !== tile.thumbnail) picture.src = tile.thumbnail;
  for (const part of ["name", "caption", "badge"]) {
    const place = node.querySelector(`.${part}`);
    place.textContent = tile[part];
    place.hidden = !tile[part];
  }
  node.title = tile.name;
  node.setAttribute("aria-label", [tile.name, tile.badge, tile.caption].filter(Boolean).join(", "));
}
