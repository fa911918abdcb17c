"""The book's page of every finding and its remedy, made from the registry of rules.

``python -m datkit.inspect.page OUT`` writes it. Its prose stands in ``page.md``, where a line such
as ``{rules: The archive}`` keeps the place of a section's table.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

from datkit.rules import RULES, Rule

__all__ = ["all_rules", "findings_page"]

# What declares rules; named, not imported, since some lie below this room and some above it.
MODULES = (
    "datkit.challenge.codabench.check",
    "datkit.federated.plan_rules",
    "datkit.inspect.submission",
    "datkit.replica.assess",
    "datkit.replica.scenarios",
    "datkit.submit.predictions",
)
_HEAD = "| code | severity | what it means | how to mend it |\n| --- | --- | --- | --- |"


def all_rules() -> list[Rule]:
    """Return every rule of the kit, in the order of the alphabet."""
    for module in MODULES:
        import_module(module)
    return sorted(RULES.values(), key=lambda rule: rule.code)


def findings_page() -> str:
    """Return the page as Markdown for jupyter-book: a table a section, a row a rule."""
    rules = all_rules()

    def table(place: re.Match[str]) -> str:
        there = (rule for rule in rules if rule.section == place[1])
        rows = (f"| `{r.code}` | {r.severity} | {r.title} | {r.remedy} |" for r in there)
        return "\n".join([_HEAD, *rows])

    prose = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    return re.sub(r"\{rules: (.+)\}", table, prose)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(findings_page(), encoding="utf-8")
