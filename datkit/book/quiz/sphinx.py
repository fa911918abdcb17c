"""Sphinx extension: the directives ``question`` and ``selftest``.

::

    ````{selftest} see before

    ```{question} see-loss
    :learn: chapters/dat_imaging#an-abnormal-scan

    What fades first …
    ```
    ````

``:learn:`` names the page, and its section, that teaches the answer; it becomes a link with the
titles that they have, and a page or section that is not there is a warning. A ``:unit:`` stands
after the field of a number.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from datkit.book.quiz.questions import Choice, Question, read_question
from datkit.errors import DatkitError

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["QuestionDirective", "SelfTestDirective", "setup"]

LOGGER = logging.getLogger(__name__)
TIMES = ("before", "after")


class quiz(nodes.container):  # docutils names nodes in lower case
    """A question or a self-test: the page that has one loads the script."""


class learn(nodes.inline):
    """A link to the section that teaches an answer, until all titles are known."""


class _Directive(SphinxDirective):
    has_content = True

    def words(self, text: str) -> nodes.inline:
        """Return one paragraph of Markdown as what can stand in a line."""
        holder = nodes.container()
        lines = StringList(text.splitlines(), "question")
        self.state.nested_parse(lines, self.content_offset, holder)
        return nodes.inline("", "", *(part for one in holder.children for part in one.children))


def _html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


class QuestionDirective(_Directive):
    """One question; its argument is a name that no other question has."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "learn": directives.unchanged_required,
        "unit": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Return the question's HTML around its Markdown."""
        name, where = self.arguments[0], f"the question {self.arguments[0]!r}"
        try:
            question = read_question("\n".join(self.content), where)
            if "learn" not in self.options:
                raise DatkitError(f"{where}: expected :learn:, the page that teaches it.")
            if self._is_known(name):
                raise DatkitError(f"{where}: expected a name of its own, found it on two pages.")
        except DatkitError as error:
            raise self.error(str(error)) from error
        made = quiz("", classes=["dat-question"])
        made += _html(
            f'<div data-question="{escape(name)}" data-kind="{question.kind}"><fieldset><legend>'
        )
        made += [self.words(question.asked), _html("</legend>")]
        made += self._fields(name, question)
        made += _html('<p class="dat-verdict" role="status"></p></fieldset>')
        made += _html('<details class="dat-answers"><summary>Answers</summary><ul>')
        for place, choice in enumerate(question.choices):
            made += self._answer(place, choice)
        why = self.words(question.why)
        why += [nodes.Text(" Read: "), learn("", target=self.options["learn"]), nodes.Text(".")]
        made += [_html('</ul><p class="dat-why">'), why, _html("</p></details></div>")]
        return [made]

    def _is_known(self, name: str) -> bool:
        known = vars(self.env).setdefault("dat_questions", {})
        return known.setdefault(name, self.env.docname) != self.env.docname

    def _fields(self, name: str, question: Question) -> list[nodes.Node]:
        """Return what a reader fills in."""
        if question.kind == "number":
            unit = escape(self.options.get("unit", ""))
            field = f'<input type="text" inputmode="decimal" name="{escape(name)}" size="8">'
            return [_html(f"<label>Your answer {field} {unit}</label>")]
        made: list[nodes.Node] = []
        kind = "radio" if question.kind == "one" else "checkbox"
        for place, choice in enumerate(question.choices):
            field = f'<input type="{kind}" name="{escape(name)}" value="{place}">'
            made += [_html(f"<label>{field} "), self.words(choice.text), _html("</label>")]
        return made

    def _answer(self, place: int, choice: Choice) -> list[nodes.Node]:
        """Return a choice with its feedback."""
        data = f'data-choice="{place}" data-right="{int(choice.right)}"'
        if choice.number:
            data += ' data-value="{}" data-within="{}"'.format(*choice.number)
        mark = "Right" if choice.right else "Not right"
        words = [_html("<em>"), self.words(choice.text), _html("</em>. ")]
        return [_html(f"<li {data}>{mark}: "), *words, self.words(choice.feedback), _html("</li>")]


class SelfTestDirective(_Directive):
    """Questions with one score: before or after a part of the book."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """Return the test's HTML around its questions."""
        part, when = self.arguments
        if when not in TIMES:
            raise self.error(f"selftest {part}: expected {' or '.join(TIMES)}, found {when!r}.")
        made = quiz("", classes=["dat-test"])
        made += _html(f'<div data-part="{escape(part)}" data-when="{when}">')
        self.state.nested_parse(self.content, self.content_offset, made)
        made += _html('<p class="dat-score" role="status"></p></div>')
        return [made]


class LinkLessons(SphinxPostTransform):
    """Replace each `learn` by a link with the titles of its page and section."""

    default_priority = 5

    def run(self, **_: object) -> None:
        """Resolve the links of one page."""
        for node in list(self.document.findall(learn)):
            page, _hash, anchor = node["target"].partition("#")
            title = title_of(self.env, page, anchor)
            if title is None:
                LOGGER.warning(
                    "a question should lead to a page and its section, found %r", node["target"],
                    location=node, type="quiz",
                )  # fmt: skip
                title = node["target"]
            uri = ""
            if page in self.env.found_docs:
                uri = self.app.builder.get_relative_uri(self.env.docname, page)
            uri += f"#{anchor}" if anchor else ""
            node.replace_self(nodes.reference("", title, refuri=uri, internal=True))


def title_of(env: BuildEnvironment, page: str, anchor: str) -> str | None:
    """Return the title of a page, with that of its section, or None if it is not there."""
    if page not in env.titles:
        return None
    title = env.titles[page].astext()
    if not anchor:
        return title
    for link in env.tocs[page].findall(nodes.reference):
        if link["anchorname"] == f"#{anchor}":
            return f"{title}, “{link.astext()}”"
    return None


def _forget(_app: Sphinx, env: BuildEnvironment, page: str) -> None:
    known = vars(env).get("dat_questions", {})
    for name in [name for name, where in known.items() if where == page]:
        del known[name]


def _add_script(
    app: Sphinx, _page: str, _template: str, _context: dict, tree: nodes.document | None
) -> None:
    if tree is not None and any(True for _ in tree.findall(quiz)):
        app.add_js_file("dat-quiz.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, str | bool]:
    """Register the extension with Sphinx."""
    visitors = (lambda self, node: self.visit_container(node),
                lambda self, node: self.depart_container(node))  # fmt: skip
    app.add_node(quiz, html=visitors)
    app.add_directive("question", QuestionDirective)
    app.add_directive("selftest", SelfTestDirective)
    app.add_post_transform(LinkLessons)
    app.add_css_file("dat-quiz.css")
    app.connect("env-purge-doc", _forget)
    app.connect("html-page-context", _add_script)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
