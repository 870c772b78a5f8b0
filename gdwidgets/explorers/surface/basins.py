"""The basin map of the present settings: computed between frames, shown when it is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from ipywidgets import IntProgress, Layout

from gdwidgets.core import BasinMap, BasinSearch, Surface
from gdwidgets.ui.playback.main_loop import MainLoop

GRID = 120
"""Starts a side: 14,400 lanes."""

PATIENCE = 0.3
"""Seconds before a computation shows its progress bar."""

SLICE = 0.010
"""Seconds of computing between which cells and messages get their turn."""


class Basins:
    """Keeps one basin map in step with the settings; a new wish cancels the one before.

    Parameters
    ----------
    loop
        Where the search runs when there is an event loop; else it runs at once.
    show
        Called with a map when it is there, and with ``None`` when there is none any more.
    """

    def __init__(self, loop: MainLoop, show: Callable[[BasinMap | None], None]) -> None:
        self.progress = IntProgress(
            0, 0, 100, description="basins", layout=Layout(display="none", width="260px")
        )
        self.map: BasinMap | None = None
        self._loop = loop
        self._show = show
        self._wanted: tuple[Any, ...] | None = None
        self._task: asyncio.Task[None] | None = None

    def want(
        self,
        surface: Surface,
        learning_rate: Any,
        rule: Any,
        max_steps: int,
        loss_tol: float | None,
    ) -> None:
        """Find the basins under these settings, unless they are there or on their way."""
        wanted = (surface, learning_rate, rule, max_steps, loss_tol)
        if wanted == self._wanted:
            return
        self.forget()
        search = BasinSearch(
            surface,
            learning_rate,
            rule=rule,
            max_steps=max_steps,
            resolution=GRID,
            loss_tol=loss_tol,
        )
        self._wanted = wanted
        if self._loop.running:
            self._task = self._loop.start(self._search(search))
        else:
            self._found(search.result())

    def forget(self) -> None:
        """Cancel a search and take the map away."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.progress.layout.display = "none"
        self._wanted = None
        if self.map is not None:
            self.map = None
            self._show(None)

    async def _search(self, search: BasinSearch) -> None:
        began = time.monotonic()
        while not search.advance(SLICE):
            if time.monotonic() - began > PATIENCE:
                self.progress.layout.display = None
                share = int(100 * search.progress)
                if share != self.progress.value:
                    self.progress.value = share
            await asyncio.sleep(0)
        self._task = None
        self.progress.layout.display = "none"
        self._found(search.result())

    def _found(self, basins: BasinMap) -> None:
        self.map = basins
        self._show(basins)
