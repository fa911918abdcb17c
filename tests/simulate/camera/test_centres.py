"""Centres: the families of the challenge's geometry, and nothing that no camera could do."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.simulate.camera.centres import CENTRES, SHIFTED, illness_share
from datkit.simulate.camera.protocols import matrix

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
ALL = (*CENTRES, SHIFTED)


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
            (i, j, k), (x, y, z) = protocol.matrix(rng)
            assert i == j and x == y and i % 2 == 0
            for value, (least, most) in zip((i, k, x, z), limits, strict=True):
                assert least <= value <= most


def test_cropped_matrices_have_the_mean_of_the_challenge():
    rng = np.random.default_rng(0)
    drawn = [CENTRES[2].protocols[0].matrix(rng)[0][0] for _ in range(500)]
    assert np.mean(drawn) == pytest.approx(142, abs=2)


def test_no_family_shares_its_matrix_with_the_shifted_centre():
    assert all(
        protocol.matrix(np.random.default_rng(0))[1][0] == 4 for protocol in SHIFTED.protocols
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


def test_a_matrix_draws_only_what_is_a_range():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert matrix(64, 32, 4.0)(rng) == ((64, 64, 32), (4.0, 4.0, 4.0))
    assert rng.bit_generator.state == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"counts": (0, 1e6)}, "counts rise from above 0"),
        ({"counts": (2e6, 1e6)}, "counts rise"),
        ({"radius_mm": (-1, 130)}, "radii rise from above 0"),
        ({"prevalence": 1.0}, "prevalence lies between 0 and 1"),
        ({"share": -0.1}, "share lies in"),
        ({"protocols": CENTRES[0].protocols[:2]}, "sum to 1, found 0.6"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_an_impossible_centre_is_refused_with_its_reason(change, reason):
    with pytest.raises(UsageError, match=f"centre-01 is not possible.*{reason}"):
        replace(CENTRES[0], **change)


def test_every_fault_is_named():
    with pytest.raises(UsageError, match="share.*prevalence"):
        replace(CENTRES[0], share=2, prevalence=0)
