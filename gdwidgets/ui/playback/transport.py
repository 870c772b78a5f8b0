"""The row under every picture: buttons, scrubber, step k of n, speed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ipywidgets import HTML, Button, Dropdown, HBox, IntSlider, Layout

SPEEDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)
"""Updates per second offered; any other can be set through the trait."""


def speed_name(speed: float) -> str:
    """What the speed control shows for a speed."""
    return "as fast as it can" if math.isinf(speed) else f"{speed:g} steps/s"


class Transport(HBox):
    """The buttons call the explorer's methods; what they show is written by ``show``.

    Parameters
    ----------
    handlers
        Functions by name: ``reset``, ``back``, ``toggle``, ``forward``, ``finish`` without
        arguments, ``scrub`` with a step and ``speed`` with updates per second.
    max_steps
        The end of the scrubber.
    speed
        Updates per second at first.
    """

    def __init__(
        self, handlers: dict[str, Callable[..., None]], max_steps: int, speed: float
    ) -> None:
        def button(icon: str, tooltip: str, handler: str, style: str = "") -> Button:
            made = Button(
                icon=icon,
                tooltip=tooltip,
                button_style=style,
                layout=Layout(width="40px", flex="0 0 auto"),
            )
            made.on_click(lambda _: handlers[handler]())
            return made

        self.reset = button("fast-backward", "Back to step 0", "reset")
        self.back = button("step-backward", "One update back", "back")
        self.play = button("play", "Play or pause", "toggle", "primary")
        self.play.layout.width = "56px"
        self.forward = button("step-forward", "Apply one update", "forward")
        self.finish = button("fast-forward", "Compute and show the whole run", "finish")
        self.scrubber = IntSlider(
            0,
            0,
            max_steps,
            readout=False,
            tooltip="Drag to any step",
            layout=Layout(flex="1 1 120px", min_width="80px", width="auto", margin="2px 12px"),
        )
        self.counter = HTML(layout=Layout(flex="0 0 auto", min_width="132px"))
        self.speed = Dropdown(
            options=[(speed_name(s), float(s)) for s in SPEEDS] + [(speed_name(math.inf), "max")],
            tooltip="Updates per second while playing",
            layout=Layout(width="136px", flex="0 0 auto"),
        )
        self._handlers = handlers
        self._shown = 0
        self.show_speed(speed)
        self.scrubber.observe(lambda change: self._scrubbed(change["new"]), names="value")
        self.speed.observe(lambda change: self._sped(change["new"]), names="value")
        super().__init__(
            [
                self.reset,
                self.back,
                self.play,
                self.forward,
                self.finish,
                self.scrubber,
                self.counter,
                self.speed,
            ],
            layout=Layout(width="100%", align_items="center", flex_flow="row wrap"),
        )

    def _scrubbed(self, value: int) -> None:
        if value != self._shown:
            self._handlers["scrub"](value)

    def _sped(self, value: Any) -> None:
        self._handlers["speed"](math.inf if value == "max" else value)

    def show(self, step: int, max_steps: int) -> None:
        """Show the cursor at ``step`` of ``max_steps``."""
        self._shown = step
        if self.scrubber.max != max_steps:
            self.scrubber.max = max_steps
        self.scrubber.value = step
        width = len(str(max_steps))
        self.counter.value = (
            "<span style='font-variant-numeric:tabular-nums;white-space:pre'>"
            f"step {step:>{width}} of {max_steps}</span>"
        )

    def show_playing(self, playing: bool) -> None:
        """Show the play button as *pause* while the clock runs."""
        self.play.icon = "pause" if playing else "play"

    def show_speed(self, speed: float) -> None:
        """Show a speed, which joins those offered when it is not among them."""
        value: Any = "max" if math.isinf(speed) else float(speed)
        offered = [item for _, item in self.speed.options]
        if value not in offered:
            speeds = sorted({*(s for s in offered if s != "max"), value})
            self.speed.options = [(speed_name(s), s) for s in speeds] + [
                (speed_name(math.inf), "max")
            ]
        self.speed.value = value
