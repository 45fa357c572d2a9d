// Adding: photos on their way in - by drop, by choice, from a video or a camera - and how far their import is.

const VIDEO = /^video\//;
const IDLE_EVERY_MS = 30;

class Adding {
  // `studio` says which data set photos go to, and is told of what comes.
  constructor(column, studio) {
    this.find = (name) => column.querySelector(name);
    this.studio = studio;
    const folder = this.find(".folder-input");
    const files = this.find(".files-input");
    this.find(".browse").onclick = () => folder.click();
    this.find(".sample").onclick = () =>
      this.guard(async () => this.follow((await studio.server.act("sample")).job));
    folder.onchange = () => this.takeInput(folder);
    files.onchange = () => this.takeInput(files, this.label);
    this.find(".going .cancel").onclick = () => this.cancel();
  }

  choose(label) {
    this.label = label;
    this.find(".files-input").click();
  }

  takeInput(input, label) {
    const chosen = [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
    input.value = "";
    this.add((found) => chosen.forEach(found), chosen[0]?.path.split("/")[0], label);
  }

  // Adds what `list` finds: to the kind `label` where one is given, else by the folders it lies in.
  add(list, name, label) {
    if (this.uploading) return this.complain("Photos are being added. Wait for their end, or cancel it first.");
    return this.guard(async () => {
      const items = [];
      const videos = [];
      await list((item) => {
        if (label && VIDEO.test(item.file?.type ?? "")) videos.push(item.file);
        else items.push(label ? { ...item, path: `${pathTo(label, this.studio.dataset)}/${item.path.split("/").at(-1)}` } : item);
      });
      if (items.length) await this.send((found) => items.forEach(found), name);
      for (const video of videos) await this.takeVideo(video, label);
    });
  }

  async takeVideo(video, label) {
    const told = (number) => this.show(`Taking pictures out of the video: ${number}`, 0);
    this.recording = new Recording(this.studio, label, false, told);
    try {
      await this.recording.play(video);
    } finally {
      this.recording = null;
    }
  }

  async send(list, name) {
    this.uploading = new Upload(({ stage, counts, percent }) => this.show(`${stage} ${counts.split(" · ")[0]}`, percent));
    try {
      const { dataset } = this.studio;
      this.uploading.ticket = await this.studio.server.act("ticket");
      if (dataset) this.uploading.ticket.target = { dataset, role: "main" };
      this.follow(await this.uploading.run(list, name || "My photos"));
    } catch (problem) {
      if (problem.name !== "AbortError") throw problem;
    } finally {
      this.uploading = null;
      this.find(".going").hidden = !this.job;
    }
  }

  cancel() {
    if (this.uploading) this.uploading.cancel();
    else if (this.job) this.guard(() => this.studio.server.act("stop", { job: this.job }));
  }

  follow(job) {
    this.job = job;
    this.studio.soon();
  }

  // Waits for the end of the import that is followed.
  async idle() {
    while (this.job && this.studio.going) await pause(IDLE_EVERY_MS);
  }

  draw(job) {
    const busy = Boolean(job?.active);
    if (job && this.job === job.id && !busy) {
      this.job = null;
      if (job.status === "failed") this.complain(job.error);
      this.studio.soon();
    }
    if (this.uploading) return;
    this.find(".question").hidden = !job?.question || !busy;
    if (busy) this.job = job.id;
    if (busy && job.question) this.ask(job);
    // A recording says itself how far it is.
    if (this.recording) return;
    this.find(".going").hidden = !busy;
    if (!busy) return;
    const far = job.total ? `: ${job.done.toLocaleString()} of ${job.total.toLocaleString()}` : "";
    this.show(`${job.words}${far}${job.left ? `, ${job.left} left` : ""}`, job.total ? (100 * job.done) / job.total : 0);
  }

  ask(job) {
    const box = this.find(".question");
    const key = `${job.id} ${job.question.key}`;
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    const buttons = job.question.options.map((option) => {
      const button = element("button", "", option.label);
      button.title = option.preview;
      button.onclick = () => {
        box.hidden = true;
        this.guard(() => this.studio.server.act("answer", { job: job.id, option: option.key }));
      };
      return button;
    });
    box.replaceChildren(element("p", "", job.question.text), ...buttons);
  }

  show(words, share) {
    this.find(".going").hidden = false;
    this.find(".going .stage").textContent = words;
    this.find(".going .bar").style.width = `${share}%`;
    this.find(".going .track").setAttribute("aria-valuenow", String(Math.round(share)));
  }

  async guard(act) {
    try {
      this.complain("");
      await act();
      this.studio.soon();
    } catch (problem) {
      this.complain(problem.message);
    }
  }

  complain(words) {
    this.find(".zone .problem").textContent = words;
    this.find(".zone .problem").hidden = !words;
  }
}
