"""Pack trained models into a submission.zip: the same inputs give the same bytes.

main.py               what the platform runs
datkit/               the part of datkit that prediction needs
weights/              the models and prior.json
manifest.json, LICENSE  the sha256 of every other file, each model's settings, the licences
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from datkit.errors import SubmissionError, UsageError
from datkit.files import replace_atomically, sha256_file, write_json
from datkit.inspect.imports import imports_of
from datkit.inspect.submission import check_submission
from datkit.inspect.weight_files import SAFE_SUFFIXES

__all__ = ["PackReport", "inference_modules", "pack_submission", "write_prior"]

PACKAGE = Path(__file__).resolve().parents[1]
MAIN = Path(__file__).resolve().parent / "template" / "main.py"
# datkit/__init__.py names the whole kit, but loads nothing before it is asked for.
_FACADE = PACKAGE / "__init__.py"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_REGULAR_0644 = 0o100644 << 16


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

    def to_dict(self) -> dict[str, Any]:
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
    write_json(Path(models_folder) / "prior.json", {"is_pathologic": prior, "n": len(known)})
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
        If there is no model, no usable prior, or the finished zip has problems.
    """
    folders = _check_folders([models] if isinstance(models, str | os.PathLike) else models)
    weights, left_out = _collect_all(folders)
    prior = _one_prior(folders) if prior is None else _check_prior(prior, "the argument prior")
    members = {
        "main.py": MAIN.read_bytes(),
        "LICENSE": _licence_file().read_bytes(),
        "weights/prior.json": json.dumps({"is_pathologic": prior}).encode(),
        **{_name(path, PACKAGE.parent): path.read_bytes() for path in _kit_files()},
        **weights,
    }
    members["manifest.json"] = _manifest(members, licence)
    with replace_atomically(out_zip) as part:
        _write_zip(part, members)
        if problems := check_submission(part):
            raise SubmissionError.of(map(str, problems), where=out_zip)
    out = Path(out_zip)
    names = tuple(sorted(members))
    return PackReport(str(out), out.stat().st_size, sha256_file(out), prior, names, left_out)


def inference_modules() -> tuple[Path, ...]:
    """Return the files of datkit that the shipped `main.py` can reach through imports, sorted.

    Imports are followed wherever they stand, in functions too. A module that is named in a string
    counts as imported: that is how ``load_model`` finds the class of a stored model.
    """
    queue, found = list(_modules_in(MAIN, "")), set()
    while queue:
        module = queue.pop()
        path = _file_of(module)
        if path and path not in found:
            found.add(path)
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            queue.append(module.rpartition(".")[0])
            queue += [] if path == _FACADE else _modules_in(path, package)
    return tuple(sorted(found))


def _modules_in(path: Path, package: str) -> Iterator[str]:
    """Yield the dotted names in a source that may be modules of datkit."""
    source = path.read_bytes()
    for one in imports_of(source, str(path)):
        base = resolve_name("." * one.level + one.module, package) if one.level else one.module
        yield base
        yield from (f"{base}.{name}" for name in one.names)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _file_of(module: str) -> Path | None:
    head, *rest = module.split(".")
    if head != PACKAGE.name or not all(part.isidentifier() for part in rest):
        return None
    base = PACKAGE.joinpath(*rest)
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


def _kit_files() -> list[Path]:
    resources = [path for path in (PACKAGE / "resources").rglob("*") if _is_shipped(path)]
    modules = inference_modules()
    stubs = [path.with_suffix(".pyi") for path in modules]  # the lazy names of a room
    return [*modules, *filter(Path.is_file, stubs), *resources]


def _is_shipped(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".py", ".pyc") and not path.name.startswith(".")


def _check_folders(models: Iterable[str | os.PathLike[str]]) -> list[Path]:
    folders = [Path(folder) for folder in models]
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"There is no folder {folder}. Train a model and save it there first.")
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names) or not names:
        raise UsageError(
            f"Expected one folder of models, or several of different names, found {names}. Rename "
            "them: the names become those of the folders in the zip."
        )
    return folders


def _collect_all(folders: list[Path]) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return {member: bytes} of all weights; of several folders each gets one in the zip."""
    members, left_out = {}, []
    for folder in folders:
        prefix = "" if len(folders) == 1 else f"{folder.resolve().name}/"
        weights, rest = _collect_weights(folder)
        members |= {f"weights/{prefix}{_name(p, folder)}": p.read_bytes() for p in weights}
        left_out += [prefix + name for name in rest]
    return members, tuple(left_out)


def _one_prior(folders: list[Path]) -> float:
    priors = {_read_prior(folder) for folder in folders}
    if len(priors) > 1:
        raise SubmissionError(
            f"Expected the same training prevalence in every prior.json, found {sorted(priors)}. "
            "Give prior=…, the share of abnormal exams among all that you trained on."
        )
    return priors.pop()


def _licence_file() -> Path:
    """Return datkit's licence: inside the installed package, or at the root of a checkout."""
    installed = PACKAGE / "LICENSE"
    return installed if installed.is_file() else PACKAGE.parent / "LICENSE"


def _manifest(members: dict[str, bytes], licence: str) -> bytes:
    """Return what was packed as JSON: hashes, each model's kind and settings, licences."""
    from datkit import __version__

    documents = {
        name: json.loads(content)
        for name, content in sorted(members.items())
        if name.startswith("weights/") and name.endswith("/model.json")
    }
    content = {
        "format": 1,
        "datkit": __version__,
        "licences": {"main.py, datkit/": "MIT", "weights/": licence},
        "models": {
            name.removesuffix("/model.json"): {"kind": one["kind"], "settings": one["params"]}
            for name, one in documents.items()
        },
        "sha256": {name: hashlib.sha256(members[name]).hexdigest() for name in sorted(members)},
    }
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def _collect_weights(folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """Return the files of every model in `folder`, each of which loads, and the rest's names."""
    from datkit.models import load_model

    single = (folder / "model.json").is_file()
    models = [folder] if single else sorted(path.parent for path in folder.glob("*/model.json"))
    if not models:
        raise SubmissionError(
            f"{folder}: Expected a trained model (model.json) in it or in its subfolders, found "
            "none. Save one there with datkit.models.save_model."
        )
    for model in models:
        load_model(model)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    prior = folder / "prior.json"
    weights = [path for path in files if path != prior and _is_weight(path, models)]
    left_out = [_name(path, folder) for path in files if path not in {prior, *weights}]
    return weights, tuple(left_out)


def _is_weight(path: Path, models: list[Path]) -> bool:
    inside = any(model in path.parents for model in models)
    return inside and path.suffix in SAFE_SUFFIXES and not path.name.startswith(".")


def _read_prior(folder: Path) -> float:
    path = folder / "prior.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))["is_pathologic"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SubmissionError(
            f"{path}: Expected the training prevalence, found none that can be read ({error!r}). "
            "Write it with datkit.submit.write_prior, or give prior=…"
        ) from error
    return _check_prior(value, path)


def _check_prior(value: Any, where: object) -> float:
    if not isinstance(value, int | float) or not 0 < value < 1:
        raise SubmissionError(
            f"{where}: Expected a prevalence between 0 and 1, found {value!r}. Use the share of "
            "abnormal exams among the training labels."
        )
    return float(value)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _write_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3  # Unix, whatever packed it: permissions are read from there
            info.external_attr = _REGULAR_0644
            archive.writestr(info, members[name])
