"""Runs kept for comparison, side by side in a table, and a run as a table of data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Descent
from gdwidgets.core.analysis.endings import grows
from gdwidgets.ui import text

if TYPE_CHECKING:
    import pandas as pd

OUTCOMES = {
    "running": "running",
    "converged": "converged",
    "diverged": "diverged",
    "max_steps": "end of run",
}
"""Outcomes of a lane as people read them."""

GONE = "∞"
"""What tables write for each number of a lane that has diverged: with that update one became
infinite or NaN, and those of the record before say nothing of where it led."""


@dataclass(frozen=True)
class Run:
    """A run as it is shown: what made it, its recording, and where the cursor stands."""

    label: str
    """A letter for a pinned run, by which the run table and the ghosts name it."""

    settings: Mapping[str, Any]
    """Keyword arguments that build an explorer of the same run."""

    descent: Descent
    """Its recording."""

    step: int
    """Where the cursor stood."""


def lane_steps(descent: Descent, k: int) -> NDArray[np.int64]:
    """The step at which each lane stands when the cursor is at ``k``, shape (L,)."""
    return np.minimum(k, descent.last_step)


def lane_outcome(descent: Descent, lane: int, k: int) -> str:
    """A lane's outcome as far as it is seen with the cursor at ``k``."""
    outcome = str(descent.outcomes[lane])
    return outcome if outcome == "running" or k >= descent.last_step[lane] else "running"


def lane_grows(descent: Descent, lane: int, k: int) -> bool:
    """Whether a lane has come to the end of its run, at ``k``, with a loss that still grew."""
    if lane_outcome(descent, lane, k) != "max_steps":
        return False
    last = int(descent.last_step[lane])
    return grows(descent.loss[: last + 1, lane])


def outcome_said(outcome: str, last: int, *, grows: bool) -> str:
    """How a lane ended, in a word or two for a table.

    Parameters
    ----------
    outcome
        As of `lane_outcome`.
    last
        Its last record; one that diverged did so at the update after it.
    grows
        As of `lane_grows`.
    """
    if outcome == "diverged":
        return f"diverged at {last + 1:,}"
    return "still growing" if grows else OUTCOMES[outcome]


def run_table(
    runs: Sequence[Run],
    describe: Callable[[Run, int], Mapping[str, str]],
    *,
    text_columns: Sequence[str] = (),
) -> str:
    """All runs as an HTML table, a row for each lane.

    Parameters
    ----------
    runs
        The present run first, then those that were pinned.
    describe
        Called with a run and a lane; returns columns and cells of the settings that made it.
    text_columns
        Names of columns with text, which is aligned on the left.
    """
    rows: list[dict[str, str]] = []
    for run in runs:
        for lane in range(run.descent.lanes):
            at = int(lane_steps(run.descent, run.step)[lane])
            outcome = lane_outcome(run.descent, lane, run.step)
            gone = outcome == "diverged"
            values = zip(
                run.descent.objective.parameter_names, run.descent.params[at, lane], strict=True
            )
            rows.append(
                {
                    "run": run.label,
                    **describe(run, lane),
                    "step": f"{at + gone:,}",
                    **{name: GONE if gone else text.fixed(value) for name, value in values},
                    "loss": GONE if gone else text.fixed(run.descent.loss[at, lane], 6),
                    "outcome": outcome_said(
                        outcome, at, grows=lane_grows(run.descent, lane, run.step)
                    ),
                }
            )
    head = list(dict.fromkeys(name for cells in rows for name in cells))
    last = ["step", "loss", "outcome"]
    head = [name for name in head if name not in last[1:]] + last[1:]
    left = [i for i, name in enumerate(head) if name in {"run", "outcome", *text_columns}]
    table = [[cells.get(name, "–") for name in head] for cells in rows]
    return text.html_table(head, table, text_columns=left)


def to_dataframe(descent: Descent) -> pd.DataFrame:
    """Return a recording as a table with one row per lane and step.

    Returns
    -------
    Columns ``lane``, ``step``, one per parameter, ``loss``, ``grad_…`` (the ``.grad`` buffer) and
    ``step_grad_…`` (the step's own gradient) per parameter; each lane ends at its last step.
    """
    import pandas as pd  # noqa: PLC0415 - 30 MB that an explorer does without

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


def step_table(descent: Descent, lane: int, k: int, rows: int = 12) -> str:
    """A lane's records around the cursor as HTML, the present one marked.

    Step k is record k, the parameters after k updates with the loss and gradient there.
    """
    at = int(lane_steps(descent, k)[lane])
    names = descent.objective.parameter_names
    shown = window(at, int(lane_steps(descent, descent.recorded)[lane]), rows)
    head = ("step", "loss", *names, *(f"{name}.grad" for name in names))
    cells = [
        [
            f"{i:,}",
            text.fixed(descent.loss[i, lane], 6),
            *(text.fixed(value) for value in descent.params[i, lane]),
            *_gradients(descent, lane, i),
        ]
        for i in shown
    ]
    return text.html_table(head, cells, now=at - shown.start)


def _gradients(descent: Descent, lane: int, i: int) -> list[str]:
    """A record's gradients; a dash where a loop has ended before they were computed."""
    values = descent.grad[i, lane]
    if np.isfinite(descent.loss[i, lane]) and np.isnan(values).all():
        return ["–"] * len(values)
    return [text.fixed(value) for value in values]
