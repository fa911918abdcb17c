// Draws plotly figures with the local plotly.js, in the colours of the page.
window.datFigures = window.datFigures || {};
window.datFigures.plotly = (() => {
  const CLEAR = "rgba(0,0,0,0)";
  const config = {
    responsive: true,
    displaylogo: false,
    // The "share" button would upload a figure's data.
    showSendToCloud: false,
    plotlyServerURL: "",
  };

  // The page's own text colour serves light and dark; lines are the same, fainter.
  function template() {
    const text = getComputedStyle(document.body).color;
    const line = text.replace(/^rgb\((.*)\)$/, "rgba($1, 0.2)");
    const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, color: text };
    const wall = { ...axis, backgroundcolor: CLEAR, showbackground: false };
    return {
      paper_bgcolor: CLEAR,
      plot_bgcolor: CLEAR,
      font: { color: text },
      xaxis: axis,
      yaxis: axis,
      scene: { xaxis: wall, yaxis: wall, zaxis: wall },
    };
  }

  const isPlain = (value) => value && typeof value === "object" && !Array.isArray(value);

  function merged(base, over) {
    const result = { ...base };
    for (const [key, value] of Object.entries(over)) {
      result[key] = isPlain(value) && isPlain(result[key]) ? merged(result[key], value) : value;
    }
    return result;
  }

  function laidOut(layout) {
    const own = layout.template || {};
    const coloured = { ...own, layout: merged(own.layout || {}, template()) };
    const { width, ...rest } = layout; // the page's width, not the notebook's
    return { ...rest, autosize: true, template: coloured };
  }

  return {
    draw: (area, { data, layout, frames }) =>
      Plotly.newPlot(area, { data, layout: laidOut(layout || {}), frames: frames || [], config }),
    recolour: (area) => Plotly.relayout(area, { template: laidOut(area.layout).template }),
  };
})();
