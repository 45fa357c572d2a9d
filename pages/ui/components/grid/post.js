// The way of a grid's actions to the server: one at a time, each sent when the one before it has been answered.
// Streamlit keeps only the newest of two trigger values that meet on their way.

const ANSWER_WITHIN_MS = 20000;

class Post {
  constructor(send) {
    this.send = send;
    this.waiting = [];
    this.sent = null;
  }

  add(message) {
    const same = JSON.stringify(message);
    // A second press of the same key before the page has answered means no second action.
    if ([this.sent, ...this.waiting].some((other) => other?.same === same)) return;
    this.waiting.push({ same, message: { ...message, number: `${Date.now()}-${Math.random()}` } });
    this.next();
  }

  next() {
    if (this.sent || !this.waiting.length) return;
    this.sent = this.waiting.shift();
    this.late = setTimeout(() => this.answered(this.sent.message.number), ANSWER_WITHIN_MS);
    this.send(this.sent.message);
  }

  answered(number) {
    if (!this.sent || number !== this.sent.message.number) return;
    clearTimeout(this.late);
    this.sent = null;
    this.next();
  }

  leave() {
    clearTimeout(this.late);
  }
}
