// The page: three exams, sliders that change them, and what network and ruler say, once the reader has guessed.
(function () {
  "use strict";

  const { open, change, measure } = window.datNetworkExam;
  const { predict } = window.datNetwork;
  const LEVELS = [-2, 6, 14]; // mm, as in all pictures of the book
  const TOP = 5; // uptake at the top of the scale
  const CORNER = [-63, -46, -36]; // mm, the first voxel of what the page holds
  const HARDLY = 0.05; // a probability that moves by less hardly moves
  const KIND = { normal: "a clearly normal exam", borderline: "an exam at the limit", abnormal: "a clearly abnormal exam" };
  const AXES = ["to the right", "to the front", "up"];
  const mm = (value) => `${value > 0 ? "+" : ""}${String(value).replace("-", "−")} mm`;
  const percent = (value) => `${value} %`;
  // What can be done: the name of a slider, its range, how its value is read, and what it does to the changes.
  const ACTS = [
    { id: "right", name: "right posterior putamen, dimmed by", max: 100, step: 5, say: percent, set: (c, v) => { c.right = v / 100; } },
    { id: "left", name: "left posterior putamen, dimmed by", max: 100, step: 5, say: percent, set: (c, v) => { c.left = v / 100; } },
    { id: "blur", name: "blurred by (width of a point)", max: 16, step: 1, say: mm, set: (c, v) => { c.blur = v; } },
    ...AXES.map((words, axis) => ({
      id: `shift${axis}`, name: `moved ${words}`, min: -12, max: 12, step: 1, say: mm, set: (c, v) => { c.shift[axis] = v; },
    })),
    { id: "reference", name: "uptake of the reference, taken to be", min: 60, max: 140, step: 5, first: 100, say: percent, set: (c, v) => { c.reference = v / 100; } },
    { id: "noise", name: "noise (SD, in units of the reference)", max: 60, step: 5, say: (v) => (v / 100).toFixed(2), set: (c, v) => { c.noise = v / 100; } },
    { id: "mirror", name: "left and right exchanged", box: true, say: (v) => (v ? "yes" : "no"), set: (c, v) => { c.mirror = Boolean(v); } },
  ];
  const RATIOS = [["posterior_putamen", "posterior putamen"], ["putamen", "putamen"], ["caudate", "caudate"]];

  function el(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== false) made.setAttribute(name, value === true ? "" : value);
    made.append(...children);
    return made;
  }

  const signed = (value) => value.toFixed(2).replace("-", "−");
  const chance = (p) => (p > 0.995 ? "over 0.99" : p < 0.005 ? "under 0.01" : p.toFixed(2));

  // ---- pictures: axial slices of an image, as bright pixels with L and R beside them
  function colour(knots, share) {
    const at = Math.min(1, Math.max(0, share)) * (knots.length - 1);
    const low = Math.min(Math.floor(at), knots.length - 2);
    return knots[low].map((value, channel) => value + (at - low) * (knots[low + 1][channel] - value));
  }

  function drawSlice(context, { size: [, nx, ny, nz], values }, channel, level, top, knots) {
    const pixels = context.createImageData(nx, ny);
    for (let x = 0; x < nx; x++)
      for (let y = 0; y < ny; y++) {
        const value = values[((channel * nx + x) * ny + y) * nz + level];
        pixels.data.set([...colour(knots, value / top), 255], 4 * ((ny - 1 - y) * nx + x)); // front is up
      }
    context.canvas.width = nx;
    context.canvas.height = ny;
    context.putImageData(pixels, 0, 0);
  }

  function picture(className, levels) {
    const canvases = levels.map(() => el("canvas", { role: "img" }));
    const parts = canvases.map((canvas, place) =>
      el("figure", { class: className }, el("div", { class: "dn-slice" }, canvas), el("figcaption", {}, levels[place]))
    );
    return { part: el("div", { class: "dn-slices" }, ...parts), canvases };
  }

  function start(root, pack) {
    const { network, exams, frame } = open(pack);
    const state = { exam: 0, values: {}, guessed: {}, asked: null, was: null, right: 0, given: 0 };
    const first = ({ first: value = 0 }) => value;
    const reset = () => { for (const act of ACTS) state.values[act.id] = first(act); };
    reset();

    // ---- parts of the page
    const choice = el("fieldset", { class: "dn-exams" }, el("legend", {}, "The exam"));
    exams.forEach((exam, place) => {
      const input = el("input", { type: "radio", name: "dn-exam", value: place, checked: place === 0 });
      input.addEventListener("change", () => { state.exam = place; begin(); });
      choice.append(el("label", {}, input, ` ${exam.kind}`));
    });
    const about = el("p", { class: "dn-about" });
    const uptake = picture("dn-uptake", LEVELS.map((z) => `z = ${mm(z)}`));
    const seen = picture("dn-seen", LEVELS.map((z) => `as the network sees it, z ≈ ${mm(z)}`));
    const controls = ACTS.map((act) => control(act));
    const again = el("button", { type: "button" }, "Undo all changes");
    again.addEventListener("click", begin);
    const question = el("div", { class: "dn-question" });
    const results = el("div", { class: "dn-results" });
    const said = el("p", { class: "dn-said", role: "status" });
    const tally = el("p", { class: "dn-tally" });
    const channel = el("input", { type: "range", min: 1, max: network.layers[0].channels, value: 1, "aria-describedby": "dn-map-name" });
    const mapName = el("output", { id: "dn-map-name" });
    const map = picture("dn-map", ["what this cube of weights answers to, slice by slice"]);
    channel.addEventListener("input", () => drawMap(state.last));

    root.replaceChildren(
      choice, about,
      el("div", { class: "dn-top" }, uptake.part, said), seen.part,
      el("div", { class: "dn-two" },
        el("div", { role: "group", "aria-label": "Change the exam", class: "dn-controls" }, ...controls.map(({ part }) => part), again),
        el("div", { class: "dn-told" }, results, tally)),
      el("div", { class: "dn-maps" },
        el("label", {}, "first convolution, cube ", channel, " ", mapName), map.part)
    );

    function control(act) {
      const out = el("output", {}, act.say(first(act)));
      const input = act.box
        ? el("input", { type: "checkbox" })
        : el("input", { type: "range", min: act.min ?? 0, max: act.max, step: act.step, value: first(act) });
      input.id = `dn-${act.id}`;
      const show = () => {
        const value = state.values[act.id];
        if (act.box) input.checked = Boolean(value);
        else input.value = value;
        out.textContent = act.say(value);
        if (!act.box) input.setAttribute("aria-valuetext", out.textContent);
      };
      input.addEventListener("input", () => {
        const was = state.values[act.id];
        state.values[act.id] = act.box ? Number(input.checked) : Number(input.value);
        show();
        move(act, was);
      });
      const part = act.box ? el("label", {}, input, ` ${act.name} `, out) : el("label", {}, el("span", { class: "dn-name" }, `${act.name} `), input, " ", out);
      return { part, show };
    }

    // ---- what happens
    function changesOf(values) {
      const changes = { left: 0, right: 0, blur: 0, mirror: false, shift: [0, 0, 0], reference: 1, noise: 0, seed: 1 };
      for (const act of ACTS) act.set(changes, values[act.id]);
      return changes;
    }

    function look(values = state.values) {
      const changes = changesOf(values);
      const exam = exams[state.exam];
      const image = change(exam.image, changes, frame);
      const found = predict(image, network);
      return { image, ...found, ratios: measure(image, exam.places, changes.mirror, frame) };
    }

    function begin() {
      reset();
      controls.forEach(({ show }) => show());
      state.guessed = {};
      state.asked = null;
      const exam = exams[state.exam];
      const votes = `${exam.votes} of 5 simulated readers call it abnormal`;
      about.textContent = `Simulated exam ${exam.uid}, ${exam.sex === "F" ? "a woman" : "a man"} of ${exam.age}: ${KIND[exam.kind]}. ` +
        `The weaker posterior putamen holds ${Math.round(100 * exam.left)} % of what is expected at this age; ${votes}.`;
      question.replaceChildren(el("p", {}, "Move a slider. Before you see what it does to the probability, the page asks what you expect."));
      controls[0].part.before(question);
      draw();
      tell();
    }

    let waiting = 0;
    function move(act, was) {
      if (!state.guessed[act.id] && state.asked !== act) {
        if (state.asked) settle(null); // another slider was moved instead of an answer
        state.asked = act;
        state.was = was;
        ask(act);
      }
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(() => { draw(); if (!state.asked) tell(); });
    }

    function ask(act) {
      const answers = [["fall", "it falls"], ["stay", `it hardly moves (less than ${HARDLY})`], ["rise", "it rises"]];
      const buttons = answers.map(([way, text]) => {
        const made = el("button", { type: "button", "data-way": way }, text);
        made.addEventListener("click", () => { settle(way); controls[ACTS.indexOf(act)].part.querySelector("input").focus(); });
        return made;
      });
      question.replaceChildren(
        el("p", { id: "dn-ask" }, `Guess first. ${act.name[0].toUpperCase()}${act.name.slice(1)}: what does the probability of “abnormal” do? Set the slider where you want it, then say.`),
        el("div", { role: "group", "aria-labelledby": "dn-ask", class: "dn-guess" }, ...buttons)
      );
      controls[ACTS.indexOf(act)].part.after(question); // the next stop of the Tab key, and near the finger
      results.replaceChildren(el("p", {}, "Probability and binding ratios are hidden until you have said."));
      said.textContent = "Guess first: what does the probability do?";
    }

    function settle(way) {
      const act = state.asked;
      state.asked = null;
      if (way === null) return;
      state.guessed[act.id] = true;
      cancelAnimationFrame(waiting);
      draw();
      // What this slider did, alone: others may have moved since the last result was seen.
      const from = look({ ...state.values, [act.id]: state.was }).probability;
      const to = state.last.probability;
      const truth = Math.abs(to - from) < HARDLY ? "stay" : to > from ? "rise" : "fall";
      state.given += 1;
      state.right += way === truth;
      const happened = { stay: "hardly moved", rise: "rose", fall: "fell" }[truth];
      const verdict = way === truth ? "As you said" : "Not as you said";
      const words = `${verdict}: it ${happened}, from ${chance(from)} to ${chance(to)}.`;
      question.replaceChildren(el("p", {}, words));
      tell(words);
      tally.textContent = `${state.right} of ${state.given} guesses right.`;
    }

    // ---- what is shown
    function draw() {
      state.last = look();
      const { image, layers } = state.last;
      const done = describe();
      LEVELS.forEach((z, place) => {
        const canvas = uptake.canvases[place];
        drawSlice(canvas.getContext("2d"), image, 0, (z - CORNER[2]) / 2, TOP, pack.colours);
        canvas.setAttribute("aria-label", `Axial slice at z = ${mm(z)}, uptake from 0 to ${TOP}, patient's left on the left: the ${exams[state.exam].kind} exam, ${done}`);
        const small = seen.canvases[place];
        const level = Math.floor((z - CORNER[2]) / 4 - network.box.start[2] / 2);
        drawSlice(small.getContext("2d"), layers[0], 0, level, TOP - 1, pack.colours);
        small.setAttribute("aria-label", `What the network sees near z = ${mm(z)}, in voxels of 4 mm: the ${exams[state.exam].kind} exam, ${done}`);
      });
      drawMap(state.last);
    }

    function drawMap({ layers }) {
      const { size: [, nx, ny, nz], values } = layers[1];
      const place = Number(channel.value) - 1;
      const each = nx * ny * nz;
      const own = values.subarray(place * each, (place + 1) * each);
      const top = own.reduce((a, b) => Math.max(a, b), 0);
      const row = window.datNetwork.image(1, nx * nz, ny, 1); // all slices side by side, the lowest first
      for (let x = 0; x < nx; x++)
        for (let y = 0; y < ny; y++) for (let z = 0; z < nz; z++) row.values[(z * nx + x) * ny + y] = own[(x * ny + y) * nz + z];
      drawSlice(map.canvases[0].getContext("2d"), row, 0, 0, top || 1, pack.colours);
      mapName.textContent = `${place + 1} of ${network.layers[0].channels}${top ? "" : ": silent"}`;
      map.canvases[0].setAttribute("aria-label", `Answer of cube ${place + 1} of the first convolution, ${nz} slices from bottom to top, ${top ? `brightest ${top.toFixed(1)}` : "zero everywhere"}: the ${exams[state.exam].kind} exam, ${describe()}`);
    }

    function describe() {
      const done = ACTS.filter((act) => state.values[act.id] !== first(act)).map((act) => `${act.name} ${act.say(state.values[act.id])}`.replace(" exchanged yes", " exchanged"));
      return done.length ? done.join(", ") : "unchanged";
    }

    function tell(start = "") {
      const { probability, logit, ratios } = state.last;
      const rows = RATIOS.map(([name, words]) =>
        el("tr", {}, el("th", { scope: "row" }, words), el("td", {}, signed(ratios[`${name}_left`])), el("td", {}, signed(ratios[`${name}_right`]))));
      const meter = el("meter", { min: 0, max: 1, value: probability.toFixed(3), "aria-label": "probability of abnormal" });
      results.replaceChildren(
        el("p", { class: "dn-p" }, "probability of “abnormal”: ", el("strong", { "data-p": probability, "data-logit": logit }, chance(probability)), ` (logit ${signed(logit)}) `, meter),
        el("table", {}, el("caption", {}, "Binding ratio (SBR)"),
          el("thead", {}, el("tr", {}, el("td", {}), el("th", { scope: "col" }, "left"), el("th", { scope: "col" }, "right"))),
          el("tbody", {}, ...rows))
      );
      said.textContent = start || `Probability ${chance(probability)}; putamen left ${signed(ratios.putamen_left)}, right ${signed(ratios.putamen_right)}.`;
    }

    window.datNetworkPage = { look, state, ACTS };
    begin();
  }

  const root = document.getElementById("dat-network");
  try {
    if (!window.datNetworkPack) throw new Error("its exams and weights did not load");
    start(root, window.datNetworkPack);
  } catch (error) {
    root.textContent = `The network cannot run here: ${error.message}.`;
  }
})();
