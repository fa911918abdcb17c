"""What a camera is, and how a centre reconstructs: two plain records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datkit.errors import UsageError

__all__ = ["Collimator", "Recipe"]

SEPTA_PER_MM = 1.98  # attenuation of lead at 159 keV, 1/mm: photons cross the tips of the holes


@dataclass(frozen=True)
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
    hole_mm: float
    length_mm: float
    intrinsic_mm: float = 3.8
    penetration: float = 0.36

    def fwhm(self, distance_mm: float | np.ndarray) -> float | np.ndarray:
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


@dataclass(frozen=True)
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

    method: str
    attenuation: str = "map"
    scatter: bool = True
    resolution: bool = False
    iterations: int = 4
    subsets: int = 6
    cutoff: float = 0.40
    order: int = 7
    postfilter_mm: float = 6.0

    def __post_init__(self) -> None:
        """Refuse what no reconstruction could do, naming every fault."""
        faults = [
            f"{name} must be {rule}, found {getattr(self, name)!r}"
            for name, rule, fine in (
                ("method", "fbp or osem", self.method in ("fbp", "osem")),
                (
                    "attenuation",
                    "none, uniform or map",
                    self.attenuation in ("none", "uniform", "map"),
                ),
                ("iterations", "1 or more", self.iterations >= 1),
                ("subsets", "1 or more", self.subsets >= 1),
                ("cutoff", "above 0", self.cutoff > 0),
                ("order", "1 or more", self.order >= 1),
                ("postfilter_mm", "0 or more", self.postfilter_mm >= 0),
                ("resolution", "off in fbp", self.method == "osem" or not self.resolution),
            )
            if not fine
        ]
        if faults:
            raise UsageError(f"This reconstruction is not possible: {'; '.join(faults)}.")
