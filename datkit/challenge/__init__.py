"""A challenge of one's own, described in one file: a class that competes on shared data.

``description``  what ``challenge.yaml`` must say, and reading it; ``examples/`` has three
``bias``         its design as the form of the BIAS statement: ``bias.toml``
``classroom``    the folder of a class's challenge, made from a cohort; ``controls``
``record``       all that happened, hash-chained
``marking``      submissions taken in, checked, run in the sandbox
``ranking``      the board
``server``       all of it in a browser, for a class on one network
``codabench``    checking a bundle of Codabench, and exporting one
``planner``      how many exams, centres and readers it takes for the best to come out first

Each name is loaded on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
