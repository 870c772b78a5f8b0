"""What is said of numbers that were recorded elsewhere: made from them and the cursor alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gdwidgets.ui import text

Array = NDArray[np.float64]

GONE = "The loop has diverged: a smaller learning rate may help."


def of_loss(losses: Array, k: int) -> str:
    """The sentence at a loss (n,), with the lowest up to there."""
    loss, last = float(losses[k]), len(losses) - 1
    lead = f"{_where('Iteration', k, last)}: **loss = {text.number(loss)}**."
    if not math.isfinite(loss):
        return f"{lead} {GONE}"
    if k == 0:
        count = text.counted(len(losses), "loss", "losses")
        return f"{lead} {count} recorded; press Play to see how the loss goes on." if last else lead
    before = losses[:k]
    finite = np.isfinite(before)
    best = int(np.where(finite, before, np.inf).argmin())
    if not finite.any() or loss < before[best]:
        return f"{lead} It is the lowest so far."
    return f"{lead} The lowest so far is {text.number(before[best])}, at iteration {best:,}."


def of_point(points: Array, values: Array, minima: Sequence[tuple[float, float]], k: int) -> str:
    """The sentence at a point of a trajectory.

    Parameters
    ----------
    points, values
        The trajectory (n, 2), and the function there (n,).
    minima
        Of the function.
    k
        The cursor.
    """
    u, v = points[k].tolist()
    last = len(points) - 1
    where = _where("Step", k, last)
    if not (math.isfinite(u) and math.isfinite(v)):
        return f"{where}: **the point is not finite**. {GONE}"
    at = f"u = {text.fixed(u)}, v = {text.fixed(v)}"
    lead = f"{where}: **{at}, f(u, v) = {text.number(values[k])}**."
    distances = np.hypot(*(np.asarray(minima) - (u, v)).T)
    nearest = int(distances.argmin())
    away = text.number(float(distances[nearest]), 2)
    on = " Press Play to see where the path goes." if k == 0 and last else ""
    return f"{lead} The nearest minimum, {text.numbered(nearest)}, is {away} away.{on}"


def _where(counted: str, k: int, last: int) -> str:
    return f"{counted} {k:,}{', the last' if k == last else ''}"
