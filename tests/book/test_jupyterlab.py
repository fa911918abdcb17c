"""Notebooks in JupyterLab, driven by a browser: figures move, no raw role is seen, one can draw."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import nbformat
import nibabel as nib
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from scipy.spatial.transform import Rotation

from datkit.book.student import Pages, student_notebook

TOY = Path(__file__).resolve().parents[1] / "golden" / "toy_book"
RUN = 400_000  # milliseconds for a kernel to start and draw two figures, on a busy machine
MASTER = [
    new_markdown_cell(
        "# A notebook of two figures\n\nSee {term}`SBR`, {doc}`/index`, {cite}`doe2020`."
        "\n\n:::{admonition} Hint\n:class: dropdown\nDivide.\n:::"
    ),
    new_code_cell(
        "import numpy as np\n\nfrom datkit.view import VolumeView, plot_slice_slider\n\n"
        "exam = np.random.default_rng(0).normal(1, 0.1, (64, 80, 48))\n"
        "exam[14:24, 44:64, 18:26] = 4  # one putamen: what is turned looks different\n"
        'plot_slice_slider(exam, "an exam", low=0, high=8).show()'
    ),
    new_code_cell("VolumeView.of_striatum(exam)"),
    new_markdown_cell(
        ":::{exercise} A ratio\n:label: ex\nWrite it.\n\n```python\nratio = ...\n```\n:::",
        metadata={"tags": ["exercise"]},
    ),
    new_code_cell("ratio = 3.0", metadata={"tags": ["solution"]}),
    new_code_cell(
        "from datkit.errors import check_answer\n\n"
        'check_answer(ratio is not ..., "Nothing is filled in yet: write the ratio.")',
        metadata={"tags": ["check"]},
    ),
]

# An exam askew, whose first axis runs to the back: what is drawn must be turned back.
TURN = Rotation.from_euler("xyz", [9, -14, 21], degrees=True).as_matrix()
AFFINE = nib.affines.from_matvec(TURN @ np.eye(3)[[2, 0, 1]] * [-4.1, 4.7, 5.3], [-50, 80, -60])
DRAW = [
    new_code_cell(
        "import json\n\nimport numpy as np\n\n"
        "from datkit.reading import draw_in_notebook, drawn_mask\n\n"
        "crosses, area = [], draw_in_notebook('exam.nii.gz')\n"
        "area.on_location_change(lambda here: crosses.append(here['mm'][:3]))\narea"
    ),
    new_code_cell(
        "drawn = np.zeros((1, 1, 1))\n"
        "if area.draw_bitmap is not None:\n    drawn = drawn_mask(area, 'exam.nii.gz')\n"
        "where = {n: (drawn == n).nonzero() for n in (1, 2)}\n"
        "voxels = {n: [axis.tolist() for axis in at] for n, at in where.items()}\n"
        "print(json.dumps([voxels, crosses[-1:]]))\narea.opts.pen_value = 1 + bool(voxels[1][0])"
    ),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, needed) -> Iterator[str]:
    """The address of a JupyterLab on a folder with one student notebook."""
    needed(find_spec("jupyterlab"), "JupyterLab is not installed: make install")
    folder = tmp_path_factory.mktemp("lab")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    master = new_notebook(cells=MASTER, metadata={"kernelspec": kernel})
    master.metadata.language_info = {"name": "python"}
    pages = Pages(TOY / "book", TOY / "notebooks", TOY)
    made = student_notebook(master, "one.ipynb", pages)
    nbformat.write(made, folder / "one.ipynb")
    nbformat.write(new_notebook(cells=DRAW, metadata=master.metadata), folder / "draw.ipynb")
    voxels = np.random.default_rng(0).integers(0, 90, (32, 36, 24)).astype(np.uint8)
    nib.save(nib.Nifti1Image(voxels, AFFINE), folder / "exam.nii.gz")
    port, own = free_port(), folder / "settings"
    settings = {"ServerApp.port": port, "ServerApp.root_dir": folder, "IdentityProvider.token": ""}
    settings |= {"ServerApp.ip": "127.0.0.1", "LabApp.user_settings_dir": own}
    settings |= {"LabApp.workspaces_dir": own, "LabApp.news_url": ""}
    settings |= {"LabApp.expose_app_in_browser": True}  # its commands, as its menus run them
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    server = subprocess.Popen(
        [*command, *(f"--{name}={value}" for name, value in settings.items())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(240):
            with socket.socket() as probe:
                if server.poll() is None and probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/lab/tree/one.ipynb"
    finally:
        server.terminate()
        server.wait(30)


def open_and_run(browser: object, address: str, command: str) -> tuple:
    """Open a notebook, run a command of its menus, and return the tab and whom it asked else."""
    tab = browser.new_page(viewport={"width": 1280, "height": 3200})  # every cell is on the screen
    remote: list[str] = []
    tab.route(re.compile(r"https?://(?!127\.0\.0\.1)"), lambda route: (
        remote.append(route.request.url), route.abort()))  # fmt: skip
    tab.goto(f"{address}?reset")  # else the notebooks of an earlier test are opened again beside it
    tab.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=RUN)
    # Asked for without a kernel, JupyterLab asks back in a dialog, which lies over all cells.
    tab.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status"
        " === 'idle'",
        timeout=RUN,
    )
    started = tab.locator(".jp-InputPrompt", has_text=re.compile(r"\[[\d*]"))
    for _ in range(RUN // 2_000):  # what is asked for before the notebook is ready is lost
        tab.evaluate("(name) => void window.jupyterapp.commands.execute(name)",
                     f"notebook:{command}")  # fmt: skip
        tab.wait_for_timeout(2_000)
        if started.count():
            break
    return tab, remote


def test_in_jupyterlab_a_slider_moves_a_volume_turns_and_no_role_is_raw(
    browser: object, lab: str
) -> None:
    tab, remote = open_and_run(browser, lab, "run-all-cells")
    frames = tab.locator(".dat-frame iframe")
    frames.nth(1).wait_for(state="attached", timeout=RUN)
    slider, volume = (frames.nth(k).content_frame for k in (0, 1))
    for frame in (slider, volume):
        frame.locator(".dat-live[data-ready]").wait_for(timeout=RUN)
    assert not tab.locator(".dat-frame img").first.is_visible(), "the picture gives way"

    range_input = slider.locator("input[type=range]")
    range_input.focus()
    before = slider.locator(".dat-live").screenshot(), range_input.get_attribute("aria-valuetext")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_timeout(1000)
    after = slider.locator(".dat-live").screenshot(), range_input.get_attribute("aria-valuetext")
    assert before[0] != after[0] and (before[1], after[1]) == ("+0 mm", "+2 mm")

    canvas = volume.locator("canvas")
    still, box = canvas.screenshot(), canvas.bounding_box()
    tab.mouse.move(box["x"] + 200, box["y"] + 200)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 300, box["y"] + 220, steps=5)
    tab.mouse.up()
    tab.wait_for_timeout(500)
    dragged = canvas.screenshot()
    assert dragged != still, "dragging turns it"
    volume.get_by_role("slider", name="turn").press("Home")
    tab.wait_for_timeout(500)
    assert canvas.screenshot() != dragged, "and so does a slider"

    text = tab.locator(".jp-Notebook").inner_text()
    assert not re.search(r":::|\{[\w:-]+\}`", text), text
    assert "SBR" in text and "Doe, 2020" in text and tab.locator("details:not([open])").count() == 1
    said = tab.locator(".jp-OutputArea-output", has_text="Nothing is filled in")
    assert said.inner_text(timeout=RUN).strip() == "Nothing is filled in yet: write the ratio."
    assert remote == []
    tab.close()


def test_in_jupyterlab_what_is_drawn_comes_to_python_where_it_was_drawn(
    browser: object, lab: str
) -> None:
    tab, remote = open_and_run(browser, lab.replace("one.", "draw."), "run-all-cells")
    canvas = tab.locator(".jp-OutputArea canvas")
    canvas.wait_for(timeout=RUN)
    said = tab.locator(".jp-OutputArea-output", has_text='[{"1"')
    for label, across in (("1", 0.1), ("2", 0.2)):
        for _ in range(60):  # strokes before the exam is there are lost
            box = canvas.bounding_box()
            tab.mouse.click(box["x"] + across * box["width"], box["y"] + 0.3 * box["height"])
            tab.wait_for_timeout(1_000)
            tab.locator(".jp-CodeCell .jp-InputArea-editor").nth(1).click()
            tab.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-cell')")
            tab.wait_for_timeout(1_000)
            voxels, [*cross] = json.loads(said.inner_text())
            if voxels[label][0]:
                break
        middle = np.mean(voxels[label], axis=1)
        np.testing.assert_allclose(nib.affines.apply_affine(AFFINE, middle), cross[0], atol=3)
    assert voxels["1"][0], "what was drawn first is still there"
    assert remote == []
    tab.close()
