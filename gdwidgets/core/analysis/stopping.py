"""What remains when a run is stopped because its loss hardly changes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gdwidgets.core import checks

_CHANGES = 10
"""Changes of the loss whose mean ratio is taken."""

_EPS = float(np.finfo(np.float32).eps)


def remaining_loss(losses: Any) -> float | None:
    """How far the last loss lies above the loss that the run approaches, from its last changes.

    Near a minimum the changes of the loss shrink by a constant ratio r, so all that would still
    follow add up to change · r/(1 − r) (a geometric series; Aitken's Δ² process, 1926). For the
    loss of the slowest direction r = (1 − γ λ)²: at small rates far more remains than the last
    change, and a tolerance on the change says little about the distance from the minimum.

    Parameters
    ----------
    losses
        The losses of consecutive records, three or more. The ratio is the mean one of the last ten
        changes, as far as each is a smaller fall than the one before: one quotient of two float32
        changes is little but rounding where r is near 1.

    Returns
    -------
    float or None
        ``None`` where the last change is not a smaller fall than the one before, so that the run
        does not approach a loss in this way, and where float32 losses are too coarse to tell r
        from 1.

    Raises
    ------
    ValueError
        When there are fewer than three losses.
    """
    array = checks.float64_array(losses, "losses")
    if array.ndim != 1 or len(array) < 3:
        raise ValueError(f"losses must be at least three numbers, got {checks.shown(losses)}")
    changes = np.diff(array[-_CHANGES - 1 :])
    falling = 1
    while falling < len(changes) and changes[-falling - 1] <= changes[-falling] < 0:
        falling += 1
    last, first = float(changes[-1]), float(changes[-falling])
    if falling < 2 or not (math.isfinite(first) and first < last):
        return None
    ratio = (last / first) ** (1 / (falling - 1))
    rounding = 2 * _EPS * float(np.abs(array[-_CHANGES - 1 :]).max())
    if rounding / -last / (falling - 1) > 0.05 * (1 - ratio):
        return None
    return float(-last * ratio / (1 - ratio))
