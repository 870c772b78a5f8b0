"""What a cell shows of an explorer: the widget, and a picture or a page where it cannot live."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from gdwidgets.ui.pictures.still import WIDTH

PAGES = "GDWIDGETS_PAGES"
"""An environment variable: a folder for pages that are shown instead of live explorers; see
``gdwidgets.export``."""


def live(model_id: str, said: str, png: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """A widget's output as data and metadata by MIME type.

    Parameters
    ----------
    model_id
        Of the widget.
    said
        What stands for it as text.
    png
        A picture that stands for it where there is no widget; empty for none.
    """
    data: dict[str, Any] = {"text/plain": said}
    metadata: dict[str, Any] = {}
    if png:
        data["image/png"] = base64.b64encode(png).decode("ascii")
        metadata["image/png"] = {"width": WIDTH}
    data["application/vnd.jupyter.widget-view+json"] = {
        "version_major": 2,
        "version_minor": 0,
        "model_id": model_id,
    }
    return data, metadata


def framed(folder: Path, save: Callable[[Path], None], title: str, said: str) -> dict[str, str]:
    """Write a page into a folder; return what shows it in a notebook beside."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 1 + sum(1 for _ in folder.glob("*.html"))
    save(folder / f"{number}.html")
    source = escape(f"{folder.name}/{number}.html")
    frame = f'<iframe src="{source}" title="{escape(title)}" loading="lazy"'
    return {
        "text/plain": said,
        "text/html": f'{frame} style="width: 100%; height: 560px; border: 0"></iframe>',
    }
