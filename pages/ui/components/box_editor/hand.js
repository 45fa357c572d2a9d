// Hand: all that can be done to the boxes on the photo that is shown.

const FINEST_STEP = 0.005;
const NEW_SHARE = 0.2;

class Hand {
  constructor(editor) {
    this.editor = editor;
  }

  // Every change of the boxes comes this way.
  change(boxes, words, { goesOn = false, chosen = this.editor.chosen, suggestions } = {}) {
    if (!this.editor.drawing) return;
    this.editor.drawing.change(boxes, goesOn, suggestions);
    this.editor.chosen = chosen;
    this.changed(words);
  }

  changed(words) {
    this.editor.saver.add(this.editor.drawing);
    this.editor.strip.tell(this.editor.place, this.editor.drawing.boxes);
    this.editor.draw();
    this.editor.speak(words);
  }

  drawn(box) {
    if (!box) return this.editor.speak("Too small: drag further to draw a box.");
    const added = { ...box, label: this.editor.kind, key: ++lastKey };
    const boxes = [...this.editor.drawing.list, added];
    this.change(boxes, `${this.editor.kinds.shown(this.editor.kind)}, box ${boxes.length} drawn`, { chosen: added.key });
    this.editor.stage.focus(added.key);
  }

  // A suggestion that is altered is taken.
  altered(box, words = whereabouts(box), goesOn = false) {
    const { drawing, items, stage } = this.editor;
    const before = items.find(({ key }) => key === box.key);
    if (same([before], [box])) return this.editor.speak("It goes no further.");
    const boxes = before.suggested
      ? [...drawing.list, accepted(box)]
      : drawing.list.map((each) => (each.key === box.key ? box : each));
    const suggestions = drawing.suggestions.filter(({ key }) => key !== box.key);
    this.change(boxes, words, { goesOn, chosen: box.key, suggestions });
    stage.focus(box.key);
  }

  addInMiddle() {
    if (!this.editor.drawing || !this.editor.kind) return;
    const side = NEW_SHARE / this.editor.stage.view.zoom;
    const { x, y } = this.editor.stage.view.middle;
    this.drawn(between({}, { x: x - side / 2, y: y - side / 2 }, { x: x + side / 2, y: y + side / 2 }));
  }

  // By one step of an arrow key, finer where the photo is seen larger.
  nudge(across, down, resizes, goesOn) {
    const step = FINEST_STEP / this.editor.stage.view.zoom;
    const steps = [across * step, down * step];
    const { item } = this.editor;
    const box = resizes ? resized(item, across ? "e" : "s", ...steps) : moved(item, ...steps);
    this.altered(box, whereabouts(box), goesOn);
  }

  remove() {
    const { item, drawing } = this.editor;
    if (!item) return;
    if (item.suggested) return this.editor.suggesting.reject();
    const place = drawing.list.indexOf(item);
    const left = drawing.list.filter((each) => each !== item);
    const heir = left[Math.min(place, left.length - 1)]?.key ?? null;
    const words = `${this.editor.kinds.shown(item.label)} removed, ${counted(left.length, "box", "boxes")} left`;
    // The last one gone, nobody has said that there is nothing: the photo waits again.
    this.change(left.length ? left : null, words, { chosen: heir });
    this.editor.stage.focus(heir);
  }

  // Names the chosen box, and those that are drawn from now on.
  name(kind) {
    this.editor.kind = kind;
    const { item } = this.editor;
    const shown = this.editor.kinds.shown(kind);
    if (!item || item.label === kind) {
      this.editor.draw();
      this.editor.speak(`Next boxes: ${shown}`);
    } else {
      this.altered({ ...item, label: kind }, `Now ${shown}`);
    }
  }

  async copy() {
    const { drawing } = this.editor;
    if (!drawing || !this.editor.place) return;
    await this.editor.guard(async () => {
      const before = await this.editor.read(this.editor.photos[this.editor.place - 1].id);
      if (drawing !== this.editor.drawing) return;
      const boxes = ofBoth(drawing.boxes, plain(before.boxes));
      const more = boxes.length - drawing.list.length;
      if (more) this.change(boxes, `${counted(more, "box", "boxes")} copied from the previous photo`);
      else this.editor.speak(before.list.length ? "They are all here already." : "There are no boxes on the previous photo.");
    });
  }

  sayNothing() {
    if (!this.editor.drawing) return;
    const said = this.editor.drawing.boxes?.length === 0;
    this.change(said ? null : [], said ? "This photo waits again" : "Nothing on this photo", { chosen: null });
  }

  turn(forward) {
    if (!(forward ? this.editor.drawing?.redo() : this.editor.drawing?.undo())) return;
    if (!this.editor.item) this.editor.chosen = null;
    this.changed(`${forward ? "Done again" : "Undone"}: ${this.editor.told()}`);
  }
}

function whereabouts({ x, y, width, height }) {
  const [left, top, wide, high] = [x, y, width, height].map((share) => `${Math.round(100 * share)}%`);
  return `${left} from the left, ${top} from the top, ${wide} wide, ${high} high`;
}
