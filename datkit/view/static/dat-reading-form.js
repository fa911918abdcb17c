// The form of one exam, for trainer and campaigns: a question is a group of choices, and keys answer it.
// A question is {name, legend, help, choices: [[value, key, text] …]}.
(function () {
  "use strict";

  const { el } = window.datReadingParts;
  const pressOf = ({ code, key }) => /^(?:Digit|Numpad)(\d)$/.exec(code)?.[1] ?? key.toLowerCase(); // whatever the keyboard's layout

  function makeQuestion({ name, legend, help, choices }, values) {
    const group = el("fieldset", { "data-name": name }, el("legend", {}, legend));
    if (help) group.append(el("p", { class: "dr-small" }, help));
    for (const [value, press, text] of choices) {
      const input = el("input", { type: "radio", name, value, required: true, checked: values[name] === value });
      group.append(el("label", { class: "dr-choice" }, input, el("span", {}, text), el("kbd", {}, press.toUpperCase())));
    }
    return group;
  }

  // The page stays where the exam is seen.
  function focusFirstOpen(form) {
    const open = [...form.querySelectorAll("fieldset")].find((group) => !group.querySelector(":checked"));
    (open?.querySelector("input") ?? form.querySelector("button")).focus({ preventScroll: true });
  }

  // `values` are filled as they are chosen; chosen(form, name) may imply others, act() commits.
  function makeForm(questions, values, { act, chosen = () => {}, more = [] }) {
    const form = el("form", { class: "dr-form" }, ...questions.map((one) => makeQuestion(one, values)), ...more);
    form.append(el("p", {}, el("button", { type: "submit", class: "dr-main" }, "Commit the answer ", el("kbd", {}, "Enter"))));

    function choose(name, text) {
      const question = questions.find((one) => one.name === name);
      if (!question) return;
      values[name] = question.choices.find(([v]) => String(v) === text)[0];
      chosen(form, name);
    }

    // A digit or letter answers the question that has the focus, and goes on to the next open one.
    function pressed(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const group = event.target.closest("fieldset");
      if (event.key === "Enter" && event.target.matches("input")) {
        event.preventDefault();
        form.requestSubmit();
      }
      const name = group?.dataset.name;
      const choices = questions.find((one) => one.name === name)?.choices ?? [];
      const choice = choices.find(([, press]) => press === pressOf(event));
      if (!choice) return;
      event.preventDefault();
      group.querySelector(`[value="${choice[0]}"]`).checked = true;
      choose(name, String(choice[0]));
      focusFirstOpen(form);
    }

    form.addEventListener("change", ({ target }) => choose(target.name, target.value));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act();
    });
    form.addEventListener("keydown", pressed);
    form.addEventListener("invalid", ({ target }) => {
      if (target === form.querySelector("input:invalid")) target.closest("fieldset").scrollIntoView({ block: "nearest" });
    }, true);
    chosen(form, "");
    return form;
  }

  // A key that is held down answers one question, and commits nothing more; all other keys act as keysOf() says.
  function listen(root, questions, keysOf) {
    const presses = new Set(["enter", ...questions.flatMap(({ choices }) => choices.map(([, press]) => press))]);
    root.addEventListener("keydown", (event) => {
      if (!event.repeat || !presses.has(pressOf(event)) || event.target.matches("input[type=text]")) return;
      event.preventDefault();
      event.stopPropagation();
    }, true);
    root.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.matches("input[type=text], select, button, a, input[type=range]")) return;
      const act = keysOf()[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }

  window.datReadingForm = { makeForm, focusFirstOpen, listen };
})();
