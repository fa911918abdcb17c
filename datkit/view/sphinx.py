"""Sphinx extension: interactive figures that need no kernel and no network.

Any Jupyter Book whose notebooks show datkit's figures needs it: list ``datkit.view.sphinx`` under
``extra_extensions``. An executed notebook stores a plotly figure or a set of volumes as JSON under
its MIME type. Here each becomes a drawing area, its data beside it, and its still picture if the
output holds one: what a page shows before, without, or on paper instead of the drawing. Scripts of
``static/`` draw. The libraries come out of installed wheels and are served with the book.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from datkit.view.live import LIBRARIES, STATIC, figure_area, vendored_files
from datkit.view.surface import MIME

if TYPE_CHECKING:
    from myst_nb.core.render import MimeData, NbElementRenderer
    from sphinx.application import Sphinx

__all__ = ["NiivueMime", "PlotlyMime", "setup"]

_numbers = count(1)  # two equal figures on a page still need two names


class PlotlyMime:
    """Draw ``application/vnd.plotly.v1+json`` with the plotly.js of the plotly wheel."""

    kind = "plotly"
    mime_type = "application/vnd.plotly.v1+json"
    keys: tuple[str, ...] = ("data", "layout", "frames")  # what is drawn of an output; () for all
    mime_priority_overrides: ClassVar = [("*", mime_type, 5)]

    @classmethod
    def handle_mime(
        cls, _: NbElementRenderer | None, data: MimeData, inline: bool
    ) -> list[nodes.Element] | None:
        """Return a drawing area, named by the cell's alt text, with its data; None for others."""
        if inline or data.mime_type != cls.mime_type:
            return None
        name = f"dat-{cls.kind}-{next(_numbers)}"
        alt = data.cell_metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        content = {key: data.content.get(key) for key in cls.keys or data.content}
        html = figure_area(cls.kind, name, content, alt)
        area = nodes.container("", nodes.raw("", html, format="html"), classes=["dat-figure"])
        area["dat_kind"] = cls.kind
        return [area]


class NiivueMime(PlotlyMime):
    """Draw ``application/vnd.datkit.niivue+json`` with the niivue of the nilearn wheel."""

    kind = "niivue"
    mime_type = MIME
    keys = ()
    mime_priority_overrides: ClassVar = [("*", mime_type, 5)]


def _figures(tree: nodes.Node) -> Iterator[nodes.container]:
    return (node for node in tree.findall(nodes.container) if "dat_kind" in node)


class KeepStillPictures(SphinxPostTransform):
    """Put the still picture of an output into its figure, before one MIME type is selected."""

    default_priority = 3  # myst-nb selects at 4

    def run(self, **_: object) -> None:
        """Move the pictures of every figure of the page."""
        for figure in list(_figures(self.document)):
            for container in figure.parent.parent.children:
                if container.get("mime_type") == "image/png":
                    for picture in container.children:
                        picture["classes"].append("dat-still")
                    figure += container.children


def _add_scripts(
    app: Sphinx, _page: str, _template: str, context: dict, tree: nodes.document | None
) -> None:
    """Load the libraries on the pages that use them, and each inline script once."""
    kinds = {figure["dat_kind"] for figure in _figures(tree)} if tree is not None else set()
    scripts = [script for kind in sorted(kinds) for script in (LIBRARIES[kind], f"dat-{kind}.js")]
    for place, script in enumerate([*scripts, "dat-figures.js"] if kinds else [], start=810):
        app.add_js_file(script, loading_method="defer", priority=place)
    # Sphinx lists some inline scripts twice, which stops with "already been declared".
    listed = context["script_files"]
    bodies = [getattr(script, "attributes", {}).get("body") or id(script) for script in listed]
    listed[:] = dict(zip(bodies, listed, strict=True)).values()


def _copy_vendored(app: Sphinx) -> None:
    """Copy the libraries out of their wheels."""
    if app.builder.format != "html":
        return
    for name, source in vendored_files().items():
        target = Path(app.outdir) / "_static" / "vendor" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)


def setup(app: Sphinx) -> dict[str, str | bool]:
    """Register the extension with Sphinx."""
    app.add_post_transform(KeepStillPictures)
    app.add_css_file("dat.css")
    # Before the book's own folder, which may bring another script of the same name.
    app.connect("config-inited", lambda _, config: config.html_static_path.insert(0, str(STATIC)))
    app.connect("html-page-context", _add_scripts, priority=900)
    app.connect("builder-inited", _copy_vendored)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
