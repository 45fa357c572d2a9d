// News: has a page drawn again, or tells its component, where another window has changed what it shows; not while
// something is being typed, chosen from a list or dragged.

const POLL_MS = 1000;
// A server that does not answer is asked less often.
const SILENT_MS = 2500;
const CHANGED = "thaw-changed";
const AT_REST = '[data-test-connection-state="CONNECTED"][data-test-script-state="notRunning"]';

let news;

export default function (component) {
  news ??= new News();
  news.follow(component.data, () => component.setTriggerValue("changed", Date.now()));
}

class News {
  constructor() {
    this.typed = null;
    this.held = false;
    window.addEventListener("input", (event) => {
      const [target] = event.composedPath();
      if (isTypedInto(target)) this.typed = target;
    });
    // What is typed counts once it is sent off: by leaving the field, or by Enter where that makes no new line.
    window.addEventListener("focusout", () => (this.typed = null));
    window.addEventListener("keydown", ({ key }) => key === "Enter" && this.typed?.tagName !== "TEXTAREA" && (this.typed = null));
    window.addEventListener("pointerdown", () => (this.held = true), true);
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => (this.held = false), true);
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
    this.again(POLL_MS);
  }

  // Called each time that the page is drawn: `mark` is how all stood as its script began.
  follow({ url, mark, redraws }, redraw) {
    Object.assign(this, { url, mark, redraws, redraw });
  }

  again(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), milliseconds);
  }

  async look() {
    const wait = this.isFree() ? await this.ask() : POLL_MS;
    this.again(wait);
  }

  async ask() {
    const { url } = this;
    const answer = await fetch(url).catch(() => null);
    if (!answer?.ok) return SILENT_MS;
    const { mark } = await answer.json().catch(() => ({ mark: this.mark }));
    // A script that runs meanwhile reads what is new itself, and brings the mark of it.
    if (mark === this.mark || url !== this.url || !this.isFree()) return POLL_MS;
    this.mark = mark;
    if (this.redraws) this.redraw();
    window.dispatchEvent(new Event(CHANGED));
    return POLL_MS;
  }

  isFree() {
    if (!this.url || document.hidden || this.held || !document.querySelector(AT_REST)) return false;
    const focused = document.activeElement;
    const choosing = focused?.getAttribute("role") === "combobox" && focused.getAttribute("aria-expanded") === "true";
    return !choosing && !(this.typed?.isConnected && (this.typed.value ?? this.typed.textContent));
  }
}
