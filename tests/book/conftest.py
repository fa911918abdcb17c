"""What tests of the built book share: the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

FLAGS = [
    "--no-sandbox",  # as root, Chromium starts only so
    "--disable-gpu",  # WebGL is drawn in software
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()
