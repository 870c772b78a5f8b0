"""The acknowledgement of frames by the browser, which paces the clock.

Kernel to browser has no flow control of its own: a kernel that sends frames at its own rate keeps
a slow page drawing for many seconds after *pause*. So every frame ends with a number written to
one hidden widget; a link in the browser copies it to a second one, which comes back to the kernel
once everything before it has been handled. No JavaScript of our own is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ipywidgets import IntText, Layout, jsdlink
from traitlets import CInt

MOST_IN_FLIGHT = 3
"""Frames that may be on their way at once: measured, 29 frames/s and 0.4 s to a standstill."""

SILENCE = 10.0
"""Seconds without an acknowledgement after which the page is taken to be gone."""


class _Acknowledged(IntText):
    """An integer from the browser that is not echoed back to it: one message less a frame."""

    value = CInt(0).tag(sync=True, echo_update=False)


class FrameGate:
    """Counts frames out and acknowledgements in.

    Parameters
    ----------
    clock
        Seconds, monotonic; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        hidden = Layout(display="none")
        self._clock = clock
        self.sent = IntText(0, layout=hidden)
        self.seen = _Acknowledged(0, layout=hidden)
        self.link = jsdlink((self.sent, "value"), (self.seen, "value"))
        self.heard = False
        self._last_heard = clock()
        self._blocked_since: float | None = None
        self.seen.observe(lambda _: self.acknowledge(), names="value")
        self.widgets = (self.sent, self.seen, self.link)

    @property
    def in_flight(self) -> int:
        """Frames sent and not yet acknowledged."""
        return int(self.sent.value - self.seen.value)

    @property
    def open(self) -> bool:
        """Whether another frame may be sent now; always, where no browser has ever answered."""
        return not self.heard or self.in_flight < MOST_IN_FLIGHT

    @property
    def gone(self) -> bool:
        """Whether a page that used to answer has kept silent for ``SILENCE`` seconds."""
        return (
            not self.open
            and self._blocked_since is not None
            and self._clock() - max(self._last_heard, self._blocked_since) > SILENCE
        )

    def stamp(self) -> None:
        """End a frame: send its number after all of its updates."""
        self.sent.value += 1
        if not self.open and self._blocked_since is None:
            self._blocked_since = self._clock()

    def acknowledge(self) -> None:
        """The browser has handled everything up to frame ``seen``."""
        self.heard = True
        self._last_heard = self._clock()
        if self.open:
            self._blocked_since = None
