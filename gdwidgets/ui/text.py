"""Numbers, tables and keys as text and HTML; whatever comes from a user is escaped here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

Cell = str | int | float | None


def number(value: float, digits: int = 4) -> str:
    """A number for a sentence: ``digits`` significant ones, no exponent where none is needed."""
    if not math.isfinite(value):
        return "∞" if value == math.inf else str(value)
    text = f"{value:.{digits}g}"
    if "e+" in text and abs(value) < 1e6:
        text = f"{float(text):.0f}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−") if value < 0 else text


def html_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    now: int | None = None,
    text_columns: Sequence[int] = (),
) -> str:
    """An HTML table of ready-formatted cells.

    Parameters
    ----------
    head, rows
        Column names and cells; both are escaped here.
    now
        The row to mark as the present one.
    text_columns
        Columns that are aligned on the left; all others are numbers, aligned on the right, so
        that equal numbers of decimals align on the point.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=gdw-text' if column in text_columns else ''}>{escape(cell)}</{tag}>"
            for column, cell in enumerate(cells)
        )

    body = "".join(
        f"<tr{' class=gdw-now' if index == now else ''}>{line(row, 'td')}</tr>"
        for index, row in enumerate(rows)
    )
    return f"<table class=gdw-table><tr>{line(head, 'th')}</tr>{body}</table>"


def html_key(entries: Sequence[tuple[str, str]], *, boxes: bool = False) -> str:
    """A key of colours: pairs of a colour of ours and a text; without a colour it is a heading."""
    kind = " class=gdw-box" if boxes else ""
    sample = f"<i{kind} style='{'background' if boxes else 'border-color'}:"
    items = "".join(
        f"<span>{sample}{colour}'></i>{escape(text)}</span>" if colour else f"<b>{escape(text)}</b>"
        for colour, text in entries
    )
    return f"<div class=gdw-key>{items}</div>"


def html_code(text: str) -> str:
    """Source code as it is, in the notebook's code font."""
    return f"<pre class=gdw-code>{escape(text)}</pre>"


def html_status(text: str, *, error: bool = False) -> str:
    """The status sentence; screen readers announce it."""
    kind = " gdw-error" if error else ""
    return f"<div class='gdw-status{kind}' role=status>{escape(text)}</div>"
