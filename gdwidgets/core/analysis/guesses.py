"""How close a guess about a run came: an order of runs, a minimum, a step.

Everything here takes numbers that a recording holds; nothing knows a `Descent`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from gdwidgets.core.analysis.rises import ROUNDING

Array = np.ndarray[Any, np.dtype[Any]]

PART = 0.01
"""The part of the first excess loss that is left where a run is said to have come down."""


# -- an order of runs ------------------------------------------------------------------------------


def ranks(losses: Any) -> Array:
    """The place of each run by its last loss, int (L,): 0 for the smallest.

    Equal losses share a place. A loss that is not finite is that of a run that diverged: all of
    those share the last place.
    """
    values = np.asarray(losses, dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.inf)
    return np.searchsorted(np.sort(values), values)


def pairs_in_order(order: Sequence[int], places: Any) -> tuple[int, int]:
    """How many pairs of runs an order has right, and how many pairs there are.

    Runs that share a place are right in either order. All pairs right is Kendall's τ = 1, none
    of them τ = −1 (Kendall, "A new measure of rank correlation", Biometrika 30, 1938).

    Parameters
    ----------
    order
        Indices of the L runs, the smallest last loss first.
    places
        From `ranks`, (L,).
    """
    pairs = list(combinations([int(places[run]) for run in order], 2))
    return sum(before <= after for before, after in pairs), len(pairs)


# -- a minimum -------------------------------------------------------------------------------------


def minimum_at(minima: Any, point: Any, reach: float) -> int | None:
    """The index of the minimum nearest to a point, ``None`` where none is within ``reach``.

    Parameters
    ----------
    minima
        (M, P).
    point
        (P,); one that is not finite is at no minimum.
    reach
        Largest Euclidean distance at which a run counts as having arrived.
    """
    places = np.asarray(minima, dtype=np.float64)
    where = np.asarray(point, dtype=np.float64)
    if not len(places) or not np.isfinite(where).all():
        return None
    distances = np.linalg.norm(places - where, axis=1)
    nearest = int(distances.argmin())
    return nearest if distances[nearest] <= reach else None


# -- a step ----------------------------------------------------------------------------------------


def target_loss(first: float, lowest: float) -> float:
    """The loss at which a run has come down: a hundredth of its first excess over the lowest."""
    return lowest + PART * (first - lowest)


def written_target(first: float, lowest: float, zero: float = 0.0) -> float | None:
    """`target_loss` above ``zero``, rounded to the few digits in which it is to be written.

    The run is asked about the number that is read, so rounding may move the target by no more than
    a tenth of its distance from the lowest loss.

    Parameters
    ----------
    first, lowest
        The loss at the start, and the lowest there is.
    zero
        What is taken off a loss where it is drawn.

    Returns
    -------
    float or None
        ``None`` where the start is at the lowest loss, to float32's rounding: nothing is left to
        come down.
    """
    excess = first - lowest
    if not excess > ROUNDING * max(abs(first), abs(lowest)):
        return None
    target = target_loss(first, lowest) - zero
    slack = PART * excess / 10
    return next(
        (
            rounded
            for digits in range(3, 9)
            if abs((rounded := float(f"{target:.{digits}g}")) - target) <= slack
        ),
        None,
    )


def arrival(losses: Any, target: float) -> int | None:
    """The first record from which on all losses (K,) are at most ``target``; ``None`` if none."""
    values = np.asarray(losses, dtype=np.float64)
    above = ~(values <= target)
    first = int(len(values) - above[::-1].argmax()) if above.any() else 0
    return first if first < len(values) else None
