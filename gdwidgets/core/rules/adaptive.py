"""Rules that scale every number's update by the size of its gradients so far.

The formulas and default constants are those of ``torch.optim``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.rules.protocol import State


@dataclass(frozen=True)
class RMSprop:
    """RMSprop as in ``torch.optim``: s ← α s + (1 − α) g², then p ← p − γ g / (√s + ε)."""

    alpha: float = 0.99
    """How much of the mean square is kept, in [0, 1)."""

    eps: float = 1e-8
    """Added to the root, greater than 0."""

    name: ClassVar[str] = "rmsprop"
    label: ClassVar[str] = "RMSprop"

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
