// Camera: what stands between a camera and a model: why it cannot be used, a frame of it, and what the model says of one.

const ANSWER_WITHIN_MS = 180000;
const JPEG_QUALITY = 0.9;
const NOT_SECURE =
  "The browser gives the camera only to pages at https:// or of its own machine. Open Thaw at such an address.";
const REFUSALS = {
  NotAllowedError:
    "The browser was not allowed to use the camera. Allow it at the address bar, then start the camera again.",
  NotFoundError: "No camera was found. Connect one, then start the camera again.",
  NotReadableError: "The camera is in use by another program. Close that program, then start the camera again.",
};

async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) throw new Refused(NOT_SECURE);
  return navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" }, audio: false });
}

// The picture, or its middle square, no side longer than `side`; not mirrored: what the model was taught with was not
// mirrored either.
function takeFrame(picture, side, isSquare) {
  const width = picture.videoWidth ?? picture.width;
  const height = picture.videoHeight ?? picture.height;
  const shorter = Math.min(width, height);
  const [wide, high] = isSquare ? [shorter, shorter] : [width, height];
  const shrink = Math.min(1, side / Math.max(wide, high));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(wide * shrink));
  canvas.height = Math.max(1, Math.round(high * shrink));
  const place = [(width - wide) / 2, (height - high) / 2, wide, high];
  canvas.getContext("2d").drawImage(picture, ...place, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
}

// One question at a time to a model.
class Questions {
  async ask(url, token, frame) {
    this.asking = new AbortController();
    const late = setTimeout(() => this.asking?.abort(), ANSWER_WITHIN_MS);
    try {
      const headers = { "x-thaw-token": token, "content-type": "image/jpeg" };
      const answer = await fetch(url, { method: "POST", headers, body: frame, signal: this.asking.signal });
      const said = await answer.json();
      if (!answer.ok) throw new Refused(said.error, answer.status);
      return said;
    } catch (problem) {
      if (problem instanceof Refused) throw problem;
      throw new Refused("Thaw does not answer. Reload the page, then start the camera again.");
    } finally {
      clearTimeout(late);
    }
  }

  end() {
    this.asking?.abort();
  }
}

// A camera on a page: on from `start` to `stop`, and looked at by `watch` in between, which a subclass has.
class Camera {
  constructor(root) {
    this.find = (name) => root.querySelector(name);
    this.video = this.find("video");
    this.questions = new Questions();
    // Counts the starts: what belongs to an earlier one must do nothing when it comes late.
    this.turn = 0;
  }

  async start() {
    const turn = ++this.turn;
    this.complain("");
    try {
      const stream = await openCamera();
      if (turn !== this.turn) return release(stream);
      this.stream = stream;
      stream.getVideoTracks()[0].onended = () => this.giveUp("The camera was disconnected.");
      this.video.srcObject = stream;
      this.show(true);
      await this.video.play();
      await this.watch(turn);
    } catch (problem) {
      if (turn === this.turn) this.giveUp(explain(problem));
    }
  }

  stop() {
    this.turn += 1;
    this.questions.end();
    release(this.stream);
    this.stream = this.video.srcObject = null;
    this.show(false);
  }

  complain(words) {
    this.find(".problem").textContent = words;
    this.find(".problem").hidden = !words;
  }

  giveUp(words) {
    this.stop();
    this.complain(words);
  }
}

function explain(problem) {
  if (problem instanceof Refused) return problem.message;
  return REFUSALS[problem.name] ?? `The camera could not be used: ${problem.message}`;
}

function release(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
