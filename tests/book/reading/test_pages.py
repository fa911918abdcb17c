"""The reading trainer in a real browser, opened from the disk: read, scored, reloaded, exported."""

from __future__ import annotations

import csv
import json
import re
import shutil
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from accessible import OVERFLOW, SIZES
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import brier_score_loss, cohen_kappa_score, roc_auc_score, roc_curve
from tabs import open_tab
from undrawn import NO_DRAWING

from datkit.book.reading.chosen import AGAIN, choose_exams
from datkit.book.reading.pack import Seen, write_files
from datkit.prepare import GRID, load_regions
from datkit.view.live import STATIC, vendored_files

REPOSITORY = Path(__file__).resolve().parents[3]
CHANCE = {-3: 0.05, -2: 0.2, -1: 0.4, 1: 0.6, 2: 0.8, 3: 0.95}
LIKERT_KEYS = {-3: "1", -2: "2", -1: "3", 1: "4", 2: "5", 3: "6"}
SIDE_KEYS = {"left": "l", "right": "r", "none": "n"}


@pytest.fixture(scope="module")
def exams() -> dict:
    return choose_exams()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, exams: dict) -> Path:
    """The two pages as the book has them, without its theme; every exam shows one hot left side."""
    folder = tmp_path_factory.mktemp("reading")
    static = folder / "_static"
    for source in (STATIC, REPOSITORY / "book" / "static"):
        shutil.copytree(source, static, dirs_exist_ok=True)
    (static / "vendor").mkdir()
    shutil.copy(vendored_files()["niivue.umd.js"], static / "vendor")
    volume = np.ones(GRID.shape, np.float32)
    volume[load_regions()["striatum_left"]] = 3.5
    write_files(static / "reading", exams, dict.fromkeys(exams, Seen(volume, {})), {})
    (folder / "chapters").mkdir()
    for name in ("reading", "reading_group"):
        text = (REPOSITORY / "book" / "chapters" / f"{name}.md").read_text(encoding="utf-8")
        body = re.search(r"```\{raw\} html\n(.*?)```", text, re.S)[1]
        head = f"<meta charset=utf-8><title>{name}</title>"
        page = f"<!doctype html><html lang=en>{head}<h1>{name}</h1>{body}"
        (folder / "chapters" / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def truths(exams: dict) -> dict[str, dict]:
    """What is true of each exam, and what the panel said."""
    return {
        name: {"label": one.label, "grade": one.grade, "side": one.side, "kind": one.kind,
               "votes": one.drawn.reading.votes, "benamer": one.drawn.reading.benamer}
        for name, one in exams.items()
    }  # fmt: skip


@pytest.fixture
def tab(browser: object) -> Iterator:
    """A tab the width of a small phone that may reach nothing but the disk."""
    with open_tab(browser, SIZES["phone"], offline=True) as tab:
        yield tab


def open_trainer(tab: object, site: Path) -> None:
    tab.goto((site / "chapters" / "reading.html").as_uri())


def keys_of(likert: int, benamer: int, side: str) -> list[str]:
    """Return the keys that give and commit an answer; a normal one implies grade and side."""
    more = [str(benamer), SIDE_KEYS[side]] if likert > 0 else []
    return [LIKERT_KEYS[likert], *more, "Enter"]


# How scripted readers answer: from an exam's truth and a generator of their own.
def perfect(its: dict, _rng: np.random.Generator) -> tuple[int, int, str]:
    return (3, its["grade"], its["side"]) if its["label"] else (-3, 0, "none")


def constant(_its: dict, _rng: np.random.Generator) -> tuple[int, int, str]:
    return 1, 2, "left"


def noisy(its: dict, rng: np.random.Generator) -> tuple[int, int, str]:
    likert = int(rng.choice([-3, -2, -1, 1, 2, 3], p=np.array([1, 2, 3, 4, 5, 6]) / 21))
    if rng.random() < 0.6:
        likert = abs(likert) if its["label"] else -abs(likert)
    if likert < 0:
        return likert, 0, "none"
    return likert, int(rng.integers(1, 4)), str(rng.choice(["left", "right", "none"]))


READERS = {"perfect": perfect, "constant": constant, "noisy": noisy}


def stored(tab: object) -> dict:
    return json.loads(tab.evaluate("Object.values(localStorage)[0]"))


# Answers every exam that is left as fast as the page goes on; `script` is a list of answers.
READ = """async (script) => {
  const root = document.getElementById("dat-reading");
  const find = (selector, text) =>
    [...root.querySelectorAll(selector)].find((one) => one.textContent.startsWith(text));
  for (const [likert, benamer, side] of script) {
    (find("button", "Start reading") ?? find("button", "Go on with block"))?.click();
    while (!root.querySelector("form")) await new Promise((resolve) => setTimeout(resolve, 1));
    for (const [name, value] of Object.entries({ likert, benamer, side })) {
      root.querySelector(`[name=${name}][value="${value}"]`).click();
    }
    root.querySelector("form").requestSubmit();
    find("button", "Next exam")?.click();
  }
}"""


def script_of(tab: object, reader: str, truths: dict) -> list[tuple[int, int, str]]:
    """What a scripted reader answers to every exam, in the order of reading."""
    order, rng = tab.evaluate("window.datReadingSet.presentations"), np.random.default_rng(7)
    return [READERS[reader](truths[one["exam"]], rng) for one in order]


def share(right: int, n: int) -> dict:
    """Return a share with Wilson's interval, by SciPy."""
    if not n:
        return {"value": None, "low": None, "high": None, "right": right, "n": n}
    low, high = binomtest(right, n).proportion_ci(method="wilson")
    return {"value": right / n, "low": low, "high": high, "right": right, "n": n}


def agree(one: object, two: object, labels: list, weights: str | None = None) -> float | None:
    """Return Cohen's kappa by scikit-learn; None where it has no value."""
    if not len(one):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it has no value
        kappa = cohen_kappa_score(one, two, labels=labels, weights=weights)
    return None if np.isnan(kappa) else float(kappa)


def against(labels: np.ndarray, ratings: np.ndarray) -> dict:
    calls = (ratings > 0).astype(int)
    return {
        "n": len(labels),
        "auroc": float(roc_auc_score(labels, ratings)),
        "sensitivity": share(int((calls[labels == 1] == 1).sum()), int((labels == 1).sum())),
        "specificity": share(int((calls[labels == 0] == 0).sum()), int((labels == 0).sum())),
        "accuracy": share(int((calls == labels).sum()), len(labels)),
        "kappa": agree(labels, calls, [0, 1]),
    }


def score(answers: list[dict], truths: dict) -> dict:
    """Score a reader in Python: what the page must say too."""
    first = [one for one in answers if one["block"] != AGAIN]
    its = [truths[one["exam"]] for one in first]
    labels = np.array([one["label"] for one in its])
    votes = np.array([one["votes"] for one in its])
    ratings = np.array([one["likert"] for one in first])
    grades = [one["benamer"] for one in first]
    seconds = np.array([one["seconds"] for one in first])
    chances = np.array([CHANCE[rating] for rating in ratings])
    before = {one["exam"]: one["likert"] for one in first}
    pairs = [(before[one["exam"]], one["likert"]) for one in answers if one["block"] == AGAIN]
    same = [[int(rating > 0) for rating in each] for each in zip(*pairs, strict=True)]
    sided = [place for place, one in enumerate(its) if one["side"] != "none"]
    kinds = {k: float(np.median(seconds[[one["kind"] == k for one in its]]))
             for k in ("normal", "abnormal", "hard")}  # fmt: skip
    fpr, tpr, _ = roc_curve(labels, ratings, drop_intermediate=False)
    levels = list(CHANCE)
    return {
        "n": len(first),
        "truth": against(labels, ratings),
        "panel": against((votes.sum(axis=1) > 2).astype(int), ratings),
        "readers": [agree(column, (ratings > 0).astype(int), [0, 1]) for column in votes.T],
        "within": {
            "agreement": share(sum(a == b for a, b in zip(*same, strict=True)), len(pairs)),
            "kappa": agree(*same, [0, 1]),
            "weighted": agree(*zip(*pairs, strict=True), levels, "quadratic"),
        },
        "grade": {
            "right": share(sum(g == one["grade"] for g, one in zip(grades, its, strict=True)),
                           len(its)),
            "truth": agree([one["grade"] for one in its], grades, [0, 1, 2, 3], "quadratic"),
            "panel": agree([one["benamer"] for one in its], grades, [0, 1, 2, 3], "quadratic"),
        },
        "side": share(sum(first[p]["side"] == its[p]["side"] for p in sided), len(sided)),
        "calibration": {
            "levels": [{"likert": level, "chance": CHANCE[level]}
                       | share(int(labels[ratings == level].sum()), int((ratings == level).sum()))
                       for level in levels],
            "brier": float(brier_score_loss(labels, chances)),
            "claimed": float(np.maximum(chances, 1 - chances).mean()),
        },
        "seconds": {"median": float(np.median(seconds)), **kinds},
        "roc": [{"fpr": x, "tpr": y} for x, y in zip(fpr, tpr, strict=True)],
    }  # fmt: skip


def check_equal(found: object, right: object, where: str = "") -> None:
    """Compare to 1e-9; what the page says beyond Python's names is let be."""
    if isinstance(right, dict):
        for name, value in right.items():
            check_equal(found[name], value, f"{where}.{name}")
    elif isinstance(right, list):
        assert len(found) == len(right), where
        for place, value in enumerate(right):
            check_equal(found[place], value, f"{where}[{place}]")
    elif right is None or isinstance(right, str):
        assert found == right, where
    else:
        assert found == pytest.approx(right, abs=1e-9), where


SCORES = """(answers) => {
  const keys = Object.entries(window.datReadingSet.key);
  const key = Object.fromEntries(keys.map(([e, k]) => [e, window.datReadingParts.decode(k)]));
  return window.datReadingScores.scoreReader(answers, key);
}"""


GROUP = SCORES.replace("scoreReader", "scoreGroup")


def check_scores(tab: object, truths: dict) -> None:
    """Compare all scores of what the page holds with Python's; the page shows them, too."""
    answers = stored(tab)["answers"]
    assert len(answers) == len(truths) + 12
    right = score(answers, truths)
    check_equal(tab.evaluate(SCORES, answers), right)
    tab.get_by_role("button", name="Results").press("Enter")
    text = tab.locator("#dat-reading").inner_text()
    assert f"{right['truth']['auroc']:.2f}" in text and f"{right['panel']['auroc']:.2f}" in text
    assert tab.evaluate(OVERFLOW) <= 0


@pytest.mark.parametrize("reader", ["perfect", "constant"])
def test_every_score_of_a_scripted_reader_is_pythons(
    tab: object, site: Path, truths: dict, reader: str
) -> None:
    tab.add_init_script(NO_DRAWING)
    open_trainer(tab, site)
    tab.evaluate(READ, script_of(tab, reader, truths))
    check_scores(tab, truths)


def test_all_exams_by_keys_alone_with_a_reload_in_the_middle(
    tab: object, site: Path, truths: dict
) -> None:
    tab.add_init_script(NO_DRAWING)
    open_trainer(tab, site)
    order = tab.evaluate("window.datReadingSet.presentations")
    script = script_of(tab, "noisy", truths)
    middle = next(place for place in range(9, 24) if script[place][0] > 0)
    for place, (one, what) in enumerate(zip(order, script, strict=True)):
        if place in (0, 24, 48):
            tab.locator(".dr-main").press("Enter")
        tab.wait_for_selector("form")
        keys = keys_of(*what)
        if place == middle:
            tab.keyboard.press(keys.pop(0))
            before = stored(tab)
            tab.reload()
            assert stored(tab)["answers"] == before["answers"] and len(before["answers"]) == place
            assert stored(tab)["draft"]["values"] == {"likert": what[0]}
            tab.locator(".dr-main").press("Enter")
            tab.wait_for_selector("form")
        for key in keys:
            tab.keyboard.press(key)
        if one["block"] != AGAIN:
            tab.locator(".dr-main").press("Enter")
    given = [(a["likert"], a["benamer"], a["side"]) for a in stored(tab)["answers"]]
    assert given == script
    check_scores(tab, truths)


def test_nothing_of_the_truth_is_on_the_page_before_the_answer(tab: object, site: Path) -> None:
    """Here niivue draws, in software."""
    open_trainer(tab, site)
    tab.locator(".dr-main").press("Enter")
    tab.wait_for_selector('.dr-area[data-ready="1"]', timeout=60_000)
    tab.wait_for_selector("form")
    page = tab.content()
    assert not re.search(r"sim-2026|votes|lesson|truth: |SBR", page.partition("<script")[0])
    assert tab.locator(".dr-top").inner_text() == ""
    for key in keys_of(2, 2, "left"):
        tab.keyboard.press(key)
    assert re.search("sim-2026", tab.content())
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert tab.evaluate(OVERFLOW) <= 0
    canvas = tab.locator(".dr-area canvas")
    before = canvas.screenshot()
    tab.keyboard.press("PageUp")
    assert canvas.screenshot() != before
    tab.get_by_label("left on the right").check()
    assert stored(tab)["view"]["radiological"] is True


def test_an_abnormal_exam_of_grade_0_is_refused(tab: object, site: Path) -> None:
    tab.add_init_script(NO_DRAWING)
    open_trainer(tab, site)
    tab.locator(".dr-main").press("Enter")
    tab.wait_for_selector("form")
    for key in keys_of(2, 0, "left"):
        tab.keyboard.press(key)
    assert stored(tab)["answers"] == []
    said = "document.querySelector('[name=benamer]').validationMessage"
    assert tab.evaluate(said) == "An abnormal exam has a grade from 1 to 3."


def export(tab: object, name: str) -> str:
    with tab.expect_download() as download:
        tab.get_by_role("button", name=name).click()
    return Path(download.value.path()).read_text(encoding="utf-8")


def bring(tab: object, name: str, text: str) -> None:
    content = {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
    tab.locator("input[type=file]").set_input_files(content)


def test_answers_leave_and_come_back_as_json_and_as_csv(
    tab: object, site: Path, truths: dict
) -> None:
    tab.add_init_script(NO_DRAWING)
    open_trainer(tab, site)
    tab.get_by_label("Your name or a code").fill('=Ann, "A"')
    tab.evaluate(READ, script_of(tab, "noisy", truths)[:24])
    before = stored(tab)["answers"]
    files = {"a.json": export(tab, "Export JSON"), "a.csv": export(tab, "Export CSV")}
    assert not re.search("label|votes", files["a.json"]), "a file holds answers, not the truth"
    tab.on("dialog", lambda dialog: dialog.accept())
    for name, text in files.items():
        tab.get_by_role("button", name="Start again").click()
        assert stored(tab)["answers"] == []
        bring(tab, name, text)
        tab.wait_for_selector("text=24 answers of")
        assert (stored(tab)["answers"], stored(tab)["reader"]) == (before, '=Ann, "A"')


@pytest.mark.parametrize("reader", ["-1+1+cmd", "=1", "+1-2", "@a", "'tHart", "-5", 'x, "y"'])
def test_no_cell_is_a_formula_and_each_comes_back(reader: str, tab: object, site: Path) -> None:
    tab.goto((site / "chapters" / "reading_group.html").as_uri())
    answer = {"exam": "e01", "block": 1, "likert": -2, "benamer": 0, "side": "none", "seconds": 2.5}
    answers = [answer | {"read_at": "=cmd"}]
    text = tab.evaluate(
        """([reader, answers]) => window.datReadingAsked.toCSV(
            {set: window.datReadingSet.name, reader, answers})""", [reader, answers],
    )  # fmt: skip
    cells = next(csv.reader([text.splitlines()[1]]))
    assert not [one for one in cells if one[0] in "=+-@" and not re.fullmatch(r"-?[\d.]+", one)]
    parse = "text => window.datReadingAsked.parse(text, window.datReadingSet)"
    found = tab.evaluate(parse, text)
    assert found["problems"] == [] and found["content"]["reader"] == reader
    assert found["content"]["answers"] == answers


def test_a_faulty_file_is_refused_with_every_problem(tab: object, site: Path, truths: dict) -> None:
    tab.add_init_script(NO_DRAWING)
    open_trainer(tab, site)
    tab.evaluate(READ, script_of(tab, "noisy", truths)[:3])
    tab.get_by_role("button", name="Pause").press("Enter")
    content = json.loads(tab.evaluate("""() => window.datReadingAsked.toJSON({
        set: window.datReadingSet.name, reader: "", answers: []})"""))  # fmt: skip
    good = {"exam": "e01", "block": 1, "likert": 2, "benamer": 1, "side": "left", "seconds": 3}
    bad = [good, good | {"likert": 0}, good | {"exam": "e99", "side": "both", "seconds": -1}]
    bring(tab, "bad.json", json.dumps(content | {"answers": bad}))
    said = tab.locator(".dr-said")
    tab.wait_for_function("document.querySelector('.dr-said').textContent")
    for problem in ("expected likert among", "no e99 in block 1", "expected side among",
                    "expected seconds, 0 or more", "answered more than once: e01/1"):  # fmt: skip
        assert problem in said.inner_text()
    name = tab.evaluate("window.datReadingSet.name")
    rows = [f"{name},{reader},{exam},1,2,1,left,3,"
            for reader, exam in (("A", "e01"), ("B", "e02"))]  # fmt: skip
    head = "set,reader,exam,block,likert,benamer,side,seconds,read_at"
    hostile = {
        json.dumps(content | {"answers": [good | {"block": "1"}]}): "no e01 in block 1",
        json.dumps(content | {"answers": [good | {"exam": ["e01"]}]}): "no e01 in block 1",
        json.dumps(content | {"answers": [None]}): "the set has no undefined in block undefined",
        json.dumps(content | {"answers": [], "set": {"toString": 1}}): "cannot be read",
        "\r\n".join([head, *rows]): "rows of several readers or sets",
        f"{head}\n{name},A,e01,1,2, ,left,3,": "expected benamer among 0, 1, 2, 3, found NaN",
        f"{head},likert\n{rows[0]},3": "columns that stand more than once: likert",
        f"{head}\n{rows[0][:-1]}": "expected 9 cells as in the header, found 8 in row 2",
        json.dumps(content | {"set": "dat-48-2026"}): "answers to other exams than this page's",
        json.dumps(content | {"set": "dat-48-2026-00000000"}): "an older or newer edition",
        "": "it is empty",
        "<html>\n<p>no answers": "the first line lacks the columns set, exam, block, likert",
        "\n".join([head, rows[0]]).replace(",", ";"): "its cells stand between semicolons",
        head: "it holds no answers",
        json.dumps(content): "expected answers, found none",
        json.dumps(content | {"answers": [good | {"seconds": 1e300}]}): "found 1e+300",
        json.dumps(content | {"reader": "A" * 100_000}): "name of at most 400 letters, found AAA",
        json.dumps(content | {"answers": [good] * 61}): "at most 60 answers of a reader, found 61",
    }
    problems = "text => window.datReadingAsked.parse(text, window.datReadingSet).problems.join()"
    for text, problem in hostile.items():
        said_of_it = tab.evaluate(problems, text)
        assert problem in said_of_it and len(said_of_it) < 400
    bring(tab, "other.json", '{"format": "something else"}')
    tab.wait_for_function("document.querySelector('.dr-said').textContent.includes('other')")
    assert "datkit-reading-1" in said.inner_text()
    assert len(stored(tab)["answers"]) == 3, "nothing is lost"


# Counts what a tab writes.
COUNT = """
window.written = 0;
const set = Storage.prototype.setItem;
Storage.prototype.setItem = function (...pair) { window.written += 1; set.apply(this, pair); };
"""
LEAVE = """() => {
  for (const [target, name] of [[document, "visibilitychange"], [window, "pagehide"]]) {
    target.dispatchEvent(new Event(name));
  }
}"""


def test_two_tabs_lose_no_answer(tab: object, site: Path, truths: dict) -> None:
    tab.context.add_init_script(NO_DRAWING + COUNT)
    other = tab.context.new_page()
    open_trainer(tab, site)
    open_trainer(other, site)
    script = script_of(tab, "noisy", truths)
    other.evaluate(READ, script[:3])  # and goes on to the fourth
    tab.wait_for_selector("text=block 1: 3 of 24")
    tab.evaluate(LEAVE)
    assert tab.evaluate("window.written") == 0, "an idle tab writes nothing"
    tab.get_by_label("Your name or a code").fill("Ann")
    tab.evaluate(READ, [script[3]])  # and goes on to the fifth
    assert len(stored(tab)["answers"]) == 4
    other.evaluate(READ, [[3, 2, "right"]])  # the fourth, too: the later answer counts
    tab.evaluate(LEAVE)
    found = stored(tab)
    order = tab.evaluate("window.datReadingSet.presentations")
    assert [one["exam"] for one in found["answers"]] == [one["exam"] for one in order[:4]]
    assert (found["answers"][3]["likert"], found["reader"]) == (3, "Ann")


GOOD = {"likert": 2, "benamer": 1, "side": "left", "seconds": 3, "read_at": ""}
ABOUT = {"reader": "A", "draft": None}
DAMAGED = {
    "not JSON": (lambda one: "{", 0),
    "null": (lambda one: "null", 0),
    "no list": (lambda one: json.dumps(ABOUT | {"answers": {}}), 0),
    "no answer": (lambda one: json.dumps(ABOUT | {"answers": [one, None, "x"]}), 1),
    "no seconds": (lambda one: json.dumps(ABOUT | {"answers": [one | {"seconds": None}]}), 0),
    "no such exam": (lambda one: json.dumps(ABOUT | {"answers": [one, one | {"exam": "x"}]}), 1),
    "twice": (lambda one: json.dumps(ABOUT | {"answers": [one | {"likert": 1}, one]}), 1),
    "no draft": (lambda one: json.dumps({"answers": [one], "draft": {"values": None}}), 1),
    "no view": (lambda one: json.dumps({"answers": [one], "view": None}), 1),
    "odd view": (lambda one: json.dumps({"answers": [one], "view": "x"}), 1),
}


def test_what_is_damaged_is_set_aside(tab: object, site: Path) -> None:
    tab.add_init_script(NO_DRAWING)
    open_trainer(tab, site)
    [one] = tab.evaluate("window.datReadingSet.presentations.slice(0, 1)")
    place = f"dat-reading/{tab.evaluate('window.datReadingSet.name')}/truth"
    for name, (text, n) in DAMAGED.items():
        damaged = text(one | GOOD)
        store = "([place, text]) => { localStorage.clear(); localStorage.setItem(place, text); }"
        tab.evaluate(store, [place, damaged])
        tab.reload()
        said = tab.locator("#dat-reading .dr-wrong").inner_text()
        assert "was damaged" in said and f"(answers: {n})" in said, name
        kept = tab.evaluate("({...localStorage})")
        answers = json.loads(kept.pop(place))["answers"]
        assert answers == [one | GOOD] * n and [*kept.values()] == [damaged], name
        if n:
            tab.get_by_role("button", name="Results").click()
            tab.wait_for_selector("text=Exam by exam")
    tab.reload()
    assert tab.locator("#dat-reading .dr-wrong").count() == 0, "said once"


def test_a_key_that_is_held_down_answers_once(tab: object, site: Path) -> None:
    tab.add_init_script(NO_DRAWING)
    open_trainer(tab, site)
    tab.keyboard.down("1")  # before there is anything to see
    tab.locator(".dr-main").click()
    tab.wait_for_selector("form")
    tab.keyboard.down("1")
    assert stored(tab)["draft"]["values"] == {}
    tab.keyboard.up("1")
    for key in "52l":
        tab.keyboard.press(key)
    tab.keyboard.down("Enter")
    tab.wait_for_timeout(350)  # milliseconds, in which no Enter goes on
    tab.keyboard.down("Enter")
    assert tab.locator("#dat-reading h3").inner_text().endswith(": the answer")
    tab.keyboard.up("Enter")
    tab.keyboard.press("Enter")
    assert tab.locator("#dat-reading h3").inner_text() == "Block 1, exam 2 of 24"


def test_volumes_that_were_not_loaded_are_tried_again(tab: object, site: Path) -> None:
    tab.add_init_script(NO_DRAWING)
    open_trainer(tab, site)
    files = "place => { document.getElementById('dat-reading').dataset.files = place; }"
    tab.evaluate(files, "nowhere")
    tab.locator(".dr-main").click()
    tab.wait_for_selector("text=Try again")
    text = tab.locator("#dat-reading").inner_text()
    assert "volumes-1.js cannot be loaded" in text and "being drawn" not in text
    tab.evaluate(files, "../_static/reading")
    tab.get_by_role("button", name="Try again").click()
    tab.wait_for_selector("form")
    assert "cannot be loaded" not in tab.locator("#dat-reading").inner_text()


@pytest.mark.parametrize("width", [360, 700])  # on the second the exam fills its half of the page
def test_left_and_right_stand_clear_of_the_edge(width: int, tab: object, site: Path) -> None:
    tab.set_viewport_size({"width": width, "height": 800})
    open_trainer(tab, site)
    tab.locator(".dr-main").click()
    area = tab.locator('.dr-area[data-ready="1"]')
    for _ in range(600):  # the letters' own picture comes a moment after the volume's
        picture = Image.open(BytesIO(area.screenshot())).convert("RGB")
        white = np.asarray(picture)[picture.height // 3 : picture.height * 2 // 3].min(2) > 200
        columns = np.flatnonzero(
            white.any(0)[:-1]
        )  # without the page beside it; the scale's brightest colour is no white
        if columns.size:
            break
        tab.wait_for_timeout(100)
    assert columns.min() >= 12 and columns.max() < picture.width - 12
    assert columns.max() - columns.min() > 100, "one on each side"


def test_the_page_of_a_group_reads_its_own_file(tab: object, site: Path) -> None:
    tab.goto((site / "chapters" / "reading_group.html").as_uri())
    head = {"format": "datkit-reading-1", "set": tab.evaluate("window.datReadingSet.name")}
    order = tab.evaluate("window.datReadingSet.presentations.slice(0, 24)")
    readers = ['Ann, "A"', "=Bo", "line\nbreak"]
    for seconds, reader in enumerate(readers):
        answers = [one | GOOD | {"seconds": seconds} for one in order]
        bring(tab, "a.json", json.dumps(head | {"reader": reader, "answers": answers}))
        tab.wait_for_selector(f"text={seconds + 1} reader")
    exported = export(tab, "Export all answers")
    scores = tab.locator("table").all_inner_texts()
    tab.get_by_role("button", name="Remove all").click()
    bring(tab, "readings.csv", exported)
    tab.wait_for_selector("text=3 readers.")
    assert tab.locator("table").all_inner_texts() == scores
    assert all(reader.split("\n")[0] in scores[0] for reader in readers)
    bring(tab, "bad.csv", exported.replace(",left,", ",both,", 1))
    tab.wait_for_selector('text=Ann, "A" of bad.csv was left out')


def test_a_page_that_only_collects_shows_no_truth(tab: object, site: Path, truths: dict) -> None:
    page = site / "chapters" / "reading.html"
    collects = page.with_name("collect.html")
    text = page.read_text(encoding="utf-8").replace('data-after="truth"', 'data-after="nothing"')
    collects.write_text(text, encoding="utf-8")
    tab.add_init_script(NO_DRAWING)
    tab.goto(collects.as_uri())
    script = script_of(tab, "noisy", truths)
    tab.evaluate(READ, script)
    assert len(stored(tab)["answers"]) == len(script)
    assert tab.get_by_role("button", name="Results").count() == 0
    assert not re.search("truth|votes|✓|✗", tab.locator("#dat-reading").inner_text())


def test_a_groups_files_give_its_scores(tab: object, site: Path, truths: dict) -> None:
    tab.add_init_script(NO_DRAWING)
    open_trainer(tab, site)
    order = [one for one in tab.evaluate("window.datReadingSet.presentations") if one["block"] < 3]
    rng, files, ratings, calls = np.random.default_rng(1), [], [], []
    name = tab.evaluate("window.datReadingSet.name")
    for reader in range(20):
        noise = np.random.default_rng(reader)
        given = [noisy(truths[one["exam"]], noise) for one in order]
        answers = [
            one | dict(zip(("likert", "benamer", "side"), what, strict=True))
            | {"seconds": float(rng.integers(5, 60)), "read_at": ""}
            for one, what in zip(order, given, strict=True)
        ]  # fmt: skip
        content = {"format": "datkit-reading-1", "set": name, "reader": f"R{reader}"}
        body = json.dumps(content | {"answers": answers}).encode()
        files.append({"name": f"{reader}.json", "mimeType": "text/plain", "buffer": body})
        ratings.append([what[0] for what in given])
        calls.append([int(what[0] > 0) for what in given])
    labels = np.array([truths[one["exam"]]["label"] for one in order])
    pairs = [agree(a, b, [0, 1]) for i, a in enumerate(calls) for b in calls[i + 1 :]]
    aurocs = [roc_auc_score(labels, one) for one in ratings]
    wrong = (np.array(calls) != labels).sum(axis=0)
    group = tab.evaluate(GROUP, [json.loads(one["buffer"]) for one in files])
    mean = np.mean(ratings, axis=0)
    check_equal(group["auroc"], {"mean": np.mean(aurocs), "together": roc_auc_score(labels, mean)})
    check_equal(group["kappa"], float(np.mean(pairs)))
    worst = group["missed"][0]
    assert worst["wrong"] == wrong.max() == wrong[[o["exam"] for o in order].index(worst["exam"])]
    tab.goto((site / "chapters" / "reading_group.html").as_uri())
    broken = {"name": "broken.csv", "mimeType": "text/csv", "buffer": b"no answers"}
    again = files[0] | {"name": "the same answers once more.json"}
    tab.locator("input[type=file]").set_input_files([*files, again, broken])
    tab.wait_for_selector("text=Most missed exams")
    text = tab.locator("#dat-reading-group").inner_text()
    assert "20 readers." in text and "broken.csv was left out" in text
    assert f"κ between two readers {np.mean(pairs):.2f}" in text
    assert f"{wrong.max()} of 20" in text
    assert tab.evaluate(OVERFLOW) <= 0
