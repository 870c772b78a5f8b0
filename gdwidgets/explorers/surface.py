"""Gradient descent on a function of two variables, to be clicked, dragged, raced and compared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ipywidgets import HTML, HBox, IntProgress, Layout, VBox, Widget
from traitlets import Any as AnyTrait
from traitlets import Bool, Float, TraitError, Tuple, Unicode, validate

from gdwidgets.core import RULES, SURFACES, BasinMap, BasinSearch, Descent, Surface
from gdwidgets.core.script import descent_script
from gdwidgets.core.session import own_torch_state
from gdwidgets.explorers import surface_words as words
from gdwidgets.explorers.surface_controls import SurfaceControls
from gdwidgets.explorers.surface_map import SurfaceMap, basin_colour
from gdwidgets.ui import checks, palette, text
from gdwidgets.ui.explorer import Explorer
from gdwidgets.ui.loss_plot import LossPlot
from gdwidgets.ui.runs import lane_steps

Point = tuple[float, float]

HEIGHT = 400
"""Height of both figures, in pixels."""

BASIN_GRID = 120
"""Starts a side of the basin map: 14,400 lanes."""

PATIENCE = 0.3
"""Seconds before a computation shows a progress bar."""

ADAPTIVE_SHARE = 0.01
"""Learning rate of RMSprop and Adam in a race, as a share of the map's width: these rules move by
about the learning rate itself, whatever the gradient."""


class SurfaceExplorer(Explorer):
    """Gradient descent on any function of two variables.

    Parameters
    ----------
    surface
        A name from ``gdwidgets.core.SURFACES``, a ``Surface``, or any callable of two tensors that
        returns one of the same shape.
    bounds
        For a callable: ``((u_min, u_max), (v_min, v_max))``, or ``(min, max)`` for both.
    minima
        For a callable: its known minima, pairs (u, v).
    name
        For a callable: what it is called.
    **settings
        Any of ``SETTINGS`` (see the traits), ``speed`` and ``layout``.

    Raises
    ------
    ValueError, TraitError
        When a setting does not fit: says what was given and what is accepted.
    TypeError
        For an unknown keyword: names the nearest.
    """

    SETTINGS = (
        "surface",
        "start",
        "kept_starts",
        "learning_rate",
        "rule",
        "max_steps",
        "loss_tol",
        "race",
        "basins",
        "loss_log",
    )

    surface = AnyTrait()
    """The ``Surface`` that is descended; a name from ``SURFACES`` can be assigned."""

    start = Tuple(default_value=(0.0, 0.0))
    """Where the run starts: (u, v), two finite numbers."""

    kept_starts = Tuple()
    """Earlier starts that run along as lanes of their own: pairs (u, v), at most 7."""

    learning_rate = Float(0.01)
    """The learning rate γ, a positive number."""

    rule = Unicode("gd")
    """The update rule: a name from ``gdwidgets.core.RULES``. Default ``"gd"``."""

    loss_tol = Float(None, allow_none=True)
    """Stop a lane when its loss changes by less than this in a step; ``None`` for never."""

    race = Bool(False)
    """Whether all update rules run from the present start instead."""

    basins = Bool(False)
    """Whether every start on the map is coloured by the minimum it reaches."""

    loss_log = Bool(True)
    """Whether the loss is drawn on a logarithmic axis."""

    def __init__(
        self,
        surface: str | Surface | Callable[..., torch.Tensor] = "himmelblau",
        *,
        bounds: Any = None,
        minima: Sequence[Point] = (),
        name: str = "",
        **settings: Any,
    ) -> None:
        self._basin_task: asyncio.Task[None] | None = None
        self._basin_map: BasinMap | None = None
        self._drawn: Surface | None = None
        self._basin_settings: tuple[Any, ...] | None = None
        chosen = as_surface(surface, bounds, minima, name)
        self._reject_unknown(settings)
        super().__init__(surface=chosen, **(default_settings(chosen) | settings))

    # -- settings ----------------------------------------------------------------------------

    @validate("surface")
    def _valid_surface(self, proposal: Any) -> Surface:
        return as_surface(proposal["value"], None, (), "")

    @validate("start")
    def _valid_start(self, proposal: Any) -> Point:
        u, v = checks.point(proposal["value"], "start")
        return u, v

    @validate("kept_starts")
    def _valid_kept_starts(self, proposal: Any) -> tuple[Point, ...]:
        points = [checks.point(point, "a kept start") for point in proposal["value"]]
        if len(points) >= len(palette.LANES):
            raise TraitError(f"at most {len(palette.LANES) - 1} starts can be kept")
        return tuple(dict.fromkeys((u, v) for u, v in points))

    @validate("learning_rate")
    def _valid_learning_rate(self, proposal: Any) -> float:
        return checks.real(proposal["value"], "learning_rate", above=0)

    @validate("rule")
    def _valid_rule(self, proposal: Any) -> str:
        return checks.one_of(proposal["value"], "rule", RULES)

    @validate("loss_tol")
    def _valid_loss_tol(self, proposal: Any) -> float | None:
        value = proposal["value"]
        return None if value is None else checks.real(value, "loss_tol", above=0)

    @validate("loss_log")
    def _valid_loss_log(self, proposal: Any) -> bool:
        if proposal["value"] and self.surface is not None and not self.surface.minima:
            raise TraitError(
                "a logarithmic loss axis needs the least value of the function: give the surface "
                "its minima, or stay with the linear axis"
            )
        return bool(proposal["value"])

    def _setting_changed(self, change: Any) -> None:
        if change["name"] == "surface" and self._ready and not self._together:
            with self.settings_together():
                self._stale = True
                for name, value in default_settings(self.surface).items():
                    setattr(self, name, value)
                self.kept_starts = ()
        elif change["name"] == "loss_log":
            if self._ready:
                self._show_loss_axis()
        elif change["name"] == "basins":
            if self._ready:
                self.show_settings()
                self._refresh_basins()
        else:
            super()._setting_changed(change)

    def settings(self) -> dict[str, Any]:
        """Keyword arguments that build an equal explorer."""
        known = next((name for name, s in SURFACES.items() if s is self.surface), self.surface)
        return super().settings() | {"surface": known}

    # -- lanes -------------------------------------------------------------------------------

    @property
    def starts(self) -> tuple[Point, ...]:
        """Starts of all lanes: those kept, then the present one; in a race the present one only."""
        if self.race:
            return (self.start,) * len(RULES)
        return tuple(dict.fromkeys((*self.kept_starts, self.start)))

    @property
    def lane(self) -> int:
        """The lane of the present start."""
        return 0 if self.race else self.starts.index(self.start)

    @property
    def rates(self) -> tuple[float, ...]:
        """Learning rates of all lanes: in a race, rules that scale their steps get their own."""
        if not self.race:
            return (self.learning_rate,) * len(self.starts)
        (u0, u1), _ = self.surface.bounds
        own = {"rmsprop": ADAPTIVE_SHARE * (u1 - u0), "adam": ADAPTIVE_SHARE * (u1 - u0)}
        return tuple(own.get(name, self.learning_rate) for name in RULES)

    @property
    def lane_settings(self) -> list[dict[str, Any]]:
        """Update rule and learning rate of every lane, where a race gives them their own."""
        rules = tuple(RULES) if self.race else (self.rule,) * len(self.starts)
        return [
            {"rule": rule, "learning_rate": rate}
            for rule, rate in zip(rules, self.rates, strict=True)
        ]

    @property
    def lane_names(self) -> tuple[str, ...]:
        """What each lane is called: its start, or in a race its rule."""
        if self.race:
            return tuple(
                f"{rule.label}, γ = {text.number(rate)}"
                for rule, rate in zip(RULES.values(), self.rates, strict=True)
            )
        return tuple(f"start ({text.number(u)}, {text.number(v)})" for u, v in self.starts)

    def add_start(self) -> None:
        """Keep the present start as a lane; the next click or drag sets another one.

        Raises
        ------
        TraitError
            When seven starts are kept already.
        """
        self.kept_starts = (*self.kept_starts, self.start)

    def clear_starts(self) -> None:
        """Forget the kept starts."""
        self.kept_starts = ()

    def move_start(self, lane: int, point: Point) -> None:
        """Move the start of a lane: what dragging a white circle does."""
        if self.race or lane == self.lane:
            self.start = point
        else:
            moved = list(self.kept_starts)
            moved[lane] = point
            self.kept_starts = tuple(moved)

    # -- building ----------------------------------------------------------------------------

    def build_descent(self) -> Descent:
        """Make the descent of the present settings."""
        descent = Descent(
            self.surface,
            self.starts,
            self.rates,
            rule=tuple(RULES) if self.race else self.rule,
            loss_tol=self.loss_tol,
            max_steps=self.max_steps,
        )
        descent.advance_to(0)
        for (u, v), outcome in zip(self.starts, descent.outcomes, strict=True):
            if outcome == "diverged":
                raise ValueError(
                    f"the function or its gradient is not finite at the start ({u:g}, {v:g}): "
                    "choose another"
                )
        return descent

    def build_picture(self) -> Widget:
        """Make the map, the loss plot and the key of lanes and basins."""
        self.map = SurfaceMap(
            HEIGHT,
            self.handler(lambda point: self.assign("start", point)),
            self.handler(self.drag),
        )
        self.loss_plot = LossPlot(HEIGHT)
        self.key = HTML(layout=Layout(width="100%", display="none"))
        self.progress = IntProgress(
            0, 0, 100, description="basins", layout=Layout(display="none", width="260px")
        )
        loss = HBox([self.loss_plot.figure], layout=Layout(flex="1 1 320px", min_width="300px"))
        row = HBox([self.map.view, loss], layout=Layout(width="100%", flex_flow="row wrap"))
        return VBox([row, self.progress, self.key], layout=Layout(width="100%"))

    def build_controls(self) -> Widget:
        """Make the settings' controls and write the present settings into everything."""
        self.controls = SurfaceControls(self)
        self.settings_applied()
        self._show_loss_axis()
        return self.controls

    def folded(self) -> Mapping[str, Callable[[], str]]:
        """Return the step table around the cursor, the runs side by side, and the code."""
        return {
            "Step table": lambda: words.step_table(self.descent, self.lane, self.step),
            "Run table": lambda: words.run_table(self),
            **super().folded(),
        }

    def drag(self, lane: int, point: Point) -> None:
        """Move a start to where its circle was dropped; a start that does not fit goes back."""
        try:
            self.move_start(lane, point)
        except ValueError:
            self.map.put_starts(self.descent)
            raise

    # -- drawing -----------------------------------------------------------------------------

    def settings_applied(self) -> None:
        """Prepare figures, controls and basins for a new descent."""
        if self._drawn is not self.surface:
            self._drawn = self.surface
            self.map.show_surface(self.surface)
        colours = palette.LANES[: self.descent.lanes]
        self.map.show_run(self.descent, colours)
        self.loss_plot.show_run(self.descent, self.max_steps, colours, least_value(self.surface))
        self.show_settings()
        self._refresh_basins()

    def show_settings(self) -> None:
        """Write the settings' values into their controls."""
        self.controls.show(self)

    def _show_loss_axis(self) -> None:
        self.show_settings()
        self.loss_plot.use_log(self.loss_log)
        self.loss_plot.draw(self.descent, self.step)

    def draw(self, k: int) -> None:
        """Write every mark from the recording, with the cursor at ``k``."""
        self.descent.advance_to(min(k + 1, self.max_steps))  # one more, for the next update's arrow
        self.map.draw(self.descent, k)
        self.loss_plot.draw(self.descent, k)
        self._write_key(k)
        at = self.descent.params[lane_steps(self.descent, k)[self.lane], self.lane]
        if self.race or self.rule != "gd":
            self.controls.rate.show_limit(float("inf"), "the limit 2/λ is for plain descent")
        else:
            self.controls.rate.show_limit(*words.limit_here(self.surface, at))

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        return words.sentence(self, k)

    def _write_key(self, k: int) -> None:
        parts = []
        if self.descent.lanes > 1:
            parts.append(text.html_key(words.lane_entries(self, k)))
        if self.basins and self._basin_map is not None:
            parts.append(
                text.html_key(words.basin_entries(self._basin_map, basin_colour), boxes=True)
            )
        html = "".join(parts)
        if self.key.value != html:
            self.key.value = html
            self.key.layout.display = None if html else "none"

    # -- basins ------------------------------------------------------------------------------

    def _refresh_basins(self) -> None:
        """Compute the basin map of the present settings, if it is wanted and not known yet."""
        wanted = (self.surface, self.learning_rate, self.rule, self.max_steps)
        if self.basins and wanted == self._basin_settings:
            return
        if self._basin_task is not None:
            self._basin_task.cancel()
            self._basin_task = None
        self._basin_settings = wanted if self.basins else None
        self._basin_map = None
        self.progress.layout.display = "none"
        self.map.show_basins(None)
        if not self.basins:
            self._write_key(self.step)
            return
        search = BasinSearch(
            self.surface,
            self.learning_rate,
            rule=self.rule,
            max_steps=self.max_steps,
            resolution=BASIN_GRID,
        )
        if self._loop.running:
            self._basin_task = self._loop.start(self._search(search))
        else:
            while not search.advance(1.0):
                pass
            self._show_basins(search.result())

    async def _search(self, search: BasinSearch) -> None:
        began = time.monotonic()
        try:
            while not search.advance(0.01):
                if time.monotonic() - began > PATIENCE:
                    self.progress.layout.display = None
                    share = int(100 * search.progress)
                    if share != self.progress.value:
                        self.progress.value = share
                await asyncio.sleep(0)
        finally:
            if self._basin_task is asyncio.current_task():
                self.progress.layout.display = "none"
        self._show_basins(search.result())

    def _show_basins(self, basins: BasinMap) -> None:
        self._basin_map = basins
        self.map.show_basins(basins)
        self._write_key(self.step)
        self._gate.stamp()

    # -- pins, tables, code ------------------------------------------------------------------

    def ghosts(self) -> dict[str, Any]:
        """Points of the present run's ghost on the map and in the loss plot."""
        k = int(lane_steps(self.descent, self.step)[self.lane])
        return {
            "map": self.map.pin(self.descent, self.lane, k),
            "loss": self.loss_plot.pin(self.descent, self.lane, k),
            "surface": self.surface,
            "lane": self.lane,
        }

    def show_pins(self) -> None:
        """Draw the ghosts of the pins that were made on the present surface."""
        here = [pin.ghosts for pin in self.pins if pin.ghosts["surface"] is self.surface]
        self.map.show_ghosts([ghosts["map"] for ghosts in here])
        self.loss_plot.show_ghosts([ghosts["loss"] for ghosts in here])

    def table(self) -> str:
        """Return the run as the course's Exercise 3 prints it: every 100 steps, and the end.

        The run is computed as far as it is not yet; the cursor stays where it is.
        """
        self.compute(self.max_steps)
        return words.course_table(self.descent)

    def code(self) -> str:
        """Return a plain-PyTorch script of the present settings; it prints the final numbers.

        Raises
        ------
        ValueError
            When the source of a function of your own cannot be had.
        """
        return descent_script(self.descent)


class HimmelblauExplorer(SurfaceExplorer):
    """Gradient descent on Himmelblau's function, the course's Exercise 3.

    Parameters
    ----------
    start, learning_rate, rule, max_steps, loss_tol
        The settings of the exercise; see the traits of ``SurfaceExplorer``.
    **settings
        Any other setting.
    """

    def __init__(
        self,
        start: Point = (1.0, 1.0),
        learning_rate: float = 5e-4,
        rule: str = "gd",
        max_steps: int = 300,
        loss_tol: float | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            settings.pop("surface", "himmelblau"),
            start=start,
            learning_rate=learning_rate,
            rule=rule,
            max_steps=max_steps,
            loss_tol=loss_tol,
            **settings,
        )


def as_surface(surface: Any, bounds: Any, minima: Sequence[Point], name: str) -> Surface:
    """Return a surface of a name, a ``Surface`` or a callable.

    Raises
    ------
    TraitError, ValueError
        When there is no such surface, or the callable is none.
    """
    if isinstance(surface, str):
        return SURFACES[checks.one_of(surface, "surface", SURFACES)]
    if isinstance(surface, Surface):
        return surface
    if not callable(surface):
        raise TraitError(
            f"surface must be a name, a Surface or a callable of two tensors, not {surface!r}"
        )
    if bounds is None:
        raise TraitError(
            "a function of your own needs bounds, such as bounds=((-2, 2), (-1, 3)): "
            "the part of the plane that the map shows"
        )
    return Surface(surface, bounds, minima, name or getattr(surface, "__name__", "your function"))


def default_settings(surface: Surface) -> dict[str, Any]:
    """Start, learning rate and loss axis that show something on a surface.

    Where the surface names none, the start is a quarter into the map and the learning rate half
    of the largest that is stable there, or 0.01 where nothing limits it.
    """
    (u0, u1), (v0, v1) = surface.bounds
    start = surface.start or (u0 + 0.25 * (u1 - u0), v0 + 0.25 * (v1 - v0))
    rate = surface.learning_rate
    if rate is None:
        limit, _ = words.limit_here(surface, np.array(start, np.float32))
        rate = float(f"{min(0.5 * limit, 0.01):.1g}")
    return {"start": start, "learning_rate": rate, "loss_log": bool(surface.minima)}


def least_value(surface: Surface) -> float:
    """The least known value of a surface, 0 where it is 0 to rounding or not known."""
    if not surface.minima:
        return 0.0
    with own_torch_state(), torch.no_grad():
        values = surface(torch.tensor(surface.minima, dtype=torch.float32, device="cpu"))
    least = float(values.min())
    return least if abs(least) > 1e-5 else 0.0
