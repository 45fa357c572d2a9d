// The drop zone: takes a dropped or chosen folder, has it uploaded, and tells how far that is.

const TICKET_EVERY_MS = 50;
const TICKET_WITHIN_MS = 10000;
const SPEAK_EVERY_MS = 4000;

const zones = new WeakMap();

export default function (component) {
  let zone = zones.get(component.parentElement);
  if (!zone) {
    zone = new Zone(component.parentElement);
    zones.set(component.parentElement, zone);
  }
  zone.dress(component.data);
  zone.finished = (job) => component.setTriggerValue("uploaded", job);
  zone.abandoned = (url) => component.setTriggerValue("abandoned", url);
  return () => zone.leave();
}

class Zone {
  constructor(root) {
    this.find = (name) => root.querySelector(name);
    this.upload = null;
    this.warn = (event) => event.preventDefault();
    const box = this.find(".zone");
    // Without these two the browser would open a file that misses the box by a few pixels.
    this.swallow = (event) => event.preventDefault();
    window.addEventListener("dragover", this.swallow);
    window.addEventListener("drop", this.swallow);
    box.ondragenter = box.ondragover = (event) => {
      event.preventDefault();
      box.classList.add("over");
    };
    box.ondragleave = (event) => {
      if (!box.contains(event.relatedTarget)) box.classList.remove("over");
    };
    box.ondrop = (event) => {
      event.preventDefault();
      box.classList.remove("over");
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      this.take((found) => walk(entries, found), nameOf(entries.map((entry) => entry.name)));
    };
    this.chooser(".browse", ".folder-input");
    this.chooser(".zip", ".zip-input");
    this.find(".cancel").onclick = () => this.upload?.cancel();
  }

  dress(data) {
    this.data = data;
    this.find("#drop-title").textContent = data.title;
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
    if (this.upload) return;
    this.upload = new Upload((state) => this.show(state));
    this.busy(true);
    try {
      this.upload.ticket = await this.freshTicket();
      const job = await this.upload.run(list, name);
      this.speak("Upload complete. The photos are being checked.");
      this.busy(false);
      this.spent = this.data.url;
      this.finished(job);
    } catch (problem) {
      this.busy(false);
      this.spent = this.data.url;
      this.abandoned(this.spent);
      if (problem.name !== "AbortError") this.complain(problem.message);
      else this.speak("Upload cancelled.");
    } finally {
      this.upload = null;
    }
  }

  // What an upload that was given up has sent must not mix with the next, so each gets a ticket of its own.
  async freshTicket() {
    for (let waited = 0; this.data.url === this.spent; waited += TICKET_EVERY_MS) {
      if (waited > TICKET_WITHIN_MS) throw new Refused("Thaw does not answer. Reload the page, then add the photos again.");
      await pause(TICKET_EVERY_MS);
    }
    return this.data;
  }

  busy(on) {
    this.find(".invite").hidden = on;
    this.find(".progress").hidden = !on;
    this.find(".problem").hidden = true;
    const change = on ? window.addEventListener : window.removeEventListener;
    change.call(window, "beforeunload", this.warn);
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

  leave() {
    this.upload?.cancel();
    window.removeEventListener("beforeunload", this.warn);
    window.removeEventListener("dragover", this.swallow);
    window.removeEventListener("drop", this.swallow);
  }
}
