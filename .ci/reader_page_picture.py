"""Take the picture of a reader's page that the chapter on campaigns shows.

``python .ci/reader_page_picture.py book/static/reader_page.jpg`` needs Chromium and Playwright.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from playwright.sync_api import sync_playwright

from datkit.io.scan import Scan
from datkit.prepare import PreparedCohort, prepare_scan
from datkit.reading import init_campaign, load_campaign
from datkit.simulate.exam import simulate_exam

SEED, INDEX = 2026, 21  # the abnormal example of README and chapters
SIZE = {"width": 960, "height": 800}  # CSS pixels
SECRET = "5e" * 32  # the same codes at each call
FLAGS = ["--no-sandbox", "--disable-gpu"]  # as root; WebGL is drawn in software


def write_pages(folder: Path) -> Path:
    """Make the example campaign of one exam, and return a reader's page."""
    exam = simulate_exam(SEED, INDEX)
    scan = Scan(exam.volume.astype(np.float32), exam.acquisition.affine)
    table = pd.DataFrame({"age": 69.0, "sex": "F"}, index=pd.Index(["exam"], name="uid"))
    prepared = PreparedCohort(prepare_scan(scan).volume[None], table)
    init_campaign(load_campaign(), prepared, folder, SECRET)
    return folder / "pages" / "reader-1.html"


def take_picture(page: Path) -> Image.Image:
    """Open the page in Chromium, start to read, and answer the first question."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        tab = browser.new_page(viewport=SIZE, color_scheme="light")
        tab.goto(page.resolve().as_uri())
        tab.get_by_role("button", name="Start reading").click()
        tab.wait_for_selector("form")
        tab.keyboard.press("2")  # abnormal
        picture = tab.screenshot()
        browser.close()
    return Image.open(io.BytesIO(picture)).convert("RGB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python .ci/reader_page_picture.py PICTURE.jpg")
    with tempfile.TemporaryDirectory() as folder:
        take_picture(write_pages(Path(folder) / "campaign")).save(sys.argv[1], quality=85)
