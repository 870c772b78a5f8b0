"""Tells what a hand did to a slider from what a page sends back by itself.

A page moves the value that it is given to the slider's nearest stop, in its own last digits, and
sends that back. By then the kernel may have given the slider another value: taken for a hand's, the
echo would bring the old one back, on a screen that nobody touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gdwidgets.ui.playback.frame_gate import drawn_up_to

LATE = 3.0
"""Seconds for which an echo may still come once the page has drawn what followed the value: a page
sends a value of a slider only when the one before has been answered."""


class Echoes:
    """The values that one slider was given and that may still come back.

    Parameters
    ----------
    near
        Whether a value may be the echo of one that was given.
    clock
        Seconds, monotonic; replaced in tests.
    drawn_up_to
        Returns the time before which all that was sent is drawn, on that clock.
    """

    def __init__(
        self,
        near: Callable[[float, float], bool],
        clock: Callable[[], float] = time.monotonic,
        drawn_up_to: Callable[[], float] = drawn_up_to,
    ) -> None:
        self._near, self._clock, self._drawn_up_to = near, clock, drawn_up_to
        self._given: dict[float, float] = {}
        self._present: float | None = None

    def give(self, value: float) -> None:
        """Note that the page is given a value now."""
        self._forget_old()
        if self._present is not None:
            # Until now the page may have shown it for the first time, and answered.
            self._given[self._present] = self._clock()
        self._given[value] = self._clock()
        self._present = value

    def by_hand(self, value: float) -> bool:
        """Whether a value that came is a hand's; from then on also one back to where it was."""
        self._forget_old()
        if any(self._near(value, given) for given in self._given):
            return False
        self._given.clear()
        self._present = None
        return True

    def _forget_old(self) -> None:
        since = self._drawn_up_to() - LATE
        self._given = {value: when for value, when in self._given.items() if when > since}
