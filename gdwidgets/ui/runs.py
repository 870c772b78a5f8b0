"""Runs kept for comparison, and a run as a table of data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gdwidgets.core import Descent

OUTCOMES = {
    "running": "running",
    "converged": "converged",
    "diverged": "diverged",
    "max_steps": "end of run",
}
"""Outcomes of a lane as people read them."""


@dataclass(frozen=True)
class Pin:
    """A run that was kept: what made it, how far it was shown, and its ghost curves."""

    label: str
    """A letter, by which the run table and the ghosts name it."""

    settings: dict[str, Any]
    """Keyword arguments that build an explorer of the same run."""

    descent: Descent
    """Its recording."""

    step: int
    """Where the cursor stood."""

    ghosts: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = field(default_factory=dict)
    """The points (x, y) of its ghost curve in each figure, by the figure's name."""


def lane_steps(descent: Descent, k: int) -> NDArray[np.int64]:
    """The step at which each lane stands when the cursor is at ``k``, shape (L,)."""
    return np.minimum(k, descent.last_step)


def lane_outcome(descent: Descent, lane: int, k: int) -> str:
    """A lane's outcome as far as it is seen with the cursor at ``k``."""
    outcome = str(descent.outcomes[lane])
    return outcome if outcome == "running" or k >= descent.last_step[lane] else "running"


def to_dataframe(descent: Descent) -> pd.DataFrame:
    """Return a recording as a table with one row per lane and step.

    Returns
    -------
    Columns ``lane``, ``step``, one per parameter, ``loss``, ``grad_…`` (the ``.grad`` buffer) and
    ``step_grad_…`` (the step's own gradient) per parameter; each lane ends at its last step.
    """
    names = descent.objective.parameter_names
    steps = lane_steps(descent, descent.recorded)
    parts = []
    for lane in range(descent.lanes):
        rows = slice(0, int(steps[lane]) + 1)
        columns: dict[str, Any] = {"lane": lane, "step": np.arange(rows.stop)}
        columns |= {name: descent.params[rows, lane, i] for i, name in enumerate(names)}
        columns["loss"] = descent.loss[rows, lane]
        columns |= {f"grad_{name}": descent.grad[rows, lane, i] for i, name in enumerate(names)}
        columns |= {
            f"step_grad_{name}": descent.step_grad[rows, lane, i] for i, name in enumerate(names)
        }
        parts.append(pd.DataFrame(columns).copy())
    return pd.concat(parts, ignore_index=True)


def window(k: int, end: int, rows: int = 12) -> range:
    """The steps that a table of ``rows`` rows shows around step ``k`` of a run up to ``end``."""
    first = max(0, min(k - rows // 2, end - rows + 1))
    return range(first, min(end, first + rows - 1) + 1)
