// Keys: what the keyboard does in the editor, and on its page while nothing else is in use.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PAN_PX = 40;
// Where the focus is while nothing is in use; a link is that of the menu by which a person has come.
const NOTHING_IN_USE = "body, [data-testid='stMain'], a[href]";

class Keys {
  constructor(editor) {
    this.editor = editor;
    const box = editor.find(".editor");
    box.onkeydown = (event) => {
      // Streamlit's own single-letter keys listen further out.
      event.stopPropagation();
      this.press(event);
    };
    this.elsewhere = (event) => {
      const [target] = event.composedPath();
      if (!event.defaultPrevented && target.matches?.(NOTHING_IN_USE) && event.key !== "Enter") this.press(event);
    };
    this.lifted = ({ key }) => {
      if (key === " ") editor.panning = false;
    };
    document.addEventListener("keydown", this.elsewhere);
    document.addEventListener("keyup", this.lifted);
    this.commands = {
      PageUp: () => editor.step(-1),
      PageDown: () => editor.step(1),
      Delete: () => editor.hand.remove(),
      Backspace: () => editor.hand.remove(),
      Escape: () => editor.choose(null, true),
      "+": () => editor.stage.zoomBy(ZOOM_STEP),
      "=": () => editor.stage.zoomBy(ZOOM_STEP),
      "-": () => editor.stage.zoomBy(1 / ZOOM_STEP),
      0: () => editor.stage.fit(),
      n: () => editor.hand.addInMiddle(),
      c: () => editor.hand.copy(),
      b: () => editor.hand.sayNothing(),
      a: () => editor.suggesting.accept(),
      x: () => editor.suggesting.reject(),
      g: () => editor.goOn(),
    };
  }

  press(event) {
    const [target] = event.composedPath();
    if (event.isComposing || event.altKey || isTypedInto(target)) return;
    if (this.act(event, target)) event.preventDefault();
  }

  act(event, target) {
    const { editor } = this;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) return this.turn(key, event.shiftKey);
    if (ARROWS[key]) return this.walk(key, event, target);
    const kind = editor.kinds.byKey(key);
    if (kind) editor.hand.name(kind);
    else if (key === " ") {
      if (target.closest?.("button")) return false;
      editor.panning = true;
    } else if (key === "Enter") {
      if (!target.closest?.(".stage")) return false;
      if (event.repeat) return true;
      if (editor.item?.suggested) editor.suggesting.accept();
      else editor.hand.addInMiddle();
    } else if (this.commands[key]) {
      // A held key goes through photos and sizes, but makes and removes one thing.
      if (!event.repeat || /^(Page|[-+=])/.test(key)) this.commands[key]();
    } else return false;
    return true;
  }

  turn(key, shifted) {
    if (key !== "z" && key !== "y") return false;
    this.editor.hand.turn(key === "y" || shifted);
    return true;
  }

  walk(key, event, target) {
    const { editor } = this;
    const [across, down] = ARROWS[key];
    if (target.closest?.(".strip")) {
      if (across) editor.step(across);
      return Boolean(across);
    }
    if (target.closest?.("button")) return false;
    if (editor.item) editor.hand.nudge(across, down, event.shiftKey, event.repeat);
    else if (editor.stage.view.zoom > 1) {
      editor.stage.view.pan(-across * PAN_PX, -down * PAN_PX);
      editor.stage.draw();
    } else return false;
    return true;
  }

  leave() {
    document.removeEventListener("keydown", this.elsewhere);
    document.removeEventListener("keyup", this.lifted);
  }
}
