"""Why gradients must be cleared: the same training loop with and without the line that does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ipywidgets import HTML, HBox, Layout, VBox, Widget
from traitlets import Bool, TraitError, Unicode, observe, validate

from gdwidgets.core import Descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.scripts.descent import descent_script
from gdwidgets.explorers.accumulation import loops as panel
from gdwidgets.explorers.accumulation import runs
from gdwidgets.explorers.accumulation import text as words
from gdwidgets.explorers.accumulation.controls import OWN, AccumulationControls, add_line_buttons
from gdwidgets.explorers.accumulation.plots import BatchView, ParameterPlot, ValleyMap, key_entries
from gdwidgets.ui import checks, text
from gdwidgets.ui.explorer import Explorer
from gdwidgets.ui.plots.loss_plot import LossPlot
from gdwidgets.ui.runs import lane_outcome, lane_steps

MAP_HEIGHT, CURVES_HEIGHT, LOSS_HEIGHT = 290, 130, 142
"""Heights of the figures, in pixels: the curves and the loss stand above each other."""

LOSS_POINTS = 260
"""Points of both losses together that are sent in a frame."""

MOMENTUM_STEPS = 2000
"""Steps of the β = 1 run that are drawn at most."""

DISPLAY = ("momentum", "loss_log")
"""Settings that change what is drawn, not what is run."""


class AccumulationComparer(Explorer):
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
        Any other of ``SETTINGS`` (see the traits), ``speed`` and ``layout``.

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
        "start",
        "learning_rate",
        "clear_every",
        "micro_batches",
        "max_steps",
        "momentum",
        "loss_log",
    )

    x = checks.Checked(1.5, lambda value: checks.real(value, "x"))
    """Input of the neuron, a finite number. Default 1.5."""

    y = checks.Checked(2.5, lambda value: checks.real(value, "y"))
    """Target of the neuron, a finite number. Default 2.5."""

    start = checks.Checked((0.5, 0.5), lambda value: checks.point(value, "start"))
    """Where both runs start: (a, b), two finite numbers. Default (0.5, 0.5)."""

    learning_rate = checks.Checked(0.1, lambda value: checks.real(value, "learning_rate", above=0))
    """The learning rate γ, a positive number. Default 0.1."""

    clear_every = checks.Checked(None, runs.as_clearing)
    """The left loop clears its gradients every n steps; ``None``, the default, for never."""

    micro_batches = checks.Checked(None, runs.as_parts)
    """Accumulation on purpose: a batch of 8 pairs in so many parts (2 to 8) on the left, at once on
    the right; a step is one part's backward pass. ``None``, the default, for the neuron."""

    momentum = Bool(False)
    """Whether the run of momentum with β = 1 is drawn over the curves."""

    loss_log = Bool(True)
    """Whether the loss is drawn on a logarithmic axis."""

    line = Unicode("backward")
    """The line of the loop that has just run at the cursor: ``"update"`` (which made the step),
    ``"clear"``, ``"forward"`` or ``"backward"``. Whole steps stop after ``"backward"``."""

    def __init__(
        self,
        x: float = 1.5,
        y: float = 2.5,
        *,
        start: runs.Point = (0.5, 0.5),
        learning_rate: float = 0.1,
        clear_every: int | None = None,
        max_steps: int = 10,
        **settings: Any,
    ) -> None:
        self._arriving = "backward"
        self.subject: runs.Problem
        settings.setdefault("speed", 2.0)
        super().__init__(
            x=x,
            y=y,
            start=start,
            learning_rate=learning_rate,
            clear_every=clear_every,
            max_steps=max_steps,
            **settings,
        )

    # -- settings ----------------------------------------------------------------------------

    def _setting_changed(self, change: Any) -> None:
        if change["name"] not in DISPLAY:
            super()._setting_changed(change)
        elif self._ready:
            self._show_display()

    def _show_display(self) -> None:
        self.show_settings()
        self.loss_plot.use_log(self.loss_log, self.losses, self.step)
        self._show_momentum()

    @property
    def preset(self) -> str:
        """The preset that the present settings are, or ``"your own"``."""
        present = {name: getattr(self, name) for name in runs.COURSE}
        for name, own in runs.PRESETS.items():
            if present == {**runs.COURSE, **own}:
                return name
        return OWN

    def apply_preset(self, name: str) -> None:
        """Take all settings of a preset; the names are those of ``accumulation_runs.PRESETS``.

        Raises
        ------
        TraitError
            For an unknown name; says which there are.
        """
        name = checks.one_of(name, "preset", runs.PRESETS)
        with self.settings_together():
            for setting, value in {**runs.COURSE, **runs.PRESETS[name]}.items():
                setattr(self, setting, value)

    # -- lines of the loop -------------------------------------------------------------------

    @validate("line")
    def _valid_line(self, proposal: Any) -> str:
        name = checks.one_of(proposal["value"], "line", runs.LINES)
        if self._ready and name not in runs.lines_at(self.step, self.micro_batches):
            raise TraitError(f"no {name} line has run at step {self.step}: use line_forward()")
        return name

    @observe("line")
    def _line_changed(self, change: Any) -> None:
        if self._ready and self._arriving == "backward":
            self.redraw()

    @observe("step")
    def _step_changed(self, change: Any) -> None:
        if not self._ready:
            return
        wanted, self._arriving = self._arriving, "moving"
        try:
            self.line = wanted
        finally:
            self._arriving = "backward"
        self.redraw()

    def seek(self, k: int) -> None:
        """Pause and show step ``k`` whole: forward and backward have run there."""
        super().seek(k)
        self.line = "backward"

    def line_forward(self) -> None:
        """Pause and execute one line of the loop: update, clear, forward, backward, and so on."""
        self.playing = False
        lines = runs.lines_at(self.step, self.micro_batches)
        at = lines.index(self.line) + 1
        if at < len(lines):
            self.line = lines[at]
        elif self.step < self.end:
            self._go(self.step + 1, "update")

    def line_back(self) -> None:
        """Pause and take one line of the loop back."""
        self.playing = False
        lines = runs.lines_at(self.step, self.micro_batches)
        at = lines.index(self.line) - 1
        if at >= 0:
            self.line = lines[at]
        elif self.step > 0:
            self._go(self.step - 1, "backward")

    def _go(self, step: int, line: str) -> None:
        self._arriving = line if line in runs.lines_at(step, self.micro_batches) else runs.LINES[2]
        try:
            self.step = step
        finally:
            self._arriving = "backward"

    # -- building ----------------------------------------------------------------------------

    def build_descent(self) -> Descent:
        """Make the descent of the present settings."""
        subject = runs.Problem(self.x, self.y, self.micro_batches)
        descent = subject.descend(self.start, self.learning_rate, self.clear_every, self.max_steps)
        self.subject = subject
        return descent

    def build_picture(self) -> Widget:
        """Make the valley, the curves, the loss and the two loops."""
        add_line_buttons(self.transport, self)
        self.map = ValleyMap(
            MAP_HEIGHT,
            self.handler(lambda point: self.assign("start", point)),
            self.handler(self._drag),
        )
        self.curves = ParameterPlot(CURVES_HEIGHT)
        self.loss_plot = LossPlot(LOSS_HEIGHT, points=LOSS_POINTS)
        self.loss_plot.figure.fig_margin = {**self.curves.figure.fig_margin, "bottom": 38}
        self.key = HTML(layout=Layout(width="auto", margin="0 0 0 60px"))
        for figure in (self.curves.figure, self.loss_plot.figure):
            figure.layout.width = "auto"  # 100 % and a margin would be too wide
        self.loops = HTML(layout=Layout(width="auto"))
        style = HTML(f"<style>{panel.STYLE}</style>", layout=Layout(display="none"))
        right = VBox(
            [self.key, self.curves.figure, self.loss_plot.figure],
            layout=Layout(flex="1 1 320px", min_width="300px"),
        )
        row = HBox([self.map.view, right], layout=Layout(width="100%", flex_flow="row wrap"))
        return VBox([style, row, self.loops], layout=Layout(width="100%"))

    def build_controls(self) -> Widget:
        """Make the settings' controls and write the present settings into everything."""
        self.controls = AccumulationControls(self)
        self.settings_applied()
        self.loss_plot.use_log(self.loss_log, self.losses, 0)
        return self.controls

    def folded(self) -> dict[str, Callable[[], str]]:
        """Return the step tables around the cursor, the runs side by side, and the code."""
        return {
            "Step tables": lambda: words.step_tables(self),
            "Run table": lambda: words.run_table(self),
            **super().folded(),
        }

    def loose_widgets(self) -> tuple[Widget, ...]:
        """Scales that are in use only part of the time."""
        return self.loss_plot.widgets

    def _drag(self, lane: int, point: runs.Point) -> None:
        """Move the start to where its circle was dropped; one that does not fit goes back."""
        try:
            self.start = point
        except ValueError:
            self.map.put_starts(self.descent)
            raise

    # -- drawing -----------------------------------------------------------------------------

    def settings_applied(self) -> None:
        """Prepare figures and controls for a new descent."""
        descent, subject = self.descent, self.subject
        self.losses: Any = descent
        if isinstance(subject.objective, MicroBatches):
            self.losses = BatchView(descent, subject.objective)
        self._middle = subject.foot(self.start)
        distance = max(abs(p - m) for p, m in zip(self.start, self._middle, strict=True))
        share = self.learning_rate * subject.curvature
        clears = 1 if subject.parts is not None else self.clear_every
        swing = 1.0 if clears == 1 else min(runs.swing(share), 4.0)
        if share > 2:
            swing = max(swing, 3.0)
        self._reach = 1.15 * swing * distance or 1.0
        self._scale = self._gradient_reach(share, swing)
        self.map.show_problem(subject, self.start)
        self.map.show_run(descent, panel.COLOURS)
        self.curves.show_run(descent, self.max_steps, self._middle, self._reach)
        self.loss_plot.show_run(self.losses, self.max_steps, panel.COLOURS)
        self.key.value = text.html_key(key_entries(subject, self.clear_every))
        self._show_momentum()
        self.show_settings()

    def _gradient_reach(self, share: float, swing: float) -> float:
        """The gradient that fills a bar: what a swinging buffer reaches, or a few first ones."""
        first = float(np.abs(self.descent.grad[0]).max())
        if self.micro_batches is not None:
            first *= self.micro_batches
        most = swing * max(1.0, share**-0.5) if self.micro_batches is None else 1.0
        return 1.05 * first * min(most, float(self.max_steps), 10.0)

    def show_settings(self) -> None:
        """Write the settings' values into their controls."""
        self.controls.show(self)

    def _show_momentum(self) -> None:
        points = None
        if self.momentum:
            steps = min(self.max_steps, MOMENTUM_STEPS)
            points = self.subject.momentum(self.start, self.learning_rate, steps)
        self.curves.show_momentum(points)

    def draw(self, k: int) -> None:
        """Write every mark from the recording, with the cursor at ``k`` and its line."""
        self.descent.advance_to(min(k + 1, self.max_steps))  # one more, for the next update
        self.map.draw(self.descent, k)
        if self.line != "backward":
            self.map.arrows.visible = False  # before the backward pass nobody knows the update
        self.curves.draw(self.descent, k)
        self.loss_plot.draw(self.losses, k)
        self.loops.value = self._loops(k)

    def _loops(self, k: int) -> str:
        parts = self.micro_batches
        sides = []
        for lane in (0, 1):
            at = runs.moment(self.descent, lane, k, self.line, parts)
            every = 1 if lane == 1 else self.clear_every
            loop = panel.Loop(lane, every, parts, self.max_steps, self.learning_rate)
            ended = lane_outcome(self.descent, lane, k) == "diverged"
            last = int(lane_steps(self.descent, k)[lane]) + 1
            ending = f"diverged at update {last}" if ended else ""
            if last > self.max_steps and not at.line and at.loss is not None:
                loss = panel.figure_loss(float(self.losses.loss[last - 1, lane]))
                ending = f"after the loop: loss = {loss}"
            sides.append((loop, at, ending))
        return panel.panel(sides, self._scale)

    def resend(self) -> None:
        """Send the whole picture and the two loops once more."""
        self.loops.send_state("value")
        super().resend()

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        return words.sentence(self, k).replace(" = ", "\u00a0=\u00a0")  # formulas stay whole

    # -- pins, tables, code ------------------------------------------------------------------

    def ghosts(self) -> dict[str, Any]:
        """Points of the present runs' ghosts on the map and in the loss plot, for both lanes."""
        at = lane_steps(self.descent, self.step)
        return {
            "map": [self.map.pin(self.descent, lane, int(at[lane])) for lane in (0, 1)],
            "loss": [self.loss_plot.pin(self.losses, lane, int(at[lane])) for lane in (0, 1)],
            "subject": (self.x, self.y, self.micro_batches is None),
        }

    def show_pins(self) -> None:
        """Draw the ghosts of the pins that were made on the present loss."""
        here = (self.x, self.y, self.micro_batches is None)
        pinned = [pin for pin in self.pins if pin.ghosts["subject"] == here]
        self.map.show_ghosts([line for pin in pinned for line in pin.ghosts["map"]])
        self.loss_plot.show_ghosts(
            [line for pin in pinned for line in pin.ghosts["loss"]],
            [pin.label for pin in pinned for _ in pin.ghosts["loss"]],
        )
        self.show_settings()

    def table(self) -> str:
        """Return both runs as the course's Exercise 2 prints them, a line for each step.

        The runs are computed as far as they are not yet; the cursor stays where it is.
        """
        self.compute(self.max_steps)
        return words.course_tables(self)

    def code(self) -> str:
        """Return a plain-PyTorch script of the present settings; it leaves ``results`` per lane."""
        if isinstance(self.subject.objective, MicroBatches):
            self.compute(self.max_steps)
            return words.batch_script(self.descent, self.subject.objective)
        return descent_script(self.descent)
