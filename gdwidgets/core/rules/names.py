"""The update rules by name, and whatever else may be given as a rule."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gdwidgets.core import checks
from gdwidgets.core.rules.adaptive import Adam, RMSprop
from gdwidgets.core.rules.momentum import GradientDescent, Momentum, Nesterov
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.rules.wrappers import PerLane

RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.name: rule for rule in (GradientDescent(), Momentum(), Nesterov(), RMSprop(), Adam())}
)
"""The update rules with torch's constants (momentum 0.9), by name."""


def as_rule(rule: str | Rule | Sequence[str | Rule]) -> Rule:
    """The rule for a name, a rule object, or one of these per lane.

    Raises
    ------
    ValueError
        When it is none of these; for an unknown name, names the nearest.
    """
    if isinstance(rule, str):
        if rule in RULES:
            return RULES[rule]
        near = difflib.get_close_matches(rule.lower(), RULES, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        names = ", ".join(map(repr, RULES))
        raise ValueError(f"unknown update rule {checks.shown(rule)}{hint} Known: {names}")
    if isinstance(rule, (list, tuple)):
        if not rule:
            raise ValueError("rule must name at least one update rule, got none")
        return PerLane(tuple(as_rule(one) for one in rule))
    return _checked(rule)


def _checked(rule: Any) -> Rule:
    if isinstance(rule, type) or not isinstance(rule, Rule):
        raise ValueError(
            f"rule must be one of {', '.join(map(repr, RULES))}, a rule object such as "
            f"Momentum(beta=0.5), or a list of these, one per lane; got {checks.shown(rule)}"
        )
    return rule
