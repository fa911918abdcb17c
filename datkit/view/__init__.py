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

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
