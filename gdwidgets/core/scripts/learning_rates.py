"""Learning rates as source text: numbers, named schedules, a user's own, and their changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gdwidgets.core import checks
from gdwidgets.core.rules.schedules import (
    SMALLEST,
    ConstantRate,
    Cosine,
    Exponential,
    InverseTime,
    Schedule,
    StepDecay,
    WarmUp,
)
from gdwidgets.core.scripts.carried import Carried, carried


@dataclass(frozen=True)
class WrittenRate:
    """The learning rate of one lane."""

    first: str
    """The number of the first step."""
    in_loop: tuple[str, ...]
    """Lines of the loop that set ``learning_rate``; none where it stays."""
    carried: tuple[Carried, ...]
    """What these lines call."""
    imports: tuple[str, ...] = ()
    """What they import."""


def written_rate(
    since: Sequence[tuple[int, Schedule]],
    steps: int,
    after_change: Sequence[str],
    taken: AbstractSet[str],
) -> WrittenRate:
    """How a lane's learning rate is written.

    Parameters
    ----------
    since
        Pairs (k, schedule): the update from record k is the first under the schedule.
    steps
        Updates of the script.
    after_change
        Lines that must follow where ``learning_rate`` has got another value.
    taken
        Names that the rest of the script defines.

    Raises
    ------
    ValueError
        When a schedule of a user's own has no source.
    """
    pairs = [(k, schedule) for k, schedule in since if k < steps]
    first = repr(float(pairs[0][1](pairs[0][0])))
    if all(isinstance(schedule, ConstantRate) for _, schedule in pairs):
        lines = []
        for k, schedule in pairs[1:]:
            lines += [f"if step == {k + 1}:", f"    learning_rate = {float(schedule(k))!r}"]
            lines += [f"    {line}" for line in after_change]
        return WrittenRate(first, tuple(lines), ())
    segments = [_segment(schedule, steps, taken) for _, schedule in pairs]
    found = tuple(made for _, made in segments if made is not None)
    if len(segments) == 1:
        lines = list(segments[0][0])
    else:
        lines = []
        for i, (text, _) in enumerate(segments):
            last = i == len(segments) - 1
            head = "else:" if last else f"{'el' if i else ''}if step <= {pairs[i + 1][0]}:"
            lines += [head, *(f"    {line}" for line in text)]
    imports = ("import math",) if any("math." in line for line in lines) else ()
    return WrittenRate(first, (*lines, *after_change), found, imports)


def _segment(
    schedule: Schedule, steps: int, taken: AbstractSet[str]
) -> tuple[tuple[str, ...], Carried | None]:
    """The lines that set a schedule's learning rate, and what they call."""
    writer = WRITERS.get(type(schedule))
    if writer is None:
        made = carried(schedule, "schedule", taken)
        if made is None:
            raise ValueError(
                "no script: the source of the learning rate's schedule cannot be had, or it refers "
                "to something that cannot be written down; use a named schedule such as "
                f"Exponential, or define it with def or lambda, got {checks.shown(schedule)}"
            )
        return (f"learning_rate = {made.called}(step - 1)",), made
    *before, rate = writer(schedule)
    if min(schedule(0), schedule(max(steps - 1, 0))) <= SMALLEST:
        rate = f"max({rate}, {SMALLEST!r})"
    return (*before, f"learning_rate = {rate}"), None


def _constant(schedule: ConstantRate) -> list[str]:
    return [repr(schedule.start)]


def _step_decay(schedule: StepDecay) -> list[str]:
    return [f"{schedule.start!r} * {schedule.factor!r} ** ((step - 1) // {schedule.every})"]


def _exponential(schedule: Exponential) -> list[str]:
    return [f"{schedule.start!r} * {schedule.factor!r} ** (step - 1)"]


def _cosine(schedule: Cosine) -> list[str]:
    wave = f"wave = (1 + math.cos(math.pi * min((step - 1) / {schedule.steps}, 1))) / 2"
    return [wave, f"{schedule.start!r} * ({schedule.end!r} + (1 - {schedule.end!r}) * wave)"]


def _inverse_time(schedule: InverseTime) -> list[str]:
    return [f"{schedule.start!r} / (1 + {schedule.decay!r} * (step - 1))"]


def _warm_up(schedule: WarmUp) -> list[str]:
    return [f"{schedule.start!r} * min(1.0, step / {schedule.steps})"]


WRITERS: Mapping[type, Callable[[Any], list[str]]] = MappingProxyType(
    {
        ConstantRate: _constant,
        StepDecay: _step_decay,
        Exponential: _exponential,
        Cosine: _cosine,
        InverseTime: _inverse_time,
        WarmUp: _warm_up,
    }
)
"""The function that writes the schedules of a type: lines, the last of them the rate's."""
