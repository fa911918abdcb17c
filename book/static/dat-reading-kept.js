// What the trainer keeps in this browser, checked in one place. Several tabs may be open: each change
// is made to what is stored at that moment, and a tab without changes writes nothing.
(function () {
  "use strict";

  const { QUESTIONS, LETTERS, knownOf, problemsOf } = window.datReadingAsked;
  const COLOURS = window.datReadingView.COLOURS.map(([name]) => name);
  const EMPTY = { reader: "", answers: [], draft: null, view: { radiological: false, planes: false, colours: "inferno" } };
  const NOTHING = "This browser keeps no answers: export them before you leave the page.";

  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const same = (one) => (other) => other?.exam === one.exam && other?.block === one.block;
  const chosen = (draft) => Object.keys(draft?.values ?? {}).length;

  function isDraft(found, known) {
    if (!isObject(found) || !known.has(`${found.exam}/${found.block}`) || !isObject(found.values)) return false;
    const offered = ([name, value]) => QUESTIONS.find((one) => one.name === name)?.choices.some(([v]) => v === value);
    return Number.isFinite(found.ms) && found.ms >= 0 && Object.entries(found.values).every(offered);
  }

  // Whether a part of what is stored is as this page stores it; answers are looked at one by one.
  const FITS = {
    reader: (found) => typeof found === "string" && found.length <= LETTERS,
    answers: Array.isArray,
    draft: (found, known) => found === null || isDraft(found, known),
    view: (found) =>
      isObject(found) && typeof found.radiological === "boolean" && typeof found.planes === "boolean" && COLOURS.includes(found.colours),
  };

  // What is sound of a stored text, and which parts of it are not.
  function readStored(text, set) {
    const state = structuredClone(EMPTY);
    let found;
    try {
      found = JSON.parse(text);
    } catch {
      found = null;
    }
    if (!isObject(found)) return { state, damaged: ["all of it"] };
    const known = knownOf(set);
    const there = Object.keys(FITS).filter((part) => part in found);
    const damaged = there.filter((part) => !FITS[part](found[part], known));
    for (const part of there) if (!damaged.includes(part)) state[part] = found[part];
    const sound = state.answers.filter((one) => !problemsOf(one, 0, known).length);
    const answers = sound.filter((one, i) => !sound.slice(i + 1).some(same(one))); // the later one counts
    if (answers.length < state.answers.length) damaged.push(`${state.answers.length - answers.length} of ${state.answers.length} answers`);
    return { state: { ...state, answers }, damaged };
  }

  // Returns {state, works, notice, refresh(), update(change)}; `state` is what was stored when last looked at.
  function keep(place, set) {
    const state = structuredClone(EMPTY);
    const kept = { state, works: true, notice: "", refresh, update };

    function attempt(act) {
      try {
        if (kept.works) act();
      } catch {
        Object.assign(kept, { works: false, notice: NOTHING });
      }
    }

    function refresh() {
      attempt(() => {
        const text = localStorage.getItem(place);
        if (text === null) return;
        const found = readStored(text, set);
        Object.assign(state, found.state);
        if (found.damaged.length) setAside(text, found.damaged);
      });
    }

    function setAside(text, damaged) {
      const aside = `${place}/damaged/${new Date().toISOString()}`;
      kept.notice = `What this browser had kept was damaged (${damaged.join(", ")}): it is set aside in the browser's storage under ${aside}, and the page goes on with the rest (answers: ${state.answers.length}).`;
      localStorage.setItem(aside, text);
      write();
    }

    const write = () => localStorage.setItem(place, JSON.stringify(state));
    function update(change) {
      refresh();
      change(state);
      attempt(write);
    }

    refresh();
    return kept;
  }

  // What to do to what is stored: of two answers to a presentation the later counts, and
  // a draft takes no answered presentation's place, nor that of a draft with more of it chosen.
  const put = {
    answer: (state, answer) => {
      state.answers = [...state.answers.filter((one) => !same(answer)(one)), answer];
      if (same(answer)(state.draft)) state.draft = null;
    },
    draft: (state, draft) => {
      if (state.answers.some(same(draft))) return;
      if (chosen(draft) >= chosen(state.draft) || state.answers.some(same(state.draft))) state.draft = structuredClone(draft);
    },
  };

  window.datReadingKept = { EMPTY, keep, put, same };
})();
