"""gdwidgets without the widgets: descents, objectives, surfaces, rules. Needs torch and numpy only.

A `Descent` runs gradient descent on an objective and records every step; everything the explorers
draw is read from it.
"""

from __future__ import annotations

from gdwidgets.core.analysis.basins import (
    DIVERGED,
    NOT_CONVERGED,
    BasinMap,
    BasinSearch,
    basins,
)
from gdwidgets.core.analysis.curvature import condition_number, hessian, learning_rate_limit
from gdwidgets.core.data import initial_parameters, training_pairs
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.diagnosis.diagnose import diagnose
from gdwidgets.core.diagnosis.findings import Finding
from gdwidgets.core.diagnosis.records import LoopRecord, Reference
from gdwidgets.core.objectives.batches import MiniBatches
from gdwidgets.core.objectives.named_surfaces import SURFACES
from gdwidgets.core.objectives.neuron import LinearNeuron
from gdwidgets.core.objectives.protocol import Objective
from gdwidgets.core.objectives.regression import PolynomialRegression
from gdwidgets.core.objectives.surface import Surface
from gdwidgets.core.rules.adaptive import Adam, RMSprop
from gdwidgets.core.rules.momentum import GradientDescent, Momentum, Nesterov
from gdwidgets.core.rules.names import RULES, as_rule
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.rules.schedules import (
    SCHEDULES,
    ConstantRate,
    Cosine,
    Exponential,
    InverseTime,
    StepDecay,
    WarmUp,
)
from gdwidgets.core.rules.torch_optim import OptimizerRule
from gdwidgets.core.rules.wrappers import PerLane
from gdwidgets.core.session import own_torch_state
from gdwidgets.core.watching.run import WatchedRun
from gdwidgets.core.watching.watch import Watch, watch

__all__ = [
    "DIVERGED",
    "NOT_CONVERGED",
    "RULES",
    "SCHEDULES",
    "SURFACES",
    "Adam",
    "BasinMap",
    "BasinSearch",
    "ConstantRate",
    "Cosine",
    "Descent",
    "Exponential",
    "Finding",
    "GradientDescent",
    "InverseTime",
    "LinearNeuron",
    "LoopRecord",
    "MiniBatches",
    "Momentum",
    "Nesterov",
    "Objective",
    "OptimizerRule",
    "PerLane",
    "PolynomialRegression",
    "RMSprop",
    "Reference",
    "Rule",
    "StepDecay",
    "Surface",
    "WarmUp",
    "Watch",
    "WatchedRun",
    "as_rule",
    "basins",
    "condition_number",
    "diagnose",
    "hessian",
    "initial_parameters",
    "learning_rate_limit",
    "own_torch_state",
    "training_pairs",
    "watch",
]
