// Adding: photos on their way in - by drop, by choice, from a video or a camera - and how far their import is.

const VIDEO = /^video\//;
const IDLE_EVERY_MS = 30;

// The upload that goes on, whichever page is open, and the import of one that ended beside the Studio.
let going = null;
let landed = null;

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
    this.arrive();
  }

  // Takes over what goes on or has ended while another page was open, and tells what a reload cut off.
  arrive() {
    const cut = tellCut();
    if (going || !isUnderway()) note("");
    if (going) {
      going.adding = this;
      this.uploading = going.upload;
      this.showUpload(going.state);
    } else if (landed) {
      this.job = landed;
    }
    landed = null;
    if (cut) this.complain(cut);
  }

  // An upload goes on while other pages are looked at, and a note tells of it there.
  leave() {
    if (going?.adding !== this) return;
    going.adding = null;
    note(tellGoing(going));
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
    if (isUnderway()) return this.complain("Photos are being added. Wait for their end, or cancel it first.");
    return this.guard(async () => {
      const items = [];
      const videos = [];
      await list((item) => {
        if (label && VIDEO.test(item.file?.type ?? "")) videos.push(item.file);
        else items.push(label ? { ...item, path: `${pathTo(label, this.studio.dataset)}/${item.path.split("/").at(-1)}` } : item);
      });
      if (items.length) await this.send((found) => items.forEach(found), name || "My photos");
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
    const task = { adding: this, name, state: { stage: "", counts: "", percent: 0 } };
    task.upload = this.uploading = new Upload((state) => {
      task.state = state;
      if (task.adding) task.adding.showUpload(state);
      else note(tellGoing(task));
    });
    going = task;
    setOff(name);
    let job = null;
    try {
      const { dataset } = this.studio;
      task.upload.ticket = await this.studio.server.act("ticket");
      if (dataset) task.upload.ticket.target = { dataset, role: "main" };
      job = await task.upload.run(list, name);
    } catch (problem) {
      if (problem.name === "AbortError") return;
      if (task.adding) throw problem;
      note(`The upload of “${name}” has failed. ${problem.message}`);
    } finally {
      going = null;
      arrived();
      if (job) task.adding?.follow(job);
      task.adding?.end();
    }
    if (!job || task.adding) return;
    landed = job;
    note(`“${name}” is uploaded: the Studio shows its photos.`);
  }

  end() {
    this.uploading = null;
    this.find(".going").hidden = !this.job;
  }

  showUpload({ stage, counts, percent }) {
    this.show(`${stage} ${counts.split(" · ")[0]}`, percent);
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
