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

  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        draw(target.querySelector(".dat-live"));
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
