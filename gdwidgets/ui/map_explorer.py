"""What explorers of a `Descent` with a map share: zooming in on a point of it, and back."""

from __future__ import annotations

from ipywidgets import Button

from gdwidgets.ui.descent_explorer import DescentExplorer
from gdwidgets.ui.form import button
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

    def _zoomed(self) -> None:
        self.redraw(full=True)
        self._gate.stamp()
