"""Learning rates that change from update to update: γ(k), k counting updates from 0.

A schedule is any callable that takes k and returns a positive number. Those named here are frozen
dataclasses that describe their constants, like update rules. None of them ever falls to 0, where
a descent would stand still: they stop at 1e-44, above the smallest number of float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from gdwidgets.core.rules.constants import Constants, number, whole

Schedule = Callable[[int], float]

SMALLEST = 1e-44


def _start() -> Any:
    return number(0.1, "γ₀", "The learning rate that the schedule starts from.", above=0)


def _steps(default: int, help_: str) -> Any:
    return whole(default, "N", help_, 1)


@dataclass(frozen=True)
class ConstantRate(Constants):
    """γ(k) = γ₀."""

    start: float = _start()

    name: ClassVar[str] = "constant"
    label: ClassVar[str] = "constant"

    def __call__(self, k: int) -> float:  # noqa: ARG002 - the interface of all schedules
        """The learning rate of every update."""
        return self.start


@dataclass(frozen=True)
class StepDecay(Constants):
    """γ(k) = γ₀ r^⌊k / N⌋, as ``torch.optim.lr_scheduler.StepLR``."""

    start: float = _start()
    factor: float = number(0.5, "r", "What each decay multiplies by.", above=0, high=1)
    every: int = _steps(100, "Updates from one decay to the next.")

    name: ClassVar[str] = "step_decay"
    label: ClassVar[str] = "step decay"

    def __call__(self, k: int) -> float:
        """The learning rate of update ``k``."""
        return max(self.start * self.factor ** (k // self.every), SMALLEST)


@dataclass(frozen=True)
class Exponential(Constants):
    """γ(k) = γ₀ rᵏ, as ``torch.optim.lr_scheduler.ExponentialLR``."""

    start: float = _start()
    factor: float = number(0.99, "r", "What each update multiplies by.", above=0, high=1)

    name: ClassVar[str] = "exponential"
    label: ClassVar[str] = "exponential"

    def __call__(self, k: int) -> float:
        """The learning rate of update ``k``."""
        return max(self.start * self.factor**k, SMALLEST)


@dataclass(frozen=True)
class Cosine(Constants):
    """Half a cosine from γ₀ down to r γ₀ over N updates, constant afterwards.

    γ(k) = γ₀ (r + (1 − r) (1 + cos(π k / N)) / 2), Loshchilov and Hutter (2017), as
    ``torch.optim.lr_scheduler.CosineAnnealingLR`` up to N.
    """

    start: float = _start()
    end: float = number(
        0.01, "r", "The last learning rate, as a multiple of the first.", above=0, high=1
    )
    steps: int = _steps(300, "Updates from the first learning rate to the last.")

    name: ClassVar[str] = "cosine"
    label: ClassVar[str] = "cosine"

    def __call__(self, k: int) -> float:
        """The learning rate of update ``k``."""
        wave = (1 + math.cos(math.pi * min(k / self.steps, 1))) / 2
        return max(self.start * (self.end + (1 - self.end) * wave), SMALLEST)


@dataclass(frozen=True)
class InverseTime(Constants):
    """γ(k) = γ₀ / (1 + d k), which falls as 1/k: slowly enough to reach a minimum through noise.

    Robbins and Monro (1951): the sum of all rates is infinite, that of their squares is not.
    """

    start: float = _start()
    decay: float = number(
        0.01, "d", "How fast it falls: after 1/d updates the learning rate is halved.", low=0
    )

    name: ClassVar[str] = "inverse_time"
    label: ClassVar[str] = "1/t"

    def __call__(self, k: int) -> float:
        """The learning rate of update ``k``."""
        return max(self.start / (1 + self.decay * k), SMALLEST)


@dataclass(frozen=True)
class WarmUp(Constants):
    """γ(k) = γ₀ min(1, (k + 1) / N): a straight rise over the first N updates, then constant."""

    start: float = number(0.1, "γ₀", "The learning rate after the rise.", above=0)
    steps: int = _steps(20, "Updates until the learning rate has risen.")

    name: ClassVar[str] = "warm_up"
    label: ClassVar[str] = "warm-up"

    def __call__(self, k: int) -> float:
        """The learning rate of update ``k``."""
        return max(self.start * min(1.0, (k + 1) / self.steps), SMALLEST)


NamedSchedule = ConstantRate | StepDecay | Exponential | Cosine | InverseTime | WarmUp

SCHEDULES: Mapping[str, NamedSchedule] = MappingProxyType(
    {
        schedule.name: schedule
        for schedule in (
            ConstantRate(), StepDecay(), Exponential(), Cosine(), InverseTime(), WarmUp(),
        )
    }
)  # fmt: skip
"""The named schedules with their default constants, by name."""
