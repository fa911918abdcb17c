"""Patients: a standard head, one person's form of it, and the uptake that their disease leaves."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
