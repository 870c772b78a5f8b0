"""Basins of attraction: which minimum gradient descent reaches from every start on a map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.descent.recording import Array
from gdwidgets.core.objectives.surface import Surface

DIVERGED = -1
"""Label of a start from which the descent became non-finite."""

UNSETTLED = -2
"""Label of a start whose end point is at no minimum: not there yet, leaving, or on a saddle."""

MOST_MINIMA = 200
"""Minima a map finds beyond those the surface knows."""

_REACH = 0.02
"""How near an end point must be to a minimum, as a share of the map's diagonal."""

_CALMED = 0.01
"""What may be left, at an end that is called settled, of the gradient at its start."""


@dataclass(frozen=True, eq=False)
class BasinMap:
    """Where the starts of a grid end up.

    Attributes
    ----------
    u, v
        float32 (n,), the grid.
    labels
        int (n, n): ``labels[i, j]`` belongs to the start ``(u[j], v[i])``. An index into
        ``minima``, `DIVERGED` or `UNSETTLED`.
    minima
        float64 (M, 2): first those the surface knows, in its order, then those found, by loss.
    """

    DIVERGED: ClassVar[int] = DIVERGED
    UNSETTLED: ClassVar[int] = UNSETTLED

    u: Array
    v: Array
    labels: Array
    minima: Array


class BasinSearch:
    """The search for basins, to be done in slices.

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
        self._descent = Descent(
            surface,
            points,
            checks.positive(learning_rate, "learning_rate"),
            rule=rule,
            loss_tol=loss_tol,
            max_steps=max_steps,
            record=False,
        )

    @property
    def done(self) -> bool:
        """Whether all starts have ended."""
        return self._descent.finished

    @property
    def progress(self) -> float:
        """Share of the updates made, 0 to 1."""
        return 1.0 if self.done else self._descent.recorded / self._descent.max_steps

    def advance(self, seconds: float) -> bool:
        """Go on for about that long; whether the search is done."""
        self._descent.advance_to(self._descent.max_steps, budget=seconds)
        return self.done

    def result(self) -> BasinMap:
        """The map; computes what is left first."""
        self._descent.advance_to(self._descent.max_steps)
        ends = self._descent.params[-1].astype(np.float64)
        diverged = self._descent.outcomes == "diverged"
        (u0, u1), (v0, v1) = self._surface.bounds
        reach = _REACH * math.hypot(u1 - u0, v1 - v0)
        minima = np.array(self._surface.minima, dtype=np.float64).reshape(-1, 2)
        labels = np.full(len(ends), UNSETTLED)
        if len(minima):
            distances = np.hypot(*(ends[:, None] - minima).transpose(2, 0, 1))
            nearest = distances.argmin(1)
            labels = np.where(distances.min(1) <= reach, nearest, UNSETTLED)
        labels[diverged] = DIVERGED
        open_ends = np.flatnonzero(labels == UNSETTLED)
        if len(open_ends):
            starts = self._descent.start[open_ends]
            found, members = self._find_minima(starts, ends[open_ends], reach)
            new = members >= 0
            labels[open_ends[new]] = members[new] + len(minima)
            minima = np.concatenate([minima, found])
        return BasinMap(self._u, self._v, labels.reshape(self._n, self._n), minima)

    def _find_minima(self, starts: Array, ends: Array, reach: float) -> tuple[Array, Array]:
        """Group settled ends: minima (M, 2), and per end the index of its own or −1."""
        newton = _newton_distance(self._surface, ends, 0.1 * reach)
        before, after = (
            np.hypot(*self._surface.gradient(points).T.astype(np.float64))
            for points in (starts, ends)
        )
        newton[~(after <= _CALMED * before)] = np.inf
        # The best settled end of a group stands for it; ties go by place on the map.
        order = [i for i in np.argsort(newton, kind="stable") if newton[i] <= reach / 4]
        waiting = np.zeros(len(ends), dtype=bool)
        waiting[order] = True
        group = np.full(len(ends), -1)
        chosen: list[int] = []
        for i in order:
            if waiting[i] and len(chosen) < MOST_MINIMA:
                near = waiting & (np.hypot(*(ends - ends[i]).T) <= reach)
                group[near] = len(chosen)
                waiting &= ~near
                chosen.append(int(i))
        minima = ends[chosen].reshape(-1, 2)
        losses = self._surface.values(minima)
        by_loss = np.lexsort((minima[:, 1], minima[:, 0], losses))
        rank = np.empty(len(chosen), dtype=np.int64)
        rank[by_loss] = np.arange(len(chosen))
        members = np.full(len(ends), -1)
        members[group >= 0] = rank[group[group >= 0]]
        return minima[by_loss], members


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


def _newton_distance(surface: Surface, points: Array, h: float) -> Array:
    """How far Newton's step H⁺ g goes from points (M, 2); infinite where it leads to no minimum.

    The Hessian H is that of central differences of the gradient at distance ``h``, so functions
    with kinks and without second derivatives are served too.
    """
    columns = [
        (surface.gradient(points + h * e).astype(np.float64) - surface.gradient(points - h * e))
        / (2 * h)
        for e in np.eye(2)
    ]
    hessians = np.stack(columns, axis=-1)
    hessians = (hessians + hessians.transpose(0, 2, 1)) / 2
    gradients = surface.gradient(points).astype(np.float64)
    usable = np.isfinite(hessians).all((1, 2)) & np.isfinite(gradients).all(1)
    hessians[~usable] = 0
    gradients[~usable] = 0
    values, vectors = np.linalg.eigh(hessians)
    along = np.einsum("mji,mj->mi", vectors, gradients)
    scale = np.abs(values).max(1, keepdims=True)
    # Along the floor of a straight valley the curvature is 0, and the slope must be nearly so.
    steps = along / np.where(scale > 0, np.maximum(values, 1e-5 * scale), 1)
    up = (values > -1e-3 * scale).all(1) & (scale[:, 0] > 0)
    distance: Array = np.where(usable & up, np.hypot(*steps.T), np.inf)
    return distance
