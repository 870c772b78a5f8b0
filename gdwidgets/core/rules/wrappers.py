"""Rules made of other rules: one for each lane, or an update after every n-th gradient only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.rules.constants import Constants, whole
from gdwidgets.core.rules.protocol import Rule, State, rate_dtype, same_rule


@dataclass(frozen=True)
class PerLane:
    """Rule i for lane i: how update rules race each other."""

    rules: tuple[Rule, ...]
    """One rule per lane."""

    name: ClassVar[str] = "per lane"

    _groups: tuple[tuple[Rule, Tensor], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(checks.items(self.rules) or ()))
        groups: list[tuple[Rule, list[int]]] = []
        for lane, rule in enumerate(self.rules):
            if not checks.fits(rule, Rule):
                raise ValueError(f"rules must be rule objects, got {checks.shown(rule)}")
            for known, lanes in groups:
                if same_rule(rule, known):
                    lanes.append(lane)
                    break
            else:
                groups.append((rule, [lane]))
        if not groups:
            raise ValueError("rules must be at least one, got none")
        where = tuple(
            (rule, torch.tensor(lanes, dtype=torch.int64, device="cpu")) for rule, lanes in groups
        )
        object.__setattr__(self, "_groups", where)

    @property
    def label(self) -> str:
        """The labels of the rules, each once."""
        return ", ".join(dict.fromkeys(rule.label for rule in self.rules))

    @property
    def rate_dtype(self) -> torch.dtype:
        """float64 where one of the rules asks for it."""
        asked = {rate_dtype(rule) for rule, _ in self._groups}
        return torch.float64 if torch.float64 in asked else torch.float32

    def init(self, params: Tensor) -> State:
        """The states of the groups of equal rules; empty where all of them are."""
        states = tuple(rule.init(params[where]) for rule, where in self._groups)
        return states if any(states) else ()

    def update(
        self, params: Tensor, grad: Tensor, state: State, learning_rate: Tensor, step: int
    ) -> tuple[Tensor, State]:
        """Update every group of lanes by its rule."""
        new = torch.empty_like(params)
        states = []
        for (rule, where), own in zip(
            self._groups, state or ((),) * len(self._groups), strict=True
        ):
            rates = learning_rate[where].to(rate_dtype(rule))
            new[where], after = rule.update(params[where], grad[where], own, rates, step)
            states.append(after)
        return new, tuple(states) if state else ()


@dataclass(frozen=True)
class EveryNth(Constants):
    """Plain gradient descent that updates after every n-th ``backward()`` only."""

    n: int = whole(1, "n", "Backward passes to an update.", 1, 2**31)

    name: ClassVar[str] = "every nth"
    label: ClassVar[str] = "gradient descent, every n-th step"

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
