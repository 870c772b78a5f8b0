"""Accumulation on purpose: a loop that updates after every n-th ``backward()``, by its updates.

Micro-batches are trained so: each pass sees a part of the batch, ``.grad`` adds the gradients up,
and one update is made for all. What is comparable with a descent on the whole batch are the sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gdwidgets.core.diagnosis.records import Array, LoopRecord


@dataclass(frozen=True)
class Folded:
    """A loop's record with one row for each update."""

    record: LoopRecord
    """Losses and gradients are the sums of the passes before an update."""
    parts: int
    """Backward passes to an update, at least 2."""
    kept: bool
    """Whether ``.grad`` adds the passes' gradients up; else it is cleared between them."""
    left: int
    """Passes after the last update."""


def passes_to_an_update(record: LoopRecord) -> int:
    """How many backward passes come before the first update, as far as is recorded; at least 1."""
    following = record.params[1:]
    if record.final is not None:
        following = np.concatenate([following, record.final[None]])
    moved = (following != record.params[: len(following)]).any(axis=1)
    return int(moved.argmax()) + 1 if moved.any() else max(record.count, 1)


def folded(record: LoopRecord) -> Folded | None:
    """A loop's updates, where each comes after the same number of passes, at least 2.

    ``None`` where that is not so, where records were dropped, and where gradients are not known.
    """
    n = passes_to_an_update(record)
    rows = record.count // n if n > 1 else 0
    if not rows or record.thinned or np.isnan(record.grad).any():
        return None
    whole = rows * n
    following = record.params[1:]
    last = record.params[whole : whole + 1] if whole < record.count else record.final
    if record.final is not None:
        following = np.concatenate([following, record.final[None]])
    moved = (following != record.params[: len(following)]).any(axis=1)
    if not moved.any() or (np.flatnonzero(moved) % n != n - 1).any():
        return None
    kept = _within(record, whole, n)
    if kept is None:
        return None
    first, ends = slice(0, whole, n), slice(n - 1, whole, n)
    grad = record.grad[ends]
    if not kept:
        with np.errstate(over="ignore", invalid="ignore"):
            grad = record.grad[:whole].reshape(rows, n, -1).sum(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        loss = record.loss[:whole].reshape(rows, n).sum(axis=1)
    together = replace(
        record,
        params=record.params[first],
        loss=loss,
        grad=grad,
        before=record.before[first],
        final=None if last is None else last.reshape(-1),
        steps=None,
        parts=n,
    )
    return Folded(together, n, kept, record.count - whole)


def _within(record: LoopRecord, whole: int, n: int) -> bool | None:
    """Whether buffers are kept between passes to an update, or cleared; ``None`` if neither."""
    inside = np.arange(1, whole) % n != 0
    after, before = record.grad[: whole - 1][inside], record.before[1:whole][inside]
    if _equal(before, after):
        return bool((after != 0).any())
    return False if not before.any() else None


def _equal(one: Array, other: Array) -> bool:
    return bool(np.array_equal(one, other))
