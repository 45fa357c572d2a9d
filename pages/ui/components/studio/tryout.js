// Tryout: the camera or a photo, and what the newest model says of it in large letters.

const FRAMES_A_SECOND = 15;
// What learns or records at that moment is to have the processor.
const WHILE_LEARNING = 3;
const WHILE_RECORDING = 1;
const SPEAK_EVERY_MS = 4000;
const PHOTO_SIDE = 640;
const LONG_NAME = 14;

class Tryout extends Camera {
  constructor(column, speak) {
    super(column);
    this.bars = new Bars(this.find(".bars"));
    this.column = column;
    this.speak = speak;
    this.live = null;
    this.find(".camera").onclick = () => (this.stream ? this.stop() : this.start());
    const picker = this.find(".photo-input");
    this.find(".photo").onclick = () => picker.click();
    picker.onchange = () => {
      const [file] = picker.files;
      picker.value = "";
      if (file) this.showPhoto(file);
    };
    this.quiet("Show it something, as soon as it has learnt.");
    this.presenting = new MutationObserver(() => this.fill());
    this.presenting.observe(document.documentElement, { attributeFilter: ["data-presenting"] });
  }

  leave() {
    this.presenting.disconnect();
    this.stop();
  }

  // `live` is where frames go and when to be unsure; the model may be another from one frame to the next.
  taught(live) {
    if (live?.run !== this.live?.run) this.bars.clear();
    if (live && !this.live) this.quiet("Show it something: to the camera, or a photo.");
    this.live = live;
  }

  show(on) {
    if (on) this.find(".tried").hidden = true;
    this.find(".camera").textContent = on ? "Stop the camera" : "Start the camera";
    this.find(".rate").textContent = "";
    this.fill();
  }

  // In front of a room the camera fills the screen, and the answer goes across its top.
  fill() {
    const wanted = Boolean(this.stream) && document.documentElement.hasAttribute("data-presenting");
    if (wanted === this.column.hasAttribute("popover")) return;
    if (wanted) {
      this.column.setAttribute("popover", "manual");
      this.column.showPopover();
    } else this.column.removeAttribute("popover");
  }

  async watch(turn) {
    let before = performance.now();
    while (turn === this.turn) {
      const begun = performance.now();
      if (!this.live) this.quiet("It can answer as soon as it has learnt two kinds.");
      else if (!document.hidden && this.video.videoWidth) {
        try {
          await this.ask(await takeFrame(this.video, this.live.side, true), turn);
        } catch (problem) {
          if (turn !== this.turn) return;
          this.complain(explain(problem));
          await pause(2000);
        }
        const rate = 1000 / (performance.now() - before);
        this.find(".rate").textContent = `${rate.toFixed(0)} answers a second`;
      }
      before = begun;
      const most = this.records ? WHILE_RECORDING : this.learns ? WHILE_LEARNING : FRAMES_A_SECOND;
      await pause(Math.max(0, 1000 / most - (performance.now() - begun)));
    }
  }

  async ask(frame, turn) {
    const { url, token } = this.live;
    const said = await this.questions.ask(url, token, frame);
    if (turn !== this.turn || url !== this.live?.url) return;
    this.complain("");
    if (said.unread) this.quiet(`This picture could not be read: ${said.unread}`);
    else this.draw(said);
  }

  async showPhoto(file) {
    this.stop();
    const turn = this.turn;
    try {
      const picture = await createImageBitmap(file).catch(() => {
        throw new Refused("This browser cannot show that picture. Choose a JPEG or a PNG, or the page Try it.");
      });
      const image = this.find(".tried");
      URL.revokeObjectURL(image.src);
      image.src = URL.createObjectURL(file);
      image.hidden = false;
      if (!this.live) this.quiet("It can answer as soon as it has learnt two kinds.");
      else {
        this.quiet("Looking at it…");
        await this.ask(await fit(picture, PHOTO_SIDE), turn);
      }
    } catch (problem) {
      this.quiet("");
      this.complain(explain(problem));
    }
  }

  draw({ likeliest, known }) {
    const [first] = likeliest;
    const sure = known && (this.live.least === null || first.share >= this.live.least);
    const words = sure ? first.label : UNKNOWN;
    const answer = this.find(".answer");
    answer.textContent = words;
    answer.className = words.length > LONG_NAME ? "answer long" : "answer";
    this.bars.draw(likeliest);
    this.column.classList.toggle("unsure", !sure);
    const now = performance.now();
    if (words !== this.told && now - (this.spokenAt ?? -SPEAK_EVERY_MS) >= SPEAK_EVERY_MS) {
      this.spokenAt = now;
      this.told = words;
      this.speak(sure ? `${words}, ${inPercent(first.share)}` : UNKNOWN);
    }
  }

  quiet(words) {
    this.find(".answer").textContent = words;
    this.find(".answer").className = "answer quiet";
  }
}

// The whole photo, made smaller: the model cuts its own square out of it.
function fit(picture, longest) {
  const scale = Math.min(1, longest / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
}
