"""Computing, between cells and messages, what is to be seen and is not recorded yet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from gdwidgets.ui.playback.main_loop import MainLoop

SLICE = 0.010
"""The longest the kernel computes before it lets other cells and messages in, in seconds."""

PERIOD = 0.2
"""Seconds between pictures of what has been computed meanwhile."""

REST = 4
"""The same, in times that the last picture took: a long run is computed, not drawn."""

SLOW = 0.1
"""Seconds of a step from which on it is followed by as long a rest: a function that takes so long
must not take the whole kernel."""


class Host(Protocol):
    """What is computed for."""

    @property
    def goal(self) -> int:
        """The step that is to be recorded, for the cursor or for the future that is drawn."""

    @property
    def computed(self) -> int:
        """The last step recorded."""

    @property
    def undrawn(self) -> bool:
        """Whether more is recorded than is drawn, whoever computed it."""

    @property
    def moving(self) -> bool:
        """Whether a hand is about to change what is computed: then nothing is, for the moment."""

    @property
    def hidden(self) -> bool:
        """Whether nobody can see it: then nothing is computed."""

    def compute(self, k: int, budget: float) -> int:
        """Record up to step ``k`` for at most ``budget`` seconds; return the step reached."""

    def progressed(self, *, done: bool) -> None:
        """More is recorded than was drawn."""


class Ahead:
    """One task that computes up to the host's goal in slices; a changed goal is followed.

    Parameters
    ----------
    host
        Whose recording grows.
    loop
        Where the task runs. Without a running loop nothing is computed ahead.
    """

    def __init__(
        self, host: Host, loop: MainLoop, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._loop = loop
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._began = 0.0

    @property
    def busy(self) -> float:
        """Seconds for which it has been computing; 0 when it is not."""
        return self._clock() - self._began if self._task is not None else 0.0

    def want(self) -> None:
        """See to it that the goal is computed and drawn.

        To be called again when the host is shown again, and after something else has computed.
        """
        host = self._host
        if host.hidden or not self._loop.running:
            return
        if self._task is None and (host.goal > host.computed or host.undrawn):
            self._began = self._clock()
            self._task = self._loop.start(self._run())

    def stop(self) -> None:
        """Compute no further for now."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        due = self._clock() + PERIOD
        host = self._host
        try:
            # The picture of what is there comes first, also in the page.
            await asyncio.sleep(0)
            while (goal := host.goal) > host.computed and not host.hidden:
                if host.moving:
                    await asyncio.sleep(SLICE)
                    due = self._clock() + PERIOD
                    continue
                before, began = host.computed, self._clock()
                host.compute(goal, SLICE)
                taken = self._clock() - began
                if host.computed == before:
                    break  # every lane has ended
                if (now := self._clock()) >= due:
                    host.progressed(done=False)
                    drawn = self._clock()
                    due = drawn + max(PERIOD, REST * (drawn - now))
                await asyncio.sleep(taken if taken >= SLOW else 0)
        finally:
            if self._task is asyncio.current_task():
                self._task = None
        if host.undrawn:
            host.progressed(done=True)
