"""Counting what an explorer sends to the browser, without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ipywidgets import Widget


class Sent(list[tuple[Widget, dict[str, Any], int]]):
    """Messages as (widget, content, bytes)."""

    @property
    def bytes(self) -> int:
        """Size of all messages, text and buffers."""
        return sum(size for _, _, size in self)


@contextmanager
def recorded_messages() -> Iterator[Sent]:
    """Collect every message that any widget sends inside the block."""
    sent, send = Sent(), Widget._send

    def keep(self: Widget, msg: dict[str, Any], buffers: Any = None) -> None:
        size = len(json.dumps(msg)) + sum(memoryview(b).nbytes for b in buffers or ())
        sent.append((self, msg, size))
        send(self, msg, buffers=buffers)

    Widget._send = keep
    try:
        yield sent
    finally:
        Widget._send = send
