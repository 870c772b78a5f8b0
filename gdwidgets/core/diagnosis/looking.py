"""Where to look: lines of a loop, and steps, which are counted from 1 in words."""

from __future__ import annotations

from collections.abc import Sequence

from gdwidgets.core.diagnosis.findings import listed

UPDATE_LINE = "the line that updates the parameters"


def from_step(step: int) -> str:
    """From which step on; ``step`` counts from 0."""
    return "from the first step on" if step == 0 else f"from step {step + 1:,} on"


def look(step: int, line: str) -> str:
    """At which step, counted from 0, and at which line to look."""
    return f"Look at step {step + 1:,}, at {line}."


def all_of(names: Sequence[str]) -> str:
    """All names, in a sentence."""
    return listed(list(names))
