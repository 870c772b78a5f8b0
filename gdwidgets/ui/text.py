"""Numbers, sentences, tables and keys as text and HTML; whatever a user gave is escaped here."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any

MINUS = "\u2212"
JOINER = "\u2060"
"""Seen by nobody: a sign of no width at which no line is broken."""
CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"
_CODE = re.compile("`([^`\n]+)`")
_SUM = re.compile(r"\([^()<>]{1,32} [+−] [^()<>]{1,32}\)")
_QUOTIENT = re.compile(r"\)/\w+")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


# -- numbers ---------------------------------------------------------------------------------------


def numbered(index: int) -> str:
    """A minimum's number as it stands on the map: ``①`` for index 0."""
    return CIRCLED[index] if index < len(CIRCLED) else f"({index + 1})"


def superscript(exponent: int) -> str:
    """A whole number in raised figures: ``⁻³``."""
    return str(exponent).translate(_SUPERSCRIPT)


def power_of_ten(exponent: int) -> str:
    """A power of ten as it is written: ``10⁻³``."""
    return f"10{superscript(exponent)}"


def number(value: float, digits: int = 4) -> str:
    """A number for a sentence, with at most ``digits`` significant figures.

    Between 0.0001 and a million it is written out; beyond, as ``1.5·10⁻⁷``. There is one kind of
    minus, and no minus before zero.
    """
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    rounded = float(f"{value:.{digits}g}")
    if rounded == 0:
        return "0"
    if 1e-4 <= abs(rounded) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
        written = f"{rounded:,.{decimals}f}"
        if "." in written:
            written = written.rstrip("0").rstrip(".")
        return written.replace("-", MINUS)
    return _scientific(value, digits)


def fixed(value: float, decimals: int = 4) -> str:
    """A number for a table, with ``decimals`` of them; a power of ten where they do not serve.

    They do not serve where only zeros would be seen of a number that is not zero, and from a
    million on.
    """
    value = float(value)
    if not math.isfinite(value):
        return number(value)
    if value == 0:
        return f"{0:.{decimals}f}"
    if abs(value) < 0.5 * 10.0**-decimals or abs(value) >= 1e6:
        return _scientific(value, 3)
    return f"{value:.{decimals}f}".replace("-", MINUS)


def _scientific(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    written = power_of_ten(int(exponent))
    if mantissa in {"1", "-1"}:
        return written if mantissa == "1" else f"{MINUS}{written}"
    return f"{mantissa}·{written}".replace("-", MINUS)


COUNTED = 10**9
"""From here on a number of things is written as a power of ten."""


def counted(count: int, singular: str, plural: str = "") -> str:
    """A number of things: ``1 update``, ``1,200 updates``; from 10⁹ on in powers of ten."""
    written = f"{count:,}" if abs(count) < COUNTED else number(count, 3)
    return f"{written} {singular if count == 1 else plural or singular + 's'}"


def listed(items: Sequence[str]) -> str:
    """A list in a sentence: ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def short(value: Any, most: int = 24) -> str:
    """Any value in a few characters, for an entry in a list."""
    if isinstance(value, float):
        return number(value)
    name = getattr(value, "label", None) or getattr(value, "name", None)
    written = name if isinstance(name, str) and name else str(value)
    return written if len(written) <= most else f"{written[: most - 1]}…"


# -- sentences -------------------------------------------------------------------------------------


def code(source: str) -> str:
    """Python in a sentence: its ``**`` is a power, and no mark."""
    return source.replace("**", f"*{JOINER}*")


def plain(sentence: str) -> str:
    """A sentence without its marks: what stands between ``**`` is to be read first."""
    return _CODE.sub(r"\1", sentence).replace("**", "").replace(JOINER, "")


def _marked(escaped: str) -> str:
    """Bold what stands between ``**``, and code what stands between backticks.

    A formula is not broken within its brackets, nor behind the line of a fraction after them.
    """
    escaped = _SUM.sub(lambda found: found[0].replace(" ", "\u00a0"), escaped)
    escaped = _QUOTIENT.sub(r"<span class=gdw-whole>\g<0></span>", escaped)
    return _CODE.sub(r"<code>\1</code>", re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped))


def html_sentence(sentence: str, *, error: bool = False, live: bool = True) -> str:
    """The sentence of an explorer; what stands between ``**`` is bold, between backticks code.

    Parameters
    ----------
    sentence
        Escaped here.
    error
        Whether it says that something is wrong.
    live
        Whether screen readers read it out now.
    """
    body = _marked(escape(sentence))
    # A number and its unit, or a formula, stay on one line.
    for sign in "=×":
        body = body.replace(f" {sign} ", f"\u00a0{sign}\u00a0")
    # Nor is a fraction such as 2/λ broken behind its line.
    body = re.sub(r"\d/\w", r"<span class=gdw-whole>\g<0></span>", body)
    kind = " gdw-error" if error else ""
    said = "assertive" if error else "polite" if live else "off"
    return f"<div class='gdw-sentence{kind}' role=status aria-live={said}>{body}</div>"


def html_summary(summary: str) -> str:
    """What a figure shows, for screen readers only; stands in the figure's ``.gdw-figure``."""
    return f"<div class=gdw-summary>{escape(summary)}</div>"


# -- tables, keys, code ----------------------------------------------------------------------------


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


def html_paragraphs(paragraphs: Sequence[str]) -> str:
    """Sentences one below the other; what stands between ``**`` is bold, between backticks code."""
    return "".join(f"<p class=gdw-paragraph>{_marked(escape(one))}</p>" for one in paragraphs)


def html_code(source: str) -> str:
    """Source code as it is, in the notebook's code font."""
    return f"<pre class=gdw-code tabindex=0>{escape(source)}</pre>"


def html_problem(problem: str) -> str:
    """What is wrong, in the place of what cannot be shown."""
    return f"<div class='gdw-paragraph gdw-error' role=alert>{escape(problem)}</div>"
