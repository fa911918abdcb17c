"""How the corpus of submissions is told: a function for each, named by its fault.

A function returns the members of the zip, {name: content}, or the bytes of the file itself. Its
decorator names every code that reading must find (`broken`) or that only a run can (`broken_run`);
`good` names none. Each starts from a program that is right, so that nothing but the fault is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

from zips import Member, zip_of

__all__ = ["BROKEN", "GOOD", "MAIN", "Submission", "broken", "broken_run", "good", "main"]

Content = bytes | str


@dataclass(frozen=True)
class Submission:
    """A submission of the corpus.

    Attributes
    ----------
    name, fault : str
        The function's name and its docstring.
    codes : tuple of str
        What reading finds, sorted, each code once.
    dynamic : tuple of str
        What only running finds; empty where reading is enough.
    build : callable
    """

    name: str
    fault: str
    codes: tuple[str, ...]
    dynamic: tuple[str, ...]
    build: Callable[[], dict[Member, Content] | bytes]

    def write(self, folder: Path) -> Path:
        """Write the zip into a folder and return its path."""
        content, path = self.build(), folder / f"{self.name}.zip"
        path.write_bytes(content if isinstance(content, bytes) else zip_of(*content.items()))
        return path


BROKEN: dict[str, Submission] = {}
GOOD: dict[str, Submission] = {}


def broken(*codes: str) -> Callable:
    """Mark a submission whose fault can be read; `codes` are all that is found."""
    return lambda build: _add(BROKEN, build, codes, ())


def broken_run(*dynamic: str, codes: tuple[str, ...] = ()) -> Callable:
    """Mark a submission whose fault shows in a run only; reading finds no more than `codes`."""
    return lambda build: _add(BROKEN, build, codes, dynamic)


def good(build: Callable) -> Callable:
    """Mark a submission that is right, in another style than the kit's own."""
    return _add(GOOD, build, (), ())


def _add(corpus: dict[str, Submission], build: Callable, codes: tuple, dynamic: tuple) -> Callable:
    name = build.__name__
    assert name not in BROKEN and name not in GOOD, f"two submissions are named {name}"
    corpus[name] = Submission(name, build.__doc__, tuple(sorted(codes)), dynamic, build)
    return build


_PROGRAM = """
import csv
from pathlib import Path
{start}

def predict(path):
    size = path.stat().st_size
    return 0.1 + 0.8 * (size % 97) / 97


def main():
    with open("data/submission_format.csv", newline="") as stream:
        uids = [row["uid"] for row in csv.DictReader(stream)]
    rows = []
    for uid in uids:
        path = Path("data/niftis") / f"{{uid}}.nii.gz"
        probability = predict(path)
{each}
        rows.append((uid, probability))
{end}
    with open("submission.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["uid", "is_pathologic"])
        writer.writerows(rows)


main()
"""


def main(start: str = "", each: str = "", end: str = "") -> dict[str, str]:
    """Return a right main.py with lines added: at the start, for each exam, before it writes."""
    lines = {
        "start": dedent(start),
        "each": indent(dedent(each), " " * 8),
        "end": indent(dedent(end), " " * 4),
    }
    return {"main.py": _PROGRAM.format(**lines)}


MAIN = main()
