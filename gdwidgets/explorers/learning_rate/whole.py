"""Texts about a whole run, and the run beyond its end that some of them need."""

from __future__ import annotations

from collections.abc import Callable

from gdwidgets.core import Descent, tables
from gdwidgets.core.objectives.least_squares import ClosedForm

COUNTED = (1 / 40, 1 / 2, 1, 3 / 2, 2)
"""Iteration counts of the course's tables in units of ``max_steps``: 100 … 8,000 of 4,000."""


class WholeRun:
    """A descent recorded to its end, from which texts are made once.

    Parameters
    ----------
    descent
        The descent; it is recorded to its end by the time a text is asked for.
    """

    def __init__(self, descent: Descent) -> None:
        self.descent = descent
        self._longer: Descent | None = None
        self._written = ("", "")

    def extended(self, steps: int) -> Descent:
        """The run, recorded as far as ``steps``, beyond its end if need be.

        Nothing is computed twice: the longer run takes over the records of the shorter.
        """
        self.descent.advance_to(self.descent.max_steps)
        if steps <= self.descent.max_steps:
            return self.descent
        longer = self._extension(steps)
        longer.advance_to(steps)
        return longer

    def _extension(self, steps: int) -> Descent:
        """The recorded run with a later end."""
        if self._longer is None or self._longer.max_steps < steps:
            self._longer = self.descent.fork(self.descent.recorded, max_steps=steps)
        return self._longer

    @property
    def counts(self) -> list[int]:
        """Numbers of iterations in the course's tables."""
        return sorted({max(1, round(part * self.descent.max_steps)) for part in COUNTED})

    def recorded(self, table: str) -> tuple[int, int]:
        """How many steps are recorded of those that a table needs, and how many it needs.

        Parameters
        ----------
        table
            ``"course"`` or ``"training"``. Where every lane has ended nothing more is needed.
        """
        descent, needed = self.descent, self.descent.max_steps
        over = descent.finished
        if table == "course":
            needed = self.counts[-1]
            over = over and descent.recorded < descent.max_steps
            if self._longer is not None:
                descent, over = self._longer, self._longer.finished
        return descent.recorded, descent.recorded if over else needed

    def advance(self, table: str, seconds: float) -> bool:
        """Record for about so long what a table needs; whether all of it is there."""
        done, needed = self.recorded(table)
        if done < needed and seconds > 0:
            if self.descent.finished:
                self._extension(needed).advance_to(needed, budget=seconds)
            else:
                self.descent.advance_to(needed, budget=seconds)
            done, needed = self.recorded(table)
        return done >= needed

    def course_tables(self, closed: ClosedForm) -> str:
        """The three tables of the course's Exercise 1 and its closed form."""
        steps = self.descent.max_steps
        counts = self.counts
        return self._once(
            "course",
            lambda: tables.exercise_1(self.extended(counts[-1]), steps, counts, closed),
        )

    def training_lines(self, lane: int) -> str:
        """What the unit's worked examples print of a lane."""
        self.descent.advance_to(self.descent.max_steps)
        return self._once(f"training {lane}", lambda: tables.training_lines(self.descent, lane))

    def _once(self, name: str, write: Callable[[], str]) -> str:
        """The text that was asked for last is kept."""
        if self._written[0] != name:
            self._written = name, write()
        return self._written[1]
