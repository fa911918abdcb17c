"""The simulated multi-centre cohort: patients, cameras, readers and files, with known truth.

``patient/``  a standard head, one patient's form of it, and their uptake painted into it
``camera/``   centres and their protocols, and the image that a rotating camera makes
``readers``   what the exam is called
``exam``      one exam, from a seed and an index alone
``cohort``    whole sets on disk (``set_folder``)
``template``  builds the template that scans are registered to; ``lab``, what lessons need
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
