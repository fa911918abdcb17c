"""See exams: slices, charts, sliders, volumes to turn, widgets for JupyterLab, and whole pages.

``canvas``        the picture, its style, colours and scale
``planes``        one plane of a volume, drawn in millimetres with its sides
``slices``        exams slice by slice: prepared ones, and scans as the camera gave them
``charts``        numbers: measures by class, calibration, scores, shares
``sliders``       plotly figures that move in a static page
``physics_lab``   figures of the physics lab: a camera that turns, a slice made in several ways
``surface``       volumes to turn and cut
``live``          what moves without a network: in a page of the book, in a frame of a notebook
``explore``       widgets for JupyterLab
``sphinx``        the Sphinx extension that makes plotly's and niivue's figures live in a book
``pages``         reports and contact sheets: HTML files that open offline

Every name here is loaded on first use, so ``import datkit.view`` costs nothing. Pictures are
matplotlib figures in one house style, the patient's left on the picture's left, or on its right
with ``radiological=True``. The ``…_slider`` functions return plotly figures; a notebook that draws
plotly figures of its own calls :func:`~datkit.view.sliders.use_offline_plotly` once.

Examples
--------
>>> import datkit.view
>>> datkit.view.plot_exam.__module__
'datkit.view.slices'
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
