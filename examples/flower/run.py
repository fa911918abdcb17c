"""Rehearse a federation on one machine: a SuperLink, and a SuperNode for each hospital.

Each centre of the cohort becomes a hospital: a folder of its own exams that its user alone can
read, a key, and a Flower SuperNode. The SuperLink has a user and a folder too, and no exam. They
talk over TLS on loopback, with certificates made for this run. At the end the model lies in --out,
as 'datkit predict' reads it, and every process that was started has ended.

As root each hospital runs as a user of its own. Otherwise all run as you, and what keeps them apart
is that none looks: that is said, not hidden.

For example:
  python examples/flower/run.py --cohort cohort --hospitals 3 --rounds 5 --out federated
  python examples/flower/run.py --cohort cohort --rounds 20 --strategy fedprox --out federated
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from datkit.errors import DatkitError, UsageError

APP = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
MARK = "DAT_FLOWER_RUN"  # in the environment of all that a run starts, by which leftovers are found
FIRST_USER = 61000  # of the SuperLink; hospitals' follow. No account need have these numbers.
PAUSE = 5  # s before a SuperNode that ended is started again, as a service manager would


@dataclass
class Member:
    """The SuperLink's side or a hospital: a folder, a user, and what was started for it."""

    name: str
    folder: Path
    user: int | None
    port: int
    commands: list[subprocess.Popen] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Return all that its processes see of ours."""
        kept = {one: os.environ[one] for one in ("PYTHONPATH", "LANG") if one in os.environ}
        home = str(self.folder)
        return kept | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": home,
            "TMPDIR": home,
            "USER": self.name,
            "FLWR_HOME": str(self.folder / "flwr"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "DATKIT_DATA": str(self.folder / "datkit"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            MARK: home,
        }

    def start(self, *command: str | Path) -> subprocess.Popen:
        """Start a program of Flower's in a session of its own, as the member's user."""
        who = {} if self.user is None else {"user": self.user, "group": self.user}
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(BIN / command[0]), *map(str, command[1:])],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **(who | {"extra_groups": []} if who else {}),
            )
        self.commands.append(process)
        return process

    def own(self) -> None:
        """Give the folder and all in it to the member's user, and to nobody else."""
        for path in [self.folder, *self.folder.rglob("*")]:
            path.chmod(0o700 if path.is_dir() else 0o600)
            if self.user is not None:
                os.chown(path, self.user, self.user)


def share_out(cohort: Path, hospitals: int, work: Path) -> dict[str, Path]:
    """Write the exams of the centres that have most into a folder each; return these by name."""
    import numpy as np

    from datkit.data import open_path
    from datkit.federated.training import exams_by_centre
    from datkit.prepare import prepare_cohort

    centres = [*exams_by_centre(prepare_cohort(open_path(cohort), progress=True))]
    centres.sort(key=lambda one: (-len(one[1]), one[0]))
    if not 2 <= hospitals <= len(centres):
        raise UsageError(f"Expected 2 to {len(centres)} hospitals in {cohort}, found {hospitals}.")
    folders = {}
    for number, (name, exams, boxes) in enumerate(sorted(centres[:hospitals], key=lambda c: c[0])):
        folders[name] = work / f"hospital-{number + 1:02}"
        place = folders[name] / "exams"
        folders[name].mkdir(mode=0o700)  # nobody else may look, not even while it is written
        place.mkdir()
        np.save(place / "boxes.npy", boxes)
        exams["is_pathologic"].to_csv(place / "labels.csv")
        print(f"{name}: {len(exams)} exams", flush=True)
    return folders


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for_port(server: Member, seconds: float = 60) -> None:
    """Wait until the SuperLink listens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.commands[0].poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        time.sleep(0.2)
    found = f"found none; its log: {log_of(server)}"
    raise UsageError(f"Expected a SuperLink on port {server.port}, {found}")


def public_key(node: Member) -> Path:
    """Return where the half of a hospital's key lies that it sends to the SuperLink."""
    return node.folder.parent / f"{node.folder.name}.pub"


def log_of(member: Member) -> Path:
    """Return where a member's programs write what they say."""
    return member.folder.parent / f"{member.folder.name}.log"


def may_read(user: int) -> bool:
    """Whether another user can read Python, Flower, datkit and this app."""
    code = "import flwr.app, datkit.federated.training, pathlib; pathlib.Path(%r).read_text()"
    command = [sys.executable, "-c", code % str(APP / "pyproject.toml")]
    nobody = {"user": user, "group": user, "extra_groups": []}
    try:
        return subprocess.run(command, cwd="/", capture_output=True, **nobody).returncode == 0
    except PermissionError:
        return False


def choose_users(count: int) -> list[int | None]:
    """Return a user for each member, or none for all; say which."""
    users = [*range(FIRST_USER, FIRST_USER + count)]
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        why = "run as root to give each a user of its own"
    elif not may_read(users[0]):
        why = f"another cannot read {Path(sys.executable).resolve()}, Flower, datkit or {APP}"
    else:
        print("Each hospital, and the SuperLink, runs as a user of its own.", flush=True)
        return [*users]
    print(f"All run as one user: {why}.", flush=True)
    return [None] * count


def end_all(members: list[Member], work: Path) -> None:
    """End every process that the run started: politely first, then those that were left over."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would leave some running
    running = [one for member in members for one in member.commands if one.poll() is None]
    for process in running:
        process.terminate()
    end = time.monotonic() + 8
    while time.monotonic() < end and any(one.poll() is None for one in running):
        time.sleep(0.1)
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    # Flower gives some of its programs a session of their own. They carry the mark of this run.
    for pid in leftovers(work):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def leftovers(work: Path) -> list[int]:
    """Return the processes that this run started and that still run; none is seen without /proc."""
    found, mark = [], f"{MARK}={work}/".encode()
    for one in Path("/proc").glob("[0-9]*"):
        try:
            environment = (one / "environ").read_bytes()
        except OSError:  # it ended, or is not ours to read
            continue
        if any(entry.startswith(mark) for entry in environment.split(b"\0")):
            found.append(int(one.name))
    return found


def enrol(server: Member, nodes: list[Member], address: str, insecure: bool) -> None:
    """Tell Flower's command line where the SuperLink is, and the SuperLink the hospitals' keys."""
    home = server.folder / "flwr"
    home.mkdir(exist_ok=True)
    authority = server.folder.parent / "ca.pem"
    security = "insecure = true" if insecure else f'root-certificates = "{authority}"'
    text = f'[superlink]\ndefault = "here"\n\n[superlink.here]\naddress = "{address}"\n{security}\n'
    (home / "config.toml").write_text(text, encoding="utf-8")
    server.own()
    for node in [] if insecure else nodes:
        if server.start("flwr", "supernode", "register", public_key(node), "here").wait():
            raise UsageError(f"Expected to enrol {node.name}, found an error in {log_of(server)}")


def start_superlink(server: Member, insecure: bool) -> None:
    """Start the SuperLink, for enrolled hospitals alone unless it is insecure."""
    secure = ["--enable-supernode-auth", "--ssl-certfile", server.folder / "server.pem"]
    secure += ["--ssl-keyfile", server.folder / "server.key"]
    secure += ["--ssl-ca-certfile", server.folder.parent / "ca.pem"]
    server.start(
        "flower-superlink",
        *(["--insecure"] if insecure else secure),
        *("--host", "127.0.0.1", "--port", server.port),
        "--disable-runtime-dependency-installation",
    )
    wait_for_port(server)


def start_supernode(node: Member, superlink: str, insecure: bool) -> None:
    """Start a hospital's SuperNode, which alone is told where its exams are."""
    secure = ["--root-certificates", node.folder.parent / "ca.pem"]
    secure += ["--auth-supernode-private-key", node.folder / "node.key"]
    told = f"hospital={json.dumps(node.name)} exams={json.dumps(str(node.folder / 'exams'))}"
    node.start(
        "flower-supernode",
        *(["--insecure"] if insecure else secure),
        *("--superlink", superlink, "--host", "127.0.0.1", "--port", node.port),
        *("--node-config", told),
    )


def follow(history: Path, told: int) -> int:
    """Print the rounds that are new in the history; return how many were told."""
    rounds = json.loads(history.read_text(encoding="utf-8")) if history.exists() else []
    for one in rounds[told:]:
        loss = "no answer to use" if one["loss"] is None else f"training loss {one['loss']:.3f}"
        absent = f", absent: {', '.join(one['absent'])}" if one["absent"] else ""
        there = f"{len(one['hospitals'])} hospitals{absent}"
        print(f"round {one['round']}: {loss}, {there}", flush=True)
        for reason in one["refused"]:
            print(f"  refused: {reason}", flush=True)
    return len(rounds)


def train(server: Member, nodes: list[Member], args: argparse.Namespace) -> None:
    """Run the app, and see to it that a SuperNode which ended is started again."""
    out = server.folder / "out"
    settings = {
        "num-server-rounds": args.rounds,
        "strategy": args.strategy,
        "hospitals": len(nodes),
        "round-timeout": args.patience,
        "seed": args.seed,
        "out": str(out),
    }
    pairs = " ".join(f"{name}={json.dumps(value)}" for name, value in settings.items())
    app = server.start("flwr", "run", APP, "here", "--run-config", pairs, "--stream")
    told, ended = 0, {}
    while app.poll() is None:
        told = follow(out / "history.json", told)
        for node in nodes:
            if node.commands[-1].poll() is None:
                continue
            if time.monotonic() > ended.setdefault(node.name, time.monotonic()) + PAUSE:
                del ended[node.name]
                print(f"{node.name}: its SuperNode ended; starting it again", flush=True)
                start_supernode(node, args.through or f"127.0.0.1:{server.port}", args.insecure)
        time.sleep(0.5)
    follow(out / "history.json", told)
    if not (out / "weights.safetensors").exists():
        raise UsageError(f"Expected a model, found none. What the server said: {log_of(server)}")


def federate(args: argparse.Namespace, work: Path) -> None:
    """Do it all, from exams to the model in --out."""
    from keys import make_certificates, make_key

    work.chmod(0o711)  # members pass through it, each to its own folder
    folders = share_out(args.cohort, args.hospitals, work)
    users = choose_users(len(folders) + 1)
    server = Member("superlink", work / "superlink", users[0], args.port)
    nodes = [
        Member(name, folder, user, free_port())
        for (name, folder), user in zip(folders.items(), users[1:], strict=True)
    ]
    server.folder.mkdir(mode=0o700)
    make_certificates(server.folder, work / "ca.pem")
    for node in nodes:
        make_key(node.folder / "node.key", public_key(node))
        node.own()
    server.own()
    try:
        start_superlink(server, args.insecure)
        enrol(server, nodes, f"127.0.0.1:{server.port}", args.insecure)
        for node in nodes:
            start_supernode(node, args.through or f"127.0.0.1:{server.port}", args.insecure)
        train(server, nodes, args)
    finally:
        end_all([server, *nodes], work)
    shutil.copytree(server.folder / "out", args.out)


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return what was asked for."""
    shown = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shown)
    add = parser.add_argument
    add("--cohort", type=Path, required=True, help="labelled exams with centres")
    add("--out", type=Path, required=True, help="new folder: model/, weights.safetensors, history")
    add("--hospitals", type=int, default=3, help="the centres with most exams; default: 3")
    add("--rounds", type=int, default=5, help="default: 5")
    add("--strategy", choices=["fedavg", "fedprox", "local-statistics"], default="fedavg")
    add("--seed", type=int, default=0, help="same exams and settings: same weights")
    add("--patience", type=float, default=600.0, help="s to wait in a round; default: 600")
    add("--work", type=Path, help="new folder for hospitals' folders and logs, kept at the end")
    add("--insecure", action="store_true", help="no TLS, no keys: to see what it protects from")
    add("--port", type=int, default=0, help="of the SuperLink; default: a free one")
    add("--through", help="host:port of a proxy that SuperNodes go through to the SuperLink")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the rehearsal, and return an exit code."""
    args = read_arguments(arguments)
    args.port = args.port or free_port()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    work = None
    try:
        if find_spec("flwr") is None:
            here = "'make federated' makes one: .venv-federated/bin/python"
            raise UsageError(f"Expected a Python with Flower, found {sys.executable}; {here}.")
        if args.out.exists() or (args.work and args.work.exists()):
            found = "found it there; choose others"
            raise UsageError(f"Expected nothing yet at --out and --work, {found}.")
        if args.work:
            args.work.mkdir(parents=True)
        work = args.work.resolve() if args.work else Path(tempfile.mkdtemp(prefix="dat-flower-"))
        federate(args, work)
    except DatkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing runs any more.", file=sys.stderr)
        return 130
    finally:
        if work and not args.work:  # exams lie there, and keys: only logs may outlive the run
            for folder in work.glob("*/"):
                shutil.rmtree(folder)
            with contextlib.suppress(OSError):  # there are logs
                work.rmdir()
    if not args.work:
        shutil.rmtree(work, ignore_errors=True)
    print(f"Saved: {args.out}. For education and research, not for diagnosis.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
