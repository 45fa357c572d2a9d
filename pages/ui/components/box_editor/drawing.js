// Drawing: the boxes on one photo, null while nobody has looked at it, with what can be undone and what is kept.

let lastKey = 0;

function keyed(boxes) {
  return boxes?.map((box) => ({ ...box, key: box.key ?? ++lastKey })) ?? null;
}

function plain(boxes) {
  return boxes?.map(({ label, x, y, width, height }) => ({ label, x, y, width, height })) ?? null;
}

function same(one, other) {
  return JSON.stringify(plain(one)) === JSON.stringify(plain(other));
}

class Drawing {
  // `kept` is what the server has.
  constructor(id, kept) {
    this.id = id;
    this.kept = plain(kept);
    this.boxes = keyed(kept);
    // Boxes that are proposed and not decided on, the surest first.
    this.suggestions = [];
    this.past = [];
    this.future = [];
  }

  get list() {
    return this.boxes ?? [];
  }

  get changed() {
    return !same(this.boxes, this.kept);
  }

  // What `goesOn` is undone with the change before it, as when a key is held down.
  change(boxes, goesOn = false, suggestions = this.suggestions) {
    if (!goesOn || !this.past.length) this.past.push(this.state);
    this.future = [];
    this.state = { boxes: keyed(boxes), suggestions };
  }

  get state() {
    return { boxes: this.boxes, suggestions: this.suggestions };
  }

  set state(state) {
    Object.assign(this, state);
  }

  undo() {
    return this.turn(this.past, this.future);
  }

  redo() {
    return this.turn(this.future, this.past);
  }

  turn(from, to) {
    if (!from.length) return false;
    to.push(this.state);
    this.state = from.pop();
    return true;
  }

  // What another window has drawn becomes what the next saving starts from.
  meet(theirs) {
    this.kept = plain(theirs);
    this.theirs = undefined;
  }
}

// The boxes of both, each once.
function ofBoth(mine, theirs) {
  const known = new Set((mine ?? []).map((box) => JSON.stringify(plain([box]))));
  return [...(mine ?? []), ...(theirs ?? []).filter((box) => !known.has(JSON.stringify(plain([box]))))];
}
