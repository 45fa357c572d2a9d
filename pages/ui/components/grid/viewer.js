// The large picture: one tile of the grid at a time in a dialog, and the way to its neighbours.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };

class Viewer {
  constructor(root, grid) {
    this.grid = grid;
    this.box = root.querySelector(".viewer");
    this.find = (name) => this.box.querySelector(name);
    this.picture = this.find(".large");
    this.picture.onload = () => this.told(false);
    this.picture.onerror = () => this.told(true);
    this.find(".close").onclick = () => this.box.close();
    this.find(".previous").onclick = () => this.step(-1);
    this.find(".next").onclick = () => this.step(1);
    this.find(".pick-this").onclick = () => this.pick();
    this.box.onkeydown = (event) => this.press(event);
    this.box.onclose = () => {
      this.grid.focus();
      this.grid.reveal();
    };
    closeOnBackdrop(this.box);
  }

  open() {
    if (!this.grid.tiles.length) return;
    this.refresh();
    this.box.showModal();
  }

  // The grid calls this too: its tiles may change while one of them is seen large.
  refresh() {
    const { tiles, selected, index } = this.grid;
    const tile = tiles[index];
    if (!tile) {
      if (this.box.open) this.box.close();
      return;
    }
    this.find(".name").textContent = tile.name;
    this.find(".caption").textContent = [tile.badge, tile.caption].filter(Boolean).join(" · ");
    this.find(".place").textContent = `${index + 1} of ${tiles.length}`;
    const picked = selected.has(tile.id);
    this.find(".pick-this").textContent = picked ? "Selected ✓" : "Select";
    this.find(".pick-this").setAttribute("aria-pressed", String(picked));
    this.find(".previous").setAttribute("aria-disabled", String(index === 0));
    this.find(".next").setAttribute("aria-disabled", String(index === tiles.length - 1));
    if (this.picture.getAttribute("src") !== tile.picture) {
      this.find(".failed").hidden = true;
      this.picture.src = tile.picture;
    }
    this.picture.alt = tile.name;
  }

  step(distance) {
    const last = this.grid.tiles.length - 1;
    this.grid.range = null;
    this.grid.activate(Math.max(0, Math.min(last, this.grid.index + distance)));
    this.refresh();
  }

  pick() {
    this.grid.toggle(this.grid.index);
    this.refresh();
  }

  press(event) {
    if (event.key in STEPS) this.step(STEPS[event.key]);
    else if (event.key === " " && event.target.localName !== "button" && !event.repeat) this.pick();
    else return;
    event.preventDefault();
  }

  told(failed) {
    this.picture.hidden = failed;
    this.find(".failed").hidden = !failed;
  }
}
