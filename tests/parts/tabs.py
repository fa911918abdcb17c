"""A browser's tab in which no script may fail, and which may have to do without any network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def open_tab(browser: object, size: dict[str, int], *, offline: bool = False) -> Iterator:
    """Open a tab of a size; `offline`: the page may ask for what is on the disk or in itself."""
    context = browser.new_context(viewport=size)
    tab, asked, errors = context.new_page(), [], []
    tab.set_default_timeout(60_000)  # milliseconds, on a busy machine
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    assert errors == []
    reached = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert not offline or reached == []
    context.close()
