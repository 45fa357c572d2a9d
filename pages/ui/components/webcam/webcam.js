// The webcam: shows what the camera sees, asks the model about one frame after another, and draws what it says.

const MOST_A_SECOND = 15;
const ANSWER_WITHIN_MS = 180000;
const RATE_OVER = 10;
const SPEAK_EVERY_MS = 4000;
const STILL_PX = 640;
const JPEG_QUALITY = 0.9;
const UNKNOWN = "I don't know";
const NOT_SECURE =
  "The browser gives the camera only to pages of this machine. Open Thaw at http://localhost and its port.";
const REFUSALS = {
  NotAllowedError:
    "The browser was not allowed to use the camera. Allow it at the address bar, then start the camera again.",
  NotFoundError: "No camera was found. Connect one, then start the camera again.",
  NotReadableError: "The camera is in use by another program. Close that program, then start the camera again.",
};

const webcams = new WeakMap();

export default function (component) {
  let webcam = webcams.get(component.parentElement);
  if (!webcam) {
    webcam = new Webcam(component.parentElement);
    webcams.set(component.parentElement, webcam);
  }
  webcam.data = component.data;
  webcam.hand = (still) => component.setTriggerValue("still", still);
  return () => {
    webcam.stop();
    webcams.delete(component.parentElement);
  };
}

class Webcam {
  constructor(root) {
    this.find = (name) => root.querySelector(name);
    this.video = this.find("video");
    this.bars = new Bars(this.find(".bars"));
    // Counts the starts: what belongs to an earlier one must do nothing when it comes late.
    this.turn = 0;
    this.find(".start").onclick = () => this.start();
    this.find(".stop").onclick = () => {
      this.stop();
      this.find(".start").focus();
    };
    this.find(".still").onclick = () => this.takeStill();
  }

  async start() {
    const turn = ++this.turn;
    this.complain("");
    if (!navigator.mediaDevices?.getUserMedia) return this.complain(NOT_SECURE);
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" }, audio: false });
      if (turn !== this.turn) return release(stream);
      this.stream = stream;
      stream.getVideoTracks()[0].onended = () => this.giveUp("The camera was disconnected.");
      this.video.srcObject = stream;
      this.show(true);
      this.find(".stop").focus();
      await this.video.play();
      await this.watch(turn);
    } catch (problem) {
      if (turn === this.turn) this.giveUp(explain(problem));
    }
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
        const said = await this.ask(url, token, await this.frame(side));
        if (turn !== this.turn) return;
        // Another run has other classes.
        if (url !== this.asked) this.bars.clear();
        this.asked = url;
        if (said.unread) this.tell(`A frame could not be read: ${said.unread}`);
        else this.draw(said);
        answered.push(performance.now());
        if (answered.length > RATE_OVER) answered.shift();
        this.count(answered);
      }
      await pause(Math.max(0, 1000 / MOST_A_SECOND - (performance.now() - begun)));
    }
  }

  async ask(url, token, frame) {
    this.asking = new AbortController();
    const late = setTimeout(() => this.asking?.abort(), ANSWER_WITHIN_MS);
    try {
      const headers = { "x-thaw-token": token, "content-type": "image/jpeg" };
      const answer = await fetch(url, { method: "POST", headers, body: frame, signal: this.asking.signal });
      const said = await answer.json();
      if (!answer.ok) throw new Refused(said.error);
      return said;
    } catch (problem) {
      if (problem instanceof Refused) throw problem;
      throw new Refused("Thaw does not answer. Reload the page, then start the camera again.");
    } finally {
      clearTimeout(late);
    }
  }

  // The middle square of the picture, not mirrored: what the model was taught with was not mirrored either.
  frame(side) {
    const { videoWidth: width, videoHeight: height } = this.video;
    const shorter = Math.min(width, height);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.min(side, shorter);
    const place = [(width - shorter) / 2, (height - shorter) / 2, shorter, shorter];
    canvas.getContext("2d").drawImage(this.video, ...place, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
  }

  async takeStill() {
    if (!this.video.videoWidth) return;
    const picture = await this.frame(STILL_PX);
    const reader = new FileReader();
    reader.onload = () => {
      this.hand(reader.result.split(",")[1]);
      this.speak("The still is below.");
    };
    reader.readAsDataURL(picture);
  }

  draw({ likeliest, known }) {
    const [first] = likeliest;
    this.tell(known ? first.label : UNKNOWN);
    this.bars.draw(likeliest);
    this.find(".said").classList.toggle("unsure", !known);
    this.find(".bars").hidden = false;
    const words = known ? `${first.label}, ${percent(first.share)}` : UNKNOWN;
    const now = performance.now();
    const news = (known ? first.label : UNKNOWN) !== this.told;
    if (news && now - (this.spokenAt ?? -SPEAK_EVERY_MS) >= SPEAK_EVERY_MS) {
      this.spokenAt = now;
      this.told = known ? first.label : UNKNOWN;
      this.speak(words);
    }
  }

  count(answered) {
    this.frames = (this.frames ?? 0) + 1;
    this.find(".cam").dataset.frames = String(this.frames);
    if (answered.length < 2) return;
    const rate = (1000 * (answered.length - 1)) / (answered.at(-1) - answered[0]);
    this.find(".cam").dataset.rate = rate.toFixed(2);
    this.find(".rate").textContent = `${rate.toFixed(1)} frames/s`;
  }

  show(on) {
    for (const name of [".view", ".still", ".stop", ".state"]) this.find(name).hidden = !on;
    for (const name of [".start", ".invite"]) this.find(name).hidden = on;
    if (!on) this.find(".bars").hidden = true;
    this.find(".rate").textContent = "";
    this.find(".said").classList.remove("unsure");
    this.told = undefined;
  }

  tell(words) {
    this.find(".state").textContent = words;
  }

  speak(words) {
    this.find(".spoken").textContent = words;
  }

  complain(words) {
    this.find(".problem").textContent = words;
    this.find(".problem").hidden = !words;
  }

  giveUp(words) {
    this.stop();
    this.complain(words);
  }

  stop() {
    this.turn += 1;
    this.asking?.abort();
    release(this.stream);
    this.stream = this.video.srcObject = null;
    this.bars.clear();
    this.show(false);
  }
}

// A class keeps its row for as long as it is among the likeliest, so that the bars move and the names stay.
class Bars {
  constructor(list) {
    this.list = list;
    this.rows = [];
  }

  draw(likeliest) {
    const wanted = new Map(likeliest.map((each) => [each.number, each]));
    const shown = new Set(this.rows.map((row) => row.number));
    const newcomers = likeliest.filter((each) => !shown.has(each.number)).sort((one, other) => one.number - other.number);
    for (const row of this.rows) {
      if (!wanted.has(row.number)) row.number = newcomers.shift().number;
    }
    this.rows.push(...newcomers.map((each) => ({ number: each.number, ...this.makeRow() })));
    for (const row of this.rows) {
      const { label, share } = wanted.get(row.number);
      row.name.textContent = row.name.title = label;
      row.share.textContent = percent(share);
      row.fill.style.width = `${100 * share}%`;
      row.item.dataset.share = String(share);
      row.item.classList.toggle("first", row.number === likeliest[0].number);
    }
  }

  makeRow() {
    const item = document.createElement("li");
    const [name, track, share] = ["name", "track", "share"].map((word) => {
      const part = document.createElement("span");
      part.className = word;
      return part;
    });
    const fill = document.createElement("span");
    fill.className = "fill";
    track.append(fill);
    item.append(name, track, share);
    this.list.append(item);
    return { item, name, fill, share };
  }

  clear() {
    this.rows = [];
    this.list.replaceChildren();
  }
}

class Refused extends Error {}

function explain(problem) {
  if (problem instanceof Refused) return problem.message;
  return REFUSALS[problem.name] ?? `The camera could not be used: ${problem.message}`;
}

function release(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function percent(share) {
  return `${Math.round(100 * share)}%`;
}
