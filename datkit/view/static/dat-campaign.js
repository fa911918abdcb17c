// The page of one reader of a campaign: shows exams, collects answers, knows and tells no truth.
// Each answer carries a code made with this page's key from the answer before it and itself, so that
// the organiser, who has the key too, sees what was changed, left out or moved in the file afterwards.
(function () {
  "use strict";

  const root = document.getElementById("dat-reading");
  const { el, button, download } = window.datReadingParts;
  const { makeForm, focusFirstOpen, listen } = window.datReadingForm;
  const { format, campaign, reader, key, questions, note, exams, volumes } = JSON.parse(
    document.getElementById("dat-campaign").textContent
  );
  const PLACE = `dat-campaign/${campaign}/${reader}`;
  const LONGEST = 7 * 24 * 3600 * 1000; // ms; whoever left the page open for a week has read no longer
  const VIEW = { radiological: false, planes: false, colours: "inferno" };
  const EMPTY = { answers: [], view: VIEW, closed: null };

  // What is sound of what this browser keeps: the answers to the first exams, in their order.
  let works = true;
  function load() {
    try {
      const found = JSON.parse(localStorage.getItem(PLACE)) ?? EMPTY;
      const sound = found.answers.every((one, place) => one.code === exams[place].code && typeof one.mac === "string");
      if (sound) return { ...EMPTY, ...found, view: { ...VIEW, ...found.view } };
      localStorage.setItem(`${PLACE}/damaged`, JSON.stringify(found));
    } catch {
      works = Boolean(window.localStorage);
    }
    return structuredClone(EMPTY);
  }
  function store() {
    try {
      localStorage.setItem(PLACE, JSON.stringify(state));
    } catch {
      works = false;
    }
  }
  let state = load();

  const secret = crypto.subtle?.importKey(
    "raw", Uint8Array.from(key.match(/../g), (pair) => parseInt(pair, 16)), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]
  );
  async function seal(before, content) {
    const text = new TextEncoder().encode(`${before}\n${JSON.stringify(content)}`);
    const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", await secret, text));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  const start = JSON.stringify([format, campaign, reader]);
  const last = () => state.answers.at(-1)?.mac ?? start;

  const heading = el("h2", { tabindex: -1 });
  const person = el("p", { class: "dr-person" });
  const bar = el("progress", { "aria-label": "Exams read", max: exams.length, value: 0 });
  const pause = button("Pause", () => rest("Paused"));
  const row = el("p", { class: "dr-row" }, bar, pause);
  const below = el("div", { class: "dr-below" });
  const view = window.datReadingView.makeView(state.view, (view) => {
    state.view = { ...view };
    store();
  });
  let keys = {};

  function page(text, parts, exam = null) {
    heading.textContent = text;
    person.textContent = exam?.person ?? "";
    person.hidden = !exam?.person;
    row.hidden = view.part.hidden = !exam;
    below.replaceChildren(...parts);
    keys = exam ? view.keys : {};
  }

  // The time counts while the page is in front.
  let draft = null;
  let clock = null;
  function tick() {
    if (draft && clock !== null && !document.hidden) draft.ms += performance.now() - clock;
    clock = performance.now();
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && draft && clock !== null) draft.ms += performance.now() - clock;
    clock = clock === null ? null : performance.now();
  });

  async function read() {
    const place = state.answers.length;
    const exam = exams[place];
    if (draft?.code !== exam.code) draft = { code: exam.code, values: {}, note: "", ms: 0 };
    const mine = draft;
    clock = null;
    bar.value = place;
    page(`Exam ${place + 1} of ${exams.length}: ${exam.code}`, [el("p", {}, "The exam is being drawn …")], exam);
    heading.focus();
    if (!(await view.show(volumes[exam.code]))) {
      if (mine === draft) below.replaceChildren(el("p", {}, button("Try again", read))); // unseen, it is not asked about
      return;
    }
    if (mine !== draft || row.hidden) return;
    const field = el("input", { type: "text", value: mine.note, maxlength: note, autocomplete: "off" });
    field.addEventListener("input", () => { mine.note = field.value; });
    const more = note ? [el("label", { class: "dr-note" }, `Note (at most ${note} letters; nothing that names a person) `, field)] : [];
    const form = makeForm(questions, mine.values, { act: () => commit(mine), more });
    below.replaceChildren(form);
    focusFirstOpen(form);
    clock = performance.now();
  }

  async function commit(mine) {
    if (mine !== draft) return; // committed already
    tick();
    draft = clock = null;
    const before = state.answers.length;
    state = load(); // another tab may have answered it
    if (!works || state.answers.length === before) {
      const ms = Math.min(Math.round(mine.ms), LONGEST);
      const one = { code: mine.code, answers: mine.values, note: mine.note.toWellFormed?.() ?? mine.note, ms, at: new Date().toISOString() };
      const values = questions.map(({ name }) => one.answers[name]);
      one.mac = await seal(last(), [one.code, values, one.note, one.ms, one.at]);
      state.answers.push(one);
      store();
    }
    state.answers.length < exams.length ? read() : rest("All exams are read");
  }

  async function hand() {
    state.closed ??= new Date().toISOString();
    store();
    const closing = await seal(last(), [state.answers.length, state.closed]);
    const { answers, closed } = state;
    const content = { format, campaign, reader, answers, closed, closing };
    download(`reading-${reader}.json`, JSON.stringify(content, null, 1), "application/json");
  }

  function rest(text) {
    if (clock !== null) tick();
    clock = null;
    const many = state.answers.length;
    const left = exams.length - many;
    const kept = works ? "This browser keeps what you answered: you may close the page and go on later, in this browser." : "This browser keeps nothing: read all exams without closing the page.";
    page(text, [
      el("p", {}, `You are the reader ${reader}. Read so far: ${many} of ${exams.length}. An answer stands once it is committed.`),
      left ? el("p", { class: works ? null : "dr-wrong" }, kept) : el("p", {}, "Download the file and send it to the organiser as it is. A change to it is noticed."),
      el("p", {}, left ? button(many || draft ? "Go on" : "Start reading", read, { class: "dr-main" }) : button("Download my answers", hand, { class: "dr-main" })),
    ]);
    heading.focus();
  }

  listen(root, questions, () => keys);
  root.replaceChildren(heading, person, row, view.part, below);
  if (secret) rest("Before you begin");
  else page("This page cannot run here", [el("p", { class: "dr-wrong" }, "This browser offers a page from a disk no cryptography. Open it in a current Firefox, Chrome, Edge or Safari.")]);
})();
