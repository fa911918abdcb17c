"""Volumes that are no DaT exam, or a spoilt one: MRI, CT, other tracers, phantoms, body parts.

They are painted into the simulator's head (nilearn's MNI templates with skull and scalp
around them) or drawn as solids. Levels are those that the modality shows, roughly; what matters is
which tissue is brighter than which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from datkit.io.scan import Scan
from datkit.simulate.patient.anatomy import AFFINE, SHAPE, axes_mm, standard_anatomy
from datkit.simulate.patient.loss import SIDES
from datkit.simulate.patient.person import STRIATUM

SIZE = 0.9  # of a real head against MNI's
TILT = (6.0, -3.0, 4.0)  # degrees about x, y, z: nobody lies straight
SIGMA = 1 / 2.3548 / 2  # voxels of 2 mm for a FWHM in mm
BRAIN = ("grey", "white", "csf")
ENDLESS = float("inf")  # the radius of a cylinder along its axis, mm


def painted(
    fwhm: float = 2.0, noise: float = 0.0, air: float = 0.0, regions: dict | None = None,
    **tissues: float,
) -> np.ndarray:  # fmt: skip
    """Paint tissues, the striata as grey matter unless told, multiply regions, blur, add noise."""
    anatomy, rest = standard_anatomy(), np.ones(SHAPE, np.float32)
    striatum = sum(anatomy.regions[f"{name}_{side}"] for name in STRIATUM for side in SIDES)
    parts = {**anatomy.tissue, "striatum": striatum}
    levels = {"striatum": tissues.get("grey", 0.0)} | tissues
    volume = np.zeros(SHAPE, np.float32)
    for name, value in levels.items():
        volume += value * parts[name]
    for name, factor in (regions or {}).items():
        volume *= 1 + (factor - 1) * anatomy.regions[name]
    for part in parts.values():
        rest -= part
    volume += air * np.clip(rest, 0, 1)
    return with_noise(blurred(volume, fwhm), noise)


def blurred(volume: np.ndarray, fwhm: float) -> np.ndarray:
    """Blur by a Gaussian of so many mm."""
    return gaussian_filter(np.asarray(volume, np.float32), fwhm * SIGMA)


def with_noise(volume: np.ndarray, share: float, fwhm: float = 5.0) -> np.ndarray:
    """Add noise that is smooth over some mm, its SD a share of the volume's own value."""
    noise = blurred(np.random.default_rng(0).normal(size=volume.shape), fwhm)
    return volume * (1 + share * noise / noise.std())


def solid(centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    """Draw an ellipsoid; a radius of infinity makes a cylinder. Millimetres."""
    return (
        sum(((x - c) / r) ** 2 for x, c, r in zip(axes_mm(), centre, radii, strict=True)) <= 1
    ).astype(np.float32) * np.ones(SHAPE, np.float32)


def spheres(values: tuple[float, ...], background: float) -> np.ndarray:
    """Draw a cylinder with six spheres around its axis, as of NEMA or Jaszczak."""
    volume = (
        background * solid((0, 0, 0), (95, 95, ENDLESS)) * solid((0, 0, 0), (ENDLESS, ENDLESS, 93))
    )
    for turn, (value, radius) in enumerate(zip(values, (5, 6.5, 8.5, 11, 14, 18.5), strict=True)):
        x, y = 57 * np.cos(turn * np.pi / 3), 57 * np.sin(turn * np.pi / 3)
        volume += (value - background) * solid((x, y, 10), (radius,) * 3)
    return blurred(volume, 8)


def leg() -> np.ndarray:
    """Draw two thighs with their bones."""
    thighs = sum(solid((x, 0, 0), (70, 75, ENDLESS)) for x in (-80.0, 80.0))
    bones = sum(solid((x, 0, 0), (13, 13, ENDLESS)) for x in (-80.0, 80.0))
    return blurred(thighs + 0.8 * bones, 8)


def abdomen() -> np.ndarray:
    """Draw a trunk with liver, spleen, kidneys and spine."""
    volume = solid((0, 0, 0), (95, 80, ENDLESS))
    for centre, radii, value in (
        ((40, 10, 20), (45, 50, 45), 4), ((-60, -25, 25), (22, 25, 35), 5),
        ((45, -35, -25), (16, 16, 32), 6), ((-45, -35, -20), (16, 16, 32), 6),
        ((0, -45, 0), (16, 16, ENDLESS), 1.5),
    ):  # fmt: skip
        volume += (value - 1) * solid(centre, radii)
    return blurred(volume, 10)


def chest() -> np.ndarray:
    """Draw a chest after MIBG: heart, liver, lungs, salivary glands above."""
    volume = solid((0, 0, 0), (95, 75, ENDLESS))
    for centre, radii, value in (
        ((-45, 10, 0), (32, 45, 60), 0.4), ((45, 10, 0), (32, 45, 60), 0.4),
        ((-25, 25, -10), (28, 28, 32), 3), ((40, 15, -70), (50, 50, 30), 5),
        ((-40, -10, 95), (10, 14, 16), 6), ((40, -10, 95), (10, 14, 16), 6),
    ):  # fmt: skip
        volume += (value - 1) * solid(centre, radii)
    return blurred(volume, 10)


def in_head(volume: np.ndarray) -> np.ndarray:
    """Keep what lies in the head."""
    return volume * sum(standard_anatomy().tissue[name] for name in (*BRAIN, "skull", "scalp"))


def noise_in_head() -> np.ndarray:
    """Draw blurred noise inside a head."""
    return in_head(np.maximum(1 + 0.3 * with_noise(np.ones(SHAPE, np.float32), 1.0, 14), 0))


def gradient() -> np.ndarray:
    """Draw uptake that falls off in two exponentials from the brain's middle."""
    x, y, z = axes_mm()
    away = np.sqrt(x**2 + (y + 18) ** 2 + (z - 5) ** 2)
    return in_head(blurred(3 * np.exp(-away / 15) + np.exp(-away / 120), 8))


def exam(fwhm: float = 10.0, **striatum: float) -> np.ndarray:
    """Paint a DaT exam, to be spoilt: without a spoil it is the only sound one here."""
    return painted(fwhm, 0.05, grey=1, white=1.02, csf=0.22, skull=0.12, scalp=0.42, soft=0.38,
                   **{"striatum": 6.0} | striatum)  # fmt: skip


def doubled() -> np.ndarray:
    """Put two half-size heads side by side, one the mirror image of the other."""
    half = exam()[::2, ::2, ::2]
    volume = np.zeros(SHAPE, np.float32)
    volume[:50, 30:91, 32:96] = half
    volume[49:99, 30:91, 32:96] = half[::-1]
    return volume


def side_by_side() -> np.ndarray:
    """Put two heads of full size side by side, one the mirror image of the other."""
    return np.concatenate([exam(), exam()[::-1]])


def wrapped() -> np.ndarray:
    """Store an exam in too few bits: what exceeds them comes out strongly negative."""
    volume = exam()
    return (40000 * volume / volume.max()).astype(np.uint16).view(np.int16).astype(np.float32)


T1 = {"grey": 0.65, "white": 1.0, "csf": 0.2, "striatum": 0.75}
T1_HEAD = T1 | {"skull": 0.15, "scalp": 1.1, "soft": 0.6}
T2 = {"grey": 0.8, "white": 0.55, "csf": 1.5, "striatum": 0.7, "skull": 0.1, "scalp": 0.7,
      "soft": 0.4}  # fmt: skip
CT = {"grey": 38.0, "white": 29.0, "csf": 6.0, "skull": 900.0, "scalp": -20.0, "soft": 40.0}
FDG = {"grey": 1.0, "white": 0.3, "csf": 0.05, "striatum": 1.1, "skull": 0.05, "scalp": 0.12,
       "soft": 0.12}  # fmt: skip
FLOW = {"grey": 1.0, "white": 0.4, "csf": 0.05, "striatum": 1.0, "skull": 0.1, "scalp": 0.25,
        "soft": 0.25}  # fmt: skip
AMYLOID = {"grey": 0.55, "white": 1.0, "csf": 0.1, "striatum": 0.7, "skull": 0.1, "scalp": 0.2,
           "soft": 0.2}  # fmt: skip
FLAT = {"grey": 1.0, "white": 1.0, "csf": 1.0, "skull": 1.0, "scalp": 1.0, "soft": 1.0}
EVEN = {"grey": 1.0, "white": 1.0, "csf": 0.3, "scalp": 0.4, "soft": 0.4}
OTHERS: dict[str, Callable[[], np.ndarray]] = {
    "T1 MRI, head": partial(painted, 2, 0.03, **T1_HEAD),
    "T1 MRI, brain alone": partial(painted, 2, 0.03, **T1),
    "T1 MRI, head, smoothed": partial(painted, 9, 0, **T1_HEAD),
    "T1 MRI, brain alone, smoothed": partial(painted, 9, 0, **T1),
    "T2 MRI": partial(painted, 2, 0.03, **T2),
    "T2 MRI, smoothed": partial(painted, 9, 0, **T2),
    "FLAIR": partial(painted, 2, 0.03, **T2 | {"grey": 1.0, "white": 0.8, "csf": 0.15}),
    "proton density": partial(painted, 2, 0.03, **T2 | {"grey": 1.0, "white": 0.85, "csf": 1.05}),
    "echo-planar MRI": partial(painted, 6, 0.03, grey=1.0, white=0.8, csf=1.2, striatum=0.85),
    "fractional anisotropy": partial(painted, 3, 0.1, grey=0.2, white=0.6, csf=0.05),
    "CT in HU": partial(painted, 2, 0, air=-1000.0, **CT),
    "CT from 0": lambda: painted(2, 0, air=-1000.0, **CT) + 1024,
    "CT from 0, smoothed": lambda: painted(9, 0, air=-1000.0, **CT) + 1024,
    "CT in a brain's window": lambda: np.clip(painted(2, 0, air=-1000.0, **CT), 0, 80),
    "attenuation map": lambda: blurred(standard_anatomy().attenuation, 6),
    "FDG": partial(painted, 7, 0.05, regions={"cerebellum": 0.85, "thalamus": 1.05}, **FDG),
    "perfusion, HMPAO": partial(painted, 10, 0.08, regions={"cerebellum": 1.15}, **FLOW),
    "perfusion, coarse": partial(painted, 14, 0.08, regions={"cerebellum": 1.15}, **FLOW),
    "amyloid, white matter": partial(painted, 7, 0.05, regions={"thalamus": 1.3}, **AMYLOID),
    "amyloid, cortex too": partial(painted, 7, 0.05, **AMYLOID | {"grey": 1.2, "striatum": 1.3}),
    "serotonin transporter": partial(
        painted, 7, 0.05, regions={"thalamus": 2.2, "brainstem": 2.3}, striatum=2.2, **EVEN
    ),
    "benzodiazepine receptor": partial(painted, 7, 0.05, **EVEN | {"grey": 4.0}, striatum=1.6),
    "grey matter": partial(painted, 8, grey=1.0),
    "uniform head": partial(painted, 8, **FLAT),
    "uniform brain": partial(painted, 8, grey=1.0, white=1.0, csf=1.0),
    "head without a brain": partial(painted, 8, skull=1.0, scalp=1.0, soft=1.0),
    "bone scan": partial(painted, 10, 0.05, **EVEN | {"grey": 0.1, "white": 0.1}, skull=1.0),
    "blood pool": partial(painted, 10, 0.05, **FLAT | {"grey": 0.2, "white": 0.1, "skull": 0.5}),
    "somatostatin receptor": partial(painted, 10, 0.1, **EVEN | {"grey": 0.1, "white": 0.1}),
    "cylinder with hot spheres": lambda: spheres((4.0,) * 6, 1.0),
    "cylinder with cold spheres": lambda: spheres((0.0,) * 6, 1.0),
    "ball": lambda: blurred(solid((0, 0, 0), (80, 80, 80)), 8),
    "thighs": leg,
    "abdomen": abdomen,
    "chest after MIBG": chest,
    "noise in a head": noise_in_head,
    "striata alone": partial(painted, 9, striatum=6.0),
    "no striata": partial(exam, striatum=1.0),
    "half-size head and its mirror image": doubled,
    "head and its mirror image": side_by_side,
    "falling off from the middle": gradient,
    "exam wrapped at 16 bits": wrapped,
    "exam upside down": lambda: exam()[:, :, ::-1],
}
#: Voxel sizes of an exam over the true ones.
SPACINGS = {
    "slices 0.6 as thick": (1, 1, 0.6), "slices 0.7 as thick": (1, 1, 0.7),
    "slices 1.4 as thick": (1, 1, 1.4), "slices 1.63 as thick": (1, 1, 1.63),
    "rows 0.7 as wide": (1, 0.7, 1), "columns 1.4 as wide": (1.4, 1, 1),
}  # fmt: skip


def scans() -> Iterator[tuple[str, Scan]]:
    """Yield every volume that is no sound DaT exam, with its name."""
    for name, make in OTHERS.items():
        yield name, as_scan(make())
    for name, stretch in SPACINGS.items():
        yield f"exam, {name}", as_scan(exam(), stretch)


def as_scan(volume: np.ndarray, stretch: tuple[float, ...] = (1, 1, 1)) -> Scan:
    """Give a volume the size and the tilt of a head in a scanner, and a spacing stretched so."""
    turned = np.eye(4)
    turned[:3, :3] = SIZE * Rotation.from_euler("xyz", TILT, degrees=True).as_matrix()
    return Scan(volume.astype(np.float32), np.diag([*stretch, 1.0]) @ turned @ AFFINE)
