"""What the map and the loss plot of a surface explorer show, as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Descent, Surface
from gdwidgets.explorers.surface.given import loss_floor, lowest_value
from gdwidgets.ui.pictures.panels import CurvesPanel, MapPanel, grid
from gdwidgets.ui.plots.shade import Shade
from gdwidgets.ui.runs import Run, lane_steps

Path = tuple[NDArray[Any], str]
Curve = tuple[NDArray[Any], NDArray[Any], str]


def ghosts(pins: Sequence[Run], surface: Surface) -> tuple[list[Path], list[Curve]]:
    """The runs among ``pins`` that were made on a surface, as ghosts.

    Returns
    -------
    Paths, points (m, 2) and a letter each, and curves, steps (m,), losses (m,) and a letter.
    """
    here = [pin for pin in pins if pin.descent.objective is surface]
    floor = loss_floor(surface)
    paths, losses = [], []
    for pin in here:
        for lane in range(pin.descent.lanes):
            at = int(lane_steps(pin.descent, pin.step)[lane]) + 1
            paths.append((pin.descent.params[:at, lane], pin.label))
            values = pin.descent.loss[:at, lane] - np.float32(floor)
            losses.append((np.arange(at), values, pin.label))
    return paths, losses


def panels(
    descent: Descent,
    surface: Surface,
    window: tuple[tuple[float, float], tuple[float, float]],
    lanes: dict[str, Any],
    *,
    fine: bool,
    log: bool,
    title: str,
) -> tuple[MapPanel, CurvesPanel]:
    """The map and the loss.

    Parameters
    ----------
    descent, surface
        The recording, a lane each, and what is descended.
    window
        (low, high) of either parameter, of the part of the map that is seen.
    lanes
        What both panels tell of the lanes: ``names``, ``runs``, ``future``.
    fine
        Whether for print.
    log, title
        Of the loss axis.
    """
    u, v, z = grid(surface.values, window, 201 if fine else 101)
    last = descent.last_step
    return (
        MapPanel(
            across=u,
            up=v,
            heights=z,
            shade=Shade(z, lowest_value(surface)),
            params=descent.params,
            minima=surface.minima,
            axes=surface.parameter_names,
            last=last,
            **lanes,
        ),
        CurvesPanel(
            values=descent.loss - np.float32(loss_floor(surface)),
            log=log,
            title=title,
            last=last,
            **lanes,
        ),
    )
