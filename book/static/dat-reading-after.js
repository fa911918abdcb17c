// What is shown after an answer, and after all: truth, panel, measures, lesson; scores.
(function () {
  "use strict";

  const { el, table, chart, button, number, percent, share, signed } = window.datReadingParts;
  const { scoreReader, majority, call } = window.datReadingScores;

  const DISEASES = {
    normal: "no disease of the striatum",
    borderline: "mildly low binding without degeneration",
    vascular: "vascular disease",
    drug: "a medicine that blocks the transporter",
    parkinson: "Parkinson's disease",
    lewy_body: "dementia with Lewy bodies",
    atypical: "an atypical parkinsonian syndrome",
    corticobasal: "corticobasal degeneration",
  };
  const KINDS = { normal: "clear normal", abnormal: "clear abnormal", hard: "hard" };
  const SIDES = { left: "left", right: "right", none: "neither" };
  const CALLS = ["normal", "abnormal"];

  const link = (set, finding) => {
    const { page, section } = set.findings[finding];
    return el("a", { href: `../${page}` }, section);
  };
  const mark = (right) => (right ? "✓\u00a0right" : "✗\u00a0wrong");

  // Truth and panel of one exam, beside the answer.
  function showTruth(set, answer, key, answers) {
    const its = key(answer.exam);
    const right = call(answer) === its.label;
    const verdict = `${mark(right)}: the exam is ${CALLS[its.label]}, you said ${signed(answer.likert)}.`;
    const votes = its.votes.map((vote, i) => `${i + 1}: ${CALLS[vote]}`).join(", ");
    const rows = [
      ["call", `${CALLS[call(answer)]} (${signed(answer.likert)})`, CALLS[its.label], `${CALLS[majority(its.votes)]} (${signed(its.likert)})`],
      ["grade", String(answer.benamer), String(its.grade), String(its.benamer)],
      ["weaker side", SIDES[answer.side], SIDES[its.side], "–"],
    ];
    const measures = its.measures.map(({ name, sbr, z }) => [name, number(sbr), z === null ? "no normals this blurred" : number(z, 1)]);
    const models = (its.models ?? []).map(({ name, p }) => [name, percent(p)]);
    const twin = its.twin && answers.find(({ exam }) => exam === its.twin);
    const parts = [
      table("Your answer, the truth, the five readers", ["", "you", "truth", "readers"], rows),
      el("p", {}, `Readers ${votes}; their pattern: ${its.pattern}. Weaker posterior putamen: ${Math.round(100 * its.fraction)} % of what is expected at this age and sex; abnormal below ${Math.round(100 * set.threshold)} %.`),
      table("Specific binding ratio, and z against normals of the age and sex", ["region", "SBR", "z"], measures),
      models.length ? table("Models that were not trained on this exam", ["model", "probability of abnormal"], models) : null,
      twin ? el("p", {}, `You have read this patient on another camera before, and said ${signed(twin.likert)}.`) : null,
      el("p", { class: "dr-small" }, `Simulated: ${DISEASES[its.disease]}. Camera: ${its.camera}; ${its.reconstruction}. Exam ${its.uid}.`),
    ];
    return {
      verdict: el("p", { class: right ? "dr-right" : "dr-wrong" }, el("strong", {}, verdict)),
      lesson: el("p", { class: "dr-lesson" }, its.lesson, " Train it: ", link(set, its.finding), "."),
      parts,
    };
  }

  const standard = (title, { auroc, sensitivity, specificity, accuracy, kappa }) => [
    title, number(auroc), share(sensitivity), share(specificity), share(accuracy), number(kappa),
  ];

  const NAMES = ["AUROC", "sensitivity", "specificity", "right", "κ"];
  function twoScores({ truth, panel }) {
    const [[, ...first], [, ...second]] = [standard("", truth), standard("", panel)];
    return NAMES.map((name, i) => [name, first[i], second[i]]);
  }

  function nextToTrain(set, scores) {
    const [worst] = scores.findings.filter(({ n, wrong }) => n >= 2 && wrong > 0);
    if (!worst) return el("p", {}, "Next: of the findings that two or more exams show, you missed none; read the other block, or look at the hard exams again.");
    const { title, train } = set.findings[worst.finding];
    return el("p", { class: "dr-lesson" }, `Train next: ${train}. Of the findings that two or more exams show, you missed the largest share of “${title}”: ${worst.wrong} of ${worst.n}. `, link(set, worst.finding), ".");
  }

  // All scores of a reader, as nodes; `answers` hold block 3 too.
  function showScores(set, answers, keys) {
    const scores = scoreReader(answers, keys);
    const { readers, within, cameras, grade, side, calibration, seconds } = scores;
    const levels = calibration.levels.filter(({ n }) => n);
    const time = (value) => (value === null ? "–" : `${value.toFixed(0)} s`);
    const more = [
      ["κ with readers 1 to 5", readers.map((value) => number(value)).join(", ")],
      ["κ within yourself", within.agreement.n ? `${number(within.kappa)}; the same call in ${share(within.agreement)}; weighted κ of the six answers ${number(within.weighted)}` : "after block 3, which brings exams back"],
      ["same patient, other camera", cameras.n ? `the same call in ${share(cameras)}` : "–"],
      ["Benamer grade", `${share(grade.right)}; weighted κ with truth ${number(grade.truth)}, with the readers ${number(grade.panel)}`],
      ["weaker side, where there is one", share(side)],
      ["certainty", `Brier score ${number(calibration.brier, 3)}; you claim ${percent(calibration.claimed)} on average and are right in ${percent(scores.truth.accuracy.value)}`],
      ["time, median", `${time(seconds.median)}; clear normal ${time(seconds.normal)}, clear abnormal ${time(seconds.abnormal)}, hard ${time(seconds.hard)}`],
    ];
    return [
      nextToTrain(set, scores),
      table(`Two scores of ${scores.n} exams: against the truth, and against the majority of the readers`, ["score", "truth", "readers"], twoScores(scores)),
      el(
        "div",
        { class: "dr-charts" },
        chart({
          title: `Your ROC curve against the truth; the area is ${number(scores.truth.auroc)}`,
          x: "1 − specificity", y: "sensitivity",
          lines: [scores.roc.map(({ fpr, tpr }) => [fpr, tpr])],
        }),
        chart({
          title: `Calibration: share of abnormal exams at each of your answers. ${levels.map((l) => `${signed(l.likert)}: ${l.right} of ${l.n}`).join("; ")}`,
          x: "chance that your answer claims", y: "share abnormal",
          lines: [levels.map(({ chance, value }) => [chance, value])],
          whiskers: levels.map(({ chance, low, high }) => [chance, low, high]),
        })
      ),
      table("More about your reading", ["", ""], more),
    ];
  }

  // The list of exams with a filter; look(exam) opens one.
  function listExams(set, answers, keys, look) {
    const first = answers.filter(({ block }) => block !== 3);
    const found = [...new Set(first.map(({ exam }) => keys[exam].finding))].sort();
    const wrong = (a) => call(a) !== keys[a.exam].label;
    const filters = {
      "all exams": () => true,
      "wrong against the truth": wrong,
      "wrong against the readers": (a) => call(a) !== majority(keys[a.exam].votes),
      ...Object.fromEntries(Object.entries(KINDS).map(([kind, text]) => [text, (a) => keys[a.exam].kind === kind])),
      ...Object.fromEntries(found.map((one) => [`finding: ${set.findings[one].title}`, (a) => keys[a.exam].finding === one])),
      "on two cameras": (a) => keys[a.exam].twin !== null,
    };
    const select = el("select", {}, ...Object.keys(filters).map((text) => el("option", {}, text)));
    const place = el("div", { "aria-live": "polite" });
    const row = (a) => {
      const its = keys[a.exam];
      const open = button(a.exam, () => look(a), { "aria-label": `Look at exam ${a.exam} again` });
      return [open, mark(!wrong(a)), `${signed(a.likert)}, grade ${a.benamer}`, `${CALLS[its.label]}, grade ${its.grade}`, `${its.votes.filter(Boolean).length} of 5 abnormal`, set.findings[its.finding].title, `${a.seconds.toFixed(0)} s`];
    };
    const fill = () => {
      const rows = first.filter(filters[select.value]);
      place.replaceChildren(table(`${rows.length} of ${first.length} exams: choose one to look at it again`, ["exam", "call", "you", "truth", "readers", "finding", "time"], rows.map(row)));
    };
    select.addEventListener("change", fill);
    fill();
    return [el("p", {}, el("label", {}, "Show ", select)), place];
  }

  window.datReadingAfter = { showTruth, showScores, listExams, standard };
})();
