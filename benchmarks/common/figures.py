"""A figure beside its target: how the benchmarks say what was measured and whether it is enough."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grimp
import numpy as np

from datkit.errors import UsageError
from datkit.files import replace_atomically, write_json

LIBRARIES = ("dat-spect-kit", "nibabel", "nilearn", "numpy", "pandas", "scikit-learn", "scipy",
             "torch")  # fmt: skip
BOOTSTRAPS, SEED = 1000, 0
DECIMALS = 4  # of what is written; two machines differ beyond


@dataclass(frozen=True)
class Figure:
    """One measured number, what it should be, and whether it is.

    Attributes
    ----------
    name, unit, note : str
        What it is of; the note says how it was measured, or what stands beside it.
    value : float or None
        None if it could not be measured; the note then says why.
    target : tuple
        Least and largest allowed value; None where there is no bound. Without both, the figure is
        shown for what it tells and holds by definition.
    interval : tuple of float, optional
        95 %.
    clearly : bool
        The whole interval must lie in the target, not only the value.
    beside : dict of str to float
        What stands beside it, by name: the real maps' own values.
    """

    name: str
    value: float | None
    target: tuple[float | None, float | None] = (None, None)
    interval: tuple[float, float] | None = None
    unit: str = ""
    note: str = ""
    clearly: bool = False
    beside: dict[str, float] = field(default_factory=dict)

    @property
    def has_target(self) -> bool:
        """Whether there is a bound to hold."""
        return self.target != (None, None)

    @property
    def holds(self) -> bool | None:
        """Whether the value (or the interval) lies in the target; None if there is no value."""
        if self.value is None:
            return None
        low, high = self.target
        low, high = -np.inf if low is None else low, np.inf if high is None else high
        tested = self.interval if self.clearly and self.interval else (self.value,)
        return bool(all(low <= number <= high for number in tested))

    def row(self) -> tuple[str, str, str, str]:
        """Return what a table shows: name, value with interval, target, holds."""
        answer = {True: "yes", False: "**no**", None: "not measured"}[self.holds]
        aim = _range_text(self.target, self.unit)
        return self.name, self._value_text(), aim, answer if aim else "–"

    @property
    def beside_text(self) -> str:
        """What stands beside it, in words."""
        return ", ".join(f"{name} {shorten(value)}" for name, value in self.beside.items())

    def _value_text(self) -> str:
        if self.value is None:
            return "–"
        text = shorten(self.value)
        if self.interval is not None:
            text += f" ({shorten(self.interval[0])} to {shorten(self.interval[1])})"
        return f"{text} {self.unit}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, rounded, ready for JSON."""
        return _rounded(asdict(self) | {"holds": self.holds})


def shorten(number: float | None) -> str:
    """Return a number with three digits, and as many decimals below 1; a dash for none."""
    if number is None:
        return "–"
    return f"{number:.3f}" if abs(number) < 1 else f"{number:.3g}"


def _range_text(bounds: tuple[float | None, float | None], unit: str) -> str:
    low, high = bounds
    if low is None and high is None:
        return ""
    text = f"≤ {high:g}" if low is None else f"≥ {low:g}" if high is None else f"{low:g}–{high:g}"
    return f"{text} {unit}".rstrip()


def _rounded(value: object) -> Any:  # noqa: ANN401  as deep as JSON goes
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_rounded(item) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), DECIMALS)
    return value.item() if isinstance(value, np.generic) else value


def bootstrap(
    statistic: Callable[[np.ndarray], Any], n: int, draws: int = BOOTSTRAPS, seed: int = SEED
) -> np.ndarray:
    """Return the 95 % interval of a statistic of exams, (2,) or (2, k).

    Parameters
    ----------
    statistic : callable
        Takes positions of exams, (n,) with repeats, and returns a number or k numbers.
    n : int
        Number of exams.
    """
    rng = np.random.default_rng(seed)
    drawn = [statistic(rng.integers(n, size=n)) for _ in range(draws)]
    return np.nanpercentile(np.array(drawn, float), [2.5, 97.5], axis=0)


def share(name: str, hits: Iterable[Any], target: tuple, note: str = "") -> Figure:
    """Return the share of exams that are so, in %, with Wilson's 95 % interval.

    Examples
    --------
    >>> share("heads", [True, False, True, False], (40, 60)).value
    50.0
    """
    hits = np.asarray(list(hits), bool)
    if not hits.size:
        return Figure(name, None, target, unit="%", note="no such exam")
    n, p, z = hits.size, hits.mean(), 1.959964
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + z**2 / n) for sign in (-1, 1))
    interval = (100 * max(low, 0), 100 * min(high, 1))
    return Figure(name, 100 * float(p), target, interval, "%", f"n = {n}{note and '; '}{note}")


def hash_code(module: str) -> str:
    """Return one sha256 of a module and of all that it imports of the benchmarks and the kit.

    Parameters
    ----------
    module : str
        A dotted name, such as ``"benchmarks.cohort.physics"``.
    """
    graph = grimp.build_graph("benchmarks", "datkit", cache_dir=None)
    digest = hashlib.sha256()
    for name in sorted({module, *graph.find_upstream_modules(module)}):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            digest.update(name.encode() + b"\0" + Path(spec.origin).read_bytes())
    return digest.hexdigest()


def describe_run() -> dict[str, Any]:
    """Return the versions that made the figures."""
    return {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # a checkout that runs as it lies
        return "not installed"


def write_results(path: Path, sections: dict[str, dict[str, Any]], title: str) -> None:
    """Write sections as JSON and as a Markdown table beside it; sections not given are kept.

    Parameters
    ----------
    path : Path
        The JSON file.
    sections : dict
        Name to ``{"figures": [Figure.to_dict(), …], "settings": …, …}``.

    Raises
    ------
    UsageError
        If the file is there but is not one of ours.
    """
    kept = read_results(path, "sections") | sections
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"title": title, "sections": kept})
    with replace_atomically(path.with_suffix(".md")) as part:
        part.write_text(render_table(kept), encoding="utf-8")


def read_results(path: Path, key: str) -> dict[str, Any]:
    """Return what an earlier run wrote under `key`; nothing if there is no such file.

    Raises
    ------
    UsageError
        If the file is there but is not one of ours.
    """
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))[key])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: expected the results of an earlier run, found something else ({error!r});"
            " move the file away."
        ) from error


def render_table(sections: dict[str, dict[str, Any]]) -> str:
    """Return the figures of all sections as one Markdown table.

    What stands beside a figure has a column of its own if there is any.
    """
    parts = {name: [from_dict(one) for one in sections[name]["figures"]] for name in sections}
    wide = any(figure.beside for part in parts.values() for figure in part)
    head = ["Figure", "Measured (95 % interval)", "Target", "Holds"] + ["Real maps"] * wide
    rows = [head, ["---"] * len(head)]
    for name in sorted(parts):
        rows.append([f"**{name.capitalize()}**"] + [""] * (len(head) - 1))
        rows += [[*figure.row()] + [figure.beside_text] * wide for figure in parts[name]]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def from_dict(record: dict[str, Any]) -> Figure:
    """Return the figure that :meth:`Figure.to_dict` wrote."""
    fields = {key: value for key, value in record.items() if key != "holds"}
    pairs = {key: fields[key] and tuple(fields[key]) for key in ("target", "interval")}
    return Figure(**fields | pairs)


def print_figures(figures: Iterable[Figure]) -> None:
    """Print one line for each figure, its note below."""
    for figure in figures:
        name, value, target, answer = figure.row()
        print(f"  {name:<46} {value:<36} {target:<16} {answer.strip('*')}", flush=True)
        if figure.beside:
            print(f"      real maps: {figure.beside_text}", flush=True)
        if figure.note:
            print(f"      {figure.note}", flush=True)
