"""datkit: learn and benchmark dopamine-transporter (DaT) SPECT.

For education and research, not for diagnosis. ``import datkit`` is cheap: each name of
``__init__.pyi`` is loaded when it is first used.
"""

import lazy_loader

__version__ = "0.2.0"  #: of the package that is installed
NOT_CLINICAL = "For education and research, not for diagnosis."  #: on every page and report

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["NOT_CLINICAL", "__version__"]
