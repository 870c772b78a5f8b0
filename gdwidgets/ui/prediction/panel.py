"""The fold *Predict*: a choice of questions, and for each kind the controls that answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipywidgets import Button, Dropdown, HBox, Layout, Text, ToggleButton, VBox, Widget

from gdwidgets.ui import text
from gdwidgets.ui.form import button, captioned, row
from gdwidgets.ui.prediction.text import (
    MINIMUM,
    NO_GUESS,
    ORDER,
    STEP,
    Asked,
    Guess,
    guessed,
)

QUESTIONS = {
    ORDER: ("Order the runs", "Which run has the smallest loss in the end, which the largest?"),
    MINIMUM: ("Which minimum", "At which minimum does the run end?"),
    STEP: ("At which update", "At which update does a run converge or diverge?"),
}
"""What is written on a question's button, and its tooltip."""

NEVER = "never"


@dataclass(frozen=True)
class Shown:
    """What the panel shows."""

    kinds: tuple[str, ...]
    """The questions that can be asked."""
    lanes: tuple[str, ...]
    """The runs that a step can be asked of, with their markers."""
    asked: Asked | None = None
    """What is asked now."""
    guess: Guess = NO_GUESS
    """What was guessed."""
    minima: int = 0
    """How many minima there are to choose from."""
    open: bool = False
    """Whether a guess can still be made."""


class PredictionPanel(VBox):
    """Buttons for the questions, below them what answers the present one.

    Parameters
    ----------
    ask
        Called with the kind of a question and a lane.
    guess
        Called with a guess.
    skip
        Called when somebody wants no question.
    made
        Called when widgets were made.
    """

    def __init__(
        self,
        ask: Callable[[str, int], None],
        guess: Callable[[Guess], None],
        skip: Callable[[], None],
        made: Callable[[], None],
    ) -> None:
        self._guess, self._made = guess, made
        self._answers: Sequence[Widget] = ()
        self._built: tuple[object, ...] | None = None
        self._order: tuple[int, ...] = ()
        self._writing = False
        self.questions = {kind: button(*written) for kind, written in QUESTIONS.items()}
        self.lane = Dropdown(options=[("the run", 0)])
        asked = "The run whose update is asked for"
        self._lane_box = captioned(self.lane, "of which run", "200px", asked)
        self.skip = button("Skip it", "Show the rest of the run without a guess")
        for kind, asks in self.questions.items():
            asks.on_click(lambda _, k=kind: ask(k, self.lane.value if k == STEP else 0))
        self.skip.on_click(lambda _: skip())
        self.answers = HBox([], layout=Layout(width="100%", align_items="flex-end"))
        self.answers.add_class("gdw-row")
        self.answers.add_class("gdw-answers")
        first = row(*self.questions.values(), self._lane_box, self.skip)
        super().__init__([first, self.answers], layout=Layout(width="100%", grid_gap="8px"))

    # -- what is shown -----------------------------------------------------------------------

    def show(self, shown: Shown) -> None:
        """Offer questions, and the controls for the answer to the present one."""
        for kind, asks in self.questions.items():
            asks.layout.display = None if kind in shown.kinds else "none"
            asks.button_style = "info" if shown.asked and shown.asked.kind == kind else ""
        self._show_lanes(shown)
        self.skip.layout.display = None if shown.open else "none"
        asked = shown.asked
        built = None if asked is None else (asked.kind, shown.lanes, shown.minima)
        if built != self._built:
            self._built = built
            self._build(shown)
        self._write(shown)
        for one in self._answers:
            one.disabled = not shown.open

    def _show_lanes(self, shown: Shown) -> None:
        several = len(shown.lanes) > 1 and STEP in shown.kinds
        self._lane_box.layout.display = None if several else "none"
        options = [(name, lane) for lane, name in enumerate(shown.lanes)]
        if list(self.lane.options) != options:
            self.lane.options = options
        if shown.asked is not None and shown.asked.kind == STEP:
            self.lane.value = shown.asked.lane

    def _build(self, shown: Shown) -> None:
        """Make the controls of another question, and close those of the one before."""
        before, self._answers = self._answers, ()
        self._order = ()
        kind = None if shown.asked is None else shown.asked.kind
        if kind == ORDER:
            self._answers = [self._run_button(lane) for lane in range(len(shown.lanes))]
        elif kind == MINIMUM:
            elsewhere = "elsewhere" if shown.minima == 1 else "none of them"
            known = [self._minimum_button(k, text.numbered(k)) for k in range(shown.minima)]
            self._answers = [*known, self._minimum_button(None, elsewhere)]
        elif kind == STEP:
            number = Text(
                placeholder="a number",
                continuous_update=False,
                tooltip="The update, or never",
                layout=Layout(width="120px", flex="0 0 auto"),
            )
            number.observe(lambda change: self._typed(change["new"]), names="value")
            never = button("Never", "It does not happen within this run")
            never.on_click(lambda _: self._guess(None))
            self._answers = [number, never]
        self.answers.children = tuple(self._answers)
        for one in before:
            for part in (one.layout, one.style, one):
                part.close()
        self._made()

    def _run_button(self, lane: int) -> Button:
        made = button("", "Press the runs in the order of their losses, the smallest first")
        made.on_click(lambda _: self._placed(lane))
        return made

    def _minimum_button(self, index: int | None, name: str) -> ToggleButton:
        made = ToggleButton(
            description=name,
            tooltip="It ends at no minimum" if index is None else f"It ends at minimum {name}",
            layout=Layout(width="auto", flex="0 0 auto"),
        )
        made.observe(lambda _: None if self._writing else self._guess(index), names="value")
        return made

    def _write(self, shown: Shown) -> None:
        """Write the guess into the controls."""
        asked, guess = shown.asked, shown.guess
        if asked is None:
            return
        self._writing = True
        try:
            if asked.kind == ORDER:
                if isinstance(guess, tuple):
                    self._order = guess
                elif len(self._order) == len(shown.lanes):
                    self._order = ()  # the guess was withdrawn, or another run is asked about
                self._write_order(shown.lanes)
            elif asked.kind == MINIMUM:
                for index, one in zip([*range(shown.minima), None], self._answers, strict=True):
                    one.value = guess == index
            else:
                self._answers[0].value = "" if guess == NO_GUESS else _bare(asked, guess)
        finally:
            self._writing = False

    def _write_order(self, lanes: Sequence[str]) -> None:
        self._lanes = tuple(lanes)
        for lane, one in enumerate(self._answers):
            place = f"{self._order.index(lane) + 1}.  " if lane in self._order else ""
            one.description = f"{place}{lanes[lane]}"
            one.button_style = "info" if place else ""

    # -- what somebody does ------------------------------------------------------------------

    def _placed(self, lane: int) -> None:
        """Give a run the next place, or take its place back; the last place follows."""
        order = self._order
        placed = lane not in order
        order = (*order, lane) if placed else tuple(one for one in order if one != lane)
        left = [one for one in range(len(self._answers)) if one not in order]
        if len(left) == 1 and placed:
            order = (*order, *left)
        if len(order) == len(self._answers):
            self._guess(order)
            return
        if len(self._order) == len(self._answers):
            self._guess(NO_GUESS)
        self._order = order
        self._write_order(self._lanes)

    def _typed(self, typed: str) -> None:
        if self._writing:
            return
        typed = typed.strip().lower().replace(",", "")
        if not typed:
            self._guess(NO_GUESS)
        elif typed == NEVER:
            self._guess(None)
        else:
            self._guess(int(typed) if typed.isdecimal() else typed)


def _bare(asked: Asked, guess: Guess) -> str:
    return NEVER if guess is None else guessed(asked, guess).removeprefix("update ")
