"""The widgets that are open, in ipywidgets 7 and 8."""

from __future__ import annotations

from typing import Any

from ipywidgets.widgets import widget

SILENT = not hasattr(widget, "_instances")
"""Whether this is ipywidgets 7, which sends nothing of a changed trait where there is no kernel."""


def living() -> dict[str, Any]:
    """All open widgets by their model's id."""
    found = widget._instances if not SILENT else widget.Widget.widgets
    return dict(found)
