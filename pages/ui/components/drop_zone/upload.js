// Upload: sends files in batches to Thaw's upload route, a batch again file by file where it fails, and counts.

const BATCH_FILES = 200;
const BATCH_BYTES = 16 * 1024 * 1024;
const IN_FLIGHT = 3;
const ATTEMPTS = 4;
const RETRY_AFTER_MS = 700;
const SHOW_EVERY_MS = 100;

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
    const junk = new RegExp(this.ticket.junk, "i");
    await list((item) => {
      // A file that is sent again keeps its number, by which Thaw knows it.
      items.push({ ...item, number: items.length });
      // Listed without its bytes: Thaw counts it as ignored.
      if (junk.test(item.path)) items.at(-1).reason = "hidden, or a system file";
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
    return (await this.persist(() => this.post("/finish", JSON.stringify({ name, ...this.ticket.target })))).job;
  }

  weigh(item) {
    this.totalFiles += 1;
    if (item.reason) return;
    if (UNREAD_ARCHIVE.test(item.path)) {
      item.reason = UNREAD_REASON;
      return;
    }
    const limit = ARCHIVE.test(item.path) ? this.ticket.max_archive_bytes : this.ticket.max_image_bytes;
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
    await this.persist(async () => {
      try {
        await this.send([item]);
      } catch (problem) {
        if (problem.name === "AbortError" || problem.status || item.reason || (await readable(item.file))) throw problem;
        item.reason = "the browser could not read it";
        await this.send([item]);
      }
    });
  }

  // Asks again while no answer comes; an answer that refuses is final.
  async persist(ask) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask();
      } catch (problem) {
        if (problem.name === "AbortError" || problem.status) throw this.stop(problem);
        if (attempt === ATTEMPTS) {
          throw this.stop(new Refused("The connection to Thaw was lost. Check that it still runs, then add the photos again."));
        }
        await pause(RETRY_AFTER_MS * attempt);
      }
    }
  }

  async send(batch) {
    const list = batch.map(({ number, path, reason, file }) =>
      reason ? { number, path, reason } : { number, path, size: file.size });
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

function inWords(seconds) {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
