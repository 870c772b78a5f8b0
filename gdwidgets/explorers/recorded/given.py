"""What can be given to be shown: losses and trajectories, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import checks

Array = NDArray[np.float64]


def as_losses(value: Any, name: str) -> Array:
    """Losses (n,) of any shape and container, in order; inf and NaN are losses too.

    Raises
    ------
    ValueError
        When they are not numbers.
    """
    return checks.float64_array(value, name).ravel()


def as_trajectory(value: Any, name: str) -> Array:
    """Points (n, 2), n at least 1; a diverged one may hold inf and NaN.

    Raises
    ------
    ValueError
        When it is no sequence of pairs.
    """
    points = checks.float64_array(value, name)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(
            f"{name} must be at least one pair (u, v), got shape {tuple(points.shape)}"
        )
    return points
