"""Whether minima are one: a ring or a line of minima found at several of its points."""

from __future__ import annotations

from typing import Any

import numpy as np

from gdwidgets.core.objectives.surface import Surface

Array = np.ndarray[Any, np.dtype[Any]]

_PLACES = (0.5, 0.618, 0.236, 0.854, 0.472, 0.09, 0.708, 0.326, 0.944)
"""Where between two points the way is looked for, as fractions of the way: spread unevenly, so that
no grid of minima falls on all of them."""

_SCAN = 33
"""Losses that are compared across the way at a time."""

_ZOOMS = 5
"""How often the scan is repeated around its lowest loss, each time 8 times finer."""

_EPS = float(np.finfo(np.float32).eps)


def connected(surface: Surface, points: Array, known: int, reach: float) -> Array:
    """Which minima are connected by points of the same loss.

    Two minima of the same loss are when, across several places of the straight way between them,
    the lowest loss is that of both. Of two separate minima it is that of the barrier between them;
    along a ring it is that of the ring.

    Parameters
    ----------
    surface
        The function.
    points
        Minima, float64 (M, 2).
    known
        How many of the first are known to be separate.
    reach
        Points farther apart than this are connected through others only.

    Returns
    -------
    array
        int (M,): for every point the lowest number of a point it is connected with, itself at most;
        the known ones keep their own.
    """
    root = np.arange(len(points))
    if len(points) < 2:
        return root
    i, j = np.triu_indices(len(points), 1)
    close = (np.hypot(*(points[i] - points[j]).T) <= reach) & (j >= known)
    i, j = i[close], j[close]
    if not len(i):
        return root
    joined = _same(surface, points[i], points[j])
    for a, b in zip(i[joined].tolist(), j[joined].tolist(), strict=True):
        one, other = _top(root, a), _top(root, b)
        low, high = min(one, other), max(one, other)
        if high >= known:
            root[high] = low
    return np.array([_top(root, k) for k in range(len(points))])


def _top(root: Array, k: int) -> int:
    while root[k] != k:
        k = int(root[k])
    return k


def _same(surface: Surface, a: Array, b: Array) -> Array:
    """Whether the lowest losses across the way from a to b (K, 2) are those of a and b: (K,)."""
    levels = np.stack([_values(surface, a), _values(surface, b)])
    rounding = 64 * _EPS * np.abs(levels).max(0) + _rounding(surface, a, b)
    way = b - a
    rise = np.maximum(_values(surface, a + way / 2) - levels.max(0), 0)
    slack = 1e-4 * np.where(np.isfinite(rise), rise, 0) + rounding
    same: Array = np.abs(levels[0] - levels[1]) <= slack
    for place in _PLACES:
        left = np.flatnonzero(same)
        if not len(left):
            break
        across = np.stack([-way[left, 1], way[left, 0]], axis=-1)
        lowest = _lowest(surface, a[left] + place * way[left], across)
        middle = levels[:, left].mean(0)
        same[left] = np.abs(lowest - middle) <= 2 * slack[left]
    return same


def _lowest(surface: Surface, middle: Array, across: Array) -> Array:
    """The lowest loss on the line across the way, within half its length on either side: (K,)."""
    best = np.zeros(len(middle))
    width = 0.5
    for _ in range(_ZOOMS):
        offsets = best[:, None] + width * np.linspace(-1, 1, _SCAN)
        points = middle[:, None] + offsets[..., None] * across[:, None]
        losses = _values(surface, points.reshape(-1, 2)).reshape(offsets.shape)
        losses = np.where(np.isnan(losses), np.inf, losses)
        best = np.take_along_axis(offsets, losses.argmin(1)[:, None], 1)[:, 0]
        width /= 8
    return np.asarray(losses.min(1))


def _rounding(surface: Surface, a: Array, b: Array) -> Array:
    """How much the loss changes at a and b within the rounding of their coordinates: (K,)."""
    rounding = 16 * _EPS * np.maximum(np.abs(a), np.abs(b)).max(1, keepdims=True)
    changes = []
    for point in (a, b):
        here = _values(surface, point)
        for shift in (*np.eye(2), *-np.eye(2)):
            changes.append(np.abs(_values(surface, point + rounding * shift) - here))  # noqa: PERF401
    return np.asarray(np.max(changes, axis=0))


def _values(surface: Surface, points: Array) -> Array:
    return surface.values(points).astype(np.float64)
