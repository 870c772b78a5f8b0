"""The clock: it moves the cursor at a number of updates per second and never outruns the browser.

``Player.tick`` holds all of the logic and knows no event loop, so it can be tested with a clock of
the test's own; ``Player.run`` is the task that calls it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
import weakref
from collections.abc import Callable
from typing import Protocol

from gdwidgets.ui.playback.ahead import SLICE
from gdwidgets.ui.playback.frame_gate import SILENCE, FrameGate

FRAME = 1 / 30
"""Seconds between frames while one explorer plays."""

MOST_DUE = 0.5
"""Seconds of updates that may pile up while the kernel or the page is busy; the rest is dropped."""

SPARE, SPARE_SECONDS = 30, 0.003
"""Steps that are recorded ahead of a slow run at once, and for how long at most."""

_playing: weakref.WeakSet[Player] = weakref.WeakSet()


class Host(Protocol):
    """What the clock needs of an explorer."""

    step: int
    playing: bool

    @property
    def pace(self) -> float:
        """Updates per second at the present step; infinity for as fast as it can."""

    @property
    def end(self) -> int:
        """The last step that the run can reach, as far as is known."""

    @property
    def computed(self) -> int:
        """The last step recorded."""

    def compute(self, k: int, budget: float) -> int:
        """Record up to step ``k`` for at most ``budget`` seconds; return the step reached."""

    @property
    def hidden(self) -> bool:
        """Whether a page has the explorer and shows it nowhere; false where nothing has told."""

    def page_lost(self) -> None:
        """The page no longer answers, or shows the explorer nowhere."""


class Player:
    """Plays a host: adds to its cursor what is due, in slices, a frame at a time."""

    def __init__(
        self, host: Host, gate: FrameGate, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._gate = gate
        self._clock = clock
        self._due = 0.0
        self._starts = 0
        self._then = clock()
        self._frame_at = self._shown_at = self._then

    @property
    def period(self) -> float:
        """Seconds between frames: several explorers at play share the server's message limit."""
        return FRAME * max(1.0, len(_playing) / 2)

    def start(self) -> None:
        """Begin counting time now, with one update due so that *play* is answered at once."""
        self._due = 1.0
        self._starts += 1
        self._gate.begin()
        self._then = self._frame_at = self._shown_at = self._clock()
        _playing.add(self)

    def stop(self) -> None:
        """Leave the group of explorers that share the message limit."""
        _playing.discard(self)

    def tick(self) -> float:
        """Do one slice of work; return the seconds to wait before the next one.

        The first frame of a run comes at once, so that *play* is answered within a frame. A frame
        is shown when it is due and the browser has room for it; until then only computing goes on.
        Nothing goes on while a page shows the explorer nowhere, as when its cell was run again
        before there was anything to see; after ``SILENCE`` seconds of that the page counts as lost.
        """
        host, now = self._host, self._clock()
        if host.hidden:
            _playing.discard(self)
            self._then = now
            if now - self._shown_at > SILENCE:
                host.page_lost()
            return FRAME
        self._shown_at = now
        _playing.add(self)
        if self._gate.gone:
            host.page_lost()
            return 0.0
        elapsed, self._then = now - self._then, now
        pace = host.pace
        fastest = math.isinf(pace)
        if not fastest:
            self._due = min(self._due + pace * elapsed, max(1.0, pace * MOST_DUE))
        wanted = host.end if fastest else min(host.end, host.step + int(self._due))
        try:
            reached = min(wanted, self._computed_to(wanted + 1))
        except Exception:
            # Whatever raised, the steps before it can be seen.
            host.step = max(host.step, min(wanted, host.computed))
            raise
        if self._clock() >= self._frame_at and self._gate.open:
            self._show(min(reached, wanted), fastest=fastest)
        if not host.playing:
            return 0.0
        if reached < wanted:
            return 0.0
        return max(0.0, self._frame_at - self._clock()) or FRAME / 8

    def _computed_to(self, wanted: int) -> int:
        """Record up to a step, the next update's arrow included; return the step reached.

        To begin computing costs more than a step or two: once there, some more are made.
        """
        host = self._host
        wanted = min(host.end, wanted)
        if host.computed >= wanted:
            return wanted
        reached = host.compute(wanted, SLICE)
        if reached >= wanted:
            with contextlib.suppress(Exception):  # told when the cursor comes to it
                host.compute(min(host.end, wanted + SPARE), SPARE_SECONDS)
        return reached

    def _show(self, reached: int, *, fastest: bool) -> None:
        host = self._host
        self._frame_at = max(self._frame_at + self.period, self._clock())
        if reached > host.step:
            if not fastest:
                self._due -= reached - host.step
            host.step = reached
        if host.step >= host.end:
            host.playing = False

    async def run(self) -> None:
        """Tick until the host no longer plays, or has been started anew with a task of its own."""
        start = self._starts
        while self._host.playing and self._starts == start:  # noqa: ASYNC110 - the clock sleeps to pace itself
            await asyncio.sleep(self.tick())

    def run_through(self) -> None:
        """Play to the end at once: what *play* means where there is no event loop."""
        host = self._host
        while host.playing:
            host.step = host.compute(host.end, math.inf)
            if host.step >= host.end:
                host.playing = False
