// Saving: sends each photo's boxes after a change, one request at a time; what could not be sent is kept and sent again.

const SETTLED_MS = 400;
const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 15000;

class Saver {
  // `told` is called with how all stands: { word, problem, drawing }, where `problem` is in words or "".
  constructor(server, told) {
    this.server = server;
    this.told = told;
    this.waiting = new Set();
    this.retryMs = FIRST_RETRY_MS;
    this.problem = "";
    this.online = () => this.now();
    window.addEventListener("online", this.online);
    // A page that is closed asks whether it may, as long as boxes would be lost.
    this.warn = (event) => this.waiting.size && event.preventDefault();
    window.addEventListener("beforeunload", this.warn);
  }

  add(drawing) {
    this.waiting.add(drawing);
    this.soon(SETTLED_MS);
    this.tell();
  }

  soon(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), milliseconds);
  }

  async now() {
    clearTimeout(this.timer);
    if (this.sending) return;
    this.sending = true;
    try {
      let next;
      while ((next = this.next())) await this.save(next);
      this.problem = "";
      this.retryMs = FIRST_RETRY_MS;
    } catch (refusal) {
      this.problem = refusal.message;
      // What the server has understood and refused stays refused until something changes.
      if (!(refusal.status < 500)) {
        this.soon(this.retryMs);
        this.retryMs = Math.min(2 * this.retryMs, LONGEST_RETRY_MS);
      }
    }
    this.sending = false;
    this.tell();
  }

  // One that waits for the person to say whose boxes count is left alone.
  next() {
    for (const drawing of this.waiting) {
      if (!drawing.changed) this.waiting.delete(drawing);
      else if (drawing.theirs === undefined) return drawing;
    }
    return null;
  }

  async save(drawing) {
    const boxes = plain(drawing.boxes);
    try {
      await this.server.act("save", { photo: drawing.id, boxes, read: drawing.kept });
      drawing.kept = boxes;
    } catch (refusal) {
      if (refusal.status !== 409) throw refusal;
      const theirs = (await this.server.act("read", { photo: drawing.id })).boxes;
      if (same(theirs, drawing.kept)) throw refusal;
      // An answer that was lost on its way: it had been saved.
      if (same(theirs, boxes)) drawing.kept = boxes;
      else drawing.theirs = theirs;
    }
  }

  tell() {
    const waits = [...this.waiting].filter((drawing) => drawing.changed);
    const torn = waits.find((drawing) => drawing.theirs !== undefined);
    const word = this.problem || torn ? "Not saved" : waits.length ? "Saving…" : "Saved";
    this.told({ word, problem: this.problem, torn });
  }

  leave() {
    window.removeEventListener("online", this.online);
    window.removeEventListener("beforeunload", this.warn);
    this.now();
  }
}
