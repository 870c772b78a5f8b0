"""The learner's own loop in an explorer: watched while it runs, shown and told afterwards."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import torch
from ipywidgets import Button, Widget

from gdwidgets.core import Descent
from gdwidgets.core.diagnosis.findings import NO_MISTAKES, Finding
from gdwidgets.core.diagnosis.records import Reference
from gdwidgets.core.diagnosis.report import Hints, hint_level
from gdwidgets.core.watching.run import WatchedRun
from gdwidgets.core.watching.watch import Watch, entered_or_called
from gdwidgets.ui.explorer import Explorer
from gdwidgets.ui.fold import Part
from gdwidgets.ui.form import button, row
from gdwidgets.ui.own_loop import text as own_text
from gdwidgets.ui.own_loop.beside import Beside, fits, nearest_lane
from gdwidgets.ui.plots import palette
from gdwidgets.ui.runs import step_table

if TYPE_CHECKING:
    import pandas as pd

NAME = "yours"
"""What the learner's own loop is called at the end of its curve."""

TITLE = "Your own loop"
"""The fold that tells of it."""

FIRST = 0.3
"""Seconds for which the reference is computed before the loop begins, so that it is in the picture
while the loop runs."""


class Stage(Protocol):
    """Where a loop is shown."""

    def own_loop_began(self, loop: OwnLoop) -> None:
        """The loop is about to run."""

    def own_loop_grew(self, loop: OwnLoop) -> None:
        """The loop has more records, and is running."""

    def own_loop_ended(self, loop: OwnLoop) -> None:
        """The loop has come to an end, or an exception has ended it."""


class OwnLoop(Watch):
    """The record of a learner's own training loop, shown as it grows.

    Parameters
    ----------
    stage
        Where it is shown. What goes wrong there never reaches the loop.
    reference
        What it is compared with, or ``None``.
    hints
        How much is said of it: see `gdwidgets.core.watching.watch.Watch.report`.
    **tensors
        Names for tensors, in preference to those of the loop's variables.
    """

    def __init__(
        self,
        stage: Stage,
        /,
        *,
        reference: Reference | None = None,
        hints: Hints = True,
        **tensors: Any,
    ) -> None:
        super().__init__(
            reference=reference,
            on_progress=lambda _: self._show(stage.own_loop_grew),
            hints=hints,
            **tensors,
        )
        self.stage = stage

    def __enter__(self) -> Self:
        super().__enter__()
        self._show(self.stage.own_loop_began)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the recording and show all of it; an exception passes through."""
        super().__exit__(kind, error, trace)
        self._show(self.stage.own_loop_ended)

    def _show(self, method: Callable[[OwnLoop], None]) -> None:
        # What is computed for the picture is not the learner's.
        with torch._C.DisableTorchFunction():  # noqa: SLF001 - torch's own way, public in its docs
            method(self)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the records as pandas: one row per ``backward()``; see `columns`."""
        import pandas as pd  # noqa: PLC0415 - 30 MB that an explorer does without

        return pd.DataFrame(self.columns())


class LoopExplorer(Explorer):
    """An explorer that can show a learner's own loop, while it runs and afterwards."""

    _watched: OwnLoop | None = None
    _found_at: int | None = None
    _hint = 0
    _own_buttons: tuple[Button, Button] | None = None

    # -- what a subclass does ----------------------------------------------------------------

    def own_began(self, loop: OwnLoop) -> None:
        """Show a loop that is about to run."""
        raise AssertionError("whoever watches a loop shows it")

    def own_grew(self, loop: OwnLoop) -> None:
        """Show a loop as far as it has come."""
        raise AssertionError("whoever watches a loop shows it")

    def own_ended(self, loop: OwnLoop) -> None:
        """Show a loop that has ended."""
        raise AssertionError("whoever watches a loop shows it")

    def show_own(self, k: int) -> None:
        """Show what is recorded of the loop, or that there is none, with the cursor at ``k``."""
        raise AssertionError("whoever watches a loop shows it")

    def own_html(self) -> str:
        """What the fold of the loop says, as HTML."""
        raise AssertionError("whoever watches a loop tells of it")

    # -- the loop ----------------------------------------------------------------------------

    @property
    def own_loop(self) -> OwnLoop | None:
        """The learner's own loop that was watched last; ``None`` where none was, or forgotten."""
        return self._watched

    def next_hint(self) -> None:
        """Tell one hint more of the loop that was watched: where, then what, then why."""
        if self.hints_left:
            self._hint += 1
            self._show_own_buttons()
            self.redraw(full=True)

    @property
    def hints_left(self) -> bool:
        """Whether `next_hint` has one more to tell."""
        loop = self._watched
        told_by_hints = loop is not None and not loop.recording and loop.hints is not True
        return told_by_hints and 0 < self._hint < 3

    @property
    def hints_told(self) -> Hints:
        """How much of the diagnosis is told now: see ``OwnLoop.report``."""
        loop = self._watched
        return True if loop is not None and loop.hints is True else self._hint or False

    def first_mistake(self, loop: OwnLoop) -> Finding | None:
        """The first finding, where hints tell of it and it is something to look at."""
        if not self._hint:
            return None
        first = loop.findings[0]
        looked_at = first.name not in NO_MISTAKES or first.evidence.get("differs")
        return first if looked_at else None

    def finding_sentence(self) -> str:
        """The first finding, as far as it is told, at the step where it shows; empty elsewhere."""
        loop = self._watched
        if loop is None or not self._hint or self.playing or self.step != self._found_at:
            return ""
        first = loop.findings[0]
        words = first.where if self._hint == 1 and first.where else first.sentence
        if self._counts_alike(loop):
            words = own_text.in_picture(words)
        return own_text.found(words)

    def _counts_alike(self, loop: OwnLoop) -> bool:
        """Whether each record of a loop is a step of the picture, so that only the counts differ.

        The report counts from 1, the picture from 0.
        """
        return not _by_updates(loop)

    def forget_own_loop(self) -> None:
        """Take the learner's own loop out of the picture."""
        self._watched = self._found_at = None
        self._show_own_buttons()
        self.show_own(self.step)

    # -- what a watched loop calls -----------------------------------------------------------

    def own_loop_began(self, loop: OwnLoop) -> None:
        """Show a loop that is about to run."""
        self._on_owner(self._begin_own, loop)

    def own_loop_grew(self, loop: OwnLoop) -> None:
        """Show a loop as far as it has come."""
        self._on_owner(self.own_grew, loop)

    def own_loop_ended(self, loop: OwnLoop) -> None:
        """Show a loop that has ended."""
        self._on_owner(self._end_own, loop)

    def _on_owner(self, method: Callable[[OwnLoop], None], loop: OwnLoop) -> None:
        """Call a method here, or from a thread of the learner's own on the owner thread."""

        def guarded() -> None:
            try:
                if self._ready:
                    method(loop)
            except Exception as problem:  # noqa: BLE001 - the loop must not suffer from being shown
                self.show_problem(problem)

        if threading.current_thread() is threading.main_thread() or not self._loop.running:
            guarded()
        else:
            self._loop.call(guarded)

    def _begin_own(self, loop: OwnLoop) -> None:
        self.playing = False
        self._clear_problem()
        self._watched, self._found_at = loop, None
        self._hint = hint_level(loop.hints)
        self._show_own_buttons()
        self.own_began(loop)
        self.fold.refresh()  # once: while the loop runs its text stays

    def draw_own(self) -> None:
        """Draw the present step: all of it, or while a loop runs what changes with each frame.

        The less a frame costs the more of them fit into the loop's time.
        """
        if self._watched is None or not self._watched.recording:
            self.redraw(full=True)
            return
        self.draw(self.drawn, full=True)
        self.transport.show(self.step, self.max_steps)
        self.transport.count(self.step, self.max_steps, self.counter_note())
        self.draw_text(self.drawn)
        self._write_sentence()
        self._gate.stamp(self.step)

    def _end_own(self, loop: OwnLoop) -> None:
        self._show_own_buttons()
        self.own_ended(loop)

    # -- the face ----------------------------------------------------------------------------

    def own_part(self) -> Part:
        """The fold *Your own loop*."""
        return Part(
            TITLE,
            html=self.own_html,
            widgets=self._build_own,
            tooltip="Your own training loop, watched: what it does, and its steps",
        )

    def _build_own(self) -> Widget:
        hint = button("One hint more", "Where to look, then what is found there, then why")
        forget = button("Forget it", "Take your own loop out of the picture")
        self.bind_button(hint, self.next_hint)
        self.bind_button(forget, self.forget_own_loop)
        self._own_buttons = hint, forget
        self._show_own_buttons()
        return row(hint, forget, align="center")

    def _show_own_buttons(self) -> None:
        if self._own_buttons is None:
            return
        hint, forget = self._own_buttons
        hint.layout.display = None if self.hints_left else "none"
        there = self._watched is not None and not self._watched.recording
        forget.layout.display = None if there else "none"

    def _sentence(self) -> str:
        return self.own_sentence() or super()._sentence()

    def own_sentence(self) -> str:
        """What is said of the loop instead of the explorer's own sentence; empty for nothing."""
        return self.finding_sentence()


def _by_updates(loop: OwnLoop) -> bool:
    """Whether the report speaks of updates made of several backward passes."""
    return any(one.name == "updated_every_n" for one in loop.findings)


class Watching(LoopExplorer):
    """An explorer of a `Descent` that shows a learner's own loop beside it."""

    _watched_run: WatchedRun | None = None
    _joined: tuple[Descent, WatchedRun, Any] | None = None
    _compared = ""

    # -- what a subclass does ----------------------------------------------------------------

    @property
    def compared_lane(self) -> int:
        """The lane that a loop is compared with unless it goes along another one."""
        return self.descent.lanes - 1

    def lane_titles(self) -> Sequence[str]:
        """What the descent's lanes are called in sentences on the loop."""
        return [""] * self.descent.lanes

    def reference_of(self, lane: int) -> Reference | None:
        """What a loop is compared with; ``None`` where a lane has no descent of its own."""
        title = self.lane_titles()[lane] if self.descent.lanes > 1 else ""
        return Reference.of(self.descent, lane, title)

    def lane_beside(self, loop: OwnLoop) -> int:
        """The lane that a loop over the same parameters is compared with."""
        return nearest_lane(self.descent, loop.loop, self.compared_lane)

    def run_of(self, loop: OwnLoop) -> WatchedRun:
        """A loop as it is drawn."""
        return loop.run

    # -- the recording -----------------------------------------------------------------------

    @property
    def descent(self) -> Descent:
        """The recording behind the picture."""
        found: Descent = self.recording
        return found

    @property
    def all_lanes(self) -> Any:
        """What is drawn: the descent, and beside it the learner's own loop as one lane more.

        Reads as a `Descent` does; it is the descent itself where there is no loop to be drawn.
        """
        descent, run = self.descent, self._watched_run
        if run is None:
            return descent
        if self._joined is None or self._joined[0] is not descent or self._joined[1] is not run:
            both = Beside(descent, run) if fits(descent, run) else descent
            self._joined = descent, run, both
        return self._joined[2]

    @property
    def own_lane(self) -> int | None:
        """The lane of the learner's own loop in `all_lanes`, ``None`` where it is not drawn."""
        lanes = self.all_lanes
        return lanes.own if isinstance(lanes, Beside) else None

    @property
    def lane_runs(self) -> list[int]:
        """Which of `palette.RUNS` each lane of `all_lanes` is."""
        own = [] if self.own_lane is None else [palette.OWN]
        return [*range(self.descent.lanes), *own]

    def with_own(self, names: Sequence[str]) -> list[str]:
        """Names of the descent's lanes, and after them that of the learner's own loop."""
        return [*names, *([] if self.own_lane is None else [NAME])]

    # -- watching ----------------------------------------------------------------------------

    def watch(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *args: Any,
        hints: Hints = True,
        **named: Any,
    ) -> OwnLoop:
        """Watch your own training loop: ``with explorer.watch() as mine: ...``.

        Nothing in the loop is edited or changed. While it runs it grows in the picture as a lane
        of its own; afterwards ``mine.report()`` says what it does, ``mine.params``, ``mine.loss``,
        ``mine.grad`` and ``mine.to_dataframe()`` give its numbers, and the cursor stands where the
        first finding shows.

        Parameters
        ----------
        function
            Called at once with ``args`` and ``named``, and watched. Its result is ``mine.result``;
            what it raises passes through.
        args
            The function's arguments.
        hints
            ``True``: all is said. ``False``: the diagnosis is held back. 1, 2 or 3: *where* to look
            for the first finding, also *what* it is, also *why*; a button tells one more.
        **named
            The function's keyword arguments; without a function, names of tensors, as ``u=u``.

        Raises
        ------
        ValueError
            When a named tensor is none, or the hints are not what they must be.
        RuntimeError
            When a loop is being watched already.
        """
        reference = self.reference_of(self.compared_lane)
        make = partial(OwnLoop, self, reference=reference, hints=hints)
        return entered_or_called(make, function, args, named)

    # -- what a watched loop calls -----------------------------------------------------------

    def forget_own_loop(self) -> None:
        """Take the learner's own loop out of the picture."""
        self._watched_run = None
        super().forget_own_loop()

    def _counts_alike(self, loop: OwnLoop) -> bool:
        """Also whether the loop's records are not spread over more steps, or fewer."""
        run = self._watched_run
        return super()._counts_alike(loop) and (run is None or run.step_of(1) == 1)

    def own_began(self, loop: OwnLoop) -> None:
        """Show a loop that is about to run: the cursor goes to step 0."""
        self._watched_run = None
        self.compute(self.max_steps, FIRST)
        self.show_own(0)

    def own_grew(self, loop: OwnLoop) -> None:
        """Show a loop as far as it has come."""
        run = self.run_of(loop)
        self._watched_run = run if run.recorded >= 0 else None
        self.show_own(self._own_last)

    def own_ended(self, loop: OwnLoop) -> None:
        """Show a loop that has ended: the cursor goes to the first thing found."""
        run = self.run_of(loop)
        if fits(self.descent, run):
            lane = self.lane_beside(loop)
            self._compared = self.lane_titles()[lane] if self.descent.lanes > 1 else ""
            loop.reference = self.reference_of(lane)
            run = self.run_of(loop)
        self._watched_run = run if run.recorded >= 0 else None
        at = self._own_last
        if (first := self.first_mistake(loop)) is not None:
            at = min(run.step_of(first.step), at)
        self._found_at = at
        self.show_own(at)
        if loop.progress_error is not None:
            self.show_problem(loop.progress_error)
        self._ahead.want()

    @property
    def _own_last(self) -> int:
        """The last step of the loop that can be shown."""
        lanes = self.all_lanes
        return lanes.own_last if isinstance(lanes, Beside) else 0

    def show_own(self, k: int) -> None:
        """Show all lanes anew with the cursor at step ``k``."""
        self.show_recording()
        with self._in_slices():
            self.place(min(k, self.end))
        self.draw_own()

    @contextlib.contextmanager
    def _in_slices(self) -> Iterator[None]:
        """While a loop runs the reference is not waited for."""
        loop = self._watched
        with self.doing_by_hand(on=loop is not None and loop.recording):
            yield

    def own_html(self) -> str:
        """The report, notes on the picture, and the loop's steps."""
        loop, lanes = self._watched, self.all_lanes
        if loop is None:
            return own_text.how_to()
        if loop.recording:
            return own_text.told("Your loop is running.")
        beside = isinstance(lanes, Beside)
        run = self._watched_run
        report = loop.report(self.hints_told)
        notes = own_text.notes(
            counted=self._counts_alike(loop),
            report=report,
            drawn=beside,
            compared=self._compared,
            cut=lanes.own_last if beside and lanes.cut else None,
            recorded=0 if run is None else int(run.steps[-1]),
        )
        said = own_text.told(report, notes)
        return said + (step_table(lanes, lanes.own, self.drawn, rows=8) if beside else "")

    def own_sentence(self) -> str:
        """How far the loop is; afterwards the first finding, at the step where it shows."""
        loop = self._watched
        if loop is None:
            return ""
        if loop.recording:
            run = self._watched_run
            if run is None:
                return "Your loop runs: **no backward() yet**."
            losses = run.loop.loss
            return own_text.growing(
                int(run.steps[-1]), float(losses[-1]), drawn=self.own_lane is not None
            )
        return super().own_sentence()

    def _recorded_anew(self, k: int) -> None:
        self._found_at = None
        super()._recorded_anew(k)
