"""A map of two parameters: starts and the paths of lanes over a ground.

Everything stands on a square from 0 to `SIDE`; values are put there by the window that is shown, so
the browser's scales never change, whatever surface or part of it is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gdwidgets.ui.plots import labels, palette, summary, ticks, trail
from gdwidgets.ui.plots.arrows import (
    REACH,
    arrow,
    arrow_factor,
    direction,
    fitting,
    is_cut,
)
from gdwidgets.ui.plots.figures import joined, write
from gdwidgets.ui.plots.frame import Frame
from gdwidgets.ui.plots.ground import CIRCLE, Ground
from gdwidgets.ui.plots.shade import Table
from gdwidgets.ui.plots.starts import Starts
from gdwidgets.ui.plots.view import SIDE, Point, View, on_map
from gdwidgets.ui.text import number

PATH_POINTS = 1200
"""Points of all paths together, at most; 400 a path."""

GHOST_POINTS = 200
"""Points of a kept run's path, at most."""

FRAME_BYTES = 860
"""Of the points in a frame: tails, arrows and markers of all lanes, 4 bytes a point."""

MOST_HALOS = 3
"""Lanes up to which paths have a white halo."""

MARKER = 7.0
"""Radius of a marker, in pixels."""

HEAD = 9.0
"""Length of an arrow's head, in pixels."""

MOST_AWAY = 3
"""Lanes of which it is told where they are off the map: more would cover it."""

WIDE = 200.0
"""Width of a map, in pixels, on which it is told where lanes are that have left it."""

PARTS = (("gradient", palette.GRADIENT), ("velocity", palette.VELOCITY))
"""What makes an update of momentum: names and colours of their arrows."""

Series = NDArray[Any] | Callable[[], NDArray[Any]]
"""Points (n, L, 2) of n records and L lanes, or what gives those recorded so far."""


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

    # Before anything is shown: no run.
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
        self._on_click = on_click
        self.view = View()
        self.ground = Ground(self, self.view, bar=bar)
        self.bar = self.ground.bar
        self.ghosts = self.lines(line_style="dashed", stroke_width=1.8)
        self.coming = self.lines(
            line_style="dotted", stroke_width=2.6, opacities=[0.7] * (len(palette.RUNS) + 1)
        )
        self.past = self.lines(stroke_width=3)
        self.moving = self.lines(stroke_width=3, fill="inside")
        self.part_names = self.texts(align="middle")
        self.away = self.texts(colors=[palette.GHOST], align="middle")
        self.letters = self.texts(colors=[palette.GHOST], align="middle")
        self.titles = self.texts(colors=[palette.TITLE], font_weight="normal", align="middle")
        self.upright = self.texts(colors=[palette.TITLE], font_weight="normal", align="end")
        self.factor_note = self.texts(colors=[palette.TITLE], font_weight="normal", align="end")
        self.clicks = self.click_layer()
        self.circles = Starts(self.scales, self.view, on_drag)
        self.start = self.circles.mark
        self.build(
            [
                *self.ground.marks,
                self.ghosts,
                self.coming,
                self.past,
                self.moving,
                self.part_names,
                self.away,
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
        self.clicks.on_element_click(lambda _, event: self._clicked(event["data"]))
        self._ghosts: list[tuple[NDArray[Any], str]] = []
        self._read: Callable[[], NDArray[Any]] = lambda: np.zeros((1, 1, 2), np.float32)
        self._last: Callable[[], NDArray[Any]] | None = None
        self._runs: list[palette.Run] = []
        self._lane_names: list[str] = []
        self._trails: list[trail.Trail] = []
        self._starts = np.zeros((1, 2))
        self._ends = np.zeros((0, 2))
        self._arrows_seen, self._arrows_cut = True, False
        self._factor_fits = True
        self._lettered: list[labels.Box] = []
        self._inside: list[NDArray[np.int32]] = []
        self._markers: list[NDArray[np.float64]] = []
        self._parts: tuple[int, NDArray[np.float64]] = (-1, np.zeros((len(PARTS), 2)))
        self._resize()

    # -- the ground --------------------------------------------------------------------------

    def show_surface(
        self,
        values: Callable[[NDArray[np.float32]], NDArray[Any]],
        bounds: tuple[tuple[float, float], tuple[float, float]],
        *,
        lowest: float | None = None,
        minima: Sequence[Point] = (),
        valley: tuple[ArrayLike, ArrayLike] | None = None,
        table: Table = palette.heat_table,
    ) -> None:
        """Show another surface, whole; basins and ghosts of the one before are taken away.

        Parameters
        ----------
        values
            Gives the values (M,) at points (M, 2), float32; asked again when the map is zoomed.
        bounds
            (low, high) of either parameter.
        lowest
            The lowest value anywhere, where it is known.
        minima
            Points to be numbered, from 1.
        valley
            A line of minima, where they are no points: its u (m,) and v (m,).
        table
            Gives the colours of its values: see `Shade`.
        """
        self.ground.show(values, lowest, minima, valley, table)
        self._ghosts = []
        self.view.show(bounds)
        self._draw_ground()

    def show_minima(self, minima: Sequence[Point]) -> None:
        """Number other minima, from 1: those a search for basins found as well."""
        self.ground.show_minima(minima)
        self._put_letters()

    def show_basins(
        self,
        labels: NDArray[np.integer] | None,
        *,
        diverged: int | Sequence[int] = -1,
        oscillating: int | None = None,
        unlisted: int | None = None,
    ) -> None:
        """Colour every start by the minimum it reaches; ``None`` takes the colours away.

        Parameters
        ----------
        labels
            (n, n) over the surface's bounds, row by row of v from low to high: indices of minima,
            or a negative number for a start that reaches none. Minima without a number look alike.
        diverged
            What stands for starts whose runs diverge: they are hatched.
        oscillating
            What stands for starts whose runs oscillate: they are dotted.
        unlisted
            What stands for starts that reach a minimum that has no index.
        """
        self.ground.show_basins(labels, diverged, oscillating, unlisted)

    def zoom(self, point: Point, factor: float) -> None:
        """Show the part of the map around a point, ``factor`` times as large; `draw` is called."""
        self.view.zoom(point, factor)
        self._draw_ground()
        self.draw(self._k, full=True)

    def zoom_to(self, window: ArrayLike) -> None:
        """Show a part of the map, (low, high) of either parameter; `draw` is called."""
        self.view.zoom_to(window)
        self._draw_ground()
        self.draw(self._k, full=True)

    def zoom_out(self) -> None:
        """Show what was seen before the last zoom; `draw` is called."""
        if self.view.zoom_out():
            self._draw_ground()
            self.draw(self._k, full=True)

    def zoom_whole(self) -> None:
        """Show the whole surface again; `draw` is called."""
        if self.view.zoom_whole():
            self._draw_ground()
            self.draw(self._k, full=True)

    @property
    def window(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(low, high) of either parameter, of the part of the map that is seen."""
        (u0, u1), (v0, v1) = self.view.window.tolist()
        return (u0, u1), (v0, v1)

    @property
    def magnification(self) -> float:
        """How many times as large as the whole surface the part is that is seen."""
        return self.view.magnification

    @property
    def zoomed(self) -> bool:
        """Whether only a part of the map is seen."""
        return self.view.zoomed

    def set_size(self, size: float, height: float | None = None) -> None:
        """Make text, lines and markers ``size`` times the normal, and the height with them."""
        self.size = float(size)
        self.height = self.height if height is None else float(height)
        self._resize()
        if self._runs:
            self._style()
        self._draw_ground()
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
            number that follows from the surface and the starts, and is smaller where the first
            updates' arrows would leave the map.
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
        self.factor = self._own_factor() if factor is None else float(factor)
        self._factor_fits = factor is not None
        self._fit_factor()
        halos = lanes <= MOST_HALOS
        self._parts_of = parts
        self.part_names.visible = False
        rows = lanes * (3 if halos else 2) + (0 if parts is None else 2 * len(PARTS))
        # A marker has up to 17 corners; an arrow takes five points of a row.
        self._width = int(np.clip(FRAME_BYTES // (4 * rows), 17, 40))
        self._halos = halos
        self._style()
        self.put_starts()
        self._put_letters()
        self._note_factor()
        self._send_paths()

    def extend(self) -> None:
        """Show what has been recorded since; `draw` must follow."""
        self._send_paths()

    def put_starts(self) -> None:
        """Put the start circles where the run's starts are, wherever they were dragged."""
        self.circles.put(self._starts)

    def show_ghosts(self, ghosts: Sequence[tuple[ArrayLike, str]]) -> None:
        """Show kept runs as thin dashed paths: (points (m, 2), letter) of each."""
        self._ghosts = []
        for points, letter in ghosts:
            path = np.asarray(points)
            kept = path[trail.thinned(path, GHOST_POINTS, self.view.size)].astype(np.float64)
            self._ghosts.append((kept, letter))
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
        self._fit_factor()
        shown, lines, markers, seen, cut = [], [], [], False, False
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
            else:
                update = self._update(params, lane, step, last[lane])
            pointing = self._pointing(lane, params[step, lane], update)
            seen |= len(pointing) > 0
            cut |= len(pointing) > 0 and self._is_cut(params[step, lane], update)
            lines.append(np.concatenate((tail, pointing)))
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
        seen = seen or any(len(one) > 1 for one in arrows)
        self._tell_away(params, last, full=full)
        if full and (seen, cut) != (self._arrows_seen, self._arrows_cut):
            self._arrows_seen, self._arrows_cut = seen, cut
            self._note_factor()

    def _tell_away(self, params: NDArray[Any], last: NDArray[np.int64], *, full: bool) -> None:
        """While nothing plays, say of several lanes where those are that have left the map.

        Their markers wait where they left, and their losses may be the lowest: see the loss plot.
        """
        low, high = self.view.bounds.T
        places: list[NDArray[np.float64]] = []
        texts: list[str] = []
        wide = self.plot_height / self.size
        lanes = len(self._trails) if full and wide > WIDE and len(self._trails) > 1 else 0
        for lane in range(lanes):
            if len(texts) == MOST_AWAY:
                break
            step = int(min(self._k, last[lane]))
            point = params[step, lane].astype(np.float64)
            if not ((point >= low) & (point <= high)).all():
                small = np.abs(point) < 0.005 * (high - low)
                u, v = (number(float(value), 2) for value in np.where(small, 0.0, point))
                places.append(self._exit(params, lane, step))
                texts.append(f"{self._runs[lane].glyph} at ({u}, {v})")
        if not texts and not self.away.visible:
            return
        pixel = self._pixel
        shown = labels.beside(
            np.array(places).reshape(-1, 2),
            texts,
            gap=10 * pixel,
            side=SIDE,
            font=13 * pixel,
            taken=[*self._circles(), *self._lettered],
        )
        self.put_texts(
            self.away,
            [x for _, x, _ in shown],
            [y for _, _, y in shown],
            [texts[index] for index, _, _ in shown],
        )

    @staticmethod
    def _update(params: NDArray[Any], lane: int, step: int, last: int) -> NDArray[np.float64]:
        """The update of a lane from a step, as it is recorded; none from its last."""
        if step >= last:
            return np.zeros(2)
        with np.errstate(invalid="ignore"):
            update: NDArray[np.float64] = params[step + 1, lane].astype(np.float64)
            return update - params[step, lane]

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
        arrows = [self._pointing(lane, point, vector) for vector in known]
        drawn = [i for i, one in enumerate(arrows) if full and len(one) and on_map(one[1])]
        pixel = self._pixel
        shown = labels.beside(
            np.array([arrows[i][1] for i in drawn]),
            [PARTS[i][0] for i in drawn],
            gap=2 * pixel,
            side=SIDE,
            font=13 * pixel,
            taken=[*self._circles(), *self._lettered],
            first=[direction(arrows[i]) for i in drawn],
        )
        if shown or self.part_names.visible:
            colours = [PARTS[drawn[index]][1] for index, _, _ in shown]
            self.put_texts(
                self.part_names,
                [x for _, x, _ in shown],
                [y for _, _, y in shown],
                [PARTS[drawn[index]][0] for index, _, _ in shown],
                colors=colours or [palette.INK],
            )
        # Where there is no arrow, its row is the point itself.
        none = self.to_map(point[None])
        return [one if len(one) else none for one in arrows]

    def first_arrow(self, lane: int) -> tuple[float | None, bool]:
        """How many times longer than a lane's first update its arrow is drawn, and if it is cut.

        None where nothing is drawn: it would lie under the circle of the start.
        """
        params = self._read()
        if len(params) < 2:
            return None, False
        self._fit_factor()
        start = params[0, lane]
        update = params[1, lane].astype(np.float64) - start
        hidden = not on_map(self.to_map(start))
        seen = hidden or len(self._pointing(lane, start, update)) > 0
        return self.factor if seen else None, self._is_cut(start, update)

    def _is_cut(self, point: NDArray[Any], update: NDArray[np.float64]) -> bool:
        return is_cut(self.to_map(point), self.factor * update / self.view.size * SIDE)

    def _pointing(
        self, lane: int, point: NDArray[Any], update: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The arrow of a lane's update, or nothing where the start's circle would hide it."""
        found = self._arrow(point, update)
        if len(found):
            away = found[1] - self.to_map(self._starts[lane])
            if np.hypot(*away) <= (CIRCLE + 3) * self._pixel:
                return found[:0]
        return found

    def _fit_factor(self) -> None:
        """Draw the first updates, once they are recorded, no longer than fits on the whole map."""
        if self._factor_fits:
            return
        first = self._read()[:2].astype(np.float64)
        if len(first) < 2:
            return
        self._factor_fits = True
        (low, high), before = self.view.bounds.T, self.factor
        with np.errstate(over="ignore", invalid="ignore"):
            updates = (first[1] - first[0]) / (high - low) * SIDE
        self.factor = fitting(before, (first[0] - low) / (high - low) * SIDE, updates)
        if self.factor != before:
            self._note_factor()

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
            away, near = trail.nearest(path, place)
            if away <= most and (best is None or away < best[0]):
                best = away, lane, near
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
        return summary.plane(self.names, self.window, k, lanes, self.ground.places)

    def to_map(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (n, 2) in the plane's units as places on the square of the browser's scales."""
        return self.view.to_map(points)

    def from_map(self, place: ArrayLike) -> Point:
        """A place on the square as a point in the plane's units, moved onto the map."""
        return self.view.from_map(place)

    def close(self) -> None:
        """Close the figure with all its parts, and the colour bar."""
        super().close()
        self.ground.close()

    # -- events ------------------------------------------------------------------------------

    def _clicked(self, data: dict[str, float]) -> None:
        if self._on_click is not None:
            self._on_click(self.from_map((data["click_x"], data["click_y"])))

    # -- drawing -----------------------------------------------------------------------------

    def _draw_ground(self) -> None:
        """Draw axes, surface and paths in the part that is seen."""
        for axis, (low, high) in zip((self.axis_x, self.axis_y), self.view.window, strict=True):
            room = (
                None
                if axis is self.axis_y
                else self.height - self.MARGIN["left"] - self.MARGIN["right"]
            )
            at, texts = ticks.written(low, high, 6, room)
            places = (np.array(at) - low) / (high - low) * SIDE
            self.put_ticks(axis, places.round().tolist(), texts)
        self._fit_margins()
        pixel = self.size * SIDE / self.plot_height
        self.put_texts(self.titles, [SIDE / 2], [-36 * pixel], [self.names[0]])
        # Between two ticks, where no number is, however wide the numbers are.
        rows = np.asarray(self.axis_y.tick_values)
        nearest = min(int(np.abs(rows - SIDE / 2).argmin()), max(0, len(rows) - 2))
        beside = rows[nearest : nearest + 2]
        self.put_texts(self.upright, [-10 * pixel], [float(beside.mean())], [self.names[1]])
        self.ground.draw()
        self._draw_ghosts()
        if self._trails:
            self.put_starts()
            self._send_paths()

    def _fit_margins(self) -> None:
        """Leave room for the texts of the ticks; the map stays a square."""
        margin = {side: self.least_margin(side) for side in ("left", "right")}
        margin["top"] = sum(margin.values()) - self.MARGIN["bottom"]
        if margin.items() <= self.margin.items():
            return
        self.margin.update(margin)
        self.place_margins()
        if self._runs:
            self._style()
            self._note_factor()

    def _draw_ghosts(self) -> None:
        lines, ends = [], []
        for points, _ in self._ghosts:
            line = trail.inside(self.to_map(points), 20.0, SIDE)
            lines.append(line)
            ends.append(np.clip(line[-1], 0.02 * SIDE, 0.96 * SIDE))
        if not lines:
            self.ghosts.visible = self.letters.visible = False
            self._lettered = []
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
        self._ends = np.array(ends)
        self._put_letters()

    def _put_letters(self) -> None:
        """Put the letters of kept runs beside their ends."""
        if not self._ghosts:
            return
        letters = [letter for _, letter in self._ghosts]
        pixel = self._pixel
        placed = labels.beside(
            self._ends, letters, gap=6 * pixel, side=SIDE, font=13 * pixel, taken=self._circles()
        )
        self._lettered = [labels.around(place, 5 * pixel, 9 * pixel) for _, *place in placed]
        self.put_texts(
            self.letters,
            [x for _, x, _ in placed],
            [y for _, _, y in placed],
            [letters[index] for index, _, _ in placed],
        )

    def _circles(self) -> list[labels.Box]:
        """What texts keep off: the numbers of minima and the circles of starts."""
        minima = np.array(self.ground.places).reshape(-1, 2)
        places = self.to_map(np.concatenate((minima, self._starts)))
        reach = CIRCLE * self._pixel
        return [labels.around(place, reach, reach) for place in places.tolist()]

    @property
    def _pixel(self) -> float:
        """A pixel of the normal size in the map's units."""
        return self.size * SIDE / self.plot_height

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
            bad = np.flatnonzero(~(np.isfinite(path[:, 0]) & np.isfinite(path[:, 1])))
            path = path[: max(1, int(bad[0]))] if bad.size else path
            steps = trail.thinned(path, most, self.view.size)
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
        (u0, u1), (v0, v1) = self.view.window
        u, v = path[:, 0], path[:, 1]
        on = (u >= u0) & (u <= u1) & (v >= v0) & (v <= v1)
        records = np.arange(len(path), dtype=np.int32)
        if on.all():
            return records
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

    def _own_factor(self) -> float:
        ground = self.ground
        return arrow_factor(ground.values, self.view.bounds, ground.slope, self._starts)

    def _note_factor(self) -> None:
        longer = f"×{number(self.factor)}" if self.factor != 1 else ""
        texts = [f"arrow {longer}"] if longer else [""]
        if self._arrows_cut:
            texts = ["arrow cut at edge"] if not longer else [f"{longer}, cut at edge", *texts]
        # Beside the name of the parameter, which stands in the middle.
        room = self.plot_height / self.size / 2 - 10
        text = labels.longest(texts, room) if self._arrows_seen else ""
        self.put_texts(self.factor_note, [SIDE], [-36 * self._pixel], [text] if text else [])

    def _arrow(self, point: NDArray[Any], update: NDArray[np.float64]) -> NDArray[np.float64]:
        """The arrow of an update from a point (5, 2), or nothing (0, 2): see `arrow`."""
        shaft = self.factor * update / self.view.size * SIDE
        pixel = SIDE / self.plot_height
        return arrow(self.to_map(point), shaft, pixel, HEAD * self.size * pixel)

    def _resize(self) -> None:
        size = self.size
        for mark, width in (
            (self.ghosts, 1.8),
            (self.coming, 2.6),
            (self.past, 3),
            (self.moving, 3),
        ):
            mark.stroke_width = width * size
        for text, height in (
            (self.part_names, 13),
            (self.away, 13),
            (self.letters, 13),
            (self.titles, 14),
            (self.upright, 14),
            (self.factor_note, 13),
        ):
            text.default_size = height * size
        self.start.default_size = round(230 * size**2)
        self.place_margins()
        wide = f"{round(size * self.height)}px"
        if self.figure.layout.max_width != wide:
            self.figure.layout.max_width = wide
        self.ground.resize()
