"""What reading a submission shows, without running any of it: every problem at once.

``submission``    the zip, opened and verified once, and the check of all that is in it
``names``         what the members' names tell: where main.py lies, what does not belong there
``content``       what a member's bytes tell: pickles, weights, tables of exams
``source``        one source and its syntax tree, which the rules on code read: ``imports``,
                  ``assets``, ``network``, ``portability``, ``logging``
``runtime``       what the challenge's platform has
``findings``      the table and the page that show the problems
``page``          every rule of the kit, and the book's page of them

A rule is one decorated function: see :mod:`datkit.rules`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
