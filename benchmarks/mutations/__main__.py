"""Check mutated submissions, each in a process of its own: tracebacks, seconds and memory.

``python -m benchmarks.mutations`` tries 1,000; ``--first`` and ``--count`` make it go in pieces.
The bases are the submissions of the tests, good and broken.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.mutations import mutated

PARTS = Path(__file__).resolve().parents[2] / "tests" / "parts"
SECONDS, BYTES = 20, 2_000_000_000  # of each check


def bases() -> list[bytes]:
    """Return the bytes of every submission of the tests that is small."""
    sys.path.insert(0, str(PARTS))
    for name in ("broken_archives", "broken_code", "good_submissions"):
        import_module(name)
    corpus = import_module("submissions")
    with tempfile.TemporaryDirectory() as folder:
        paths = [one.write(Path(folder)) for one in (corpus.GOOD | corpus.BROKEN).values()]
        return [path.read_bytes() for path in sorted(paths) if path.stat().st_size < 2**20]


class Outcome(NamedTuple):
    """How a check ended, what it took (its own and its children's), and the codes it found."""

    status: int
    held: bool
    seconds: float
    cpu: float
    bytes: int
    codes: list[str]


def check(path: Path) -> Outcome:
    """Check one zip as a person does."""
    words = [sys.executable, "-m", "datkit.cli", "submit", "check", str(path), "--json"]
    start = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(words, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)  # its own and its children's
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        said, failed = out.read(), err.read()
    codes = [one["code"] for one in json.loads(said)] if said.startswith(b"[") else []
    held = process.returncode in (0, 1) and b"Traceback" not in failed and bool(said)
    seconds, cpu = time.monotonic() - start, used.ru_utime + used.ru_stime
    return Outcome(process.returncode, held, seconds, cpu, used.ru_maxrss * 1024, codes)


def main() -> int:
    """Check the mutations asked for, print the worst of them, keep what did not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutations", description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="a folder for the zips that did not hold")
    args = parser.parse_args()
    whole, results = bases(), []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.first, args.first + args.count):
            random, path = Random(number), Path(folder, f"{number}.zip")
            path.write_bytes(mutated(random.choice(whole), random))
            one = check(path)
            results.append(one)
            if not one.held or one.cpu > SECONDS or one.bytes > BYTES:
                print(number, one, flush=True)
                if args.keep:
                    args.keep.mkdir(parents=True, exist_ok=True)
                    path.rename(args.keep / path.name)
            path.unlink(missing_ok=True)
    codes = Counter(code for one in results for code in {*one.codes})
    print(f"mutations {args.first} to {args.first + args.count - 1} of {len(whole)} submissions")
    print(f"not held: {sum(not one.held for one in results)}")
    for what in ("seconds", "cpu", "bytes"):
        values = sorted(getattr(one, what) for one in results)
        print(f"{what}: median {values[len(values) // 2]:.3g}, worst {values[-1]:.3g}")
    print("codes:", ", ".join(f"{code} {count}" for code, count in codes.most_common()))
    return any(not one.held for one in results)


if __name__ == "__main__":
    sys.exit(main())
