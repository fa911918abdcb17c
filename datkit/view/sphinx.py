"""Sphinx extension: interactive figures that need no kernel and no network.

An executed notebook stores a plotly figure or a set of volumes as JSON under its MIME type. Here
each becomes a drawing area, its data beside it, and its still picture if the output holds one: what
a page shows before, without, or on paper instead of the drawing. `dat-*.js` draw. The
libraries come out of installed wheels and are served with the book.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from html import escape
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from myst_nb.core.render import MimeData, NbElementRenderer
    from sphinx.application import Sphinx

__all__ = ["NiivueMime", "PlotlyMime", "setup", "vendored_files"]

FIGURE = "dat-figure"
NIIVUE_TYPE = "application/vnd.datkit.niivue+json"
PLOTLY_TYPE = "application/vnd.plotly.v1+json"
# Which library draws a kind of figure; both are served from _static/vendor.
LIBRARIES = {"plotly": "vendor/plotly.min.js", "niivue": "vendor/niivue.umd.js"}
HEIGHT = {"plotly": 450, "niivue": 420}  # pixels, unless the figure says

_numbers = count(1)  # two equal figures on a page still need two names


def _figure(kind: str, data: MimeData, content: dict[str, Any], height: int) -> list[nodes.Element]:
    """Return a drawing area of `height` pixels, named by the cell's alt text, with its data."""
    name = f"dat-{kind}-{next(_numbers)}"
    alt = data.cell_metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    # A literal `<` could end the script element early; JSON allows it to be written as an escape.
    body = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    html = (
        f'<div class="dat-live dat-{kind}" id="{name}" data-kind="{kind}" role="img"'
        f' aria-label="{escape(alt, quote=True)}" style="--dat-height:{height}px"></div>'
        f'<script type="application/json" data-for="{name}">{body}</script>'
    )
    area = nodes.container("", nodes.raw("", html, format="html"), classes=[FIGURE])
    area["dat_kind"] = kind
    return [area]


class PlotlyMime:
    """Draw ``application/vnd.plotly.v1+json`` with the plotly.js of the plotly wheel."""

    mime_priority_overrides = [("*", PLOTLY_TYPE, 5)]

    @staticmethod
    def handle_mime(
        renderer: NbElementRenderer, data: MimeData, inline: bool
    ) -> list[nodes.Element] | None:
        """Return the nodes of a plotly figure, or None for what is none."""
        if inline or data.mime_type != PLOTLY_TYPE:
            return None
        content = {key: data.content.get(key) for key in ("data", "layout", "frames")}
        height = (content["layout"] or {}).get("height") or HEIGHT["plotly"]
        return _figure("plotly", data, content, int(height))


class NiivueMime:
    """Draw ``application/vnd.datkit.niivue+json`` with the niivue of the nilearn wheel."""

    mime_priority_overrides = [("*", NIIVUE_TYPE, 5)]

    @staticmethod
    def handle_mime(
        renderer: NbElementRenderer, data: MimeData, inline: bool
    ) -> list[nodes.Element] | None:
        """Return the nodes of a view of volumes, or None for what is none."""
        if inline or data.mime_type != NIIVUE_TYPE:
            return None
        return _figure(
            "niivue", data, data.content, int(data.content.get("height", HEIGHT["niivue"]))
        )


def _figures(tree: nodes.Node) -> Iterator[nodes.container]:
    return (node for node in tree.findall(nodes.container) if "dat_kind" in node)


class KeepStillPictures(SphinxPostTransform):
    """Put the still picture of an output into its figure, before one MIME type is selected."""

    default_priority = 3  # myst-nb selects at 4

    def run(self, **_: Any) -> None:
        for figure in list(_figures(self.document)):
            bundle = figure.parent.parent
            for container in bundle.children:
                if container.get("mime_type") == "image/png":
                    for picture in container.children:
                        picture["classes"].append("dat-still")
                    figure += container.children


def _add_scripts(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Load the libraries on the pages that use them, and each inline script once."""
    kinds = {figure["dat_kind"] for figure in _figures(tree)} if tree is not None else set()
    scripts = [script for kind in sorted(kinds) for script in (LIBRARIES[kind], f"dat-{kind}.js")]
    for place, script in enumerate([*scripts, "dat-figures.js"] if kinds else [], start=810):
        app.add_js_file(script, loading_method="defer", priority=place)
    # Sphinx lists some inline scripts twice, which stops with "already been declared".
    seen: set[str] = set()
    for script in list(context["script_files"]):
        body = getattr(script, "attributes", {}).get("body")
        if body and body in seen:
            context["script_files"].remove(script)
        seen.add(body)


def _package_folder(package: str) -> Path:
    return Path(find_spec(package).submodule_search_locations[0])


def vendored_files() -> dict[str, Path]:
    """Return where each library lies on this machine, by its place in ``_static/vendor``.

    Examples
    --------
    >>> all(path.exists() for path in vendored_files().values())
    True
    """
    mathjax = _package_folder("mathjax") / "static" / "mathjax" / "es5"
    return {
        "plotly.min.js": _package_folder("plotly") / "package_data" / "plotly.min.js",
        "niivue.umd.js": _package_folder("nilearn") / "_assets" / "js" / "niivue.umd.js",
        "mathjax/tex-chtml.js": mathjax / "tex-chtml.js",
        "mathjax/output/chtml/fonts": mathjax / "output" / "chtml" / "fonts",
    }


def _copy_vendored(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    for name, source in vendored_files().items():
        target = Path(app.outdir) / "_static" / "vendor" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.add_post_transform(KeepStillPictures)
    app.add_css_file("dat.css")
    app.connect("html-page-context", _add_scripts, priority=900)
    app.connect("build-finished", _copy_vendored)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
