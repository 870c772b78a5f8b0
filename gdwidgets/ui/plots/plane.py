"""A map of two parameters: heat map, contours, minima, basins, starts, and the lanes' paths.

Everything stands on a square from 0 to `SIDE`; values are put there by the window that is shown, so
the browser's scales never change, whatever surface or part of it is seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import bqplot as bq
import contourpy
import ipywidgets
import numpy as np
from ipywidgets import HTML, Layout
from numpy.typing import ArrayLike, NDArray
from traitlets import validate

from gdwidgets.ui.plots import labels, palette, shade, summary, ticks, trail
from gdwidgets.ui.plots.figures import joined, show_image, write
from gdwidgets.ui.plots.frame import Frame
from gdwidgets.ui.plots.shade import Shade
from gdwidgets.ui.text import number

SIDE = 4000.0
"""Side of the map in the browser's units: whole ones are a tenth of a pixel."""

PIXELS = 200
"""Side of the heat map's picture."""

PATH_POINTS = 1200
"""Points of all paths together, at most; 400 a path."""

FRAME_BYTES = 860
"""Of the points in a frame: tails, arrows and markers of all lanes, 4 bytes a point."""

MOST_HALOS = 3
"""Lanes up to which paths have a white halo."""

REACH = 7.0
"""Sides of the map beyond which a path is drawn shorter than it is: 16-bit numbers end there."""

MARKER = 7.0
"""Radius of a marker, in pixels."""

HEAD = 9.0
"""Length of an arrow's head, in pixels."""

PARTS = (("gradient", palette.GRADIENT), ("velocity", palette.VELOCITY))
"""What makes an update of momentum: names and colours of their arrows."""

Point = tuple[float, float]
Series = NDArray[Any] | Callable[[], NDArray[Any]]
"""Points (n, L, 2) of n records and L lanes, or what gives those recorded so far."""


class Starts(bq.Scatter):
    """Circles that stay on the map: one that is dragged out of it is sent back to its edge."""

    @validate("x", "y")
    def _on_the_map(self, proposal: Any) -> NDArray[Any]:
        return np.clip(proposal["value"], 0.0, SIDE)


class Plane(Frame):
    """A figure of the plane of two parameters, and everything that moves on it.

    Parameters
    ----------
    height
        Of the figure at size 1, in pixels; its width is the same, and the map a square.
    on_click
        Called with the point that was clicked, in the plane's units.
    on_drag
        Called with (lane, point, released) while a start is dragged, and once more, ``released``
        true, when it is let go; the point lies on the map.
    names
        What the two parameters are called.
    future
        Whether what lies beyond the cursor is drawn, dotted.
    size
        1, or 1.4 for a projector.
    bar
        Whether there is a colour bar, `Plane.bar`, to be put beside the figure.
    """

    # As much at the sides as above and below: a square figure then has a square map.
    MARGIN: ClassVar[dict[str, float]] = {"top": 12.0, "right": 12.0, "bottom": 44.0, "left": 44.0}

    factor: float = 1.0
    """How many times longer than the next update its arrow is drawn."""

    # Before anything is shown: no slope, no run.
    _slope: float = 0.0
    _sent: int = -1
    _k: int = 0
    _pieces: int = 1
    _width: int = 17
    _halos: bool = True
    _parts_of: int | None = None

    def __init__(
        self,
        height: float,
        on_click: Callable[[Point], None] | None = None,
        on_drag: Callable[[int, Point, bool], None] | None = None,
        *,
        names: tuple[str, str] = ("u", "v"),
        future: bool = True,
        size: float = 1.0,
        bar: bool = False,
    ) -> None:
        super().__init__(height, size, SIDE)
        self.names, self.future = names, future
        self._on_click, self._on_drag = on_click, on_drag
        ends = np.array([0.0, SIDE])
        self.heat = bq.Image(image=_clear(), x=ends, y=ends, scales=self.scales, pixelated=False)
        self.contours = self.lines(colors=[palette.INK], stroke_width=0.9, opacities=[0.28])
        self.basins = bq.Image(image=_clear(), x=ends, y=ends, scales=self.scales, visible=False)
        self.valley = self.lines(
            colors=[palette.HALO, palette.INK], stroke_width=2, line_style="dashed"
        )
        self.minima = bq.Scatter(
            x=np.zeros(0, np.float32),
            y=np.zeros(0, np.float32),
            scales=self.scales,
            colors=["#FFFFFF"],
            stroke=palette.INK,
            stroke_width=1.4,
            default_size=240,
        )
        self.numbers = self.texts(colors=[palette.INK], align="middle")
        self.ghosts = self.lines(line_style="dashed", stroke_width=1.8)
        self.coming = self.lines(
            line_style="dotted", stroke_width=2.6, opacities=[0.7] * (len(palette.RUNS) + 1)
        )
        self.past = self.lines(stroke_width=3)
        self.moving = self.lines(stroke_width=3, fill="inside")
        self.part_names = self.texts(align="middle")
        self.letters = self.texts(colors=[palette.GHOST], align="middle")
        self.titles = self.texts(colors=[palette.TITLE], font_weight="normal", align="middle")
        self.upright = self.texts(colors=[palette.TITLE], font_weight="normal", align="end")
        self.factor_note = self.texts(colors=[palette.TITLE], font_weight="normal", align="end")
        self.clicks = self.click_layer()
        self.start = Starts(
            x=np.zeros(1, np.float32),
            y=np.zeros(1, np.float32),
            scales=self.scales,
            colors=["#FFFFFF"],
            stroke=palette.INK,
            stroke_width=3,
            default_size=230,
            enable_move=on_drag is not None,
            update_on_move=True,
            hovered_style={"cursor": "grab"} if on_drag is not None else {},
        )
        self.build(
            [
                self.heat,
                self.basins,
                self.contours,
                self.valley,
                self.minima,
                self.numbers,
                self.ghosts,
                self.coming,
                self.past,
                self.moving,
                self.part_names,
                self.letters,
                self.titles,
                self.upright,
                self.factor_note,
                self.clicks,
                self.start,
            ],
            "gdw-plane",
            min_aspect_ratio=1.0,
            max_aspect_ratio=1.0,
        )
        self.bar: HTML | None = HTML(layout=Layout(width="76px", flex="0 0 auto")) if bar else None
        self.clicks.on_element_click(lambda _, event: self._clicked(event["data"]))
        self.start.observe(self._dragged, ["x", "y"])
        self.start.on_drag_end(lambda _, event: self._released(event))
        self._values: Callable[[NDArray[np.float32]], NDArray[Any]] | None = None
        self._least: float | None = None
        self._bounds = np.array([[0.0, 1.0], [0.0, 1.0]])
        self._window = self._bounds.copy()
        self._zooms: list[NDArray[np.float64]] = []
        self.shade: Shade | None = None
        self._minima: list[Point] = []
        self._valley: tuple[NDArray[Any], NDArray[Any]] | None = None
        self._basins: tuple[NDArray[Any], tuple[int, ...], int | None] | None = None
        self._ghosts: list[tuple[NDArray[Any], str]] = []
        self._read: Callable[[], NDArray[Any]] = lambda: np.zeros((1, 1, 2), np.float32)
        self._last: Callable[[], NDArray[Any]] | None = None
        self._runs: list[palette.Run] = []
        self._lane_names: list[str] = []
        self._trails: list[trail.Trail] = []
        self._starts = np.zeros((1, 2))
        self._start_lanes = [0]
        self._inside: list[NDArray[np.int32]] = []
        self._markers: list[NDArray[np.float64]] = []
        self._put = self._starts
        self._parts: tuple[int, NDArray[np.float64]] = (-1, np.zeros((len(PARTS), 2)))
        self._resize()

    # -- the ground --------------------------------------------------------------------------

    def show_surface(
        self,
        values: Callable[[NDArray[np.float32]], NDArray[Any]],
        bounds: tuple[tuple[float, float], tuple[float, float]],
        *,
        least: float | None = None,
        minima: Sequence[Point] = (),
        valley: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        """Show another surface, whole; basins and ghosts of the one before are taken away.

        Parameters
        ----------
        values
            Gives the values (M,) at points (M, 2), float32; asked again when the map is zoomed.
        bounds
            (low, high) of either parameter.
        least
            The lowest value anywhere, where it is known.
        minima
            Points to be numbered, from 1.
        valley
            A line of minima, where they are no points: its u (m,) and v (m,).
        """
        self._values, self._least = values, least
        self._bounds = np.asarray(bounds, np.float64)
        self._zooms.clear()
        self._minima = [(float(u), float(v)) for u, v in minima]
        self._valley = None if valley is None else (np.asarray(valley[0]), np.asarray(valley[1]))
        self._basins = None
        self._ghosts = []
        self._show_window(self._bounds)

    def show_minima(self, minima: Sequence[Point]) -> None:
        """Number other minima, from 1: those a search for basins found as well."""
        self._minima = [(float(u), float(v)) for u, v in minima]
        self._draw_minima()

    def show_basins(
        self,
        labels: NDArray[np.integer] | None,
        *,
        diverged: int | Sequence[int] = -1,
        oscillating: int | None = None,
    ) -> None:
        """Colour every start by the minimum it reaches; ``None`` takes the colours away.

        Parameters
        ----------
        labels
            (n, n) over the surface's bounds, row by row of v from low to high: indices of minima,
            or a negative number for a start that reaches none.
        diverged
            What stands for starts whose runs diverge: they are hatched.
        oscillating
            What stands for starts whose runs oscillate: they are dotted.
        """
        grey = (diverged,) if isinstance(diverged, int) else tuple(diverged)
        self._basins = None if labels is None else (np.asarray(labels), grey, oscillating)
        self._draw_basins()

    def zoom(self, point: Point, factor: float) -> None:
        """Show the part of the map around a point, ``factor`` times as large; `draw` is called."""
        size = (self._window[:, 1] - self._window[:, 0]) / float(factor)
        low = np.asarray(point, np.float64) - size / 2
        low = np.clip(low, self._bounds[:, 0], self._bounds[:, 1] - size)
        self._zooms.append(self._window)
        self._show_window(np.stack([low, low + size], axis=1))
        self.draw(self._k, full=True)

    def zoom_out(self) -> None:
        """Show what was seen before the last `zoom`; `draw` is called."""
        if self._zooms:
            self._show_window(self._zooms.pop())
            self.draw(self._k, full=True)

    def zoom_whole(self) -> None:
        """Show the whole surface again; `draw` is called."""
        del self._zooms[1:]
        self.zoom_out()

    @property
    def window(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(low, high) of either parameter, of the part of the map that is seen."""
        (u0, u1), (v0, v1) = self._window.tolist()
        return (u0, u1), (v0, v1)

    @property
    def magnification(self) -> float:
        """How many times as large as the whole surface the part is that is seen."""
        whole, part = (np.ptp(ends[0]) for ends in (self._bounds, self._window))
        return float(whole / part)

    @property
    def zoomed(self) -> bool:
        """Whether only a part of the map is seen."""
        return bool(self._zooms)

    def set_size(self, size: float, height: float | None = None) -> None:
        """Make text, lines and markers ``size`` times the normal, and the height with them."""
        self.size = float(size)
        self.height = self.height if height is None else float(height)
        self._resize()
        if self._runs:
            self._style()
        self._show_window(self._window)
        self._note_factor()
        self.draw(self._k, full=True)

    def show_future(self, future: bool) -> None:
        """Draw what lies beyond the cursor, or hide it."""
        self.future = future
        self.coming.visible = future and bool(self._trails)

    # -- runs --------------------------------------------------------------------------------

    def show_run(
        self,
        params: Series,
        *,
        names: Sequence[str] = (),
        last: ArrayLike | Callable[[], NDArray[Any]] | None = None,
        runs: Sequence[int] | None = None,
        factor: float | None = None,
        parts: int | None = None,
    ) -> None:
        """Show another run; `draw` must follow.

        Parameters
        ----------
        params
            Float array (n, L, 2), record k in row k, or a callable that gives those recorded so
            far. Row 0 holds the starts.
        names
            L names, for the text alternative.
        last
            Each lane's last step (L,), or a callable of it; without it, the last record.
        runs
            Which of `palette.RUNS` each lane is, or `palette.OWN`; without it 0, 1, 2, …
        factor
            How many times longer than the next update its arrow is drawn; without it, a round
            number that follows from the surface and the starts alone.
        parts
            The lane beside whose next update `draw` shows the parts that make it.
        """
        self._read = params if callable(params) else lambda: params
        if last is None or callable(last):
            self._last = last
        else:
            fixed = np.asarray(last)
            self._last = lambda: fixed
        lanes = self._read().shape[1]
        self._runs = [palette.run(i) for i in (runs or range(lanes))]
        self._lane_names = [str(name) for name in names] or [""] * lanes
        self._starts = np.asarray(self._read()[0], np.float64)
        self.factor = self._arrow_factor() if factor is None else float(factor)
        halos = lanes <= MOST_HALOS
        self._parts_of = parts
        self.part_names.visible = False
        rows = lanes * (3 if halos else 2) + (0 if parts is None else 2 * len(PARTS))
        # A marker has up to 17 corners; an arrow takes five points of a row.
        self._width = int(np.clip(FRAME_BYTES // (4 * rows), 17, 40))
        self._halos = halos
        self._style()
        self.put_starts()
        self._note_factor()
        self._send_paths()

    def extend(self) -> None:
        """Show what has been recorded since; `draw` must follow."""
        self._send_paths()

    def put_starts(self) -> None:
        """Put the start circles where the run's starts are, wherever they were dragged."""
        _, first = np.unique(self._starts, axis=0, return_index=True)
        self._start_lanes = sorted(int(lane) for lane in first)
        self._put = self.to_map(self._starts[self._start_lanes])
        x, y = self._put.T.astype(np.float32)
        same = np.array_equal(self.start.x, x) and np.array_equal(self.start.y, y)
        with self.start.hold_trait_notifications():
            write(self.start, x=x, y=y)
        if same:
            # The browser may have moved a circle to where the kernel knows it already.
            self.start.send_state(["x", "y"])

    def show_ghosts(self, ghosts: Sequence[tuple[ArrayLike, str]]) -> None:
        """Show kept runs as thin dashed paths: (points (m, 2), letter) of each."""
        self._ghosts = [(np.asarray(points, np.float64), letter) for points, letter in ghosts]
        self._draw_ghosts()

    def draw(
        self,
        k: int,
        *,
        full: bool = False,
        updates: ArrayLike | None = None,
        parts: ArrayLike | None = None,
    ) -> None:
        """Draw the run with the cursor at step ``k``: at most two messages, unless ``full``.

        Parameters
        ----------
        k
            Number of updates applied.
        full
            Send what was recorded since at full resolution: on pause.
        updates
            The next update of each lane (L, 2), where it is not the next record's.
        parts
            What makes the next update of the lane that `show_run` was told (2, 2): what its
            gradient makes, and what its velocity adds. Kept for `draw`s that do not tell it.
        """
        self._k = int(k)
        if not self._trails:
            return
        params = self._read()
        recorded = len(params) - 1
        ahead = self._k - self._sent
        if recorded > self._sent and (full or ahead > max(self._width - 6, self._sent // 4)):
            self._send_paths()
        last = self._lasts(recorded)
        shown, lines, markers = [], [], []
        for lane, path in enumerate(self._trails):
            step = int(min(self._k, last[lane]))
            whole, steps = path.at(step)
            shown += [lane * self._pieces + piece for piece in range(whole)]
            most = self._width - 5
            if len(steps) > most:
                steps = steps[np.unique(np.linspace(0, len(steps) - 1, most).astype(int))]
            here = self.to_map(params[steps, lane])
            place = here[-1] if on_map(here[-1]) else self._exit(params, lane, step)
            tail = trail.inside(here, REACH, SIDE)
            if updates is not None:
                update = np.asarray(updates, np.float64)[lane]
            elif step < last[lane]:
                with np.errstate(invalid="ignore"):
                    update = params[step + 1, lane].astype(np.float64) - params[step, lane]
            else:
                update = np.zeros(2)
            lines.append(np.concatenate((tail, self._arrow(params[step, lane], update))))
            markers.append(place + self._markers[lane])
        arrows = self._part_arrows(params, last, parts, full=full)
        if self._halos:
            count = len(self._trails) * self._pieces
            shown = [row for piece in shown for row in (piece, count + piece)]
            shown.sort()
        # A row that does not exist: an empty list would show them all.
        subset = [*shown, 2 * max(1, self._pieces) * len(self._trails)]
        if self.past.curves_subset != subset:
            self.past.curves_subset = subset
        lines = [*(lines if self._halos else []), *lines, *arrows, *arrows]
        rows = trail.filled([*lines, *markers], self._width)
        limit = 32767
        rows = np.clip(np.nan_to_num(rows), -limit, limit).round().astype(np.int16)
        write(self.moving, x=rows[:, :, 0], y=rows[:, :, 1])

    def _part_arrows(
        self, params: NDArray[Any], last: NDArray[np.int64], parts: ArrayLike | None, *, full: bool
    ) -> list[NDArray[np.float64]]:
        """The arrows of what makes the next update, with their names while nothing plays."""
        lane = self._parts_of
        if lane is None:
            return []
        step = int(min(self._k, last[lane]))
        if parts is not None:
            self._parts = step, np.asarray(parts, np.float64)
        at, vectors = self._parts
        point = params[step, lane]
        known = vectors if at == step else np.zeros((len(PARTS), 2))
        arrows = [self._arrow(point, vector) for vector in known]
        drawn = [i for i, arrow in enumerate(arrows) if len(arrow)] if full else []
        away = 11 * self.size * SIDE / self.plot_height
        tips = [arrows[i][1] + away * _direction(arrows[i]) for i in drawn]
        shown = [i for i, tip in zip(drawn, tips, strict=True) if on_map(tip)]
        if shown or self.part_names.visible:
            tips = [tip for tip in tips if on_map(tip)]
            if len(tips) > 1:
                high = labels.spread([tip[1] for tip in tips], 1.5 * away, 0.0, SIDE)
                tips = [np.array([tip[0], y]) for tip, y in zip(tips, high, strict=True)]
            self.put_texts(
                self.part_names,
                [tip[0] for tip in tips],
                [tip[1] for tip in tips],
                [PARTS[i][0] for i in shown],
                colors=[PARTS[i][1] for i in shown] or [palette.INK],
            )
        # Where there is no arrow, its row is the point itself.
        none = self.to_map(point[None])
        return [arrow if len(arrow) else none for arrow in arrows]

    def nearest(self, point: Point, pixels: float) -> tuple[int, int] | None:
        """The lane and step of the path behind the cursor at a point, or none so near.

        Parameters
        ----------
        point
            In the plane's units.
        pixels
            How far the path may be from it, at size 1.
        """
        params = self._read()
        last = self._lasts(len(params) - 1)
        place = self.to_map(point)
        most = pixels * self.size * SIDE / self.plot_height
        best: tuple[float, int, int] | None = None
        for lane in range(len(self._trails)):
            path = self.to_map(params[: int(min(self._k, last[lane])) + 1, lane])
            if len(path) < 2:
                continue
            with np.errstate(invalid="ignore", over="ignore"):
                ahead = path[1:] - path[:-1]
                length = np.maximum((ahead**2).sum(1), 1e-12)
                along = np.clip(((place - path[:-1]) * ahead).sum(1) / length, 0.0, 1.0)
                away = np.hypot(*(path[:-1] + along[:, None] * ahead - place).T)
            away = np.nan_to_num(away, nan=np.inf)
            near = int(away.argmin())
            if away[near] <= most and (best is None or away[near] < best[0]):
                best = float(away[near]), lane, near + int(along[near] > 0.5)
        return None if best is None else best[1:]

    def _exit(self, params: NDArray[Any], lane: int, step: int) -> NDArray[np.float64]:
        """Where a lane's path left the map last before a step (2,)."""
        known = self._inside[lane]
        last = int(known[min(step, len(known) - 1)])
        # What was recorded since the paths were sent.
        new = self.to_map(params[len(known) : step + 1, lane])
        inside = np.flatnonzero(((new >= 0) & (new <= SIDE)).all(axis=1))
        if inside.size:
            last = len(known) + int(inside[-1])
        if last >= 0:
            inner, outer = self.to_map(params[last : last + 2, lane])
            return trail.crossing(inner, outer, SIDE)
        here = self.to_map(params[step, lane])
        return np.clip(np.nan_to_num(here, nan=SIDE / 2), 0.0, SIDE)

    def summary(self, k: int) -> str:
        """What the figure shows with the cursor at ``k``, as text for those who do not see it."""
        params = self._read()
        last = self._lasts(len(params) - 1)
        lanes = []
        for lane, name in enumerate(self._lane_names[: len(self._trails)]):
            u, v = params[min(k, int(last[lane])), lane]
            start = self._starts[lane]
            lanes.append((name, (float(u), float(v)), (float(start[0]), float(start[1]))))
        (u0, u1), (v0, v1) = self._window.tolist()
        return summary.plane(self.names, ((u0, u1), (v0, v1)), k, lanes, self._minima)

    def to_map(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (n, 2) in the plane's units as places on the square of the browser's scales."""
        low, high = self._window[:, 0], self._window[:, 1]
        return (np.asarray(points, np.float64) - low) / (high - low) * SIDE

    def from_map(self, place: ArrayLike) -> Point:
        """A place on the square as a point in the plane's units, moved onto the map."""
        part = np.clip(np.asarray(place, np.float64) / SIDE, 0.0, 1.0)
        u, v = self._window[:, 0] + part * (self._window[:, 1] - self._window[:, 0])
        return float(u), float(v)

    def close(self) -> None:
        """Close the figure with all its parts, and the colour bar."""
        super().close()
        if self.bar is not None:
            self.bar.layout.close()
            self.bar.style.close()
            self.bar.close()

    # -- events ------------------------------------------------------------------------------

    def _clicked(self, data: dict[str, float]) -> None:
        if self._on_click is not None:
            self._on_click(self.from_map((data["click_x"], data["click_y"])))

    def _dragged(self, change: Any) -> None:
        """One of x and y has come from the browser: tell which circle is where now."""
        if self._on_drag is None or len(self.start.x) != len(self.start.y):
            return
        now = np.stack([self.start.x, self.start.y], axis=1).astype(np.float64)
        if now.shape != self._put.shape:
            return
        # What arrives after the release is the point that was told then.
        moved = np.abs(now - np.clip(self._put, 0.0, SIDE)).max(axis=1)
        index = int(moved.argmax())
        if moved[index] > 0.5:
            self._put = now
            self._on_drag(self._start_lanes[index], self.from_map(now[index]), False)

    def _released(self, event: dict[str, Any]) -> None:
        index = int(event["index"])
        if self._on_drag is not None and index < len(self._start_lanes):
            place = np.array([event["point"]["x"], event["point"]["y"]])
            point = self.from_map(place)
            self._put = self._put.copy()
            self._put[index] = place
            self._on_drag(self._start_lanes[index], point, True)

    # -- drawing -----------------------------------------------------------------------------

    def _show_window(self, window: NDArray[np.float64]) -> None:
        self._window = np.asarray(window, np.float64)
        for axis, (low, high) in zip((self.axis_x, self.axis_y), self._window, strict=True):
            at = ticks.linear_ticks(low, high, 6)
            places = (np.array(at) - low) / (high - low) * SIDE
            self.put_ticks(axis, places.round().tolist(), ticks.linear_texts(at))
        pixel = self.size * SIDE / self.plot_height
        self.put_texts(self.titles, [SIDE / 2], [-36 * pixel], [self.names[0]])
        # Between two ticks, where no number is, however wide the numbers are.
        rows = np.asarray(self.axis_y.tick_values)
        nearest = min(int(np.abs(rows - SIDE / 2).argmin()), max(0, len(rows) - 2))
        beside = rows[nearest : nearest + 2]
        self.put_texts(self.upright, [-10 * pixel], [float(beside.mean())], [self.names[1]])
        if self._values is not None:
            self._draw_heat(self._values)
        self._draw_minima()
        self._draw_basins()
        self._draw_ghosts()
        if self._trails:
            self.put_starts()
            self._send_paths()

    def _draw_heat(self, values_at: Callable[[NDArray[np.float32]], NDArray[Any]]) -> None:
        (u0, u1), (v0, v1) = self._window
        at = (np.arange(PIXELS) + 0.5) / PIXELS
        u, v = u0 + (u1 - u0) * at, v0 + (v1 - v0) * at
        points = np.stack([np.tile(u, PIXELS), np.repeat(v, PIXELS)], axis=1).astype(np.float32)
        values = np.asarray(values_at(points), np.float64).reshape(PIXELS, PIXELS)
        if self.shade is None or not self._zooms:
            self.shade = Shade(values, self._least)
            # The typical slope of the whole surface over the map: see `_arrow_factor`.
            slope = np.hypot(*np.gradient(values)) * PIXELS
            finite = slope[np.isfinite(slope)]
            self._slope = float(np.median(finite)) if finite.size else 0.0
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
            height = round(self.size * self.height)
            top, bottom = (round(self.size * self.margin[side]) for side in ("top", "bottom"))
            self.bar.value = self.shade.bar(height, top, bottom)

    def _draw_minima(self) -> None:
        points = self.to_map(np.array(self._minima).reshape(-1, 2))
        on = np.flatnonzero(((points >= 0) & (points <= SIDE)).all(axis=1))
        write(
            self.minima,
            x=points[on, 0].astype(np.float32),
            y=points[on, 1].astype(np.float32),
            visible=bool(len(on)),
        )
        self.put_texts(self.numbers, points[on, 0], points[on, 1], [str(i + 1) for i in on])
        if self._valley is None:
            self.valley.visible = False
            return
        line = trail.inside(self.to_map(np.stack(self._valley, axis=1)), REACH, SIDE)
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
        labels, diverged, oscillating = self._basins
        corners = self.to_map(self._bounds.T)
        show_image(self.basins, shade.png(basin_picture(labels, diverged, oscillating)))
        write(self.basins, x=corners[:, 0].copy(), y=corners[:, 1].copy(), visible=True)

    def _draw_ghosts(self) -> None:
        lines, ends = [], []
        for points, _ in self._ghosts:
            line = trail.inside(self.to_map(points), 20.0, SIDE)
            lines.append(line[trail.thinned(line, 200)])
            ends.append(np.clip(line[-1], 0.02 * SIDE, 0.96 * SIDE))
        if not lines:
            self.ghosts.visible = self.letters.visible = False
            return
        x, y = joined([(line[:, 0], line[:, 1]) for line in lines])
        write(
            self.ghosts,
            x=np.stack([x, x]),
            y=np.stack([y, y]),
            colors=[palette.HALO, palette.GHOST],
            opacities=[0.6, 1.0],
            visible=True,
        )
        above = 12 * self.size * SIDE / self.plot_height
        self.put_texts(
            self.letters,
            [end[0] for end in ends],
            [end[1] + above for end in ends],
            [letter for _, letter in self._ghosts],
        )

    def _lasts(self, recorded: int) -> NDArray[np.int64]:
        lanes = len(self._runs)
        if self._last is None:
            return np.full(lanes, recorded)
        return np.minimum(np.asarray(self._last(), np.int64), recorded)

    def _send_paths(self) -> None:
        """Send the paths as far as they are recorded: their pieces, and the dotted whole."""
        params = self._read()
        last = self._lasts(len(params) - 1)
        lanes = len(self._runs)
        piece = self._width - 6
        most = int(np.clip(PATH_POINTS // max(1, lanes), 100, 400))
        self._trails, self._inside = [], []
        for lane in range(lanes):
            self._inside.append(self._last_inside(params[: int(last[lane]) + 1, lane]))
            path = params[: int(last[lane]) + 1, lane]
            bad = np.flatnonzero(~np.isfinite(path).all(axis=1))
            path = path[: max(1, int(bad[0]))] if bad.size else path
            steps = trail.thinned(path, most)
            points = trail.inside(self.to_map(path[steps]), 20.0, SIDE)
            self._trails.append(trail.Trail(steps[: len(points)], points, piece))
        self._pieces = max(1, *(path.pieces for path in self._trails))
        rows = np.concatenate([path.rows(self._pieces) for path in self._trails])
        if self._halos:
            rows = np.concatenate((rows, rows))
        rows = rows.astype(np.float32)
        colours = [run.colour for run in self._runs for _ in range(self._pieces)]
        write(
            self.past,
            x=rows[:, :, 0],
            y=rows[:, :, 1],
            colors=([palette.HALO] * len(colours) if self._halos else []) + colours,
            visible=True,
        )
        width = max(2, *(len(path.points) for path in self._trails))
        whole = trail.filled([path.points for path in self._trails], width).astype(np.float32)
        write(self.coming, x=whole[:, :, 0], y=whole[:, :, 1], visible=self.future)
        self._sent = len(params) - 1

    def _last_inside(self, path: NDArray[Any]) -> NDArray[np.int32]:
        """For each record (n,) of a lane the last one up to it that lies on the map, or −1."""
        low, high = self._window.T
        on = ((path >= low) & (path <= high)).all(axis=1)
        records = np.arange(len(path), dtype=np.int32)
        return np.maximum.accumulate(np.where(on, records, np.int32(-1)))

    def _style(self) -> None:
        """Colours of what moves, by lane."""
        colours = [run.colour for run in self._runs]
        halos = [palette.HALO] * len(colours) if self._halos else []
        lines = halos + colours
        if self._parts_of is not None:
            lines += [*([palette.HALO] * len(PARTS)), *(colour for _, colour in PARTS)]
        write(
            self.moving,
            colors=[*lines, *([palette.OUTLINE] * len(colours))],
            fill_colors=[*lines, *colours],
            fill_opacities=[0.0] * len(lines) + [1.0] * len(colours),
            visible=True,
        )
        self.coming.colors = colours
        pixel = SIDE / self.plot_height
        self._markers = [np.array(run.corners) * MARKER * self.size * pixel for run in self._runs]

    def _arrow_factor(self) -> float:
        """How many times longer than the update an arrow is drawn; never from the learning rate.

        Of a learning rate at which the typical slope of the surface moves a point by a fiftieth of
        the map, the first arrow is a tenth of the map long.
        """
        if self._values is None or not self._slope:
            return 1.0
        size = self._bounds[:, 1] - self._bounds[:, 0]
        starts = np.unique(self._starts, axis=0)
        steps = 0.005 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) * size
        around = (starts[:, None] + steps).reshape(-1, 2).astype(np.float32)
        values = np.asarray(self._values(around), np.float64).reshape(-1, 4)
        slopes = np.hypot(values[:, 0] - values[:, 1], values[:, 2] - values[:, 3]) / 0.01
        slopes = slopes[np.isfinite(slopes)]
        slope = float(np.median(slopes)) if slopes.size else 0.0
        if slope <= 0:
            return 1.0
        wanted = float(np.clip(5 * self._slope / slope, 1.0, 100.0))
        exponent = math.floor(math.log10(wanted))
        return max(d * 10.0**exponent for d in (1, 2, 5) if d * 10.0**exponent <= wanted * 1.001)

    def _note_factor(self) -> None:
        text = f"arrow ×{number(self.factor)}" if self.factor != 1 else ""
        away = SIDE / self.plot_height * self.size
        self.put_texts(self.factor_note, [SIDE], [-36 * away], [text] if text else [])

    def _arrow(self, point: NDArray[Any], update: NDArray[np.float64]) -> NDArray[np.float64]:
        """The arrow of an update from a point: its shaft and head (5, 2), or nothing (0, 2).

        Nothing where it would be shorter than a pixel or begin outside of the map.
        """
        tail = self.to_map(point)
        window = self._window[:, 1] - self._window[:, 0]
        shaft = self.factor * update / window * SIDE
        length = float(np.linalg.norm(shaft))
        pixel = SIDE / self.plot_height
        if not on_map(tail) or not math.isfinite(length) or length < pixel:
            return np.empty((0, 2))
        far = REACH * SIDE / max(length, REACH * SIDE)
        tip = tail + shaft * far
        along = shaft / length * min(HEAD * self.size * pixel, 0.6 * length)
        across = 0.55 * np.array([-along[1], along[0]])
        return np.stack([tail, tip, tip - along + across, tip, tip - along - across])

    def _resize(self) -> None:
        size = self.size
        for mark, width in (
            (self.valley, 2),
            (self.ghosts, 1.8),
            (self.coming, 2.6),
            (self.past, 3),
            (self.moving, 3),
        ):
            mark.stroke_width = width * size
        for text, height in (
            (self.numbers, 13),
            (self.part_names, 13),
            (self.letters, 13),
            (self.titles, 14),
            (self.upright, 14),
            (self.factor_note, 13),
        ):
            text.default_size = height * size
        self.minima.default_size = round(240 * size**2)
        self.start.default_size = round(230 * size**2)
        self.place_margins()
        wide = f"{round(size * self.height)}px"
        if self.figure.layout.max_width != wide:
            self.figure.layout.max_width = wide
        if self.bar is not None:
            self.bar.layout.width = f"{round(76 * size)}px"


def basin_picture(
    labels: NDArray[np.integer], diverged: Sequence[int] = (-1,), oscillating: int | None = None
) -> NDArray[np.uint8]:
    """A map of basins as RGBA, several pixels a start so that it can be hatched and dotted."""
    fine = max(1, 400 // len(labels))
    fine_labels = np.kron(labels, np.ones((fine, fine), np.int64))
    rgba = np.zeros((*fine_labels.shape, 4), np.uint8)
    rgba[fine_labels < 0] = [*palette.rgb(palette.UNSETTLED), 215]
    for index in np.unique(labels[labels >= 0]):
        rgba[fine_labels == index] = [*palette.rgb(palette.tint(int(index))), 205]
    gone = np.isin(fine_labels, list(diverged))
    rgba[gone] = [*palette.rgb("#FFFFFF"), 230]
    rows, columns = np.indices(fine_labels.shape)
    rgba[((rows + columns) // 4 % 2 == 0) & gone] = [*palette.rgb(palette.DIVERGED), 235]
    if oscillating is not None:
        dots = (rows % 6 < 3) & (columns % 6 < 3) & (fine_labels == oscillating)
        rgba[dots] = [*palette.rgb(palette.DIVERGED), 235]
    return rgba


def _direction(arrow: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction (2,) of an arrow (5, 2), of length 1."""
    shaft = arrow[1] - arrow[0]
    unit: NDArray[np.float64] = shaft / np.linalg.norm(shaft)
    return unit


def on_map(place: NDArray[np.float64]) -> bool:
    """Whether a place (2,) is finite and on the map."""
    return bool(0 <= place[0] <= SIDE and 0 <= place[1] <= SIDE)


def _smooth(values: NDArray[np.floating]) -> bool:
    """Whether a grid of half as many points a side shows the same contours."""
    inner = values[1:-1, 1:-1]
    bend = np.abs(values[2:, 1:-1] + values[:-2, 1:-1] - 2 * inner)
    spread = np.nanstd(values)
    return bool(np.nanmean(bend) < 0.004 * spread) if spread > 0 else True


def _clear() -> ipywidgets.Image:
    return ipywidgets.Image(value=shade.png(np.zeros((2, 2, 4), np.uint8)), format="png")
