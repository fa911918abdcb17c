"""The benchmark of the projector: our times, on a phantom of a few voxels."""

from __future__ import annotations

import numpy as np

from benchmarks.projector import __main__ as script


def test_ours_is_timed_and_agrees_with_itself(monkeypatch):
    for name, value in (("N", 24), ("NZ", 8), ("VIEWS", 12)):
        monkeypatch.setattr(script, name, value)
    counts = np.ones((12, 24, 8), np.float32)
    results = script.run_datkit(counts, "cpu")
    assert {"project with blur", "OSEM without blur", "FBP"} <= results.keys()
    seconds, image = results["OSEM with blur"]
    assert seconds > 0 and image.shape == (24, 24, 8)
    assert script.agreement(image, image) > 0.999999
