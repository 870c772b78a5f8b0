"""Why a run on a surface does what it does: paragraphs from the live settings, and sharpness."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Descent, Surface
from gdwidgets.core.analysis.adaptive import first_update, reach
from gdwidgets.core.analysis.momentum import best_momentum, momentum_limit, momentum_updates_to
from gdwidgets.core.analysis.quadratic import Quadratic
from gdwidgets.core.analysis.sharpness import sharpness
from gdwidgets.core.analysis.stopping import remaining_loss
from gdwidgets.core.rules.adaptive import Adam, RMSprop
from gdwidgets.core.rules.momentum import Momentum, Nesterov
from gdwidgets.explorers.surface.given import limits_at
from gdwidgets.explorers.surface.text import is_plain, rule_of, undecayed
from gdwidgets.ui import text

NEAR = 1e-3
"""The distance from a minimum of which updates are counted."""

MOST_POINTS = 2000
"""Points of a path whose sharpness is computed; those between are interpolated."""

FloatArray = NDArray[np.float64]


def paragraphs(
    descent: Descent, lane: int, k: int, surface: Surface, quadratic: Quadratic | None
) -> list[str]:
    """What theory says about a lane at step ``k`` under its present settings.

    Parameters
    ----------
    descent
        The recording, at least as far as ``k``.
    lane, k
        The lane, and a step it has reached.
    surface
        What is descended.
    quadratic
        The quadratic that the surface is, or ``None`` if it is none.
    """
    rate = float(descent.rate_at(k)[lane])
    said = [
        _memory(descent, lane, k, rate),
        _first_update(descent, lane, rate),
        _limits(descent, lane, k, surface, rate),
        *_quadratic(descent, lane, rate, quadratic),
        "" if quadratic is not None else _minima(descent, lane, surface, rate),
        _stopping(descent, lane, k),
    ]
    return [one for one in said if one]


def _limits(descent: Descent, lane: int, k: int, surface: Surface, rate: float) -> str:
    try:
        limits = limits_at(surface, descent.params[k, lane])
    except ValueError:
        return ""
    if limits.kink:
        return "**No limit here.** The gradient jumps at this point, so no rate is stable at it."
    if limits.stability is None or math.isinf(limits.stability):
        flat = "**No limit here.** The function curves nowhere upward at this point."
        return flat if limits.stability is not None else ""
    sharp = text.number(2 / limits.stability, 3)
    first = (
        f"**Stability.** At this point the largest curvature is λ = {sharp}. Around a minimum "
        f"with this curvature plain descent is stable for γ below 2/λ = "
        f"**{text.number(limits.stability, 3)}**; γ = {text.number(rate, 3)} is "
        f"{'below' if rate < limits.stability else 'not below'} it."
    )
    if limits.one_step is None:
        return first
    if math.isinf(limits.one_step):
        return f"{first} Along the gradient the loss curves downward: no rate is too large for it."
    return (
        f"{first} One plain update lowers the loss of the local quadratic for γ below 2|g|²/gᵀHg = "
        f"**{text.number(limits.one_step, 3)}**: along the gradient the function may curve less."
    )


def _quadratic(descent: Descent, lane: int, rate: float, quadratic: Quadratic | None) -> list[str]:
    if quadratic is None or quadratic.curvatures[-1] <= 0:
        return []
    low, high = float(quadratic.curvatures[0]), float(quadratic.curvatures[-1])
    factors = quadratic.factors(rate)
    start = descent.params[0, lane]
    said = [
        (
            f"**A quadratic.** Its curvatures are λ = {text.number(low, 3)} and "
            f"{text.number(high, 3)}. "
            "A plain update multiplies the distance from the centre along them by 1 − γλ = "
            f"{text.number(float(factors[0]))} and {text.number(float(factors[-1]))}."
        )
    ]
    if low < 0:
        said[0] += " The first grows with every update: the centre is a saddle, not a minimum."
        return said
    count = quadratic.updates_to(start, rate, NEAR)
    said[0] += (
        " At this rate they do not bring it to rest."
        if count is None
        else f" It is {_away(count)}."
    )
    if low > 0:
        best = quadratic.updates_to(start, quadratic.best_rate, NEAR)
        said.append(
            f"**The best rate** is γ* = 2/(λmin + λmax) = **{text.number(quadratic.best_rate)}**: "
            f"both directions shrink by (κ − 1)/(κ + 1) = {text.number(quadratic.best_factor)} an "
            f"update, κ = λmax/λmin = {text.number(quadratic.condition, 3)}"
            + ("." if best is None else f". It is {_away(best)}.")
        )
        heavy = best_momentum(quadratic)
        if heavy is not None and heavy.beta > 0:
            steps = momentum_updates_to(quadratic, start, heavy.learning_rate, heavy.beta, NEAR)
            said.append(
                "**The best heavy ball** has β* = ((√κ − 1)/(√κ + 1))² = "
                f"{text.number(heavy.beta)} and γ* = {text.number(heavy.learning_rate)}: "
                "in the long run an update multiplies the distance by √β = "
                f"{text.number(heavy.factor)}"
                + ("." if steps is None else f". It is for the first time {_away(steps)}.")
            )
    return [*said, _momentum_limits(descent, lane, high, rate, "")]


def _away(updates: int) -> str:
    """After how many updates a run is so near that they are counted."""
    return f"{NEAR:g} away after {text.counted(updates, 'update')}"


def _momentum_limits(descent: Descent, lane: int, curvature: float, rate: float, where: str) -> str:
    rule = rule_of(descent.rule, lane)
    if not isinstance(rule, (Momentum, Nesterov)) or curvature <= 0 or not undecayed(rule):
        return ""
    nesterov = isinstance(rule, Nesterov)
    formula = "2(1 + β)/((1 + 2β)λ)" if nesterov else "2(1 + β)/λ"
    own = momentum_limit(curvature, rule.beta, nesterov=nesterov)
    plain = 2 / curvature
    return (
        f"**With β = {text.number(rule.beta)}**{where} the limit is {formula} = "
        f"**{text.number(own, 3)}**, {'lower' if own < plain else 'higher'} than plain descent's "
        f"2/λ = {text.number(plain, 3)}; γ = {text.number(rate, 3)} is "
        f"{'below' if rate < own else 'not below'} it."
    )


def minimum_limits(surface: Surface) -> list[tuple[int, float]]:
    """The index of every known minimum that curves upward, and 2/λ there."""
    found = []
    for index, point in enumerate(surface.minima):
        try:
            limits = limits_at(surface, point)
        except ValueError:
            continue
        if limits.stability is not None and math.isfinite(limits.stability):
            found.append((index, limits.stability))
    return found


def _minima(descent: Descent, lane: int, surface: Surface, rate: float) -> str:
    limits = minimum_limits(surface)
    if not limits:
        return ""
    if not is_plain(descent, lane):
        curvature = max(2 / limit for _, limit in limits)
        return _momentum_limits(descent, lane, curvature, rate, " at the sharpest known minimum")
    lost = [index for index, limit in limits if rate >= limit]
    lowest = min(limit for _, limit in limits)
    if not lost:
        return (
            "**The minima.** Plain descent with this rate can converge to every numbered minimum: "
            f"the sharpest of them needs γ below {text.number(lowest, 3)}."
        )
    names = text.listed([text.numbered(index) for index in lost])
    verb, most = ("is", "") if len(lost) == 1 else ("are", "at most ")
    return (
        f"**The minima.** At this rate {names} {verb} unstable: 2/λ there is {most}"
        f"{text.number(max(limit for i, limit in limits if i in lost), 3)}. "
        "A run that comes near leaves again."
    )


def _stopping(descent: Descent, lane: int, k: int) -> str:
    if descent.loss_tol is None or k < 2:
        return ""
    left = remaining_loss(descent.loss[: k + 1, lane])
    if left is None:
        return ""
    change = abs(float(descent.loss[k, lane]) - float(descent.loss[k - 1, lane]))
    times = f", {text.number(left / change, 2)} times that change" if change else ""
    return (
        f"**What loss_tol leaves.** The last update changed the loss by {text.number(change, 2)}. "
        "If the changes go on shrinking by the same ratio, the loss will still fall by about "
        f"**{text.number(left, 2)}**{times}."
    )


def _first_update(descent: Descent, lane: int, rate: float) -> str:
    rule = rule_of(descent.rule, lane)
    if not isinstance(rule, (Adam, RMSprop)) or not undecayed(rule):
        return ""
    one, two = first_update(rule, descent.step_grad[0, lane], float(descent.rate_at(0)[lane]))
    count = descent.max_steps
    formula = "γ" if isinstance(rule, Adam) else "γ/√(1 − α)"
    return (
        f"**{rule.label}: size does not count.** The first update subtracts {formula} times the "
        f"direction of each gradient component, here ({text.number(one)}, {text.number(two)}), "
        f"however steep the function is. Under a steady gradient {text.counted(count, 'update')} "
        f"reach about **{text.number(reach(rule, rate, count), 3)}** in each parameter."
    )


def _memory(descent: Descent, lane: int, k: int, rate: float) -> str:
    rule = rule_of(descent.rule, lane)
    if not isinstance(rule, Momentum) or k < 1 or not undecayed(rule):
        return ""
    points = descent.params[max(0, k - 1) : k + 1, lane].astype(np.float64)
    carried = rule.beta * (points[1] - points[0])
    own = -rate * descent.step_grad[k, lane].astype(np.float64)
    total = float(np.hypot(*(carried + own)))
    return (
        f"**Velocity is memory.** The next update is β times the last, "
        f"({text.number(carried[0], 3)}, {text.number(carried[1], 3)}), plus −γ times the "
        "gradient, "
        f"({text.number(own[0], 3)}, {text.number(own[1], 3)}). It is {text.number(total, 3)} "
        f"long; without the velocity it would be {text.number(float(np.hypot(*own)), 3)} long."
    )


def path_sharpness(descent: Descent, lane: int) -> FloatArray:
    """The largest curvature along a lane's recorded path: (n,), NaN where it is not finite.

    Computed in one batched pass at `MOST_POINTS` points at most, interpolated between them.
    """
    last = int(min(descent.last_step[lane], descent.recorded))
    at = np.unique(np.linspace(0, last, min(last + 1, MOST_POINTS)).round().astype(np.int64))
    found = sharpness(descent.objective, descent.params[at, lane])
    if len(at) == last + 1:
        return found
    spread: FloatArray = np.interp(np.arange(last + 1), at, found)
    return spread


def predicted_losses(
    quadratic: Quadratic, descent: Descent, lane: int
) -> tuple[NDArray[Any], FloatArray] | None:
    """Steps and predicted losses of plain descent on a quadratic, where they are finite."""
    if not is_plain(descent, lane):
        return None
    steps = np.unique(np.linspace(0, descent.max_steps, 400).round().astype(np.int64))
    losses = quadratic.loss(descent.params[0, lane], float(descent.rate_at(0)[lane]), steps)
    finite = np.isfinite(losses) & (np.abs(losses) < 1e30)
    return steps[finite], losses[finite]
