// Kinds: what a box can be, in a list with a colour and a number key each, in the order in which the person came by them.

// Each has a contrast of 5 to white, so that its name can be read on it, and of 3 to the ground of either scheme.
const COLOURS = [
  "#d81f37", "#186bd9", "#207f3f", "#964bcb", "#b84f0a", "#147a89", "#c72a8e", "#7e6f0a", "#636f86",
];
const KEYED = 9;
const LONGEST_NAME = 200;

class Kinds {
  // `chosen` is called with a kind that the person chooses, and `renamed` with one and the name that it is to have.
  constructor(root, chosen, renamed) {
    this.list = root.querySelector(".kinds");
    this.form = root.querySelector(".add");
    this.input = this.form.querySelector("input");
    this.button = root.querySelector(".rename");
    this.input.maxLength = LONGEST_NAME;
    this.chosen = chosen;
    this.names = [];
    this.form.onsubmit = (event) => {
      event.preventDefault();
      const name = typed(this.input);
      if (!name) return this.input.focus();
      const old = this.renaming;
      this.rename(null);
      if (old) return renamed(old, name);
      this.take([name]);
      this.chosen(name);
    };
    this.form.onkeydown = ({ key }) => {
      if (key === "Escape") this.rename(null);
    };
    this.button.onclick = () => this.rename(this.current);
    this.list.onclick = ({ target }) => {
      const row = target.closest("button");
      if (row) this.chosen(row.name);
    };
  }

  // `place` names where the order is remembered. `used` are those of the server: { name, shown }, where `shown` is fit to be read.
  begin(place, used) {
    this.place = place;
    this.words = new Map(used.map(({ name, shown }) => [name, shown]));
    let kept = [];
    try {
      kept = JSON.parse(localStorage.getItem(place)) ?? [];
    } catch {
      // Storage that is forbidden or torn: the order is that of the server.
    }
    this.names = [];
    this.take([...kept.filter((name) => typeof name === "string"), ...used.map(({ name }) => name)]);
  }

  take(names) {
    this.names = [...new Set([...this.names, ...names])];
    try {
      localStorage.setItem(this.place, JSON.stringify(this.names));
    } catch {
      // They last as long as the page does.
    }
  }

  shown(name) {
    return this.words.get(name) ?? name;
  }

  // Makes the field one for the new name of a kind, or with null for one more kind.
  rename(name) {
    this.renaming = name;
    this.input.value = name ?? "";
    this.input.setAttribute("aria-label", name ? `New name for ${this.shown(name)}` : "Add a kind");
    this.form.querySelector("button").textContent = name ? "Rename" : "Add";
    if (!name) return;
    this.input.focus();
    this.input.select();
  }

  // A kind has another name, at the place and the key that it had.
  replace(old, name) {
    this.names = this.names.map((each) => (each === old ? name : each));
    this.take([]);
  }

  // The kind of a number key, if there is one.
  byKey(key) {
    return /^[1-9]$/.test(key) ? this.names[Number(key) - 1] : undefined;
  }

  colour(name) {
    return COLOURS[Math.max(0, this.names.indexOf(name)) % COLOURS.length];
  }

  draw(current, boxes) {
    this.current = current;
    this.button.hidden = !current;
    this.button.textContent = current ? `Rename “${this.shown(current)}”…` : "";
    const rows = this.names.map((name, number) => {
      const row = document.createElement("button");
      const [swatch, key, words, count] = ["i", "kbd", "span", "small"].map((tag) => document.createElement(tag));
      row.type = "button";
      row.name = name;
      row.setAttribute("aria-pressed", String(name === current));
      swatch.style.background = this.colour(name);
      key.textContent = number < KEYED ? number + 1 : "";
      key.setAttribute("aria-hidden", "true");
      if (number < KEYED) row.setAttribute("aria-keyshortcuts", String(number + 1));
      words.textContent = this.shown(name);
      const here = boxes.filter((box) => box.label === name).length;
      count.textContent = here || "";
      row.setAttribute("aria-label", here ? `${this.shown(name)}, ${here} on this photo` : this.shown(name));
      row.append(swatch, words, count, key);
      return row;
    });
    const held = this.list.getRootNode().activeElement;
    const focused = this.list.contains(held) ? held.name : null;
    this.list.replaceChildren(...rows);
    rows.find((row) => row.name === focused)?.focus();
  }
}

// What was typed, in the form in which names are kept.
function typed(input) {
  return input.value.normalize("NFC").trim();
}
