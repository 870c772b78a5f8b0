"""Tells what a hand did to a slider from what a page sends back by itself.

A page moves the value that it is given to the slider's nearest stop, in its own last digits, and
sends that back. By then the kernel may have given the slider another value: taken for a hand's, the
echo would bring the old one back, on a screen that nobody touched. And what a hand does must not be
answered by a value at all: the answers to two quick moves, and the echoes of both, would go to and
fro between kernel and page without end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ipywidgets import Widget

from gdwidgets.ui.playback.frame_gate import drawn_at

LATE = 3.0
"""Seconds for which an echo may still come once the page has drawn the value. Of two values that it
was given, a page sends the second when it has heard that the kernel handled the first: half of the
time until it must have drawn all that was sent, half for the way back."""


class Echoes:
    """One slider: the values that it was given and that may still come back.

    Parameters
    ----------
    slider
        The slider, which nothing else gives a value.
    near
        Whether two values are the same stop, or as good as that.
    clock
        Seconds, monotonic; replaced in tests.
    drawn_at
        Returns when what was sent at a time was drawn, on that clock; ``None``: not yet.
    """

    def __init__(
        self,
        slider: Widget,
        near: Callable[[float, float], bool],
        clock: Callable[[], float] = time.monotonic,
        drawn_at: Callable[[float], float | None] = drawn_at,
    ) -> None:
        self._slider, self._near = slider, near
        self._clock, self._drawn_at = clock, drawn_at
        self._given: dict[float, float] = {}
        self._stands, self._was_given = math.nan, False

    def show(self, value: float) -> None:
        """Put the slider at a value, unless it stands there or will, once the page rests."""
        present = float(self._slider.value)
        if self._near(value, self._stands) and self._near(value, present):
            return
        self._forget_old()
        if self._was_given:
            # Until now the page may have shown it for the first time, and answered.
            self._given[self._stands] = self._clock()
        self._given[value] = self._clock()
        self._stands, self._was_given = value, True
        if value == present:
            self._slider.send_state("value")  # an echo in the kernel is not what the page shows
        else:
            self._slider.value = value

    def came(self, value: float) -> bool:
        """Whether a value that came is a hand's; from then on also one back to where it was."""
        if self._near(value, self._stands):
            return False
        self._forget_old()
        if any(self._near(value, given) for given in self._given):
            # A page shows its own late echo when the kernel repeats it: show the present value.
            self._slider.value = self._stands
            return False
        self._given.clear()
        self._stands, self._was_given = value, False
        return True

    def _forget_old(self) -> None:
        before = self._clock() - LATE / 2
        for value, given in tuple(self._given.items()):
            drawn = self._drawn_at(given)
            settled = None if drawn is None else self._drawn_at(drawn + LATE / 2)
            if settled is not None and settled <= before:
                del self._given[value]
