// Entries: what a drop holds, walked to its files, each with its path below what was dropped.

const ARCHIVE = /\.(zip|tar|tar\.gz|tgz)$/i;

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
  if (tops.length === 1) return tops[0].replace(ARCHIVE, "");
  return `${tops.slice(0, 3).join(", ")}${tops.length > 3 ? "…" : ""}`;
}
