"""A notebook's text as HTML that stands alone: no links, no script for formulas."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from datkit.book.notebook import split_stub
from datkit.book.student import DIRECTIVE, Markdown

__all__ = ["body_html", "plain_math", "render", "to_html"]

LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
# What the questions, answers and exercises of the notebooks write in TeX, in this order.
TEX = (
    (r"\\operatorname\{(\w+)\}", r"\1"),
    (r"\^\{([^{}]+)\}|\^(\w)", r"<sup>\1\2</sup>"),
    (r"_\{([^{}]+)\}|_(\w)", r"<sub>\1\2</sub>"),
    (r"\\frac\{([^{}]+)\}\{([^{}]+)\}", r"(\1) / (\2)"),
    (r"\\ln\b ?", "ln "),
    (r"\\sigma\b", "σ"),
    (r"\\mu\b", "μ"),
    (r"\\ell\b", "ℓ"),
)
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def plain_math(text: str) -> str:
    r"""Return text with its formulas in letters and HTML.

    Raises
    ------
    ValueError
        If a formula holds what is not in the list above.

    Examples
    --------
    >>> plain_math(r"the logistic $\frac{1}{1+e^{-z}}$ of $z$")
    'the logistic <i>(1) / (1+e<sup>-z</sup>)</i> of <i>z</i>'
    """

    def convert(found: re.Match[str]) -> str:
        formula = found[1]
        for tex, plain in TEX:
            formula = re.sub(tex, plain, formula)
        if "\\" in formula:
            raise ValueError(f"{found[0]}: datkit.book.workshop.text cannot write this formula.")
        return f"<i>{formula.strip()}</i>"

    return re.sub(r"\$\$?([^$]+)\$\$?", convert, text)


def to_html(text: str, markdown: Markdown) -> str:
    """Return a text with roles as HTML, what it links to named alone."""
    cell = new_markdown_cell(text)
    markdown.convert(cell)
    return MarkdownIt("commonmark").enable("table").render(LINK.sub(r"\1", plain_math(cell.source)))


def body_html(cell: NotebookNode, markdown: Markdown) -> str:
    """Return what stands within the directives of a cell, as HTML without the code to fill in."""
    bodies = [found["body"] for found in DIRECTIVE.finditer(cell.source)]
    text, _ = split_stub("\n\n".join(bodies))
    return to_html(re.sub(r"^:label: .*\n", "", text), markdown)


def render(template: str, **parts: object) -> str:
    """Return a page from its template; style and script are written into it."""
    return _TEMPLATES.get_template(template).render(**parts) + "\n"
