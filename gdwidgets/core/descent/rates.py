"""The learning rates of all lanes at every step, numbers and schedules alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.rules.schedules import ConstantRate, NamedSchedule, Schedule

Array = np.ndarray[Any, np.dtype[np.float64]]

LOWEST = 1e-45
"""Below this float32 has only zero."""


class Rates:
    """Schedules γ(k) of L lanes; a number is a `ConstantRate`.

    Attributes
    ----------
    schedules
        One per lane, or a single one for all lanes.
    """

    def __init__(self, schedules: Sequence[Schedule]) -> None:
        self.schedules = tuple(schedules)
        self._changing = not all(isinstance(one, ConstantRate) for one in self.schedules)
        self._constant: dict[torch.dtype, Tensor] = {}

    def __len__(self) -> int:
        return len(self.schedules)

    def __eq__(self, other: object) -> bool:
        """Whether the same schedules, or equal named ones, serve the same lanes."""
        if not isinstance(other, Rates) or len(self) != len(other):
            return False
        pairs = zip(self.schedules, other.schedules, strict=True)
        return all(
            one is two or (isinstance(one, NamedSchedule) and one == two) for one, two in pairs
        )

    __hash__ = None  # type: ignore[assignment]  # compared, never a key

    def at(self, k: int) -> Array:
        """Learning rates of the update from record k to k + 1: float64 (L,).

        Raises
        ------
        ValueError
            When a schedule raises, or returns what is no learning rate; names the step.
        """
        if len(set(map(id, self.schedules))) == 1:
            return np.full(len(self), _rate(self.schedules[0], k))
        known: dict[int, float] = {}
        for schedule in self.schedules:
            if id(schedule) not in known:
                known[id(schedule)] = _rate(schedule, k)
        return np.array([known[id(schedule)] for schedule in self.schedules])

    def tensor(self, k: int, dtype: torch.dtype) -> Tensor:
        """The same as a tensor (L, 1)."""
        if not self._changing and dtype in self._constant:
            return self._constant[dtype]
        with np.errstate(over="ignore"):  # what is too large for float32 is infinite there
            rates = torch.from_numpy(self.at(k)[:, None]).to(dtype)
        if not self._changing:
            self._constant[dtype] = rates
        return rates


def given_rates(learning_rate: Any) -> Rates:
    """Check a learning rate: a number, a schedule, or several of these, one per lane.

    Raises
    ------
    ValueError
        Says what was given and what is accepted.
    """
    several = () if callable(learning_rate) else checks.items(learning_rate) or ()
    if callable(learning_rate):
        given = Rates([_schedule(learning_rate)])
    elif any(map(callable, several)):
        given = Rates(
            [_schedule(one) if callable(one) else given_rates(one).schedules[0] for one in several]
        )
    else:
        return Rates([ConstantRate(rate) for rate in _numbers(learning_rate)])
    given.at(0)
    return given


def _schedule(given: Any) -> Schedule:
    if isinstance(given, type):
        raise ValueError(
            "learning_rate must be a number, a schedule such as Exponential(0.1), or several of "
            f"these, one per lane, got the class {checks.shown(given)}"
        )
    schedule: Schedule = given
    return schedule


def _numbers(learning_rate: Any) -> list[float]:
    rates = np.atleast_1d(checks.float64_array(learning_rate, "learning_rate"))
    if rates.ndim != 1 or not len(rates):
        raise ValueError(
            "learning_rate must be a number, a schedule, or one of these per lane, got "
            f"{checks.shown(learning_rate)}"
        )
    if not np.isfinite(rates).all() or (rates < LOWEST).any():
        raise ValueError(
            "learning_rate must be finite and greater than 0 (at least 1e-45, the smallest in "
            f"float32), got {checks.shown(learning_rate)}"
        )
    numbers: list[float] = rates.tolist()
    return numbers


def _rate(schedule: Schedule, k: int) -> float:
    if isinstance(schedule, ConstantRate):
        return schedule.start
    try:
        value = schedule(k)
    except Exception as error:
        raise ValueError(f"learning_rate raised at step {k}: {checks.raised(error)}") from error
    try:
        return checks.real(value, "learning_rate", low=LOWEST)
    except ValueError:
        raise ValueError(
            f"learning_rate must be finite and greater than 0 at every step, at step {k} it is "
            f"{checks.shown(value)}"
        ) from None
