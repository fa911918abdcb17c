"""The repository keeps the promises that its first page makes."""

import importlib.util
import json
import re
import runpy
import socket
import subprocess
import sys
import tomllib
import urllib.request
from itertools import chain
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "nilearn", "matplotlib", "plotly", "sklearn", "SimpleITK", "papermill", "monai")


def normal(name):
    """The name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(name):
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_environment_yml_is_what_pyproject_makes():
    spec = importlib.util.spec_from_file_location("environment", REPOSITORY / ".ci/environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert read("environment.yml") == module.environment(read("pyproject.toml"))


def test_every_dependency_is_pinned_in_constraints():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {normal(re.split(r"[\[<>=~! ]", need, maxsplit=1)[0]) for need in wanted}
    pinned = {normal(line.split("==")[0]) for line in read("constraints.txt").splitlines()}
    assert names <= pinned
    assert "torch==2.13.0" in read("constraints.txt").splitlines()


def test_version_is_one():
    import datkit

    project = tomllib.loads(read("pyproject.toml"))["project"]
    cited = yaml.safe_load(read("CITATION.cff"))
    assert project["version"] == datkit.__version__ == cited["version"]
    assert f"\n## [{datkit.__version__}] - {cited['date-released']}\n" in read("CHANGELOG.md")


@pytest.mark.parametrize(
    "call",
    [
        ["-c", "import datkit"],
        ["-m", "datkit.cli", "--help"],
        ["-m", "datkit.cli", "data", "--help"],
    ],
    ids=" ".join,
)
def test_import_and_help_stay_light(call):
    """Import cost is counted in modules: seconds differ between machines, heavy names do not."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *call], capture_output=True, text=True, check=True
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "datkit" in imported
    assert not {name.split(".")[0] for name in imported} & {*HEAVY, "numpy", "pandas", "scipy"}


def test_contributing_lists_the_rooms_in_the_order_that_import_linter_holds():
    rows = re.findall(r"^\| (`.*?) \|", read("CONTRIBUTING.md"), re.MULTILINE)
    rooms = [name for row in rows for name in re.findall(r"`(\w+)/?`", row)]
    contract = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]
    found = {path.stem for path in (REPOSITORY / "datkit").iterdir() if is_room(path)}
    assert rooms[: len(contract["layers"])] == contract["layers"][::-1]
    assert set(contract["layers"]) == found


def is_room(path):
    return (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")


# Modules without a test of their own name, by the test that reaches them: parts of one idea that
# make sense together only, and code that runs inside other processes.
REACHED_BY = {
    "book/test_atlas.py": "book/atlas/entries book/atlas/exams book/atlas/page book/atlas/pictures",
    "book/network/test_network_page.py": "book/network/changes book/network/measured "
    "book/network/pack",
    "book/quiz/test_questions.py": "book/quiz/sphinx",
    "book/test_gate.py": "book/code_rules book/executed_rules book/imports book/notebook "
    "book/patterns book/prose_rules",
    "book/test_run.py": "book/execution",
    "book/workshop/test_plan.py": "book/workshop/lessons book/workshop/pages",
    "book/workshop/test_slides.py": "book/workshop/handout book/workshop/text",
    "book/workshop/test_stick.py": "book/workshop/installer/install",
    "challenge/test_classroom.py": "challenge/controls",
    "data/test_manifest.py": "data/manifest_reader",
    "measure/test_exam.py": "measure/definitions measure/regions measure/southampton",
    "models/test_new_model.py": "models/registry",
    "models/test_store.py": "models/base",
    "models/test_volume.py": "models/network",
    "prepare/test_align.py": "prepare/grid prepare/levels prepare/sampling",
    "provenance/test_publish.py": "provenance/published",
    "submit/test_pack.py": "submit/template/main",
}


def test_tests_mirror_the_tree():
    package, tests = REPOSITORY / "datkit", REPOSITORY / "tests"
    modules = {path.relative_to(package) for path in package.rglob("*.py")}
    alone = {
        module.with_suffix("").as_posix()
        for module in modules
        if module.stem not in ("__init__", "__main__")
        and not (tests / module.with_name(f"test_{module.name}")).is_file()
    }
    assert alone == {module for reached in REACHED_BY.values() for module in reached.split()}
    assert all((tests / test).is_file() for test in REACHED_BY)


CHOOSER = REPOSITORY / ".github/ISSUE_TEMPLATE/config.yml"
FORMS = sorted(set((REPOSITORY / ".github/ISSUE_TEMPLATE").glob("*.yml")) - {CHOOSER})
WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_asks_for_little_and_runs_what_a_person_runs(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"].pop("contents") == "read"
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    for action in (step["uses"] for step in steps if "uses" in step):
        assert re.fullmatch(r"actions/[\w-]+@v\d+", action), "GitHub's own, of a stated version"
    for line in (step["run"] for step in steps if step.get("run", "").startswith("make ")):
        words = re.sub(r"\$\{\{.*?\}\}", "1", line).split()
        subprocess.run(["make", "-n", *words[1:]], cwd=REPOSITORY, capture_output=True, check=True)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one_that_github_takes(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert {part["type"] for part in asked} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(part["attributes"]["label"] for part in asked)
    assert len({part["id"] for part in asked}) == len(asked)


def test_hooks_before_a_commit_are_valid_and_use_what_is_installed():
    pytest.importorskip("pre_commit")
    command = [sys.executable, "-m", "pre_commit", "validate-config"]
    subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    programs = {hook["entry"].split()[0] for hook in repository["hooks"]}
    found = {name for name in programs if (Path(sys.executable).parent / name).is_file()}
    assert found == programs >= {"ruff", "lint-imports", "nbstripout", "python"}


def test_make_needs_no_notebook_s_number():
    assert not re.search(r"notebooks/\S*\d", read("Makefile"))


def test_the_book_goes_on_without_the_open_map(capfd):
    script = runpy.run_path(str(REPOSITORY / ".ci" / "open_data.py"))
    told, fetch = script["WITHOUT"], script["fetch"]
    assert fetch([sys.executable, "-c", "print('a path')"]) == "" and capfd.readouterr().out == ""
    assert fetch([sys.executable, "-c", "raise SystemExit(1)"]).startswith(f"{told}. ")
    waits = [sys.executable, "-c", "import time; time.sleep(60)"]
    assert fetch(waits, seconds=0.2).startswith(f"{told}: no answer within 0.2 s.")
    assert script["FETCH"][1:] == ("-m", "datkit.cli", "data", "fetch", "fpcit-hc174")


def test_a_setting_refuses_the_open_map(tmp_path):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "asked with $@"\n', encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / ".ok").touch()  # nothing to install
    for setting, said in (("yes", "asked with .ci/open_data.py"), ("no", "")):
        command = ["make", "-s", "open-data", f"VENV={tmp_path}", f"OPEN_DATA={setting}"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == said


def test_make_alone_prints_help():
    done = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for target in ("install", "book", "test", "clean"):
        assert f"make {target} " in done.stdout


def test_no_file_in_git_is_large_or_executed():
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    for path in filter(None, (REPOSITORY / name for name in done.stdout.split("\0") if name)):
        if path.is_file():
            weights = path.suffix == ".safetensors"  # in the package: two networks
            assert path.stat().st_size < (2_000_000 if weights else 400_000), path
            if path.suffix == ".ipynb":
                cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
                assert not any(cell.get("outputs") for cell in cells), path


FAR = ("203.0.113.1", 80)  # TEST-NET-3, RFC 5737: nobody lives there


def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


WAYS_OUT = {
    "an address": lambda: urllib.request.urlopen(f"http://{FAR[0]}/", timeout=1),
    "requests": lambda: importlib.import_module("requests").get(f"http://{FAR[0]}/", timeout=1),
    "a name": lambda: socket.create_connection(("example.org", 80), timeout=1),
    "a look-up": lambda: socket.getaddrinfo("example.org", 80),
    "a socket": lambda: socket.socket().connect(FAR),
    "a socket that returns its error": lambda: socket.socket().connect_ex(FAR),
    "a datagram": lambda: udp().sendto(b"x", FAR),
    "a datagram with flags": lambda: udp().sendto(b"x", 0, FAR),
    "IPv6": lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_tests_cannot_reach_the_network(way):
    with pytest.raises(OSError, match="must not reach the network"):
        WAYS_OUT[way]()


def test_tests_may_talk_to_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_nothing_but_fetch_can_open_a_connection():
    from datkit.inspect.imports import imports_of

    network = {"requests", "pooch", "socket", "urllib.request", "http.client", "ftplib", "smtplib"}
    package = REPOSITORY / "datkit"
    users = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for one in imports_of(path.read_text(encoding="utf-8"))
        if {one.module, *(f"{one.module}.{name}" for name in one.names)} & network
    }
    assert users == {"data/download.py"}
