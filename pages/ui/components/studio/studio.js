// Studio: photos, learning and trying side by side. It asks the server how all stands and draws it, without a reload.

const IMPORT_MS = 150;
const BUSY_MS = 400;
const IDLE_MS = 1500;

const studios = new WeakMap();
// The newest model of each data set that this tab has seen here, or null; what comes after it is shown unasked.
const newests = new Map();

export default function (component) {
  let studio = studios.get(component.parentElement);
  if (!studio) {
    studio = new Studio(component.parentElement, component.data);
    studios.set(component.parentElement, studio);
  }
  studio.server.data = component.data;
  studio.shown = (dataset, run) => component.setTriggerValue("shown", { dataset, run });
  studio.begin(component.data);
  return () => {
    studio.leave();
    studios.delete(component.parentElement);
  };
}

function heedFiles(act) {
  return (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    act(event);
  };
}

class Studio {
  constructor(root, data) {
    this.find = (name) => root.querySelector(name);
    this.server = new Server(data);
    this.classes = [];
    this.photos = [];
    const speak = (words) => (this.find("p.spoken").textContent = words);
    this.adding = new Adding(this.find(".photos"), this);
    this.tryout = new Tryout(this.find(".try"), speak);
    const guarded = (act) => this.adding.guard(act);
    this.learning = new Learning(this.find(".learning"), data.auto, data.eyes, {
      soon: () => this.soon(),
      speak,
      teach: () => this.teach(),
      onward: () => this.find(".try").scrollIntoView({ block: "start" }),
      stop: (job) => {
        this.declined = this.taught;
        guarded(() => this.server.act("stop", { job }));
      },
      measure: () => guarded(() => this.server.act("measure")),
    });
    this.walls = new Walls(this.find(".walls"), {
      rename: (name, wanted, back) => this.change("rename", { class: name, to: wanted }, back),
      remove: (name) => this.remove(name),
      choose: (name) => this.adding.choose(name),
      record: (name) => this.record(name),
      recorded: () => this.endRecording(),
    });
    this.find(".anew").onclick = () => this.turn();
    this.find(".add").onsubmit = (event) => {
      event.preventDefault();
      this.addKind(this.find(".add input"));
    };
    this.find(".undo button").onclick = async () => {
      await this.change("undo", { edit: this.removal });
      this.find(".undo").hidden = true;
    };
    this.takeDrops(this.find(".studio"));
    this.room = new Room(this.find(".studio"));
  }

  takeDrops(box) {
    this.drags = {
      dragover: heedFiles(() => box.classList.add("over")),
      dragleave: (event) => {
        if (!event.relatedTarget) box.classList.remove("over");
      },
      drop: heedFiles((event) => {
        box.classList.remove("over");
        this.drop(event);
      }),
    };
    for (const [kind, act] of Object.entries(this.drags)) window.addEventListener(kind, act);
  }

  drop(event) {
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const [target] = event.composedPath();
    if (entries.length === 1 && entries[0].isFile && target.closest?.(".try")) {
      entries[0].file((file) => this.tryout.showPhoto(file));
      return;
    }
    const label = target.closest?.(".wall")?.dataset.name;
    this.adding.add((found) => walk(entries, found), nameOf(entries.map((entry) => entry.name)), label);
  }

  // Called each time that Streamlit draws the page: what is on show stays, another choice is taken up.
  begin({ dataset, run }) {
    if (dataset !== this.given) {
      this.given = dataset;
      this.fresh = false;
      if (dataset !== this.dataset) this.clear(dataset);
    }
    if (run !== this.givenRun) {
      this.givenRun = run;
      this.run = run;
      this.soon();
    }
    if (this.going) return;
    this.going = true;
    this.poll();
  }

  take(dataset) {
    this.dataset = dataset;
    this.run = null;
    this.mark = "";
  }

  leave() {
    this.going = false;
    this.endRecording();
    this.adding.leave();
    this.tryout.leave();
    this.room.leave();
    for (const [kind, act] of Object.entries(this.drags)) window.removeEventListener(kind, act);
  }

  async poll() {
    while (this.going) {
      let wait = IDLE_MS;
      this.hurried = false;
      try {
        const { dataset } = this;
        const asked = { dataset: dataset ?? "", import: this.adding.job ?? "", known: this.mark };
        const model = { run: this.run ?? "", newest: newests.get(dataset) ?? "", eye: this.learning.eye };
        const { recording } = this.adding;
        const free = (!recording || recording.wants) && !this.adding.uploading && this.declined !== this.taught;
        const state = await this.server.state({ ...asked, ...model, learn: this.learning.bySelf && free });
        if (!this.going) return;
        // Another data set has been chosen meanwhile.
        if (dataset !== this.dataset) continue;
        if (this.lost) this.adding.complain("");
        this.lost = false;
        if (this.draw(state)) wait = state.import?.active ? IMPORT_MS : BUSY_MS;
      } catch (problem) {
        this.lost = true;
        this.adding.complain(problem.message);
      }
      if (this.hurried) continue;
      await new Promise((resolve) => {
        this.wake = resolve;
        setTimeout(resolve, wait);
      });
    }
  }

  // What is learnt: the photos as they stand, by an eye. Who stopped that is not to see it begin again.
  get taught() {
    return `${this.mark} ${this.learning.eye}`;
  }

  // Has the server asked at once, or once more where it is being asked.
  soon() {
    this.hurried = true;
    this.wake?.();
  }

  // Returns whether something goes on that is worth looking at often.
  draw(state) {
    this.adding.draw(state.import);
    if (state.dataset) this.drawDataset(state.dataset);
    this.follow(state.learning.newest ?? null);
    this.find(".anew").hidden = !this.dataset && !this.fresh;
    this.find(".anew").textContent = this.fresh ? "Back to the photos before" : "New photos";
    this.find(".studio").classList.toggle("filled", Boolean(this.classes.length));
    const learns = state.learning.stage === "learning";
    if (learns && this.adding.recording) this.adding.recording.learnt = true;
    this.learning.draw(state.learning, this.photos);
    this.learning.drawEyes(state.eyes, state.measuring);
    this.tryout.taught(state.live);
    this.tryout.learns = learns;
    return Boolean(state.import?.active || learns || this.adding.recording || state.measuring);
  }

  drawDataset(dataset) {
    if (this.dataset !== dataset.id) {
      this.take(dataset.id);
      this.fresh = false;
      this.shown(dataset.id, "");
    }
    if (dataset.classes) {
      this.mark = dataset.mark;
      this.edit = dataset.edit;
      this.classes = dataset.classes;
      this.photos = dataset.classes.flatMap((each) => each.photos);
      this.walls.draw(this.classes);
    }
    const isBoxed = dataset.boxes !== null;
    this.find(".pile").hidden = !dataset.pile && !isBoxed;
    this.find(".pile span").textContent = isBoxed
      ? `${dataset.boxes.toLocaleString()} boxes are drawn on ${dataset.pile.toLocaleString()} photos.`
      : `${dataset.pile.toLocaleString()} photos have no kind yet.`;
    const link = this.find(".pile .way");
    link.textContent = isBoxed ? "Find and count" : "Sort them";
    link.href = `${isBoxed ? this.server.data.find : this.server.data.pile}?dataset=${dataset.id}`;
    // Photos of which none has a kind may as well be there to be counted on.
    const boxes = this.find(".pile .boxes");
    boxes.hidden = isBoxed || !dataset.pile || dataset.images > 0;
    boxes.href = `${this.server.data.boxes}?dataset=${dataset.id}`;
  }

  // What is newly learnt, or is the best of another eye, is chosen from then on.
  follow(newest) {
    const before = newests.get(this.dataset);
    newests.set(this.dataset, newest);
    if (before === undefined || before === newest || !newest) return;
    this.run = newest;
    this.shown(this.dataset, newest);
  }

  // Begins anew: the photos that come next make a set of their own. A second press goes back.
  turn() {
    this.fresh = !this.fresh;
    this.clear(this.fresh ? null : this.given);
    if (!this.fresh) this.run = this.givenRun;
  }

  clear(dataset) {
    this.take(dataset);
    this.classes = [];
    this.photos = [];
    this.walls.added = [];
    this.walls.draw([]);
    this.find(".pile").hidden = true;
    this.soon();
  }

  addKind(field) {
    const name = field.value.trim().replaceAll("/", "-");
    if (!name) return;
    field.value = "";
    this.walls.add(name);
    this.walls.draw(this.classes);
    const wall = this.walls.wall(name);
    wall.scrollIntoView({ block: "nearest" });
    wall.querySelector(".record").focus();
  }

  teach() {
    return this.adding.guard(() => this.server.act("teach", { dataset: this.dataset, eye: this.learning.eye }));
  }

  async change(what, asked, back = () => {}) {
    try {
      const told = await this.server.act(what, { dataset: this.dataset, ...asked });
      this.adding.complain("");
      this.soon();
      return told;
    } catch (problem) {
      back();
      this.adding.complain(problem.message);
      return null;
    }
  }

  async remove(name) {
    this.walls.forget(name);
    if (!this.classes.some((each) => each.name === name)) {
      this.walls.draw(this.classes);
      return;
    }
    // As it is shown here: what another person has added to it meanwhile is not removed unseen.
    const told = await this.change("remove", { class: name, edit: this.edit });
    if (!told) return;
    this.removal = told.edit;
    this.find(".undo").hidden = false;
    this.find(".undo span").textContent = `“${name}” is removed from here; your own files stay.`;
  }

  // Returns whether a recording has begun: the first press only turns the camera on, which the browser asks about.
  record(label) {
    if (!this.tryout.stream) {
      this.tryout.start();
      this.learning.say("The camera is on. Hold the button again to record.");
      return false;
    }
    if (this.adding.recording) return false;
    const badge = this.find(".view .recording");
    const wall = this.walls.wall(label);
    const fresh = !this.classes.some((each) => each.name === label);
    const recording = new Recording(this, label, fresh, (number) => {
      badge.textContent = `● ${label}: ${number}`;
      wall.querySelector(".count").textContent = `recording: ${number}`;
    });
    this.adding.recording = recording;
    badge.hidden = false;
    wall.classList.add("recording");
    this.tryout.records = true;
    this.adding.guard(() => recording.film(this.tryout.video)).finally(() => {
      badge.hidden = true;
      wall.classList.remove("recording");
      this.tryout.records = false;
      this.adding.recording = null;
      this.walls.draw(this.classes);
      this.soon();
    });
    return true;
  }

  endRecording() {
    if (this.adding.recording) this.adding.recording.over = true;
  }
}
