"""Running a submission as the challenge's platform would, in a sandbox.

``run``         all of it, and the report
``runner``      one run: fresh ``folders``, behind a ``sandbox``, by a ``process`` with ``launcher``
                and ``hooks`` inside; ``assess`` has the rules that look at it
``scenarios``   the rules that look at several runs, each under other ``conditions``
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
