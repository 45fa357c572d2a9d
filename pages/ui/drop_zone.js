// The drop zone: walks dropped folders, sends their files in batches to Thaw's upload route, and tells how far it is.

const BATCH_FILES = 200;
const BATCH_BYTES = 16 * 1024 * 1024;
const IN_FLIGHT = 3;
const ATTEMPTS = 4;
const RETRY_AFTER_MS = 700;
const TICKET_EVERY_MS = 50;
const TICKET_WITHIN_MS = 10000;
const SPEAK_EVERY_MS = 4000;
const SHOW_EVERY_MS = 100;

const zones = new WeakMap();

export default function (component) {
  let zone = zones.get(component.parentElement);
  if (!zone) {
    zone = new Zone(component.parentElement);
    zones.set(component.parentElement, zone);
  }
  zone.data = component.data;
  zone.finished = (job) => component.setTriggerValue("uploaded", job);
  zone.abandoned = (url) => component.setTriggerValue("abandoned", url);
  return () => zone.leave();
}

class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
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

class Upload {
  constructor(show) {
    this.show = show;
    this.abort = new AbortController();
    this.sentFiles = this.sentBytes = this.totalFiles = this.totalBytes = 0;
    this.shownAt = 0;
  }

  cancel() {
    this.abort.abort();
  }

  async run(list, name) {
    const items = [];
    await list((item) => {
      items.push(item);
      this.abort.signal.throwIfAborted();
      this.tell("Reading the folder…", `${items.length.toLocaleString()} files found`, 0);
    });
    if (!items.length) throw new Refused("No files were found there. Add a folder that holds one sub-folder a class.");
    if (items.length > this.ticket.max_files) {
      const most = this.ticket.max_files.toLocaleString();
      throw new Refused(`At most ${most} files fit into one upload; this has ${items.length.toLocaleString()}.`);
    }
    for (const item of items) this.weigh(item);
    this.startedAt = performance.now();
    const queue = batches(items);
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => this.drain(queue)));
    this.tell("Finishing…", "", 100, true);
    return (await this.post("/finish", JSON.stringify({ name }))).job;
  }

  weigh(item) {
    this.totalFiles += 1;
    if (item.reason) return;
    const limit = item.path.toLowerCase().endsWith(".zip") ? this.ticket.max_zip_bytes : this.ticket.max_image_bytes;
    if (item.file.size > limit) item.reason = `larger than ${Math.round(limit / 1e6)} MB`;
    else this.totalBytes += item.file.size;
  }

  async drain(queue) {
    for (let batch = queue.next(); !batch.done; batch = queue.next()) {
      try {
        await this.send(batch.value);
      } catch (problem) {
        if (problem.name === "AbortError" || problem.status) throw this.stop(problem);
        for (const item of batch.value) await this.sendAlone(item);
      }
    }
  }

  stop(problem) {
    this.abort.abort();
    return problem;
  }

  async sendAlone(item) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.send([item]);
      } catch (problem) {
        if (problem.name === "AbortError" || problem.status) throw this.stop(problem);
        if (!item.reason && !(await readable(item.file))) item.reason = "the browser could not read it";
        else if (attempt === ATTEMPTS) {
          throw this.stop(new Refused("The connection to Thaw was lost. Check that it still runs, then add the photos again."));
        } else await pause(RETRY_AFTER_MS * attempt);
      }
    }
  }

  async send(batch) {
    const list = batch.map((item) =>
      item.reason ? { path: item.path, reason: item.reason } : { path: item.path, size: item.file.size });
    const manifest = new TextEncoder().encode(JSON.stringify(list));
    const length = new DataView(new ArrayBuffer(4));
    length.setUint32(0, manifest.length);
    const files = batch.filter((item) => !item.reason).map((item) => item.file);
    await this.post("", new Blob([length.buffer, manifest, ...files]));
    this.sentFiles += batch.length;
    this.sentBytes += files.reduce((sum, file) => sum + file.size, 0);
    this.report();
  }

  async post(action, body) {
    const answer = await fetch(`${this.ticket.url}${action}`, {
      method: "POST",
      headers: { "x-thaw-token": this.ticket.token },
      body,
      signal: this.abort.signal,
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(told.error ?? "Thaw could not take these files.", answer.status);
    return told;
  }

  report() {
    const seconds = (performance.now() - this.startedAt) / 1000;
    const rate = this.sentFiles / Math.max(seconds, 0.001);
    const share = this.totalBytes ? this.sentBytes / this.totalBytes : this.sentFiles / this.totalFiles;
    const left = share > 0 ? (seconds / share) * (1 - share) : 0;
    const counts = [
      `${this.sentFiles.toLocaleString()} of ${this.totalFiles.toLocaleString()} files`,
      `${(this.sentBytes / 1e6).toFixed(1)} of ${(this.totalBytes / 1e6).toFixed(1)} MB`,
      `${Math.round(rate).toLocaleString()} files/s`,
      left < 1 ? "nearly done" : `about ${inWords(left)} left`,
    ];
    this.tell("Copying the photos…", counts.join(" · "), share * 100);
  }

  tell(stage, counts, percent, now = false) {
    const time = performance.now();
    if (!now && time - this.shownAt < SHOW_EVERY_MS && percent < 100) return;
    this.shownAt = time;
    this.show({ stage, counts, percent });
  }
}

async function walk(entries, found) {
  for (const entry of entries) {
    const path = entry.fullPath.replace(/^\//, "");
    try {
      if (entry.isDirectory) await walk(await children(entry), found);
      else found({ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
    } catch (problem) {
      if (problem.name === "AbortError") throw problem;
      found({ path, reason: "the browser could not read it" });
    }
  }
}

// readEntries gives at most 100 at a time; an empty list is the only sign of the end.
async function children(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}

function* batches(items) {
  let batch = [];
  let bytes = 0;
  for (const item of items) {
    const size = item.reason ? 0 : item.file.size;
    if (batch.length && (batch.length === BATCH_FILES || bytes + size > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length) yield batch;
}

async function readable(file) {
  try {
    await file.slice(0, 65536).arrayBuffer();
    await file.slice(Math.max(0, file.size - 65536)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

function nameOf(tops) {
  if (tops.length === 1) return tops[0].replace(/\.zip$/i, "");
  return `${tops.slice(0, 3).join(", ")}${tops.length > 3 ? "…" : ""}`;
}

function inWords(seconds) {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
