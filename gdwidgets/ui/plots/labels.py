"""Texts in a figure: how wide they are, and where they stand so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FONT = 13.0
"""Height of the smallest text, in pixels at size 1."""

NARROW, WIDE = set("il.,:;'|!1tfrjI() ⁻−·"), set("mwMWGOQ@%●▲■◆▼★✚◐×")


def width(text: str, font: float = FONT) -> float:
    """About how wide a bold text is, in pixels; rather too wide than too narrow."""
    ems = sum(0.42 if c in NARROW else 0.95 if c in WIDE else 0.68 for c in text)
    return ems * font


def shortened(text: str, most: float, font: float = FONT) -> str:
    """A text cut so that it is at most ``most`` pixels wide."""
    if width(text, font) <= most:
        return text
    while text and width(text + "…", font) > most:
        text = text[:-1]
    return text.rstrip() + "…"


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
