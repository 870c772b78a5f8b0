"""Round values for axes, and how they are written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from gdwidgets.ui.plots import labels
from gdwidgets.ui.text import MINUS, number, power_of_ten

BETWEEN = 6.0
"""Least space between the texts of a horizontal axis, in pixels."""


def round_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 × 10ⁿ that cuts a positive ``span`` in at most ``most``."""
    least = span / most
    exponent = math.floor(math.log10(least))
    for digit in (1, 2, 5, 10):
        step = float(f"{digit}e{exponent}")
        if step >= least * (1 - 1e-9):
            return step
    return float(f"1e{exponent + 1}")


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of a round step from ``low`` to ``high``, ``most`` + 1 of them at most.

    At least two, where two of so few fit: one number alone tells no scale.
    """
    found = _multiples(low, high, round_step(high - low, most))
    if len(found) < 2:
        finer = _multiples(low, high, round_step(high - low, 2 * most))
        found = finer if len(finer) <= most + 1 else found
    return found


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    # From text, so that 3 × 0.1 is 0.3.
    digits = 0 if step >= 1 else max(0, -math.floor(math.log10(step)))
    return [round(i * step, digits) for i in range(first, last + 1)]


def linear_texts(ticks: Sequence[float]) -> list[str]:
    """How the values of a linear axis are written: equally many decimals, or one power of ten."""
    largest = max((abs(tick) for tick in ticks), default=0.0)
    gaps = [b - a for a, b in itertools.pairwise(ticks)]
    step = min(gaps, default=largest or 1.0)
    if step > 0 and (largest >= 1e6 or step < 1e-4):
        # As many figures as tell two neighbours apart.
        figures = 1 + math.floor(math.log10(largest)) - math.floor(math.log10(step))
        return [number(tick, max(1, figures)) for tick in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    texts = [f"{abs(tick):,.{decimals}f}" for tick in ticks]
    return [
        MINUS + text if tick < 0 and float(text.replace(",", "")) else text
        for tick, text in zip(ticks, texts, strict=True)
    ]


def written(
    low: float, high: float, most: int, room: float | None = None
) -> tuple[list[float], list[str]]:
    """Ticks of a linear axis and their texts, ``most`` + 1 at most.

    Parameters
    ----------
    low, high, most
        As in `linear_ticks`.
    room
        For a horizontal axis its width in pixels at the normal size: there are only as many as
        stand beside each other.
    """
    values = linear_ticks(low, high, most)
    texts = linear_texts(values)
    while room is not None and len(values) > 2:
        gap = room * (values[1] - values[0]) / (high - low)
        if max(map(labels.tick_width, texts)) + BETWEEN <= gap:
            break
        most -= 1
        fewer = linear_ticks(low, high, most)
        if len(fewer) < 2:
            break
        values, texts = fewer, linear_texts(fewer)
    return values, texts


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values from ``low`` to ``high`` of a logarithmic axis.

    Digits 1, 2 and 5, or 1 and 5, of each decade where they fit; else every n-th power of ten.
    """
    first, last = math.floor(math.log10(low) + 1e-9), math.floor(math.log10(high) + 1e-9)

    def within(digits: Sequence[int], powers: range) -> list[float]:
        values = (float(f"{digit}e{power}") for power in powers for digit in digits)
        return [v for v in values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]

    for digits in ((1, 2, 5), (1, 5)):
        values = within(digits, range(first, last + 1))
        if 2 <= len(values) <= most + 1:
            return values
    if high < 10 * low:
        return linear_ticks(low, high, most)
    decades = last - math.ceil(math.log10(low) - 1e-9)
    stride = next(
        s for s in (1, 2, 3, 4, 5, 6, 8, 10, 20, 50, 100, 200) if decades // s + 1 <= most
    )
    return within((1,), range(-stride * (-first // stride), last + 1, stride))


def log_texts(ticks: Sequence[float]) -> list[str]:
    """How the values of a logarithmic axis are written: numbers near 1, else powers of ten."""
    plain = all(1e-3 <= tick <= 1e4 for tick in ticks) and max(ticks) < 1e3 * min(ticks) * 1.001
    if plain or any(float(f"{tick:e}".partition("e")[0]) != 1 for tick in ticks):
        return [number(tick) for tick in ticks]
    return [power_of_ten(round(math.log10(tick))) for tick in ticks]


def step_ticks(end: int, *, log: bool, most: int = 6) -> list[int]:
    """Steps to write on an axis from 0 to ``end``; on a logarithmic one 0, 10, 100, … and the end.

    A power of ten that would touch the end's number is left out.
    """
    if not log:
        return [int(tick) for tick in linear_ticks(0, end, most) if tick == int(tick)]
    powers = [10**p for p in range(1, 1 + int(math.log10(max(end, 1))))]
    room = 0.11 * math.log1p(end)
    powers = [p for p in powers if math.log1p(end) - math.log1p(p) > room]
    return [0, *powers[:: max(1, math.ceil(len(powers) / most))], end]
