"""Whether a hand holds and moves what is drawn, by all that the page tells of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from gdwidgets.ui.page.page import Page
from gdwidgets.ui.playback.main_loop import MainLoop
from gdwidgets.ui.playback.rest import Rest


class Hand:
    """The hand on an explorer: what it holds, and when its picture is drawn at its best.

    Of sliders the page tells when they are held; what is held in a figure, such as a start, tells
    by itself when it is let go.

    Parameters
    ----------
    page
        The explorer's script in the page.
    loop
        Where it waits for the hand to rest.
    busy
        Whether the picture of the last change is still being computed or drawn.
    rested
        Called on the owner thread when the hand rests.
    """

    def __init__(
        self,
        page: Page,
        loop: MainLoop,
        busy: Callable[[], bool],
        rested: Callable[[], None],
    ) -> None:
        self._page, self._loop, self._busy = page, loop, busy
        self._rest = Rest(self._unrested, rested)
        self._in_figure = False
        self._letting_go: bool | None = None  # with what is being done; None where the page knows

    @property
    def holds(self) -> bool:
        """Whether it goes on holding what is being changed, as far as is known."""
        if self._letting_go is None:
            return self._page.held or not self._page.loaded
        return not self._letting_go

    @property
    def moving(self) -> bool:
        """Whether it will soon have moved further, and another change is to be expected."""
        return self._rest.moving

    @property
    def waiting(self) -> bool:
        """Whether what it changed last is still to be drawn at its best."""
        return self._rest.waiting

    @contextlib.contextmanager
    def letting_go(self, *, on: bool = True) -> Iterator[None]:
        """Something in a figure is let go with what is done in the block, or is not."""
        self._letting_go, self._in_figure = on, not on
        try:
            yield
        finally:
            self._letting_go = None
            if on:
                self.rest()

    def moved(self) -> None:
        """It changed something, and holds it."""
        self._rest.begin(self._loop)

    def rest(self) -> None:
        """Draw at once at its best what waits for that."""
        self._rest.at_once()

    def stop(self) -> None:
        """Nothing waits any more: it was drawn at its best, or nobody sees it."""
        self._rest.stop()

    def _unrested(self) -> bool:
        return self._in_figure or self._page.held or self._busy()
