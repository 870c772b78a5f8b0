"""What the plots of fits and losses show, as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import PolynomialRegression
from gdwidgets.core.objectives.batches import MiniBatches
from gdwidgets.core.objectives.least_squares import ClosedForm
from gdwidgets.explorers.learning_rate.losses import Losses
from gdwidgets.ui.pictures.panels import CurvesPanel, FitsPanel
from gdwidgets.ui.runs import Run, lane_steps

POINTS = 300
"""Losses of mini-batches that are drawn as points."""

Curve = tuple[NDArray[Any], NDArray[Any], str]


def ghosts(pins: Sequence[Run]) -> tuple[list[NDArray[np.float64]], list[Curve]]:
    """Runs that were pinned, as ghosts: coefficients (P,) each, and steps, losses and a letter."""
    fits, losses = [], []
    for pin in pins:
        objective: Any = pin.descent.objective
        regression = objective.regression if isinstance(objective, MiniBatches) else objective
        values = Losses(regression, pin.descent)()
        for lane in range(pin.descent.lanes):
            at = int(lane_steps(pin.descent, pin.step)[lane])
            if pin.descent.outcomes[lane] != "diverged" or at < pin.descent.last_step[lane]:
                fits.append(pin.descent.params[at, lane].astype(np.float64))
            steps = np.unique(np.geomspace(1, at + 1, 200).round().astype(np.int64) - 1)
            losses.append((steps, values[steps, lane], pin.label))
    return fits, losses


def batch_losses(
    descent: Any, lane: int, *, log_steps: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Losses of a lane's mini-batches at evenly spread places of the axis: steps, losses, lane."""
    last = int(lane_steps(descent, descent.recorded)[lane])
    picked = np.geomspace(1, last + 1, POINTS) - 1 if log_steps else np.linspace(0, last, POINTS)
    steps = np.unique(picked.round().astype(np.int64))
    values = descent.loss[steps, lane].astype(np.float64)
    fine = np.isfinite(values) & (values > 0)
    return steps[fine], values[fine], lane


def panels(
    runs: Any,
    losses: Losses,
    regression: PolynomialRegression,
    closed: ClosedForm,
    lanes: dict[str, Any],
    *,
    fine: bool,
    log_steps: bool,
    title: str,
) -> tuple[FitsPanel, CurvesPanel]:
    """The fits and the losses.

    Parameters
    ----------
    runs, losses
        The recording, a lane each, and its losses over all samples.
    regression, closed
        The data and their least-squares fit.
    lanes
        What both panels tell of the lanes: ``names``, ``runs``, ``future``.
    fine
        Whether for print.
    log_steps, title
        Of the loss plot.
    """
    x, y = regression.x.numpy(), regression.y.numpy()
    grid = np.linspace(x.min(), x.max(), 200 if fine else 80)
    last = runs.last_step
    return (
        FitsPanel(
            samples=(x, y),
            grid=grid,
            basis=np.vander(grid, runs.params.shape[2], increasing=True),
            params=runs.params,
            best=closed.values(grid),
            diverged=[outcome == "diverged" for outcome in runs.outcomes],
            last=last,
            **lanes,
        ),
        CurvesPanel(
            values=losses(),
            log=True,
            log_steps=log_steps,
            levels=[(closed.loss, "least squares")],
            title=title,
            steps="update",
            last=last,
            **lanes,
        ),
    )
