"""Descents whose gradients accumulate, and the mathematics of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.rules.wrappers import EveryNth


def micro_batch_descent(
    objective: MicroBatches, start: Any, learning_rate: float, max_steps: int
) -> Descent:
    """A descent of both lanes: in parts, and at once; a step is one part.

    Raises
    ------
    ValueError
        When a setting does not fit.
    """
    n = objective.parts
    return Descent(
        objective,
        start=[tuple(start)] * 2,
        learning_rate=learning_rate,
        rule=EveryNth(n),
        clear_every=n,
        max_steps=max_steps,
    )


def largest_difference(descent: Descent, k: int) -> float:
    """How far the two lanes are apart at most in the records up to k, in any parameter."""
    params = descent.params[: k + 1].astype(np.float64)
    return float(np.abs(params[:, 0] - params[:, 1]).max())
