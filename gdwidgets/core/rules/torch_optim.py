"""Any optimizer of ``torch.optim`` as an update rule: a real one, stepping real parameters.

Every lane is a leaf tensor of its own in a parameter group of its own, so that learning rates,
weight decay and schedulers are torch's own for each of them. Between updates everything the
optimizer and its scheduler remember is copied into the rule's state, and copied back where an
update is repeated: a descent can be scrubbed, forked and tried again like any other.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from gdwidgets.core import checks
from gdwidgets.core.rules.protocol import State
from gdwidgets.core.session import own_torch_state

Group = dict[str, Any]


@dataclass(frozen=True)
class OptimizerRule:
    """An optimizer of ``torch.optim``, or of a user's own, as an update rule.

    Parameters
    ----------
    factory
        The optimizer's class, such as ``torch.optim.AdamW``, or a function that makes one, such as
        ``lambda params: torch.optim.AdamW(params, lr=0.1)``. It is given a list of L parameter
        groups, one for each lane, and hands them to the optimizer. It is called for every descent,
        and twice when the rule is made, to try whether it will do.
    scheduler
        Makes a scheduler for the optimizer, such as
        ``lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 100)``. It is stepped after
        every update.
    own_rate
        Which learning rate holds. If false, the descent's: it is written into every group before
        the scheduler is made, and the factory's ``lr`` is not used; where the descent's learning
        rate changes later, what the scheduler has made of it changes in proportion. If true, the
        factory's, in all lanes. (``OneCycleLR`` and ``CyclicLR`` set rates of their own either
        way.)

    Attributes
    ----------
    optimizer_type
        The optimizer's class.
    scheduler_type
        The scheduler's class or ``None``.

    Raises
    ------
    ValueError
        When the factory makes no optimizer of the groups it is given, or one that cannot take a
        step from gradients alone: ``LBFGS`` asks for a closure that evaluates the loss again,
        ``SparseAdam`` for sparse gradients, ``Muon`` for matrices, and ``ReduceLROnPlateau`` for
        the loss.
    """

    factory: Callable[[list[Group]], Optimizer]
    scheduler: Callable[[Optimizer], LRScheduler] | None = None
    own_rate: bool = False

    optimizer_type: type[Optimizer] = field(init=False, repr=False, compare=False)
    scheduler_type: type[LRScheduler] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, function in (("factory", self.factory), ("scheduler", self.scheduler)):
            if not callable(function) and (name == "factory" or function is not None):
                raise ValueError(f"{name} must be a callable, got {checks.shown(function)}")
        object.__setattr__(self, "own_rate", checks.boolean(self.own_rate, "own_rate"))
        with own_torch_state():
            params = torch.ones(2, 1, dtype=torch.float32, device="cpu")
            machine = _Machine(self, params[:1], [1.0])
            machine.try_out()
            _Machine(self, params, [1.0, 1.0])
        object.__setattr__(self, "optimizer_type", type(machine.optimizer))
        scheduler = machine.scheduler
        object.__setattr__(self, "scheduler_type", None if scheduler is None else type(scheduler))

    @property
    def name(self) -> str:
        """The class's full name, such as ``"torch.optim.AdamW"``."""
        kind = self.optimizer_type
        home = "torch.optim" if kind.__module__.startswith("torch.optim.") else kind.__module__
        return f"{home}.{kind.__qualname__}"

    @property
    def label(self) -> str:
        """The class's name, with that of the scheduler where there is one."""
        label = self.optimizer_type.__name__
        return f"{label} with {self.scheduler_type.__name__}" if self.scheduler_type else label

    @property
    def rate_dtype(self) -> torch.dtype:
        """float64: optimizers compute with Python's floats."""
        return torch.float64

    def init(self, params: Tensor) -> State:  # noqa: ARG002 - made with the first learning rates
        """No optimizer yet."""
        return (None,)

    def update(
        self,
        params: Tensor,
        grad: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int,  # noqa: ARG002 - the optimizer counts for itself
    ) -> tuple[Tensor, State]:
        """One ``optimizer.step()`` and ``scheduler.step()`` for all lanes."""
        rates = learning_rate[:, 0].tolist()
        memory: _Memory | None = state[0]
        machine = memory.machine if memory is not None else _Machine(self, params, rates)
        if memory is not None:
            machine.recall(memory)
        machine.set_rates(rates)
        new = machine.step(params, grad)
        return new, (machine.remember(),)


@dataclass(frozen=True, eq=False)
class _Memory:
    """What an optimizer and its scheduler remember between two updates; never changed."""

    machine: _Machine
    rates: list[float]
    states: list[Group]
    groups: list[Group]
    scheduler: Any


class _Machine:
    """An optimizer with its leaves, and its scheduler."""

    def __init__(self, rule: OptimizerRule, params: Tensor, rates: list[float]) -> None:
        self.leaves = [_own(row).requires_grad_() for row in params]
        self._own_rate = rule.own_rate
        self._rates = rates
        self._present: _Memory | None = None
        groups: list[Group] = [{"params": [leaf]} for leaf in self.leaves]
        if not rule.own_rate:
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate
        self.optimizer = _made(rule.factory, groups, "rule", Optimizer)
        mine = [group["params"] for group in self.optimizer.param_groups]
        if [len(params) for params in mine] != [1] * len(groups) or any(
            params[0] is not leaf for params, leaf in zip(mine, self.leaves, strict=True)
        ):
            raise ValueError(
                "rule must make an optimizer of the parameter groups it is given, one for each "
                f"lane, got one of {len(mine)} other groups"
            )
        self.scheduler: LRScheduler | None = None
        if rule.scheduler is not None:
            self.scheduler = _made(rule.scheduler, self.optimizer, "scheduler", LRScheduler)
            if isinstance(self.scheduler, ReduceLROnPlateau):
                raise ValueError(
                    "scheduler must need nothing but the number of steps, got ReduceLROnPlateau, "
                    "which is told the loss"
                )

    def try_out(self) -> None:
        """Take one step; ``ValueError`` where the optimizer needs more than gradients."""
        grad = torch.ones(len(self.leaves), 1, dtype=torch.float32, device="cpu")
        try:
            with torch.random.fork_rng(devices=[]):
                self.step(grad, grad)
        except Exception as error:
            raise ValueError(
                f"rule must be an optimizer whose step() needs no more than gradients, got "
                f"{type(self.optimizer).__name__}: {checks.raised(error)}"
            ) from error

    def step(self, params: Tensor, grad: Tensor) -> Tensor:
        """New params (L, P)."""
        self._present = None
        for leaf, row, its_grad in zip(self.leaves, params, grad, strict=True):
            leaf.data = _own(row)
            leaf.grad = _own(its_grad)
        self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()
        return torch.stack([leaf.detach() for leaf in self.leaves])

    def set_rates(self, rates: list[float]) -> None:
        """Take over the descent's learning rates where they are others than before."""
        if self._own_rate or rates == self._rates:
            return
        self._present = None
        factors = [new / old for new, old in zip(rates, self._rates, strict=True)]
        for group, rate, factor in zip(self.optimizer.param_groups, rates, factors, strict=True):
            group["lr"] = rate if self.scheduler is None else group["lr"] * factor
            if "initial_lr" in group:
                group["initial_lr"] *= factor
        _scale_base(self.scheduler, factors)
        self._rates = rates

    def remember(self) -> _Memory:
        """A copy of everything that later updates depend on."""
        self._present = _Memory(
            machine=self,
            rates=self._rates,
            states=[_copied(dict(self.optimizer.state.get(leaf, {}))) for leaf in self.leaves],
            groups=[
                {name: _copied(value) for name, value in group.items() if name != "params"}
                for group in self.optimizer.param_groups
            ],
            scheduler=None if self.scheduler is None else _copied(self.scheduler.state_dict()),
        )
        return self._present

    def recall(self, memory: _Memory) -> None:
        """Become what was remembered, unless nothing has happened since."""
        if self._present is memory:
            return
        self._rates = memory.rates
        for leaf, state in zip(self.leaves, memory.states, strict=True):
            self.optimizer.state[leaf] = _copied(state)
        for group, values in zip(self.optimizer.param_groups, memory.groups, strict=True):
            group.update(_copied(values))
        if self.scheduler is not None:
            self.scheduler.load_state_dict(_copied(memory.scheduler))


def _made(factory: Callable[[Any], Any], given: Any, name: str, kind: type[Any]) -> Any:
    accepted = {
        "rule": "a torch.optim class or a function of parameter groups that returns an optimizer",
        "scheduler": "a function of an optimizer that returns a torch.optim.lr_scheduler",
    }[name]
    try:
        made = factory(given)
    except Exception as error:
        raise ValueError(
            f"{name} must be {accepted}, but {checks.shown(factory)} raised {checks.raised(error)}"
        ) from error
    if not isinstance(made, kind):
        raise ValueError(
            f"{name} must be {accepted}, but {checks.shown(factory)} returned {checks.shown(made)}"
        )
    return made


def _scale_base(scheduler: Any, factors: list[float]) -> None:
    """Multiply the base rates of a scheduler and of those it is made of."""
    if scheduler is None:
        return
    if hasattr(scheduler, "base_lrs"):
        rates = zip(scheduler.base_lrs, factors, strict=True)
        scheduler.base_lrs = [rate * factor for rate, factor in rates]
    for part in getattr(scheduler, "_schedulers", ()):
        _scale_base(part, factors)


def _own(values: Tensor) -> Tensor:
    """A new contiguous tensor, which the optimizer may change."""
    return values.detach().clone(memory_format=torch.contiguous_format)


def _copied(value: Any) -> Any:
    """A copy that shares no tensor or container with ``value``."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if type(value) is dict:
        return {name: _copied(item) for name, item in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(map(_copied, value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return copy.deepcopy(value)
