"""A watched loop with the reading interface of a `Descent`: what plots draw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.diagnosis.evaluation import evaluated
from gdwidgets.core.diagnosis.records import Array, LoopRecord, Reference
from gdwidgets.core.objectives.protocol import Objective, SteppedObjective


@dataclass(frozen=True, eq=False)
class WatchedRun:
    """A loop as a run of one lane: a snapshot of its records.

    Record k holds the parameters, the loss there, ``.grad`` after ``backward()`` and the step's own
    gradient, as a descent's does. The last record is the loop's final point where another update
    followed the last ``backward()``; loss and gradient there are the objective's where the loop
    computed the same losses, else NaN. What is not finite is cut off. Where the loop's records were
    thinned, records are fewer than steps; `steps` has their numbers.
    """

    loop: LoopRecord
    reference: Reference | None = None
    """Of the same parameters; ``None`` where there is nothing to compare with."""
    recording: bool = False
    stretch: tuple[int, int] = (1, 1)
    """Steps of the picture and records of the loop that go together, where they are not the same:
    in a picture whose step is a backward pass of a part, a loop may make one for the whole."""
    whole_loss: bool = False
    """Whether losses are the objective's at the recorded points: of a loop whose own are parts."""

    @property
    def objective(self) -> Objective | None:
        """The reference's objective."""
        return None if self.reference is None else self.reference.objective

    @property
    def lanes(self) -> int:
        """One."""
        return 1

    @cached_property
    def steps(self) -> Array:
        """Step of each record in the picture, int64 (recorded + 1,).

        That is updates made before it, or backward passes where several make an update.
        """
        return self._rows[0]

    def step_of(self, number: int) -> int:
        """The step of the picture that belongs to a record of the loop."""
        return number * self.stretch[0] // self.stretch[1]

    @property
    def params(self) -> Array:
        """Parameters, float32 (recorded + 1, 1, P)."""
        return self._rows[1]

    @property
    def loss(self) -> Array:
        """Losses, float32 (recorded + 1, 1)."""
        return self._rows[2]

    @property
    def grad(self) -> Array:
        """The ``.grad`` buffer, float32 (recorded + 1, 1, P)."""
        return self._rows[3]

    @property
    def step_grad(self) -> Array:
        """The step's own gradient, float32 (recorded + 1, 1, P)."""
        return self._rows[4]

    @property
    def start(self) -> Array:
        """The first parameters, float32 (1, P)."""
        first: Array = self.params[0] if len(self.params) else np.zeros((1, 0), np.float32)
        return first

    @property
    def recorded(self) -> int:
        """Number of the last record; −1 where there is none."""
        return len(self.steps) - 1

    @property
    def max_steps(self) -> int:
        """Number of the last record."""
        return self.recorded

    @property
    def finished(self) -> bool:
        """Whether the loop has ended."""
        return not self.recording

    @property
    def last_step(self) -> Array:
        """Number of the last record, int (1,)."""
        return np.array([self.recorded])

    @cached_property
    def outcomes(self) -> Array:
        """``"running"``, ``"diverged"``, ``"converged"`` or ``"max_steps"``, str (1,).

        Converged: the last loss differs from the one before by less than the reference's
        ``loss_tol``, and no update followed.
        """
        return np.array([self._outcome()], dtype="<U9")

    def advance_to(self, k: int, *, budget: float | None = None) -> int:  # noqa: ARG002 - Descent's
        """Nothing is left to compute; returns ``recorded``."""
        checks.integer(k, "k", 0, 2**63 - 1)
        return self.recorded

    def _outcome(self) -> str:
        loop = self.loop
        if self.recording:
            return "running"
        if len(self.steps) < len(loop.loss) or not _finite(loop).all():
            return "diverged"
        if self.reference is not None and self.reference.loss_tol is not None and loop.count > 1:
            stopped = loop.final is not None and np.array_equal(loop.final, loop.params[-1])
            if stopped and abs(loop.loss[-1] - loop.loss[-2]) < self.reference.loss_tol:
                return "converged"
        return "max_steps"

    @cached_property
    def _rows(self) -> tuple[Array, Array, Array, Array, Array]:
        loop = self.loop
        finite = _finite(loop)
        count = loop.count if finite.all() else int(finite.argmin())
        steps, params, loss = loop.number[:count], loop.params[:count], loop.loss[:count]
        grad, step_grad = loop.grad[:count], loop.step_grad[:count]
        final = loop.final
        steps = steps * self.stretch[0] // self.stretch[1]
        if (
            final is not None
            and count == loop.count
            and count
            and np.isfinite(final).all()
            and self._moved_on(final)
        ):
            steps = np.append(steps, self.step_of(int(loop.number[-1]) + 1))
            params = np.concatenate([params, final[None]])
            last_loss, last_grad = self._at_the_end(final)
            loss = np.append(loss, last_loss)
            grad, step_grad = (
                np.concatenate([part, last_grad[None]]) for part in (grad, step_grad)
            )
        if self.whole_loss and self.objective is not None:
            loss = evaluated(self.objective, params).loss
        with np.errstate(over="ignore"):
            lanes = [part.astype(np.float32)[:, None] for part in (params, loss, grad, step_grad)]
        for part in lanes:
            part.flags.writeable = False
        return steps, lanes[0], lanes[1], lanes[2], lanes[3]

    def _moved_on(self, final: Array) -> bool:
        """Whether an update followed the last backward pass: it may be one too small to be seen."""
        params = self.loop.params
        if not np.array_equal(final, params[-1]):
            return True
        return len(params) > 1 and np.array_equal(params[-1], params[-2])

    def _at_the_end(self, final: Array) -> tuple[float, Array]:
        """Loss and gradient at the final point, where the objective is the loop's own."""
        unknown = np.nan, np.full(len(final), np.nan)
        loop, objective = self.loop, self.objective
        if objective is None or isinstance(objective, SteppedObjective):
            return unknown
        both = evaluated(objective, np.stack([loop.params[-1], final]))
        if not abs(both.loss[0] - loop.loss[-1]) <= 1e-4 * abs(both.loss[0]) + both.loss_noise[0]:
            return unknown
        return float(both.loss[1]), both.grad[1]


def _finite(loop: LoopRecord) -> Array:
    """Which records hold finite numbers, bool (n,); unknown gradients do not count."""
    with np.errstate(over="ignore", invalid="ignore"):
        params = np.isfinite(loop.params.astype(np.float32)).all(axis=1)
        loss = np.isfinite(loop.loss.astype(np.float32))
    finite: Array = params & loss
    return finite
