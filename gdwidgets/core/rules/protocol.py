"""What an update rule is, and how to add one.

A rule maps (params, grad, state) to new params and a new state, and changes nothing in place. All
tensors are float32; params and grad have shape (L, P) with one lane per row, the learning rate has
shape (L, 1). Nothing has to be inherited: an object with ``name``, ``label``, ``init`` and
``update`` is a rule. With `Constants` it also describes what can be set::

    @dataclass(frozen=True)
    class ClippedDescent(Constants):
        \"\"\"p ← p − γ g min(1, c / ‖g‖): no gradient counts as longer than c.\"\"\"

        limit: float = number(1.0, "c", "The length to which longer gradients are cut.", above=0)

        name: ClassVar[str] = "clipped"
        label: ClassVar[str] = "clipped gradient descent"

        def init(self, params):
            return ()

        def update(self, params, grad, state, learning_rate, step):
            length = grad.norm(dim=1, keepdim=True)
            return params - learning_rate * grad * (self.limit / length).clamp(max=1), state

    Descent(objective, start, 0.01, rule=ClippedDescent(limit=5.0), max_steps=100)

What a rule remembers between updates, such as the velocity of `Momentum`, is its state: a tuple of
tensors that ``init`` makes and ``update`` takes and returns, new ones each time.
A rule that is to have a name in menus goes into ``RULES`` in ``names.py``.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from gdwidgets.core import checks

State = tuple[Any, ...]
"""What a rule remembers between updates: tensors, or other values that it never changes in place.

A rule without memory has an empty one, always; it is then never asked to repeat an update.
"""


@runtime_checkable
class Rule(Protocol):
    """What `Descent` asks of an update rule."""

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


@runtime_checkable
class ScalesRates(Rule, Protocol):
    """A rule that computes with learning rates before they meet float32 numbers, as Adam does.

    ``torch.optim`` does that in Python's floats, so such a rule may ask for float64 rates.
    """

    @property
    def rate_dtype(self) -> torch.dtype:
        """The dtype in which ``update`` takes learning rates; float32 for all other rules."""


def rate_dtype(rule: Rule) -> torch.dtype:
    """The dtype in which a rule takes learning rates."""
    return rule.rate_dtype if isinstance(rule, ScalesRates) else torch.float32


def same_rule(one: Rule, other: Rule) -> bool:
    """Whether two rules make the same updates: the same object, or equal and of one type."""
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:  # noqa: BLE001 - rules that hold arrays cannot be compared
        return False


def first_state(rule: Rule, params: Tensor) -> State:
    """A rule's state before its first update.

    Raises
    ------
    ValueError
        When the rule's own ``init`` raises, or returns no tuple.
    """
    try:
        state: Any = rule.init(params)
    except ValueError:
        raise  # torch's optimizers say what they do not take
    except Exception as error:
        raise ValueError(
            f"rule must make its state in init, but {checks.shown(rule)} raised "
            f"{checks.raised(error)}"
        ) from error
    if not isinstance(state, tuple):
        raise ValueError(
            f"rule must return a tuple from init, but {checks.shown(rule)} returned "
            f"{checks.shown(state)}"
        )
    return state
