"""How good probabilities are, and how sure one can be of it: every score with its interval.

``metrics``    what can be scored, one entry of a registry each
``intervals``  the bootstrap of exams within centre, and DeLong's intervals
``scores``     scores of all exams, and of groups of them: centres, patterns, bands of severity
``compare``    two models on the same exams, and a ranking in which ties are ties
``undecided``  exams near one half: what is left if they are left out
``ladder``     a calibration found out of fold, carried to the public and to the private set
``folds``      probabilities out of fold
``trained``    a model trained on a cohort, its card, what it predicts
``explain``    maps of what moves a model's logit, and their control
``benchmark``  models beside references and controls, in every setting, on one board

Each name is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
