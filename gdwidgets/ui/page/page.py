"""The explorer's own script in the page; an explorer is whole without it.

It sends keys pressed anywhere in the explorer, says whether a slider is held, whether the page
shows the explorer and whether it can be seen, gives names to what ipywidgets leaves nameless for
screen readers, saves a file and copies text. Where it cannot load, nothing else is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
from ipywidgets import Layout
from traitlets import Bool, Unicode

KEYS = ("forward", "back", "reset", "finish", "toggle", "next", "previous")
"""What a key can ask for; ``page.js`` says which key asks for what."""


class Page(anywidget.AnyWidget):
    """An invisible widget on the explorer's root.

    Parameters
    ----------
    pressed
        Called with one of `KEYS` when its key is pressed.
    """

    _esm = Path(__file__).with_name("page.js")

    name = Unicode("").tag(sync=True)
    """What a screen reader calls the explorer."""

    said = Unicode("").tag(sync=True)
    """What a screen reader is to read out, once; written at pauses and ends only."""

    visible = Bool(True).tag(sync=True)
    """Whether any of the explorer is on the screen; true where nothing has told."""

    shown = Bool(None, allow_none=True).tag(sync=True)
    """Whether a page shows the explorer anywhere, if only scrolled away; ``None`` where nothing
    has told. A page that is reloaded may know an explorer and show it nowhere."""

    held = Bool(False).tag(sync=True, echo_update=False)
    """Whether a slider is held, by mouse, finger or key."""

    loaded = Bool(False).tag(sync=True)
    """Whether the script runs in a page."""

    def __init__(self, pressed: Callable[[str], None]) -> None:
        super().__init__(layout=Layout(display="none"))
        self._pressed = pressed
        self.on_msg(self._told)

    def _told(self, _: Any, content: Any, __: Any) -> None:
        key = content.get("key") if isinstance(content, dict) else None
        if key in KEYS:
            self._pressed(key)

    def copy(self, text: str) -> None:
        """Have the browser put a text on the clipboard."""
        self.send({"copy": text})

    def save(self, name: str, content: bytes, kind: str) -> None:
        """Have the browser save a file; ``kind`` is its MIME type."""
        self.send({"save": name, "kind": kind}, [content])
