"""Basins of attraction: which minimum gradient descent reaches from every start on a map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.analysis import endings
from gdwidgets.core.analysis.connected import connected
from gdwidgets.core.analysis.endings import End, Tail
from gdwidgets.core.analysis.quadratic import quadratic
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.descent.recording import Array
from gdwidgets.core.objectives.surface import Surface

DIVERGED = -1
"""Label of a start from which a number became infinite or NaN."""

NOT_CONVERGED = -2
"""Label of a start whose descent still moves toward lower losses: more updates would help."""

OSCILLATING = -3
"""Label of a start whose descent goes back and forth without coming to rest."""

UNBOUNDED = -4
"""Label of a start whose descent is finite but leaves the map without bound."""

SADDLE = -5
"""Label of a start whose descent rests at a point without gradient that is no minimum."""

STOPPED = -6
"""Label of a start whose descent ``loss_tol`` ended away from any minimum."""

UNLISTED = -7
"""Label of a start that converged to a minimum beyond the `MOST_MINIMA` that a map lists."""

LABELS: Mapping[End, int] = {
    End.DIVERGED: DIVERGED,
    End.NOT_CONVERGED: NOT_CONVERGED,
    End.OSCILLATING: OSCILLATING,
    End.UNBOUNDED: UNBOUNDED,
    End.SADDLE: SADDLE,
    End.STOPPED: STOPPED,
}
"""The labels of ends that are no minima."""

MOST_MINIMA = 200
"""Minima a map finds beyond those the surface knows."""

_REACH = 0.02
"""How far apart ends at the same minimum may be, as a fraction of the map's diagonal."""

_ROUNDS = 4
"""Rounds of looking ahead, between which lanes that are decided drop out."""

_BLOCK = 20_000
"""Lanes that are classified together."""


@dataclass(frozen=True, eq=False)
class BasinMap:
    """Where the starts of a grid end up.

    Attributes
    ----------
    u, v
        float32 (n,), the grid.
    labels
        int (n, n): ``labels[i, j]`` belongs to the start ``(u[j], v[i])``. An index into
        ``minima``, or one of the negative labels below.
    minima
        float64 (M, 2): first those the surface knows, in its order, then those found, by loss.
        Minima that are connected, such as a ring, are one, given by one of its points.
    extended
        bool (M,): whether ends far apart are at the same minimum, so that it is no single point.
    around
        int (n, n): for a start that oscillates the index of the nearest minimum, or −1 where none
        is nearer than a tenth of the map's diagonal; −1 for all others.
    """

    DIVERGED: ClassVar[int] = DIVERGED
    NOT_CONVERGED: ClassVar[int] = NOT_CONVERGED
    OSCILLATING: ClassVar[int] = OSCILLATING
    UNBOUNDED: ClassVar[int] = UNBOUNDED
    SADDLE: ClassVar[int] = SADDLE
    STOPPED: ClassVar[int] = STOPPED
    UNLISTED: ClassVar[int] = UNLISTED

    u: Array
    v: Array
    labels: Array
    minima: Array
    extended: Array
    around: Array

    @property
    def counts(self) -> dict[End, int]:
        """How many starts end in each way; those with a count of 0 included."""
        counts = {end: int((self.labels == label).sum()) for end, label in LABELS.items()}
        reached = int(((self.labels >= 0) | (self.labels == UNLISTED)).sum())
        return {End.CONVERGED: reached, **counts}

    @property
    def reached(self) -> Array:
        """How many starts converge to each minimum: int (M,)."""
        listed = self.labels[self.labels >= 0]
        return np.bincount(listed, minlength=len(self.minima))


class BasinSearch:
    """The search for basins, to be done in slices.

    Every start is descended from, and its last records say what became of it; see
    `gdwidgets.core.analysis.endings`. Where they leave that open, the descent goes on for up to
    1,000 updates more.

    Parameters
    ----------
    surface
        The function and the map.
    learning_rate
        Positive number, the same for all starts.
    rule
        Update rule, the same for all starts.
    max_steps
        Updates per start.
    resolution
        Starts a side, 2 to 500.
    loss_tol
        As in `Descent`.

    Raises
    ------
    ValueError
        When an argument does not fit.
    """

    def __init__(
        self,
        surface: Surface,
        learning_rate: float,
        *,
        rule: Any = "gd",
        max_steps: int = 300,
        resolution: int = 120,
        loss_tol: float | None = None,
    ) -> None:
        if not isinstance(surface, Surface):
            raise ValueError(f"surface must be a Surface, got {checks.shown(surface)}")
        self._surface = surface
        self._n = checks.integer(resolution, "resolution", 2, 500)
        self._u, self._v, points = surface.grid_points(self._n)
        self._rate = checks.positive(learning_rate, "learning_rate")
        descent = Descent(
            surface,
            points,
            self._rate,
            rule=rule,
            max_steps=max_steps,
            record=False,
        )
        if loss_tol is not None:
            loss_tol = checks.positive(loss_tol, "loss_tol")
        (u0, u1), (v0, v1) = surface.bounds
        self._extent = math.hypot(u1 - u0, v1 - v0)
        self._is_quadratic = quadratic(surface) is not None
        self._run = _Run(descent, loss_tol)
        self._ends: _Ends | None = None
        self._ahead: _Run | None = None
        self._open: Array = np.zeros(0, dtype=np.int64)
        self._rounds = 0

    @property
    def done(self) -> bool:
        """Whether all starts have ended and what became of them is known."""
        return self._ends is not None and self._ahead is None

    @property
    def progress(self) -> float:
        """Fraction of the updates made, 0 to 1; looking ahead counts for the last tenth."""
        if self.done:
            return 1.0
        if self._ahead is not None:
            return 0.9 + 0.1 * (self._rounds + self._ahead.progress) / _ROUNDS
        return 0.9 * self._run.progress

    def advance(self, seconds: float) -> bool:
        """Go on for about that long; whether the search is done."""
        deadline = perf_counter() + seconds
        if not self._run.done:
            self._run.advance(deadline)
        elif self._ends is None:
            self._ends = self._classified(self._run)
            self._open = np.flatnonzero(self._ends.undecided)
            self._look_ahead(self._ends, self._ends, self._open)
        elif self._ahead is not None and not self._ahead.done:
            self._ahead.advance(deadline)
        elif self._ahead is not None:
            self._rounds += 1
            self._decide(self._ends, self._ahead)
        return self.done

    def result(self) -> BasinMap:
        """The map; computes what is left first."""
        while not self.advance(math.inf):
            pass
        assert self._ends is not None  # noqa: S101 - advance has made it
        ends = self._ends
        kinds, kind = np.unique(ends.names, return_inverse=True)
        labels = np.array([LABELS.get(End(name), UNLISTED) for name in kinds])[kind]
        reached = np.flatnonzero(ends.names == End.CONVERGED)
        minima, extended, members = self._minima(ends.points[reached], ends.distance[reached])
        labels[reached] = members
        around = np.full(len(labels), -1)
        turning = np.flatnonzero(ends.names == End.OSCILLATING)
        if len(minima) and len(turning):
            distances = _distances(ends.middles[turning], minima)
            near = distances.min(1) <= 0.1 * self._extent
            around[turning] = np.where(near, distances.argmin(1), -1)
        square = (self._n, self._n)
        return BasinMap(
            self._u, self._v, labels.reshape(square), minima, extended, around.reshape(square)
        )

    def _classified(self, run: _Run) -> _Ends:
        """What became of the lanes of a run."""
        lanes = np.arange(run.descent.lanes)
        return _joined(
            [self._block(run, lanes[i : i + _BLOCK]) for i in range(0, len(lanes), _BLOCK)]
        )

    def _block(self, run: _Run, lanes: Array) -> _Ends:
        records, filled = run.tail.of(lanes)
        points = records[-1].astype(np.float64)
        around = endings.place(self._surface, points, 0.1 * _REACH * self._extent)
        names, undecided, drifts = endings.classify(
            endings.motion(records, filled),
            around,
            run.outcomes[lanes],
            self._extent,
            points,
            rule=run.descent.rule,
            learning_rates=np.full(len(lanes), self._rate),
            is_quadratic=self._is_quadratic,
        )
        middles = records[-2:].astype(np.float64).mean(0)
        fading = np.zeros(len(lanes), dtype=bool)
        far = np.flatnonzero(endings.far_away(points, self._surface.bounds))
        if len(far):
            fading[far] = endings.fading(self._surface, records[:, far], filled[far])
        return _Ends(names, undecided, drifts, fading, points, middles, around.distance)

    def _look_ahead(self, ends: _Ends, now: _Ends, which: Array) -> None:
        """Go on with the open lanes from where they are ``now``, but for those that have left."""
        points = now.points[which]
        gone = endings.far_away(points, self._surface.bounds) & ~now.fading[which]
        ends.names[self._open[gone]] = End.UNBOUNDED
        self._open, points = self._open[~gone], points[~gone]
        self._ahead = None
        if len(self._open):
            descent = Descent(
                self._surface,
                points,
                self._rate,
                rule=self._run.descent.rule,
                max_steps=endings.LOOK_AHEAD // _ROUNDS,
                record=False,
            )
            self._ahead = _Run(descent, None)

    def _decide(self, ends: _Ends, ahead: _Run) -> None:
        """Take in a round of looking ahead: lanes that diverged, came to rest, or go on."""
        diverged = ahead.outcomes == "diverged"
        ends.names[self._open[diverged]] = End.UNBOUNDED
        later = self._classified(ahead)
        # What grows or drifts on needs another round, while there is one.
        decided = ~diverged & (~later.undecided | (self._rounds == _ROUNDS))
        which = self._open[decided]
        ends.names[which] = endings.decided(
            ends.names[which], later.names[decided], ends.drifts[which]
        )
        further = ~diverged & ~decided
        self._open = self._open[further]
        self._look_ahead(ends, later, np.flatnonzero(further))

    def _minima(self, ends: Array, distance: Array) -> tuple[Array, Array, Array]:
        """Minima (M, 2), which are extended (M,), and per converged end the index of its own."""
        reach = _REACH * self._extent
        known = np.array(self._surface.minima, dtype=np.float64).reshape(-1, 2)
        members = np.full(len(ends), UNLISTED)
        if len(known) and len(ends):
            distances = _distances(ends, known)
            near = distances.min(1) <= reach
            members[near] = distances.argmin(1)[near]
        group, chosen = _groups(ends, distance, members == UNLISTED, reach)
        points = np.concatenate([known, ends[chosen]])
        root = connected(self._surface, points, len(known), 0.15 * self._extent)
        # Groups of one minimum: the known point stands for it, or the best found.
        found = np.array([i for i in range(len(known), len(points)) if root[i] == i], dtype=int)
        losses = self._surface.values(points[found]) if len(found) else np.zeros(0)
        found = found[np.lexsort((points[found, 1], points[found, 0], losses))]
        index = np.full(len(points), -1)
        index[: len(known)] = np.arange(len(known))
        index[found] = len(known) + np.arange(len(found))
        new = group >= 0
        members[new] = index[root[len(known) + group[new]]]
        extended = np.zeros(len(known) + len(found), dtype=bool)
        extended[index[root[root != np.arange(len(root))]]] = True
        return points[np.concatenate([np.arange(len(known)), found])], extended, members


def basins(
    surface: Surface,
    learning_rate: float,
    *,
    rule: Any = "gd",
    max_steps: int = 300,
    resolution: int = 120,
    loss_tol: float | None = None,
) -> BasinMap:
    """Run the descent from every start of a grid and label the starts by where it ends.

    See `BasinSearch` for the parameters and errors, and for doing it in slices.

    Returns
    -------
    BasinMap
        Labels (resolution, resolution) and the minima they refer to.
    """
    search = BasinSearch(
        surface,
        learning_rate,
        rule=rule,
        max_steps=max_steps,
        resolution=resolution,
        loss_tol=loss_tol,
    )
    return search.result()


class _Run:
    """A descent without records, the last ones of every lane, and what ended it.

    ``loss_tol`` is watched here: for `Descent`, lanes that have ended make every step dearer.
    """

    def __init__(self, descent: Descent, loss_tol: float | None) -> None:
        self.descent = descent
        self.tail = Tail(descent.lanes, len(descent.objective.parameter_names))
        self._loss_tol = loss_tol
        self._stopped = np.zeros(descent.lanes, dtype=bool)
        self._loss = descent.loss[-1].astype(np.float64)
        # With a tolerance any record may be a lane's last.
        first = 0 if loss_tol is not None else descent.max_steps + 1 - endings.TAIL
        self._first = max(0, first)
        self._take()

    @property
    def done(self) -> bool:
        """Whether every lane has ended."""
        return self.descent.finished or bool(self._stopped.all())

    @property
    def progress(self) -> float:
        """Fraction of the updates made."""
        return 1.0 if self.done else self.descent.recorded / self.descent.max_steps

    @property
    def outcomes(self) -> Array:
        """As `Descent.outcomes`, with ``loss_tol``."""
        return np.where(self._stopped, "converged", self.descent.outcomes)

    def advance(self, deadline: float) -> None:
        """Go on until the deadline, by a step at least."""
        while not self.done:
            at = self.descent.recorded
            target = at + 1 if at >= self._first - 1 else self._first - 1
            left = max(deadline - perf_counter(), 0.0)
            self.descent.advance_to(target, budget=None if math.isinf(left) else left)
            self._take()
            if perf_counter() >= deadline:
                break

    def _take(self) -> None:
        descent, k = self.descent, self.descent.recorded
        lasting = (descent.last_step >= k) & ~self._stopped
        self.tail.add(k, descent.params[-1], lasting)
        if self._loss_tol is None or not 0 < k < descent.max_steps:
            return
        loss = descent.loss[-1].astype(np.float64)
        self._stopped |= lasting & (np.abs(loss - self._loss) < self._loss_tol)
        self._loss = loss


@dataclass(frozen=True, eq=False)
class _Ends:
    """What became of lanes: names, open, drifts, fading (L,), ends, middles (L, 2), Newton's."""

    names: Array
    undecided: Array
    drifts: Array
    fading: Array
    points: Array
    middles: Array
    distance: Array


def _joined(parts: list[_Ends]) -> _Ends:
    fields = ("names", "undecided", "drifts", "fading", "points", "middles", "distance")
    return _Ends(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _groups(ends: Array, distance: Array, wanted: Array, reach: float) -> tuple[Array, list[int]]:
    """Group ends that lie together: per end its group or −1, and the end that stands for each."""
    # The best end of a group stands for it; ties go by place on the map.
    waiting = wanted.copy()
    group = np.full(len(ends), -1)
    chosen: list[int] = []
    for i in np.argsort(distance, kind="stable"):
        if waiting[i] and len(chosen) < MOST_MINIMA:
            near = waiting & (np.hypot(*(ends - ends[i]).T) <= reach)
            group[near] = len(chosen)
            waiting &= ~near
            chosen.append(int(i))
    return group, chosen


def _distances(points: Array, others: Array) -> Array:
    """Distances (M, K) between points (M, 2) and others (K, 2)."""
    distances: Array = np.hypot(*(points[:, None] - others).transpose(2, 0, 1))
    return distances
