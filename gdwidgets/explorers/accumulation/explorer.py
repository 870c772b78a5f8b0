"""Why gradients must be cleared: the same training loop with and without the line that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from ipywidgets import HTML, HBox, Layout, VBox, Widget
from traitlets import Unicode, observe

from gdwidgets.core import Descent, checks
from gdwidgets.core.diagnosis.folding import passes_to_an_update
from gdwidgets.core.diagnosis.records import Reference
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.scripts.descent import descent_script
from gdwidgets.core.watching.run import WatchedRun
from gdwidgets.explorers.accumulation import panel
from gdwidgets.explorers.accumulation import text as words
from gdwidgets.explorers.accumulation.given import SAMPLES, BatchLosses, Point, Problem
from gdwidgets.explorers.accumulation.loop import LINES, Moment, lines_at, moment
from gdwidgets.ui import text
from gdwidgets.ui.fold import Part
from gdwidgets.ui.form import (
    Choice,
    Optional,
    Pair,
    Rate,
    RateField,
    Slide,
    Switch,
    best_marked,
    button,
    logarithmic_axis,
)
from gdwidgets.ui.map_explorer import MapExplorer
from gdwidgets.ui.own_loop.explorer import OwnLoop
from gdwidgets.ui.pictures.panels import CurvesPanel, MapPanel, Panel, grid
from gdwidgets.ui.playback.cursor import MOST_STEPS
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.plots.plane import Plane
from gdwidgets.ui.plots.shade import Shade
from gdwidgets.ui.prediction.text import ORDER
from gdwidgets.ui.runs import Run, lane_outcome, lane_steps
from gdwidgets.ui.settings import Setting
from gdwidgets.ui.situations import Situations

HEIGHT = 184
"""Height of the figures, in pixels."""

WIDTH = 328.0
"""Width of a figure of curves in a cell of 900 pixels, in pixels."""

ZOOM = 36
"""Width of the buttons that zoom the map, in pixels."""

SPEED = 2.0
"""Updates per second at first: there are few, and each is to be seen."""

MOMENTUM_STEPS = 2000
"""Steps of the β = 1 run that are drawn at most."""


class AccumulationComparer(MapExplorer):
    """Gradient descent without and with clearing of the gradients, in lock step.

    The course's Exercise 2. Lane 0, on the left, does not clear its ``.grad`` buffer, or clears it
    every n steps; lane 1, on the right, clears it in every step.

    Parameters
    ----------
    x, y
        Input and target of the neuron whose loss is (a x + b − y)².
    start, learning_rate, clear_every, max_steps
        As the traits.
    **settings
        Any other setting (see the traits), and ``layout``.

    Raises
    ------
    ValueError
        When a setting does not fit: names it, says what was given and what is accepted.
    TypeError
        For an unknown keyword: names the nearest.
    """

    TITLE = "Accumulation"
    WIDTHS = (1.0, 1.2, 1.2)
    DIALS = ("learning_rate", "clear_every")
    MORE = (("x", "y", "start"), ("max_steps", "micro_batches", "parameter", "loss_log"))

    SITUATIONS: ClassVar[Situations] = {
        "the exercise": {
            "sentence": "Both loops start at the white circle. Watch .grad: with clearing it "
            "gets smaller with the slope, without it keeps what earlier steps left there.",
        },
        "roles reversed": {
            "learning_rate": 0.4,
            "max_steps": 30,
            "sentence": "Between 2/λ and 4/λ the loop that clears diverges, and the one that does "
            "not oscillates but stays bounded. So clearing alone does not make descent stable.",
        },
        "both diverge": {
            "learning_rate": 0.7,
            "max_steps": 20,
            "sentence": "Beyond 4/λ nothing helps: both loops diverge. Lower the rate and watch "
            "first the loop without clearing, then the one with it stay bounded.",
        },
        "every third": {
            "clear_every": 3,
            "max_steps": 30,
            "sentence": "At this rate clearing in every step converges and never clearing stays "
            "bounded, yet clearing after every third update diverges. Open Why for the factor.",
        },
        "micro-batches": {
            "micro_batches": 4,
            "max_steps": 24,
            "sentence": "Accumulation on purpose: four small backward passes fill .grad with the "
            "gradient of the whole batch, then one update. Both ways stay together.",
        },
    }

    x = Setting(
        1.5,
        checks.real,
        help="Input of the neuron a x + b",
        control=Slide(-3, 3, 0.05, width="208px"),
    )
    """Input of the neuron, a finite number. Default 1.5."""

    y = Setting(
        2.5, checks.real, help="Target of the neuron", control=Slide(-5, 5, 0.05, width="208px")
    )
    """Target of the neuron, a finite number. Default 2.5."""

    start = Setting(
        (0.5, 0.5),
        checks.point,
        help="Where both loops start; also by a click on the map or by dragging the white circle",
        control=Pair(("a", "b")),
    )
    """Where both runs start: (a, b), two finite numbers. Default (0.5, 0.5)."""

    learning_rate = Setting(
        0.1,
        checks.positive,
        label="learning rate γ",
        help="Learning rate γ: how far one update goes along the negative of .grad",
        control=Rate(0.003, 3.0),
    )
    """The learning rate γ, a positive number. Default 0.1."""

    clear_every = Setting(
        None,
        checks.optional(checks.integer, 1, MOST_STEPS),
        label="clear every",
        help="The first loop clears its gradients after every n-th update; empty for never",
        control=Optional(example="3", whole=True, width="104px"),
    )
    """The left loop clears its gradients every n steps; ``None``, the default, for never."""

    micro_batches = Setting(
        None,
        checks.optional(checks.integer, 2, SAMPLES),
        label="micro-batches",
        help=f"Cut a batch of {SAMPLES} samples into parts: accumulation on purpose",
        control=Choice(
            (("off", None), *((f"{n} parts", n) for n in range(2, SAMPLES + 1))), "112px"
        ),
    )
    """Accumulation on purpose: a batch of 8 samples in so many parts (2 to 8) on the left, at once
    on the right; a step is one part's backward pass. ``None``, the default, for the neuron."""

    parameter = Setting(
        "a",
        lambda value, name: checks.one_of(value, name, panel.NAMES),
        label="shown parameter",
        help="Whose curve and .grad buffer are shown",
        control=Choice((("a", "a"), ("b", "b")), "120px"),
        view=True,
    )
    """Whose curve and ``.grad`` buffer are shown: ``"a"`` (default) or ``"b"``."""

    momentum = Setting(
        False,
        checks.boolean,
        label="Draw momentum with β = 1",
        help="A thin line: momentum with β = 1, which the loop without clearing follows exactly",
        control=Switch(),
        view=True,
    )
    """Whether the run of momentum with β = 1 is drawn over the curve."""

    mark_best = best_marked(
        "Write the best learning rate γ* = 1/λ of the loop that clears on the track"
    )
    """Whether the learning rate with which the loop that clears needs one update is marked."""

    loss_log = logarithmic_axis("loss axis", "Scale of the loss axis")
    """Whether the loss is drawn on a logarithmic axis."""

    line = Unicode("backward")
    """The line of the loop that has just run at the cursor: ``"update"`` (which made the step),
    ``"clear"``, ``"forward"`` or ``"backward"``. Whole steps stop after ``"backward"``."""

    problem_descended: Problem
    """What is descended, and what is known of it."""

    def __init__(
        self,
        x: float = 1.5,
        y: float = 2.5,
        *,
        start: Point = (0.5, 0.5),
        learning_rate: float = 0.1,
        clear_every: int | None = None,
        max_steps: int = 10,
        **settings: Any,
    ) -> None:
        self._arriving = "backward"
        settings.setdefault("speed", SPEED)
        super().__init__(
            x=x,
            y=y,
            start=start,
            learning_rate=learning_rate,
            clear_every=clear_every,
            max_steps=max_steps,
            **settings,
        )

    def situation_settings(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of a situation: the exercise's, and its ``own``."""
        return super().situation_settings({"max_steps": 10, **own})

    def new_settings(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a new explorer."""
        return super().new_settings(held) | {"speed": SPEED}

    # -- lines of the loop -------------------------------------------------------------------

    @observe("line")
    def _line_changed(self, change: Any) -> None:
        name = checks.one_of(change["new"], "line", LINES)
        if not self._ready:
            return
        if name not in lines_at(self.step, self.micro_batches):
            self.line = change["old"]
            raise ValueError(f"line must have run at step {self.step}, which {name!r} has not")
        if self._arriving == "backward":
            self.redraw(full=True)

    @observe("step")
    def _step_changed(self, change: Any) -> None:
        if self._ready:
            wanted, self._arriving = self._arriving, "moving"
            try:
                self.line = wanted
            finally:
                self._arriving = "backward"
        super()._step_changed(change)

    def seek(self, k: int) -> None:
        """Pause and show step ``k`` whole: forward and backward have run there."""
        super().seek(k)
        self.line = "backward"

    def line_forward(self) -> None:
        """Pause and execute one line of the loop: update, clear, forward, backward, and so on."""
        self.playing = False
        lines = lines_at(self.step, self.micro_batches)
        at = lines.index(self.line) + 1
        if at < len(lines):
            self.line = lines[at]
        elif self.step < self.end:
            self._go(self.step + 1, "update")

    def line_back(self) -> None:
        """Pause and take one line of the loop back."""
        self.playing = False
        lines = lines_at(self.step, self.micro_batches)
        at = lines.index(self.line) - 1
        if at >= 0:
            self.line = lines[at]
        elif self.step > 0:
            self._go(self.step - 1, "backward")

    def _go(self, step: int, line: str) -> None:
        self._arriving = line if line in lines_at(step, self.micro_batches) else LINES[2]
        try:
            self.step = step
        finally:
            self._arriving = "backward"

    # -- the recording -----------------------------------------------------------------------

    def new_recording(self, changed: frozenset[str]) -> Descent:
        """Make the descent of the present settings."""
        subject = Problem(self.x, self.y, self.micro_batches)
        descent = subject.descend(self.start, self.learning_rate, self.clear_every, self.max_steps)
        self.problem_descended = subject
        if self.line not in lines_at(min(self.step, self.max_steps), self.micro_batches):
            self.line = "backward"
        return descent

    def remember(self) -> Any:
        """What the base remembers, and what is descended."""
        return super().remember(), self.problem_descended

    def recall(self, state: Any) -> None:
        """Show the recording of before at its step."""
        base, self.problem_descended = state
        super().recall(base)

    # -- the face ----------------------------------------------------------------------------

    def build_picture(self) -> Widget:
        """Make the valley, the curve of a parameter, and the loss."""
        click = self.handler(lambda point: setattr(self, "start", point))
        self.map = Plane(HEIGHT, click, self.handler(self.drag), names=("a", "b"))
        read_out = self.handler(lambda _, step: self.seek(step))
        self.curve = Curves(HEIGHT, title="a", log=False, on_click=read_out, usual=WIDTH)
        self.loss_plot = Curves(HEIGHT, on_click=read_out, usual=WIDTH)
        self.summaries = [HTML() for _ in self._plots]
        self.zooms = self.zoom_buttons("the points of both loops")
        zooms = VBox(self.zooms)
        zooms.add_class("gdw-zoom-beside")
        self.boxes = [
            HBox([plot.figure, said, *more], layout=Layout(flex=flex, min_width="200px"))
            for plot, said, more, flex in zip(
                self._plots,
                self.summaries,
                ([zooms], [], []),
                (f"0 1 {HEIGHT + ZOOM}px", "1 1 280px", "1 1 280px"),
                strict=True,
            )
        ]
        for box in self.boxes:
            box.add_class("gdw-figure")
        return HBox(self.boxes)

    @property
    def _plots(self) -> tuple[Plane, Curves, Curves]:
        return self.map, self.curve, self.loss_plot

    def build_middle(self) -> Sequence[Widget]:
        """Make the two loops, and the buttons for single lines."""
        self.loops = HTML(layout=Layout(width="100%"))
        back = button("◂ line", "One line of the training loop back")
        forward = button("line ▸", "Execute one line of the training loop")
        self.line_buttons = (back, forward)
        self.bind_button(back, self.line_back)
        self.bind_button(forward, self.line_forward)
        self.transport.buttons.children = (*self.transport.buttons.children, back, forward)
        return [self.loops]

    def style_sheet(self) -> str:
        """The style of the loops."""
        return panel.STYLE

    def build_dials(self) -> Sequence[Widget]:
        """Make the track of the learning rate and how often to clear."""
        made = super().build_dials()
        made[0].layout.flex = "1 1 320px"
        return made

    def parts(self) -> list[Part]:
        """As all, and the theory."""
        made = super().parts()
        reason = Part("Why", html=self._why_html, widgets=self._build_why)
        return [*made[:2], reason, *made[2:]]

    def _build_why(self) -> Widget:
        return self.form.row("momentum", "mark_best")

    def _why_html(self) -> str:
        return text.html_paragraphs(
            words.why(self.problem_descended, self.descent, self.learning_rate, self.clear_every)
        )

    def tables(self) -> list[Part]:
        """The steps around the cursor of both loops."""
        return [
            Part(
                "Tables",
                html=lambda: words.step_tables(self.descent, self.drawn, self.micro_batches),
            )
        ]

    def resize(self, scale: float) -> None:
        """Make the figures ``scale`` times as large as they normally are."""
        for plot in self._plots:
            plot.set_size(scale)
        self.boxes[0].layout.flex = f"0 1 {round((HEIGHT + ZOOM) * scale)}px"

    def zoom_point(self) -> Point:
        """The middle between the present points of both loops, or the map's point next to it."""
        steps = lane_steps(self.descent, self.drawn)
        points = self.descent.params[steps, np.arange(self.descent.lanes)].astype(np.float64)
        low, high = self.map.view.bounds.T
        a, b = np.clip(points, low, high).mean(axis=0)
        return float(a), float(b)

    def drag(self, lane: int, point: Point, released: bool = True) -> None:
        """Move the start while it is dragged; one that does not fit stays where it was."""
        try:
            with self._hand.letting_go(on=released):
                self.start = point
        finally:
            if released:
                self.map.put_starts()

    # -- drawing -----------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, str]:
        """What the lanes are called at the ends of their curves."""
        return panel.lane_names(self.clear_every, self.micro_batches)

    def lane_titles(self) -> Sequence[str]:
        """What the two lanes are called where there is room."""
        return panel.lane_titles(self.clear_every, self.micro_batches)

    def reference_of(self, lane: int) -> Reference | None:
        """What a loop is compared with: of micro-batches the whole batch, update by update.

        ``None`` where the run of micro-batches is too short for an update.
        """
        objective = self.problem_descended.objective
        if not isinstance(objective, MicroBatches):
            return super().reference_of(lane)
        updates = self.max_steps // objective.parts
        if not updates:
            return None
        return Reference(
            objective.whole,
            tuple(self.descent.start[lane].tolist()),
            self.learning_rate,
            max_steps=updates,
            title=self.lane_titles()[lane],
        )

    def lane_beside(self, loop: OwnLoop) -> int:
        """The lane that a loop is compared with: of micro-batches the one written as it is."""
        if self.micro_batches is None:
            return super().lane_beside(loop)
        return 0 if passes_to_an_update(loop.loop) > 1 else 1

    def run_of(self, loop: OwnLoop) -> WatchedRun:
        """A loop as it is drawn: beside micro-batches a step is one of their backward passes."""
        run = super().run_of(loop)
        if self.micro_batches is None or not loop.matched:
            return run
        mine = passes_to_an_update(loop.loop)
        if loop.recording and mine == loop.loop.count:
            mine = self.micro_batches  # no update as yet
        return replace(run, stretch=(self.micro_batches, mine), whole_loss=True)

    @property
    def shown(self) -> int:
        """The parameter that is shown: 0 for a, 1 for b."""
        return panel.NAMES.index(self.parameter)

    def show_recording(self) -> None:
        """Prepare the figures for a new descent."""
        descent, subject = self.all_lanes, self.problem_descended
        bounds = subject.bounds(self.start)
        ground = (self.x, self.y, self.micro_batches is None, bounds)
        if getattr(self, "_ground", None) != ground:
            self._ground = ground
            lowest = float(subject.values(np.array([subject.centre], np.float32))[0])
            self.map.show_surface(
                subject.values,
                bounds,
                lowest=lowest,
                minima=[] if self.micro_batches is None else [subject.centre],
                valley=subject.valley((bounds[0][1] - bounds[0][0]) / 2),
            )
        self.losses: Callable[[], Any] = lambda: descent.loss
        if isinstance(subject.objective, MicroBatches):
            self.losses = BatchLosses(descent, subject.objective)
        last, names = (lambda: descent.last_step), self.with_own(self.names)
        runs = self.lane_runs
        # Arrows end where the next points will be.
        self.map.show_run(lambda: descent.params, names=names, last=last, runs=runs, factor=1.0)
        self.loss_plot.show_run(
            self.losses,
            names,
            end=self.max_steps,
            last=last,
            diverged=lambda: descent.outcomes == "diverged",
            runs=runs,
            titles=self.lane_titles(),
            brief=self.brief,
        )
        self._show_curve()
        first = float(np.abs(descent.grad[0]).max())
        self._expected = 1.5 * first * (self.micro_batches or 1)

    def _show_curve(self) -> None:
        descent, i = self.all_lanes, self.shown
        theory = None
        if self.momentum:
            steps = min(self.max_steps, MOMENTUM_STEPS)
            points = self.problem_descended.momentum(self.start, self.learning_rate, steps)
            if points is not None:
                theory = (np.arange(len(points)), points[:, i])
        self.curve.show_run(
            lambda: descent.params[:, :, i],
            self.with_own(self.names),
            runs=self.lane_runs,
            titles=self.lane_titles(),
            end=self.max_steps,
            last=lambda: descent.last_step,
            diverged=lambda: descent.outcomes == "diverged",
            theory=theory,
            title=self.parameter + ("" if theory is None else "; thin: β = 1"),
            brief=self.brief,
        )
        self._curve_shows = (self.parameter, self.momentum)

    def show_view(self) -> None:
        """Apply what changes only how the run is shown."""
        if self.loss_plot.log != self.loss_log:
            self.loss_plot.use_log(self.loss_log)
        for plot in self._plots:
            if plot.future != self.shows_future:
                plot.show_future(self.shows_future)
        if self._curve_shows != (self.parameter, self.momentum):
            self._show_curve()
        batch = self.micro_batches is not None
        for name in ("clear_every", "x", "y", "momentum", "mark_best"):
            self.form.field(name).enable(on=not batch)

    def draw(self, k: int, *, full: bool) -> None:
        """Write every mark from the recording, with the cursor at ``k`` and its line."""
        self.compute(min(k + 1, self.max_steps), 0.05)  # one more, for the next update
        # Before the backward pass nobody knows the update.
        none = np.zeros((self.all_lanes.lanes, 2)) if self.line != "backward" else None
        self.map.draw(k, full=full, updates=none)
        self.curve.draw(k, full=full)
        self.loss_plot.draw(k, full=full)
        if full:
            self._write_loops(k)
            self.write_summaries(plot.summary(k) for plot in self._plots)

    def progressed(self, *, done: bool) -> None:
        """More of the run is recorded: draw it."""
        for plot in self._plots:
            plot.extend()
        super().progressed(done=done)

    def show_at_rest(self) -> None:
        """Show both curves as at rest."""
        self.curve.show_at_rest()
        self.loss_plot.show_at_rest()

    def draw_text(self, k: int) -> None:
        """Write the loops and the limits on the learning rate's track."""
        self._write_loops(k)
        field = self.form.field("learning_rate")
        if isinstance(field, RateField):
            curvature = self.problem_descended.curvature
            if self.micro_batches is None:
                field.show_limits(
                    [(2 / curvature, "2/λ"), (4 / curvature, "4/λ")],
                    "2/λ: with clearing it diverges beyond; 4/λ: without clearing as well",
                    best=1 / curvature if self.mark_best else None,
                )
            else:
                field.show_limits([(2 / curvature, "2/λ")], "2/λ: both ways diverge beyond")

    def moments(self, k: int) -> tuple[Moment, Moment]:
        """What the two loops hold at step ``k`` and the present line."""
        found = [moment(self.descent, lane, k, self.line, self.micro_batches) for lane in (0, 1)]
        return found[0], found[1]

    def _write_loops(self, k: int) -> None:
        parts = self.micro_batches
        titles = panel.lane_titles(self.clear_every, parts)
        sides = []
        for lane, at in enumerate(self.moments(k)):
            every = 1 if lane == 1 else self.clear_every
            loop = panel.Loop(lane, titles[lane], every, parts, self.learning_rate)
            last = int(lane_steps(self.descent, k)[lane])
            ending = ""
            if lane_outcome(self.descent, lane, k) == "diverged":
                ending = f"diverged at update {last + 1:,}"
            elif last == self.max_steps and not at.line and at.loss is not None:
                loss = text.fixed(float(self.losses()[last, lane]), 6)
                ending = f"final loss = {loss}"
            sides.append((loop, at, ending))
        html = panel.panel(sides, self.shown, self._expected)
        if self.loops.value != html:
            self.loops.value = html

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        return words.sentence(self.problem_descended, self.descent, k, self.moments(k), self.shown)

    # -- predictions -------------------------------------------------------------------------

    @property
    def prediction_kinds(self) -> tuple[str, ...]:
        """The questions that fit: none where a batch in parts and at once make equal updates."""
        return super().prediction_kinds if self.micro_batches is None else ()

    def lowest_loss(self) -> float:
        """The neuron's loss on its line of minima."""
        return 0.0

    def run_names(self) -> Sequence[str]:
        """The two loops in a sentence."""
        return [f"the loop {title}" for title in self.lane_titles()]

    def prediction_reason(self, kind: str, lane: int, k: int) -> str:
        """Why the loops, whose runs were over at step ``k``, went as they did."""
        said = self.problem_descended, self.descent, self.learning_rate, self.clear_every
        return words.explanation(*said) if kind == ORDER else words.lane_explanation(*said, lane)

    # -- runs, tables, code ------------------------------------------------------------------

    def describe(self, run: Run, lane: int) -> Mapping[str, str]:
        """Columns and cells of the run table that tell a lane's settings."""
        batch = run.settings["micro_batches"]
        every = run.descent.clear_every[lane]
        clearing = "never" if every is None else f"every {every}"
        if batch is not None:
            clearing = "at once" if lane else f"{batch} parts"
        u, v = run.settings["start"]
        return {
            "x": "–" if batch is not None else text.number(run.settings["x"], 6),
            "y": "–" if batch is not None else text.number(run.settings["y"], 6),
            "start": f"({text.number(u)}, {text.number(v)})",
            "learning rate": text.number(run.settings["learning_rate"], 6),
            "clearing": clearing,
        }

    def show_pins(self) -> None:
        """Draw the ghosts of the pins that were made on the present loss."""
        here = (self.x, self.y, self.micro_batches is None)
        paths, losses = [], []
        for pin in self.pins:
            s = pin.settings
            if (s["x"], s["y"], s["micro_batches"] is None) != here:
                continue
            objective = pin.descent.objective
            values = pin.descent.loss
            if isinstance(objective, MicroBatches):
                values = objective.batch_loss(pin.descent.params)
            for lane in range(pin.descent.lanes):
                at = int(lane_steps(pin.descent, pin.step)[lane]) + 1
                paths.append((pin.descent.params[:at, lane], pin.label))
                losses.append((np.arange(at), values[:at, lane], pin.label))
        self.map.show_ghosts(paths)
        self.loss_plot.show_ghosts(losses)

    def table(self) -> str:
        """Return both runs as the course's Exercise 2 prints them, a line for each step.

        The runs are computed as far as they are not yet; the cursor stays where it is.
        """
        self.record_to(self.max_steps)
        return words.course_tables(self.problem_descended, self.descent)

    def code(self) -> str:
        """Return a plain-PyTorch script of the present settings: two loops, one after the other."""
        return descent_script(self.descent)

    def panels(self, *, fine: bool) -> Sequence[Panel]:
        """The valley and both curves, as data."""
        descent, subject = self.all_lanes, self.problem_descended
        a, b, z = grid(subject.values, subject.bounds(self.start), 161 if fine else 81)
        lowest = float(subject.values(np.array([subject.centre], np.float32))[0])
        lanes: dict[str, Any] = {
            "last": descent.last_step,
            "names": self.with_own(self.names),
            "runs": self.lane_runs,
            "future": self.shows_future,
        }
        values = descent.params[:, :, self.shown]
        return (
            MapPanel(
                across=a,
                up=b,
                heights=z,
                shade=Shade(z, lowest),
                params=descent.params,
                axes=("a", "b"),
                **lanes,
            ),
            CurvesPanel(values=values, title=self.parameter, **lanes),
            CurvesPanel(values=self.losses(), log=self.loss_log, **lanes),
        )
