"""The basin map of the present settings: computed between frames, shown when it is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from ipywidgets import IntProgress, Layout
from numpy.typing import NDArray

from gdwidgets.core import BasinMap, BasinSearch, Surface
from gdwidgets.core.analysis.endings import End
from gdwidgets.ui.playback.ahead import SLICE
from gdwidgets.ui.playback.main_loop import MainLoop
from gdwidgets.ui.plots import palette
from gdwidgets.ui.text import numbered

GRID = 120
"""Starts a side: 14,400 lanes."""

PATIENCE = 0.3
"""Seconds before a computation shows its progress bar."""

MOST_NUMBERED = 9
"""Minima that have numbers on the map and rows in the key, beside those the surface knows."""

INSIDE = 0.04
"""How far from the map's edge a minimum lies whose number stands on the map, in its sides."""

CLASSES = {
    End.OSCILLATING: "oscillates",
    End.NOT_CONVERGED: "not converged",
    End.UNBOUNDED: "goes away",
    End.DIVERGED: "diverges",
    End.SADDLE: "at a saddle",
    End.STOPPED: "by loss_tol",
}
"""What the key calls the starts that reach no minimum."""

HATCHED, DOTTED = (End.UNBOUNDED, End.DIVERGED), (End.OSCILLATING,)


class Basins:
    """Keeps one basin map in step with the settings; a new wish cancels the one before.

    Parameters
    ----------
    loop
        Where the search runs when there is an event loop; else it runs at once.
    show
        Called with a map when it is there, and with ``None`` when there is none any more.
    failed
        Called with what stopped a search that ran between cells.
    """

    def __init__(
        self,
        loop: MainLoop,
        show: Callable[[BasinMap | None], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.progress = IntProgress(0, 0, 100, layout=Layout(display="none", width="100%"))
        self.map: BasinMap | None = None
        self._loop = loop
        self._show = show
        self._failed = failed
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
        """Find the basins under these settings, unless they are there or on their way.

        Raises
        ------
        Exception
            What the search raises where no event loop runs; nothing is shown then.
        """
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
        if self._loop.running:
            self._task = self._loop.start(self._search(search))
        else:
            self._found(search.result())
        self._wanted = wanted

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
        try:
            while not search.advance(SLICE):
                if time.monotonic() - began > PATIENCE:
                    self.progress.layout.display = None
                    percent = int(100 * search.progress)
                    if percent != self.progress.value:
                        self.progress.value = percent
                await asyncio.sleep(0)
            self._task = None
            self.progress.layout.display = "none"
            self._found(search.result())
        except Exception as problem:  # noqa: BLE001 - a user's function may raise anything
            self._task = None
            self.forget()
            self._failed(problem)

    def _found(self, basins: BasinMap) -> None:
        self.map = basins
        self._show(basins)


def percent(count: int, of: int) -> str:
    """A count of starts in per cent, on one line; what is there never reads as 0."""
    value = 100 * count / of
    if 0 < value < 0.95:
        return f"{max(value, 0.1):.1f}\u00a0%"
    return f"{99.9 if count < of and value > 99.5 else round(value)}\u00a0%"


@dataclass(frozen=True)
class Numbered:
    """A basin map as it is shown: some minima have numbers, all others look alike.

    Attributes
    ----------
    basins
        The map.
    minima
        Those with numbers, points (u, v) in their order: the surface's own, then of those found
        the largest basins, of equally large ones the lowest. None is off the map.
    counts
        How many starts converge to each of them.
    labels
        As those of ``basins``, but indices into ``minima``; the indices beyond are other minima.
    others
        What the other minima are called; empty where no start reaches one.
    """

    basins: BasinMap
    minima: list[tuple[float, float]]
    counts: list[int]
    labels: NDArray[np.int64]
    others: str


def with_numbers(basins: BasinMap, surface: Surface) -> Numbered:
    """Give numbers to the minima of a surface that are worth one: see `Numbered`."""
    known, total = len(surface.minima), basins.labels.size
    reached = [int(count) for count in basins.reached]
    (u0, u1), (v0, v1) = surface.bounds
    part = (basins.minima - [u0, v0]) / [u1 - u0, v1 - v0]
    on = [bool(np.all((one > INSIDE) & (one < 1 - INSIDE))) for one in part]
    found = [i for i in range(known, len(reached)) if reached[i] and on[i]]
    # In whole per cent: of a grid's basins those that are equally large differ a little.
    found.sort(key=lambda i: (-round(100 * reached[i] / total), i))
    chosen = [*range(known), *found[: max(0, MOST_NUMBERED - known)]]
    new = len(chosen) + np.arange(len(reached))
    new[chosen] = np.arange(len(chosen))
    labels = np.array(basins.labels)
    labels[labels >= 0] = new[labels[labels >= 0]]
    left = [i for i in range(len(reached)) if reached[i] and i not in chosen]
    unlisted = bool((basins.labels == BasinMap.UNLISTED).any())
    outside = [not np.all((one >= 0) & (one <= 1)) for one in part]
    others = "other minima" if left or unlisted else ""
    if left and not unlisted and all(outside[i] for i in left):
        others = "a minimum off the map" if len(left) == 1 else "minima off the map"
    return Numbered(
        basins,
        [(float(u), float(v)) for u, v in basins.minima[chosen]],
        [reached[i] for i in chosen],
        labels,
        others,
    )


def key(shown: Numbered) -> str:
    """The key of a basin map as HTML: each class of starts, how it looks, and how many per cent."""
    counts, total = shown.basins.counts, shown.labels.size
    rows = [
        (f"background:{palette.tint(index)}", numbered(index), count)
        for index, count in enumerate(shown.counts)
        if count
    ]
    if shown.others:
        others = counts[End.CONVERGED] - sum(shown.counts)
        rows.append((f"background:{palette.OTHER_MINIMA}", shown.others, others))
    for end, name in CLASSES.items():
        if count := counts[end]:
            look = "hatch" if end in HATCHED else "dots" if end in DOTTED else "plain"
            rows.append((LOOKS[look], name, count))
    cells = "".join(
        f"<div><i style='{look}'></i>"
        f"<span>{escape(name)} <b>{percent(count, total)}</b></span></div>"
        for look, name, count in rows
    )
    dense = " gdw-dense" if len(rows) > MOST_NUMBERED else ""
    return f"<div class='gdw-basin-key{dense}' role=list>{cells}</div>"


LOOKS = {
    "plain": f"background:{palette.NO_MINIMUM}",
    "hatch": f"background:repeating-linear-gradient(135deg,{palette.DIVERGED} 0 3px,#fff 3px 6px)",
    "dots": (
        f"background:radial-gradient({palette.DIVERGED} 40%,{palette.NO_MINIMUM} 45%) 0 0/5px 5px"
    ),
}
"""How starts that reach no minimum look in the key, as on the map."""

STYLES = """
.gdw-basin-key { font-size: calc(13px * var(--gdw-size)); line-height: calc(18px * var(--gdw-size));
  margin-top: calc(12px * var(--gdw-size)); color: var(--gdw-ink); }
.gdw-basin-key div { display: flex; gap: 6px; margin: 0 0 calc(6px * var(--gdw-size)) 0; }
.gdw-basin-key.gdw-dense div { margin-bottom: calc(2px * var(--gdw-size)); }
.gdw-basin-key i { flex: 0 0 auto; width: 14px; height: 14px; margin-top: 2px;
  outline: 1px solid var(--gdw-line); }
"""
"""Styles of the key of the basins."""
