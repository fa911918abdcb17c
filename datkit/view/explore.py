"""Widgets for JupyterLab: choose an exam, a plane, a position and the colour scale.

Widgets need a running kernel. Where a notebook is executed for a static page there is none to
answer later, so there the explorer shows a still: several exams side by side. Which of the two
happens is decided by who started the kernel, and can be set with ``live``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import ipywidgets as w
import numpy as np

from datkit.errors import UsageError
from datkit.prepare import GRID, PreparedCohort
from datkit.view.canvas import BELOW, TOP, UPTAKE, Picture, house_style, new_picture
from datkit.view.live import is_live
from datkit.view.planes import PLANES, Look, axis_of, draw_slice, signed_mm
from datkit.view.slices import plot_sheet

__all__ = ["ExamExplorer", "explore_exam"]

# Where each plane first cuts: the putamen.
AT_MM = {"axial": 4.0, "coronal": 2.0, "sagittal": -25.0}
STILL = 6  # exams in the still


def explore_exam(
    exams: PreparedCohort | Mapping[str, np.ndarray],
    *,
    top: float = TOP,
    live: bool | None = None,
    radiological: bool = False,
) -> ExamExplorer:
    """Explore prepared exams with widgets, or see a still of them in a static page.

    Parameters
    ----------
    exams : PreparedCohort or mapping of str to array, shape (64, 80, 48)
        Prepared volumes by uid: uptake, non-specific = 1.
    top : float
        Top of the colour scale at first.
    live : bool, optional
        Show widgets; default only in a kernel of JupyterLab, VS Code or Colab, and not under
        papermill.
    radiological : bool
        Draw the patient's left on the right at first, as hospitals do; the widget has a switch.

    Raises
    ------
    UsageError
        If there is no exam.

    Examples
    --------
    >>> explore_exam({"phantom": np.ones((64, 80, 48))}, live=False)
    ExamExplorer of 1 exam (a still; run the notebook in JupyterLab to move the sliders)
    """
    if not isinstance(exams, Mapping):
        exams = dict(zip(exams.uids, exams.volumes, strict=True))
    if not exams:
        raise UsageError("Expected at least one prepared exam, found none.")
    live = is_live() if live is None else live
    return ExamExplorer(exams, top=top, live=live, radiological=radiological)


@dataclass(eq=False, repr=False)
class ExamExplorer:
    """What :func:`explore_exam` returns: a widget in JupyterLab, a picture elsewhere.

    Attributes
    ----------
    volumes : mapping of str to array, shape (64, 80, 48)
        Prepared volumes by uid.
    top : float
        Top of the colour scale at first.
    live : bool
        Whether notebooks show the widget.
    radiological : bool
        Whether the patient's left is drawn on the right; the widget's switch sets it.
    """

    volumes: Mapping[str, np.ndarray]
    _: KW_ONLY
    top: float = TOP
    live: bool
    radiological: bool = False

    @cached_property
    def widget(self) -> w.VBox:
        """The ipywidgets box, made on first use."""
        exam = w.Dropdown(options=list(self.volumes), description="exam")
        plane = w.ToggleButtons(options=list(PLANES), description="plane")
        calm = {"continuous_update": False}  # a picture takes about a quarter of a second
        start = {"options": _positions("axial"), "value": AT_MM["axial"]}
        place = w.SelectionSlider(description="z", **start, **calm)
        top = w.FloatSlider(self.top, min=1, max=12, step=0.5, description="scale top", **calm)
        view = w.Checkbox(self.radiological, description="radiological (left on the right)")
        screen = w.Image(format="png", layout=w.Layout(max_width="100%", width="480px"))

        def redraw(_: object = None) -> None:
            self.radiological = view.value
            screen.value = self.plot_slice(exam.value, plane.value, place.value, top.value).png()

        def turn(change: Mapping[str, str]) -> None:
            place.unobserve(redraw, "value")
            place.description = "xyz"[axis_of(change["new"])]
            place.options = _positions(change["new"])
            place.value = AT_MM[change["new"]]
            place.observe(redraw, "value")
            redraw()

        for control in (exam, place, top, view):
            control.observe(redraw, "value")
        plane.observe(turn, "value")
        redraw()
        return w.VBox([exam, plane, place, top, view, screen])

    @house_style()
    def plot_slice(self, uid: str, plane: str, mm: float, top: float) -> Picture:
        """Plot one plane of one exam, as the widget shows it."""
        picture, ((axes,),) = new_picture(1, 1, 6.4, uid)
        picture.set_dpi(90)  # drawn at each move of a slider, so it has to be quick
        look = Look(high=top, radiological=self.radiological)
        image = draw_slice(axes, self.volumes[uid], GRID.affine, plane, mm, **look)
        picture.colorbar(image, ax=axes, label=UPTAKE, **BELOW)
        return picture

    def plot_still(self) -> Picture:
        """Plot the first exams side by side, as a static page shows them."""
        shown = list(self.volumes.items())[:STILL]
        panels = [(uid, volume, AT_MM["axial"]) for uid, volume in shown]
        title = f"{len(shown)} of {len(self.volumes)} exams (in JupyterLab: sliders)"
        return plot_sheet(panels, title, radiological=self.radiological)

    def __repr__(self) -> str:
        count = f"{len(self.volumes)} exam{'s' * (len(self.volumes) != 1)}"
        still = " (a still; run the notebook in JupyterLab to move the sliders)"
        return f"ExamExplorer of {count}{'' if self.live else still}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        widget = self.widget._repr_mimebundle_() if self.live else {}
        return {**widget, "image/png": self.plot_still().png(), "text/plain": repr(self)}


def _positions(plane: str) -> list[tuple[str, float]]:
    axis = axis_of(plane)
    places = GRID.affine[axis, 3] + GRID.affine[axis, axis] * np.arange(GRID.shape[axis])
    return [(signed_mm(mm), float(mm)) for mm in places]
