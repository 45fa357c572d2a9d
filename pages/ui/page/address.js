// Keeps one entry for each visit of a page in the browser's history: Streamlit adds one for every choice that is written
// into the address, so that Back would have to be pressed once for each of them.

let keeping = false;

export default function () {
  if (keeping) return;
  keeping = true;
  const push = window.history.pushState.bind(window.history);
  window.history.pushState = (state, title, url) => {
    const samePage = new URL(url ?? "", window.location.href).pathname === window.location.pathname;
    if (samePage) window.history.replaceState(state, title, url);
    else push(state, title, url);
  };
}
