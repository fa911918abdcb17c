// The reading trainer: which exam is next, what is kept, and what a page shows when.
// What is asked stands in dat-reading-asked.js, what is shown after in dat-reading-after.js, how it
// is scored in dat-reading-scores.js. With data-after="nothing" the page only collects answers.
(async function () {
  "use strict";

  const root = document.getElementById("dat-reading");
  const set = window.datReadingSet;
  if (!root) return;
  const { el, button, download, fileButton, decode } = window.datReadingParts;
  const { QUESTIONS, LONGEST, implied, objection, toJSON, toCSV, parse } = window.datReadingAsked;
  const { makeForm, focusFirstOpen, listen } = window.datReadingForm;
  const { EMPTY, keep, put, same } = window.datReadingKept;
  const { showTruth, showScores, listExams } = window.datReadingAfter;
  if (!set) {
    root.replaceChildren(el("p", {}, "The exams are not beside this page. They are made with the book: make book."));
    return;
  }

  const SILENT = 3; // the block after which, and not in which, answers are discussed
  const tells = (block) => root.dataset.after === "truth" && block !== SILENT;
  const blocks = [...new Set(set.presentations.map(({ block }) => block))];
  const inBlock = (block) => set.presentations.filter((one) => one.block === block);
  const key = (exam) => decode(set.key[exam]);

  const PLACE = `dat-reading/${set.name}/${root.dataset.after}`;
  const kept = keep(PLACE, set);
  const { state } = kept;
  let draft = null; // this tab's: another may be at another exam

  const isAnswered = ({ exam, block }) => state.answers.some(same({ exam, block }));
  function nextOne() {
    kept.refresh(); // another tab may have answered it
    return set.presentations.find((one) => !isAnswered(one));
  }
  const given = () => ({ set: set.name, reader: state.reader, answers: state.answers });

  // The volumes of a block come as a script, which a page opened from a disk may load too.
  const loading = {};
  function loadVolumes(number) {
    loading[number] ??= new Promise((resolve, reject) => {
      const script = el("script", { src: `${root.dataset.files}/volumes-${number}.js` });
      script.onload = resolve;
      script.onerror = () => {
        delete loading[number]; // and may be tried again
        script.remove();
        reject(new Error(`volumes-${number}.js cannot be loaded`));
      };
      document.head.append(script);
    });
    return loading[number];
  }
  const view = window.datReadingView.makeView(structuredClone(state.view), (view) => kept.update((now) => { now.view = { ...view }; }));
  async function draw(exam) {
    const home = set.presentations.find((one) => one.exam === exam).block;
    try {
      await loadVolumes(home);
    } catch (error) {
      return view.fail(error);
    }
    return view.show(window.datReadingVolumes[exam]);
  }

  // Parts of the page, one of which is shown at a time below the view.
  const heading = el("h3", { tabindex: -1 });
  const person = el("p", { class: "dr-person" });
  const bar = el("progress", { "aria-label": "Exams read in this block", max: 1, value: 0 });
  const pause = button("Pause", () => {
    tick();
    clock = null;
    overview("Paused");
  });
  const top = el("div", { class: "dr-top" });
  const below = el("div", { class: "dr-below" });
  const said = el("p", { role: "status", class: "dr-said" });
  let onKey = {};

  function page(text, parts, { exam = null, keys = {}, above = [] } = {}) {
    heading.textContent = text;
    reading = redraw = null;
    person.hidden = bar.hidden = pause.hidden = view.part.hidden = !exam;
    top.replaceChildren(...above);
    if (exam) {
      const { age, sex } = set.exams[exam];
      person.textContent = `${sex === "F" ? "Woman" : "Man"}, ${age} years`;
    }
    below.replaceChildren(...parts.filter(Boolean));
    onKey = keys;
  }

  function title({ exam, block }) {
    const many = inBlock(block);
    return `Block ${block}, exam ${many.findIndex((one) => one.exam === exam) + 1} of ${many.length}`;
  }

  // Reading one exam.
  let clock = null;
  let redraw = null; // what shows the page anew when another tab has stored something
  let reading = null; // the draft on the page, while it is being drawn or answered
  const elapsed = () => (clock === null || document.hidden ? 0 : performance.now() - clock);
  function tick() {
    if (!draft || clock === null) return;
    draft.ms += elapsed();
    clock = performance.now();
    keepDraft();
  }
  const keepDraft = () => kept.update((now) => put.draft(now, draft));
  document.addEventListener("visibilitychange", () => {
    if (clock === null) return;
    if (document.hidden) {
      draft.ms += performance.now() - clock;
      keepDraft();
    }
    clock = performance.now();
  });
  window.addEventListener("pagehide", () => document.hidden || tick());
  window.addEventListener("storage", ({ key: place }) => {
    if (place !== PLACE) return;
    kept.refresh();
    redraw?.();
  });

  async function read(one) {
    if (!same(one)(draft)) draft = same(one)(state.draft) ? structuredClone(state.draft) : { ...one, values: {}, ms: 0 };
    clock = null;
    said.textContent = kept.works ? "" : kept.notice;
    page(title(one), [el("p", {}, "The exam is being drawn …")], { exam: one.exam });
    Object.assign(bar, { max: inBlock(one.block).length, value: inBlock(one.block).filter(isAnswered).length });
    heading.focus();
    heading.scrollIntoView();
    const mine = (reading = draft);
    const seen = await draw(one.exam);
    if (reading !== mine) return;
    if (!seen) return below.replaceChildren(el("p", {}, button("Try again", () => read(one)))); // unseen, it is not asked about
    const form = makeForm(QUESTIONS, mine.values, { act: () => commit(one), chosen: (form, name) => follow(form, mine, name) });
    below.replaceChildren(form);
    onKey = view.keys;
    focusFirstOpen(form);
    clock = performance.now();
    keepDraft();
  }

  // A normal call implies grade and side; what two answers say of each other is told at the grade.
  function follow(form, draft, name) {
    const implies = name === "likert" ? implied(draft.values) : {};
    for (const [other, its] of Object.entries(implies)) {
      draft.values[other] = its;
      form.querySelector(`[name="${other}"][value="${its}"]`).checked = true;
    }
    form.querySelector('[name="benamer"]').setCustomValidity(objection(draft.values));
    if (name) tick();
  }

  function commit(one) {
    tick();
    const seconds = Math.min(Math.round(draft.ms) / 1000, LONGEST);
    const answer = { ...one, ...draft.values, seconds, read_at: new Date().toISOString() };
    draft = clock = null;
    kept.update((now) => put.answer(now, answer));
    if (tells(one.block)) discuss(answer, goOn, "Next exam");
    else goOn();
  }

  function discuss(answer, next, text) {
    const go = button(`${text} `, next, { class: "dr-main" });
    go.append(el("kbd", {}, "Enter"));
    const { verdict, lesson, parts } = showTruth(set, answer, key, state.answers);
    const ready = performance.now() + 300; // the Enter that committed must not go on at once
    const keys = { ...view.keys, Enter: () => performance.now() > ready && next() };
    const above = [verdict, lesson, el("p", {}, go)];
    page(`${title(answer)}: the answer`, parts, { exam: answer.exam, keys, above });
    bar.hidden = true;
    heading.focus();
    heading.scrollIntoView();
  }

  function goOn() {
    const last = state.answers.at(-1);
    const one = nextOne();
    if (!one || (last && one.block !== last.block)) overview(`Block ${last.block} is read`);
    else read(one);
  }

  // Between blocks, at the start and at the end.
  function overview(text) {
    const one = nextOne();
    const done = blocks.map((b) => `block ${b}: ${inBlock(b).filter(isAnswered).length} of ${inBlock(b).length}`);
    const name = el("input", { type: "text", value: state.reader, autocomplete: "off", maxlength: 40 });
    name.addEventListener("input", () => kept.update((now) => { now.reader = name.value; }));
    const parts = [
      el("p", {}, `Read so far: ${done.join(", ")}.`),
      kept.notice ? el("p", { class: "dr-wrong" }, kept.notice) : null,
      el("p", {}, el("label", {}, "Your name or a code, for the exported file ", name)),
      el(
        "p",
        { class: "dr-row" },
        one ? button(state.answers.length || draft || state.draft ? `Go on with block ${one.block}` : "Start reading", () => read(nextOne() ?? one), { class: "dr-main" }) : null,
        state.answers.length && root.dataset.after === "truth" ? button("Results", results) : null
      ),
      files(),
    ];
    page(text, parts);
    redraw = () => overview(text);
    if (text !== "Reading trainer") heading.focus();
  }

  function files() {
    const named = (end) => `reading-${(state.reader || "anonymous").replace(/[^\w-]+/g, "_")}.${end}`;
    return el(
      "p",
      { class: "dr-row" },
      button("Export JSON", () => download(named("json"), toJSON(given()), "application/json")),
      button("Export CSV", () => download(named("csv"), toCSV(given()), "text/csv")),
      fileButton("Import JSON or CSV", false, bring),
      button("Start again", startAgain)
    );
  }

  function bring([[name, text]]) {
    const { content, problems } = parse(text, set);
    if (problems.length) {
      said.textContent = `${name} was not imported: ${problems.join("; ")}.`;
      return;
    }
    if (state.answers.length && !confirm(`Replace your ${state.answers.length} answers by the ${content.answers.length} of ${name}?`)) return;
    draft = null;
    kept.update((now) => Object.assign(now, { reader: content.reader, answers: content.answers, draft }));
    said.textContent = `${content.answers.length} answers of ${content.reader || "an unnamed reader"} were imported.`;
    overview("Reading trainer");
  }

  function startAgain() {
    if (!confirm(`Delete all ${state.answers.length} answers in this browser? Export them first to keep them.`)) return;
    draft = null;
    kept.update((now) => Object.assign(now, structuredClone(EMPTY), { view: now.view }));
    said.textContent = "All answers are deleted.";
    overview("Reading trainer");
  }

  function results() {
    // Until block 3 is whole its answers are not discussed, nor are exams that were not answered.
    const open = inBlock(SILENT).some((one) => !isAnswered(one));
    const answers = state.answers.filter(({ block }) => !(open && block === SILENT));
    const keys = Object.fromEntries(answers.map(({ exam }) => [exam, key(exam)]));
    const look = (answer) => {
      discuss(answer, results, "Back to the results");
      draw(answer.exam);
    };
    page("Results", [
      ...showScores(set, answers, keys),
      el("h4", {}, "Exam by exam"),
      ...listExams(set, answers, keys, look),
      el("p", { class: "dr-row" }, button("Back", () => overview("Reading trainer"))),
      files(),
    ]);
    heading.focus();
  }

  listen(root, QUESTIONS, () => onKey);
  root.replaceChildren(heading, person, el("p", { class: "dr-row" }, bar, pause), top, view.part, below, said);
  overview("Reading trainer");
})();
