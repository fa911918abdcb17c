"""Calls that would leave the machine: downloads, the network, installing packages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from datkit.inspect.rules import finding
from datkit.inspect.source import UNKNOWN, Source, keywords_of, shown
from datkit.problems import Problem

__all__ = ["find_outward"]

_CLIENTS = re.compile(
    r"(requests|httpx)\.(get|post|put|patch|delete|head|request|stream|Session|Client|AsyncClient)"
    r"|urllib\.request\.(urlopen|urlretrieve|build_opener)"
    r"|http\.client\.HTTPS?Connection|urllib3\.(PoolManager|request)|aiohttp\.ClientSession"
    r"|ftplib\.FTP(_TLS)?|smtplib\.SMTP(_SSL)?|socket\.create_connection"
)
_DOWNLOADS = re.compile(
    r"torch\.hub\.(load|load_state_dict_from_url|download_url_to_file)"
    r"|torch\.utils\.model_zoo\.load_url|huggingface_hub\.(hf_hub_download|snapshot_download)"
    r"|monai\.apps\.(download_url|download_and_extract)|monai\.bundle\.download"
    r"|torchvision\.datasets\.utils\.download\w*|(tensorflow\.)?keras\.utils\.get_file"
    r"|ants\.get_(ants_)?data|gdown\.download|wget\.download|pooch\.retrieve"
)
_ZOOS = re.compile(r"(timm|torchvision\.models|monai\.networks|torch\.hub)\..+")
_KERAS_ZOO = re.compile(r"(tensorflow\.)?keras\.applications\..+")
_SHELLS = re.compile(
    r"os\.(system|popen)|subprocess\.(run|call|check_call|check_output|Popen|getoutput)"
)
_INSTALL = re.compile(
    r"\b(pip3?|uv|conda|mamba|apt|apt-get|poetry)\b(?: -\S+)* (install|add|sync)\b"
)
_FETCH = re.compile(r"\b(wget|curl|aria2c|gdown|scp|rsync|git clone|huggingface-cli|gsutil)\b")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1", UNKNOWN)


def find_outward(source: Source, bundled: frozenset[str]) -> Iterator[Problem]:
    """Yield every call that would download, use the network or install something.

    Parameters
    ----------
    source : Source
    bundled : frozenset of str
        Names of files and folders in the archive: what is there need not be downloaded.
    """
    for call in source.calls:
        name = source.dotted(call.func)
        code = _code_of(source, call, name, bundled)
        if code:
            expected = "nothing that leaves the machine"
            yield finding(code, source.where(call), expected, shown(call))


def _code_of(source: Source, call: ast.Call, name: str, bundled: frozenset[str]) -> str | None:
    if _SHELLS.fullmatch(name) and call.args:
        return _code_of_command(source.text(call.args[0]))
    if name in ("pip.main", "pip._internal.main", "pip._internal.cli.main.main"):
        return "installs"
    if _downloads(source, call, name, bundled):
        return "download"
    if _CLIENTS.fullmatch(name) and not _is_local(source, call):
        return "network-use"
    if name.endswith(".connect") and call.args and isinstance(call.args[0], ast.Tuple):
        return None if _is_local(source, call) else "network-use"
    return None


def _code_of_command(command: str) -> str | None:
    if _INSTALL.search(command):
        return "installs"
    return "download" if _FETCH.search(command) else None


def _downloads(source: Source, call: ast.Call, name: str, bundled: frozenset[str]) -> bool:
    given = keywords_of(call)
    if name == "torch.hub.load" and source.text(given.get("source", call)) == "local":
        return False
    if _DOWNLOADS.fullmatch(name):
        return True
    if name.endswith(".from_pretrained"):
        return _is_remote(source, call, bundled)
    if _KERAS_ZOO.fullmatch(name) and name.rpartition(".")[2][:1].isupper():
        return "weights" not in given or source.text(given["weights"]) == "imagenet"
    return bool(_ZOOS.fullmatch(name)) and _wants_weights(given)


def _wants_weights(given: dict[str, ast.expr]) -> bool:
    if "pretrained_cfg_overlay" in given:
        return False  # names a file of its own
    wanted = [given.get(word) for word in ("pretrained", "weights", "weights_backbone")]
    no = (None, False, "")
    return any(
        node is not None and not (isinstance(node, ast.Constant) and node.value in no)
        for node in wanted
        if not isinstance(node, ast.Name)  # a variable: not known
    )


def _is_remote(source: Source, call: ast.Call, bundled: frozenset[str]) -> bool:
    """Whether from_pretrained names a model of a hub, not a folder of the archive."""
    name = keywords_of(call).get("pretrained_model_name_or_path")
    first = call.args[0] if call.args else name
    if first is None:
        return False
    text = source.text(first)
    return bool(_HUB_NAME.fullmatch(text)) and text.partition("/")[0] not in bundled


def _is_local(source: Source, call: ast.Call) -> bool:
    """Whether an address is this machine's; a host by a name that is unknown counts as such."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Tuple) and first.elts:
        return source.text(first.elts[0]) in _LOOPBACK
    return first is not None and source.text(first).startswith(("file:", "http://localhost"))
