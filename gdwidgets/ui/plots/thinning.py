"""Long series cut down to what a plot can show, at a cost that does not grow with their length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BASE = 4
"""Records in a bucket of the finest level; below that the records themselves are looked at."""


class Thinner:
    """Picks the records of a growing series that must be drawn for its shape to survive.

    A pyramid of buckets of 4, 8, 16, … records keeps, for each bucket and channel, where the
    smallest and the largest value lie; it grows with the series, so each record is looked at once
    a level. To draw the first ``k`` records, the level that has few enough buckets is read: a
    spike of a single record is kept at any length. Non-finite values are never picked as extremes.

    Parameters
    ----------
    values
        Returns the series so far: float array of shape (n, C), n records of C channels; a later
        call returns the same first rows and perhaps more.
    """

    def __init__(self, values: Callable[[], NDArray[np.float32]]) -> None:
        self._values = values
        self._levels: list[NDArray[np.int64]] = []
        self._drawn: tuple[tuple[int, int, int], NDArray[np.int64], int] | None = None

    def indices(self, count: int, budget: int) -> NDArray[np.int64]:
        """Which of the first ``count`` records to draw.

        Parameters
        ----------
        count
            Number of records that are to be shown.
        budget
            About how many points may be drawn; at least 4 times the channels and 2 more.

        Returns
        -------
        Increasing record numbers, shape (m,), with m at most ``budget``, the first and the last
        record among them.
        """
        values = self._values()
        channels = values.shape[1]
        if count <= budget:
            return np.arange(count)
        most = max(1, (budget - 2) // (2 * channels) - 1)
        level = max(0, int(np.ceil(np.log2(count / (most * BASE)))))
        # The last bucket, full or not, is looked at anew in every frame: at least one record.
        buckets = (count - 1) // (BASE << level)
        rest = count - buckets * (BASE << level)
        whole, spread = self._whole(level, buckets, budget)
        tail = self._extremes(level, count - rest, count)
        between = count - rest + _evenly(rest, spread)
        ends = [count - 1] if buckets else [0, count - 1]
        return np.concatenate((whole, np.unique(np.concatenate((tail, between, ends)))))

    def _whole(self, level: int, buckets: int, budget: int) -> tuple[NDArray[np.int64], int]:
        """What to draw of the first ``buckets`` buckets, and of every bucket besides its extremes.

        It is the same in most frames, so it is kept.
        """
        key = level, buckets, budget
        if self._drawn is None or self._drawn[0] != key:
            size, extremes = BASE << level, self._level(level, buckets)
            picked = np.unique(np.concatenate((np.arange(min(buckets, 1)), extremes.ravel())))
            # What is left of the budget goes to records in between, evenly, so that a curve on
            # which nothing swings stays smooth.
            spread = (budget - len(picked) - extremes.shape[1] - 2) // (buckets + 1)
            between = _evenly(buckets * size, buckets * spread)
            self._drawn = key, np.union1d(picked, between), spread
        return self._drawn[1:]

    def _level(self, level: int, buckets: int) -> NDArray[np.int64]:
        """Extremes of the first ``buckets`` buckets of a level, shape (buckets, 2 C)."""
        values = self._values()
        while len(self._levels) <= level:
            self._levels.append(np.empty((0, 2 * values.shape[1]), dtype=np.int64))
        known = self._levels[level]
        if len(known) < buckets:
            fresh = (
                _raw_extremes(values, len(known), buckets)
                if level == 0
                else _merged(values, self._level(level - 1, 2 * buckets)[2 * len(known) :])
            )
            known = self._levels[level] = np.concatenate((known, fresh))
        return known[:buckets]

    def _extremes(self, level: int, start: int, stop: int) -> NDArray[np.int64]:
        """Extremes of records ``start`` to ``stop``, a part of one bucket of a level, (2 C,)."""
        # Buckets of a few levels below know most of it: few records are left to look at.
        finer = max(0, level - 4)
        size = BASE << finer
        known = self._level(finer, stop // size)[start // size :]
        where = np.concatenate((known.ravel(), np.arange(stop - stop % size, stop)))
        low, high = _finite(self._values()[where])
        return where[np.concatenate((low.argmin(axis=0), high.argmax(axis=0)))]


def column_extremes(
    values: NDArray[np.floating], edges: NDArray[np.integer], count: int
) -> NDArray[np.int64]:
    """Which of the first ``count`` records to draw so that each column of a plot keeps its range.

    Parameters
    ----------
    values
        Shape (n,), n at least ``count``; what is not finite is never picked as an extreme.
    edges
        Increasing record numbers, the first 0: where columns begin.
    count
        Number of records that are to be shown, at least 1.

    Returns
    -------
    Increasing record numbers, the smallest and the largest value of each column, the first and the
    last record among them.
    """
    edges = edges[edges < count]
    low, high = _finite(values[:count])
    sizes = np.diff(np.append(edges, count))
    picked = [np.array([0, count - 1], np.int64)]
    for of, reduce in ((low, np.minimum), (high, np.maximum)):
        hits = np.flatnonzero(of == np.repeat(reduce.reduceat(of, edges), sizes))
        columns = np.searchsorted(edges, hits, side="right")
        picked.append(hits[np.flatnonzero(np.diff(columns, prepend=-1))])
    return np.unique(np.concatenate(picked))


def _evenly(size: int, count: int) -> NDArray[np.int64]:
    """At most ``count`` of the records of a bucket, evenly spread and away from its ends."""
    count = min(size, count)
    return (2 * np.arange(count) + 1) * size // max(1, 2 * count)


def _finite(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The values with what is not finite out of the way, for minima and for maxima."""
    finite = np.isfinite(values)
    return np.where(finite, values, np.inf), np.where(finite, values, -np.inf)


def _raw_extremes(values: NDArray[np.float32], first: int, last: int) -> NDArray[np.int64]:
    channels = values.shape[1]
    low, high = _finite(values[first * BASE : last * BASE].reshape(-1, BASE, channels))
    starts = (np.arange(first, last) * BASE)[:, None]
    return np.concatenate((starts + low.argmin(axis=1), starts + high.argmax(axis=1)), axis=1)


def _merged(values: NDArray[np.float32], finer: NDArray[np.int64]) -> NDArray[np.int64]:
    """Extremes of pairs of buckets from the extremes of each: (2 b, 2 C) to (b, 2 C)."""
    channels = values.shape[1]
    pairs = finer.reshape(-1, 2, 2 * channels)
    candidates = values[pairs, np.tile(np.arange(channels), 2)]
    low, high = _finite(candidates)
    lower = low[:, 0, :channels] <= low[:, 1, :channels]
    higher = high[:, 0, channels:] >= high[:, 1, channels:]
    return np.where(np.concatenate((lower, higher), axis=1), pairs[:, 0], pairs[:, 1])
