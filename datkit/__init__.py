"""datkit: learn and benchmark dopamine-transporter (DaT) SPECT.

For education and research, not for diagnosis. ``import datkit`` is cheap: each name below is loaded
when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from datkit.cohort import Cohort

__version__ = "0.1.0"
NOT_CLINICAL = "For education and research, not for diagnosis."  # on every page and report

_HOME = {
    "Cohort": "datkit.cohort",
    "DatkitError": "datkit.errors",
    "MEASURES": "datkit.measure",
    "Scan": "datkit.scan",
    "load_scan": "datkit.scan",
    "measure_cohort": "datkit.measure",
    "measure_volume": "datkit.measure",
    "prepare_cohort": "datkit.prepare",
    "prepare_scan": "datkit.prepare",
}
__all__ = ["NOT_CLINICAL", "__version__", "open_cohort", *_HOME]


def open_cohort(
    source: str | Path = "simulated",
    *,
    size: str = "small",
    seed: int = 2026,
    require_labels: bool = True,
) -> Cohort:
    """Open a cohort: the simulated one, a folder in the challenge's layout, or other exams.

    Parameters
    ----------
    source : str or Path
        ``"simulated"``; a folder that holds ``niftis/`` and ``train_labels.csv``; a folder of NIfTI
        or DICOM files, a BIDS-style tree or an image collection of PPMI; or a single file.
    size, seed : str, int
        For the simulated cohort, made on first use (`tiny` in a minute, `full` in an hour) and then
        kept. Test sets open by their path: ``cohort.folder / "public_test"``.
    require_labels : bool
        Expect a label for every exam of a folder in the challenge's layout; in the others a label
        that no table gives is NaN.

    Raises
    ------
    UsageError
        If the folder does not exist or the size is unknown.
    CohortError
        If the folder breaks the layout; every problem is listed.
    """
    if str(source) == "simulated":
        return import_module("datkit.simulate.cohort").open_simulated(size, seed)
    return import_module("datkit.cohort").open_path(source, require_labels=require_labels)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'datkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
