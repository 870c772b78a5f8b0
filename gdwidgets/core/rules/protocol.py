"""What an update rule is: a pure function over lanes.

A rule maps (params, grad, state) to new params and a new state and changes nothing in place. All
tensors are float32; params and grad have shape (L, P) with one lane per row, the learning rate has
shape (L, 1).
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

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
