// Recorder: takes frames of the camera or of a video for one kind of photos, and passes them on while it takes them.

const FRAME_EVERY_MS = 100;
const FRAME_SIDE = 320;
const FRAMES_A_BATCH = 10;
// So many are taken in at a time while it goes on: what is left to do at its end is little.
const FRAMES_A_PIECE = 20;
const MOST_FRAMES = 600;
const BEYOND_THE_END_S = 1e7;
const UNREADABLE_VIDEO =
  "This browser cannot play that video. Save it as MP4 (H.264) or WebM, then drop it here again.";

class Recording {
  // `studio` says which data set the frames go to, and follows what takes them in; `fresh` is whether they are the first
  // of their kind.
  constructor(studio, label, fresh, told) {
    Object.assign(this, { studio, label, fresh, told });
    this.id = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.number = 0;
    this.waiting = [];
    this.sending = Promise.resolve();
    this.over = false;
  }

  // Whether what is recorded should be learnt at once: a new kind is, once, so that it is known when the recording ends.
  get wants() {
    return this.fresh && !this.learnt;
  }

  async open() {
    this.dataset ||= this.studio.dataset;
    this.upload = new Upload(() => {});
    this.upload.ticket = await this.studio.server.act("ticket");
    this.upload.startedAt = performance.now();
  }

  // Takes frames until it is told to end.
  async film(video) {
    const begun = performance.now();
    while (!this.over && this.number < MOST_FRAMES) {
      if (video.videoWidth) this.take(await takeFrame(video, FRAME_SIDE, true));
      await pause(Math.max(0, begun + this.number * FRAME_EVERY_MS - performance.now()));
    }
    return this.finish();
  }

  async play(file) {
    const video = document.createElement("video");
    video.muted = true;
    video.src = URL.createObjectURL(file);
    try {
      await happened(video, "loadeddata");
      // What a browser has recorded itself knows its length only once it was played to its end.
      if (!Number.isFinite(video.duration)) {
        video.currentTime = BEYOND_THE_END_S;
        await happened(video, "seeked");
      }
      const step = Math.max(FRAME_EVERY_MS / 1000, video.duration / MOST_FRAMES);
      for (let at = 0; at < video.duration && !this.over; at += step) {
        video.currentTime = at;
        await happened(video, "seeked");
        this.take(await takeFrame(video, FRAME_SIDE, true));
      }
    } finally {
      URL.revokeObjectURL(video.src);
    }
    return this.finish();
  }

  take(file) {
    this.waiting.push({ number: this.number, file });
    this.number += 1;
    this.told(this.number);
    if (this.waiting.length >= FRAMES_A_BATCH) this.pass();
  }

  pass() {
    this.sending = this.sending.then(() => this.send());
    // Told at its end.
    this.sending.catch(() => {});
  }

  async send() {
    if (!this.waiting.length) return;
    if (!this.upload) await this.open();
    const batch = this.waiting.splice(0).map(({ number, file }) => ({ number, path: this.path(number), file }));
    await this.upload.persist(() => this.upload.send(batch));
    if (this.over || this.upload.sentFiles < FRAMES_A_PIECE) return;
    await this.end();
    // The first piece makes the data set that the next one is added to.
    await this.studio.adding.idle();
  }

  path(number) {
    return `${pathTo(this.label, this.dataset)}/recording-${this.id}-${String(number).padStart(4, "0")}.jpg`;
  }

  async end() {
    const { upload } = this;
    this.upload = null;
    const target = this.dataset ? { dataset: this.dataset, role: "main" } : {};
    const asked = JSON.stringify({ name: "My photos", ...target });
    this.studio.adding.follow((await upload.persist(() => upload.post("/finish", asked))).job);
  }

  // Has the last frames taken in.
  async finish() {
    this.over = true;
    this.pass();
    await this.sending;
    if (!this.number) throw new Refused("No picture came from the camera. Start it again.");
    if (this.upload) await this.end();
  }
}

// A lone folder that is brought for a new data set is a pile; within another it is a kind.
function pathTo(label, dataset) {
  return dataset ? label : `photos/${label}`;
}

function happened(video, kind) {
  return new Promise((resolve, reject) => {
    video.addEventListener(kind, resolve, { once: true });
    video.addEventListener("error", () => reject(new Refused(UNREADABLE_VIDEO)), { once: true });
  });
}
