"""Text with rules: the values that the manifest is made of, checked and described in its schema."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema

__all__ = [
    "Address",
    "AtLeastOne",
    "BibKey",
    "Doi",
    "FileName",
    "Many",
    "Md5",
    "Name",
    "Sha256",
    "Text",
    "is_safe_address",
]


def is_safe_address(url: str) -> bool:
    """Tell whether data may come from `url`: over https, or plain http from this machine.

    Examples
    --------
    >>> is_safe_address("https://example.org/map.nii"), is_safe_address("http://127.0.0.1:8000/")
    (True, True)
    >>> is_safe_address("http://example.org/map.nii"), is_safe_address("ftp://example.org/map.nii")
    (False, False)
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and _is_this_machine(host)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _matching(pattern: str, expected: str) -> Any:
    """Make text that matches `pattern` from end to end, with the same rule in the schema."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {expected}")
        return text

    schema = {"type": "string", "pattern": f"^(?:{pattern})$", "description": expected}
    return Annotated[str, AfterValidator(check), WithJsonSchema(schema)]


def _address(url: str) -> str:
    if not is_safe_address(url):
        raise ValueError("expected an https:// address")
    return url


def _not_empty(items: tuple) -> tuple:
    if not items:
        raise ValueError("expected at least one")
    return items


Text = _matching(r"[\s\S]*\S[\s\S]*", "some text")
_ADDRESS = {"type": "string", "pattern": "^https?://", "description": "an https:// address"}
Address = Annotated[str, AfterValidator(_address), WithJsonSchema(_ADDRESS)]
# Names become folders and files on every system, so separators, a leading dot and colons are out.
Name = _matching(r"[a-z0-9]+(-[a-z0-9]+)*", "lower-case words joined by '-'")
FileName = _matching(
    r"[A-Za-z0-9_][A-Za-z0-9._-]*", "a plain file name of letters, digits, '.', '_' and '-'"
)
Sha256 = _matching(r"[0-9a-f]{64}", "64 lower-case hexadecimal digits in quotes")
Md5 = _matching(r"[0-9a-f]{32}", "32 lower-case hexadecimal digits in quotes")
Doi = _matching(r"10\.\d{4,9}/\S+", "a DOI such as 10.1038/s41598-018-22444-0")
BibKey = _matching(r"[A-Za-z][A-Za-z0-9_-]*", "a BibTeX key such as dukart2018")
# A list in YAML, a tuple in memory: strict mode alone would refuse the list.
Many = Field(strict=False)
AtLeastOne = AfterValidator(_not_empty)
