"""What an explorer's pictures show, as data: for print, for a notebook's still picture, for a page.

An explorer describes its pictures once (``Explorer.panels``); ``printed`` draws them with
matplotlib, ``still`` as a small PNG in a few milliseconds, ``exported`` as a page that plays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.ui.plots import palette, trail
from gdwidgets.ui.plots.shade import Shade
from gdwidgets.ui.plots.thinning import column_extremes

Array = NDArray[Any]

COLUMNS = 1000
"""Columns of a picture in which a long line keeps its lowest and highest value."""

FAR = 1e6
"""Paths are cut here: what is further out is on no map, and drawing programs overflow."""


def grid(
    values: Callable[[NDArray[np.float32]], Array],
    window: Sequence[tuple[float, float]],
    cells: int,
) -> tuple[Array, Array, Array]:
    """A map's axes, float32 (cells,) each, and heights (cells, cells), row by row of the second.

    Parameters
    ----------
    values
        Gives the values (M,) at points (M, 2).
    window
        (low, high) of either parameter.
    cells
        Points a side.
    """
    across, up = (np.linspace(*ends, cells, dtype=np.float32) for ends in window)
    points = np.stack([np.tile(across, cells), np.repeat(up, cells)], axis=-1)
    return across, up, np.asarray(values(points)).reshape(cells, cells)


@dataclass(frozen=True, kw_only=True)
class _Lanes:
    """What a panel with one line a lane holds."""

    last: Array
    """Each lane's last step (L,)."""
    names: Sequence[str]
    """Of the lanes, L."""
    runs: Sequence[int | palette.Run]
    """Which of ``palette.RUNS`` each lane is, or how it is shown."""
    future: bool = True
    """Whether what lies beyond the cursor is drawn."""

    def until(self, lane: int) -> int:
        """A lane's last record among those that are there."""
        return min(int(self.last[lane]), self.records - 1)

    def at(self, lane: int, k: int) -> int:
        """The record of a lane that is shown with the cursor at ``k``."""
        return min(k, self.until(lane))

    @property
    def records(self) -> int:
        """How many records there are."""
        raise AssertionError("every panel knows its records")

    def track(self, lane: int) -> tuple[Array, Array]:
        """x and y of a lane's records, float64 (n,) each; NaN where nothing is drawn."""
        raise AssertionError("every panel knows where a lane goes")

    def kept(self, x: Array, y: Array) -> Array:
        """Which records of a track look the same in a picture; the first and last among them."""
        raise AssertionError("every panel knows what of a lane is seen")

    def parts(self, lane: int, k: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """A lane's track up to the cursor at ``k``, and from there on, as far as is seen."""
        (x, y), at = self.track(lane), self.at(lane, k)
        steps = np.union1d(self.kept(x, y), at)
        past, coming = steps[steps <= at], steps[steps >= at]
        return (x[past], y[past]), (x[coming], y[coming])


@dataclass(frozen=True, kw_only=True)
class CurvesPanel(_Lanes):
    """Values of all lanes against step."""

    values: Array
    """(n, L), record k in row k."""
    title: str = "loss"
    steps: str = "step"
    """What the axes show."""
    log: bool = False
    log_steps: bool = False
    """Whether the axes are logarithmic; steps by log(1 + step)."""
    levels: Sequence[tuple[float, str]] = ()
    """Horizontal lines: value, text."""

    @property
    def records(self) -> int:
        """How many records there are."""
        return len(self.values)

    def track(self, lane: int) -> tuple[Array, Array]:
        """Step, or log(1 + step), and value."""
        end = self.until(lane) + 1
        x = np.arange(end, dtype=np.float64)
        y = np.asarray(self.values[:end, lane], np.float64)
        drawn = np.isfinite(y) & (y > 0) if self.log else np.isfinite(y)
        return np.log1p(x) if self.log_steps else x, np.where(drawn, y, np.nan)

    def kept(self, x: Array, y: Array) -> Array:
        """The extremes of every column, where there are more records than columns."""
        if len(x) <= 2 * COLUMNS:
            return np.arange(len(x))
        edges = np.searchsorted(x, np.linspace(0, x[-1], COLUMNS, endpoint=False))
        return column_extremes(y, np.unique(edges), len(y))

    @property
    def end(self) -> int:
        """The last step of any lane, at least 1."""
        return max(1, *(self.until(lane) for lane in range(len(self.names))))

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and highest value of the run; a lane that diverges leaves the picture."""
        return self._limits(self.records)

    def limits_at(self, k: int) -> tuple[float, float]:
        """The same with the cursor at ``k``: while the future is hidden, of what is shown."""
        return self._limits(self.records if self.future else k + 1)

    def _limits(self, records: int) -> tuple[float, float]:
        tracks = [self.track(lane)[1][:records] for lane in range(len(self.names))]
        finite = [part for y in tracks if (part := y[np.isfinite(y)]).size]
        if not finite:
            return (1.0, 10.0) if self.log else (0.0, 1.0)
        first = max(float(part[0]) for part in finite)
        high = max(float(part.max()) for part in finite)
        if first > 0:
            high = min(high * (1.5 if self.log else 1.05), 50 * first)
        lowest = min(float(part.min()) for part in finite)
        low = min(lowest, *(value for value, _ in self.levels), high)
        if self.log:
            low = max(low, high * 1e-16)
            return low / 1.5, max(high, low * 2)
        spare = 0.05 * (high - low) or 0.5 * abs(high) or 1.0
        return low - spare, high + spare


@dataclass(frozen=True, kw_only=True)
class MapPanel(_Lanes):
    """A map of two parameters with the paths of all lanes."""

    across: Array
    up: Array
    heights: Array
    """The surface: u (n,), v (m,), values (m, n), the lowest row first."""
    shade: Shade
    """How its values become colours."""
    params: Array
    """(n, L, 2), record k in row k."""
    minima: Sequence[tuple[float, float]] = ()
    """Points to be numbered, from 1."""
    axes: tuple[str, str] = ("u", "v")
    """What the parameters are called."""

    @property
    def bounds(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(low, high) of either parameter."""
        u, v = self.across, self.up
        return (float(u[0]), float(u[-1])), (float(v[0]), float(v[-1]))

    @property
    def records(self) -> int:
        """How many records there are."""
        return len(self.params)

    def track(self, lane: int) -> tuple[Array, Array]:
        """Both parameters."""
        path = np.asarray(self.params[: self.until(lane) + 1, lane], np.float64)
        path = np.clip(np.nan_to_num(path, posinf=FAR, neginf=-FAR), -FAR, FAR)
        return path[:, 0], path[:, 1]

    def kept(self, x: Array, y: Array) -> Array:
        """The extremes of every part of a path, where it is long."""
        size = [high - low for low, high in self.bounds]
        return trail.thinned(np.stack((x, y), axis=1), 4 * COLUMNS, size)


@dataclass(frozen=True, kw_only=True)
class FitsPanel(_Lanes):
    """Samples, the best fit, and what every lane has fitted so far."""

    samples: tuple[Array, Array]
    """x and y (N,)."""
    grid: Array
    """Where fits are drawn, x (m,)."""
    basis: Array
    """Fits at the grid are ``basis @ params``: (m, P)."""
    params: Array
    """(n, L, P), record k in row k."""
    best: Array
    """The best fit at the grid (m,)."""
    diverged: Sequence[bool]
    """Which lanes have diverged once their last step is passed."""
    title: str = "y and the fits"
    label: str = "x"

    @property
    def records(self) -> int:
        """How many records there are."""
        return len(self.params)

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and highest value that the picture has room for."""
        y = np.concatenate((self.samples[1], self.best))
        low, high = float(y.min()), float(y.max())
        spare = 0.05 * (high - low) or 1.0
        return low - spare, high + spare

    def drawn(self, lane: int, k: int) -> bool:
        """Whether a lane has a fit at step ``k``."""
        return not (self.diverged[lane] and k > int(self.last[lane]))

    def fit(self, lane: int, k: int) -> Array:
        """A lane's fit at step ``k``, float64 (m,), kept near the picture."""
        low, high = self.limits
        far = 10 * (high - low)
        with np.errstate(all="ignore"):
            params = np.asarray(self.params[self.at(lane, k), lane], np.float64)
            fitted = np.nan_to_num(self.basis @ params)
        return np.clip(fitted, low - far, high + far)


@dataclass(frozen=True)
class Line:
    """A line of a drawing."""

    points: Array
    """(m, 2)"""
    colour: str
    width: float = 1.2
    """In points."""
    dashed: bool = False
    arrow: bool = False
    """Whether it ends in an arrow head."""


@dataclass(frozen=True)
class Blob:
    """A box or an ellipse of a drawing."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    outline: str
    box: bool


@dataclass(frozen=True)
class Label:
    """A text of a drawing."""

    x: float
    y: float
    text: str
    size: float = 8.5
    """In points."""
    bold: bool = False
    colour: str = palette.INK
    align: str = "center"
    ground: str = ""
    """The colour behind it, with an outline of the text's own colour; empty for none."""


Shape = Line | Blob | Label


@dataclass(frozen=True)
class DrawingPanel:
    """A drawing of its own for every step, such as a graph."""

    width: float
    height: float
    """Room that it takes, in inches."""
    across: tuple[float, float]
    down: tuple[float, float]
    """Coordinates of the left and right, the lower and upper border."""
    shapes: Callable[[int], list[Shape]] = field(repr=False)
    """Called with a step."""
    records: int = 1
    """How many steps can be drawn, step 0 included."""


Panel = CurvesPanel | MapPanel | FitsPanel | DrawingPanel
