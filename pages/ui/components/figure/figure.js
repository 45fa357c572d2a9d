// A figure: drawn by Plotly into one element that stays, in the colours of the page, and saved by the browser alone.

const PIXELS_A_POINT = 2;
const WAIT_FOR_DRAG_MS = 200;
const LONGEST_WAIT_MS = 1000;
const LARGE_DRAWING = 200_000;
const AXIS = /^[xy]axis\d*$/;
const ZOOM_BUTTONS = [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]];
const SELECT_BUTTONS = [["lasso2d", "select2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]];

const figures = new WeakMap();
let webGl;

export default function (component) {
  let figure = figures.get(component.parentElement);
  if (!figure) {
    figure = new Figure(component.parentElement);
    figures.set(component.parentElement, figure);
  }
  figure.clicked = (point) => component.setTriggerValue("clicked", point);
  figure.selected = (marking) => component.setTriggerValue("selected", marking);
  figure.shown = figure.show(component.data);
  return () => figure.leave();
}

function hasWebGl() {
  webGl ??= Boolean(document.createElement("canvas").getContext("webgl"));
  return webGl;
}

// Of a box or a lasso, in the figure's own coordinates.
function corners({ type, path, x0, y0, x1, y1 }) {
  if (type === "rect") return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  return path.slice(1, -1).split("L").map((place) => place.split(",").map(Number));
}

class Figure {
  constructor(root) {
    this.root = root;
    this.plot = root.querySelector(".thaw-plot");
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    // The page changes its colours a moment after the system does.
    this.repaint = () => setTimeout(() => this.draw(), WAIT_FOR_DRAG_MS);
    this.scheme.addEventListener("change", this.repaint);
    this.cells = new Cells(root, (cell) => this.clicked(cell));
    this.size = new ResizeObserver(() => this.fit());
    this.size.observe(this.plot);
    for (const button of root.querySelectorAll(".thaw-save button")) {
      button.onclick = () => this.save(button.dataset.format);
    }
  }

  async show(data) {
    this.data = data;
    this.plot.setAttribute("aria-label", data.alt);
    this.cells.show(data.cells, data.alt);
    const drawing = JSON.parse(data.drawing);
    this.plot.style.minHeight = `${drawing.layout.height}px`;
    this.plot.style.minWidth = `${data.least}px`;
    this.reach();
    await this.turn();
    try {
      this.plotly = await loaded(data.library);
    } catch (problem) {
      this.plot.textContent = problem.message;
      return;
    }
    if (this.data === data) this.draw();
  }

  // What is seen comes first, and of that the words: thousands of points take half a second.
  async turn() {
    const { top, bottom } = this.plot.getBoundingClientRect();
    const seen = top < window.innerHeight && bottom > 0;
    const quick = seen && this.data.drawing.length < LARGE_DRAWING;
    if (quick || this.listens || !window.requestIdleCallback) return;
    await new Promise((resolve) => requestIdleCallback(resolve, { timeout: LONGEST_WAIT_MS }));
  }

  draw() {
    if (this.left || !this.plotly) return;
    // Drawing anew would tear a drag out of the person's hand.
    if (this.plot._dragging) {
      clearTimeout(this.later);
      this.later = setTimeout(() => this.draw(), WAIT_FOR_DRAG_MS);
      return;
    }
    const { data, layout } = JSON.parse(this.data.drawing);
    for (const trace of data) {
      if (trace.type === "scattergl" && !hasWebGl()) trace.type = "scatter";
    }
    this.width = this.plot.clientWidth;
    this.drawn = this.plotly.react(this.plot, data, this.dressed(layout), { displaylogo: false, ...this.bar() });
    if (!this.listens) this.listen();
  }

  bar() {
    // The buttons for a lasso must be there for those who have no mouse to hold over the figure.
    if (this.data.select) return { modeBarButtons: SELECT_BUTTONS, displayModeBar: true };
    return this.data.zoom ? { modeBarButtons: ZOOM_BUTTONS } : { displayModeBar: false };
  }

  listen() {
    this.listens = true;
    this.plot.on("plotly_afterplot", () => this.cells.place());
    this.cells.place();
    this.plot.on("plotly_click", ({ points: [point] }) => {
      if (this.data.select) this.mark([point], []);
      else this.clicked([point.x, point.y]);
    });
    this.plot.on("plotly_deselect", () => {
      if (this.data.select) this.mark([], []);
    });
    this.plot.on("plotly_selected", (marked) => {
      if (this.data.select && marked?.selections?.length) this.mark(marked.points, marked.selections.map(corners));
    });
  }

  mark(points, outlines) {
    const hidden = this.plot._fullData.filter((trace) => trace.visible !== true).map((trace) => trace.name);
    this.selected({ numbers: points.map((point) => point.customdata), outlines, hidden });
  }

  // What is wider than the page is scrolled by arrow keys, too.
  reach() {
    const { parentElement: window } = this.plot;
    // Cells have arrow keys of their own.
    if (window.scrollWidth > window.clientWidth && !this.data?.cells) window.tabIndex = 0;
    else window.removeAttribute("tabindex");
  }

  fit() {
    this.reach();
    const { clientWidth: width } = this.plot;
    // Its height is its own: to draw it again as large as it is would take as long as the first time.
    if (!this.listens || !width || width === this.width) return;
    this.width = width;
    this.plotly.Plots.resize(this.plot);
  }

  dressed(layout) {
    const style = getComputedStyle(this.root.querySelector(".thaw-figure"));
    const colour = (name) => style.getPropertyValue(`--st-${name}`).trim();
    const [ink, paper, line] = ["text-color", "background-color", "border-color"].map(colour);
    const dress = {
      ...layout,
      autosize: true,
      paper_bgcolor: paper,
      plot_bgcolor: paper,
      font: { color: ink, family: colour("font"), size: 12 },
      hoverlabel: { bgcolor: paper, bordercolor: line, font: { color: ink } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: line, activecolor: ink },
    };
    for (const name of Object.keys(layout).filter((key) => AXIS.test(key))) {
      dress[name] = { gridcolor: line, zerolinecolor: line, ...layout[name] };
    }
    return dress;
  }

  async save(format) {
    await this.shown;
    const { clientWidth: width, clientHeight: height } = this.plot;
    this.plotly?.downloadImage(this.plot, { format, width, height, scale: PIXELS_A_POINT, filename: this.data.name });
  }

  leave() {
    this.left = true;
    clearTimeout(this.later);
    this.scheme.removeEventListener("change", this.repaint);
    this.size.disconnect();
    // Plotly goes on with a drawing that it has begun, and finds nothing to draw on where that is gone.
    this.drawn?.finally(() => this.plotly.purge(this.plot));
    figures.delete(this.root);
  }
}
