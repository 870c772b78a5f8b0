"""The base of all explorers: a cursor over a recording, a clock, a transport and a status line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets
import pandas as pd
from ipywidgets import HTML, Layout, VBox, Widget
from traitlets import Any as AnyTrait
from traitlets import Bool, Float, Int, TraitError, Tuple, observe, validate

from gdwidgets.core import Descent
from gdwidgets.ui import checks, figures, text
from gdwidgets.ui.fold import Fold
from gdwidgets.ui.frame_gate import FrameGate
from gdwidgets.ui.main_loop import MainLoop, reachable
from gdwidgets.ui.player import Player
from gdwidgets.ui.runs import Pin, to_dataframe
from gdwidgets.ui.transport import Transport

MOST_STEPS = 1_000_000
MOST_PINS = 8


class Explorer(VBox):
    """A live picture of a recorded run.

    The screen is a pure function of the recording and the cursor: ``draw(k)``, which a subclass
    writes, is the only way for a number to reach it. Every method works without a browser.

    A subclass names its settings in ``SETTINGS`` (traits that are also constructor keywords),
    builds a new ``Descent`` from them in ``build_descent``, its widgets in ``build_picture`` and
    ``build_controls``, and writes its marks in ``draw``.
    """

    SETTINGS: tuple[str, ...] = ()

    step = Int(0)
    """The cursor: how many updates have been applied in what is drawn. Default 0."""

    max_steps = Int(300)
    """Where the run ends, in updates: 1 to 1,000,000."""

    playing = Bool(False)
    """Whether the clock runs. Setting it is the same as calling ``play`` or ``pause``."""

    speed = Float(30.0)
    """The clock's speed in updates per second; infinity is as fast as it can. Default 30."""

    pins = Tuple()
    """The runs that were pinned, oldest first."""

    problem = AnyTrait("")
    """The last problem shown in the status line; empty when all is well."""

    def __init__(self, **settings: Any) -> None:
        layout = settings.pop("layout", None)
        self._reject_unknown(settings)
        self._ready = False
        self._together = 0
        self._stale = False
        super().__init__([], layout=layout or Layout(width="100%"))
        self.add_class("gdwidgets")
        self._loop = MainLoop(self._report)
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

    @classmethod
    def _reject_unknown(cls, settings: dict[str, Any]) -> None:
        accepted = (*cls.SETTINGS, "speed")
        for name in settings:
            if name not in accepted:
                raise TypeError(
                    f"{cls.__name__} has no setting {name!r}{checks.near(name, accepted)}; "
                    f"it takes {', '.join(accepted)}"
                )

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
        for root in (self, self._gate.link):
            self._loop.adopt(root)

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

    def assign(self, setting: str, value: Any) -> None:
        """Set a setting from a control; on a bad value the control shows the old one again."""
        try:
            setattr(self, setting, value)
        finally:
            self.show_settings()

    # -- errors ------------------------------------------------------------------------------

    def _report(self, error: BaseException) -> None:
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

    # -- settings ----------------------------------------------------------------------------

    @contextmanager
    def settings_together(self) -> Iterator[None]:
        """Change several settings and build one new descent after the last.

        When the new settings do not fit together, all of them go back to what they were.
        """
        before = {name: getattr(self, name) for name in self.SETTINGS}
        self._together += 1
        try:
            yield
        except Exception:
            self._restore(before)
            self._stale = False
            raise
        finally:
            self._together -= 1
        if self._together == 0 and self._stale and self._ready:
            try:
                self.restart()
            except Exception:
                self._together += 1
                try:
                    self._restore(before)
                finally:
                    self._together -= 1
                raise
            finally:
                self._stale = False

    def _restore(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            setattr(self, name, value)

    def _setting_changed(self, change: Any) -> None:
        """Build a new descent, at once or when the settings that change together are all set."""
        if self._together or not self._ready:
            self._stale = True
            return
        try:
            self.restart()
        except Exception:
            self._together += 1
            try:
                setattr(self, change["name"], change["old"])
            finally:
                self._together -= 1
                self._stale = False
            raise

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

    def settings(self) -> dict[str, Any]:
        """Keyword arguments that build an equal explorer."""
        return {name: getattr(self, name) for name in self.SETTINGS} | {"speed": self.speed}

    # -- the cursor --------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """The last step of the run as far as is known: ``max_steps`` until every lane has ended."""
        return int(self.descent.last_step.max()) if self.descent.finished else self.max_steps

    def compute(self, k: int, budget: float = math.inf) -> int:
        """Record as far as step ``k``, for about ``budget`` seconds; return the step reached."""
        if math.isinf(budget):
            self.descent.advance_to(k)
        else:
            self.descent.advance_to(k, budget=budget)
        return min(k, self.descent.recorded)

    @validate("step")
    def _valid_step(self, proposal: Any) -> int:
        k = checks.whole(proposal["value"], "step", 0, self.max_steps)
        return self.compute(k) if self._ready else k

    @observe("step")
    def _step_changed(self, change: Any) -> None:
        if self._ready:
            self.redraw()

    @validate("max_steps")
    def _valid_max_steps(self, proposal: Any) -> int:
        return checks.whole(proposal["value"], "max_steps", 1, MOST_STEPS)

    @validate("speed")
    def _valid_speed(self, proposal: Any) -> float:
        return checks.real(proposal["value"], "speed", above=0, infinite=True)

    @observe("speed")
    def _speed_changed(self, change: Any) -> None:
        if self._ready:
            self.transport.show_speed(self.speed)

    def set_speed(self, speed: float) -> None:
        """Set the clock's speed in updates per second."""
        self.speed = speed

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

    # -- the clock ---------------------------------------------------------------------------

    @observe("playing")
    def _playing_changed(self, change: Any) -> None:
        if not self._ready:
            return
        self.transport.show_playing(self.playing)
        if not self.playing:
            self._player.stop()
            self.resend()
            return
        if self.step >= self.end:
            self.step = 0
        self._player.start()
        if self._loop.running:
            self._loop.start(self._player.run())
        else:
            self._player.run_through()

    def page_lost(self) -> None:
        """The page that used to answer is gone: pause."""
        self.playing = False

    def play(self) -> None:
        """Start the clock; at the end of a run it starts again from step 0."""
        self.playing = True

    def pause(self) -> None:
        """Stop the clock."""
        self.playing = False

    def toggle(self) -> None:
        """Play when paused, pause when playing."""
        self.playing = not self.playing

    def seek(self, k: int) -> None:
        """Pause and show step ``k``, or the last step of a run that ends before it.

        Raises
        ------
        TraitError
            When ``k`` is not a whole number from 0 to ``max_steps``.
        """
        k = checks.whole(k, "step", 0, self.max_steps)
        self.playing = False
        self.step = k

    def scrub(self, k: int) -> None:
        """Show step ``k``, with the scrubber where the run allows it."""
        self.seek(k)
        self.transport.show(self.step, self.max_steps)

    def step_forward(self, n: int = 1) -> None:
        """Pause and apply ``n`` updates more, at most to the end."""
        n = checks.whole(n, "n", 0, MOST_STEPS)
        self.seek(min(self.step + n, self.max_steps))

    def step_back(self, n: int = 1) -> None:
        """Pause and take ``n`` updates back, at most to step 0."""
        n = checks.whole(n, "n", 0, MOST_STEPS)
        self.seek(max(self.step - n, 0))

    def reset(self) -> None:
        """Pause and show step 0."""
        self.seek(0)

    def run(self) -> None:
        """Compute and show everything up to the end, synchronously."""
        self.seek(self.max_steps)

    # -- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Stop the clock and close every widget this explorer made, marks and layouts included."""
        if not getattr(self, "_ready", False):
            super().close()
            return
        self.playing = False
        self._ready = False
        self._loop.close()
        made = [*reachable(self), *self._gate.widgets]
        for widget in made:
            if widget is not self:
                ipywidgets.Widget.close(widget)
        super().close()
