"""Paths that are sent once and shown as far as the cursor.

A path is cut into pieces of a few points. All pieces are rows of one mark, of which bqplot shows
those that a list names; the points since the last whole piece are a short tail, sent in each frame.
So a frame of any path at full resolution is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gdwidgets.ui.plots.thinning import column_extremes

Path = NDArray[np.floating]


EVEN = 0.3
"""Share of the points that are spread evenly over the steps; the rest, over the way."""


def thinned(path: Path, most: int, size: ArrayLike = 1.0) -> NDArray[np.int64]:
    """Which points (n, 2) of a path to draw, ``most`` at most: all, or the extremes of each part.

    The first and the last point are among them. The parts are about as long as each other, so that
    a path that comes to rest early is as smooth on its way as one that does not.

    Parameters
    ----------
    path
        The points; what is not finite counts as no way.
    most
        How many to draw.
    size
        Of the map, in either direction (2,): an update that leads farther counts for no more.
    """
    count = len(path)
    if count <= most:
        return np.arange(count)
    # Of each part at most two extremes in either direction.
    parts = max(1, (most - 2) // 4)
    with np.errstate(invalid="ignore", over="ignore"):
        moves = np.abs(np.diff(path, axis=0)) / np.asarray(size, path.dtype)
    moves = np.minimum(np.nan_to_num(moves, nan=0.0, posinf=0.0), 1.0)
    way = np.concatenate(([0.0], moves.sum(axis=1, dtype=np.float64).cumsum()))
    share = 1 - EVEN if way[-1] > 0 else 0.0
    place = share * way / (way[-1] or 1.0) + (1 - share) * np.arange(count) / count
    edges = np.searchsorted(place, np.linspace(0, place[-1], parts + 1)[:-1])
    edges = np.unique(np.concatenate(([0], edges[edges < count])))
    picked = [column_extremes(path[:, i], edges, count) for i in range(2)]
    return np.union1d(*picked)


@dataclass(frozen=True)
class Trail:
    """One lane's path, thinned and cut.

    Attributes
    ----------
    steps
        Increasing step numbers (m,) of the points that are drawn, 0 first.
    points
        Their places (m, 2).
    piece
        Intervals in a piece: it has one point more, and shares its ends with its neighbours.
    """

    steps: NDArray[np.int64]
    points: Path
    piece: int

    @property
    def pieces(self) -> int:
        """Number of whole pieces."""
        return (len(self.steps) - 1) // self.piece

    def rows(self, count: int) -> Path:
        """The pieces as rows (count, piece + 1, 2); what there is not is a point."""
        whole = self.pieces
        rows = np.repeat(self.points[:1][None], count, axis=0).repeat(self.piece + 1, axis=1)
        for i in range(whole):
            rows[i] = self.points[i * self.piece : (i + 1) * self.piece + 1]
        return rows

    def at(self, step: int) -> tuple[int, NDArray[np.int64]]:
        """How many whole pieces lie before a step, and the steps of the tail that ends there."""
        drawn = int(np.searchsorted(self.steps, step, side="right")) - 1
        whole = min(max(drawn, 0) // self.piece, self.pieces)
        tail = self.steps[whole * self.piece : drawn + 1]
        return whole, tail if len(tail) and tail[-1] == step else np.append(tail, step)


def filled(lines: Sequence[Path], width: int) -> Path:
    """Lines (m, 2) of up to ``width`` points as one array (L, width, 2): the last point repeats."""
    rows = np.empty((len(lines), width, 2))
    for row, line in zip(rows, lines, strict=True):
        row[: len(line)] = line
        row[len(line) :] = line[-1]
    return rows


def inside(points: Path, reach: float, side: float) -> Path:
    """Points (n, 2) of a path so that no number breaks an SVG path, drawn up to the first bad one.

    A point farther than ``reach`` sides from the map, a square from 0 to ``side``, is moved towards
    the first point of the path, not each coordinate by itself, which would bend a straight path.
    """
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    points = points[: bad[0]] if bad.size else points
    if not len(points):
        return np.full((1, 2), side / 2)
    first = points[0]
    away = points - first
    limit = reach * side
    with np.errstate(over="ignore"):
        far = np.maximum(1.0, np.abs(away).max(axis=1) / limit)
    return first + away / far[:, None]


def crossing(start: Path, end: Path, side: float) -> NDArray[np.float64]:
    """Where a segment from a point on a square from 0 to ``side`` to one outside leaves it (2,)."""
    away = np.nan_to_num(np.asarray(end, np.float64) - start, nan=0.0, posinf=1e30, neginf=-1e30)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(away > 0, (side - start) / away, -start / away)
    part = np.where(away == 0, 1.0, parts).min()
    return np.clip(start + away * np.clip(part, 0.0, 1.0), 0.0, side)


def nearest(path: Path, place: NDArray[np.float64]) -> tuple[float, int]:
    """How far a place (2,) is from a path (n, 2) of at least two points, and from which point.

    The distance is that of the nearest segment; the point the nearer one of its ends.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        ahead = path[1:] - path[:-1]
        length = np.maximum((ahead**2).sum(1), 1e-12)
        along = np.clip(((place - path[:-1]) * ahead).sum(1) / length, 0.0, 1.0)
        away = np.hypot(*(path[:-1] + along[:, None] * ahead - place).T)
    away = np.nan_to_num(away, nan=np.inf)
    near = int(away.argmin())
    return float(away[near]), near + int(along[near] > 0.5)
