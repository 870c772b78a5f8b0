"""The first row of an explorer: what it is, its situations, large text, and a picture to keep."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import HBox, Layout, ToggleButton, Widget

from gdwidgets.ui.form import button
from gdwidgets.ui.situations import Chips


class Head(HBox):
    """The head.

    Parameters
    ----------
    title
        What is shown, or the control that chooses it.
    situate
        Called with a situation's name when its chip is pressed.
    enlarge
        Called with whether text and figures are to be large.
    download
        Called when a picture is asked for.
    """

    def __init__(
        self,
        title: Widget,
        situate: Callable[[str], None],
        enlarge: Callable[[bool], None],
        download: Callable[[], None],
    ) -> None:
        self.chips = Chips(situate)
        self.large = ToggleButton(
            description="⤢ Large",
            tooltip="Text and figures 1.4 times as large, for a projector",
            layout=Layout(width="auto", flex="0 0 auto"),
        )
        self._is_large = False
        self.large.observe(
            lambda c: None if c["new"] == self._is_large else enlarge(c["new"]), "value"
        )
        self.picture = button("⇩ Picture", "Save what is on the screen as a picture")
        self.picture.on_click(lambda _: download())
        tools = HBox([self.large, self.picture])
        tools.add_class("gdw-tools")
        super().__init__([title, self.chips, tools], layout=Layout(width="100%"))
        self.add_class("gdw-head")

    def show_large(self, *, on: bool) -> None:
        """Show whether text and figures are large."""
        self._is_large = on
        self.large.value = on
