"""`datkit …`: one thin command for each thing that the rooms of the package can do.

``command``  what every command is: arguments, result, exit code
``exams``    simulate, prepare, measure, report, sheet
``data``     what data there are, under which terms, and where they lie
``models``   train, predict, benchmark
``normals``  normal ranges of one's own
``submit``   pack, check, run and score a submission
``challenge``  `datkit class …`: a challenge for a class
``federated``  training over many hospitals
``reading``, ``regions``  `datkit readers …`: several readers of the same exams; regions they drew

Exit codes: 0 fine, 1 findings (bad data, problems found), 2 wrong use, 130 interrupted. Results go
to standard output, all else to standard error, so that ``--json`` can be piped.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout

from datkit import NOT_CLINICAL, __version__
from datkit.cli.challenge import CHALLENGE
from datkit.cli.command import FINE, INTERRUPTED, Shown, add_word, complain, to_json
from datkit.cli.data import DATA
from datkit.cli.exams import EXAMS
from datkit.cli.federated import FEDERATED
from datkit.cli.models import MODELS
from datkit.cli.normals import NORMALS
from datkit.cli.provenance import PROVENANCE
from datkit.cli.regions import READERS  # with the commands of both
from datkit.cli.submit import SUBMIT
from datkit.errors import DatkitError, UsageError
from datkit.problems import shown

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, such as ``["data", "list", "--json"]``, and return its exit code."""
    os.environ.setdefault("PYTHON_COLORS", "0")  # from 3.13 on: its colours are no text to show
    if isinstance(sys.stdout, io.TextIOWrapper):  # where it is not UTF-8, letters lack
        sys.stdout.reconfigure(errors="backslashreplace")
    for one in {"SIGTERM", "SIGHUP"} & {*dir(signal)} if arguments is None else ():
        if signal.getsignal(number := getattr(signal, one)) is signal.SIG_DFL:
            signal.signal(
                number, signal.default_int_handler
            )  # to end by these is to be interrupted
    with redirect_stdout(Shown(sys.stdout)), redirect_stderr(Shown(sys.stderr)):
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        args, left = parser().parse_known_args(arguments)
        if left:
            expected = "Expected what the command's --help names, files side by side and options"
            raise UsageError(f"{expected} after them, found {' '.join(left)} left over.")
        result = args.run(args)
        for line in [to_json(result.data)] if args.json else map(shown, result.lines):
            print(line)
        sys.stdout.flush()
        return result.code
    except BrokenPipeError:  # `datkit data list | head`: the reader has all that it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except DatkitError as error:
        return complain(error)
    except OSError as error:  # a full disk, a folder that may not be written to
        said = f"{error.strerror or error}; free or choose another place."
        return complain(said, error.filename or "")
    except KeyboardInterrupt:
        kept = "what was complete is kept, nothing half-written stands in its place"
        complain(f"Stopped; {kept}. The same command goes on, or begins anew.")
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return complain("This is a fault of datkit; please report it with the lines above.")


def parser() -> argparse.ArgumentParser:
    """Return what understands the words after ``datkit``."""
    root = argparse.ArgumentParser(
        prog="datkit",
        description=f"Learn and benchmark dopamine-transporter (DaT) SPECT. {NOT_CLINICAL}",
        epilog="First steps: datkit data list; datkit simulate --size tiny --out cohort; "
        "datkit measure cohort/niftis/*.nii.gz. Exit codes: 0 fine, 1 findings, 2 wrong use.",
    )
    root.add_argument("--version", action="version", version=f"datkit {__version__}")
    words = root.add_subparsers(metavar="COMMAND", required=True)
    EXAMS.add_to(words)
    MODELS.add_to(words)
    PROVENANCE.add_to(words)
    groups = {"data": DATA, "normals": NORMALS, "submit": SUBMIT, "class": CHALLENGE}
    groups |= {"federated": FEDERATED, "readers": READERS}
    for name, group in groups.items():
        actions = add_word(words, name, group.text).add_subparsers(metavar="ACTION", required=True)
        group.add_to(actions)
    return root
