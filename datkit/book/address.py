"""Where the project lies in public: one address, of which all others are made.

``pyproject.toml`` holds it, ``[project.urls]``, and whether anything lies there yet,
``[tool.datkit]``. Until it does, nothing that a reader sees leads to it: no button, no link, no
installation.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ADDRESS", "Address", "read_address"]

STUDENT_BRANCH = "student"  # main with student notebooks: .github/workflows/book.yml
LICENCE = "MIT licence"


@dataclass(frozen=True)
class Address:
    """Of the repository on GitHub, ``https://github.com/OWNER/NAME``."""

    repository: str
    is_public: bool

    @property
    def book(self) -> str:
        """Where GitHub Pages shows the book.

        Examples
        --------
        >>> Address("https://github.com/someone/kit", is_public=True).book
        'https://someone.github.io/kit'
        """
        owner, name = self.repository.split("/")[-2:]
        return f"https://{owner}.github.io/{name}"

    def link(self, text: str, page: str) -> str:
        """Return a link in Markdown to a page of the book, the mere text while there is none."""
        return f"[{text}]({self.book}/{page})" if self.is_public else text

    def complete(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return the book's ``_config.yml`` with its footer and, once public, launch buttons.

        jupyter-book's buttons name the page's notebook on one branch; there it is a student's.
        """
        licence, mistake, buttons = LICENCE, "", {}
        if self.is_public:
            licence = f'<a href="{self.repository}/blob/main/LICENSE">{LICENCE}</a>'
            report = f"{self.repository}/issues/new/choose"
            mistake = f' Found a mistake? <a href="{report}">Tell us</a>.'
            buttons = {
                "notebook_interface": "jupyterlab",
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
            }
        footer = config["html"]["extra_footer"].format(licence=licence, mistake=mistake)
        repository = {"url": self.repository, "branch": STUDENT_BRANCH} if buttons else {}
        return config | {
            "html": config["html"] | {"extra_footer": footer},
            "launch_buttons": config["launch_buttons"] | buttons,
            "repository": repository,
        }


def read_address(pyproject: str) -> Address:
    """Return the address that the text of a ``pyproject.toml`` states."""
    stated = tomllib.loads(pyproject)
    return Address(stated["project"]["urls"]["Repository"], stated["tool"]["datkit"]["public"])


#: Of this checkout.
ADDRESS = read_address(
    Path(__file__).resolve().parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
)
