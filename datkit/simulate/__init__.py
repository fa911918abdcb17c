"""The simulated multi-centre cohort: patients, cameras, readers and files, with known truth.

``patient/``    a standard head (``head.yaml``), one patient's form of it, and their uptake
``camera/``     centres (``centres.yaml``) and their protocols, and the image that a camera makes
``readers``     what the exam is called
``exam``        one exam, from a seed and an index alone
``cohort``      whole sets on disk; ``set_folder`` is one of them while it is made
``lab``         truth for lessons and benchmarks
``template``    builds the template that scans are registered to
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
