// The webcam: shows what the camera sees, asks the model about one frame after another, and draws what it says.

const MOST_A_SECOND = 15;
const RATE_OVER = 10;
const SPEAK_EVERY_MS = 4000;
const STILL_PX = 640;
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

class Webcam extends Camera {
  constructor(root) {
    super(root);
    this.bars = new Bars(this.find(".bars"));
    this.find(".start").onclick = () => this.start();
    this.find(".stop").onclick = () => {
      this.stop();
      this.find(".start").focus();
    };
    this.find(".still").onclick = () => this.takeStill();
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
        const said = await this.questions.ask(url, token, await takeFrame(this.video, side, true));
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

  async takeStill() {
    if (!this.video.videoWidth) return;
    const picture = await takeFrame(this.video, STILL_PX, true);
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
    const words = known ? `${first.label}, ${inPercent(first.share)}` : UNKNOWN;
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
    if (on) this.find(".stop").focus();
    else {
      this.bars.clear();
      this.find(".bars").hidden = true;
    }
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
}
