"""What a person does to an explorer and reads off it, without a browser."""

from __future__ import annotations

import re
from typing import Any

from script_results import Left, execute, left_by


def click(explorer: Any, x: float, y: float) -> None:
    """Click the map at a point."""
    explorer.map.glass._handle_custom_msg(
        {"event": "element_click", "data": {"click_x": x, "click_y": y}}, []
    )


def drag(explorer: Any, lane: int, x: float, y: float) -> None:
    """Drag a lane's white circle to a point."""
    explorer.map.start._handle_custom_msg(
        {"event": "drag_end", "point": {"x": x, "y": y}, "index": lane}, []
    )


def refused(explorer: Any, control: str, bad: Any, says: str) -> None:
    """Give a control a bad value: it is explained, and nothing else happens."""
    before, step = explorer.settings(), explorer.step
    widget = explorer.controls
    for part in control.split("."):
        widget = getattr(widget, part)
    old = widget.value
    widget.value = bad
    assert says in explorer.problem
    assert "gdw-error" in explorer.status.value
    assert widget.value == old
    assert explorer.settings() == before
    assert explorer.step == step


def cells(explorer: Any) -> list[list[str]]:
    """The live table's cells, a list per row."""
    rows = re.findall("<tr>(.*?)</tr>", explorer.controls.panel.table.value)
    return [re.findall("<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def run_code(explorer: Any) -> list[Left]:
    """Execute the code an explorer shows; what it leaves of each lane."""
    return left_by(execute(explorer.code()), explorer.descent)
