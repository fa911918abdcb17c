// Questions of the book: checks an answer, tells why, and keeps the score of self-tests in this browser.
(function () {
  "use strict";

  const KEY = "dat-quiz";
  let memory = "{}"; // where a browser keeps nothing for pages from the disk

  // What a browser kept may be damaged: what is no answer or no score is left out.
  const plain = (one) => (typeof one === "object" && one !== null ? one : {});
  const only = (kept, fits) => Object.fromEntries(Object.entries(plain(kept)).filter(([, one]) => fits(plain(one))));
  const isText = (one) => typeof one === "string";
  const isAnswer = ({ given, right }) => typeof right === "boolean" && Array.isArray(given) && given.length > 0 && given.every(isText);
  const isScore = ({ right, of }) => Number.isInteger(right) && Number.isInteger(of) && right >= 0 && of > 0 && right <= of;

  function read() {
    try {
      return JSON.parse(localStorage.getItem(KEY) ?? memory);
    } catch {
      return JSON.parse(memory);
    }
  }

  function load() {
    const { answers, tests } = plain(read());
    return { answers: only(answers, isAnswer), tests: only(tests, isScore) };
  }

  function save(change) {
    const state = load();
    change(state);
    memory = JSON.stringify(state);
    try {
      localStorage.setItem(KEY, memory);
    } catch {
      // the page goes on from memory
    }
  }

  const answersOf = () => load().answers;

  function el(tag, attributes, ...children) {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  }

  // "2,5", "+2.5" and "−2.5" are numbers too; null is none.
  function toNumber(text) {
    const plain = text.trim().replace(",", ".").replace("−", "-");
    return plain === "" || !Number.isFinite(Number(plain)) ? null : Number(plain);
  }

  // An answer is the text of a number, or the places of the choices that were taken. Returns whether it is right,
  // and the choices that have something to say about it.
  function judge(kind, choices, given) {
    if (kind === "number") {
      const number = toNumber(given[0]);
      const near = ({ value, within }) => value !== null && number !== null && Math.abs(number - value) <= within + 1e-9;
      const met = choices.find(near) ?? choices.at(-1);
      return { right: met.right, told: [met] };
    }
    const wrong = choices.filter(({ right }, place) => right !== given.includes(String(place)));
    const taken = choices.filter((_, place) => given.includes(String(place)));
    return { right: wrong.length === 0, told: kind === "one" ? taken : wrong.length ? wrong : taken };
  }

  function begin(part) {
    const name = part.dataset.question;
    const kind = part.dataset.kind;
    const test = part.closest("[data-part]");
    const inputs = [...part.querySelectorAll("input")];
    const verdict = part.querySelector(".dat-verdict");
    const answers = part.querySelector(".dat-answers");
    const choices = [...answers.querySelectorAll("li")].map((item) => ({
      right: item.dataset.right === "1",
      value: item.dataset.value === undefined ? null : Number(item.dataset.value),
      within: Number(item.dataset.within ?? 0),
      item,
    }));
    const check = el("button", { type: "button", textContent: "Check" });
    verdict.before(check);

    const given = () => (kind === "number" ? [inputs[0].value] : inputs.filter(({ checked }) => checked).map(({ value }) => value));

    function show(answer) {
      const { right, told } = judge(kind, choices, answer);
      verdict.replaceChildren(el("strong", { textContent: right ? "Right. " : "Not right. " }));
      for (const { item, right: isRight } of told) {
        if (kind === "several" && !right) verdict.append(el("em", { textContent: isRight ? "You missed: " : "Not this one: " }), item.querySelector("em").textContent, ". ");
        verdict.append(...item.querySelector(":scope > span").cloneNode(true).childNodes, " ");
      }
      verdict.append(el("span", { className: "dat-why" }, ...answers.querySelector(".dat-why").cloneNode(true).childNodes));
      part.dataset.right = right ? "1" : "0";
      answers.hidden = false;
      // What counts is the first answer; outside a self-test one may try again.
      inputs.forEach((input) => { input.disabled = Boolean(test) || right; });
      check.hidden = Boolean(test) || right;
      return right;
    }

    function clear() {
      inputs.forEach((input) => {
        input.disabled = false;
        if (kind === "number") input.value = "";
        else input.checked = false;
      });
      verdict.textContent = "";
      answers.hidden = true;
      answers.open = false;
      check.hidden = false;
      delete part.dataset.right;
    }

    check.addEventListener("click", () => {
      const answer = given();
      const empty = kind === "number" ? toNumber(answer[0]) === null : answer.length === 0;
      if (empty) {
        verdict.textContent = kind === "number" ? "Enter a number first, such as 1.5." : "Choose an answer first.";
        return;
      }
      const right = show(answer);
      save((state) => { state.answers[name] = { given: answer, right }; });
      part.dispatchEvent(new CustomEvent("dat-answered", { bubbles: true }));
    });
    if (kind === "number") inputs[0].addEventListener("keydown", (event) => event.key === "Enter" && check.click());

    function restore() {
      clear();
      const kept = answersOf()[name];
      if (!kept) return;
      if (kind === "number") inputs[0].value = kept.given[0];
      else inputs.forEach((input) => { input.checked = kept.given.includes(input.value); });
      show(kept.given);
    }
    restore();
    return { name, restore };
  }

  function beginTest(test, questions) {
    const { part, when } = test.dataset;
    const score = test.querySelector(".dat-score");
    const own = questions.filter(({ part: one }) => test.contains(one)).map(({ quiz }) => quiz);
    const again = el("button", { type: "button", textContent: "Start again" });
    score.after(again);

    function tell() {
      const answers = answersOf();
      const given = own.filter(({ name }) => answers[name]);
      const right = given.filter(({ name }) => answers[name].right).length;
      again.hidden = given.length === 0;
      if (given.length < own.length) {
        score.textContent = `${given.length} of ${own.length} answered.`;
        return;
      }
      score.textContent = `${right} of ${own.length} right.`;
      save((state) => { state.tests[`${part} ${when}`] = { right, of: own.length }; });
      const before = load().tests[`${part} before`];
      if (when === "after" && before) {
        score.textContent += ` Before this part: ${before.right} of ${before.of}. ${gain(before, { right, of: own.length })}`;
      }
    }

    test.addEventListener("dat-answered", tell);
    again.addEventListener("click", () => {
      save((state) => {
        own.forEach(({ name }) => delete state.answers[name]);
        delete state.tests[`${part} ${when}`];
      });
      own.forEach(({ restore }) => restore());
      tell();
      test.querySelector("input").focus();
    });
    tell();
  }

  function gain(before, after) {
    const points = Math.round(100 * (after.right / after.of - before.right / before.of));
    if (points === 0) return "As many as before.";
    return points > 0 ? `A gain of ${points} points in a hundred.` : `${-points} points in a hundred fewer than before.`;
  }

  // The table of all parts: cells <span class="dat-gain" data-of="see" data-what="before | after | gain">.
  function fillGains() {
    const tests = load().tests;
    for (const cell of document.querySelectorAll(".dat-gain")) {
      const before = tests[`${cell.dataset.of} before`];
      const after = tests[`${cell.dataset.of} after`];
      const one = { before, after }[cell.dataset.what];
      if (cell.dataset.what === "gain") cell.textContent = before && after ? gain(before, after) : "–";
      else cell.textContent = one ? `${one.right} of ${one.of}` : "not yet";
    }
  }

  function offerToForget() {
    for (const button of document.querySelectorAll(".dat-forget")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        if (!confirm("Delete your answers to all questions in this browser?")) return;
        save((state) => { state.answers = {}; state.tests = {}; });
        fillGains();
      });
    }
  }

  function start() {
    const parts = [...document.querySelectorAll("[data-question]")];
    const questions = parts.map((part) => ({ part, quiz: begin(part) }));
    document.querySelectorAll("[data-part][data-when]").forEach((test) => beginTest(test, questions));
    fillGains();
    offerToForget();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
