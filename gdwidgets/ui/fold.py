"""Parts that stay folded away until somebody opens them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ipywidgets import HTML, HBox, Layout, ToggleButton, VBox, Widget

from gdwidgets.ui import text


@dataclass(frozen=True)
class Part:
    """What one fold holds: controls, text, or both."""

    title: str
    """What is written on it."""

    html: Callable[[], str] | None = None
    """Makes its text; asked again whenever the text may have changed while it is open."""

    widgets: Callable[[], Widget] | None = None
    """Makes its controls, when it is opened first."""

    tooltip: str = ""
    """One sentence on what is in it."""


class Fold(VBox):
    """A row of toggles, of which at most one is on, and the part it opens.

    What is folded away costs nothing: its controls are made when it is opened first, and its text
    only while it is open.

    Parameters
    ----------
    parts
        What can be opened.
    turned
        Called with (title, on) when somebody uses a toggle; it calls `turn`.
    made
        Called with controls that have just been made.
    """

    def __init__(
        self,
        parts: Iterable[Part],
        turned: Callable[[str, bool], None],
        made: Callable[[Widget], None],
    ) -> None:
        self._parts = {part.title: part for part in parts}
        self._made = made
        self._widgets: dict[str, Widget] = {}
        self.toggles = {
            title: ToggleButton(
                description=title,
                tooltip=part.tooltip or f"Show or hide: {title.lower()}",
                layout=Layout(width="auto", flex="0 0 auto"),
            )
            for title, part in self._parts.items()
        }
        self.text = HTML(layout=Layout(width="100%"))
        self.body = VBox([], layout=Layout(display="none", width="100%"))
        self.body.add_class("gdw-fold-body")
        self.opened: str | None = None
        for title, toggle in self.toggles.items():
            toggle.observe(lambda change, t=title: self._toggled(t, change["new"], turned), "value")
        row = HBox(list(self.toggles.values()))
        row.add_class("gdw-fold-row")
        super().__init__([row, self.body], layout=Layout(width="100%"))
        self.add_class("gdw-folds")

    @property
    def loose(self) -> tuple[Widget, ...]:
        """Widgets that are made and not on display."""
        return (self.text, *self._widgets.values())

    def _toggled(self, title: str, on: bool, turned: Callable[[str, bool], None]) -> None:
        if on != (self.opened == title):
            turned(title, on)

    def turn(self, title: str, on: bool = True) -> None:
        """Open the part ``title``, closing the one that is open, or close it."""
        if on:
            self.opened = title
        elif self.opened == title:
            self.opened = None
        for other, toggle in self.toggles.items():
            toggle.value = other == self.opened
        shown: list[Widget] = []
        if self.opened is not None:
            part = self._parts[self.opened]
            if part.widgets is not None:
                if self.opened not in self._widgets:
                    self._widgets[self.opened] = made = part.widgets()
                    self._made(made)
                shown.append(self._widgets[self.opened])
            if part.html is not None:
                shown.append(self.text)
        self.refresh()
        # A figure that is made out of sight does not know its size: what holds it shows first.
        self.body.layout.display = None if shown else "none"
        self.body.children = shown

    def refresh(self) -> None:
        """Write the text of the open part anew; what goes wrong is said in its place."""
        if self.opened is None or (write := self._parts[self.opened].html) is None:
            return
        try:
            html = write()
        except ValueError as problem:
            html = text.html_problem(str(problem))
        except Exception as problem:  # noqa: BLE001 - a user's function may raise anything
            html = text.html_problem(f"{type(problem).__name__}: {problem}")
        if self.text.value != html:
            self.text.value = html
