// A figure: drawn by Plotly into one element that stays, in the colours of the page, and saved by the browser alone.

const PIXELS_A_POINT = 2;
const WAIT_FOR_DRAG_MS = 200;
const LONGEST_WAIT_MS = 1000;
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
  figure.selected = (numbers) => component.setTriggerValue("selected", numbers);
  figure.shown = figure.show(component.data);
  return () => figure.leave();
}

function hasWebGl() {
  webGl ??= Boolean(document.createElement("canvas").getContext("webgl"));
  return webGl;
}

class Figure {
  constructor(root) {
    this.root = root;
    this.plot = root.querySelector(".thaw-plot");
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    // The page changes its colours a moment after the system does.
    this.repaint = () => setTimeout(() => this.draw(), WAIT_FOR_DRAG_MS);
    this.scheme.addEventListener("change", this.repaint);
    this.size = new ResizeObserver(() => this.fit());
    this.size.observe(this.plot);
    for (const button of root.querySelectorAll(".thaw-save button")) {
      button.onclick = () => this.save(button.dataset.format);
    }
  }

  async show(data) {
    this.data = data;
    this.plot.setAttribute("aria-label", data.alt);
    const drawing = JSON.parse(data.drawing);
    this.plot.style.minHeight = `${drawing.layout.height}px`;
    await this.turn(drawing);
    try {
      this.plotly = await loaded(data.library);
    } catch (problem) {
      this.plot.textContent = problem.message;
      return;
    }
    if (this.data === data) this.draw();
  }

  // What is seen comes first, and of that the words: ten thousands of points take seconds without a graphics card.
  async turn({ data }) {
    const { top, bottom } = this.plot.getBoundingClientRect();
    const seen = top < window.innerHeight && bottom > 0;
    const quick = seen && data.every((trace) => trace.type !== "scattergl");
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
    this.plotly.react(this.plot, data, this.dressed(layout), { displaylogo: false, ...this.bar() });
    if (!this.listens) this.listen();
  }

  bar() {
    // The buttons for a lasso must be there for those who have no mouse to hold over the figure.
    if (this.data.select) return { modeBarButtons: SELECT_BUTTONS, displayModeBar: true };
    return this.data.zoom ? { modeBarButtons: ZOOM_BUTTONS } : { displayModeBar: false };
  }

  listen() {
    this.listens = true;
    this.plot.on("plotly_click", ({ points: [point] }) => {
      if (this.data.select) this.selected([point.customdata]);
      else this.clicked([point.x, point.y]);
    });
    this.plot.on("plotly_deselect", () => {
      if (this.data.select) this.selected([]);
    });
    this.plot.on("plotly_selected", (marked) => {
      if (this.data.select && marked?.points.length) this.selected(marked.points.map((point) => point.customdata));
    });
  }

  fit() {
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
    this.plotly?.purge(this.plot);
    figures.delete(this.root);
  }
}
