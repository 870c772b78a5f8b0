"""`Descent`: gradient descent of many lanes at once, computed once and recorded step by step.

Record k holds, for every lane, the parameters after k updates, the loss there, what the ``.grad``
buffer holds after ``backward()`` there, and this step's own gradient. Gradients come from
``backward()``, and accumulation is PyTorch's own: where a lane does not clear, the accumulated
gradient stays in the buffer and the next ``backward()`` adds to it.
"""

from __future__ import annotations

import math
from operator import itemgetter
from time import perf_counter
from typing import Any

import numpy as np
import torch

from gdwidgets.core import checks
from gdwidgets.core.descent.engine import Clearing, Engine, Evaluated
from gdwidgets.core.descent.rates import Rates
from gdwidgets.core.descent.recording import Array, Block, Endings, Recording
from gdwidgets.core.descent.settings import Settings, given_settings
from gdwidgets.core.descent.states import KeptStates
from gdwidgets.core.objectives.protocol import Objective, SteppedObjective
from gdwidgets.core.rules.protocol import Rule, State, first_state, rate_dtype, same_rule
from gdwidgets.core.rules.schedules import Schedule
from gdwidgets.core.session import own_torch_state

_CHUNK_STEPS = 256
_CHUNK_NUMBERS = 1_000_000
"""Steps and numbers a chunk may hold before it is stacked and looked at."""


class Descent:
    """A lazily computed recording of L trajectories.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P), lanes independent; see `Objective`. A `SteppedObjective`
        such as `MiniBatches` is told of every step.
    start
        P numbers, or (L, P). One start serves all lanes.
    learning_rate
        A positive number; a schedule, that is a callable of the number of the update, counted from
        0, such as `Exponential`; or L of these, one per lane.
    rule
        A name from `RULES`, a rule object, a class of ``torch.optim`` or a function that makes such
        an optimizer (see `OptimizerRule`), or one of these per lane.
    clear_every
        Clear the gradient buffer after every n-th update; ``None`` for never; or one per lane.
    loss_tol
        A lane ends when its loss changes by less than this in one step; ``None`` for never.
    max_steps
        Updates after which every lane ends, 1 to 10,000,000.
    record
        Whether all records are kept. If not, the arrays hold a single row, the last record.

    Attributes
    ----------
    start
        float32 (L, P).
    learning_rates
        Those of the first update, float64 (L,); float32 where they are used. See `rate_at`.
    rule, clear_every, loss_tol, max_steps, lanes
        The settings; ``clear_every`` a tuple of L.
    changed
        Of a fork: which of ``"clear_every"`` and ``"loss_tol"`` were others on the way.

    Raises
    ------
    ValueError
        When a setting does not fit; says what was given and what is accepted.
    """

    objective: Objective
    start: Array
    learning_rates: Array
    rule: Rule
    clear_every: tuple[int | None, ...]
    loss_tol: float | None
    max_steps: int
    lanes: int
    changed: frozenset[str]

    def __init__(
        self,
        objective: Objective,
        start: Any,
        learning_rate: Any,
        *,
        rule: Any = "gd",
        clear_every: Any = 1,
        loss_tol: float | None = None,
        max_steps: int,
        record: bool = True,
    ) -> None:
        with own_torch_state():
            self._take(
                given_settings(
                    objective,
                    start,
                    learning_rate,
                    rule=rule,
                    clear_every=clear_every,
                    loss_tol=loss_tol,
                    max_steps=max_steps,
                )
            )
            self.changed = frozenset()
            self._rule_from = 0
            self._rates_since: tuple[tuple[int, Rates], ...] = ((0, self._rates),)
            accumulates = not self._clearing.always
            self._point = torch.from_numpy(self.start.copy())
            self._engine = Engine(objective, self._point, accumulates=accumulates)
            self._state = first_state(self.rule, self._point)
            self._states = KeptStates(0, self._state)
            self._begin_step(0)
            evaluated = self._engine.evaluate(self._point, None)
            self._grad = self._engine.lanes(evaluated.grad)
            first = self._engine.stacked([evaluated])
            self._endings = Endings(self.lanes, self.loss_tol, self.max_steps)
            self._endings.begin(first)
            self._recording = Recording(
                first, keep_all=checks.boolean(record, "record"), own_step_grad=accumulates
            )
            self._recorded = 0

    # -- what is recorded ------------------------------------------------------------------

    @property
    def recorded(self) -> int:
        """Number of the last record computed."""
        return self._recorded

    @property
    def finished(self) -> bool:
        """Whether every lane has ended."""
        return self._endings.finished

    @property
    def rates_from(self) -> tuple[tuple[int, Array], ...]:
        """When which learning rates began under the present rule: pairs (k, rates), float32 (L,).

        The update from record k to k + 1 is the first under these rates. A descent that is no fork
        has one pair, with k = 0. Of a schedule these are the rates at k, see `schedules_from`.
        """
        with np.errstate(over="ignore"):
            return tuple(
                (k, rates.at(k).astype(np.float32)) for k, rates in self._under_present_rule()
            )

    @property
    def schedules_from(self) -> tuple[tuple[int, tuple[Schedule, ...]], ...]:
        """The same with the L schedules in place of their rates; a number is a `ConstantRate`."""
        return tuple((k, rates.schedules) for k, rates in self._under_present_rule())

    def rate_at(self, k: int) -> Array:
        """Learning rates of the update from record k to k + 1: float64 (L,).

        Raises
        ------
        ValueError
            When k is no whole number from 0 on, or a schedule returns no learning rate.
        """
        return self._rates_in_force(checks.integer(k, "k", 0)).at(k)

    @property
    def record(self) -> bool:
        """Whether all records are kept."""
        return self._recording.keep_all

    @property
    def params(self) -> Array:
        """Parameters, float32 (recorded + 1, L, P), read-only."""
        return self._recording.view("params")

    @property
    def loss(self) -> Array:
        """Losses at the parameters, float32 (recorded + 1, L), read-only."""
        return self._recording.view("loss")

    @property
    def grad(self) -> Array:
        """The ``.grad`` buffer, float32 (recorded + 1, L, P), read-only.

        Where gradients accumulate: the accumulated gradient plus the step gradient.
        """
        return self._recording.view("grad")

    @property
    def step_grad(self) -> Array:
        """The step's own gradient, float32 (recorded + 1, L, P), read-only."""
        return self._recording.view("step_grad")

    @property
    def outcomes(self) -> Array:
        """``"running"``, ``"converged"``, ``"diverged"`` or ``"max_steps"``: str (L,)."""
        return self._endings.outcomes.copy()

    @property
    def last_step(self) -> Array:
        """Record at which each lane is frozen, or the last one so far: int (L,)."""
        endings = self._endings
        return np.where(endings.running, self._recorded, endings.last_step)

    # -- computing -------------------------------------------------------------------------

    def advance_to(self, k: int, *, budget: float | None = None) -> int:
        """Compute as far as record k, or to the end of all lanes if that comes first.

        Parameters
        ----------
        k
            Number of updates, at least 0; more than ``max_steps`` means ``max_steps``.
        budget
            Stop after about this many seconds, having made at least one step.

        Returns
        -------
        int
            ``recorded``.

        Raises
        ------
        ValueError
            When k or the budget is not acceptable.
        Exception
            Whatever the objective raises, with a note that names the step. The records so far
            stay valid.
        """
        k = min(checks.integer(k, "k", 0), self.max_steps)
        deadline = math.inf
        if budget is not None:
            deadline = perf_counter() + max(checks.real(budget, "budget", infinite=True), 0.0)
        if k <= self._recorded or self.finished:
            return self._recorded
        changes = [at for at, _ in self._rates_since]
        width = self.lanes * (2 * len(self.objective.parameter_names) + 1)
        chunk = max(1, min(_CHUNK_STEPS, _CHUNK_NUMBERS // width))
        with own_torch_state():
            while self._recorded < k and not self.finished:
                ahead = [at - self._recorded for at in changes if at > self._recorded]
                self._run(min(chunk, k - self._recorded, *ahead), deadline)
                if perf_counter() >= deadline:
                    break
        return self._recorded

    def change_at(self, k: int, learning_rate: Any) -> None:
        """Plan another learning rate: the update from record k to k + 1 is the first under it.

        The same as a `fork` at k that changes the learning rate, with nothing computed yet.

        Parameters
        ----------
        k
            A record beyond those computed and beyond the last planned change.
        learning_rate
            As in `Descent`.

        Raises
        ------
        ValueError
            When k is no such record, or the learning rate does not fit the lanes.
        """
        planned = self._rates_since[-1][0]
        k = checks.integer(k, "k", max(self._recorded, planned + 1), self.max_steps)
        with own_torch_state():
            settings = given_settings(
                self.objective,
                self.start,
                learning_rate,
                rule=self.rule,
                clear_every=self.clear_every,
                loss_tol=self.loss_tol,
                max_steps=self.max_steps,
            )
        if len(settings.rates) != self.lanes:
            raise ValueError(
                f"learning_rate must be one for all {self.lanes} lanes or one per lane, got "
                f"{len(settings.rates)}"
            )
        if settings.rates != self._rates:
            self._take_rates(settings.rates)
            self._rates_since += ((k, settings.rates),)

    def fork(self, k: int, **changes: Any) -> Descent:
        """A new descent that has records 0 to k of this one and goes on with other settings.

        The update from k to k + 1 is the first under the new settings; it uses the gradient buffer
        as recorded. A rule that stays keeps its state, another one starts from its ``init``. Lanes
        that ended before k stay ended.

        Parameters
        ----------
        k
            A record that exists.
        **changes
            Any of ``learning_rate``, ``rule``, ``clear_every``, ``loss_tol``, ``max_steps``.

        Returns
        -------
        Descent
            With ``recorded`` equal to k.

        Raises
        ------
        ValueError
            When k is not recorded, a change does not fit, or records are not kept.
        TypeError
            For an unknown setting.
        """
        if not self.record:
            raise ValueError("fork needs all records: make the descent with record=True")
        k = checks.integer(k, "k", 0, self._recorded)
        known = {
            "learning_rate": list(self._rates_in_force(k).schedules),
            "rule": self.rule,
            "clear_every": self.clear_every,
            "loss_tol": self.loss_tol,
            "max_steps": self.max_steps,
        }
        if unknown := sorted(set(changes) - set(known)):
            raise TypeError(f"fork can change {', '.join(known)}; got {', '.join(unknown)}")
        new = object.__new__(type(self))
        with own_torch_state():
            new._take(given_settings(self.objective, self.start, **(known | changes)))
            if new.lanes != self.lanes:
                raise ValueError(
                    f"a fork keeps its {self.lanes} lanes, got {new.lanes} for "
                    f"{', '.join(sorted(changes))}"
                )
            if new.max_steps < k:
                raise ValueError(f"max_steps must be at least k = {k}, got {new.max_steps}")
            new._continue(self, k)
            if "learning_rate" not in changes:
                for at, rates in self._rates_since:
                    if k < at < new.max_steps:
                        new.change_at(at, list(rates.schedules))
        return new

    def __repr__(self) -> str:
        return (
            f"Descent({self.objective!r}, lanes={self.lanes}, rule={self.rule.label!r}, "
            f"recorded={self.recorded} of {self.max_steps})"
        )

    # -- inside ----------------------------------------------------------------------------

    def _take(self, settings: Settings) -> None:
        self.objective = settings.objective
        self.start = settings.start.numpy()
        self.start.flags.writeable = False
        self._take_rates(settings.rates)
        self.rule = settings.rule
        self.clear_every = settings.clear_every
        self.loss_tol = settings.loss_tol
        self.max_steps = settings.max_steps
        self.lanes = len(self.start)
        self._rate_dtype = rate_dtype(self.rule)
        self._clearing = Clearing(self.clear_every)

    def _take_rates(self, rates: Rates) -> None:
        self._rates = rates
        self.learning_rates = rates.at(0)
        self.learning_rates.flags.writeable = False

    def _continue(self, parent: Descent, k: int) -> None:
        """Take over records 0 to k of ``parent``."""
        names = ("clear_every", "loss_tol")
        differing = {n for n in names if getattr(self, n) != getattr(parent, n)}
        self.changed = parent.changed | differing
        block = parent._recording.first(k + 1)
        accumulates = not self._clearing.always or "step_grad" in parent._recording.fields
        self._recording = Recording(block, keep_all=True, own_step_grad=accumulates)
        self._recorded = k
        self._endings = Endings(self.lanes, self.loss_tol, self.max_steps)
        self._endings.resume(parent._endings, k, parent.loss)
        self._rates_since = tuple(pair for pair in parent._rates_since if pair[0] < k)
        if not self._rates_since or self._rates_since[-1][1] != self._rates:
            self._rates_since += ((k, self._rates),)
        self._point, self._grad = block["params"][k].clone(), block["grad"][k].clone()
        self._engine = Engine(self.objective, self._point, accumulates=accumulates)
        if same_rule(self.rule, parent.rule):
            self._rule_from = parent._rule_from
            self._states = parent._states.until(k)
            self._state = self._state_at(k, block) if parent._state else parent._state
        else:
            self._rule_from = k
            self._state = first_state(self.rule, self._point)
            self._states = KeptStates(k, self._state)

    def _state_at(self, k: int, block: Block) -> State:
        """The rule's state after k updates, from the nearest kept one and the records between.

        Rules are pure functions of what is recorded, so most states need not be kept to be had
        again.
        """
        nearest, state = self._states.nearest(k)
        for j in range(nearest, k):
            rates = self._rates_in_force(j).tensor(j, self._rate_dtype)
            params, grad = block["params"][j], block["grad"][j]
            _, state = self.rule.update(params, grad, state, rates, j - self._rule_from)
        return state

    def _rates_in_force(self, k: int) -> Rates:
        return max(((at, rates) for at, rates in self._rates_since if at <= k), key=itemgetter(0))[
            1
        ]

    def _under_present_rule(self) -> list[tuple[int, Rates]]:
        start = self._rule_from
        later = [(at, rates) for at, rates in self._rates_since if at > start]
        return [(start, self._rates_in_force(start)), *later]

    def _begin_step(self, k: int) -> None:
        if isinstance(self.objective, SteppedObjective):
            self.objective.begin_step(k)

    def _keep(self, evaluated: list[Evaluated]) -> None:
        """Append records to the recording, as far as their lanes have not ended."""
        fields, first, count = self._recording.fields, self._recorded + 1, len(evaluated)
        numbers = [part for one in evaluated for part in one[:3]]
        if not self.record and self._endings.nothing_ends(numbers, first + count - 1):
            block = self._engine.stacked(evaluated[-1:], fields)
        else:
            block = self._engine.stacked(evaluated, fields)
            block = self._endings.apply(block, self._recording.last(), first)
            count = len(block["loss"])
        self._recording.append(block, self.max_steps + 1)
        self._recorded += count

    def _run(self, steps: int, deadline: float) -> None:
        """Compute up to ``steps`` records more, then find out which lanes they end."""
        engine, clearing = self._engine, self._clearing
        rates, dtype = self._rates_in_force(self._recorded), self._rate_dtype
        update, rule_from = self.rule.update, self._rule_from + 1
        params, grad, state = self._point, self._grad, self._state
        stepped = isinstance(self.objective, SteppedObjective)
        first = self._recorded + 1
        # One append per step keeps the records whole if a step is interrupted half-way.
        done: list[tuple[Evaluated, State]] = []
        failure: BaseException | None = None
        step = first
        try:
            for step in range(first, first + steps):
                rate = rates.tensor(step - 1, dtype)
                params, state = update(params, grad, state, rate, step - rule_from)
                if stepped:
                    self._begin_step(step)
                evaluated = engine.evaluate(params, clearing.accumulated(step, grad))
                grad = engine.lanes(evaluated.grad)
                done.append((evaluated, state))
                if perf_counter() >= deadline:
                    break
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure = error
        if done:
            last, self._state = done[-1]
            self._point, self._grad = engine.lanes(last.params), engine.lanes(last.grad)
            self._keep([evaluated for evaluated, _ in done])
            if self.record and self._state:
                self._states.add(first, [state for _, state in done])
        # Lanes run on for a while after they ended; what goes wrong then concerns nobody.
        if failure is not None and not (self.finished and isinstance(failure, Exception)):
            failure.add_note(f"(raised in computing step {step} of the descent)")
            raise failure
