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
from gdwidgets.core.analysis.endings import End, Place, Tail
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
    2,000 updates more.

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
            loss_tol=loss_tol,
            max_steps=max_steps,
            record=False,
        )
        (u0, u1), (v0, v1) = surface.bounds
        self._extent = math.hypot(u1 - u0, v1 - v0)
        self._run = _Run(descent)
        self._ends: _Ends | None = None
        self._ahead: _Run | None = None

    @property
    def done(self) -> bool:
        """Whether all starts have ended and what became of them is known."""
        return self._ends is not None and (self._ahead is None or self._ahead.done)

    @property
    def progress(self) -> float:
        """Fraction of the updates made, 0 to 1; a look ahead counts for the last tenth."""
        if self.done:
            return 1.0
        if self._ahead is not None:
            return 0.9 + 0.1 * self._ahead.progress
        return 0.9 * self._run.progress

    def advance(self, seconds: float) -> bool:
        """Go on for about that long; whether the search is done."""
        deadline = perf_counter() + seconds
        if not self._run.done:
            self._run.advance(deadline)
        elif self._ends is None:
            self._ends = self._classified(self._run, np.arange(self._n**2))
            self._look_ahead(self._ends)
        elif self._ahead is not None:
            self._ahead.advance(deadline)
        return self.done

    def result(self) -> BasinMap:
        """The map; computes what is left first."""
        while not self.advance(math.inf):
            pass
        assert self._ends is not None  # noqa: S101 - advance has made it
        names = self._ends.names.copy()
        if self._ahead is not None:
            open_ends = np.flatnonzero(self._ends.undecided)
            later = self._classified(self._ahead, np.arange(len(open_ends)))
            ahead = self._ahead.descent
            gone = endings.unbounded(later.points, ahead.outcomes, self._surface.bounds)
            bounded = endings.decided(names[open_ends], later.names)
            names[open_ends] = np.where(gone, str(End.UNBOUNDED), bounded)
        labels = np.array([LABELS.get(End(name), UNLISTED) for name in np.unique(names)])
        labels = labels[np.unique(names, return_inverse=True)[1]]
        reached = np.flatnonzero(names == End.CONVERGED)
        minima, extended, members = self._minima(
            self._ends.points[reached], self._ends.distance[reached]
        )
        labels[reached] = members
        around = np.full(len(labels), -1)
        turning = np.flatnonzero(names == End.OSCILLATING)
        if len(minima) and len(turning):
            distances = _distances(self._ends.middles[turning], minima)
            near = distances.min(1) <= 0.1 * self._extent
            around[turning] = np.where(near, distances.argmin(1), -1)
        square = (self._n, self._n)
        return BasinMap(
            self._u, self._v, labels.reshape(square), minima, extended, around.reshape(square)
        )

    def _classified(self, run: _Run, lanes: Array) -> _Ends:
        """What became of the lanes of a run."""
        blocks = [lanes[i : i + _BLOCK] for i in range(0, len(lanes), _BLOCK)]
        return _joined([self._block(run, block) for block in blocks])

    def _block(self, run: _Run, lanes: Array) -> _Ends:
        records, filled = run.tail.of(lanes)
        points = records[-1].astype(np.float64)
        around = _finite_place(self._surface, points, 0.1 * _REACH * self._extent)
        names, undecided = endings.classify(
            endings.motion(records, filled),
            around,
            run.descent.outcomes[lanes],
            self._extent,
            points,
            rule=run.descent.rule,
            learning_rates=np.full(len(lanes), self._rate),
        )
        middles = records[-2:].astype(np.float64).mean(0)
        return _Ends(names, undecided, points, middles, around.distance)

    def _look_ahead(self, ends: _Ends) -> None:
        lanes = np.flatnonzero(ends.undecided)
        if len(lanes):
            descent = Descent(
                self._surface,
                ends.points[lanes],
                self._rate,
                rule=self._run.descent.rule,
                max_steps=endings.LOOK_AHEAD,
                record=False,
            )
            self._ahead = _Run(descent)

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
    """A descent without records, and the last ones of every lane."""

    def __init__(self, descent: Descent) -> None:
        self.descent = descent
        self.tail = Tail(descent.lanes, len(descent.objective.parameter_names))
        # With a tolerance any record may be a lane's last.
        first = 0 if descent.loss_tol is not None else descent.max_steps + 1 - endings.TAIL
        self._first = max(0, first)
        self._take()

    @property
    def done(self) -> bool:
        return self.descent.finished

    @property
    def progress(self) -> float:
        return 1.0 if self.done else self.descent.recorded / self.descent.max_steps

    def advance(self, deadline: float) -> None:
        """Go on until the deadline, by a step at least."""
        while not self.descent.finished:
            at = self.descent.recorded
            target = at + 1 if at >= self._first - 1 else self._first - 1
            left = max(deadline - perf_counter(), 0.0)
            self.descent.advance_to(target, budget=None if math.isinf(left) else left)
            self._take()
            if perf_counter() >= deadline:
                break

    def _take(self) -> None:
        descent = self.descent
        self.tail.add(descent.recorded, descent.params[-1], descent.last_step)


@dataclass(frozen=True, eq=False)
class _Ends:
    """What became of lanes: names (L,), open (L,), ends and middles (L, 2), Newton's (L,)."""

    names: Array
    undecided: Array
    points: Array
    middles: Array
    distance: Array


def _joined(parts: list[_Ends]) -> _Ends:
    fields = ("names", "undecided", "points", "middles", "distance")
    return _Ends(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _finite_place(surface: Surface, points: Array, h: float) -> Place:
    with np.errstate(over="ignore", invalid="ignore"):
        return endings.place(surface, points, h)


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
    return np.hypot(*(points[:, None] - others).transpose(2, 0, 1))
