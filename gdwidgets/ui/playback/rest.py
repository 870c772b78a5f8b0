"""When a hand that moved a setting rests: then the picture is drawn once more, at its best."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gdwidgets.ui.playback.main_loop import MainLoop

REST = 0.08
"""Seconds without a change, with nothing on its way to the page, after which a hand rests."""

MOVING = 0.1
"""Seconds after a change for which the hand is taken to move on."""

LONGEST = 2.0
"""Seconds after the last change at which it rests in any case: a page may never answer."""


class Rest:
    """Waits until nothing has changed for a while.

    Parameters
    ----------
    busy
        Whether the picture of the last change is still being computed or drawn.
    rested
        Called on the owner thread, once after any number of changes.
    """

    def __init__(
        self,
        busy: Callable[[], bool],
        rested: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._busy, self._rested, self._clock = busy, rested, clock
        self._changed_at = self._quiet_since = 0.0
        self._task: asyncio.Task[None] | None = None

    def begin(self, loop: MainLoop) -> None:
        """Something was changed by hand."""
        self._changed_at = self._quiet_since = self._clock()
        if self._task is None and loop.running:
            self._task = loop.start(self._wait())

    @property
    def waiting(self) -> bool:
        """Whether what changed last is still to be drawn at its best."""
        return self._task is not None

    @property
    def moving(self) -> bool:
        """Whether the hand will soon have moved further, and another change is to be expected."""
        return self.waiting and self._clock() - self._changed_at < MOVING

    def at_once(self) -> None:
        """Rest now, if anything waits for it."""
        if self.waiting:
            self.stop()
            self._rested()

    def stop(self) -> None:
        """Wait no longer."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    @property
    def over(self) -> bool:
        """Whether it rests by now; to be asked again and again."""
        now = self._clock()
        if self._busy() and now - self._changed_at < LONGEST:
            self._quiet_since = now
            return False
        return now - self._quiet_since >= REST

    async def _wait(self) -> None:
        try:
            while not self.over:  # noqa: ASYNC110 - what it waits for is a time without events
                await asyncio.sleep(REST / 4)
        finally:
            if self._task is asyncio.current_task():
                self._task = None
        self._rested()
