"""The names that stand inside the nodes of a graph, and the room that they take."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

WIDTHS = {
    **dict.fromkeys("mwMW@%…", 1.11),
    **dict.fromkeys("ijlI.,'·", 0.4),
    **dict.fromkeys("frt()[]/_", 0.5),
    **dict.fromkeys("⁰¹²³⁴⁵⁶⁷⁸⁹", 0.46),
    "⁻": 0.59,
    " ": 0.36,
    "∇": 0.74,
}
SMALL = 0.72
OTHER = 0.86
"""Widths of bold letters in ems: some, other small letters and figures, and all others. None is
wider in DejaVu Sans, which is a wide font."""

PLAIN = 0.91
PLAIN_SIGNS = 0.98
"""How much of that a letter takes that is not bold; a sign such as + takes nearly all."""

FILLED = 0.84
"""How much of a node's width its name may take."""

SHORTER = {"mean": "Σ/n"}
"""Signs of operations for where their name is too long."""


@dataclass(frozen=True)
class Room:
    """What there is room for, in pixels."""

    circle: float
    """Width of an operation's node."""

    widest: float
    """Its width where a name needs more."""

    box: float
    """Width of a tensor's node."""

    font: float
    """The largest text."""


@dataclass(frozen=True)
class Names:
    """What stands in the nodes of a graph."""

    texts: Mapping[str, str]
    """By node."""

    font: float
    """Size of the texts, in pixels."""

    wide: float
    """Width of an operation's node: a circle, or an ellipse where a name asks for one."""


def name_width(text: str, *, bold: bool = True) -> float:
    """An estimate from above of the width of a text, in ems."""
    return sum(_width(letter, bold) for letter in text)


def _width(letter: str, bold: bool) -> float:
    known = WIDTHS.get(letter, SMALL if letter.islower() or letter.isdigit() else None)
    if known is None:
        return OTHER if bold else OTHER * PLAIN_SIGNS
    return known if bold else known * PLAIN


def fit_names(
    symbols: Mapping[str, str], boxed: Collection[str], *, room: Room, least: float
) -> Names:
    """Fit names into nodes with a margin: by smaller text, then wider nodes, then shorter names.

    Parameters
    ----------
    symbols
        What is to stand in each node.
    boxed
        The nodes that are boxes, whose width is fixed; the others are operations.
    room
        What there is room for.
    least
        The smallest text, in pixels.
    """
    widest = max(room.circle, room.widest)
    texts = {
        node: shortened(text, FILLED * (room.box if node in boxed else widest) / least)
        for node, text in symbols.items()
    }
    wide = {node: name_width(text) for node, text in texts.items()}
    named = max((ems for node, ems in wide.items() if node not in boxed), default=0.0)
    in_boxes = max((wide[node] for node in boxed), default=0.0)
    # A hundredth of an em stands for no text at all.
    fits = FILLED * min(room.circle / max(named, 0.01), room.box / max(in_boxes, 0.01))
    font = max(min(room.font, fits), least)
    return Names(texts, font, max(room.circle, named * font / FILLED))


def shortened(text: str, room: float) -> str:
    """A name in so many ems: whole, by its sign, or as much of it as there is room for."""
    if name_width(text) <= room:
        return text
    text = kept = SHORTER.get(text, text)
    while name_width(text) > room and kept:
        kept = kept[:-1]
        text = f"{kept}…"
    return text
