"""What a diagnosis is made from: the records of a loop, and the settings of a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.descent.rates import Rates, given_rates
from gdwidgets.core.objectives.protocol import Objective
from gdwidgets.core.rules.names import as_rule
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.rules.schedules import ConstantRate, Schedule
from gdwidgets.core.rules.wrappers import PerLane

Array = np.ndarray[Any, np.dtype[Any]]

FLOAT32_EPS = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Refusal:
    """An error that PyTorch raised in the loop, and its cause."""

    kind: str
    """Name of the finding it leads to: ``"lost_leaf"``, ``"in_place"``, ``"backward_twice"``,
    ``"no_gradient"``, ``"cleared_before_update"``, or ``"interrupted"`` for any other."""

    message: str
    """The error in PyTorch's own words, its first paragraph; empty where nothing was raised."""

    step: int
    """Records made before it."""

    names: tuple[str, ...] = ()
    """The parameters it is about, where that is known."""

    mode: str = ""
    """The cause of a missing gradient, where it is known: ``"inference_mode"`` or ``"no_grad"``
    that was in force, ``"new tensor"`` for a loss that was made of a number, ``"not one number"``
    for one of several, ``"no tensor: float"`` for what is none, with its type. Of parameters
    whose variables are other tensors now: ``"no leaf"``, ``"not required"`` for leaves that do not
    require gradients, ``"either"`` for some of both."""


@dataclass(frozen=True)
class StepCalls:
    """Calls of the ``step()`` of a ``torch.optim`` optimizer in a loop."""

    optimizer: str
    """Name of its class."""

    calls: int

    passes: int
    """Backward passes made inside these calls, by a closure."""

    most: int
    """The most of them in one call."""


@dataclass(frozen=True, eq=False)
class LoopRecord:
    """A loop's records: n backward passes over P numbers. All arrays are float64."""

    names: tuple[str, ...]
    """Names of the P numbers, such as ``("u", "v")`` or ``("w[0]", "w[1]")``."""

    params: Array
    """Values at each backward pass, (n, P)."""

    loss: Array
    """The loss that was differentiated, (n,)."""

    grad: Array
    """What ``.grad`` held after the backward pass, (n, P); NaN where gradients are not known."""

    before: Array
    """What ``.grad`` held before the backward pass, (n, P); 0 where it was empty."""

    final: Array | None = None
    """The values when the loop had ended, (P,); ``None`` where they are not known."""

    steps: Array | None = None
    """Number of each record in the loop, int64 (n,); ``None`` for 0, 1, 2, …"""

    eps: float = FLOAT32_EPS
    """Distance from 1 to the next number of the parameters' dtype."""

    groups: tuple[tuple[str, int, int], ...] = ()
    """The tensors that the P numbers came from: name, first and last + 1 position."""

    variables: tuple[str, ...] = ()
    """What the loop itself calls the tensor of each number, (P,); ``""`` for a module's parameters.
    Empty where that is not known."""

    update_tried: bool = False
    """Whether an update was computed after ``.grad`` had been emptied (seen in the first steps)."""

    written: bool = False
    """Whether parameters were written to between backward passes (seen in the first steps)."""

    made_anew: bool = False
    """Whether every record's parameters were other tensors than those before."""

    ended: bool = True
    """Whether the loop has come to its own end, neither running nor broken off by an error."""

    refusals: tuple[Refusal, ...] = ()
    """What PyTorch refused, in order."""

    thinned: bool = False
    """Whether records in the middle were dropped."""

    numbers: int = -1
    """How many numbers the loop's parameters hold; more than P where values were not kept."""

    parts: int = 1
    """Backward passes whose losses and gradients are added up in each record."""

    step_calls: tuple[StepCalls, ...] = ()
    """By class, the optimizers whose ``step()`` was called."""

    @property
    def step_grad(self) -> Array:
        """Each backward pass's own gradient, (n, P)."""
        with np.errstate(invalid="ignore", over="ignore"):
            difference: Array = self.grad - self.before
        return difference

    @property
    def count(self) -> int:
        """Number of records."""
        return len(self.loss)

    @property
    def number(self) -> Array:
        """The records' numbers in the loop, int64 (n,)."""
        return np.arange(self.count, dtype=np.int64) if self.steps is None else self.steps

    @property
    def total(self) -> int:
        """Backward passes in all, dropped records included."""
        return int(self.number[-1]) + 1 if self.count else 0

    def rows(self, which: Array) -> LoopRecord:
        """Some of the records; the values at the end are left out."""
        return replace(
            self,
            params=self.params[which],
            loss=self.loss[which],
            grad=self.grad[which],
            before=self.before[which],
            steps=self.number[which],
            final=None,
        )

    def selected(self, order: Sequence[int], names: tuple[str, ...]) -> LoopRecord:
        """The record of some of the numbers, in another order and under other names."""
        columns = list(order)
        return replace(
            self,
            names=names,
            params=self.params[:, columns],
            grad=self.grad[:, columns],
            before=self.before[:, columns],
            final=None if self.final is None else self.final[columns],
            groups=(),
            variables=tuple(self.variables[place] for place in columns if self.variables),
        )


def empty_record(refusals: tuple[Refusal, ...] = (), **more: Any) -> LoopRecord:
    """A record of nothing."""
    none = np.zeros((0, 0))
    return LoopRecord((), none, np.zeros(0), none, none, refusals=refusals, **more)


@dataclass(frozen=True)
class Reference:
    """The settings of the descent that a loop is compared with, one lane."""

    objective: Objective
    start: tuple[float, ...]
    """P numbers."""
    learning_rate: Any
    """A number; given as a schedule, it is kept as `schedule`, and this is the first rate."""
    rule: Any = "gd"
    """A name of a rule, or a rule object."""
    clear_every: int | None = 1
    loss_tol: float | None = None
    max_steps: int = 300
    title: str = ""
    """What the lane is called; empty where it is the only one."""
    schedule: Schedule | None = field(init=False, default=None)
    """The learning rate of each update, where it changes; ``None`` where it is the same."""

    def __post_init__(self) -> None:
        if callable(self.learning_rate):
            if not isinstance(self.learning_rate, ConstantRate):
                object.__setattr__(self, "schedule", self.learning_rate)
            first = float(given_rates(self.learning_rate).at(0)[0])
            object.__setattr__(self, "learning_rate", first)
        start = tuple(checks.float64_array(self.start, "start").ravel().tolist())
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "rule", as_rule(self.rule))
        self.descent()  # checks every setting, and says what is wrong

    @classmethod
    def of(cls, descent: Descent, lane: int = 0, title: str = "") -> Reference:
        """The settings of one lane of a descent, and what it is called."""
        lane = checks.integer(lane, "lane", 0, descent.lanes - 1)
        rule: Rule = descent.rule
        return cls(
            descent.objective,
            tuple(descent.start[lane].tolist()),
            _rate_of(descent, lane),
            rule.rules[lane] if isinstance(rule, PerLane) else rule,
            descent.clear_every[lane],
            descent.loss_tol,
            descent.max_steps,
            title,
        )

    @property
    def rates(self) -> Rates:
        """The learning rates of the one lane."""
        return given_rates(self.learning_rate if self.schedule is None else self.schedule)

    @property
    def weight_decay(self) -> float:
        """λ of a rule that adds λ p to the gradient; 0 where it is none, or not known."""
        return float(getattr(self.rule, "weight_decay", 0.0))

    def descent(self) -> Descent:
        """A new descent with these settings."""
        return Descent(
            self.objective,
            self.start,
            self.learning_rate if self.schedule is None else self.schedule,
            rule=self.rule,
            clear_every=self.clear_every,
            loss_tol=self.loss_tol,
            max_steps=self.max_steps,
        )


@dataclass(frozen=True)
class _Changed:
    """A learning rate that was changed on the way: from update k on it is another schedule's."""

    parts: tuple[tuple[int, Schedule], ...]
    """Pairs (k, schedule), the first with k = 0."""

    def __call__(self, k: int) -> float:
        """The learning rate of update ``k``."""
        return next(schedule for at, schedule in reversed(self.parts) if at <= k)(k)


def _rate_of(descent: Descent, lane: int) -> Any:
    """A lane's learning rate: a number, or a schedule where it changes."""
    parts: list[tuple[int, Schedule]] = []
    for at, schedules in descent.schedules_from:
        if not parts or schedules[lane] != parts[-1][1]:
            parts.append((at if parts else 0, schedules[lane]))
    if len(parts) > 1:
        return _Changed(tuple(parts))
    schedule = parts[0][1]
    return schedule.start if isinstance(schedule, ConstantRate) else schedule
