"""A surface as a heat map that takes clicks, with contours, minima, paths, start and update."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence

import bqplot as bq
import contourpy
import ipywidgets
import matplotlib as mpl
import matplotlib.image
import numpy as np
import torch
from ipywidgets import HTML, HBox, Layout
from numpy.typing import NDArray

from gdwidgets.core import BasinMap, Descent, Surface
from gdwidgets.core.session import own_torch_state
from gdwidgets.ui import figures, palette
from gdwidgets.ui.runs import lane_steps
from gdwidgets.ui.text import number
from gdwidgets.ui.thinning import Thinner

PIXELS = 400
"""Side of the heat map's image."""

CONTOUR_GRID = 161
"""Grid points a side from which contour lines are traced."""

PATH_POINTS = 700
"""Points of all paths together that are sent in a frame."""

ARROW = 0.1
"""Length of the first update's arrow, as a share of the map's width."""


class Shade:
    """How a surface's values become colours: by the logarithm of their height above the least.

    A surface without known minima, such as a saddle, has no natural zero and is coloured linearly.

    Parameters
    ----------
    surface
        Whose values are shown.
    values
        Its values on a grid; what is not finite gets the colour of the highest value.
    """

    def __init__(self, surface: Surface, values: NDArray[np.float32]) -> None:
        finite = values[np.isfinite(values)].astype(np.float64)
        self.low, self.high = float(finite.min()), float(finite.max())
        if self.high <= self.low:
            self.high = self.low + 1.0
        self.log = bool(surface.minima)
        if self.log:
            with own_torch_state(), torch.no_grad():
                least = surface(torch.tensor(surface.minima, dtype=torch.float32, device="cpu"))
            self.low = min(self.low, float(least.min()))
        self.unit = 10.0 ** (math.floor(math.log10(self.high - self.low)) - 3)

    def share(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Values as shares of the colour range, 0 to 1."""
        height = np.nan_to_num(np.asarray(values, np.float64), nan=np.inf, posinf=np.inf) - self.low
        height = np.clip(height, 0.0, self.high - self.low)
        if not self.log:
            return height / (self.high - self.low)
        return np.log1p(height / self.unit) / math.log1p((self.high - self.low) / self.unit)

    def colours(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """RGBA of values, the shape of ``values`` with 4 appended."""
        low, high = palette.HEAT_RANGE
        return np.asarray(mpl.colormaps[palette.HEAT_MAP](low + (high - low) * self.share(values)))

    def ticks(self) -> list[float]:
        """Values for the colour bar, in the function's own units."""
        if not self.log:
            return [float(t) for t in np.linspace(self.low, self.high, 5)]
        powers = range(5)
        steps = [self.unit * 10.0**p for p in powers if self.unit * 10.0**p < self.high - self.low]
        return [self.low, *(self.low + s for s in steps[1:])]

    def levels(self) -> list[float]:
        """Values at which contour lines are drawn."""
        if not self.log:
            return [float(t) for t in np.linspace(self.low, self.high, 14)[1:-1]]
        span = self.high - self.low
        return [
            self.low + m * self.unit * 10.0**p
            for p in range(1, 5)
            for m in (1.0, 2.0, 5.0)
            if m * self.unit * 10.0**p < span
        ]


def png(rgba: NDArray[np.floating]) -> bytes:
    """An RGBA image, first row at the bottom, as the bytes of a PNG."""
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, np.asarray(rgba), format="png", origin="lower")
    return buffer.getvalue()


def _pixel_values(surface: Surface) -> NDArray[np.float32]:
    """The surface at the centres of the image's pixels, rows from low to high ``v``."""
    (u0, u1), (v0, v1) = surface.bounds
    centres = (np.arange(PIXELS) + 0.5) / PIXELS
    u, v = np.meshgrid(u0 + (u1 - u0) * centres, v0 + (v1 - v0) * centres)
    points = np.stack((u.ravel(), v.ravel()), axis=1).astype(np.float32)
    with own_torch_state(), torch.no_grad():
        values = surface(torch.from_numpy(points)).numpy()
    return values.reshape(PIXELS, PIXELS)


class SurfaceMap:
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
        self.x, self.y = figures.scale(0, 1), figures.scale(0, 1)
        scales = {"x": self.x, "y": self.y}
        clear = ipywidgets.Image(value=png(np.zeros((2, 2, 4))), format="png")
        none = np.zeros(2, np.float32)
        self.heat = bq.Image(image=ipywidgets.Image(format="png"), scales=scales, pixelated=False)
        self.basins = bq.Image(
            image=ipywidgets.Image(value=clear.value, format="png"), scales=scales, visible=False
        )
        self.contours = bq.Lines(
            x=none, y=none, scales=scales, colors=[palette.DARK], stroke_width=0.8, opacities=[0.35]
        )
        self.minima = bq.Scatter(
            x=none[:0],
            y=none[:0],
            scales=scales,
            marker="diamond",
            colors=[palette.DARK],
            stroke="#FFFFFF",
            stroke_width=1.0,
            default_size=80,
        )
        self.ghosts = bq.Lines(
            x=none,
            y=none,
            scales=scales,
            colors=[palette.DARK],
            line_style="dashed",
            stroke_width=1.5,
            opacities=[0.6],
            visible=False,
        )
        self.halo = bq.Lines(x=none, y=none, scales=scales, colors=[palette.HALO], stroke_width=5)
        self.paths = bq.Lines(x=none, y=none, scales=scales, stroke_width=2.5)
        self.arrows = bq.Lines(x=none, y=none, scales=scales, colors=[palette.DARK], stroke_width=2)
        self.present = figures.crosses(scales)
        self.glass = bq.Image(image=clear, scales=scales)
        self.start = bq.Scatter(
            x=none[:1],
            y=none[:1],
            scales=scales,
            colors=[palette.START],
            stroke=palette.DARK,
            stroke_width=2,
            default_size=110,
            enable_move=True,
            hovered_style={"cursor": "grab"},
        )
        self.glass.on_element_click(lambda _, event: on_click(_clicked(event["data"])))
        self.start.on_drag_end(lambda _, event: on_drag(int(event["index"]), _moved(event)))
        self._axes = (
            figures.axis(self.x, "u", grid_lines="none"),
            figures.axis(self.y, "v", vertical=True, grid_lines="none"),
        )
        self.figure = figures.figure(
            [
                self.heat,
                self.basins,
                self.contours,
                self.minima,
                self.ghosts,
                self.halo,
                self.paths,
                self.arrows,
                self.present,
                self.glass,
                self.start,
            ],
            self._axes,
            height=height,
            min_aspect_ratio=1.0,
            max_aspect_ratio=1.2,
        )
        self.bar = HTML(layout=Layout(width="76px", flex="0 0 auto", height=f"{height}px"))
        self._height = height
        self._thinners: list[Thinner] = []
        self._magnify = 1.0
        self.view = HBox(
            [self.figure, self.bar],
            layout=Layout(flex="0 1 470px", min_width="320px", width="auto"),
        )

    def show_surface(self, surface: Surface) -> None:
        """Draw another surface: heat map, contours, minima and colour bar."""
        values = _pixel_values(surface)
        shade = Shade(surface, values)
        (u0, u1), (v0, v1) = surface.bounds
        for of, axis, low, high in zip(
            (self.x, self.y), self._axes, (u0, v0), (u1, v1), strict=True
        ):
            figures.write(of, min=low, max=high)
            axis.tick_values = figures.ticks(of, 7)
        self.heat.image.value = png(shade.colours(values))
        for image in (self.heat, self.basins, self.glass):
            figures.write(image, x=np.array([u0, u1]), y=np.array([v0, v1]))
        u, v, z = surface.grid(CONTOUR_GRID)
        trace = contourpy.contour_generator(u, v, np.ma.masked_invalid(z)).lines
        lines = [(line[:, 0], line[:, 1]) for level in shade.levels() for line in trace(level)]
        x, y = figures.joined(lines)
        figures.write(self.contours, x=x, y=y)
        inside = np.array(surface.minima, np.float32).reshape(-1, 2)
        figures.write(self.minima, x=inside[:, 0], y=inside[:, 1])
        self.bar.value = self._colour_bar(shade)

    def _colour_bar(self, shade: Shade) -> str:
        margin = figures.MARGIN
        tall = self._height - margin["top"] - margin["bottom"]
        stops = np.linspace(0.0, 1.0, 12)
        low, high = palette.HEAT_RANGE
        colours = mpl.colormaps[palette.HEAT_MAP](low + (high - low) * stops)
        ramp = ",".join(mpl.colors.to_hex(c) for c in colours)
        marks = "".join(
            f"<span style='position:absolute;left:18px;bottom:{tall * share - 8:.1f}px;"
            f"line-height:16px;white-space:nowrap'>{number(tick, 3)}</span>"
            for tick, share in zip(shade.ticks(), shade.share(np.array(shade.ticks())), strict=True)
        )
        return (
            f"<div style='position:relative;margin-top:{margin['top']}px;height:{tall}px;"
            "font-size:12px' role=img aria-label='colour bar, the value of the function'>"
            f"<div style='width:14px;height:100%;background:linear-gradient(to top,{ramp});"
            f"outline:1px solid var(--jp-border-color1,#bbb)'></div>{marks}</div>"
        )

    def show_run(self, descent: Descent, colours: Sequence[str]) -> None:
        """Prepare for a new run: its starts, its lanes' colours, how long arrows are drawn."""
        self._thinners = [
            Thinner(lambda lane=lane: descent.params[:, lane]) for lane in range(descent.lanes)
        ]
        self.paths.colors = list(colours)
        self.put_starts(descent)
        descent.advance_to(1)
        width = self.x.max - self.x.min
        first = 0.0
        if descent.recorded >= 1:
            first = float(np.abs(descent.params[1] - descent.params[0]).max())
        aim = ARROW * width / first if 0 < first < math.inf else 1.0
        self._magnify = max(1.0, figures.round_up(aim)) if math.isfinite(aim) else 1.0

    def put_starts(self, descent: Descent) -> None:
        """Put the start circles where the run's starts are, wherever they were dragged."""
        starts = np.asarray(descent.start, np.float32)
        unique = np.unique(starts, axis=0)
        shown = starts if len(unique) == len(starts) else starts[:1]
        figures.write(self.start, x=shown[:, 0], y=shown[:, 1])
        self.start.send_state(["x", "y"])

    @property
    def magnification(self) -> float:
        """How many times longer than the update itself its arrow is drawn."""
        return self._magnify

    def draw(self, descent: Descent, k: int) -> None:
        """Draw paths, present points and next updates with the cursor at ``k``.

        A point that has left the map is shown on the edge where it left.
        """
        budget = max(16, PATH_POINTS // descent.lanes)
        params = descent.params
        steps = lane_steps(descent, k)
        lines = []
        for lane, thinner in enumerate(self._thinners):
            picked = thinner.indices(int(steps[lane]) + 1, budget)
            lines.append(self._on_map(params[picked, lane]))
        x, y = figures.ragged(lines)
        figures.write(self.halo, x=x, y=y)
        figures.write(self.paths, x=x, y=y)
        here = params[steps, np.arange(descent.lanes)]
        shown = self._inside(here)
        figures.put_crosses(
            self.present,
            np.clip(here[:, 0], self.x.min, self.x.max),
            np.clip(here[:, 1], self.y.min, self.y.max),
        )
        after = np.minimum(steps + 1, descent.recorded)
        self._draw_arrows(here, params[after, np.arange(descent.lanes)] - here, shown)

    def _inside(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        low, high = [self.x.min, self.y.min], [self.x.max, self.y.max]
        return np.asarray(((points >= low) & (points <= high)).all(axis=1))

    def _on_map(
        self, points: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        wide, tall = self.x.max - self.x.min, self.y.max - self.y.min
        x = np.clip(points[:, 0], self.x.min - 20 * wide, self.x.max + 20 * wide)
        y = np.clip(points[:, 1], self.y.min - 20 * tall, self.y.max + 20 * tall)
        return np.nan_to_num(x).astype(np.float32), y.astype(np.float32)

    def _draw_arrows(
        self,
        tails: NDArray[np.float32],
        updates: NDArray[np.float32],
        shown: NDArray[np.bool_],
    ) -> None:
        """Arrows in the shares of the map, so that their heads look alike on any surface."""
        size = np.array([self.x.max - self.x.min, self.y.max - self.y.min])
        shaft = np.nan_to_num(updates / size * self._magnify)
        length = np.linalg.norm(shaft, axis=1, keepdims=True)
        shaft *= np.minimum(1.0, 0.3 / np.maximum(length, 1e-12))
        visible = shown[:, None] & (np.linalg.norm(shaft, axis=1, keepdims=True) > 0.004)
        shaft = np.where(visible, shaft, 0.0)
        head = np.minimum(0.03, 0.5 * np.linalg.norm(shaft, axis=1, keepdims=True))
        along = shaft / np.maximum(np.linalg.norm(shaft, axis=1, keepdims=True), 1e-12) * head
        across = np.stack((-along[:, 1], along[:, 0]), axis=1) * 0.6
        tail = np.where(shown[:, None], tails, [[self.x.min, self.y.min]])
        tip = shaft
        corners = (0 * tip, tip, tip - along + across, tip, tip - along - across)
        points = tail[:, None, :] + np.stack(corners, axis=1) * size
        figures.write(
            self.arrows,
            x=points[:, :, 0].astype(np.float32),
            y=points[:, :, 1].astype(np.float32),
            visible=bool(visible.any()),
        )

    def pin(
        self, descent: Descent, lane: int, k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what a ghost of a lane's path up to step ``k`` needs."""
        steps = Thinner(lambda: descent.params[:, lane]).indices(k + 1, 200)
        return self._on_map(descent.params[steps, lane])

    def show_ghosts(
        self, pinned: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]
    ) -> None:
        """Show pinned paths as ghosts."""
        x, y = figures.joined(pinned)
        figures.write(self.ghosts, x=x, y=y, visible=bool(pinned))

    def show_basins(self, basins: BasinMap | None) -> None:
        """Colour every start by the minimum it reaches; ``None`` takes the colours away."""
        if basins is None:
            self.basins.visible = False
            return
        self.basins.image.value = png(basin_colours(basins))
        self.basins.visible = True


def basin_colour(index: int) -> str:
    """The colour of the minimum with a number; they repeat after seven, without black."""
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


def _clicked(data: dict[str, float]) -> tuple[float, float]:
    return float(data["click_x"]), float(data["click_y"])


def _moved(event: dict[str, dict[str, float]]) -> tuple[float, float]:
    return float(event["point"]["x"]), float(event["point"]["y"])
