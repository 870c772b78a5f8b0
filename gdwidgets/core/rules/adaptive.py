"""Rules that scale every number's update by the size of its gradients so far.

The formulas and default constants are those of ``torch.optim``, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gdwidgets.core.rules.constants import Constants, decayed, decaying_weights, number, switch
from gdwidgets.core.rules.protocol import State


def _eps() -> Any:
    return number(
        1e-8, "ε", "Added to the root of the mean square, so that nothing is divided by 0.", above=0
    )


@dataclass(frozen=True)
class RMSprop(Constants):
    """RMSprop as in ``torch.optim``: s ← α s + (1 − α) g², then p ← p − γ g / (√s + ε).

    With weight decay, g ← g + λ p before.
    """

    alpha: float = number(
        0.99, "α", "How much of the mean squared gradient is kept.", low=0, below=1
    )
    eps: float = _eps()
    weight_decay: float = decaying_weights()

    name: ClassVar[str] = "rmsprop"
    label: ClassVar[str] = "RMSprop"

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
        grad = decayed(grad, params, self.weight_decay)
        square = torch.addcmul(state[0] * self.alpha, grad, grad, value=1 - self.alpha)
        return params - learning_rate * grad / (square.sqrt() + self.eps), (square,)


@dataclass(frozen=True)
class Adam(Constants):
    """Adam (Kingma and Ba, 2015) as in ``torch.optim``.

    m ← β₁ m + (1 − β₁) g and s ← β₂ s + (1 − β₂) g²; with m̂ = m / (1 − β₁ᵗ) and
    ŝ = s / (1 − β₂ᵗ), t counting from 1, p ← p − γ m̂ / (√ŝ + ε). Without bias correction m̂ = m
    and ŝ = s. With weight decay, g ← g + λ p before.
    """

    beta1: float = number(0.9, "β₁", "How much of the mean gradient is kept.", low=0, below=1)
    beta2: float = number(
        0.999, "β₂", "How much of the mean squared gradient is kept.", low=0, below=1
    )
    eps: float = _eps()
    bias_correction: bool = switch(
        True,
        "m̂",
        "Corrects both means for having started at 0; without it the first updates are larger.",
    )
    weight_decay: float = decaying_weights()

    name: ClassVar[str] = "adam"
    label: ClassVar[str] = "Adam"
    rate_dtype: ClassVar[torch.dtype] = torch.float64

    def init(self, params: Tensor) -> State:
        """Mean m and mean square s, zero, each of shape (L, P)."""
        return torch.zeros_like(params), torch.zeros_like(params)

    def update(
        self, params: Tensor, grad: Tensor, state: State, learning_rate: Tensor, step: int
    ) -> tuple[Tensor, State]:
        """One update of every lane."""
        grad = decayed(grad, params, self.weight_decay)
        mean = torch.lerp(state[0], grad, 1 - self.beta1)
        square = torch.addcmul(state[1] * self.beta2, grad, grad, value=1 - self.beta2)
        root, rate = square.sqrt(), learning_rate
        if self.bias_correction:
            root = root / (1 - self.beta2 ** (step + 1)) ** 0.5
            rate = learning_rate.double() / (1 - self.beta1 ** (step + 1))
        return params - rate.to(params.dtype) * mean / (root + self.eps), (mean, square)
