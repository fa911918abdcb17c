"""Measure how long a reader waits for the first figure of each page of the built book.

``python .ci/first_figure.py`` prints seconds from the click to the first picture or drawing, in a
fresh browser the size of a phone, and exits 1 if a page takes longer than LIMIT. It is no test: on
a machine that has other work to do the figures say nothing.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HTML = Path(__file__).resolve().parents[1] / "build" / "book" / "_build" / "html"
LIMIT = 3.0  # seconds
FLAGS = ["--no-sandbox", "--disable-gpu"]
FIRST = ".bd-article :is(img, .dat-live, .dr-area, canvas)"
READY = f"""() => {{
  const first = document.querySelector("{FIRST}");
  if (first.matches("img")) return first.complete && first.naturalWidth > 0;
  if (first.matches("canvas")) return first.width > 0 && first.height > 0;
  return Boolean(first.dataset.ready || first.querySelector("img")?.naturalWidth);
}}"""


def measure(browser: Browser, page: Path) -> float | None:
    """Return the seconds until the first figure of a page is there; None if it has none."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    tab = context.new_page()
    tab.goto(page.as_uri(), wait_until="commit")
    tab.wait_for_load_state("domcontentloaded")
    seconds = None
    if tab.locator(FIRST).locator("visible=true").count():  # a reader's exam waits for a click
        tab.locator(FIRST).first.evaluate("one => one.scrollIntoView()")
        tab.wait_for_function(READY, timeout=60_000)
        seconds = tab.evaluate("performance.now() / 1000")
    context.close()
    return seconds


def main() -> int:
    """Measure every page of the book."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        found = {page.name: measure(browser, page) for page in sorted(HTML.glob("*/*.html"))}
        browser.close()
    waits = {name: seconds for name, seconds in found.items() if seconds is not None}
    for name, seconds in sorted(waits.items(), key=lambda item: -item[1]):
        print(f"{seconds:5.1f} s  {name}")
    return int(max(waits.values(), default=0.0) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
