"""Pack trained models into a submission.zip: the same inputs give the same bytes.

main.py               what the platform runs
datkit/               the part of datkit that prediction needs
weights/              the models and prior.json
manifest.json, LICENSE  the sha256 of every other file, each model's settings, the licences
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datkit.errors import SubmissionError, UsageError
from datkit.files import read_sealed, replace_atomically, sha256_file, write_sealed
from datkit.inspect.content import SAFE_SUFFIXES
from datkit.inspect.imports import imports_of
from datkit.inspect.submission import check_submission
from datkit.problems import list_some

__all__ = ["PackReport", "collect_weights", "inference_modules", "pack_submission", "write_prior",
           "write_zip"]  # fmt: skip

PACKAGE = Path(__file__).resolve().parents[1]
MAIN = Path(__file__).resolve().parent / "template" / "main.py"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_REGULAR_0644 = 0o100644 << 16

Stored = dict[str, dict[str, Any]]  # {folder in the zip: the model.json in it}


@dataclass(frozen=True)
class PackReport:
    """What was packed.

    Attributes
    ----------
    path : str
    size : int
        Bytes.
    sha256 : str
    prior : float
        The probability that an unreadable exam gets.
    members : tuple of str
        Every file of the zip, sorted.
    left_out : tuple of str
        Files beside the weights that prediction does not need.
    """

    path: str
    size: int
    sha256: str
    prior: float
    members: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the fields as a plain dictionary, for JSON."""
        return asdict(self)


def write_prior(models_folder: str | os.PathLike[str], labels: Iterable[float]) -> float:
    """Store the share of abnormal exams among the training labels beside the models; return it.

    A submission answers with it where an exam cannot be read. Unknown labels (NaN) do not count.

    Raises
    ------
    UsageError
        If the known labels are not 0 and 1, both present.
    """
    known = [float(label) for label in labels if label == label]
    if set(known) != {0.0, 1.0}:
        raise UsageError(
            "Expected labels 0 (normal) and 1 (abnormal), both present, found "
            f"{sorted(set(known))}. Give the labels of all training exams."
        )
    prior = sum(known) / len(known)
    write_sealed(Path(models_folder) / "prior.json", {"is_pathologic": prior, "n": len(known)})
    return prior


def pack_submission(
    models: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out_zip: str | os.PathLike[str] = "submission.zip",
    *,
    prior: float | None = None,
    licence: str = "MIT",
) -> PackReport:
    """Pack `main.py`, the inference part of datkit and trained models into a zip, and check it.

    Members are stored, sorted and dated 1980-01-01, so equal inputs give equal bytes on every
    machine. The zip is moved into place only if :func:`check_submission` finds no problem.

    Parameters
    ----------
    models : path or sequence of paths
        One model as :func:`datkit.models.save_model` writes it, or a folder of several, or several
        such folders. main.py averages the models' logits. Beside them lies ``prior.json`` (see
        :func:`write_prior`), the same in each folder.
    out_zip : path
        Where the zip goes.
    prior : float, optional
        The training prevalence, between 0 and 1, in place of ``prior.json``.
    licence : str
        Of the weights, for the manifest; datkit's own code is MIT.

    Raises
    ------
    UsageError
        If a folder does not exist, or two of the same name hold models.
    ModelError
        If a model cannot be loaded.
    SubmissionError
        If there is no model, no usable prior, a model of one's own stores itself in other files
        than a submission may hold, or the finished zip has problems.
    """
    folders = _check_folders([models] if isinstance(models, str | os.PathLike) else models)
    weights, left_out = collect_weights(folders)
    prior = _read_priors(folders) if prior is None else _check_prior(prior, "prior")
    texts = {name.removesuffix("/model.json"): text for name, text in weights.items()}
    stored = {name: json.loads(text) for name, text in texts.items() if name not in weights}
    outside, licences = _models_outside(stored), (PACKAGE / "LICENSE", PACKAGE.parent / "LICENSE")
    members = {
        "main.py": MAIN.read_bytes(),
        "LICENSE": next(filter(Path.is_file, licences)).read_bytes(),  # installed, or a checkout
        "weights/prior.json": json.dumps({"is_pathologic": prior}).encode(),
        **{name: path.read_bytes() for name, path in outside.items()},
        **{_name(path): path.read_bytes() for path in _kit_files(outside.values())},
        **weights,
    }
    members["manifest.json"] = _manifest(members, stored, licence)
    with replace_atomically(out_zip) as part:
        write_zip(part, members)
        if problems := check_submission(part):
            raise SubmissionError.of(problems, where=out_zip)
    out, names = Path(out_zip), tuple(sorted(members))
    return PackReport(str(out), out.stat().st_size, sha256_file(out), prior, names, left_out)


def inference_modules(models_outside: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Return the files of datkit that the shipped `main.py` can reach through imports, sorted.

    Imports are followed wherever they stand, in functions too, and from a lazy room to the module
    that its stub names. A module that is named in a string counts as imported, and so does every
    module of ``datkit.models``: a stored model names its own.
    """
    sources, found = _sources(), set((PACKAGE / "models").glob("*.py"))
    queue = [MAIN, *found, *models_outside]
    while queue:
        names = _names_in(queue.pop().read_bytes())
        reached = {sources[name] for name in names if name in sources}
        folders = {folder for path in reached for folder in path.parents}
        reached |= {folder / "__init__.py" for folder in folders if folder.is_relative_to(PACKAGE)}
        queue += reached - found
        found |= reached
    return tuple(sorted(found))


def _sources() -> dict[str, Path]:
    """Return {dotted name: file} of every module, and of every name that a room loads lazily."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        dotted = _name(path.with_suffix("")).replace("/", ".")
        found[dotted.removesuffix(".__init__")] = path
    for stub in PACKAGE.rglob("__init__.pyi"):
        room = _name(stub.parent).replace("/", ".")
        for one in imports_of(stub.read_bytes()):
            found |= {f"{room}.{name}": found[f"{room}.{one.module}"] for name in one.names}
    return found


def _names_in(source: bytes) -> Iterator[str]:
    """Yield the dotted names that a source imports, and its texts, of which any may name one."""
    for one in imports_of(source):
        yield from (one.module, *(f"{one.module}.{name}" for name in one.names))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _models_outside(stored: Stored) -> dict[str, Path]:
    """Return {member: file} of the modules outside datkit that hold the class of a packed model."""
    from datkit.models.own import FILES
    from datkit.models.registry import KINDS

    kinds = {model["kind"] for model in stored.values()}
    try:
        files = {f"datkit/models/{kind}.py": Path(inspect.getfile(KINDS[kind])) for kind in kinds}
    except (OSError, TypeError) as error:
        expected = "Expected each model's class in a file, found one of a notebook's cell"
        raise SubmissionError(f"{expected} ({error}); put the class into a file.") from error
    outside = {name: path for name, path in files.items() if not path.is_relative_to(PACKAGE)}
    own = [one["sha256"] for one in stored.values() if one["kind"] == "own"]
    return outside | {f"datkit/models/own/{one}.py": Path(str(FILES[one].__file__)) for one in own}


def _kit_files(models_outside: Iterable[Path]) -> Iterator[Path]:
    for module in inference_modules(models_outside):
        yield module
        if (stub := module.with_suffix(".pyi")).is_file():
            yield stub  # the lazy names of a room
    for path in (PACKAGE / "resources").glob("*"):  # no weights but the model's own
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name[0] != ".":
            yield path


def _check_folders(models: Iterable[str | os.PathLike[str]]) -> list[Path]:
    folders = [Path(folder) for folder in models]
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"There is no folder {folder}. Train a model and save it there first.")
    names = {folder.resolve().name for folder in folders}
    if len(names) < len(folders) or not names:
        raise UsageError(
            f"Expected one folder of models, or several of different names, found {sorted(names)} "
            f"for {len(folders)}. Rename them: the names become those of the folders in the zip."
        )
    return folders


def collect_weights(folders: Sequence[Path]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return {member: bytes} of all weights, and what is left out; of several each has a folder.

    Raises
    ------
    ModelError
        If a model cannot be loaded.
    SubmissionError
        If there is no model, or one of one's own stores itself in other files than a submission
        may hold.
    """
    weights: dict[str, bytes] = {}
    left_out: list[str] = []
    for folder in folders:
        models = {*_find_models(folder)}
        prefix = "" if len(folders) == 1 else f"{folder.resolve().name}/"
        for path in sorted(filter(Path.is_file, {*folder.rglob("*")} - {folder / "prior.json"})):
            name, inside = prefix + _name(path, folder), not models.isdisjoint(path.parents)
            if inside and path.suffix in SAFE_SUFFIXES and path.name[0] != ".":
                weights[f"weights/{name}"] = path.read_bytes()
            else:
                left_out.append(name)
    if lost := [name for name in left_out if "own" in Path(name).parts[:-1]]:
        raise SubmissionError(
            f"Expected save(folder) of your model to write {', '.join(SAFE_SUFFIXES)}, which a "
            f"submission may hold, found {list_some(lost)}. Write such files, and train again."
        )
    return weights, tuple(left_out)


def model_folders(folder: Path) -> list[Path]:
    """Return the folders of the models in `folder`: itself, or its subfolders in their order."""
    single = (folder / "model.json").is_file()
    return [folder] if single else sorted(path.parent for path in folder.glob("*/model.json"))


def _find_models(folder: Path) -> list[Path]:
    """Return the folders of the models in `folder`, of which there are some; each one loads."""
    from datkit.models.store import load_model

    models = model_folders(folder)
    if not models:
        raise SubmissionError(
            f"{folder}: Expected a trained model (model.json) in it or in its subfolders, found "
            "none. Save one there with datkit.models.save_model."
        )
    for model in models:
        load_model(model)
    return models


def _read_priors(folders: list[Path]) -> float:
    priors = set()
    for path in (folder / "prior.json" for folder in folders):
        try:
            value = read_sealed(path, needed=False)["is_pathologic"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            value = getattr(error, "strerror", None) or error
        priors.add(_check_prior(value, path))
    if len(priors) > 1:
        raise SubmissionError(
            f"Expected the same training prevalence in every prior.json, found {sorted(priors)}. "
            "Give prior=…, the share of abnormal exams among all that you trained on."
        )
    return priors.pop()


def _check_prior(value: object, where: object) -> float:
    if not isinstance(value, int | float) or not 0 < value < 1:
        raise SubmissionError(
            f"{where}: Expected a training prevalence between 0 and 1, found {value!r}. Write the "
            "share of abnormal exams with datkit.submit.write_prior, or give prior=…"
        )
    return float(value)


def _manifest(members: dict[str, bytes], stored: Stored, licence: str) -> bytes:
    """Return what was packed as JSON: hashes, each model's kind and settings, licences."""
    from datkit import __version__

    told = {name: {"kind": one["kind"], "settings": one["params"]} for name, one in stored.items()}
    content = {
        "format": 1,
        "datkit": __version__,
        "licences": {"main.py, datkit/": "MIT", "weights/": licence},
        "models": told,
        "sha256": {name: hashlib.sha256(member).hexdigest() for name, member in members.items()},
    }
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def _name(path: Path, root: Path = PACKAGE.parent) -> str:
    return path.relative_to(root).as_posix()


def write_zip(path: Path, members: Mapping[str, bytes | Path]) -> None:
    """Write a zip of {name: content, or the file that has it}: the same members, the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3  # Unix, whatever packed it: permissions are read from there
            info.external_attr = _REGULAR_0644
            content = members[name]
            archive.writestr(info, content if isinstance(content, bytes) else content.read_bytes())
