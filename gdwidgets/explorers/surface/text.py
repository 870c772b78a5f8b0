"""What a surface explorer says: made from the recording, the surface and the cursor alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Descent, Rule, Surface
from gdwidgets.core.analysis.endings import TAIL, End
from gdwidgets.core.analysis.rises import ROUNDING, raised
from gdwidgets.core.rules.momentum import GradientDescent, Momentum, Nesterov
from gdwidgets.core.rules.schedules import ConstantRate
from gdwidgets.core.rules.wrappers import PerLane
from gdwidgets.explorers.surface.given import limits_at
from gdwidgets.ui import text
from gdwidgets.ui.runs import lane_outcome, lane_steps
from gdwidgets.ui.text import numbered

OPPOSITE = -0.5
"""Cosine of the angle between two updates below which they point in nearly opposite directions."""


BOTTOMLESS = -1e12
"""A loss that falls to this is said to have no lower bound."""

LINEAR = (GradientDescent, Momentum, Nesterov)
"""Rules whose updates shrink with the gradient, so that they come to rest at a minimum that holds
them; those of Adam and RMSprop may grow again there."""

HERE = 0.02
"""How near a known minimum must be for a run to be at it, as a part of the map's diagonal."""


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


def is_plain(descent: Descent, lane: int) -> bool:
    """Whether a lane is plain gradient descent with one learning rate throughout.

    Then the length of an update is the learning rate times that of the gradient.
    """
    rule = rule_of(descent.rule, lane)
    constant = isinstance(descent.schedules_from[-1][1][lane], ConstantRate)
    constant &= len(descent.schedules_from) == 1
    return type(rule) is GradientDescent and undecayed(rule) and constant


def undecayed(rule: Rule) -> bool:
    """Whether a rule leaves the gradient as it is: no weight decay adds to it."""
    return not getattr(rule, "weight_decay", 0)


def rule_of(rule: Rule, lane: int) -> Rule:
    """The update rule of a lane."""
    return rule.rules[lane] if isinstance(rule, PerLane) else rule


def _first_update(descent: Descent, lane: int, arrow: float | None, *, cut: bool) -> str:
    """What to do at the start, and how long the update is that comes first."""
    said = "Press Play, or click the map to start elsewhere."
    if arrow is not None:
        longer = "" if arrow == 1 else f", drawn {text.number(arrow, 3)} times as long"
        edge = ", cut at the map's edge" if cut else ""
        return f"{said} The arrow is the first update{longer}{edge}."
    if not descent.recorded:
        return said
    first, second = descent.params[:2, lane].astype(np.float64)
    length = float(np.linalg.norm(second - first))
    if not length:
        return f"{said} The first update changes nothing."
    why = "leaves the map" if cut else "is too short for an arrow"
    return f"{said} The first update, {text.number(length, 3)} long, {why}."


def sentence(
    descent: Descent,
    lane: int,
    k: int,
    surface: Surface,
    *,
    name: str = "",
    arrow: float | None = 1.0,
    cut: bool = False,
    end: End | None = None,
) -> str:
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
    name
        What the lane is called, where there are others.
    arrow
        How many times longer than the first update its arrow is drawn; None where it is too short
        to be seen.
    cut
        Whether it would end outside of the map, and is drawn as far as the edge.
    end
        What became of the lane, where its run is over and that is known.
    """
    at = int(lane_steps(descent, k)[lane])
    one, two = surface.parameter_names
    u, v = (float(x) for x in descent.params[at, lane])
    loss = float(descent.loss[at, lane])
    numbers = f"**{one} = {text.fixed(u)}, {two} = {text.fixed(v)}, loss = {text.number(loss)}**"
    outcome = lane_outcome(descent, lane, k)
    near = _near(surface, descent, lane, at)
    if k == 0 and outcome == "running":
        return f"Start: {numbers}. {_first_update(descent, lane, arrow, cut=cut)}"
    of = f", {name}" if name else ""
    where = f"Step {at:,}{of}: {numbers}."
    if outcome == "diverged":
        return f"{where} {_diverged(surface, descent, lane, at)}"
    if outcome == "converged":
        change = abs(float(descent.loss[at, lane]) - float(descent.loss[at - 1, lane]))
        return (
            f"{where} Stopped: the last update changed the loss by {text.number(change, 2)}, less "
            f"than loss_tol = {text.number(descent.loss_tol or 0)}.{near}"
        )
    if outcome == "max_steps" and end is not None:
        return f"{where} {ending(surface, descent, lane, at, end)}"
    return f"{where} {motion(descent, lane, at)}{near}"


def reading(descent: Descent, lane: int, k: int, surface: Surface, name: str = "") -> str:
    """What is read out of a lane at step ``k``: parameters, loss, gradient and its length."""
    at = int(lane_steps(descent, k)[lane])
    one, two = surface.parameter_names
    u, v = (text.fixed(float(x)) for x in descent.params[at, lane])
    gradient = descent.step_grad[at, lane].astype(np.float64)
    g, h = (text.fixed(float(x)) for x in gradient)
    length = text.number(float(np.hypot(*gradient)))
    loss = text.number(float(descent.loss[at, lane]))
    of = f", {name}" if name else ""
    return (
        f"Step {at:,}{of}, read out: **{one} = {u}, {two} = {v}, loss = {loss}, "
        f"gradient = ({g}, {h})**, of length {length}.{_near(surface, descent, lane, at)}"
    )


def update_parts(descent: Descent, lane: int, k: int) -> NDArray[np.float64] | None:
    """What makes a lane's next update at step ``k``: (2, 2), by the gradient and by the velocity.

    With momentum m ← β m + g, the update −γ m is −γ g and what the velocity from before adds;
    Nesterov's −γ (g + β m) is −γ (1 + β) g and that. Zeros where no update follows; ``None`` for
    rules without a velocity.
    """
    rule = rule_of(descent.rule, lane)
    if not isinstance(rule, (Momentum, Nesterov)):
        return None
    at = int(lane_steps(descent, k)[lane])
    if at >= min(int(descent.last_step[lane]), descent.recorded):
        return np.zeros((2, 2))
    here, after = descent.params[at : at + 2, lane].astype(np.float64)
    gradient = descent.grad[at, lane] + rule.weight_decay * here
    times = 1 + rule.beta if isinstance(rule, Nesterov) else 1.0
    own = -float(descent.rate_at(at)[lane]) * times * gradient
    return np.stack([own, after - here - own])


def _near(surface: Surface, descent: Descent, lane: int, at: int) -> str:
    found = nearest_minimum(surface.minima, descent.params[at, lane])
    if found is None:
        return ""
    index, distance = found
    return f" Minimum {numbered(index)} is {text.number(distance, 2)} away."


def reach(surface: Surface) -> float:
    """The distance from a known minimum up to which a run is at it."""
    (u0, u1), (v0, v1) = surface.bounds
    return HERE * float(np.hypot(u1 - u0, v1 - v0))


def _at_minimum(surface: Surface, point: NDArray[np.float32]) -> str | None:
    """The minimum that a run has come to, with its distance; ``None`` if it is no known one."""
    found = nearest_minimum(surface.minima, point)
    if found is None or found[1] > reach(surface):
        return None
    away = "" if found[1] == 0 else f", {text.number(found[1], 2)} away"
    return f"minimum {numbered(found[0])}{away}"


def ending(surface: Surface, descent: Descent, lane: int, at: int, end: End) -> str:
    """What became of a lane that made all its updates, and what that means for going on."""
    losses = descent.loss[max(0, at - 4) : at + 1, lane]
    if end is End.CONVERGED:
        return _converged(surface, descent, lane, at)
    if end is End.OSCILLATING:
        return _oscillates(surface, descent, lane, at)
    if end is End.UNBOUNDED:
        falls = bool((np.diff(losses) < 0).all())
        grows = bool(_raised(descent, lane, max(0, at - 4), at).all())
        how = " while the loss falls" if falls else " and the loss grows" if grows else ""
        return (
            f"It goes away{how}: further updates lead more than ten map widths away, and do not "
            "get shorter."
        )
    said = {
        End.NOT_CONVERGED: "It has not converged: it still moves. Raise max_steps (Settings) to "
        "see where to.",
        End.SADDLE: "It comes to rest at a point without gradient that is no minimum: the loss "
        "curves downward in some direction, but nothing pushes it there.",
    }
    return said.get(end) or motion(descent, lane, at)


def _converged(surface: Surface, descent: Descent, lane: int, at: int) -> str:
    point = descent.params[at, lane]
    known = _at_minimum(surface, point)
    # Where it is none of the numbered ones, that is the news.
    other = "" if known or not surface.minima else ", none of those numbered"
    place = f"{known or 'a minimum'}{other}"
    rule = rule_of(descent.rule, lane)
    last = descent.params[max(0, at - TAIL) : at + 1, lane].astype(np.float64)
    rests = bool((np.ptp(last, axis=0) <= ROUNDING * np.abs(last).max(axis=0)).all())
    if not isinstance(rule, LINEAR):
        does = "its last updates changed nothing" if rests else "its updates shrink"
        # Divided by the size of recent gradients, steps grow again where these fade.
        return f"It is at {place}, and {does}; further ones by {rule.label} may lead away again."
    if rests:
        return f"It rests at {place}: further updates are below what float32 resolves."
    closer = "" if _kinked(surface, known, point) else ", and more updates come closer"
    return f"It converges to {place}: its updates shrink{closer}."


def _kinked(surface: Surface, known: str | None, point: NDArray[np.float32]) -> bool:
    """Whether the gradient jumps where a run ends, or at the known minimum there."""
    found = nearest_minimum(surface.minima, point) if known else None
    there = point if found is None else np.array(surface.minima[found[0]], np.float32)
    try:
        return any(limits_at(surface, one).kink for one in (point, there))
    except Exception:  # noqa: BLE001 - a user's function may raise anything
        return True


def _oscillates(surface: Surface, descent: Descent, lane: int, at: int) -> str:
    limit, _ = limit_at(surface, descent.params[at, lane])
    near = _at_minimum(surface, descent.params[max(0, at - 1) : at + 1, lane].mean(0))
    around = f" around {near.split(',')[0]}" if near else ""
    why = ""
    if is_plain(descent, lane) and limit is not None and limit < descent.rate_at(at)[lane]:
        why = f" Descent is stable here only below γ = {text.number(limit, 3)}."
    return f"It oscillates{around}: it goes to and fro and does not come to rest.{why}"


def _raised(descent: Descent, lane: int, first: int, last: int) -> NDArray[np.bool_]:
    """Which updates between two records raised a lane's loss, by more than rounding."""
    records = slice(first, last + 1)
    return raised(descent.objective, descent.params[records, lane], descent.loss[records, lane])


def motion(descent: Descent, lane: int, at: int) -> str:
    """What the last updates that led to record ``at`` (1 or more) did, and why.

    For plain gradient descent an update is −γ times the gradient, so its length tells the slope;
    other rules' updates also hold earlier gradients, and only what is seen is said of them.
    """
    points = descent.params[max(0, at - 3) : at + 1, lane].astype(np.float64)
    steps = np.diff(points, axis=0)
    lengths = np.hypot(*steps.T)
    plain = is_plain(descent, lane)
    if lengths[-1] == 0:
        return "The last update changed nothing: it is below what float32 resolves."
    if _raised(descent, lane, at - 1, at).any():
        why = " It went too far: a shorter one would have lowered it." if plain else ""
        before = text.number(float(descent.loss[at - 1, lane]))
        return f"The last update raised the loss from {before}.{why}"
    if len(lengths) > 1 and lengths[-2] > 0:
        cosine = float(steps[-2] @ steps[-1] / (lengths[-2] * lengths[-1]))
        if cosine < OPPOSITE:
            return "The last two updates point in nearly opposite directions, across the valley."
        changes = np.diff(lengths)
        if plain and (changes < 0).all():
            return "Updates get shorter, because the slope gets less steep."
        if plain and (changes > 0).all():
            return "Updates get longer, because the slope gets steeper."
    return f"The last update was {text.number(float(lengths[-1]), 3)} long."


def _diverged(surface: Surface, descent: Descent, lane: int, at: int) -> str:
    ends = f"Update {at + 1:,} makes inf or NaN, so the run ends here."
    losses = descent.loss[max(0, at - 3) : at + 1, lane]
    if len(losses) > 1 and _raised(descent, lane, max(0, at - 3), at).all():
        why = ": the learning rate is too large here" if is_plain(descent, lane) else ""
        which = "updates all" if len(losses) > 2 else "update"
        return f"{ends} The last {which} raised the loss{why}."
    falls = len(losses) > 1 and bool((np.diff(losses) < 0).all())
    if falls and (losses[-1] < BOTTOMLESS or _beyond(surface, descent, lane, at) == -np.inf):
        return f"{ends} The loss fell up to there: it has no lower bound this way."
    where = "The loss fell up to there, but where" if falls else "Where"
    return f"{ends} {where} it leads, the function or its gradient is not finite in float32."


def _beyond(surface: Surface, descent: Descent, lane: int, at: int) -> float:
    """The loss where plain descent's next update leads; NaN for other rules, or if it raises."""
    if not is_plain(descent, lane):
        return np.nan
    rate = np.float32(descent.rate_at(at)[lane])
    with np.errstate(all="ignore"):
        point = descent.params[at, lane] - rate * descent.grad[at, lane]
    try:
        return float(surface.values(point[None])[0])
    except Exception:  # noqa: BLE001 - a user's function may raise anything
        return np.nan


# -- why a run that was predicted went as it did ---------------------------------------------------


def why_ended(descent: Descent, lane: int, surface: Surface, end: End | None) -> str:
    """What became of a lane whose run is over, and why."""
    at = int(descent.last_step[lane])
    outcome = str(descent.outcomes[lane])
    if outcome == "diverged":
        return _diverged(surface, descent, lane, at)
    if outcome == "converged":
        change = abs(float(descent.loss[at, lane]) - float(descent.loss[at - 1, lane]))
        return f"Its last update changed the loss by {text.number(change, 2)} only."
    return motion(descent, lane, at) if end is None else ending(surface, descent, lane, at, end)


def why_there(
    descent: Descent, lane: int, surface: Surface, end: End | None, reached: int | None
) -> str:
    """Why a lane ends at the known minimum with the index ``reached``, or at none."""
    if reached is None:
        return why_ended(descent, lane, surface, end)
    last = int(descent.last_step[lane])
    rises = int(_raised(descent, lane, 0, last).sum())
    nearest = nearest_minimum(surface.minima, descent.params[0, lane])
    near = reached if nearest is None else nearest[0]
    if rises:
        updates = text.counted(last, "update")
        went = f"{rises:,} of its {updates} raised the loss: it did not only go downhill"
    else:
        went = "No update raised the loss: it went downhill all the way"
    if nearest is not None and nearest == (reached, 0.0):
        return "It starts there."
    if len(surface.minima) == 1:
        return f"{went}."
    if near == reached:
        return f"{went}. That minimum is also the one nearest to the start."
    return f"{went}. Minimum {numbered(near)} is nearer to the start, but lies another way."


def last_in_order(descent: Descent, surface: Surface, names: Sequence[str]) -> str:
    """What kept the lane with the largest last loss from a smaller one."""
    lanes = np.arange(descent.lanes)
    losses = descent.loss[descent.last_step, lanes].astype(np.float64)
    losses[descent.outcomes == "diverged"] = np.inf
    last = int(losses.argmax())
    why = why_ended(descent, last, surface, None)
    return f"Last comes {names[last]}: {why[:1].lower()}{why[1:]}"


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
        limits = limits_at(surface, point)
    except Exception:  # noqa: BLE001 - a user's function may raise anything
        return None, "no limit known here: there are no second derivatives"
    if limits.kink:
        return None, "no limit here: the gradient jumps"
    if limits.stability is None or not np.isfinite(limits.stability):
        return None, "no limit here: nothing curves upward"
    return limits.stability, (
        "2/λ with the largest curvature λ at the present point: around a minimum with this "
        "curvature, descent is locally stable below this rate and unstable above it"
    )
