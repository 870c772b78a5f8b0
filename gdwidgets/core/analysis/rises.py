"""Which updates raised the loss, by more than float32 rounds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gdwidgets.core import checks
from gdwidgets.core.objectives.protocol import Objective
from gdwidgets.core.session import own_torch_state

_EPS = float(np.finfo(np.float32).eps)

ROUNDING = 4 * _EPS
"""A change up to this part of a number is rounding, whatever it was computed from."""

MOST_POINTS = 65536
"""Points that are evaluated at once."""


def raised(objective: Objective, points: Any, losses: Any) -> NDArray[np.bool_]:
    """Which updates raised the loss.

    Float32 rounds every term of a loss, so near a minimum its last digits go up and down along a
    path that only goes down. A recorded rise counts where it is more than `ROUNDING` of the loss,
    and where at least half of it is still there when the losses at the recorded points are
    computed in float64.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P). One that does not take float64 is judged by `ROUNDING`
        alone.
    points
        The points of consecutive records, (K, P).
    losses
        Their recorded losses, (K,).

    Returns
    -------
    array
        bool (K − 1,), for each update from one record to the next.

    Raises
    ------
    ValueError
        When there is not one loss for each point.
    """
    places = checks.float64_array(points, "points")
    seen = checks.float64_array(losses, "losses")
    if places.ndim != 2 or seen.shape != places.shape[:1]:
        raise ValueError(f"losses must be one for each point, got {seen.shape} for {places.shape}")
    with np.errstate(all="ignore"):
        rises = np.diff(seen)
        counts: NDArray[np.bool_] = rises > ROUNDING * np.maximum(
            np.abs(seen[1:]), np.abs(seen[:-1])
        )
        if not counts.any():
            return counts
        exact = _exact(objective, places)
        return counts if exact is None else counts & (np.diff(exact) > rises / 2)


def _exact(objective: Objective, places: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Losses in float64, (K,); ``None`` where the objective does not take it."""
    parts = []
    with own_torch_state(), torch.no_grad():
        for first in range(0, len(places), MOST_POINTS):
            part = torch.from_numpy(places[first : first + MOST_POINTS].copy())
            try:
                losses = objective(part)
            except Exception:  # noqa: BLE001 - whatever a user's function says to this precision
                return None
            if losses.dtype is not torch.float64 or losses.shape != part.shape[:1]:
                return None
            parts.append(losses.numpy())
    return np.concatenate(parts)
