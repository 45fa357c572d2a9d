// Entries: what a drop holds, walked to its files, each with its path below what was dropped.

const ARCHIVE = /\.(zip|tm|tar|tar\.gz|tgz)$/i;
// Thaw says so of these too, but only after they have been copied, which they may be too large for.
const UNREAD_ARCHIVE = /\.(7z|rar|zipx|tar\.(xz|bz2|zst)|(zip|7z|rar)\.\d{3}|[zr]\d{2})$/i;
const UNREAD_REASON = "it is an archive of a kind, or in parts, that is not read: unpack it and add the folder";

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

function nameOf(tops) {
  const names = tops.map((top) => top.replace(ARCHIVE, ""));
  return `${names.slice(0, 3).join(", ")}${names.length > 3 ? "…" : ""}`;
}
