"""Tables and code that stay folded away until somebody opens them."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import HTML, HBox, Layout, ToggleButton, VBox

from gdwidgets.ui import text


class Fold(VBox):
    """A row of toggles, of which at most one is on, and the part it opens.

    What is folded away costs nothing: its HTML is made only while it is open.

    Parameters
    ----------
    parts
        Titles, and functions that return the HTML of the part as it is now.
    """

    def __init__(self, parts: dict[str, Callable[[], str]]) -> None:
        self._parts = parts
        self.toggles = {
            title: ToggleButton(
                description=title,
                tooltip=f"Show or hide: {title.lower()}",
                layout=Layout(width="auto", flex="0 0 auto"),
            )
            for title in parts
        }
        self.body = HTML(layout=Layout(display="none", width="100%", overflow="auto"))
        self.opened: str | None = None
        for title, toggle in self.toggles.items():
            toggle.observe(lambda change, t=title: self.turn(t, change["new"]), names="value")
        row = HBox(list(self.toggles.values()), layout=Layout(flex_flow="row wrap"))
        super().__init__([row, self.body], layout=Layout(width="100%"))

    def turn(self, title: str, on: bool) -> None:
        """Open the part ``title``, closing the one that is open, or close it."""
        if on:
            self.opened = title
            for other, toggle in self.toggles.items():
                toggle.value = other == title
        elif self.opened == title:
            self.opened = None
        self.body.layout.display = "none" if self.opened is None else None
        self.refresh()

    def refresh(self) -> None:
        """Write the open part anew."""
        if self.opened is None:
            return
        try:
            self.body.value = self._parts[self.opened]()
        except ValueError as problem:
            self.body.value = text.html_status(str(problem), error=True)
