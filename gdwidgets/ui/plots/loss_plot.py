"""Loss against step for every lane, on axes that stay put."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import bqplot as bq
import numpy as np
from ipywidgets import Widget
from numpy.typing import NDArray

from gdwidgets.core import Descent
from gdwidgets.ui.plots import figures, palette
from gdwidgets.ui.plots.thinning import Thinner
from gdwidgets.ui.runs import lane_steps

POINTS = 640
"""Points of all lanes together that are sent in a frame: 8 bytes each, and no more than pixels."""


HALF_A_CROSS = 9
"""Pixels beyond the lowest and the highest loss, or a cross there would be cut in half."""


class LossPlot:
    """A figure of the loss of a run, up to the cursor.

    Parameters
    ----------
    height
        Of the figure, in pixels.
    label
        What the vertical axis shows.
    points
        Points of all lanes together that are sent in a frame.
    """

    def __init__(self, height: int, label: str = "loss", points: int = POINTS) -> None:
        self._points = points
        self._x = figures.scale(0, 1)
        self._log = figures.scale(1e-6, 1, log=True)
        self._linear = figures.scale(0, 1)
        self._label = label
        self.lines = bq.Lines(
            x=np.zeros((1, 2), np.float32),
            y=np.ones((1, 2), np.float32),
            scales={"x": self._x, "y": self._log},
            colors=list(palette.LANES),
            stroke_width=2,
        )
        self.ghosts = bq.Lines(
            x=[0.0, 0.0],
            y=[1.0, 1.0],
            scales={"x": self._x, "y": self._log},
            colors=[palette.GHOST],
            line_style="dashed",
            stroke_width=1.5,
            visible=False,
        )
        self.present = figures.crosses({"x": self._x, "y": self._log})
        self.letters = bq.Label(
            x=np.zeros(1, np.float32),
            y=np.ones(1, np.float32),
            text=[""],
            scales={"x": self._x, "y": self._log},
            colors=[palette.GHOST],
            default_size=13,
            font_weight="bold",
            align="end",
            y_offset=-6,
            visible=False,
        )
        self._marks = (self.ghosts, self.letters, self.lines, self.present)
        self._axis_x = figures.axis(self._x, "step", tick_format="d")
        self._log_axis = figures.axis(self._log, label, vertical=True, tick_format=".0e")
        self._linear_axis = figures.axis(self._linear, label, vertical=True, tick_format=".4~g")
        self.figure = figures.figure(
            self._marks,
            [self._axis_x, self._log_axis],
            height=height,
            fig_margin={**figures.MARGIN, "left": 60, "right": 20},
        )
        self.log = True
        self.floor = 0.0
        self._letters: list[str] = []
        self._pinned: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        self._thinners: list[Thinner] = []
        self._cap = np.inf
        self._limits = (np.inf, -np.inf)
        self._ends = {True: (1e-6, 1.0), False: (0.0, 1.0)}
        margin = figures.MARGIN["top"] + figures.MARGIN["bottom"]
        self._room = HALF_A_CROSS / (height - margin)

    @property
    def widgets(self) -> tuple[Widget, ...]:
        """Axes, and with them scales, that are in use only part of the time, for closing them."""
        return (self._log_axis, self._linear_axis)

    def show_run(
        self, descent: Descent, max_steps: int, colours: Sequence[str], floor: float = 0.0
    ) -> None:
        """Prepare for a new run: its lanes' colours, its length, the lowest loss there can be.

        ``floor`` is taken off the loss on the logarithmic axis (0 where the least loss is 0).
        """
        self.floor = floor
        self._thinners = [
            Thinner(partial(lane_column, descent, lane)) for lane in range(descent.lanes)
        ]
        self._limits = (np.inf, -np.inf)
        self._cap = float(np.nan_to_num(descent.loss[0], posinf=0.0).max() - floor) or np.inf
        figures.show_steps(self._x, self._axis_x, max_steps)
        self.lines.colors = list(colours)

    def use_log(self, log: bool, descent: Descent, k: int) -> None:
        """Make the vertical axis logarithmic or linear, and draw on it.

        The marks never hold a value that the scale they are on cannot show: what is drawn for a
        logarithmic axis is fit for both, so it comes before that scale and goes after it.
        """
        self.log = log
        self._limits = (np.inf, -np.inf)
        if log:
            self.draw(descent, k)
            self._write_ghosts()
        for mark in self._marks:
            mark.scales = {**mark.scales, "y": self._log if log else self._linear}
        if not log:
            self.draw(descent, k)
            self._write_ghosts()
        axis = self._log_axis if log else self._linear_axis
        axis.label = self._text()
        self.figure.axes = [self._axis_x, axis]

    def _text(self) -> str:
        if self.log and self.floor:
            return f"{self._label} − least {self._label}"
        return self._label

    def draw(self, descent: Descent, k: int) -> None:
        """Draw the losses of all lanes up to step ``k``."""
        loss, last = descent.loss, lane_steps(descent, k)
        budget = max(16, self._points // descent.lanes)
        picked = []
        for lane, thinner in enumerate(self._thinners):
            steps = thinner.indices(int(last[lane]) + 1, budget)
            picked.append((steps, loss[steps, lane]))
        self._widen(np.concatenate([values for _, values in picked]))
        low, high = self._axis()
        lines = [(s, figures.clean(self._above(v), low, high, floor=self.log)) for s, v in picked]
        x, y = figures.ragged(lines)
        figures.write(self.lines, x=x, y=y)
        # Not the end of the line: one that has left the plot ends earlier.
        now = self._above(loss[last, np.arange(descent.lanes)])
        figures.put_crosses(self.present, last, np.clip(np.nan_to_num(now, nan=low), low, high))

    def pin(
        self, descent: Descent, lane: int, k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what a ghost of a lane up to step ``k`` needs."""
        steps = Thinner(partial(lane_column, descent, lane)).indices(k + 1, 200)
        return steps.astype(np.float32), descent.loss[steps, lane]

    def show_ghosts(
        self,
        pinned: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
        letters: Sequence[str],
    ) -> None:
        """Show pinned losses as ghost curves, each with its letter at the end."""
        self._pinned = list(pinned)
        self._letters = list(letters)
        self._write_ghosts()

    def _write_ghosts(self) -> None:
        low, high = self._axis()
        lines = [
            (s, figures.clean(self._above(v), low, high, floor=self.log)) for s, v in self._pinned
        ]
        x, y = figures.joined(lines) if lines else (np.zeros(2), np.full(2, low))
        figures.write(self.ghosts, x=x, y=y, visible=bool(lines))
        ends = [(float(s[-1]), float(np.nan_to_num(v[-1], nan=high))) for s, v in lines] or [
            (0, low)
        ]
        figures.write(
            self.letters,
            x=np.array([end[0] for end in ends], np.float32),
            y=np.clip(np.array([end[1] for end in ends], np.float32), low, high),
            text=np.array(self._letters or [""]),
            visible=bool(lines),
        )

    def _above(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values - np.float32(self.floor) if self.log else values

    def _axis(self) -> tuple[float, float]:
        return self._ends[self.log]

    def _widen(self, values: NDArray[np.float32]) -> None:
        """Widen the vertical limits, seldom and in big strides, so that ``values`` fit."""
        values = self._above(values[np.isfinite(values)])
        if self.log:
            values = values[values > 0]
        if len(values) == 0:
            return
        low = min(self._limits[0], float(values.min()))
        # A lane that diverges leaves the plot: it must not press the others flat.
        most = self._cap * (1e3 if self.log else 3.0)
        high = max(self._limits[1], min(float(values.max()), most))
        if (low, high) == self._limits:
            return
        self._limits = (low, high)
        if self.log:
            bottom, top = figures.decades(max(low, 1e-12), max(high, 1e-12))
            of, axis, room = self._log, self._log_axis, (top / bottom) ** self._room
            limits = bottom / room, top * room
        else:
            top = figures.round_up(high) if high > 0 else 0.0
            bottom = -figures.round_up(-low) if low < 0 else 0.0
            top = top if top > bottom else bottom + 1.0
            of, axis, room = self._linear, self._linear_axis, (top - bottom) * self._room
            limits = bottom - room, top + room
        self._ends[self.log] = bottom, top
        if (of.min, of.max) != limits:
            figures.write(of, min=limits[0], max=limits[1])
            axis.tick_values = figures.ticks(of, ends=(bottom, top))
            self._write_ghosts()


def lane_column(descent: Descent, lane: int) -> NDArray[np.float32]:
    """A lane's losses so far as a column, float32 (recorded + 1, 1), for a ``Thinner``."""
    return descent.loss[:, lane : lane + 1]
