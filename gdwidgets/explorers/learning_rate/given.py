"""What a learning-rate explorer is given, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from traitlets import TraitError

from gdwidgets.core import own_torch_state
from gdwidgets.core.checks import finite_float32, shown
from gdwidgets.core.objectives.regression import HIGHEST_DEGREE
from gdwidgets.ui import checks
from gdwidgets.ui.playback.cursor import MOST_STEPS
from gdwidgets.ui.plots import palette

Rates = tuple[float, ...]
Schedule = tuple[tuple[int, Rates], ...]

RATES = (1.0, 0.1, 0.01, 0.001)
"""The course's learning rates."""

SUGGESTED = (0.19, 0.21, 0.3, 0.03, 0.003, 0.0003, 3.0, 0.05, 0.005)
"""Rates for a new lane; those next to the limit come first where the data set one."""

HIGHEST_RATE = 1e6
MOST_PAIRS = 1_000_000


def data(value: Any, name: str) -> tuple[float, ...] | None:
    """Numbers of one side of the data as a tuple, rounded to float32; ``None`` stays.

    Raises
    ------
    ValueError
        When they are not a one-dimensional sequence of finite numbers.
    """
    if value is None:
        return None
    with own_torch_state():
        numbers = finite_float32(value, name)
    if numbers.ndim != 1 or not 1 <= len(numbers) <= MOST_PAIRS:
        raise ValueError(
            f"{name} must be a one-dimensional sequence of 1 to {MOST_PAIRS:,} numbers, "
            f"got shape {tuple(numbers.shape)}"
        )
    return tuple(numbers.tolist())


def batch_size(value: Any) -> int | None:
    """A number of pairs, or ``None`` for all; raises ``TraitError`` when it is neither."""
    return None if value is None else checks.whole(value, "batch_size", 1, MOST_PAIRS)


def both(x: Rates | None, y: Rates | None) -> tuple[Rates, Rates] | None:
    """Return x and y, or ``None`` when both are; raises ``ValueError`` when one is missing."""
    if x is None and y is None:
        return None
    if x is None or y is None:
        missing = "x" if x is None else "y"
        raise ValueError(f"x and y must be given together: {missing} is missing")
    return x, y


def degree(value: Any) -> int:
    """A degree; raises ``TraitError`` when it is none."""
    return checks.whole(value, "degree", 0, HIGHEST_DEGREE)


def rates(value: Any) -> Rates:
    """Learning rates, one per lane; a single number is one lane.

    Raises
    ------
    TraitError
        When there are none, more than eight, or one that is no acceptable learning rate.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (int, float)):
        value = (value,)
    most = len(palette.LANES)
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TraitError(f"learning_rates must be 1 to {most} numbers, not {shown(value)}")
    if not 1 <= len(value) <= most:
        raise TraitError(f"learning_rates must be 1 to {most} numbers, not {len(value)} of them")
    return tuple(_rate(item) for item in value)


def _rate(value: Any) -> float:
    rate = checks.real(value, "learning rate", above=0)
    if not 1e-30 <= rate <= HIGHEST_RATE:
        raise TraitError(f"learning rate must be from 1e-30 to {HIGHEST_RATE:,.0f}, not {rate:g}")
    return rate


def schedule(value: Any) -> Schedule:
    """Earlier learning rates: pairs (step, rates) with rising steps.

    Raises
    ------
    TraitError
        When the value is no such sequence.
    """
    problem = TraitError(
        "schedule must be pairs (step, learning rates) with rising steps, such as "
        f"((1000, (0.1, 0.01)),), not {shown(value)}"
    )
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise problem
    made = []
    for part in value:
        if isinstance(part, (str, bytes)) or not isinstance(part, Sequence) or len(part) != 2:
            raise problem
        made.append((checks.whole(part[0], "a schedule's step", 1, MOST_STEPS), rates(part[1])))
    steps = [step for step, _ in made]
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
    for step, part in earlier:
        if len(part) != len(last):
            raise ValueError(
                f"every part of the schedule must have {len(last)} learning rates, as "
                f"learning_rates has, not {len(part)}"
            )
        if step >= max_steps:
            raise ValueError(
                f"the schedule changes rates at step {step}, but the run ends at {max_steps}"
            )
    return (*earlier, (max_steps, last))


def continued(earlier: Schedule, last: Rates, k: int) -> Schedule:
    """The earlier part of a schedule that is changed at step ``k``, whatever came after it."""
    in_force = next((part for until, part in earlier if k < until), last)
    kept = tuple(part for part in earlier if part[0] <= k)
    return kept if kept and kept[-1][0] == k else (*kept, (k, in_force))


def check_lane(lane: int, lanes: int) -> None:
    """Raise ``ValueError`` when there is no such lane."""
    if lane >= lanes:
        raise ValueError(f"lane must be a whole number from 0 to {lanes - 1}, not {lane}")
