"""Make the atlas: ``python -m datkit.book.atlas --out build/atlas``; about half a minute."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from datkit.book.atlas.page import write_atlas
from datkit.book.run import make_unless_made


def main(arguments: list[str] | None = None) -> int:
    """Make the atlas from the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m datkit.book.atlas",
        description="Simulate the exams of the book's atlas, draw them and write its page.",
        epilog="Exit codes: 0 made or unchanged, 1 problems, 2 wrong use.",
    )
    parser.add_argument("--out", type=Path, default=Path("build/atlas"), help="folder to write")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    options = parser.parse_args(arguments)

    def make() -> str:
        return f"{len(write_atlas(options.out, options.jobs))} files of the atlas"

    return make_unless_made(options.out, "", make)


if __name__ == "__main__":
    sys.exit(main())
