"""The Python and the packages of the challenge's runtime, as ``runtime.toml`` lists them."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

__all__ = ["PACKAGES", "PYTHON", "hidden_modules", "is_in_runtime", "version_differences"]

_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
PYTHON: str = _TABLE["python"]
# {distribution: {"imports": its import names, "version": where one was published}}
PACKAGES: dict[str, dict[str, str]] = _TABLE["packages"]
_COMPANIONS = frozenset(_TABLE["companions"].split())
_GONE, _STILL_THERE, _NEWER = (
    frozenset(_TABLE["standard_library"][kind].split()) for kind in ("gone", "still_there", "newer")
)
_MODULES = (sys.stdlib_module_names | _STILL_THERE) - _GONE - _NEWER
_MODULES |= _COMPANIONS.union(*(one["imports"].split() for one in PACKAGES.values()))


def is_in_runtime(module: str) -> bool:
    """Whether `import module` works in the challenge's runtime, by the module's top-level name.

    Examples
    --------
    >>> is_in_runtime("scipy.ndimage"), is_in_runtime("json"), is_in_runtime("nilearn.plotting")
    (True, True, False)
    """
    return module.partition(".")[0] in _MODULES


def hidden_modules(packages: Iterable[str] = PACKAGES) -> tuple[str, ...]:
    """Return the importable top-level names on this machine that a runtime of `packages` lacks.

    What the packages themselves need *here* stays visible, since versions differ: scikit-learn 1.9
    imports narwhals, 1.8 does not. Standard modules that Python 3.12 dropped are hidden as well,
    and so is datkit itself: a submission must bring its own.

    Parameters
    ----------
    packages : iterable of str
        Distribution names; by default the official runtime's.

    Examples
    --------
    >>> "numpy" in hidden_modules(), "pytest" in hidden_modules()
    (False, True)
    """
    present = _with_requirements(packages)
    companions = _COMPANIONS if packages is PACKAGES else frozenset()
    absent = {
        module
        for module, owners in _installed().items()
        if module not in companions and present.isdisjoint(map(_normal, owners))
    }
    return tuple(sorted(absent | (_GONE & sys.stdlib_module_names) | {"datkit"}))


def version_differences() -> dict[str, tuple[str, str]]:
    """Return {distribution: (version here, version in the runtime)} where the two differ."""
    here = {_normal(one.name): one.version for one in metadata.distributions()}
    pairs = {name: (here.get(_normal(name)), one.get("version")) for name, one in PACKAGES.items()}
    return {
        name: (found, there)
        for name, (found, there) in pairs.items()
        if found and there and found.partition("+")[0] != there
    }


@cache
def _installed() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()  # a third of a second


def _with_requirements(packages: Iterable[str]) -> set[str]:
    """Return the normalised names of `packages` and of all that they require on this machine."""
    present: set[str] = set()
    queue = [_normal(name) for name in packages]
    while queue:
        name = queue.pop()
        if name not in present:
            present.add(name)
            with suppress(metadata.PackageNotFoundError):  # absent, it requires nothing here
                lines = (line for line in metadata.requires(name) or () if "extra ==" not in line)
                queue += [_normal(re.findall(r"[\w.-]+", one)[0]) for one in lines]
    return present


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()  # PEP 503
