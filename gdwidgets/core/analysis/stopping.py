"""What remains when a run is stopped because its loss hardly changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from gdwidgets.core import checks


def remaining_loss(losses: Any) -> float | None:
    """How far the last loss lies above the loss that the run approaches, from its last three.

    Near a minimum the changes of the loss shrink by a constant ratio r, so all that would still
    follow add up to change · r/(1 − r) (a geometric series; Aitken's Δ² process, 1926). For the
    loss of the slowest direction r = (1 − γ λ)²: at small rates far more remains than the last
    change, and a tolerance on the change says little about the distance from the minimum.

    Parameters
    ----------
    losses
        The losses of consecutive records, three or more; the last three count.

    Returns
    -------
    float or None
        ``None`` where the last two changes are not falls of which the second is the smaller one:
        the run does not approach a loss in this way.

    Raises
    ------
    ValueError
        When there are fewer than three losses.
    """
    array = checks.float64_array(losses, "losses")
    if array.ndim != 1 or len(array) < 3:
        raise ValueError(f"losses must be at least three numbers, got {checks.shown(losses)}")
    first, second = np.diff(array[-3:])
    if not (np.isfinite([first, second]).all() and first < second < 0):
        return None
    ratio = float(second / first)
    return -float(second) * ratio / (1 - ratio)
