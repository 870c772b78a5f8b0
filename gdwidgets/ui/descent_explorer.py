"""What explorers of a `Descent` share: pins, the run table, data frames, steps computed ahead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Widget
from traitlets import observe

from gdwidgets.core import checks
from gdwidgets.ui import text
from gdwidgets.ui.fold import Part
from gdwidgets.ui.form import Whole, button, row
from gdwidgets.ui.kept import Call
from gdwidgets.ui.own_loop.explorer import NAME
from gdwidgets.ui.playback.cursor import MOST_STEPS
from gdwidgets.ui.prediction.explorer import Predicting
from gdwidgets.ui.runs import Run, run_table, to_dataframe
from gdwidgets.ui.settings import Checked, Setting

if TYPE_CHECKING:
    import pandas as pd

MOST_PINS = 8

FUTURE = 80_000
"""Records of all lanes together that are computed ahead of the cursor for the future's curve."""


def as_pins(value: Any, name: str) -> tuple[Run, ...]:
    """Runs that were pinned, at most eight."""
    runs = checks.items(value)
    if runs is None or len(runs) > MOST_PINS or not all(isinstance(run, Run) for run in runs):
        raise ValueError(
            f"{name} must be at most {MOST_PINS} runs that pin() has kept, "
            f"got {checks.shown(value)}"
        )
    return tuple(runs)


class DescentExplorer(Predicting):
    """An explorer whose recording is a `Descent`.

    A subclass makes the descent in `new_recording`, describes a lane's settings for the run table
    in `describe`, and draws pinned runs in `show_pins`.
    """

    max_steps = Setting(
        300,
        lambda value, name: checks.integer(value, name, 1, MOST_STEPS),
        label="max_steps",
        help="Updates until the run ends",
        control=Whole(step=100),
    )
    """Where the run ends, in updates: 1 to 1,000,000."""

    pins = Checked((), as_pins)
    """The runs that were pinned, oldest first."""

    summaries: list[HTML]
    """One for each figure: what it shows, for screen readers. The subclass makes them."""

    # -- what a subclass does ----------------------------------------------------------------

    def describe(self, run: Run, lane: int) -> Mapping[str, str]:
        """Columns and cells of the run table that tell a lane's settings."""
        raise AssertionError("every explorer of a descent tells what made a run")

    def show_pins(self) -> None:
        """Draw the ghosts of all pins."""

    def table(self) -> str:
        """Return the step table of the whole run as text, in the course's own format."""
        raise AssertionError("every explorer of a descent has a table")

    def comparisons(self) -> Sequence[Widget]:
        """Controls that stand first in the fold *Compare*."""
        return ()

    # -- the recording -----------------------------------------------------------------------

    def compute(self, k: int, budget: float = math.inf) -> int:
        """Record as far as step ``k``, for about ``budget`` seconds; return the step reached."""
        self.descent.advance_to(k, budget=None if math.isinf(budget) else budget)
        return min(k, self.computed)

    @property
    def computed(self) -> int:
        """The last step recorded."""
        recorded: int = self.all_lanes.recorded
        return recorded

    @property
    def end(self) -> int:
        """The last step of the run as far as is known: ``max_steps`` until every lane has ended."""
        lanes = self.all_lanes
        return int(lanes.last_step.max()) if lanes.finished else self.max_steps

    @property
    def goal(self) -> int:
        """The step that is to be recorded: the cursor's, and where the future is drawn, its end."""
        ahead = min(self.end, FUTURE // self.descent.lanes) if self.future else 0
        # One step more, for the arrow of the next update.
        return max(min(self.step + 1, self.end), ahead)

    # -- runs --------------------------------------------------------------------------------

    @property
    def runs(self) -> tuple[Run, ...]:
        """The present run, then those that were pinned."""
        return (Run("present", self.settings(), self.all_lanes, self.drawn), *self.pins)

    def pin(self, step: int | None = None, **settings: Any) -> None:
        """Keep the present run, as far as it is shown, as a ghost with a row in the run table.

        Parameters
        ----------
        step
            With it, another run is kept as far as this step, that of the ``settings``.
        **settings
            Settings of that run; the others are those of a new explorer.

        Raises
        ------
        ValueError
            When eight runs are pinned already, when a setting does not fit, or when there are
            settings and no step.
        TypeError
            For an unknown keyword: names the nearest.
        """
        if len(self.pins) >= MOST_PINS:
            raise ValueError(f"{MOST_PINS} runs are pinned already: unpin them first")
        used = {pin.label for pin in self.pins}
        label = next(letter for letter in "ABCDEFGH" if letter not in used)
        if step is None:
            if settings:
                raise ValueError("step must be given with settings: how far their run is kept")
            kept = Run(label, self.settings(), self.all_lanes, self.drawn)
        else:
            self.reject_unknown(settings)
            other = type(self)(**settings)
            try:
                other.seek(step)
                kept = Run(label, other.settings(), other.descent, other.drawn)
            finally:
                other.close()
        self.pins = (*self.pins, kept)

    def kept_calls(self) -> list[Call]:
        """Calls that bring back the pinned runs and the step."""
        declared = self.declared()
        pinned = [
            Call(
                "pin",
                (pin.step,),
                {n: v for n, v in self.own_settings(pin.settings).items() if not declared[n].view},
            )
            for pin in self.pins
        ]
        return [*pinned, *super().kept_calls()]

    def kept_notes(self) -> list[str]:
        """That loops of the learner's own are left out, where they are seen."""
        runs = [self.all_lanes, *(pin.descent for pin in self.pins)]
        if any(hasattr(run, "own") for run in runs):
            return ["a loop of your own is not part of this: run its cell again"]
        return super().kept_notes()

    def unpin_all(self) -> None:
        """Forget every pinned run."""
        self.pins = ()

    @observe("pins")
    def _pins_changed(self, change: Any) -> None:
        if self._ready:
            self.show_pins()
            self.unpin.disabled = not self.pins
            self.redraw(full=True)

    def run_table(self) -> str:
        """The present run's lanes and those of all pinned runs as an HTML table."""
        return run_table(self.runs, self._described)

    def _described(self, run: Run, lane: int) -> Mapping[str, str]:
        if lane != getattr(run.descent, "own", None):
            return self.describe(run, lane)
        label = NAME if run.label == "present" else f"{run.label}, {NAME}"
        return {"run": label} | dict.fromkeys(self.describe(run, 0), "–")

    def to_dataframe(self) -> pd.DataFrame:
        """Return the whole run as pandas: one row per lane and step, up to where each lane ends.

        The learner's own loop is the last lane.

        The run is computed as far as it is not yet; the cursor stays where it is.
        """
        self.record_to(self.max_steps)
        return to_dataframe(self.all_lanes)

    # -- the face ----------------------------------------------------------------------------

    def parts(self) -> list[Part]:
        """Compare, tables, settings and code."""
        return [
            Part("Compare", html=self.run_table, widgets=self._build_compare),
            self.prediction_part(),
            self.own_part(),
            *self.tables(),
            *super().parts(),
        ]

    def tables(self) -> list[Part]:
        """The folds between *Compare* and *Settings*."""
        return [Part("Tables", html=lambda: text.html_code(self.table()))]

    def _build_compare(self) -> Widget:
        return row(*self.comparisons(), self.pin_button, self.unpin, align="center")

    def build_dials(self) -> Sequence[Widget]:
        """Make the controls under the transport, and the buttons of the fold *Compare*."""
        self.pin_button = button("Pin this run", "Keep it as a ghost with a row in the table")
        self.unpin = button("Unpin all", "Forget the pinned runs")
        self.unpin.disabled = True
        self.bind_button(self.pin_button, self.pin)
        self.bind_button(self.unpin, self.unpin_all)
        return super().build_dials()

    def write_summaries(self, summaries: Iterable[str]) -> None:
        """Write what each figure shows, in the order of `summaries`, for screen readers.

        While a hand moves it, nothing is read out that the next movement would replace.
        """
        if self.brief:
            return
        for said, summary in zip(self.summaries, summaries, strict=True):
            html = text.html_summary(summary)
            if said.value != html:
                said.value = html

    def loose_widgets(self) -> tuple[Widget, ...]:
        """The buttons of the fold *Compare* until it is opened."""
        return (self.pin_button, self.unpin)
