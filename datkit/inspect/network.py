"""Calls that would leave the machine: downloads, the network, installing packages."""

from __future__ import annotations

import ast
import re

from datkit.inspect.source import UNKNOWN, Source, call_rule, calls, keywords_of

_INSTALL = re.compile(
    r"\b(pip3?|uv|conda|mamba|apt|apt-get|poetry)\b(?: -\S+)* (install|add|sync)\b"
)
_FETCH = re.compile(r"\b(wget|curl|aria2c|gdown|scp|rsync|git clone|huggingface-cli|gsutil)\b")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1", UNKNOWN)
_STAY = "nothing that leaves the machine"
_FETCH_BEFORE = "Put all that is needed into the zip: the platform has no network."


@call_rule("installs", expected=_STAY)
def installs(source: Source, name: str, call: ast.Call) -> object:
    """The code would install packages.

    Put the package's sources into the zip, or do without: the platform installs nothing.
    """
    return calls("install", name) or _INSTALL.search(_command(source, name, call))


@call_rule("download", expected=_STAY, remedy=_FETCH_BEFORE)
def download(source: Source, name: str, call: ast.Call) -> object:
    """Weights or files would be downloaded."""
    command = _command(source, name, call)
    fetches = _FETCH.search(command) and not _INSTALL.search(command)
    return fetches or _downloads(source, name, call)


@call_rule("network-use", expected=_STAY, remedy=_FETCH_BEFORE)
def network_use(source: Source, name: str, call: ast.Call) -> object:
    """The code talks to the network."""
    first = call.args[0] if call.args else None
    connects = name.endswith(".connect") and isinstance(first, ast.Tuple)
    return (connects or calls("talk_to_the_network", name)) and not _is_local(source, first)


def _command(source: Source, name: str, call: ast.Call) -> str:
    """Return what a call would run in a shell; '' if it runs nothing there."""
    return source.text(call.args[0]) if call.args and calls("run_a_command", name) else ""


def _downloads(source: Source, name: str, call: ast.Call) -> bool:
    given = keywords_of(call)
    if name == "torch.hub.load" and source.text(given.get("source", call)) == "local":
        return False
    if calls("download", name):
        return True
    if name.endswith(".from_pretrained"):
        first = call.args[0] if call.args else given.get("pretrained_model_name_or_path")
        model = "" if first is None else source.text(first)
        folders = source.contents.bundled  # a model of the archive, not of a hub
        return bool(_HUB_NAME.fullmatch(model)) and model.partition("/")[0] not in folders
    if calls("download_unless_told", name) and name.rpartition(".")[2][:1].isupper():
        return "weights" not in given or source.text(given["weights"]) == "imagenet"
    return calls("download_if_asked", name) and _wants_weights(given)


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


def _is_local(source: Source, address: ast.expr | None) -> bool:
    """Whether an address is this machine's; a host by a name that is unknown counts as such."""
    if isinstance(address, ast.Tuple) and address.elts:
        return source.text(address.elts[0]) in _LOOPBACK
    local = ("file:", "http://localhost")
    return address is not None and source.text(address).startswith(local)
