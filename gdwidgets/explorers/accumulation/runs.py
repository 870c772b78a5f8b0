"""What the comparer runs, what is known about it, and what a loop's line has done at a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gdwidgets.core import Descent, LinearNeuron, training_pairs
from gdwidgets.core.analysis import accumulation
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.rules.momentum import UndampedMomentum
from gdwidgets.core.session import own_torch_state
from gdwidgets.ui import checks
from gdwidgets.ui.playback.cursor import MOST_STEPS

Point = tuple[float, float]
Array = NDArray[np.float32]

LINES = ("update", "clear", "forward", "backward")
"""The lines of a training loop in the order in which they run between two whole steps: the update
that makes the step, the clearing that follows it, then forward and backward at the new point."""

PAIRS = 8
"""Pairs in the batch that is cut into micro-batches: the course's first training pairs."""

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "the course's": {"learning_rate": 0.1, "max_steps": 10},
        "the turn-round": {"learning_rate": 0.4, "max_steps": 30},
        "both diverge": {"learning_rate": 0.7, "max_steps": 20},
        "micro-batches": {"learning_rate": 0.1, "max_steps": 24, "micro_batches": 4},
    }
)
"""Settings by the name they are offered under; what is not named is as in the course."""

COURSE: Mapping[str, Any] = MappingProxyType(
    {
        "x": 1.5,
        "y": 2.5,
        "start": (0.5, 0.5),
        "learning_rate": 0.1,
        "clear_every": None,
        "max_steps": 10,
        "micro_batches": None,
    }
)
"""The settings of the course's Exercise 2."""


def as_clearing(value: Any) -> int | None:
    """Return how often to clear: every so many steps, or ``None`` for never; or raise."""
    return None if value is None else checks.whole(value, "clear_every", 1, MOST_STEPS)


def as_parts(value: Any) -> int | None:
    """Return into how many parts to cut the batch, or ``None`` for no batch; or raise."""
    return None if value is None else checks.whole(value, "micro_batches", 2, PAIRS)


class Problem:
    """A loss of two parameters (a, b), and what is known about it.

    Parameters
    ----------
    x, y
        Input and target of the linear neuron.
    micro_batches
        Parts of a batch of the course's training pairs; ``None`` for the neuron.
    """

    def __init__(self, x: float, y: float, micro_batches: int | None) -> None:
        self.objective: LinearNeuron | MicroBatches
        if micro_batches is None:
            self.objective = LinearNeuron(x, y)
            self.curvature = 2 * (x * x + 1)
            self.centre: Point = (y * x / (x * x + 1), y / (x * x + 1))
        else:
            self.objective = MicroBatches(*training_pairs(PAIRS), micro_batches)
            self.curvature = self.objective.curvature
            self.centre = self.objective.minimum
        self.x, self.y = x, y
        self.parts = micro_batches

    def foot(self, start: Point) -> Point:
        """The minimum that plain descent from a start approaches."""
        if self.parts is not None:
            return self.centre
        reach = (start[0] * self.x + start[1] - self.y) / (self.x * self.x + 1)
        return start[0] - reach * self.x, start[1] - reach

    def values(self, points: Array) -> Array:
        """Losses (M,) at points (M, 2), float32; the batch's for micro-batches."""
        if isinstance(self.objective, MicroBatches):
            return self.objective.batch_loss(points)
        with own_torch_state(), torch.no_grad():
            return np.asarray(self.objective(torch.from_numpy(points)).numpy(), np.float32)

    def descend(
        self, start: Point, learning_rate: float, clear_every: int | None, max_steps: int
    ) -> Descent:
        """Make the descent of both lanes; raises ``ValueError`` when the settings do not fit."""
        if isinstance(self.objective, MicroBatches):
            descent = accumulation.micro_batch_descent(
                self.objective, start, learning_rate, max_steps
            )
        else:
            descent = Descent(
                self.objective,
                start,
                learning_rate,
                clear_every=(clear_every, 1),
                max_steps=max_steps,
            )
        descent.advance_to(0)
        if "diverged" in descent.outcomes:
            raise ValueError(
                f"the loss or its gradient at the start ({start[0]:g}, {start[1]:g}) with "
                f"x = {self.x:g}, y = {self.y:g} is too large for float32: choose smaller numbers"
            )
        return descent

    def momentum(self, start: Point, learning_rate: float, steps: int) -> Array | None:
        """Momentum with β = 1 from a start: float32 (n + 1, 2); none for micro-batches."""
        if self.parts is not None:
            return None
        run = Descent(
            self.objective, start, learning_rate, rule=UndampedMomentum(), max_steps=steps
        )
        run.advance_to(steps)
        return np.asarray(run.params[: int(run.last_step[0]) + 1, 0])


period_factor = accumulation.period_factor
swing = accumulation.amplitude


def fate(share: float, clear_every: int | None) -> str:
    """``"converges"``, ``"swings"`` or ``"diverges"``: what a run of the neuron does for ever."""
    behaviour = accumulation.asymptotic_behaviour(share, 1.0, clear_every)
    return "swings" if behaviour is accumulation.Asymptotic.OSCILLATES else str(behaviour)


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
    leftover: Array | None
    """What was in ``.grad`` before the backward pass; ``None`` as PyTorch says it."""
    fresh: Array | None
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
    leftover = None if at_once or cleared(descent, lane, at) else grad[at - 1]
    point, loss = params[at], float(descent.loss[at, lane])
    if line == "update" and at == k:
        return Moment(line, at, point, None, None, None, grad[at - 1], (params[at - 1], point))
    if line == "clear" and at == k:
        return Moment(line, at, point, None, leftover, None, leftover, None)
    if parts is not None and lane == 1 and (at + 1) % parts != 0:
        return Moment("", at, point, None, None, None, None, None)
    if line == "forward" and at == k:
        return Moment(line, at, point, loss, leftover, None, leftover, None)
    due = parts is None or (at + 1) % parts == 0
    after = (point, params[at + 1]) if due and descent.last_step[lane] > at else None
    shown = line if at == k else ""
    return Moment(shown, at, point, loss, leftover, descent.step_grad[at, lane], grad[at], after)
