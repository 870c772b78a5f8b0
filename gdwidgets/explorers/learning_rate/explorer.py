"""Gradient descent on a polynomial fit with several learning rates at once: Exercise 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from ipywidgets import HBox, Layout, Widget
from numpy.typing import NDArray
from traitlets import Bool, TraitError, validate

from gdwidgets.core import (
    RULES,
    Descent,
    MiniBatches,
    PolynomialRegression,
    initial_parameters,
    training_pairs,
)
from gdwidgets.core.scripts.descent import descent_script
from gdwidgets.explorers.learning_rate import given
from gdwidgets.explorers.learning_rate import text as words
from gdwidgets.explorers.learning_rate.controls import CHANGES, LearningRateControls
from gdwidgets.explorers.learning_rate.fits import FitPlot
from gdwidgets.explorers.learning_rate.loss import RateLossPlot
from gdwidgets.ui import checks
from gdwidgets.ui.explorer import Explorer
from gdwidgets.ui.plots import palette


class LearningRateExplorer(Explorer):
    """Lanes with different learning rates fit the same polynomial to the same data.

    Parameters
    ----------
    x, y
        The data, N finite numbers each; the course's hundred training pairs when omitted.
    degree, learning_rates, rule, init, max_steps
        The settings of the exercise; see the traits.
    **settings
        Any other of ``SETTINGS``, ``speed`` and ``layout``.

    Raises
    ------
    ValueError, TraitError
        When a setting does not fit: says what was given and what is accepted.
    TypeError
        For an unknown keyword: names the nearest.
    """

    SETTINGS = (
        "x",
        "y",
        "degree",
        "learning_rates",
        "rule",
        "init",
        "max_steps",
        "batch_size",
        "batch_seed",
        "schedule",
        "on_change",
        "log_steps",
        "lane",
    )

    x = checks.Checked(None, lambda value: given.data(value, "x"))
    """Inputs: N numbers, kept as a tuple; ``None`` for the course's. Set x and y together."""

    y = checks.Checked(None, lambda value: given.data(value, "y"))
    """Targets: N numbers, kept as a tuple; ``None`` for the course's."""

    degree = checks.Checked(2, given.degree)
    """Degree of the polynomial, 0 to 10; there is one coefficient more. Default 2."""

    learning_rates = checks.Checked(given.RATES, given.rates)
    """One learning rate per lane: a tuple of 1 to 8 numbers, each above 0 and up to 1,000,000."""

    rule = checks.Checked("gd", lambda value: checks.one_of(value, "rule", RULES))
    """The update rule: a name from ``gdwidgets.core.RULES``. Default ``"gd"``."""

    init = checks.Checked(None, lambda value: given.data(value, "init"))
    """Initial coefficients, degree + 1 numbers; ``None`` for normal draws after seed 1."""

    batch_size = checks.Checked(None, given.batch_size)
    """Pairs in a mini-batch, 1 to N; ``None`` for all pairs in every step."""

    batch_seed = checks.Checked(0, lambda value: checks.whole(value, "batch_seed", 0, 2**31))
    """Seed by which mini-batches are dealt out, at least 0."""

    schedule = checks.Checked((), given.schedule)
    """Earlier learning rates: pairs (step, rates), those in force until that step, in order."""

    on_change = checks.Checked("restart", lambda value: checks.one_of(value, "on_change", CHANGES))
    """What a changed rate does: ``"restart"``, or ``"continue"`` from the cursor."""

    log_steps = Bool(False)
    """Whether the step axis of the loss is logarithmic."""

    lane = checks.Checked(0, lambda value: checks.whole(value, "lane", 0, 7))
    """The lane whose steps and gradients the tables list, from 0."""

    def __init__(
        self,
        x: Any = None,
        y: Any = None,
        *,
        degree: int = 2,
        learning_rates: Any = given.RATES,
        rule: str = "gd",
        init: Any = None,
        max_steps: int = 4000,
        **settings: Any,
    ) -> None:
        self._continuing = False
        self._extended: tuple[Descent, Descent] | None = None
        super().__init__(
            x=x,
            y=y,
            degree=degree,
            learning_rates=learning_rates,
            rule=rule,
            init=init,
            max_steps=max_steps,
            **({"speed": 200.0, "lane": min(1, len(given.rates(learning_rates)) - 1)} | settings),
        )

    # -- settings ----------------------------------------------------------------------------

    @validate("lane")
    def _valid_lane(self, proposal: Any) -> int:
        lane: int = proposal["value"]
        if self._ready and not self._together:
            given.check_lane(lane, len(self.learning_rates))
        return lane

    def _setting_changed(self, change: Any) -> None:
        name = change["name"]
        if self._continuing:
            return
        if self._together or not self._ready:
            super()._setting_changed(change)
        elif name in {"on_change", "lane"}:
            self.show_settings()
            self.redraw()
        elif name == "log_steps":
            self.show_settings()
            self.loss_plot.use_log_steps(self.log_steps)
            self.redraw()
        elif name == "learning_rates" and self._can_continue(change["old"]):
            self._continue(change["old"])
        elif name == "learning_rates" or (name != "schedule" and self.schedule):
            self._restart_without_schedule(change)
        else:
            super()._setting_changed(change)

    def _restart_without_schedule(self, change: Any) -> None:
        """Restart under changed settings; a schedule belongs to the run that it was made in."""
        schedule, lane = self.schedule, self.lane
        try:
            with self.settings_together():
                self._stale = True
                self.schedule = ()
                self.lane = min(lane, len(self.learning_rates) - 1)
        except Exception:
            self._together += 1
            try:
                self.set_trait(change["name"], change["old"])
                self.schedule, self.lane = schedule, lane
            finally:
                self._together -= 1
                self._stale = False
            raise

    def _can_continue(self, before: tuple[float, ...]) -> bool:
        return (
            self.on_change == "continue"
            and 0 < self.step < self.max_steps
            and len(before) == len(self.learning_rates)
        )

    def _continue(self, before: tuple[float, ...]) -> None:
        """Go on from the cursor with the present learning rates; the clock may keep running."""
        k = self.step
        self.descent = self.descent.fork(k, learning_rate=list(self.learning_rates))
        self._continuing = True
        try:
            self.schedule = given.continued(self.schedule, before, k)
        finally:
            self._continuing = False
        self.settings_applied()
        self.redraw()

    # -- lanes -------------------------------------------------------------------------------

    def change_rate(self, lane: int, rate: float) -> None:
        """Give a lane another learning rate; ``on_change`` says what that does to the run."""
        lane = checks.whole(lane, "lane", 0, len(self.learning_rates) - 1)
        rates = list(self.learning_rates)
        rates[lane] = rate
        self.learning_rates = rates

    def add_rate(self, rate: float | None = None) -> None:
        """Add a lane; without a rate, one that is not there yet, near the limit if there is one.

        Raises
        ------
        TraitError
            When there are eight lanes already, or the rate does not fit.
        """
        if rate is None:
            limit = self.curvature.limit
            near = [0.95 * limit, 1.05 * limit] if limit < given.HIGHEST_RATE / 2 else []
            offered = [*(float(f"{value:.2g}") for value in near), *given.SUGGESTED]
            rate = next(value for value in offered if value not in self.learning_rates)
        self.learning_rates = (*self.learning_rates, rate)

    def remove_rate(self, lane: int) -> None:
        """Remove a lane; the last one stays."""
        lane = checks.whole(lane, "lane", 0, len(self.learning_rates) - 1)
        if len(self.learning_rates) == 1:
            raise TraitError("at least one learning rate must stay")
        self.learning_rates = (*self.learning_rates[:lane], *self.learning_rates[lane + 1 :])

    # -- building ----------------------------------------------------------------------------

    def build_descent(self) -> Descent:
        """Make the descent of the present settings, through the schedule if there is one."""
        x, y = given.both(self.x, self.y) or training_pairs()
        regression = PolynomialRegression(x, y, self.degree)
        objective: Any = regression
        if self.batch_size is not None:
            objective = MiniBatches(regression, self.batch_size, self.batch_seed)
        init = initial_parameters(self.degree + 1) if self.init is None else self.init
        parts = given.parts(self.schedule, self.learning_rates, self.max_steps)
        given.check_lane(self.lane, len(self.learning_rates))
        descent = Descent(
            objective, init, list(parts[0][1]), rule=self.rule, max_steps=self.max_steps
        )
        if "diverged" in descent.outcomes:
            raise ValueError(
                f"the loss is not finite in float32 at the initial coefficients {tuple(init)}: "
                "choose smaller ones"
            )
        for (until, _), (_, rates) in pairwise(parts):
            if descent.advance_to(until) < until:
                break  # every lane has ended: later rates change nothing
            descent = descent.fork(until, learning_rate=list(rates))
        self.regression = regression
        self.closed_form = regression.closed_form()
        self.curvature = words.Curvature.of(regression)
        return descent

    regression: PolynomialRegression
    """The data and their loss over all pairs."""

    closed_form: tuple[NDArray[np.float64], float]
    """The least-squares coefficients and their loss."""

    curvature: words.Curvature
    """The Hessian's eigenvalues, the largest stable learning rate, the condition number."""

    def build_picture(self) -> Widget:
        """Make both figures."""
        self.fits, self.loss_plot = FitPlot(300), RateLossPlot(300)
        share = {"flex": "1 1 360px", "min_width": "320px"}
        boxes = [
            HBox([plot.figure], layout=Layout(**share)) for plot in (self.fits, self.loss_plot)
        ]
        return HBox(boxes, layout=Layout(width="100%", flex_flow="row wrap"))

    def build_controls(self) -> Widget:
        """Make the lanes and controls, and write the present settings into everything."""
        self.controls = LearningRateControls(self)
        self.loss_plot.log_steps = self.log_steps
        self.settings_applied()
        return self.controls

    def folded(self) -> dict[str, Callable[[], str]]:
        """Return the folded tables and the code."""
        return {
            "Step table": lambda: words.step_table(self),
            "Manual gradient": lambda: words.gradient_table(self),
            "Run table": lambda: words.run_table(self),
            **super().folded(),
        }

    # -- drawing -----------------------------------------------------------------------------

    def settings_applied(self) -> None:
        """Prepare figures and controls for a new descent."""
        lanes = self.descent.lanes
        for plot in (self.fits, self.loss_plot):
            # More lanes make a longer table; the whole keeps its height.
            plot.figure.layout.height = f"{300 - 18 * max(0, lanes - 4)}px"
        colours = palette.LANES[:lanes]
        self.fits.show_run(self.regression, colours)
        self.loss_plot.show_run(
            self.descent,
            colours,
            self.closed_form[1],
            changes=[until for until, _ in self.schedule],
            batches=self.batch_size is not None,
        )
        self.controls.panel.show_curvature(
            self.curvature, self.learning_rates, self.rule, batches=self.batch_size is not None
        )
        self.show_settings()

    def show_settings(self) -> None:
        """Write the settings' values into their controls."""
        self.controls.show(self)

    def draw(self, k: int) -> None:
        """Write every mark and the live table from the recording, with the cursor at ``k``."""
        self.fits.draw(self.descent, k)
        self.loss_plot.draw(self.descent, k)
        self.controls.panel.draw(self, k)

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        return words.sentence(self, k)

    def resend(self) -> None:
        """Send the whole picture and the live table once more."""
        self.controls.panel.table.send_state("value")
        super().resend()

    # -- pins, tables, code ------------------------------------------------------------------

    def ghosts(self) -> dict[str, Any]:
        """Points of the present run's ghosts in both figures, every lane's."""
        lanes = range(self.descent.lanes)
        return {
            "fit": [self.fits.pin(self.descent, lane, self.step) for lane in lanes],
            "loss": [self.loss_plot.pin(self.descent, lane, self.step) for lane in lanes],
        }

    def show_pins(self) -> None:
        """Draw the ghosts of all pins."""
        self.fits.show_ghosts([line for pin in self.pins for line in pin.ghosts["fit"]])
        self.loss_plot.show_ghosts([line for pin in self.pins for line in pin.ghosts["loss"]])
        self.show_settings()

    def manual_gradients(self, steps: Sequence[int] | None = None) -> NDArray[np.float32]:
        """Gradients of the chosen lane from the formula 2/N Σ (zₙ − yₙ) xₙᵈ, without autograd.

        Parameters
        ----------
        steps
            Recorded steps; every step up to the cursor when omitted.

        Returns
        -------
        float32 array (steps, P), to be compared with ``descent.step_grad[steps, lane]``.
        """
        asked = np.arange(self.step + 1) if steps is None else np.asarray(list(steps), np.int64)
        params = self.descent.params[asked, self.lane].copy()
        objective = self.descent.objective
        if not isinstance(objective, MiniBatches):
            return self.regression.manual_gradient(params).numpy()
        last = int(self.descent.last_step[self.lane])  # an ended lane repeats its last record
        rows = [
            objective.manual_gradient(params[row : row + 1], min(int(k), last))
            for row, k in enumerate(asked)
        ]
        return np.concatenate([row.numpy() for row in rows])

    def extended(self, steps: int) -> Descent:
        """Return the present run, recorded as far as ``steps``, beyond its end if need be.

        Nothing is computed twice: the longer run takes over the records of the shorter.
        """
        self.compute(self.max_steps)
        if steps <= self.max_steps:
            return self.descent
        if (
            self._extended is None
            or self._extended[0] is not self.descent
            or self._extended[1].max_steps < steps
        ):
            longer = self.descent.fork(self.descent.recorded, max_steps=steps)
            self._extended = self.descent, longer
        self._extended[1].advance_to(steps)
        return self._extended[1]

    def table(self) -> str:
        """Return the three tables of the course's Exercise 1 and its closed form, as text.

        The rates at ``max_steps`` iterations, then five numbers of iterations for the two lanes
        that come lowest, up to twice ``max_steps``. All of it is read from one recorded run; the
        cursor stays where it is.
        """
        return words.course_tables(self)

    def code(self) -> str:
        """Return a plain-PyTorch script of the present settings; it prints the final numbers."""
        return descent_script(self.descent)
