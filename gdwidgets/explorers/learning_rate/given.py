"""What a learning-rate explorer is given, checked and brought into one form."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import torch

from gdwidgets.core import RULES, as_rule, checks, own_torch_state
from gdwidgets.core.objectives.regression import HIGHEST_DEGREE
from gdwidgets.core.rules.protocol import same_rule
from gdwidgets.core.rules.schedules import SCHEDULES, ConstantRate, NamedSchedule
from gdwidgets.ui.playback.cursor import MOST_STEPS

Rates = tuple[float, ...]
Schedule = tuple[tuple[int, Rates], ...]

RATES = (1.0, 0.1, 0.01, 0.001)
"""The course's learning rates."""

SUGGESTED = (0.19, 0.21, 0.3, 0.03, 0.003, 0.0003, 3.0, 0.05, 0.005)
"""Rates for a new lane; those next to the limit come first where the data set one."""

MOST_LANES = 8
LOWEST_RATE, HIGHEST_RATE = 1e-30, 1e6
MOST_SAMPLES = 1_000_000


def data(value: Any, name: str) -> Rates | None:
    """Numbers of one side of the data as a tuple, rounded to float32; ``None`` stays.

    Raises
    ------
    ValueError
        When they are not a one-dimensional sequence of finite numbers.
    """
    if value is None:
        return None
    with own_torch_state():
        numbers = checks.finite_float32(value, name)
    if numbers.ndim != 1 or not 1 <= len(numbers) <= MOST_SAMPLES:
        raise ValueError(
            f"{name} must be a one-dimensional sequence of 1 to {MOST_SAMPLES:,} numbers, "
            f"got shape {tuple(numbers.shape)}"
        )
    return tuple(numbers.tolist())


def both(x: Rates | None, y: Rates | None) -> tuple[Rates, Rates] | None:
    """Return x and y, or ``None`` when both are; raises ``ValueError`` when one is missing."""
    if x is None and y is None:
        return None
    if x is None or y is None:
        missing = "x" if x is None else "y"
        raise ValueError(f"x and y must be given together: {missing} is missing")
    return x, y


def degree(value: Any, name: str) -> int:
    """A degree, 0 to 10; raises ``ValueError`` when it is none."""
    return checks.integer(value, name, 0, HIGHEST_DEGREE)


def batch_size(value: Any, name: str) -> int | None:
    """Samples in a mini-batch, or ``None`` for all; raises ``ValueError`` when it is neither."""
    return None if value is None else checks.integer(value, name, 1, MOST_SAMPLES)


def rates(value: Any, name: str) -> Rates:
    """Learning rates, one per lane; a single number is one lane.

    Raises
    ------
    ValueError
        When there are none, more than eight, or one that is no acceptable learning rate.
    """
    several = checks.items(value)
    if several is None and isinstance(value, (numbers.Real, torch.Tensor, np.ndarray)):
        several = [value]
    if several is None:
        raise ValueError(f"{name} must be 1 to {MOST_LANES} numbers, got {checks.shown(value)}")
    if not 1 <= len(several) <= MOST_LANES:
        raise ValueError(f"{name} must be 1 to {MOST_LANES} numbers, got {len(several)} of them")
    return tuple(rate(item, f"{name}[{lane}]") for lane, item in enumerate(several))


def rate(value: Any, name: str) -> float:
    """One learning rate; raises ``ValueError`` when it is none."""
    number = checks.positive(value, name)
    if not LOWEST_RATE <= number <= HIGHEST_RATE:
        raise ValueError(
            f"{name} must be from {LOWEST_RATE:g} to {HIGHEST_RATE:,.0f}, got {number:g}"
        )
    return number


def rule(value: Any, name: str) -> Any:
    """A rule's name, or whatever `gdwidgets.core.as_rule` takes for one rule of all lanes.

    Raises
    ------
    ValueError
        When it is none; for an unknown name, names the nearest.
    """
    if isinstance(value, (list, tuple)):
        raise ValueError(f"{name} must be one rule for all lanes, got {checks.shown(value)}")
    made = as_rule(value)
    named = RULES.get(made.name)
    return made.name if named is not None and same_rule(made, named) else value


def rate_schedule(value: Any, name: str) -> NamedSchedule | None:
    """A named schedule, from its name or with constants of its own; ``None`` for constant rates.

    Raises
    ------
    ValueError
        When it is none of these.
    """
    if value is None or isinstance(value, ConstantRate):
        return None
    if isinstance(value, NamedSchedule):
        return value
    if not isinstance(value, str):
        raise ValueError(
            f"{name} must be None, a schedule such as Exponential(factor=0.999), or one of "
            f"{', '.join(map(repr, SCHEDULES))}, got {checks.shown(value)}"
        )
    return rate_schedule(SCHEDULES[checks.one_of(value, name, SCHEDULES)], name)


def schedule(value: Any, name: str) -> Schedule:
    """Earlier learning rates: pairs (step, rates) with rising steps.

    Raises
    ------
    ValueError
        When the value is no such sequence.
    """
    problem = ValueError(
        f"{name} must be pairs (step, learning rates) with rising steps, such as "
        f"((1000, (0.1, 0.01)),), got {checks.shown(value)}"
    )
    made = []
    for one in (None,) if (given := checks.items(value)) is None else given:
        part = checks.items(one)
        if part is None or len(part) != 2:
            raise problem
        until = checks.integer(part[0], f"the step of {name}", 1, MOST_STEPS)
        made.append((until, rates(part[1], f"the rates of {name}")))
    steps = [until for until, _ in made]
    if steps != sorted(set(steps)):
        raise problem
    return tuple(made)


def parts(earlier: Schedule, last: Rates, max_steps: int) -> Schedule:
    """A whole schedule: the earlier rates, and the last ones until the end.

    Raises
    ------
    ValueError
        When a part has another number of lanes, or comes after the end of the run.
    """
    for until, part in earlier:
        if len(part) != len(last):
            raise ValueError(
                f"every part of the schedule must have {len(last)} learning rates, as "
                f"learning_rates has, got {len(part)}"
            )
        if until >= max_steps:
            raise ValueError(
                f"the schedule changes rates at step {until:,}, but the run ends at {max_steps:,}"
            )
    return (*earlier, (max_steps, last))


def in_force(earlier: Schedule, last: Rates, k: int) -> Rates:
    """The rates of the update from record ``k`` on."""
    return next((part for until, part in earlier if k < until), last)


def continued(earlier: Schedule, last: Rates, k: int) -> Schedule:
    """The earlier part of a schedule that is changed at step ``k``, whatever came after it."""
    kept = tuple(part for part in earlier if part[0] <= k)
    return kept if kept and kept[-1][0] == k else (*kept, (k, in_force(earlier, last, k)))


def suggested(present: Rates, limit: float) -> float:
    """A learning rate that no lane has: next to the limit, where there is one, or a round one.

    Raises
    ------
    ValueError
        When there are eight lanes already.
    """
    if len(present) >= MOST_LANES:
        raise ValueError(f"learning_rates must be 1 to {MOST_LANES} numbers, got {MOST_LANES + 1}")
    near = [0.95 * limit, 1.05 * limit] if 1e-29 < limit < HIGHEST_RATE / 2 else []
    offered = [*(float(f"{value:.2g}") for value in near), *SUGGESTED]
    return next(value for value in offered if value not in present)
