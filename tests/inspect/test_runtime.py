"""What the challenge's runtime has, and what is hidden of what is here."""

from __future__ import annotations

from datkit.inspect.runtime import PACKAGES, hidden_modules, is_in_runtime, version_differences


def test_the_runtime_is_the_challenges():
    for present in ("torch", "sklearn.linear_model", "SimpleITK", "cv2", "PIL", "json", "cgi"):
        assert is_in_runtime(present)
    for absent in ("nilearn", "plotly", "lightning", "papermill", "datkit", "imp"):
        assert not is_in_runtime(absent)
    assert PACKAGES["torch"]["version"] == "2.12.1"


def test_what_packages_need_here_is_not_hidden():
    hidden = set(hidden_modules())
    assert {"nilearn", "plotly", "pytest", "datkit"} <= hidden
    assert not hidden & {"numpy", "sklearn", "narwhals", "threadpoolctl", "jinja2", "importlib"}


def test_differences_are_told_by_version():
    differences = version_differences()
    assert differences.keys() <= PACKAGES.keys()
    for name, (here, there) in differences.items():
        assert there == PACKAGES[name]["version"] != here
