"""Patients: a standard head, one person's form of it, and the uptake that their disease leaves.

``head``         the grid, solids on it, and what surrounds the brain (``head.yaml``)
``anatomy``      the standard head: tissues, regions, attenuation
``head_shape``   one person's form of it
``person``       who they are, and how much they bind
``loss``         what disease, drugs and infarcts leave of it (``loss.yaml``)
``uptake``       painted into the standard head
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
