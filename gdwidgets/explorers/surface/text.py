"""What a surface explorer says: made from the recording, the surface and the cursor alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Descent, Rule, Surface
from gdwidgets.core.analysis.curvature import rate_limits
from gdwidgets.ui import text
from gdwidgets.ui.runs import lane_outcome, lane_steps

CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"

OPPOSITE = -0.5
"""Cosine of the angle between two updates below which they point in nearly opposite directions."""


def numbered(index: int) -> str:
    """A minimum's number as it stands on the map: ``①`` for index 0."""
    return CIRCLED[index] if index < len(CIRCLED) else f"({index + 1})"


def at_point(u: float, v: float) -> str:
    """A point in a sentence."""
    return f"({text.number(u)}, {text.number(v)})"


def nearest_minimum(
    minima: Sequence[tuple[float, float]], point: NDArray[np.float32]
) -> tuple[int, float] | None:
    """The index of the minimum nearest to a point, and how far it is; ``None`` without minima."""
    if not len(minima):
        return None
    distances = np.hypot(*(np.asarray(minima, np.float64) - point).T)
    best = int(distances.argmin())
    return best, float(distances[best])


def sentence(descent: Descent, lane: int, k: int, surface: Surface, *, arrow: float = 1.0) -> str:
    """Say where a lane stands at step ``k``, what it does there and why.

    Parameters
    ----------
    descent
        The recording, at least as far as ``k``.
    lane
        The lane to speak of.
    k
        The cursor.
    surface
        What is descended.
    arrow
        How many times longer than the next update its arrow is drawn.
    """
    at = int(lane_steps(descent, k)[lane])
    u, v = (float(x) for x in descent.params[at, lane])
    loss = float(descent.loss[at, lane])
    numbers = f"**u = {text.fixed(u)}, v = {text.fixed(v)}, loss = {text.number(loss)}**"
    outcome = lane_outcome(descent, lane, k)
    if k == 0 and outcome == "running":
        longer = "" if arrow == 1 else f", drawn {text.number(arrow, 3)} times as long"
        return (
            f"Start: {numbers}. Press Play, or click the map to start elsewhere. "
            f"The arrow is the first update{longer}."
        )
    where = f"Step {at:,}: {numbers}."
    near = _near(surface, descent, lane, at)
    if outcome == "diverged":
        return f"{where} {_diverged(descent, lane, at)}"
    if outcome == "converged":
        change = abs(float(descent.loss[at, lane]) - float(descent.loss[at - 1, lane]))
        return (
            f"{where} Stopped: the last update changed the loss by {text.number(change, 2)}, less "
            f"than loss_tol = {text.number(descent.loss_tol or 0)}.{near}"
        )
    return f"{where} {motion(descent, lane, at)}{near}"


def _near(surface: Surface, descent: Descent, lane: int, at: int) -> str:
    found = nearest_minimum(surface.minima, descent.params[at, lane])
    if found is None:
        return ""
    index, distance = found
    return f" Minimum {numbered(index)} is {text.number(distance, 2)} away."


def motion(descent: Descent, lane: int, at: int) -> str:
    """What the update that led to record ``at`` (1 or more) did, and why.

    For plain gradient descent an update is −γ times the gradient, so its length tells the slope;
    other rules' updates also hold earlier gradients, and only what is seen is said of them.
    """
    points = descent.params[max(0, at - 2) : at + 1, lane].astype(np.float64)
    steps = np.diff(points, axis=0)
    lengths = np.hypot(*steps.T)
    before, here = float(descent.loss[at - 1, lane]), float(descent.loss[at, lane])
    plain = descent.rule.name == "gd" and not descent.rule.label.count(",")
    if lengths[-1] == 0:
        return "The last update changed nothing: it is below what float32 can tell apart."
    if here > before:
        why = " It was too long for the curvature there." if plain else ""
        return f"The last update raised the loss from {text.number(before)}.{why}"
    if len(lengths) == 2 and lengths[0] > 0:
        cosine = float(steps[0] @ steps[1] / (lengths[0] * lengths[1]))
        if cosine < OPPOSITE:
            return "The last two updates point in nearly opposite directions, across the valley."
        if plain and lengths[1] < lengths[0]:
            return "Each update is shorter than the last, because the slope is."
        if plain and lengths[1] > lengths[0]:
            return "The updates get longer, because the slope gets steeper."
    return f"The last update was {text.number(float(lengths[-1]), 3)} long."


def _diverged(descent: Descent, lane: int, at: int) -> str:
    ends = f"Update {at + 1:,} makes inf or NaN, so the run ends here."
    losses = descent.loss[max(0, at - 3) : at + 1, lane]
    if len(losses) > 1 and (np.diff(losses) > 0).all():
        return f"{ends} The loss grew with every update: the learning rate is too large here."
    if len(losses) > 1 and (np.diff(losses) < 0).all():
        return f"{ends} The loss fell up to there: the function has no lower bound this way."
    return f"{ends} Here the function or its gradient cannot be computed in float32."


def short_name(rule: Rule) -> str:
    """A rule's name in a word, for the end of a curve."""
    return {"gd": "plain", "nesterov": "Nesterov"}.get(rule.name, rule.label)


def lane_name(u: float, v: float) -> str:
    """What a lane with a start of its own is called at the end of its curve."""
    return f"({text.number(u, 3)}, {text.number(v, 3)})"


def limit_at(surface: Surface, point: NDArray[np.float32]) -> tuple[float | None, str]:
    """The learning rate below which descent would be stable at a point, and what that means.

    ``None`` where there is no such limit; the text then says why.
    """
    try:
        limits = rate_limits(surface, point)
    except ValueError:
        return None, "no limit known here: the second derivatives are not finite"
    if limits.kink:
        return None, "no limit here: the gradient jumps"
    if limits.stability is None or not np.isfinite(limits.stability):
        return None, "no limit here: nothing curves upward"
    return limits.stability, (
        "2/λ with the largest curvature λ at the present point: around a minimum with this "
        "curvature, descent is locally stable below this rate and unstable above it"
    )
