// The atlas: filters its cards, and turns a volume in space once a reader opens it.
(() => {
  const here = document.currentScript.src;
  const beside = (name) => new URL(name, here).href;
  const libraries = ["vendor/niivue.umd.js", "dat-niivue.js"];
  let loading;

  const load = (source) =>
    new Promise((done, failed) => {
      const script = Object.assign(document.createElement("script"), { src: source });
      script.addEventListener("load", done);
      script.addEventListener("error", () => failed(new Error(`${source} did not load`)));
      document.head.append(script);
    });

  // Only who opens a volume pays for the library.
  async function niivueFigures() {
    loading ??= libraries.reduce((before, name) => before.then(() => load(beside(name))), Promise.resolve());
    await loading;
    return window.datFigures.niivue;
  }

  async function open(volume) {
    const area = volume.querySelector(".atlas-live");
    const content = JSON.parse(volume.querySelector("script").textContent);
    try {
      await (await niivueFigures()).draw(area, content);
      area.dataset.ready = "1";
    } catch (error) {
      area.textContent = `This browser cannot turn volumes (${error.message}). The slices above show the same exam.`;
    }
  }

  function close(volume) {
    loading?.then(() => window.datFigures.niivue.clear(volume.querySelector(".atlas-live")), () => {});
  }

  // The words that a reader sees: what scripts hold is data.
  function wordsOf(node) {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    return node.localName === "script" ? "" : [...node.childNodes].map(wordsOf).join("");
  }

  const plain = (text) => text.replace(/\s+/g, " ").trim().toLowerCase();

  function filterBy(form, cards) {
    const chosen = new FormData(form);
    const groups = chosen.getAll("group");
    const readers = chosen.get("readers");
    const word = plain(chosen.get("word"));
    let shown = 0;
    for (const { section, group, agreement, text } of cards) {
      const fits =
        groups.includes(group) && (!readers || readers === agreement) && text.includes(word);
      section.hidden = !fits;
      shown += fits;
    }
    for (const part of new Set(cards.map(({ section }) => section.parentElement))) {
      part.hidden = ![...part.querySelectorAll(":scope > section")].some((section) => !section.hidden);
    }
    form.querySelector("output").textContent = `${shown} of ${cards.length} exams`;
  }

  function start() {
    const form = document.querySelector(".atlas-filter");
    const cards = [...document.querySelectorAll(".atlas-card")].map((mark) => {
      const section = mark.closest("section");
      const { group, readers: agreement } = mark.dataset;
      return { section, group, agreement, text: plain(wordsOf(section)) };
    });
    const update = () => filterBy(form, cards);
    form.addEventListener("input", update);
    form.addEventListener("reset", () => setTimeout(update));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    update();
    document.querySelectorAll(".atlas-volume").forEach((volume) => {
      volume.hidden = false;
      volume.addEventListener("toggle", () => (volume.open ? open(volume) : close(volume)));
      volume.addEventListener("dat-taken", () => { volume.open = false; }, true);
    });
    // A link to a card that is filtered away shows it again.
    window.addEventListener("hashchange", () => {
      const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target?.closest("section[hidden]")) form.reset();
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
