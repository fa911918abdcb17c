"""The explorer: widgets where a Jupyter server runs the kernel, a still everywhere else."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from datkit.errors import UsageError
from datkit.prepare import GRID
from datkit.view.explore import explore_exam

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def exams() -> dict[str, np.ndarray]:
    return {f"exam-{k}": np.full(GRID.shape, 1.0 + k, dtype=np.float32) for k in range(3)}


def test_a_static_page_gets_a_still_and_no_widget(exams, monkeypatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    explorer = explore_exam(exams)
    bundle = explorer._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert bundle == explore_exam(exams)._repr_mimebundle_()  # no random widget names
    assert "run the notebook in JupyterLab" in bundle["text/plain"]


def test_the_still_shows_several_exams_with_their_sides(exams) -> None:
    figure = explore_exam(exams, live=False).plot_still()
    slices = [axes for axes in figure.axes if axes.images and axes.texts]
    assert [axes.get_title() for axes in slices] == list(exams)
    assert all([t.get_text() for t in axes.texts][:2] == ["L", "R"] for axes in slices)


def test_jupyterlab_gets_widgets_and_a_picture(exams, monkeypatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "04_see_the_striatal_pattern.ipynb")
    assert {WIDGET_MIME, "image/png"} < set(explore_exam(exams)._repr_mimebundle_())


def test_a_prepared_cohort_is_explored_by_uid(exams) -> None:
    cohort = SimpleNamespace(uids=list(exams), volumes=np.stack(list(exams.values())))
    assert list(explore_exam(cohort, live=False).volumes) == list(exams)


def test_moving_a_control_draws_what_it_says(exams) -> None:
    explorer = explore_exam(exams, live=True)
    exam, plane, place, top, _, screen = explorer.widget.children
    seen = [screen.value]
    for control, value in ((exam, "exam-2"), (plane, "sagittal"), (place, 25.0), (top, 8.0)):
        control.value = value
        assert screen.value not in seen
        seen.append(screen.value)
    assert screen.value == explorer.plot_slice("exam-2", "sagittal", 25.0, 8.0).png()
    assert (place.description, place.label) == ("x", "+25 mm")


def test_the_switch_turns_the_slice_to_the_radiological_view(exams) -> None:
    lopsided = {"a": np.where(np.arange(GRID.shape[0])[:, None, None] < 32, exams["exam-2"], 1)}
    explorer = explore_exam(lopsided, live=True)
    *_, view, screen = explorer.widget.children
    before = screen.value
    view.value = True
    assert screen.value != before and explorer.radiological
    view.value = False
    assert screen.value == before


def test_an_empty_cohort_cannot_be_explored() -> None:
    with pytest.raises(UsageError, match="at least one prepared exam"):
        explore_exam({})
