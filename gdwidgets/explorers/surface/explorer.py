"""Gradient descent on a function of two variables, to be clicked, dragged, raced and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from ipywidgets import Dropdown, HBox, Layout, VBox, Widget

from gdwidgets.core import RULES, SURFACES, BasinMap, Descent, Surface, as_rule, checks, tables
from gdwidgets.core.scripts.descent import descent_script
from gdwidgets.explorers.surface import text as words
from gdwidgets.explorers.surface.basins import Basins
from gdwidgets.explorers.surface.given import (
    Point,
    as_kept_starts,
    as_learning_rate,
    as_surface,
    as_update_rule,
    clamped,
    defaults,
    least_value,
    loss_floor,
)
from gdwidgets.ui import printed, text
from gdwidgets.ui.descent_explorer import DescentExplorer
from gdwidgets.ui.described import (
    RuleChoice,
    RuleField,
    ScheduledRate,
    ScheduleField,
    rate_at,
)
from gdwidgets.ui.fold import Part
from gdwidgets.ui.form import Choice, Optional, Pair, RateField, Switch, button
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.plots.plane import Plane
from gdwidgets.ui.plots.shade import Shade
from gdwidgets.ui.runs import Run, lane_steps, step_table
from gdwidgets.ui.settings import Setting
from gdwidgets.ui.situations import Situations

HEIGHT = 328
"""Height of both figures, in pixels."""

ADAPTIVE = 0.01
"""Learning rate of RMSprop and Adam in a race, in widths of the map: these rules move by about the
learning rate itself, whatever the gradient."""

OWN = "your own function"


class SurfaceExplorer(DescentExplorer):
    """Gradient descent on any function of two variables.

    Parameters
    ----------
    surface
        A name from ``gdwidgets.core.SURFACES``, a ``Surface``, any callable of two tensors that
        returns one of the same shape, or an objective with two parameters.
    bounds
        For a callable: ``((u_min, u_max), (v_min, v_max))``, or ``(min, max)`` for both.
    minima
        For a callable: its known minima, pairs (u, v).
    name
        For a callable: what it is called.
    **settings
        Any other setting (see the traits), and ``layout``.

    Raises
    ------
    ValueError
        When a setting does not fit: names it, says what was given and what is accepted.
    TypeError
        For an unknown keyword: names the nearest.
    """

    DIALS = ("learning_rate", "rule")
    MORE = (("start", "max_steps", "loss_tol", "loss_log"),)

    SITUATIONS: ClassVar[Situations] = {
        "the exercise": {
            "sentence": "From (1, 1) the run goes downhill to minimum ①. Watch its steps get "
            "shorter as the slope does, and the loss fall along an almost straight line.",
        },
        "four valleys": {
            "start": (-0.25, -0.9),
            "learning_rate": 0.005,
            "max_steps": 150,
            "basins": True,
            "sentence": "Almost the top of the hill between the four minima. Drag the start a "
            "little: which valley it runs into depends on the side it starts on.",
        },
        "too fast": {
            "start": (-1.0, -1.0),
            "learning_rate": 0.02,
            "sentence": "At this rate updates jump across the valley: the loss rises and falls. "
            "Lower the rate until the path is one smooth curve.",
        },
        "saddle": {
            "surface": "saddle",
            "sentence": "Down one way, up the other. The run seems to come to rest at the centre "
            "and then leaves it, faster and faster: the gradient was small, not the end.",
        },
        "ravine": {
            "surface": "narrow valley",
            "sentence": "Steep across, almost flat along. A rate that is stable across the valley "
            "makes progress along it slow; try momentum as the update rule.",
        },
        "trapped": {
            "surface": "rastrigin",
            "sentence": "Many minima, only one the lowest. Descent ends in the one it starts near, "
            "and has no way to know of the others.",
        },
    }

    surface = Setting(
        SURFACES["himmelblau"],
        lambda value, _: as_surface(value, None, (), ""),
        help="The function to be minimized",
    )
    """The ``Surface`` that is descended; a name from ``SURFACES`` can be assigned. With another
    surface come its own start, learning rate and loss axis."""

    start = Setting(
        (1.0, 1.0),
        checks.point,
        help="Where the run starts; also by a click on the map or by dragging the white circle",
        control=Pair(("u", "v")),
    )
    """Where the run starts: (u, v), two finite numbers, kept as a tuple."""

    kept_starts = Setting((), as_kept_starts, help="Earlier starts that run along")
    """Earlier starts that run along as lanes of their own: points (u, v), at most 7."""

    learning_rate = Setting(
        5e-4,
        as_learning_rate,
        label="learning rate γ",
        help="Learning rate γ: how far one update goes along the negative gradient",
        control=ScheduledRate(1e-5, 1.0),
    )
    """The learning rate γ: a positive number, or a schedule γ(t), a callable of the update's number
    from 0 (see ``gdwidgets.core.rules.schedules`` for named ones)."""

    rule = Setting(
        "gd",
        as_update_rule,
        label="update rule",
        help="How gradients become an update",
        control=RuleChoice(),
    )
    """The update rule: a name from ``gdwidgets.core.RULES``, a rule object such as
    ``Momentum(beta=0.5)``, or a class or factory of ``torch.optim``. Default ``"gd"``."""

    loss_tol = Setting(
        None,
        checks.optional(checks.positive),
        label="loss_tol",
        help="Stop when the loss changes by less than this in an update; empty for never",
        control=Optional(),
    )
    """Stop a lane when its loss changes by less than this in an update; ``None`` for never."""

    race = Setting(
        False,
        checks.boolean,
        label="Race",
        help="Run every update rule from this start",
        control=Switch(),
    )
    """Whether all update rules run from the present start instead."""

    basins = Setting(
        False,
        checks.boolean,
        label="Basins",
        help="Colour every start by the minimum it reaches under these settings",
        control=Switch(),
        view=True,
    )
    """Whether every start on the map is coloured by the minimum it reaches."""

    loss_log = Setting(
        True,
        checks.boolean,
        label="loss axis",
        help="Scale of the loss axis",
        control=Choice((("logarithmic", True), ("linear", False)), "128px"),
        view=True,
    )
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
        chosen = as_surface(surface, bounds, minima, checks.text(name, "name"))
        self.reject_unknown({key: 0 for key in settings if key != "layout"})
        self._own: Surface | None = None
        self._choosing = False
        self._drawn_surface: Surface | None = None
        super().__init__(surface=chosen, **(defaults(chosen) | settings))

    # -- settings ----------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Keyword arguments that build an equal explorer."""
        return super().settings() | {"surface": self._known(self.surface)}

    @staticmethod
    def _known(surface: Surface) -> str | Surface:
        return next((name for name, known in SURFACES.items() if known is surface), surface)

    def situation_settings(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of a situation: what its surface brings along, and its ``own``."""
        surface = as_surface(own.get("surface", self.home), None, (), "")
        return {
            **super().situation_settings({}),
            **defaults(surface),
            "basins": False,
            **own,
            "surface": surface,
        }

    @property
    def home(self) -> Any:
        """The surface of situations that name none."""
        return "himmelblau"

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
        """First learning rates of all lanes.

        In a race, rules that scale their steps get their own, and a schedule stands still.
        """
        if not self.race:
            return (rate_at(self.learning_rate),) * len(self.starts)
        (u0, u1), _ = self.surface.bounds
        own = {"rmsprop": ADAPTIVE * (u1 - u0), "adam": ADAPTIVE * (u1 - u0)}
        return tuple(own.get(name, rate_at(self.learning_rate)) for name in RULES)

    @property
    def lane_names(self) -> tuple[str, ...]:
        """What each lane is called at the end of its curve."""
        if self.race:
            return tuple(words.short_name(rule) for rule in RULES.values())
        if len(self.starts) == 1:
            return (words.short_name(as_rule(self.rule)),)
        return tuple(words.lane_name(u, v) for u, v in self.starts)

    def lane_titles(self) -> Sequence[str]:
        """What each lane is called."""
        return self.lane_names

    @property
    def compared_lane(self) -> int:
        """The lane of the present start."""
        return self.lane

    def add_start(self) -> None:
        """Keep the present start as a lane; the next click or drag sets another one.

        Raises
        ------
        ValueError
            When seven starts are kept already.
        """
        self.kept_starts = (*self.kept_starts, self.start)

    def clear_starts(self) -> None:
        """Forget the kept starts."""
        self.kept_starts = ()

    def move_start(self, lane: int, point: Point) -> None:
        """Move the start of a lane: what dragging a white circle does.

        Raises
        ------
        ValueError
            When there is no such lane, or the point is none.
        """
        lane = checks.integer(lane, "lane", 0, len(self.starts) - 1)
        if self.race or lane == self.lane:
            self.start = point
        else:
            moved = list(self.kept_starts)
            moved[lane] = checks.point(point, "start")
            self.kept_starts = tuple(moved)

    # -- the recording -----------------------------------------------------------------------

    def new_recording(self, changed: frozenset[str]) -> Descent:
        """Make the descent of the present settings; another surface brings its own along."""
        if "surface" in changed and self._applied is not None:
            for name, value in defaults(self.surface).items():
                if name not in changed:
                    setattr(self, name, value)
            if "kept_starts" not in changed:
                self.kept_starts = ()
        if self.loss_log and not self.surface.minima:
            if "loss_log" in changed and "surface" not in changed:
                raise ValueError(
                    "loss_log must be False here: a logarithmic axis needs the lowest value of the "
                    "function, and this surface names no minima"
                )
            self.loss_log = False
        descent = Descent(
            self.surface,
            self.starts,
            self.rates if self.race else self.learning_rate,
            rule=tuple(RULES) if self.race else self.rule,
            loss_tol=self.loss_tol,
            max_steps=self.max_steps,
        )
        for (u, v), outcome in zip(self.starts, descent.outcomes, strict=True):
            if outcome == "diverged":
                raise ValueError(
                    "start must be where the function and its gradient are finite, which they are "
                    f"not at {words.at_point(u, v)}"
                )
        return descent

    # -- the face ----------------------------------------------------------------------------

    def build_chooser(self) -> Widget:
        """Make the list of surfaces."""
        self.chooser = Dropdown(
            options=self._surfaces(),
            tooltip="The function to be minimized",
            layout=Layout(width="128px", flex="0 0 auto"),
        )
        choose = self.handler(self._choose_surface)
        self.chooser.observe(lambda c: None if self._choosing else choose(c["new"]), names="value")
        return self.chooser

    def _surfaces(self) -> list[tuple[str, Any]]:
        known = [(surface.name, name) for name, surface in SURFACES.items()]
        return known if self._own is None else [*known, (self._own.name or OWN, OWN)]

    def _choose_surface(self, name: str) -> None:
        chosen = self._own if name == OWN else SURFACES[name]
        if chosen is not self.surface:
            try:
                self.surface = chosen
            finally:
                self._show_chooser()

    def _show_chooser(self) -> None:
        known = self._known(self.surface)
        self._choosing = True
        try:
            if not isinstance(known, str) and self._own is not self.surface:
                self._own = self.surface
                self.chooser.options = self._surfaces()
            self.chooser.value = known if isinstance(known, str) else OWN
        finally:
            self._choosing = False

    def build_picture(self) -> Widget:
        """Make the map and the loss plot."""
        click = self.handler(lambda point: setattr(self, "start", point))
        self.map = Plane(HEIGHT, click, self.handler(self.drag))
        self.loss_plot = Curves(HEIGHT, on_click=self.handler(self._read_out))
        self.basin_finder = Basins(self._loop, self._show_basins)
        for plot in (self.map, self.loss_plot):
            plot.figure.add_class("gdw-figure")
        left = VBox(
            [self.map.figure, self.basin_finder.progress],
            layout=Layout(flex=f"0 1 {HEIGHT}px", min_width="280px"),
        )
        right = HBox([self.loss_plot.figure], layout=Layout(flex="1 1 320px", min_width="280px"))
        return HBox([left, right])

    def build_dials(self) -> Sequence[Widget]:
        """Make the track of the learning rate and the choice of the rule."""
        made = super().build_dials()
        made[0].layout.flex = "1 1 320px"
        return made

    def comparisons(self) -> Sequence[Widget]:
        """Starts, race and basins."""
        self.add = button("Add a start", "Keep this start, then click for another")
        self.clear = button("Clear starts", "Forget the starts that were kept")
        self.bind_button(self.add, self.add_start)
        self.bind_button(self.clear, self.clear_starts)
        fields = [self.form.field(name).widget for name in ("race", "basins")]
        return [self.add, self.clear, *fields]

    def tables(self) -> list[Part]:
        """The steps around the cursor."""
        return [Part("Tables", html=lambda: step_table(self.descent, self.lane, self.drawn))]

    def build_settings(self) -> Widget:
        """As all, with the schedule and the further constants of the update rule."""
        box = super().build_settings()
        schedule = ScheduleField(self.declared()["learning_rate"], lambda: self.max_steps)
        self.form.add("schedule", "learning_rate", schedule)
        rule = self.form.field("rule")
        constants = [rule.constants.others] if isinstance(rule, RuleField) else []
        box.children = (*box.children[:1], schedule.widget, *constants, *box.children[1:])
        return box

    def resize(self, scale: float) -> None:
        """Make the figures ``scale`` times as large as they normally are."""
        for plot in (self.map, self.loss_plot):
            plot.set_size(scale)
        self.map.figure.layout.max_width = f"{round(HEIGHT * scale)}px"

    def loose_widgets(self) -> tuple[Widget, ...]:
        """What is not on display at times."""
        return super().loose_widgets()

    def drag(self, lane: int, point: Point, released: bool = True) -> None:
        """Move a start while it is dragged; one that does not fit stays where it was."""
        try:
            if lane == self.own_lane:
                return  # the learner's own loop starts where it started
            self.move_start(lane, clamped(self.surface, point))
        finally:
            if released:
                self.map.put_starts()

    def _read_out(self, lane: int, step: int) -> None:
        self.seek(step)

    # -- drawing -----------------------------------------------------------------------------

    def show_recording(self) -> None:
        """Prepare the figures for a new descent."""
        if self._drawn_surface is not self.surface:
            self._drawn_surface = self.surface
            self.map.show_surface(
                self.surface.values,
                self.surface.bounds,
                least=least_value(self.surface),
                minima=self.surface.minima,
            )
        descent, floor = self.all_lanes, loss_floor(self.surface)
        names, runs = self.with_own(self.lane_names), self.lane_runs
        self.map.show_run(
            lambda: descent.params, names=names, last=lambda: descent.last_step, runs=runs
        )
        self.loss_plot.show_run(
            lambda: descent.loss - np.float32(floor),
            names,
            end=self.max_steps,
            last=lambda: descent.last_step,
            runs=runs,
            title="loss" if floor == 0 else "loss above the lowest minimum",
            brief=self._by_hand,
        )
        self._refresh_basins()

    def show_view(self) -> None:
        """Apply what changes only how the run is shown."""
        if self.loss_plot.log != self.loss_log:
            self.loss_plot.use_log(self.loss_log)
        for plot in (self.map, self.loss_plot):
            if plot.future != self.future:
                plot.show_future(self.future)
        self._show_chooser()
        self._refresh_basins()

    def draw(self, k: int, *, full: bool) -> None:
        """Write every mark from the recording, with the cursor at ``k``."""
        try:
            self.compute(min(k + 1, self.max_steps), 0.05)  # for the next update's arrow
        except Exception as problem:  # noqa: BLE001 - a function of the student's may raise anything
            self.show_problem(problem)
        self.map.draw(k, full=full)
        self.loss_plot.draw(k, full=full)

    def progressed(self, *, done: bool) -> None:
        """More of the run is recorded: draw it."""
        self.map.extend()
        self.loss_plot.extend()
        super().progressed(done=done)

    def draw_text(self, k: int) -> None:
        """Write the limit on the learning rate's track."""
        field = self.form.field("learning_rate")
        if not isinstance(field, RateField):
            return
        if self.race or as_rule(self.rule).name != "gd":
            field.show_limits([], "the limit 2/λ is that of plain descent")
            return
        at = self.descent.params[lane_steps(self.descent, k)[self.lane], self.lane]
        limit, note = words.limit_at(self.surface, at)
        field.show_limits([(limit, "stable here below")] if limit is not None else [], note)

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        return words.sentence(self.descent, self.lane, k, self.surface, arrow=self.map.factor)

    # -- basins ------------------------------------------------------------------------------

    def _refresh_basins(self) -> None:
        if self.basins:
            self.basin_finder.want(
                self.surface, self.learning_rate, self.rule, self.max_steps, self.loss_tol
            )
        else:
            self.basin_finder.forget()

    def _show_basins(self, basins: BasinMap | None) -> None:
        if basins is None:
            self.map.show_basins(None)
            self.map.show_minima(self.surface.minima)
        else:
            self.map.show_minima([(u, v) for u, v in basins.minima])
            self.map.show_basins(basins.labels, diverged=basins.DIVERGED)
        if self._ready:
            self._gate.stamp()

    # -- runs, tables, code ------------------------------------------------------------------

    def describe(self, run: Run, lane: int) -> Mapping[str, str]:
        """Columns and cells of the run table that tell a lane's settings."""
        surface = run.settings["surface"]
        u, v = run.descent.start[lane]
        return {
            "surface": SURFACES[surface].name if isinstance(surface, str) else surface.name,
            "rule": text.short(run.descent.rule.label),
            "learning rate": f"{run.descent.learning_rates[lane]:g}",
            "start": words.at_point(u, v),
        }

    def show_pins(self) -> None:
        """Draw the ghosts of the pins that were made on the present surface."""
        here = [pin for pin in self.pins if pin.descent.objective is self.surface]
        floor = loss_floor(self.surface)
        paths, losses = [], []
        for pin in here:
            for lane in range(pin.descent.lanes):
                at = int(lane_steps(pin.descent, pin.step)[lane]) + 1
                paths.append((pin.descent.params[:at, lane], pin.label))
                values = pin.descent.loss[:at, lane] - np.float32(floor)
                losses.append((np.arange(at), values, pin.label))
        self.map.show_ghosts(paths)
        self.loss_plot.show_ghosts(losses)

    def picture(self, kind: str) -> bytes:
        """Draw the map and the loss for print: ``kind`` is ``"png"``, ``"svg"`` or ``"pdf"``."""
        if self.future:
            self.compute(self.max_steps)
        return printed.printed(kind, self._print)

    def _print(self, figure: Any) -> None:
        descent, surface, k = self.all_lanes, self.surface, self.drawn
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
        u, v, z = surface.grid(201)
        shade = Shade(z, least_value(surface))
        printed.plane(
            left,
            shade.colours(z),
            surface.bounds,
            descent.params,
            descent.last_step,
            k=k,
            contours=(u, v, z, shade.levels()),
            minima=surface.minima,
            names=surface.parameter_names,
            future=self.future,
            runs=self.lane_runs,
        )
        left.set_box_aspect(1)
        floor = loss_floor(surface)
        printed.curves(
            right,
            descent.loss - np.float32(floor),
            descent.last_step,
            self.with_own(self.lane_names),
            k,
            log=self.loss_log,
            future=self.future,
            runs=self.lane_runs,
            title=self.loss_plot.title,
        )
        printed.caption(figure, self.sentence(k))

    def table(self) -> str:
        """Return the run as the course's Exercise 3 prints it: every 100 steps, and the end.

        The run is computed as far as it is not yet; the cursor stays where it is.
        """
        self.compute(self.max_steps)
        return "\n".join(
            tables.exercise_3(self.descent, lane) for lane in range(self.descent.lanes)
        )

    def code(self) -> str:
        """Return a plain-PyTorch script of the present settings; it prints the final numbers.

        Raises
        ------
        ValueError
            When the source of a function of your own cannot be had.
        """
        return descent_script(self.descent)
