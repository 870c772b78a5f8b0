"""What explorers of given numbers share: nothing is computed, everything can be walked through."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ipywidgets import HTML, Widget
from numpy.typing import NDArray

from gdwidgets.ui import text
from gdwidgets.ui.explorer import Explorer
from gdwidgets.ui.fold import Part
from gdwidgets.ui.playback.cursor import AUTO, MOST_STEPS
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.runs import window

if TYPE_CHECKING:
    import pandas as pd

ROWS = 8
"""Rows of the table around the cursor."""


class Recorded(Explorer):
    """Shows numbers that were recorded elsewhere, with the cursor at their end.

    A subclass names the setting that holds them, an array with a row for each record, and makes
    `loss_plot`, a curve of them.
    """

    loss_plot: Curves
    loss_log: Any

    GIVEN: ClassVar[str]
    """The setting that holds what was recorded."""

    COUNTED: ClassVar[str] = "step"
    """What the records are counted in."""

    speed = Explorer.speed.starting_at(AUTO)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.place(self.end)
        self.redraw(full=True)

    # -- what a subclass does ----------------------------------------------------------------

    def columns(self) -> Mapping[str, NDArray[np.float64]]:
        """The records by name, (n,) each, for the table and the data frame."""
        raise AssertionError("every recording has columns")

    # -- the recording -----------------------------------------------------------------------

    def new_recording(self, changed: frozenset[str]) -> Any:
        """What was given."""
        given = getattr(self, self.GIVEN)
        if not 1 <= len(given) <= MOST_STEPS + 1:
            raise ValueError(
                f"{self.GIVEN} must be 1 to {MOST_STEPS + 1:,} records, got {len(given):,}"
            )
        return given

    @property
    def end(self) -> int:
        """The last record."""
        return len(self.recording) - 1

    @property
    def computed(self) -> int:
        """The last record: all are there."""
        return self.end

    @property
    def max_steps(self) -> int:  # type: ignore[override]  # it follows from what was given
        """The last record; at least 1."""
        return max(1, self.end)

    def compute(self, k: int, budget: float = math.inf) -> int:
        """Nothing is to be computed; return the record that can be shown."""
        return min(k, self.end)

    def code(self) -> str:
        """There is none.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError("there is no code: what is shown was given, and is not computed here")

    # -- the face ----------------------------------------------------------------------------

    def build_chooser(self) -> Widget:
        """Make the heading."""
        self.headline = HTML()
        return self.headline

    def parts(self) -> list[Part]:
        """The records, and the settings."""
        settings = [part for part in super().parts() if part.title == "Settings"]
        return [Part("Tables", html=self._table), *settings]

    def show_view(self) -> None:
        """Write the heading, and apply what changes only how the curve is shown."""
        self.headline.value = f"<div class=gdw-title>{escape(self.heading)}</div>"
        self.page.name = self.heading
        if self.loss_plot.log != self.loss_log:
            self.loss_plot.use_log(self.loss_log)
        if self.loss_plot.future != self.future:
            self.loss_plot.show_future(self.future)

    @property
    def counter_end(self) -> int:
        """The last record: of a single one, the scrubber alone needs a step 1."""
        return self.end

    def read_out(self, lane: int, step: int) -> None:
        """Go to a step: what a click on the curve does."""
        self.seek(step)

    def _table(self) -> str:
        columns, k = self.columns(), self.drawn
        shown = window(k, self.end, ROWS)
        rows = [[f"{i:,}", *(text.fixed(of[i], 6) for of in columns.values())] for i in shown]
        return text.html_table([self.COUNTED, *columns], rows, now=k - shown.start)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the records as pandas, one row for each."""
        import pandas as pd  # noqa: PLC0415 - 30 MB that an explorer does without

        return pd.DataFrame({self.COUNTED: np.arange(self.end + 1), **self.columns()})
