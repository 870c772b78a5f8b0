"""What became of a run: looked into when it is over and nothing changes any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

from gdwidgets.core import Descent
from gdwidgets.core.analysis.endings import End, ending
from gdwidgets.ui.playback.ahead import SLICE
from gdwidgets.ui.playback.main_loop import MainLoop
from gdwidgets.ui.runs import lane_outcome

REST = 0.15
"""Seconds for which nothing must change before it is looked into how a run ends."""


class Ends:
    """How the lanes of the present descent end, each looked into once.

    Parameters
    ----------
    loop
        Where it is looked into when there is an event loop; else at once.
    present
        The descent and the lane that are asked about now.
    found
        Called when something has been found out between cells.
    """

    def __init__(
        self,
        loop: MainLoop,
        present: Callable[[], tuple[Descent, int]],
        found: Callable[[], None],
    ) -> None:
        self._loop, self._present, self._tell = loop, present, found
        self._descent: Descent | None = None
        self.known: dict[int, End | None] = {}
        """By lane of the descent that was asked about last."""
        self.looking: asyncio.Task[None] | None = None

    def at(self, k: int) -> End | None:
        """What became of the present lane, where its run is over at ``k`` and that is known."""
        descent, lane = self._present()
        if lane_outcome(descent, lane, k) != "max_steps":
            return None
        if self._descent is not descent:
            self._descent, self.known = descent, {}
        if lane not in self.known:
            if not self._loop.running:
                for _ in (slices := _Slices(descent, lane)):
                    pass
                self.known[lane] = slices.end
            elif self.looking is None:
                self.looking = self._loop.start(self._look())
        return self.known.get(lane)

    async def _look(self) -> None:
        """Find out, once nothing changes any more, what became of the present lane."""
        try:
            while True:
                descent, lane = self._present()
                await asyncio.sleep(REST)
                if self._present() != (descent, lane):
                    continue
                if descent.outcomes[lane] != "max_steps":
                    break  # the settings were changed: its run is not over, and is asked for then
                slices = _Slices(descent, lane)
                for _ in slices:
                    await asyncio.sleep(0)
                    if self._present()[0] is not descent:
                        break
                else:
                    if self._descent is not descent:
                        self._descent, self.known = descent, {}
                    self.known[lane] = slices.end
                    break
        finally:
            self.looking = None
        self._tell()


class _Slices:
    """The search for what became of a lane, to be gone through; then it holds the ``end``."""

    end: End | None = None
    """``None`` where the function raised beyond the run: then only what was seen is said."""

    def __init__(self, descent: Descent, lane: int) -> None:
        self._slices = ending(descent, lane, seconds=SLICE)

    def __iter__(self) -> Iterator[None]:
        with suppress(Exception):
            self.end = yield from self._slices
