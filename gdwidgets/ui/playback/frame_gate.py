"""The acknowledgement of frames by the browser, which paces the clock.

Kernel to browser has no flow control of its own: a kernel that sends frames at its own rate keeps
a slow page drawing for many seconds after *pause*. So every frame ends with a number that a link in
the browser copies to a hidden widget, from where it comes back to the kernel once everything before
it has been handled. While a run plays, the scrubber's own value is that number; a frame that leaves
the step where it is ends with a number of its own. No JavaScript of our own is needed.

An answer costs the kernel more than a mark that is drawn, so a page that keeps up is asked for one
every third frame only, and the scrubber moves as often: ten times a second.
"""

from __future__ import annotations

import math
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ipywidgets import IntText, Layout, Widget, jsdlink
from traitlets import CInt

WIDEST = 3
"""The widest window: that many frames share an answer, and as many again, less one, may follow
before it has come. Measured, 30 frames/s with a page that keeps up."""

MOST_IN_FLIGHT = 2 * WIDEST - 1
"""Frames that may be on their way at once, with the widest window."""

STILLEST = 0.09
"""Seconds after which the next frame asks for an answer, however few frames came meanwhile."""

SILENCE = 10.0
"""Seconds without an acknowledgement after which the page is taken to be gone."""

_gates: weakref.WeakSet[FrameGate] = weakref.WeakSet()


_answers: deque[tuple[float, float]] = deque(maxlen=256)
"""When frames were sent and when their answers came, of all explorers, in the answers' order."""


def drawn_at(sent: float) -> float | None:
    """When what was sent at some time was drawn, as far as pages have told.

    A page draws for all explorers in turn, so an answer to any of them tells of all.

    Parameters
    ----------
    sent
        Seconds, monotonic.

    Returns
    -------
    float or None
        Seconds, monotonic; ``None`` before the answer has come. Where nothing is waited for,
        ``sent`` itself, or the last answer's time if that is later: the page was behind until then.
    """
    for frame_sent, answered in _answers:
        if frame_sent >= sent:
            return answered
    now = time.monotonic()
    oldest = (gate.oldest for gate in tuple(_gates))
    waiting = any(at is not None and now - at < SILENCE for at in oldest)
    if waiting:
        return None
    return max(sent, _answers[-1][1]) if _answers else sent


class _Acknowledged(IntText):
    """An integer from the browser that is not echoed back to it: one message less a frame."""

    value = CInt(0).tag(sync=True, echo_update=False)


AGAIN = 2.0
"""Seconds after which a wider window is tried once more, where a frame is answered soon."""

SOON = 0.1
"""Seconds within which a frame is answered soon: to try costs a late *pause* otherwise."""


@dataclass(frozen=True)
class _Frame:
    """A frame on its way: its number, if it has one, when it was sent, and in which window.

    The window is 0 where its answer says nothing of any.
    """

    is_step: bool
    number: int | None
    sent_at: float
    window: int


class FrameGate:
    """Counts frames out and acknowledgements in.

    Parameters
    ----------
    clock
        Seconds, monotonic; replaced in tests.
    scrubber
        The slider whose value is the step; its changes serve as frame numbers.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, scrubber: Widget | None = None
    ) -> None:
        hidden = Layout(display="none")
        self._clock = clock
        self.sent = IntText(0, layout=hidden)
        self.seen = _Acknowledged(0, layout=hidden)
        self.seen_step = _Acknowledged(0, layout=hidden)
        self.links = [jsdlink((self.sent, "value"), (self.seen, "value"))]
        if scrubber is not None:
            self.links.append(jsdlink((scrubber, "value"), (self.seen_step, "value")))
        self.heard = False
        self._waiting: list[_Frame] = []
        self._step = 0
        self._unasked = 0
        self._asked_at = self._last_heard = clock()
        self.begin()
        _gates.add(self)
        self.seen.observe(lambda change: self._came(is_step=False, number=change["new"]), "value")
        self.seen_step.observe(lambda c: self._came(is_step=True, number=c["new"]), "value")

    window: int
    """How many frames share an answer now, 1 to ``WIDEST``: 1 for a page that is slow."""

    @property
    def widgets(self) -> tuple[Widget, ...]:
        """The hidden widgets, which must be on display, and the links between them."""
        return (self.sent, self.seen, self.seen_step, *self.links)

    @property
    def hidden(self) -> tuple[Widget, ...]:
        """The widgets that must be on display for the links to work."""
        return (self.sent, self.seen, self.seen_step)

    @property
    def in_flight(self) -> int:
        """Frames sent and not yet acknowledged."""
        return len(self._waiting)

    @property
    def oldest(self) -> float | None:
        """When the first of the frames on their way was sent; ``None`` where there are none."""
        return self._waiting[0].sent_at if self._waiting else None

    @property
    def _asked(self) -> bool:
        """Whether an answer is still to come."""
        return any(frame.number is not None for frame in self._waiting)

    @property
    def open(self) -> bool:
        """Whether another frame may be sent now; always, where no browser has ever answered."""
        return not self.heard or self.in_flight < 2 * self.window - 1 or not self._asked

    @property
    def due(self) -> bool:
        """Whether the next frame is to ask for an answer; always, where none has ever come."""
        return (
            not self.heard
            or self._unasked >= self.window - 1
            or self._clock() - self._asked_at >= STILLEST
        )

    @property
    def gone(self) -> bool:
        """Whether a page that used to answer has kept silent for ``SILENCE`` seconds."""
        if self.open or not self._waiting:
            return False
        since = max(self._last_heard, self._waiting[0].sent_at)
        return self._clock() - since > SILENCE

    def begin(self) -> None:
        """Measure anew how long a frame takes, as at the start of playing."""
        self.window = 1
        self._most = WIDEST
        self._usual: dict[int, float] = {}
        self._answers = 0
        self._narrowed_at, self._blamed = self._clock(), math.inf

    def count(self) -> None:
        """End a frame that asks for no answer of its own: one that comes later is for it too."""
        self._unasked += 1
        self._waiting.append(self._frame(is_step=False, number=None))

    def stamp(self, step: int | None = None) -> None:
        """End a frame, after all of its updates, and ask for an answer.

        Parameters
        ----------
        step
            The step that the scrubber was given in this frame. Where it is another than before,
            that change is the frame's number; else the frame gets a number of its own.
        """
        moved = step is not None and step != self._step and len(self.links) > 1
        if moved:
            self._step = int(step or 0)
            number = self._step
        else:
            self.sent.value = number = int(self.sent.value) + 1
        frame = self._frame(is_step=moved, number=number)
        self._waiting.append(frame)
        self._unasked = 0
        self._asked_at = frame.sent_at
        if not self.heard:
            del self._waiting[:-WIDEST]

    def _frame(self, *, is_step: bool, number: int | None) -> _Frame:
        # In the narrowest window a frame counts only where none is before it.
        window = self.window if self.window > 1 or not self._waiting else 0
        return _Frame(is_step, number, self._clock(), window)

    def _came(self, *, is_step: bool, number: int) -> None:
        self.heard = True
        self._last_heard = self._clock()
        # The browser merges answers: the last that fits answers for all before it.
        for at in reversed(range(len(self._waiting))):
            frame = self._waiting[at]
            if (frame.is_step, frame.number) == (is_step, number):
                _answers.append((frame.sent_at, self._last_heard))
                self._pace(self._last_heard - frame.sent_at, frame.window)
                del self._waiting[: at + 1]
                return

    def _pace(self, round_trip: float, window: int) -> None:
        """Let more frames be in flight while that does not make each of them slower.

        On a distant server several frames are on the way without waiting for each other; on a slow
        page they wait in line, which would only make *pause* late. What counts is the usual time,
        as single answers may be late for any reason, such as a proxy that collects small messages.
        """
        before = self._usual.get(window, round_trip)
        self._usual[window] = usual = before + (round_trip - before) / 4
        self._answers += window == self.window
        if window != self.window or self._answers < 2:
            return
        now, alone = self._clock(), max(0.005, self._usual.get(1, usual))
        rested = alone < SOON and now - self._narrowed_at > AGAIN
        # Where a frame alone takes as long, the others in flight were not to blame.
        if self._most < WIDEST and (rested or self._blamed < 1.25 * alone + 0.010):
            self._most = WIDEST
        if window > 1 and usual > 1.6 * alone + 0.010:
            self._most = self.window = window - 1
            self._blamed, self._narrowed_at = usual, now
        elif window < self._most:
            self.window = window + 1
        else:
            return
        self._answers = 0
        self._usual.pop(self.window, None)
