"""What a surface explorer says: the status sentence, the keys and the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import RULES, BasinMap, Descent, Surface, learning_rate_limit, tables
from gdwidgets.ui import text
from gdwidgets.ui.plots import palette
from gdwidgets.ui.runs import OUTCOMES, lane_outcome, lane_steps, window

if TYPE_CHECKING:
    from gdwidgets.explorers.surface.explorer import SurfaceExplorer

NEAR = 0.02
"""How near an end is said to have reached a minimum, as a share of the map's diagonal."""


def limit_here(surface: Surface, point: NDArray[np.float32]) -> tuple[float, str]:
    """Return the largest stable learning rate at a point and a sentence on it."""
    try:
        limit = learning_rate_limit(surface, point)
    except (ValueError, RuntimeError):
        return float("inf"), "no limit known here"
    if np.isinf(limit):
        return limit, "no limit here: nothing curves up"
    return limit, "2/λ: beyond this rate an update overshoots by more than it gains, here"


def nearest_minimum(surface: Surface, point: NDArray[np.float32]) -> tuple[float, float] | None:
    """Return the known minimum within reach of a point, if there is one."""
    if not surface.minima:
        return None
    (u0, u1), (v0, v1) = surface.bounds
    minima = np.array(surface.minima)
    distance = np.hypot(*(minima - point).T)
    best = int(distance.argmin())
    if distance[best] > NEAR * np.hypot(u1 - u0, v1 - v0):
        return None
    return float(minima[best][0]), float(minima[best][1])


def _at(u: float, v: float) -> str:
    return f"({text.number(round(float(u), 4))}, {text.number(round(float(v), 4))})"


def sentence(explorer: SurfaceExplorer, k: int) -> str:
    """Say where the present lane stands, how it ended, or what to do first."""
    descent, lane = explorer.descent, explorer.lane
    at = int(lane_steps(descent, k)[lane])
    u, v = (float(x) for x in descent.params[at, lane])
    loss = text.number(float(descent.loss[at, lane]))
    outcome = lane_outcome(descent, lane, k)
    if k == 0 and outcome != "diverged":
        times = explorer.map.magnification
        longer = f", drawn {text.number(times)} times longer" if times > 1 else ""
        return (
            f"Click the map or drag the white circle to choose a start, then press play. "
            f"Now at {_at(u, v)}, loss {loss}; an arrow is the next update{longer}."
        )
    where = f"Step {at}: u = {u:.4f}, v = {v:.4f}, loss = {loss}."
    if outcome == "running":
        size = float(np.hypot(*descent.grad[at, lane].astype(float)))
        return f"{where} The gradient's length is {text.number(size)}."
    return f"{where} {_ending(explorer, outcome, at, lane)}"


def _ending(explorer: SurfaceExplorer, outcome: str, at: int, lane: int) -> str:
    descent = explorer.descent
    if outcome == "diverged":
        return f"Diverged: update {at + 1} left the range of numbers. Try a smaller learning rate."
    minimum = nearest_minimum(explorer.surface, descent.params[at, lane])
    near = f" near the minimum {_at(*minimum)}" if minimum else ""
    if outcome == "converged":
        change = abs(float(descent.loss[at, lane]) - float(descent.loss[at - 1, lane]))
        return (
            f"Converged{near}: the loss changed by {text.number(change, 2)}, "
            f"less than loss_tol = {explorer.loss_tol:g}."
        )
    return f"End of the run after {at} updates{near or ', not near a known minimum'}."


def lane_entries(explorer: SurfaceExplorer, k: int) -> list[tuple[str, str]]:
    """Return the key of lanes: colour, name, loss and outcome."""
    steps = lane_steps(explorer.descent, k)
    entries = []
    for lane, name in enumerate(explorer.lane_names):
        loss = text.number(float(explorer.descent.loss[steps[lane], lane]), 3)
        ending = _suffix(explorer.descent, lane, k)
        entries.append((palette.LANES[lane], f"{name}: {loss}{ending}"))
    return entries


def _suffix(descent: Descent, lane: int, k: int) -> str:
    outcome = lane_outcome(descent, lane, k)
    if outcome in ("running", "max_steps"):
        return ""
    return f", {OUTCOMES[outcome]} at step {descent.last_step[lane]}"


def basin_entries(basins: BasinMap, colour: Callable[[int], str]) -> list[tuple[str, str]]:
    """Return the key of basins: colour, minimum and the share of all starts that reach it."""
    total = basins.labels.size
    counts = [(i, int((basins.labels == i).sum())) for i in range(len(basins.minima))]
    shown = sorted((item for item in counts if item[1]), key=lambda item: -item[1])
    entries = [
        (colour(i), f"reaches {_at(*basins.minima[i])}: {100 * count / total:.1f} %")
        for i, count in shown[:6]
    ]
    if len(shown) > 6:
        rest = sum(count for _, count in shown[6:])
        entries.append(("transparent", f"{len(shown) - 6} more minima: {100 * rest / total:.1f} %"))
    for label, name, shade in (
        (basins.UNSETTLED, "not there yet", palette.UNSETTLED),
        (basins.DIVERGED, "diverges (hatched)", palette.DIVERGED),
    ):
        count = int((basins.labels == label).sum())
        if count:
            entries.append((shade, f"{name}: {100 * count / total:.1f} %"))
    return entries


def step_table(descent: Descent, lane: int, k: int) -> str:
    """Return the records around the cursor as HTML, the present one marked."""
    at = int(lane_steps(descent, k)[lane])
    end = int(lane_steps(descent, descent.recorded)[lane])
    names = descent.objective.parameter_names
    head = ("k", "loss", *names, *(f"grad_{name}" for name in names))
    rows = [
        [
            str(i),
            f"{descent.loss[i, lane]:.6f}",
            *(f"{x:.4f}" for x in descent.params[i, lane]),
            *(f"{x:.4f}" for x in descent.grad[i, lane]),
        ]
        for i in window(at, end)
    ]
    return text.html_table(head, rows, now=at - window(at, end).start)


def run_table(explorer: SurfaceExplorer) -> str:
    """Return the present run's lanes and all pinned runs, a row each, as HTML."""
    head = (
        "run",
        "surface",
        "rule",
        "learning rate",
        "start",
        "steps",
        "u",
        "v",
        "loss",
        "outcome",
    )
    rows = [
        _run_row("present", explorer.settings() | own, explorer.descent, lane, explorer.step)
        for lane, own in enumerate(explorer.lane_settings)
    ]
    rows += [
        _run_row(pin.label, pin.settings, pin.descent, pin.ghosts["lane"], pin.step)
        for pin in explorer.pins
    ]
    return text.html_table(head, rows, text_columns=(0, 1, 2, 9))


def _run_row(
    label: str, settings: dict[str, Any], descent: Descent, lane: int, k: int
) -> list[str]:
    at = int(lane_steps(descent, k)[lane])
    surface = settings["surface"]
    u, v = descent.params[at, lane]
    u0, v0 = descent.start[lane]
    return [
        label,
        surface if isinstance(surface, str) else surface.name,
        RULES[settings["rule"]].label,
        f"{settings['learning_rate']:g}",
        f"({u0:g}, {v0:g})",
        str(at),
        f"{u:.4f}",
        f"{v:.4f}",
        f"{descent.loss[at, lane]:.6f}",
        OUTCOMES[lane_outcome(descent, lane, k)],
    ]


def course_table(descent: Descent) -> str:
    """Return all lanes as the course's Exercise 3 prints them, digit for digit."""
    return "\n".join(tables.exercise_3(descent, lane) for lane in range(descent.lanes))
