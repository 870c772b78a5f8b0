"""What stands beside the map: its colour bar or the key of the basins, and buttons to zoom."""

from __future__ import annotations

from collections.abc import Sequence

from ipywidgets import HTML, HBox, Layout, VBox, Widget

BESIDE = 104
"""Width of the colour bar or the key of the basins, in pixels."""


class BesideMap:
    """A column beside the map.

    Parameters
    ----------
    bar
        The map's colour bar.
    progress
        The progress bar of a search for basins.
    zooms
        Buttons that zoom the map.
    """

    def __init__(self, bar: HTML, progress: Widget, zooms: Sequence[Widget]) -> None:
        self._bar = bar
        self.key = HTML(layout=Layout(display="none", width="100%"))
        row = HBox(zooms)
        row.add_class("gdw-zoom")
        self.widget = VBox(
            [bar, self.key, progress, row],
            layout=Layout(flex=f"0 0 {BESIDE}px", overflow="hidden"),
        )
        self.widget.add_class("gdw-beside")

    def show_key(self, html: str | None) -> None:
        """Show a key of basins in the place of the colour bar, whose colours are covered then."""
        if html is not None:
            self.key.value = html
        self.key.layout.display = "none" if html is None else None
        self._bar.layout.display = None if html is None else "none"

    def resize(self, scale: float) -> None:
        """Make it ``scale`` times as wide as it normally is."""
        self.widget.layout.flex = f"0 0 {round(BESIDE * scale)}px"
