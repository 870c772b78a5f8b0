"""The updates of a recorded loop, each with how far rounding may have taken it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gdwidgets.core.diagnosis.evaluation import Evaluated
from gdwidgets.core.diagnosis.findings import roundest
from gdwidgets.core.diagnosis.records import Array, LoopRecord

RATE_SLACK = 1e-6
"""Relative width added to bounds of a learning rate: rounding the rate itself to float32."""

MOST_ROWS = 20_000
"""Updates that rules with a memory are tested on."""

FEWEST = 3
"""Updates that a rule with a memory needs, to be told from chance."""


@dataclass(frozen=True)
class Moves:
    """m updates of P numbers, float64; rows that are not finite are left out."""

    number: Array
    """The record that each update follows, (m,)."""
    params: Array
    """Where it starts, (m, P)."""
    delta: Array
    """The change, (m, P)."""
    buffer: Array
    """The gradient it had to work with, (m, P)."""
    tol: Array
    """How far rounding may have taken the change, (m, P)."""
    doubt: Array
    """How far off the gradient may be, (m, P); 0 where it was recorded."""
    eps: float
    head: int
    """Updates from the first on without a gap."""

    @property
    def count(self) -> int:
        """Number of updates."""
        return len(self.delta)

    def rows(self, count: int) -> Moves:
        """The first moves."""
        if count >= self.count:
            return self
        return Moves(
            self.number[:count],
            self.params[:count],
            self.delta[:count],
            self.buffer[:count],
            self.tol[:count],
            self.doubt[:count],
            self.eps,
            min(self.head, count),
        )

    def columns(self, places: list[int]) -> Moves:
        """The moves of some of the numbers."""
        return Moves(
            self.number,
            self.params[:, places],
            self.delta[:, places],
            self.buffer[:, places],
            self.tol[:, places],
            self.doubt[:, places],
            self.eps,
            self.head,
        )


def moves_of(record: LoopRecord, computed: Evaluated | None) -> Moves:
    """The updates between neighbouring records, and the last one to the final point.

    Where gradients were not recorded the objective's, as ``computed``, take their place.
    """
    number, params = record.number, record.params
    grad = record.grad
    doubt = np.zeros_like(grad)
    if computed is not None and np.isnan(grad).all():
        grad, doubt = computed.grad, 16 * computed.grad_noise
    following = params[1:]
    gap_free = np.diff(number) == 1
    # A loop may end between a backward pass and its update: no move then.
    if record.final is not None and not np.array_equal(record.final, params[-1:].ravel()):
        following = np.concatenate([params[1:], record.final[None]])
        gap_free = np.append(gap_free, True)
    count = len(following)
    params, number, grad, doubt = params[:count], number[:count], grad[:count], doubt[:count]
    with np.errstate(over="ignore", invalid="ignore"):
        finite = (
            np.isfinite(params).all(1) & np.isfinite(following).all(1) & np.isfinite(grad).all(1)
        )
        delta = following - params
        tol = record.eps * (np.abs(params) + np.abs(following)) + 8 * record.eps * np.abs(delta)
    # The least float32 and float64 numbers above 0 set a floor, where all rounding is absolute.
    tol += 1e-43 if record.eps > 1e-10 else 1e-320
    usable = finite & gap_free
    bad = np.flatnonzero(~usable)
    head = int(bad[0]) if len(bad) else count
    return Moves(
        number[usable],
        params[usable],
        delta[usable],
        grad[usable],
        tol[usable],
        doubt[usable],
        record.eps,
        head,
    )


def rate_bounds(delta: Array, direction: Array, slack: Array, doubt: Array) -> tuple[Array, Array]:
    """Learning rates γ for which a change is −γ × a direction, number by number.

    Parameters
    ----------
    delta, direction, slack, doubt
        Changes, directions, and how far each of them may be off; of one shape.

    Returns
    -------
    low, high
        Bounds of γ; low > high where there is none, −inf to inf where any rate fits.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        size = np.abs(direction)
        slack = slack + np.abs(delta) * np.where(size > doubt, doubt / size, doubt > 0)
        middle, width = -delta / direction, slack / size
        low, high = middle - width, middle + width
    blind = size <= 2 * doubt
    fits = np.abs(delta) <= slack
    low = np.where(blind, -np.inf, low)
    high = np.where(blind, np.inf, high)
    zero = size == 0
    low = np.where(zero, np.where(fits, -np.inf, np.inf), low)
    high = np.where(zero, np.where(fits, np.inf, -np.inf), high)
    return low, high


def fit_together(low: float, high: float) -> bool:
    """Whether bounds leave a rate, but for rounding."""
    return low <= high + RATE_SLACK * max(abs(low), abs(high)) if np.isfinite(high) else low <= high


def holds(low: float, high: float, rate: float) -> bool:
    """Whether a rate lies within bounds, but for rounding."""
    slack = RATE_SLACK * abs(rate)
    return low - slack <= rate <= high + slack


def is_rate(low: float, high: float) -> bool:
    """Whether bounds leave a rate, and it is not 0."""
    return fit_together(low, high) and bool(np.isfinite(high)) and not low <= 0 <= high


def common(low: Array, high: Array) -> tuple[float, float]:
    """The bounds of one rate for all of a change's numbers."""
    return float(low.max()), float(high.min())


def near(beta: float) -> list[float]:
    """Values of β to try: the roundest near a fitted one, and the fitted one itself."""
    if not 1e-3 < beta < 1.1:
        return []
    tried = [roundest(beta - width, beta + width) for width in (2e-2, 2e-3, 2e-4, 2e-5)]
    return list(dict.fromkeys([*tried, beta]))
