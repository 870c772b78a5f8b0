"""Gradient descent, plain and with momentum.

The formulas and default constants are those of ``torch.optim.SGD``, to the last bit, but for plain
descent: its bits are those of the loop ``a -= learning_rate * a.grad``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gdwidgets.core.rules.constants import Constants, decayed, decaying_weights, number
from gdwidgets.core.rules.protocol import State


@dataclass(frozen=True)
class GradientDescent(Constants):
    """Plain gradient descent: p ← p − γ (g + λ p)."""

    weight_decay: float = decaying_weights()

    name: ClassVar[str] = "gd"
    label: ClassVar[str] = "gradient descent"

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
        if self.weight_decay:
            grad = grad + self.weight_decay * params
        # addcmul would round once and be 0.7 microseconds faster, but differ in the last bit.
        return params - learning_rate * grad, state


class _Velocity:
    """The state of momentum."""

    def init(self, params: Tensor) -> State:
        """The velocity m, zero, shape (L, P)."""
        return (torch.zeros_like(params),)


@dataclass(frozen=True)
class _Damped(_Velocity, Constants):
    """The constants of momentum that forgets."""

    beta: float = number(
        0.9, "β", "How much of the velocity an update keeps from the one before.", low=0, below=1
    )
    weight_decay: float = decaying_weights()


@dataclass(frozen=True)
class Momentum(_Damped):
    """Momentum as in ``torch.optim.SGD``: m ← β m + g, then p ← p − γ m.

    With weight decay, g ← g + λ p before.
    """

    name: ClassVar[str] = "momentum"
    label: ClassVar[str] = "momentum"

    def update(
        self,
        params: Tensor,
        grad: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int,  # noqa: ARG002 - the interface of all rules
    ) -> tuple[Tensor, State]:
        """One update of every lane."""
        grad = decayed(grad, params, self.weight_decay)
        velocity = state[0] * self.beta + grad
        return torch.addcmul(params, velocity, learning_rate, value=-1), (velocity,)


@dataclass(frozen=True)
class Nesterov(_Damped):
    """Nesterov momentum as in ``torch.optim.SGD``: m ← β m + g, then p ← p − γ (g + β m).

    With weight decay, g ← g + λ p before.
    """

    name: ClassVar[str] = "nesterov"
    label: ClassVar[str] = "Nesterov momentum"

    def update(
        self,
        params: Tensor,
        grad: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int,  # noqa: ARG002 - the interface of all rules
    ) -> tuple[Tensor, State]:
        """One update of every lane."""
        grad = decayed(grad, params, self.weight_decay)
        velocity = state[0] * self.beta + grad
        ahead = torch.add(grad, velocity, alpha=self.beta)
        return torch.addcmul(params, ahead, learning_rate, value=-1), (velocity,)


@dataclass(frozen=True)
class UndampedMomentum(_Velocity):
    """Momentum with β = 1: m ← m + g, then p ← p − γ m; nothing is ever forgotten.

    The same sums in the same order as plain descent whose ``.grad`` is never cleared.
    """

    name: ClassVar[str] = "undamped momentum"
    label: ClassVar[str] = "momentum, β = 1"

    def update(
        self,
        params: Tensor,
        grad: Tensor,
        state: State,
        learning_rate: Tensor,
        step: int,  # noqa: ARG002 - the interface of all rules
    ) -> tuple[Tensor, State]:
        """One update of every lane."""
        velocity = state[0] + grad
        return params - learning_rate * velocity, (velocity,)
