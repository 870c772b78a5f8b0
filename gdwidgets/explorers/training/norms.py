"""What is known of a watched training loop at each step: the loss, and norms of each tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core.watching.tape import TensorRecord
from gdwidgets.core.watching.watch import Watch

Array = NDArray[np.float32]

KINDS = ("gradient", "update", "ratio")
"""What is shown of each tensor: the norm of its gradient, of its update, or update ÷ gradient."""


class Norms:
    """A snapshot of a watched loop; step k is the k-th ``backward()``, from 0.

    Where the watch dropped records to bound its memory, those before them are repeated. An update
    that is not known yet, the last one while a loop runs, is shown as the one before it.

    Parameters
    ----------
    watch
        The watch, or ``None`` for nothing.

    Attributes
    ----------
    loss
        float32 (n,).
    names, shapes
        Of the T parameter tensors.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self._tensors: tuple[TensorRecord, ...] = () if watch is None else watch.tensors
        steps = np.zeros(0, np.int64) if watch is None else watch.steps
        rows = min([len(steps), *(len(one.grad_norm) for one in self._tensors)])
        self._steps = steps[:rows]
        self.last = int(self._steps[-1]) if rows else 0
        self.empty = rows == 0
        self._row = np.searchsorted(self._steps, np.arange(self.last + 1), side="right") - 1
        self.names = tuple(one.name for one in self._tensors)
        self.shapes = tuple(one.shape for one in self._tensors)
        self.thinned = watch is not None and watch.thinned
        self.loss: Array = np.zeros(0, np.float32)
        if watch is not None and rows:
            self.loss = self._spread(watch.loss)

    @property
    def numbers(self) -> int:
        """How many numbers all tensors hold."""
        return int(sum(np.prod(shape, dtype=np.int64) for shape in self.shapes))

    def of(self, kind: str, tensors: range) -> Array:
        """Norms of some tensors, float32 (n, len(tensors)): see `KINDS`."""
        if self.empty:
            return np.zeros((1, len(tensors)), np.float32)
        return np.stack([self._spread(_READ[kind](self._tensors[i])) for i in tensors], axis=1)

    def _spread(self, values: NDArray[np.float64]) -> Array:
        with np.errstate(over="ignore"):
            spread: Array = values.astype(np.float32)[self._row]
        return spread


def _update(one: TensorRecord) -> NDArray[np.float64]:
    """Norms of updates; one that is not known is the one before it, or after it."""
    return _filled(one.update_norm, np.isfinite(one.grad_norm))


def _ratio(one: TensorRecord) -> NDArray[np.float64]:
    return _filled(one.ratio, np.isfinite(one.grad_norm) & (one.grad_norm > 0))


def _filled(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    unknown = np.isnan(values) & where
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        return np.where(unknown, 0.0, values)
    nearest = np.searchsorted(known, np.arange(len(values)), side="right") - 1
    return np.where(unknown, values[known[np.maximum(nearest, 0)]], values)


_READ: dict[str, Callable[[TensorRecord], Any]] = {
    "gradient": lambda one: one.grad_norm,
    "update": _update,
    "ratio": _ratio,
}
