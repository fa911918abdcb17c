"""One exam's file, read with suspicion: NIfTI, DICOM, and archives from strangers.

``scan``     what every reader gives, and the one way to read: any kind of file
``nifti``    NIfTI volumes
``dicom``    DICOM objects
``archive``  zips: what is wrong with one, and unpacking it only if nothing is
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
