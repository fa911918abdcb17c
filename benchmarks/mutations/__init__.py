"""Random damage to good and broken submissions: what `datkit submit check` makes of each.

A mutation is drawn by its number alone. It changes bytes, or what the members' headers and the list
of members say, or packs the members again under other names or with other bytes, so that what lies
behind a right checksum is reached as well.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Sequence
from random import Random

__all__ = ["KINDS", "mutated"]

Members = list[tuple[str, bytes]]
NAMES = (
    *("main.py", "./main.py", "MAIN.PY", "main.py/", "main.py/x", "a//main.py", "._main.py", "a ."),
    *("data", "data/x", "DATA", "submission.csv", "submission.csv/x", "code_execution", "con"),
    *("..", "../x", "/x", "C:/x", "a\\b", "a\nb", "é.py", "e\u0301.py", "\u202egpj.py", "x" * 300),
    *("a.npy", "a.npz", "a.safetensors", "a.json", "a.pt", "a.pkl", "a.csv", "a.ipynb", "."),
    "/".join("a" * 400),
)
NUMBERS = (0, 1, 8, 12, 99, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1)
TEXTS = (
    *(b"(" * 3000, b"[" * 100_000, b'{"a":' * 20_000, b"x=1" + b"+1" * 30_000, b"\0" * 10_000),
    *(b"torch.to(," * 20_000, b"\x80\4" + b"N0" * 50_000 + b".", b"lambda:", b"PK\3\4", b'"'),
    b"\x93NUMPY\1\0{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999,), }",
)


def mutated(content: bytes, random: Random) -> bytes:
    """Return a zip's bytes after one to three mutations of any kind."""
    for _ in range(random.randint(1, 3)):
        content = random.choice(KINDS)(content, random)
    return content


def flip(content: bytes, random: Random) -> bytes:
    """Change some bytes anywhere."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 20) if content else 0):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def cut(content: bytes, random: Random) -> bytes:
    """Take out a piece, at the end, at the beginning or between."""
    start, end = sorted(random.randint(0, len(content)) for _ in range(2))
    return random.choice([content[:start], content[end:], content[:start] + content[end:]])


def insert(content: bytes, random: Random) -> bytes:
    """Put bytes in: noise, a text that parsers dislike, or the archive itself."""
    place = random.choice([0, len(content), random.randint(0, len(content))])
    more = random.choice([random.randbytes(50), random.choice(TEXTS), content])
    return content[:place] + more + content[place:]


def forge(content: bytes, random: Random) -> bytes:
    """Write another number into a header: a flag, a method, a sum, a size, a place."""
    changed = bytearray(content)
    mark, last = random.choice([(b"PK\3\4", 30), (b"PK\1\2", 46), (b"PK\5\6", 22)])
    places = [place for place in range(len(content)) if content.startswith(mark, place)]
    if places:
        width = random.choice([2, 4])
        place = random.choice(places) + random.randrange(4, last - 2, 2)
        value = (random.choice(NUMBERS) % 2 ** (8 * width)).to_bytes(width, "little")
        changed[place : place + width] = value
    return bytes(changed)


def repacked(change: Callable[[Members, Random], Members]) -> Callable[[bytes, Random], bytes]:
    """Return a mutation of the members, which are packed again with right checksums."""

    def mutate(content: bytes, random: Random) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = [(name, archive.read(name)) for name in archive.namelist()]
        except Exception:  # damaged already
            return flip(content, random)
        stream = io.BytesIO()
        method = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
        with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
            warnings.simplefilter("ignore")  # of names that stand there twice
            for name, member in change(members, random) if members else []:
                archive.writestr(name, member)
        return stream.getvalue()

    return mutate


def rename(members: Members, random: Random) -> Members:
    """Give a member a name that makes trouble."""
    place = random.randrange(len(members))
    return [*members[:place], (random.choice(NAMES), members[place][1]), *members[place + 1 :]]


def double(members: Members, random: Random) -> Members:
    """Add a member again, under a name that makes trouble or that only looks otherwise."""
    name, member = random.choice(members)
    alike = [name, f"./{name}", name.upper(), f"{name}/x", name.replace("/", "//"), f"{name}."]
    return [*members, (random.choice([*alike, *NAMES]), member)]


def spoil(members: Members, random: Random) -> Members:
    """Damage what a member holds."""
    place = random.randrange(len(members))
    name, member = members[place]
    member = random.choice([flip, cut, insert])(member, random) * random.choice([1, 1, 1, 50])
    return [*members[:place], (name, member), *members[place + 1 :]]


def swap(members: Members, random: Random) -> Members:
    """Give each member the bytes of another."""
    contents = [member for _, member in members]
    random.shuffle(contents)
    return [(name, member) for (name, _), member in zip(members, contents, strict=True)]


KINDS: Sequence[Callable[[bytes, Random], bytes]] = (
    flip,
    cut,
    insert,
    forge,
    *map(repacked, (rename, double, spoil, spoil, swap)),
)
