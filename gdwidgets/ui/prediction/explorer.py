"""Predict first: the run's future is hidden until somebody has guessed, then play reveals it.

A question is asked of the runs of the present settings. A guess can be made, changed or left out
until the run is over; nothing waits for it. Then the sentence says how close it came, and why the
run went as it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from ipywidgets import Widget
from numpy.typing import NDArray

from gdwidgets.core import checks
from gdwidgets.core.analysis import guesses
from gdwidgets.ui import text
from gdwidgets.ui.fold import Part
from gdwidgets.ui.own_loop.explorer import OwnLoop, Watching
from gdwidgets.ui.plots import palette
from gdwidgets.ui.prediction import text as words
from gdwidgets.ui.prediction.panel import PredictionPanel, Shown
from gdwidgets.ui.prediction.text import MINIMUM, NO_GUESS, ORDER, STEP, Asked, Guess
from gdwidgets.ui.runs import lane_outcome, lane_steps
from gdwidgets.ui.situations import KINDS, PREDICT, SENTENCE

TITLE = "Predict"

AT_LOWEST = "the run starts at the lowest loss"
"""Why no step is asked of a run."""

REACH = 0.02
"""How near to a minimum a run must end to be at it, as a part of the map's diagonal."""


@dataclass(frozen=True)
class Prediction:
    """A question about the present run, and what was guessed."""

    kind: str
    """``"order"``, ``"minimum"`` or ``"step"``."""
    lane: int
    """The lane it is about, where it is one."""
    guess: Guess = NO_GUESS
    """Lanes, the smallest last loss first; the index of a minimum or ``None``; an update or
    ``None``; `NO_GUESS` until one is made."""
    over: int | None = None
    """The step at which the run was seen to be over; ``None`` until then."""
    words: str = ""
    """The question in the words of the situation that asks it; empty for our own."""


class Predicting(Watching):
    """An explorer of a `Descent` that lets somebody predict its run."""

    NO_SETTINGS: ClassVar[tuple[str, ...]] = (*Watching.NO_SETTINGS, PREDICT)

    _prediction: Prediction | None = None
    _panel: PredictionPanel | None = None

    # -- what a subclass does ----------------------------------------------------------------

    @property
    def prediction_minima(self) -> Sequence[tuple[float, float]]:
        """The minima that a run may end at; none where that is not asked."""
        return ()

    @property
    def prediction_reach(self) -> float:
        """How far from a minimum a run that is at it may end."""
        return 0.0

    def lowest_loss(self) -> float | None:
        """The lowest loss there is; ``None`` where it is not known."""
        return None

    @property
    def loss_zero(self) -> float:
        """The loss that the axis calls 0: losses are asked about as they are drawn."""
        return 0.0

    def predicted_losses(self) -> NDArray[Any]:
        """The losses that runs are compared by, (recorded + 1, L)."""
        return self.descent.loss

    def run_names(self) -> Sequence[str]:
        """What the lanes are called in a sentence."""
        return self.lane_titles()

    def listed_names(self) -> Sequence[str]:
        """What the lanes are called in a list."""
        return self.lane_titles()

    def prediction_reason(self, kind: str, lane: int, k: int) -> str:
        """Why the run, which was over at step ``k``, went as it did."""
        return ""

    # -- asking and guessing -----------------------------------------------------------------

    @property
    def prediction(self) -> Prediction | None:
        """The question that is asked, with its guess; ``None`` where nothing is."""
        return self._prediction

    @property
    def prediction_kinds(self) -> tuple[str, ...]:
        """The questions that fit the present settings, the most telling first."""
        fits = {
            ORDER: self.descent.lanes > 1,
            MINIMUM: self.descent.lanes == 1 and bool(len(self.prediction_minima)),
            STEP: any(self._step_open(lane) for lane in range(self.descent.lanes)),
        }
        return tuple(kind for kind in KINDS if fits[kind])

    def _step_open(self, lane: int) -> bool:
        """Whether a step can be asked of a lane: what it is asked of is not so at the start."""
        known = self.descent.loss_tol is None and self.lowest_loss() is not None
        return not known or self._loss_asked(lane) is not None

    def _loss_asked(self, lane: int) -> float | None:
        """The loss, as it is drawn, below which a lane has come down; ``None`` if it starts there.

        ``None`` also where no lowest loss is known.
        """
        lowest = self.lowest_loss()
        if lowest is None:
            return None
        first = float(self.predicted_losses()[0, lane])
        return guesses.written_target(first, lowest, self.loss_zero)

    def predict(self, kind: str | None = None, lane: int | None = None) -> None:
        """Ask for a prediction: go to step 0 and hide what comes until the run is over.

        Nothing is blocked: without a guess everything goes on as ever, and `end_prediction` shows
        the future again. Where the run's settings are changed before it is over, the question is
        asked anew; chosen situations and watched loops end it.

        Parameters
        ----------
        kind
            ``"order"``: which run has the smallest loss in the end, which the largest.
            ``"minimum"``: at which minimum the run ends. ``"step"``: at which update a run
            reaches inf or NaN, or comes down for good. The first that fits when omitted.
        lane
            Of a step: which run, from 0. The one that a loop of your own is compared with when
            omitted.

        Raises
        ------
        ValueError
            When there is no such question or lane, or the question does not fit the settings.
        """
        self._ask(self._question(kind, lane))

    def _question(self, kind: str | None, lane: int | None, said: str = "") -> Prediction:
        """A question that fits the present settings."""
        fitting = self.prediction_kinds
        if not fitting:
            why = "both runs make the same updates" if self.descent.lanes > 1 else AT_LOWEST
            raise ValueError(f"there is nothing to predict here: {why}")
        kind = fitting[0] if kind is None else checks.one_of(kind, "kind", KINDS)
        if lane is None:
            lane = self.compared_lane
        lane = checks.integer(lane, "lane", 0, self.descent.lanes - 1)
        if kind == STEP and not self._step_open(lane):
            raise ValueError(f"kind 'step' has nothing to ask here: {AT_LOWEST}")
        if kind not in fitting:
            needed = "more than one run" if kind == ORDER else "one run, and minima on the map"
            raise ValueError(f"kind {kind!r} needs {needed}: here it can be {list(fitting)}")
        return Prediction(kind, lane, words=said)

    def _ask(self, question: Prediction) -> None:
        self.playing = False
        self._prediction = question
        self.place(0)
        self._prediction_changed()
        self.fold.turn(TITLE)

    def guess(self, value: Any = NO_GUESS) -> None:
        """Answer the question that is asked; a guess can be changed until the run is over.

        Parameters
        ----------
        value
            Of an order: all lanes, from 0, the smallest last loss first. Of a minimum: its number
            on the map, from 1, or ``None`` for none of them. Of a step: the update, or ``None``
            for never. Nothing takes a guess back.

        Raises
        ------
        ValueError
            When nothing is asked, the run is over, or the answer does not fit the question.
        """
        asked = self._prediction
        if asked is None or asked.over is not None:
            raise ValueError("guess answers a question: call predict() first")
        if not isinstance(value, str) or value != NO_GUESS:
            value = self._checked_guess(asked.kind, value)
        self._prediction = replace(asked, guess=value)
        self._prediction_changed()

    def guess_at(self, point: tuple[float, float]) -> bool:
        """Take a click on the map for a guess, the minimum nearest to it, where one is asked for.

        Returns
        -------
        Whether it was.
        """
        asked = self._prediction
        if asked is None or asked.over is not None or asked.kind != MINIMUM:
            return False
        nearest = guesses.minimum_at(self.prediction_minima, point, np.inf)
        self.guess(None if nearest is None else nearest + 1)
        return True

    def end_prediction(self) -> None:
        """Ask nothing, and show what comes again."""
        self._prediction = None
        self._prediction_changed()

    def _checked_guess(self, kind: str, value: Any) -> Guess:
        if kind == ORDER:
            lanes = self.descent.lanes
            order = checks.items(value)
            if order is None or len(order) != lanes or {*map(_lane, order)} != {*range(lanes)}:
                raise ValueError(
                    f"guess must be the lanes 0 to {lanes - 1}, each once, in the order of their "
                    f"losses, got {checks.shown(value)}"
                )
            return tuple(map(int, order))
        if value is None:
            return None
        if kind == MINIMUM:
            return checks.integer(value, "guess", 1, len(self.prediction_minima)) - 1
        return checks.integer(value, "guess", 1, self.max_steps)

    # -- hidden until the run is over --------------------------------------------------------

    @property
    def open_question(self) -> bool:
        """Whether something is asked of a run that is not over yet."""
        return self._prediction is not None and self._prediction.over is None

    @property
    def shows_future(self) -> bool:
        """Whether the run's future is drawn: not while somebody is to predict it."""
        return bool(self.future) and not self.open_question

    def redraw(self, *, full: bool | None = None) -> None:
        """Draw the present step; a run that is over answers the question about it."""
        asked = self._prediction
        if asked is not None and asked.over is None and self._is_over(asked):
            self._prediction = replace(asked, over=self.drawn)
            self.show_view()
            self._show_panel()
        super().redraw(full=full)

    def _is_over(self, asked: Prediction) -> bool:
        lanes = range(self.descent.lanes) if asked.kind == ORDER else [asked.lane]
        return all(lane_outcome(self.descent, lane, self.drawn) != "running" for lane in lanes)

    def _prediction_changed(self) -> None:
        self.show_view()
        self._show_panel()
        self.redraw(full=True)

    # -- what is said ------------------------------------------------------------------------

    def _asked(self, asked: Prediction) -> Asked:
        return Asked(
            kind=asked.kind,
            names=tuple(self.run_names()),
            listed=tuple(self.listed_names()),
            lane=asked.lane,
            max_steps=self.max_steps,
            target=self._loss_asked(asked.lane),
            above_lowest=bool(self.loss_zero),
            minima=len(self.prediction_minima),
            loss_tol=self.descent.loss_tol,
        )

    def _sentence(self) -> str:
        return self.prediction_sentence() or super()._sentence()

    def prediction_sentence(self) -> str:
        """The question, the guess, or how close it came; empty where the run itself is to speak."""
        asked = self._prediction
        if asked is None:
            return ""
        if asked.over is not None:
            seen = self.drawn == asked.over or (self.playing and self.drawn > asked.over)
            return self.verdict() if seen else ""
        if self.drawn > 0 or self.playing:
            return ""
        if asked.guess != NO_GUESS:
            return words.committed(self._asked(asked), asked.guess)
        return asked.words or words.question(self._asked(asked))

    def verdict(self) -> str:
        """How close the guess came and why the run went so; ``**bold**`` is read first.

        Raises
        ------
        ValueError
            When nothing is asked, or the run is not over.
        """
        asked = self._prediction
        if asked is None or asked.over is None:
            raise ValueError("verdict needs a prediction whose run is over")
        found = self._found(asked, self._asked(asked))
        return f"{found} {self.prediction_reason(asked.kind, asked.lane, asked.over)}".strip()

    def _found(self, asked: Prediction, question: Asked) -> str:
        descent, guess = self.descent, asked.guess
        ends = lane_steps(descent, descent.recorded)
        outcome = str(descent.outcomes[asked.lane])
        if asked.kind == ORDER:
            lanes = np.arange(descent.lanes)
            losses = self.predicted_losses()[ends, lanes].astype(np.float64)
            places = guesses.ranks(np.where(descent.outcomes == "diverged", np.inf, losses))
            right = guesses.pairs_in_order(guess, places) if isinstance(guess, tuple) else None
            return words.ordered(question, places.tolist(), right)
        if asked.kind == MINIMUM:
            return words.at_minimum(question, guess, self.reached_minimum(asked.lane))
        step: int | None = int(ends[asked.lane])
        if outcome == "diverged":
            step = int(ends[asked.lane]) + 1
        elif outcome != "converged":
            step = None
            if question.target is not None and question.loss_tol is None:
                losses = self.predicted_losses()[: int(ends[asked.lane]) + 1, asked.lane]
                step = guesses.arrival(losses, question.target + self.loss_zero)
        return words.at_step(question, guess, step, outcome)

    def reached_minimum(self, lane: int) -> int | None:
        """The index of the minimum at which a lane's recording ends; ``None`` for none."""
        descent = self.descent
        if descent.outcomes[lane] == "diverged":
            return None
        end = int(lane_steps(descent, descent.recorded)[lane])
        return guesses.minimum_at(
            self.prediction_minima, descent.params[end, lane], self.prediction_reach
        )

    # -- the fold ----------------------------------------------------------------------------

    def prediction_part(self) -> Part:
        """The fold *Predict*."""
        return Part(
            TITLE,
            html=self._prediction_html,
            widgets=self._build_panel,
            tooltip="Guess how the run ends before you see it",
        )

    def _build_panel(self) -> Widget:
        self._panel = PredictionPanel(
            self.handler(self.predict),
            self.handler(self._answer),
            self.handler(self.end_prediction),
            self._panel_made,
        )
        self._show_panel()
        return self._panel

    def _panel_made(self) -> None:
        if self._ready and self._panel is not None:
            self.adopt_widgets()

    def _answer(self, value: Guess) -> None:
        """Take the guess that the panel's controls make."""
        index = self._prediction is not None and self._prediction.kind == MINIMUM
        try:
            self.guess(value + 1 if index and isinstance(value, int) else value)
        finally:
            self._show_panel()

    def _show_panel(self) -> None:
        if self._panel is None:
            return
        asked = self._prediction
        marked = [
            f"{palette.run(run).glyph} {name}"
            for run, name in zip(self.lane_runs, self.listed_names(), strict=False)
        ]
        self._panel.show(
            Shown(
                kinds=self.prediction_kinds,
                lanes=tuple(marked),
                asked=None if asked is None else self._asked(asked),
                guess=NO_GUESS if asked is None else asked.guess,
                minima=len(self.prediction_minima),
                open=self.open_question,
            )
        )

    def _prediction_html(self) -> str:
        """How to begin, and what the sentence does not say any more: how close the guess came."""
        asked = self._prediction
        if asked is None:
            said = "Choose a question. The rest of the run is hidden until it has been played."
            return text.html_paragraphs([said])
        if asked.over is None or self.prediction_sentence():
            return ""
        return text.html_paragraphs([self.verdict()])

    # -- another run -------------------------------------------------------------------------

    def _recorded_anew(self, k: int) -> None:
        """Ask the same question of another run, where it fits and the one before was not over."""
        asked = self._prediction
        if asked is not None:
            fits = asked.over is None and asked.kind in self.prediction_kinds
            lane = min(asked.lane, self.descent.lanes - 1)
            fits &= asked.kind != STEP or self._step_open(lane)
            self._prediction = Prediction(asked.kind, lane) if fits else None
        super()._recorded_anew(k)
        self._show_panel()

    def own_began(self, loop: OwnLoop) -> None:
        """Show a loop that is about to run: what comes is shown with it."""
        self._prediction = None
        self.show_view()
        self._show_panel()
        super().own_began(loop)

    def situate(self, name: str, _: Any = None) -> None:
        """Take a named situation, and ask what it asks."""
        super().situate(name)
        chosen = self.situations_offered[name]
        if PREDICT in chosen:
            kind, lane = chosen[PREDICT]
            self._ask(self._question(kind, lane, chosen.get(SENTENCE, "")))
        elif self._prediction is not None:
            self.end_prediction()

    def remember(self) -> Any:
        """What the base remembers, and the question."""
        return super().remember(), self._prediction

    def recall(self, state: Any) -> None:
        """Show the recording of before, with the question about it."""
        base, self._prediction = state
        super().recall(base)
        self._show_panel()


def _lane(value: Any) -> int:
    """A lane as an int, −1 for what is none."""
    try:
        return checks.integer(value, "lane", 0)
    except ValueError:
        return -1
