"""A chain on disk: a cohort, its prepared exams, a model and a submission, each with its record."""

import shutil
from pathlib import Path

import pytest

from datkit.data import open_folder
from datkit.evaluate import train_model
from datkit.models import MeasuresClassifier
from datkit.provenance import record
from datkit.submit.pack import pack_submission, write_prior


@pytest.fixture(scope="module")
def built(tiny_cohort, prepared_tiny, tmp_path_factory):
    """The folder of the chain, made once a module; a test gives back what it changes."""
    folder = tmp_path_factory.mktemp("chain")
    shutil.copytree(tiny_cohort.folder, folder / "cohort")
    kept = folder / "data" / "prepared" / prepared_tiny.folder.name
    shutil.copytree(prepared_tiny.folder, kept)
    cohort, model = open_folder(folder / "cohort"), folder / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATKIT_DATA", str(folder / "data"))
        train_model(MeasuresClassifier(), cohort, prepared_tiny, model, folds=0)
        write_prior(model, prepared_tiny.labels)
        chosen = {"seed": 0, "folds": 0}
        record(model, "model", inputs=[kept], cohort=cohort, settings=chosen)
        pack_submission(model, folder / "submission.zip")
        record(folder / "submission.zip", "submission", inputs=[model])
    return folder


@pytest.fixture
def chain(built: Path, monkeypatch) -> Path:
    """The same, on the machine that made it."""
    monkeypatch.setenv("DATKIT_DATA", str(built / "data"))
    return built
