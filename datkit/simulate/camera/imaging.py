"""One centre's exam of one patient: place, project, count, reconstruct, store.

:mod:`datkit.simulate.camera.acquisition` draws every parameter; :func:`acquire` applies them, and
is the chain of the functions below, which can be called one by one:

1. :func:`place` puts the patient into the camera's field.
2. :func:`camera_of` builds the camera; its
   :meth:`~datkit.simulate.camera.projector.Projector.project` and
   :func:`broad_background` give the counts that are expected: primary photons, and those that
   are scattered or cross the septa.
3. :func:`count` draws photons from them, and from a second energy window.
4. :func:`reconstruct` makes an image, as the centre's recipe says.
5. :func:`store` puts the image into the centre's matrix, in its unit and number format.

The camera's field is a cylinder of 3.9 mm voxels about the axis of rotation, 281 mm wide and 215 mm
long: the head with a margin. Centres store finer or wider matrices; they interpolate, as most
vendors do when they zoom.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from nibabel.affines import from_matvec
from scipy import ndimage

from datkit.simulate.camera import reconstruction
from datkit.simulate.camera.acquisition import Acquisition
from datkit.simulate.camera.centres import VIEWS
from datkit.simulate.camera.projector import SIGMA, Projector
from datkit.simulate.camera.protocols import Collimator, Recipe
from datkit.simulate.patient.anatomy import AFFINE, standard_anatomy
from datkit.simulate.patient.head_shape import Shape, source_voxels

__all__ = ["Counts", "Head", "acquire", "camera_of", "camera_over", "count", "reconstruct", "store"]

FIELD, FIELD_MM = (72, 72, 55), 3.9
SAMPLED_MM = 3.0  # FWHM before sampling 2 mm voxels at 3.9 mm; counted as part of the crystal's
SCATTER = 0.30  # scattered over primary counts; 0.25-0.40, no firm source: see the data card
BROAD_MM = 35.0  # SD of scatter and penetration in a projection; 25-40 mm, design
WINDOW = 0.5  # counts of the second energy window over those it stands for; design
WINDOW_MM = 20.0  # FWHM by which its noisy estimate is smoothed; design
ENDS_MM = 20.0  # at the lower end of its field a camera sees the neck less and less; design
UNIFORM = 0.010  # 1/mm: broad-beam value of Chang's method, 0.010-0.012 (EANM 2010), scatter
# corrected or not, as in the European normal database (Tossici-Bolt 2017)


@dataclass(frozen=True)
class Head:
    """A patient in the camera's field.

    Attributes
    ----------
    activity : ndarray, float32 (72, 72, 55)
        Uptake, brain background about 1.
    attenuation : ndarray, float32 (72, 72, 55)
        Linear attenuation coefficient, 1/mm.
    """

    activity: np.ndarray
    attenuation: np.ndarray


@dataclass(frozen=True)
class Counts:
    """What the camera counted.

    Attributes
    ----------
    photopeak : ndarray (views, 72, 55)
        Counts of the window at 159 keV.
    background : ndarray (views, 72, 55)
        What a second window says of the scatter among them.
    scale : float
        Counts for each unit of activity.
    """

    photopeak: np.ndarray
    background: np.ndarray
    scale: float


def acquire(activity: np.ndarray, shape: Shape, exam: Acquisition) -> np.ndarray:
    """Make the stored volume of one exam.

    Parameters
    ----------
    activity : ndarray, float32 (99, 121, 128)
        Uptake in the standard head, from :func:`datkit.simulate.patient.uptake.paint`.
    shape : Shape
        The form of the patient's head.
    exam : Acquisition
        The drawn parameters.

    Returns
    -------
    ndarray, `exam.protocol.dtype`, shape `exam.shape`
        Stored values; voxels outside the camera's field are 0.
    """
    head = place(activity, shape, exam)
    camera = camera_of(head, exam)
    primary = camera.project(head.activity)
    if exam.motion is not None:
        start = min(round(exam.motion.start * len(primary)), len(primary) - 1)
        views = range(start, len(primary))
        moved = replace(exam, head_to_scanner=exam.motion.transform @ exam.head_to_scanner)
        later = place(activity, shape, moved)
        primary[start:] = camera_of(later, exam).project(later.activity, views)
    broad = broad_background(primary, exam.protocol.collimator.penetration)
    counts = count(primary, broad, exam.counts, np.random.default_rng(exam.noise_seed))
    image = reconstruct(counts, camera, head.attenuation, exam.protocol.recipe)
    return store(image / image[head.activity > 0.5].mean(), exam)


def field_about(middle_mm: np.ndarray | tuple[float, ...]) -> np.ndarray:
    """Return voxel to mm of a camera's field about its middle, (4, 4)."""
    start = middle_mm - FIELD_MM * (np.array(FIELD) - 1) / 2
    return from_matvec(FIELD_MM * np.eye(3), start)


def place(activity: np.ndarray, shape: Shape, exam: Acquisition) -> Head:
    """Put a patient into the camera's field, in the pose of the exam."""
    to_head = np.linalg.inv(exam.head_to_scanner) @ field_about(exam.orbit_centre)
    head = sample_head(activity, source_voxels(shape, to_head, FIELD))
    seen = np.clip((np.arange(FIELD[2]) + 0.5) * FIELD_MM / ENDS_MM, 0, 1).astype(np.float32)
    return replace(head, activity=head.activity * seen)


def sample_head(activity: np.ndarray, voxels: np.ndarray) -> Head:
    """Sample uptake and attenuation of the standard head at its voxels (3, 72, 72, 55)."""
    volumes = smooth_for_sampling(activity), _smooth_attenuation()
    return Head(*(ndimage.map_coordinates(volume, voxels, order=1) for volume in volumes))


def smooth_for_sampling(volume: np.ndarray) -> np.ndarray:
    """Blur a volume of the standard grid, so that the field's wider voxels miss nothing."""
    return ndimage.gaussian_filter(volume, SAMPLED_MM * SIGMA / AFFINE[0, 0], truncate=3)


@lru_cache
def _smooth_attenuation() -> np.ndarray:
    """Return the standard head's attenuation, 1/mm, smoothed: the same for every patient."""
    return smooth_for_sampling(standard_anatomy().attenuation)


def camera_of(head: Head, exam: Acquisition) -> Projector:
    """Return the camera of an exam as it is, with the head's attenuation."""
    collimator, views = exam.protocol.collimator, exam.centre.views
    return camera_over(head, collimator, exam.radius_mm, views=views)


def camera_over(
    head: Head,
    collimator: Collimator | None,
    radius_mm: float = 140.0,
    *,
    views: int = VIEWS,
    attenuation: bool = True,
) -> Projector:
    """Return a camera around a head.

    Parameters
    ----------
    head : Head
    collimator : Collimator, optional
        None is a camera that blurs nothing.
    radius_mm : float
        From the axis to the collimator's face.
    views : int
        Camera positions over 360 degrees.
    attenuation : bool
        Whether tissue absorbs photons.

    Raises
    ------
    UsageError
        If a size is not positive.
    """
    if collimator is not None:  # sampling has brought a part of the crystal's blur
        left = np.sqrt(max(collimator.intrinsic_mm**2 - SAMPLED_MM**2, 0))
        collimator = replace(collimator, intrinsic_mm=left)
    absorbing = head.attenuation if attenuation else None
    return Projector(FIELD[0], FIELD[2], FIELD_MM, views, radius_mm, collimator, absorbing)


def broad_background(primary: np.ndarray, penetration: float) -> np.ndarray:
    """Return the expected counts of scatter and penetration, broad copies of the primary ones."""
    broad = np.float32(SCATTER + penetration) * primary
    sds = (0, BROAD_MM / FIELD_MM, BROAD_MM / FIELD_MM)
    return ndimage.gaussian_filter(broad, sds, mode="constant", truncate=3)


def count(primary: np.ndarray, broad: np.ndarray, total: float, rng: np.random.Generator) -> Counts:
    """Draw Poisson counts, `total` of them expected, in the photopeak and in a second window."""
    scale = total / float(primary.sum(dtype=np.float64) + broad.sum(dtype=np.float64))
    photopeak = rng.poisson(scale * (primary + broad)).astype(np.float32)
    background = rng.poisson(scale * WINDOW * broad).astype(np.float32) / np.float32(WINDOW)
    sd = WINDOW_MM * SIGMA / FIELD_MM
    return Counts(photopeak, ndimage.gaussian_filter(background, (0, sd, sd)), scale)


def reconstruct(
    counts: Counts, camera: Projector, attenuation: np.ndarray, recipe: Recipe
) -> np.ndarray:
    """Make an image of counts as a recipe says, in units of activity.

    Parameters
    ----------
    counts : Counts
    camera : Projector
        The camera as it is, with the attenuation `attenuation`.
    attenuation : ndarray (72, 72, 55)
        1/mm.
    recipe : Recipe

    Returns
    -------
    ndarray, float32 (72, 72, 55)
    """
    believed = camera if recipe.resolution else camera.without_blur()
    if recipe.attenuation != "map":
        believed = believed.with_attenuation(_assumed(attenuation, recipe))
    if recipe.method == "osem":
        background = counts.background if recipe.scatter else None
        updates = recipe.iterations, recipe.subsets
        image = reconstruction.osem(counts.photopeak, believed, *updates, background)
        image = ndimage.gaussian_filter(image, recipe.postfilter_mm * SIGMA / FIELD_MM, truncate=3)
    else:
        net = counts.photopeak - counts.background if recipe.scatter else counts.photopeak
        settings = net, believed, recipe.cutoff, recipe.order
        if recipe.attenuation == "none":
            image = reconstruction.filtered_back_projection(*settings)
        else:
            image = reconstruction.chang_reconstruction(*settings)
    return image / np.float32(counts.scale)


def store(image: np.ndarray, exam: Acquisition) -> np.ndarray:
    """Put an image whose mean brain is 1 into the exam's matrix, unit and number format."""
    to_field = np.linalg.inv(field_about(exam.orbit_centre)) @ exam.affine
    box = _box(to_field, exam.shape)
    size = tuple(part.stop - part.start for part in box)
    start = to_field[:3, :3] @ [part.start for part in box] + to_field[:3, 3]
    part = ndimage.affine_transform(image, to_field[:3, :3], start, size, np.float32, order=3)
    out = np.zeros(exam.shape, exam.protocol.dtype)
    limit = np.iinfo(out.dtype).max
    out[box] = np.clip(np.rint(part * np.float32(exam.gain)), 0, limit)
    if exam.edge:  # the last slice of a field has few counts, and may come out far too hot
        out[..., 0] = np.clip(np.rint(out[..., 0] * (1 + exam.edge)), 0, limit)
    return out


def _assumed(attenuation: np.ndarray, recipe: Recipe) -> np.ndarray | None:
    """Return the attenuation that a recipe without a measured map assumes."""
    if recipe.attenuation == "none":
        return None
    in_slice = ndimage.generate_binary_structure(2, 1)[..., None]
    return ndimage.binary_fill_holes(attenuation > 0.005, in_slice) * np.float32(UNIFORM)


def _box(to_field: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the part of a matrix that lies over the camera's field."""
    corners = np.stack(np.meshgrid(*([0, n - 1] for n in FIELD), indexing="ij")).reshape(3, -1)
    inverse = np.linalg.inv(to_field)
    voxels = inverse[:3, :3] @ corners + inverse[:3, 3:]
    low = np.clip(np.floor(voxels.min(1)).astype(int), 0, shape)
    high = np.clip(np.ceil(voxels.max(1)).astype(int) + 1, 0, shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
