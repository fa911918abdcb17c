// How many exams: the chance that the best team comes out first, as datkit.challenge.planner has it, and a figure of it.
(function () {
  "use strict";

  // ---- the formula; a contest is {teams, gap, examSd, centreSd, slip, centres, readers}
  const STEP = 0.05; // SDs, of the sum over the best team's score
  const ENDLESS = Infinity;

  // Φ by Abramowitz and Stegun 7.1.26: off by less than 1e-7.
  function below(x) {
    const t = 1 / (1 + (0.3275911 * Math.abs(x)) / Math.SQRT2);
    const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    const tail = (sum * Math.exp((-x * x) / 2)) / 2;
    return x > 0 ? 1 - tail : tail;
  }

  function first(teams, lead) {
    let sum = 0;
    for (let z = -9; z <= 9; z += STEP) sum += Math.exp((-z * z) / 2) * below(lead - z) ** (teams - 1);
    return (sum * STEP) / Math.sqrt(2 * Math.PI);
  }

  function wrongLabels(readers, slip) {
    let [share, ways] = [0, 1];
    for (let k = 0; k <= readers; k++) {
      if (2 * k > readers) share += ways * slip ** k * (1 - slip) ** (readers - k);
      ways = (ways * (readers - k)) / (k + 1);
    }
    return share;
  }

  const step = ({ gap, readers, slip }) => gap * (1 - 2 * wrongLabels(readers, slip));

  function chance(contest, exams) {
    const spread = Math.sqrt((contest.examSd ** 2 / exams + contest.centreSd ** 2 / contest.centres) / 2);
    return spread ? first(contest.teams, step(contest) / spread) : 1;
  }

  function examsNeeded(contest, wanted) {
    let [low, high] = [0, 99];
    for (let n = 0; n < 60; n++) {
      const lead = (low + high) / 2;
      if (first(contest.teams, lead) < wanted) low = lead;
      else high = lead;
    }
    const allowed = 2 * (step(contest) / high) ** 2 - contest.centreSd ** 2 / contest.centres;
    return allowed > 0 ? Math.ceil(contest.examSd ** 2 / allowed) : ENDLESS;
  }

  window.datPlanner = { chance, examsNeeded, wrongLabels };

  // ---- the page
  const LEAST = 10, MOST = 10000; // exams that the figure shows
  const number = (value) => value.toLocaleString("en-US");
  const share = (p) => (p > 0.995 ? "over 0.99" : p.toFixed(2));
  const range = (from, to, by) => Array.from({ length: Math.round((to - from) / by) + 1 }, (_, n) => +(from + n * by).toFixed(3));
  const MAIN = [
    { id: "teams", name: "teams", values: [2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 400], first: 20 },
    { id: "gap", name: "gap between the best team and all others", values: [...range(0.005, 0.05, 0.005), ...range(0.06, 0.1, 0.01)], first: 0.05 },
    { id: "centres", name: "centres", values: [2, 3, 4, 5, 7, 10, 14, 20, 30, 40, 60, 80, 100], first: 10 },
    { id: "readers", name: "readers of each exam, whose majority is the label", values: [1, 3, 5, 7], first: 1 },
    { id: "wanted", name: "chance that is asked for", values: range(0.5, 0.95, 0.05), first: 0.8 },
  ];
  const SPREADS = [
    { id: "examSd", name: "SD of two teams’ difference, exam to exam", values: range(0.1, 0.8, 0.02), first: 0.3 },
    { id: "centreSd", name: "the same, centre to centre", values: range(0, 0.15, 0.01), first: 0.05 },
    { id: "slip", name: "share of exams that one reader gets wrong", values: range(0, 0.2, 0.005), first: 0.035 },
  ];

  function el(tag, attributes, ...children) {
    const svg = ["svg", "path", "line", "text", "circle", "g"].includes(tag);
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function start(root) {
    const state = Object.fromEntries([...MAIN, ...SPREADS].map(({ id, first: value }) => [id, value]));
    let kept = null; // a contest whose curve stays, to compare

    function control({ id, name, values }) {
      const out = el("output", { for: `dp-${id}` });
      const input = el("input", { type: "range", id: `dp-${id}`, min: 0, max: values.length - 1, step: 1, value: values.indexOf(state[id]) });
      const show = () => {
        state[id] = values[input.value];
        out.textContent = number(state[id]);
        input.setAttribute("aria-valuetext", out.textContent);
      };
      input.addEventListener("input", () => { show(); draw(); });
      show();
      return el("label", {}, el("span", {}, name), input, out);
    }

    const plot = el("svg", { role: "img" });
    const said = el("p", { class: "dp-said", role: "status" });
    const numbers = el("table", { class: "dp-numbers" });
    const keep = el("button", { type: "button" }, "Keep this curve to compare");
    keep.addEventListener("click", () => { kept = { ...state }; draw(); });
    root.replaceChildren(
      el("div", { class: "dp-top" }, el("p", { class: "dp-axis" }, "chance that the best team comes out first"), plot, said),
      el("div", { class: "dp-controls", role: "group", "aria-label": "The contest" }, ...MAIN.map(control),
        el("details", {}, el("summary", {}, "How much teams differ, and readers err"), ...SPREADS.map(control)), keep, numbers)
    );

    function sentence() {
      const { teams, centres, readers, wanted } = state;
      const who = `${number(teams)} teams, ${number(centres)} centres, ${readers} ${readers > 1 ? "readers" : "reader"}`;
      if (wanted <= 1 / teams) return `${who}: drawing lots gives the best team a chance of ${share(1 / teams)}.`;
      const exams = examsNeeded(state, wanted);
      if (exams < ENDLESS) return `${who}: with ${number(exams)} exams the best team is first with a chance of ${share(wanted)}.`;
      return `${who}: no number of exams is enough for ${share(wanted)}. With endless exams the chance is ${share(chance(state, ENDLESS))}; more centres help.`;
    }

    function draw() {
      const words = sentence();
      if (said.textContent !== words) said.textContent = words;
      plot.setAttribute("aria-label", `Curve of the chance that the best team comes out first, for ${LEAST} to ${number(MOST)} test exams. ${words}`);
      const rows = [30, 100, 300, 1000, 3000, 10000].map((exams) =>
        el("tr", {}, el("th", { scope: "row" }, number(exams)), el("td", {}, share(chance(state, exams)))));
      numbers.replaceChildren(el("tr", {}, el("th", { scope: "col" }, "exams"), el("th", { scope: "col" }, "chance")), ...rows);
      drawPlot();
    }

    function drawPlot() {
      const [wide, high] = [root.querySelector(".dp-top").clientWidth || 320, window.innerWidth < 900 ? 200 : 340];
      const [left, bottom] = [34, 40];
      const x = (exams) => left + ((wide - left - 14) * Math.log(exams / LEAST)) / Math.log(MOST / LEAST);
      const y = (p) => 8 + (high - bottom - 8) * (1 - p);
      const line = (className, x1, y1, x2, y2) => el("line", { class: className, x1, y1, x2, y2 });
      const text = (words, at, down, anchor) => el("text", { x: at, y: down, "text-anchor": anchor }, words);
      const curve = (contest, className) => {
        const places = Array.from({ length: 61 }, (_, n) => LEAST * (MOST / LEAST) ** (n / 60));
        return el("path", { class: className, d: `M${places.map((n) => `${x(n).toFixed(1)},${y(chance(contest, n)).toFixed(1)}`).join("L")}` });
      };
      const parts = [0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((p) => [line("dp-grid", left, y(p), wide - 14, y(p)), text(p.toFixed(1), left - 6, y(p) + 4, "end")]);
      parts.push(...[10, 100, 1000, 10000].flatMap((n) => [line("dp-grid", x(n), y(0), x(n), y(1)), text(number(n), x(n), high - 23, n === MOST ? "end" : "middle")]));
      parts.push(text("test exams", (left + wide) / 2, high - 5, "middle"), line("dp-wanted", left, y(state.wanted), wide - 14, y(state.wanted)));
      if (kept) parts.push(curve(kept, "dp-kept"));
      parts.push(curve(state, "dp-curve"));
      const needed = state.wanted > 1 / state.teams ? examsNeeded(state, state.wanted) : ENDLESS;
      if (needed >= LEAST && needed <= MOST)
        parts.push(line("dp-wanted", x(needed), y(state.wanted), x(needed), y(0)), el("circle", { class: "dp-point", cx: x(needed), cy: y(state.wanted), r: 6 }));
      plot.setAttribute("viewBox", `0 0 ${wide} ${high}`);
      plot.replaceChildren(...parts);
    }

    draw();
    // Not the window's resize: the page's column also moves with the sidebar, some time after it.
    new ResizeObserver(drawPlot).observe(root.querySelector(".dp-top"));
  }

  const root = document.getElementById("dat-planner");
  if (root) start(root);
})();
