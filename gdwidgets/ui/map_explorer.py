"""What explorers of a `Descent` with a map share: zooming in on a point of it, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from ipywidgets import Button

from gdwidgets.core import checks
from gdwidgets.ui.descent_explorer import DescentExplorer
from gdwidgets.ui.form import button
from gdwidgets.ui.kept import Call
from gdwidgets.ui.plots.plane import Plane
from gdwidgets.ui.plots.view import Point

MOST_ZOOM = 1024.0
"""How many times as large as the whole a part of the map is shown at most: float32 ends there."""


class MapExplorer(DescentExplorer):
    """An explorer whose first picture is a map of two parameters, `map`.

    A subclass says in `zoom_point` where the map is zoomed, and puts `zoom_buttons` beside it.
    """

    map: Plane

    def zoom_point(self) -> Point:
        """The point around which the map is shown larger, on the map."""
        raise AssertionError("every explorer with a map says where it is zoomed")

    def zoom_buttons(self, where: str) -> tuple[Button, Button, Button]:
        """Make buttons that zoom in, ``where`` in words, out, and show the whole map."""
        made = (
            button("", f"Zoom in on {where}", "search-plus"),
            button("", "Zoom out", "search-minus"),
            button("", "Show the whole map", "expand"),
        )
        for each, method in zip(made, (self.zoom_in, self.zoom_out, self.zoom_whole), strict=True):
            self.bind_button(each, method)
        return made

    def zoom_in(self) -> None:
        """Show the part of the map around the present point twice as large."""
        if self.map.magnification < MOST_ZOOM:
            self.map.zoom(self.zoom_point(), 2.0)
            self._zoomed()

    def zoom_out(self) -> None:
        """Show the part of the map that was seen before."""
        self.map.zoom_out()
        self._zoomed()

    def zoom_whole(self) -> None:
        """Show the whole map."""
        self.map.zoom_whole()
        self._zoomed()

    def zoom_to(self, window: Any) -> None:
        """Show a part of the map.

        Parameters
        ----------
        window
            ``((u_min, u_max), (v_min, v_max))`` within the map's bounds, at least a 1,024th of them
            wide and high.

        Raises
        ------
        ValueError
            When it is none.
        """
        ends, whole = np.array(checks.points(window, "window")), self.map.view.bounds
        size = whole[:, 1] - whole[:, 0]
        spare = 1e-9 * size  # of what was computed by halving
        fits = ends.shape == whole.shape and bool(
            (ends[:, 0] >= whole[:, 0] - spare).all()
            and (ends[:, 1] <= whole[:, 1] + spare).all()
            and (ends[:, 1] - ends[:, 0] >= size / MOST_ZOOM - spare).all()
        )
        if not fits:
            (u0, u1), (v0, v1) = whole.tolist()
            raise ValueError(
                f"window must lie within (({u0:g}, {u1:g}), ({v0:g}, {v1:g})), the lower end of "
                f"each pair first, and be at least a 1,024th of that, got {checks.shown(window)}"
            )
        self.map.zoom_to(ends)
        self._zoomed()

    def kept_calls(self) -> list[Call]:
        """Calls that bring back pinned runs, the step, and the part of the map that is seen."""
        zoomed = [Call("zoom_to", (self.map.window,))] if self.map.zoomed else []
        return [*super().kept_calls(), *zoomed]

    def _zoomed(self) -> None:
        self.redraw(full=True)
        self._gate.stamp()
