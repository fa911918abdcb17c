"""What a protocol is made of: a matrix, a collimator and a reconstruction; checked when read.

Tables are YAML; what is impossible in them is told with file, row and field.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
import pydantic
from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from datkit.data.manifest_reader import load_plain, problem_of
from datkit.errors import UsageError
from datkit.problems import Problem

__all__ = ["Collimator", "Matrix", "Protocol", "Recipe", "load_collimators", "read_table"]

SEPTA_PER_MM = 1.98  # attenuation of lead at 159 keV, 1/mm: photons cross the tips of the holes

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
T = TypeVar("T")


def _repeat(count: int) -> pydantic.BeforeValidator:
    """Let one number stand for a range without width."""
    return pydantic.BeforeValidator(lambda v: v if isinstance(v, list | tuple) else (v,) * count)


def _rising(values: tuple[float, ...]) -> tuple[float, ...]:
    if list(values) != sorted(values):
        raise PydanticCustomError("falling", "the least first and the most last")
    return values


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Amount = Annotated[float, Field(ge=0)]
Whole = Annotated[int, Field(gt=0)]
PAIR, RISING = _repeat(2), pydantic.AfterValidator(_rising)
Range = Annotated[tuple[Positive, Positive], PAIR, RISING]


@dataclass(frozen=True, config=STRICT)
class Collimator:
    """A parallel-hole collimator and the crystal behind it.

    Attributes
    ----------
    name : str
    hole_mm, length_mm : float
        Diameter and length of the holes.
    intrinsic_mm : float
        Resolution of crystal and electronics, FWHM.
    penetration : float
        Broad background of scattered and septum-crossing photons above 159 keV, over primary
        counts.
    """

    name: str
    hole_mm: Positive
    length_mm: Annotated[float, Field(gt=2 / SEPTA_PER_MM)]
    intrinsic_mm: Amount = 3.8
    penetration: Amount = 0.36

    def fwhm(self, distance_mm: float | np.ndarray) -> np.ndarray:
        """Return the system resolution (FWHM, mm) for a source at a distance from the face.

        ``sqrt(intrinsic² + (hole · (length + distance) / length)²)``, with the length less twice
        the mean free path in lead (Cherry, Sorenson, Phelps: Physics in Nuclear Medicine).

        Examples
        --------
        >>> lehr = Collimator("LEHR", hole_mm=1.11, length_mm=24.05)
        >>> round(float(lehr.fwhm(140)), 1)
        8.7
        """
        length = self.length_mm - 2 / SEPTA_PER_MM
        geometric = self.hole_mm * (length + distance_mm) / length
        return np.hypot(self.intrinsic_mm, geometric)


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """How a centre turns projections into an image.

    Attributes
    ----------
    method : str
        ``"fbp"`` (filtered back-projection, Butterworth filter) or ``"osem"``.
    attenuation : str
        ``"none"``, ``"uniform"`` (the head's outline filled with one value; Chang's correction
        in FBP) or ``"map"`` (a measured map).
    scatter : bool
        Whether a second energy window's estimate of scatter is taken off.
    resolution : bool
        Whether OSEM models the collimator's blur.
    iterations, subsets : int
        Of OSEM.
    cutoff, order : float, int
        Of the Butterworth filter in FBP, cycles per cm.
    postfilter_mm : float
        FWHM of the Gaussian after OSEM.
    """

    method: Literal["fbp", "osem"]
    attenuation: Literal["none", "uniform", "map"] = "map"
    scatter: bool = True
    resolution: bool = False
    iterations: Whole = 4
    subsets: Whole = 6
    cutoff: Positive = 0.40
    order: Whole = 7
    postfilter_mm: Amount = 6.0

    @property
    def in_words(self) -> str:
        """The recipe as tables tell it.

        Examples
        --------
        >>> Recipe("fbp", "uniform", scatter=False).in_words
        'FBP, Butterworth 0.40/cm order 7, attenuation (uniform)'
        """
        parts = [f"OSEM {self.iterations} x {self.subsets}, {self.postfilter_mm:g} mm filter"]
        if self.method == "fbp":
            parts = [f"FBP, Butterworth {self.cutoff:.2f}/cm order {self.order}"]
        parts += ["resolution"] * self.resolution
        parts += [f"attenuation ({self.attenuation})"] * (self.attenuation != "none")
        return ", ".join(parts + ["scatter"] * self.scatter)

    @field_validator("resolution")
    @classmethod
    def _only_in_osem(cls, resolution: bool, info: ValidationInfo) -> bool:
        if resolution and info.data.get("method") == "fbp":
            raise PydanticCustomError("fbp", "no resolution modelling in fbp")
        return resolution


@dataclass(frozen=True, config=STRICT)
class Matrix:
    """Square matrices, columns x columns x slices; each number may be a range, drawn per exam.

    Attributes
    ----------
    columns : tuple of int
        Least, most frequent, most: cropped per patient, to an even number.
    slices : tuple of int
        Least and most.
    pixel : tuple of float
        Least and most size in the slice, mm: a zoom per patient.
    height : float, optional
        Distance between slices, mm; by default that of the pixels.
    """

    columns: Annotated[tuple[Whole, Whole, Whole], _repeat(3), RISING]
    slices: Annotated[tuple[Whole, Whole], PAIR, RISING]
    pixel: Range
    height: Positive | None = None

    def draw(self, rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Draw a matrix's shape and its spacing in mm; only what is a range takes a draw.

        Examples
        --------
        >>> Matrix(128, 45, 2.0, height=4.0).draw(np.random.default_rng(0))
        ((128, 128, 45), (2.0, 2.0, 4.0))
        """
        columns, slices, pixel = self.columns[0], self.slices[0], self.pixel[0]
        if columns < self.columns[-1]:
            columns = 2 * round(rng.triangular(*self.columns) / 2)
        if slices < self.slices[-1]:
            slices = int(rng.integers(*self.slices, endpoint=True))
        if pixel < self.pixel[-1]:
            pixel = round(float(rng.uniform(*self.pixel)), 4)
        return (columns, columns, slices), (pixel, pixel, self.height or pixel)


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Protocol:
    """One way in which a centre acquires, reconstructs and stores.

    Attributes
    ----------
    name : str
    weight : float
        Its share of the centre's exams; a centre's weights sum to 1.
    matrix : Matrix
    collimator : Collimator
        In a table also the name of one of ``collimators.yaml``.
    recipe : Recipe
    tilt : float
        Shift of the logit of the share of ill patients against the centre's: who is sent for this
        protocol differs.
    gain : float
        Factor on the centre's scale of stored values.
    oblique : float
        Share of its exams whose affine is oblique; 40 % in the challenge.
    dtype : str
        Type of the stored values, ``"uint16"`` or ``"int16"``.
    """

    name: str
    weight: Share
    matrix: Matrix
    collimator: Collimator
    recipe: Recipe
    tilt: float = 0.0
    gain: Positive = 1.0
    oblique: Share = 0.4
    dtype: Literal["uint16", "int16"] = "uint16"

    @field_validator("collimator", mode="before")
    @classmethod
    def _look_up(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        if given not in load_collimators():
            raise PydanticCustomError("name", f"holes, or one of {', '.join(load_collimators())}")
        return load_collimators()[given]


@lru_cache
def load_collimators() -> dict[str, Collimator]:
    """Load the kit's collimators: ``short``, ``long``, ``deep``, ``fan``, ``medium``, ``ring``."""
    return read_table(Path(__file__).with_name("collimators.yaml"), dict[str, Collimator])


def read_table(
    path: Path, kind: type[T], check: Callable[[object], Iterable[Problem]] = lambda _: ()
) -> T:
    """Read a YAML table into checked records; `check` finds what one record alone cannot tell.

    Raises
    ------
    UsageError
        If the file cannot be read or a value is impossible; every problem is listed.
    """
    try:
        table, _ = load_plain(path.read_bytes())
        records = pydantic.TypeAdapter(kind).validate_python(table)
    except pydantic.ValidationError as error:
        problems = [problem_of(detail, table, WORDS) for detail in error.errors()]
        raise UsageError.of([*problems, *check(table)], where=path) from error
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"Expected a YAML file of centres at {path}, found: {said}.") from error
    UsageError.raise_any(check(table), where=path)
    return records
