"""Cameras: centres and their protocols, projection, noise and reconstruction.

``centres``          the kit's centres and those that a file adds (``centres.yaml``)
``protocols``        what a protocol is made of, checked when read (``collimators.yaml``)
``acquisition``      every parameter of one exam, drawn before any voxel
``imaging``          place, project, count, reconstruct, store
``projector``        a rotating camera and its transpose
``reconstruction``   filtered back-projection and OSEM
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
