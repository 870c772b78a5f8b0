"""What can be chosen for a surface explorer, checked, and what a surface brings along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from traitlets import TraitError

from gdwidgets.core import SURFACES, Surface
from gdwidgets.explorers.surface import text as words
from gdwidgets.ui import checks
from gdwidgets.ui.plots import palette

Point = tuple[float, float]


def as_surface(surface: Any, bounds: Any, minima: Sequence[Point], name: str) -> Surface:
    """Return a surface of a name, a ``Surface`` or a callable.

    Raises
    ------
    TraitError, ValueError
        When there is no such surface, or the callable is none.
    """
    if isinstance(surface, str):
        return SURFACES[checks.one_of(surface, "surface", SURFACES)]
    if isinstance(surface, Surface):
        return surface
    if not callable(surface):
        raise TraitError(
            f"surface must be a name, a Surface or a callable of two tensors, not {surface!r}"
        )
    if bounds is None:
        raise TraitError(
            "a function of your own needs bounds, such as bounds=((-2, 2), (-1, 3)): "
            "the part of the plane that the map shows"
        )
    return Surface(surface, bounds, minima, name or getattr(surface, "__name__", "your function"))


def as_kept_starts(value: Any) -> tuple[Point, ...]:
    """Return kept starts as a tuple of different pairs.

    Raises
    ------
    TraitError
        When one is not two finite numbers, or there are more than seven.
    """
    points = [checks.point(point, "a kept start") for point in value]
    if len(points) >= len(palette.LANES):
        raise TraitError(f"at most {len(palette.LANES) - 1} starts can be kept")
    return tuple(dict.fromkeys((u, v) for u, v in points))


def as_tolerance(value: Any) -> float | None:
    """Return a stopping tolerance: a number above 0, or ``None`` for never.

    Raises
    ------
    TraitError
        When it is neither.
    """
    return None if value is None else checks.real(value, "loss_tol", above=0)


def default_settings(surface: Surface) -> dict[str, Any]:
    """Start, learning rate and loss axis that show something on a surface.

    Where the surface names none, the start is a quarter into the map and the learning rate half
    of the largest that is stable there, or 0.01 where nothing limits it.
    """
    (u0, u1), (v0, v1) = surface.bounds
    start = surface.start or (u0 + 0.25 * (u1 - u0), v0 + 0.25 * (v1 - v0))
    rate = surface.learning_rate
    if rate is None:
        limit, _ = words.limit_here(surface, np.array(start, np.float32))
        rate = float(f"{min(0.5 * limit, 0.01):.1g}")
    return {"start": start, "learning_rate": rate, "loss_log": bool(surface.minima)}


def least_value(surface: Surface) -> float | None:
    """The least value at a surface's known minima, where it has any."""
    return float(surface.values(surface.minima).min()) if surface.minima else None


def loss_floor(surface: Surface) -> float:
    """What is taken off a logarithmic loss axis: the least value, 0 where it is 0 to rounding."""
    least = least_value(surface)
    return 0.0 if least is None or abs(least) <= 1e-5 else least
