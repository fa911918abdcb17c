"""Submissions: pack a zip, check a table of predictions, score it.

The contract is the code-execution page of the challenge (DrivenData #311): `main.py` at the zip's
root, read-only data, no network, `submission.csv` in the order of `data/submission_format.csv`.

``pack``         from trained models to a zip, with ``template/main.py``
``predictions``  whether a `submission.csv` fits its `submission_format.csv`
``score``        what a table of predictions is worth
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
