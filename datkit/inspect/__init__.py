"""What reading a submission shows, without running any of it: every problem at once.

``submission``    all of it, member by member
``rules``         every fault that can be found: code, severity, title, remedy
``zip_file``      whether the zip is whole and safe to unpack
``content``       what does not belong there; ``weight_files``, what weights are made of
``python``        one source, on the syntax tree of ``source`` with ``imports``: ``portability``,
                  ``network``, ``logging``, ``assets``
``runtime``       what the challenge's platform has
``findings``      the table and the page that show the problems
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
