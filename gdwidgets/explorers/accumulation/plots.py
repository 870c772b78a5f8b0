"""The figures: the valley with both paths, a and b against step, the loss of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import bqplot as bq
import contourpy
import numpy as np

from gdwidgets.core import Descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.explorers.accumulation.loops import COLOURS, TINTS
from gdwidgets.explorers.accumulation.runs import Array, Point, Problem
from gdwidgets.ui.plots import figures, palette
from gdwidgets.ui.plots.old_plane import Plane
from gdwidgets.ui.plots.shade import Shade
from gdwidgets.ui.plots.thinning import Thinner
from gdwidgets.ui.runs import lane_steps

INK = f"var(--jp-content-font-color1, {palette.DARK})"
"""The colour of text: dark, and light where the theme is dark."""

PIXELS = 200
"""Side of the heat map's image."""

HALF = 2.0
"""Half the side of the valley's window where the start lies within it."""

MAP_POINTS = 160
CURVE_POINTS = 100
"""Points sent in a frame: of both paths together, and of each curve of a and b."""


class ValleyMap(Plane):
    """The loss over (a, b) as a map, with the line of its minima.

    Parameters
    ----------
    height
        In pixels.
    on_click, on_drag
        As in ``Plane``.
    """

    def __init__(
        self,
        height: int,
        on_click: Callable[[Point], None],
        on_drag: Callable[[int, Point], None],
    ) -> None:
        # Without halos, which would be one message too many when a table is open.
        super().__init__(
            height, on_click, on_drag, names=("a", "b"), points=MAP_POINTS, most_halos=0
        )
        self.minima = bq.Lines(
            x=np.zeros(2),
            y=np.zeros(2),
            scales={"x": self.x, "y": self.y},
            colors=[palette.DARK],
            stroke_width=1.5,
        )
        self.insert(self.minima, above=self.contours)
        self.view.layout.flex = "0 1 440px"
        self._shown: tuple[Any, ...] | None = None

    def show_run(self, descent: Descent, colours: Sequence[str]) -> None:
        """Prepare for a new run; arrows of next updates end where the next points will be."""
        super().show_run(descent, colours)
        self._magnify = 1.0

    def within(self, points: Array, starts: Array) -> Array:
        """Points of runs from ``starts`` that have left the map stand where their line leaves it.

        The neuron's paths are straight, so this is on the path.
        """
        low, high = np.array([[self.x.min, self.y.min], [self.x.max, self.y.max]])
        away = points.astype(np.float64) - starts
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(away > 0, (high - starts) / away, (low - starts) / away)
        share = np.where(away == 0, 1.0, share).min(axis=1)
        near = starts + away * np.clip(share, 0.0, 1.0)[:, None]
        return np.where((share < 1)[:, None], np.clip(near, low, high), points).astype(np.float32)

    def show_problem(self, problem: Problem, start: Point) -> None:
        """Draw the loss around its minimum, in a window that holds the start."""
        centre = [round(2 * value) / 2 for value in problem.centre]
        reach = max(abs(start[0] - centre[0]), abs(start[1] - centre[1]))
        half = HALF if reach <= HALF else figures.round_up(1.05 * reach)
        shown = (problem.x, problem.y, problem.parts is None, half)
        if shown == self._shown:
            return
        self._shown = shown
        low = (centre[0] - half, centre[1] - half)
        high = (centre[0] + half, centre[1] + half)
        self.show_window(low, high)
        middles = (np.arange(PIXELS) + 0.5) / PIXELS
        a, b = low[0] + 2 * half * middles, low[1] + 2 * half * middles
        grid = np.stack([np.tile(a, PIXELS), np.repeat(b, PIXELS)], axis=-1).astype(np.float32)
        values = problem.values(grid).reshape(PIXELS, PIXELS)
        least = float(problem.values(np.array([problem.centre], np.float32))[0])
        shade = Shade(values, least)
        tracer = contourpy.contour_generator(a, b, values, line_type=contourpy.LineType.Separate)
        lines: list[Any] = [line for level in shade.levels() for line in tracer.lines(level)]
        self.show_heat(shade, values, [(line[:, 0], line[:, 1]) for line in lines])
        if problem.parts is None:
            # Along the valley the loss stays least: direction (1, −x) from the nearest minimum.
            ends = np.array([-4.0, 4.0]) * half
            along = np.array([1.0, -problem.x]) / math.hypot(1.0, problem.x)
            x, y = (problem.centre[i] + ends * along[i] for i in (0, 1))
        else:
            arm = 0.03 * half  # a small diamond, in one closed line
            x = problem.centre[0] + arm * np.array([0, 1, 0, -1, 0.0])
            y = problem.centre[1] + arm * np.array([1, 0, -1, 0, 1.0])
        figures.write(
            self.minima,
            x=x.astype(np.float32),
            y=y.astype(np.float32),
            line_style="dashed" if problem.parts is None else "solid",
        )


class ParameterPlot:
    """A figure of a and b of both lanes against step.

    Parameters
    ----------
    height
        In pixels.
    """

    def __init__(self, height: int) -> None:
        self.x, self.y = figures.scale(0, 1), figures.scale(0, 1)
        scales = {"x": self.x, "y": self.y}
        self.lines = bq.Lines(
            x=np.zeros((1, 2), np.float32),
            y=np.zeros((1, 2), np.float32),
            scales=scales,
            # The lane that is drawn last lies on top: the cleared one, which is thinner.
            colors=[COLOURS[0], TINTS[0], COLOURS[1], TINTS[1]],
            stroke_width=2,
        )
        self.momentum = bq.Lines(
            x=np.zeros(2),
            y=np.zeros(2),
            scales=scales,
            colors=[INK],
            line_style="dotted",
            stroke_width=1.5,
            visible=False,
        )
        self._axis_x = figures.axis(self.x, "", tick_format="d")
        self._axis_y = figures.axis(self.y, "a, b", vertical=True, tick_format=".4~g")
        self.figure = figures.figure(
            [self.lines, self.momentum],
            [self._axis_x, self._axis_y],
            height=height,
            fig_margin={"top": 8, "bottom": 22, "left": 60, "right": 20},
        )
        self._thinners: list[Thinner] = []

    def show_run(self, descent: Descent, max_steps: int, middle: Point, reach: float) -> None:
        """Prepare for a new run: its length, and limits that no swing leaves.

        Parameters
        ----------
        descent, max_steps
            The run and where it ends.
        middle
            The minimum that the parameters swing about.
        reach
            How far they swing.
        """
        figures.show_steps(self.x, self._axis_x, max_steps)
        low, high = min(middle) - reach, max(middle) + reach
        figures.write(self.y, min=float(low), max=float(high))
        self._axis_y.tick_values = figures.ticks(self.y, 5)
        self._thinners = [
            Thinner(partial(_lane_params, descent, lane)) for lane in range(descent.lanes)
        ]

    def draw(self, descent: Descent, k: int) -> None:
        """Draw both parameters of both lanes up to step ``k``."""
        last = lane_steps(descent, k)
        lines = []
        for lane, thinner in enumerate(self._thinners):
            steps = thinner.indices(int(last[lane]) + 1, CURVE_POINTS)
            lines += [(steps, self._clean(descent.params[steps, lane, i])) for i in (0, 1)]
        x, y = figures.ragged(lines)
        figures.write(self.lines, x=x, y=y)

    def show_momentum(self, points: Array | None) -> None:
        """Draw the whole run of momentum with β = 1, float32 (n + 1, 2), or take it away."""
        if points is None:
            self.momentum.visible = False
            return
        steps = Thinner(lambda: points).indices(len(points), 4 * CURVE_POINTS)
        x, y = figures.joined([(steps, self._clean(points[steps, i])) for i in (0, 1)])
        figures.write(self.momentum, x=x, y=y, visible=True)

    def _clean(self, values: Array) -> Array:
        return figures.clean(values, self.y.min, self.y.max)


def _lane_params(descent: Descent, lane: int) -> Array:
    """Parameters of a lane so far, float32 (recorded + 1, P)."""
    return np.asarray(descent.params[:, lane])


class BatchView:
    """A micro-batch descent whose loss is the whole batch's, as the loss plot draws it.

    Parameters
    ----------
    descent
        The descent of the two lanes.
    objective
        Its objective.
    """

    def __init__(self, descent: Descent, objective: MicroBatches) -> None:
        self.lanes = descent.lanes
        self._descent, self._objective = descent, objective
        self._loss = objective.batch_loss(descent.params)

    @property
    def last_step(self) -> Any:
        """As in ``Descent``."""
        return self._descent.last_step

    @property
    def loss(self) -> Array:
        """The whole batch's losses, float32 (recorded + 1, L); each is computed once."""
        known = len(self._loss)
        if known <= self._descent.recorded:
            more = self._objective.batch_loss(self._descent.params[known:])
            self._loss = np.concatenate([self._loss, more])
        return self._loss


def key_entries(problem: Problem, clear_every: int | None) -> Sequence[tuple[str, str]]:
    """The key of the curves, for each lane its name and its two colours."""
    if problem.parts is not None:
        lanes = ("in parts", "at once")
    else:
        left = "without clearing" if clear_every is None else f"clearing every {clear_every}"
        lanes = (left, "with clearing")
    return [
        entry
        for lane, a, b in zip(lanes, COLOURS, TINTS, strict=True)
        for entry in (("", lane), (a, "a"), (b, "b"))
    ]
