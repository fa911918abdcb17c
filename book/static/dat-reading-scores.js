// Scores of readings: pure functions, alike in the page, in node and (tests compare them) in Python.
// A score that has no value, such as a sensitivity without abnormal exams, is null.
//
// An answer is {exam, block, likert, benamer, side, seconds}; `key` holds what is true of each exam
// and what the panel said: {label, grade, side, votes, benamer, kind, finding, twin}.
(function (root) {
  "use strict";

  const Z = 1.959963984540054; // of a 95 % interval
  const AGAIN = 3; // the block of exams that are read a second time
  // How likely an exam is abnormal, as the answer's words say.
  const CHANCE = { "-3": 0.05, "-2": 0.2, "-1": 0.4, 1: 0.6, 2: 0.8, 3: 0.95 };
  const LEVELS = [-3, -2, -1, 1, 2, 3];

  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const mean = (values) => (values.length ? sum(values) / values.length : null);
  const call = (answer) => Number(answer.likert > 0);

  function median(values) {
    if (!values.length) return null;
    const sorted = [...values].sort((a, b) => a - b);
    const middle = Math.floor(sorted.length / 2);
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  // Wilson's interval of a share (Wilson 1927, 10.1080/01621459.1927.10502953).
  function wilson(right, n) {
    if (!n) return { value: null, low: null, high: null, right, n };
    const p = right / n;
    const spread = 1 + (Z * Z) / n;
    const middle = (p + (Z * Z) / (2 * n)) / spread;
    const reach = (Z / spread) * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n));
    const low = right === 0 ? 0 : middle - reach; // exactly, where rounding would say 1e-17
    return { value: p, low, high: right === n ? 1 : middle + reach, right, n };
  }

  // Share of (abnormal, normal) pairs in the right order; equal ratings count half.
  function auroc(labels, ratings) {
    const sick = ratings.filter((_, i) => labels[i] === 1);
    const well = ratings.filter((_, i) => labels[i] === 0);
    if (!sick.length || !well.length) return null;
    const won = sick.map((a) => sum(well.map((b) => (a > b ? 1 : a === b ? 0.5 : 0))));
    return sum(won) / (sick.length * well.length);
  }

  // Points of the ROC curve from (0, 0) to (1, 1), one for each rating at or above which is abnormal.
  function roc(labels, ratings) {
    const sick = sum(labels);
    const well = labels.length - sick;
    if (!sick || !well) return [];
    const limits = [...new Set(ratings)].sort((a, b) => b - a);
    const points = limits.map((limit) => ({
      limit,
      fpr: ratings.filter((r, i) => r >= limit && labels[i] === 0).length / well,
      tpr: ratings.filter((r, i) => r >= limit && labels[i] === 1).length / sick,
    }));
    return [{ limit: null, fpr: 0, tpr: 0 }, ...points];
  }

  // Cohen's kappa (1960), 10.1177/001316446002000104; weights grow with the square of the distance
  // between the places of two categories if `squared`.
  function kappa(first, second, categories, squared = false) {
    const n = first.length;
    if (!n) return null;
    const place = (value) => categories.indexOf(value);
    const weight = (i, j) => (squared ? (i - j) ** 2 : Number(i !== j));
    const share = (values, i) => values.filter((value) => place(value) === i).length / n;
    const found = sum(first.map((value, k) => weight(place(value), place(second[k])))) / n;
    const cells = categories.flatMap((_, i) => categories.map((__, j) => [i, j]));
    const chance = sum(cells.map(([i, j]) => weight(i, j) * share(first, i) * share(second, j)));
    return chance > 0 ? 1 - found / chance : null;
  }

  // Against one standard: labels 0 or 1, an answer each.
  function against(labels, answers) {
    const ratings = answers.map((answer) => answer.likert);
    const right = answers.filter((answer, i) => call(answer) === labels[i]);
    const among = (label) => {
      const places = labels.flatMap((one, i) => (one === label ? [i] : []));
      return wilson(places.filter((i) => call(answers[i]) === label).length, places.length);
    };
    return {
      n: answers.length,
      auroc: auroc(labels, ratings),
      sensitivity: among(1),
      specificity: among(0),
      accuracy: wilson(right.length, answers.length),
      kappa: kappa(labels, answers.map(call), [0, 1]),
    };
  }

  const majority = (votes) => Number(sum(votes) > votes.length / 2);

  function calibration(labels, answers) {
    const levels = LEVELS.map((likert) => {
      const places = answers.flatMap((answer, i) => (answer.likert === likert ? [i] : []));
      return { likert, chance: CHANCE[likert], ...wilson(sum(places.map((i) => labels[i])), places.length) };
    });
    const errors = answers.map((answer, i) => (CHANCE[answer.likert] - labels[i]) ** 2);
    const claimed = answers.map((answer) => Math.max(CHANCE[answer.likert], 1 - CHANCE[answer.likert]));
    return { levels, brier: mean(errors), claimed: mean(claimed) };
  }

  // How far a reader agrees with themself: exams of block 3 against their first reading.
  function within(first, again) {
    const pairs = again.flatMap((answer) => {
      const before = first.find((one) => one.exam === answer.exam);
      return before ? [[before, answer]] : [];
    });
    const [one, two] = [0, 1].map((which) => pairs.map((pair) => pair[which]));
    const same = pairs.filter(([a, b]) => call(a) === call(b)).length;
    return {
      agreement: wilson(same, pairs.length),
      kappa: kappa(one.map(call), two.map(call), [0, 1]),
      weighted: kappa(one.map((a) => a.likert), two.map((a) => a.likert), LEVELS, true),
    };
  }

  function byFinding(first, key) {
    const found = {};
    for (const answer of first) {
      const { finding, label } = key[answer.exam];
      const entry = (found[finding] ??= { finding, n: 0, wrong: 0 });
      entry.n += 1;
      entry.wrong += Number(call(answer) !== label);
    }
    return Object.values(found).sort(
      (a, b) => b.wrong / b.n - a.wrong / a.n || b.wrong - a.wrong || a.finding.localeCompare(b.finding)
    );
  }

  // The same patient on two cameras: how often the call stayed the same.
  function onOtherCamera(first, key) {
    const of = Object.fromEntries(first.map((answer) => [answer.exam, answer]));
    const pairs = first.filter(({ exam }) => key[exam].twin > exam && of[key[exam].twin]);
    return wilson(pairs.filter((a) => call(a) === call(of[key[a.exam].twin])).length, pairs.length);
  }

  // All scores of one reader.
  function scoreReader(answers, key) {
    const first = answers.filter((answer) => answer.block !== AGAIN);
    const again = answers.filter((answer) => answer.block === AGAIN);
    const of = (name) => first.map(({ exam }) => key[exam][name]);
    const labels = of("label");
    const panel = of("votes").map(majority);
    const calls = first.map(call);
    const grades = first.map((answer) => answer.benamer);
    const sided = first.filter(({ exam }) => key[exam].side !== "none");
    const kinds = ["normal", "abnormal", "hard"].map((kind) => [
      kind,
      median(first.filter(({ exam }) => key[exam].kind === kind).map((a) => a.seconds)),
    ]);
    const sameGrade = grades.filter((grade, i) => grade === of("grade")[i]).length;
    return {
      n: first.length,
      truth: against(labels, first),
      panel: against(panel, first),
      readers: [0, 1, 2, 3, 4].map((r) => kappa(of("votes").map((v) => v[r]), calls, [0, 1])),
      within: within(first, again),
      cameras: onOtherCamera(first, key),
      grade: {
        right: wilson(sameGrade, first.length),
        truth: kappa(of("grade"), grades, [0, 1, 2, 3], true),
        panel: kappa(of("benamer"), grades, [0, 1, 2, 3], true),
      },
      side: wilson(sided.filter((a) => a.side === key[a.exam].side).length, sided.length),
      calibration: calibration(labels, first),
      seconds: { median: median(first.map((a) => a.seconds)), ...Object.fromEntries(kinds) },
      findings: byFinding(first, key),
      roc: roc(labels, first.map((a) => a.likert)),
    };
  }

  // Several readers: [{reader, answers}].
  function scoreGroup(readers, key) {
    const rows = readers.map(({ reader, answers }) => ({ reader, ...scoreReader(answers, key) }));
    const firsts = readers.map(({ answers }) => answers.filter((a) => a.block !== AGAIN));
    const exams = [...new Set(firsts.flat().map((a) => a.exam))].sort();
    const missed = exams.map((exam) => {
      const calls = firsts.flat().filter((a) => a.exam === exam);
      const wrong = calls.filter((a) => call(a) !== key[exam].label).length;
      return { exam, n: calls.length, wrong, rating: mean(calls.map((a) => a.likert)) };
    });
    const labels = exams.map((exam) => key[exam].label);
    const ratings = missed.map((one) => one.rating);
    const known = rows.map((row) => row.truth.auroc).filter((value) => value !== null);
    return {
      readers: rows,
      auroc: { mean: mean(known), together: auroc(labels, ratings) },
      roc: roc(labels, ratings),
      kappa: mean(pairKappas(firsts)),
      missed: missed.sort((a, b) => b.wrong / b.n - a.wrong / a.n || a.exam.localeCompare(b.exam)),
    };
  }

  // Kappa of each pair of readers, over the exams that both read.
  function pairKappas(firsts) {
    const pairs = firsts.flatMap((one, i) => firsts.slice(i + 1).map((two) => [one, two]));
    return pairs
      .map(([one, two]) => {
        const of = Object.fromEntries(two.map((a) => [a.exam, a]));
        const both = one.filter((a) => of[a.exam]);
        return kappa(both.map(call), both.map((a) => call(of[a.exam])), [0, 1]);
      })
      .filter((value) => value !== null);
  }

  const scores = { CHANCE, LEVELS, auroc, roc, wilson, kappa, median, call, majority };
  root.datReadingScores = Object.assign(scores, { scoreReader, scoreGroup });
  if (typeof module !== "undefined") module.exports = root.datReadingScores;
})(typeof window === "undefined" ? globalThis : window);
