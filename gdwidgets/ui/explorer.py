"""What every explorer is: a cursor over a recording, a clock, and one face for all of it.

The screen is a pure function of the settings, the recording they make and the cursor: ``draw(k)``,
which an explorer writes, is the only way for a number to reach it. Every method works without a
browser.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import bqplot as bq
import ipywidgets
from ipywidgets import HTML, Button, HBox, Layout, VBox, Widget
from traitlets import observe

from gdwidgets.core import checks
from gdwidgets.ui import text
from gdwidgets.ui.code_buttons import CodeButtons
from gdwidgets.ui.colab import allow_widgets
from gdwidgets.ui.fold import Fold, Part
from gdwidgets.ui.form import Choice, Form, Switch
from gdwidgets.ui.head import Head
from gdwidgets.ui.page.page import Page
from gdwidgets.ui.pictures.pictured import Pictured
from gdwidgets.ui.playback.ahead import Ahead
from gdwidgets.ui.playback.cursor import PATIENCE
from gdwidgets.ui.playback.frame_gate import FrameGate
from gdwidgets.ui.playback.hand import Hand
from gdwidgets.ui.playback.main_loop import MainLoop, reachable
from gdwidgets.ui.playback.player import Player
from gdwidgets.ui.playback.transport import Transport
from gdwidgets.ui.plots.figures import replaced_images
from gdwidgets.ui.plots.style import STYLE as FIGURES
from gdwidgets.ui.settings import Checked, Setting, same
from gdwidgets.ui.situated import Situated
from gdwidgets.ui.style import LARGE, STYLE

allow_widgets()

SIZES = ("normal", "large")
CONTROLS = ("all", "transport", "none")
ON_CHANGE = ("keep", "restart")

READING = 0.25
"""Seconds between two texts while a run plays: nobody reads faster."""


def a_layout(value: Any) -> Layout:
    """What an explorer is given as ``layout``: a ``Layout``, its traits as a dict, or ``None``."""
    if isinstance(value, Layout):
        return value
    given = {"width": "100%"} if value is None else checks.mapping(value)
    if given is not None:
        with contextlib.suppress(Exception):  # ipywidgets' own messages may have any length
            return Layout(**given)
    raise ValueError(
        "layout must be an ipywidgets Layout, or a dict such as {'width': '50%'}, "
        f"got {checks.shown(value)}"
    )


class Explorer(Situated, Pictured, VBox):
    """A live picture of a recording, with the controls to walk through it and to change it.

    A subclass declares its settings as `Setting` traits. It makes the recording they describe in
    `new_recording`, its figures in `build_picture`, prepares them for a recording in
    `show_recording`, and writes every mark in `draw`. `DIALS` names the settings that stand under
    the picture, `parts` gives what is folded away, `SITUATIONS` what the chips offer.
    """

    DIALS: ClassVar[tuple[str, ...]] = ()
    """The settings that matter most; their controls stand under the transport."""

    MORE: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """The other settings with a control, in rows, for the fold *Settings*."""

    future = Setting(
        True,
        checks.boolean,
        label="Show the future",
        help="Whether the run's future is drawn, faint and dotted",
        control=Switch(),
        view=True,
    )
    """Whether the rest of the run is drawn, faint and dotted. Default true."""

    size = Setting(
        "normal",
        lambda value, name: checks.one_of(value, name, SIZES),
        help="Large text and figures for the last row",
        view=True,
    )
    """``"normal"``, or ``"large"`` for a projector: text and figures 1.4 times as large."""

    controls = Setting(
        "all",
        lambda value, name: checks.one_of(value, name, CONTROLS),
        help="Which controls show",
        view=True,
    )
    """Which controls show: ``"all"``; ``"transport"``: picture, sentence and transport only;
    ``"none"``: picture and sentence only."""

    on_change = Setting(
        "keep",
        lambda value, name: checks.one_of(value, name, ON_CHANGE),
        label="a changed setting",
        help="Whether a changed setting keeps the step, or goes back to step 0",
        control=Choice((("keeps the step", "keep"), ("goes to step 0", "restart"))),
        view=True,
    )
    """What a changed setting does to the cursor: ``"keep"`` (default) or ``"restart"``."""

    problem = Checked("", checks.text)
    """The last problem, shown in the place of the sentence; empty when all is well."""

    recording: Any
    """What is walked through."""

    def __init__(self, **settings: Any) -> None:
        layout = settings.pop("layout", None)
        self.reject_unknown(settings)
        super().__init__([], layout=a_layout(layout))
        self._users = {self.layout} if isinstance(layout, Layout) else set()
        self.add_class("gdwidgets")
        self._view_count = 0  # the front end counts views from now on
        self._holding += 1
        try:
            for name, value in settings.items():
                setattr(self, name, value)
            self.recording = self.new_recording(frozenset(self.declared()))
        finally:
            self._holding -= 1
        self._said_at = -math.inf
        self._written: tuple[Any, str] | None = None
        self._situation = self._in_force()
        self._loop = MainLoop(self.show_problem)
        self.form = Form(self.declared(), self._choose, self._fields_made)
        self._build()
        self._player = Player(self, self._gate)
        self._ahead = Ahead(self, self._loop)
        self._hand = Hand(self.page, self._loop, self._unfinished, self._rested)
        self.begin()
        self._ready = True
        self.redraw(full=True)
        self._ahead.want()

    # -- what a subclass does ----------------------------------------------------------------

    def new_recording(self, changed: frozenset[str]) -> Any:
        """Make what the present settings describe, without computing more than its beginning.

        Parameters
        ----------
        changed
            Names of the settings that have changed. Others that follow from them may be set here.

        Raises
        ------
        ValueError
            When the settings do not fit together; says which.
        """
        raise AssertionError("every explorer makes its own recording")

    def build_picture(self) -> Widget:
        """Make the figures: a row of equal height."""
        raise AssertionError("every explorer builds its own picture")

    def build_middle(self) -> Sequence[Widget]:
        """Make what stands between the picture and the transport."""
        return ()

    def build_chooser(self) -> Widget | None:
        """Make the control in the head that says what is shown, where there is a choice."""
        return None

    def build_dials(self) -> Sequence[Widget]:
        """Make the controls under the transport."""
        return [self.form.field(name).widget for name in self.DIALS]

    def parts(self) -> list[Part]:
        """Return what can be unfolded."""
        return [
            Part("Settings", widgets=self.build_settings, tooltip="The other settings"),
            Part(
                "Code",
                html=self._code_html,
                widgets=self._build_code,
                tooltip="The run as a script, and the line that rebuilds this situation",
            ),
        ]

    def show_recording(self) -> None:
        """Prepare the figures for a new recording, before it is drawn."""

    def show_view(self) -> None:
        """Apply the settings that change only how a recording is shown."""

    def resize(self, scale: float) -> None:
        """Make the figures ``scale`` times as large as they normally are."""

    @property
    def shows_future(self) -> bool:
        """Whether the rest of the run is drawn."""
        return bool(self.future)

    def draw(self, k: int, *, full: bool) -> None:
        """Write every mark from the recording, with the cursor at ``k``.

        Parameters
        ----------
        k
            The step that is drawn.
        full
            Whether everything is drawn as well as it can be; else a frame of a run that plays,
            which must be small.
        """
        raise AssertionError("every explorer draws itself")

    def show_at_rest(self) -> None:
        """Show as at rest what was shown briefly while a hand moved a setting; `draw` follows."""

    def draw_text(self, k: int) -> None:
        """Write tables and other text on display, less often than ``draw``."""

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``; ``**bold**`` is read first."""
        raise AssertionError("every explorer says what it shows")

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
        self._gate = FrameGate(scrubber=self.transport.scrubber)
        self.page = Page(self.handler(self.press))
        self.page.observe(self._page_told, "shown")
        self.page.observe(self._held_told, "held")
        self.status = HTML(layout=Layout(width="100%"))
        self.pictures = self.build_picture()
        self.pictures.add_class("gdw-pictures")
        middle = list(self.build_middle())
        self.dials = HBox(list(self.build_dials()))
        self.dials.add_class("gdw-dials")
        self.head = self._build_head()
        turn = self.handler(self.unfold)
        self.fold = Fold(self.parts(), turn, self._widgets_made)
        self._style = HTML(layout=Layout(display="none"))
        self.write_style()
        self.children = (
            self._style,
            self.head,
            self.status,
            self.pictures,
            *middle,
            self.transport,
            self.dials,
            self.fold,
            *self._gate.hidden,
            self.page,
        )
        self.page.name = self.heading
        self.show_recording()
        self._show_view(frozenset(self.declared()))
        self.form.show(self.settings_held())
        self.adopt_widgets()

    def style_sheet(self) -> str:
        """Styles of this explorer's own."""
        return ""

    def write_style(self) -> None:
        """Write all styles: again when those of this explorer's own have changed."""
        self._style.value = f"<style>{STYLE}{FIGURES}{self.style_sheet()}</style>"

    def _build_head(self) -> Head:
        chooser = self.build_chooser()
        if chooser is None:
            chooser = HTML(f"<div class=gdw-title>{self.TITLE}</div>")
        head = Head(
            chooser,
            self.handler(self.situate),
            self.handler(lambda on: setattr(self, "size", SIZES[int(on)])),
            self.handler(self.download),
        )
        self.chips = head.chips
        return head

    def build_settings(self) -> Widget:
        """Make the fold *Settings*: rows of fields."""
        rows = [self.form.row(*names) for names in (*self.MORE, ("on_change", "future"))]
        self.form.show(self.settings_held())
        return VBox(rows, layout=Layout(width="100%", grid_gap="8px"))

    def _code_html(self) -> str:
        """The script, which depends on the settings only: written once a recording."""
        if self._written is None or self._written[0] is not self.recording:
            self._written = self.recording, text.html_code(self.code())
        return self._written[1]

    def _build_code(self) -> Widget:
        return CodeButtons(self.keep_situation, self.code, self.page.copy, self.bind_button)

    def _widgets_made(self, _: Widget) -> None:
        self.form.show(self.settings_held())
        self.adopt_widgets()

    def _fields_made(self) -> None:
        if self._ready:
            self.adopt_widgets()

    def adopt_widgets(self) -> None:
        """Hand the messages of all widgets, newly made ones too, to the owner thread."""
        for root in (
            self,
            *self._gate.links,
            *self.fold.loose,
            *self.form.loose,
            *self.loose_widgets(),
        ):
            self._loop.adopt(root, prompt=self._gate.hidden)

    def loose_widgets(self) -> tuple[Widget, ...]:
        """Widgets that this explorer made and that nothing on display holds at times."""
        return ()

    # -- controls ----------------------------------------------------------------------------

    def handler(self, method: Callable[..., Any]) -> Callable[..., None]:
        """Wrap a public method for a control: problems take the sentence's place, none is lost."""

        def handle(*values: Any) -> None:
            self._clear_problem()
            self._loop.guarded(self.do_by_hand, method, *values)

        return handle

    def bind_button(self, pressed: Button, method: Callable[[], Any]) -> None:
        """Have a button call a public method."""
        call = self.handler(method)
        pressed.on_click(lambda _: call())

    def _choose(self, name: str, read: Callable[[], Any]) -> None:
        self.handler(self.choose)(name, read)

    def choose(self, name: str, read: Callable[[], Any]) -> None:
        """Set a setting from its control; on a bad value the control shows the old one again."""
        try:
            setattr(self, name, read())
        finally:
            self.form.show(self.settings_held())

    def press(self, key: str) -> None:
        """Do what a key asks for; see ``gdwidgets.ui.page``."""
        actions: dict[str, Callable[[], Any]] = {
            "forward": self.step_forward,
            "back": self.step_back,
            "reset": self.reset,
            "finish": self.run,
            "toggle": self.toggle,
            "next": lambda: self.next_situation(1),
            "previous": lambda: self.next_situation(-1),
        }
        actions[checks.one_of(key, "key", actions)]()

    def unfold(self, title: str, on: bool = True) -> None:
        """Open a fold by its title, or close it."""
        checks.one_of(title, "title", self.fold.toggles)
        self.fold.turn(title, on)

    # -- settings ----------------------------------------------------------------------------

    def settings_changed(self, changed: frozenset[str]) -> None:
        """Make and show a new recording where a run's setting has changed, at the same cursor."""
        declared = self.declared()
        anew = any(not declared[name].view for name in changed)
        if anew:
            recording = self.new_recording(changed)
            changed = self._changed()
            if self.on_change == "restart":
                self.playing = False
            self.recording = recording
            self._situation = self._situation_after(changed)
            self._recorded_anew(0 if self.on_change == "restart" else self.step)
        else:
            self._situation = self._situation_after(changed)
        self._clear_problem()
        self._show_view(changed)
        self.form.show(self.settings_held())
        self.redraw()
        self._ahead.want()
        if self.brief:
            self._hand.moved()
        elif anew:
            self._hand.stop()  # it was shown as at rest
        else:
            self._hand.rest()

    @property
    def brief(self) -> bool:
        """Whether a hand moves what is drawn, so that the next picture will soon replace it."""
        return self._by_hand and self._hand.holds

    @property
    def moving(self) -> bool:
        """Whether a hand moves what is drawn: to compute more of it can wait for the hand."""
        return self._hand.moving

    def _unfinished(self) -> bool:
        """Whether the present picture is still being computed or drawn."""
        return bool(self._ahead.busy or self._gate.in_flight)

    def _rested(self) -> None:
        """The hand rests: draw as finely as it can be done."""
        self.show_at_rest()
        self.redraw()

    def _changed(self) -> frozenset[str]:
        """The settings that differ from those in force."""
        before = self._applied or {}
        held = self.settings_held()
        return frozenset(n for n in held if n not in before or not same(held[n], before[n]))

    def _recorded_anew(self, k: int) -> None:
        k = min(k, self.max_steps)
        if self._by_hand:
            self.compute(k, self.hand_budget)
            # What goes wrong beyond the cursor is told when the rest is computed.
            with contextlib.suppress(Exception):
                self.compute(self.goal, self.hand_budget)
        else:
            self.compute(k)
        self.show_recording()
        self.place(k)

    def _show_view(self, changed: frozenset[str]) -> None:
        if "size" in changed:
            large = self.size == "large"
            (self.add_class if large else self.remove_class)("gdw-large")
            self.head.show_large(on=large)
            self.resize(LARGE if large else 1.0)
        if "controls" in changed:
            for widget, shown in (
                (self.head, self.controls == "all"),
                (self.transport, self.controls != "none"),
                (self.dials, self.controls == "all"),
                (self.fold, self.controls == "all"),
            ):
                widget.layout.display = None if shown else "none"
        if "speed" in changed:
            self.transport.show_speed(self.speed)
        if "situations" in changed:
            self.chips.offer(self.situations_offered)
            if self._ready:
                self.adopt_widgets()
        self.chips.show(self._situation)
        self.show_view()

    def remember(self) -> Any:
        """The recording, the cursor and the situation."""
        return self.recording, self.step, self._situation

    def recall(self, state: Any) -> None:
        """Show the recording of before at its step."""
        self.recording, step, self._situation = state
        self.show_recording()
        self.place(step)
        self._show_view(frozenset(self.declared()))
        self.form.show(self.settings_held())
        self.redraw()

    # -- problems ----------------------------------------------------------------------------

    def show_problem(self, error: BaseException) -> None:
        """Show an exception that a handler or the clock let escape; a running clock stops."""
        self.playing = False
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        notes = " ".join(getattr(error, "__notes__", ()))
        self.problem = f"{kind}{error} {notes}".strip()

    def _clear_problem(self) -> None:
        self.problem = ""

    @observe("problem")
    def _problem_changed(self, change: Any) -> None:
        if self._ready:
            self._write_sentence()

    # -- drawing -----------------------------------------------------------------------------

    @property
    def sentence_text(self) -> str:
        """The sentence on the screen as plain text."""
        return self.problem or text.plain(self._sentence())

    def _sentence(self) -> str:
        return self.situation_sentence() or self.sentence(self.drawn)

    def _write_sentence(self) -> None:
        if self.problem:
            html = text.html_sentence(f"⚠ {self.problem}", error=True)
        else:
            # The page reads it out from a place of its own; only without a page it is live itself.
            html = text.html_sentence(
                self._sentence(), live=not self.playing and not self.page.loaded
            )
            if not self.playing and not self.brief and self._ready:
                self.page.said = self.sentence_text
        if self.status.value != html:
            self.status.value = html

    def redraw(self, *, full: bool | None = None) -> None:
        """Draw the present step and ask the browser to acknowledge it."""
        full = not self.playing if full is None else full
        k = self.drawn
        self.draw(k, full=full)
        if full:
            self._drawn_to = self.computed
        asked = full or self._gate.due
        if asked:
            self.transport.show(self.step, self.max_steps)
        now = time.monotonic()
        if full or now - self._said_at >= READING:
            self._said_at = now
            self.write_text(k)
        if asked:
            self._gate.stamp(self.step)
        else:
            self._gate.count()

    def write_text(self, k: int) -> None:
        """Write the counter, the sentence, tables and the open fold."""
        if self.step > self.computed and self._ahead.busy > PATIENCE and not self.moving:
            self.transport.show_progress(self.computed, self.step)
        else:
            self.transport.count(self.step, self.counter_end, self.counter_note())
        self.draw_text(k)
        self.fold.refresh()
        self._write_sentence()

    @property
    def counter_end(self) -> int:
        """What is written as *n* in *k of n*."""
        return self.max_steps

    def counter_note(self) -> str:
        """What is written before *k of n*."""
        return ""

    # -- seen or not -------------------------------------------------------------------------

    @observe("_view_count")
    def _views_changed(self, change: Any) -> None:
        # The cell was run again or its output cleared: nobody can see, or stop, what goes on here.
        if self._ready and change["old"] and change["new"] == 0:
            self._ahead.stop()
            self.playing = False
            self.place(self.drawn)
            self.progressed(done=True)

    @property
    def hidden(self) -> bool:
        """Whether a page has the explorer and shows it nowhere; false where nothing has told."""
        return self.page.shown is False

    @property
    def can_show(self) -> bool:
        """Whether the page has room for one more picture."""
        return self._gate.open

    def _held_told(self, change: Any) -> None:
        if self._ready and not change["new"] and self._hand.waiting:
            self._loop.guarded(self._let_go_of)

    def _let_go_of(self) -> None:
        """A slider was let go: draw as at rest, and what is still to be computed when it is."""
        if self._ahead.busy and self.goal > self.computed:
            self._hand.stop()
            self.show_at_rest()
        else:
            self._hand.rest()

    def _page_told(self, change: Any) -> None:
        if self._ready and change["new"]:
            self._ahead.want()

    # -- the end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Stop the clock and close every widget this explorer made, marks and layouts included.

        A ``Layout`` of the user's own stays open.
        """
        if not self._ready:
            super().close()
            return
        self._ready = False
        self.playing = False
        self._player.stop()
        self._ahead.stop()
        self._hand.stop()
        self._loop.close()
        roots = (
            self,
            *self._gate.widgets,
            *self.fold.loose,
            *self.form.loose,
            *self.loose_widgets(),
        )
        made = {id(widget): widget for root in roots for widget in reachable(root)}
        for widget in tuple(made.values()):
            if isinstance(widget, bq.Image):
                for old in replaced_images(widget):
                    made |= {id(part): part for part in reachable(old)}
        for widget in made.values():
            if widget is not self and widget not in self._users:
                ipywidgets.Widget.close(widget)
        super().close()
