"""The base of all explorers: a cursor over a recording, a clock, a transport and a status line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import pandas as pd
from ipywidgets import HTML, Button, Layout, VBox, Widget
from traitlets import Any as AnyTrait
from traitlets import TraitError, Tuple, observe

from gdwidgets.core import Descent
from gdwidgets.ui import text
from gdwidgets.ui.fold import Fold
from gdwidgets.ui.playback.cursor import Cursor
from gdwidgets.ui.playback.frame_gate import FrameGate
from gdwidgets.ui.playback.main_loop import MainLoop, reachable
from gdwidgets.ui.playback.player import Player
from gdwidgets.ui.playback.transport import Transport
from gdwidgets.ui.plots import figures
from gdwidgets.ui.runs import Pin, to_dataframe
from gdwidgets.ui.settings import Settings

MOST_PINS = 8


class Explorer(Settings, Cursor, VBox):
    """A live picture of a recorded run.

    The screen is a pure function of the recording and the cursor: ``draw(k)``, which a subclass
    writes, is the only way for a number to reach it. Every method works without a browser.

    A subclass names its settings in ``SETTINGS`` (traits that are also constructor keywords),
    builds a new ``Descent`` from them in ``build_descent``, its widgets in ``build_picture`` and
    ``build_controls``, and writes its marks in ``draw``.
    """

    pins = Tuple()
    """The runs that were pinned, oldest first."""

    problem = AnyTrait("")
    """The last problem shown in the status line; empty when all is well."""

    def __init__(self, **settings: Any) -> None:
        layout = settings.pop("layout", None)
        self.reject_unknown(settings)
        super().__init__([], layout=layout or Layout(width="100%"))
        self.add_class("gdwidgets")
        self._loop = MainLoop(self.show_problem)
        self._gate = FrameGate()
        self.observe(self._setting_changed, names=list(self.SETTINGS))
        self._player = Player(self, self._gate)
        with self.settings_together():
            for name, value in settings.items():
                setattr(self, name, value)
        self.descent = self.build_descent()
        self._build()
        self._ready = True
        self.redraw()

    # -- what a subclass provides ------------------------------------------------------------

    descent: Descent

    def build_descent(self) -> Descent:
        """Make the descent of the present settings; raises ``ValueError`` when they do not fit."""
        raise AssertionError("every explorer builds its own descent")

    def build_picture(self) -> Widget:
        """Make the figures."""
        raise AssertionError("every explorer builds its own picture")

    def build_controls(self) -> Widget:
        """Make the row of settings."""
        raise AssertionError("every explorer builds its own controls")

    def folded(self) -> dict[str, Callable[[], str]]:
        """Titles of the parts that are folded away, and functions that give their HTML."""
        return {"Code": lambda: text.html_code(self.code())}

    def draw(self, k: int) -> None:
        """Write every mark from the recording, with the cursor at ``k``."""
        raise AssertionError("every explorer draws itself")

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        raise AssertionError("every explorer says what it shows")

    def show_settings(self) -> None:
        """Write the settings' values into their controls."""

    def table(self) -> str:
        """Return the step table of the whole run as text, in the course's own format."""
        raise AssertionError("every explorer has a table")

    def code(self) -> str:
        """Return a runnable plain-PyTorch script of the present settings."""
        raise AssertionError("every explorer gives its code")

    # -- putting it together -----------------------------------------------------------------

    def _build(self) -> None:
        self.transport = Transport(
            {
                "reset": self.handler(self.reset),
                "back": self.handler(self.step_back),
                "toggle": self.handler(self.toggle),
                "forward": self.handler(self.step_forward),
                "finish": self.handler(self.run),
                "scrub": self.handler(self.scrub),
                "speed": self.handler(self.set_speed),
            },
            self.max_steps,
            self.speed,
        )
        self.status = HTML(layout=Layout(width="100%"))
        self.fold = Fold(self.folded())
        self._style = HTML(f"<style>{figures.STYLE}</style>", layout=Layout(display="none"))
        self.children = (
            self._style,
            self.build_picture(),
            self.transport,
            self.build_controls(),
            self.status,
            self.fold,
            *self._gate.widgets[:2],
        )
        self.adopt_widgets()

    def adopt_widgets(self) -> None:
        """Hand the messages of all widgets, newly made ones too, to the owner thread."""
        for root in (self, self._gate.link, *self.loose_widgets()):
            self._loop.adopt(root)

    def loose_widgets(self) -> tuple[Widget, ...]:
        """Widgets that this explorer made and that nothing on display holds at times."""
        return ()

    def handler(self, method: Callable[..., Any]) -> Callable[..., None]:
        """Wrap a public method for a control: problems go to the status line, nothing is lost."""

        def handle(*values: Any) -> None:
            self._clear_problem()
            self._loop.guarded(method, *values)

        return handle

    def bind(self, control: Widget, setting: str, name: str = "value") -> None:
        """Have a control set a setting; a value that does not fit leaves the setting as it was."""
        assign = self.handler(lambda value: self.assign(setting, value))
        control.observe(lambda change: assign(change["new"]), names=name)

    def bind_button(self, button: Button, method: Callable[[], Any]) -> None:
        """Have a button call a public method."""
        call = self.handler(method)
        button.on_click(lambda _: call())

    def assign(self, setting: str, value: Any) -> None:
        """Set a setting from a control; on a bad value the control shows the old one again."""
        try:
            setattr(self, setting, value)
        finally:
            self.show_settings()

    # -- errors ------------------------------------------------------------------------------

    def show_problem(self, error: BaseException) -> None:
        """Show an exception that a handler or the clock let escape; a running clock stops."""
        self.playing = False
        kind = "" if isinstance(error, (ValueError, TraitError)) else f"{type(error).__name__}: "
        notes = " ".join(getattr(error, "__notes__", ()))
        self.problem = f"{kind}{error} {notes}".strip()

    def _clear_problem(self) -> None:
        self.problem = ""

    @observe("problem")
    def _problem_changed(self, change: Any) -> None:
        if self._ready:
            self._write_status()

    def _write_status(self) -> None:
        if self.problem:
            self.status.value = text.html_status(f"⚠ {self.problem}", error=True)
        else:
            self.status.value = text.html_status(self.sentence(self.step))

    # -- starting again and drawing ----------------------------------------------------------

    def restart(self) -> None:
        """New settings: a new descent, and the cursor at zero."""
        descent = self.build_descent()
        self.playing = False
        self.descent = descent
        self._clear_problem()
        self.settings_applied()
        if self.step != 0:
            self.step = 0
        else:
            self.redraw()

    def settings_applied(self) -> None:
        """Prepare what depends on the settings only, before the first draw of a new descent."""

    def redraw(self) -> None:
        """Draw the present step and ask the browser to acknowledge it."""
        self.draw(self.step)
        self.transport.show(self.step, self.max_steps)
        self.fold.refresh()
        self._write_status()
        self._gate.stamp()

    def resend(self) -> None:
        """Send the whole picture once more: the server drops messages when it is overloaded."""
        for widget in reachable(self.children[1]):
            keys = [key for key in ("x", "y") if widget.has_trait(key)]
            if keys and widget.comm is not None:
                widget.send_state(keys)
        self.transport.scrubber.send_state("value")
        self._gate.stamp()

    def settings(self) -> dict[str, Any]:
        """Keyword arguments that build an equal explorer."""
        return super().settings() | {"speed": self.speed}

    # -- runs --------------------------------------------------------------------------------

    def ghosts(self) -> dict[str, Any]:
        """Points of a ghost of the present run for each figure, by the figure's name."""
        return {}

    def show_pins(self) -> None:
        """Draw the ghosts of all pins."""

    def pin(self) -> None:
        """Keep the present run, as far as it is shown, as a ghost with a row in the run table.

        Raises
        ------
        ValueError
            When eight runs are pinned already.
        """
        if len(self.pins) >= MOST_PINS:
            raise ValueError(f"{MOST_PINS} runs are pinned already: unpin them first")
        used = {pin.label for pin in self.pins}
        label = next(letter for letter in "ABCDEFGH" if letter not in used)
        kept = Pin(label, self.settings(), self.descent, self.step, self.ghosts())
        self.pins = (*self.pins, kept)

    def unpin_all(self) -> None:
        """Forget every pinned run."""
        self.pins = ()

    @observe("pins")
    def _pins_changed(self, change: Any) -> None:
        if self._ready:
            self.show_pins()
            self.redraw()

    def to_dataframe(self) -> pd.DataFrame:
        """Return the whole run as pandas: one row per lane and step, up to where each lane ends.

        The run is computed as far as it is not yet; the cursor stays where it is.
        """
        self.compute(self.max_steps)
        return to_dataframe(self.descent)

    # -- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Stop the clock and close every widget this explorer made, marks and layouts included."""
        if not getattr(self, "_ready", False):
            super().close()
            return
        self.playing = False
        self._ready = False
        self._loop.close()
        roots = (self, *self._gate.widgets, *self.loose_widgets())
        made = [widget for root in roots for widget in reachable(root)]
        for widget in made:
            if widget is not self:
                ipywidgets.Widget.close(widget)
        super().close()
