"""The app in Flower's own processes, with TLS on loopback: `make federated`.

It runs in an environment of its own. Each run starts a SuperLink and three SuperNodes through
examples/flower/run.py, and all of them talk through a proxy here that writes down every byte.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip(
    "flwr", reason="needs Flower, which has an environment of its own: make federated"
)

FLOWER = Path(__file__).parents[2] / "examples" / "flower"
sys.path.insert(0, str(FLOWER))

from dat_flower.client_app import app as client_app  # noqa: E402
from dat_flower.client_app import open_hospital  # noqa: E402
from dat_flower.server_app import make_strategy  # noqa: E402
from dat_flower.task import from_record, make_model, to_record  # noqa: E402
from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict  # noqa: E402
from flwr.serverapp import Grid  # noqa: E402
from flwr.serverapp.strategy import FedAvg  # noqa: E402
from flwr.supercore.task_identity import TaskIdentity  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

from datkit.federated import STRATEGIES, Hospital, Update, train_federated  # noqa: E402
from datkit.federated.training import Order, mean_weights, read_weights  # noqa: E402

EXAMS = Path(os.environ.get("DATKIT_FEDERATED", "build/federated/exams"))
PROJECT = tomllib.loads((FLOWER / "pyproject.toml").read_text(encoding="utf-8"))
SETTINGS = PROJECT["tool"]["flwr"]["app"]["config"]
ROUNDS = 2
NEAR = 1e-6


class Proxy:
    """Passes bytes on to a port of loopback, and writes them down, both ways."""

    def __init__(self, port):
        self.port, self.streams = port, []
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.door.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                node, _ = self.door.accept()
                link = socket.create_connection(("127.0.0.1", self.port))
            except ConnectionRefusedError:  # the SuperLink ended
                node.close()
                continue
            except OSError:  # the test did
                return
            for one, other in ((node, link), (link, node)):
                self.streams.append(bytearray())
                threading.Thread(
                    target=self.pump, args=(one, other, self.streams[-1]), daemon=True
                ).start()

    def pump(self, one, other, seen):
        try:
            while data := one.recv(65536):
                seen += data
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            end.close()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@dataclass
class Run:
    """A rehearsal: its folders, what crossed the wire, and what was traced."""

    out: Path
    work: Path
    streams: list[bytearray]
    seconds: float
    trace: Path | None = None

    @property
    def weights(self):
        return load_file(self.out / "weights.safetensors")

    @property
    def history(self):
        return json.loads((self.out / "history.json").read_text(encoding="utf-8"))


def start(folder, *options, before=()):
    """Start a rehearsal whose SuperNodes go through a proxy."""
    port = free_port()
    proxy = Proxy(port)
    command = [*before, sys.executable, FLOWER / "run.py", "--cohort", EXAMS]
    command += ["--out", folder / "out", "--work", folder / "work", "--hospitals", 3]
    command += ["--port", port, "--through", proxy.address, *options]
    process = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return process, proxy


def rehearse(folder, *options, before=(), trace=None):
    begin = time.monotonic()
    process, proxy = start(folder, *options, before=before)
    said = process.communicate()[0]
    proxy.door.close()
    assert process.returncode == 0, said
    seconds = time.monotonic() - begin
    return Run(folder / "out", folder / "work", proxy.streams, seconds, trace)


@pytest.fixture(scope="module")
def place():
    """Return a folder that every user may pass through; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="dat-flower-test-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def make(folder):
    folder.mkdir()
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="module")
def secure(place):
    """With TLS, and traced where strace can."""
    folder = make(place / "secure")
    trace = folder / "trace" if can_trace() else None
    return rehearse(folder, "--rounds", ROUNDS, before=tracer(trace) if trace else (), trace=trace)


@pytest.fixture(scope="module")
def plain(place):
    """The same without TLS."""
    return rehearse(make(place / "plain"), "--rounds", ROUNDS, "--insecure")


def read_hospitals(run):
    """Return the hospitals of a run from their folders, in one process."""
    model, names = make_model(SETTINGS), run.history[0]["hospitals"]
    hospitals = []
    for name, place in zip(names, sorted(run.work.glob("hospital-*/exams")), strict=True):
        with (place / "labels.csv").open(encoding="utf-8", newline="") as table:
            labels = np.array([int(row["is_pathologic"]) for row in csv.DictReader(table)])
        hospitals.append(Hospital(name, np.load(place / "boxes.npy"), labels, model))
    return model, hospitals


def furthest(one, other):
    """Return the largest difference between weights of the same names."""
    assert one.keys() == other.keys()
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def in_one_process(model, hospitals, strategy, rounds):
    found = train_federated(model, hospitals, strategy, rounds)
    return read_weights(model.parts(found.model.network_)[1]), found.history


# 1. Equality


def test_weights_over_tls_equal_those_of_one_process(secure):
    model, hospitals = read_hospitals(secure)
    weights, history = in_one_process(model, hospitals, "fedavg", ROUNDS)
    far = furthest(secure.weights, weights)
    losses = [one["loss"] for one in secure.history]
    crossed = sum(map(len, secure.streams))
    print(f"{ROUNDS} rounds, 3 hospitals, {secure.seconds:.0f} s: largest difference {far:.2g}")
    print(f"weights: {history[0]['bytes']:,} bytes a round; on the wire {crossed / ROUNDS:,.0f}")
    assert far < NEAR
    assert losses == pytest.approx([one["loss"] for one in history], abs=NEAR)
    moved = furthest(secure.weights, read_weights(model.parts(model.build())[1]))
    assert moved > 1000 * NEAR


def test_two_runs_give_the_same_weights(secure, plain):
    assert all((secure.weights[name] == plain.weights[name]).all() for name in secure.weights)
    assert secure.history == plain.history


def replies_of(updates):
    """Return hospitals' answers as a strategy gets them."""
    for name, update in updates.items():
        content = RecordDict(
            {
                "arrays": to_record(update.weights),
                "metrics": MetricRecord({"num-examples": update.n, "loss": update.loss}),
                "hospital": ConfigRecord({"name": name}),
            }
        )
        yield Message(content, dst_node_id=1, message_type="train")


@pytest.fixture
def updates(monkeypatch):
    """Return answers of three hospitals; a message wants to know in which task it is made."""
    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)
    rng = np.random.default_rng(0)

    def draw():
        return {"a": rng.random((5, 7), np.float32), "b": rng.random(3, np.float32)}

    return {name: Update(draw(), n, 1.0) for name, n in (("A", 12), ("B", 5), ("C", 3))}


@pytest.fixture
def checked(updates, tmp_path):
    strategy = make_strategy("fedavg", 2)
    strategy.plan(1, "fedavg", 60.0, tmp_path)
    start = {name: np.zeros_like(one) for name, one in updates["A"].weights.items()}
    strategy.order = Order(start, 0, 1, "fedavg")
    return strategy


def test_flowers_own_mean_is_ours(updates, checked):
    ours = mean_weights([*updates.values()])
    theirs, metrics = FedAvg().aggregate_train(1, [*replies_of(updates)])
    assert furthest(from_record(theirs), ours) < NEAR
    assert furthest(from_record(checked.aggregate_train(1, [*replies_of(updates)])[0]), ours) < 1e-9
    assert metrics["loss"] == pytest.approx(1)


def test_the_order_of_answers_changes_nothing(updates, checked):
    one, other = (
        from_record(checked.aggregate_train(1, replies)[0])
        for replies in ([*replies_of(updates)], [*replies_of(updates)][::-1])
    )
    assert all((one[name] == other[name]).all() for name in one)


def spoil(reply, what):
    if what == "finite numbers":
        weights = from_record(reply.content["arrays"])
        reply.content["arrays"] = to_record(weights | {"a": weights["a"] * np.nan})
    elif what == "expected weights":
        del reply.content["metrics"]
    elif what == "one answer of A":
        reply.content["hospital"]["name"] = "A"
    else:
        reply.content["metrics"]["num-examples"] = 10**9


@pytest.mark.parametrize("what", ["finite numbers", "expected weights", "one answer of A", "exams"])
def test_nonsense_is_left_out_and_told(updates, checked, what):
    replies = [*replies_of(updates)]
    spoil(replies[2], what)
    weights = from_record(checked.aggregate_train(1, replies)[0])
    assert furthest(weights, mean_weights([updates["A"], updates["B"]])) < 1e-9
    [record] = json.loads((checked.out / "history.json").read_text(encoding="utf-8"))
    assert record["hospitals"] == ["A", "B"]
    assert what in record["refused"][0]


class Here(Grid):
    """Calls the hospitals' app directly: Flower's classes, and neither process nor network."""

    def __init__(self, nodes):
        self.nodes = nodes

    def get_node_ids(self):
        return [*self.nodes]

    def send_and_receive(self, messages, *, timeout=None):
        for one in messages:
            yield client_app(one, self.nodes[one.metadata.dst_node_id])

    def nothing(self, *_, **__):
        raise NotImplementedError

    run = property(nothing)
    set_run = create_message = push_messages = pull_messages = nothing


@pytest.fixture
def nodes(tmp_path):
    """Return the contexts of three SuperNodes with made-up exams, by number."""
    contexts = {}
    for number, n in enumerate((9, 6, 4), start=1):
        rng, folder = np.random.default_rng(number), tmp_path / f"hospital-{number}"
        folder.mkdir()
        np.save(folder / "boxes.npy", rng.normal(1, 0.3, (n, 24, 16, 16)).astype(np.float32))
        rows = "".join(f"uid-{one},{one % 2}\n" for one in range(n))
        (folder / "labels.csv").write_text(f"uid,is_pathologic\n{rows}", encoding="utf-8")
        told = {"hospital": folder.name, "exams": str(folder)}
        contexts[number] = Context(1, number, told, RecordDict(), dict(SETTINGS))
    return contexts


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_strategy_is_that_of_one_process(nodes, updates, tmp_path, name):
    model, hospitals = make_model(SETTINGS), [open_hospital(one) for one in nodes.values()]
    weights, history = in_one_process(model, hospitals, name, 3)
    strategy = make_strategy(name, 2)
    strategy.plan(3, name, 60.0, tmp_path)
    start = to_record(read_weights(model.parts(model.build())[1]))
    assert furthest(from_record(strategy.start(Here(nodes), start, 3).arrays), weights) < NEAR
    assert [one["loss"] for one in strategy.history] == pytest.approx(
        [one["loss"] for one in history], abs=NEAR
    )
    assert all(("kept" in one.state) == STRATEGIES[name].local for one in nodes.values())


# 2. Separation


def tracer(file):
    calls = "open,openat,openat2,creat,execve,clone,clone3,fork,vfork"
    how = ["--seccomp-bpf", "-f", "-qq", "-y", "-s", "4096", "-e", f"trace={calls}"]
    return ["strace", *how, "-o", str(file)]


def can_trace():
    return (
        shutil.which("strace")
        and not subprocess.run([*tracer(os.devnull), "true"], check=False).returncode
    )


def read_trace(file, work):
    """Return whose folders each member opened, or tried to: what descends from its programs."""
    member, parent, opened = {}, {}, {}
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    calls = [line.split(maxsplit=1) for line in lines]
    for pid, call in calls:
        if child := re.search(r"(?:clone3?|v?fork).* = (\d+)$", call):
            parent[child[1]] = pid
        if call.startswith("execve") and "--node-config" in call:
            member[pid] = re.search(r"(hospital-\d+)/exams", call)[1]
        elif call.startswith("execve") and re.search(r'/(flower-superlink|flwr)"', call):
            member[pid] = "superlink"
    for pid, call in calls:
        ancestor = pid
        while ancestor not in member and ancestor in parent:
            ancestor = parent[ancestor]
        if not call.startswith("execve"):
            whose = opened.setdefault(member.get(ancestor), set())
            whose.update(re.findall(rf"{work}/(hospital-\d+|superlink)/", call))
    return opened


needs_strace = pytest.mark.skipif(not can_trace(), reason="strace is absent, or may not trace here")


@needs_strace
def test_no_process_opens_anothers_folder(secure):
    opened = read_trace(secure.trace, secure.work)
    members = [one.name for one in (*secure.work.glob("hospital-*/"), secure.work / "superlink")]
    for one in members:
        print(f"{one} opened files of: {sorted(opened[one])}")
    assert len(members) == 4
    assert all(opened[one] == {one} for one in members)
    boxes = [f"/{one}/exams/boxes.npy" for one in members if one != "superlink"]
    trace = secure.trace.read_text(encoding="utf-8", errors="replace")
    assert all(trace.count(f"{one}>") >= ROUNDS for one in boxes)  # each round reads the own exams


def peep(run, before=()):
    """Let hospital-01 read the exams of hospital-02, in a process that looks like its SuperNode."""
    here, there = (run.work / f"hospital-{one}" / "exams" for one in ("01", "02"))
    owner = here.stat().st_uid
    who = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups"]
    look = ["sh", "-c", 'cat "$2"', "--node-config", str(here), str(there / "boxes.npy")]
    command = [*before, *(who if owner != os.geteuid() else ()), *look]
    return subprocess.run(command, capture_output=True, check=False, cwd="/")


@needs_strace
def test_who_does_look_is_found(secure, tmp_path):
    peep(secure, tracer(tmp_path / "trace"))
    assert "hospital-02" in read_trace(tmp_path / "trace", secure.work)["hospital-01"]


def test_who_does_look_is_refused(secure):
    owners = {one.stat().st_uid for one in secure.work.glob("hospital-*/")}
    if len(owners) < 3:
        pytest.skip("all run as one user: no root, or others cannot read this Python")
    assert os.geteuid() not in owners
    assert all(one.stat().st_mode & 0o777 == 0o700 for one in secure.work.glob("*/"))
    done = peep(secure)
    assert done.returncode != 0 and not done.stdout
    assert b"Permission denied" in done.stderr


# 3. What a listener finds


def windows(values):
    """Return runs of eight consecutive numbers as bytes, but for runs of one and the same."""
    runs = np.lib.stride_tricks.sliding_window_view(values.ravel(), 8)
    return {one.tobytes() for one in runs if one.min() < one.max()}


def found(streams, patterns):
    """Return which patterns, all of one length, are in the streams."""
    [length] = {len(one) for one in patterns}
    return {
        bytes(stream[at : at + length])
        for stream in streams
        for at in range(len(stream) - length + 1)
        if bytes(stream[at : at + length]) in patterns
    }


def voxels(run, dtype):
    boxes = [np.load(one).astype(dtype) for one in run.work.glob("hospital-*/exams/boxes.npy")]
    return set.union(*map(windows, boxes))


def uids():
    with (EXAMS / "exams.csv").open(encoding="utf-8", newline="") as table:
        return [row["uid"].encode() for row in csv.DictReader(table)]


@pytest.mark.parametrize("which", ["secure", "plain"])
def test_no_voxel_and_no_uid_is_on_the_wire(request, which):
    run = request.getfixturevalue(which)
    streams = [bytes(one) for one in run.streams]
    assert sum(map(len, streams)) > 100_000
    for dtype in ("<f4", "<f8"):
        patterns = voxels(run, dtype)
        assert len(patterns) > 10_000
        assert not found(streams, patterns)
        planted = next(iter(patterns))
        assert found([streams[0] + planted], patterns) == {planted}  # the search does find
    names = uids()
    assert len(names) == 24
    assert not [name for name in names for one in streams if name in one]
    assert not [one for one in streams if b"/hospital-0" in one]  # nor where a hospital has them


def test_weights_are_on_the_wire_without_tls_alone(secure, plain):
    """What is not found above would be found, were it there."""
    start = read_weights(make_model(SETTINGS).parts(make_model(SETTINGS).build())[1])
    patterns = set.union(*(windows(one) for one in start.values() if one.size >= 8))
    assert found([bytes(one) for one in plain.streams], patterns) == patterns
    assert not found([bytes(one) for one in secure.streams], patterns)


# 4. A hospital that is killed


def processes_of(folder):
    """Return what runs for a member, by the mark that run.py puts into its environment."""
    mark = f"DAT_FLOWER_RUN={folder}".encode()
    for one in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (one / "environ").read_bytes().split(b"\0"):
                yield int(one.name)
        except OSError:
            continue


def wait_for(condition, process, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)


class Absent:
    """A hospital that is away in the rounds in which the real one was."""

    def __init__(self, hospital, history):
        self.hospital, self.name = hospital, hospital.name
        self.away = {one["round"] - 1 for one in history if self.name not in one["hospitals"]}

    def train(self, order):
        if order.round in self.away:
            raise ConnectionResetError
        return self.hospital.train(order)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc")
def test_training_survives_a_killed_hospital_which_comes_back(place):
    folder, rounds = make(place / "killed"), 5
    process, proxy = start(folder, "--rounds", rounds, "--strategy", "fedprox", "--patience", 120)
    log, history = folder / "work" / "hospital-02.log", folder / "work/superlink/out/history.json"
    wait_for(lambda: log.exists() and log.read_text().count("Receiving: train") >= 2, process)
    victims = [*processes_of(folder / "work" / "hospital-02")]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    assert len(victims) >= 2  # the SuperNode and what starts its programs
    assert len(json.loads(history.read_text())) == 1  # it is the second round's middle
    said = process.communicate()[0]
    proxy.door.close()
    print(said)
    assert process.returncode == 0
    run = Run(folder / "out", folder / "work", proxy.streams, 0)
    victim = run.history[0]["hospitals"][1]
    attended = [victim in one["hospitals"] for one in run.history]
    assert len(run.history) == rounds
    assert attended[0] and not attended[1] and victim in run.history[1]["absent"]
    assert any(attended[2:])
    model, hospitals = read_hospitals(run)
    there = [Absent(one, run.history) for one in hospitals]
    assert furthest(run.weights, in_one_process(model, there, "fedprox", rounds)[0]) < NEAR


def test_ctrl_c_ends_everything(place):
    folder = make(place / "interrupted")
    process, proxy = start(folder, "--rounds", 50, "--insecure")
    members = ("superlink", "hospital-01", "hospital-02", "hospital-03")
    running = [lambda one=one: [*processes_of(folder / "work" / one)] for one in members]
    wait_for(lambda: all(each() for each in running), process)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)  # as the impatient do
    said = process.communicate()[0]
    proxy.door.close()
    assert process.returncode == 130 and "nothing runs any more" in said
    assert not any(each() for each in running)


def test_nothing_is_left_running(secure, plain):
    for run in (secure, plain):
        assert not [one for each in run.work.glob("*/") for one in processes_of(each)]
