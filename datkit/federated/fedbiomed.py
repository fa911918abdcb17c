"""A training plan for Fed-BioMed 6.4.1, how to run it, and hospitals' folders that it reads.

The plan stands in ``fed_biomed/plan.py.txt``. It holds its network, datkit's `CompactCNN`, so that
no node needs datkit; a test holds both to the same output.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from datkit.errors import UsageError
from datkit.files import replace_atomically, write_json
from datkit.prepare.cohort import PreparedCohort

__all__ = ["export_fed_biomed"]


def export_fed_biomed(
    folder: str | os.PathLike[str], prepared: PreparedCohort | None = None
) -> list[Path]:
    """Write a training plan for Fed-BioMed 6.4.1, and a folder for each hospital's labelled exams.

    Parameters
    ----------
    folder : path
        New or empty. It gets ``plan.py``, ``experiment.py`` and ``README.md``.
    prepared : PreparedCohort, optional
        Exams for ``hospitals/NAME``, by the column `centre`, ``hospitals/all`` where
        there is none: ``boxes.npy``, float32 (n, 24, 16, 16), see
        :func:`datkit.models.crop_striata`; ``labels.csv``; ``dataset.json`` for the node.

    Returns
    -------
    list of Path
        The files and hospitals' folders.

    Raises
    ------
    UsageError
        If the folder holds something.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: Expected a new or an empty folder, found files; name another.")
    written = []
    for template in sorted(Path(__file__).with_name("fed_biomed").glob("*.txt")):
        written.append(folder / template.stem)
        with replace_atomically(written[-1]) as part:
            part.write_bytes(template.read_bytes())
    return written + (_write_hospitals(folder / "hospitals", prepared) if prepared else [])


def _write_hospitals(folder: Path, prepared: PreparedCohort) -> list[Path]:
    import numpy as np

    from datkit.federated.training import exams_by_centre

    written = []
    for centre, rows, boxes in exams_by_centre(prepared):
        place = folder / quote(centre, safe="").replace(".", "%2E")  # "..", "a/b"
        written.append(place)
        place.mkdir(parents=True)
        np.save(place / "boxes.npy", boxes)
        rows["is_pathologic"].to_csv(place / "labels.csv")
        told = {"name": place.name, "description": "DaT SPECT, striatal boxes", "tags": "dat-spect"}
        write_json(
            place / "dataset.json", told | {"data_type": "custom", "path": str(place.absolute())}
        )
    return written
