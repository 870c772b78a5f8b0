"""The left figure: the data, the closed-form fit and the present fit of every lane."""

from __future__ import annotations

from collections.abc import Sequence

import bqplot as bq
import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Descent, PolynomialRegression
from gdwidgets.ui.plots import figures, palette
from gdwidgets.ui.runs import lane_outcome, lane_steps

Points = tuple[NDArray[np.float32], NDArray[np.float32]]

INK = f"var(--jp-content-font-color1, {palette.DARK})"
"""The closed form's colour: dark, and light where the theme is dark."""

GRID = 64
"""Points at which a fit is evaluated: a polynomial of degree 10 still looks smooth."""

MOST_DATA = 400
"""Data points drawn; of more, every so-manieth in the order of x."""


class FitPlot:
    """A figure of data and fits.

    Parameters
    ----------
    height
        In pixels.
    """

    def __init__(self, height: int) -> None:
        self.x, self.y = figures.scale(0, 1), figures.scale(0, 1)
        scales = {"x": self.x, "y": self.y}
        none = np.zeros(2, np.float32)
        self.data = bq.Scatter(
            x=none,
            y=none,
            scales=scales,
            colors=[palette.GHOST],
            default_size=22,
            opacities=[0.75],
            interactions={},
        )
        self.closed = bq.Lines(
            x=none, y=none, scales=scales, colors=[INK], stroke_width=2.5, line_style="dashed"
        )
        self.ghosts = bq.Lines(
            x=none,
            y=none,
            scales=scales,
            colors=[palette.GHOST],
            stroke_width=1.5,
            line_style="dotted",
            visible=False,
        )
        self.fits = bq.Lines(x=none, y=np.zeros((1, 2), np.float32), scales=scales, stroke_width=2)
        self._axis_x = figures.axis(self.x, "x", tick_format=".4~g")
        self._axis_y = figures.axis(self.y, "y", vertical=True, tick_format=".4~g")
        self.figure = figures.figure(
            [self.data, self.ghosts, self.fits, self.closed],
            [self._axis_x, self._axis_y],
            height=height,
        )
        self._grid = none
        self._powers = np.zeros((1, 2))

    def show_run(self, regression: PolynomialRegression, colours: Sequence[str]) -> None:
        """Prepare for a new run: its data, its closed form, the lanes' colours, the limits."""
        x, y = regression.x.numpy(), regression.y.numpy()
        order = np.argsort(x, kind="stable")[:: max(1, -(-len(x) // MOST_DATA))]
        figures.write(self.data, x=x[order], y=y[order])
        low, high = float(x.min()), float(x.max())
        room = 0.04 * (high - low) or 0.5
        figures.write(self.x, min=low - room, max=high + room)
        self._grid = np.linspace(low - room, high + room, GRID, dtype=np.float32)
        self._powers = np.vander(self._grid.astype(np.float64), regression.degree + 1, True).T
        coefficients, _ = regression.closed_form()
        best = coefficients @ self._powers
        inside = (self._grid >= low) & (self._grid <= high)
        values = np.concatenate((y, best[inside])) if inside.any() else y
        bottom, top = float(values.min()), float(values.max())
        room = 0.08 * (top - bottom) or 0.5
        figures.write(self.y, min=bottom - room, max=top + room)
        self._axis_x.tick_values = figures.ticks(self.x)
        self._axis_y.tick_values = figures.ticks(self.y)
        figures.write(self.closed, x=self._grid, y=self._inside(best))
        self.fits.colors = list(colours)

    def draw(self, descent: Descent, k: int) -> None:
        """Draw every lane's fit with the cursor at ``k``; a lane that has diverged shows none."""
        steps = lane_steps(descent, k)
        here = descent.params[steps, np.arange(descent.lanes)].astype(np.float64)
        fits = self._inside(here @ self._powers)
        for lane in range(descent.lanes):
            if lane_outcome(descent, lane, k) == "diverged":
                fits[lane] = self._reach()[1]
        figures.write(self.fits, x=self._grid, y=fits)

    def _reach(self) -> tuple[float, float]:
        """Values well beyond the figure, where a line is out of sight and still a sane path."""
        span = self.y.max - self.y.min
        return self.y.min - 3 * span, self.y.max + 3 * span

    def _inside(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.clip(np.nan_to_num(values), *self._reach()).astype(np.float32)

    def pin(self, descent: Descent, lane: int, k: int) -> Points:
        """Return a ghost of a lane's fit at step ``k``."""
        at = lane_steps(descent, k)[lane]
        return self._grid, self._inside(descent.params[at, lane].astype(np.float64) @ self._powers)

    def show_ghosts(self, pinned: Sequence[Points]) -> None:
        """Show pinned fits as ghosts."""
        x, y = figures.joined(pinned)
        figures.write(self.ghosts, x=x, y=y, visible=bool(pinned))
