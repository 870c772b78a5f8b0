"""Long series cut down to what a plot can show; no extreme of a column is lost."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

_LONG = 100
"""Records a column from which on columns are looked through one by one: no long copies."""


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
    if count > _LONG * len(edges):
        parts = [slice(*ends) for ends in itertools.pairwise([*edges.tolist(), count])]
        found = [part.start + int(low[part].argmin()) for part in parts]
        found += [part.start + int(high[part].argmax()) for part in parts]
        return np.unique([0, count - 1, *found]).astype(np.int64)
    sizes = np.diff(np.append(edges, count))
    picked = [np.array([0, count - 1], np.int64)]
    for of, reduce in ((low, np.minimum), (high, np.maximum)):
        hits = np.flatnonzero(of == np.repeat(reduce.reduceat(of, edges), sizes))
        columns = np.searchsorted(edges, hits, side="right")
        picked.append(hits[np.flatnonzero(np.diff(columns, prepend=-1))])
    return np.unique(np.concatenate(picked))


def _finite(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The values with what is not finite out of the way, for minima and for maxima."""
    finite = np.isfinite(values)
    if finite.all():
        return values, values
    return np.where(finite, values, np.inf), np.where(finite, values, -np.inf)
