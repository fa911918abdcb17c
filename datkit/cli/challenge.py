"""Run a challenge for a class: from a labelled cohort to a board.

first steps:
  datkit class serve challenge --cohort cohort --teams alpha beta
  datkit class close challenge
  datkit class board challenge --html board.html
  datkit class export codabench challenge --start 2026-12-01 --out bundle.zip
  datkit class check bundle.zip
  datkit class export bias challenge --out bias.md
"""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from datkit.cli.command import FINDINGS, FINE, Group, Result, arg, findings, note, tell_all
from datkit.cli.models import OVERWRITE, check_new
from datkit.errors import ChallengeError, UsageError

if TYPE_CHECKING:
    from datkit.challenge.classroom import Classroom

CHALLENGE = Group(__doc__)
_FOLDER = arg("folder", type=Path, metavar="FOLDER", help="of the challenge")
_COHORT = {"type": Path, "metavar": "COHORT"}
_EXAMPLES = "your challenge.yaml; or an example: class, grades, dat-park"
_CHALLENGE = {"default": "class", "metavar": "FILE", "help": _EXAMPLES}
_LEVELS = ["docker", "bubblewrap", "plain"]
_ISOLATION = arg("--isolation", choices=_LEVELS, help="plain runs code that can read the labels")


def _utc(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        wanted = "a date such as 2026-12-01 or a time such as 2026-12-01T08:00"
        raise UsageError(f"Expected {wanted} in --start, found {text!r}.") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _room(args: Namespace, *, make: bool = False) -> Classroom:
    """Open a challenge's folder, made first if that is asked for."""
    from datkit.challenge.classroom import Classroom, init_class
    from datkit.data.layouts import open_path

    if make:
        init_class(args.folder, cohort := open_path(args.cohort), args.challenge)
        if seed := cohort.info.get("seed"):
            note(f"Who knows the cohort's seed ({seed}) can simulate the labels.")
    return Classroom.open(args.folder)


def _exams(room: Classroom) -> dict[str, int]:
    """Return how many exams each set has."""
    train = len([*(room.folder / "train" / "niftis").iterdir()])
    return {"train": train} | {part: len(table) for part, table in room.labels.items()}


@CHALLENGE.command(
    arg("folder", type=Path, metavar="FOLDER", help="to be made"),
    arg("--cohort", required=True, **_COHORT, help="exams with labels"),
    arg("--challenge", **_CHALLENGE),
)
def init(args: Namespace) -> Result:
    """Make a challenge from any cohort with labels.

    Exams are shared out by centre into train, public and private, under new names. Teams get the
    folders train and public; labels lie in a folder that only you can read.

    For example:
      datkit class init challenge --cohort cohort
      datkit class init challenge --cohort cohort --challenge challenge.yaml
    """
    counts = _exams(room := _room(args, make=True))
    told = ", ".join(f"{count} {part}" for part, count in counts.items())
    lines = [f"{room.folder}: {told}; next: datkit class serve {args.folder}"]
    return Result(lines, {"folder": str(room.folder), "exams": counts})


@CHALLENGE.command(
    arg("files", type=Path, nargs="+", metavar="FILE", help="zips or tables of predictions"),
    arg("--folder", type=Path, default=Path(), metavar="FOLDER", help="of the challenge; here"),
    arg("--team", metavar="NAME", help="default: each file's name without its ending"),
    _ISOLATION,
)
def submit(args: Namespace) -> Result:
    """Hand in submissions, check them, run them in the sandbox and score them.

    What is wrong with each is told here; scores stand on the board (datkit class board).

    exit codes:
      0    all have scores
      1    one has not: every problem is listed
      2    wrong use

    For example:
      datkit class submit submission.zip --team alpha --folder challenge
      datkit class submit handed_in/*.zip --folder challenge
    """
    from datkit.challenge.marking import mark_next, receive
    from datkit.inspect.findings import findings_table
    from datkit.problems import Problem

    room, lines, names, refused = _room(args), [], {}, {}
    for path in args.files:
        try:
            entry = receive(room, args.team or path.stem, path)
            names[entry["number"]] = f"{entry['team']}, {path}"
        except ChallengeError as error:  # the others are taken
            refused[path] = error
    while mark_next(room, args.isolation):
        pass
    marked = {one["of"]: one for one in room.record.of("marked") if one["of"] in names}
    for number, one in marked.items():
        problems = [Problem(**problem) for problem in one["problems"]]
        lines += f"{names[number]}: {findings_table(problems)}".split("\n")
    failed = any(not one["predictions"] for one in marked.values())
    return Result(lines, [*marked.values()], tell_all(refused) or (FINDINGS if failed else FINE))


@CHALLENGE.command(_FOLDER, arg("--html", type="page", metavar="FILE", help="write it as a page"))
def board(args: Namespace) -> Result:
    """Show the board, made anew from the record.

    Private scores are shown when the challenge is over.

    For example:
      datkit class board challenge
      datkit class board challenge --html board.html
    """
    from dataclasses import asdict

    from datkit.challenge.ranking import board_lines, board_page, make_board
    from datkit.view.pages.page import write_page

    made = make_board(_room(args))
    if args.html:
        write_page(board_page(made), args.html)
    rows = {part: [asdict(row) for row in rows] for part, rows in made.rows.items()}
    return Result(board_lines(made), {"head": made.head, "rows": rows})


@CHALLENGE.command(_FOLDER)
def close(args: Namespace) -> Result:
    """End the phase that is open; after the last one, private scores are shown.

    For example:
      datkit class close challenge
    """
    closed, then = (room := _room(args)).close().name, room.phase()
    after = f"{then.name} is open now" if then else f"next: datkit class board {args.folder}"
    return Result([f"{closed} is closed; {after}"], {"closed": closed})


@CHALLENGE.command(
    arg(
        "path",
        type=Path,
        metavar="PATH",
        help="a challenge.yaml or its folder; or a bundle, packed or not",
    )
)
def check(args: Namespace) -> Result:
    """List every problem of a challenge.yaml, or of any bundle for Codabench.

    A bundle is read, nothing of it is run. An error makes the upload fail, or a phase useless; a
    warning may be right: look at it. The book explains each code.

    exit codes:
      0    no error; there may be warnings
      1    one error or more
      2    wrong use, such as a file that is not there

    For example:
      datkit class check challenge.yaml
      datkit class check bundle.zip
      datkit class check bundle/ --json    # a list, for scripts
    """
    from datkit.challenge.codabench.check import check_bundle
    from datkit.challenge.description import load_challenge

    path, made = args.path, args.path / "challenge.yaml"
    path = made if made.is_file() else path
    if path.suffix.lower() in (".yaml", ".yml"):
        load_challenge(path)
        then = f"next: datkit class init FOLDER --cohort COHORT --challenge {path}"
        return Result([f"{path}: no problem found; {then}"], [])
    return findings(path, check_bundle(path))


@CHALLENGE.command(
    arg("kind", choices=["codabench", "bias"], help="a bundle for Codabench; the design form BIAS"),
    arg("folder", type=Path, metavar="FOLDER", help="of the challenge; for bias, also a file"),
    arg("--cohort", type=Path, metavar="COHORT", help="make the folder first, of these exams"),
    arg("--challenge", **_CHALLENGE),
    arg("--out", type=Path, metavar="FILE", help="to be written; bundle.zip or bias.md"),
    OVERWRITE,
    arg("--start", type=_utc, metavar="DATE", help="of the first phase, UTC"),
    arg("--days", type=int, default=28, metavar="N", help="of a phase without an end; 28"),
)
def export(args: Namespace) -> Result:
    """Write a challenge as a bundle for Codabench, or its design as the form of BIAS.

    The bundle holds the settings, pages, programs that score and run submissions as datkit does,
    each phase's exams and, apart, their labels, and a starting kit with the training exams. It is
    checked. The same folder gives the same bytes.

    The form is Markdown: what reviewers of a challenge ask, filled in from challenge.yaml, and what
    is left to you. It needs no exams: a challenge.yaml will do.

    For example:
      datkit class export codabench challenge --start 2026-12-01 --out bundle.zip
      datkit class export codabench new --cohort cohort --challenge challenge.yaml
      datkit class export bias challenge.yaml --out bias.md
    """
    from datkit.challenge.codabench.export import export_codabench

    check_new(out := args.out or Path("bias.md" if args.kind == "bias" else "bundle.zip"), args)
    if args.cohort:
        _room(args, make=True)
    if args.kind == "bias":
        return _export_bias(args.folder, out)
    problems = export_codabench(_room(args), out, start=args.start, days=args.days)
    return findings(out, problems)


def _export_bias(path: Path, out: Path) -> Result:
    from datkit.challenge.bias import ITEMS, bias_form
    from datkit.challenge.classroom import Classroom
    from datkit.challenge.description import load_challenge
    from datkit.view.pages.page import write_page

    room = Classroom.open(path) if path.is_dir() else None
    challenge = room.challenge if room else load_challenge(path)
    form, left = bias_form(challenge, _exams(room) if room else None)
    write_page(form, out)
    lines = [f"{out}: {len(ITEMS) - len(left)} of {len(ITEMS)} items are filled in"]
    lines += [f"{len(left)} are left to you, under design: {', '.join(left)}"] if left else []
    return Result(lines, {"filled": [one for one in ITEMS if one not in left], "left": left})


@CHALLENGE.command(
    arg("--teams", type=int, default=20, metavar="K", help="that take part; 20"),
    arg("--gap", type=float, default=0.05, metavar="D", help="between best and others; 0.05"),
    arg("--chance", type=float, default=0.8, metavar="P", help="that the best is first; 0.8"),
    arg("--exam-sd", type=float, default=0.3, metavar="SD", help="of two teams' difference; 0.3"),
    arg("--centre-sd", type=float, default=0.05, metavar="SD", help="the same by centre; 0.05"),
)
def plan(args: Namespace) -> Result:
    """Say how many test exams it takes for the best team to come out first.

    All other teams are taken to be worse by the same gap in their true score. The default spreads
    are those of log losses in the kit's benchmark. A dash stands where no number of exams is
    enough: only more centres help.

    For example:
      datkit class plan --teams 20 --gap 0.02
      datkit class plan --gap 0.05 --chance 0.9
    """
    from datkit.challenge.planner import Contest

    contest = Contest(args.teams, args.gap, args.exam_sd, args.centre_sd)
    lines, rows = ["centres   exams with 1, 3, 5 readers of each"], {}
    for centres in (5, 10, 20, 40, 80):
        needed = [contest.exams_needed(args.chance, centres, n) for n in (1, 3, 5)]
        rows[centres] = [int(exams) if isfinite(exams) else None for exams in needed]
        lines += [f"{centres:7}   " + "".join(f"{exams or '–':>8}" for exams in rows[centres])]
    return Result(lines, rows)


@CHALLENGE.command(_FOLDER, arg("names", nargs="+", metavar="NAME", help="of teams"))
def team(args: Namespace) -> Result:
    """Give teams their tokens, by which the server knows them.

    A token is shown once; a new one takes the place of one that was lost.

    For example:
      datkit class team challenge alpha beta gamma
    """
    from datkit.challenge.classroom import team_name

    room = _room(args)
    had, names = room.teams, [*map(team_name, args.names)]  # one that is none: nobody gets any
    tokens = {name: room.issue_token(name) for name in names}
    for name in had & {*tokens}:
        note(f"The older token of {name} is worth nothing from now on.")
    return Result([f"{name}  {token}" for name, token in tokens.items()], tokens)


@CHALLENGE.command(_FOLDER)
def amend(args: Namespace) -> Result:
    """Put a challenge.yaml that you have changed on record; the board shows its new sha256.

    Until then the folder does not open. Start the server anew afterwards.

    For example:
      datkit class amend challenge
    """
    from datkit.challenge.classroom import Classroom

    described = Classroom.amend(args.folder).described
    return Result([f"challenge.yaml: {described} is on record"], {"described": described})


@CHALLENGE.command(
    _FOLDER,
    arg("text", metavar="TEXT", help="what all teams are to read"),
    arg("--answer", type=int, metavar="N", help="the number of the question that it answers"),
)
def say(args: Namespace) -> Result:
    """Announce something, or answer a question.

    For example:
      datkit class say challenge "The final test opens on Friday."
      datkit class say challenge "Yes, several exams may be of one camera." --answer 12
    """
    record = _room(args).record
    asked = [one["number"] for one in record.of("asked")]
    if args.answer is not None and args.answer not in asked:
        numbers = ", ".join(map(str, asked)) or "none yet"
        raise UsageError(f"Expected a question's number ({numbers}), found {args.answer}.")
    said = record.add("said", text=args.text, answers=args.answer)
    return Result(["Said."], said)


@CHALLENGE.command(
    _FOLDER,
    arg("--cohort", **_COHORT, help="make the folder first, of these exams, if it is not there"),
    arg("--challenge", **_CHALLENGE),
    arg("--teams", nargs="+", default=[], metavar="NAME", help="each gets a token, printed once"),
    arg("--host", default="127.0.0.1", help="an address of this machine on the class's network"),
    arg("--port", type=int, default=8000, metavar="N", help="default: 8000"),
    _ISOLATION,
)
def serve(args: Namespace) -> Result:
    """Serve a challenge to a class, until Ctrl-C.

    By default only this machine can reach it. With --host 0.0.0.0, whoever is on the same network
    can; tokens then cross it unencrypted, so choose a network that you trust.

    For example:
      datkit class serve challenge --cohort cohort --teams alpha beta gamma
      datkit class serve challenge
      datkit class serve challenge --host 0.0.0.0 --port 8080
    """
    try:
        from datkit.challenge.classroom import team_name
        from datkit.challenge.server import serve as run
    except ImportError as error:
        raise UsageError(
            f"Expected Starlette, uvicorn and python-multipart, found none ({error}); install "
            "them: pip install 'dat-spect-kit[class]'."
        ) from None

    room = _room(args, make=bool(args.cohort) and not args.folder.exists())
    for name in {*map(team_name, args.teams)} - room.teams:
        note(f"{name}  {room.issue_token(name)}")
    note(f"{room.challenge.title}: http://{args.host}:{args.port} (Ctrl-C stops it)")
    if args.host not in ("127.0.0.1", "::1", "localhost"):
        note("Whoever is on this network can reach it, and tokens cross it unencrypted.")
    if args.host in ("0.0.0.0", "::"):
        note(f"Teams open this machine's own address: http://192.168.…:{args.port}, or the like.")
    run(room, args.host, args.port, args.isolation)
    return Result([], {})
