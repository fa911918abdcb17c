"""Print environment.yml, made from pyproject.toml: `make environment.yml` writes it.

The file holds no versions of its own: Python's range and the extras come from pyproject.toml, every
pin from constraints.txt, so conda users get what CI tests.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

COPYLEFT = ("jpeg",)  # extras that bring GPL packages: nobody gets those without asking
REPOSITORY = Path(__file__).resolve().parents[1]


def environment(pyproject: str) -> str:
    """Return the text of environment.yml for the text of a pyproject.toml."""
    project = tomllib.loads(pyproject)["project"]
    extras = ",".join(sorted({*project["optional-dependencies"]} - {*COPYLEFT}))
    return f"""\
# Made from pyproject.toml by .ci/environment.py: change that file, then `make environment.yml`.
# Left out, since they bring GPL packages: the extras {", ".join(COPYLEFT)}.
name: {project["name"]}
channels:
  - conda-forge
dependencies:
  - python{project["requires-python"]}
  - pip
  - pip:
      - -c constraints.txt
      - -e .[{extras}]
"""


if __name__ == "__main__":
    print(environment((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")), end="")
