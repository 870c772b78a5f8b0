"""Rows of numbers in bounded memory: all of them as long as they fit, exact at both ends."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MOST_NUMBERS = 2_000_000
"""Numbers kept, 16 MB; a loop of two parameters fits whole up to 285,000 steps."""

_BLOCK = 1024
_FEWEST_ROWS = 4 * _BLOCK


class Store:
    """Rows 0, 1, 2, … of one width.

    When there are too many, the first and the last quarter of what is kept stay complete, and
    between them pairs of neighbouring rows remain, k and k + 1 for k a multiple of a stride.

    Parameters
    ----------
    width
        Numbers in a row.
    most_numbers
        About how many numbers are kept.
    """

    def __init__(self, width: int, most_numbers: int = MOST_NUMBERS) -> None:
        self.width = width
        self.count = 0
        """Rows given so far."""
        self.thinned = False
        """Whether rows were dropped."""
        self._most = most_numbers
        self._stride = 4
        self._pending: list[tuple[float, ...]] = []
        self._head: list[Array] = []
        self._middle: list[tuple[Array, Array]] = []
        self._tail: deque[tuple[Array, Array]] = deque()
        self._head_rows = 0
        self._tail_rows = 0

    def append(self, row: tuple[float, ...]) -> None:
        """Add a row."""
        self._pending.append(row)
        self.count += 1
        if len(self._pending) > _BLOCK:
            self._flush()

    def drop_last(self) -> None:
        """Take the last row back."""
        self._pending.pop()
        self.count -= 1

    def widen(self, extra: list[float]) -> None:
        """Make rows wider; those so far hold the given numbers there."""
        pending = [(*row, *extra) for row in self._pending]
        self._pending = pending
        self._head = [_padded(block, extra) for block in self._head]
        self._middle = [(steps, _padded(block, extra)) for steps, block in self._middle]
        self._tail = deque((steps, _padded(block, extra)) for steps, block in self._tail)
        self.width += len(extra)

    def rows(self) -> tuple[Array, Array]:
        """Row numbers, int64 (n,), and rows, float64 (n, width)."""
        parts = [*self._head, *(block for _, block in self._middle)]
        parts += [block for _, block in self._tail]
        steps = [np.arange(self._head_rows, dtype=np.int64)]
        steps += [numbers for numbers, _ in self._middle] + [numbers for numbers, _ in self._tail]
        if self._pending:
            parts.append(np.array(self._pending, dtype=np.float64))
            first = self.count - len(self._pending)
            steps.append(np.arange(first, self.count, dtype=np.int64))
        if not parts:
            return steps[0], np.zeros((0, self.width))
        return np.concatenate(steps), np.concatenate(parts)

    @property
    def _most_rows(self) -> int:
        return max(_FEWEST_ROWS, self._most // max(self.width, 1))

    def _flush(self) -> None:
        # The last row stays at hand: it may be taken back.
        block = np.array(self._pending[:-1], dtype=np.float64)
        steps = np.arange(len(block), dtype=np.int64) + (self.count - 1 - len(block))
        self._pending = self._pending[-1:]
        quarter = self._most_rows // 4
        if self._head_rows < quarter and not self._tail:
            self._head.append(block)
            self._head_rows += len(block)
            return
        self._tail.append((steps, block))
        self._tail_rows += len(block)
        # Nothing is dropped before the whole would be too large.
        if not self.thinned and self._head_rows + self._tail_rows <= self._most_rows:
            return
        self.thinned = True
        while self._tail_rows > quarter and len(self._tail) > 1:
            old = self._tail.popleft()
            self._tail_rows -= len(old[1])
            self._middle.append(self._pairs_of(old))
        while sum(len(numbers) for numbers, _ in self._middle) > 2 * quarter:
            self._stride *= 2
            joined = [np.concatenate(part) for part in zip(*self._middle, strict=True)]
            self._middle = [self._pairs_of((joined[0], joined[1]))]

    def _pairs_of(self, block: tuple[Array, Array]) -> tuple[Array, Array]:
        steps, rows = block
        kept = steps % self._stride < 2
        return steps[kept], rows[kept]


def _padded(block: Array, extra: list[float]) -> Array:
    return np.hstack([block, np.tile(np.array(extra, dtype=np.float64), (len(block), 1))])
