"""The white circles at which runs start: they can be dragged, and never leave the map."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic as clock
from typing import Any

import bqplot as bq
import numpy as np
from numpy.typing import NDArray
from traitlets import validate

from gdwidgets.ui.plots import palette
from gdwidgets.ui.plots.figures import write
from gdwidgets.ui.plots.view import SIDE, Point, View, on_map

HELD = 1.0
"""Seconds without a movement after which a circle that was not let go is taken to be free."""


class Circles(bq.Scatter):
    """Circles that stay on the map: one that is dragged out of it is sent back to its edge."""

    untold = False
    """Whether the page is not told where they are."""

    def _should_send_property(self, key: str, value: Any) -> bool:
        if self.untold and key in {"x", "y"}:
            return False
        sends: bool = super()._should_send_property(key, value)
        return sends

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
            hovered_style={"cursor": "grab"} if on_drag is not None else {},
        )
        self.mark.on_drag(lambda _, event: self._dragged(event))
        self.mark.on_drag_end(lambda _, event: self._dragged(event, released=True))
        self._held: tuple[int, float] | None = None
        self._moved = False  # by a hand, since the page was last told where they are

    def put(self, starts: NDArray[np.float64]) -> None:
        """Put circles at the starts (L, 2) of lanes, wherever they were dragged."""
        _, first = np.unique(starts, axis=0, return_index=True)
        lanes = sorted(int(lane) for lane in first)
        if self._view.zoomed:
            # Those beside the part that is seen would stand at its edge, where no run starts.
            lanes = [lane for lane in lanes if on_map(self._view.to_map(starts[lane]))]
        self._lanes = lanes
        self.places = self._view.to_map(starts[lanes])
        x, y = self.places.T.astype(np.float32)
        elsewhere = self._elsewhere(x, y)
        if self._held is not None and clock() > self._held[1]:
            self._held = None  # its page is gone
        # What a hand holds is further along by now than what the page could be told.
        in_hand = self._held is not None and elsewhere <= {self._held[0]}
        self.mark.untold = self._moved
        with self.mark.hold_trait_notifications():
            write(self.mark, x=x, y=y, visible=bool(lanes))
        self.mark.untold = False
        if self._moved and not in_hand:
            # All of it: the page has moved a circle to where the kernel may know it already.
            self.mark.send_state(["x", "y"])
        self._moved = in_hand

    def _elsewhere(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> set[int]:
        """Which circles are to stand where the page was not told; all, where there are others."""
        before = np.stack([self.mark.x, self.mark.y]) if len(self.mark.x) == len(self.mark.y) else x
        wanted = np.stack([x, y])
        if before.shape != wanted.shape:
            return set(range(len(x)))
        return set(np.flatnonzero((before != wanted).any(axis=0)).tolist())

    def _dragged(self, event: dict[str, Any], *, released: bool = False) -> None:
        """A circle was dragged, or let go: tell which is where now."""
        index = int(event["index"])
        if self._on_drag is None or index >= len(self._lanes):
            return
        self._held = None if released else (index, clock() + HELD)
        self._moved = True
        place = np.clip([event["point"]["x"], event["point"]["y"]], 0.0, SIDE)
        self.places = self.places.copy()
        self.places[index] = place
        self._on_drag(self._lanes[index], self._view.from_map(place), released)
