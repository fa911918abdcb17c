// Keys and buttons of the slides; without this script they are one long page.
const slides = [...document.querySelectorAll("section")];
const place = document.getElementById("place");
const root = document.documentElement;
const here = () => slides.findLastIndex((one) => one.getBoundingClientRect().top < innerHeight / 2);

function show(number) {
  const next = Math.max(0, Math.min(slides.length - 1, number));
  slides[next].scrollIntoView();
  history.replaceState(null, "", `#${slides[next].id}`);
}

function count() {
  place.value = `${Math.max(0, here()) + 1} / ${slides.length}`;
}

const steps = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1 };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && event.target.closest("button")) return;
  const ends = { Home: 0, End: slides.length - 1 };
  const to = ends[event.key] ?? here() + steps[event.key];
  if (Number.isNaN(to)) return;
  event.preventDefault();
  show(to);
});
document.getElementById("on").addEventListener("click", () => show(here() + 1));
document.getElementById("back").addEventListener("click", () => show(here() - 1));
document.getElementById("theme").addEventListener("click", () => {
  const given = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme ?? given) === "dark" ? "light" : "dark";
});
addEventListener("scroll", count, { passive: true });
count();
