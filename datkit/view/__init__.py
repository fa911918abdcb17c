"""See exams: slices, charts, sliders, volumes to turn, widgets for JupyterLab, and whole pages.

Every name here is loaded on first use, so ``import datkit.view`` costs nothing. Pictures are
matplotlib figures in one house style, patient left on the picture's left. The two ``…_slider``
functions return plotly figures that move in a static page; a notebook that draws plotly figures of
its own calls :func:`~datkit.view.sliders.use_offline_plotly` once. Reports and contact sheets are
HTML files that open offline.

Examples
--------
>>> import datkit.view
>>> datkit.view.plot_exam.__module__
'datkit.view.slices'
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULE_OF = {
    "ExamExplorer": "explore",
    "VolumeView": "surface",
    "explore_exam": "explore",
    "plot_curve_slider": "sliders",
    "plot_exam": "slices",
    "plot_mean_maps": "slices",
    "plot_measures": "charts",
    "plot_pair": "slices",
    "plot_raw": "raw",
    "plot_reliability": "charts",
    "plot_scores": "charts",
    "plot_shares": "charts",
    "plot_sheet": "slices",
    "plot_slice_slider": "sliders",
    "render_report": "report",
    "use_offline_plotly": "sliders",
    "write_contact_sheet": "contact_sheet",
    "write_report": "report",
}
__all__ = [*_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
