"""A chain on disk: a cohort, its prepared exams, a model and a submission, each with its record.

And models as published folders.
"""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from datkit.data import open_folder
from datkit.evaluate import train_model
from datkit.measure import MEASURES
from datkit.models import MeasuresClassifier, VolumeClassifier, save_model
from datkit.provenance import publish, record
from datkit.provenance.publish_form import Form
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


@pytest.fixture(scope="module")
def form(tmp_path_factory):
    filled = dict.fromkeys(Form.model_fields, "said") | {"authors": ["A"], "licence": "MIT"}
    path = tmp_path_factory.mktemp("form") / "publish.yaml"
    path.write_text(yaml.safe_dump(filled))
    return path


@pytest.fixture(scope="module")
def several(form, tmp_path_factory):
    """The published folder of two models, of which one is a 3-D network, both trained on noise."""
    folder, rng = tmp_path_factory.mktemp("several"), np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(1, 1, (6, len(MEASURES))), columns=list(MEASURES))
    labels = [0, 1] * 3
    save_model(MeasuresClassifier().fit(table, labels), folder / "models" / "measures")
    volumes = rng.uniform(0.5, 3, (6, 64, 80, 48)).astype(np.float32)
    network = VolumeClassifier(epochs=1, width=2, augment=False, accelerator="cpu")
    save_model(network.fit(volumes, labels), folder / "models" / "volume")
    for model in ("measures", "volume"):  # as `datkit train` leaves it
        write_prior(folder / "models" / model, labels)
    publish(folder / "models", folder / "published", form)
    return folder / "published"


@pytest.fixture(scope="module")
def published(built, form, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "published"
    publish(built / "model", folder, form, cohort=open_folder(built / "cohort"))
    return folder
