"""Which part of the plane of two parameters a map shows, and where its points stand there.

The map is a square from 0 to `SIDE` in the browser's units, whatever part of the plane is seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIDE = 4000.0
"""Side of the map in the browser's units: whole ones are a tenth of a pixel."""

Point = tuple[float, float]


class View:
    """The part that is seen, and those that were seen before it was zoomed.

    Attributes
    ----------
    bounds, window
        (low, high) of either parameter, float64 (2, 2): of the whole, and of the part.
    """

    def __init__(self) -> None:
        self.bounds = np.array([[0.0, 1.0], [0.0, 1.0]])
        self.window = self.bounds.copy()
        self._zooms: list[NDArray[np.float64]] = []

    def show(self, bounds: ArrayLike) -> None:
        """See another plane, whole: (low, high) of either parameter."""
        self.bounds = np.asarray(bounds, np.float64)
        self.window = self.bounds
        self._zooms.clear()

    @property
    def size(self) -> NDArray[np.float64]:
        """Of the part that is seen, in the plane's units (2,)."""
        size: NDArray[np.float64] = self.window[:, 1] - self.window[:, 0]
        return size

    def zoom(self, point: Point, factor: float) -> None:
        """See the part around a point, ``factor`` times as large."""
        size = self.size / float(factor)
        low = np.asarray(point, np.float64) - size / 2
        low = np.clip(low, self.bounds[:, 0], self.bounds[:, 1] - size)
        self._zooms.append(self.window)
        self.window = np.stack([low, low + size], axis=1)

    def zoom_to(self, window: ArrayLike) -> None:
        """See a part, (low, high) of either parameter; before it the whole was seen."""
        self._zooms[:] = [self.bounds]
        self.window = np.asarray(window, np.float64)

    def zoom_out(self) -> bool:
        """See what was seen before the last zoom; whether there was one."""
        if not self._zooms:
            return False
        self.window = self._zooms.pop()
        return True

    def zoom_whole(self) -> bool:
        """See the whole again; whether a part was seen."""
        del self._zooms[1:]
        return self.zoom_out()

    @property
    def zoomed(self) -> bool:
        """Whether only a part is seen."""
        return bool(self._zooms)

    @property
    def magnification(self) -> float:
        """How many times as large as the whole the part is that is seen."""
        whole, part = (np.ptp(ends[0]) for ends in (self.bounds, self.window))
        return float(whole / part)

    def to_map(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (n, 2) in the plane's units as places on the square of the browser's scales."""
        low, high = self.window[:, 0], self.window[:, 1]
        return (np.asarray(points, np.float64) - low) / (high - low) * SIDE

    def from_map(self, place: ArrayLike) -> Point:
        """A place on the square as a point in the plane's units, moved onto the map."""
        part = np.clip(np.asarray(place, np.float64) / SIDE, 0.0, 1.0)
        u, v = self.window[:, 0] + part * self.size
        return float(u), float(v)


def on_map(place: NDArray[np.float64]) -> bool:
    """Whether a place (2,) is finite and on the map."""
    return bool(0 <= place[0] <= SIDE and 0 <= place[1] <= SIDE)
