"""One address: buttons, the installation and links follow from it, or are not there."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement

from datkit.book.address import ADDRESS, Address, read_address
from datkit.book.build import build_book, stage_book
from datkit.book.student import Pages, set_up, write_student_notebooks
from datkit.data.manifest import repository

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLIC = Address("https://github.com/someone/some-kit", is_public=True)
HIDDEN = Address("https://github.com/someone/some-kit", is_public=False)


def texts() -> dict[str, str]:
    """What git would keep, by path: no build, no environment."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    names = [name for name in done.stdout.split("\0") if name]
    paths = [path for path in map(REPOSITORY.joinpath, names) if path.is_file()]
    found = {}
    for path in paths:
        content = path.read_bytes()
        if b"\0" not in content:
            found[path.relative_to(REPOSITORY).as_posix()] = content.decode("utf-8")
    return found


def test_the_address_is_said_once():
    """In a checkout, that is; where git is not, no file is found and none is wrong."""
    slug = ADDRESS.repository.removeprefix("https://")
    owner, name = slug.split("/")[-2:]
    said = {path: text.count(slug) for path, text in texts().items() if slug in text}
    assert said in ({"pyproject.toml": 1}, {})
    derived = f"{owner}.github.io", f"{owner}/{name}"
    assert not [path for path, text in texts().items() if path != "pyproject.toml"
                and any(one in text for one in derived)]  # fmt: skip


def test_the_package_knows_the_address_from_its_installation():
    assert repository() == ADDRESS.repository


def test_it_is_read_from_pyproject_alone():
    text = '[project.urls]\nRepository = "https://github.com/a/b"\n[tool.datkit]\npublic = true\n'
    address = read_address(text)
    assert (address.repository, address.is_public) == ("https://github.com/a/b", True)
    page = "https://a.github.io/b/chapters/start.html"
    assert address.link("Start", "chapters/start.html") == f"[Start]({page})"


class Shell:
    """Takes the place of IPython's shell, and keeps the magics that a cell calls."""

    def __init__(self) -> None:
        self.magics: list[tuple[str, str]] = []

    def run_line_magic(self, name: str, line: str) -> None:
        self.magics.append((name, line))


def run_cell(address: Address, *, is_installed: bool, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run the first cell of a student notebook as IPython would, but install nothing."""

    def version(name: str) -> str:
        assert name == "dat-spect-kit"
        if not is_installed:
            raise PackageNotFoundError(name)
        return "0.2.0"

    shell = Shell()
    monkeypatch.setattr("importlib.metadata.version", version)
    code = TransformerManager().transform_cell(set_up(address))
    exec(code, {"get_ipython": lambda: shell})
    return shell


@pytest.mark.parametrize("address", [PUBLIC, HIDDEN], ids=["public", "not yet public"])
def test_the_first_cell_does_nothing_where_the_kit_is_installed(address, monkeypatch):
    assert run_cell(address, is_installed=True, monkeypatch=monkeypatch).magics == []


def test_the_first_cell_installs_the_kit_from_the_address(monkeypatch):
    shell = run_cell(PUBLIC, is_installed=False, monkeypatch=monkeypatch)
    [(name, line)] = shell.magics
    *options, wanted = re.findall(r'"[^"]+"|\S+', line)
    asked = Requirement(wanted.strip('"'))
    assert (name, options) == ("pip", ["install", "--quiet"])
    assert (asked.name, asked.url) == ("dat-spect-kit", f"git+{PUBLIC.repository}")


def test_without_a_public_address_the_first_cell_says_what_to_do(monkeypatch):
    with pytest.raises(ModuleNotFoundError, match=r"run pip install '.\[provenance\]', then"):
        run_cell(HIDDEN, is_installed=False, monkeypatch=monkeypatch)


def test_a_student_notebook_leads_to_the_book_once_there_is_one(toy_book, tmp_path):
    for address, links in ((PUBLIC, 4), (HIDDEN, 0)):
        pages = Pages(toy_book / "book", toy_book / "notebooks", toy_book, address)
        write_student_notebooks(pages, toy_book / "run", tmp_path / str(links))
        text = (tmp_path / str(links) / "01_toy.ipynb").read_text(encoding="utf-8")
        assert text.count("https://someone.github.io/some-kit/") >= links
        assert ("someone" in text) is bool(links)


def links_of(page: Path) -> list[str]:
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return [a["href"] for a in soup.select("a[href]")]


@pytest.fixture(scope="module")
def public_html(toy_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book of two pages, whose repository can be seen."""
    out = tmp_path_factory.mktemp("public") / "book"
    parts = [toy_book / name for name in ("book", "notebooks", "run")]
    stage_book(*parts, out, address=PUBLIC)
    assert build_book(out) == 0
    return out / "_build" / "html"


def test_the_buttons_open_the_student_notebook_of_the_page(public_html: Path):
    links = links_of(public_html / "notebooks" / "01_toy.html")
    student = "someone/some-kit", "student", "notebooks/01_toy.ipynb"
    binder = "https://mybinder.org/v2/gh/{}/{}?urlpath=lab/tree/{}".format(*student)
    colab = "https://colab.research.google.com/github/{}/blob/{}/{}".format(*student)
    assert {binder, colab} <= {*links}
    assert f"{PUBLIC.repository}/issues/new/choose" in links
    assert f"{PUBLIC.repository}/blob/main/LICENSE" in links
    assert not any("mybinder" in link for link in links_of(public_html / "index.html"))


def test_no_button_and_no_link_leads_nowhere(toy_book: Path, tmp_path: Path):
    parts = [toy_book / name for name in ("book", "notebooks", "run")]
    stage_book(*parts, tmp_path / "book", address=HIDDEN)
    text = (tmp_path / "book" / "_config.yml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    assert config["launch_buttons"] == {"thebe": False} and config["repository"] == {}
    assert "MIT licence; data" in config["html"]["extra_footer"] and "someone" not in text
