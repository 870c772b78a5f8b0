"""A plane that takes clicks: heat map, contours, paths, present points, next updates, starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import bqplot as bq
import ipywidgets
import numpy as np
from ipywidgets import HTML, HBox, Layout
from numpy.typing import NDArray

from gdwidgets.core import Descent
from gdwidgets.ui.plots import figures, palette
from gdwidgets.ui.plots.shade import Shade, png
from gdwidgets.ui.plots.thinning import Thinner
from gdwidgets.ui.runs import lane_steps

PATH_POINTS = 480
"""Points of all paths together that are sent in a frame; a halo takes half of them."""

MOST_HALOS = 3
"""Lanes up to which paths have a halo; more would leave too few points for the paths."""

ARROW = 0.1
"""Length of the first update's arrow, as a share of the map's width."""


class Plane:
    """A figure of the plane of two parameters, and everything that moves on it.

    Parameters
    ----------
    height
        Of the figure, in pixels; the map itself is nearly square.
    on_click
        Called with the point that was clicked, in the plane's units.
    on_drag
        Called with (lane, point) when a start has been dragged somewhere.
    names
        What the two parameters are called.
    points
        Points of all paths together that are sent in a frame.
    most_halos
        Lanes up to which paths have a halo; each frame it is a message more.
    """

    def __init__(
        self,
        height: int,
        on_click: Callable[[tuple[float, float]], None],
        on_drag: Callable[[int, tuple[float, float]], None],
        *,
        names: tuple[str, str] = ("u", "v"),
        points: int = PATH_POINTS,
        most_halos: int = MOST_HALOS,
    ) -> None:
        self.x, self.y = figures.scale(0, 1), figures.scale(0, 1)
        scales = {"x": self.x, "y": self.y}
        clear = ipywidgets.Image(value=png(np.zeros((2, 2, 4))), format="png")
        none = np.zeros(2, np.float32)
        self.heat = bq.Image(image=ipywidgets.Image(format="png"), scales=scales, pixelated=False)
        self.contours = bq.Lines(
            x=none, y=none, scales=scales, colors=[palette.DARK], stroke_width=0.8, opacities=[0.35]
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
            figures.axis(self.x, names[0], grid_lines="none"),
            figures.axis(self.y, names[1], vertical=True, grid_lines="none"),
        )
        self.figure = figures.figure(
            [
                self.heat,
                self.contours,
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
        self._points = points
        self._most_halos = most_halos
        self._thinners: list[Thinner] = []
        self._magnify = 1.0
        self.view = HBox(
            [self.figure, self.bar],
            layout=Layout(flex="0 1 470px", min_width="320px", width="auto"),
        )

    def insert(self, mark: bq.Mark, above: bq.Mark) -> None:
        """Add a mark to the figure, right above another one."""
        marks = list(self.figure.marks)
        marks.insert(marks.index(above) + 1, mark)
        self.figure.marks = marks

    def show_window(self, low: tuple[float, float], high: tuple[float, float]) -> None:
        """Show the rectangle between two corners."""
        for of, axis, least, most in zip((self.x, self.y), self._axes, low, high, strict=True):
            figures.write(of, min=least, max=most)
            axis.tick_values = figures.ticks(of, 7)
        for image in (self.heat, self.glass):
            figures.write(image, x=np.array([low[0], high[0]]), y=np.array([low[1], high[1]]))

    def show_heat(
        self,
        shade: Shade,
        values: NDArray[np.float32],
        contours: Sequence[tuple[Any, Any]],
    ) -> None:
        """Draw the values at the pixels, rows from low to high, and lines of equal value."""
        figures.show_image(self.heat, png(shade.colours(values)))
        x, y = figures.joined(contours)
        figures.write(self.contours, x=x, y=y)
        self.bar.value = shade.bar(self._height)

    def show_run(self, descent: Descent, colours: Sequence[str]) -> None:
        """Prepare for a new run: its starts, its lanes' colours, how long arrows are drawn."""
        self._thinners = [
            Thinner(partial(_lane_params, descent, lane)) for lane in range(descent.lanes)
        ]
        self.paths.colors = list(colours)
        self.halo.visible = descent.lanes <= self._most_halos
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
        halo = descent.lanes <= self._most_halos
        budget = self._points // descent.lanes // (2 if halo else 1)
        params = descent.params
        steps = lane_steps(descent, k)
        lines = []
        for lane, thinner in enumerate(self._thinners):
            picked = thinner.indices(int(steps[lane]) + 1, budget)
            lines.append(self._on_map(params[picked, lane]))
        x, y = figures.ragged(lines)
        if halo:
            figures.write(self.halo, x=x, y=y)
        figures.write(self.paths, x=x, y=y)
        here = params[steps, np.arange(descent.lanes)]
        shown = self._inside(here)
        seen = self.within(here, params[0])
        figures.put_crosses(self.present, seen[:, 0], seen[:, 1])
        after = np.minimum(steps + 1, descent.recorded)
        self._draw_arrows(here, params[after, np.arange(descent.lanes)] - here, shown)

    def within(
        self,
        points: NDArray[np.float32],
        starts: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Where to show the present points (L, 2) of runs from ``starts``: on the map, always."""
        return np.clip(points, [self.x.min, self.y.min], [self.x.max, self.y.max])

    def _inside(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        low, high = [self.x.min, self.y.min], [self.x.max, self.y.max]
        return np.asarray(((points >= low) & (points <= high)).all(axis=1))

    def _on_map(
        self, points: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        # Towards the start, not each coordinate by itself, which would bend a straight path.
        points = points.astype(np.float64)
        away = points - points[0]
        reach = 20 * np.array([self.x.max - self.x.min, self.y.max - self.y.min])
        points = points[0] + away / np.maximum(1.0, np.abs(away / reach).max(axis=1))[:, None]
        return np.nan_to_num(points[:, 0]).astype(np.float32), points[:, 1].astype(np.float32)

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
        steps = Thinner(partial(_lane_params, descent, lane)).indices(k + 1, 200)
        return self._on_map(descent.params[steps, lane])

    def show_ghosts(
        self, pinned: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]
    ) -> None:
        """Show pinned paths as ghosts."""
        x, y = figures.joined(pinned)
        figures.write(self.ghosts, x=x, y=y, visible=bool(pinned))


def _lane_params(descent: Descent, lane: int) -> NDArray[np.float32]:
    return descent.params[:, lane]


def _clicked(data: dict[str, float]) -> tuple[float, float]:
    return float(data["click_x"]), float(data["click_y"])


def _moved(event: dict[str, dict[str, float]]) -> tuple[float, float]:
    return float(event["point"]["x"]), float(event["point"]["y"])
