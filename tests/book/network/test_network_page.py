"""The network in the page, in a real browser from the disk: its numbers are Python's."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from accessible import OVERFLOW

from datkit.book.network.changes import SEEN, Changes, change, measure, on_grid
from datkit.book.network.pack import EXAMS, halve, load_exam, write_pack
from datkit.book.reading.chosen import Chosen
from datkit.book.reading.pack import Seen
from datkit.measure import measure_volume
from datkit.models.network import mirror_mean
from datkit.models.volume import CompactCNN, VolumeClassifier
from datkit.prepare import GRID, load_regions

REPOSITORY = Path(__file__).resolve().parents[3]
PLACES = {"left": (1.3, -0.7, 2.1), "right": (-0.4, 1.9, -1.6)}  # mm, beside the grid's voxels
TRIED = {
    "as it is": Changes(),
    "dim left": Changes(left=0.6),
    "dim both": Changes(left=0.3, right=0.9),
    "blur": Changes(blur=9.0),
    "mirror": Changes(mirror=True),
    "shift": Changes(shift=(8.0, -5.0, 3.0)),
    "reference": Changes(reference=1.25),
    "all": Changes(0.2, 0.7, 5.0, True, (-3.0, 11.0, -7.0), 0.8),
}


def made(seed: int) -> np.ndarray:
    """Return a prepared volume with bright striata, one weaker, and grain."""
    rng = np.random.default_rng(seed)
    volume = rng.normal(1, 0.2, GRID.shape)
    for name, uptake in (("caudate", 3.5), ("putamen", 3.0)):
        for side in ("left", "right"):
            volume[load_regions()[f"{name}_{side}"]] += uptake * rng.uniform(0.3, 1)
    return volume.clip(0).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> CompactCNN:
    """A network that looks at everything: random weights, and scales as after training."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        built = CompactCNN(width=4)
        for name, one in built.state_dict().items():
            if name.endswith(("running_mean", "1.bias")):
                one.normal_(0, 0.3)
            elif name.endswith(("running_var", "1.weight")):
                one.uniform_(0.1, 0.9)
            elif one.ndim == 5:
                one *= 4  # small random weights would make every exam alike
        built.logit.weight *= 20
        halve(built)
    return built.eval()


@pytest.fixture(scope="module")
def seen() -> dict[str, Seen]:
    quality = {
        f"{s}_shift_{a}": v for s, at in PLACES.items() for a, v in zip("xyz", at, strict=True)
    }
    return {kind: Seen(made(number), quality) for number, kind in enumerate(EXAMS)}


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, network: CompactCNN, seen: dict[str, Seen]
) -> Path:
    """The page as the book has it, without its theme."""
    folder = tmp_path_factory.mktemp("network")
    shutil.copytree(REPOSITORY / "book" / "static", folder / "_static")
    exams = {kind: Chosen(name, 1, kind) for kind, name in EXAMS.items()}
    write_pack(folder / "_static" / "network", network, exams, seen)
    text = REPOSITORY / "book" / "chapters" / "network_in_the_page.md"
    body = re.search(r"```\{raw\} html\n(.*?)```", text.read_text(encoding="utf-8"), re.S)[1]
    head = "<meta charset=utf-8><meta name=viewport content='width=device-width'><title>n</title>"
    (folder / "chapters").mkdir()
    (folder / "chapters" / "page.html").write_text(
        f"<!doctype html><html lang=en>{head}<h1>n</h1>{body}", encoding="utf-8"
    )
    return folder


@pytest.fixture
def tab(browser: object, site: Path) -> Iterator:
    """The page, on a small phone that may reach nothing but the disk."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    tab, asked, errors = context.new_page(), [], []
    tab.set_default_timeout(60_000)  # milliseconds, on a busy machine
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto((site / "chapters" / "page.html").as_uri())
    yield tab
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()


SAID = """(tried) => {
  const { network, exams, frame } = datNetworkExam.open(datNetworkPack);
  return exams.map((exam) => tried.map((one) => {
    const image = datNetworkExam.change(exam.image, one, frame);
    const { logit, probability } = datNetwork.predict(image, network);
    const ratios = datNetworkExam.measure(image, exam.places, one.mirror, frame);
    return { logit, probability, ratios };
  }));
}"""


def test_logits_and_ratios_are_those_of_python(
    tab: object, network: CompactCNN, seen: dict[str, Seen]
) -> None:
    tried = [vars(one) | {"noise": 0, "shift": [*one.shift]} for one in TRIED.values()]
    said = tab.evaluate(SAID, tried)
    model = VolumeClassifier(size="compact", width=4)
    logits = []
    for one, answers in zip(seen.values(), said, strict=True):
        exam = load_exam(one.volume)
        for changes, answer in zip(TRIED.values(), answers, strict=True):
            box = torch.from_numpy(model.plan.view.crop(on_grid(change(exam, changes))[None]))
            with torch.inference_mode():
                logits.append(float(mirror_mean(network, box.float())))
            assert answer["logit"] == pytest.approx(logits[-1], abs=1e-4)
            ratios = measure(exam, PLACES, changes)
            assert answer["ratios"] == pytest.approx(ratios, abs=1e-4), changes
    assert np.std(logits) > 1, "else equal logits would prove little"


def test_ratios_are_the_kits(seen: dict[str, Seen]) -> None:
    volume = np.ones(GRID.shape, np.float32)  # the reference is 1, as in a prepared volume
    volume[SEEN] = load_exam(seen["normal"].volume)
    volume[load_regions()["occipital"]] = 1
    ratios = measure(volume[SEEN], PLACES)
    kit = measure_volume(volume, PLACES)
    assert ratios == pytest.approx({name: kit[name] for name in ratios})
    exact = measure_volume(np.where(volume == 1, 1, seen["normal"].volume), PLACES)
    assert ratios == pytest.approx({name: exact[name] for name in ratios}, abs=0.01)


def test_noise_is_that_of_an_image_and_the_same_again(tab: object) -> None:
    grain = np.array(
        tab.evaluate("""() => {
      const flat = datNetwork.image(1, 40, 40, 40);
      const noise = () => [...datNetworkExam.noise(flat, 0.3, 7).values];
      return [noise(), noise()];
    }""")
    )
    assert np.array_equal(*grain)
    noise = grain[0].reshape(40, 40, 40)
    assert noise.std() == pytest.approx(0.3, rel=0.02)
    neighbour = np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]
    # Two points of white noise, each blurred by 8 mm, 2 mm apart: exp(−d² / 4σ²), σ = 3.4 mm.
    assert neighbour == pytest.approx(np.exp(-(2**2) / (4 * 3.4**2)), abs=0.03)


def slide(tab: object, name: str, value: int) -> None:
    tab.locator(f"#dn-{name}").evaluate(
        "(range, value) => { range.value = value; range.dispatchEvent(new Event('input')); }", value
    )


def test_a_result_is_shown_only_after_a_guess(tab: object) -> None:
    shown = tab.locator("#dat-network strong[data-p]")
    before = float(shown.get_attribute("data-p"))
    slide(tab, "right", 80)
    assert shown.count() == 0 and "hidden" in tab.locator(".dn-results").inner_text()
    tab.get_by_role("button", name="it rises").click()
    after = float(shown.get_attribute("data-p"))
    happened = "rose" if after - before >= 0.05 else "fell" if before - after >= 0.05 else "hardly"
    said = tab.locator(".dn-said").inner_text()
    assert happened in said and said.startswith("As you" if happened == "rose" else "Not as you")
    assert tab.locator(".dn-tally").inner_text().endswith("of 1 guesses right.")
    slide(tab, "right", 40)  # what was guessed once moves on without a question
    assert shown.count() == 1
    slide(tab, "blur", 9)
    assert shown.count() == 0
    tab.get_by_role("button", name="Undo all changes").click()
    assert float(shown.get_attribute("data-p")) == pytest.approx(before, abs=1e-9)


def test_a_guess_is_judged_on_its_own_slider(tab: object) -> None:
    """Others that moved since the last result, before or after it, change nothing."""
    at = """(changes) => { const { state, look } = datNetworkPage;
        return look({ ...state.values, ...changes }).probability; }"""
    slide(tab, "right", 100)  # asked, and left without an answer
    slide(tab, "blur", 8)
    tab.get_by_role("button", name="it rises").click()
    pair = tab.evaluate(at, {"right": 100, "blur": 0}), tab.evaluate(at, {"right": 100, "blur": 8})
    assert told(tab, pair)
    slide(tab, "shift0", 4)
    slide(tab, "blur", 0)  # guessed before: it moves while the shift is asked about
    tab.get_by_role("button", name="it falls").click()
    assert told(tab, (tab.evaluate(at, {"shift0": 0}), tab.evaluate(at, {"shift0": 4})))


def told(tab: object, pair: tuple[float, float]) -> bool:
    """Whether the page says that the probability went from one to the other."""
    start, end = (
        "over 0.99" if p > 0.995 else "under 0.01" if p < 0.005 else f"{p:.2f}" for p in pair
    )
    return tab.locator(".dn-said").inner_text().endswith(f"from {start} to {end}.")


def test_it_goes_by_keyboard_and_pictures_tell_their_state(tab: object) -> None:
    tab.locator("#dn-left").focus()
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    assert tab.locator("#dn-left").get_attribute("aria-valuetext") == "15 %"
    picture = tab.locator(".dn-uptake canvas").first
    tab.wait_for_function("document.querySelector('.dn-uptake canvas').ariaLabel.includes('15 %')")
    assert "left posterior putamen, dimmed by 15 %" in picture.get_attribute("aria-label")
    tab.locator(".dn-guess button").first.focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "dn-left"
    names = tab.eval_on_selector_all("canvas", "all => all.map(one => [one.role, one.ariaLabel])")
    assert len(names) == 7 and all(role == "img" and len(name) > 40 for role, name in names)


def test_it_fits_a_small_phone_and_takes_each_exam(tab: object) -> None:
    seen = set()
    for kind in EXAMS:
        tab.get_by_label(kind, exact=True).check()
        seen.add(tab.locator("strong[data-p]").get_attribute("data-logit"))
        assert tab.evaluate(OVERFLOW) <= 0
    assert len(seen) == len(EXAMS)


def test_without_its_files_the_page_says_so(browser: object, site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "bare")
    (tmp_path / "bare" / "_static" / "network" / "pack.js").unlink()
    page = browser.new_page()
    page.goto((tmp_path / "bare" / "chapters" / "page.html").as_uri())
    assert "did not load" in page.locator("#dat-network").inner_text()
    page.close()
