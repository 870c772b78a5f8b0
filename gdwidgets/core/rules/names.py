"""The update rules by name, and whatever else may be given as a rule."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch.optim import Optimizer

from gdwidgets.core import checks
from gdwidgets.core.rules.adaptive import Adam, RMSprop
from gdwidgets.core.rules.momentum import GradientDescent, Momentum, Nesterov
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.rules.torch_optim import OptimizerRule
from gdwidgets.core.rules.wrappers import PerLane

NamedRule = GradientDescent | Momentum | Nesterov | RMSprop | Adam

RULES: Mapping[str, NamedRule] = MappingProxyType(
    {rule.name: rule for rule in (GradientDescent(), Momentum(), Nesterov(), RMSprop(), Adam())}
)
"""The update rules with torch's constants (momentum 0.9), by name."""


def as_rule(rule: Any) -> Rule:
    """The rule for whatever may be given as one.

    Parameters
    ----------
    rule
        A name from `RULES`; a rule object; a class of ``torch.optim`` or a function of parameter
        groups that makes an optimizer, see `OptimizerRule`; or a list of these, one per lane.

    Raises
    ------
    ValueError
        When it is none of these; for an unknown name, names the nearest.
    """
    if isinstance(rule, str):
        return RULES[checks.one_of(rule, "rule", RULES)]
    several = checks.items(rule)
    if several is not None:
        if not several:
            raise ValueError("rule must name at least one update rule, got none")
        return PerLane(tuple(as_rule(one) for one in several))
    if isinstance(rule, type):
        if issubclass(rule, Optimizer):
            return OptimizerRule(rule)
    elif isinstance(rule, Optimizer):
        raise ValueError(
            f"rule must be the class, torch.optim.{type(rule).__name__}, or a function of "
            "parameter groups that makes the optimizer, got an optimizer of other parameters"
        )
    elif checks.fits(rule, Rule):
        found: Rule = rule
        return found
    elif callable(rule):
        return OptimizerRule(rule)
    raise ValueError(
        f"rule must be one of {', '.join(map(repr, RULES))}, a rule object such as "
        "Momentum(beta=0.5), a torch.optim class, or a list of these, one per lane; "
        f"got {checks.shown(rule)}"
    )
