"""Sentences about what is wrong with exams, collected so that all are told at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

__all__ = ["Problems", "repeated", "some"]


class Problems(list[str]):
    """Sentences about what is wrong, collected until all is looked at."""

    def expect(
        self, where: str, expected: str, wrong: Iterable[str], remedy: str, lead: str = ""
    ) -> None:
        """Note what was found instead of what was expected, if anything was."""
        if wrong := list(wrong):
            found = f"found {lead}{some(wrong)}"
            self.append(f"{where}: expected {expected}, {found}; {remedy}.")


def some(items: list[str]) -> str:
    """Name the first three of many."""
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return ", ".join(items[:3]) + more


def repeated(uids: Iterable[str]) -> list[str]:
    """Return those that stand more than once, in quotes."""
    return [repr(uid) for uid, count in Counter(uids).items() if count > 1]
