"""What is said of a learner's own loop: the sentence, and the fold *Your own loop*."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from gdwidgets.ui import text

ROOM = 196
"""Characters in the two lines of the sentence."""

_STEP = re.compile(r"\bstep ([1-9]\d*(?:,\d{3})*)")

HOW = """with explorer.watch() as mine:
    ...                       # your own training loop, as it is

print(mine.report())"""
"""How a loop is watched."""


def growing(step: int, loss: float, *, drawn: bool) -> str:
    """The sentence while a loop runs.

    Parameters
    ----------
    step
        Updates so far.
    loss
        The last loss.
    drawn
        Whether its lane is in the picture.
    """
    where = "✖ is your loop, the other lanes are the reference" if drawn else "It is being recorded"
    return f"Your loop runs: **step {step:,}, loss {text.number(loss)}**. {where}."


def found(words: str) -> str:
    """The sentence at the step where the first finding shows: as much of it as there is room."""
    words = " ".join(words.replace("**", "^").replace("`", "").split())
    if len(words) > ROOM:
        kept = words[:ROOM]
        end = max(kept.rfind(". "), kept.rfind("; "))
        words = kept[: end + 1].replace(";", ".") if end > ROOM // 3 else f"{kept.rstrip()}…"
    first, stop, rest = words.partition(": ")
    if not stop or len(first) > 90:
        first, stop, rest = words.partition(". ")
        return f"**{first}{stop.strip()}** {rest}".strip()
    return f"**{first}:** {rest}"


def in_picture(words: str) -> str:
    """What a report says of steps, by the counter below the picture.

    The report counts steps from 1, as the course prints them; the picture, updates applied.
    """

    def counted(found: re.Match[str]) -> str:
        return f"step {int(found[1].replace(',', '')) - 1:,}"

    return _STEP.sub(counted, words)


def how_to() -> str:
    """The fold before a loop has been watched, as HTML."""
    said = (
        "Write your own loop in plain PyTorch in a cell, and run it inside this block. It is drawn "
        "beside the reference, and the report says what it does."
    )
    return text.html_paragraphs([said]) + text.html_code(HOW)


def told(report: str, notes: Sequence[str] = ()) -> str:
    """A report as HTML: findings bold, reasons below them, and notes on the picture.

    Parameters
    ----------
    report
        Lines; a line that is indented belongs to the one before.
    notes
        Sentences about what is shown.
    """
    lines: list[str] = []
    for line in report.splitlines():
        if line.startswith(" ") and lines:
            lines[-1] += f"<br>{_coded(line.strip())}"
        else:
            lines.append(f"<b>{_coded(line)}</b>" if lines else _coded(line))
    lines += [escape(note) for note in notes]
    return "".join(f"<p class=gdw-paragraph>{line}</p>" for line in lines)


def _coded(line: str) -> str:
    """A line as HTML; what stands between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(line))


def notes(
    *, counted: bool, report: str, drawn: bool, compared: str, cut: int | None, recorded: Any
) -> list[str]:
    """Notes on what of the loop is shown.

    Parameters
    ----------
    counted
        Whether a step of the report is one of the picture, counted from 1.
    report
        What is told.
    drawn
        Whether its lane is in the picture.
    compared
        The lane it is compared with; empty where there is one lane.
    cut
        The end of the axis where the loop goes on beyond it.
    recorded
        Steps of the loop.
    """
    said = []
    step = _STEP.search(report)
    if drawn and counted and step is not None:
        updates = in_picture(step[0]).removeprefix("step ")
        said.append(
            f"The report counts steps from 1, as the course prints them: its {step[0]} is "
            f"{updates} in the picture and in the table, after as many updates."
        )
    if drawn and compared:
        said.append(f"Compared with the lane “{compared}”.")
    if cut is not None:
        said.append(
            f"The picture ends at step {cut:,}, your loop at {recorded:,}: a larger max_steps "
            "shows more of it."
        )
    if recorded > 0 and not drawn:
        said.append("It is not drawn: it has other parameters or another loss than the reference.")
    return said
