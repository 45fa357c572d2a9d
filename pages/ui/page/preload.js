// Loads what other pages need while the browser has nothing else to do, so that their first visit need not wait for it.

const AFTER_MS = 1500;

let asked = false;

export default function ({ data }) {
  if (asked) return;
  asked = true;
  // This script has no address of its own that theirs could be relative to.
  const modules = data.modules.map((path) => () => import(new URL(path, window.location.origin)));
  const works = [() => loaded(data.library).then(drawOne), ...modules];
  // Each by itself, so that a click is never kept waiting by more than one of them.
  const next = () => {
    const work = works.shift();
    // What can't be loaded is asked for again by the page that needs it, which says so.
    if (work) work().catch(() => {}).then(() => whenIdle(next));
  };
  // Not at once: the page itself comes first, and to read so large a script holds a browser up for a second.
  setTimeout(() => whenIdle(next), AFTER_MS);
}

// The first figure takes twice as long as the next, since what draws it has never run: none is seen of this one.
function drawOne(plotly) {
  const plot = document.createElement("div");
  return plotly.newPlot(plot, [{ y: [0, 1] }], { width: 300, height: 200 }).then(() => plotly.purge(plot));
}

function whenIdle(work) {
  if (window.requestIdleCallback) requestIdleCallback(work);
  else setTimeout(work);
}
