// Note: a line in the corner of the window, above whatever page is open; without words it goes.

const NOTE = "thaw-upload-note";
const LOOK = {
  position: "fixed",
  insetInlineEnd: "1rem",
  insetBlockEnd: "1rem",
  zIndex: "1000000",
  maxWidth: "min(26rem, calc(100vw - 2rem))",
  padding: "0.7rem 1rem",
  borderRadius: "10px",
  background: "#1f2430",
  color: "#ffffff",
  font: "0.9rem/1.4 sans-serif",
  boxShadow: "0 2px 12px rgb(0 0 0 / 0.35)",
};

function note(words) {
  let line = document.getElementById(NOTE);
  if (!words) {
    line?.remove();
    return;
  }
  if (!line) {
    line = document.createElement("p");
    line.id = NOTE;
    line.setAttribute("role", "status");
    Object.assign(line.style, LOOK);
    document.body.append(line);
  }
  line.textContent = words;
}
