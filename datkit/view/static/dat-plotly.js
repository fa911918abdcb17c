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
    const { width, sliders, ...rest } = layout; // the page's width, not the notebook's
    return { ...rest, autosize: true, template: coloured };
  }

  // Plotly's slider is a drawing; a native one is reached by keys and known to screen readers.
  function slider(area, { steps, active = 0, currentvalue }) {
    const { prefix = "", suffix = "" } = currentvalue || {};
    const [label, input, said] = ["label", "input", "output"].map((tag) => document.createElement(tag));
    Object.assign(input, { type: "range", min: 0, max: steps.length - 1, step: 1, value: active });
    const say = () => {
      said.textContent = `${steps[input.value].label}${suffix}`;
      input.setAttribute("aria-valuetext", said.textContent);
    };
    input.addEventListener("input", () => {
      const { method, args } = steps[input.value];
      Plotly[method](area, ...args);
      say();
    });
    say();
    label.append(prefix.replace(/[\s:=]+$/, "") || "position", " ", input);
    const bar = document.createElement("div");
    bar.className = "dat-toolbar dat-slider";
    bar.append(label, said);
    return bar;
  }

  // A picture cannot hold buttons: its name goes before the drawing, whose buttons stay reachable.
  function nameDrawing(area) {
    const name = document.createElement("span");
    for (const attribute of ["role", "aria-label"]) {
      name.setAttribute(attribute, area.getAttribute(attribute));
      area.removeAttribute(attribute);
    }
    area.before(name);
    document.getElementById("js-plotly-tester")?.setAttribute("aria-hidden", "true");
    area.querySelectorAll(".main-svg").forEach((one) => one.setAttribute("aria-hidden", "true"));
  }

  async function draw(area, { data, layout, frames }) {
    const drawn = { data, layout: laidOut(layout || {}), frames: frames || [], config };
    await Plotly.newPlot(area, drawn);
    nameDrawing(area);
    area.after(...(layout?.sliders || []).map((one) => slider(area, one)));
  }

  return {
    draw,
    recolour: (area) => Plotly.relayout(area, { template: laidOut(area.layout).template }),
  };
})();
