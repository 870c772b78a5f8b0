"""How far rules go whose updates do not grow with the gradient: RMSprop and Adam.

With a gradient g that stays the same, every update depends on the sign of g alone. Kingma and Ba,
"Adam", 2015, section 2.1; Tieleman and Hinton, "Lecture 6.5, rmsprop", 2012.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.rules.adaptive import Adam, RMSprop

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


def first_update(rule: Adam | RMSprop, gradient: Any, learning_rate: float) -> FloatArray:
    """What the first update subtracts: Adam γ sgn(g), RMSprop γ/√(1 − α) sgn(g).

    Both divide g by the root of its own square, so its size cancels. Exactly, with the rule's ε:
    Adam γ g/(∣g∣ + ε), RMSprop γ g/(√(1 − α) ∣g∣ + ε).

    Parameters
    ----------
    rule
        The rule with its constants.
    gradient
        Any shape.
    learning_rate
        γ, greater than 0.

    Returns
    -------
    array
        float64, of the gradient's shape.
    """
    g = checks.float64_array(gradient, "gradient")
    rate = checks.positive(learning_rate, "learning_rate")
    shrink = math.sqrt(1 - rule.alpha) if isinstance(rule, RMSprop) else 1.0
    update: FloatArray = rate * g / (shrink * np.abs(g) + rule.eps)
    return update


def reach(rule: Adam | RMSprop, learning_rate: float, updates: int) -> float:
    """How far each parameter gets in N updates under a constant gradient.

    Adam: N γ, since both means are those of a constant. RMSprop: γ Σ 1/√(1 − αᵗ), t = 1 … N, which
    begins with steps of γ/√(1 − α) and ends with steps of γ. A minimum much farther away than
    this is not reached, however large the gradients are.

    Parameters
    ----------
    rule
        The rule with its constants; ε is taken to be small beside the gradient.
    learning_rate
        γ, greater than 0.
    updates
        N, at least 0.
    """
    rate = checks.positive(learning_rate, "learning_rate")
    count = checks.integer(updates, "updates", 0, checks.MOST_STEPS)
    if isinstance(rule, Adam):
        return count * rate
    t = np.arange(1, count + 1)
    return rate * float((1 / np.sqrt(1 - rule.alpha**t)).sum())
