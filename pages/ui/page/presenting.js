// Presenting: for a room that looks on - large letters, the full width, nothing that only one person at the desk needs.
// Key F begins and ends it; the space bar goes on to the next page of the story. The address keeps it over a reload.

const SIZE = "160%";
const SHEET = "thaw-presenting";
const LARGE = `
  [data-testid="stMainBlockContainer"] { max-width: none !important; padding-top: 3.9rem !important; }
  @media (min-width: 641px) { [data-testid="stMainBlockContainer"] { padding-inline: 1.5rem !important; } }
  [data-testid="stCaptionContainer"], [data-testid="stDownloadButton"], .st-key-choice-bar { display: none !important; }
`;
const TYPED = "input, textarea, select, button, a, summary, [contenteditable], [role='button'], [role='slider'], [tabindex='0']";

// Streamlit writes addresses of its own as pages change: the tab remembers.
const MARK = "thaw presents";

let listening = false;
let story = [];

export default function (component) {
  story = component.data.story;
  apply(isOn());
  if (listening) return;
  listening = true;
  document.documentElement.toggleAttribute("data-hears-keys", true);
  window.addEventListener("keydown", (event) => {
    const [target] = event.composedPath();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.toLowerCase() === "f" && !isTypedInto(target)) present(!isOn());
    else if (event.key === " " && isOn() && !target.closest?.(TYPED) && goOn()) event.preventDefault();
  });
}

function isOn() {
  return sessionStorage.getItem(MARK) === "on" || new URL(window.location.href).searchParams.has("present");
}

function present(on) {
  if (on) sessionStorage.setItem(MARK, "on");
  else sessionStorage.removeItem(MARK);
  apply(on);
  const asked = on ? document.documentElement.requestFullscreen?.() : document.fullscreenElement && document.exitFullscreen();
  // A browser may refuse the full screen; the rest is as large without it.
  asked?.catch?.(() => {});
}

function apply(on) {
  const url = new URL(window.location.href);
  if (on !== url.searchParams.has("present")) {
    if (on) url.searchParams.set("present", "1");
    else url.searchParams.delete("present");
    window.history.replaceState(window.history.state, "", url);
  }
  if (on) sessionStorage.setItem(MARK, "on");
  document.documentElement.style.fontSize = on ? SIZE : "";
  document.documentElement.toggleAttribute("data-presenting", on);
  const sheet = document.getElementById(SHEET);
  if (!on) sheet?.remove();
  else if (!sheet) {
    const made = document.createElement("style");
    made.id = SHEET;
    made.textContent = LARGE;
    document.head.append(made);
  }
}

// Follows the menu's own link, so that the page changes without a reload; returns whether there was one.
function goOn() {
  const here = window.location.pathname.split("/").at(-1);
  const place = Math.max(0, story.indexOf(here));
  const next = story[(place + 1) % story.length];
  const link = [...document.querySelectorAll('[data-testid="stTopNavLink"], [data-testid="stSidebarNavLink"]')].find(
    (each) => new URL(each.href).pathname.split("/").at(-1) === next,
  );
  link?.click();
  return Boolean(link);
}
