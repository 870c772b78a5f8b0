"""How runs end, told from their last records: converged, oscillating, unbounded and the rest.

Three things decide. The motion: whether the last steps shrink, stay or grow, and whether they go
back and forth. The place: how far Newton's step leads from the end, and whether the loss curves
upward there. And where steps neither shrink nor go back and forth steadily, a look ahead: the same
rule goes on from the end for a while.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.analysis.curvature import gradients
from gdwidgets.core.analysis.momentum import spectral_radius
from gdwidgets.core.analysis.quadratic import quadratic
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.objectives.protocol import Objective, SteppedObjective
from gdwidgets.core.objectives.surface import Surface
from gdwidgets.core.rules.momentum import GradientDescent, Momentum, Nesterov
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.rules.wrappers import PerLane

Array = np.ndarray[Any, np.dtype[Any]]

TAIL = 32
"""Records that are looked at."""

LOOK_AHEAD = 1000
"""Updates a look ahead takes."""

_GLANCE = 250
"""Updates of a look ahead after which a lane may be decided."""

NEAR = 0.005
"""How near Newton's step must be, as a fraction of the extent, for an end to be at a minimum."""

_FEW = 4
"""Losses by which a half of a tail can be judged."""

_STEADY = 0.98
"""Steps that shrink less than this over half a tail do not shrink."""

_GROWING = 1.02
"""Steps that grow more than this over half a tail grow."""

_FAR = 10.0
"""Extents away from the region looked at: that is unbounded."""

_EPS = float(np.finfo(np.float32).eps)


class End(StrEnum):
    """What became of a run."""

    CONVERGED = "converged"
    """It is at a minimum, and its steps shrink or are 0."""
    NOT_CONVERGED = "not converged"
    """It still moves toward lower losses; more updates would change it."""
    OSCILLATING = "oscillates"
    """It goes back and forth, or around, without coming to rest, within bounds."""
    UNBOUNDED = "unbounded"
    """Its numbers are finite, but get far away (10 extents) in steps that do not get shorter."""
    DIVERGED = "diverged"
    """A number became infinite or NaN."""
    SADDLE = "saddle"
    """It is at a point without gradient where the loss curves downward: no minimum."""
    STOPPED = "stopped"
    """``loss_tol`` ended it before it was at a minimum."""


@dataclass(frozen=True)
class Motion:
    """What the last records of L lanes do, all arrays (L,)."""

    at_rest: Array
    """Whether no step is longer than rounding."""
    still: Array
    """Whether every step is exactly 0."""
    alternates: Array
    """Whether steps turn back: successive changes of the step point in opposite directions."""
    returns: Array
    """Whether the lane comes back to where it was, by turning back or by going around."""
    growth: Array
    """The longest step of the second half over the longest of the first; 1 where at rest."""
    turning_growth: Array
    """The same of the changes of the step."""
    step: Array
    """The longest step of the second half."""
    turning: Array
    """The largest change of the step in the second half."""


@dataclass(frozen=True)
class Place:
    """The loss around the ends of L lanes."""

    distance: Array
    """Length of Newton's step, (L,); infinite where derivatives are not finite."""
    downward: Array
    """Whether the loss curves downward in some direction where Newton's step leads."""
    leaving: Array
    """How far off the ends are along such directions: Newton's step within them."""
    curvatures: Array
    """Eigenvalues of the Hessian, (L, P)."""
    step: Array
    """Newton's step −H⁺ g, (L, P); it leads to the minimum of the local quadratic."""


def grows(losses: Array) -> bool:
    """Whether a run's loss (n,) grew to its end, beyond where it began.

    That is so when the last losses, up to `TAIL` of them, are larger in their second half than any
    in their first: seen in the records alone, whatever the rule or the objective.
    """
    tail = losses[-TAIL:]
    half = len(tail) // 2
    if half < _FEW or not losses[-1] > losses[0]:
        return False
    return bool(tail[half:].min() > tail[:half].max())


class Tail:
    """The last records of every lane while a descent that keeps no records goes on.

    A lane that has ended keeps the records before its own end.
    """

    def __init__(self, lanes: int, parameters: int, records: int = TAIL) -> None:
        self._ring = np.zeros((records, lanes, parameters), dtype=np.float32)
        self._last = np.full(lanes, -1)

    def add(self, k: int, params: Array, lasting: Array) -> None:
        """Take record k (L, P) of the lanes, bool (L,), that have not ended before it."""
        if lasting.all():
            self._ring[k % len(self._ring)] = params
        else:
            self._ring[k % len(self._ring), lasting] = params[lasting]
        self._last[lasting] = k

    def of(self, lanes: Array) -> tuple[Array, Array]:
        """Records of some lanes in order, (records, M, P), and how many are filled, (M,).

        The filled ones come last.
        """
        records = len(self._ring)
        ages = np.arange(records - 1, -1, -1)[:, None]
        rows = (self._last[lanes] - ages) % records
        return self._ring[rows, lanes], np.minimum(self._last[lanes] + 1, records)


def motion(records: Array, filled: Array) -> Motion:
    """What lanes do in their last records.

    Parameters
    ----------
    records
        (K, L, P), oldest first.
    filled
        How many of them, the last ones, belong to the lane: (L,).
    """
    points = records.astype(np.float64)
    count = len(points)
    steps = np.diff(points, axis=0)
    turns = np.diff(steps, axis=0)
    first = count - filled  # index of the lane's first record
    long = _lengths(steps)
    bend = _lengths(turns)
    step_1, step_2 = _halves(long, first)
    turn_1, turn_2 = _halves(bend, first)
    number = np.arange(len(turns) - 1)[:, None] if len(turns) > 1 else np.zeros((0, 1))
    valid = number >= first
    opposite = (_unit(turns[:-1], bend[:-1]) * _unit(turns[1:], bend[1:])).sum(-1) < 0
    with np.errstate(invalid="ignore"):
        alternates = (opposite & valid).sum(0) > 0.7 * np.maximum(valid.sum(0), 1)
    path = np.where(np.arange(len(long))[:, None] >= first, long, 0).sum(0)
    lanes = np.arange(points.shape[1])
    net = _lengths(points[-1] - points[np.minimum(first, count - 1), lanes])
    size = np.abs(points[-1]).max(-1)
    resolution = 16 * _EPS * np.maximum(size, np.finfo(np.float32).tiny)
    at_rest = step_2 <= resolution
    return Motion(
        at_rest=at_rest,
        still=step_2 == 0,
        alternates=alternates & (turn_2 > resolution),
        returns=(net < 0.3 * path) & ~at_rest,
        growth=_ratio(step_2, step_1, at_rest),
        turning_growth=_ratio(turn_2, turn_1, turn_2 <= resolution),
        step=step_2,
        turning=turn_2,
    )


def place(objective: Objective, ends: Array, h: float) -> Place:
    """The loss around the ends of L lanes (L, P).

    The Hessian is that of central differences of the gradient at distance h in every parameter,
    so functions with kinks and without second derivatives are served too.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _place(objective, ends.astype(np.float64), h)


def _place(objective: Objective, points: Array, h: float) -> Place:
    matrices, usable = _matrices(objective, points, h)
    slopes = gradients(objective, points)
    usable &= np.isfinite(slopes).all(1)
    matrices[~usable] = 0
    slopes[~usable] = 0
    curvatures, vectors = np.linalg.eigh(matrices)
    along = np.einsum("mji,mj->mi", vectors, slopes)
    scale = np.abs(curvatures).max(1, keepdims=True)
    down = curvatures < -1e-3 * scale
    # Along the floor of a straight valley the curvature is 0, and the slope must be nearly so.
    steep = np.where(down, np.abs(curvatures), np.maximum(curvatures, 1e-5 * scale))
    lengths = np.where(along != 0, along / np.where(steep > 0, steep, 1e-300), 0.0)
    distance = np.where(usable, _lengths(lengths), np.inf)
    step = -np.einsum("mij,mj->mi", vectors, np.where(down, 0.0, lengths))
    downward = down.any(1)
    # Beside a curved floor of minima the loss curves downward along it, on the floor it does not.
    lanes = np.flatnonzero(downward & np.isfinite(step).all(1))
    if len(lanes):
        there, known = _matrices(objective, points[lanes] + step[lanes], h)
        bends = np.linalg.eigvalsh(there)
        downward[lanes] = ~known | (bends[:, 0] < -1e-3 * np.abs(bends).max(1))
    leaving = np.abs(np.where(down, lengths, 0)).max(1)
    return Place(distance, downward, leaving, curvatures, step)


def _matrices(objective: Objective, points: Array, h: float) -> tuple[Array, Array]:
    """Hessians (M, P, P) from differences of the gradient, 0 where not finite; finite (M,)."""
    columns = [
        (gradients(objective, points + e) - gradients(objective, points - e)) / (2 * h)
        for e in h * np.eye(points.shape[1])
    ]
    matrices = np.stack(columns, axis=-1)
    matrices = (matrices + matrices.transpose(0, 2, 1)) / 2
    usable = np.all(np.isfinite(matrices), axis=(1, 2))
    matrices[~usable] = 0
    return matrices, usable


def fading(objective: Objective, records: Array, filled: Array) -> Array:
    """Whether the slope has become less within the last records: bool (L,).

    A lane that is far away but on such a slope may be on its way to a minimum there.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    records, filled
        As in `motion`.
    """
    first = np.minimum(len(records) - filled, len(records) - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        before = _lengths(gradients(objective, records[first, np.arange(records.shape[1])]))
        now = _lengths(gradients(objective, records[-1]))
    slower: Array = now < 0.9999 * before
    return slower


def classify(
    moved: Motion,
    around: Place,
    outcomes: Array,
    extent: float,
    ends: Array,
    *,
    rule: Rule,
    learning_rates: Array,
    is_quadratic: bool,
) -> tuple[Array, Array, Array]:
    """Name the ends of L lanes from their motion and their places.

    Parameters
    ----------
    moved, around
        From `motion` and `place`.
    outcomes
        The descent's, (L,).
    extent
        Size of the region looked at.
    ends
        (L, P).
    rule, learning_rates
        The rule, and the rates (L,).
    is_quadratic
        Whether the loss is a quadratic, on which theory decides whether a run is bounded.

    Returns
    -------
    names
        `End` values, str (L,).
    open
        Whether a look ahead must decide: bool (L,). The name is what holds if it is bounded.
    drifts
        Whether it only gets away so far, bool (L,): what oscillates later does not do so now.
    """
    rounding = 16 * _EPS * np.abs(ends).max(-1)
    close = (around.distance <= NEAR * extent) & (moved.step <= 4 * NEAR * extent)
    # At a minimum theory knows better than the last steps whether they will shrink.
    radius = _radius(rule, around.curvatures, learning_rates)
    shrinks = (moved.turning_growth < 0.999) & (moved.growth < 0.999)
    shrinks |= moved.step <= 4 * rounding
    shrinks &= close & (radius < 0.9999)
    grows = close & (radius > 1.0001)
    steady = (moved.turning_growth >= _STEADY) & moved.alternates
    steady |= (moved.growth >= _STEADY) & moved.returns
    # Large steps back and forth may be chaotic: whether they end, only more of them can tell.
    wild = (moved.alternates | moved.returns) & (moved.growth > 0.9) & ~close
    # While some parameters go to and fro, others may lead somewhere else.
    strays = moved.alternates & ~moved.returns
    turning = (steady | wild) & ~strays & ~shrinks & ~moved.at_rest
    growing = (moved.growth > _GROWING) | (moved.alternates & (moved.turning_growth > _GROWING))
    growing &= ~moved.at_rest & ~shrinks
    drifting = ((moved.growth >= _STEADY) | (steady & strays)) & ~moved.returns
    drifting &= ~moved.at_rest & ~close
    # Steps that suddenly turn are no rest, such as those across a kink, before more of them are
    # seen to go to and fro.
    settles = shrinks | moved.at_rest | ((moved.growth < _STEADY) & (moved.turning_growth < 2))
    settles |= moved.step <= 0.01 * NEAR * extent
    came_to_rest = close & settles & ~turning & ~growing & (moved.still | ~grows)
    names = np.full(len(ends), str(End.NOT_CONVERGED), dtype="<U13")
    names[outcomes == "converged"] = End.STOPPED
    names[turning] = End.OSCILLATING
    names[came_to_rest & ~around.downward] = End.CONVERGED
    still = came_to_rest & around.downward & (around.leaving <= rounding)
    names[still] = End.SADDLE
    names[outcomes == "diverged"] = End.DIVERGED
    undecided = (growing | drifting | wild | (grows & ~moved.still)) & ~came_to_rest
    undecided &= outcomes == "max_steps"
    if is_quadratic:
        # That steps grow is not enough: those of a rule with a memory do at first.
        unbounded = (radius > 1.0001) | (growing & (around.leaving > rounding))
        unbounded &= ~moved.still & (outcomes != "diverged")
        names[unbounded] = End.UNBOUNDED
        undecided &= ~unbounded
    return names, undecided, drifting


def end_behaviour(descent: Descent, lane: int = 0) -> End:
    """What became of a lane, as far as it is recorded.

    Parameters
    ----------
    descent
        A descent that keeps its records and goes one way: of an objective that is the same in
        every step.
    lane
        Which lane.

    Returns
    -------
    End
        For an objective with bounds, a surface, "near" is half a per cent of the map's diagonal;
        for others of the distance that the lane has covered.

    Raises
    ------
    ValueError
        When records are not kept or there is no such lane.
    """
    slices = ending(descent, lane)
    while True:
        try:
            next(slices)
        except StopIteration as done:
            return End(done.value)


def ending(
    descent: Descent, lane: int = 0, *, seconds: float = math.inf
) -> Generator[None, None, End]:
    """`end_behaviour` in slices of about ``seconds``; the generator returns the `End`."""
    if not descent.record:
        raise ValueError("end_behaviour needs all records: make the descent with record=True")
    lane = checks.integer(lane, "lane", 0, descent.lanes - 1)
    last = int(descent.last_step[lane])
    path = descent.params[: last + 1, lane].astype(np.float64)
    if descent.outcomes[lane] == "diverged":
        return End.DIVERGED
    extent, centre = _region(descent.objective, path)
    records = path[-TAIL:, None]
    outcome = str(descent.outcomes[lane])
    # A run that is not over is judged as if it were.
    outcomes = np.array([outcome if outcome == "converged" else "max_steps"])
    rates = np.array([descent.rates_from[-1][1][lane]], dtype=np.float64)
    rule = _rule_of(descent.rule, lane)
    names, undecided, drifts = _named(
        descent.objective, records, outcomes, extent=extent, rule=rule, rates=rates
    )
    every = descent.clear_every[lane]
    if not undecided[0] or every != 1 or isinstance(descent.objective, SteppedObjective):
        return End(names[0])
    ahead = Descent(
        descent.objective, path[-1], rates, rule=rule, max_steps=LOOK_AHEAD, record=True
    )
    for k in range(_GLANCE, LOOK_AHEAD + 1, _GLANCE):
        while ahead.recorded < k and not ahead.finished:
            ahead.advance_to(k, budget=None if math.isinf(seconds) else seconds)
            yield
        further = ahead.params[: int(ahead.last_step[0]) + 1].astype(np.float64)
        away = np.abs(further[-1, 0] - centre).max()
        if ahead.outcomes[0] == "diverged":
            return End.UNBOUNDED
        last_ones = further[-TAIL:]
        if away > _FAR * extent and not fading(
            descent.objective, last_ones, np.array([len(last_ones)])
        ):
            return End.UNBOUNDED
        later, still_open, _ = _named(
            descent.objective,
            further[-TAIL:],
            outcomes,
            extent=extent,
            rule=rule,
            rates=rates,
        )
        if not still_open[0]:
            break
    return End(decided(names, later, drifts)[0])


def decided(names: Array, later: Array, drifts: Array) -> Array:
    """Names after a look ahead that stayed within bounds, where it began with ``names``.

    What oscillates later does so now, unless it drifts so far; what comes to rest later has not
    converged now.
    """
    turns = later == End.OSCILLATING
    resting = (later == End.CONVERGED) | (later == End.SADDLE)
    moving = np.where(turns & ~drifts, later, str(End.NOT_CONVERGED))
    result: Array = np.where(turns | resting, moving, names)
    return result


def far_away(points: Array, bounds: Sequence[Sequence[float]]) -> Array:
    """Whether points (L, 2) are ten diagonals or more off a map: bool (L,)."""
    low, high = np.array(bounds, dtype=np.float64).T
    beyond = np.maximum(low - points, points - high).max(1)
    far: Array = beyond > _FAR * float(np.hypot(*(high - low)))
    return far


def _named(
    objective: Objective,
    records: Array,
    outcomes: Array,
    *,
    extent: float,
    rule: Rule,
    rates: Array,
) -> tuple[Array, Array, Array]:
    moved = motion(records, np.array([len(records)]))
    around = place(objective, records[-1], 0.4 * NEAR * extent)
    known = quadratic(objective)
    if known is not None:
        # Exact also where one curvature is far smaller than another.
        far = np.linalg.norm(known.components(records[-1, 0]))
        around = Place(
            np.array([far]), around.downward, around.leaving, known.curvatures[None], around.step
        )
    return classify(
        moved,
        around,
        outcomes,
        extent,
        records[-1],
        rule=rule,
        learning_rates=rates,
        is_quadratic=known is not None,
    )


def _region(objective: Objective, path: Array) -> tuple[float, Array]:
    """The size of the region a lane is looked at in, and its centre."""
    if isinstance(objective, Surface):
        low, high = np.array(objective.bounds, dtype=np.float64).T
        return float(np.hypot(*(high - low))), (low + high) / 2
    covered = float(_lengths(path - path[-1]).max())
    return covered or float(np.abs(path[-1]).max()) or 1.0, path[0]


def _rule_of(rule: Rule, lane: int) -> Rule:
    return rule.rules[lane] if isinstance(rule, PerLane) else rule


def _radius(rule: Rule, curvatures: Array, rates: Array) -> Array:
    """What an update leaves at most of a small distance from a minimum, (L,); NaN if unknown."""
    nesterov = isinstance(rule, Nesterov)
    if isinstance(rule, (Momentum, Nesterov)):
        beta = rule.beta
    elif isinstance(rule, GradientDescent):
        beta = 0.0
    else:
        return np.full(len(curvatures), np.nan)
    upward = np.maximum(curvatures, 0) * rates[:, None]
    radius = spectral_radius(upward.ravel(), 1.0, beta, nesterov=nesterov).reshape(upward.shape)
    # A direction without curvature neither shrinks nor grows.
    result: Array = np.where(upward > 1e-6 * upward.max(1, keepdims=True), radius, 0).max(1)
    return result


def _halves(sizes: Array, first: Array) -> tuple[Array, Array]:
    """The largest sizes (K, L) in the first and second half of those from index ``first`` on."""
    if not len(sizes):
        return np.zeros(len(first)), np.zeros(len(first))
    index = np.arange(len(sizes))[:, None]
    middle = (first + len(sizes)) / 2
    early = np.where((index >= first) & (index < middle), sizes, 0).max(0)
    late = np.where((index >= first) & (index >= middle), sizes, 0).max(0)
    return early, late


def _ratio(late: Array, early: Array, still: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Array = np.where(still, 1.0, late / early)
        return ratio


def _lengths(vectors: Array) -> Array:
    """Euclidean lengths along the last axis."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths: Array = np.linalg.norm(vectors, axis=-1)
        return lengths


def _unit(vectors: Array, lengths: Array) -> Array:
    unit: Array = vectors / np.where(lengths > 0, lengths, 1)[..., None]
    return unit
