"""What two real group maps show, how it is measured, and the bands that follow from both.

The table ``real_maps.yaml`` holds the maps' values and says where they come from. Map A can be
fetched and measured; map B cannot, so that its row is all there is of it. Everything here takes a
volume and the affine to the mm of MNI space, or of the map's own header.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from scipy import ndimage, optimize, signal

from datkit.prepare.sampling import blur, crop, sample, transform
from datkit.simulate.patient.anatomy import AFFINE, axes_mm, standard_anatomy
from datkit.simulate.patient.person import SIDES

TABLE = Path(__file__).with_suffix(".yaml")
BOX = np.array([[-40.0, 40], [-34, 34], [-22, 28]])  # mm of the standard head, around both striata
PLACES = ((2, -12), (2, 0), (2, 6), (2, 12), (-4, 12), (8, 0))  # z, y in mm, where a ridge is read
REACH = np.arange(0, 60.25, 0.25)  # mm from the midline
INSIDE, LATERAL = (8, 36), (43, 47)  # mm: where a ridge may lie, and what it stands above
BRIGHTEST = 0.03  # of a side of the box
VERTEX = (np.arange(-9, 10, 3), np.arange(-30, -9, 3))  # mm in x and y
ABOVE, CORTEX_TOP = np.arange(50, 112, 0.5), 80  # mm in z: from brain to air; cortex lies below
SHOULDER = (0.1, 0.65)  # between brain and air, over occipital uptake
AROUND = ("grey", "white", "csf")  # what a fit sets beside the regions that bind
MARGIN_MM = 40.0  # around the box, so that a blur finds what lies beside it
BLURS = (8.0, 11.0, 14.0, 17.0)  # mm FWHM that a fit tries


@dataclass(frozen=True)
class Row:
    """One figure of both maps, and the band for simulated exams.

    Attributes
    ----------
    name, kind : str
        Kind: ``"mm"``, ``"ratio"`` or ``"percent"``.
    values : dict of str to float
        By map, ``"A"`` and ``"B"``, as far as known.
    band : tuple of float
        Least and largest.
    derived : bool
        Whether the band follows from the values by the rule that heads the table.
    leaves_out : dict of str to str
        Maps that lie outside, or show nothing of it, each with the reason.
    text : str
        How the values were read, and why a band is not the derived one.
    """

    name: str
    kind: str
    values: dict[str, float]
    band: tuple[float, float]
    derived: bool = True
    leaves_out: dict[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def note(self) -> str:
        """What stands below a figure: where its band comes from, and whom it leaves out."""
        source = "band derived from the maps" if self.derived else "band given"
        out = "; ".join(f"leaves out {name}: {why}" for name, why in self.leaves_out.items())
        return "; ".join(part for part in (source, self.text, out) if part)

    @property
    def unit(self) -> str:
        """What stands behind a value."""
        return {"mm": "mm", "percent": "%"}.get(self.kind, "")

    def excluded(self, values: dict[str, float]) -> list[str]:
        """Return the maps whose value lies outside the band, and of which that is not said."""
        low, high = self.band
        outside = (name for name, value in values.items() if not low <= value <= high)
        return [name for name in outside if name not in self.leaves_out]


@cache
def load_rows(path: Path = TABLE) -> dict[str, Row]:
    """Return the table's rows by name."""
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: _row(name, entry, table["margins"]) for name, entry in table["figures"].items()}


def _row(name: str, entry: dict, margins: dict[str, float]) -> Row:
    values = {key.upper(): entry[key] for key in ("a", "b") if entry[key] is not None}
    band = entry.get("band") or derive_band([*values.values()], entry["kind"], margins)
    text = "; ".join(entry[key] for key in ("note", "why") if key in entry)
    out = entry.get("leaves_out", {})
    return Row(name, entry["kind"], values, tuple(band), "band" not in entry, out, text)


def derive_band(values: list[float], kind: str, margins: dict[str, float]) -> tuple[float, float]:
    """Return the band that contains all values, by the rule that heads the table.

    Examples
    --------
    >>> derive_band([16.0, 24.0], "mm", {"mm": 2.0})
    (12.0, 28.0)
    >>> derive_band([1.0], "ratio", {"alone": 0.25})
    (0.75, 1.25)
    """
    low, high = min(values), max(values)
    if kind == "mm":
        least = [margins["mm"]] * 2
    else:
        share = margins["ratio" if len(values) > 1 else "alone"]
        least = [share * abs(low), share * abs(high)]
    half, digits = (high - low) / 2, 1 if kind == "mm" else 2
    return round(low - max(half, least[0]), digits), round(high + max(half, least[1]), digits)


def measure_shape(volume: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """Return where the ridge of a side and its brightest part lie: the rows of the table.

    Lengths are means of both sides, half of the distance between them, so that a map that lies
    some mm to one side reads the same.

    Parameters
    ----------
    volume, affine : array (i, j, k), array (4, 4)
        To mm, x to the right, y to the front, z up.
    """
    spline, affine = crop(volume.astype(float), affine, BOX, MARGIN_MM)
    volume, spline = spline, ndimage.spline_filter(spline)
    ridges = {place: read_ridge(spline, affine, *place) for place in PLACES}
    found = {
        f"{what} at z {z}, y {y}": ridges[z, y][number]
        for number, what in enumerate(("ridge", "width", "contrast"))
        for z, y in PLACES
    }
    names = ("distance from the midline", "place from back to front", "height")
    middle = find_brightest(volume, affine)
    places = {f"brightest 3 %, {name}": mm for name, mm in zip(names, middle, strict=True)}
    return {name: float(value) for name, value in (found | places).items()}


def read_ridge(
    spline: np.ndarray, affine: np.ndarray, z: float, y: float
) -> tuple[float, float, float]:
    """Return where a left-right profile peaks, how wide it is and how high, mean of both sides.

    Parameters
    ----------
    spline, affine : array (i, j, k), array (4, 4)
        Cubic coefficients (:func:`scipy.ndimage.spline_filter`), and to mm.
    z, y : float
        Height and depth of the profile, mm.

    Returns
    -------
    tuple of float
        Distance of the peak from the midline, mm; full width at half its height above what lies
        lateral, at 43 to 47 mm, in mm; that height over what lies lateral.
    """
    sides = [_read_side(spline, affine, z, y, side) for side in (-1, 1)]
    x, width, contrast = np.mean(sides, axis=0)
    return x, width, contrast


def _read_side(
    spline: np.ndarray, affine: np.ndarray, z: float, y: float, side: int
) -> tuple[float, float, float]:
    points = np.stack([side * REACH, np.full_like(REACH, y), np.full_like(REACH, z)])
    index = transform(np.linalg.inv(affine), points)
    profile = ndimage.map_coordinates(spline, index, prefilter=False)
    beside = profile[_within(LATERAL)].mean()
    inside = np.flatnonzero(_within(INSIDE))
    top = inside[profile[inside].argmax()]
    low = profile < (profile[top] + beside) / 2
    outer = top + np.argmax(low[top:])
    inner = top - np.argmax(low[top::-1]) if low[:top].any() else 0
    return REACH[top], REACH[outer] - REACH[inner], profile[top] / beside - 1


def _within(ends: tuple[float, float]) -> np.ndarray:
    return (ends[0] <= REACH) & (ends[1] >= REACH)


def find_brightest(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the middle of the brightest 3 % of a side of the box, (|x|, y, z) in mm."""
    points = transform(affine, np.indices(volume.shape).reshape(3, -1))
    middles = []
    for side in (-1, 1):
        box = BOX.copy()
        box[0] = sorted((0, side * 40))
        inside = ((points > box[:, :1]) & (points < box[:, 1:])).all(axis=0)
        values, there = volume.ravel()[inside], points[:, inside]
        brightest = np.argsort(values)[-max(1, round(BRIGHTEST * values.size)) :]
        middles.append(there[:, brightest].mean(axis=1) * (side, 1, 1))
    return np.mean(middles, axis=0)


def read_scalp(volume: np.ndarray, affine: np.ndarray, level: float) -> dict[str, float]:
    """Return how bright scalp and skull are at the vertex, over `level`.

    The profile runs upwards through the vertex. Its last maximum is the scalp, the minimum between
    brain and scalp the skull; without a rim, both are where it falls least steeply.
    """
    points = np.stack(np.meshgrid(*VERTEX, ABOVE, indexing="ij")).reshape(3, -1)
    profile = sample(volume, affine, points)[0].reshape(-1, len(ABOVE)).mean(axis=0) / level
    brain = int(profile[ABOVE < CORTEX_TOP].argmax())
    slope = np.gradient(profile)
    rims = [at for at in signal.argrelmax(profile)[0] if ABOVE[at] > CORTEX_TOP]
    if rims:
        scalp, skull = profile[rims[-1]], profile[brain : rims[-1]].min()
    else:
        falling = (profile < SHOULDER[1]) & (profile > SHOULDER[0]) & (ABOVE[brain] < ABOVE)
        scalp = skull = profile[np.where(falling, slope, -np.inf).argmax()]
    names = ("scalp at the vertex over occipital", "skull below it over occipital")
    return dict(zip(names, map(float, (scalp, skull)), strict=True))


def fit_levels(volume: np.ndarray, affine: np.ndarray, valid: float = 0.0) -> dict[str, float]:
    """Return what a fit of the kit's own regions finds: SBR of each, the blur in mm, and r.

    The regions, blurred by 8 to 17 mm, are fitted to the box around both striata by non-negative
    least squares; a shift along each axis is free, and the width of the blur. Binding is over the
    fitted grey and white matter.

    Parameters
    ----------
    volume, affine : array (i, j, k), array (4, 4)
        To mm, about where the standard head lies.
    valid : float
        Voxels at or below it are left out: a map's ventricles were zeroed.
    """
    points = transform(affine, np.argwhere(volume > valid).T)
    inside = ((points > BOX[:, :1]) & (points < BOX[:, 1:])).all(axis=0)
    values, points = volume[volume > valid][inside].astype(float), points[:, inside]
    points += _find_shift(values[::3], points[:, ::3], BLURS[len(BLURS) // 2])[:, None]
    fits = {fwhm: _fit(values, points, fwhm) for fwhm in BLURS}
    fwhm, (r, level) = max(fits.items(), key=lambda item: item[1][0])
    around = (level["grey"] + level["white"]) / 2
    sbr = {name: float(level[name] / around - 1) for name in level if name not in AROUND}
    return sbr | {"fwhm": fwhm, "r": r}


def _find_shift(values: np.ndarray, points: np.ndarray, fwhm: float) -> np.ndarray:
    """Return the shift (3,), mm, at which the fit's r is highest."""

    def miss(by: np.ndarray) -> float:
        return -_fit(values, points + by[:, None], fwhm)[0]

    start = np.array([(0.0, 0, 0), (3, 0, 0), (0, 3, 0), (0, 0, 3)])
    options = {"xatol": 0.1, "fatol": 1e-5, "initial_simplex": start}
    return optimize.minimize(miss, start[0], method="Nelder-Mead", options=options).x


def _fit(values: np.ndarray, points: np.ndarray, fwhm: float) -> tuple[float, dict[str, float]]:
    parts, affine = blurred_parts(fwhm)
    design = np.stack([sample(part, affine, points)[0] for part in parts.values()], axis=1)
    levels = optimize.nnls(design.astype(float), values)[0]
    r = float(np.corrcoef(design @ levels, values)[0, 1])
    return r, dict(zip(parts, levels, strict=True))


@cache
def blurred_parts(fwhm: float) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what a fit is made of, each blurred, and the affine: the standard head near the box.

    Caudate, anterior (y > 0) and posterior putamen, ventral striatum and thalamus, each of both
    sides; then grey and white matter without them, and fluid.
    """
    anatomy, y = standard_anatomy(), axes_mm()[1]
    parts = {
        name: sum(anatomy.regions[f"{name}_{side}"] for side in SIDES)
        for name in ("caudate", "putamen", "ventral_striatum")
    }
    putamen, ventral = parts.pop("putamen"), parts.pop("ventral_striatum")
    parts["ventral striatum"] = ventral
    parts |= {"anterior putamen": putamen * (y > 0), "posterior putamen": putamen * (y <= 0)}
    parts["thalamus"] = thalamus = anatomy.regions["thalamus"]
    parts |= {name: anatomy.tissue[name] * (1 - thalamus) for name in AROUND}
    near = {name: crop(part, AFFINE, BOX, MARGIN_MM) for name, part in parts.items()}
    return {name: blur(part, affine, fwhm) for name, (part, affine) in near.items()}, near["grey"][
        1
    ]
