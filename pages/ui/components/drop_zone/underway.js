// Underway: what is kept of an upload while it goes on, so that other pages tell of it, and the next one does where a
// reload has cut it off.

// Outlives a reload, which ends an upload without a word.
const MARK = "thaw upload";

// Whether any component of this page uploads, whichever it is.
function isUnderway() {
  return Boolean(window.thawUploads);
}

function setOff(name) {
  window.thawUploads = true;
  sessionStorage.setItem(MARK, name);
  window.addEventListener("beforeunload", warn);
}

function arrived() {
  window.thawUploads = false;
  sessionStorage.removeItem(MARK);
  window.removeEventListener("beforeunload", warn);
}

// Returns what to say, once, of an upload that a reload has cut off, or nothing.
function tellCut() {
  const cut = sessionStorage.getItem(MARK);
  if (cut === null || isUnderway()) return "";
  sessionStorage.removeItem(MARK);
  return `The upload of “${cut}” was cut off, as the page was loaded anew. Unless its import is shown here, add the photos again.`;
}

function tellGoing({ name, state }) {
  const far = state.counts ? ` (${state.counts})` : "";
  return `Uploading “${name}”${far}. It goes on while you look at other pages, but not if you close or reload this one.`;
}

function warn(event) {
  event.preventDefault();
}
