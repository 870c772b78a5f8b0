"""The cursor over a recording, and everything that moves it: buttons, scrubber, clock, code."""

from __future__ import annotations

import math
from typing import Any

from traitlets import Bool, HasTraits, Int, observe, validate

from gdwidgets.core import Descent
from gdwidgets.ui import checks
from gdwidgets.ui.playback.main_loop import MainLoop
from gdwidgets.ui.playback.player import Player
from gdwidgets.ui.playback.transport import Transport

MOST_STEPS = 1_000_000


class Cursor(HasTraits):
    """The step that is shown, and the clock that moves it.

    Whoever uses it draws in ``redraw`` and sends all of the picture again in ``resend``.
    """

    step = Int(0)
    """The cursor: how many updates have been applied in what is drawn. Default 0."""

    max_steps = checks.Checked(300, lambda value: checks.whole(value, "max_steps", 1, MOST_STEPS))
    """Where the run ends, in updates: 1 to 1,000,000. Default 300."""

    playing = Bool(False)
    """Whether the clock runs. Setting it is the same as calling ``play`` or ``pause``."""

    speed = checks.Checked(30.0, lambda value: checks.real(value, "speed", above=0, infinite=True))
    """The clock's speed in updates per second; infinity is as fast as it can. Default 30."""

    descent: Descent
    transport: Transport
    _loop: MainLoop
    _player: Player
    _ready = False

    def redraw(self) -> None:
        """Draw the present step."""
        raise AssertionError("whoever has a cursor draws what it points at")

    def resend(self) -> None:
        """Send all of the picture once more."""
        raise AssertionError("whoever has a cursor can send its picture again")

    @property
    def end(self) -> int:
        """The last step of the run as far as is known: ``max_steps`` until every lane has ended."""
        return int(self.descent.last_step.max()) if self.descent.finished else self.max_steps

    def compute(self, k: int, budget: float = math.inf) -> int:
        """Record as far as step ``k``, for about ``budget`` seconds; return the step reached."""
        self.descent.advance_to(k, budget=None if math.isinf(budget) else budget)
        return min(k, self.descent.recorded)

    @validate("step")
    def _valid_step(self, proposal: Any) -> int:
        k = checks.whole(proposal["value"], "step", 0, self.max_steps)
        return self.compute(k) if self._ready else k

    @observe("step")
    def _step_changed(self, change: Any) -> None:
        if self._ready:
            self.redraw()

    @observe("speed")
    def _speed_changed(self, change: Any) -> None:
        if self._ready:
            self.transport.show_speed(self.speed)

    def set_speed(self, speed: float) -> None:
        """Set the clock's speed in updates per second."""
        self.speed = speed

    @observe("playing")
    def _playing_changed(self, change: Any) -> None:
        if not self._ready:
            return
        self.transport.show_playing(self.playing)
        if not self.playing:
            self._player.stop()
            self.resend()
            return
        if self.step >= self.end:
            self.step = 0
        self._player.start()
        if self._loop.running:
            self._loop.start(self._player.run())
        else:
            self._player.run_through()

    def page_lost(self) -> None:
        """The page that used to answer is gone: pause."""
        self.playing = False

    def play(self) -> None:
        """Start the clock; at the end of a run it starts again from step 0."""
        self.playing = True

    def pause(self) -> None:
        """Stop the clock."""
        self.playing = False

    def toggle(self) -> None:
        """Play when paused, pause when playing."""
        self.playing = not self.playing

    def seek(self, k: int) -> None:
        """Pause and show step ``k``, or the last step of a run that ends before it.

        Raises
        ------
        TraitError
            When ``k`` is not a whole number from 0 to ``max_steps``.
        """
        k = checks.whole(k, "step", 0, self.max_steps)
        self.playing = False
        self.step = k

    def scrub(self, k: int) -> None:
        """Show step ``k``, with the scrubber where the run allows it."""
        self.seek(k)
        self.transport.show(self.step, self.max_steps)

    def step_forward(self, n: int = 1) -> None:
        """Pause and apply ``n`` updates more, at most to the end."""
        n = checks.whole(n, "n", 0, MOST_STEPS)
        self.seek(min(self.step + n, self.max_steps))

    def step_back(self, n: int = 1) -> None:
        """Pause and take ``n`` updates back, at most to step 0."""
        n = checks.whole(n, "n", 0, MOST_STEPS)
        self.seek(max(self.step - n, 0))

    def reset(self) -> None:
        """Pause and show step 0."""
        self.seek(0)

    def run(self) -> None:
        """Compute and show everything up to the end, synchronously."""
        self.seek(self.max_steps)
