"""Readers' pages: what they hold and what not, and five scripted readers in a real browser."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import krippendorff
import nibabel as nib
import numpy as np
import pytest
from accessible import check_sizes
from campaigns import SECRET, answer, campaign, prepared
from sklearn.metrics import cohen_kappa_score
from tabs import open_tab
from undrawn import NO_DRAWING

from datkit.errors import ReadingError, UsageError
from datkit.prepare import GRID
from datkit.reading import init_campaign, merge_readers
from datkit.reading.pages import STEP, pack_volume

COUNT = 60


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("campaign") / "room"


@pytest.fixture(scope="module")
def key(room: Path) -> dict:
    settings = {"repeated": 0.2, "seed": 3, "note": 40, "shown": ["age", "sex"]}
    return init_campaign(campaign(**settings), prepared(COUNT), room, SECRET)


@pytest.fixture
def tab(browser: object) -> Iterator:
    """A tab that may reach nothing but the disk."""
    with open_tab(browser, {"width": 1280, "height": 900}, offline=True) as tab:
        yield tab


def test_a_volume_keeps_its_place_and_its_uptake_to_half_a_step() -> None:
    volume = np.random.default_rng(0).uniform(0, 6, GRID.shape)
    packed = gzip.decompress(base64.b64decode(pack_volume(volume)))
    image = nib.Nifti1Image.from_bytes(packed)
    corner = image.affine @ [0, 0, 0, 1]
    start = np.linalg.inv(GRID.affine) @ corner
    i, j, k = start[:3].round().astype(int)
    shown = image.get_fdata()
    part = volume[i : i + shown.shape[0], j : j + shown.shape[1], k : k + shown.shape[2]]
    assert np.abs(shown - part).max() <= STEP / 2 + 1e-6


def test_a_page_names_no_exam_no_label_no_file_and_no_other_reader(room: Path, key: dict) -> None:
    for reader, its in key["readers"].items():
        page = (room / "pages" / f"{reader}.html").read_bytes()
        content = re.search(rb'id="dat-campaign">(.*?)</script>', page, re.S)[1]
        told = json.loads(content)
        assert list(told["volumes"]) == list(its["codes"]) == [one["code"] for one in told["exams"]]
        assert b".nii" not in content
        for volume in told["volumes"].values():
            page += gzip.decompress(base64.b64decode(volume))  # a NIfTI header has room for names
        secrets = ["secret-uid", "is_pathologic", "named.nii", "centre-99", SECRET]
        others = {other: one for other, one in key["readers"].items() if other != reader}
        secrets += [*others, *(one["key"] for one in others.values())]
        assert [one for one in secrets if one.encode() in page] == []
        assert b"education and research, not for diagnosis" in page
        assert b"A &lt;campaign&gt;" in page and b"A <campaign>" not in page


def test_each_reader_has_codes_an_order_and_hidden_repeats(key: dict) -> None:
    plans = [its["codes"] for its in key["readers"].values()]
    for codes in plans:
        once = [uid for uid, again in codes.values() if not again]
        twice = [uid for uid, again in codes.values() if again]
        assert sorted(once) == sorted({*once}) and len(once) == COUNT and len(twice) == 12
        places = {flag: {uid: place for place, (uid, again) in enumerate(codes.values())
                         if again == flag} for flag in (False, True)}  # fmt: skip
        assert min(places[True][uid] - places[False][uid] for uid in twice) >= COUNT // 6
    assert len({code for codes in plans for code in codes}) > 0.99 * 5 * 72
    assert len({tuple(uid for uid, _ in codes.values()) for codes in plans}) == 5


def test_the_same_secret_gives_the_same_bytes_and_another_one_other_codes(tmp_path: Path) -> None:
    keys = [
        init_campaign(campaign(1), prepared(4), tmp_path / str(number), secret)
        for number, secret in enumerate((SECRET, SECRET, None))
    ]
    pages = [(tmp_path / str(n) / "pages" / "reader-1.html").read_bytes() for n in range(3)]
    assert pages[0] == pages[1] != pages[2]
    assert not {*keys[0]["readers"]["reader-1"]["codes"]} & {
        *keys[2]["readers"]["reader-1"]["codes"]
    }
    with pytest.raises(UsageError, match="a new or empty folder"):
        init_campaign(campaign(1), prepared(4), tmp_path / "0")


def test_exams_that_are_not_there_and_persons_of_no_age(tmp_path: Path) -> None:
    cohort = prepared(3)
    cohort.table.loc["secret-uid-001", "age"] = np.nan
    wanted = campaign(1, exams=["secret-uid-001", "other"], shown=["age"])
    with pytest.raises(ReadingError) as raised:
        init_campaign(wanted, cohort, tmp_path / "room")
    assert [one.code for one in raised.value.problems] == ["exam-unknown", "column-missing"]
    assert not (tmp_path / "room").exists()


# Answers every exam by pressing the page's own keys, as fast as it goes on.
READ = """async (script) => {
  const root = document.getElementById("dat-reading");
  const wait = () => new Promise((resolve) => setTimeout(resolve, 1));
  const press = (key) => {
    const init = { key, code: `Digit${key}`, bubbles: true, cancelable: true };
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", init));
  };
  root.querySelector(".dr-main").click();
  for (const [code, ...keys] of script) {
    const shown = () => root.querySelector("h2").textContent.endsWith(code);
    while (!shown() || !root.querySelector("form")) await wait();
    for (const key of keys) press(key);
    root.querySelector("form button[type=submit]").click();
  }
  while (root.querySelector("form")) await wait();
}"""


def script_of(key: dict, reader: str) -> list[list[str]]:
    """Each code, and the keys that answer it."""
    return [
        [code, str(call + 1), str(grade)]
        for code, (uid, again) in key["readers"][reader]["codes"].items()
        for call, grade in [answer(uid, reader, again)]
    ]


def save(tab: object, folder: Path) -> Path:
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name="Download my answers").press("Enter")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_five_readers_of_60_exams_in_a_browser(
    browser: object, room: Path, key: dict, tmp_path: Path
) -> None:
    files = []
    for reader in key["readers"]:
        context = browser.new_context()  # each reader's own browser
        tab = context.new_page()
        tab.add_init_script(NO_DRAWING)
        tab.goto((room / "pages" / f"{reader}.html").as_uri())
        tab.evaluate(READ, script_of(key, reader))
        files.append(save(tab, tmp_path))
        context.close()
    merged = merge_readers(room, files, n_boot=50)

    uids = merged.labels.index
    said = {
        reader: np.array([answer(uid, reader, False) for uid in uids]) for reader in key["readers"]
    }
    calls = np.array([its[:, 0] for its in said.values()])  # readers, exams
    votes = calls.sum(axis=0)
    assert len(uids) == COUNT and set(votes) >= {0, 1, 2, 3, 5}
    assert merged.labels["votes"].tolist() == votes.tolist()
    assert merged.labels["is_pathologic"].tolist() == (votes > 2).astype(int).tolist()
    for column, name in enumerate(("call", "grade")):
        found, weights = merged.agreement[name], (None, "quadratic")[column]
        pairs = [cohen_kappa_score(said[a][:, column], said[b][:, column], weights=weights)
                 for a, b in combinations(said, 2)]  # fmt: skip
        assert list(found["cohen"].values()) == pytest.approx(pairs)
        table, level = [its[:, column] for its in said.values()], ("nominal", "ordinal")[column]
        right = krippendorff.alpha(table, level_of_measurement=level)
        assert found["krippendorff"]["value"] == pytest.approx(right)
        for reader, its in key["readers"].items():
            again = [uid for uid, second in its["codes"].values() if second]
            two = [[answer(uid, reader, flag)[column] for uid in again] for flag in (False, True)]
            right = cohen_kappa_score(*two, weights=weights)
            assert found["within"][reader] == pytest.approx(right)
    divided = np.abs(votes / 5 - 0.5)[(votes > 0) & (votes < 5)]
    assert {*merged.disputed.index} == {*uids[(votes > 0) & (votes < 5)]}
    assert np.abs(merged.disputed["votes"] / 5 - 0.5).tolist() == sorted(divided)
    for uid, row in merged.disputed.iterrows():
        assert [row[reader] for reader in said] == [
            ("normal", "abnormal")[answer(uid, reader, False)[0]] for reader in said]  # fmt: skip

    text = files[2].read_text()
    files[2].write_text(text.replace('"call": 1', '"call": 0', 1))  # by hand, in an editor
    with pytest.raises(
        ReadingError, match="reader-3.*expected answers as the reader's page sealed"
    ):
        merge_readers(room, files, n_boot=5)


def test_by_real_keys_with_a_note_and_a_reload_in_the_middle(
    tab: object, room: Path, key: dict, tmp_path: Path
) -> None:
    """Exams are really drawn; after a reload the page goes on where the reader was."""
    tab.goto((room / "pages" / "reader-1.html").as_uri())
    script = script_of(key, "reader-1")
    tab.locator(".dr-main").press("Enter")
    for place, (code, *keys) in enumerate(script[:4]):
        tab.wait_for_selector("form")
        assert code in tab.locator("h2").inner_text()
        assert tab.locator(".dr-person").inner_text() == "Woman, 62 years"
        for one in keys:
            tab.keyboard.press(one)
        if place == 1:
            tab.get_by_label("Note").fill("“the left tail” \\ é\u2028" + "x" * 60)
            tab.get_by_label("Note").press("Enter")
        else:
            tab.keyboard.press("Enter")
        tab.wait_for_function(
            "code => !document.querySelector('h2').textContent.endsWith(code)", arg=code
        )
        if place == 2:
            tab.reload()
            assert "Read so far: 3 of 72" in tab.locator("#dat-reading").inner_text()
            tab.locator(".dr-main").press("Enter")
    tab.wait_for_selector("form")
    kept = json.loads(tab.evaluate("Object.values(localStorage)[0]"))["answers"]
    assert [one["code"] for one in kept] == [code for code, *_ in script[:4]]
    assert len(kept[1]["note"]) == 40
    tab.get_by_role("button", name="Pause").press("Enter")
    tab.add_init_script(NO_DRAWING)
    tab.reload()
    tab.evaluate(READ, script[4:])
    merged = merge_readers(room, [save(tab, tmp_path)], n_boot=5)
    assert merged.readings["note"].str.startswith("“the left tail”").sum() == 1
    assert (merged.readings["seconds"] < 600).all() and len(merged.readings) == 72


def test_no_step_of_the_page_keeps_a_reader_off(tab: object, room: Path, key: dict) -> None:
    tab.goto((room / "pages" / "reader-2.html").as_uri())
    tab.locator(".dr-main").wait_for()
    check_sizes(tab, "at the start")
    tab.locator(".dr-main").press("Enter")
    tab.wait_for_selector("form")
    check_sizes(tab, "asked")
