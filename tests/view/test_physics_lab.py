"""Figures of the physics lab: small, alike at every run, one step of the slider at a time."""

from __future__ import annotations

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.view.physics_lab import plot_lines, plot_picture_slider, plot_turn_slider

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
STEPS = {3: np.eye(8), 6: np.ones((8, 8))}


def test_a_note_follows_its_picture() -> None:
    pictures = {"0.2": np.ones((8, 9)), "0.6": np.zeros((8, 9))}
    figure = plot_picture_slider(
        pictures, ["SBR 1", "SBR 2"], "smooth or sharp", affine=AFFINE, slider_label="cut-off"
    )
    assert figure.layout.title.subtitle.text == "SBR 1"
    (slider,) = figure.layout.sliders
    shown, relaid, traces = slider.steps[1].args
    assert slider.steps[1].method == "update"
    assert list(shown["visible"]) == [False, True] and list(traces) == [0, 1]
    assert relaid == {"title.subtitle.text": "SBR 2"}


def test_a_picture_lies_in_millimetres_with_its_sides() -> None:
    picture = np.zeros((8, 9))
    picture[2, 5] = 9  # x = 8, y = 20 mm
    figure = plot_picture_slider({"": picture}, [""], affine=AFFINE, slider_label="step")
    (trace,) = figure.data
    row, column = np.unravel_index(np.argmax(trace.z), trace.z.shape)
    assert (trace.x0 + column * trace.dx, trace.y0 + row * trace.dy) == (8, 20)
    assert trace.z.dtype == np.uint8 and trace.z.max() == 255
    sides = {a.text: a.x for a in figure.layout.annotations}
    assert sides["<b>L</b>"] < 0.5 < sides["<b>R</b>"]


@pytest.mark.parametrize("notes", [[], ["one", "two"]])
def test_each_picture_needs_one_note(notes: list[str]) -> None:
    with pytest.raises(UsageError, match="one note for each picture"):
        plot_picture_slider({"a": np.ones((2, 2))}, notes, affine=AFFINE, slider_label="step")


def test_the_sinogram_lights_up_as_the_camera_turns() -> None:
    figure = plot_turn_slider(np.ones((6, 8)), STEPS, STEPS, affine=AFFINE)
    first, last = figure.data[0].z, figure.data[3].z
    assert (first[:3] == 255).all() and not first[3:].any() and (last == 255).all()
    assert figure.data[0].dy == 60  # degrees


def test_a_step_shows_the_sinogram_and_two_slices() -> None:
    figure = plot_turn_slider(np.ones((6, 8)), STEPS, STEPS, affine=AFFINE)
    assert [trace.visible for trace in figure.data] == [True] * 3 + [False] * 3
    change, traces = figure.layout.sliders[0].steps[1].args
    assert list(change["visible"]) == [False] * 3 + [True] * 3 and list(traces) == list(range(6))


def test_both_slices_print_their_sides() -> None:
    figure = plot_turn_slider(np.ones((6, 8)), STEPS, STEPS, affine=AFFINE)
    printed = {(a.text, a.xref) for a in figure.layout.annotations}
    assert {(f"<b>{s}</b>", f"x{n} domain") for s in "LR" for n in (2, 3)} <= printed


def test_the_radiological_view_turns_the_slices_and_leaves_the_sinogram() -> None:
    figure = plot_turn_slider(np.ones((6, 8)), STEPS, STEPS, affine=AFFINE, radiological=True)
    axes = (figure.layout.xaxis, figure.layout.xaxis2, figure.layout.xaxis3)
    assert [axis.autorange for axis in axes] == [None, "reversed", "reversed"]
    places = {(a.text, a.xref): a.x for a in figure.layout.annotations}
    for n in (2, 3):
        assert places["<b>R</b>", f"x{n} domain"] < 0.5 < places["<b>L</b>", f"x{n} domain"]


def test_turn_pictures_must_match() -> None:
    with pytest.raises(UsageError, match=r"\[3, 6\] and \[3\]"):
        plot_turn_slider(np.ones((6, 8)), STEPS, {3: np.eye(8)}, affine=AFFINE)


def test_a_slider_of_the_size_in_the_book_is_small_and_the_same_at_every_run() -> None:
    rng = np.random.default_rng(0)
    steps = {k: rng.random((50, 60)) for k in range(1, 9)}
    texts = [plot_turn_slider(rng.random((60, 50)), steps, steps, affine=AFFINE).to_json()]
    assert len(texts[0]) < 400_000
    notes = [f"{k}" for k in steps]
    named = dict(zip(notes, steps.values(), strict=True))
    twice = [
        plot_picture_slider(named, notes, affine=AFFINE, slider_label="k").to_json() for _ in "ab"
    ]
    assert twice[0] == twice[1] and len(twice[0]) < 100_000


def test_two_lines_differ_in_colour_mark_and_dash() -> None:
    figure = plot_lines({"a": ([1, 2], [3, 4]), "b": ([1, 2], [4, 3])}, x_label="x", y_label="y")
    one, two = figure.axes[0].lines
    for trait in ("color", "marker", "linestyle"):
        assert getattr(one, f"get_{trait}")() != getattr(two, f"get_{trait}")()


@pytest.mark.parametrize("number", [0, 3])
def test_one_line_or_two(number: int) -> None:
    lines = {str(k): ([0, 1], [0, 1]) for k in range(number)}
    with pytest.raises(UsageError, match="one or two lines"):
        plot_lines(lines, x_label="x", y_label="y")
