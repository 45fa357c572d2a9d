// Keeps one entry for each visit of a page in the browser's history: Streamlit adds one for every choice that is written
// into the address, so that Back would have to be pressed once for each of them.

let keeping = false;

export default function () {
  if (keeping) return;
  keeping = true;
  const push = window.history.pushState.bind(window.history);
  window.history.pushState = (state, title, url) => {
    const next = keepPresenting(new URL(url ?? "", window.location.href));
    const samePage = next.pathname === window.location.pathname;
    if (samePage) window.history.replaceState(state, title, next);
    else push(state, title, next);
  };
}

// Streamlit writes what the address held as its script began: whether the page is shown to a room is newer.
function keepPresenting(url) {
  const { dataset } = document.documentElement;
  if ("presenting" in dataset) url.searchParams.set("present", "1");
  else if ("hearsKeys" in dataset) url.searchParams.delete("present");
  return url;
}
