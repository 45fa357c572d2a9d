// Suggesting: boxes that a model proposes for the photo, the surest first, which the person takes, corrects or turns down.

// A proposal that lies so far over a box of its kind, as the intersection's share of the union, is of the same object.
const SAME_OBJECT = 0.5;
// Photos that the model looks at ahead: so many at a time, as the server takes them, and so many in all.
const RANKED_AT_ONCE = 4;
const MOST_RANKED = 200;

class Suggesting {
  constructor(editor) {
    this.editor = editor;
    this.bar = editor.find(".suggesting");
    this.words = this.bar.querySelector("p");
    this.sure = new Map();
    for (const [name, act] of [
      [".accept", () => this.accept()],
      [".reject", () => this.reject()],
      [".accept-all", () => this.acceptAll()],
    ])
      this.bar.querySelector(name).onclick = act;
  }

  // What is proposed for a photo, once for each visit of the page; of what is done already only when it is `asked` for.
  async ask(drawing, asked = false) {
    const { editor } = this;
    if (!asked && (!editor.server.data.suggests || drawing.asked || drawing.boxes !== null)) return;
    drawing.asked = true;
    this.note(drawing, "Looking for suggestions…");
    try {
      const { suggestions } = await editor.server.act("suggest", { photo: drawing.id });
      this.take(drawing, suggestions);
      this.note(drawing, drawing.suggestions.length ? "" : "No suggestions for this photo.");
    } catch (problem) {
      drawing.asked = false;
      this.note(drawing, `No suggestions. ${problem.message}`);
    }
  }

  // Looks at photos that wait, a few at a time, for how sure the model is of what it would propose there.
  async rank() {
    const { saver, server, photos } = this.editor;
    if (this.ranking || !server.data.suggests) return;
    this.ranking = true;
    try {
      const fresh = photos.filter(({ id, count }) => count === null && !this.sure.has(id)).slice(0, MOST_RANKED);
      for (let start = 0; start < fresh.length; start += RANKED_AT_ONCE) {
        const ids = fresh.slice(start, start + RANKED_AT_ONCE).map(({ id }) => id);
        const { sure } = await server.act("rank", { photos: ids });
        if (this.editor.saver !== saver || this.gone) return;
        for (const [id, share] of Object.entries(sure)) this.sure.set(id, share);
        this.editor.draw();
      }
    } catch {
      // Why nothing is proposed is told beside the photo that is shown; photos come in their own order then.
    } finally {
      this.ranking = false;
    }
  }

  // What lies on a box of its kind is no news.
  take(drawing, suggestions) {
    const { editor } = this;
    const fresh = suggestions.filter((each) => !drawing.list.some((box) => isOfSame(box, each)));
    drawing.suggestions = keyed(fresh.map((each) => ({ ...each, suggested: true }))).sort(
      (one, other) => other.confidence - one.confidence,
    );
    editor.kinds.take(fresh.map(({ label }) => label));
    if (drawing !== editor.drawing) return;
    editor.chosen ??= drawing.suggestions[0]?.key ?? null;
    editor.draw();
    if (fresh.length) editor.speak(this.told(drawing.suggestions));
  }

  // Says beside the photo how the asking stands.
  note(drawing, words) {
    this.noted = { drawing, words };
    this.draw();
  }

  begin() {
    this.sure.clear();
  }

  leave() {
    this.gone = true;
  }

  // The one that A, X and Enter are about: the chosen one, else the surest.
  get next() {
    const { drawing, item } = this.editor;
    return item?.suggested ? item : drawing?.suggestions[0];
  }

  accept() {
    if (this.next) this.settle([this.next], [this.next], `${this.editor.kinds.shown(this.next.label)} accepted`);
  }

  acceptAll() {
    const all = this.editor.drawing?.suggestions ?? [];
    if (all.length) this.settle(all, all, `${counted(all.length, "suggestion", "suggestions")} accepted`);
  }

  reject() {
    if (this.next) this.settle([this.next], [], `${this.editor.kinds.shown(this.next.label)} rejected`);
  }

  // Takes suggestions away, and in their place boxes in; goes on to the next surest.
  settle(gone, boxes, words) {
    const { hand, drawing, stage } = this.editor;
    const place = drawing.suggestions.indexOf(gone[0]);
    const left = drawing.suggestions.filter((each) => !gone.includes(each));
    const chosen = left[Math.min(place, left.length - 1)]?.key ?? null;
    this.sure.set(drawing.id, left[0]?.confidence ?? 0);
    // What was missed beside it is likely of its kind.
    this.editor.kind = boxes.at(-1)?.label ?? this.editor.kind;
    const after = boxes.length ? [...drawing.list, ...boxes.map(accepted)] : drawing.boxes;
    hand.change(after, `${words}. ${this.told(left)}`, { chosen, suggestions: left });
    stage.focus(chosen);
  }

  told(suggestions) {
    if (!suggestions.length) return "No suggestions.";
    const { label, confidence } = suggestions[0];
    const surest = `${this.editor.kinds.shown(label)}, ${inPercent(confidence)} sure`;
    return `${counted(suggestions.length, "suggestion", "suggestions")}, the surest: ${surest}`;
  }

  draw() {
    const { drawing } = this.editor;
    const number = drawing?.suggestions.length ?? 0;
    const note = drawing && this.noted?.drawing === drawing ? this.noted.words : "";
    // It keeps its place, or the photo would change its size under the hand.
    this.bar.hidden = !this.editor.server.data.suggests;
    this.bar.querySelector(".group").classList.toggle("unseen", !number);
    const words = number ? `${counted(number, "suggestion", "suggestions")}, surest first` : note;
    if (this.words.textContent !== words) this.words.textContent = words;
    const next = this.sure.size ? "Next, surest first" : "Next not done";
    this.editor.find(".next-open .words").textContent = next;
  }
}

function accepted({ key, label, x, y, width, height }) {
  return { key, label, x, y, width, height };
}

function inPercent(share) {
  return `${Math.round(100 * share)}%`;
}

function isOfSame(one, other) {
  if (one.label !== other.label) return false;
  const across = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
  const down = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
  const both = Math.max(0, across) * Math.max(0, down);
  return both / (one.width * one.height + other.width * other.height - both) > SAME_OBJECT;
}
