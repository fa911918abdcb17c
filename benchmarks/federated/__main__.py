"""What federated training gives, beside all exams in one place and beside each hospital alone.

    python -m benchmarks.federated                    # the small cohort of seed 2026
    python -m benchmarks.federated --cohort-seed 7    # that on which settings were chosen
    python -m benchmarks.federated --draw             # table and picture of what is there

Each centre is left out in turn. A network is trained on the exams of the others: in one place
(pooled), by each strategy of federated training, and with a hospital that is away, sends nonsense
or has its labels swapped. Beside them each centre with both labels trains alone; of these networks
the median score counts. In all ways each exam is shown equally often; a centre alone makes fewer
steps of that, so it is also trained longer, for as many steps as the pooled network.

Each training is kept in ``results/federated-<seed>.json`` as a row with its settings, and the same
command goes on with what is missing. Intervals redraw exams within centre and label, as
datkit.evaluate does, and are paired.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from inspect import getsource
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.curves import COLOURS, MARKS, hash_exams
from benchmarks.common.figures import describe_run
from benchmarks.common.run import RESULTS
from benchmarks.federated import arms
from benchmarks.federated.moves import describe_moves
from benchmarks.federated.scores import Scorer
from datkit.data.cohort import Cohort
from datkit.data.folder import open_folder
from datkit.evaluate.benchmark.entrants import Entrant
from datkit.federated import STRATEGIES, training
from datkit.files import replace_atomically, write_json
from datkit.prepare import prepare_cohort
from datkit.simulate.cohort import open_simulated
from datkit.view.canvas import Picture, house_style, new_picture

POOLED, ADAPTED, ALONE, LONG = "pooled", "pooled, adapted", "alone", "alone, longer"
LONELY, BESIDE = (ALONE, LONG), (POOLED, ADAPTED, arms.MEAN, ALONE, LONG)
#: What is trained, in this order.
WAYS = {
    POOLED: arms.pooled,
    ADAPTED: partial(arms.pooled, adapt=True),
    ALONE: arms.alone,
    LONG: arms.alone_longer,
} | {name: arm.train for name, arm in (arms.FEDERATED | arms.TROUBLES).items()}
#: What of datkit.federated trains, beside the models.
CODE = training.Hospital, training.train_federated, training.check_updates, training.mean_weights
SHOWN = POOLED, ALONE, arms.MEAN, "local-statistics"  # at each centre, in the picture
LARGEST = 2  # centres that are left out in turn where a hospital is in trouble
NEAR = 0.02  # of the pooled log loss: what the federated one is to come within


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing, print and write."""
    options = parse(arguments)
    path = options.out / f"federated-{options.cohort_seed}.json"
    if options.draw:
        found = json.loads(path.read_text(encoding="utf-8"))
    else:
        folder, seed = options.cohort, options.cohort_seed
        cohort = open_folder(folder) if folder else open_simulated("small", seed)
        exams = arms.Exams(prepare_cohort(cohort, n_jobs=options.jobs))
        found = measure(exams, Rows(path, about(cohort, exams)), options.only)
    lines = [*lines_of(found)]
    with replace_atomically(path.with_suffix(".md")) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    plot(found).save(path.with_suffix(".png"))
    print(*lines, sep="\n")
    return 0


def about(cohort: Cohort, exams: arms.Exams) -> dict[str, Any]:
    """Return what all rows are made from."""
    return {
        "cohort": {key: cohort.info.get(key) for key in ("name", "version", "seed")},
        "exams": hash_exams(exams.uids, exams.y),
        "centres": {name: len(one.labels) for name, one in exams.hospitals.items()},
        "settings": arms.SETTINGS,
        "federated_rate": arms.RATE,
        "rounds": arms.ROUNDS,
        "passes": arms.PASSES,
        "models_sha256": Entrant("projection", "projection").code(),
        "training_sha256": sha256("".join(map(getsource, CODE)).encode()).hexdigest(),
    }


class Rows:
    """Trainings by name in a JSON file, so that a run goes on where it was stopped.

    Parameters
    ----------
    path : Path
    about : dict
        What all of them are made from; where it is another, all are made anew.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self.path, self.about = path, about
        held = held if held.get("about") == about else {}
        self.rows: dict[str, Any] = held.get("trainings", {})
        self.moves: dict[str, Any] = held.get("moves", {})

    def get(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a training by its name; it is made, and kept, if it is not there."""
        if name not in self.rows:
            self.rows[name] = make()
            print(f"{name}: {self.rows[name]['seconds']:.0f} s", flush=True)
            self.write()
        return self.rows[name]

    def write(self, **results: object) -> dict[str, Any]:
        """Write the trainings, and what was found from them."""
        found = {"about": self.about} | results | {"trainings": self.rows}
        write_json(self.path, found)
        return found


def measure(exams: arms.Exams, rows: Rows, ways: Sequence[str]) -> dict[str, Any]:
    """Train what is missing of some ways, and return all that is written."""
    both = [name for name, one in exams.hospitals.items() if len({*one.labels}) == 2]
    largest = sorted(exams.hospitals, key=lambda name: -len(exams.rows(name)))[:LARGEST]
    where = dict.fromkeys(arms.TROUBLES, largest) | dict.fromkeys(LONELY, both)
    made = {name: {centre: rows.get(f"{name} | {centre}", partial(train, centre, exams))
                   for centre in where.get(name, exams.hospitals)}
            for name, train in WAYS.items() if name in ways}  # fmt: skip
    logits = {name: exams.join(trained, whole=name in LONELY) for name, trained in made.items()}
    scorer = Scorer(exams.y, exams.centres, both)
    cost = {name: {key: float(np.median([row.get(key, 0) for row in trained.values()]))
                   for key in ("bytes", "seconds", "absent", "refused")}
            for name, trained in made.items()}  # fmt: skip
    rows.moves = rows.moves or describe_moves(exams)
    return rows.write(
        moves=rows.moves, versions=describe_run(), trained_alone=both, left_out_in_trouble=largest,
        ways=[scorer.describe(name, logits, BESIDE) | cost[name] for name in made],
        by_centre={name: scorer.by_centre(one) for name, one in logits.items() if name in SHOWN},
    )  # fmt: skip


def lines_of(found: dict[str, Any]) -> Iterator[str]:
    """Yield both tables, what they are of, and what they say of the aims."""
    about, sizes = found["about"], found["about"]["centres"].values()
    ways = {row["name"]: row for row in found["ways"]}
    heads = "trained", "log loss", "minus pooled", "minus alone", "AUROC", "MB", "CPU seconds"
    yield from table_lines(heads, (
        [name, loss_text(row), *(gap_text(row, other) for other in (POOLED, ALONE)),
         f"{row['auroc']:.3f}", f"{row['bytes'] / 1e6:.1f}" if row["bytes"] else "–",
         f"{row['seconds']:.0f}"]
        for name, row in ways.items() if name not in arms.TROUBLES
    ))  # fmt: skip
    yield ""
    yield (f"{len(sizes)} centres of {min(sizes)} to {max(sizes)} exams, each left out in turn. "
           f"{about['rounds']} rounds; every way but “{LONG}” shows each exam "
           f"{about['rounds'] * about['passes']} times. `local-statistics` and “{ADAPTED}” take "
           "means and variances for normalisation from the unseen centre’s exams, without their "
           "labels. Intervals: 95 %.")  # fmt: skip
    yield ""
    for name in (one for one in STRATEGIES if one in ways):
        near = "within" if ways[name][f"minus {POOLED}"][0] <= NEAR else "not within"
        better = "; ".join(
            f"{'' if ways[name][f'minus {other}'][2] < 0 else 'not '}clearly better than the "
            f"median hospital {other}: {gap_text(ways[name], other)}"
            for other in LONELY if other in ways
        )  # fmt: skip
        yield f"- `{name}`: {near} {NEAR} of pooled; {better}."
        if STRATEGIES[name].local and ADAPTED in ways:
            yield f"- `{name}` minus “{ADAPTED}”: {gap_text(ways[name], ADAPTED)}."
    yield ""
    heads = f"trouble, with {arms.MEAN}", "log loss", f"minus {arms.MEAN}", "absent", "refused"
    yield from table_lines(heads, (
        [name, loss_text(ways[name]), gap_text(ways[name], arms.MEAN),
         *(f"{ways[name][key]:.0f}" for key in ("absent", "refused"))]
        for name in arms.TROUBLES if name in ways
    ))  # fmt: skip
    yield ""
    largest = " and ".join(found["left_out_in_trouble"])
    yield f"Left out in turn: {largest}. The hospital in trouble is the largest of the others."
    yield ""
    moves, steps = found["moves"], found["moves"]["steps"]
    far = ", ".join(f"{one:.2f} at a rate of {rate}" for rate, one in moves["federated"].items())
    yield (f"Why hospitals learn at a higher rate: without {moves['without']}, each pass over the "
           f"exams is {steps[0]} steps in one place, and {steps[1]:.1f} in the mean hospital. The "
           f"mean of the hospitals' moves is {moves['mean_over_own']:.2f} as long as these. At the "
           f"end the weights had moved by {far}; pooled by {moves['pooled']:.2f}, at "
           f"{about['settings']['learning_rate']:g}.")  # fmt: skip


def table_lines(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a Markdown table."""
    for row in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(row)} |"


def loss_text(row: dict[str, Any]) -> str:
    """Return a log loss with its interval."""
    return "{:.3f} ({:.3f}–{:.3f})".format(*row["log_loss"])


def gap_text(row: dict[str, Any], other: str) -> str:
    """Return a difference of log losses with its interval; a dash to itself."""
    gap = row[f"minus {other}"]
    return "{:+.3f} ({:+.3f} to {:+.3f})".format(*gap) if any(gap) else "–"


@house_style()
def plot(found: dict[str, Any]) -> Picture:
    """Plot the log loss of each way, and at each unseen centre."""
    picture, axes = new_picture(1, 2, 4.2, "", width_ratios=[1, 1.5])
    whole, each = axes[0]
    ways = [row for row in found["ways"] if row["name"] not in arms.TROUBLES][::-1]
    value, low, high = np.array([row["log_loss"] for row in ways]).T
    level = value[[row["name"] for row in ways].index(POOLED)]
    whole.axvspan(level - NEAR, level + NEAR, color="0.88")
    whole.errorbar(value, range(len(ways)), xerr=[value - low, high - value], fmt="o",
                   color=COLOURS[0])  # fmt: skip
    whole.set_yticks(range(len(ways)), [row["name"] for row in ways])
    whole.set(xlabel="log loss at unseen centres", title=f"All centres (grey: pooled ± {NEAR})")
    sizes = found["about"]["centres"]
    names = sorted(sizes, key=lambda name: -sizes[name])
    for place, name in enumerate(names):
        losses = dict(zip(found["trained_alone"], found["by_centre"][ALONE][name], strict=True))
        losses.pop(name, None)
        each.plot([place] * len(losses), [*losses.values()], "_", color="0.6", label=ALONE)
    shown = [name for name in SHOWN if name != ALONE]
    for way, colour, mark in zip(shown, COLOURS, MARKS, strict=False):
        losses = [found["by_centre"][way][name] for name in names]
        each.plot(range(len(names)), losses, mark, color=colour, label=way, markersize=4)
    each.set_xticks(range(len(names)), [str(sizes[name]) for name in names], fontsize="small")
    each.set(xlabel="exams of the unseen centre", ylabel="log loss", title="Each centre")
    handles, labels = each.get_legend_handles_labels()
    first = {label: handle for handle, label in zip(handles, labels, strict=True)}
    each.legend(first.values(), first.keys(), fontsize="small")
    return picture


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--cohort", type=Path, help="a folder, instead of the small cohort of a seed")
    add("--cohort-seed", type=int, default=2026, help="default: 2026; it names the results")
    add(
        "--only",
        nargs="+",
        default=[*WAYS],
        choices=[*WAYS],
        help="these ways, and pooled, fedavg"
        " and alone, which others are compared with; the tables then hold no others",
    )
    add("--draw", action="store_true", help="train nothing: table and picture of what is there")
    add("--jobs", type=int, default=1, help="processes that prepare (default: 1)")
    add("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    options.only = {POOLED, arms.MEAN, ALONE, *options.only}
    return options


if __name__ == "__main__":
    sys.exit(main())
