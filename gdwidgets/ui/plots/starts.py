"""The white circles at which runs start: they can be dragged, and never leave the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bqplot as bq
import numpy as np
from numpy.typing import NDArray
from traitlets import validate

from gdwidgets.ui.plots import palette
from gdwidgets.ui.plots.figures import write
from gdwidgets.ui.plots.view import SIDE, Point, View


class Circles(bq.Scatter):
    """Circles that stay on the map: one that is dragged out of it is sent back to its edge."""

    @validate("x", "y")
    def _on_the_map(self, proposal: Any) -> NDArray[Any]:
        return np.clip(proposal["value"], 0.0, SIDE)


class Starts:
    """A circle at every start, and what a hand does to it.

    Parameters
    ----------
    scales
        Those of the figure.
    view
        The part of the plane that is seen.
    on_drag
        Called with (lane, point, released) while a start is dragged, and once more, ``released``
        true, when it is let go; the point lies on the map.
    """

    def __init__(
        self,
        scales: dict[str, bq.Scale],
        view: View,
        on_drag: Callable[[int, Point, bool], None] | None,
    ) -> None:
        self._view, self._on_drag = view, on_drag
        self._lanes = [0]
        self.places = np.zeros((1, 2))
        """Where the circles (n, 2) are as far as is known, on the map."""
        self.mark = Circles(
            x=np.zeros(1, np.float32),
            y=np.zeros(1, np.float32),
            scales=scales,
            colors=["#FFFFFF"],
            stroke=palette.INK,
            stroke_width=3,
            default_size=230,
            enable_move=on_drag is not None,
            update_on_move=True,
            hovered_style={"cursor": "grab"} if on_drag is not None else {},
        )
        self.mark.observe(self._dragged, ["x", "y"])
        self.mark.on_drag_end(lambda _, event: self._released(event))

    def put(self, starts: NDArray[np.float64]) -> None:
        """Put circles at the starts (L, 2) of lanes, wherever they were dragged."""
        _, first = np.unique(starts, axis=0, return_index=True)
        self._lanes = sorted(int(lane) for lane in first)
        self.places = self._view.to_map(starts[self._lanes])
        x, y = self.places.T.astype(np.float32)
        same = np.array_equal(self.mark.x, x) and np.array_equal(self.mark.y, y)
        with self.mark.hold_trait_notifications():
            write(self.mark, x=x, y=y)
        if same:
            # The browser may have moved a circle to where the kernel knows it already.
            self.mark.send_state(["x", "y"])

    def _dragged(self, change: Any) -> None:
        """One of x and y has come from the browser: tell which circle is where now."""
        if self._on_drag is None or len(self.mark.x) != len(self.mark.y):
            return
        now = np.stack([self.mark.x, self.mark.y], axis=1).astype(np.float64)
        if now.shape != self.places.shape:
            return
        # What arrives after the release is the point that was told then.
        moved = np.abs(now - np.clip(self.places, 0.0, SIDE)).max(axis=1)
        index = int(moved.argmax())
        if moved[index] > 0.5:
            self.places = now
            self._on_drag(self._lanes[index], self._view.from_map(now[index]), False)

    def _released(self, event: dict[str, Any]) -> None:
        index = int(event["index"])
        if self._on_drag is not None and index < len(self._lanes):
            place = np.array([event["point"]["x"], event["point"]["y"]])
            point = self._view.from_map(place)
            self.places = self.places.copy()
            self.places[index] = place
            self._on_drag(self._lanes[index], point, True)
