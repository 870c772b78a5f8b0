"""The right figure: every lane's loss against step, above the least-squares floor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import bqplot as bq
import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Descent
from gdwidgets.explorers.learning_rate.fits import INK, Points
from gdwidgets.ui.plots import figures, palette
from gdwidgets.ui.plots.loss_plot import lane_column
from gdwidgets.ui.plots.thinning import Thinner
from gdwidgets.ui.runs import lane_outcome, lane_steps

POINTS = 720
"""Points of all lanes together that are sent in a frame, 8 bytes each."""

SPAN = 1e-7
"""The least loss shown, as a share of the first, where the floor is nil: float32 ends there."""


class RateThinner:
    """Picks the records of a growing loss curve to draw along a logarithmic step axis.

    Buckets grow in proportion to the step, so the picture of the first steps is as fine as that of
    the last. Of each bucket the smallest and the largest value are kept; full buckets are looked
    at once.

    Parameters
    ----------
    values
        Returns the losses so far, (n,); a later call returns the same first ones and perhaps more.
    most
        Number of records there can be.
    buckets
        At most so many buckets.
    """

    def __init__(self, values: Callable[[], NDArray[np.float32]], most: int, buckets: int) -> None:
        self._values = values
        edges = np.geomspace(1, most + 1, buckets + 1).round().astype(np.int64) - 1
        self._edges = np.unique(edges)
        self._picked: list[int] = []
        self._full = 0

    def indices(self, count: int) -> NDArray[np.int64]:
        """Which of the first ``count`` records to draw: rising, the first and last among them."""
        values = self._values()
        while self._full + 1 < len(self._edges) and self._edges[self._full + 1] <= len(values):
            first, last = self._edges[self._full : self._full + 2]
            self._picked.extend(_extremes(values, int(first), int(last)))
            self._full += 1
        full = min(self._full, int(np.searchsorted(self._edges, count, side="right")) - 1)
        rest = _extremes(values, int(self._edges[full]), count)
        return np.unique([*self._picked[: 2 * full], *rest, 0, count - 1])


def _extremes(values: NDArray[np.float32], first: int, last: int) -> tuple[int, int]:
    """Where the least and the greatest of the values from ``first`` up to ``last`` lie."""
    if first >= last:
        return last - 1, last - 1
    part = values[first:last]
    return first + int(part.argmin()), first + int(part.argmax())


class RateLossPlot:
    """A figure of all lanes' losses, on limits that follow from the data and never move.

    Parameters
    ----------
    height
        In pixels.
    """

    def __init__(self, height: int) -> None:
        self._x, self._y = figures.scale(0, 1), figures.scale(0.1, 1, log=True)
        scales = {"x": self._x, "y": self._y}
        none, ones = np.zeros(2, np.float32), np.ones(2, np.float32)
        self.floor = bq.Lines(
            x=none, y=ones, scales=scales, colors=[INK], stroke_width=2, line_style="dashed"
        )
        self.changes = bq.Lines(
            x=none, y=ones, scales=scales, colors=[INK], stroke_width=1, visible=False
        )
        self.ghosts = bq.Lines(
            x=none,
            y=ones,
            scales=scales,
            colors=[palette.GHOST],
            stroke_width=1.5,
            line_style="dotted",
            visible=False,
        )
        self.lines = bq.Lines(x=none[None], y=ones[None], scales=scales, stroke_width=2)
        self.present = figures.crosses(scales)
        self._axis_x = figures.axis(self._x, "step")
        self._axis_y = figures.axis(self._y, "loss", vertical=True, tick_format=".3~g")
        self.figure = figures.figure(
            [self.floor, self.changes, self.ghosts, self.lines, self.present],
            [self._axis_x, self._axis_y],
            height=height,
            fig_margin={**figures.MARGIN, "left": 60, "right": 20},
        )
        self.log_steps = False
        self._max_steps = 1
        self._pinned: list[Points] = []
        self._linear: list[Thinner] = []
        self._logarithmic: list[RateThinner] = []

    def show_run(
        self,
        descent: Descent,
        colours: Sequence[str],
        floor: float,
        *,
        changes: Sequence[int] = (),
        batches: bool = False,
    ) -> None:
        """Prepare for a new run.

        Parameters
        ----------
        descent
            The run.
        colours
            Of the lanes.
        floor
            The least-squares loss.
        changes
            Steps at which learning rates were changed.
        batches
            Whether the recorded loss is that of mini-batches, which scatters about the whole one.
        """
        self._max_steps = descent.max_steps
        first = float(descent.loss[0].max())
        first = first if math.isfinite(first) and first > 0 else 1.0
        spread = 8.0 if batches else 1.0
        low = max(floor / (1.25 * spread), first * SPAN, 1e-35)
        high = max(2.0 * spread * first, 2.0 * low)
        figures.write(self._y, min=low, max=high)
        figures.write(self._axis_y, tick_values=log_ticks(low, high))
        self._axis_y.label = "loss of the mini-batch" if batches else "loss"
        self.lines.colors = list(colours)
        buckets = max(8, POINTS // descent.lanes // 2 - 4)
        self._linear = [
            Thinner(partial(lane_column, descent, lane)) for lane in range(descent.lanes)
        ]
        self._logarithmic = [
            RateThinner(partial(_lane_loss, descent, lane), self._max_steps + 1, buckets)
            for lane in range(descent.lanes)
        ]
        self._changes, self._level = tuple(changes), floor
        self.use_log_steps(self.log_steps)

    def use_log_steps(self, log: bool) -> None:
        """Make the step axis logarithmic or linear.

        The scale itself stays linear and the points are placed on it: changing a figure's scale
        redraws ticks and marks one after the other, on different scales in between.
        """
        self.log_steps = log
        end = float(self._at(np.array([self._max_steps]))[0])
        # A little room at both ends, or the cross there would be cut in half.
        figures.write(self._x, min=-0.02 * end, max=1.025 * end)
        if log:
            steps = np.array([10**p - 1 for p in range(math.floor(end) + 1)])
        else:
            values = figures.ticks(self._x, ends=(0, end))
            steps = values[values == np.round(values)]
        places = [int(place) for place in self._at(steps)]
        counted = [int(step) + (1 if log else 0) for step in steps]
        # Labels go first: the browser draws the ticks a little later, with the labels of now.
        self._axis_x.tick_labels = {str(p): str(n) for p, n in zip(places, counted, strict=True)}
        figures.write(
            self._axis_x,
            tick_values=np.array(places, np.float64),
            label="iteration (step + 1)" if log else "step",
        )
        floor = np.full(2, max(self._level, self._y.min), np.float32)
        figures.write(self.floor, x=np.array([self._x.min, self._x.max], np.float32), y=floor)
        ends = np.array([self._y.min, self._y.max], np.float32)
        marks = [(np.full(2, self._at(np.array([k]))[0]), ends) for k in self._changes]
        self._write(self.changes, marks)
        self._write(self.ghosts, [self._placed(*points) for points in self._pinned])

    _changes: tuple[int, ...] = ()
    _level = 1.0

    def _at(self, steps: NDArray[Any]) -> NDArray[np.float32]:
        """Where steps lie on the axis; a logarithmic one counts iterations, and they begin at 1."""
        exact = np.asarray(steps, np.float64)
        return (np.log10(exact + 1) if self.log_steps else exact).astype(np.float32)

    def _placed(self, steps: NDArray[Any], loss: NDArray[np.float32]) -> Points:
        return self._at(steps), figures.clean(loss, self._y.min, self._y.max, floor=True)

    def _write(self, mark: bq.Lines, lines: Sequence[Points]) -> None:
        nothing = np.full(2, self._y.max, np.float32)
        x, y = figures.joined(lines) if lines else (nothing, nothing)
        figures.write(mark, x=x, y=y, visible=bool(lines))

    def draw(self, descent: Descent, k: int) -> None:
        """Draw the losses of all lanes up to step ``k``; what is above the axis is cut off."""
        last = lane_steps(descent, k)
        budget = max(16, POINTS // descent.lanes)
        lines = []
        for lane in range(descent.lanes):
            count = int(last[lane]) + 1
            steps = (
                self._logarithmic[lane].indices(count)
                if self.log_steps
                else self._linear[lane].indices(count, budget)
            )
            lines.append(self._placed(steps, descent.loss[steps, lane]))
        x, y = figures.ragged(lines)
        figures.write(self.lines, x=x, y=y)
        there = [
            lane
            for lane in range(descent.lanes)
            if lane_outcome(descent, lane, k) != "diverged"
            and descent.loss[last[lane], lane] <= self._y.max
        ]
        figures.put_crosses(self.present, x[there, -1], y[there, -1])

    def pin(self, descent: Descent, lane: int, k: int) -> Points:
        """Return what a ghost of a lane up to step ``k`` needs: steps and losses."""
        count = int(lane_steps(descent, k)[lane]) + 1
        steps = Thinner(lambda: descent.loss[:, lane : lane + 1]).indices(count, 100)
        return steps.astype(np.float32), descent.loss[steps, lane]

    def show_ghosts(self, pinned: Sequence[Points]) -> None:
        """Show pinned losses as ghost curves."""
        self._pinned = list(pinned)
        self._write(self.ghosts, [self._placed(*points) for points in self._pinned])


def log_ticks(low: float, high: float) -> NDArray[np.float64]:
    """Round tick values on a logarithmic axis: 1, 2, 5 of each decade if there are few decades."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    few = last - first <= 3
    stride = 1 if few else max(1, math.ceil((last - first) / 6))
    values = np.array(
        [
            m * 10.0**power
            for power in range(first, last + 1, stride)
            for m in ((1, 2, 5) if few else (1,))
        ]
    )
    return values[(values >= low) & (values <= high)]


def _lane_loss(descent: Descent, lane: int) -> NDArray[np.float32]:
    return descent.loss[:, lane]
