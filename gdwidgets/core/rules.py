"""Update rules as pure functions over lanes.

A rule maps (params, grad, state) to new params and a new state and changes nothing in place. All
tensors are float32; params and grad have shape (L, P) with one lane per row, the learning rate has
shape (L, 1). The formulas and default constants are those of ``torch.optim``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from gdwidgets.core import checks

State = tuple[Tensor, ...]


@runtime_checkable
class Rule(Protocol):
    """What `Descent` asks of an update rule.

    One that treats every number by itself may have a true attribute ``elementwise``: it is then
    also called with single columns, (L,) instead of (L, P), and learning rates (L,).
    """

    @property
    def name(self) -> str:
        """The key in `RULES`, such as ``"gd"``."""

    @property
    def label(self) -> str:
        """The name to show, such as ``"gradient descent"``."""

    def init(self, params: Tensor) -> State:
        """Make the state before the first update, for params of shape (L, P)."""

    def update(
        self, params: Tensor, grad: Tensor, state: State, learning_rate: Tensor, step: int
    ) -> tuple[Tensor, State]:
        """Make new params and state; ``step`` counts the updates this rule has already made."""


@dataclass(frozen=True)
class GradientDescent:
    """Plain gradient descent: p ← p − γ g."""

    name: ClassVar[str] = "gd"
    label: ClassVar[str] = "gradient descent"
    elementwise: ClassVar[bool] = True

    def init(self, params: Tensor) -> State:  # noqa: ARG002 - no state to shape
        """No state."""
        return ()

    def update(
        self,
        params: Tensor,
        grad: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int,  # noqa: ARG002 - the interface of all rules
    ) -> tuple[Tensor, State]:
        """Product first, then difference: the bits of ``a -= learning_rate * a.grad``."""
        # addcmul would round once and be 0.7 microseconds faster, but differ in the last bit.
        return params - learning_rate * grad, state


@dataclass(frozen=True)
class Momentum:
    """Momentum as in ``torch.optim.SGD``: m ← β m + g, then p ← p − γ m."""

    beta: float = 0.9
    """Momentum β, in [0, 1)."""

    name: ClassVar[str] = "momentum"
    label: ClassVar[str] = "momentum"
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.fraction(self.beta, "beta")

    def init(self, params: Tensor) -> State:
        """The velocity m, zero, shape (L, P)."""
        return (torch.zeros_like(params),)

    def update(
        self,
        params: Tensor,
        grad: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int,  # noqa: ARG002 - the interface of all rules
    ) -> tuple[Tensor, State]:
        """One update of every lane."""
        velocity = state[0] * self.beta + grad
        return torch.addcmul(params, velocity, learning_rate, value=-1), (velocity,)


@dataclass(frozen=True)
class Nesterov:
    """Nesterov momentum as in ``torch.optim.SGD``: m ← β m + g, then p ← p − γ (g + β m)."""

    beta: float = 0.9
    """Momentum β, in [0, 1)."""

    name: ClassVar[str] = "nesterov"
    label: ClassVar[str] = "Nesterov momentum"
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.fraction(self.beta, "beta")

    def init(self, params: Tensor) -> State:
        """The velocity m, zero, shape (L, P)."""
        return (torch.zeros_like(params),)

    def update(
        self,
        params: Tensor,
        grad: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int,  # noqa: ARG002 - the interface of all rules
    ) -> tuple[Tensor, State]:
        """One update of every lane."""
        velocity = state[0] * self.beta + grad
        ahead = torch.add(grad, velocity, alpha=self.beta)
        return torch.addcmul(params, ahead, learning_rate, value=-1), (velocity,)


@dataclass(frozen=True)
class RMSprop:
    """RMSprop as in ``torch.optim``: s ← α s + (1 − α) g², then p ← p − γ g / (√s + ε)."""

    alpha: float = 0.99
    """How much of the mean square is kept, in [0, 1)."""

    eps: float = 1e-8
    """Added to the root, greater than 0."""

    name: ClassVar[str] = "rmsprop"
    label: ClassVar[str] = "RMSprop"
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.fraction(self.alpha, "alpha")
        checks.positive(self.eps, "eps")

    def init(self, params: Tensor) -> State:
        """The mean square s, zero, shape (L, P)."""
        return (torch.zeros_like(params),)

    def update(
        self,
        params: Tensor,
        grad: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int,  # noqa: ARG002 - the interface of all rules
    ) -> tuple[Tensor, State]:
        """One update of every lane."""
        square = torch.addcmul(state[0] * self.alpha, grad, grad, value=1 - self.alpha)
        return params - learning_rate * grad / (square.sqrt() + self.eps), (square,)


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, 2015) as in ``torch.optim``.

    m ← β₁ m + (1 − β₁) g and s ← β₂ s + (1 − β₂) g²; with m̂ = m / (1 − β₁ᵗ) and
    ŝ = s / (1 − β₂ᵗ), t counting from 1, p ← p − γ m̂ / (√ŝ + ε).
    """

    beta1: float = 0.9
    """How much of the mean is kept, in [0, 1)."""

    beta2: float = 0.999
    """How much of the mean square is kept, in [0, 1)."""

    eps: float = 1e-8
    """Added to the root, greater than 0."""

    name: ClassVar[str] = "adam"
    label: ClassVar[str] = "Adam"
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.fraction(self.beta1, "beta1")
        checks.fraction(self.beta2, "beta2")
        checks.positive(self.eps, "eps")

    def init(self, params: Tensor) -> State:
        """Mean m and mean square s, zero, each of shape (L, P)."""
        return torch.zeros_like(params), torch.zeros_like(params)

    def update(
        self, params: Tensor, grad: Tensor, state: State, learning_rate: Tensor, step: int
    ) -> tuple[Tensor, State]:
        """One update of every lane."""
        mean = torch.lerp(state[0], grad, 1 - self.beta1)
        square = torch.addcmul(state[1] * self.beta2, grad, grad, value=1 - self.beta2)
        root = square.sqrt() / math.sqrt(1 - self.beta2 ** (step + 1)) + self.eps
        rate = learning_rate / (1 - self.beta1 ** (step + 1))
        return params - rate * mean / root, (mean, square)


@dataclass(frozen=True)
class PerLane:
    """Rule i for lane i: how update rules race each other."""

    rules: tuple[Rule, ...]
    """One rule per lane."""

    name: ClassVar[str] = "per lane"

    _groups: tuple[tuple[Rule, Tensor], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lanes: dict[Rule, list[int]] = {}
        for lane, rule in enumerate(self.rules):
            lanes.setdefault(rule, []).append(lane)
        groups = tuple(
            (rule, torch.tensor(where, dtype=torch.int64, device="cpu"))
            for rule, where in lanes.items()
        )
        object.__setattr__(self, "_groups", groups)

    @property
    def elementwise(self) -> bool:
        """Whether all of the rules are."""
        return all(getattr(rule, "elementwise", False) for rule in self.rules)

    @property
    def label(self) -> str:
        """The labels of the rules, each once."""
        return ", ".join(dict.fromkeys(rule.label for rule in self.rules))

    def init(self, params: Tensor) -> State:
        """The states of the groups of equal rules, one after another."""
        return tuple(part for rule, where in self._groups for part in rule.init(params[where]))

    def update(
        self, params: Tensor, grad: Tensor, state: State, learning_rate: Tensor, step: int
    ) -> tuple[Tensor, State]:
        """Update every group of lanes by its rule."""
        new = torch.empty_like(params)
        parts: list[Tensor] = []
        for rule, where in self._groups:
            mine = params[where]
            count = len(rule.init(mine))
            new[where], own = rule.update(
                mine, grad[where], state[:count], learning_rate[where], step
            )
            state = state[count:]
            parts.extend(own)
        return new, tuple(parts)


RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.name: rule for rule in (GradientDescent(), Momentum(), Nesterov(), RMSprop(), Adam())}
)
"""The update rules with torch's constants (momentum 0.9), by name."""


def as_rule(rule: str | Rule | Sequence[str | Rule]) -> Rule:
    """The rule for a name, a rule object, or one of these per lane.

    Raises
    ------
    ValueError
        When it is none of these; for an unknown name, names the nearest.
    """
    if isinstance(rule, str):
        if rule in RULES:
            return RULES[rule]
        near = difflib.get_close_matches(rule.lower(), RULES, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        names = ", ".join(map(repr, RULES))
        raise ValueError(f"unknown update rule {checks.shown(rule)}{hint} Known: {names}")
    if isinstance(rule, (list, tuple)):
        if not rule:
            raise ValueError("rule must name at least one update rule, got none")
        return PerLane(tuple(as_rule(one) for one in rule))
    return _checked(rule)


def _checked(rule: Any) -> Rule:
    if isinstance(rule, type) or not isinstance(rule, Rule):
        raise ValueError(
            f"rule must be one of {', '.join(map(repr, RULES))}, a rule object such as "
            f"Momentum(beta=0.5), or a list of these, one per lane; got {checks.shown(rule)}"
        )
    return rule
