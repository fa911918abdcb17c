"""Random centres: cameras, matrices, reconstructions and counts that no centre of the kit has.

Whoever learns from many of them learns what does not depend on the camera ("domain randomisation").
Each number is drawn over the range that the kit's centres span (``datkit/simulate/camera``) and a
little beyond; which camera goes with which reconstruction is drawn too, and so is the share of ill
patients: what is known of a scanner foretells no label.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from datkit.simulate.camera.protocols import Collimator

__all__ = ["STREAM", "draw_centres"]

STREAM = 1000  # of the first random centre; the kit's are 0 to 13
FWHM_MM = 6.3, 12.0  # of a camera at 140 mm; the kit's have 6.8 to 10.8
SUBSETS = 4, 5, 6, 10, 12  # they divide the 60 views
UPDATES = 20, 64  # of OSEM, iterations times subsets; Winz 2012 takes 64
MOST_COLUMNS = 256


def draw_centres(count: int, seed: int) -> list[dict[str, Any]]:
    """Draw a table of centres as `simulate_cohort(centres=FILE)` reads it.

    They take over all exams, in equal shares: a later centre is asked first, and number i takes
    one in i + 1 of what is left.

    Examples
    --------
    >>> [(one["name"], one["joins"]["train"]) for one in draw_centres(2, 0)]
    [('random-000', 1.0), ('random-001', 0.5)]
    """
    return [_draw_centre(np.random.default_rng([seed, i]), i) for i in range(count)]


def _draw_centre(rng: np.random.Generator, number: int) -> dict[str, Any]:
    radius, counts = rng.uniform(114, 148), _log_uniform(rng, 0.5e6, 3e6)
    thin = rng.random() < 0.35  # a stack that holds little more than the striata
    return {
        "name": f"random-{number:03d}",
        "stream": STREAM + number,
        "camera": f"random camera {number}",
        "joins": {"train": 1 / (number + 1)},
        "prevalence": _digits(rng.uniform(0.4, 0.7)),
        "radius_mm": [_digits(radius), _digits(radius + rng.uniform(5, 25))],
        "counts": [_digits(counts), _digits(counts * rng.uniform(1.3, 2.5))],
        "gain": _digits(_log_uniform(rng, 1.5, 4000)),
        "head_at": [_digits(rng.uniform(*ends)) for ends in _head_ranges(thin)],
        "protocols": [_draw_protocol(rng, thin)],
    }


def _head_ranges(thin: bool) -> tuple[tuple[float, float], ...]:
    return (-14, 14), (-22, 38), ((-16, 16) if thin else (-48, 48))


def _draw_protocol(rng: np.random.Generator, thin: bool) -> dict[str, Any]:
    return {
        "name": "A",
        "weight": 1.0,
        "oblique": _digits(rng.uniform(0.1, 0.7)),
        "dtype": str(rng.choice(["uint16", "int16"])),
        "collimator": _draw_collimator(rng),
        "matrix": _draw_matrix(rng, thin),
        "recipe": _draw_recipe(rng),
    }


def _draw_collimator(rng: np.random.Generator) -> dict[str, Any]:
    """Draw holes and crystal until the camera is as sharp as cameras are."""
    while True:
        drawn: dict[str, Any] = {
            "name": "random holes",
            "hole_mm": _digits(rng.uniform(1.0, 2.4)),
            "length_mm": _digits(rng.uniform(22, 50)),
            "intrinsic_mm": _digits(rng.uniform(2.3, 4.3)),
            "penetration": _digits(rng.uniform(0.02, 0.45)),
        }
        if FWHM_MM[0] <= Collimator(**drawn).fwhm(140) <= FWHM_MM[1]:
            return drawn


def _draw_matrix(rng: np.random.Generator, thin: bool) -> dict[str, Any]:
    """Draw pixels, and a field as large as fields are; a half of them have cubic voxels."""
    pixel = _log_uniform(rng, 1.35, 4.8)
    height = pixel if rng.random() < 0.5 else rng.uniform(1.5, 4.5)
    side = _log_uniform(rng, 190, 640)
    stack = rng.uniform(130, 220) if thin else _log_uniform(rng, 220, 640)
    columns = int(np.clip(2 * round(side / pixel / 2), 2 * np.ceil(95 / pixel), MOST_COLUMNS))
    slices = int(min(round(stack / height), MOST_COLUMNS))
    matrix = {"columns": columns, "slices": slices, "pixel": _digits(pixel)}
    return matrix if height == pixel else matrix | {"height": _digits(height)}


def _draw_recipe(rng: np.random.Generator) -> dict[str, Any]:
    """Draw a reconstruction of a published kind."""
    if rng.random() < 0.35:
        attenuation = str(rng.choice(["none", "uniform"]))
        shape = {"cutoff": _digits(rng.uniform(0.42, 0.75)), "order": int(rng.integers(5, 11))}
        return {"method": "fbp", "attenuation": attenuation, "scatter": False} | shape
    subsets, resolution = int(rng.choice(SUBSETS)), bool(rng.random() < 0.3)
    low, high = (max(2, -(-UPDATES[0] // subsets)), UPDATES[1] // subsets)
    return {
        "method": "osem",
        "attenuation": str(rng.choice(["none", "uniform", "map"], p=[0.25, 0.25, 0.5])),
        "scatter": bool(rng.random() < 0.5),
        "resolution": resolution,
        "iterations": int(rng.integers(low, high + 1)),
        "subsets": subsets,
        "postfilter_mm": _digits(rng.uniform(5.5, 8.5) if resolution else rng.uniform(4, 9)),
    }


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _digits(value: float) -> float:
    """Return a number as a person would write it: four digits."""
    return float(f"{value:.4g}")
