"""Get the predictions of a submission: run its `main.py`, or take its table.

Codabench runs ``python3 ingest.py /app/input_data /app/ingested_program /app/output``. A `main.py`
finds the exams in ``data/``, as in the challenge, and writes `submission.csv` beside it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TABLE = "submission.csv"


def main(data: str, program: str, output: str) -> int:
    """Put the predictions into a folder, and return the exit code."""
    source, code = Path(program), 0
    with tempfile.TemporaryDirectory() as work:
        if (source / "main.py").is_file():
            source = Path(shutil.copytree(source, Path(work, "run")))
            (source / TABLE).unlink() if (source / TABLE).exists() else None
            (source / "data").symlink_to(data)
            code = subprocess.call([sys.executable, "main.py"], cwd=source)
        if not (source / TABLE).is_file():
            sys.exit(f"Expected main.py or {TABLE} at the root of the zip, found no {TABLE}.")
        shutil.copyfile(source / TABLE, Path(output, TABLE))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
