"""Rows in the order of the folder."""

from pathlib import Path

names = sorted(path.name.removesuffix(".nii.gz") for path in Path("data/niftis").iterdir())
Path("submission.csv").write_text("uid,is_pathologic\n" + "".join(f"{n},0.5\n" for n in names))
