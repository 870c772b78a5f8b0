"""What lies under the paths on a map: heat map, contours, basins, minima, and the colour bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import bqplot as bq
import contourpy
import numpy as np
from ipywidgets import HTML, Layout
from numpy.typing import ArrayLike, NDArray

from gdwidgets.ui.plots import palette, shade, trail
from gdwidgets.ui.plots.arrows import REACH
from gdwidgets.ui.plots.figures import clear_picture, joined, show_image, write
from gdwidgets.ui.plots.frame import Frame
from gdwidgets.ui.plots.shade import Shade
from gdwidgets.ui.plots.view import SIDE, Point, View

CIRCLE = 9.0
"""Radius of a start's or a minimum's circle, in pixels."""

PIXELS = 200
"""Side of the heat map's picture."""

Values = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Gives the values (M,) at points (M, 2)."""


@dataclass(frozen=True)
class Basins:
    """What every start on a grid reaches: see `Plane.show_basins`.

    Attributes
    ----------
    labels
        Indices of minima (n, n), or negative numbers.
    numbered
        How many minima have numbers; those beyond look alike.
    diverged, oscillating, unlisted
        What stands for starts that diverge, oscillate, or reach a minimum without an index.
    """

    labels: NDArray[np.integer]
    numbered: int
    diverged: Sequence[int] = (-1,)
    oscillating: int | None = None
    unlisted: int | None = None


class Ground:
    """The surface, its minima and its basins, in the part of the plane that is seen.

    Parameters
    ----------
    frame
        The figure that its marks are for.
    view
        The part that is seen; `draw` is to be called when it has changed.
    bar
        Whether there is a colour bar, `Ground.bar`.
    """

    slope = 0.0
    """The typical slope of the whole surface, per map; 0 before one is shown."""

    def __init__(self, frame: Frame, view: View, *, bar: bool) -> None:
        self._frame, self._view = frame, view
        scales, ends = frame.scales, np.array([0.0, SIDE])
        self.heat = bq.Image(image=clear_picture(), x=ends, y=ends, scales=scales, pixelated=False)
        self.contours = frame.lines(colors=[palette.INK], stroke_width=0.9, opacities=[0.28])
        self.basins = bq.Image(image=clear_picture(), x=ends, y=ends, scales=scales, visible=False)
        self.valley = frame.lines(
            colors=[palette.HALO, palette.INK], stroke_width=2, line_style="dashed"
        )
        self.minima = bq.Scatter(
            x=np.zeros(0, np.float32),
            y=np.zeros(0, np.float32),
            scales=scales,
            colors=["#FFFFFF"],
            stroke=palette.INK,
            stroke_width=1.4,
            default_size=240,
        )
        self.numbers = frame.texts(colors=[palette.INK], align="middle")
        self.marks: list[bq.Mark] = [
            self.heat,
            self.basins,
            self.contours,
            self.valley,
            self.minima,
            self.numbers,
        ]
        self.bar: HTML | None = HTML(layout=Layout(width="76px", flex="0 0 auto")) if bar else None
        self.values: Values | None = None
        self.places: list[Point] = []
        """The minima, in the plane's units, in the order of their numbers."""
        self.shade: Shade | None = None
        self._lowest: float | None = None
        self._table: shade.Table = palette.heat_table
        self._valley: tuple[NDArray[Any], NDArray[Any]] | None = None
        self._basins: Basins | None = None

    def show(
        self,
        values: Values,
        lowest: float | None,
        minima: Sequence[Point],
        valley: tuple[ArrayLike, ArrayLike] | None,
        table: shade.Table,
    ) -> None:
        """Another surface, without basins; `draw` must follow. For the rest see `Plane`."""
        self.values, self._lowest, self._table = values, lowest, table
        self.places = [(float(u), float(v)) for u, v in minima]
        self._valley = None if valley is None else (np.asarray(valley[0]), np.asarray(valley[1]))
        self._basins = None

    def draw(self) -> None:
        """Draw all of it in the part that is seen."""
        if self.values is not None:
            self._draw_heat(self.values)
        self._draw_minima()
        self._draw_basins()

    def show_minima(self, minima: Sequence[Point]) -> None:
        """Number other minima, from 1."""
        self.places = [(float(u), float(v)) for u, v in minima]
        self._draw_minima()

    def show_basins(
        self,
        labels: NDArray[np.integer] | None,
        diverged: int | Sequence[int],
        oscillating: int | None,
        unlisted: int | None,
    ) -> None:
        """Colour every start by the minimum it reaches; see `Plane.show_basins`."""
        grey = (diverged,) if isinstance(diverged, int) else tuple(diverged)
        self._basins = (
            None
            if labels is None
            else Basins(np.asarray(labels), len(self.places), grey, oscillating, unlisted)
        )
        self._draw_basins()

    def resize(self) -> None:
        """Make marks and the colour bar as large as the figure's size says."""
        size = self._frame.size
        self.valley.stroke_width = 2 * size
        self.numbers.default_size = 13 * size
        self.minima.default_size = round(240 * size**2)
        if self.bar is not None:
            self.bar.layout.width = f"{round(76 * size)}px"

    def close(self) -> None:
        """Close the colour bar; the figure closes the marks."""
        if self.bar is not None:
            self.bar.layout.close()
            self.bar.style.close()
            self.bar.close()

    def _draw_heat(self, values_at: Values) -> None:
        (u0, u1), (v0, v1) = self._view.window
        at = (np.arange(PIXELS) + 0.5) / PIXELS
        u, v = u0 + (u1 - u0) * at, v0 + (v1 - v0) * at
        points = np.stack([np.tile(u, PIXELS), np.repeat(v, PIXELS)], axis=1).astype(np.float32)
        values = np.asarray(values_at(points), np.float64).reshape(PIXELS, PIXELS)
        if self.shade is None or not self._view.zoomed:
            self.shade = Shade(values, self._lowest, self._table)
            # Over the map: see `arrow_factor`.
            slope = np.hypot(*np.gradient(values)) * PIXELS
            finite = slope[np.isfinite(slope)]
            self.slope = float(np.median(finite)) if finite.size else 0.0
        show_image(self.heat, self.shade.picture(values))
        part = values[::2, ::2] if _smooth(values) else values
        place = at[::2] if _smooth(values) else at
        masked = np.ma.masked_invalid(part)
        tracer = contourpy.contour_generator(
            place * SIDE, place * SIDE, masked, line_type=contourpy.LineType.Separate
        )
        found: list[Any] = [line for level in self.shade.levels() for line in tracer.lines(level)]
        x, y = joined([(line[:, 0], line[:, 1]) for line in found])
        write(self.contours, x=x, y=y, visible=bool(found))
        if self.bar is not None:
            frame = self._frame
            height = round(frame.size * frame.height)
            top, bottom = (round(frame.size * frame.margin[side]) for side in ("top", "bottom"))
            self.bar.value = self.shade.bar(height, top, bottom)

    def _draw_minima(self) -> None:
        points = self._view.to_map(np.array(self.places).reshape(-1, 2))
        # Whole circles, but for a minimum at the edge of the whole map.
        edge = CIRCLE * self._frame.pixels(SIDE) if self._view.zoomed else 0.0
        on = np.flatnonzero(((points >= edge) & (points <= SIDE - edge)).all(axis=1))
        write(
            self.minima,
            x=points[on, 0].astype(np.float32),
            y=points[on, 1].astype(np.float32),
            visible=bool(len(on)),
        )
        self._frame.put_texts(self.numbers, points[on, 0], points[on, 1], [str(i + 1) for i in on])
        if self._valley is None:
            self.valley.visible = False
            return
        line = trail.inside(self._view.to_map(np.stack(self._valley, axis=1)), REACH, SIDE)
        write(
            self.valley,
            x=np.stack([line[:, 0]] * 2).astype(np.float32),
            y=np.stack([line[:, 1]] * 2).astype(np.float32),
            visible=True,
        )

    def _draw_basins(self) -> None:
        if self._basins is None:
            self.basins.visible = False
            return
        corners = self._view.to_map(self._view.bounds.T)
        show_image(self.basins, shade.png(basin_picture(self._basins)))
        write(self.basins, x=corners[:, 0].copy(), y=corners[:, 1].copy(), visible=True)


def basin_picture(basins: Basins) -> NDArray[np.uint8]:
    """A map of basins as RGBA, several pixels a start so that it can be hatched and dotted."""
    fine = max(1, 400 // len(basins.labels))
    labels = np.kron(basins.labels, np.ones((fine, fine), np.int64))
    rgba = np.zeros((*labels.shape, 4), np.uint8)
    rgba[labels < 0] = [*palette.rgb(palette.NO_MINIMUM), 215]
    rgba[labels >= basins.numbered] = [*palette.rgb(palette.OTHER_MINIMA), 215]
    if basins.unlisted is not None:
        rgba[labels == basins.unlisted] = [*palette.rgb(palette.OTHER_MINIMA), 215]
    for index in range(basins.numbered):
        rgba[labels == index] = [*palette.rgb(palette.tint(index)), 205]
    # Tints are alike in grey: a line parts two basins. Of two pixels: shown smaller than it is,
    # the picture loses rows and columns, but no two that are neighbours.
    meet = np.zeros(labels.shape, bool)
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        parted = (labels[one] != labels[other]) & (labels[one] >= 0) & (labels[other] >= 0)
        meet[one] |= parted
        meet[other] |= parted
    rgba[meet] = [*palette.rgb(palette.INK), 150]
    gone = np.isin(labels, list(basins.diverged))
    rgba[gone] = [*palette.rgb("#FFFFFF"), 230]
    rows, columns = np.indices(labels.shape)
    rgba[((rows + columns) // 4 % 2 == 0) & gone] = [*palette.rgb(palette.DIVERGED), 235]
    if basins.oscillating is not None:
        dots = (rows % 6 < 3) & (columns % 6 < 3) & (labels == basins.oscillating)
        rgba[dots] = [*palette.rgb(palette.DIVERGED), 235]
    return rgba


def _smooth(values: NDArray[np.floating]) -> bool:
    """Whether a grid of half as many points a side shows the same contours."""
    inner = values[1:-1, 1:-1]
    bend = np.abs(values[2:, 1:-1] + values[:-2, 1:-1] - 2 * inner)
    spread = np.nanstd(values)
    return bool(np.nanmean(bend) < 0.004 * spread) if spread > 0 else True
