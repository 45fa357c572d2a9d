// Loads Plotly while the browser has nothing else to do, so that the first page with a figure need not wait for it.

const AFTER_MS = 1500;

let asked = false;

export default function ({ data }) {
  if (asked) return;
  asked = true;
  const load = () => loaded(data.library).catch(() => {});
  // Not at once: the page itself comes first, and to read so large a script holds a browser up for a second.
  setTimeout(() => (window.requestIdleCallback ? window.requestIdleCallback(load) : load()), AFTER_MS);
}
