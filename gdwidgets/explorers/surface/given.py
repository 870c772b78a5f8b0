"""What can be given to a surface explorer, checked, and what a surface brings along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from gdwidgets.core import RULES, SURFACES, Surface, as_rule, checks
from gdwidgets.core.analysis.curvature import RateLimits, rate_limits
from gdwidgets.core.descent.rates import given_rates
from gdwidgets.core.objectives.protocol import Objective, parameter_names
from gdwidgets.core.rules.protocol import same_rule

Point = tuple[float, float]

LAST_POINTS = 64
"""Points whose limits are remembered."""

MOST_STARTS = 8
"""Starts that can run at once, the present one included."""


def as_surface(surface: Any, bounds: Any, minima: Sequence[Point], name: str) -> Any:
    """What is to be descended: a named surface, a `Surface`, an objective, or one of a callable.

    Parameters
    ----------
    surface
        A name from ``SURFACES``, a `Surface`, or any callable of two tensors.
    bounds, minima, name
        Of a callable, as for `Surface`.

    Raises
    ------
    ValueError
        When it is none of these, or what a callable needs is given with a surface that has it;
        says what is accepted.
    """
    if isinstance(surface, str):
        surface = SURFACES[checks.one_of(surface, "surface", SURFACES)]
    if isinstance(surface, Surface):
        _refuse_given(surface, bounds, minima, name)
        return surface
    if not callable(surface):
        raise ValueError(
            "surface must be a name, a Surface or a callable of two tensors, got "
            f"{checks.shown(surface)}"
        )
    if checks.fits(surface, Objective) and len(parameter_names(surface)) == 2:
        return of_objective(surface, bounds, minima, name)
    if bounds is None:
        raise ValueError(
            "bounds must be given with a function of your own, such as bounds=((-2, 2), (-1, 3)): "
            "the part of the plane that the map shows; an explorer's surface can be set to "
            "Surface(function, bounds)"
        )
    title = name or getattr(surface, "__name__", "")
    return _named(surface, bounds, minima, title if title != "<lambda>" else "your function")


def _refuse_given(surface: Surface, bounds: Any, minima: Any, name: str) -> None:
    """Let nothing be given that a surface has already.

    Raises
    ------
    ValueError
        When something is; names it, and says how another one is made.
    """
    given = {"bounds": bounds is not None, "minima": checks.items(minima) != [], "name": bool(name)}
    setting = next((setting for setting, is_given in given.items() if is_given), None)
    if setting is not None:
        what = surface.name or "a Surface"
        raise ValueError(
            f"{setting} must be left out: {what} has its own. For others give a function, or "
            "Surface(function, bounds, minima, name)"
        )


def of_objective(objective: Any, bounds: Any, minima: Sequence[Point], name: str) -> Surface:
    """Any objective with two parameters as a surface; its own ``bounds`` serve unless others do.

    Raises
    ------
    ValueError
        When there are no bounds, or the objective is no function of two parameters.
    """
    import torch  # noqa: PLC0415 - only an objective of the user's own needs it here

    bounds = getattr(objective, "bounds", None) if bounds is None else bounds
    if bounds is None:
        raise ValueError("bounds must be given with an objective: the part that the map shows")

    def function(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        losses: torch.Tensor = objective(torch.stack((u.flatten(), v.flatten()), dim=-1))
        return losses.reshape(u.shape)

    title = name or getattr(objective, "name", "") or type(objective).__name__
    made = _named(function, bounds, minima or getattr(objective, "minima", ()), title)
    made.parameter_names = tuple(objective.parameter_names)
    return made


def _named(function: Any, bounds: Any, minima: Any, title: Any) -> Surface:
    """A surface; what is wrong with its function is said of the setting it was given for."""
    try:
        return Surface(function, bounds, minima, checks.text(title, "name"))
    except ValueError as problem:
        said = str(problem)
        if said.startswith("function"):
            raise ValueError(f"surface: {said}") from problem.__cause__
        raise


def as_learning_rate(value: Any, name: str) -> Any:
    """A positive number, or a schedule: a callable of the update's number, from 0.

    Raises
    ------
    ValueError
        When it is neither, or the schedule's first rate is no positive number.
    """
    if callable(value):
        given_rates(value)
        return value
    return checks.positive(value, name)


def as_update_rule(value: Any, name: str) -> Any:
    """A rule's name, or whatever `gdwidgets.core.as_rule` takes for one rule."""
    if isinstance(value, (list, tuple)):
        raise ValueError(f"{name} must be one update rule, got {checks.shown(value)}")
    rule = as_rule(value)
    named = RULES.get(rule.name)
    return rule.name if named is not None and same_rule(rule, named) else value


def as_kept_starts(value: Any, name: str) -> tuple[Point, ...]:
    """Kept starts as a tuple of different points, at most seven."""
    points = checks.points(value, name)
    if len(points) >= MOST_STARTS:
        raise ValueError(f"{name} must be at most {MOST_STARTS - 1} points, got {len(points)}")
    return tuple(dict.fromkeys((u, v) for u, v in points))


def defaults(surface: Surface) -> dict[str, Any]:
    """Start, learning rate and loss axis that show something on a surface.

    Where the surface names none, the start is a quarter into the map and the learning rate half
    of the largest that is stable there, or 0.01 where nothing limits it.
    """
    (u0, u1), (v0, v1) = surface.bounds
    start = surface.start or (u0 + 0.25 * (u1 - u0), v0 + 0.25 * (v1 - v0))
    rate = surface.learning_rate
    if rate is None:
        try:
            limit = limits_at(surface, start).stability
        except ValueError:
            limit = None
        rate = 0.01 if limit is None else float(f"{min(0.5 * limit, 0.01):.1g}")
    return {"start": start, "learning_rate": rate, "loss_log": bool(surface.minima)}


def known_name(surface: Surface) -> str | Surface:
    """The name of a surface in ``SURFACES``; another one as it is."""
    return next((name for name, known in SURFACES.items() if known is surface), surface)


def lowest_value(surface: Surface) -> float | None:
    """The lowest value at a surface's known minima, where it has any; computed once."""
    if surface not in _lowest:
        lowest = float(surface.values(surface.minima).min()) if surface.minima else None
        _lowest[surface] = lowest
    return _lowest[surface]


_lowest: WeakKeyDictionary[Surface, float | None] = WeakKeyDictionary()


def limits_at(surface: Surface, point: Any) -> RateLimits:
    """`rate_limits` at a point (u, v); asked again for one of the last, nothing is computed.

    A function of the user's may take its time, and several parts of the screen want to know.

    Raises
    ------
    ValueError
        As `rate_limits`.
    """
    known = _limits.setdefault(surface, {})
    at = float(point[0]), float(point[1])
    if at not in known:
        while len(known) >= LAST_POINTS:
            del known[next(iter(known))]
        known[at] = rate_limits(surface, point)
    return known[at]


_limits: WeakKeyDictionary[Surface, dict[Point, RateLimits]] = WeakKeyDictionary()


def loss_floor(surface: Surface) -> float:
    """What is taken off a logarithmic loss axis: the lowest value, 0 where that is rounding."""
    lowest = lowest_value(surface)
    return 0.0 if lowest is None or abs(lowest) <= 1e-5 else lowest


def clamped(surface: Surface, point: Point) -> Point:
    """The point of the map that is nearest to a point."""
    (u0, u1), (v0, v1) = surface.bounds
    return min(max(float(point[0]), u0), u1), min(max(float(point[1]), v0), v1)
