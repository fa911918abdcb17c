"""What lies outside the brain: skull, scalp, face, neck, air and salivary glands.

Drawn with simple solids in MNI millimetres, since the template is stripped of its skull. The
landmarks are those of electrode caps on the MNI head (nasion y 87, z -40; ear canals x 86, y -20,
z -48; inion y -119; vertex z 100: Oostenveld and Praamstra 2001, 10.1016/S1388-2457(00)00527-7);
the rest is placed from them by eye. A real head is 0.9 times this size.
"""

from __future__ import annotations

import numpy as np

from datkit.simulate.patient.solids import SHAPE, axes_mm, ellipsoid, rod

__all__ = ["draw_glands", "draw_outside"]

FLUID_MM = 3.0  # brain surface to bone; lengths here are design choices
SKIN_MM = 15.0  # brain surface to skin: 13.5 mm in a real head
SCALP_MM = 6.0
BONE_FRACTION = 0.7  # the tables are solid, the diploe between them is marrow
FISSURE_MM = 20.0  # the skull bridges dents of the brain up to twice as wide

BONES = (  # points at x >= 0, radius, fraction of bone
    (((50, 2, -54), (52, 12, -112), (38, 52, -124), (0, 76, -132)), 7, 0.7),  # mandible
    (((0, 80, -100), (30, 62, -100), (58, 40, -62), (66, 0, -52)), 6, 0.5),  # maxilla, zygoma
    (((28, -14, -42), (58, -30, -48)), 9, 0.8),  # petrous bone
    (((0, 8, -46), (0, -18, -60)), 9, 0.5),  # clivus
    (((0, -34, -68), (0, -46, -160)), 16, 0.5),  # cervical spine
)
PHARYNX = ((0, 8, -64), (0, -6, -100), (0, 2, -160))
AIR = (  # centre and radii of ellipsoids (x mirrored), fraction of air; mucosa fills the rest
    ((0, 58, -72), (13, 32, 22), 0.6),  # nasal cavity
    ((32, 58, -78), (13, 17, 17), 1.0),  # maxillary sinus
    ((0, 52, -43), (14, 20, 10), 0.7),  # ethmoid cells
    ((0, 24, -46), (13, 13, 10), 1.0),  # sphenoid sinus
    ((12, 82, -22), (12, 5, 10), 1.0),  # frontal sinus
    ((60, -38, -58), (9, 10, 16), 0.5),  # mastoid cells
)
PAROTID = ((53, -16, -80), (12, 22, 31))  # behind the ramus; 34 mL here, 25 mL in a real head
SUBMANDIBULAR = ((33, 18, -119), (10.5, 18, 14))  # below the body; 11 and 8 mL


def draw_outside(brain: np.ndarray) -> dict[str, np.ndarray]:
    """Draw what surrounds the brain.

    Parameters
    ----------
    brain : ndarray, float32 (99, 121, 128)
        Fraction of each voxel that the brain with its ventricles and sulci fills.

    Returns
    -------
    dict of str to ndarray, float32 (99, 121, 128)
        Fractions of ``fluid`` (around the brain), ``skull`` (all bone), ``scalp`` and ``soft``
        tissue. With the brain they sum to at most 1; what is missing inside the head is air.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    depth = gaussian_filter(_depth(brain), 0.7)
    solid = gaussian_filter(np.float32((depth <= SKIN_MM) | _face() | _neck()), 2)
    solid = np.clip(4 * (solid - 0.375), 0, 1)  # steepen the smoothed edge to about one voxel
    around = np.clip(solid - brain, 0, 1)
    fluid = around * np.clip(0.5 + (FLUID_MM - depth) / 2, 0, 1)
    rest = (around - fluid) * (1 - _air())
    skull = rest * np.maximum(_vault(depth), _bones())
    skin = np.float32(distance_transform_edt(solid > 0.5) * 2 <= SCALP_MM)
    return {
        "fluid": fluid,
        "skull": skull,
        "scalp": (rest - skull) * skin,
        "soft": (rest - skull) * (1 - skin),
    }


def draw_glands() -> dict[str, np.ndarray]:
    """Draw the right parotid and submandibular gland as weights, float32 (99, 121, 128)."""
    return {"parotid": ellipsoid(*PAROTID), "submandibular": ellipsoid(*SUBMANDIBULAR)}


def _depth(brain: np.ndarray) -> np.ndarray:
    """Return the distance in mm from the brain, of which the upper half is closed to a solid."""
    from scipy.ndimage import distance_transform_edt

    bare = distance_transform_edt(brain < 0.5, sampling=2)
    closed = FISSURE_MM - distance_transform_edt(bare <= FISSURE_MM, sampling=2)
    upper = np.clip((axes_mm()[2] + 30) / 20, 0, 1)  # below, the dents of the brain hold bone
    near = upper * (bare <= FISSURE_MM)
    return np.float32(bare + near * (closed.clip(0) - bare))


def _vault(depth: np.ndarray) -> np.ndarray:
    """Return the fraction of bone in the shell around the brain.

    It is thick at forehead and occiput, thin at the temple, below the temporal lobes and above
    the orbits (4 to 9 mm here).
    """
    x, y, z = axes_mm()
    temple = np.clip((np.abs(x) - 45) / 20, 0, 1) * np.clip((45 - z) / 30, 0, 1)
    base = np.clip((-25 - z) / 20, 0, 1) * np.clip((y + 60) / 30, 0, 1)
    thick = 7.0 + 2 * np.clip(np.abs(y + 15) / 80 - 0.5, 0, 1) - 3.5 * np.maximum(temple, base)
    inner, outer = (depth - FLUID_MM) / 2, (FLUID_MM + thick - depth) / 2
    return BONE_FRACTION * np.clip(0.5 + inner, 0, 1) * np.clip(0.5 + outer, 0, 1)


def _bones() -> np.ndarray:
    """Return the fraction of bone in jaw, cheeks, skull base and spine."""
    return np.maximum.reduce([share * rod(points, radius) for points, radius, share in BONES])


def _air() -> np.ndarray:
    """Return the fraction of air in nose, sinuses, mastoid and throat."""
    parts = [share * ellipsoid(centre, radii) for centre, radii, share in AIR]
    return np.maximum.reduce([*parts, *(part[::-1] for part in parts), rod(PHARYNX, 8)])


def _face() -> np.ndarray:
    """Return face and nose as a solid, bool (99, 121, 128)."""
    x, y, z = axes_mm()
    width = np.interp(z, [-150, -130, -110, -80, -50, -20], [48, 58, 70, 78, 80, 80])
    front = np.interp(z, [-150, -130, -100, -50, -20], [82, 87, 91, 87, 84])
    length = np.where(y > 15, front - 15, 60)
    slices = (np.abs(x) / width) ** 2.4 + (np.abs(y - 15) / length) ** 2.4 <= 1
    jaw = z > -132 - 0.18 * np.clip(y - 10, 0, None)  # it ends above the grid's lowest slice
    nose = rod(((0, 84, -46), (0, 92, -82), (0, 90, -90)), 10) > 0.5
    return (slices & jaw & (z < -10)) | nose


def _neck() -> np.ndarray:
    """Return the neck as a solid: it widens downward and leaves the grid, bool (99, 121, 128)."""
    x, y, z = axes_mm()
    levels = [-150, -120, -90, -50]
    width = np.interp(z, levels, [78, 63, 60, 64])
    depth = np.interp(z, levels, [68, 61, 58, 60])
    middle = np.interp(z, levels, [-42, -34, -26, -38])
    neck = (x / width) ** 2 + ((y - middle) / depth) ** 2 <= 1
    return np.broadcast_to(neck & (z < -40), SHAPE)
