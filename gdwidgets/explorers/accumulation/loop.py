"""Where the training loop of a lane is, and what it holds there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Descent

Array = NDArray[np.float32]

LINES = ("update", "clear", "forward", "backward")
"""The lines of a training loop in the order in which they run between two whole steps: the update
that makes the step, the clearing that follows it, then forward and backward at the new point."""


def lines_at(k: int, parts: int | None) -> tuple[str, ...]:
    """The lines of the loop that run between the whole steps k − 1 and k."""
    updated = k > 0 and (parts is None or k % parts == 0)
    return LINES if updated else LINES[2:]


@dataclass(frozen=True)
class Moment:
    """What one lane's loop holds right after a line has run; arrays are float32 (2,)."""

    line: str
    """Which line ran: one of ``LINES``; empty where none did: ended, or waiting for a batch."""
    step: int
    """The record it belongs to."""
    point: Array
    """The parameters."""
    loss: float | None
    """The loss, where the forward pass has run."""
    accumulated: Array | None
    """What was in ``.grad`` before the backward pass; ``None`` as PyTorch says it."""
    step_grad: Array | None
    """This step's own gradient, where the backward pass has run."""
    grad: Array | None
    """What ``.grad`` holds now."""
    update: tuple[Array, Array] | None
    """The point before and after the update that ran or, after ``backward``, that comes next."""


def cleared(descent: Descent, lane: int, k: int) -> bool:
    """Whether a lane's buffer is empty when the loop comes to record k."""
    every = descent.clear_every[lane]
    return k == 0 or (every is not None and k % every == 0)


def moment(descent: Descent, lane: int, k: int, line: str, parts: int | None) -> Moment:
    """What a lane's loop holds at cursor k right after ``line`` has run."""
    at = min(k, int(descent.last_step[lane]))
    if k == at == descent.max_steps and line in LINES[2:]:
        # The loop is over: its buffer is as the last clearing, or the lack of it, left it.
        over = moment(descent, lane, k, "clear", parts)
        return replace(over, line="", loss=float(descent.loss[at, lane]))
    params, grad = descent.params[:, lane], descent.grad[:, lane]
    at_once = parts is not None and lane == 1
    accumulated = None if at_once or cleared(descent, lane, at) else grad[at - 1]
    point, loss = params[at], float(descent.loss[at, lane])
    if line == "update" and at == k:
        return Moment(line, at, point, None, None, None, grad[at - 1], (params[at - 1], point))
    if line == "clear" and at == k:
        return Moment(line, at, point, None, accumulated, None, accumulated, None)
    if parts is not None and lane == 1 and (at + 1) % parts != 0:
        return Moment("", at, point, None, None, None, None, None)
    if line == "forward" and at == k:
        return Moment(line, at, point, loss, accumulated, None, accumulated, None)
    due = parts is None or (at + 1) % parts == 0
    after = (point, params[at + 1]) if due and descent.last_step[lane] > at else None
    shown = line if at == k else ""
    return Moment(shown, at, point, loss, accumulated, descent.step_grad[at, lane], grad[at], after)
