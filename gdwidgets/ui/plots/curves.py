"""Values against step for every lane: the whole run at once, its past solid, its future dotted.

The run is sent once, as solid lines and as dotted ones. A sheet of the ground's colour lies between
them and covers the solid lines from the cursor on, so that a frame moves an edge of that sheet and
the lanes' markers, and nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import bqplot as bq
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gdwidgets.ui.plots import labels, palette, summary
from gdwidgets.ui.plots.figures import joined, ragged, write
from gdwidgets.ui.plots.frame import NARROW, Frame
from gdwidgets.ui.plots.spans import (
    Lane,
    Steps,
    Values,
    leaving,
    linear_values,
    log_values,
    values_so_far,
)
from gdwidgets.ui.plots.thinning import column_extremes

COLUMNS = 300
"""Columns of the plot of which the smallest and the largest value are sent."""

BRIEF_COLUMNS = 100
"""The same while something is dragged and a run is shown 20 times a second."""

WHOLE = 590.0
"""Width of a figure that has a cell of 600 pixels for itself, whatever its size."""

USUAL = 442.0
"""Width of a figure in a cell of 900 pixels: what stands above the plot fits in it."""

MOST_LEAVERS = 3
"""Lanes that are named where they leave the plot; of more the number is told."""

PIXEL = 1 / 500
"""Part of the plot that curves may end before the markers while a run grows: about a pixel."""

LIVE_BYTES = 800
"""Of the lines in a frame of a run that grows as it is drawn."""

Series = NDArray[Any] | Callable[[], NDArray[Any]]
"""Values (n, L) of n records and L lanes, or what gives those recorded so far."""


class Curves(Frame):
    """A figure of L lanes' values against step.

    Parameters
    ----------
    height
        Of the figure at size 1, in pixels.
    title
        What the vertical axis shows; it stands above it.
    steps
        What the horizontal axis counts.
    log, log_steps
        Whether the axes are logarithmic: values by log, steps by log(1 + step).
    future
        Whether what lies beyond the cursor is drawn, dotted and faint.
    size
        1, or 1.4 for a projector.
    on_click
        Called with (lane, step) of the record nearest to a click on the plot.
    whole
        Whether every finite value is on the plot, however far above the first one.
    usual
        Width of the figure in a cell of 900 pixels.
    """

    MARGIN: ClassVar[dict[str, float]] = {"top": 30.0, "right": 24.0, "bottom": 44.0, "left": 56.0}

    def __init__(
        self,
        height: float,
        *,
        title: str = "loss",
        steps: str = "step",
        log: bool = True,
        log_steps: bool = False,
        future: bool = True,
        size: float = 1.0,
        on_click: Callable[[int, int], None] | None = None,
        whole: bool = False,
        usual: float = USUAL,
    ) -> None:
        super().__init__(height, size, 1.0)
        self.title, self.log, self.log_steps, self.future = title, log, log_steps, future
        self._on_click, self._whole, self._usual = on_click, whole, usual
        self.band = self.lines(
            fill="between",
            colors=[palette.INK],
            fill_opacities=[0.12],
            opacities=[0.0],
            fill_colors=[palette.GHOST],
        )
        self.points = self.lines(stroke_width=3 * size, opacities=[0.35])
        self.past = self.lines(stroke_width=3 * size)
        self.cover = bq.Lines(
            x=np.array([0, 1, 1, 0], np.float32),
            y=np.array([-0.1, -0.1, 1.1, 1.1], np.float32),
            scales=self.scales,
            colors=[palette.PAPER],
            fill="inside",
            fill_colors=[palette.PAPER],
            fill_opacities=[1.0],
            close_path=True,
        )
        self.grid = self.lines(colors=[palette.GRID], stroke_width=1, opacities=[0.13])
        self.levels = self.lines(colors=[palette.INK], stroke_width=2 * size, line_style="dashed")
        self.theory = self.lines(colors=[palette.INK], stroke_width=1.2 * size)
        self.ghosts = self.lines(
            colors=[palette.GHOST], stroke_width=1.6 * size, line_style="dashed"
        )
        self.coming = self.lines(
            stroke_width=2.4 * size, line_style="dotted", opacities=[0.5] * (len(palette.RUNS) + 1)
        )
        self.level_names = self.texts(colors=[palette.INK], font_weight="normal", y_offset=-10)
        self.letters = self.texts(colors=[palette.GHOST], align="middle")
        self.heading = self.texts(colors=[palette.INK], font_weight="normal")
        self.leavers = self.texts()
        self.names = self.texts(x_offset=round(10 * size))
        self.present = self.texts(align="middle")
        self.clicks = self.click_layer()
        self.build(
            [
                self.points,
                self.past,
                self.cover,
                self.grid,
                self.band,
                self.levels,
                self.theory,
                self.ghosts,
                self.coming,
                self.heading,
                self.level_names,
                self.letters,
                self.leavers,
                self.names,
                self.present,
                self.clicks,
            ],
            "gdw-curves",
        )
        self.clicks.on_element_click(lambda _, event: self._clicked(event["data"]))
        self.axis_x.label = steps
        self._read: Callable[[], NDArray[Any]] = lambda: np.zeros((1, 1), np.float32)
        self._last: Callable[[], NDArray[Any]] | None = None
        self._diverged: Callable[[], NDArray[Any]] | None = None
        self._gone: list[int | None] = []
        self._exits: list[tuple[float, float]] = []
        self._outside_from: list[int] = []
        self._leaving: tuple[tuple[int, int, int], ...] | None = None
        self._laid_out = 0
        self._coarse = False
        self._recorded = -1
        self._names: list[str] = []
        self._titles: list[str] = []
        self._runs: list[palette.Run] = []
        self._steps = Steps(1)
        self._values = Values(0.0, 1.0)
        self._lanes: list[Lane] = []
        self._level_list: list[tuple[float, str]] = []
        self._theory: tuple[NDArray[Any], NDArray[Any]] | None = None
        self._band: tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None = None
        self._points: tuple[NDArray[Any], NDArray[Any], int] | None = None
        self._ghosts: list[tuple[NDArray[Any], NDArray[Any], str]] = []
        self._sent = -1
        self._brief = False
        self._picked: list[NDArray[np.int64]] = []
        self._k = 0
        self._shown: tuple[Any, ...] = ()
        self._resize()

    # -- what is shown -----------------------------------------------------------------------

    def show_run(
        self,
        values: Series,
        names: Sequence[str],
        *,
        end: int,
        last: ArrayLike | Callable[[], NDArray[Any]] | None = None,
        diverged: ArrayLike | Callable[[], NDArray[Any]] | None = None,
        runs: Sequence[int | palette.Run] | None = None,
        titles: Sequence[str] = (),
        levels: Sequence[tuple[float, str]] = (),
        theory: tuple[ArrayLike, ArrayLike] | None = None,
        band: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
        points: tuple[ArrayLike, ArrayLike, int] | None = None,
        title: str | None = None,
        brief: bool = False,
    ) -> None:
        """Show another run; `draw` must follow.

        Parameters
        ----------
        values
            Float array (n, L), record k in row k, or a callable that gives those recorded so far.
        names
            L names, for the ends of the curves.
        end
            The last step of the axis, at least 1.
        last
            Each lane's last step (L,), or a callable of it; without it, the last record.
        diverged
            Whether each lane diverged with the update after its last step, bool (L,), or a callable
            of it. A lane with a value that is not finite has diverged anyway.
        runs
            Which of `palette.RUNS` each lane is, `palette.OWN`, or how it is shown; without it
            0, 1, 2, …
        titles
            Longer names of the first lanes, for what is said of them alone.
        levels
            Horizontal lines: (value, text).
        theory
            One thin line: steps (m,) and values (m,).
        band
            A shaded band: steps (m,), lower and upper values (m,).
        points
            Faint points such as losses of mini-batches: steps (m,), values (m,), and the lane whose
            colour they have; those beyond the cursor are covered.
        title
            Of the vertical axis, where it is another one now.
        brief
            For a run that the next movement of a hand will replace: send fewer points, and keep
            the axis of values, which at most grows, until `show_at_rest`.
        """
        self._read = values if callable(values) else lambda: values
        self._last, self._diverged = _reader(last), _reader(diverged)
        self._names, self._titles = [str(name) for name in names], list(titles)
        self._runs = [palette.run(i) for i in (runs or range(len(self._names)))]
        self._steps = Steps(max(1, int(end)), self.log_steps)
        self._level_list = [(float(value), text) for value, text in levels]
        self._theory = _arrays(theory)
        self._band = _arrays(band)
        self._points = None if points is None else (*_arrays(points[:2]), int(points[2]))
        self.title = self.title if title is None else title
        self._brief = brief
        self._sent, self._leaving = -1, None
        self._layout()

    def extend(self, *, end: int | None = None) -> None:
        """Show what has been recorded since, perhaps on a longer axis; `draw` must follow."""
        if end is not None:
            self._steps = Steps(max(1, int(end)), self.log_steps)
        self._leaving = None
        self._layout()

    def show_at_rest(self) -> None:
        """Show a run that was shown briefly as it is shown at rest; `draw` must follow."""
        if self._brief:
            self._brief = False
            self._leaving = None
            self._layout()

    def show_ghosts(self, ghosts: Sequence[tuple[ArrayLike, ArrayLike, str]]) -> None:
        """Show kept runs as thin dashed curves: (steps (m,), values (m,), letter) of each."""
        self._ghosts = []
        for given, heights, letter in ghosts:
            steps, values = np.asarray(given), np.asarray(heights)
            if (count := len(steps)) > 4 * COLUMNS:
                # Enough for either axis of steps.
                ends = np.linspace(0, count - 1, COLUMNS), np.geomspace(1, count, COLUMNS) - 1
                edges = np.union1d(*(part.astype(np.int64) for part in ends))
                kept = column_extremes(values, edges, count)
                steps, values = steps[kept], values[kept]
            self._ghosts.append((steps, values, letter))
        self._draw_ghosts()

    def use_log(self, log: bool) -> None:
        """Make the axis of values logarithmic or linear."""
        self._change(log=log)

    def use_log_steps(self, log: bool) -> None:
        """Make the axis of steps logarithmic, by log(1 + step), or linear."""
        self._steps = Steps(self._steps.end, log)
        self._change(log_steps=log)

    def show_future(self, future: bool) -> None:
        """Draw what lies beyond the cursor, or hide it."""
        self._change(future=future)

    def set_size(self, size: float, height: float | None = None) -> None:
        """Make text, lines and markers ``size`` times the normal, and the height with them."""
        self.size = float(size)
        self.height = self.height if height is None else float(height)
        self._resize()
        self._change()

    def _change(self, **settings: bool) -> None:
        for name, value in settings.items():
            setattr(self, name, value)
        if self._runs:
            self._leaving = None
            self._layout()
            self.draw(self._k, full=True)

    # -- frames ------------------------------------------------------------------------------

    def draw(self, k: int, *, full: bool = False) -> None:
        """Draw the run with the cursor at step ``k``: at most two messages, unless ``full``.

        Parameters
        ----------
        k
            Number of updates applied.
        full
            Send what was recorded since at full resolution: on pause.
        """
        self._k = int(k)
        values = self._read()
        recorded = len(values) - 1
        behind = recorded > self._sent
        if (full and (behind or self._coarse)) or (
            behind and self._k > self._sent and self._seen_behind(values)
        ):
            # Seldom, and in big strides: other axes are many messages.
            if full or recorded > 1.25 * self._laid_out + 16:
                self._layout()
            else:
                self._send_lines(brief=True)
        self._follow()
        # Nothing lies beyond the cursor of a run that is drawn as it grows: the sheet stays away.
        edge = 1.0 if self._k >= self._sent else float(self._steps.place(self._k))
        edge = min(edge, 1.0)
        if self.cover.x[0] != np.float32(edge):
            self.cover.x = np.array([edge, 1, 1, edge], np.float32)
        x, y = np.zeros(len(self._lanes)), np.zeros(len(self._lanes))
        for lane, of in enumerate(self._lanes):
            step = min(self._k, len(of.values) - 1)
            value = of.values[step] if step >= 0 else np.nan
            if self._k > step == self._sent and step < recorded:
                # Recorded since, and less than a pixel from what was sent.
                step, value = min(self._k, recorded), values[min(self._k, recorded), lane]
            if step >= 0:
                x[lane] = self._steps.place(step)
                y[lane] = self._values.place(value)
            if self._gone[lane] is not None and not 0 <= y[lane] <= 1:
                # A lane that has left the plot waits at the edge, where it left; above the lower
                # one, for below it there are the numbers of steps.
                x[lane], y[lane] = self._exits[lane]
                y[lane] = max(y[lane], self.pixels(9))
        write(
            self.present,
            x=np.clip(x, 0, 1).astype(np.float32),
            y=np.clip(y, 0, 1).astype(np.float32),
        )
        leaves = tuple(
            (lane, left, self._outside_from[lane])
            for lane, left in enumerate(self._gone)
            if left is not None
        )
        if leaves != self._leaving:
            self._show_leavers(leaves)

    def _follow(self) -> None:
        """While the future is hidden, let the axis and what has left follow the cursor."""
        if not self.future:
            if self._axis() != self._values:
                self._layout()
            self._gone, self._exits = self._leaving_lanes()

    def _seen_behind(self, values: NDArray[Any]) -> bool:
        """Whether the curves that were sent end more than a pixel before the cursor."""
        steps = np.array([max(self._sent, 0), min(self._k, len(values) - 1)])
        across, up = (
            np.ptp(self._steps.place(steps)),
            np.ptp(np.nan_to_num(self._values.place(values[steps])), axis=0),
        )
        return bool(max(across, up.max(initial=0.0)) > PIXEL)

    def _clicked(self, data: dict[str, float]) -> None:
        found = self.nearest(float(data["click_x"]), float(data["click_y"]))
        if self._on_click is not None and found is not None:
            self._on_click(*found)

    def nearest(self, x: float, y: float) -> tuple[int, int] | None:
        """The lane and step drawn nearest to a place, parts of the plot's width and height."""
        best: tuple[float, int, int] | None = None
        for lane, picked in enumerate(self._picked):
            at = self._steps.place(picked)
            high = self._values.place(self._lanes[lane].values[picked])
            # The plot is about half again as wide as high.
            away = np.hypot(1.5 * (at - x), high - y)
            near = int(away.argmin())
            if best is None or away[near] < best[0]:
                best = float(away[near]), lane, int(picked[near])
        return None if best is None else best[1:]

    def summary(self, k: int) -> str:
        """What the figure shows with the cursor at ``k``, as text for those who do not see it."""
        rows = [
            (
                name,
                float(lane.values[min(k, len(lane.values) - 1)]),
                float(lane.values[0]),
                None if left is None else outside,
            )
            for name, lane, left, outside in zip(
                self._names, self._lanes, self._gone, self._outside_from, strict=True
            )
            if len(lane.values)
        ]
        return summary.curves(
            self.title,
            self.axis_x.label,
            k,
            end=self._steps.end,
            lanes=rows,
            levels=self._level_list,
            log=self.log,
        )

    # -- sending -----------------------------------------------------------------------------

    def _take(self) -> None:
        """Read what has been recorded so far."""
        values = np.asarray(self._read())
        last = None if self._last is None else np.asarray(self._last())
        diverged = None if self._diverged is None else np.asarray(self._diverged())
        self._recorded = len(values) - 1
        lanes = []
        for lane in range(len(self._names)):
            rows = len(values) if last is None else min(len(values), int(last[lane]) + 1)
            column = values[:rows, lane]
            bad = np.flatnonzero(~np.isfinite(column))
            broken = int(bad[0]) if bad.size else None
            ended = last is not None and rows == int(last[lane]) + 1
            if broken is None and ended and diverged is not None and diverged[lane]:
                lanes.append(Lane(column, rows))
            else:
                lanes.append(Lane(column[:broken], broken))
        self._lanes = lanes

    def _layout(self) -> None:
        """Choose the axes for all that is recorded, and send everything that stands still."""
        self._take()
        self._laid_out = max(len(lane.values) for lane in self._lanes)
        self._values = self._axis()
        self._gone, self._exits = self._leaving_lanes()
        self._send_lines(brief=False)
        self._send_axes()
        self._send_names(self._gone)
        self._draw_static()
        self._draw_ghosts()

    def _axis(self) -> Values:
        """The axis of values: of the whole run, or while its future is hidden of what is shown."""
        room = (self.pixels(9), self.pixels(10))
        band = [] if self._band is None else [*self._band[1], *self._band[2]]
        levels = [value for value, _ in self._level_list] + [float(value) for value in band]
        if self.future:
            axis = log_values if self.log else linear_values
            found = axis(self._lanes, levels, room, whole=self._whole)
        else:
            shown = self._read()[: self._k + 1]
            found = values_so_far(shown, levels, room, log=self.log, whole=self._whole)
        # While a hand moves a setting, the curves move and not the axis.
        moved = self._brief and self._values.log == found.log and bool(self._shown)
        return found.joined(self._values) if moved else found

    def _leaving_lanes(self) -> tuple[list[int | None], list[tuple[float, float]]]:
        """For each lane from which step on it stands outside, if it does, and where it left."""
        lanes = self._lanes if self.future else [self._shown_of(lane) for lane in self._lanes]
        lefts = leaving(lanes, log=self.log, whole=self._whole)
        self._outside_from = [
            0 if left is None else _last_inside(self._values.place(lane.values)) + 1
            for lane, left in zip(lanes, lefts, strict=True)
        ]
        every = list(zip(lanes, self._outside_from, lefts, strict=True))
        gone = [self._outside(lane, first, left) for lane, first, left in every]
        exits = [
            (0.0, 1.0) if left is None else self._exit(lane, first)
            for (lane, first, _), left in zip(every, gone, strict=True)
        ]
        return gone, exits

    def _shown_of(self, lane: Lane) -> Lane:
        """A lane as far as the cursor: what comes then is hidden."""
        ended = lane.broken is not None and self._k >= lane.broken - 1
        return Lane(lane.values[: self._k + 1], lane.broken if ended else None)

    def _send_lines(self, *, brief: bool) -> None:
        """Send the curves: all of them, or as many points as fit a frame of a growing run."""
        self._take()
        colours = [run.colour for run in self._runs]
        columns = BRIEF_COLUMNS if self._brief else COLUMNS
        if brief:
            columns = max(8, LIVE_BYTES // (16 * max(1, len(self._lanes))))
        edges = self._steps.columns(columns)
        lines, self._picked = [], []
        for lane, left in zip(
            self._lanes, leaving(self._lanes, log=self.log, whole=self._whole), strict=True
        ):
            count = len(lane.values)
            if left is not None:
                # Where it has left for good, its oscillations would fill the plot.
                count = min(count, _last_inside(self._values.place(lane.values)) + 2)
            picked = column_extremes(lane.values, edges, count) if count else np.zeros(0, np.int64)
            self._picked.append(picked)
            x, y = self._steps.place(picked), self._values.place(lane.values[picked])
            if lane.broken is not None and count == len(lane.values) > 0:
                # An infinite value lies above the plot: the curve leaves it on the way there.
                x = np.append(x, self._steps.place(lane.broken))
                y = np.append(y, max(2.0, 1.5 * y[-1]) if y[-1] > 0 else y[-1])
            lines.append((x, y))
        x, y = ragged(lines)
        write(self.past, x=x, y=y, colors=colours, visible=True)
        self._sent = self._recorded
        self._coarse = brief
        if not brief:
            write(self.coming, x=x, y=y, colors=colours, visible=self.future)

    def _send_axes(self) -> None:
        most = max(3, int(self.plot_height / (42 * self.size)))
        places, texts = self._values.ticks(most)
        shown = (self._steps, tuple(places), tuple(texts))
        if shown == self._shown:
            return
        self._shown = shown
        self.put_ticks(self.axis_y, places, texts)
        self._send_steps()
        grid = [(np.array([0.0, 1.0]), np.array([place, place])) for place in places]
        x, y = joined(grid)
        write(self.grid, x=x, y=y, visible=True)

    def _send_steps(self) -> None:
        """Ticks of steps, and which of them a narrow figure leaves out: see the style sheet."""
        places, texts = self._steps.ticks()
        self.put_ticks(self.axis_x, places, texts)
        half = [labels.width(text) / 2 + 3 for text in texts]
        gaps = np.diff(places) * NARROW - [a + b for a, b in itertools.pairwise(half)]
        thin = "" if not len(gaps) or gaps.min() >= 0 else "gdw-even"
        if thin and self._steps.log and (len(gaps) == 1 or gaps[:-1].min(initial=0.0) >= 0):
            thin = "gdw-last"
        for name in ("gdw-even", "gdw-last"):
            if name == thin:
                self.figure.add_class(name)
            else:
                self.figure.remove_class(name)

    def _send_names(self, gone: Sequence[int | None]) -> None:
        """Names at the ends of the curves; of one that leaves alone it is said above the plot."""
        self.margin["left"] = self.least_margin("left")
        tags = [f"{run.glyph} {name}" for run, name in zip(self._runs, self._names, strict=True)]
        # While the future is hidden a missing name would tell which lane leaves.
        alone = [lane for lane, left in enumerate(gone) if left is not None]
        one = self.future and len(alone) == 1 and self._named_beside_title(alone[0])
        stay = [
            lane
            for lane, left in enumerate(gone)
            if len(self._lanes[lane].values)
            and self._names[lane]
            and not (one and left is not None)
        ]
        tags = [labels.shortened(tag, 160.0) for tag in tags]
        wide = max((labels.width(tag) for tag in tags), default=0.0)
        # In strides, so that the plot keeps its width when a name changes a little.
        right = 24.0 if not any(self._names) else 16.0 * np.ceil((wide + 16) / 16)
        self.margin["right"] = max(float(right), self.least_margin("right"))
        self.place_margins()
        gap, half = self.pixels(17), self.pixels(8)
        if self.future:
            ends = [
                float(self._values.place(self._lanes[lane].values[-1]))
                if gone[lane] is None
                else self._exits[lane][1]
                for lane in stay
            ]
        else:
            # Places that tell nothing of where the curves will end.
            ends = [1 - (i + 0.5) * gap for i, _ in enumerate(stay)]
        places = labels.spread(np.clip(ends, 0, 1), gap, half, 1 - half)
        self.put_texts(
            self.names,
            np.ones(len(stay)),
            places,
            [tags[lane] for lane in stay],
            colors=[self._runs[lane].text for lane in stay] or [palette.INK],
        )
        write(
            self.present,
            text=np.array([run.glyph for run in self._runs]),
            colors=[run.colour for run in self._runs],
        )

    def _show_leavers(self, leaves: tuple[tuple[int, int, int], ...]) -> None:
        """Say beside the title which lanes leave the plot, and when: no curve comes there.

        ``leaves`` holds lanes, the updates that diverge where there are such, and those at which
        the curves leave: there the markers wait, and that is what is told.
        """
        self._leaving = leaves
        lanes = [lane for lane, _, _ in leaves]
        text = labels.longest(self._told_of_leavers(leaves), self._beside_title())
        colour = self._runs[lanes[0]].text if len(lanes) == 1 else palette.INK
        self.put_texts(
            self.leavers,
            [0.0] * bool(text),
            [1 + self.pixels(14)] * bool(text),
            [text] * bool(text),
            x_offset=round(self.size * (labels.width(self.title, 12.0) + 14)),
            colors=[colour],
        )

    def _beside_title(self) -> float:
        """Pixels of size 1 beside the title in a figure that is not narrow."""
        usual = min(self._usual, WHOLE / self.size)
        return usual - self.margin["left"] - labels.width(self.title, 12.0) - 14

    def _named_beside_title(self, lane: int) -> bool:
        """Whether what is said of a lane that leaves alone begins with its name."""
        told = self._told_of_leavers(((lane, 0, self._outside_from[lane]),))
        return ": " in labels.longest(told, self._beside_title())

    def _told_of_leavers(self, leaves: tuple[tuple[int, int, int], ...]) -> list[str]:
        """What can be said of lanes that leave the plot, the best first and the shortest last."""
        lanes = [lane for lane, _, _ in leaves]
        unit = self.axis_x.label or "step"
        diverge = all(self._lanes[lane].broken == outside for lane, _, outside in leaves)
        glyphs = [f"{self._runs[lane].glyph} {outside:,}" for lane, _, outside in leaves]
        if len(lanes) == 1:
            (lane,), (_, _, outside) = lanes, leaves[0]
            run, name = self._runs[lane], self._names[lane]
            title = self._titles[lane] if lane < len(self._titles) else name
            says = [f"diverges at {unit}"] if diverge else []
            says += [f"off the plot from {unit}", "off the plot from"]
            named = [f"{title}: {says[0]}", *(f"{name}: {one}" for one in says)] if name else []
            return [f"{run.glyph} {one} {outside:,}" for one in (*named, *says, "off from")]
        told = []
        for count in range(min(len(lanes), MOST_LEAVERS), 0, -1):
            # Their names are at the right.
            more = f" and {len(lanes) - count} more" if len(lanes) > count else ""
            listed = ", ".join(glyphs[:count]) + more
            told += [f"diverge at {unit}: {listed}"] if diverge else []
            said = (f"off the plot from {unit}", "off the plot from", "off from")
            told += [f"{one}: {listed}" for one in said]
        return [*told, f"{len(lanes)} left the plot"] if lanes else []

    @staticmethod
    def _outside(lane: Lane, first: int, left: int | None) -> int | None:
        """From which step on a lane that leaves stands outside the plot as it is drawn.

        One that diverges leaves with the update that diverges, which no axis shows; any other with
        the ``first`` step that is outside.
        """
        if left is None or lane.broken is not None:
            return left
        return first if first < len(lane.values) else None

    def _exit(self, lane: Lane, first: int) -> tuple[float, float]:
        """Where a lane leaves the plot for good, as parts of its width and height."""
        count = len(lane.values)
        if not 0 < first < count:
            return (float(self._steps.place(count - 1)), 1.0) if count else (0.0, 1.0)
        x = self._steps.place([first - 1, first])
        y = self._values.place(lane.values[first - 1 : first + 1])
        edge = 1.0 if y[1] > 1 else 0.0
        part = (edge - y[0]) / (y[1] - y[0])
        return float(x[0] + part * (x[1] - x[0])), edge

    def _draw_static(self) -> None:
        self.put_texts(self.heading, [0.0], [1 + self.pixels(14)], [self.title])
        levels = [(value, text) for value, text in self._level_list]
        across = np.array([0.0, 1.0])
        at = [float(self._values.place(value)) for value, _ in levels]
        _write_lines(self.levels, [(across, np.array([place, place])) for place in at])
        named = [(place, text) for place, (_, text) in zip(at, levels, strict=True) if text]
        self.put_texts(
            self.level_names,
            [0.012] * len(named),
            [place for place, _ in named],
            [text for _, text in named],
        )
        line = [] if self._theory is None else [self._placed(*self._theory)]
        _write_lines(self.theory, line)
        if self._band is not None:
            steps, low, high = self._band
            x = self._steps.place(steps).astype(np.float32)
            y = np.stack([self._values.place(high), self._values.place(low)]).astype(np.float32)
            write(self.band, x=np.stack([x, x]), y=y, visible=True)
        else:
            self.band.visible = False
        if self._points is not None:
            steps, values, lane = self._points
            dots = np.stack(self._placed(steps, values), axis=1)
            # A line of one point with round ends is a dot, and all dots are one path.
            x = np.repeat(dots[:, 0], 2)
            y = np.stack([dots[:, 1], np.full(len(dots), np.nan)], axis=1).ravel()
            write(
                self.points,
                x=x[:-1].astype(np.float32),
                y=y[:-1].astype(np.float32),
                colors=[self._runs[lane].colour],
                visible=True,
            )
        else:
            self.points.visible = False

    def _placed(
        self, steps: NDArray[Any], values: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._steps.place(steps), self._values.place(values)

    def _draw_ghosts(self) -> None:
        lines = [self._placed(steps, values) for steps, values, _ in self._ghosts]
        _write_lines(self.ghosts, lines)
        near = (0.05, self.pixels(26))
        ends: list[tuple[float, float, str]] = []
        for (x, y), (_, _, letter) in zip(lines, self._ghosts, strict=True):
            at, high = _end_inside(x, y)
            # Lanes of one run that end side by side have one letter.
            said = (
                abs(at - a) < near[0] and abs(high - h) < near[1]
                for a, h, one in ends
                if one == letter
            )
            if not any(said):
                ends.append((at, high, letter))
        self.put_texts(
            self.letters,
            [x for x, _, _ in ends],
            labels.spread([y for _, y, _ in ends], self.pixels(15), self.pixels(8), 1.0),
            [letter for _, _, letter in ends],
        )

    def _resize(self) -> None:
        size = self.size
        for mark, width in (
            (self.points, 3),
            (self.past, 3),
            (self.levels, 2),
            (self.theory, 1.2),
            (self.ghosts, 1.6),
            (self.coming, 2.4),
        ):
            mark.stroke_width = width * size
        for text, height in (
            (self.level_names, 13),
            (self.letters, 13),
            (self.heading, 14),
            (self.leavers, 13),
            (self.names, 13),
            (self.present, 18),
        ):
            text.default_size = height * size
        self.names.x_offset = round(10 * size)
        self.level_names.y_offset = -round(10 * size)
        self._shown = ()
        self.place_margins()


def _reader(
    given: ArrayLike | Callable[[], NDArray[Any]] | None,
) -> Callable[[], NDArray[Any]] | None:
    """What gives an array, of an array or of what gives one; nothing of nothing."""
    if given is None or callable(given):
        return given
    fixed = np.asarray(given)
    return lambda: fixed


def _arrays(series: Any) -> Any:
    """A tuple of float64 arrays, or nothing of nothing."""
    return None if series is None else tuple(np.asarray(part, np.float64) for part in series)


def _write_lines(mark: bq.Lines, lines: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> None:
    if not lines:
        mark.visible = False
        return
    x, y = joined(lines)
    write(mark, x=x, y=y, visible=True)


def _end_inside(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Where a line last is on the plot, or its middle."""
    last = _last_inside(np.where(x <= 1, y, np.nan))
    return (float(x[last]), float(y[last])) if last >= 0 else (0.5, 0.5)


def _last_inside(places: NDArray[Any]) -> int:
    """The last of a line's places that lies in the plot, as an index; −1 where none does."""
    inside = np.flatnonzero((places >= 0) & (places <= 1))
    return int(inside[-1]) if inside.size else -1
