// Small parts that the reading pages share: elements, files, charts, numbers in words.
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";

  function dress(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  const el = (tag, attributes, ...children) => dress(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => dress(document.createElementNS(SVG, tag), attributes, children);

  function button(text, act, attributes = {}) {
    const made = el("button", { type: "button", ...attributes }, text);
    made.addEventListener("click", act);
    return made;
  }

  function table(caption, header, rows) {
    const head = el("tr", {}, ...header.map((text) => (text ? el("th", { scope: "col" }, text) : el("td", {}))));
    const body = rows.map(([first, ...rest]) =>
      el("tr", {}, el("th", { scope: "row" }, first), ...rest.map((value) => el("td", {}, value)))
    );
    const parts = header.some(Boolean) ? [el("thead", {}, head)] : [];
    const made = el("table", {}, el("caption", {}, caption), ...parts, el("tbody", {}, ...body));
    // What scrolls sideways on a phone can be reached by keys.
    return el("div", { class: "dr-wide", tabindex: 0, role: "region", "aria-label": caption }, made);
  }

  function download(name, text, type) {
    const url = URL.createObjectURL(new Blob([text], { type }));
    el("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  // Ask for files and hand each to act(name, text).
  function fileButton(text, multiple, act) {
    const input = el("input", { type: "file", accept: ".json,.csv", multiple, class: "dr-file" });
    input.addEventListener("change", async () => {
      const files = await Promise.all([...input.files].map(async (file) => [file.name, await file.text()]));
      input.value = "";
      act(files);
    });
    return el("label", { class: "dr-button" }, text, input);
  }

  const NONE = "–";
  const number = (value, digits = 2) => (value === null ? NONE : value.toFixed(digits).replace("-", "−"));
  const percent = (value) => (value === null ? NONE : `${Math.round(100 * value)} %`);
  const share = ({ value, low, high, right, n }) =>
    n ? `${percent(value)} (${right} of ${n}; 95 % CI ${Math.round(100 * low)}–${Math.round(100 * high)} %)` : NONE;
  const signed = (value) => (value > 0 ? `+${value}` : `−${-value}`);

  const SIZE = 240, EDGE = 40;
  const at = (x, y) => [EDGE + x * SIZE, 10 + (1 - y) * SIZE];

  // A square chart from 0 to 1: lines and marks [{points: [[x, y]…], marks}], whiskers [[x, low, high]…].
  function chart({ title, x, y, lines, whiskers = [] }) {
    const path = (points) => points.map((p, i) => `${i ? "L" : "M"}${at(...p).join(",")}`).join("");
    const dot = (p) => svg("circle", { class: "dr-dot", cx: at(...p)[0], cy: at(...p)[1], r: 4 });
    const whisker = ([px, low, high]) => svg("path", { class: "dr-whisker", d: path([[px, low], [px, high]]) });
    const tick = (value) => [
      svg("text", { x: at(value, 0)[0], y: SIZE + 26, "text-anchor": "middle" }, String(value)),
      svg("text", { x: EDGE - 6, y: at(0, value)[1] + 4, "text-anchor": "end" }, String(value)),
    ];
    const middle = 10 + SIZE / 2;
    return svg(
      "svg",
      { class: "dr-chart", viewBox: `0 0 ${SIZE + EDGE + 16} ${SIZE + 50}`, role: "img", "aria-label": title },
      svg("path", { class: "dr-frame", d: path([[0, 1], [0, 0], [1, 0]]) }),
      svg("path", { class: "dr-even", d: path([[0, 0], [1, 1]]) }),
      ...[0, 0.5, 1].flatMap(tick),
      svg("text", { x: EDGE + SIZE / 2, y: SIZE + 44, "text-anchor": "middle" }, x),
      svg("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, y),
      ...whiskers.map(whisker),
      ...lines.map((points) => svg("path", { class: "dr-line", d: path(points) })),
      ...lines.flat().map(dot)
    );
  }

  // Base64 of JSON, as set.js holds what is shown after an answer.
  function decode(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  window.datReadingParts = { el, button, table, download, fileButton, chart, decode, number, percent, share, signed };
})();
