"""The networks that ship: who they learnt from, how they are stored, and what they are worth."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file

from benchmarks.common.curves import Kept, draw_labelled, mean_loss
from benchmarks.limit import __main__ as limit
from benchmarks.pretrained import __main__ as few
from benchmarks.resources import pretrained
from benchmarks.resources.random_centres import STREAM, draw_centres
from datkit.evaluate.benchmark.exams import Volumes
from datkit.files import sha256_file
from datkit.models import ProjectionClassifier, VolumeClassifier, load_model, read_card
from datkit.models.store import PRETRAINED
from datkit.simulate.camera.centres import load_added_centres, load_centres
from datkit.simulate.exam import draw_exam


@pytest.fixture(scope="module")
def centres(tmp_path_factory):
    path = tmp_path_factory.mktemp("centres") / "random.yaml"
    path.write_text(yaml.safe_dump(draw_centres(40, seed=5)))
    return load_added_centres(path)


def test_every_exam_is_of_a_random_centre_and_each_has_its_share(centres):
    found = [draw_exam(5, index, centres).acquisition.centre for index in range(120)]
    assert {one.name for one in found}.isdisjoint(load_centres())
    assert {one.stream for one in found} <= {*range(STREAM, STREAM + 40)}
    counts = pd.Series([one.name for one in found]).value_counts()
    assert len(counts) > 30 and counts.max() < 12  # 3 each


def test_the_same_seed_draws_the_same_centres():
    assert draw_centres(3, 1) == draw_centres(5, 1)[:3] != draw_centres(3, 2)


def test_cameras_and_reconstructions_go_a_little_beyond_the_kits():
    rows = [one["protocols"][0] for one in draw_centres(300, 0)]
    pixels = [one["matrix"]["pixel"] for one in rows]
    assert min(pixels) < 1.5 and max(pixels) > 4.42  # those of the kit
    kinds = {(one["recipe"]["method"], one["recipe"]["attenuation"]) for one in rows}
    assert kinds == {("fbp", "none"), ("fbp", "uniform"), ("osem", "none"), ("osem", "uniform"),
                     ("osem", "map")}  # fmt: skip
    updates = [one["recipe"]["iterations"] * one["recipe"]["subsets"] for one in rows
               if "subsets" in one["recipe"]]  # fmt: skip
    assert 20 <= min(updates) < 24 and 50 < max(updates) <= 64


@pytest.fixture(scope="module")
def networks(prepared_tiny):
    exams = prepared_tiny.volumes, prepared_tiny.labels.to_numpy().astype(int)
    small = {"epochs": 1, "width": 2, "accelerator": "cpu"}
    volume = VolumeClassifier(size="standard", **small)
    return {"volume": volume.fit(*exams), "projection": ProjectionClassifier(**small).fit(*exams)}


@pytest.fixture(scope="module")
def shipped(networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    pretrained.ship(networks, folder, {"note": pretrained.NOTE})
    return folder


def test_what_ships_is_the_mean_of_both_and_takes_half_the_room(shipped, networks, prepared_tiny):
    X = prepared_tiny.volumes[:5]
    logits = np.mean([one.decision_function(X) for one in networks.values()], axis=0)
    np.testing.assert_allclose(load_model(shipped).decision_function(X), logits, atol=0.01)
    assert read_card(shipped) == {"note": "Simulated training, not for diagnosis."}
    for kind in networks:
        arrays = load_file(shipped / kind / "weights.safetensors")
        assert {one.dtype.itemsize for one in arrays.values() if one.ndim > 1} == {2}


def test_the_card_says_what_it_is_and_how_good(shipped, tiny_cohort, prepared_tiny, monkeypatch):
    monkeypatch.setattr(pretrained, "METRICS", ("log_loss", "auroc", "calibration_slope"))
    rows = pretrained.score(shipped, {"some exams": prepared_tiny})
    assert [row["model"] for row in rows] == ["mean of both", "volume", "projection"]
    card = pretrained.describe(tiny_cohort, prepared_tiny)
    text = "\n".join(pretrained.card_lines(card, rows, shipped))
    value, low, high = rows[0]["log_loss"]
    assert f"| mean of both | some exams | 24 | {value:.3f} ({low:.3f}–{high:.3f}) |" in text
    assert "trained on simulated patients only" in text and "24 simulated exams" in text
    assert json.loads((shipped / "volume/model.json").read_text())["weights"]["sha256"] in text


def test_what_is_in_the_package_is_what_its_card_says():
    text = (PRETRAINED / "README.md").read_text(encoding="utf-8")
    files = sorted(PRETRAINED.rglob("*.safetensors"))
    size = sum(file.stat().st_size for file in files)
    assert len(files) == 2 and size < 2 * 2**20 and f"{size:,} bytes" in text
    assert all(sha256_file(file) in text for file in files)
    card = read_card(PRETRAINED)
    assert f"{card['exams']:,} simulated exams" in text and card["seed"] == pretrained.SEED
    assert [row["exams"] for row in card["tested"]] == [400, 400, 1400]
    assert [(one.kind, one.width) for one in load_model(PRETRAINED).members_] == [
        ("volume", 16), ("projection", 16)
    ]  # fmt: skip


def test_labelled_exams_keep_the_shares_of_both_classes_and_are_nested():
    y, rows = np.tile([0, 0, 1], 60), np.arange(20, 180)
    few_rows, more = (draw_labelled(y, rows, n, seed=3) for n in (30, 60))
    assert {*few_rows} < {*more} <= {*rows} and len(more) == 60
    assert y[few_rows].sum() == pytest.approx(10, abs=1) and y[more].sum() == pytest.approx(
        20, abs=1
    )


def test_the_interval_is_that_of_exams_within_centres():
    losses = np.array([[0.1, 0.1, 0.9, 0.9]])
    assert mean_loss(losses, ["a", "a", "b", "b"]) == [0.5, 0.5, 0.5]
    value, low, high = mean_loss(losses, ["a"] * 4)
    assert (value, low, high) == (0.5, 0.1, 0.9)


def test_logits_are_kept_as_long_as_they_are_of_the_same_exams(tmp_path):
    kept = Kept(tmp_path / "kept.json", {"exams": "some"})
    assert kept.get("one", lambda: [0.12345, 1]).tolist() == [0.123, 1]
    again = Kept(kept.path, {"exams": "some"})
    assert again.get("one", lambda: pytest.fail("made again")).tolist() == [0.123, 1]
    assert Kept(kept.path, {"exams": "others"}).logits == {}


def test_each_way_is_scored_on_other_centres_and_on_the_private_set(
    shipped, prepared_tiny, tiny_cohort, tmp_path, monkeypatch
):
    monkeypatch.setattr(few, "PRETRAINED", shipped)
    monkeypatch.setattr("datkit.models.store.PRETRAINED", shipped)
    monkeypatch.setattr(few, "MODELS", {"projection": "projection width=2 epochs=1"})
    table = prepared_tiny.table.join(tiny_cohort.truth[["weaker_posterior_putamen"]])
    places = [(str(prepared_tiny.volumes.filename), row) for row in (*range(24), *range(6))]
    tables = [table.assign(set="train"), table[:6].assign(set="private")]
    exams = few.Exams(Volumes(places), pd.concat(tables))
    options = few.parse(["--models", "projection", "--sizes", "12", "--draws", "2"])
    rows = [*few.score(exams, Kept(tmp_path / "few.json", {}), options)]
    assert [(row["way"], row["set"]) for row in rows] == [
        (way, name) for name in (few.OTHERS, few.PRIVATE)
        for way in (few.SHIPPED, few.FURTHER, few.ANEW)
    ]  # fmt: skip
    known, test = exams.folds()[0]
    inside = test[test < 24]
    assert {*exams.centres[known]}.isdisjoint(exams.centres[inside]) and test[-6:].tolist() == [
        *range(24, 30)
    ]
    assert rows[2]["gain"] == [0, 0, 0] and rows[3]["draws"] == 2 and rows[3]["n"] == 6
    assert "oracle" in few.oracle(exams)[few.OTHERS]
    few.write_pages(tmp_path / "few.json", rows, few.oracle(exams))
    assert (tmp_path / "few.md").read_text().count("\n") == 8
    assert (tmp_path / "few.png").read_bytes().startswith(b"\x89PNG")


def curve(*values):
    sizes = limit.sizes_of(100 * 2 ** (len(values) - 1))
    row = {"model": "projection", "set": "training set", "draws": 1}
    return [row | {"size": size, "log_loss": [value, value - 0.02, value + 0.02]}
            for size, value in zip(sizes, values, strict=True)]  # fmt: skip


def test_the_limit_is_given_where_the_curve_shows_it():
    sizes = np.array(limit.sizes_of(6400))
    found = limit.extrapolate(curve(*limit.power_law(sizes, 0.25, 3.0, 0.6)))
    assert found["limit"] == pytest.approx([0.25] * 3, abs=0.002) and found["b"] == 0.6
    straight = 0.5 - 0.03 * np.arange(7) + np.tile([0.01, -0.01], 4)[:7]
    assert limit.extrapolate(curve(*straight))["limit"] is None
    assert limit.extrapolate(curve(0.4, 0.3, 0.29))["why"] == "fewer than five sizes"


def test_the_curve_ends_with_all_exams():
    assert limit.sizes_of(4478) == [100, 200, 400, 800, 1600, 3200, 4478]
    assert limit.sizes_of(3300)[-2:] == [1600, 3300]
