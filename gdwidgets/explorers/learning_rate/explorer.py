"""Gradient descent on a polynomial fit with several learning rates at once: Exercise 1."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from ipywidgets import HTML, HBox, Layout, VBox, Widget
from numpy.typing import NDArray

from gdwidgets.core import (
    Descent,
    GradientDescent,
    MiniBatches,
    PolynomialRegression,
    Rule,
    as_rule,
    checks,
    initial_parameters,
    training_pairs,
)
from gdwidgets.core.analysis.noise import noise_floor
from gdwidgets.core.analysis.quadratic import Quadratic
from gdwidgets.core.objectives.least_squares import ClosedForm
from gdwidgets.core.scripts.descent import descent_script
from gdwidgets.explorers.learning_rate import given, lanes, pictures, track, why
from gdwidgets.explorers.learning_rate import text as words
from gdwidgets.explorers.learning_rate.data import Data
from gdwidgets.explorers.learning_rate.fits import FitPlot
from gdwidgets.explorers.learning_rate.lane_choice import LaneChoice, LaneField
from gdwidgets.explorers.learning_rate.lanes import LaneTable
from gdwidgets.explorers.learning_rate.losses import Losses
from gdwidgets.explorers.learning_rate.recording import new_descent, scheduled
from gdwidgets.explorers.learning_rate.shape import ShapeField
from gdwidgets.explorers.learning_rate.situations import SITUATIONS
from gdwidgets.explorers.learning_rate.track import RateTrack
from gdwidgets.explorers.learning_rate.whole import WholeRun
from gdwidgets.ui import text
from gdwidgets.ui.descent_explorer import DescentExplorer
from gdwidgets.ui.described import RuleChoice, RuleField, rate_at
from gdwidgets.ui.fold import Part
from gdwidgets.ui.form import Choice, Optional, Whole, best_marked, logarithmic_axis
from gdwidgets.ui.pictures.panels import Panel
from gdwidgets.ui.playback.ahead import SLICE
from gdwidgets.ui.playback.cursor import AUTO
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.prediction.text import STEP
from gdwidgets.ui.runs import Run, lane_steps, step_table
from gdwidgets.ui.settings import Setting
from gdwidgets.ui.situations import Situations

HEIGHT = 218
"""Height of both figures, in pixels: with four lanes all of the explorer stands in 600."""

FIRST = 0.3
"""Seconds of computing before the first picture, so that the whole of an ordinary run is in it."""

ON_CHANGE = ("keep", "restart", "continue")
THEORIES = ("none", "prediction", "noise")
THIN = {"none": "", "prediction": "; thin: predicted", "noise": "; thin: noise floor"}
"""What the one thin line over the losses is."""

TABLES = ("steps", "gradients", "course", "training")
WHOLE = ("course", "training")
"""Tables of a whole run."""

TABLE_FOLD = "Tables"

TOLD = 0.5
"""Seconds between two reports on how much of a table's run is computed."""

SHOWN_ANEW = ("theory", "mark_best", "shown_table", "log_steps")
"""Settings of the view that a situation sets anew."""


class LearningRateExplorer(DescentExplorer):
    """Lanes with different learning rates fit the same polynomial to the same data.

    Parameters
    ----------
    x, y
        The data, N finite numbers each; the course's hundred training samples when omitted.
    degree, learning_rates, rule, init, max_steps
        The settings of the exercise; see the traits.
    **settings
        Any other setting (see the traits), and ``layout``.

    Raises
    ------
    ValueError
        When a setting does not fit: names it, says what was given and what is accepted.
    TypeError
        For an unknown keyword: names the nearest.
    """

    TITLE = "Learning rates"
    MORE = (
        ("rule",),
        ("degree", "max_steps", "batch_size", "batch_seed", "log_steps", "lane"),
    )
    SITUATIONS: ClassVar[Situations] = SITUATIONS

    x = Setting(None, given.data, help="Inputs of the samples")
    """Inputs: N numbers, kept as a tuple; ``None`` for the course's. Set x and y together."""

    y = Setting(None, given.data, help="Targets of the samples")
    """Targets: N numbers, kept as a tuple; ``None`` for the course's."""

    degree = Setting(
        2,
        given.degree,
        help="Degree of the polynomial; it has one coefficient more",
        control=Choice(tuple((str(d), d) for d in range(11)), "72px"),
    )
    """Degree of the polynomial, 0 to 10; there is one coefficient more. Default 2."""

    learning_rates = Setting(given.RATES, given.rates, help="One learning rate γ for each lane")
    """One learning rate per lane: a tuple of 1 to 8 numbers, each above 0 and up to 1,000,000."""

    rule = Setting(
        "gd",
        given.rule,
        label="update rule",
        help="How gradients become an update",
        control=RuleChoice(),
    )
    """The update rule of all lanes: a name from ``gdwidgets.core.RULES``, a rule object such as
    ``Momentum(beta=0.5)``, or a class or factory of ``torch.optim``. Default ``"gd"``."""

    rate_schedule = Setting(None, given.rate_schedule, help="How every learning rate changes")
    """The schedule γ(t) of all lanes, which begins at each lane's own learning rate: a named one
    from ``gdwidgets.core.rules.schedules`` with its constants, or its name; ``None`` (default) for
    constant rates."""

    init = Setting(None, given.data, help="Initial coefficients")
    """Initial coefficients, degree + 1 numbers; ``None`` for normal draws after seed 1."""

    max_steps = DescentExplorer.max_steps.starting_at(
        4000, label="iterations", control=Whole(step=1000)
    )
    """Where the run ends, in updates: 1 to 1,000,000. Default 4,000."""

    batch_size = Setting(
        None,
        given.batch_size,
        label="batch size",
        help="Samples in a mini-batch, another in every update; empty for all of them",
        control=Optional("all", "10", whole=True),
    )
    """Samples in a mini-batch, 1 to N; ``None`` for all samples in every update."""

    batch_seed = Setting(
        0,
        lambda value, name: checks.integer(value, name, 0, 2**31),
        label="batch seed",
        help="Seed by which mini-batches are dealt out",
        control=Whole(),
    )
    """Seed by which mini-batches are dealt out, at least 0."""

    schedule = Setting((), given.schedule, help="Earlier learning rates")
    """Earlier learning rates: pairs (step, rates), those in force until that step, in order."""

    on_change = Setting(
        "keep",
        lambda value, name: checks.one_of(value, name, ON_CHANGE),
        label="a changed learning rate",
        help="Whether a changed learning rate makes a whole new run at the same step, goes back to "
        "step 0, or holds from the present step on",
        control=Choice(
            (
                ("makes a new run", "keep"),
                ("goes to step 0", "restart"),
                ("holds from here on", "continue"),
            ),
            "176px",
        ),
        view=True,
    )
    """What a changed setting does: ``"keep"`` (default), a new run shown at the same step;
    ``"restart"``, a new run shown at step 0; ``"continue"``: a changed learning rate holds from the
    present step on, which makes a ``schedule``."""

    speed = DescentExplorer.speed.starting_at(AUTO)
    """Updates per second, infinity, or ``"auto"`` (default), which begins slowly and grows with
    the step, so that the first updates can be seen."""

    log_steps = logarithmic_axis(
        "update axis",
        "Scale of the update axis: logarithmic shows the first updates as well as the last",
    )
    """Whether the axis of updates is logarithmic. Default true."""

    lane = Setting(
        0,
        lambda value, name: checks.integer(value, name, 0, given.MOST_LANES - 1),
        help="The lane of tables, prediction and batch losses; a click on a curve chooses it too",
        control=LaneChoice(),
        view=True,
    )
    """The lane of tables, prediction and batch losses, from 0; the second one by default."""

    theory = Setting(
        "none",
        lambda value, name: checks.one_of(value, name, THEORIES),
        label="line in the loss plot",
        help="A thin line of theory over the loss of the chosen lane",
        control=Choice(
            (("none", "none"), ("predicted loss", "prediction"), ("noise floor", "noise")), "152px"
        ),
        view=True,
    )
    """The theory drawn over the loss of the chosen lane: ``"none"``; ``"prediction"``, the loss as
    Σ cᵢ² (1 − γλᵢ)²ᵏ has it; ``"noise"``, the loss that mini-batches leave on average, as a band
    above the smallest."""

    mark_best = best_marked("Write the best single learning rate on the track")
    """Whether the best single learning rate is marked on the track."""

    shown_table = Setting(
        "steps",
        lambda value, name: checks.one_of(value, name, TABLES),
        label="table",
        help="Which table is shown",
        control=Choice(
            (
                ("steps of a lane", "steps"),
                ("gradient by hand and by autograd", "gradients"),
                ("the course's three tables", "course"),
                ("the worked example's lines", "training"),
            ),
            "272px",
        ),
        view=True,
    )
    """What the fold *Tables* shows: ``"steps"``, ``"gradients"``, ``"course"`` or
    ``"training"``."""

    def __init__(
        self,
        x: Any = None,
        y: Any = None,
        *,
        degree: int = 2,
        learning_rates: Any = given.RATES,
        rule: Any = "gd",
        init: Any = None,
        max_steps: int = 4000,
        **settings: Any,
    ) -> None:
        self._known: Data | None = None
        self._losses: Losses | None = None
        self._whole_run: WholeRun | None = None
        self._pointed = -1
        self._tabling: asyncio.Task[None] | None = None
        lane = min(1, len(given.rates(learning_rates, "learning_rates")) - 1)
        super().__init__(
            x=x,
            y=y,
            degree=degree,
            learning_rates=learning_rates,
            rule=rule,
            init=init,
            max_steps=max_steps,
            **({"lane": lane} | settings),
        )

    # -- the recording -----------------------------------------------------------------------

    def new_recording(self, changed: frozenset[str]) -> Descent:
        """Make the descent of the present settings, through the schedule if there is one."""
        self._check_lane(changed)
        if self._continues(changed):
            before = self._applied or {}
            k = self.drawn
            self.schedule = given.continued(self.schedule, before["learning_rates"], k)
            rates = scheduled(self.learning_rates, self.rate_schedule)
            return self.descent.fork(k, learning_rate=rates)
        if "learning_rates" in changed and "schedule" not in changed:
            # A schedule belongs to the rates it was made with.
            self.schedule = ()
        parts = given.parts(self.schedule, self.learning_rates, self.max_steps)
        regression = self._regression(changed)
        objective: Any = regression
        if self.batch_size is not None:
            objective = MiniBatches(regression, self.batch_size, self.batch_seed)
        count = self.degree + 1
        if self.init is not None and len(self.init) != count:
            if self._applied is not None and "init" not in changed:
                self.init = None
            else:
                raise ValueError(
                    f"init must be {count} numbers, one for each coefficient, got {len(self.init)}"
                )
        init = initial_parameters(count) if self.init is None else self.init
        return new_descent(
            objective,
            init,
            parts,
            self.rate_schedule,
            rule=self.present_rule,
            max_steps=self.max_steps,
        )

    def _check_lane(self, changed: frozenset[str]) -> None:
        most = len(self.learning_rates) - 1
        if self.lane > most:
            if "lane" in changed:
                raise ValueError(f"lane must be from 0 to {most}, got {self.lane}")
            self.lane = most

    def _continues(self, changed: frozenset[str]) -> bool:
        """Whether a change of learning rates alone holds from the present step on."""
        return (
            self._applied is not None
            and self.on_change == "continue"
            and changed == {"learning_rates"}
            and 0 < self.drawn < self.max_steps
            and len(self.learning_rates) == self.descent.lanes
        )

    def _regression(self, changed: frozenset[str]) -> PolynomialRegression:
        if self._applied is not None and not changed & {"x", "y", "degree"}:
            return self.regression
        x, y = given.both(self.x, self.y) or training_pairs()
        return PolynomialRegression(x, y, self.degree)

    def situation_settings(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of a situation; no line of theory or table stays from the one before."""
        plain = {name: self.declared()[name].default_value for name in SHOWN_ANEW}
        return super().situation_settings(plain | dict(own))

    @property
    def present_rule(self) -> Rule:
        """The update rule with its constants."""
        return as_rule(self.rule)

    @property
    def regression(self) -> PolynomialRegression:
        """The data and their loss over all samples."""
        objective = self.descent.objective
        found: Any = objective.regression if isinstance(objective, MiniBatches) else objective
        regression: PolynomialRegression = found
        return regression

    @property
    def closed_form(self) -> ClosedForm:
        """The least-squares fit; unpacks as coefficients (P,) and their loss."""
        return self._data.closed

    @property
    def quadratic(self) -> Quadratic:
        """The loss as the quadratic that it is: curvatures, limit, condition number, best rate."""
        return self._data.quadratic

    @property
    def _data(self) -> Data:
        if self._known is None or self._known.regression is not self.regression:
            self._known = Data.of(self.regression)
        return self._known

    @property
    def losses(self) -> Losses:
        """Called, the losses over all samples recorded so far, float32 (recorded + 1, L).

        The learner's own loop is one lane more.
        """
        if self._losses is None or self._losses.descent is not self.all_lanes:
            self._losses = Losses(self.regression, self.all_lanes)
        return self._losses

    def rates_at(self, k: int) -> given.Rates:
        """The learning rates of the update from record ``k`` on, (L,)."""
        part = given.in_force(self.schedule, self.learning_rates, k)
        return tuple(rate_at(rate, k) for rate in scheduled(part, self.rate_schedule))

    # -- lanes -------------------------------------------------------------------------------

    def lane_titles(self) -> Sequence[str]:
        """Each lane's learning rate."""
        return [f"γ = {words.rate(rate)}" for rate in self.learning_rates]

    @property
    def compared_lane(self) -> int:
        """The chosen lane."""
        return self.lane

    def change_rate(self, lane: int, rate: float) -> None:
        """Give a lane another learning rate; ``on_change`` says what that does to the run.

        Raises
        ------
        ValueError
            When there is no such lane, or the rate does not fit.
        """
        lane = checks.integer(lane, "lane", 0, len(self.learning_rates) - 1)
        rates = list(self.learning_rates)
        rates[lane] = given.rate(rate, "learning rate")
        self.learning_rates = tuple(rates)

    def add_rate(self, rate: float | None = None) -> None:
        """Add a lane; without a rate, one that no lane has, near the limit if there is one.

        Raises
        ------
        ValueError
            When there are eight lanes already, or the rate does not fit.
        """
        if rate is None:
            rate = given.suggested(self.learning_rates, self.quadratic.limit)
        self.learning_rates = (*self.learning_rates, rate)

    def remove_rate(self, lane: int) -> None:
        """Remove a lane; the last one stays.

        Raises
        ------
        ValueError
            When there is no such lane, or only one is left.
        """
        lane = checks.integer(lane, "lane", 0, len(self.learning_rates) - 1)
        if len(self.learning_rates) == 1:
            raise ValueError("learning_rates must be 1 to 8 numbers: the last one stays")
        self.learning_rates = (*self.learning_rates[:lane], *self.learning_rates[lane + 1 :])

    def _edited(self, lane: int, read: Callable[[], float]) -> None:
        try:
            self.change_rate(lane, read())
        finally:
            self.lanes.show_rates(self.learning_rates)
            self.track.show_rates(self.learning_rates)

    # -- the face ----------------------------------------------------------------------------

    def build_picture(self) -> Widget:
        """Make the plot of fits and the plot of losses."""
        self.fits = FitPlot(HEIGHT)
        self.loss_plot = Curves(
            HEIGHT,
            title="loss",
            steps="update",
            log_steps=self.log_steps,
            future=self.shows_future,
            on_click=self.handler(self._read_out),
        )
        self.loss_plot.margin["bottom"] = self.fits.margin["bottom"]
        self.loss_plot.place_margins()
        self.summaries = []
        boxes = []
        for plot in (self.fits, self.loss_plot):
            plot.figure.add_class("gdw-rate-figure")
            said = HTML(layout=Layout(width="1px", height="1px", margin="0"))
            box = HBox([plot.figure, said], layout=Layout(flex="1 1 360px", min_width="280px"))
            box.add_class("gdw-figure")
            self.summaries.append(said)
            boxes.append(box)
        return HBox(boxes)

    def build_dials(self) -> Sequence[Widget]:
        """Make the track of the learning rates and the table of lanes."""
        super().build_dials()
        self.track = RateTrack(self.handler(self._dragged))
        self.lanes = LaneTable(
            self.handler(self._edited), self.handler(self.remove_rate), self.handler(self.add_rate)
        )
        return [VBox([self.track, self.lanes], layout=Layout(width="100%", overflow="visible"))]

    def _dragged(self, lane: int, rate: float) -> None:
        self._edited(lane, lambda: rate)

    def style_sheet(self) -> str:
        """The track and the lanes."""
        return f"{track.STYLE}{lanes.STYLE}{_STYLE}"

    def resize(self, scale: float) -> None:
        """Make the figures ``scale`` times as large as they normally are."""
        for plot in (self.fits, self.loss_plot):
            plot.set_size(scale)
        if self._ready:
            self.show_recording()

    def _read_out(self, lane: int, step: int) -> None:
        if lane != self.own_lane:
            self.lane = lane
        self.seek(step)

    def parts(self) -> list[Part]:
        """Compare, why, tables, settings and code."""
        made = super().parts()
        reason = Part(
            "Why",
            html=lambda: text.html_paragraphs(why.paragraphs(self.facts)),
            widgets=lambda: self.form.row("theory", "lane", "mark_best"),
            tooltip="The theory of the present settings",
        )
        return [*made[:2], reason, *made[2:]]

    def comparisons(self) -> Sequence[Widget]:
        """The rule, to compare a pinned run with another one's."""
        return [self.form.field("rule").widget]

    def tables(self) -> list[Part]:
        """Steps, gradients by hand, the course's tables."""
        return [
            Part(
                TABLE_FOLD,
                html=self._table_html,
                widgets=lambda: self.form.row("shown_table", "lane"),
                tooltip="Steps of a lane, gradients by hand, the course's tables",
            )
        ]

    def _table_html(self) -> str:
        if self.shown_table in WHOLE:
            # These are of a whole run, or of two: nobody is kept waiting for it.
            if self._loop.running and not self._whole.advance(self.shown_table, 0.0):
                if self._tabling is None:
                    self._tabling = self._loop.start(self._tabulate())
                done, wanted = self._whole.recorded(self.shown_table)
                return text.html_paragraphs([f"Computing {wanted:,} steps: {done:,} so far."])
            course = self.shown_table == "course"
            return text.html_code(self.table() if course else self.training_lines())
        lane, k = self.lane, self.drawn
        if self.shown_table == "steps":
            return step_table(self.descent, lane, k, rows=8)
        at, shown = words.shown_steps(self.descent, lane, k)
        samples = len(self.regression.x)
        over = f"{samples:,}" if self.batch_size is None else f"{self.batch_size:,} of {samples:,}"
        return words.gradient_table(
            self.descent.objective.parameter_names,
            shown,
            at,
            self.manual_gradients(shown),
            self.descent.step_grad[shown.start : shown.stop, lane],
            about=f"γ = {words.rate(self.rates_at(k)[lane])}, {over} samples.",
        )

    # -- drawing -----------------------------------------------------------------------------

    def show_recording(self) -> None:
        """Prepare the figures for a new recording, before it is drawn."""
        if not self._ready and self._loop.running:
            self.compute(self.goal, FIRST)
        descent, closed = self.all_lanes, self.closed_form
        names = self.with_own([words.rate(rate) for rate in self.learning_rates])
        runs, facts = self.lane_runs, self.facts
        self.fits.show_run(self.regression, runs)
        self.lanes.show_own(on=self.own_lane is not None)
        losses, theory = self.losses, self._theory_line()
        self._pointed = self.descent.recorded
        self.loss_plot.show_run(
            losses,
            names,
            end=self.max_steps,
            last=lambda: descent.last_step,
            diverged=lambda: descent.outcomes == "diverged",
            runs=runs,
            levels=[(closed.loss, "")],
            theory=theory,
            band=why.noise_band(facts, self.lane) if self.theory == "noise" else None,
            points=self._batch_points(),
            title=self._loss_title("" if theory is None else THIN[self.theory]),
            brief=self.brief,
        )

    def _theory_line(self) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """The one thin line of theory: the predicted loss, or the upper end of the noise floor."""
        if self.theory == "prediction":
            return why.prediction(self.facts, self.lane)
        band = why.noise_band(self.facts, self.lane) if self.theory == "noise" else None
        return None if band is None else (band[0], band[2])

    def _loss_title(self, thin: str = "") -> str:
        """What the losses are, and what the thin line over them is, where there is one."""
        over = " over all samples" if self.batch_size is not None else ""
        return f"loss{over}{thin or ' against update'}"

    def _batch_points(self) -> tuple[NDArray[Any], NDArray[Any], int] | None:
        if self.batch_size is None:
            return None
        return pictures.batch_losses(self.descent, self.lane, log_steps=self.log_steps)

    def progressed(self, *, done: bool) -> None:
        """More of the run is recorded: draw it, in strides, for a drawing costs many updates."""
        recorded = self.descent.recorded
        if not done and self.step <= self.computed and recorded < 1.5 * self._pointed + 100:
            return
        if self.batch_size is not None and recorded > self._pointed:
            self.show_recording()
        elif self.playing:
            self.loss_plot.extend()  # paused, all is drawn anew anyway
        self._pointed = recorded
        super().progressed(done=done)

    def show_view(self) -> None:
        """Apply what changes only how the run is shown."""
        self._check_lane(frozenset({"lane"}))
        if self.loss_plot.log_steps != self.log_steps:
            self.loss_plot.use_log_steps(self.log_steps)
        if self.loss_plot.future != self.shows_future:
            self.loss_plot.show_future(self.shows_future)
        if self._ready and self._shown_theory != (self.theory, self.lane, self.log_steps):
            self.show_recording()
        self._shown_theory = (self.theory, self.lane, self.log_steps)
        marks = why.marks(self.quadratic, self.present_rule, best=self.mark_best)
        self.track.show_marks(self.quadratic.limit, *marks)
        self.track.show_rates(self.learning_rates)
        self.lanes.show_rates(self.learning_rates)
        chooser = self.form.field("lane")
        if isinstance(chooser, LaneField):
            symbol = "γ" if self.rate_schedule is None else "γ₀"
            chooser.name(self.learning_rates, symbol, self.lane)

    def build_settings(self) -> Widget:
        """As all, with the schedule and the further constants of the update rule."""
        box = super().build_settings()
        schedule = ShapeField(self.declared()["rate_schedule"], lambda: self.max_steps)
        self.form.add("rate_schedule", "rate_schedule", schedule)
        rule = self.form.field("rule")
        constants = [rule.constants.others] if isinstance(rule, RuleField) else []
        box.children = (*box.children[:1], *constants, schedule.widget, *box.children[1:])
        return box

    _shown_theory: tuple[Any, ...] = ()

    def draw(self, k: int, *, full: bool) -> None:
        """Write every mark from the recording, with the cursor at ``k``."""
        descent = self.all_lanes
        steps = lane_steps(descent, k)
        params = descent.params[steps, np.arange(descent.lanes)].astype(np.float64)
        gone = (descent.outcomes == "diverged") & (k >= descent.last_step)
        self.fits.draw(params, gone.tolist())
        self.loss_plot.draw(k, full=full)
        if full:
            self._summarize(k)

    def _summarize(self, k: int) -> None:
        fits = f"{len(self.regression.x):,} samples, the closed form, and a fit for each lane."
        losses = words.losses_described(self.standing(k), self.max_steps, self.closed_form.loss)
        self.write_summaries((fits, losses))

    def show_at_rest(self) -> None:
        """Show the losses as at rest."""
        self.loss_plot.show_at_rest()

    def draw_text(self, k: int) -> None:
        """Write the numbers beside the lanes."""
        now = self._standing_drawn(k)
        names = self.descent.objective.parameter_names
        closed = self.closed_form
        self.lanes.show_numbers(
            *words.numbers(
                now, names, (closed.coefficients, closed.loss), batches=self.losses.batches
            )
        )

    def standing(self, k: int) -> words.Standing:
        """How the lanes stand with the cursor at ``k``, in numbers."""
        return words.standing(
            self.descent,
            self.losses(),
            self.closed_form.coefficients,
            self.rates_at(k if self.rate_schedule is None else 0),
            k,
            symbol="γ" if self.rate_schedule is None else "γ₀",
        )

    def _standing_drawn(self, k: int) -> words.Standing:
        """The same with the learner's own loop as one lane more, which has no rate."""
        return words.standing(
            self.all_lanes, self.losses(), self.closed_form.coefficients, self.rates_at(k), k
        )

    @property
    def facts(self) -> why.Facts:
        """What the theory of the present settings is worked out from."""
        return why.Facts(
            quadratic=self.quadratic,
            closed=self.closed_form,
            rule=self.present_rule,
            rates=self.learning_rates,
            start=self.descent.start[0].astype(np.float64),
            max_steps=self.max_steps,
            batch_size=self.batch_size,
            samples=len(self.regression.x),
            changing=bool(self.schedule) or self.rate_schedule is not None,
            noise=self._noise(),
        )

    def _noise(self) -> tuple[float, ...]:
        objective = self.descent.objective
        if not isinstance(objective, MiniBatches) or not isinstance(
            self.present_rule, GradientDescent
        ):
            return ()
        return tuple(noise_floor(objective, rate).dealt for rate in self.learning_rates)

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        now = self.standing(k)
        return words.sentence(now, self._speeds(now), batch_size=self.batch_size)

    def _speeds(self, now: words.Standing) -> words.Speeds:
        """What theory says of the learning rates of lanes."""
        if self.rate_schedule is not None:
            return words.Speeds(None, "", (), ())
        return why.speeds(self.quadratic, self.present_rule, now.rates)

    def new_settings(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a new explorer with these learning rates."""
        return super().new_settings(held) | {"lane": min(1, len(held["learning_rates"]) - 1)}

    # -- predictions -------------------------------------------------------------------------

    def lowest_loss(self) -> float:
        """The loss of the closed form."""
        return self.closed_form.loss

    def predicted_losses(self) -> NDArray[Any]:
        """The losses over all samples, (recorded + 1, L)."""
        return self.losses()

    def listed_names(self) -> Sequence[str]:
        """Each lane's learning rate, bare."""
        return [words.rate(rate) for rate in self.learning_rates]

    def prediction_reason(self, kind: str, lane: int, k: int) -> str:
        """Why the run, which was over at step ``k``, went as it did."""
        now = self.standing(k)
        if kind != STEP:
            return words.reasons(now, self._speeds(now), self.batch_size)
        one = now.only(lane)
        why_so = words.reasons(one, self._speeds(one), self.batch_size)
        named = f"{one.symbol} = {words.rate(one.rates[0])} "
        return f"It {why_so.removeprefix(named)}" if why_so.startswith(named) else why_so

    # -- runs, tables, code ------------------------------------------------------------------

    def describe(self, run: Run, lane: int) -> Mapping[str, str]:
        """Columns and cells of the run table that tell a lane's settings."""
        settings = run.settings
        rates = [part[lane] for _, part in settings["schedule"]]
        rates.append(settings["learning_rates"][lane])
        changed = [rates[0], *(new for old, new in pairwise(rates) if new != old)]
        return {
            "rule": text.short(run.descent.rule.label),
            "degree": str(settings["degree"]),
            "batch": str(settings["batch_size"] or "all"),
            "learning rate": " → ".join(map(words.rate, changed)),
        }

    def show_pins(self) -> None:
        """Draw the ghosts of all pins in both figures."""
        fits, losses = pictures.ghosts(self.pins)
        self.fits.show_ghosts(fits)
        self.loss_plot.show_ghosts(losses)

    def manual_gradients(self, steps: Sequence[int] | None = None) -> NDArray[np.float32]:
        """Gradients of the chosen lane from the formula 2/N Σ (zₙ − yₙ) xₙᵈ, without autograd.

        Parameters
        ----------
        steps
            Recorded steps; every step up to the cursor when omitted.

        Returns
        -------
        float32 array (steps, P), to be compared with ``descent.step_grad[steps, lane]``.

        Raises
        ------
        ValueError
            When a step is not recorded.
        """
        recorded = self.descent.recorded
        asked = range(self.step + 1) if steps is None else list(steps)
        chosen = np.array([checks.integer(k, "steps", 0, recorded) for k in asked], np.int64)
        params = self.descent.params[chosen, self.lane].copy()
        objective = self.descent.objective
        if not len(chosen):
            return np.zeros((0, params.shape[-1]), np.float32)
        if not isinstance(objective, MiniBatches):
            return self.regression.manual_gradient(params).numpy()
        last = int(self.descent.last_step[self.lane])  # an ended lane repeats its last record
        rows = [
            objective.manual_gradient(params[row : row + 1], min(int(k), last))
            for row, k in enumerate(chosen)
        ]
        return np.concatenate([row.numpy() for row in rows])

    async def _tabulate(self) -> None:
        """Record what the shown table needs, between messages, while its fold is open."""
        due = time.monotonic() + TOLD
        try:
            await asyncio.sleep(0)
            while self.fold.opened == TABLE_FOLD and self.shown_table in WHOLE:
                if self.hidden or self._whole.advance(self.shown_table, SLICE):
                    break
                if time.monotonic() >= due:
                    self.fold.refresh()
                    due = time.monotonic() + TOLD
                await asyncio.sleep(0)
        finally:
            self._tabling = None
        if not self.hidden:
            self.fold.refresh()

    def extended(self, steps: int) -> Descent:
        """Return the present run, recorded as far as ``steps``, beyond its end if need be.

        Nothing is computed twice: the longer run takes over the records of the shorter.
        """
        return self._whole.extended(steps)

    def table(self) -> str:
        """Return the three tables of the course's Exercise 1 and its closed form, as text.

        The rates at ``max_steps`` iterations, then five numbers of iterations for the two lanes
        that come lowest, up to twice ``max_steps``. All of it is read from one recorded run; the
        cursor stays where it is.
        """
        return self._whole.course_tables(self.closed_form)

    def training_lines(self) -> str:
        """Return what the unit's worked examples print of the chosen lane, as text.

        Every thousandth loss, then the learned coefficients.
        """
        return self._whole.training_lines(self.lane)

    @property
    def _whole(self) -> WholeRun:
        if self._whole_run is None or self._whole_run.descent is not self.descent:
            self._whole_run = WholeRun(self.descent)
        return self._whole_run

    def code(self) -> str:
        """Return a plain-PyTorch script of the present settings; it prints the final numbers."""
        return descent_script(self.descent)

    def panels(self, *, fine: bool) -> Sequence[Panel]:
        """The fits and the losses, as data."""
        return pictures.panels(
            self.all_lanes,
            self.losses,
            self.regression,
            self.closed_form,
            {
                "names": self.with_own([words.rate(rate) for rate in self.learning_rates]),
                "runs": self.lane_runs,
                "future": self.shows_future,
            },
            fine=fine,
            log_steps=self.log_steps,
            title=self._loss_title(),
        )


_STYLE = """
.gdwidgets .gdw-rate-figure text.axislabel { display: none; }
.gdw-figure { position: relative; overflow: visible; }
@container (min-width: 54.31em) {
  .gdwidgets.gdw-large .gdw-sentence { height: calc(72px * var(--gdw-size)); } }
.gdwidgets .gdw-chips .widget-toggle-button { padding: 0 8px; }
.gdwidgets .gdw-chips { gap: 4px; }
"""
