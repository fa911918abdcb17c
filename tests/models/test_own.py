"""A model of one's own from a file: stored without a pickle, loaded only if its file is named."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from datkit.errors import ModelError, UsageError
from datkit.models import OwnModel, TemperatureCalibrated, load_model, make_model, save_model
from datkit.models.own import FILES, run_file

MINE = """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

class Mine:
    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        self.pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=self.C)).fit(X, y)

    def predict_proba(self, X):
        return self.pipeline.predict_proba(X)
"""
SELF_STORED = """
import json

class Mine:
    reads, cost = "volumes", 7

    def fit(self, X, y):
        self.share = {1: float(y.mean())}.items()  # of a type that only the class itself can store

    def predict_proba(self, X):
        ((_, p),) = self.share
        return [[1 - p, p]] * len(X)

    def save(self, folder):
        (folder / "share.json").write_text(json.dumps(dict(self.share)))

    def load(self, folder):
        self.share = {1: json.loads((folder / "share.json").read_text())["1"]}.items()
"""
Y = np.arange(40) % 2
X = np.random.default_rng(0).normal(size=(40, 3)) - Y[:, None]


@pytest.fixture
def write(tmp_path):
    """Write a file of one's own and name its class; afterwards no file is named."""

    def written(source=MINE, name="Mine", file="my_own.py"):
        (tmp_path / file).write_text(source)
        return f"{tmp_path / file}:{name}"

    yield written
    FILES.clear()


def test_it_is_trained_stored_and_loaded(write, tmp_path):
    model = make_model(f"{write()} C=0.3").fit(X, Y)
    assert (model.reads, model.cost, model.settings) == ("measures", 3, {"C": 0.3})
    folder = save_model(model, tmp_path / "model")
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    document = json.loads((folder / "model.json").read_text())
    assert document["params"]["file"] == "my_own.py" and str(tmp_path) not in json.dumps(document)
    loaded = load_model(folder)
    assert type(loaded) is OwnModel
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_another_process_predicts_the_same(write, tmp_path):
    name = write()
    model = make_model(name).fit(X, Y)
    save_model(model, tmp_path / "model")
    np.save(tmp_path / "x.npy", X)
    script = (
        "import sys, numpy as np; from datkit.models import load_model, run_file;"
        "run_file(sys.argv[1]);"
        "print(load_model('model').predict_proba(np.load('x.npy'))[:, 1].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, name.partition(":")[0]],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == model.predict_proba(X)[:, 1].tolist()


def test_a_stored_model_runs_no_file_that_nobody_named(write, tmp_path):
    path = write().partition(":")[0]
    save_model(make_model(f"{path}:Mine").fit(X, Y), tmp_path / "model")
    FILES.clear()
    with pytest.raises(UsageError, match=r"found none named\. Name it: --code my_own\.py"):
        load_model(tmp_path / "model")
    write(MINE + "\n# changed\n")
    run_file(path)
    with pytest.raises(UsageError, match="as it was in training .*if it was changed, train again"):
        load_model(tmp_path / "model")


def test_a_class_that_stores_itself_is_let(write, tmp_path):
    model = make_model(write(SELF_STORED)).fit(X, np.minimum(Y + (X[:, 0] > 0), 1))
    assert (model.reads, model.cost) == ("volumes", 3)
    save_model(model, tmp_path / "model")
    assert (tmp_path / "model" / "own" / "share.json").is_file()
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_what_an_older_model_stored_is_gone(write, tmp_path):
    save_model(make_model(write(SELF_STORED)).fit(X, Y), tmp_path / "model")
    save_model(make_model(write()).fit(X, Y), tmp_path / "model")
    assert not (tmp_path / "model" / "own").exists()


def test_an_edited_file_of_a_class_that_stores_itself_is_refused(write, tmp_path):
    save_model(make_model(write(SELF_STORED)).fit(X, Y), tmp_path / "model")
    stored = tmp_path / "model" / "own" / "share.json"
    stored.write_text(stored.read_text().replace("0.5", "0.9"))
    with pytest.raises(ModelError, match=r"Expected own/share\.json as training wrote it"):
        load_model(tmp_path / "model")
    stored.unlink()
    with pytest.raises(ModelError, match="as training wrote it. Train again"):
        load_model(tmp_path / "model")


def test_an_older_model_stays_whole_where_the_new_one_cannot_be_written(
    write, tmp_path, monkeypatch
):
    folder = save_model(make_model(write(SELF_STORED)).fit(X, Y), tmp_path / "model")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def full(*_):
        raise OSError("No space left on device")

    newer = make_model(write(SELF_STORED)).fit(X, np.append(Y[1:], 1))
    with monkeypatch.context() as patch:
        patch.setattr("datkit.models.store.write_sealed", full)
        with pytest.raises(OSError, match="No space left"):
            save_model(newer, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert {path.name for path in folder.iterdir()} == {"model.json", "own"}


@pytest.mark.parametrize(
    "code",
    [
        "np.full((len(X), 2), 0.3)",
        "np.full((len(X), 2), 0.5 + 0.1j)",
        "np.full((len(X), 2), np.inf)",
    ],
)
def test_what_are_no_probabilities_is_refused(write, code):
    source = MINE.replace("self.pipeline.predict_proba(X)", code)
    with pytest.raises(ModelError, match="abnormal, which add up to 1, shape"):
        make_model(write("import numpy as np\n" + source)).fit(X, Y).predict_proba(X)


def test_code_that_leaves_python_is_an_error_like_any_other(write):
    model = make_model(write(MINE.replace("return self.pipeline", "raise SystemExit(0)  #")))
    with pytest.raises(ModelError, match="line 14: Expected code that runs, found SystemExit: 0"):
        model.fit(X, Y).predict_proba(X)
    with pytest.raises(ModelError, match="found SystemExit"):
        make_model(write("import sys\nsys.exit()"))


def test_it_is_calibrated_like_any_other(write, tmp_path):
    model = TemperatureCalibrated(make_model(write())).fit(X, Y)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_what_is_wrong_with_a_file_is_told(write, tmp_path):
    with pytest.raises(UsageError, match="Expected a class 'Yours' .*found Mine"):
        make_model(write(name="Yours"))
    with pytest.raises(UsageError, match="found none; check the path"):
        make_model(str(tmp_path / "no.py:Mine"))
    with pytest.raises(UsageError, match="Expected a class 'Mine' .*found none"):
        make_model(write(MINE.replace("def fit(self", "def train(self")))
    with pytest.raises(UsageError, match='reads = "measures" or "volumes", found none'):
        make_model(write(MINE.replace("    def fit(", '    reads = "pixels"\n\n    def fit(')))
    with pytest.raises(UsageError, match="Expected settings among C, found .*'c'"):
        make_model(f"{write()} c=1")
    with pytest.raises(ModelError, match=r"bad\.py, line 2: .*found ZeroDivisionError"):
        make_model(write("\n1 / 0", file="bad.py"))
    broken = make_model(write(MINE.replace("fit(X, y)\n", "fit(X, y + 0.5)\n")))
    with pytest.raises(ModelError, match=r"my_own\.py, line 11: .*found ValueError: Unknown label"):
        broken.fit(X, Y)
    flat = make_model(write(MINE.replace("predict_proba(X)\n", "predict_proba(X)[:, 1]\n")))
    flat.fit(X, Y)
    with pytest.raises(ModelError, match=r"shape \(40, 2\), found shape \(40,\)"):
        flat.predict_proba(X)


def test_the_kits_own_kinds_are_named_in_the_refusal():
    with pytest.raises(UsageError, match="blend, boosting, constant, measures, projection, volume"):
        make_model("forest")
    with pytest.raises(UsageError, match="Expected settings among .*trees.*found .*'tree'"):
        make_model("boosting tree=1")
    assert make_model("measures C=2.0", seed=5).get_params() == {
        "C": 2.0, "columns": None, "seed": 5,
    }  # fmt: skip


@pytest.mark.parametrize("source", [MINE, SELF_STORED])
def test_a_submission_carries_the_file_and_predicts_the_same(
    source, write, tmp_path, tiny_cohort, prepared_tiny
):
    from datkit.measure import measure_cohort
    from datkit.replica import run_submission
    from datkit.submit import pack_submission
    from datkit.submit.pack import write_prior

    labels = prepared_tiny.labels
    model = make_model(write(source))
    seen = measure_cohort(prepared_tiny) if model.reads == "measures" else prepared_tiny.volumes
    model.fit(seen, labels)
    save_model(model, tmp_path / "model")
    write_prior(tmp_path / "model", labels)
    packed = pack_submission(tmp_path / "model", tmp_path / "submission.zip")
    with zipfile.ZipFile(packed.path) as archive:
        (sha256,) = FILES
        assert archive.read(f"datkit/models/own/{sha256}.py").decode() == source
    report = run_submission(packed.path, tiny_cohort, exams=2, progress=False, isolation="plain")
    assert report.ok, str(report)
    expected = dict(zip(prepared_tiny.uids, model.predict_proba(seen)[:, 1], strict=True))
    for uid, p in report.predictions.items():
        assert p == pytest.approx(np.clip(expected[uid], 0.01, 0.99), abs=1e-5)


def test_what_a_submission_may_not_hold_is_told_before_it_is_packed(write, tmp_path):
    from datkit.errors import SubmissionError
    from datkit.submit import pack_submission

    model = make_model(write(SELF_STORED.replace("share.json", "share.txt"))).fit(X, Y)
    save_model(model, tmp_path / "model")
    with pytest.raises(
        SubmissionError, match=r"to write \.json, .*found own/share\.txt\. Write such"
    ):
        pack_submission(tmp_path / "model", tmp_path / "submission.zip", prior=0.5)
