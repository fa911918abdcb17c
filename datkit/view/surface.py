"""Volumes to turn and cut, in the book and in notebooks, with a picture wherever nothing can move.

niivue draws the volume, with neither kernel nor network: in the book from its data, in JupyterLab,
VS Code and Colab in a frame that holds all it needs. GitHub and paper show the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Unpack

import nibabel as nib
import numpy as np

from datkit.errors import UsageError
from datkit.prepare import GRID
from datkit.view.canvas import BELOW, TOP, UPTAKE, Picture, house_style, to_bytes
from datkit.view.live import figure_frame, is_live, to_base64
from datkit.view.planes import Look, axis_of, check_volume, cut, draw_plane, plane_grid, times

__all__ = ["MIME", "VolumeView"]

MIME = "application/vnd.datkit.niivue+json"
MAX_BYTES = 400_000  # of text in the page: a volume on the canonical grid takes about 0.2 MB
# x −43 to +43, y −40 to +30, z −18 to +32 mm: the striata with 8 mm or more around them.
STRIATAL_BOX = (slice(10, 54), slice(36, 72), slice(9, 35))


@dataclass(frozen=True, eq=False)
class VolumeView:
    """A volume that a static page can cut in three planes or turn in space.

    Values are stored as bytes from 0 to `cal_max`, so a step is `cal_max` / 255.

    Parameters
    ----------
    volume : array, shape (x, y, z)
        A prepared volume, or any volume small enough for a page.
    affine : array, shape (4, 4)
        Voxel indices to mm, RAS+, without rotation.
    overlay : array of the same shape, optional
        Regions to draw over it: 0 nothing, 1, 2, … region numbers, or a mask.
    cal_min, cal_max : float
        Values at the two ends of the colour scale; below `cal_min` nothing is drawn, which lets
        the eye look through the brain onto the striata.
    colormap, overlay_colormap : str
        Names that both niivue and matplotlib know: inferno, viridis, cividis, magma, plasma.
    overlay_opacity : float in [0, 1]
        How much the overlay hides.
    slice_type : {"multiplanar", "render"}
        Three planes, or the volume in space.
    at : three floats, optional
        Point x, y, z in mm where the planes meet; default the hottest voxel.
    label : str
        What the colours mean, with unit.
    height : int
        Height in the page, pixels.
    radiological : bool
        Draw the patient's left on the right at first, as hospitals do; the page has a switch.

    Raises
    ------
    UsageError
        If shapes do not fit, the scale is empty, the slice type is unknown, or the page would
        grow too heavy.

    Examples
    --------
    >>> view = VolumeView(np.ones((64, 80, 48)), cal_max=2.0)
    >>> sorted(view._repr_mimebundle_())
    ['application/vnd.datkit.niivue+json', 'image/png', 'text/plain']
    """

    volume: np.ndarray
    affine: np.ndarray = field(default_factory=GRID.affine.copy)
    overlay: np.ndarray | None = None
    cal_min: float = 0.0
    cal_max: float = TOP
    colormap: str = "inferno"
    overlay_colormap: str = "viridis"
    overlay_opacity: float = 0.5
    slice_type: str = "multiplanar"
    at: tuple[float, float, float] | None = None
    label: str = UPTAKE
    height: int = 420
    radiological: bool = False

    def __post_init__(self) -> None:
        check_volume(self.volume)
        shape = self.volume.shape
        over = shape if self.overlay is None else self.overlay.shape
        low, high, kind = self.cal_min, self.cal_max, self.slice_type
        problems = {
            f"overlay {over} over volume {shape}": over != shape,
            f"colour scale from {low:g} to {high:g}": not 0 <= low < high,
            f"slice type {kind!r}": kind not in ("multiplanar", "render"),
        }
        if found := ", ".join(text for text, wrong in problems.items() if wrong):
            raise UsageError(
                "Expected an overlay of the volume's shape, 0 ≤ cal_min < cal_max, and the slice "
                f"type multiplanar or render; found {found}."
            )

    @classmethod
    def of_striatum(
        cls,
        volume: np.ndarray,
        overlay: np.ndarray | None = None,
        **fields: Any,  # noqa: ANN401
    ) -> VolumeView:
        """View the striata of a prepared exam in space, cut out of the canonical grid.

        Parameters
        ----------
        volume : array, shape (64, 80, 48)
            Prepared volume: uptake, non-specific = 1.
        overlay : array of the same shape, optional
            Regions to draw over it.
        **fields
            Other fields of the class; by default nothing is drawn below a `cal_min` of 1.8, midway
            between background and a full striatum.

        Examples
        --------
        >>> VolumeView.of_striatum(np.ones((64, 80, 48))).volume.shape
        (44, 36, 26)
        """
        affine = GRID.affine.copy()
        affine[:3, 3] += [2 * box.start for box in STRIATAL_BOX]
        overlay = None if overlay is None else overlay[STRIATAL_BOX]
        box = check_volume(volume)[STRIATAL_BOX]
        return cls(box, affine, overlay, **{"cal_min": 1.8, "slice_type": "render", **fields})

    def payload(self) -> dict[str, Any]:
        """Return what the page's script needs: volumes as base64 NIfTI, and how to draw them.

        Raises
        ------
        UsageError
            If it would be larger than 0.4 MB.
        """
        volumes = [_layer("volume", self.volume, self.affine, 1.0, **self._look)]
        if self.overlay is not None:
            regions = np.asarray(self.overlay, dtype=float)
            top = max(float(regions.max()), 1.0)
            scale = Look(low=0.5, high=top, colormap=self.overlay_colormap)
            volumes.append(_layer("overlay", regions, self.affine, self.overlay_opacity, **scale))
        size = sum(len(volume["b64"]) for volume in volumes)
        if size > MAX_BYTES:
            raise UsageError(
                f"Expected at most {MAX_BYTES / 1e6:g} MB for one page, found {size / 1e6:.1f} MB; "
                "crop the volume or resample it to larger voxels."
            )
        shown = {"height": self.height, "slice_type": self.slice_type, "at": self._point()}
        return {"volumes": volumes, **shown, "radiological": self.radiological}

    @house_style()
    def preview(self) -> Picture:
        """Return the picture that stands in for the volume where nothing can move.

        It shows three planes; instead of a volume in space, the brightest voxels along each axis.
        """
        figure, panels, _ = plane_grid(self.volume.shape)
        shown = np.where(self.volume >= self.cal_min, self.volume, 0)
        for plane, axes in panels.items():
            picture, caption = self._flatten(shown, plane)
            image = draw_plane(axes, picture, self.affine, plane, caption, **self._look)
            if self.overlay is not None:
                regions = self._flatten(self.overlay, plane)[0].T > 0
                outline: Any = {"origin": "lower", "colors": "white", "linewidths": 1.2}
                axes.contour(regions, levels=[0.5], extent=image.get_extent(), **outline)
        figure.colorbar(image, ax=figure.axes, label=self.label, **BELOW)
        return figure

    @property
    def _look(self) -> Look:
        scale = Look(low=self.cal_min, high=self.cal_max, colormap=self.colormap)
        return scale | Look(high=self.cal_max, radiological=self.radiological)

    def _flatten(self, array: np.ndarray, plane: str) -> tuple[np.ndarray, str]:
        axis = axis_of(plane)
        if self.slice_type == "render":
            return array.max(axis), f"brightest along {'xyz'[axis]}"
        return cut(array, self.affine, plane, self._point()[axis])

    def _point(self) -> list[float]:
        if self.at is not None:
            return list(map(float, self.at))
        hottest = np.unravel_index(np.argmax(self.volume), self.volume.shape)
        return nib.affines.apply_affine(self.affine, hottest).tolist()

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        text = f"VolumeView of {times(self.volume.shape)} voxels, {self.slice_type}"
        payload, still = self.payload(), self.preview().png()
        live = {"text/html": figure_frame("niivue", payload, text, still)} if is_live() else {}
        return {MIME: payload, "image/png": still, "text/plain": text, **live}


def _layer(
    name: str, volume: np.ndarray, affine: np.ndarray, opacity: float, **scale: Unpack[Look]
) -> dict[str, Any]:
    """Return a volume as base64 of gzipped NIfTI, one byte a voxel: the same text at every run."""
    low, high = scale["low"], scale["high"]
    image = nib.Nifti1Image(to_bytes(volume, high), affine)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(high / 255, 0)
    look = {"colormap": scale["colormap"], "opacity": opacity, "cal_min": low, "cal_max": high}
    return {"b64": to_base64(image.to_bytes()), "name": f"{name}.nii.gz", **look}
