// Cells: the way through a matrix by keyboard. One cell at a time is there to be focused, and says what it holds.

class Cells {
  // `open` is called with the column and the row of the cell on which Enter or the space bar is pressed.
  constructor(root, open) {
    this.grid = root.querySelector(".thaw-cells");
    this.cell = root.querySelector(".thaw-cell");
    this.spoken = root.querySelector(".thaw-spoken");
    this.plot = root.querySelector(".thaw-plot");
    this.open = open;
    this.row = 0;
    this.column = 0;
    this.cell.onkeydown = (event) => this.press(event);
    this.cell.onfocus = () => this.place();
  }

  // `cells` has the `labels` of rows and columns, and how many `images` each cell stands for; undefined for no cells.
  show(cells, label) {
    this.cells = cells;
    this.grid.hidden = !cells;
    if (!cells) return;
    const last = cells.labels.length - 1;
    this.row = Math.min(this.row, last);
    this.column = Math.min(this.column, last);
    this.grid.setAttribute("aria-label", `${label}. Arrow keys move, Enter opens.`);
    this.grid.setAttribute("aria-rowcount", last + 1);
    this.grid.setAttribute("aria-colcount", last + 1);
    this.tell();
  }

  tell() {
    this.cell.parentElement.setAttribute("aria-rowindex", this.row + 1);
    this.cell.setAttribute("aria-colindex", this.column + 1);
    this.cell.setAttribute("aria-label", describeCell(this.cells, this.row, this.column));
  }

  // Lays the ring over the cell, wherever the drawing has it now.
  place() {
    const layout = this.plot._fullLayout;
    if (!this.cells || !layout?.xaxis?.l2p) return;
    const [left, right] = edges(layout.xaxis, this.column);
    const [top, bottom] = edges(layout.yaxis, this.row);
    Object.assign(this.cell.style, {
      left: `${this.plot.offsetLeft + left}px`,
      top: `${this.plot.offsetTop + top}px`,
      width: `${right - left}px`,
      height: `${bottom - top}px`,
    });
  }

  press(event) {
    if (event.altKey || event.metaKey || event.shiftKey) return;
    const to = destination(event, this.row, this.column, this.cells.labels.length - 1);
    if (to) this.move(...to);
    else if ((event.key === "Enter" || event.key === " ") && !event.ctrlKey) {
      if (!event.repeat) this.open([this.column, this.row]);
    } else return;
    event.preventDefault();
    // Streamlit's own single-letter keys listen further out.
    event.stopPropagation();
  }

  move(row, column) {
    this.row = row;
    this.column = column;
    this.tell();
    this.place();
    this.cell.scrollIntoView({ block: "nearest", inline: "nearest" });
    // Whoever cannot see the ring move hears it: the focus itself stays where it is.
    this.spoken.textContent = this.cell.getAttribute("aria-label");
  }
}

function edges(axis, number) {
  const ends = [axis.l2p(number - 0.5), axis.l2p(number + 0.5)].map((place) => axis._offset + place);
  return ends.sort((one, other) => one - other);
}

function destination({ key, ctrlKey }, row, column, last) {
  const ways = {
    ArrowUp: [row - 1, column],
    ArrowDown: [row + 1, column],
    ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1],
    Home: [ctrlKey ? 0 : row, 0],
    End: [ctrlKey ? last : row, last],
  };
  return ways[key]?.map((place) => Math.max(0, Math.min(place, last)));
}

function describeCell({ labels, images }, row, column) {
  const count = images[row][column];
  const photos = count === 1 ? "1 photo" : `${count.toLocaleString("en")} photos`;
  if (row === column) return `${labels[row]}: ${photos} right`;
  return `${labels[row]} taken for ${labels[column]}: ${photos}`;
}
