// Draws the figures of a page when they come near the screen. Each kind of figure registers
// {draw(area, content), recolour(area)} in window.datFigures: dat-plotly.js, dat-niivue.js.
(() => {
  const kinds = window.datFigures;

  const contentOf = (area) =>
    JSON.parse(document.querySelector(`script[data-for="${area.id}"]`).textContent);

  async function draw(area) {
    area.classList.add("dat-drawing"); // takes its room: libraries measure before they draw
    try {
      await kinds[area.dataset.kind].draw(area, contentOf(area));
      area.dataset.ready = "1";
    } catch (error) {
      area.classList.remove("dat-drawing"); // the still picture stays
      area.dataset.failed = String(error);
      console.warn(`${area.id} was not drawn: ${error}`);
    }
  }

  // A page holds few drawings in space: the still picture takes the place of the first.
  function offerAgain(area) {
    const [note, again] = ["p", "button"].map((tag) => document.createElement(tag));
    Object.assign(again, { type: "button", textContent: "Draw this volume again" });
    again.addEventListener("click", () => {
      note.remove();
      draw(area);
    });
    area.classList.remove("dat-drawing");
    note.className = "dat-toolbar";
    note.append("A page holds few volumes in space at a time.", again);
    area.after(note);
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        const area = target.querySelector(".dat-live");
        area.addEventListener("dat-taken", () => offerAgain(area));
        draw(area);
      }
    },
    { rootMargin: "400px" }
  );
  document.querySelectorAll(".dat-figure").forEach((figure) => near.observe(figure));

  new MutationObserver(() => {
    document
      .querySelectorAll(".dat-live[data-ready]")
      .forEach((area) => kinds[area.dataset.kind].recolour?.(area));
  }).observe(document.documentElement, { attributeFilter: ["data-theme"] });
})();
