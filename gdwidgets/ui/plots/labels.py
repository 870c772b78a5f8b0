"""Texts in a figure: how wide they are, and where they stand so that none covers another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FONT = 13.0
"""Height of the smallest text, in pixels at size 1."""

NARROW = set("il.,:;'|!tfrjI() ⁻·")
WIDE, WIDEST = set("wGOQ−●▲■◆▼★✚◐×✖"), set("mMW@%")

TICK_EMS = {"−": 0.84, "<": 0.84, "≤": 0.84, ",": 0.32, ".": 0.32, "·": 0.32, " ": 0.32}
RAISED = set("⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Widths of signs in the texts of ticks, in heights of the text, in a wide font."""

LONG_ENOUGH = 8
"""Characters of a dotted name without its parents that say enough."""

Box = tuple[float, float, float, float]
"""Left, right, lower and upper end."""

DISTANCES = (1.0, 1.8, 2.6, 3.4)
"""How many times further away than beside its point a text is put."""

AROUND = [
    (math.cos(math.radians(angle)), math.sin(math.radians(angle)))
    for angle in (90, 0, 180, 270, 45, 135, 315, 225)
]
"""Directions in which a text is put beside a point, the best first."""


def width(text: str, font: float = FONT) -> float:
    """About how wide a bold text is, in pixels; rather too wide than too narrow."""
    ems = (
        0.42 if c in NARROW else 0.95 if c in WIDE else 1.05 if c in WIDEST else 0.7 for c in text
    )
    return font * sum(ems)


def tick_width(text: str, font: float = FONT) -> float:
    """How wide the text of a tick, which is not bold, is at most, in pixels."""
    return font * sum(TICK_EMS.get(c, 0.45 if c in RAISED else 0.65) for c in text)


def shortened(text: str, most: float, font: float = FONT) -> str:
    """A text cut so that it is at most ``most`` pixels wide."""
    if width(text, font) <= most:
        return text
    while text and width(text + "…", font) > most:
        text = text[:-1]
    return text.rstrip() + "…"


def without_parents(names: Sequence[str]) -> list[str]:
    """Dotted names without the parents that all of them share: what differs is left."""
    split = [name.split(".") for name in names]
    most = min((len(parts) for parts in split), default=1) - 1
    shared = next((i for i in range(most) if len({parts[i] for parts in split}) > 1), most)
    return [".".join(parts[shared:]) for parts in split]


def cut_in_front(names: Sequence[str], most: float, font: float = FONT) -> list[str]:
    """Names at most ``most`` pixels wide: their ends, or where two of those are alike both ends."""

    def end(name: str) -> str:
        if width(name, font) <= most:
            return name
        while name and width("…" + name, font) > most:
            name = name[1:]
        # No piece of a parent, where what is left is long enough.
        _, _, own = name.partition(".")
        return "…" + (own if len(own) >= LONG_ENOUGH else name)

    def both_ends(name: str) -> str:
        if width(name, font) <= most:
            return name
        left, right = name[: len(name) // 2], name[len(name) // 2 :]
        while right and width(f"{left}…{right}", font) > most:
            left, right = (left[:-1], right) if len(left) > len(right) else (left, right[1:])
        return f"{left}…{right}"

    ends = [end(name) for name in names]
    return [
        both_ends(name) if ends.count(cut) > 1 else cut
        for name, cut in zip(names, ends, strict=True)
    ]


def longest(texts: Sequence[str], most: float, font: float = FONT) -> str:
    """The first of texts that is at most ``most`` pixels wide, or the last; nothing of none."""
    return next((text for text in texts if width(text, font) <= most), texts[-1] if texts else "")


def spread(
    wanted: Sequence[float] | NDArray[np.floating], gap: float, low: float, high: float
) -> NDArray[np.float64]:
    """Places as near to the wanted ones as can be, at least ``gap`` apart, within two limits.

    Least squares under the condition that their order is kept, by pooling neighbours that touch.
    Where they do not fit, they are spread evenly.

    Parameters
    ----------
    wanted
        Places (m,), finite, in any order.
    gap, low, high
        In the same unit.

    Returns
    -------
    Places (m,) in the order of ``wanted``.
    """
    exact = np.asarray(wanted, np.float64)
    count = len(exact)
    if count == 0:
        return np.empty(0)
    order = np.argsort(exact, kind="stable")
    if (count - 1) * gap >= high - low:
        places = np.linspace(low, high, count) if count > 1 else np.array([(low + high) / 2])
    else:
        # With i × gap taken off, "at least gap apart" becomes "increasing".
        shifts = gap * np.arange(count)
        pools: list[tuple[float, int]] = []
        for value in exact[order] - shifts:
            mean, size = float(value), 1
            while pools and pools[-1][0] > mean:
                before, others = pools.pop()
                mean = (before * others + mean * size) / (others + size)
                size += others
            pools.append((mean, size))
        means = np.repeat([mean for mean, _ in pools], [size for _, size in pools])
        places = np.clip(means, low, high - shifts[-1]) + shifts
    result = np.empty(count)
    result[order] = places
    return result


def beside(
    points: NDArray[np.floating],
    texts: Sequence[str],
    *,
    gap: float,
    side: float,
    font: float,
    taken: Sequence[Box] = (),
    first: Sequence[NDArray[np.floating]] = (),
) -> list[tuple[int, float, float]]:
    """Places beside points for short texts, so that none covers another or what is there already.

    A text like one beside a point nearer than two heights of it is left out: it would say twice
    what one says. Where nothing is free the place that is covered least is taken.

    Parameters
    ----------
    points
        Places (m, 2) on a square.
    texts
        m texts.
    gap
        Between a point and its text.
    side
        Of the square, on which all texts are to stand.
    font
        Height of the texts. All lengths are in one unit.
    taken
        What else must not be covered.
    first
        For each text the direction (2,), of length 1, in which it stands best; without it, above.

    Returns
    -------
    Of each text that is put: its index, and where its middle stands.
    """
    boxes, high = list(taken), font * 0.65
    found: list[tuple[int, float, float]] = []
    for index, (text, (x, y)) in enumerate(zip(texts, points, strict=True)):
        near = (
            math.hypot(x - points[other][0], y - points[other][1])
            for other, _, _ in found
            if texts[other] == text
        )
        if min(near, default=math.inf) < 2 * font:
            continue
        half = width(text, font) / 2
        best_first = [(float(one[0]), float(one[1])) for one in first[index : index + 1]]
        directions = [*best_first, *AROUND]
        best: tuple[float, float, float] | None = None
        for distance, (across, up) in itertools.product(DISTANCES, directions):
            middle = (
                min(max(x + distance * (half + gap) * across, half), side - half),
                min(max(y + distance * (high + gap) * up, high), side - high),
            )
            box = around(middle, half, high)
            covered = sum(_shared(box, other) for other in boxes)
            if best is None or covered < best[0]:
                best = (covered, *middle)
            if covered == 0:
                break
        assert best is not None  # noqa: S101 - there are directions
        boxes.append(around(best[1:], half, high))
        found.append((index, *best[1:]))
    return found


def around(middle: Sequence[float], half: float, high: float) -> Box:
    """The box around a middle (2,) that reaches ``half`` to either side, ``high`` up and down."""
    x, y = middle
    return x - half, x + half, y - high, y + high


def _shared(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    wide = min(one[1], other[1]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[2], other[2])
    return max(wide, 0.0) * max(high, 0.0)
