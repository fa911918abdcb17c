"""The system calls that a run in bubblewrap is refused, as a filter for the kernel.

They reach past the namespaces, as keyrings and vsock do; have often led out of a sandbox; or take
memory that no process is seen to hold. `sandbox.toml` lists them. Docker has a filter of its own:
https://docs.docker.com/engine/security/seccomp/
"""

from __future__ import annotations

import errno
import platform
import struct
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["CALLS", "TABLE", "filter_for"]

TABLE = tomllib.loads(Path(__file__).with_name("sandbox.toml").read_text(encoding="utf-8"))
#: Numbers of system calls on this kind of machine; none if they are not listed for it.
CALLS: dict[str, Any] = TABLE["calls"].get(platform.machine(), {})
# Of linux/bpf_common.h and linux/seccomp.h. A filter reads struct seccomp_data: the number of the
# call at 0, the architecture at 4, the low half of each argument from 16 on, eight bytes apart.
_LOAD, _AND, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _FOURTH = 0, 4, 16, 40
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x50000
_REFUSE = _ERROR | errno.ENOSYS  # as an older kernel answers, so that a library goes another way

Step = tuple[int, int, int, int]  # code, steps to skip if it holds and if it does not, value


def filter_for(calls: dict[str, Any] = CALLS) -> bytes:
    """Return the filter for a kind of machine, as prctl(2) takes it.

    Examples
    --------
    >>> len(filter_for(TABLE["calls"]["aarch64"])) % 8
    0
    """
    rules = TABLE["filter"]
    # Of another architecture or x32, whose numbers begin at 2**30, nothing goes through; nor does
    # a call that is newer than the list.
    steps = [(_LOAD, 0, 0, _ARCHITECTURE), (_IF_EQUAL, 1, 0, calls["architecture"])]
    steps += [(_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER)]
    steps += _answer(_REFUSE, rules["first_unknown"], test=_IF_AT_LEAST)
    for number in [calls["keyctl"], *calls["refused"].values(), *rules["refused"].values()]:
        steps += _answer(_REFUSE, number)
    families = [step for family in rules["families"] for step in _answer(_ALLOW, family)]
    for name in ("socket", "socketpair"):
        steps += _if_called(calls[name], _FIRST, [*families, (_RETURN, 0, 0, _REFUSE)])
    shared = rules["shared_anonymous"]
    memory = [(_AND, 0, 0, shared), *_answer(_ERROR | errno.ENOMEM, shared)]
    steps += [*_if_called(calls["mmap"], _FOURTH, memory), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _answer(answer: int, value: int, test: int = _IF_EQUAL) -> list[Step]:
    """Return the steps that answer a call if what was loaded passes a test."""
    return [(test, 0, 1, value), (_RETURN, 0, 0, answer)]


def _if_called(number: int, argument: int, steps: list[Step]) -> list[Step]:
    """Return steps that judge one call by one of its arguments; what they leave is allowed."""
    steps = [(_LOAD, 0, 0, argument), *steps, (_RETURN, 0, 0, _ALLOW)]
    return [(_IF_EQUAL, 0, len(steps), number), *steps]
