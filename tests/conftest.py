"""Fixtures that every test shares: data at hand, a small cohort, and no way to the network."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from filelock import FileLock

# Test processes share the cores, and threads that wait for each other take many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[1]
# Third-party volumes are never committed: they lie beside the checkout, or at DATKIT_TEST_DATA.
SHARED_DATA = Path(os.environ.get("DATKIT_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
# CI sets this: what a person may lack (a built book, a browser, the volumes) must be there.
REQUIRE_ALL = bool(os.environ.get("DATKIT_REQUIRE_ALL"))
# What tests import by name; collected for doctests it would be loaded twice, and fill the corpus of
# submissions twice.
collect_ignore = ["parts"]
LOOPBACK = ("127.0.0.1", "::1", "localhost", "", None)


def need(condition: object, what: str) -> None:
    """Skip with a reason where something is missing; fail where CI says that nothing may be."""
    if not condition:
        (pytest.fail if REQUIRE_ALL else pytest.skip)(what)


@pytest.fixture(scope="session")
def needed() -> Callable[[object, str], None]:
    """The function above, for what a test finds missing itself."""
    return need


@pytest.fixture
def any_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test run its own submissions plain where no sandbox works: it is not about one."""
    monkeypatch.setattr("datkit.replica.sandbox.SANDBOXES", ("docker", "bubblewrap", "plain"))


def _address_of(self: socket.socket, *arguments: object) -> object:
    """Return the host that connect, connect_ex or sendto would reach; a socket file is none."""
    return None if self.family == socket.AF_UNIX else arguments[-1][0]


def _loopback_only(call: Callable, host_of: Callable) -> Callable:
    def guarded(*arguments: object, **settings: object) -> object:
        if (host := host_of(*arguments)) not in LOOPBACK:
            raise OSError(f"tests must not reach the network, yet one asked for {host}")
        return call(*arguments, **settings)

    return guarded


@pytest.fixture(autouse=True)
def _closed_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network beyond loopback, no home folder, no settings of the person who runs the tests.

    pytest-socket would not do: where hosts are allowed, it holds ``connect`` alone, and look-ups of
    names, datagrams and ``connect_ex`` slip by.
    """
    for name in ("connect", "connect_ex", "sendto"):
        guarded = _loopback_only(getattr(socket.socket, name), _address_of)
        monkeypatch.setattr(socket.socket, name, guarded)
    look_up = _loopback_only(socket.getaddrinfo, lambda host, *_: host)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATKIT_DATA", str(tmp_path / "data"))
    for name in ("DATKIT_MANIFEST", "DATKIT_MIRROR", "DATKIT_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of third-party volumes (see its README for their licences)."""
    need(SHARED_DATA.is_dir(), f"third-party volumes are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def real_map(shared_data: Path) -> Path:
    """The real group-mean FP-CIT map of 174 controls (CC BY-NC-SA 4.0)."""
    return shared_data / "DAT_fpcit_hc174_dukart_spect.nii"


@pytest.fixture(scope="session")
def pydicom() -> None:
    """The extra that reads DICOM."""
    need(find_spec("pydicom"), "pydicom is not installed: pip install -e '.[dicom]'")


@pytest.fixture
def scheduler() -> Iterator[str]:
    """The address of a Dask cluster of two workers, threads of this process behind real sockets."""
    need(find_spec("distributed"), "Dask is not installed: pip install -e '.[cluster]'")
    from dask.distributed import LocalCluster

    quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": "ERROR"}
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False,
                      protocol="tcp", host="127.0.0.1", **quiet) as cluster:  # fmt: skip
        yield cluster.scheduler_address


@contextmanager
def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of all test processes of one run, for one of them at a time."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / ".lock"):
        yield folder


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory: pytest.TempPathFactory):
    """The simulated cohort of 24 exams, made once for all tests."""
    from datkit.simulate.cohort import simulate_cohort

    with _shared_folder(tmp_path_factory) as folder:
        return simulate_cohort(folder / "tiny", size="tiny", seed=2026, progress=False)


@pytest.fixture(scope="session")
def prepared_tiny(tiny_cohort, tmp_path_factory: pytest.TempPathFactory):
    """The tiny cohort in the canonical grid, made once too."""
    from datkit.prepare import prepare_cohort

    with _shared_folder(tmp_path_factory) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATKIT_DATA", str(folder / "prepared"))
        return prepare_cohort(tiny_cohort, progress=False)


@pytest.fixture(scope="session")
def exam_report():
    """What a report of an exam with a hot left putamen shows; no patient, no normal range."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    from datkit.io.scan import Scan
    from datkit.measure import measure_volume
    from datkit.prepare import GRID, Prepared, load_regions
    from datkit.view.pages.report import ReportContents

    volume = np.ones(GRID.shape, dtype=np.float32)
    volume[load_regions()["putamen_left"]] = 3.5
    quality = {"similarity": 0.97, "scale": 0.9, "reference": 1234.5, "verdict": "good"}
    oblique = np.eye(4)
    oblique[:3, :3] = Rotation.from_euler("x", 7.2, degrees=True).as_matrix() * [2.46, 2.46, 3.5]
    return ReportContents(
        name="exam.nii.gz",
        sha256="0123456789abcdef" * 4,
        scan=Scan(np.zeros((128, 128, 64), np.float32), oblique),
        prepared=Prepared(volume, np.eye(4), quality),
        measures=measure_volume(volume),
    )


@pytest.fixture(scope="session")
def normal_table():
    """The normal range of four measures of that exam, as compare_with_normals gives it."""
    import pandas as pd

    rows = {
        "caudate_left": (0.0, 2.0, 1.0, 3.0, -4.0),
        "putamen_left": (2.5, 2.0, 1.0, 3.0, 1.0),
        "putamen_right": (0.0, 2.0, 1.0, 3.0, -4.0),
        "putamen_asymmetry": (200.0, 0.0, -9.8, 9.8, 40.0),
    }
    columns = ["value", "expected", "low", "high", "z"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.attrs = {"reference": "OSEM", "n": 40, "ages": [40, 85], "resolution": [8, 12]}
    table.attrs["limits"] = []
    return table


@pytest.fixture(scope="session")
def built_book() -> Path:
    """The folder of the built book's HTML."""
    html = REPOSITORY / "build" / "book" / "_build" / "html"
    need((html / "index.html").is_file(), f"the book is not built at {html}: run make book")
    return html


@pytest.fixture(scope="session")
def toy_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the chapters (book), notebook (notebooks) and executed copy (run) of a book."""
    from datkit.book.run import run_notebooks

    with _shared_folder(tmp_path_factory) as shared:
        folder = shared / "toy"
        if not folder.exists():
            shutil.copytree(REPOSITORY / "tests" / "golden" / "toy_book", folder)
            shutil.copy(REPOSITORY / "book" / "_config.yml", folder / "book")
            shutil.copytree(REPOSITORY / "book" / "static", folder / "book" / "static")
            run_notebooks([folder / "notebooks" / "01_toy.ipynb"], folder / "run")
    return folder


@pytest.fixture(scope="session")
def toy_html(toy_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The HTML of that book, built as the real one is."""
    from datkit.book.build import build_book, stage_book

    parts = [toy_book / name for name in ("book", "notebooks", "run", "out")]
    with _shared_folder(tmp_path_factory):
        if not parts[-1].exists():
            stage_book(*parts)
            assert build_book(parts[-1]) == 0, "the book of two pages must build without a warning"
    return parts[-1] / "_build" / "html"


@pytest.fixture(params=["toy_html", "built_book"])
def html(request: pytest.FixtureRequest) -> Path:
    """The HTML of the book of two pages, then of the real one."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    need(found, "Chromium is not installed: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def executed_notebooks() -> Path:
    """The folder of the notebooks' executed copies."""
    folder = REPOSITORY / "build" / "notebooks"
    need(list(folder.glob("*.ipynb")), f"no executed notebooks in {folder}: run make book")
    return folder


FLAGS = [
    "--no-sandbox",  # as root, Chromium starts only so
    "--disable-gpu",  # WebGL is drawn in software
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def tab(browser) -> Iterator:
    """A tab of a phone's size, in which no script may fail."""
    from accessible import SIZES
    from tabs import open_tab

    with open_tab(browser, SIZES["phone"]) as tab:
        yield tab
