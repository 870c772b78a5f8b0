"""Rules made of other rules: one for each lane, or an update after every n-th gradient only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.rules.protocol import Rule, State


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


@dataclass(frozen=True)
class EveryNth:
    """Plain gradient descent that updates after every n-th ``backward()`` only."""

    n: int = 1
    """Backward passes to an update, at least 1."""

    name: ClassVar[str] = "every nth"
    label: ClassVar[str] = "gradient descent, every n-th step"
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.integer(self.n, "n", 1, 2**31)

    def init(self, params: Tensor) -> State:  # noqa: ARG002 - no state to shape
        """No state."""
        return ()

    def update(
        self, params: Tensor, grad: Tensor, state: State, learning_rate: Tensor, step: int
    ) -> tuple[Tensor, State]:
        """Update every lane when n gradients have come together."""
        if (step + 1) % self.n:
            return params, state
        return params - learning_rate * grad, state
