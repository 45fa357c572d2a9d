// The counting camera: has a detector look at one frame after another, draws boxes over the video, and counts.

const MOST_A_SECOND = 15;
const RATE_OVER = 10;
const SPEAK_EVERY_MS = 4000;
const NOTHING = "Nothing found";
const counters = new WeakMap();

export default function (component) {
  let counter = counters.get(component.parentElement);
  if (!counter) {
    counter = new Counter(component.parentElement);
    counters.set(component.parentElement, counter);
  }
  counter.data = component.data;
  // Another confidence holds for the frame that is shown as well.
  counter.draw();
  return () => {
    counter.stop();
    counters.delete(component.parentElement);
  };
}

class Counter extends Camera {
  constructor(root) {
    super(root);
    this.frames = 0;
    this.find(".start").onclick = () => this.start();
    this.find(".stop").onclick = () => {
      this.stop();
      this.find(".start").focus();
    };
  }

  // One request at a time: the next frame is taken when the one before it has been answered.
  async watch(turn) {
    const answered = [];
    this.tell("The model is being loaded…");
    this.speak("The camera is on. The model is being loaded.");
    while (turn === this.turn) {
      const begun = performance.now();
      if (!document.hidden && this.video.videoWidth) {
        const { url, token, side } = this.data;
        const said = await this.questions.ask(url, token, await takeFrame(this.video, side, false));
        if (turn !== this.turn) return;
        if (said.unread) this.tell(`A frame could not be read: ${said.unread}`);
        else {
          this.seen = said.boxes;
          this.draw();
        }
        answered.push(performance.now());
        if (answered.length > RATE_OVER) answered.shift();
        this.count(answered);
      }
      await pause(Math.max(0, 1000 / MOST_A_SECOND - (performance.now() - begun)));
    }
  }

  draw() {
    if (!this.seen) return;
    const found = this.seen.filter((box) => box.confidence >= this.data.confidence);
    this.find(".boxes").replaceChildren(...found.map(makeBox));
    const counts = countByLabel(found);
    this.find(".counts").replaceChildren(...counts.map(makeCount));
    this.find(".counts").hidden = !counts.length;
    this.tell(counts.length ? "" : NOTHING);
    const words = counts.map(([label, number]) => `${number} ${label}`).join(", ") || NOTHING;
    const now = performance.now();
    if (words !== this.told && now - (this.spokenAt ?? -SPEAK_EVERY_MS) >= SPEAK_EVERY_MS) {
      this.spokenAt = now;
      this.told = words;
      this.speak(words);
    }
  }

  count(answered) {
    this.frames += 1;
    this.find(".cam").dataset.frames = String(this.frames);
    if (answered.length < 2) return;
    const rate = (1000 * (answered.length - 1)) / (answered.at(-1) - answered[0]);
    this.find(".rate").textContent = `${rate.toFixed(1)} frames/s`;
  }

  show(on) {
    for (const name of [".view", ".stop", ".state"]) this.find(name).hidden = !on;
    for (const name of [".start", ".invite"]) this.find(name).hidden = on;
    if (on) this.find(".stop").focus();
    this.seen = this.told = undefined;
    this.find(".boxes").replaceChildren();
    this.find(".counts").replaceChildren();
    this.find(".counts").hidden = true;
    this.find(".rate").textContent = "";
  }

  tell(words) {
    this.find(".state").textContent = words;
  }

  speak(words) {
    this.find(".spoken").textContent = words;
  }
}

// The kinds with how many of each, most first; labels are people's own words, of which no plural is made.
function countByLabel(found) {
  const counts = new Map();
  for (const { label } of found) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1));
}

// The video is mirrored, and so is where the box lies, but not its words.
function makeBox({ label, confidence, x, y, width, height }) {
  const box = document.createElement("div");
  box.className = "box";
  const place = { left: 1 - x - width, top: y, width, height };
  for (const [side, share] of Object.entries(place)) box.style[side] = `${100 * share}%`;
  const words = document.createElement("span");
  words.textContent = `${label} ${Math.round(100 * confidence)}%`;
  box.append(words);
  return box;
}

function makeCount([label, number]) {
  const item = document.createElement("li");
  const figure = document.createElement("b");
  figure.textContent = String(number);
  item.append(figure, ` ${label}`);
  return item;
}
