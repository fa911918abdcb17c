"""Centres: what they are, and the tables that hold them.

``centres.yaml`` and ``collimators.yaml`` beside this module are those of the kit, with their
sources. A file of the same form adds centres to a cohort: see :func:`load_added_centres`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError
from scipy.special import expit, logit

from datkit.problems import Problem, found_instead, repeated
from datkit.simulate.camera import protocols as fields
from datkit.simulate.camera.protocols import Protocol, Range, Share, read_table

__all__ = ["Centre", "illness_share", "load_added_centres", "load_centres", "usual_centres"]

SetName = Literal["train", "public", "private"]

VIEWS = 60  # even, 6 degrees apart; cameras take about 120 (EANM/SNMMI 2020), so each stands for
# two neighbours, and holds the counts of both
HEAD_MM = 112.0  # from the axis to the nose or the occiput: 100 mm, and up to 8 mm each way off it
Radius = Annotated[float, Field(ge=HEAD_MM)]


@dataclass(frozen=True, config=fields.STRICT, kw_only=True)
class Centre:
    """A simulated centre: what stays the same for all its exams.

    Attributes
    ----------
    name, camera, family : str
        Plain names; `family` is that of its matrices in the challenge's geometry.
    stream : int
        The random numbers that belong to the centre; by default made of its name.
    share : float
        Share of all exams, where no other centre joins.
    joins : dict of str to float
        The sets that it joins (``train``, ``public``, ``private``), and the share of their exams
        that it takes from all others.
    prevalence : float
        Share of its patients with degenerative disease at a protocol without tilt; see
        :func:`illness_share`.
    protocols : tuple of Protocol
    radius_mm : tuple of float
        Range of the orbit's radius, which must clear the head.
    counts : tuple of float
        Range of the counts expected from the whole head over all views.
    gain : float
        Median stored value of the mean brain, before a protocol's factor.
    head_at : tuple of float
        Where the head's origin (MNI 0, 0, 0) lies from the matrix's middle, mm.
    gain_sd : float
        Log-SD of the stored values between exams.
    views : int
        Projections over the full circle; the subsets of OSEM divide them.
    """

    name: str
    camera: str
    family: str = ""
    stream: Annotated[int, Field(ge=0, validate_default=True)] = -1
    share: Share = 0.0
    joins: dict[SetName, Share] = Field(default_factory=dict)
    prevalence: Annotated[float, Field(gt=0, lt=1)]
    radius_mm: Annotated[tuple[Radius, Radius], fields.PAIR, fields.RISING]
    counts: Range
    gain: fields.Positive
    head_at: tuple[float, float, float]
    gain_sd: fields.Amount = 0.3
    views: fields.Whole = VIEWS
    protocols: tuple[Protocol, ...]

    @field_validator("stream", mode="before")
    @classmethod
    def _from_name(cls, stream: object, info: ValidationInfo) -> object:
        return _stream_of(info.data.get("name")) if stream == -1 else stream

    @field_validator("protocols")
    @classmethod
    def _fit(cls, protocols: tuple[Protocol, ...], info: ValidationInfo) -> tuple[Protocol, ...]:
        total, views = sum(one.weight for one in protocols), info.data.get("views", VIEWS)
        if abs(total - 1) > 1e-6:
            raise PydanticCustomError("sum", "weights that sum to 1", {"found": f"{total:g}"})
        recipes = [one.recipe for one in protocols if one.recipe.method == "osem"]
        if odd := [each.subsets for each in recipes if views % each.subsets]:
            rule = f"subsets that divide the {views} views"
            raise PydanticCustomError("subsets", rule, {"found": str(odd[0])})
        return protocols


def _stream_of(name: object) -> int:
    return zlib.crc32(str(name).encode())


def illness_share(centre: Centre, protocol: Protocol) -> float:
    """Return the share of a protocol's patients who have degenerative disease.

    ``logit(share) = logit(prevalence) + tilt``

    Examples
    --------
    >>> shifted = load_centres()["centre-14"]
    >>> round(illness_share(shifted, shifted.protocols[0]), 2)
    0.56
    """
    return float(expit(logit(centre.prevalence) + protocol.tilt))


@lru_cache
def load_centres() -> dict[str, Centre]:
    """Load the kit's centres by their names, in the order of their streams.

    Examples
    --------
    >>> load_centres()["centre-06"].camera
    'dual head C'
    """
    centres = read_table(Path(__file__).with_name("centres.yaml"), list[Centre])
    return {centre.name: centre for centre in centres}


def usual_centres() -> list[Centre]:
    """Return the kit's thirteen centres that every set holds, without the shifted one."""
    return [centre for centre in load_centres().values() if centre.share]


def load_added_centres(path: str | os.PathLike[str]) -> tuple[Centre, ...]:
    """Load centres of your own that join the kit's, in the order of their streams.

    Each takes over the share of exams that its `joins` says, drawn for every exam by the centre's
    stream alone: the exams that it does not take over keep every byte.

    Parameters
    ----------
    path : path
        A YAML file like ``centres.yaml``: a list of centres.

    Raises
    ------
    UsageError
        If the file cannot be read, a value is impossible, a name or a stream is taken, or a centre
        joins no set; every problem is listed with its centre and field.
    """
    added = read_table(Path(path), list[Centre], _joining)
    return tuple(sorted(added, key=lambda centre: centre.stream))  # not in the order of rows


def _joining(table: object) -> Iterator[Problem]:
    """Yield what keeps the rows of a table from joining the kit's centres."""
    listed = enumerate(table, 1) if isinstance(table, list) else ()
    rows = [(f"row {at}", row) for at, row in listed if isinstance(row, dict)]
    named = [row for _, row in rows if row.get("name")]
    if table == []:
        yield Problem("centres-none", "table", "a centre or more", "an empty list", "Add one.")
    own, once = load_centres().values(), "each once, the kit's own included"
    names = [*load_centres(), *(str(row["name"]) for row in named)]
    streams = [one.stream for one in own]
    streams += [row.get("stream", _stream_of(row["name"])) for row in named]
    for field, values in {"name": names, "stream": map(str, streams)}.items():
        yield from found_instead("centre-twice", field, once, repeated(values), "Choose another.")
    for place, row in rows:
        share, joins = row.get("share", 0), row.get("joins", {})
        joined = isinstance(joins, dict) and any(joins.values())
        if not joined or (isinstance(share, int | float) and 0 < share <= 1):
            wanted = "joins: {train: 0.1} or alike, and no share"
            where, found = str(row.get("name") or place), f"share {share} and joins {joins}"
            yield Problem("centre-joins", where, wanted, found, "Correct them.")


def share_of_exams(set_name: SetName, added: Iterable[Centre] = ()) -> dict[str, float]:
    """Return the share of a set's exams that each centre has, by its name.

    Examples
    --------
    >>> shares = share_of_exams("private")
    >>> shares["centre-01"], shares["centre-14"]
    (0.16125, 0.25)
    """
    own = load_centres().values()
    left = 1 - sum(centre.joins.get(set_name, 0) for centre in own)
    shares = {one.name: one.share * left + one.joins.get(set_name, 0) for one in own}
    for centre in added:
        taken = centre.joins.get(set_name, 0)
        shares = {name: share * (1 - taken) for name, share in shares.items()}
        shares[centre.name] = taken
    return {name: share for name, share in shares.items() if share}
