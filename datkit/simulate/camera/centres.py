"""The thirteen simulated centres, and a shifted one that only the private test set holds.

Matrices, spacings, their shares and their shares of abnormal exams follow the families of the
DaT-Park challenge's geometry, as entrants published them. Which camera, reconstruction and patients
belong to which matrix is a design choice within published ranges: orbits of 12-16 cm, 0.5-4 million
counts, 8-13 mm FWHM in the image. No real hospital or product is meant.

A centre has several protocols, which differ in matrix, recipe or scale of stored values, and in the
patients who are sent for them. That is how scanner metadata foretell labels among exams of known
centres, and not at an unseen one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datkit.errors import UsageError
from datkit.simulate.camera.protocols import (
    DEEP,
    FAN,
    LONG,
    MEDIUM,
    RING,
    SHORT,
    Protocol,
    fbp,
    matrix,
    osem,
)

__all__ = ["CENTRES", "SHIFTED", "VIEWS", "Centre", "Protocol", "illness_share"]

VIEWS = 60  # even, 6 degrees apart; cameras take about 120 (EANM/SNMMI 2020), so each stands for
# two neighbours, and holds the counts of both


@dataclass(frozen=True)
class Centre:
    """A simulated centre: what stays the same for all its exams.

    Attributes
    ----------
    name, camera, family : str
        Plain names; `family` is that of its matrices in the challenge's geometry.
    share : float
        Share of all exams.
    prevalence : float
        Share of its patients with degenerative disease at a protocol without tilt; see
        :func:`illness_share`.
    protocols : tuple of Protocol
    radius_mm : tuple of float
        Range of the orbit's radius.
    counts : tuple of float
        Range of the counts expected from the whole head over all views.
    gain : float
        Median stored value of the mean brain, before a protocol's factor.
    head_at : tuple of float
        Where the head's origin (MNI 0, 0, 0) lies from the matrix's middle, mm.
    gain_sd : float
        Log-SD of the stored values between exams.
    views : int
        Projections over the full circle.
    """

    name: str
    camera: str
    family: str
    share: float
    prevalence: float
    protocols: tuple[Protocol, ...]
    radius_mm: tuple[float, float]
    counts: tuple[float, float]
    gain: float
    head_at: tuple[float, float, float]
    gain_sd: float = 0.3
    views: int = VIEWS

    def __post_init__(self) -> None:
        """Refuse what is impossible."""
        weights = sum(protocol.weight for protocol in self.protocols)
        (fewest, most), (nearest, farthest) = self.counts, self.radius_mm
        rules = {
            f"share lies in 0..1, found {self.share:g}": 0 <= self.share <= 1,
            f"prevalence lies between 0 and 1, found {self.prevalence:g}": 0 < self.prevalence < 1,
            f"weights of protocols sum to 1, found {weights:g}": abs(weights - 1) < 1e-6,
            f"counts rise from above 0, found {self.counts}": 0 < fewest <= most,
            f"radii rise from above 0, found {self.radius_mm}": 0 < nearest <= farthest,
        }
        faults = [sentence for sentence, fine in rules.items() if not fine]
        if faults:
            raise UsageError(f"{self.name} is not possible: {'; '.join(faults)}.")


def illness_share(centre: Centre, protocol: Protocol) -> float:
    """Return the share of a protocol's patients who have degenerative disease.

    ``logit(share) = logit(prevalence) + tilt``

    Examples
    --------
    >>> round(illness_share(SHIFTED, SHIFTED.protocols[0]), 2)
    0.56
    """
    logit = np.log(centre.prevalence / (1 - centre.prevalence)) + protocol.tilt
    return float(1 / (1 + np.exp(-logit)))


BOX = matrix(columns=256, slices=256, pixel=2.46)
CROPPED = matrix(columns=(118, 130, 178), slices=112, pixel=2.46)
CUBE = matrix(pixel=2.30)
FLAT = matrix(slices=87, pixel=2.3976)
COARSE = matrix(pixel=3.895)
SHORT_STACK, STACK, TALL_STACK = (
    matrix(slices=slices, pixel=3.895, height=3.90) for slices in ((33, 38), (39, 43), (44, 49))
)
ZOOMED = matrix(slices=(44, 50), pixel=(1.50, 1.70), height=3.0)
LESS_ZOOMED = matrix(slices=(48, 55), pixel=(1.68, 1.88), height=3.0)
FINE = matrix(slices=(84, 90), pixel=1.37, height=1.5)
LESS_FINE = matrix(slices=(88, 96), pixel=1.5)
MIDDLE = matrix(slices=(47, 58), pixel=3.296, height=3.30)
MIDDLE_CLOSE = matrix(slices=(50, 65), pixel=3.305, height=3.0)
UNEVEN = matrix(slices=45, pixel=2.0, height=4.0)
MEDIUM_CUBE, COARSEST = matrix(pixel=3.591), matrix(pixel=4.4196)
UNSEEN = matrix(slices=(50, 64), pixel=4.0)

CENTRES = (
    Centre(
        name="centre-01",
        camera="ring A",
        family="2.46 mm, large box",
        share=0.215,
        prevalence=0.65,
        protocols=(
            Protocol("A", 0.40, BOX, RING, osem("map", True, 6), 1.6, 0.4, oblique=0.2),
            Protocol("B", 0.20, BOX, RING, osem("map", True, 6, (5, 6)), 0.0, 1.0),
            Protocol("C", 0.40, BOX, RING, osem("map", True, 6), -1.6, 2.6, oblique=0.6),
        ),
        radius_mm=(120, 130),
        counts=(1.5e6, 4.0e6),
        gain=700,
        head_at=(5, -18, 46),
    ),
    Centre(
        name="centre-02",
        camera="ring B",
        family="2.46 mm, large box",
        share=0.125,
        prevalence=0.66,
        protocols=(
            Protocol("A", 0.5, BOX, RING, osem("map", True, 4, (5, 6), True), 1.5, 1.0),
            Protocol("B", 0.5, BOX, RING, osem("map", True, 5, (5, 6), True), -1.5, 3.5),
        ),
        radius_mm=(122, 135),
        counts=(1.5e6, 4.0e6),
        gain=90,
        head_at=(-6, 30, -44),
    ),
    Centre(
        name="centre-03",
        camera="ring C",
        family="2.46 mm, cropped",
        share=0.050,
        prevalence=0.66,
        protocols=(
            Protocol("A", 0.5, CROPPED, RING, osem("map", True, 4, (5, 6), True), 1.5, 1.0),
            Protocol("B", 0.5, CROPPED, RING, osem("map", True, 6), -1.5, 0.35),
        ),
        radius_mm=(120, 132),
        counts=(1.5e6, 4.0e6),
        gain=2600,
        head_at=(4, 22, 40),
    ),
    Centre(
        name="centre-04",
        camera="dual head A",
        family="3.9 mm, thin stack",
        share=0.110,
        prevalence=0.60,
        protocols=(
            Protocol("A", 0.3, SHORT_STACK, SHORT, osem("none", False, 7), -1.6),
            Protocol("B", 0.4, STACK, SHORT, osem("none", False, 6), 1.4),
            Protocol("C", 0.3, TALL_STACK, SHORT, osem("none", False, 6, (5, 6)), -0.2),
        ),
        radius_mm=(130, 150),
        counts=(1.0e6, 2.5e6),
        gain=5200,
        head_at=(6, 35, -14),
    ),
    Centre(
        name="centre-05",
        camera="dual head B",
        family="3.9 mm, thin stack",
        share=0.077,
        prevalence=0.62,
        protocols=(
            Protocol("A", 0.5, STACK, SHORT, fbp("uniform", 0.70), -1.5, 1.0),
            Protocol("B", 0.5, TALL_STACK, SHORT, fbp("uniform", 0.65), 1.5, 0.4),
        ),
        radius_mm=(130, 150),
        counts=(0.8e6, 2.0e6),
        gain=350,
        head_at=(-8, 25, -12),
    ),
    Centre(
        name="centre-06",
        camera="dual head C",
        family="2.30 mm",
        share=0.153,
        prevalence=0.46,
        protocols=(
            Protocol("A", 0.4, CUBE, LONG, osem("map", False, 5.5), 1.6, 1.0),
            Protocol("B", 0.4, CUBE, LONG, osem("map", True, 6), -1.6, 3.0),
            Protocol("C", 0.2, CUBE, LONG, osem("uniform", False, 6), 0.0, 9.0),
        ),
        radius_mm=(125, 145),
        counts=(1.2e6, 3.0e6),
        gain=40,
        head_at=(-4, 6, 35),
    ),
    Centre(
        name="centre-07",
        camera="dual head D, fan beam",
        family="2.40 mm",
        share=0.105,
        prevalence=0.37,
        protocols=(
            Protocol("A", 0.5, FLAT, FAN, osem("uniform", False, 7), 1.5, 1.0),
            Protocol("B", 0.5, FLAT, FAN, osem("uniform", True, 7), -1.5, 0.35),
        ),
        radius_mm=(130, 150),
        counts=(2.0e6, 3.5e6),
        gain=1500,
        head_at=(0, 20, 8),
    ),
    Centre(
        name="centre-08",
        camera="dual head E",
        family="3.895 mm",
        share=0.052,
        prevalence=0.64,
        protocols=(
            Protocol("A", 0.5, COARSE, SHORT, osem("map", True, 5), -1.5, 1.0),
            Protocol("B", 0.5, COARSE, SHORT, osem("map", False, 6), 1.5, 3.0),
        ),
        radius_mm=(130, 150),
        counts=(1.2e6, 2.5e6),
        gain=20,
        head_at=(10, -10, -40),
    ),
    Centre(
        name="centre-09",
        camera="dual head F",
        family="1.5-1.9 mm, zoomed",
        share=0.040,
        prevalence=0.25,
        protocols=(
            Protocol("A", 0.5, ZOOMED, DEEP, fbp("uniform", 0.70), -1.3, 1.0),
            Protocol("B", 0.5, LESS_ZOOMED, DEEP, fbp("uniform", 0.62), 1.3, 2.6),
        ),
        radius_mm=(128, 148),
        counts=(1.0e6, 2.0e6),
        gain=8,
        head_at=(0, 16, -10),
    ),
    Centre(
        name="centre-10",
        camera="dual head G",
        family="1.4-1.5 mm, fine",
        share=0.024,
        prevalence=0.21,
        protocols=(
            Protocol("A", 0.5, FINE, SHORT, fbp("none", 0.65), 0.8, 1.0),
            Protocol("B", 0.5, LESS_FINE, SHORT, fbp("none", 0.60), -0.8, 2.6),
        ),
        radius_mm=(135, 160),
        counts=(0.5e6, 1.2e6),
        gain=180,
        head_at=(0, 18, -8),
    ),
    Centre(
        name="centre-11",
        camera="dual head H",
        family="3.30 mm",
        share=0.028,
        prevalence=0.52,
        protocols=(
            Protocol("A", 0.67, MIDDLE, DEEP, osem("uniform", False, 6), 1.2, 1.0),
            Protocol("B", 0.33, MIDDLE_CLOSE, DEEP, osem("uniform", False, 6), -3.4, 2.0),
        ),
        radius_mm=(128, 148),
        counts=(1.0e6, 2.0e6),
        gain=60,
        head_at=(-10, 30, -6),
    ),
    Centre(
        name="centre-12",
        camera="dual head I, medium energy",
        family="2.0 x 4.0 mm",
        share=0.008,
        prevalence=0.74,
        protocols=(
            Protocol("A", 0.6, UNEVEN, MEDIUM, fbp("uniform", 0.70), 0.5, 1.0, dtype="int16"),
            Protocol("B", 0.4, UNEVEN, MEDIUM, fbp("uniform", 0.65), -0.5, 0.8),
        ),
        radius_mm=(125, 140),
        counts=(1.2e6, 2.5e6),
        gain=1.75,
        head_at=(0, 12, -5),
    ),
    Centre(
        name="centre-13",
        camera="dual head J",
        family="3.59 and 4.42 mm",
        share=0.013,
        prevalence=0.57,
        protocols=(
            Protocol("A", 0.5, MEDIUM_CUBE, LONG, fbp("uniform", 0.70), -1.6, 1.0, dtype="int16"),
            Protocol("B", 0.5, COARSEST, LONG, osem("map", True, 4, (5, 10), True), 1.7, 6.0),
        ),
        radius_mm=(128, 148),
        counts=(1.5e6, 3.0e6),
        gain=30,
        head_at=(-12, 0, 34),
    ),
)

SHIFTED = Centre(
    name="centre-14",
    camera="dual head K",
    family="4.0 mm, shifted",
    share=0.25,
    prevalence=0.56,
    protocols=(
        Protocol("A", 0.3, UNSEEN, FAN, osem("map", True, 5, (5, 6), True)),
        Protocol("B", 0.4, UNSEEN, LONG, osem("none", False, 6), gain=0.4),
        Protocol("C", 0.3, UNSEEN, MEDIUM, fbp("uniform", 0.60), gain=2.5),
    ),
    radius_mm=(120, 160),
    counts=(0.6e6, 5.0e6),
    gain=450,
    head_at=(8, 20, 12),
)
