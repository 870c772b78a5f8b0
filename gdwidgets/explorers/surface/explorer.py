"""Gradient descent on a function of two variables, to be clicked, dragged, raced and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from ipywidgets import HTML, HBox, Layout, VBox, Widget

from gdwidgets.core import RULES, SURFACES, BasinMap, Descent, Surface, as_rule, checks, tables
from gdwidgets.core.analysis.quadratic import Quadratic, quadratic
from gdwidgets.core.rules.momentum import Momentum, Nesterov
from gdwidgets.core.scripts.descent import descent_script
from gdwidgets.explorers.surface import pictures, why
from gdwidgets.explorers.surface import text as words
from gdwidgets.explorers.surface.basins import STYLES, Basins, key, with_numbers
from gdwidgets.explorers.surface.beside import BESIDE, BesideMap
from gdwidgets.explorers.surface.chooser import SurfaceChooser
from gdwidgets.explorers.surface.ends import Ends
from gdwidgets.explorers.surface.given import (
    Point,
    as_kept_starts,
    as_learning_rate,
    as_surface,
    as_update_rule,
    clamped,
    defaults,
    known_name,
    loss_floor,
    lowest_value,
)
from gdwidgets.explorers.surface.sharpness import SharpnessPlot
from gdwidgets.explorers.surface.situations import SITUATIONS
from gdwidgets.ui import text
from gdwidgets.ui.described import (
    RuleChoice,
    RuleField,
    ScheduledRate,
    ScheduleField,
    rate_at,
)
from gdwidgets.ui.fold import Part
from gdwidgets.ui.form import (
    Optional,
    Pair,
    RateField,
    Switch,
    best_marked,
    button,
    logarithmic_axis,
    row,
    sized,
)
from gdwidgets.ui.map_explorer import MapExplorer
from gdwidgets.ui.pictures.panels import Panel
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.plots.plane import Plane
from gdwidgets.ui.prediction.text import MINIMUM, ORDER
from gdwidgets.ui.runs import Run, lane_steps, step_table
from gdwidgets.ui.settings import Setting
from gdwidgets.ui.situations import Situations
from gdwidgets.ui.style import LARGE

HEIGHT = 328
"""Height of both figures, in pixels."""

ADAPTIVE = 0.01
"""Learning rate of RMSprop and Adam in a race, in widths of the map: these rules move by about the
learning rate itself, whatever the gradient."""

ON_PATH = 5.0
"""How near to a path a click reads it out instead of setting the start, in pixels."""


class SurfaceExplorer(MapExplorer):
    """Gradient descent on any function of two variables.

    Parameters
    ----------
    surface
        A name from ``gdwidgets.core.SURFACES``, a ``Surface``, any callable of two tensors that
        returns one of the same shape, or an objective with two parameters.
    bounds
        For a callable: ``((u_min, u_max), (v_min, v_max))``, or ``(min, max)`` for both.
    minima
        For a callable: its known minima, points (u, v).
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

    WIDTHS = (1.0, 1.35)
    DIALS = ("learning_rate", "rule")
    MORE = (("start", "max_steps", "loss_tol", "loss_log"),)

    SITUATIONS: ClassVar[Situations] = SITUATIONS

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

    loss_log = logarithmic_axis("loss axis", "Scale of the loss axis")
    """Whether the loss is drawn on a logarithmic axis."""

    theory = Setting(
        False,
        checks.boolean,
        label="Predicted loss",
        help="On a quadratic, draw the loss that theory predicts for plain descent as a thin line",
        control=Switch(),
        view=True,
    )
    """Whether the predicted loss is drawn where the surface is a quadratic."""

    velocity = Setting(
        False,
        checks.boolean,
        label="Gradient and velocity",
        help="With momentum, draw what the gradient and what the velocity add to the next update",
        control=Switch(),
        view=True,
    )
    """Whether an update of momentum is drawn with its parts: what its gradient makes, and what its
    velocity adds."""

    mark_best = best_marked(
        "On a quadratic, write the best learning rate γ* of plain descent on the track"
    )
    """Whether the best learning rate is marked on the track where the surface is a quadratic."""

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
        self._drawn_surface: Surface | None = None
        self._known_quadratic: tuple[Surface, Quadratic | None] | None = None
        self.sharpness_plot: SharpnessPlot | None = None
        self._read: tuple[Descent, int, int] | None = None
        self._parts_drawn: int | None = None
        super().__init__(surface=chosen, **(defaults(chosen) | settings))

    # -- settings ----------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Keyword arguments that build an equal explorer."""
        return super().settings() | {"surface": known_name(self.surface)}

    def situation_settings(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of a situation: what its surface brings along, and its ``own``."""
        surface = as_surface(own.get("surface", self.home), None, (), "")
        return {
            **super().situation_settings({}),
            **defaults(surface),
            "basins": False,
            **own,
            "surface": known_name(surface),
        }

    def new_settings(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a new explorer of the surface that is held."""
        surface = as_surface(held["surface"], None, (), "")
        return {**super().new_settings(held), **defaults(surface), "surface": self.home}

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

    def close(self) -> None:
        """Stop the clock and close every widget this explorer made, images of before included."""
        was_open = self._ready
        super().close()
        if was_open:
            for plot in (self.map, self.loss_plot, self.sharpness_plot):
                if plot is not None:
                    plot.close()

    # -- the recording -----------------------------------------------------------------------

    def new_recording(self, changed: frozenset[str]) -> Descent:
        """Make the descent of the present settings; another surface brings its own along."""
        if "surface" in changed and self._applied is not None:
            given = changed | self._assigned
            for name, value in defaults(self.surface).items():
                if name not in given:
                    setattr(self, name, value)
            if "kept_starts" not in given:
                self.kept_starts = ()
        if "surface" in changed and not self.surface.minima:
            self.loss_log = False  # see `show_view`
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
        self._chooser = SurfaceChooser(self.handler(self._choose_surface))
        self.chooser = self._chooser.widget
        return self.chooser

    def _choose_surface(self, chosen: Surface) -> None:
        if chosen is not self.surface:
            try:
                self.surface = chosen
            finally:
                self._chooser.show(self.surface)

    def build_picture(self) -> Widget:
        """Make the map and the loss plot."""
        self.map = Plane(HEIGHT, self.handler(self.click), self.handler(self.drag), bar=True)
        self.loss_plot = Curves(HEIGHT, on_click=self.handler(self.read_out))
        self.ends = Ends(self._loop, lambda: (self.descent, self.lane), self._write_sentence)
        self.basin_finder = Basins(self._loop, self._show_basins, self._no_basins)
        self.summaries = [HTML(), HTML()]
        assert self.map.bar is not None  # noqa: S101 - it was asked for
        zooms = self.zoom_buttons("the present point")
        self._beside = BesideMap(self.map.bar, self.basin_finder.progress, zooms)
        self.basin_key = self._beside.key
        left = HBox(
            [self.map.figure, self._beside.widget, self.summaries[0]],
            layout=Layout(flex=f"0 1 {HEIGHT + BESIDE}px", min_width="280px"),
        )
        right = HBox(
            [self.loss_plot.figure, self.summaries[1]],
            layout=Layout(flex="1 1 320px", min_width="280px"),
        )
        for part in (left, right):
            part.add_class("gdw-figure")
        self._left = left
        return HBox([left, right])

    def style_sheet(self) -> str:
        """Styles of the key of the basins."""
        return STYLES

    def build_dials(self) -> Sequence[Widget]:
        """Make the track of the learning rate and the choice of the rule."""
        made = super().build_dials()
        made[0].layout.flex = f"1 1 {sized('320px')}"
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
        """What theory says, and the steps around the cursor."""
        return [
            Part(
                "Why", html=self._why, widgets=self._build_why, tooltip="What theory says of this"
            ),
            Part("Tables", html=lambda: step_table(self.descent, self.lane, self.drawn)),
        ]

    def _build_why(self) -> Widget:
        self.sharpness_plot = SharpnessPlot(LARGE if self.size == "large" else 1.0)
        return VBox(
            [
                row(
                    *(self.form.field(name).widget for name in ("theory", "mark_best", "velocity"))
                ),
                self.sharpness_plot.figure,
            ],
            layout=Layout(width="100%", grid_gap="8px"),
        )

    def _why(self) -> str:
        k = int(lane_steps(self.descent, self.drawn)[self.lane])
        if self.sharpness_plot is not None:
            self.sharpness_plot.draw_lane(
                self.descent, self.lane, k, name=self.lane_names[self.lane], end=self.max_steps
            )
        found = self.quadratic
        for name in ("theory", "mark_best"):
            self.form.field(name).enable(on=found is not None)
        self.form.field("velocity").enable(on=self._has_velocity)
        return text.html_paragraphs(why.paragraphs(self.descent, self.lane, k, self.surface, found))

    @property
    def quadratic(self) -> Quadratic | None:
        """The quadratic that the surface is; ``None`` if it is none."""
        if self._known_quadratic is None or self._known_quadratic[0] is not self.surface:
            self._known_quadratic = self.surface, quadratic(self.surface)
        return self._known_quadratic[1]

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
        for plot in (self.map, self.loss_plot, self.sharpness_plot):
            if plot is not None:
                plot.set_size(scale)
        self._beside.resize(scale)
        self._left.layout.flex = f"0 1 {round((HEIGHT + BESIDE) * scale)}px"

    def drag(self, lane: int, point: Point, released: bool = True) -> None:
        """Move a start while it is dragged; one that does not fit stays where it was."""
        try:
            if lane == self.own_lane:
                return  # the learner's own loop starts where it started
            with self._hand.letting_go(on=released):
                self.move_start(lane, clamped(self.surface, point))
        finally:
            if released:
                self.map.put_starts()

    def click(self, point: Point) -> None:
        """Do what a click on the map does: set the start, or read out a path that is there.

        Where the minimum at which the run ends is to be predicted, it is a guess.
        """
        if self.guess_at(point):
            return
        found = self.map.nearest(point, ON_PATH)
        if found is None:
            self.start = point
        else:
            self.read_out(*found)

    def read_out(self, lane: int, step: int) -> None:
        """Go to a step and say its parameters, loss and gradient: what a click on a curve does."""
        lane = checks.integer(lane, "lane", 0, self.all_lanes.lanes - 1)
        self.seek(step)
        if lane != self.own_lane:
            self._read = self.descent, lane, self.step
        self.redraw(full=True)

    # -- zoom --------------------------------------------------------------------------------

    def zoom_point(self) -> Point:
        """The present point, or where on the map's edge it is nearest to."""
        k = int(lane_steps(self.descent, self.drawn)[self.lane])
        u, v = self.descent.params[k, self.lane]
        return clamped(self.surface, (float(u), float(v)))

    # -- drawing -----------------------------------------------------------------------------

    def show_recording(self) -> None:
        """Prepare the figures for a new descent."""
        if self._drawn_surface is not self.surface:
            self._drawn_surface = None  # until it is drawn: it may raise
            self.map.names = self.surface.parameter_names
            self.map.show_surface(
                self.surface.values,
                self.surface.bounds,
                lowest=lowest_value(self.surface),
                minima=self.surface.minima,
            )
            self._drawn_surface = self.surface
            if self._ready:
                self.basin_finder.forget()
                self.show_pins()
        descent, floor = self.all_lanes, loss_floor(self.surface)
        self._drawn_theory = self._theory()
        names, runs = self.with_own(self.lane_names), self.lane_runs
        self._parts_drawn = self.lane if self.velocity and self._has_velocity else None
        self.map.show_run(
            lambda: descent.params,
            names=names,
            last=lambda: descent.last_step,
            runs=runs,
            parts=self._parts_drawn,
        )
        self.loss_plot.show_run(
            lambda: descent.loss - np.float32(floor),
            names,
            end=self.max_steps,
            last=lambda: descent.last_step,
            diverged=lambda: descent.outcomes == "diverged",
            theory=self._drawn_theory,
            runs=runs,
            title=self._loss_title + ("; thin: predicted" if self._drawn_theory else ""),
            brief=self.brief,
        )
        self._refresh_basins()

    def show_view(self) -> None:
        """Apply what changes only how the run is shown."""
        if self.loss_log and not self.surface.minima:
            raise ValueError(
                "loss_log must be False here: a logarithmic axis needs the lowest value of the "
                "function, and this surface names no minima"
            )
        if self.loss_plot.log != self.loss_log:
            self.loss_plot.use_log(self.loss_log)
        for plot in (self.map, self.loss_plot):
            if plot.future != self.shows_future:
                plot.show_future(self.shows_future)
        self._chooser.show(self.surface)
        arrows = self.velocity and self._has_velocity
        if (self._theory() is None, arrows) != (
            self._drawn_theory is None,
            self._parts_drawn is not None,
        ):
            self.show_recording()
        self._refresh_basins()

    @property
    def _has_velocity(self) -> bool:
        """Whether the rule of the present lane keeps a velocity."""
        return isinstance(words.rule_of(self.descent.rule, self.lane), (Momentum, Nesterov))

    def _theory(self) -> tuple[Any, Any] | None:
        """Steps and predicted losses of plain descent, where they are wanted and known."""
        if not self.theory or (found := self.quadratic) is None:
            return None
        predicted = why.predicted_losses(found, self.descent, self.lane)
        return predicted and (predicted[0], predicted[1] - loss_floor(self.surface))

    def draw(self, k: int, *, full: bool) -> None:
        """Write every mark from the recording, with the cursor at ``k``."""
        try:
            self.compute(min(k + 1, self.max_steps), 0.05)  # for the next update's arrow
        except Exception as problem:  # noqa: BLE001 - a function of the student's may raise anything
            self.show_problem(problem)
        parts = None
        if self._parts_drawn is not None:
            parts = words.update_parts(self.descent, self._parts_drawn, k)
        self.map.draw(k, full=full, parts=parts)
        self.loss_plot.draw(k, full=full)
        if full:
            self.write_summaries((self.map.summary(k), self.loss_plot.summary(k)))

    @property
    def _loss_title(self) -> str:
        """What the loss axis shows."""
        return "loss" if loss_floor(self.surface) == 0 else "loss above the lowest minimum"

    def progressed(self, *, done: bool) -> None:
        """More of the run is recorded: draw it."""
        self.map.extend()
        self.loss_plot.extend()
        super().progressed(done=done)

    def show_at_rest(self) -> None:
        """Show the loss as at rest."""
        self.loss_plot.show_at_rest()

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
        found = self.quadratic if self.mark_best and limit is not None else None
        field.show_limits(
            [(limit, "stable here below")] if limit is not None else [],
            note,
            best=None if found is None else found.best_rate,
        )

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``, or what was read out there."""
        if self._read is not None:
            descent, lane, step = self._read
            if descent is self.descent and step == k and not self.playing:
                name = self.lane_names[lane] if descent.lanes > 1 else ""
                return words.reading(descent, lane, k, self.surface, name)
            self._read = None
        arrow, cut = self.map.first_arrow(self.lane)
        return words.sentence(
            self.descent,
            self.lane,
            k,
            self.surface,
            name=self.lane_names[self.lane] if self.descent.lanes > 1 else "",
            arrow=arrow,
            cut=cut,
            end=None if self.playing else self.ends.at(k),
        )

    # -- predictions -------------------------------------------------------------------------

    @property
    def prediction_minima(self) -> Sequence[Point]:
        """The minima that the surface knows."""
        return list(self.surface.minima)

    @property
    def prediction_reach(self) -> float:
        """Within which distance of a minimum a run is said to be at it."""
        return words.reach(self.surface)

    def lowest_loss(self) -> float | None:
        """The lowest value at a minimum that the surface knows."""
        return lowest_value(self.surface)

    @property
    def loss_zero(self) -> float:
        """What the loss axis calls 0."""
        return loss_floor(self.surface)

    def run_names(self) -> Sequence[str]:
        """What the lanes are called in a sentence."""
        return self.lane_names if self.race else [f"the run from {n}" for n in self.lane_names]

    def prediction_reason(self, kind: str, lane: int, k: int) -> str:
        """Why the run, which was over at step ``k``, went as it did."""
        descent = self.descent
        if kind == ORDER:
            return words.last_in_order(descent, self.surface, self.lane_names)
        end = self.ends.at(k) if lane == self.lane else None
        if kind == MINIMUM:
            return words.why_there(descent, lane, self.surface, end, self.reached_minimum(lane))
        return words.why_ended(descent, lane, self.surface, end)

    # -- basins ------------------------------------------------------------------------------

    def _refresh_basins(self) -> None:
        if self.basins and not self.open_question:
            self.basin_finder.want(
                self.surface, self.learning_rate, self.rule, self.max_steps, self.loss_tol
            )
        else:
            self.basin_finder.forget()

    def _show_basins(self, basins: BasinMap | None) -> None:
        if basins is None:
            self.map.show_basins(None)
            self.map.show_minima(self.surface.minima)
            self._beside.show_key(None)
        else:
            shown = with_numbers(basins, self.surface)
            self.map.show_minima(shown.minima)
            self.map.show_basins(
                shown.labels,
                unlisted=basins.UNLISTED,
                diverged=(basins.DIVERGED, basins.UNBOUNDED),
                oscillating=basins.OSCILLATING,
            )
            self._beside.show_key(key(shown))
        if self._ready:
            self._gate.stamp()

    def _no_basins(self, problem: Exception) -> None:
        """A search failed between cells: basins are off, and it is said why."""
        self.basins = False
        self.show_problem(problem)

    # -- runs, tables, code ------------------------------------------------------------------

    def describe(self, run: Run, lane: int) -> Mapping[str, str]:
        """Columns and cells of the run table that tell a lane's settings."""
        surface = run.settings["surface"]
        u, v = run.descent.start[lane]
        return {
            "surface": SURFACES[surface].name if isinstance(surface, str) else surface.name,
            "rule": text.short(words.rule_of(run.descent.rule, lane).label),
            "learning rate": text.number(run.descent.learning_rates[lane], 6),
            "start": words.at_point(u, v),
        }

    def show_pins(self) -> None:
        """Draw the ghosts of the pins that were made on the present surface."""
        paths, losses = pictures.ghosts(self.pins, self.surface)
        self.map.show_ghosts(paths)
        self.loss_plot.show_ghosts(losses)

    def panels(self, *, fine: bool) -> Sequence[Panel]:
        """The map and the loss, as data."""
        return pictures.panels(
            self.all_lanes,
            self.surface,
            self.map.window,
            {
                "names": self.with_own(self.lane_names),
                "runs": self.lane_runs,
                "future": self.shows_future,
            },
            fine=fine,
            log=self.loss_log,
            title=self._loss_title,
        )

    def table(self) -> str:
        """Return the run as the course's Exercise 3 prints it: every 100 steps, and the end.

        The run is computed as far as it is not yet; the cursor stays where it is.
        """
        self.record_to(self.max_steps)
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
