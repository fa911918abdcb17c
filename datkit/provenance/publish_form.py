"""What only people can say about a model that is published: ``publish.yaml``, without gaps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from datkit.data.manifest import Model
from datkit.data.manifest_reader import read_checked
from datkit.errors import UsageError

__all__ = ["Form", "card_head", "form_template", "load_form"]

# Of those that Hugging Face knows by name: https://huggingface.co/docs/hub/repositories-licenses
LICENCES = ("agpl-3.0", "apache-2.0", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-4.0",
            "cc0-1.0", "gpl-3.0", "lgpl-3.0", "mit", "mpl-2.0")  # fmt: skip
Said = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Form(Model):
    """The required fields; each one's description is the question that it answers."""

    title: Said = Field(description="What is the model called?")
    authors: list[Said] = Field(min_length=1, description="Who made it, one name an entry?")
    contact: Said = Field(description="Where does one write about faults?")
    licence: Said = Field(description="The licence of the weights, as SPDX writes it, such as MIT?")
    intended_use: Said = Field(description="For whom is it, on which exams, for which question?")
    out_of_scope: Said = Field(description="For what must it not be used?")
    limitations: Said = Field(description="Where does it fail, and what was never tried?")


def form_template() -> str:
    """Return an empty ``publish.yaml``: each question above its field."""
    lines = []
    for name, field in Form.model_fields.items():
        lines += [f"# {field.description}", f"{name}: []" if name == "authors" else f'{name}: ""']
    return "\n".join([*lines, ""])


def load_form(path: str | os.PathLike[str]) -> Form:
    """Read a ``publish.yaml``.

    Raises
    ------
    UsageError
        If there is none, or fields are empty, absent or unknown, which are all listed.
    """
    return read_checked(Path(path), Form, UsageError, "what people say about a model")


def card_head(form: Form) -> str:
    """Return the front matter of a model card, as Hugging Face reads it."""
    known = form.licence.lower() in LICENCES
    named = {"license": form.licence.lower()} if known else {
        "license": "other", "license_name": form.licence}  # fmt: skip
    head = named | {"tags": ["medical"]}
    return f"---\n{yaml.safe_dump(head, allow_unicode=True)}---\n"
