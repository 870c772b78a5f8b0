"""The descent of several learning rates: checked where it begins, and through earlier rates."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np

from gdwidgets.core import Descent, Rule, checks
from gdwidgets.core.rules.schedules import NamedSchedule
from gdwidgets.explorers.learning_rate import given


def scheduled(rates: given.Rates, schedule: NamedSchedule | None) -> list[Any]:
    """Learning rates as numbers, or as schedules that begin at them."""
    if schedule is None:
        return list(rates)
    return [dataclasses.replace(schedule, start=rate) for rate in rates]


def new_descent(
    objective: Any,
    init: Any,
    parts: given.Schedule,
    schedule: NamedSchedule | None,
    *,
    rule: Rule,
    max_steps: int,
) -> Descent:
    """A descent with a lane for each rate, whose rates change on the way; nothing is computed yet.

    Parameters
    ----------
    objective, init, rule, max_steps
        As of `Descent`; one start for all lanes.
    parts
        Pairs (step, rates): those in force until that step, in order.
    schedule
        How every rate changes besides; ``None`` for constant ones.

    Raises
    ------
    ValueError
        When the loss or its gradient is not finite at ``init``.
    """
    descent = Descent(
        objective, init, scheduled(parts[0][1], schedule), rule=rule, max_steps=max_steps
    )
    if not np.isfinite(descent.loss[0]).all() or not np.isfinite(descent.grad[0]).all():
        raise ValueError(
            "init must be coefficients at which the loss and its gradient are finite in "
            f"float32, got {checks.shown(tuple(init))}"
        )
    for (until, _), (_, rates) in pairwise(parts):
        descent.change_at(until, scheduled(rates, schedule))
    return descent
