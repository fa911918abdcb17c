"""What the challenge's runtime holds: the one list of its Python and its packages.

Sources: the runtime's own declaration, `runtime/pyproject.toml` and `runtime/uv.lock` of
https://github.com/drivendataorg/competition-sfmn-parkinsons-runtime (commit 976fdce, August 2026),
and the challenge's code submission page,
https://www.drivendata.org/competitions/311/dat-parkinsons-challenge/page/989/.
nilearn and plotly are not there. A version stands where one was published for the final image.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

__all__ = [
    "COMPANIONS",
    "PACKAGES",
    "PYTHON",
    "hidden_modules",
    "is_in_runtime",
    "version_differences",
]

PYTHON = "3.12"

# distribution: (version or None, import names)
PACKAGES: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "SimpleITK": ("2.5.5", ("SimpleITK",)),
    "accelerate": (None, ("accelerate",)),
    "antspyx": ("0.6.3", ("ants",)),
    "attrs": (None, ("attr", "attrs")),
    "certifi": (None, ("certifi",)),
    "cloudpickle": (None, ("cloudpickle",)),
    "dill": (None, ("dill",)),
    "diskcache": (None, ("diskcache",)),
    "einops": (None, ("einops",)),
    "filelock": (None, ("filelock",)),
    "fsspec": (None, ("fsspec",)),
    "huggingface-hub": (None, ("huggingface_hub",)),
    "importlib-metadata": (None, ("importlib_metadata",)),
    "joblib": ("1.5.3", ("joblib",)),
    "jsonpickle": (None, ("jsonpickle",)),
    "keras-cv-attention-models": (None, ("keras_cv_attention_models",)),
    "lightgbm": ("4.6.0", ("lightgbm",)),
    "loguru": ("0.7.3", ("loguru",)),
    "matplotlib": (None, ("matplotlib", "mpl_toolkits", "pylab")),
    "monai": ("1.6.0", ("monai",)),
    "more-itertools": (None, ("more_itertools",)),
    "nibabel": ("5.4.2", ("nibabel", "nisext")),
    "ninja": (None, ("ninja",)),
    "numba": (None, ("numba", "llvmlite")),
    "numpy": ("2.2.6", ("numpy",)),
    "opencv-python-headless": (None, ("cv2",)),
    "packaging": (None, ("packaging",)),
    "pandas": ("3.0.3", ("pandas",)),
    "peft": (None, ("peft",)),
    "pillow": (None, ("PIL",)),
    "polars": (None, ("polars",)),
    "psutil": (None, ("psutil",)),
    "pydantic": (None, ("pydantic", "pydantic_core")),
    "pydantic-settings": (None, ("pydantic_settings",)),
    # The wheel of pytorch-lightning holds lightning_fabric too; `import lightning` is another
    # distribution, which the lock file does not hold.
    "pytorch-lightning": ("2.6.1", ("pytorch_lightning", "lightning_fabric")),
    "pyyaml": (None, ("yaml", "_yaml")),
    "regex": (None, ("regex",)),
    "requests": (None, ("requests",)),
    "safetensors": ("0.7.0", ("safetensors",)),
    "scikit-image": ("0.26.0", ("skimage",)),
    "scikit-learn": ("1.8.0", ("sklearn",)),
    "scipy": ("1.15.3", ("scipy",)),
    "statsmodels": (None, ("statsmodels",)),
    "tensorflow": (None, ("tensorflow",)),
    "tf-keras": (None, ("tf_keras",)),
    "timm": ("1.0.27", ("timm",)),
    "tokenizers": (None, ("tokenizers",)),
    "torch": ("2.12.1", ("torch", "torchgen", "functorch")),
    "torchio": ("1.2.1", ("torchio",)),
    "torchvision": ("0.27.1", ("torchvision",)),
    "tqdm": (None, ("tqdm",)),
    "transformers": (None, ("transformers",)),
    "urllib3": (None, ("urllib3",)),
    "xarray": (None, ("xarray",)),
    "xgboost": ("3.3.0", ("xgboost",)),
}

# Import names that are there only because a package above needs them.
_COMPANION_NAMES = """
    absl aiohappyeyeballs aiohttp aiosignal annotated_doc annotated_types astunparse
    charset_normalizer click contourpy cycler dateutil deprecated flatbuffers fontTools frozenlist
    ftfy gast google grpc h11 h5py hf_xet httpcore httpx humanize idna imageio jinja2 keras
    kiwisolver lazy_loader lightning_utilities markdown markdown_it markupsafe mdurl ml_dtypes
    mpmath multidict namex networkx opt_einsum optree patsy pkg_resources propcache pygments
    pyparsing rich setuptools shellingham six sympy tensorboard termcolor threadpoolctl tifffile
    torchmetrics triton typer typing_extensions typing_inspection wcwidth webcolors werkzeug wheel
    wrapt yarl zipp
"""
COMPANIONS = frozenset(_COMPANION_NAMES.split())

# https://docs.python.org/3/whatsnew/: what 3.12 dropped (distutils lives on in setuptools, which
# torch brings), what later versions dropped but 3.12 still has, and what they added.
_GONE_IN_PYTHON_3_12 = frozenset({"asynchat", "asyncore", "imp", "smtpd"})
_STILL_IN_PYTHON_3_12 = """
    aifc audioop cgi cgitb chunk crypt distutils imghdr lib2to3 mailcap msilib nis nntplib
    ossaudiodev pipes sndhdr spwd sunau telnetlib uu xdrlib
"""
_NEWER_THAN_PYTHON_3_12 = frozenset({"annotationlib", "compression"})
_STDLIB = sys.stdlib_module_names.union(_STILL_IN_PYTHON_3_12.split()) - (
    _GONE_IN_PYTHON_3_12 | _NEWER_THAN_PYTHON_3_12
)
_IMPORTS = frozenset(name for _, names in PACKAGES.values() for name in names)


def is_in_runtime(module: str) -> bool:
    """Whether `import module` works in the challenge's runtime, by the module's top-level name.

    Examples
    --------
    >>> is_in_runtime("scipy.ndimage"), is_in_runtime("json"), is_in_runtime("nilearn.plotting")
    (True, True, False)
    """
    top = module.partition(".")[0]
    return top in _STDLIB or top in _IMPORTS or top in COMPANIONS


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
    companions = COMPANIONS if packages is PACKAGES else frozenset()
    absent = {
        module
        for module, owners in _installed().items()
        if module not in companions and not present & {_normal(owner) for owner in owners}
    }
    gone = _GONE_IN_PYTHON_3_12 & sys.stdlib_module_names
    return tuple(sorted(absent | gone | {__name__.partition(".")[0]}))


def version_differences() -> dict[str, tuple[str, str]]:
    """Return {distribution: (version here, version in the runtime)} where the two differ."""
    found = {}
    for name, (there, _) in PACKAGES.items():
        here = _version(name)
        if there and here and here.partition("+")[0] != there:
            found[name] = (here, there)
    return found


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
            lines = (line for line in _requirements(name) if "extra ==" not in line)
            queue += [_normal(_bare(line)) for line in lines]
    return present


def _requirements(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []  # a package of the runtime that is not installed here requires nothing here


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _bare(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()  # PEP 503
