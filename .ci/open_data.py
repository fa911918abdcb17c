"""Fetch the open map for the book; where that fails, say so and let the book go on without it.

``make book`` calls it. ``datkit data fetch``, which alone uses the network, shows the terms of use
first. It runs as a process of its own, since no other limit of time holds where a name server does
not answer; what has arrived by then is kept, and the next ``make book`` goes on from there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

NAME = "fpcit-hc174"
FETCH = (sys.executable, "-m", "datkit.cli", "data", "fetch", NAME)
SECONDS = 20  # for 1.1 MB
WITHOUT = "The book goes on without the open map, and shows a simulated exam in its place"


def fetch(command: Sequence[str] = FETCH, seconds: float = SECONDS) -> str:
    """Run a command that fetches; return a line on what to do if it failed, else nothing."""
    try:
        code = subprocess.run(command, timeout=seconds, stdout=subprocess.DEVNULL).returncode
    except subprocess.TimeoutExpired:
        return f"{WITHOUT}: no answer within {seconds:g} s. 'make data' waits longer."
    return f"{WITHOUT}. 'OPEN_DATA=no make book' does not try." if code else ""


if __name__ == "__main__":
    if said := fetch():
        print(said)
