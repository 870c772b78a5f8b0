"""The row under every picture: buttons, scrubber, step k of n, speed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ipywidgets import HTML, Button, Dropdown, HBox, IntSlider, Layout

SPEEDS = (1, 2, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 5000)
"""Updates per second offered; any other can be set through the trait."""


def speed_name(speed: float | str) -> str:
    """What the speed control shows for a speed."""
    if isinstance(speed, str):
        return speed
    return "as fast as it can" if math.isinf(speed) else f"{speed:g} steps/s"


class Transport(HBox):
    """The buttons call the explorer's methods; what they show is written by the ``show`` methods.

    Parameters
    ----------
    handlers
        Functions by name: ``reset``, ``back``, ``toggle``, ``forward``, ``finish`` without
        arguments, ``scrub`` with a step and ``speed`` with updates per second.
    max_steps
        The end of the scrubber.
    speed
        Updates per second at first, or ``"auto"``.
    """

    def __init__(
        self, handlers: dict[str, Callable[..., None]], max_steps: int, speed: float | str
    ) -> None:
        def button(icon: str, tooltip: str, handler: str, text: str = "") -> Button:
            made = Button(
                icon=icon,
                description=text,
                tooltip=tooltip,
                button_style="primary" if text else "",
                layout=Layout(width="104px" if text else "44px", flex="0 0 auto"),
            )
            made.on_click(lambda _: handlers[handler]())
            return made

        self.reset = button("fast-backward", "Back to step 0 (Home)", "reset")
        self.back = button("step-backward", "One update back (←)", "back")
        self.play = button("play", "Play or pause (space)", "toggle", "Play")
        self.forward = button("step-forward", "Apply one update (→)", "forward")
        self.finish = button("fast-forward", "Compute and show the whole run (End)", "finish")
        self.scrubber = IntSlider(
            0,
            0,
            max_steps,
            readout=False,
            tooltip="Drag to any step",
            layout=Layout(flex="1 1 120px", min_width="96px", width="auto", margin="2px 16px"),
        )
        self.scrubber.add_class("gdw-scrubber")
        self.counter = HTML(layout=Layout(flex="0 0 auto"))
        self.speed = Dropdown(
            options=[
                *((speed_name(s), float(s)) for s in SPEEDS),
                (speed_name(math.inf), "max"),
                ("auto", "auto"),
            ],
            tooltip="Updates per second while playing; auto begins slowly and accelerates",
            layout=Layout(width="calc(144px * var(--gdw-size, 1))", flex="0 0 auto"),
        )
        self._handlers = handlers
        self._shown = 0
        self._playing = False
        self.show_speed(speed)
        self.scrubber.observe(lambda change: self._scrubbed(change["new"]), names="value")
        self.speed.observe(lambda change: self._sped(change["new"]), names="value")
        self.buttons = HBox(
            [self.reset, self.back, self.play, self.forward, self.finish],
            layout=Layout(flex="0 0 auto", width="auto"),
        )
        self.buttons.add_class("gdw-buttons")
        super().__init__(
            [self.buttons, self.scrubber, self.counter, self.speed],
            layout=Layout(width="100%", align_items="center"),
        )
        self.add_class("gdw-transport")

    def _scrubbed(self, value: int) -> None:
        if value != self._shown:
            self._handlers["scrub"](value)

    def _sped(self, value: Any) -> None:
        self._handlers["speed"](math.inf if value == "max" else value)

    def show(self, step: int, max_steps: int) -> None:
        """Put the scrubber to ``step`` of ``max_steps``."""
        self._shown = step
        if self.scrubber.max != max_steps:
            self.scrubber.max = max_steps
        self.scrubber.value = step

    def count(self, step: int, max_steps: int, note: str = "") -> None:
        """Write *step of max_steps*, and a note before it, in place of any progress."""
        self.show_playing(self._playing)
        width = len(f"{max_steps:,}")
        before = f"<small>{note}</small> " if note else ""
        html = (
            f"<div class=gdw-counter style='min-width:{2 * width + 4}ch'>{before}"
            f"<b>{step:,}</b> of {max_steps:,}</div>"
        )
        if self.counter.value != html:
            self.counter.value = html

    def show_progress(self, computed: int | None, wanted: int) -> None:
        """Show how much of a long run is computed; ``None`` ends that."""
        if computed is None:
            self.show_playing(self._playing)
            return
        done = 100 * computed / max(1, wanted)
        self.play.description, self.play.icon = "Stop", "stop"
        self.counter.value = (
            f"<div class=gdw-counter><progress max=100 value={done:.0f} "
            f"aria-label='computing'></progress> <b>{computed:,}</b></div>"
        )

    def show_playing(self, playing: bool) -> None:
        """Show the play button as *Pause* while the clock runs."""
        self._playing = playing
        self.play.icon = "pause" if playing else "play"
        self.play.description = "Pause" if playing else "Play"

    def show_speed(self, speed: float | str) -> None:
        """Show a speed, which joins those offered when it is not among them."""
        value: Any = speed
        if not isinstance(speed, str):
            value = "max" if math.isinf(speed) else float(speed)
        offered = [item for _, item in self.speed.options]
        if value not in offered:
            speeds = sorted({*(s for s in offered if not isinstance(s, str)), value})
            self.speed.options = [
                *((speed_name(s), s) for s in speeds),
                (speed_name(math.inf), "max"),
                ("auto", "auto"),
            ]
        self.speed.value = value
