"""An explorer in a live event loop, used as pages use it: by messages, from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

import bqplot as bq
import numpy as np
from ipywidgets import (
    Button,
    Dropdown,
    FloatLogSlider,
    FloatSlider,
    FloatText,
    IntSlider,
    IntText,
    Text,
    ToggleButton,
    Widget,
)

from gdwidgets.ui.page.page import KEYS
from gdwidgets.ui.playback.main_loop import reachable

TEXTS = ("", "x", "-1", "0", "0.1", "1e400", "nan", "never", "12", "\u22120.2", "<b>", "9" * 400)
"""What somebody may type into a field."""

WHOLE = (-1, 0, 1, 7, 40)
REAL = (-1.0, 0.0, 0.02, 0.4, 1e9)

CONTROLS = (
    Button,
    ToggleButton,
    Dropdown,
    IntSlider,
    FloatSlider,
    FloatLogSlider,
    IntText,
    FloatText,
    Text,
    bq.Image,
    bq.Scatter,
)

Message = tuple[Widget, dict[str, Any] | None, dict[str, Any] | None]
"""To which widget, and what: changed state, or content of its own."""


def message(explorer: Any, which: int, value: int) -> Message | None:
    """What a page sends when control ``which`` is used in the way ``value``; ``None`` for nothing.

    Both are any whole numbers: they are taken modulo what there is.
    """
    # Matplotlib takes a second for a picture: it has tests of its own.
    left_out = {*explorer._gate.hidden, explorer.head.picture}
    found = [w for w in reachable(explorer) if isinstance(w, CONTROLS) and w not in left_out]
    widget = (*found, explorer.page)[which % (len(found) + 1)]
    if widget is explorer.page:
        return widget, None, {"key": KEYS[value % len(KEYS)]}
    if getattr(widget, "disabled", False) or not getattr(widget, "enable_move", True):
        return None
    if isinstance(widget, Button):
        return widget, None, {"event": "click"}
    if isinstance(widget, (bq.Image, bq.Scatter)):
        return widget, None, _on_figure(widget, value)
    if isinstance(widget, Dropdown):
        return widget, {"index": value % len(widget.options)}, None
    return widget, {"value": _value(widget, value)}, None


def _on_figure(mark: bq.Mark, value: int) -> dict[str, Any]:
    """A click on an image, or a point that was dragged."""
    across, up = 4000.0 * (value % 11) / 10, 4000.0 * (value % 7) / 6
    if isinstance(mark, bq.Image):
        return {"event": "element_click", "data": {"click_x": across, "click_y": up}}
    event = "drag_end" if value % 2 else "drag"
    return {"event": event, "point": {"x": across, "y": up}, "index": value % len(mark.x)}


def _value(widget: Widget, value: int) -> Any:
    """What somebody types into a field, or drags a slider to."""
    for kind, offered in ((Text, TEXTS), (IntText, WHOLE), (FloatText, REAL)):
        if isinstance(widget, kind):
            return offered[value % len(offered)]
    if isinstance(widget, ToggleButton):
        return not widget.value
    at = widget.min + (value % 101) / 100 * (widget.max - widget.min)
    if isinstance(widget, FloatLogSlider):
        return widget.base**at
    return int(at) if isinstance(widget, IntSlider) else at


def send(explorer: Any, sent: Message) -> None:
    """Deliver a message on the present thread, as the kernel does."""
    widget, state, content = sent
    data = {"method": "custom", "content": content}
    if state is not None:
        data = {"method": "update", "state": state, "buffer_paths": []}
    whole = {"content": {"data": data}, "buffers": []}
    comm = widget.comm
    if comm is None or not hasattr(comm, "handle_msg"):  # ipywidgets 7 without a kernel
        explorer._loop._came(str(id(widget)), widget._handle_msg, whole)
    else:
        comm._msg_callback(whole)  # in ipykernel 6 `handle_msg` needs a kernel


def from_threads(explorer: Any, messages: Iterable[Message | None], threads: int) -> None:
    """Deliver messages from several threads at once."""
    sent = [one for one in messages if one is not None]
    start = threading.Barrier(threads)

    def deliver(share: list[Message]) -> None:
        start.wait()
        for one in share:
            send(explorer, one)

    running = [
        threading.Thread(target=deliver, args=(sent[number::threads],)) for number in range(threads)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


async def quiet(explorer: Any, seconds: float = 60.0) -> None:
    """Let everything go on that was begun; a clock that runs is stopped after some turns."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    for _ in range(5):
        await asyncio.sleep(0)
    if explorer.playing:
        await asyncio.sleep(0.03)
        explorer.pause()
    while explorer._loop._tasks and loop.time() < until:  # noqa: ASYNC110 - they are its own
        await asyncio.sleep(0.005)


def screen(explorer: Any, *, lines: bool = True) -> list[Any]:
    """All that the pictures, the transport and, last, the sentence show, with or without lines.

    Lines have fewer points while something is dragged.
    """
    shown: list[Any] = []
    for mark in reachable(explorer.pictures):
        if isinstance(mark, bq.Mark) and (lines or not isinstance(mark, bq.Lines)):
            names = ("x", "y", "text", "colors", "curves_subset")
            there = [getattr(mark, name) for name in names if mark.has_trait(name)]
            if mark.visible:
                shown.append(
                    (type(mark).__name__, *(repr(np.asarray(part).tolist()) for part in there))
                )
    bar = explorer.transport
    return [*shown, bar.counter.value, bar.scrubber.value, bar.scrubber.max, explorer.status.value]


def live(scene: Callable[[], Any]) -> None:
    """Run a scene in an event loop; an exception that anything in it lost is an error."""
    lost: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
        await scene()

    asyncio.run(main())
    assert lost == []
