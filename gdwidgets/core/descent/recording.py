"""Where a descent's records are kept: growing buffers, read through views that never change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, np.dtype[Any]]
Block = dict[str, Tensor]
"""Records that follow each other, by field; the first axis counts them."""

FIELDS = ("params", "loss", "grad", "step_grad")


class Recording:
    """Records 0, 1, 2, … of all lanes, or (``keep_all`` false) only the last one.

    Shapes: loss (records, L), the other fields (records, L, P); float32.
    """

    def __init__(self, first: Block, *, keep_all: bool, own_step_grad: bool) -> None:
        self.keep_all = keep_all
        # Where every lane clears each step the step gradient is what the buffer holds.
        self.fields = FIELDS if own_step_grad else FIELDS[:3]
        self._buffers: Block = {name: first[name].clone() for name in self.fields}
        self.rows = len(first["loss"])

    def last(self) -> Block:
        """The last record, as a block of one."""
        return {name: self._buffers[name][self.rows - 1 : self.rows] for name in self.fields}

    def first(self, count: int) -> Block:
        """Records 0 to count − 1, with step gradients."""
        block = {name: self._buffers[name][:count] for name in self.fields}
        block.setdefault("step_grad", block["grad"])
        return block

    def append(self, block: Block, most_rows: int) -> None:
        """Add the block's records; ``most_rows`` bounds the capacity."""
        count = len(block["loss"])
        if not count:
            return
        if not self.keep_all:
            # A new tensor each time: views handed out earlier keep what they showed.
            self._buffers = {name: block[name][-1:].clone() for name in self.fields}
            return
        self._reserve(self.rows + count, most_rows)
        for name in self.fields:
            self._buffers[name][self.rows : self.rows + count] = block[name]
        self.rows += count

    def view(self, name: str) -> Array:
        """A read-only view of one field over all records so far."""
        if name not in self.fields:
            name = "grad"
        array: Array = self._buffers[name][: self.rows].numpy()
        array.flags.writeable = False
        return array

    def _reserve(self, needed: int, most_rows: int) -> None:
        capacity = len(self._buffers["loss"])
        if needed <= capacity:
            return
        # Doubling: each record is copied at most twice on average.
        capacity = max(needed, min(2 * capacity, most_rows), 64 if most_rows >= 64 else needed)
        for name in self.fields:
            old = self._buffers[name]
            new = torch.empty((capacity, *old.shape[1:]), dtype=torch.float32, device="cpu")
            new[: self.rows] = old[: self.rows]
            self._buffers[name] = new


class Endings:
    """Which lanes have ended, at which record, and why.

    A lane is *diverged* when parameters, loss or gradient of a record are not finite: it freezes at
    the record before. It has *converged* when its loss changed by less than ``loss_tol`` in the
    last step and another update would follow: it freezes at that record.
    """

    def __init__(self, lanes: int, loss_tol: float | None, max_steps: int) -> None:
        self.loss_tol = loss_tol
        self.max_steps = max_steps
        self.outcomes: Array = np.full(lanes, "running", dtype="<U9")
        self.last_step: Array = np.zeros(lanes, dtype=np.int64)
        self.running: Array = np.ones(lanes, dtype=bool)

    @property
    def finished(self) -> bool:
        """Whether every lane has ended."""
        return not self.running.any()

    def begin(self, block: Block) -> None:
        """End the lanes whose record 0, which nothing precedes, is not finite."""
        self._end(_not_finite(block)[0].numpy(), 0, "diverged")
        if self.max_steps == 0:
            self._end(self.running, 0, "max_steps")

    def apply(self, block: Block, previous: Block, start: int) -> Block:
        """Find what ended in a block of records and freeze it there.

        Parameters
        ----------
        block
            Records start, start + 1, …, as computed.
        previous
            Record start − 1, as recorded.
        start
            Number of the block's first record, at least 1.

        Returns
        -------
        Block
            The records to keep: ended lanes repeat their last record, and nothing comes after
            all lanes have ended.
        """
        count = len(block["loss"])
        looked_at = [block[name] for name in FIELDS[:3]]
        if self.nothing_ends(looked_at, start - 1 + count):
            return block
        last_block = start - 1 + count == self.max_steps
        ended = ~self.running
        # Position within (previous, *block) of the last record of each lane; `count` if it runs on.
        last = np.where(ended, 0, count)
        bad = _not_finite(block).numpy()
        newly_bad = bad.any(0) & self.running
        last[newly_bad] = bad.argmax(0)[newly_bad]
        if self.loss_tol is not None:
            small = self._small_changes(block["loss"], previous["loss"], start, self.loss_tol)
            first_small = np.where(small.any(0), small.argmax(0) + 1, count + 1)
            converged = self.running & (first_small <= last)
            last[converged] = first_small[converged]
            self._end(converged, start - 1 + last, "converged")
            newly_bad &= ~converged
        self._end(newly_bad, start - 1 + last, "diverged")
        if last_block:
            self._end(self.running.copy(), self.max_steps, "max_steps")
        if self.finished:
            kept = max(int(self.last_step.max()) - start + 1, 0)
            block = {name: values[:kept] for name, values in block.items()}
        self._freeze(block, previous, last)
        return block

    def nothing_ends(self, tensors: Sequence[Tensor], last: int) -> bool:
        """Whether a quick look at all numbers up to record ``last`` is enough: all lanes run on.

        Sums of finite numbers may overflow, so a no means only that a closer look is due.
        """
        if self.loss_tol is not None or last == self.max_steps or not self.running.all():
            return False
        with torch.no_grad():
            return math.isfinite(torch.stack([part.sum() for part in tensors]).sum().item())

    def resume(self, parent: Endings, step: int, loss: Array) -> None:
        """Go on from record ``step`` of a parent whose losses are ``loss`` (step + 1, L)."""
        over = ~parent.running & (parent.last_step < step)
        self.outcomes[over] = parent.outcomes[over]
        self.last_step[over] = parent.last_step[over]
        self.running = ~over
        if step and step < self.max_steps and self.loss_tol is not None:
            change = np.abs(loss[step].astype(np.float64) - loss[step - 1])
            self._end(self.running & (change < self.loss_tol), step, "converged")
        if step == self.max_steps:
            self._end(self.running.copy(), step, "max_steps")

    def _small_changes(self, loss: Tensor, previous: Tensor, start: int, loss_tol: float) -> Array:
        """Where a loss differs by less than ``loss_tol`` from the one before: bool (records, L)."""
        losses = torch.cat([previous, loss]).double()
        small: Array = (losses.diff(dim=0).abs() < loss_tol).numpy()
        if start + len(loss) > self.max_steps:
            small[self.max_steps - start :] = False  # at record max_steps no update would follow
        return small

    def _end(self, lanes: Array, step: Array | int, outcome: str) -> None:
        if lanes.any():
            self.outcomes[lanes] = outcome
            self.last_step[lanes] = step if isinstance(step, int) else step[lanes]
            self.running = self.running & ~lanes

    @staticmethod
    def _freeze(block: Block, previous: Block, last: Array) -> None:
        """Write each ended lane's last record over what its row went on to compute."""
        count = len(block["loss"])
        stops = np.flatnonzero(last < count)
        if not len(stops):
            return
        lanes = torch.from_numpy(stops)
        where = torch.from_numpy(last[stops])
        after = torch.arange(1, count + 1, dtype=torch.int64, device="cpu")[:, None] > where
        for name, values in block.items():
            column = values[:, lanes]
            final = torch.cat([previous[name][:, lanes], column])[
                where, torch.arange(len(stops), dtype=torch.int64, device="cpu")
            ]
            over = after if values.ndim == 2 else after[:, :, None]
            values[:, lanes] = torch.where(over, final, column)


def _not_finite(block: Block) -> Tensor:
    """Where a record holds a number that is not finite: bool (records, L)."""
    # A finite number times 0 is 0; anything else is NaN and stays NaN in a sum.
    probe = block["loss"] * 0
    for name in ("params", "grad"):
        for column in block[name].unbind(-1):
            probe = torch.addcmul(probe, column, torch.zeros_like(column[:1, :1]))
    return probe != 0
