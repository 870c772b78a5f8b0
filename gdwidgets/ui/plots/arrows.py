"""Arrows on a map: how much longer than an update they are drawn, their corners, their names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.ui.plots.trail import crossing
from gdwidgets.ui.plots.view import SIDE, on_map

REACH = 7.0
"""Sides of the map beyond which a path is drawn shorter than it is: 16-bit numbers end there."""

DIGITS = (1, 2, 5)
"""How many times longer arrows are drawn: these, times a power of ten."""


def arrow_factor(
    values_at: Callable[[NDArray[np.float32]], NDArray[Any]] | None,
    bounds: NDArray[np.float64],
    typical: float,
    starts: NDArray[np.float64],
) -> float:
    """How many times longer than the update an arrow is drawn at most: see `fitting`.

    Not from the learning rate, so that one twice as large has an arrow twice as long. Of a rate at
    which the typical slope of the surface moves a point by a fiftieth of the map, the first arrow
    is a tenth of the map long.

    Parameters
    ----------
    values_at
        Gives the surface's values (M,) at points (M, 2), where there is one.
    bounds
        (low, high) of either parameter (2, 2).
    typical
        The typical slope over the whole surface, per map; 0 where it is not known.
    starts
        Points (L, 2) at which runs start.
    """
    if values_at is None or not typical:
        return 1.0
    size = bounds[:, 1] - bounds[:, 0]
    starts = np.unique(starts, axis=0)
    steps = 0.005 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) * size
    around = (starts[:, None] + steps).reshape(-1, 2).astype(np.float32)
    values = np.asarray(values_at(around), np.float64).reshape(-1, 4)
    slopes = np.hypot(values[:, 0] - values[:, 1], values[:, 2] - values[:, 3]) / 0.01
    slopes = slopes[np.isfinite(slopes)]
    slope = float(np.median(slopes)) if slopes.size else 0.0
    if slope <= 0:
        return 1.0
    wanted = float(np.clip(5 * typical / slope, 1.0, 100.0))
    exponent = math.floor(math.log10(wanted))
    return max(d * 10.0**exponent for d in DIGITS if d * 10.0**exponent <= wanted * 1.001)


def fitting(factor: float, tails: NDArray[np.float64], updates: NDArray[np.float64]) -> float:
    """How many times longer arrows are drawn so that their heads are on the map, at least once.

    Parameters
    ----------
    factor
        How many times at most: 1, 2 or 5 times a power of ten.
    tails, updates
        Where they begin (L, 2), and the updates (L, 2), in the map's units.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        there = ((tails >= 0) & (tails <= SIDE)).all(axis=1) & np.isfinite(updates).all(axis=1)
        tails, updates = tails[there], updates[there]
        while factor > 1:
            tips = tails + factor * updates
            if ((tips >= 0) & (tips <= SIDE)).all():
                break
            power = 10.0 ** math.floor(math.log10(factor) + 1e-9)
            factor = max([d * power for d in DIGITS if d * power < 0.99 * factor] or [power / 2])
    return max(1.0, factor)


def is_cut(tail: NDArray[np.float64], shaft: NDArray[np.float64]) -> bool:
    """Whether an arrow that begins on the map (2,) ends outside of it."""
    with np.errstate(over="ignore"):
        return on_map(tail) and bool(np.isfinite(shaft).all()) and not on_map(tail + shaft)


def arrow(
    tail: NDArray[np.float64], shaft: NDArray[np.float64], pixel: float, head: float
) -> NDArray[np.float64]:
    """The arrow from a place: its shaft and head (5, 2), or nothing (0, 2).

    Nothing where it would be shorter than a pixel or begin outside of the map. One that leaves the
    map has its head at the edge.

    Parameters
    ----------
    tail, shaft
        Where it begins (2,), and how far it goes (2,), in the map's units.
    pixel
        A pixel in the same unit.
    head
        Length of the head in the same unit; at most 0.6 of the shaft's is drawn.
    """
    length = float(np.linalg.norm(shaft))
    if not on_map(tail) or not math.isfinite(length):
        return np.empty((0, 2))
    tip = crossing(tail, tail + shaft, SIDE) if is_cut(tail, shaft) else tail + shaft
    shaft = tip - tail
    length = float(np.linalg.norm(shaft))
    if length < pixel:
        return np.empty((0, 2))
    along = shaft / length * min(head, 0.6 * length)
    across = 0.55 * np.array([-along[1], along[0]])
    return np.stack([tail, tip, tip - along + across, tip, tip - along - across])


def direction(arrow: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction (2,) of an arrow (5, 2), of length 1."""
    shaft = arrow[1] - arrow[0]
    unit: NDArray[np.float64] = shaft / np.linalg.norm(shaft)
    return unit
