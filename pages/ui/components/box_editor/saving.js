// Saving: sends each photo's boxes after a change, one request at a time; what could not be sent is kept and sent again.

const SETTLED_MS = 400;
const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 15000;

const UNANSWERED = "Thaw does not answer. Check that it still runs.";
const ANEW = "Thaw was started anew, and does not know this page yet.";

// By data set: what is not saved yet outlives the editor that drew it, for as long as the tab is open.
const savers = new Map();

class Saver {
  // The saver of a data set, for the editor that shows it now. `told` is called with how all stands: { word, problem,
  // torn }, where `problem` is in words or "", and `torn` is a drawing on which another window has drawn too; `renew`
  // asks for the page to be drawn again.
  static of(data, told, renew) {
    const saver = savers.get(data.dataset) ?? new Saver(data);
    savers.set(data.dataset, saver);
    Object.assign(saver, { told, renew });
    saver.held = true;
    saver.meet(data);
    return saver;
  }

  constructor(data) {
    this.dataset = data.dataset;
    this.server = new Server(data);
    this.waiting = new Set();
    this.retryMs = FIRST_RETRY_MS;
    this.problem = "";
    this.online = () => this.now();
    window.addEventListener("online", this.online);
    // A page that is closed asks whether it may, as long as boxes would be lost.
    this.warn = (event) => this.waiting.size && event.preventDefault();
    window.addEventListener("beforeunload", this.warn);
  }

  // A server that was started anew has another token, which the page is given when it is drawn again.
  meet(data) {
    const isNew = data.token !== this.server.data.token;
    this.server.data = data;
    if (isNew || this.problem) this.now();
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
      const { status = 0, message } = refusal;
      this.problem = { 0: UNANSWERED, 403: ANEW }[status] ?? message;
      if (status === 403) this.renew();
      // What the server has understood and refused stays refused until something changes.
      if (status < 400 || status === 403 || status >= 500) {
        this.soon(this.retryMs);
        this.retryMs = Math.min(2 * this.retryMs, LONGEST_RETRY_MS);
      }
    }
    this.sending = false;
    this.tell();
    if (!this.held && !this.waiting.size) this.close();
  }

  // Resolves once all is saved; throws Refused where it could not be.
  async settle() {
    while (this.sending) await pause(SETTLED_MS);
    await this.now();
    if (this.waiting.size) throw new Refused("Expected all boxes to be saved first. Received: some that are not.");
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
    this.held = false;
    this.told = this.renew = () => {};
    this.now();
  }

  close() {
    window.removeEventListener("online", this.online);
    window.removeEventListener("beforeunload", this.warn);
    savers.delete(this.dataset);
  }
}
