"""A finding: one thing that a loop does, for the student who wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

ORDER = (
    "lost_leaf",
    "in_place",
    "backward_twice",
    "no_gradient",
    "cleared_before_update",
    "nothing_recorded",
    "other_parameters",
    "interrupted",
    "uphill",
    "swapped",
    "not_updated",
    "rate_not_applied",
    "stale_gradient",
    "not_cleared",
    "cleared_every_n",
    "off_by_one",
    "cleared",
    "other_loss",
    "sum_not_mean",
    "scaled_gradient",
    "other_gradient",
    "unknown_rule",
    "several_passes",
    "pass_without_update",
    "other_rate",
    "other_start",
    "other_stop",
    "other_length",
    "agrees",
    "updated_every_n",
    "diverged",
    "momentum",
    "nesterov",
    "rmsprop",
    "adam",
    "adamw",
    "adagrad",
    "schedule",
    "clipped",
    "normalised",
    "sign_descent",
    "weight_decay",
    "plain_descent",
    "values_not_kept",
)
"""Names of all findings, the most important first."""

NO_MISTAKES = frozenset(
    {
        "agrees",
        "plain_descent",
        "momentum",
        "nesterov",
        "rmsprop",
        "adam",
        "adamw",
        "adagrad",
        "schedule",
        "clipped",
        "normalised",
        "sign_descent",
        "weight_decay",
        "updated_every_n",
        "several_passes",
        "pass_without_update",
        "values_not_kept",
    }
)
"""Findings that say what a loop does, and nothing against it."""


@dataclass(frozen=True)
class Finding:
    """One thing that a loop does."""

    name: str
    """One of `ORDER`."""

    sentence: str
    """*What* it is, for the student."""

    step: int = 0
    """The record where it shows first."""

    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Numbers behind it, by name."""

    where: str = ""
    """*Where* to look, without saying for what."""

    why: str = ""
    """*Why* it happens, and what would mend it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "evidence", MappingProxyType(dict(self.evidence)))

    @property
    def is_mistake(self) -> bool:
        """Whether it is something against the loop: neither what it does, nor the reference's."""
        return self.name not in NO_MISTAKES and not self.evidence.get("as_reference", False)

    def __hash__(self) -> int:
        return hash((self.name, self.sentence, self.step))


def sorted_findings(findings: list[Finding]) -> tuple[Finding, ...]:
    """The most important first; of equals the earlier in the loop."""
    return tuple(sorted(findings, key=lambda one: (ORDER.index(one.name), one.step)))


def number(value: float, digits: int = 4) -> str:
    """A number in a sentence: at most ``digits`` significant digits, a true minus sign."""
    value = float(value)
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "inf" if value > 0 else "−inf"
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, _, power = text.partition("e")
        text = f"{mantissa}e{int(power)}"
    elif value == int(value) and abs(value) >= 10_000:
        text = f"{int(value):,}"
    return text.replace("-", "−")


def point(values: Any) -> str:
    """A point in a sentence: (1, 1)."""
    numbers = [number(value) for value in np.ravel(values)]
    return f"({', '.join(numbers)})" if len(numbers) > 1 else numbers[0]


def apart(value: float, other: float, digits: int = 4) -> tuple[str, str]:
    """Two numbers in a sentence, with as many digits as are needed to tell them apart."""
    return points_apart([value], [other], digits)


def points_apart(one: Any, other: Any, digits: int = 4) -> tuple[str, str]:
    """Two points in a sentence, each pair of numbers told apart as by `apart`."""
    pairs = []
    for a, b in zip(np.ravel(one), np.ravel(other), strict=True):
        enough = (n for n in range(digits, 18) if number(a, n) != number(b, n))
        n = digits if float(a) == float(b) else next(enough, 17)
        pairs.append((number(a, n), number(b, n)))
    texts = [", ".join(side) for side in zip(*pairs, strict=True)]
    first, second = (f"({text})" if len(pairs) > 1 else text for text in texts)
    return first, second


def listed(names: Any) -> str:
    """Names in a sentence: u; u and v; a, b and c."""
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def steps_text(count: int, what: str = "step") -> str:
    """1 step, 2 steps, 4,000 steps."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def nth(n: int) -> str:
    """2nd, 3rd, 4th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(n % 10 if n % 100 // 10 != 1 else 0, "th")
    return f"{n}{ending}"


def roundest(low: float, high: float) -> float:
    """The number of fewest significant digits from ``low`` to ``high``."""
    middle = (low + high) / 2
    for digits in range(1, 10):
        near = float(f"{middle:.{digits - 1}e}")
        if low <= near <= high:
            return near
    return middle
