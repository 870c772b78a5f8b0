"""What a person does to an explorer and reads off it, without a browser."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from script_results import Left, execute, left_by


def click(explorer: Any, u: float, v: float) -> None:
    """Click the map at a point, given in its own units."""
    x, y = explorer.map.to_map((u, v))
    explorer.map.clicks._handle_custom_msg(
        {"event": "element_click", "data": {"click_x": float(x), "click_y": float(y)}}, []
    )


def move(explorer: Any, circle: int, u: float, v: float) -> None:
    """Take a white circle to a point, without letting it go."""
    _hand(explorer, "drag", circle, u, v)


def drop(explorer: Any, circle: int, u: float, v: float) -> None:
    """Let a white circle go at a point."""
    _hand(explorer, "drag_end", circle, u, v)


def _hand(explorer: Any, event: str, circle: int, u: float, v: float) -> None:
    x, y = explorer.map.to_map((u, v))
    explorer.map.start._handle_custom_msg(
        {"event": event, "point": {"x": float(x), "y": float(y)}, "index": circle}, []
    )


def drag(explorer: Any, circle: int, u: float, v: float) -> None:
    """Drag a white circle to a point and let it go."""
    move(explorer, circle, u, v)
    drop(explorer, circle, u, v)


def refused(explorer: Any, name: str, bad: Any, says: str, part: int = -1) -> None:
    """Give the control of a setting a bad value: it is explained, and nothing else happens.

    ``part`` is which of the control's inputs: of a slider with a field the last is the field.
    """
    before, step = explorer.settings(), explorer.step
    widget = explorer.form.field(name).inputs[part]
    old = widget.value
    widget.value = bad
    assert says in explorer.problem
    assert "gdw-error" in explorer.status.value
    assert widget.value == old
    assert explorer.settings() == before
    assert explorer.step == step


def present(explorer: Any) -> np.ndarray:
    """Where the markers of all lanes are drawn on the map, (L, 2) in its own units."""
    plane = explorer.map
    lanes = explorer.descent.lanes
    x, y = (np.asarray(rows, float)[-lanes:] for rows in (plane.moving.x, plane.moving.y))
    corners = [np.array(run.corners) for run in plane._runs]
    low = [c.min(0) + c.max(0) for c in corners]
    radius = [np.ptp(c[:, 0]) for c in corners]
    places = []
    for lane in range(lanes):
        size = np.ptp(x[lane]) / radius[lane]
        middle = np.array([x[lane].min() + x[lane].max(), y[lane].min() + y[lane].max()]) / 2
        places.append(plane.from_map(middle - size * low[lane] / 2))
    return np.array(places)


def cells(explorer: Any) -> list[list[str]]:
    """The live table's cells, a list per row."""
    rows = re.findall("<tr>(.*?)</tr>", explorer.controls.panel.table.value)
    return [re.findall("<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def run_code(explorer: Any) -> list[Left]:
    """Execute the code an explorer shows; what it leaves of each lane."""
    return left_by(execute(explorer.code()), explorer.descent)
