"""Running a submission as the challenge's platform would, in a sandbox.

``run``         one run: fresh ``folders``, behind a ``sandbox``, by a ``process`` with
                ``launcher`` and ``hooks`` inside, assessed by ``assess``; ``run_report``
                holds what it showed
``scenarios``   several runs, each under another condition: ``mount``, ``hostile_exams``
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
