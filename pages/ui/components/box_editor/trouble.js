// Trouble: what went wrong, in words, with a button for each way out.

class Trouble {
  constructor(box) {
    this.box = box;
    this.words = box.querySelector("p");
    this.buttons = box.querySelector(".buttons");
  }

  // The same words are not said twice: a button that is about to be pressed stays.
  show(words, ways) {
    this.ways = ways;
    if (this.words.textContent === words && !this.box.hidden) return;
    this.words.textContent = words;
    this.buttons.replaceChildren(
      ...Object.keys(ways).map((label) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = label;
        button.onclick = () => this.ways[label]();
        return button;
      }),
    );
    this.box.hidden = false;
  }

  // Two windows have drawn on one photo: the person says which boxes hold, and `settle` is called with them.
  ask({ boxes, theirs }, name, settle) {
    const there = theirs?.length ? counted(theirs.length, "box", "boxes") : "no box";
    const here = boxes?.length ?? 0;
    const words = `${name} was changed in another window: ${there} there, ${here || "none"} here. Nothing is lost yet.`;
    this.show(words, {
      "Keep both": () => settle(ofBoth(boxes, theirs)),
      "Keep these": () => settle(boxes),
      "Take the others": () => settle(theirs),
    });
  }

  hide() {
    this.box.hidden = true;
    this.words.textContent = "";
  }
}
