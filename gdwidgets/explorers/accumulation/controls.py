"""The settings of the comparer as controls, and the buttons for single lines of the loop."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ipywidgets import Button, Dropdown, FloatText, IntText, Layout, Text, ToggleButton, VBox

from gdwidgets.explorers.accumulation.runs import PAIRS, PRESETS
from gdwidgets.ui.form import LearningRate, button, captioned, parse_number, row
from gdwidgets.ui.playback.transport import Transport
from gdwidgets.ui.text import number

if TYPE_CHECKING:
    from gdwidgets.explorers.accumulation.explorer import AccumulationComparer

OWN = "your own"
SLIDER = (-2.5, 0.5)
"""Ends of the learning-rate slider, as powers of ten: the limits 2/λ and 4/λ lie well inside."""


def add_line_buttons(transport: Transport, explorer: AccumulationComparer) -> None:
    """Put buttons for one line of the loop back and on beside those for whole steps."""
    made = []
    for icon, description, tooltip, method in (
        ("angle-left", "", "One line of the training loop back", explorer.line_back),
        ("angle-right", "line", "Execute one line of the training loop", explorer.line_forward),
    ):
        made_button = Button(
            icon=icon,
            description=description,
            tooltip=tooltip,
            layout=Layout(width="64px" if description else "36px", flex="0 0 auto"),
        )
        explorer.bind_button(made_button, method)
        made.append(made_button)
    made[0].layout.margin = "2px 0 2px 14px"
    children = list(transport.children)
    at = children.index(transport.finish) + 1
    transport.children = (*children[:at], *made, *children[at:])


class TwoLimits(LearningRate):
    """The learning-rate slider with the two limits of this lesson, 2/λ and 4/λ."""

    def show_limits(self, curvature: float, *, both: bool) -> None:
        """Mark 2/λ, and with ``both`` 4/λ, under the slider."""
        places = [2 / curvature, 4 / curvature][: 2 if both else 1]
        names = [
            f"{name} {number(limit, 3)}"
            for name, limit in zip(("2/λ", "4/λ"), places, strict=False)
        ]
        tips = (
            "2/λ: beyond this rate descent with clearing diverges",
            "4/λ: beyond this rate descent without clearing diverges",
        )
        spots = "".join(
            f"<span title='{escape(tip)}' style='position:absolute;"
            f"left:{100 * self.share(at):.1f}%;transform:translateX(-50%)'>▲</span>"
            for at, tip in zip(places, tips, strict=False)
        )
        first, last = (100 * self.share(at) for at in (places[0], places[-1]))
        if first > 45 or not both:
            words = (
                f"<span style='position:absolute;right:{100 - first:.1f}%;margin-right:8px'>"
                f"{names[0]}</span>"
            )
            if both:
                words += (
                    f"<span style='position:absolute;left:{last:.1f}%;margin-left:8px'>"
                    f"{names[1]}</span>"
                )
        else:
            words = (
                f"<span style='position:absolute;left:{last:.1f}%;margin-left:8px'>"
                f"{', '.join(names)}</span>"
            )
        self.mark.value = (
            "<div style='position:relative;height:16px;font-size:11px;line-height:16px;"
            f"white-space:nowrap'>{spots}{words}</div>"
        )


class AccumulationControls(VBox):
    """Two rows of controls.

    Parameters
    ----------
    explorer
        Whose settings they change; they only ever assign its traits and call its methods.
    """

    _showing = False

    def __init__(self, explorer: AccumulationComparer) -> None:
        self.preset = Dropdown(options=[*PRESETS, OWN])
        self.rate = TwoLimits(explorer.handler(lambda v: self._set_rate(explorer, v)), *SLIDER)
        for part in (self.rate.slider, self.rate.mark):
            part.layout.width = "210px"
        self.rate.field.layout.width = "72px"
        self.clear_every = Text(placeholder="never", continuous_update=False)
        self.parts = Dropdown(
            options=[("off", 0), *((f"{n} parts", n) for n in range(2, PAIRS + 1))]
        )
        self.x = FloatText(step=0.1, continuous_update=False)
        self.y = FloatText(step=0.1, continuous_update=False)
        self.a = FloatText(step=0.1, continuous_update=False)
        self.b = FloatText(step=0.1, continuous_update=False)
        self.max_steps = IntText(step=10, continuous_update=False)
        self.loss_log = Dropdown(options=[("logarithmic", True), ("linear", False)])
        self.momentum = ToggleButton(
            description="Momentum β = 1",
            tooltip="Draw momentum with β = 1, dotted: the uncleared run follows it exactly",
            layout=Layout(width="auto"),
        )
        self.pin = button("Pin", "Keep both runs as dashed ghosts, with rows in the run table")
        self.unpin = button("Unpin all", "Forget the pinned runs")
        self._bind(explorer)
        never = "The left loop clears its gradients every n steps; empty for never"
        super().__init__(
            [
                row(
                    captioned(self.preset, "preset", "132px", "Settings that show something"),
                    self.rate,
                    captioned(self.clear_every, "clear every n", "88px", never),
                    captioned(
                        self.parts,
                        "micro-batches",
                        "96px",
                        f"Cut a batch of {PAIRS} pairs into parts: accumulation on purpose",
                    ),
                    captioned(self.max_steps, "max_steps", "72px", "Updates until the run ends"),
                    captioned(self.loss_log, "loss axis", "104px", "Scale of the loss axis"),
                    align="flex-start",
                ),
                row(
                    captioned(self.x, "x", "76px", "Input of the neuron a x + b"),
                    captioned(self.y, "y", "76px", "Target of the neuron"),
                    captioned(self.a, "start a", "76px", "First parameter of the start"),
                    captioned(self.b, "start b", "76px", "Second parameter of the start"),
                    self.momentum,
                    self.pin,
                    self.unpin,
                ),
            ],
            layout=Layout(width="100%"),
        )

    def _bind(self, explorer: AccumulationComparer) -> None:
        choose = explorer.handler(lambda name: self._choose(explorer, name))
        self.preset.observe(lambda change: choose(change["new"]), names="value")
        clear = explorer.handler(lambda value: self._set_clearing(explorer, value))
        self.clear_every.observe(lambda change: clear(change["new"]), names="value")
        place = explorer.handler(lambda: self._set_numbers(explorer))
        for field in (self.x, self.y, self.a, self.b):
            field.observe(lambda _: place(), names="value")
        cut = explorer.handler(lambda value: explorer.assign("micro_batches", value or None))
        self.parts.observe(lambda change: cut(change["new"]), names="value")
        explorer.bind(self.max_steps, "max_steps")
        explorer.bind(self.loss_log, "loss_log")
        explorer.bind(self.momentum, "momentum")
        for pressed, method in ((self.pin, explorer.pin), (self.unpin, explorer.unpin_all)):
            explorer.bind_button(pressed, method)

    def _choose(self, explorer: AccumulationComparer, name: str) -> None:
        if self._showing or name == explorer.preset:
            return
        try:
            if name != OWN:
                explorer.apply_preset(name)
        finally:
            self.show(explorer)

    def _set_rate(self, explorer: AccumulationComparer, value: float | str) -> None:
        try:
            if isinstance(value, str):
                value = parse_number(value, "learning_rate", "0.1")
            explorer.learning_rate = value
        finally:
            self.show(explorer)

    def _set_clearing(self, explorer: AccumulationComparer, value: str) -> None:
        if self._showing:
            return
        try:
            if value.strip() in {"", "never"}:
                explorer.clear_every = None
            else:
                explorer.clear_every = parse_number(value, "clear_every", "5")
        finally:
            self.show(explorer)

    def _set_numbers(self, explorer: AccumulationComparer) -> None:
        if self._showing:
            return
        try:
            for name, field in (("x", self.x), ("y", self.y)):
                if field.value != _shown(getattr(explorer, name)):
                    setattr(explorer, name, field.value)
            if (self.a.value, self.b.value) != tuple(map(_shown, explorer.start)):
                explorer.start = (self.a.value, self.b.value)
        finally:
            self.show(explorer)

    def show(self, explorer: AccumulationComparer) -> None:
        """Write the explorer's settings into the controls, all before any of them is read."""
        batch = explorer.micro_batches is not None
        self._showing = True
        try:
            self.preset.value = explorer.preset
            self.x.value, self.y.value = _shown(explorer.x), _shown(explorer.y)
            self.a.value, self.b.value = map(_shown, explorer.start)
            every = explorer.clear_every
            self.clear_every.value = "" if every is None else str(every)
        finally:
            self._showing = False
        for control in (self.clear_every, self.x, self.y, self.momentum):
            control.disabled = batch
        self.rate.show(explorer.learning_rate)
        self.rate.show_limits(explorer.subject.curvature, both=not batch)
        self.parts.value = explorer.micro_batches or 0  # a Dropdown takes None for no choice
        self.max_steps.value = explorer.max_steps
        self.loss_log.value = explorer.loss_log
        self.momentum.value = explorer.momentum
        self.unpin.disabled = not explorer.pins


def _shown(value: float) -> float:
    """A number as its field shows it."""
    return float(f"{value:.6g}")
