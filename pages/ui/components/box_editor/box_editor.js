// Box editor: boxes around the objects on one photo after another, drawn, named and kept as they change.

// So much of a kind's name is written on the photo.
const MOST_LETTERS = 24;

const editors = new WeakMap();

export default function (component) {
  let editor = editors.get(component.parentElement);
  if (!editor) {
    editor = new BoxEditor(component.parentElement);
    editors.set(component.parentElement, editor);
  }
  editor.renew = () => component.setTriggerValue("renewed", Date.now());
  editor.begin(component.data);
  return () => {
    editor.leave();
    editors.delete(component.parentElement);
  };
}

class BoxEditor {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(name);
    this.photos = [];
    this.drawings = new Map();
    this.chosen = null;
    this.kind = null;
    this.hand = new Hand(this);
    this.kinds = new Kinds(
      root,
      (name) => this.hand.name(name),
      (old, name) => this.rename(old, name),
    );
    this.strip = new Strip(root, (place) => this.show(place));
    this.stage = new Stage(root, this);
    this.keys = new Keys(this);
    this.suggesting = new Suggesting(this);
    this.trouble = new Trouble(this.find(".trouble"));
    this.room = new Room(this.find(".editor"));
    const buttons = {
      ".previous": () => this.step(-1),
      ".next": () => this.step(1),
      ".next-open": () => this.goOn(),
      ".out": () => this.stage.zoomBy(1 / ZOOM_STEP),
      ".in": () => this.stage.zoomBy(ZOOM_STEP),
      ".fit": () => this.stage.fit(),
      ".undo": () => this.hand.turn(false),
      ".redo": () => this.hand.turn(true),
      ".copy": () => this.hand.copy(),
      ".nothing": () => this.hand.sayNothing(),
      ".new": () => this.hand.addInMiddle(),
      ".remove": () => this.hand.remove(),
      ".suggest": () => this.suggest(),
    };
    for (const [name, act] of Object.entries(buttons)) {
      this.find(name).onclick = ({ currentTarget }) => currentTarget.getAttribute("aria-disabled") !== "true" && act();
    }
    this.find(".first").onsubmit = (event) => {
      event.preventDefault();
      const input = this.find(".first input");
      const name = typed(input);
      if (!name) return input.focus();
      this.kinds.take([name]);
      this.hand.name(name);
      this.stage.focus();
    };
    // What another window has drawn meanwhile is seen as soon as it is told, or the person comes back to this one.
    this.returned = () => document.visibilityState === "visible" && this.photos.length && this.look();
    document.addEventListener("visibilitychange", this.returned);
    window.addEventListener("thaw-changed", this.returned);
  }

  // Called each time that Streamlit draws the page: what is on show stays, another data set is taken up.
  async begin(data) {
    if (this.saver?.dataset === data.dataset && !this.stale) {
      this.saver.meet(data);
      return;
    }
    this.stale = false;
    this.saver?.leave();
    const saver = Saver.of(
      data,
      (state) => this.tellSaved(state),
      () => this.renew(),
    );
    this.saver = saver;
    this.find(".editor").setAttribute("aria-label", data.label);
    await this.guard(async () => {
      const { photos, kinds, left_out: leftOut } = await this.server.act("photos");
      if (this.saver !== saver) return;
      this.photos = photos;
      this.drawings = new Map([...saver.waiting].map((drawing) => [drawing.id, drawing]));
      this.kinds.begin(`thaw kinds of ${data.dataset}`, kinds);
      this.kind = this.kinds.names[0] ?? null;
      this.strip.begin(photos, leftOut);
      this.suggesting.begin();
      for (const drawing of saver.waiting) this.tellCount(drawing);
      saver.tell();
      this.find(".editor").classList.toggle("empty", !photos.length);
      const kept = photos.findIndex(({ id }) => id === sessionStorage.getItem(this.mark));
      const open = photos.findIndex(({ count }) => count === null);
      if (photos.length) await this.show(Math.max(0, kept >= 0 ? kept : open));
    });
  }

  get server() {
    return this.saver.server;
  }

  // Where this tab remembers which photo was on show.
  get mark() {
    return `thaw boxes of ${this.saver.dataset}`;
  }

  async show(place) {
    if (place < 0 || place >= this.photos.length) return;
    this.saver.now();
    this.place = place;
    const { id, name, picture } = this.photos[place];
    sessionStorage.setItem(this.mark, id);
    this.chosen = null;
    this.drawing = null;
    this.strip.at(place);
    this.draw();
    await this.guard(async () => {
      const drawing = await Promise.all([this.read(id), this.stage.show(picture)]).then(
        ([read]) => read,
        (problem) => {
          // One that was left before it could be shown is no trouble.
          if (this.place === place) throw problem;
        },
      );
      if (this.place !== place) return;
      this.drawing = drawing;
      this.chosen = drawing.suggestions[0]?.key ?? null;
      this.kind ??= this.kinds.names[0] ?? null;
      this.draw();
      this.speak(`${name}, photo ${place + 1} of ${this.photos.length}, ${this.told()}`);
      if (place + 1 < this.photos.length) new Image().src = this.photos[place + 1].picture;
      // The photo that is shown comes first.
      await this.suggesting.ask(drawing);
      this.suggesting.rank();
    });
  }

  // The drawing of a photo as the server has it by now; what has been changed here and not yet saved stays.
  async read(id) {
    const known = this.drawings.get(id);
    // What is not saved is here alone: it is shown also where nothing answers.
    if (known?.changed) return known;
    const { boxes } = await this.server.act("read", { photo: id });
    if (!known) this.drawings.set(id, new Drawing(id, boxes));
    else if (!known.changed && !same(known.kept, boxes)) {
      known.change(boxes);
      known.meet(boxes);
    }
    this.tellCount(this.drawings.get(id));
    this.kinds.take((boxes ?? []).map(({ label }) => label));
    return this.drawings.get(id);
  }

  async look() {
    const { drawing } = this;
    if (!drawing || drawing.changed) return;
    await this.read(drawing.id).catch(() => {});
    if (drawing === this.drawing) this.draw();
  }

  // What is seen on the photo: its boxes, and what is suggested beside them.
  get items() {
    return this.drawing ? [...this.drawing.list, ...this.drawing.suggestions] : [];
  }

  get item() {
    return this.items.find(({ key }) => key === this.chosen);
  }

  dress(item) {
    const { list = [], suggestions = [] } = this.drawing ?? {};
    const shown = this.kinds.shown(item.label);
    const colour = this.kinds.colour(item.label);
    const words = shown.length > MOST_LETTERS ? `${shown.slice(0, MOST_LETTERS - 1)}…` : shown;
    const placed = (all) => all.findIndex(({ key }) => key === item.key) + 1;
    if (item.suggested) {
      const sure = inPercent(item.confidence);
      const name = `Suggested: ${shown}, ${sure} sure, suggestion ${placed(suggestions)} of ${suggestions.length}`;
      return { name, words: `${words} ${sure}`, colour };
    }
    const place = placed(list) || list.length + 1;
    return { name: `${shown}, box ${place} of ${Math.max(place, list.length)}`, words, colour };
  }

  // `pressed` is a choice by the pointer, which brings the focus along.
  choose(key, pressed = false) {
    if (key !== this.chosen) {
      this.chosen = key;
      if (this.item) {
        this.kind = this.item.label;
        this.stage.view.reveal(this.item);
      }
      this.draw();
    }
    if (pressed) this.stage.focus(key);
  }

  // Calls all boxes of a kind otherwise, those on other photos too, once what is drawn is saved.
  async rename(old, name) {
    await this.guard(async () => {
      await this.saver.settle();
      await this.server.act("rename", { kind: old, to: name });
      this.kinds.replace(old, name);
      if (this.kind === old) this.kind = name;
      // What could be undone was of the old name.
      this.drawings.clear();
      await this.show(this.place);
      this.speak(`${this.kinds.shown(old)} is called ${name} now, on all photos`);
    });
  }

  suggest() {
    if (this.drawing) this.suggesting.ask(this.drawing, true);
  }

  // To the next photo that is still to be done.
  goOn() {
    this.show(this.strip.nextOpen(this.place, this.suggesting.sure));
  }

  step(by) {
    this.show(this.place + by);
  }

  told() {
    const { boxes } = this.drawing;
    return boxes === null ? "not drawn yet" : boxes.length ? counted(boxes.length, "box", "boxes") : "nothing on it";
  }

  draw() {
    const { drawing, photos, place } = this;
    this.find(".editor").classList.toggle("nameless", Boolean(drawing) && !this.kinds.names.length);
    this.kinds.draw(this.item?.label ?? this.kind, drawing?.list ?? []);
    this.suggesting.draw();
    this.stage.draw();
    this.find(".place").textContent = photos.length ? `${place + 1} of ${photos.length}` : "";
    const { name: photo = "" } = photos[place] ?? {};
    this.find(".stage").setAttribute("aria-label", drawing ? `${photo}, ${this.told()}` : photo);
    this.find(".suggest").hidden = !this.server.data.suggests;
    this.find("h2").textContent = this.item ? "This box is" : "The next box is";
    this.find(".hint").textContent = this.hint();
    const nothing = drawing?.boxes?.length === 0;
    this.find(".nothing").setAttribute("aria-pressed", String(nothing));
    const usable = {
      ".previous": place > 0,
      ".next": place < photos.length - 1,
      ".next-open": photos.some(({ count }, number) => count === null && number !== place),
      ".undo": drawing?.past.length,
      ".redo": drawing?.future.length,
      ".copy": drawing && place > 0,
      ".nothing": drawing,
      ".new": drawing && this.kind,
      ".remove": this.item,
    };
    // Not `disabled`: a button that is pressed and disabled by it would lose the focus, and the keys with it.
    for (const [name, can] of Object.entries(usable)) this.find(name).setAttribute("aria-disabled", String(!can));
  }

  hint() {
    if (!this.drawing || !this.kind || this.items.length) return "";
    if (this.drawing.boxes) return "Nothing on this photo";
    return `Drag a box around each ${this.kinds.shown(this.kind)}`;
  }

  zoomed(zoom) {
    this.find(".fit").textContent = `${Math.round(100 * zoom)}%`;
    this.find(".fit").setAttribute("aria-label", `Fit the photo, now at ${Math.round(100 * zoom)}%`);
    this.find(".out").setAttribute("aria-disabled", String(zoom <= 1));
    this.find(".in").setAttribute("aria-disabled", String(zoom >= MOST_ZOOM));
  }

  tellSaved({ word, problem, torn }) {
    this.find(".saved").textContent = word;
    if (torn) this.trouble.ask(torn, this.photos.find(({ id }) => id === torn.id)?.name, (boxes) => this.settle(torn, boxes));
    else if (problem) {
      this.trouble.show(`${problem} Your boxes are kept here meanwhile.`, { "Save again": () => this.saver.now() });
    } else this.trouble.hide();
  }

  // What the person says of a photo on which another window has drawn too; Undo brings back what was here.
  settle(drawing, boxes) {
    const mine = drawing.boxes;
    drawing.meet(drawing.theirs);
    if (!same(boxes, mine)) drawing.change(boxes);
    this.saver.add(drawing);
    this.tellCount(drawing);
    this.draw();
    this.speak(`Settled: ${counted(drawing.list.length, "box", "boxes")}`);
  }

  tellCount(drawing) {
    const place = this.photos.findIndex(({ id }) => id === drawing.id);
    if (place >= 0) this.strip.tell(place, drawing.boxes);
  }

  async guard(act) {
    try {
      await act();
    } catch (problem) {
      if (problem.status === 403) this.renew();
      const words = problem instanceof Refused ? problem.message : "The photo could not be shown.";
      this.trouble.show(words, { "Try again": () => (this.photos.length ? this.show(this.place) : this.again()) });
    }
  }

  again() {
    this.stale = true;
    this.trouble.hide();
    return this.begin(this.server.data);
  }

  speak(words) {
    this.find(".spoken").textContent = words;
  }

  leave() {
    document.removeEventListener("visibilitychange", this.returned);
    this.suggesting.leave();
    window.removeEventListener("thaw-changed", this.returned);
    this.keys.leave();
    this.room.leave();
    this.stage.sizes.disconnect();
    this.saver?.leave();
  }
}
