"""gdwidgets without the widgets: descents, objectives, surfaces, rules. Needs torch and numpy only.

A `Descent` runs gradient descent on an objective and records every step; everything the explorers
draw is read from it.
"""

from __future__ import annotations

from gdwidgets.core.analysis import condition_number, hessian, learning_rate_limit
from gdwidgets.core.basin import DIVERGED, UNSETTLED, BasinMap, BasinSearch, basins
from gdwidgets.core.batches import MiniBatches
from gdwidgets.core.data import initial_parameters, training_pairs
from gdwidgets.core.descent import Descent
from gdwidgets.core.objectives import LinearNeuron, Objective, PolynomialRegression
from gdwidgets.core.rules import (
    RULES,
    Adam,
    GradientDescent,
    Momentum,
    Nesterov,
    PerLane,
    RMSprop,
    Rule,
    as_rule,
)
from gdwidgets.core.session import own_torch_state
from gdwidgets.core.surfaces import SURFACES, Surface

__all__ = [
    "DIVERGED",
    "RULES",
    "SURFACES",
    "UNSETTLED",
    "Adam",
    "BasinMap",
    "BasinSearch",
    "Descent",
    "GradientDescent",
    "LinearNeuron",
    "MiniBatches",
    "Momentum",
    "Nesterov",
    "Objective",
    "PerLane",
    "PolynomialRegression",
    "RMSprop",
    "Rule",
    "Surface",
    "as_rule",
    "basins",
    "condition_number",
    "hessian",
    "initial_parameters",
    "learning_rate_limit",
    "own_torch_state",
    "training_pairs",
]
