"""Executing a script and reading the plain variables it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.scripts.descent import lane_names


@dataclass(frozen=True)
class Left:
    """What a script leaves of one lane."""

    parameters: list[float]
    losses: list[float]
    updates: int


def execute(text: str, **given: Any) -> dict[str, Any]:
    """Run a script in a namespace of its own that holds ``given``."""
    namespace: dict[str, Any] = {"__name__": "script", **given}
    exec(compile(text, "script", "exec"), namespace)
    return namespace


def left_by(namespace: dict[str, Any], descent: Any) -> list[Left]:
    """What the script of a descent has left, lane by lane."""
    if isinstance(descent.objective, MicroBatches):
        names: tuple[str, ...] = ("in_parts", "at_once")
    else:
        names = lane_names(descent)
    if descent.lanes == 1:
        values = [namespace[name].item() for name in descent.objective.parameter_names]
        found = [(*values, namespace["losses"])]
    else:
        found = [namespace[name] for name in names]
    return [_left(values, namespace.get("loss_tol")) for values in found]


def _left(values: tuple[Any, ...], loss_tol: float | None) -> Left:
    *parameters, losses = values
    tail = losses[-2:]
    stopped = loss_tol is not None and len(tail) == 2 and abs(tail[1] - tail[0]) < loss_tol
    return Left(parameters, losses, len(losses) - stopped)
