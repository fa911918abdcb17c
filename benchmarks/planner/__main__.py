"""The planner beside contests that are held: the kit's models, real errors, real centres.

    python -m benchmarks.planner                     # two minutes of one core
    python -m benchmarks.planner --only strangers

Teams are the models of ``results/models-2026.json``, on exams of centres that they did not learn
from. A contest draws centres and exams, takes what each model pays there, and sees who comes out
first; the best is better than each other by a gap, to which their true scores are moved. The
planner is given the spreads that these teams have. ``results/planner-2026.json`` keeps each
setting; what was not asked for keeps what stands there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common.figures import describe_run, hash_code
from benchmarks.common.run import RESULTS
from benchmarks.planner.contests import CONTESTS, FIELDS, Setting, judge
from benchmarks.planner.teams import Exams, Field, load_exams
from datkit.files import replace_atomically, write_json
from datkit.view.canvas import Picture, house_style, new_picture

SIZES = (100, 1000), (5, 10, 40), (0.02, 0.05)  # exams, centres, gaps
LARGE = (1000,), (10, 40), (0.02, 0.05)
NETWORKS = {"3-D network", "projection", "projection, pretrained", "pretrained, as they ship",
            "calibrated blend"}  # fmt: skip
#: What is asked → its settings.
SECTIONS = {
    "strangers": [Setting("strangers", k, *size) for k in (2, 5, 20) for size in product(*SIZES)],
    "two models": [Setting("models", 2, *size) for size in product(*SIZES)],
    "five models": [Setting("models", 5, *size) for size in product(*SIZES)],
    "twenty blends": [Setting("blends", 20, *size) for size in product(*SIZES)],
    "readers": [Setting(kind, k, *size, "readers", n) for kind, k in (("models", 5), ("blends", 20))
                for size in product(*LARGE) for n in (1, 3, 5)],
    "errors anywhere": [Setting(kind, k, *size, "anywhere", n)
                        for kind, k in (("models", 5), ("blends", 20))
                        for size in product(*LARGE) for n in (1, 3, 5)],
}  # fmt: skip
SAID = {
    "strangers": "teams that do not resemble each other: 2, 5, 20",
    "two models": "two of the eight models",
    "five models": "five of the eight models",
    "twenty blends": "twenty blends of the models",
    "readers": "labels by 1, 3, 5 of the cohort’s readers",
    "errors anywhere": "3.5 % of a reader’s labels wrong, in any exam alike",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Hold the contests, print and write."""
    options = parse(arguments)
    exams = load_exams(options.board)
    board = options.board.stem.removeprefix("models-")
    path = options.out / f"planner-{board}.json"
    held = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []
    found = {name: [row for row in held if row["section"] == name] for name in SECTIONS}
    for name in () if options.draw else options.only or SECTIONS:
        found[name] = [{"section": name} | judge(setting, exams) for setting in SECTIONS[name]]
        print(name, *lines_of(found[name]), sep="\n", flush=True)
    rows = [row for part in found.values() for row in part]
    pairs = spreads_of_pairs(exams)
    about = {"board": options.board.name, "code_sha256": hash_code("benchmarks.planner.contests"),
             "versions": describe_run(), "contests": FIELDS * CONTESTS}  # fmt: skip
    write_json(path, {"about": about, "spreads": pairs, "rows": rows})
    for name, lines in (("", lines_of(rows)), ("-spreads", spreads_lines(pairs))):
        with replace_atomically(path.with_name(f"{path.stem}{name}.md")) as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    plot(rows).save(path.with_suffix(".png"))
    return 0


def spreads_of_pairs(exams: Exams) -> list[dict[str, Any]]:
    """Return the SDs of the difference of each two models, on true labels.

    Of centres' means, what they vary by because few exams of a centre are there is taken away.
    """
    found = []
    for i, first in enumerate(exams.names):
        for j in range(i):
            two = Field.of(exams, exams.logits[:, [i, j]])
            exam, centre = two.spreads
            drawn = np.mean([exam**2 / len(rows) for rows in exams.rows])
            found.append({"models": [first, exams.names[j]], "exam": round(exam, 3),
                          "centre": round(max(0.0, centre**2 - drawn) ** 0.5, 3)})  # fmt: skip
    return found


def spreads_lines(pairs: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the middle and the range of the spreads as a Markdown table."""
    yield "| SD of the difference of two in log loss | pairs | exam to exam | centre to centre |"
    yield "| --- " * 4 + "|"
    near = [one for one in pairs if {*one["models"]} <= NETWORKS]
    for name, part in (("of all models", pairs), ("of networks and their blend", near)):
        texts = []
        for spread in ("exam", "centre"):
            values = [one[spread] for one in part]
            texts.append(f"{np.median(values):.2f} ({min(values):.2f}–{max(values):.2f})")
        yield f"| {name}: median (from–to) | {len(part)} | {' | '.join(texts)} |"


def lines_of(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a Markdown table of the sections."""
    table = pd.DataFrame(rows)
    heads = "contests", "settings", "planner within the interval", "planned minus held"
    yield "| " + " | ".join([*heads, "knowing who resembles whom"]) + " |"
    yield "| --- " * 5 + "|"
    for name, part in table.groupby("section", sort=False):
        texts = [SAID[name], len(part), part["agrees"].sum()]
        for column in ("planned", "related"):
            off = (part[column] - part["direct"]).agg(["mean", "min", "max"])
            texts.append("{:+.3f} ({:+.3f} to {:+.3f})".format(*off))
        yield f"| {' | '.join(map(str, texts))} |"


@house_style()
def plot(rows: list[dict[str, Any]]) -> Picture:
    """Plot what the planner says against how often the best came out first."""
    names = list(dict.fromkeys(row["section"] for row in rows))
    picture, grid = new_picture(2, 3, 5.2, "The best of k teams came out first: planned, and held")
    for axes, name in zip(grid.flat, names, strict=False):
        part = pd.DataFrame([row for row in rows if row["section"] == name])
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
        axes.errorbar(part["planned"], part["direct"], part["within"], fmt="o", markersize=3)
        axes.set(title=name, xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set(xlabel="planned", ylabel="held")
        axes.label_outer()
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    return picture


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planner", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--board", type=Path, default=RESULTS / "models-2026.json", help="results of the models")
    add("--only", nargs="+", choices=[*SECTIONS], help="some sections (default: all)")
    add("--draw", action="store_true", help="hold nothing: tables and picture of what is there")
    add("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
