"""The list from which a lane is chosen: each by its marker and its learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ipywidgets import Dropdown

from gdwidgets.explorers.learning_rate.text import rate
from gdwidgets.ui.form import Field, captioned
from gdwidgets.ui.plots import palette
from gdwidgets.ui.settings import Setting


class LaneField(Field):
    """A list of the lanes there are, which follows their learning rates."""

    def __init__(self, setting: Setting, width: str) -> None:
        self.list = Dropdown()
        self._named: list[tuple[str, int]] = []
        shown = captioned(self.list, setting.label, width, setting.help)
        super().__init__(shown, [self.list], lambda lane: [lane], int)

    def name(self, rates: Sequence[float], symbol: str, lane: int) -> None:
        """List lanes with these rates, of which ``lane`` is chosen."""
        named = [
            (f"{palette.run(i).glyph} {symbol} = {rate(given)}", i) for i, given in enumerate(rates)
        ]
        if named != self._named:
            self._named = named
            # A list that gets other entries chooses its first on the way: nobody is told of that.
            with self.writing(), self.list.hold_sync():
                self.list.options = named
                self.list.value = lane
        self.show(lane)

    def show(self, value: Any) -> None:
        """Choose a lane, once it is listed."""
        if any(value == lane for _, lane in self._named):
            super().show(value)


@dataclass(frozen=True)
class LaneChoice:
    """The control of a setting that chooses a lane."""

    width: str = "144px"

    def field(self, setting: Setting) -> LaneField:
        """Make the control."""
        return LaneField(setting, self.width)
