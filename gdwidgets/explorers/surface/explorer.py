"""Gradient descent on a function of two variables, to be clicked, dragged, raced and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from ipywidgets import HTML, HBox, Layout, VBox, Widget
from traitlets import Bool, TraitError, validate

from gdwidgets.core import RULES, SURFACES, BasinMap, Descent, Surface
from gdwidgets.core.scripts.descent import descent_script
from gdwidgets.explorers.surface import text as words
from gdwidgets.explorers.surface.basins import Basins
from gdwidgets.explorers.surface.choice import (
    Point,
    as_kept_starts,
    as_surface,
    as_tolerance,
    default_settings,
    loss_floor,
)
from gdwidgets.explorers.surface.controls import SurfaceControls
from gdwidgets.explorers.surface.plots import SurfaceMap, basin_colour
from gdwidgets.ui import checks, text
from gdwidgets.ui.explorer import Explorer
from gdwidgets.ui.plots import palette
from gdwidgets.ui.plots.loss_plot import LossPlot
from gdwidgets.ui.runs import lane_steps

HEIGHT = 400
"""Height of both figures, in pixels."""

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

    surface = checks.Checked("himmelblau", lambda value: as_surface(value, None, (), ""))
    """The ``Surface`` that is descended; a name from ``SURFACES`` can be assigned."""

    start = checks.Checked((0.0, 0.0), lambda value: checks.point(value, "start"))
    """Where the run starts: (u, v), two finite numbers, kept as a tuple."""

    kept_starts = checks.Checked((), as_kept_starts)
    """Earlier starts that run along as lanes of their own: pairs (u, v), at most 7."""

    learning_rate = checks.Checked(0.01, lambda value: checks.real(value, "learning_rate", above=0))
    """The learning rate γ, a positive number."""

    rule = checks.Checked("gd", lambda value: checks.one_of(value, "rule", RULES))
    """The update rule: a name from ``gdwidgets.core.RULES``. Default ``"gd"``."""

    loss_tol = checks.Checked(None, as_tolerance)
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
        self._drawn: Surface | None = None
        chosen = as_surface(surface, bounds, minima, name)
        self.reject_unknown(settings)
        super().__init__(surface=chosen, **(default_settings(chosen) | settings))

    # -- settings ----------------------------------------------------------------------------

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
        self.basin_finder = Basins(self._loop, self._show_basins)
        loss = HBox([self.loss_plot.figure], layout=Layout(flex="1 1 320px", min_width="300px"))
        row = HBox([self.map.view, loss], layout=Layout(width="100%", flex_flow="row wrap"))
        return VBox([row, self.basin_finder.progress, self.key], layout=Layout(width="100%"))

    def build_controls(self) -> Widget:
        """Make the settings' controls and write the present settings into everything."""
        self.controls = SurfaceControls(self)
        self.settings_applied()
        self._show_loss_axis()
        return self.controls

    def folded(self) -> dict[str, Callable[[], str]]:
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

    def loose_widgets(self) -> tuple[Widget, ...]:
        """Return the scale of the loss axis that is not in use."""
        return self.loss_plot.widgets

    # -- drawing -----------------------------------------------------------------------------

    def settings_applied(self) -> None:
        """Prepare figures, controls and basins for a new descent."""
        if self._drawn is not self.surface:
            self._drawn = self.surface
            self.map.show_surface(self.surface)
        colours = palette.LANES[: self.descent.lanes]
        self.map.show_run(self.descent, colours)
        self.loss_plot.show_run(self.descent, self.max_steps, colours, loss_floor(self.surface))
        self.show_settings()
        self._refresh_basins()

    def _refresh_basins(self) -> None:
        if self.basins:
            self.basin_finder.want(self.surface, self.learning_rate, self.rule, self.max_steps)
        else:
            self.basin_finder.forget()

    def _show_basins(self, basins: BasinMap | None) -> None:
        self.map.show_basins(basins)
        self._write_key(self.step)
        self._gate.stamp()

    def show_settings(self) -> None:
        """Write the settings' values into their controls."""
        self.controls.show(self)

    def _show_loss_axis(self) -> None:
        self.show_settings()
        self.loss_plot.use_log(self.loss_log, self.descent, self.step)

    def draw(self, k: int) -> None:
        """Write every mark from the recording, with the cursor at ``k``."""
        try:
            self.descent.advance_to(min(k + 1, self.max_steps))  # for the next update's arrow
        except Exception as problem:  # noqa: BLE001 - a function of the student's may raise anything
            self.show_problem(problem)
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
        if self.basins and self.basin_finder.map is not None:
            parts.append(
                text.html_key(words.basin_entries(self.basin_finder.map, basin_colour), boxes=True)
            )
        html = "".join(parts)
        if self.key.value != html:
            self.key.value = html
            self.key.layout.display = None if html else "none"

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
        self.show_settings()
        here = [pin for pin in self.pins if pin.ghosts["surface"] is self.surface]
        self.map.show_ghosts([pin.ghosts["map"] for pin in here])
        self.loss_plot.show_ghosts(
            [pin.ghosts["loss"] for pin in here], [pin.label for pin in here]
        )

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
