"""A descent and a watched loop as one recording: the loop is one lane more, the last.

Plots and tables read it as they read a `Descent`; none of them needs to know of watched loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gdwidgets.core import Descent
from gdwidgets.core.objectives.protocol import SteppedObjective
from gdwidgets.core.session import own_torch_state
from gdwidgets.core.watching.run import WatchedRun

Array = NDArray[Any]

_LOOKED_AT = 8
"""Records at which two losses are compared."""


class Beside:
    """A descent with a watched loop beside it.

    Record k holds, for every lane of the descent and then for the loop, what a `Descent`'s record
    holds. A lane that has ended repeats its last record; so does the loop between records that its
    watch has dropped. Records of the loop beyond the descent's ``max_steps`` are not shown, nor is
    a final point where its loss is not known. Everything else is the descent's own.

    Parameters
    ----------
    descent
        L lanes, P parameters.
    run
        A loop over the same parameters, with at least one record.
    """

    def __init__(self, descent: Descent, run: WatchedRun) -> None:
        self.descent = descent
        self.run = run
        self.lanes = descent.lanes + 1
        rows = run.recorded + 1
        if rows > 1 and np.isnan(run.loss[rows - 1, 0]):
            rows -= 1
        self._steps = run.steps[:rows]
        self.own_last = int(min(self._steps[-1], descent.max_steps))
        """The loop's last step that is shown."""
        self.cut = bool(self._steps[-1] > descent.max_steps)
        """Whether the loop goes on beyond the descent's ``max_steps``."""
        self._made: dict[str, Array] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.descent, name)

    @property
    def own(self) -> int:
        """The lane of the loop."""
        return self.lanes - 1

    @property
    def start(self) -> Array:
        """First parameters, float32 (L + 1, P)."""
        return np.concatenate([self.descent.start, self.run.start])

    @property
    def recorded(self) -> int:
        """Number of the last record that can be drawn."""
        recorded = self.descent.recorded
        if self.descent.finished or self.run.recording:
            return max(recorded, self.own_last)
        return recorded

    @property
    def finished(self) -> bool:
        """Whether every lane has ended."""
        return self.descent.finished and not self.run.recording

    @property
    def last_step(self) -> Array:
        """Record at which each lane is frozen, or the last one so far: int (L + 1,)."""
        return np.append(self.descent.last_step, min(self.own_last, self.recorded))

    @property
    def outcomes(self) -> Array:
        """What has become of each lane, as a `Descent` says it: str (L + 1,)."""
        outcome = str(self.run.outcomes[0])
        if self.own_last > self.recorded:
            outcome = "running"
        elif self.cut:
            outcome = "max_steps"
        return np.append(self.descent.outcomes, outcome)

    @property
    def params(self) -> Array:
        """Parameters, float32 (recorded + 1, L + 1, P)."""
        return self._joined("params")

    @property
    def loss(self) -> Array:
        """Losses, the loop's as it computed them, float32 (recorded + 1, L + 1)."""
        return self._joined("loss")

    @property
    def grad(self) -> Array:
        """The ``.grad`` buffer, float32 (recorded + 1, L + 1, P)."""
        return self._joined("grad")

    @property
    def step_grad(self) -> Array:
        """The step's own gradient, float32 (recorded + 1, L + 1, P)."""
        return self._joined("step_grad")

    def _joined(self, name: str) -> Array:
        count = self.recorded + 1
        known = self._made.get(name)
        if known is not None and len(known) == count:
            return known
        lanes: Array = getattr(self.descent, name)
        if len(lanes) < count:
            lanes = lanes[np.minimum(np.arange(count), len(lanes) - 1)]
        rows = np.searchsorted(self._steps, np.arange(count), side="right") - 1
        own: Array = getattr(self.run, name)[np.maximum(rows, 0)]
        made = np.concatenate([lanes[:count], own], axis=1)
        made.flags.writeable = False
        self._made[name] = made
        return made


def fits(descent: Descent, run: WatchedRun) -> bool:
    """Whether a loop can be drawn beside a descent: one of the same parameters and loss."""
    if run.objective is None or run.recorded < 0:
        return False
    one, other = (_whole(objective) for objective in (descent.objective, run.objective))
    if one is other:
        return True
    if one.parameter_names != other.parameter_names or type(one) is not type(other):
        return False
    if isinstance(one, SteppedObjective):
        return repr(one) == repr(other)
    rows = np.unique(np.linspace(0, run.recorded, _LOOKED_AT).astype(int))
    with own_torch_state(), torch.no_grad():
        points = torch.from_numpy(run.params[rows, 0].copy())
        losses = [objective(points).numpy() for objective in (one, other)]
    return bool(np.array_equal(losses[0], losses[1], equal_nan=True))


def _whole(objective: Any) -> Any:
    """What is minimized, also where each step sees only a part of it."""
    return getattr(objective, "regression", getattr(objective, "whole", objective))


def nearest_lane(descent: Descent, loop: Any, preferred: int) -> int:
    """The lane of a descent that a loop is to be compared with.

    The one along which it goes; else the one of the nearest learning rate; of equals the
    ``preferred``, then the first.

    Parameters
    ----------
    descent
        The lanes, recorded as far as they are to be compared.
    loop
        A `LoopRecord` of the same parameters.
    preferred
        A lane.
    """
    count = min(loop.count, descent.recorded + 1, 64)
    if descent.lanes == 1 or count < 2 or loop.params.shape[1] != descent.start.shape[1]:
        return preferred
    with np.errstate(all="ignore"):
        own = loop.params[:count]
        lanes = descent.params[:count].astype(np.float64)
        # A lane that has ended repeats its last record, where the loop may have gone on.
        there = np.arange(count)[:, None] <= descent.last_step
        there &= np.isfinite(own).all(axis=1)[:, None]
        length = np.linalg.norm(lanes - lanes[0], axis=2).max(axis=0)
        apart = np.where(there, np.linalg.norm(lanes - own[:, None], axis=2), 0.0)
        away = apart.max(axis=0) / (length + 1e-12)
        size = np.linalg.norm(own[1] - own[0]) / np.linalg.norm(loop.grad[0])
        beyond = np.abs(np.log(size / descent.learning_rates))
    beyond = np.where(np.isfinite(beyond), beyond, np.inf)

    def rank(lane: int) -> tuple[float, float, bool, int]:
        if away[lane] < 0.05:
            return 0.0, round(float(away[lane]), 3), lane != preferred, lane
        return 1.0, round(float(beyond[lane]), 2), lane != preferred, lane

    return min(range(descent.lanes), key=rank)
