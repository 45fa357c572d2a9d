// The drop zone: takes a folder that is dropped anywhere on its page or chosen, has it uploaded, and tells how far that is.

const TICKET_EVERY_MS = 50;
const TICKET_WITHIN_MS = 10000;
const SPEAK_EVERY_MS = 4000;

const zones = new WeakMap();
// The upload that goes on, whichever page is open; what became of one that ended beside its page; the ticket it used up.
let going = null;
let ended = null;
let spent = null;

export default function (component) {
  let zone = zones.get(component.parentElement);
  if (!zone) {
    zone = new Zone(component.parentElement);
    zones.set(component.parentElement, zone);
  }
  zone.dress(component.data);
  zone.finished = (job) => component.setTriggerValue("uploaded", job);
  zone.abandoned = (url) => component.setTriggerValue("abandoned", url);
  zone.arrive();
  return () => zone.leave();
}

class Zone {
  constructor(root) {
    this.find = (name) => root.querySelector(name);
    const box = this.find(".zone");
    // Without these the browser would open a file that misses the box, in the place of this page.
    this.drags = {
      dragover: (event) => {
        if (!holdsFiles(event)) return;
        event.preventDefault();
        box.classList.add("over");
      },
      dragleave: (event) => {
        if (!event.relatedTarget) box.classList.remove("over");
      },
      drop: (event) => {
        if (!holdsFiles(event)) return;
        event.preventDefault();
        box.classList.remove("over");
        const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
        this.take((found) => walk(entries, found), nameOf(entries.map((entry) => entry.name)));
      },
    };
    for (const [kind, act] of Object.entries(this.drags)) window.addEventListener(kind, act);
    this.chooser(".browse", ".folder-input");
    this.chooser(".zip", ".zip-input");
    this.find(".cancel").onclick = () => going?.upload.cancel();
    box.onclick = ({ target }) => {
      if (this.data.small && !going && !target.closest("button, input")) this.find(".folder-input").click();
    };
  }

  dress(data) {
    this.data = data;
    this.find("#drop-title").textContent = data.title;
    this.find(".zone").classList.toggle("small", data.small);
  }

  // Takes over what goes on or has ended while another page was open, and tells what a reload cut off.
  arrive() {
    if (this.arrived) return;
    this.arrived = true;
    const cut = tellCut();
    // Of one of the Studio the note goes on telling.
    if (going || !isUnderway()) note("");
    if (going) {
      going.zone = this;
      this.busy(true);
      this.show(going.state);
    } else if (ended) {
      this.close(ended);
    } else if (cut) {
      this.complain(cut);
    }
    ended = null;
  }

  chooser(button, input) {
    const picker = this.find(input);
    this.find(button).onclick = () => picker.click();
    picker.onchange = () => {
      const files = [...picker.files];
      picker.value = "";
      const paths = files.map((file) => file.webkitRelativePath || file.name);
      const list = (found) => files.forEach((file, index) => found({ path: paths[index], file }));
      this.take(list, nameOf([...new Set(paths.map((path) => path.split("/")[0]))]));
    };
  }

  async take(list, name) {
    if (isUnderway()) {
      this.complain("One upload is going on. Add these photos when it has ended, or cancel it first.");
      return;
    }
    const task = { zone: this, name, state: { stage: "", counts: "", percent: 0 } };
    task.upload = new Upload((state) => {
      task.state = state;
      if (task.zone) task.zone.show(state);
      else note(tellGoing(task));
    });
    going = task;
    this.busy(true);
    setOff(name);
    const result = { name };
    try {
      task.upload.ticket = await this.freshTicket();
      result.job = await task.upload.run(list, name);
    } catch (problem) {
      if (problem.name !== "AbortError") result.problem = problem.message;
      result.abandoned = task.upload.ticket?.url ?? this.data.url;
    }
    arrived();
    spent = task.upload.ticket?.url ?? this.data.url;
    going = null;
    if (task.zone) {
      task.zone.close(result);
    } else {
      ended = result;
      note(
        result.job
          ? `“${name}” is uploaded: the Data page shows its photos.`
          : `The upload of “${name}” has failed. The Data page says why.`,
      );
    }
  }

  // What an upload that was given up has sent must not mix with the next, so each gets a ticket of its own.
  async freshTicket() {
    for (let waited = 0; this.data.url === spent; waited += TICKET_EVERY_MS) {
      if (waited > TICKET_WITHIN_MS) throw new Refused("Thaw does not answer. Reload the page, then add the photos again.");
      await pause(TICKET_EVERY_MS);
    }
    return this.data;
  }

  close({ job, problem, abandoned }) {
    this.busy(false);
    if (job) {
      this.speak("Upload complete. The photos are being checked.");
      this.finished(job);
      return;
    }
    this.abandoned(abandoned);
    if (problem) this.complain(problem);
    else this.speak("Upload cancelled.");
  }

  busy(on) {
    this.find(".invite").hidden = on;
    this.find(".progress").hidden = !on;
    this.find(".problem").hidden = true;
    if (on) this.find(".cancel").focus();
  }

  show(state) {
    this.find(".stage").textContent = state.stage;
    this.find(".counts").textContent = state.counts;
    this.find(".bar").style.width = `${state.percent}%`;
    this.find(".track").setAttribute("aria-valuenow", String(Math.round(state.percent)));
    const now = performance.now();
    if (now - (this.spokenAt ?? 0) > SPEAK_EVERY_MS) {
      this.spokenAt = now;
      this.speak(`${state.stage} ${state.counts}`);
    }
  }

  speak(words) {
    this.find(".spoken").textContent = words;
  }

  complain(words) {
    this.find(".problem").textContent = words;
    this.find(".problem").hidden = false;
  }

  // An upload goes on while other pages are looked at, and a note tells of it there.
  leave() {
    for (const [kind, act] of Object.entries(this.drags)) window.removeEventListener(kind, act);
    if (going?.zone !== this) return;
    going.zone = null;
    note(tellGoing(going));
  }
}

function holdsFiles(event) {
  return [...event.dataTransfer.types].includes("Files");
}
