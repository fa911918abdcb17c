"""Centres: the families of the challenge's geometry, and nothing that no camera could do."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest
import yaml

from datkit.errors import UsageError
from datkit.simulate.camera.centres import (
    illness_share,
    load_added_centres,
    load_centres,
    share_of_exams,
    usual_centres,
)
from datkit.simulate.camera.protocols import load_collimators

FAMILIES = {  # exams in the challenge, and least and most columns, slices, pixel, height
    "2.46 mm, large box": (460, (256, 256), (256, 256), (2.46, 2.46), (2.46, 2.46)),
    "2.46 mm, cropped": (68, (118, 178), (112, 112), (2.46, 2.46), (2.46, 2.46)),
    "3.9 mm, thin stack": (254, (128, 128), (33, 49), (3.895, 3.895), (3.9, 3.9)),
    "2.30 mm": (207, (128, 128), (128, 128), (2.3, 2.3), (2.3, 2.3)),
    "2.40 mm": (143, (128, 128), (87, 87), (2.3976, 2.3976), (2.3976, 2.3976)),
    "3.895 mm": (71, (128, 128), (128, 128), (3.895, 3.895), (3.895, 3.895)),
    "1.5-1.9 mm, zoomed": (54, (128, 128), (44, 55), (1.5, 1.88), (3.0, 3.0)),
    "1.4-1.5 mm, fine": (32, (128, 128), (84, 96), (1.37, 1.5), (1.5, 1.5)),
    "3.30 mm": (39, (128, 128), (47, 65), (3.296, 3.305), (3.0, 3.3)),
    "2.0 x 4.0 mm": (10, (128, 128), (45, 45), (2.0, 2.0), (4.0, 4.0)),
    "3.59 and 4.42 mm": (18, (128, 128), (128, 128), (3.591, 4.4196), (3.591, 4.4196)),
}
CENTRES, ALL = usual_centres(), list(load_centres().values())
SHIFTED = load_centres()["centre-14"]


def test_there_are_thirteen_centres_and_a_shifted_one():
    names = [centre.name for centre in ALL]
    assert len(CENTRES) == 13 and len(set(names)) == 14
    assert all(re.fullmatch(r"centre-\d\d", name) for name in names)
    assert sum(centre.share for centre in CENTRES) == pytest.approx(1)


def test_every_familys_share_lies_within_two_points_of_the_challenges():
    total = sum(exams for exams, *_ in FAMILIES.values())
    for family, (exams, *_) in FAMILIES.items():
        share = sum(centre.share for centre in CENTRES if centre.family == family)
        assert abs(share - exams / total) < 0.02, family


@pytest.mark.parametrize("centre", CENTRES, ids=lambda centre: centre.name)
def test_matrices_are_those_of_the_family(centre):
    _, *limits = FAMILIES[centre.family]
    rng = np.random.default_rng(0)
    for protocol in centre.protocols:
        for _ in range(40):
            (i, j, k), (x, y, z) = protocol.matrix.draw(rng)
            assert i == j and x == y and i % 2 == 0
            for value, (least, most) in zip((i, k, x, z), limits, strict=True):
                assert least <= value <= most


def test_cropped_matrices_have_the_mean_of_the_challenge():
    rng = np.random.default_rng(0)
    drawn = [CENTRES[2].protocols[0].matrix.draw(rng)[0][0] for _ in range(500)]
    assert np.mean(drawn) == pytest.approx(142, abs=2)


def test_no_family_shares_its_matrix_with_the_shifted_centre():
    assert all(
        protocol.matrix.draw(np.random.default_rng(0))[1][0] == 4 for protocol in SHIFTED.protocols
    )


@pytest.mark.parametrize("centre", ALL, ids=lambda centre: centre.name)
def test_settings_lie_within_published_ranges(centre):
    assert 2 <= len(centre.protocols) <= 5
    assert 120 <= centre.radius_mm[0] < centre.radius_mm[1] <= 160
    assert 0.5e6 <= centre.counts[0] < centre.counts[1] <= (5e6 if centre is SHIFTED else 4e6)
    assert np.linalg.norm(centre.head_at) <= 60
    for protocol in centre.protocols:
        assert centre.views % protocol.recipe.subsets == 0
        assert 24 <= protocol.recipe.iterations * protocol.recipe.subsets <= 50


def test_intensities_span_three_and_a_half_decades():
    def typical(centre):
        return centre.gain * np.average(
            [p.gain for p in centre.protocols], weights=[p.weight for p in centre.protocols]
        )

    levels = [typical(centre) for centre in CENTRES]
    assert np.log10(max(levels) / min(levels)) > 3.5


def test_modelled_resolution_is_kept_to_a_quarter_of_exams():
    shares = [c.share * p.weight for c in CENTRES for p in c.protocols if p.recipe.resolution]
    assert 0.10 < sum(shares) < 0.25


def test_over_half_of_patients_are_ill():
    chances = [c.share * p.weight * illness_share(c, p) for c in CENTRES for p in c.protocols]
    assert 0.52 < sum(chances) < 0.59


def test_a_tilt_shifts_the_logit():
    centre = CENTRES[1]
    less, more = (illness_share(centre, protocol) for protocol in centre.protocols)
    shift = np.log(more / (1 - more)) - np.log(less / (1 - less))
    assert shift == pytest.approx(centre.protocols[1].tilt - centre.protocols[0].tilt)


def test_version_5_numbers_its_streams():
    """Its bytes hang on these; a centre that is added later takes its number from its name."""
    assert [(centre.stream, centre.name) for centre in ALL] == [
        (place, f"centre-{place + 1:02d}") for place in range(14)
    ]


@pytest.mark.parametrize("set_name", ["train", "public", "private"])
def test_shares_of_a_set_sum_to_one(set_name, one_centre):
    own, more = share_of_exams(set_name), share_of_exams(set_name, one_centre())
    assert sum(own.values()) == pytest.approx(1) and sum(more.values()) == pytest.approx(1)
    assert ("centre-14" in own) == (set_name == "private")
    assert more.get("mine", 0) == {"train": 0.25, "private": 0.5}.get(set_name, 0)


@pytest.fixture
def one_centre(tmp_path):
    """Load a file with one centre of one protocol, some of their values changed."""

    def load(protocol=None, **changes):
        matrix = {"columns": 128, "slices": 128, "pixel": 2.3}
        plain = {"name": "A", "weight": 1, "collimator": "long", "matrix": matrix}
        plain["recipe"] = {"method": "osem"}
        centre = {"name": "mine", "camera": "mine", "prevalence": 0.5, "radius_mm": [120, 130]}
        centre |= {"counts": [1e6, 2e6], "gain": 100, "head_at": [0, 0, 0]}
        centre |= {"joins": {"train": 0.25, "private": 0.5}}
        centre |= {"protocols": [plain | (protocol or {})]} | changes
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump([centre]))
        return load_added_centres(path)

    return load


def test_a_centre_of_ones_own_takes_its_stream_from_its_name(one_centre):
    (centre,) = one_centre()
    assert centre.stream == zlib.crc32(b"mine")
    assert centre.protocols[0].collimator == load_collimators()["long"]
    assert one_centre(stream=77)[0].stream == 77


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"counts": [0, 1e6]}, r"mine.counts.0: expected greater than 0, found 0"),
        ({"counts": [2e6, 1e6]}, "counts: expected the least first and the most last"),
        ({"radius_mm": [-1, 130]}, "radius_mm.0: expected greater than or equal to 112, found -1"),
        ({"radius_mm": [130, 120]}, "radius_mm: expected the least first"),
        ({"prevalence": 1.0}, "prevalence: expected less than 1, found 1.0"),
        ({"share": -0.1}, "share: expected greater than or equal to 0, found -0.1"),
        ({"joins": {"train": 2}}, "joins.train: expected less than or equal to 1, found 2"),
        ({"joins": {"validation": 1}}, "joins.*expected 'train', 'public' or 'private'"),
        ({"joins": {}}, "mine: expected joins.*and no share"),
        ({"share": 0.1}, "mine: expected joins.*and no share, found share 0.1"),
        ({"gain": -1.0}, "gain: expected greater than 0, found -1.0"),
        ({"gain": float("inf")}, "gain: expected a finite number, found inf"),
        ({"views": 0}, "views: expected greater than 0, found 0"),
        ({"views": 50}, "protocols: expected subsets that divide the 50 views, found 6"),
        ({"colour": "red"}, "colour: expected no field of this name, found 'red'"),
        ({"name": "centre-06"}, "name: expected each once.*found 'centre-06'"),
        ({"stream": 5}, "stream: expected each once.*found '5'"),
        ({"protocols": []}, "protocols: expected weights that sum to 1, found 0"),
    ],
    ids=str,
)
def test_an_impossible_centre_is_refused_with_its_reason(one_centre, change, reason):
    with pytest.raises(UsageError, match=f"(?s)mine.yaml: .*{reason}"):
        one_centre(**change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"weight": 0.6}, ": expected weights that sum to 1, found 0.6"),
        ({"dtype": "float32"}, "dtype: expected 'uint16' or 'int16', found 'float32'"),
        ({"collimator": "wide"}, "collimator: expected holes, or one of short, .*, found 'wide'"),
        ({"matrix": {"columns": 128, "slices": 128, "pixel": 0.0}}, "pixel.0: .*, found 0.0"),
        ({"matrix": {"columns": 128, "slices": 128, "pixel": -2.3}}, "pixel.0: .*, found -2.3"),
        ({"matrix": {"columns": 128, "slices": 0, "pixel": 2.3}}, "slices.0: .*, found 0"),
        ({"recipe": {"method": "magic"}}, "method: expected 'fbp' or 'osem', found 'magic'"),
        ({"recipe": {"method": "osem", "attenuation": "some"}}, "'map', found 'some'"),
        (
            {"recipe": {"method": "osem", "iterations": 0}},
            "iterations: expected greater than 0, found 0",
        ),
        ({"recipe": {"method": "osem", "subsets": 0}}, "subsets: expected greater than 0, found 0"),
        ({"recipe": {"method": "osem", "subsets": 7}}, "divide the 60 views, found 7"),
        ({"recipe": {"method": "fbp", "cutoff": 0.0}}, "cutoff: expected greater than 0, found 0"),
        ({"recipe": {"method": "fbp", "order": 0}}, "order: expected greater than 0, found 0"),
        ({"recipe": {"method": "osem", "postfilter_mm": -1}}, "postfilter_mm: .* found -1"),
        ({"recipe": {"method": "fbp", "resolution": True}}, "no resolution modelling in fbp"),
    ],
    ids=str,
)
def test_an_impossible_protocol_is_refused_with_its_reason(one_centre, change, reason):
    with pytest.raises(UsageError, match=f"(?s)mine.yaml:.* mine.protocols.*{reason}"):
        one_centre(protocol=change)


def test_filtered_back_projection_has_no_subsets_to_divide(one_centre):
    (centre,) = one_centre(protocol={"recipe": {"method": "fbp", "subsets": 7}})
    assert centre.protocols[0].recipe.subsets == 7


def test_every_fault_is_named(one_centre):
    bad = {"recipe": {"method": "fbp", "cutoff": -1}}
    with pytest.raises(UsageError, match=r"(?s)3 problems.*share.*prevalence.*recipe.cutoff"):
        one_centre(protocol=bad, share=2, prevalence=0)
    with pytest.raises(UsageError) as refused:
        one_centre(gain="many", views=6.5, joins={"train": 0}, name="centre-06", counts=[1, 2, 3])
    assert [(one.where, one.expected) for one in refused.value.problems] == [
        ("centre-06.counts", "fewer values"),
        ("centre-06.gain", "a valid number"),
        ("centre-06.views", "a valid integer"),
        ("name", "each once, the kit's own included"),
        ("centre-06", "joins: {train: 0.1} or alike, and no share"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file"),
        ("- [", "expected the node content, but found .* in line 1"),
        ("- !!int ''", "'', which cannot be read as int, in line 1"),
        ("- &a [*a]", "an alias, to be written out, in line 1"),
        ("", "table: expected a list of centres, as in the kit's centres.yaml, found None"),
        ("7", "table: expected a list of centres, .*, found 7"),
        ("[]", "table: expected a centre or more, found an empty list. Add one."),
        ("- 1", "row 1: expected fields with their values, found 1"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, reason):
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=reason) as refused:
        load_added_centres(path)
    assert str(path) in str(refused.value)
