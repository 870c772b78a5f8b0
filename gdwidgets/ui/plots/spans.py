"""What the axes of curves show: from where to where, and where on the plot a value stands.

All figures of curves draw on a plot area of 1 by 1, and values are put there by these classes: the
browser's scales never change, and so nothing is ever drawn on a scale that is not yet, or no more,
its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gdwidgets.ui.plots import ticks
from gdwidgets.ui.text import number

FAR = 1e4
"""Heights of the plot beyond which nothing is drawn: larger numbers break an SVG path."""

LARGEST = 1e300
"""An axis ends there at the latest: its span is finite."""

DECADES = 16
"""Decades below the first value that a logarithmic axis shows; float32 has about 7 digits."""

LEAVES = 1e3
"""A lane that ends this many times above the first value leaves a logarithmic plot."""

LEAVES_LINEAR = 30.0
"""The same on a linear axis."""

ZERO_ROOM = 0.09
"""Part of a logarithmic axis between its lowest power and zero."""


@dataclass(frozen=True)
class Steps:
    """The axis of steps, from 0 to ``end``, linear or by log(1 + step).

    Attributes
    ----------
    end
        Last step, at least 1.
    log
        Whether steps are placed by log(1 + step).
    """

    end: int
    log: bool = False

    def place(self, steps: ArrayLike) -> NDArray[np.float64]:
        """Where steps stand, 0 at the left edge and 1 at the right."""
        exact = np.asarray(steps, np.float64)
        return np.log1p(exact) / math.log1p(self.end) if self.log else exact / self.end

    def step_at(self, place: float) -> float:
        """The step, a fraction perhaps, that stands at a place."""
        return math.expm1(place * math.log1p(self.end)) if self.log else place * self.end

    def columns(self, count: int) -> NDArray[np.int64]:
        """First steps of ``count`` columns of equal width, increasing, fewer where steps are."""
        at = np.linspace(0, 1, count + 1)[:-1]
        exact = np.expm1(at * math.log1p(self.end)) if self.log else at * self.end
        return np.unique(np.ceil(exact - 1e-9).astype(np.int64))

    def ticks(self) -> tuple[list[float], list[str]]:
        """Places of ticks and what is written at them."""
        steps = ticks.step_ticks(self.end, log=self.log)
        return self.place(steps).tolist(), [f"{step:,}" for step in steps]


@dataclass(frozen=True)
class Values:
    """The axis of values.

    Attributes
    ----------
    low, high
        The lowest and the highest value with a place of its own; positive where ``log``.
    log
        Whether it is logarithmic.
    below
        On a logarithmic axis, what is written at the lower end for values below ``low``, or
        nothing where there are none: ``0``, ``≤ 0`` or ``<10⁻¹⁵``.
    room
        Parts of the plot's height left free below and above.
    """

    low: float
    high: float
    log: bool = False
    below: str = ""
    room: tuple[float, float] = (0.0, 0.0)

    def place(self, values: ArrayLike) -> NDArray[np.float64]:
        """Where values stand, 0 at the lower edge and 1 at the upper; NaN stays NaN."""
        exact = np.asarray(values, np.float64)
        with np.errstate(all="ignore"):
            if self.log:
                decades = math.log10(self.high / self.low)
                base = ZERO_ROOM if self.below else 0.0
                at = base + (1 - base) * np.log10(exact / self.low) / decades
                # What is below the axis stands at its lower end, where the tick says so.
                at = np.where(exact < self.low, 0.0 if self.below else at, at)
                at = np.where((exact <= 0) & (not self.below), -FAR, at)
            else:
                at = (exact - self.low) / (self.high - self.low)
        under, over = self.room
        return np.clip(under + (1 - under - over) * at, -FAR, FAR)

    def joined(self, other: Values) -> Values:
        """The shortest axis of this kind that shows all that this one and another one show."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        below = self.below or other.below
        if below.startswith("<"):
            below = "<" + number(low, 1)
        return replace(self, low=low, high=high, below=below)

    def ticks(self, most: int) -> tuple[list[float], list[str]]:
        """Places of ticks and what is written at them; about ``most`` at most."""
        if self.log:
            values = ticks.log_ticks(self.low, self.high, most)
            texts = ticks.log_texts(values)
        else:
            values = ticks.linear_ticks(self.low, self.high, most)
            texts = ticks.linear_texts(values)
        places = self.place(values).tolist()
        if self.below:
            places, texts = [self.room[0], *places], [self.below, *texts]
        return places, texts


@dataclass(frozen=True)
class Lane:
    """One lane's values as far as they are to be drawn.

    Attributes
    ----------
    values
        float32 (m,), finite, records 0 to m − 1.
    broken
        The update with which the run diverged, or ``None``: no finite value follows.
    """

    values: NDArray[np.floating]
    broken: int | None = None


def leaving(lanes: Sequence[Lane], *, log: bool, whole: bool = False) -> list[int | None]:
    """For each lane the update at which it leaves the plot for good, ``None`` where it stays.

    A lane leaves when it ends non-finite, or far above what the others and the first values are;
    on a ``whole`` plot only when it ends non-finite.
    """
    if whole:
        return [lane.broken for lane in lanes]
    first = [abs(float(lane.values[0])) for lane in lanes if len(lane.values)]
    # Of 64 bits: a multiple of a float32 need not be one.
    limit = np.float64((LEAVES if log else LEAVES_LINEAR) * (max(first, default=1.0) or 1.0))
    found: list[int | None] = []
    for lane in lanes:
        inside = np.flatnonzero(np.abs(lane.values) <= limit)
        last = int(inside[-1]) if len(inside) else -1
        if lane.broken is not None:
            found.append(lane.broken)
        else:
            found.append(last + 1 if last + 1 < len(lane.values) else None)
    return found


def linear_values(
    lanes: Sequence[Lane],
    levels: Sequence[float],
    room: tuple[float, float],
    *,
    whole: bool = False,
) -> Values:
    """A linear axis on which all lanes that stay can be seen, and how the others leave.

    Parameters
    ----------
    lanes
        What is drawn, or will be: the whole run.
    levels
        Values that must be on it.
    room
        As in `Values`.
    whole
        Whether all finite values are seen, of lanes that leave as well.
    """
    gone = [None] * len(lanes) if whole else leaving(lanes, log=False)
    stay = [
        lane.values
        for lane, left in zip(lanes, gone, strict=True)
        if left is None and lane.values.size
    ]
    go = [lane.values for lane, left in zip(lanes, gone, strict=True) if left is not None]
    shown = np.array([v for values in stay for v in (values.min(), values.max())], np.float64)
    shown = np.append(shown, np.asarray(levels, np.float64))
    shown = np.append(shown, [float(values[0]) for values in go if values.size])
    shown = np.clip(shown, -LARGEST, LARGEST)
    if not shown.size:
        shown = np.zeros(1)
    low, high = float(shown.min()), float(shown.max())
    if go:
        reach = (high - low) or abs(high) or 1.0
        more = 0.5 * reach if stay else 4.0 * reach
        ends = np.float64(low - more), np.float64(high + more)
        near = [np.clip(values, *ends) for values in go if values.size]
        low = min([low, *(float(values.min()) for values in near)])
        high = max([high, *(float(values.max()) for values in near)])
        turned = [_before_turning(values.astype(np.float64), *ends) for values in go if values.size]
        low, high = min([low, *(a for a, _ in turned)]), max([high, *(b for _, b in turned)])
    if 0 <= low < 0.4 * high:
        low = 0.0
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        pad = 0.5 * abs(high) or 0.5
        low, high = low - pad, high + pad
    step = ticks.round_step(high - low, 6)
    low, high = (math.floor(low / step + 1e-6) * step, math.ceil(high / step - 1e-6) * step)
    return Values(low, high, room=room)


def _before_turning(values: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """How far below ``low`` a lane goes before it leaves above, and the other way round.

    Oscillations that grow go further on either side: two values in a row on one side are none.
    """
    reach = [low, high]
    for side, sign in ((0, -1.0), (1, 1.0)):
        beyond = sign * values > sign * reach[side]
        if not beyond[-1] and (twice := beyond[1:] & beyond[:-1]).any():
            both = np.concatenate((values[1:][twice], values[:-1][twice]))
            reach[side] = float(sign * (sign * both).max())
    return min(low, reach[0]), max(high, reach[1])


def log_values(
    lanes: Sequence[Lane],
    levels: Sequence[float],
    room: tuple[float, float],
    *,
    whole: bool = False,
) -> Values:
    """A logarithmic axis on which all lanes that stay can be seen, and how the others leave.

    It reaches down to the lowest value of those, too: they may leave late.

    Parameters as in `linear_values`; values that are not positive, or too small, stand at its
    lower end, where they are written as what they are.
    """
    gone = [None] * len(lanes) if whole else leaving(lanes, log=True)
    every = [lane.values for lane in lanes if lane.values.size]
    stay = [
        lane.values
        for lane, left in zip(lanes, gone, strict=True)
        if left is None and lane.values.size
    ]
    positive = [values[values > 0] for values in every]
    positive = [values for values in positive if values.size]
    firsts = [float(values[0]) for values in every if values[0] > 0]
    lows = [float(values.min()) for values in positive] + [v for v in levels if v > 0]
    highs = [float(values.max()) for values in stay if (values > 0).any()]
    first = max(firsts, default=max(highs, default=1.0))
    high = max([first, *highs, *(v for v in levels if v > 0)])
    if any(left is not None for left in gone):
        high = max(high, first * (6.0 if stay else LEAVES))
    high = min(high, LARGEST if whole else first * 1e6)
    least = first * 10.0**-DECADES
    low = max(min(lows, default=high / 10), least)
    everything = np.concatenate(every) if every else np.ones(1)
    small = everything[everything < np.float64(low)]
    below = ""
    if small.size:
        below = "0" if (small == 0).all() else "≤ 0" if (small <= 0).all() else "tiny"
    if math.log10(high / low) > 2.5:
        low = float(f"1e{math.floor(math.log10(low) + 1e-9)}")
        high = float(f"1e{math.ceil(math.log10(high) - 1e-9)}")
    else:
        low, high = _round_down(low), _round_up(max(high, 1.5 * low))
    if below == "tiny":
        below = "<" + number(low, 1)
    return Values(low, high, log=True, below=below, room=room)


def values_so_far(
    values: NDArray[np.floating],
    levels: Sequence[float],
    room: tuple[float, float],
    *,
    log: bool,
    whole: bool = False,
) -> Values:
    """An axis for what has been shown of a run whose future is hidden: it tells nothing of that.

    It depends on the values given alone, and one that is longer by a record has the same axis or
    one that contains it: an axis that grows in big steps, seldom, and never flickers.

    Parameters
    ----------
    values
        (n, L) of the records up to the cursor, n at least 1.
    levels, room, whole
        As in `linear_values`.
    log
        Whether the axis is logarithmic.
    """
    exact = np.asarray(values, np.float64)
    first = np.abs(exact[0][np.isfinite(exact[0])]).max(initial=0.0) or 1.0
    seen = exact[np.isfinite(exact)]
    if log:
        # Of several lanes those that stay are to be seen, however far one goes.
        rise = 400 if whole else 4 if exact.shape[1] == 1 else 2
        return _log_so_far(seen.clip(max=LARGEST), first, rise, levels, room)
    far = LARGEST if whole else LEAVES_LINEAR * first
    return _linear_so_far(np.clip(seen, -far, far), first, levels, room)


def _log_so_far(
    seen: NDArray[np.float64],
    first: float,
    rise: int,
    levels: Sequence[float],
    room: tuple[float, float],
) -> Values:
    least = first * 10.0**-DECADES
    marks = [level for level in levels if level > 0]
    lowest = float(seen[seen >= least].min(initial=first))
    highest = max([float(seen.max(initial=first)), first, *marks])
    # From the first value upwards by one decade, then two at a time; downwards by two.
    top = math.ceil(math.log10(first) - 1e-9)
    above = math.log10(highest) - top
    top += min(rise, 2 * math.ceil(above / 2 - 1e-9)) if above > 1e-9 else 0
    bottom = 2 * math.floor((math.log10(lowest) - 1) / 2 + 1e-9)
    if marks:
        bottom = min(bottom, 2 * math.floor(math.log10(min(marks)) / 2 + 1e-9))
    small = seen[seen < least]
    below = ""
    if small.size:
        below = "0" if (small == 0).all() else "≤ 0" if (small <= 0).all() else "tiny"
    if below == "tiny":
        below = "<" + number(10.0**bottom, 1)
    return Values(float(f"1e{bottom}"), float(f"1e{top}"), log=True, below=below, room=room)


def _linear_so_far(
    seen: NDArray[np.float64], first: float, levels: Sequence[float], room: tuple[float, float]
) -> Values:
    ends = np.append(seen, np.asarray(levels, np.float64))
    low, high = (float(ends.min()), float(ends.max())) if ends.size else (0.0, 0.0)
    # Multiples of a power of two are among those of a smaller one.
    step = 2.0 ** math.ceil(math.log2(max(high - low, 0.5 * first) / 2))
    bottom, top = step * math.floor(low / step), step * (math.floor(high / step) + 1)
    if 0 <= bottom < 0.4 * top:
        bottom = 0.0
    return Values(bottom, top, room=room)


def _round_down(value: float) -> float:
    """The next of 1, 2, 5 × a power of ten that is not above a positive value."""
    exponent = math.floor(math.log10(value))
    fits = [float(f"{digit}e{exponent}") for digit in (1, 2, 5)]
    return max((fit for fit in fits if fit <= value * (1 + 1e-9)), default=fits[0])


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 × a power of ten that is not below a positive value."""
    exponent = math.floor(math.log10(value))
    fits = [float(f"{digit}e{exponent}") for digit in (1, 2, 5, 10)]
    return min(fit for fit in fits if fit >= value * (1 - 1e-9))
