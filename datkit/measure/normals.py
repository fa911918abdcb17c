"""How far a measure lies from healthy people of the same age and sex.

The reference is a small table made from simulated healthy exams, one for each type of
reconstruction, since attenuation, scatter and resolution correction move every binding ratio
(Tossici-Bolt et al. 2017, 10.1186/s40658-017-0175-6). ``benchmarks.resources.normals`` makes it.
It says what is normal for the simulator's cameras, never for a real one; a range of one's own
normal exams is made by :mod:`datkit.measure.own_normals`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datkit.errors import UsageError
from datkit.files import RESOURCES
from datkit.measure.definitions import DEFINITIONS
from datkit.problems import Problem

if TYPE_CHECKING:
    from datkit.prepare.exam import Prepared

__all__ = ["ANY", "compare_with_normals", "fit_normals", "load_normals", "reconstruction_type"]

Normals = Mapping[str, Mapping[str, Any]]  # type of reconstruction to what fit_normals returns

FILE = "normals.json"
ANY = "any"  # the type of all types together
SIMULATED = "simulated normal exams"  # whose range it is, where none of one's own is given
MIDDLE_AGE = 65.0  # at which a measure's `men` stands; men of 65 y are the simulator's mean patient
AGES = 18.0, 110.0  # whom one examines at all
# FWHM: exams of one camera are told to lie so far apart, and so are heads whose blur is known
# (tests/prepare/test_resolution.py).
RESOLUTION_ERROR = 1.0  # mm
SHARPNESS = 2.5, 97.5  # percentiles of the normals' resolution: one odd exam stretches no range
NUMBERS = "men", "year", "women", "sd"
NORMAL_95 = 1.96  # SD on either side


@cache
def load_normals() -> dict[str, dict[str, Any]]:
    """Load the shipped reference: type of reconstruction to what :func:`fit_normals` returns."""
    return json.loads((RESOURCES / FILE).read_text(encoding="utf-8"))["types"]


def reconstruction_type(reconstruction: str) -> str:
    """Return a reconstruction's method and corrections, without its filter and iterations.

    Parameters
    ----------
    reconstruction : str
        As in ``exams.csv``: the method first, then what was corrected, by commas.

    Examples
    --------
    >>> reconstruction_type("OSEM 4 x 6, 5 mm filter, resolution, attenuation (map), scatter")
    'OSEM, resolution, attenuation (map), scatter'
    >>> reconstruction_type("FBP, Butterworth 0.65/cm order 7")
    'FBP'
    """
    method, *rest = (part.strip() for part in reconstruction.split(","))
    kept = [part for part in rest if not re.search(r"\d", part)]  # filters have numbers
    return ", ".join([method.partition(" ")[0], *kept])


def fit_normals(
    measures: pd.DataFrame, ages: npt.ArrayLike, sexes: npt.ArrayLike, resolutions: npt.ArrayLike
) -> dict[str, Any]:
    """Fit each measure of healthy exams by a straight line in age, with an offset for women.

    ``value = expected · (1 + ε)`` with ``expected = men + year · (age − 65) + women · [F]``, by
    least squares: people differ by shares of a value, which is higher in the young. Asymmetries,
    whose expectation is near 0, have ``expected + ε``. The SD of ε has n − 3 degrees of freedom.
    All numbers are rounded to five digits, so that two machines agree.

    Parameters
    ----------
    measures : pandas.DataFrame, n rows
        One column per measure.
    ages, sexes : sequences of n
        Years; ``"F"`` or ``"M"``.
    resolutions : sequence of n
        FWHM in mm of the exams, of ``Prepared.quality``; NaN if unknown.

    Returns
    -------
    dict
        ``n``; ``ages``, the least and the most; ``resolution``, the middle 95 %; and
        ``measures``: name to ``{"men", "year", "women", "sd"}``; the last is a share of the
        expected value, or of an asymmetry its SD.

    Examples
    --------
    >>> import pandas as pd
    >>> sbr = pd.DataFrame({"putamen_left": [2.1, 1.9, 2.0, 1.8, 2.2, 2.0]})
    >>> fit = fit_normals(sbr, [55, 75, 55, 75, 55, 75], list("MMMMFF"), [9, 9, 10, 11, 9, 10])
    >>> fit["n"], fit["ages"], fit["resolution"]
    (6, [55.0, 75.0], [9.0, 10.875])
    >>> {name: round(x, 3) for name, x in fit["measures"]["putamen_left"].items()}
    {'men': 1.95, 'year': -0.01, 'women': 0.15, 'sd': 0.03}
    """
    design = _design(np.asarray(ages, float), np.asarray(sexes))
    values = measures.to_numpy(float)
    weights = np.linalg.lstsq(design, values, rcond=None)[0]
    expected = design @ weights
    rest = (values - expected) / np.where(_are_shares(measures.columns), expected, 1)
    spread = np.sqrt((rest**2).sum(0) / (len(values) - design.shape[1]))
    numbers = pd.DataFrame(np.vstack([weights, spread]), list(NUMBERS), measures.columns)
    ranges = {"ages": _between(ages, 0, 100), "resolution": _between(resolutions, *SHARPNESS)}
    return {"n": len(values)} | ranges | {"measures": numbers.map(round_digits).to_dict()}


def _between(values: npt.ArrayLike, *percentiles: float) -> list[float]:
    """Return percentiles, rounded."""
    return [round_digits(end) for end in np.nanpercentile(np.asarray(values, float), percentiles)]


def compare_with_normals(
    measures: Mapping[str, float],
    age: float,
    sex: str,
    reconstruction: str | None = None,
    *,
    resolution: float | None = None,
    normals: Normals | None = None,
) -> pd.DataFrame:
    """Compare an exam's measures with healthy people of the same age and sex.

    ``z = (value − expected) / SD``, with the mean and SD of :func:`fit_normals`; 95 % of healthy
    people lie between `low` and `high`, ``expected ± 1.96 SD``; `low` ends where a measure does, an
    asymmetry without a sign at 0. Ages beyond the reference's are extrapolated. An exam whose
    resolution the normals do not have is not compared: blur lowers every binding ratio, so there
    the columns but `value` are NaN.

    Parameters
    ----------
    measures : mapping
        Of :func:`datkit.measure.measure_volume`; a row of a table will do. Names that the reference
        does not know are left out.
    age : float
        Years.
    sex : str
        ``"F"`` or ``"M"``.
    reconstruction : str, optional
        As in ``exams.csv``, or a type of :func:`load_normals`. Left out, or of a type that the
        reference does not know, the exam is compared with normals of all types together, whose
        range is wider: such z-scores are closer to 0.
    resolution : float, optional
        The exam's, of ``Prepared.quality``, FWHM in mm; NaN if it is not known. Left out, it is not
        looked at.
    normals : dict, optional
        Of :func:`datkit.measure.read_normals`, instead of :func:`load_normals`.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure; columns value, expected, low, high, all in the measure's unit, and z.
        Its ``attrs`` hold the ``reference``, which is the type that was used, its ``n``, ``ages``
        and ``resolution``, and ``limits``, a list of :class:`~datkit.problems.Problem`: where
        age or resolution lie beyond these.

    Raises
    ------
    UsageError
        If the sex is another, or the age is not between 18 and 110 years.

    Examples
    --------
    >>> table = compare_with_normals({"putamen_left": 0.4}, age=64, sex="F")
    >>> bool(table.loc["putamen_left", "z"] < -2), table.attrs["reference"]
    (True, 'any')
    >>> table = compare_with_normals({"putamen_left": 0.4}, age=64, sex="F", resolution=25.0)
    >>> float(table.loc["putamen_left", "z"]), table.attrs["limits"][0].found
    (nan, '25.0 mm')
    """
    _check_person(age, sex)
    known = normals or load_normals()
    kind = reconstruction_type(reconstruction) if isinstance(reconstruction, str) else ANY
    kind = kind if kind in known else ANY
    used = {key: what for key, what in known[kind].items() if key != "measures"}
    limits, fits = find_limits(used, age, resolution), known[kind]["measures"]
    measures = dict(measures)  # a pandas row is walked by its values
    names = [name for name in measures if name in fits]
    fit = np.array([[fits[name][key] for key in NUMBERS] for name in names]).reshape(-1, 4)
    value = np.array([float(measures[name]) for name in names])
    expected = fit[:, :3] @ _design(np.array([float(age)]), np.array([sex]))[0]
    base = np.where(_are_shares(names), expected, 1)
    sd = fit[:, 3] * np.where(base > 0, base, np.nan)  # a line that has run below 0 says nothing
    low = np.maximum(expected - NORMAL_95 * sd, [_least(name) for name in names])
    columns = {"value": value, "expected": expected, "low": low,
               "high": expected + NORMAL_95 * sd, "z": (value - expected) / sd}  # fmt: skip
    table = pd.DataFrame(columns, index=pd.Index(names, name="measure"))
    if any(limit.is_error for limit in limits):
        table[[name for name in columns if name != "value"]] = np.nan
    table.attrs |= {"reference": kind, "limits": limits} | used
    return table


def compare_prepared(
    prepared: Prepared,
    measures: Mapping[str, float],
    age: float | None = None,
    sex: str | None = None,
    reconstruction: str | None = None,
    normals: Normals | None = None,
) -> pd.DataFrame | None:
    """Compare a prepared exam, as sharp as it is; None where age or sex is not told.

    Parameters, result and errors are those of :func:`compare_with_normals`.
    """
    if age is None or sex is None:
        return None
    blur = float(prepared.quality.get("resolution", np.nan))
    return compare_with_normals(
        measures, age, sex, reconstruction, resolution=blur, normals=normals
    )


def find_limits(used: Mapping[str, Any], age: float, resolution: float | None) -> list[Problem]:
    """Return where an exam lies beyond the normals; an error if it cannot be compared with them."""
    (youngest, oldest), (least, most) = used["ages"], used["resolution"]
    limits, error = [], RESOLUTION_ERROR
    if resolution is not None and not least - error <= resolution <= most + error:
        found = "one that cannot be told" if np.isnan(resolution) else f"{resolution:.1f} mm"
        expected = f"{least:.1f} to {most:.1f} mm, as the normal exams’ (within {error:g} mm)"
        remedy = "As blur changes every measure, none is compared. Fit normals of its camera."
        limits.append(Problem("resolution", "the effective resolution", expected, found, remedy))
    if not youngest <= age <= oldest:
        expected, found = f"{youngest:.0f} to {oldest:.0f} years, as the normals’", f"{age:g}"
        remedy = "The normal range is extrapolated to this age."
        limits.append(Problem("age", "the age", expected, found, remedy, "warning"))
    return limits


def name_normals(table: pd.DataFrame) -> str:
    """Say in words what a table of :func:`compare_with_normals` compares with.

    Examples
    --------
    >>> table = compare_with_normals({"putamen_left": 0.4}, age=64, sex="F")
    >>> name_normals(table).partition(" (")[0]
    '320 simulated normal exams'
    """
    used = table.attrs
    (youngest, oldest), (least, most) = used["ages"], used["resolution"]
    return (
        f"{used['n']} {used.get('source', SIMULATED)} (aged {youngest:.0f} to "
        f"{oldest:.0f} years; effective resolution {least:.1f} to {most:.1f} mm; reconstruction: "
        f"{'that of the file’s exams' if 'source' in used else used['reference']})"
    )


def _design(ages: np.ndarray, sexes: np.ndarray) -> np.ndarray:
    """Return the columns 1, age − 65 and woman, (n, 3)."""
    return np.column_stack([np.ones(len(ages)), ages - MIDDLE_AGE, sexes == "F"])


def _are_shares(names: Iterable[str]) -> np.ndarray:
    """Return for which measures the SD is a share of the expected value, bool."""
    known = [DEFINITIONS.get(name) for name in names]
    return np.array([one is None or one.kind.sd_is_share for one in known], bool)


def _least(name: str) -> float:
    """Return below what no value of a measure lies."""
    return DEFINITIONS[name].kind.least if name in DEFINITIONS else -np.inf


def _check_person(age: float, sex: str) -> None:
    problems, where = [], "the comparison with normals"
    if sex not in ("F", "M"):
        problems.append(Problem("sex", where, 'the sex "F" or "M"', repr(sex), "Name one."))
    youngest, oldest = AGES
    if not (isinstance(age, Real) and youngest <= age <= oldest):
        expected = f"an age between {youngest:g} and {oldest:g} years"
        remedy = "Correct the age, or leave it out."
        problems.append(Problem("age", where, expected, repr(age), remedy))
    UsageError.raise_any(problems, where=where)


def round_digits(number: float) -> float:
    """Round to five significant digits."""
    return float(f"{number:.5g}")
