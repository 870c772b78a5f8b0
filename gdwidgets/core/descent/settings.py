"""What `Descent` is given, checked and brought into one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.descent.rates import Rates, given_rates
from gdwidgets.core.objectives.protocol import Objective, parameter_names
from gdwidgets.core.rules.names import as_rule
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.rules.wrappers import PerLane


@dataclass(frozen=True)
class Settings:
    """Checked settings of L lanes."""

    objective: Objective
    start: Tensor
    """float32 (L, P)."""
    rates: Rates
    """One schedule per lane."""
    rule: Rule
    clear_every: tuple[int | None, ...]
    loss_tol: float | None
    max_steps: int


def given_settings(
    objective: Any,
    start: Any,
    learning_rate: Any,
    *,
    rule: Any,
    clear_every: Any,
    loss_tol: Any,
    max_steps: Any,
) -> Settings:
    """Check every setting; ``ValueError`` says what was given and what is accepted."""
    starts = _starts(start, parameter_names(objective))
    rates = given_rates(learning_rate)
    rule = as_rule(rule)
    clear = _clear_every(clear_every)
    counts = {
        "start": len(starts),
        "learning_rate": len(rates),
        "rule": len(rule.rules) if isinstance(rule, PerLane) else 1,
        "clear_every": len(clear),
    }
    lanes = max(counts.values())
    for name, count in counts.items():
        if count not in {1, lanes}:
            raise ValueError(
                f"{name} must be one for all {lanes} lanes or one per lane, got {count}"
            )
    if isinstance(rule, PerLane) and len(rule.rules) < lanes:
        rule = rule.rules[0]
    return Settings(
        objective=objective,
        start=starts.expand(lanes, -1).clone(),
        rates=rates if len(rates) == lanes else Rates(rates.schedules * lanes),
        rule=rule,
        clear_every=clear if len(clear) == lanes else clear * lanes,
        loss_tol=None if loss_tol is None else checks.positive(loss_tol, "loss_tol"),
        max_steps=checks.integer(max_steps, "max_steps", 1, checks.MOST_STEPS),
    )


def _starts(start: Any, names: tuple[str, ...]) -> Tensor:
    tensor = checks.finite_float32(start, "start")
    if tensor.ndim == 1:
        tensor = tensor[None]
    if tensor.ndim != 2 or tensor.shape[1] != len(names) or not len(tensor):
        raise ValueError(
            f"start must be {len(names)} numbers ({', '.join(names)}) or one such row per lane, "
            f"got {checks.shown(start)}"
        )
    return tensor


def _clear_every(value: Any) -> tuple[int | None, ...]:
    several = checks.items(value)
    values = (value,) if several is None else tuple(several)
    if not values:
        raise ValueError(
            "clear_every must be a whole number or None, or one of these per lane, got none"
        )
    return tuple(None if n is None else checks.integer(n, "clear_every", 1) for n in values)
