"""What the comparer descends: the course's neuron, or a batch in parts, and what is known of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gdwidgets.core import Descent, LinearNeuron, training_pairs
from gdwidgets.core.analysis.accumulation import micro_batch_descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.rules.momentum import UndampedMomentum
from gdwidgets.core.session import own_torch_state

Point = tuple[float, float]
Array = NDArray[np.float32]

SAMPLES = 8
"""Samples in the batch that is cut into micro-batches: the course's first training samples."""


class Problem:
    """A loss of two parameters (a, b), and what is known about it.

    Parameters
    ----------
    x, y
        Input and target of the linear neuron.
    micro_batches
        Parts of a batch of the course's training samples; ``None`` for the neuron.

    Attributes
    ----------
    objective
        What is descended.
    curvature
        λ, the largest eigenvalue of the Hessian.
    centre
        The minimum; for the neuron, that of its line of minima nearest to (0, 0).
    """

    def __init__(self, x: float, y: float, micro_batches: int | None) -> None:
        self.objective: LinearNeuron | MicroBatches
        if micro_batches is None:
            self.objective = LinearNeuron(x, y)
            self.curvature = 2 * (x * x + 1)
            self.centre: Point = (y * x / (x * x + 1), y / (x * x + 1))
        else:
            self.objective = MicroBatches(*training_pairs(SAMPLES), micro_batches)
            self.curvature = self.objective.curvature
            self.centre = self.objective.minimum
        self.x, self.y = x, y
        self.parts = micro_batches

    def nearest(self, start: Point) -> Point:
        """The minimum nearest to a start, which plain descent approaches."""
        if self.parts is not None:
            return self.centre
        reach = (start[0] * self.x + start[1] - self.y) / (self.x * self.x + 1)
        return start[0] - reach * self.x, start[1] - reach

    def valley(self, half: float) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """The line of minima, its a (2,) and b (2,), over 4 × ``half``; ``None`` for a batch."""
        if self.parts is not None:
            return None
        ends = np.array([-4.0, 4.0]) * half
        along = np.array([1.0, -self.x]) / math.hypot(1.0, self.x)
        return self.centre[0] + ends * along[0], self.centre[1] + ends * along[1]

    def bounds(self, start: Point) -> tuple[Point, Point]:
        """A window (a0, a1), (b0, b1) around the minimum that holds the start."""
        centre = [round(2 * value) / 2 for value in self.centre]
        reach = max(abs(start[0] - centre[0]), abs(start[1] - centre[1]))
        half = HALF if reach <= HALF else _round_up(1.05 * reach)
        return (centre[0] - half, centre[0] + half), (centre[1] - half, centre[1] + half)

    def values(self, points: Any) -> Array:
        """Losses (M,) at points (M, 2), float32; the batch's for micro-batches."""
        if isinstance(self.objective, MicroBatches):
            return self.objective.batch_loss(points)
        with own_torch_state(), torch.no_grad():
            tensor = torch.from_numpy(np.asarray(points, np.float32))
            return np.asarray(self.objective(tensor).numpy(), np.float32)

    def descend(
        self, start: Point, learning_rate: float, clear_every: int | None, max_steps: int
    ) -> Descent:
        """Make the descent of both lanes.

        Raises
        ------
        ValueError
            When the settings do not fit.
        """
        if isinstance(self.objective, MicroBatches):
            descent = micro_batch_descent(self.objective, start, learning_rate, max_steps)
        else:
            descent = Descent(
                self.objective,
                start,
                learning_rate,
                clear_every=(clear_every, 1),
                max_steps=max_steps,
            )
        if "diverged" in descent.outcomes:
            raise ValueError(
                "start, x and y must give a loss and a gradient within float32, got start "
                f"({start[0]:g}, {start[1]:g}), x = {self.x:g}, y = {self.y:g}"
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


class BatchLosses:
    """The whole batch's loss at the records of a micro-batch descent, each computed once.

    Parameters
    ----------
    descent
        The descent of the two lanes.
    objective
        Its objective.
    """

    def __init__(self, descent: Descent, objective: MicroBatches) -> None:
        self._descent, self._objective = descent, objective
        self._loss = objective.batch_loss(descent.params)

    def __call__(self) -> Array:
        """Losses, float32 (recorded + 1, L)."""
        known = len(self._loss)
        if known <= self._descent.recorded:
            more = self._objective.batch_loss(self._descent.params[known:])
            self._loss = np.concatenate([self._loss, more])
        return self._loss


HALF = 2.0
"""Half the side of the map where the start lies within it."""


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 × a power of ten that is not below a positive ``value``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(float(m * power) for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9))
