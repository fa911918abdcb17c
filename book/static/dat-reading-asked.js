// What is asked of each exam, and answers as files. Nothing here knows what is true.
(function (root) {
  "use strict";

  const NORMAL = (value) => value < 0;
  // `keys` are what one presses, in the order of the choices.
  const QUESTIONS = [
    {
      name: "likert",
      legend: "Is the exam abnormal?",
      help: "Abnormal means: the back of a putamen has lost transporters, as in degenerative disease.",
      choices: [
        [-3, "1", "−3 certainly normal"],
        [-2, "2", "−2 probably normal"],
        [-1, "3", "−1 rather normal"],
        [1, "4", "+1 rather abnormal"],
        [2, "5", "+2 probably abnormal"],
        [3, "6", "+3 certainly abnormal"],
      ],
    },
    {
      name: "benamer",
      legend: "Benamer grade",
      choices: [
        [0, "0", "0 normal"],
        [1, "1", "1 one putamen low"],
        [2, "2", "2 both putamina low"],
        [3, "3", "3 caudates low too"],
      ],
    },
    {
      name: "side",
      legend: "Weaker side of the patient",
      choices: [
        ["left", "l", "left"],
        ["right", "r", "right"],
        ["none", "n", "neither"],
      ],
    },
  ];

  // What follows from a first answer: a normal exam has grade 0 and no weaker side.
  const implied = ({ likert }) => (NORMAL(likert) ? { benamer: 0, side: "none" } : {});

  // What is wrong with an answer, as a sentence, or "".
  function objection({ likert, benamer }) {
    if (likert === undefined || benamer === undefined) return "";
    if (NORMAL(likert) && benamer > 0) return "A normal exam has grade 0: change one of the two answers.";
    if (!NORMAL(likert) && benamer === 0) return "An abnormal exam has a grade from 1 to 3.";
    return "";
  }

  // As files.
  const FORMAT = "datkit-reading-1";
  const LONGEST = 7 * 24 * 3600; // seconds that an answer may take: who left the page open for a week has read no longer
  const LETTERS = 400; // of a reader's name; the page of a group adds a file's name to it
  const COLUMNS = ["exam", "block", "likert", "benamer", "side", "seconds", "read_at"];

  const toJSON = ({ set, reader, answers }) =>
    JSON.stringify({ format: FORMAT, set, reader, answers }, null, 1);

  // What a file says, cut where it would fill the page.
  const short = (value) => String(value).replace(/^(.{40}).+$/su, "$1…");
  const some = (names) => {
    const all = [...new Set(names)];
    return all.slice(0, 10).map(short).join(", ") + (all.length > 10 ? `, and ${all.length - 10} more` : "");
  };

  // RFC 4180; a text that begins as a formula does, or with the mark itself, is text to a spreadsheet, too.
  const NUMBER = /^-?\d+(\.\d+)?$/;
  function cell(value) {
    const text = NUMBER.test(value) ? String(value) : String(value).replace(/^(?=[-=+@\t\r'])/, "'");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function toCSV({ set, reader, answers }) {
    const rows = answers.map((answer) => [set, reader, ...COLUMNS.map((name) => answer[name])]);
    return [["set", "reader", ...COLUMNS], ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
  }

  // Rows of cells; a quoted cell may hold line breaks.
  function rowsOf(text) {
    const rows = [];
    const cells = `\n${text}`.matchAll(/(,|\r?\n)(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(?=,|\r?\n|$)/g);
    for (const [, before, quoted, plain] of cells) {
      if (before !== ",") rows.push([]);
      rows.at(-1)?.push((quoted?.replaceAll('""', '"') ?? plain).replace(/^'/, ""));
    }
    return rows.filter((row) => row.length > 1 || row[0]);
  }

  // What is wrong with the columns of a file, as a sentence, or "".
  function objectionTo(header) {
    const missing = ["set", ...COLUMNS].filter((name) => !header.includes(name));
    if (missing.length && header.some((name) => name.includes(";"))) {
      return "its cells stand between semicolons, as some spreadsheets save them: save it with commas, or bring the file that was exported";
    }
    if (missing.length) return `the first line lacks the columns ${missing.join(", ")}`;
    const twice = header.filter((name, i) => header.indexOf(name) < i);
    return twice.length ? `columns that stand more than once: ${some(twice)}` : "";
  }

  // The answers of each reader, and to each set, that a file has rows of.
  function fromCSV(text) {
    const [header, ...lines] = rowsOf(text.replace(/^\uFEFF/, ""));
    const wrong = objectionTo(header ?? []);
    if (wrong) throw new Error(wrong);
    if (!lines.length) throw new Error("it holds no answers");
    const uneven = lines.findIndex((cells) => cells.length !== header.length);
    if (uneven >= 0) throw new Error(`expected ${header.length} cells as in the header, found ${lines[uneven].length} in row ${uneven + 2}`);
    const found = new Map();
    for (const cells of lines) {
      const row = Object.fromEntries(header.map((name, i) => [name, cells[i]]));
      const { set, reader = "" } = row;
      const whose = JSON.stringify([set, reader]);
      if (!found.has(whose)) found.set(whose, { format: FORMAT, set, reader, answers: [] });
      found.get(whose).answers.push(answerOf(row));
    }
    return [...found.values()];
  }

  function answerOf(row) {
    const numbers = ["block", "likert", "benamer", "seconds"].map((name) => [name, NUMBER.test(row[name]) ? Number(row[name]) : NaN]);
    return { ...Object.fromEntries(COLUMNS.map((name) => [name, row[name]])), ...Object.fromEntries(numbers) };
  }

  // Everything that is wrong with an answer of a file, as sentences.
  function problemsOf(answer, place, known) {
    const where = `answer ${place + 1}`;
    const problems = [];
    const pair = `${short(answer?.exam)} in block ${short(answer?.block)}`;
    const typed = typeof answer?.exam === "string" && typeof answer?.block === "number";
    if (!typed || !known.has(`${answer.exam}/${answer.block}`)) problems.push(`${where}: the set has no ${pair}`);
    for (const { name, choices } of QUESTIONS) {
      const values = choices.map(([value]) => value);
      if (!values.includes(answer?.[name])) {
        problems.push(`${where}: expected ${name} among ${values.join(", ")}, found ${short(answer?.[name])}`);
      }
    }
    if (!(typeof answer?.seconds === "number" && answer.seconds >= 0 && answer.seconds <= LONGEST)) {
      problems.push(`${where}: expected seconds, 0 or more and at most ${LONGEST}, a week, found ${short(answer?.seconds)}`);
    }
    const wrong = objection(answer ?? {});
    return wrong ? [...problems, `${where}: ${wrong}`] : problems;
  }

  const knownOf = (set) => new Set(set.presentations.map(({ exam, block }) => `${exam}/${block}`));

  // Read a file of one reader's answers; returns {content, problems}, all problems at once.
  function parse(text, set) {
    const found = parseAll(text, set);
    return found.length === 1 ? found[0] : { problems: ["expected the answers of one reader, found rows of several readers or sets"] };
  }

  // Read a file that may hold several readers, as the page of a group exports it: such a result for each.
  function parseAll(text, set) {
    try {
      if (!text.trim()) throw new Error("it is empty");
      const found = text.trimStart().startsWith("{") ? [JSON.parse(text)] : fromCSV(text);
      return found.map((content) => check(content, set));
    } catch (error) {
      return [{ problems: [`expected JSON or CSV as this page exports it, found a file that cannot be read (${error.message})`] }];
    }
  }

  function check(content, set) {
    const { answers: given, reader = "" } = content;
    if (content.format !== FORMAT || content.set !== set.name || !Array.isArray(given)) {
      const found = `${short(content.format ?? "no format")}, ${short(content.set ?? "no set")}`;
      const kin = (name) => String(name).split("-").slice(0, 3).join("-"); // a name ends with the hash of what it holds
      const other = content.set !== set.name && kin(content.set) === kin(set.name) ? ": answers to other exams than this page's, of an older or newer edition" : "";
      return { problems: [`expected answers in the format ${FORMAT} to the set ${set.name}, found ${found}${other}`] };
    }
    const problems = [];
    if (typeof reader !== "string" || reader.length > LETTERS) problems.push(`expected a reader's name of at most ${LETTERS} letters, found ${short(reader)}`);
    if (!given.length) problems.push("expected answers, found none");
    if (given.length > set.presentations.length) {
      return { problems: [...problems, `expected at most ${set.presentations.length} answers of a reader, found ${given.length}`] };
    }
    const known = knownOf(set);
    problems.push(...given.flatMap((answer, place) => problemsOf(answer, place, known)));
    const seen = given.map((one) => `${one?.exam}/${one?.block}`);
    const twice = seen.filter((one, i) => seen.indexOf(one) < i);
    if (twice.length) problems.push(`answered more than once: ${some(twice)}`);
    const answers = given.map((answer) =>
      Object.fromEntries(COLUMNS.map((name) => [name, answer?.[name] ?? ""]))
    );
    return { content: { set: set.name, reader, answers }, problems };
  }

  root.datReadingAsked = { QUESTIONS, COLUMNS, LONGEST, LETTERS, implied, objection, toJSON, toCSV, parse, parseAll, knownOf, problemsOf };
  if (typeof module !== "undefined") module.exports = root.datReadingAsked;
})(typeof window === "undefined" ? globalThis : window);
