"""Findings as text, all at once or one hint at a time."""

from __future__ import annotations

from typing import Any

from gdwidgets.core import checks
from gdwidgets.core.diagnosis.findings import Finding, steps_text
from gdwidgets.core.diagnosis.records import LoopRecord

Hints = Any
"""``True``, ``False``, or 1, 2, 3; see `report_text`."""


def report_text(
    findings: tuple[Finding, ...], record: LoopRecord, loops: int = 1, hints: Hints = True
) -> str:
    """The report on a loop.

    Parameters
    ----------
    findings
        The most important first.
    record
        What was recorded.
    loops
        How many loops were recorded; the findings are about the last.
    hints
        ``True``: all sentences, with reasons. ``False``: only what was recorded. 1: where to look
        for the first finding; 2: also what it is; 3: also why.

    Raises
    ------
    ValueError
        For any other ``hints``.
    """
    level = hint_level(hints)
    lines = [_recorded(record, loops, findings)] if record.count else []
    if level == 0:
        return "\n".join([*lines, "What the loop does is held back."])
    if hints is not True:
        told = [
            text
            for one in findings[:1]
            for text in (one.where, one.sentence, one.why and f"    {one.why}")[:level]
        ]
        return "\n".join(filter(None, told))
    for one in findings:
        lines.append(one.sentence)
        if one.why and one.name != "agrees":
            lines.append(f"    {one.why}")
    return "\n".join(lines)


def hint_level(hints: Hints) -> int:
    """How many of *where*, *what* and *why* are told: 0 for ``False``, 3 for ``True``.

    Raises
    ------
    ValueError
        For anything but ``True``, ``False``, 1, 2 or 3.
    """
    return 3 * hints if isinstance(hints, bool) else checks.integer(hints, "hints", 1, 3)


_NOT_STEPS = frozenset({"updated_every_n", "several_passes"})
"""Findings after which a step of the loop is not one backward pass."""


def _recorded(record: LoopRecord, loops: int, findings: tuple[Finding, ...]) -> str:
    passes = not _NOT_STEPS.isdisjoint(one.name for one in findings)
    text = f"{steps_text(record.total)} recorded"
    if passes:
        text = f"{record.total:,} backward pass{'es' * (record.total != 1)} recorded"
    if loops > 1:
        text += f", in the last of {loops} loops"
    if record.thinned:
        text += f"; of a loop this long {record.count:,} records were kept"
    return text + "."
