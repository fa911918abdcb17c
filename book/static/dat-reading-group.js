// The instructor's page: files of several readers, and how the group reads. No file leaves the page.
(function () {
  "use strict";

  const root = document.getElementById("dat-reading-group");
  const set = window.datReadingSet;
  if (!root) return;
  const { el, table, chart, button, download, fileButton, decode, number, percent } = window.datReadingParts;
  const { parseAll, toCSV } = window.datReadingAsked;
  const { scoreGroup } = window.datReadingScores;
  const { standard } = window.datReadingAfter;
  if (!set) {
    root.replaceChildren(el("p", {}, "The exams are not beside this page. They are made with the book: make book."));
    return;
  }
  const keys = Object.fromEntries(Object.entries(set.key).map(([exam, text]) => [exam, decode(text)]));
  const readers = new Map();
  const shown = el("div", {});
  const said = el("div", { role: "status" });

  // Names as files give them; two alike are told apart by their files. The same answers count once.
  function add(files) {
    const refused = [];
    const found = files.flatMap(([file, text]) => parseAll(text, set).map((one) => [file, one]));
    for (const [file, { content, problems }] of found) {
      if (problems.length) refused.push([content?.reader ? `${content.reader} of ${file}` : file, problems]);
      else readers.set(`${content.reader}\n${JSON.stringify(content.answers)}`, { file, reader: content.reader || file, answers: content.answers });
    }
    said.replaceChildren(
      el("p", {}, readers.size === 1 ? "1 reader." : `${readers.size} readers.`),
      ...refused.map(([file, problems]) =>
        el("div", { class: "dr-wrong" }, el("p", {}, `${file} was left out:`), el("ul", {}, ...problems.map((one) => el("li", {}, one))))
      )
    );
    draw();
  }

  function named() {
    const names = [...readers.values()].map(({ reader }) => reader);
    return [...readers.values()].map(({ file, reader, answers }, i) => ({
      reader: names.filter((name) => name === reader).length > 1 ? `${reader} (${i + 1}: ${file})` : reader,
      answers,
    }));
  }

  function draw() {
    if (!readers.size) {
      shown.replaceChildren();
      return;
    }
    const group = scoreGroup(named(), keys);
    const row = ({ reader, truth, n, within, seconds }) => [
      ...standard(reader, truth), number(within.kappa), seconds.median === null ? "–" : `${seconds.median.toFixed(0)} s`, String(n),
    ];
    const missed = group.missed.filter(({ wrong }) => wrong).map(({ exam, n, wrong, rating }) => {
      const { label, kind, finding, uid, votes } = keys[exam];
      return [exam, `${wrong} of ${n}`, label ? "abnormal" : "normal", number(rating, 1), `${votes.filter(Boolean).length} of 5 abnormal`, kind, set.findings[finding].title, uid];
    });
    shown.replaceChildren(
      el("h2", {}, "The group"),
      el("p", {}, `AUROC ${number(group.auroc.mean)} on average, ${number(group.auroc.together)} of the readers’ mean answers, whose curve is the thick one; κ between two readers ${number(group.kappa)} on average.`),
      el("div", { class: "dr-charts" }, chart({
        title: `ROC curves against the truth: the ${group.readers.length} readers', and that of their mean answers`,
        x: "1 − specificity", y: "sensitivity",
        lines: [...group.readers.map(({ roc }) => roc), group.roc].map((roc) => roc.map(({ fpr, tpr }) => [fpr, tpr])),
      })),
      table("Readers, against the truth", ["reader", "AUROC", "sensitivity", "specificity", "right", "κ", "κ within", "time", "exams"], group.readers.map(row)),
      table("Most missed exams", ["exam", "missed by", "truth", "mean answer", "expert readers", "kind", "finding", "simulated exam"], missed),
      el("p", { class: "dr-row" }, button("Export all answers as CSV", exportAll), button("Remove all", () => { readers.clear(); said.replaceChildren(); draw(); }))
    );
  }

  function exportAll() {
    const parts = named().map(({ reader, answers }) => toCSV({ set: set.name, reader, answers }));
    const rows = parts.map((part, i) => (i ? part.slice(part.indexOf("\r\n") + 2) : part));
    download("readings.csv", rows.join(""), "text/csv");
  }

  const drop = el("div", { class: "dr-drop" }, el("p", {}, "Drop the exported files of your readers here, JSON or CSV, or "), fileButton("choose files", true, add));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("dr-over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("dr-over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("dr-over");
    add(await Promise.all([...event.dataTransfer.files].map(async (file) => [file.name, await file.text()])));
  });
  root.replaceChildren(drop, said, shown);
})();
