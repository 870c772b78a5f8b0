"""The left figure: the data, the closed-form fit and the present fit of every lane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import bqplot as bq
import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import PolynomialRegression
from gdwidgets.ui.plots import labels, palette, ticks
from gdwidgets.ui.plots.figures import joined, write
from gdwidgets.ui.plots.frame import NARROW, Frame

GRID = 64
"""Places at which a fit is evaluated: a polynomial of degree 10 still looks smooth."""

MOST_SAMPLES = 400
"""Samples drawn; of more, every so-manieth in the order of x."""

FAR = 3.0
"""Heights of the plot beyond which a fit is cut off."""

Fit = NDArray[np.float32]


class FitPlot(Frame):
    """A figure of samples and polynomials over x; its plot area is 1 by 1.

    Parameters
    ----------
    height
        Of the figure at size 1, in pixels.
    size
        1, or 1.4 for a projector.
    """

    MARGIN: ClassVar[dict[str, float]] = {"top": 30.0, "right": 24.0, "bottom": 26.0, "left": 40.0}

    def __init__(self, height: float, size: float = 1.0) -> None:
        super().__init__(height, size, 1.0)
        none = np.zeros(1, np.float32)
        self.data = bq.Scatter(
            x=none,
            y=none,
            scales=self.scales,
            colors=["#8A94A3"],
            stroke="#8A94A3",
            opacities=[0.8],
            interactions={},
        )
        self.grid = self.lines(colors=[palette.GRID], stroke_width=1, opacities=[0.13])
        self.closed = self.lines(colors=[palette.INK], line_style="dashed")
        self.ghosts = self.lines(colors=[palette.GHOST], line_style="dashed")
        self.fits = self.lines()
        self.ends = self.texts(align="middle")
        self.heading = self.texts(colors=[palette.INK], font_weight="normal")
        self.build(
            [self.grid, self.data, self.ghosts, self.fits, self.closed, self.ends, self.heading],
            "gdw-curves",
        )
        self._places = np.linspace(0, 1, GRID, dtype=np.float32)
        self._x = np.linspace(0, 1, GRID)
        self._low, self._span = 0.0, 1.0
        self._runs: list[palette.Run] = []
        self._lanes: tuple[NDArray[np.float64], list[bool]] | None = None
        self.set_size(size)

    def show_run(self, regression: PolynomialRegression, runs: Sequence[int]) -> None:
        """Show other data and their closed form; ``runs`` are the lanes' places in the palette.

        `draw` must follow.
        """
        x, y = regression.x.double().numpy(), regression.y.double().numpy()
        order = np.argsort(x, kind="stable")[:: max(1, -(-len(x) // MOST_SAMPLES))]
        low, high = float(x.min()), float(x.max())
        room = 0.04 * (high - low) or 0.5 * max(1.0, 1e-3 * abs(low))
        grid = self._x = np.linspace(low - room, high + room, GRID)
        inside = (grid >= low) & (grid <= high)
        best = regression.closed_form().values(grid)
        values = np.concatenate((y, best[inside]))
        bottom, top = float(values.min()), float(values.max())
        margin = 0.08 * (top - bottom) or 0.5 * max(1.0, 1e-3 * abs(bottom))
        self.put_texts(self.heading, [0.0], [1 + self.pixels(14)], [_formula(regression)])
        self._low, self._span = bottom - margin, top - bottom + 2 * margin
        width = grid[-1] - grid[0]
        write(
            self.data,
            x=((x[order] - grid[0]) / width).astype(np.float32),
            y=((y[order] - self._low) / self._span).astype(np.float32),
        )
        write(self.closed, x=self._places, y=self._height(best), visible=True)
        self._put_ticks(self.axis_x, grid[0], width, 6)
        places = self._put_ticks(
            self.axis_y, self._low, self._span, max(2, int(self.plot_height / (42 * self.size)))
        )
        for side in ("left", "right"):
            self.margin[side] = self.least_margin(side)
        self.place_margins()
        across = np.array([0.0, 1.0])
        xs, ys = joined([(across, np.array([place, place])) for place in places])
        write(self.grid, x=xs, y=ys, visible=True)
        self._runs = [palette.run(run) for run in runs]
        colours = [run.colour for run in self._runs]
        # Lines and colours must agree in number at any moment.
        self.fits.colors = colours
        write(self.ends, colors=[run.colour for run in self._runs])

    def _put_ticks(self, axis: bq.Axis, low: float, span: float, most: int) -> list[float]:
        room = None if axis is self.axis_y else NARROW
        values, texts = ticks.written(low, low + span, most, room)
        places = [(value - low) / span for value in values]
        self.put_ticks(axis, places, texts)
        return places

    def draw(self, params: NDArray[np.float64], gone: Sequence[bool]) -> None:
        """Draw the lanes' fits: two messages.

        Parameters
        ----------
        params
            Coefficients (L, P), constant term first.
        gone
            For each lane whether it has diverged; then it shows no fit.
        """
        heights = self._fit(params)
        heights[np.asarray(gone, bool)] = FAR
        write(self.fits, x=self._places, y=heights, visible=True)
        ends = heights[:, -1].astype(np.float64)
        there = (ends > 0) & (ends < 1)
        gap = self.pixels(15)
        places = np.full(len(ends), -1.0)
        if there.any():
            half = self.pixels(7)
            places[there] = labels.spread(ends[there], gap, half, 1 - half)
        texts = [run.glyph if seen else "" for run, seen in zip(self._runs, there, strict=True)]
        write(
            self.ends,
            x=np.full(len(ends), 1.0, np.float32),
            y=places.astype(np.float32),
            text=np.array(texts),
        )

    def _height(self, values: NDArray[np.float64]) -> Fit:
        """Where values stand, 0 at the lower edge and 1 at the upper; far ones are cut off."""
        with np.errstate(all="ignore"):
            at = (np.nan_to_num(values) - self._low) / self._span
        return np.clip(at, -FAR, FAR).astype(np.float32)

    def _fit(self, params: NDArray[np.float64]) -> Fit:
        """Heights (…, GRID) of polynomials with coefficients (…, P)."""
        powers = np.vander(self._x, params.shape[-1], increasing=True).T
        with np.errstate(all="ignore"):
            return self._height(params @ powers)

    def show_ghosts(self, coefficients: Sequence[NDArray[np.float64]]) -> None:
        """Show the fits of pinned runs, coefficients (P,) each, as thin dashed lines."""
        fits = [(self._places, self._fit(params)) for params in coefficients]
        x, y = joined(fits)
        write(self.ghosts, x=x, y=y, visible=bool(fits))

    def set_size(self, size: float, height: float | None = None) -> None:
        """Make text, lines and markers ``size`` times the normal, and the height with them."""
        self.size = float(size)
        self.height = self.height if height is None else float(height)
        for mark, width in (
            (self.closed, 2.4),
            (self.ghosts, 1.6),
            (self.fits, 3.0),
        ):
            mark.stroke_width = width * size
        self.data.default_size = round(30 * size * size)
        self.ends.default_size = 14 * size
        self.ends.x_offset = round(8 * size)
        self.heading.default_size = 14 * size
        self.place_margins()


def _formula(regression: PolynomialRegression) -> str:
    """The polynomial that is fitted, ``a + b x + c x²``, cut after three terms."""
    terms = [
        name + ("" if d == 0 else " x" if d == 1 else " x" + SUPERSCRIPTS[d])
        for d, name in enumerate(regression.parameter_names)
    ]
    if len(terms) > 4:
        terms = [*terms[:2], "…", terms[-1]]
    return "fits " + " + ".join(terms)


SUPERSCRIPTS = ("", "", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹", "¹⁰")
