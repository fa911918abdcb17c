"""Readers: campaigns of reading, agreement between readers, regions that they drew.

``campaign``   what ``campaign.yaml`` must say
``pages``      a page for each reader, and the organiser's key
``merge``      what readers answered, checked and made one
``agreement``  coefficients of agreement
``regions``    masks on exactly their exam's grid; ``segmentation`` as DICOM, ``draw`` in a page
``overlap``    how far regions agree, and what each does to the binding ratio

Each name is loaded on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
