// Plotly, loaded once for all figures of the page, whichever component asks first.

function loaded(url) {
  window.thawPlotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      window.thawPlotly = undefined;
      reject(new Error("The figure could not be loaded. Reload the page."));
    };
    document.head.append(script);
  });
  return window.thawPlotly;
}
