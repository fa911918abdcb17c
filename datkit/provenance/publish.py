"""A trained model as a folder for everyone: weights, card, licence, data, crate, and its own check.

What may not leave the house is refused, all at once: pickles and other files that prediction does
not need, voxels, tables, and any uid of the exams that the model was trained on.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from subprocess import check_output
from tempfile import TemporaryDirectory
from typing import Any

from datkit.data.cohort import Cohort
from datkit.data.croissant import croissant_of_cohort
from datkit.errors import DatkitError, SubmissionError
from datkit.files import data_folder, read_sealed, sha256_file, write_json
from datkit.inspect.imports import imports_of
from datkit.inspect.runtime import is_in_runtime
from datkit.models.store import WEIGHTS
from datkit.problems import Problem
from datkit.provenance.publish_form import Form, card_head, load_form
from datkit.provenance.record import RECORD, read_record, texts_in
from datkit.submit.pack import collect_weights, model_folders, pack_submission

__all__ = ["publish"]

# What stands before what is of one person.
PERSONAL = re.compile(
    r"(?i)uids?|(exam_?(id|uid|name)|(participant|patient|subject)(_?(id|uid|name))?)s?"
)
WHOLE = "a sound model and record"
LONG = 6  # digits of a number that is no count
CARD = tomllib.loads(Path(__file__).with_name("card.toml").read_text(encoding="utf-8"))


def publish(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    form: str | os.PathLike[str],
    *,
    cohort: Cohort | None = None,
    prior: float | None = None,
) -> tuple[str, ...]:
    """Write a trained model into a new folder that anyone may have; return the names of its files.

    Parameters
    ----------
    model : path
        A model's folder, or one of several, as :func:`datkit.submit.pack_submission` takes it. Its
        ``prior.json`` may lie in it, or the same in each of several.
    out : path
        The folder to write, which is empty or not there.
    form : path
        The ``publish.yaml``.
    cohort : Cohort, optional
        The exams that the model was trained on, to be described as Croissant.
    prior : float, optional
        The training prevalence, in place of ``prior.json``.

    Raises
    ------
    SubmissionError
        If anything must not or cannot be published; every reason is listed, nothing is written.
    CohortError
        If the cohort cannot be described.
    """
    model, out = Path(model), Path(out)
    said, problems = _read_form(Path(form))
    SubmissionError.raise_any([*problems, *_problems(model, out, cohort)], where=model)
    assert said
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=".part-") as scratch:
        folder, packed = Path(scratch) / "folder", Path(scratch) / "packed.zip"
        one = prior or any((model / name).is_file() for name in ("model.json", "prior.json"))
        parts = [model] if one else model_folders(model)
        pack_submission(parts, packed, prior=prior, licence=said.licence)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(folder)
        (folder / "README.md").write_text(_card(said, model), encoding="utf-8")
        (folder / "check.py").write_bytes(Path(__file__).with_name("published.py").read_bytes())
        if cohort:
            write_json(folder / "croissant.json", croissant_of_cohort(cohort))
        loaded = check_output([sys.executable, "check.py", "--write"], cwd=folder, text=True)
        (folder / "requirements.txt").write_text(_requirements(folder, {*loaded.split()}))
        names = _write_crate(folder, said)
        if out.is_dir():
            out.rmdir()
        folder.rename(out)
    return names


def _read_form(path: Path) -> tuple[Form | None, list[Problem]]:
    try:
        return load_form(path), []
    except DatkitError as error:
        remedy = "Write one by datkit publish --init."
        told = Problem("form", f"{path}", "a form", f"{error}", remedy)
        return None, [*error.problems] or [told]


def _problems(model: Path, out: Path, cohort: Cohort | None) -> Iterator[Problem]:
    """Yield what of a model and of a place keeps them from being published."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        yield Problem("place", f"{out}", "an empty folder or none", "another", "Choose another.")
    if find_spec("rocrate") is None:
        remedy = "Install it: pip install 'dat-spect-kit[provenance]'."
        yield Problem("rocrate", sys.executable, "rocrate, which writes the crate", "none", remedy)
    if not model.is_dir():
        yield Problem("model", f"{model}", "a model's folder", "none", "Train one first.")
        return
    try:
        weights, left_out = collect_weights([model])
        named, private = {*_named(model)}, {*_private_uids(model)}
    except (DatkitError, ValueError, TypeError) as error:
        yield Problem("model", f"{model}", WHOLE, f"{error}", "Train it again.")
        return
    for name in [*left_out, *sorted(weights.keys() - named)]:
        found = "a file that prediction does not need: a pickle, voxels, a table, or a note"
        yield Problem("file", name, "weights and their records alone", found, "Take it away.")
    known = {*map(str, cohort.uids if cohort else ()), *private}
    texts = {name: its for name, its in weights.items() if name.endswith((".json", ".safetensors"))}
    for name, content in texts.items():
        if uids := _uids_in(name, content, known):
            found = f"what looks like exams' names under {uids}"
            yield Problem("uid", name, "nothing of a single exam", found, "Take them out.")


def _named(model: Path) -> Iterator[str]:
    """Yield the members that belong to a model: what its ``model.json`` names by sha256."""
    for folder in model_folders(model):
        told = read_sealed(folder / "model.json", needed=False)
        old = [WEIGHTS] if "weights" in told else []  # all that version 0.2 named
        for name in ("model.json", "prior.json", RECORD, *told.get("files", ()), *old):
            yield f"weights/{(folder / name).relative_to(model).as_posix()}"


def _private_uids(model: Path) -> Iterator[str]:
    """Yield the uids of the exams on record, where this machine has the list."""
    for path in model.rglob(RECORD):
        for one in read_record(path).inputs:
            with suppress(FileNotFoundError):
                if one.exam_list:
                    yield from read_sealed(data_folder() / "exams" / f"{one.exam_list}.json")


def _uids_in(name: str, content: bytes, known: set[str]) -> list[str]:
    """Return keys such as "uids", and how many known uids stand in the texts of a JSON.

    Also within a text, as in ``folder/UID.nii.gz``; a short number only where it stands alone.
    """
    if name.endswith(".safetensors"):  # its head follows the length of that
        content = content[8 : 8 + int.from_bytes(content[:8], "little")]
    texts = {content.decode(errors="replace")}
    with suppress(ValueError, RecursionError):
        texts = {*texts_in(json.loads(content))}
    told, met = "\n".join(texts).casefold(), 0
    for uid in (uid for uid in map(str.casefold, known) if uid in told):
        edge = r"[\w.-]" if uid.isdecimal() and len(uid) < LONG else r"[^\W_]"
        met += re.search(rf"(?<!{edge}){re.escape(uid)}(?!{edge})", told) is not None
    return sorted(filter(PERSONAL.fullmatch, texts)) + [f"{met} of the training exams"] * (met > 0)


def _card(form: Form, model: Path) -> str:
    """Return the model card: what the form, the models and their records answer, and what not."""
    facts = _facts(model) | form.model_dump() | {"authors": ", ".join(form.authors)}
    lines = [card_head(form), f"# {form.title}\n", CARD["before"]]
    for section in CARD["section"]:
        lines.append(f"## {section['title']}\n")
        for item in section["item"]:
            said = "*Open: nothing on record answers this.*"
            with suppress(KeyError):
                said = item["say"].format_map(facts)
            lines.append(f"**{item['ask']}** ({item['of']}) {said}\n")
    return "\n".join([*lines, ""])


def _facts(model: Path) -> dict[str, Any]:
    """Return what the stored models say of themselves, each fact once."""
    facts: dict[str, list[object]] = {}
    for folder in model_folders(model):
        own = read_sealed(folder / "model.json", needed=False)
        own |= own.get("card", {})
        scores = [own.get("out_of_fold") or {}, *own.get("tested", [])]
        own["scores"] = "; ".join(text for one in scores for text in one.get("said", []))
        own["versions"] = ", ".join(map(" ".join, own.get("versions", {}).items()))
        with suppress(OSError, ValueError):
            told = read_record(folder / RECORD)
            own["readers"] = len({who for one in told.inputs for _, who in one.exams} - {"unknown"})
            own |= {"when": told.when, "code": told.versions["code"]}
        for name in (name for name, value in own.items() if value):
            facts.setdefault(name, []).append(own[name])
    return {name: "; ".join(dict.fromkeys(map(str, its))) for name, its in facts.items()}


def _requirements(folder: Path, loaded: set[str]) -> str:
    """Name what the folder's code imports and prediction loaded, in the version that is here."""
    named = {one.top for path in folder.rglob("*.py") for one in imports_of(path.read_bytes())}
    owners = packages_distributions()
    names = {owners[one][0] for one in named & loaded & {*owners} if is_in_runtime(one)}
    return "".join(f"{name}=={version(name).partition('+')[0]}\n" for name in sorted(names))


def _write_crate(folder: Path, form: Form) -> tuple[str, ...]:
    """Describe every file by its sha256 in ``ro-crate-metadata.json``, which check.py reads."""
    from rocrate.rocrate import ROCrate

    crate = ROCrate()
    crate.name, crate.description, crate.license = form.title, form.intended_use, form.licence
    crate.root_dataset["author"] = form.authors
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))
             if path.is_file()}  # fmt: skip
    for name, path in files.items():
        crate.add_file(path, name, properties={"sha256": sha256_file(path)})
    crate.metadata.write(folder)
    return (*files, "ro-crate-metadata.json")
