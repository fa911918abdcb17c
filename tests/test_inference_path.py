"""The shipped program and all it imports: with the platform's packages only, on any exam."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from datkit.data import open_folder
from datkit.inspect.submission import Submission
from datkit.measure import MEASURES
from datkit.models import MeasuresClassifier, VolumeClassifier, save_model
from datkit.replica import run_submission
from datkit.replica.folders import Settings, build_replica
from datkit.replica.process import execute
from datkit.submit import pack_submission
from datkit.submit.pack import MAIN, PACKAGE, inference_modules, write_prior

pytestmark = pytest.mark.usefixtures("any_isolation")

# All that the kit's own inference path may import besides the standard library: packages with a
# published version, so that a submission does not rest on a guess, and what scikit-image brings.
INFERENCE_PACKAGES = (
    "SimpleITK",
    "joblib",
    "lazy-loader",
    "nibabel",
    "numpy",
    "pandas",
    "safetensors",
    "scikit-learn",
    "scipy",
    "torch",
)
PRIOR = 0.6
LABELS = [0, 1, 1, 0, 1]
PROBE = """
import importlib, sys
for name in {names}:
    importlib.import_module(name)
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


@pytest.fixture(scope="module")
def main():
    """The template, as a module."""
    spec = importlib.util.spec_from_file_location("template_main", MAIN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """Both kinds of model, trained on noise: that they answer matters here, not what."""
    folder, rng = tmp_path_factory.mktemp("models"), np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(1, 1, (5, len(MEASURES))), columns=list(MEASURES))
    save_model(MeasuresClassifier(C=0.01).fit(table, LABELS), folder / "measures")
    volumes = rng.uniform(0.5, 3, (5, 64, 80, 48)).astype(np.float32)
    network = VolumeClassifier(epochs=1, width=2, augment=False, accelerator="cpu")
    save_model(network.fit(volumes, LABELS), folder / "volume")
    write_prior(folder, LABELS)
    return folder


@pytest.fixture(scope="module")
def packed(models, tmp_path_factory) -> Path:
    return Path(pack_submission(models, tmp_path_factory.mktemp("zip") / "submission.zip").path)


@pytest.fixture(scope="module")
def hostile_cohort(tiny_cohort, tmp_path_factory):
    """One sound exam, mended ones, and exams that no reader can save."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "niftis").mkdir()
    source = tiny_cohort.path_of(tiny_cohort.uids[0])
    image = nib.load(source)
    data = np.asanyarray(image.dataobj).astype(np.float32)
    holed = data.copy()
    holed[0, 0, 0] = np.nan
    for uid, values in (("nan-voxel", holed), ("four-d", data[..., None])):
        nib.save(nib.Nifti1Image(values, image.affine), folder / "niftis" / f"{uid}.nii.gz")
    nib.save(nib.Nifti1Image(data * 0, image.affine), folder / "niftis" / "all-zero.nii.gz")
    speck = np.diag([1e-3, 1e-3, 1e-3, 1])
    nib.save(nib.Nifti1Image(data, speck), folder / "niftis" / "speck-voxel.nii.gz")
    shutil.copy(source, folder / "niftis" / "1e5.nii.gz")
    whole = source.read_bytes()
    (folder / "niftis" / "truncated.nii.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "niftis" / "007.nii.gz").write_bytes(b"")
    uids = sorted(path.name.removesuffix(".nii.gz") for path in (folder / "niftis").iterdir())
    rows = "".join(f"{uid},0.0\n" for uid in uids)
    (folder / "submission_format.csv").write_text("uid,is_pathologic\n" + rows)
    return open_folder(folder, require_labels=False)


def names_of(modules) -> list[str]:
    dotted = (".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in modules)
    return [name.removesuffix(".__init__") for name in dotted]


def test_every_module_imports_without_what_the_platform_lacks(packed, tiny_cohort, tmp_path):
    names = names_of(inference_modules())
    assert {"datkit.prepare", "datkit.measure", "datkit.models.volume"} <= set(names)
    settings = Settings(seconds=300, packages=INFERENCE_PACKAGES)
    with Submission(packed) as submission:
        replica = build_replica(submission, tiny_cohort, [], tmp_path, settings)
    (replica.code / "main.py").write_text(PROBE.format(names=names))
    ending = execute(replica, say=print)
    assert ending.exit_code == 0, "\n".join(ending.log)
    loaded = set(ending.log[-1].split())
    assert {"datkit", "sklearn", "torch"} <= loaded
    assert not loaded & {"nilearn", "plotly", "pydantic", "matplotlib", "tqdm", "lightning_fabric"}


def test_the_packed_zip_predicts_what_its_models_predict(packed, models, tiny_cohort, main):
    report = run_submission(packed, tiny_cohort, exams=3, progress=False)
    assert report.ok, str(report)
    predict, prior = main.load_predictor(models)
    assert prior == PRIOR
    for uid, probability in report.predictions.items():
        here = np.clip(predict(tiny_cohort.path_of(uid)), main.LOWEST, main.HIGHEST)
        assert probability == pytest.approx(here, abs=1e-5)  # written with six decimals
    assert len(set(report.predictions.values())) == 3


def test_hostile_exams_get_the_prior_and_stop_nothing(packed, hostile_cohort):
    report = run_submission(packed, hostile_cohort, progress=False)
    assert report.ok, str(report)
    lost = {"007", "all-zero", "speck-voxel", "truncated"}
    assert {uid for uid, p in report.predictions.items() if p == PRIOR} == lost
    assert any("4 with the prior" in line for line in report.log)
    # A voxel in the corner moves nothing: one NaN once moved a probability from 0.08 to 0.67.
    sound = report.predictions["1e5"]
    assert report.predictions["nan-voxel"] == pytest.approx(sound, abs=0.01)
    assert report.predictions["four-d"] == pytest.approx(sound, abs=0.01)


def test_each_exam_is_predicted_alone(models, tiny_cohort, main, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "niftis").symlink_to(tiny_cohort.folder / "niftis")
    monkeypatch.chdir(tmp_path)
    predict, prior = main.load_predictor(models)
    uids = tiny_cohort.uids[:3]
    together = dict(zip(uids, main.predict_all(uids, predict, prior)[0], strict=True))
    backwards = main.predict_all(uids[::-1], predict, prior)[0][::-1]
    assert list(together.values()) == backwards
    assert main.predict_all(uids[1:2], predict, prior)[0] == [together[uids[1]]]


def test_a_failure_is_counted_by_its_kind_only(main, capsys, monkeypatch):
    def predict(path):
        if path.name == "b.nii.gz":
            raise ValueError("secret of b")
        return 1.0

    probabilities, failures = main.predict_all(["a", "b"], predict, 0.6)
    assert (probabilities, failures) == ([main.HIGHEST, 0.6], Counter(ValueError=1))
    assert main.judge_smoke_test(2, failures) == 0
    assert main.judge_smoke_test(1, failures) == 1
    printed = capsys.readouterr().out
    assert "secret" not in printed and "1 of 2 exams failed with ValueError" in printed


def test_the_log_stays_short(main, capsys):
    main.predict_all([str(number) for number in range(3000)], lambda path: 0.5, 0.6)
    assert len(capsys.readouterr().out.splitlines()) == 10


def test_uids_are_text_and_rows_keep_their_order(main, tmp_path):
    path = tmp_path / "submission_format.csv"
    path.write_text("uid,is_pathologic\n007,0.0\n1e5,0.0\nNA,0.0\n", encoding="utf-8-sig")
    uids = main.read_uids(path)
    assert uids == ["007", "1e5", "NA"]
    main.write_submission(tmp_path / "submission.csv", uids, [0.1, 0.25, 1 / 3])
    written = (tmp_path / "submission.csv").read_bytes()
    assert written == b"uid,is_pathologic\n007,0.100000\n1e5,0.250000\nNA,0.333333\n"


def test_a_late_mount_is_waited_for(main, tmp_path, monkeypatch):
    table, exam = tmp_path / "submission_format.csv", tmp_path / "niftis" / "b.nii.gz"
    steps = iter(
        [
            lambda: table.write_text("uid,is_pathologic\na,0.0\nb,0.0\n"),
            lambda: (exam.parent.mkdir(), exam.touch()),
        ]
    )
    monkeypatch.setattr(main.time, "sleep", lambda seconds: next(steps)())
    assert main.wait_for_exams(tmp_path, 60) == ["a", "b"]
    assert next(steps, None) is None
    exam.unlink()
    assert main.wait_for_exams(tmp_path, -1) == ["a", "b"]  # every exam then gets the prior
    table.unlink()
    with pytest.raises(FileNotFoundError):
        main.wait_for_exams(tmp_path, -1)


class Clock:
    """Stands still until an exam takes its time."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("full", "cheap", "expected"),
    [
        (1.0, 0.1, {"full": 100, "cheap": 0, "prior": 0}),  # 100 s of 100 s
        (2.0, 0.5, {"full": 33, "cheap": 67, "prior": 0}),
        (10.0, 1.0, {"full": 3, "cheap": 70, "prior": 27}),
        (200.0, 1.0, {"full": 1, "cheap": 0, "prior": 99}),
    ],
)
def test_a_slow_run_changes_to_a_cheaper_way_in_time(full, cheap, expected, main):
    clock = Clock()
    pace = main.Pace(100.0, clock)

    def predict(path, cheap=False, seconds=(full, cheap)):
        clock.now += seconds[cheap]
        return 0.9

    probabilities, failures = main.predict_all([str(n) for n in range(100)], predict, 0.6, pace)
    counts = {way: len(times) for way, times in pace.times.items()}
    counts["prior"] = failures["TimeoutError"]
    assert sum(counts.values()) == 100
    assert counts == pytest.approx(expected, abs=3)
    assert probabilities.count(0.6) == failures.total() == counts["prior"]
    assert clock.now <= 100 + (full if full > 100 else 0)


def test_the_cheaper_way_uses_the_fastest_model(main, models, tiny_cohort, tmp_path):
    predict, _ = main.load_predictor(models)
    alone = tmp_path / "weights"
    shutil.copytree(models / "measures", alone)
    shutil.copy(models / "prior.json", alone)
    cheap = main.load_predictor(alone)[0]
    path = tiny_cohort.path_of(tiny_cohort.uids[0])
    assert predict(path, cheap=True) == cheap(path, cheap=True) != predict(path)


def test_the_smoke_test_is_recognised(main, monkeypatch):
    monkeypatch.delenv("IS_SMOKE_TEST", raising=False)
    assert not main.is_smoke_test()
    for value, smoke in (("", False), ("0", False), ("false", False), ("1", True), ("yes", True)):
        monkeypatch.setenv("IS_SMOKE_TEST", value)
        assert main.is_smoke_test() is smoke


def test_damaged_weights_stop_the_run(main, models, tmp_path):
    broken = tmp_path / "weights"
    shutil.copytree(models, broken)
    (broken / "prior.json").unlink()
    with pytest.raises(FileNotFoundError):
        main.load_predictor(broken)
    shutil.copytree(models, broken, dirs_exist_ok=True)
    weights = broken / "volume" / "weights.safetensors"
    os.truncate(weights, weights.stat().st_size - 1)
    with pytest.raises(Exception, match="safetensors"):
        main.load_predictor(broken)
