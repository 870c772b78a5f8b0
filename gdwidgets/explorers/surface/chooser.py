"""The list of surfaces in the head: the named ones, and the user's own once it was shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipywidgets import Dropdown, Layout

from gdwidgets.core import SURFACES, Surface
from gdwidgets.explorers.surface.given import known_name

OWN = "your own function"


class SurfaceChooser:
    """A list that shows the present surface.

    Parameters
    ----------
    choose
        Called with the surface that a hand has chosen.
    """

    def __init__(self, choose: Callable[[Surface], None]) -> None:
        self._own: Surface | None = None
        self._showing = False
        self._choose = choose
        self.widget = Dropdown(
            options=self._options(),
            tooltip="The function to be minimized",
            layout=Layout(flex="0 0 auto"),
        )
        self.widget.observe(self._chosen, names="value")

    def show(self, surface: Surface) -> None:
        """Show which surface is the present one; one of the user's own joins the list."""
        known = known_name(surface)
        self._showing = True
        try:
            if not isinstance(known, str) and self._own is not surface:
                self._own = surface
                self.widget.options = self._options()
            self.widget.value = known if isinstance(known, str) else OWN
        finally:
            self._showing = False

    def _options(self) -> list[tuple[str, str]]:
        known = [(surface.name, name) for name, surface in SURFACES.items()]
        return known if self._own is None else [*known, (self._own.name or OWN, OWN)]

    def _chosen(self, change: Any) -> None:
        chosen = self._own if change["new"] == OWN else SURFACES.get(change["new"])
        if not self._showing and chosen is not None:
            self._choose(chosen)
