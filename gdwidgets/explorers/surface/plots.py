"""A surface as a heat map that takes clicks, with contours, minima, paths, start and update."""

from __future__ import annotations

from collections.abc import Callable

import bqplot as bq
import contourpy
import ipywidgets
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import BasinMap, Surface
from gdwidgets.explorers.surface.choice import least_value
from gdwidgets.ui.plots import figures, palette
from gdwidgets.ui.plots.old_plane import Plane
from gdwidgets.ui.plots.shade import Shade, png

PIXELS = 400
"""Side of the heat map's image."""

CONTOUR_GRID = 161
"""Grid points a side from which contour lines are traced."""


def _pixel_values(surface: Surface) -> NDArray[np.float32]:
    """The surface at the centres of the image's pixels, rows from low to high ``v``."""
    (u0, u1), (v0, v1) = surface.bounds
    centres = (np.arange(PIXELS) + 0.5) / PIXELS
    u, v = np.meshgrid(u0 + (u1 - u0) * centres, v0 + (v1 - v0) * centres)
    points = np.stack((u.ravel(), v.ravel()), axis=1).astype(np.float32)
    return surface.values(points).reshape(PIXELS, PIXELS)


class SurfaceMap(Plane):
    """The figure with the surface and everything that moves on it.

    Parameters
    ----------
    height
        Of the figure, in pixels; the map itself is square.
    on_click
        Called with (u, v) in the surface's units.
    on_drag
        Called with (lane, (u, v)) when a start has been dragged somewhere.
    """

    def __init__(
        self,
        height: int,
        on_click: Callable[[tuple[float, float]], None],
        on_drag: Callable[[int, tuple[float, float]], None],
    ) -> None:
        super().__init__(height, on_click, on_drag)
        scales = {"x": self.x, "y": self.y}
        self.basins = bq.Image(
            image=ipywidgets.Image(value=png(np.zeros((2, 2, 4))), format="png"),
            scales=scales,
            visible=False,
        )
        self.minima = bq.Scatter(
            x=np.zeros(0, np.float32),
            y=np.zeros(0, np.float32),
            scales=scales,
            marker="diamond",
            colors=[palette.DARK],
            stroke="#FFFFFF",
            stroke_width=1.0,
            default_size=80,
        )
        self.insert(self.basins, above=self.heat)
        self.insert(self.minima, above=self.contours)

    def show_surface(self, surface: Surface) -> None:
        """Draw another surface: heat map, contours, minima and colour bar."""
        values = _pixel_values(surface)
        shade = Shade(values, least_value(surface))
        (u0, u1), (v0, v1) = surface.bounds
        self.show_window((u0, v0), (u1, v1))
        figures.write(self.basins, x=np.array([u0, u1]), y=np.array([v0, v1]))
        u, v, z = surface.grid(CONTOUR_GRID)
        trace = contourpy.contour_generator(u, v, np.ma.masked_invalid(z)).lines
        lines = [_line(points) for level in shade.levels() for points in trace(level)]
        self.show_heat(shade, values, lines)
        inside = np.array(surface.minima, np.float32).reshape(-1, 2)
        figures.write(self.minima, x=inside[:, 0], y=inside[:, 1])

    def show_basins(self, basins: BasinMap | None) -> None:
        """Colour every start by the minimum it reaches; ``None`` takes the colours away."""
        if basins is None:
            self.basins.visible = False
            return
        figures.show_image(self.basins, png(basin_colours(basins)))
        self.basins.visible = True


def _line(points: object) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A contour line as contourpy gives it by default, (n, 2); its types allow other forms."""
    x, y = np.asarray(points, np.float32).T
    return x, y


def basin_colour(index: int) -> str:
    """The colour of the minimum with a number; they repeat after seven, without grey."""
    return palette.LANES[:7][index % 7]


def basin_colours(basins: BasinMap) -> NDArray[np.float64]:
    """A basin map as RGBA, several pixels a start so that diverging ones can be hatched."""
    fine = 4
    labels = np.kron(basins.labels, np.ones((fine, fine), int))
    rgba = np.zeros((*labels.shape, 4))
    for index in range(len(basins.minima)):
        rgba[labels == index] = mpl.colors.to_rgba(basin_colour(index), 0.55)
    rgba[labels == basins.UNSETTLED] = mpl.colors.to_rgba(palette.UNSETTLED, 0.85)
    rgba[labels == basins.DIVERGED] = mpl.colors.to_rgba(palette.DIVERGED, 0.9)
    rows, columns = np.indices(labels.shape)
    hatch = ((rows + columns) // 6 % 2 == 0) & (labels == basins.DIVERGED)
    rgba[hatch] = mpl.colors.to_rgba(palette.DARK, 0.9)
    return rgba
