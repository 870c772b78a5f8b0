"""The widgets that are open, in ipywidgets 7 and 8."""

from __future__ import annotations

from typing import Any

from ipywidgets.widgets import widget


def living() -> dict[str, Any]:
    """All open widgets by their model's id."""
    found = widget._instances if hasattr(widget, "_instances") else widget.Widget.widgets
    return dict(found)
