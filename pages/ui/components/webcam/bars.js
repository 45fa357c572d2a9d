// Bars: the likeliest classes of an answer, a row for each.

const UNKNOWN = "I don't know";

// A class keeps its row for as long as it is among the likeliest, so that the bars move and the names stay.
class Bars {
  constructor(list) {
    this.list = list;
    this.rows = [];
  }

  draw(likeliest) {
    const wanted = new Map(likeliest.map((each) => [each.number, each]));
    const shown = new Set(this.rows.map((row) => row.number));
    const newcomers = likeliest.filter((each) => !shown.has(each.number)).sort((one, other) => one.number - other.number);
    for (const row of this.rows) {
      if (!wanted.has(row.number)) row.number = newcomers.shift().number;
    }
    this.rows.push(...newcomers.map((each) => ({ number: each.number, ...this.makeRow() })));
    for (const row of this.rows) {
      const { label, share } = wanted.get(row.number);
      row.name.textContent = row.name.title = label;
      row.share.textContent = inPercent(share);
      row.fill.style.width = `${100 * share}%`;
      row.item.dataset.share = String(share);
      row.item.classList.toggle("first", row.number === likeliest[0].number);
    }
  }

  makeRow() {
    const item = document.createElement("li");
    const [name, track, share] = ["name", "track", "share"].map((word) => {
      const part = document.createElement("span");
      part.className = word;
      return part;
    });
    const fill = document.createElement("span");
    fill.className = "fill";
    track.append(fill);
    item.append(name, track, share);
    this.list.append(item);
    return { item, name, fill, share };
  }

  clear() {
    this.rows = [];
    this.list.replaceChildren();
  }
}

function inPercent(share) {
  return `${Math.round(100 * share)}%`;
}
