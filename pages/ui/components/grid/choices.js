// The list that an action offers: searched by typing, walked with the arrows, taken with Enter or a click.

const MOST_SHOWN = 200;
const ARROWS = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };

class Choices {
  constructor(root) {
    this.box = root.querySelector(".choices");
    this.input = this.box.querySelector("input");
    this.list = this.box.querySelector("ul");
    this.note = this.box.querySelector(".note");
    this.input.oninput = () => this.filter();
    this.input.onkeydown = (event) => this.press(event);
    this.list.onclick = (event) => {
      const row = event.target.closest("li");
      if (row) this.take(row.choice);
    };
    this.box.querySelector(".close").onclick = () => this.box.close();
    closeOnBackdrop(this.box);
  }

  open(title, choices, taken) {
    this.box.querySelector(".name").textContent = title;
    this.choices = choices;
    this.taken = taken;
    this.input.value = "";
    this.box.showModal();
    this.filter();
  }

  filter() {
    const sought = folded(this.input.value.trim());
    const found = this.choices.filter((choice) => folded(choice.shown).includes(sought));
    this.list.replaceChildren(...found.slice(0, MOST_SHOWN).map(rowOf));
    this.list.scrollTop = 0;
    const hidden = found.length - MOST_SHOWN;
    if (!found.length) this.note.textContent = "Nothing matches. Change the words above.";
    else this.note.textContent = hidden > 0 ? `${hidden} more: type to narrow the list.` : "";
    this.mark(0);
  }

  mark(index) {
    const rows = [...this.list.children];
    this.marked = Math.max(0, Math.min(index, rows.length - 1));
    rows.forEach((row, number) => row.setAttribute("aria-selected", String(number === this.marked)));
    const row = rows[this.marked];
    if (row) this.input.setAttribute("aria-activedescendant", row.id);
    else this.input.removeAttribute("aria-activedescendant");
    row?.scrollIntoView({ block: "nearest" });
  }

  press(event) {
    if (event.isComposing) return;
    const row = this.list.children[this.marked];
    if (event.key in ARROWS) this.mark(this.marked + ARROWS[event.key]);
    // The Enter that opened the list must not, held a moment too long, take its first row.
    else if (event.key === "Enter" && row && !event.repeat) this.take(row.choice);
    else return;
    event.preventDefault();
  }

  take(choice) {
    this.box.close();
    this.taken(choice.value);
  }
}

function rowOf(choice, number) {
  const row = document.createElement("li");
  row.id = `choice-${number}`;
  row.setAttribute("role", "option");
  row.textContent = choice.shown;
  row.choice = choice;
  return row;
}

function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function closeOnBackdrop(dialog) {
  // A press that began inside, as when text is being marked, is no click on the backdrop.
  dialog.onpointerdown = (event) => {
    dialog.pressedOutside = event.target === dialog;
  };
  dialog.onclick = (event) => {
    if (event.target === dialog && dialog.pressedOutside) dialog.close();
  };
}
