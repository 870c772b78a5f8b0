"""What an update rule is: a pure function over lanes.

A rule maps (params, grad, state) to new params and a new state and changes nothing in place. All
tensors are float32; params and grad have shape (L, P) with one lane per row, the learning rate has
shape (L, 1).
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

State = tuple[Any, ...]
"""What a rule remembers between updates: tensors, or other values that it never changes in place.

A rule without memory has an empty one, always; it is then never asked to repeat an update.
"""


@runtime_checkable
class Rule(Protocol):
    """What `Descent` asks of an update rule. Nothing has to be inherited."""

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


def same_rule(one: Rule, other: Rule) -> bool:
    """Whether two rules make the same updates: the same object, or equal and of one type."""
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:  # noqa: BLE001 - rules that hold arrays cannot be compared
        return False
