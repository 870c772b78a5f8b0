"""The front end of an explorer, played by a program: it counts frames, and answers as a page does.

A page copies the scrubber's value and the number of a frame to hidden widgets, from where they come
back to the kernel once the frame has been drawn. Nothing is drawn here, so the figures are those of
a class whose computers keep up.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

CELL = """
from gdwidgets import SurfaceExplorer
ex = SurfaceExplorer("rosenbrock", learning_rate=1e-7, max_steps=100_000, future=False)
"""
"""The explorer whose frames are counted, ``ex``."""

IDS = """{"scrubber": ex.transport.scrubber.comm.comm_id, "sent": ex._gate.sent.comm.comm_id,
"seen": ex._gate.seen.comm.comm_id, "seen_step": ex._gate.seen_step.comm.comm_id,
"play": ex.transport.play.comm.comm_id}"""
"""An expression for the widgets that a `FrontEnd` must know."""


class FrontEnd:
    """What a page does while an explorer plays.

    Parameters
    ----------
    ids
        What `IDS` is worth in the kernel.
    """

    def __init__(self, ids: dict[str, str]) -> None:
        self._answers = {ids["scrubber"]: ids["seen_step"], ids["sent"]: ids["seen"]}
        self._play = ids["play"]
        self.begin()

    def begin(self) -> None:
        """Count anew."""
        self.messages = self.bytes = 0
        self._by_widget: Counter[str] = Counter()

    @property
    def frames(self) -> int:
        """Frames so far: what moves with every frame is told once a frame."""
        return max(self._by_widget.values(), default=0)

    def heard(self, content: dict[str, Any], size: int) -> dict[str, Any] | None:
        """Take a message of ``size`` bytes; return the content of the answer, if one is due."""
        self.messages += 1
        self.bytes += size
        self._by_widget[content["comm_id"]] += 1
        value = content["data"].get("state", {}).get("value")
        to = self._answers.get(content["comm_id"])
        if to is None or value is None:
            return None
        data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
        return {"comm_id": to, "data": data}

    @property
    def click_play(self) -> dict[str, Any]:
        """The content of the message that a click on *Play* sends."""
        return {"comm_id": self._play, "data": {"method": "custom", "content": {"event": "click"}}}
