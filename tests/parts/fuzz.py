"""Trials by hypothesis, the same on every machine: settings, and bytes that were changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def repeatable(examples: int) -> Any:
    """Return hypothesis settings for so many examples: no clock, no memory of earlier runs."""
    from hypothesis import HealthCheck, settings

    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def fuzz(
    sound: bytes,
    places: tuple[int, int],
    try_it: Callable[[bytes], None],
    *,
    examples: int,
    most_edits: int,
) -> None:
    """Overwrite one to eight bytes at up to `most_edits` places, and try each result."""
    from hypothesis import given
    from hypothesis import strategies as st

    edit = st.tuples(st.integers(*places), st.binary(min_size=1, max_size=8))

    @repeatable(examples)
    @given(st.lists(edit, min_size=1, max_size=most_edits))
    def run(edits):
        content = bytearray(sound)
        for offset, value in edits:
            content[offset : offset + len(value)] = value
        try_it(bytes(content[: len(sound)]))

    run()
