"""The cursor over a recording, and everything that moves it: buttons, scrubber, clock, code."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from traitlets import observe, validate

from gdwidgets.core import checks
from gdwidgets.ui.playback.ahead import Ahead
from gdwidgets.ui.playback.main_loop import MainLoop
from gdwidgets.ui.playback.player import Player
from gdwidgets.ui.playback.transport import Transport
from gdwidgets.ui.settings import Checked, Setting, Settings

MOST_STEPS = 1_000_000

AUTO = "auto"
"""The speed that begins slowly and grows with the step, so that the first updates can be seen."""

PATIENCE = 0.3
"""Seconds of computing after which the progress is shown."""

AT_ONCE = 0.03
"""The longest that what a hand asks for is computed before the kernel answers others, in seconds:
most runs are whole by then, which makes one picture instead of two."""

_RUN_SLICE = 0.05
"""Seconds of computing between two looks at the progress of ``run``."""


def a_speed(value: Any, name: str) -> float | str:
    """A speed: updates per second above 0, infinity, or ``"auto"``."""
    if isinstance(value, str):
        return checks.one_of(value, name, [AUTO])
    if isinstance(value, float) and math.isinf(value) and value > 0:
        return value
    return checks.positive(value, name)


class Cursor(Settings):
    """The step that is shown, and the clock that moves it.

    Whoever uses it computes in `compute` and draws in `redraw`. The step is where the cursor is;
    what is drawn is `drawn`, which is less only while the recording does not reach so far yet.
    """

    step = Checked(0, lambda value, name: checks.integer(value, name, 0, MOST_STEPS))
    """The cursor: how many updates have been applied in what is drawn. Default 0."""

    playing = Checked(False, checks.boolean)
    """Whether the clock runs. Setting it is the same as calling ``play`` or ``pause``."""

    speed = Setting(
        30.0, a_speed, help="Updates per second while playing; auto begins slowly", view=True
    )
    """Updates per second: a number above 0, infinity for as fast as it can, or ``"auto"``, which
    begins slowly and grows with the step. Default 30."""

    max_steps: int
    transport: Transport
    _loop: MainLoop
    _player: Player
    _ahead: Ahead
    _ready = False
    _by_hand = False
    """Whether a control asked for what is being done: then nothing may take long."""
    _hand_until = -math.inf
    _drawn_to = -1
    """The last step recorded when all of the picture was drawn."""
    _moving = False

    # -- what a subclass does ----------------------------------------------------------------

    def redraw(self, *, full: bool | None = None) -> None:
        """Draw the present step; ``full``, at full resolution and with all text."""
        raise AssertionError("whoever has a cursor draws what it points at")

    def compute(self, k: int, budget: float = math.inf) -> int:
        """Record as far as step ``k``, for about ``budget`` seconds; return the step reached."""
        raise AssertionError("whoever has a cursor can compute up to it")

    @property
    def computed(self) -> int:
        """The last step recorded."""
        raise AssertionError("whoever has a cursor knows how far it may go")

    @property
    def end(self) -> int:
        """The last step of the run as far as is known."""
        raise AssertionError("whoever has a cursor knows where it ends")

    @property
    def hidden(self) -> bool:
        """Whether a page has it and shows it nowhere."""
        raise AssertionError("whoever has a cursor knows whether it is shown")

    @property
    def can_show(self) -> bool:
        """Whether the page has room for one more picture."""
        raise AssertionError("whoever has a cursor knows how far the page has come")

    @property
    def undrawn(self) -> bool:
        """Whether more, or another run, is recorded than the last whole picture shows."""
        return self.computed != self._drawn_to

    # -- where it is -------------------------------------------------------------------------

    @property
    def drawn(self) -> int:
        """The step that is drawn: the cursor, or the last step recorded if that comes first."""
        return min(self.step, self.computed)

    @property
    def hand_budget(self) -> float:
        """Seconds of computing that are left for what a control asked for."""
        return max(0.0, self._hand_until - time.perf_counter())

    @contextlib.contextmanager
    def doing_by_hand(self, *, on: bool = True) -> Iterator[None]:
        """While it does what a control asks for: what takes longer is computed in slices later."""
        before = self._by_hand, self._hand_until
        if on and not self._by_hand:
            self._by_hand, self._hand_until = True, time.perf_counter() + AT_ONCE
        try:
            yield
        finally:
            self._by_hand, self._hand_until = before

    def do_by_hand(self, method: Callable[..., Any], *values: Any) -> None:
        """Do what a control asks for; without a running loop there is no later, and all is done."""
        with self.doing_by_hand(on=self._loop.running):
            method(*values)

    @property
    def goal(self) -> int:
        """The step that is to be recorded for what is on the screen."""
        return min(self.step, self.end)

    @property
    def pace(self) -> float:
        """Updates per second at the present step."""
        return max(4.0, 0.7 * self.step) if self.speed == AUTO else float(self.speed)

    @validate("step")
    def _valid_step(self, proposal: Any) -> int:
        k = checks.integer(proposal["value"], "step", 0, self.max_steps)
        if not self._ready:
            return k
        if self._by_hand:
            self.compute(k, self.hand_budget)
            return min(k, self.end)
        return self.compute(k)

    @observe("step")
    def _step_changed(self, change: Any) -> None:
        if self._ready and not self._moving:
            self.redraw()
            self._ahead.want()

    def record_to(self, k: int, budget: float = math.inf) -> int:
        """As `compute`, for something else than the picture, which follows."""
        reached = self.compute(k, budget)
        self._ahead.want()
        return reached

    def place(self, k: int) -> None:
        """Put the cursor to step ``k``, or the end of the run, without drawing."""
        self._moving = True
        try:
            self.step = min(k, self.max_steps)
        finally:
            self._moving = False

    def progressed(self, *, done: bool) -> None:
        """More of the run is recorded: draw it, and the cursor's step as far as it is there.

        A run that plays is drawn by the clock, and a page that lags behind would only lag more:
        then no picture comes before all is recorded.
        """
        if self.step > self.end:
            self.place(self.end)
        if not done and (self.playing or not self.can_show):
            return
        if done:
            self.transport.show_progress(None, self.step)
        self.redraw()
        if done:
            self._drawn_to = self.computed

    # -- the clock ---------------------------------------------------------------------------

    @observe("playing")
    def _playing_changed(self, change: Any) -> None:
        if not self._ready:
            return
        self.transport.show_playing(self.playing)
        if not self.playing:
            self._player.stop()
            self.redraw(full=True)
            self._ahead.want()
            return
        if self.step >= self.end:
            self.place(0)
        elif self.step > self.computed:
            self.place(self.computed)
        self._player.start()
        try:
            if self._loop.running:
                self._loop.start(self._player.run())
            else:
                self._player.run_through()
        except BaseException:
            # A clock that does not run must not say that it does, or nothing could start it again.
            self.playing = False
            raise

    def page_lost(self) -> None:
        """The page that used to answer is gone, or does not show this: pause."""
        self.playing = False

    def play(self) -> None:
        """Start the clock; at the end of a run it starts again from step 0."""
        self.playing = True

    def pause(self) -> None:
        """Stop the clock, and any computing ahead of what is drawn."""
        if self.step > self.computed:
            self._ahead.stop()
            self.place(self.computed)
            self.progressed(done=True)
        self.playing = False

    def toggle(self) -> None:
        """Play when paused; pause when playing, or when a long run is being computed."""
        if self.playing or self.step > self.computed:
            self.pause()
        else:
            self.play()

    def set_speed(self, speed: float | str) -> None:
        """Set the clock's speed."""
        self.speed = speed

    # -- moving it ---------------------------------------------------------------------------

    def seek(self, k: int) -> None:
        """Pause and show step ``k``, or the last step of a run that ends before it.

        Raises
        ------
        ValueError
            When ``k`` is not a whole number from 0 to ``max_steps``.
        """
        k = checks.integer(k, "step", 0, self.max_steps)
        self.playing = False
        self.step = k

    def scrub(self, k: int) -> None:
        """Show step ``k``, with the scrubber where the run allows it."""
        self.seek(min(checks.integer(k, "step", 0), self.max_steps))
        self.transport.show(self.step, self.max_steps)

    def step_forward(self, n: int = 1) -> None:
        """Pause and apply ``n`` updates more, at most to the end."""
        n = checks.integer(n, "n", 0, MOST_STEPS)
        self.seek(min(self.step + n, self.max_steps))

    def step_back(self, n: int = 1) -> None:
        """Pause and take ``n`` updates back, at most to step 0."""
        n = checks.integer(n, "n", 0, MOST_STEPS)
        self.seek(max(self.step - n, 0))

    def reset(self) -> None:
        """Pause and show step 0."""
        self.seek(0)

    def run(self) -> None:
        """Compute and show everything up to the end.

        From a cell this returns when all is computed, with a progress bar when it takes long; an
        interrupt of the kernel stops it and keeps what is computed. From the button it goes on
        between cells.
        """
        if self._by_hand:
            self.seek(self.max_steps)
            return
        self.playing = False
        taken = 0.0
        try:
            while (before := self.computed) < self.end:
                self.compute(self.end, _RUN_SLICE)
                if self.computed == before:
                    break
                taken += _RUN_SLICE
                if taken > PATIENCE:
                    self.transport.show_progress(self.computed, self.max_steps)
        finally:
            self.transport.show_progress(None, self.max_steps)
            self.step = min(self.computed, self.end)
