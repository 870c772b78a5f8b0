"""Any training loop, live: its loss, and the norms of gradient and update of each tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from IPython import get_ipython
from ipywidgets import HTML, HBox, Layout, Widget

from gdwidgets.core import checks
from gdwidgets.core.diagnosis.report import Hints
from gdwidgets.core.watching.watch import entered_or_called
from gdwidgets.explorers.training import text as words
from gdwidgets.explorers.training.norms import KINDS, Norms
from gdwidgets.ui import text
from gdwidgets.ui.fold import Part
from gdwidgets.ui.form import Choice, button, logarithmic_axis, row
from gdwidgets.ui.own_loop import text as own_text
from gdwidgets.ui.own_loop.explorer import LoopExplorer, OwnLoop
from gdwidgets.ui.pictures.panels import CurvesPanel, Panel
from gdwidgets.ui.plots import labels, palette
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.settings import Setting

if TYPE_CHECKING:
    import pandas as pd

HEIGHT = 300
"""Height of both figures, in pixels."""

NAME = 135.0
"""Width of a tensor's name at the end of its curve, in pixels."""

EMPTY = "gdw-empty"
"""Class of a figure that keeps its place while there is nothing to draw."""

STYLE = f".{EMPTY}, .{EMPTY} * {{ visibility: hidden !important }}"
"""Parts of bqplot's figures call themselves visible, whatever the figure is."""

AT_ONCE = len(palette.RUNS)
"""Tensors that are shown at once."""


class TrainingExplorer(LoopExplorer):
    """Shows any training loop while it runs and afterwards: ``with explorer.watch() as mine: ...``.

    The loss on the left; on the right a curve for each parameter tensor, eight at a time: the norm
    of its gradient, of its update, or their ratio. Works for scalars, modules and optimizers.

    Parameters
    ----------
    **settings
        Settings (see the traits), and ``layout``.

    Raises
    ------
    ValueError
        When a setting does not fit: names it, says what was given and what is accepted.
    TypeError
        For an unknown keyword: names the nearest.
    """

    TITLE = "Training loop"
    MORE = (("loss_log",),)

    shown = Setting(
        "gradient",
        lambda value, name: checks.one_of(value, name, KINDS),
        label="shown of each tensor",
        help="Norm of the gradient, norm of the update, or their ratio",
        control=Choice(tuple((words.TITLES[kind], kind) for kind in KINDS), "176px"),
        view=True,
    )
    """What is shown of each tensor: ``"gradient"`` (default), ``"update"`` or ``"ratio"``."""

    first = Setting(
        0,
        lambda value, name: checks.integer(value, name, 0, 1_000_000),
        help="The first of the tensors that are shown",
        view=True,
    )
    """The first of the eight tensors that are shown, counted from 0."""

    loss_log = logarithmic_axis("loss axis", "Scale of the loss axis")
    """Whether the loss is drawn on a logarithmic axis."""

    # -- watching ----------------------------------------------------------------------------

    def watch(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *args: Any,
        hints: Hints = True,
        **named: Any,
    ) -> OwnLoop:
        """Watch a training loop: ``with explorer.watch() as mine: ...``.

        Parameters
        ----------
        function
            Called at once with ``args`` and ``named``, and watched; its result is ``mine.result``.
        args
            The function's arguments.
        hints
            How much is said of what the loop does: see ``OwnLoop.report``.
        **named
            The function's keyword arguments; without a function, names of tensors, as ``w=w``.

        Raises
        ------
        ValueError
            When a named tensor is none, or the hints are not what they must be.
        RuntimeError
            When a loop is being watched already.
        """
        return entered_or_called(partial(OwnLoop, self, hints=hints), function, args, named)

    def own_began(self, loop: OwnLoop) -> None:
        """Show that a loop is about to run."""
        self.recording = Norms()
        self.show_own(0)

    def own_grew(self, loop: OwnLoop) -> None:
        """Show a loop as far as it has come."""
        self.recording = Norms(loop)
        self.show_own(self.norms.last)

    def own_ended(self, loop: OwnLoop) -> None:
        """Show a loop that has ended: the cursor goes to the first mistake found, or its end."""
        self.recording = Norms(loop)
        at = self.norms.last
        if (first := self.first_mistake(loop)) is not None:
            self._found_at = at = min(first.step, at)
        self.show_own(at)
        if loop.progress_error is not None:
            self.show_problem(loop.progress_error)

    def show_own(self, k: int) -> None:
        """Show what is recorded, with the cursor at step ``k``."""
        if self._watched is None:
            self.recording = Norms()
        last = max(0, len(self.norms.names) - 1) // AT_ONCE * AT_ONCE
        self.first = min(self.first, last)
        self.show_recording()
        self.place(min(k, self.norms.last))
        self.draw_own()

    # -- the recording -----------------------------------------------------------------------

    @property
    def max_steps(self) -> int:  # type: ignore[override]  # it follows from the loop
        """The last step recorded; at least 1."""
        return max(1, self.norms.last)

    @property
    def norms(self) -> Norms:
        """The recording: the loss, and the norms of each tensor."""
        found: Norms = self.recording
        return found

    def new_recording(self, changed: frozenset[str]) -> Norms:
        """Nothing is recorded before a loop is watched."""
        return Norms()

    def compute(self, k: int, budget: float = math.inf) -> int:
        """Nothing is to be computed; return the step that can be shown."""
        return min(k, self.norms.last)

    @property
    def computed(self) -> int:
        """The last step recorded."""
        return self.norms.last

    @property
    def end(self) -> int:
        """The last step recorded."""
        return self.norms.last

    # -- the face ----------------------------------------------------------------------------

    def style_sheet(self) -> str:
        """The style of figures with nothing in them."""
        return STYLE

    def build_picture(self) -> Widget:
        """Make the plots of the loss and of the norms."""
        self.loss_plot = Curves(HEIGHT, on_click=self.handler(self._read_out), whole=True)
        self.norm_plot = Curves(HEIGHT, on_click=self.handler(self._read_out))
        boxes = []
        for plot in (self.loss_plot, self.norm_plot):
            plot.figure.add_class("gdw-figure")
            boxes.append(HBox([plot.figure], layout=Layout(flex="1 1 320px", min_width="280px")))
        return HBox(boxes)

    def build_dials(self) -> Sequence[Widget]:
        """Make the choice of what is shown, and the buttons to page through the tensors."""
        back = button("◂ previous 8", "Show the eight tensors before these")
        forward = button("next 8 ▸", "Show the next eight tensors")
        self.bind_button(back, lambda: self.turn_page(-1))
        self.bind_button(forward, lambda: self.turn_page(1))
        self.page_buttons = back, forward
        self.page_note = HTML(layout=Layout(width="auto", flex="0 0 auto"))
        pages = row(back, self.page_note, forward, align="center")
        pages.layout.width = "auto"
        return [self.form.field("shown").widget, pages]

    def turn_page(self, by: int) -> None:
        """Show the eight tensors after those that are shown, or with ``by=-1`` those before."""
        most = max(0, len(self.norms.names) - 1) // AT_ONCE * AT_ONCE
        self.first = min(max(0, self.first + by * AT_ONCE), most)

    def parts(self) -> list[Part]:
        """The report, the tensors, the settings."""
        settings = [part for part in super().parts() if part.title == "Settings"]
        tensors = Part("Tensors", html=self._table, tooltip="All tensors at the present step")
        return [tensors, self.own_part(), *settings]

    def resize(self, scale: float) -> None:
        """Make the figures ``scale`` times as large as they normally are."""
        for plot in (self.loss_plot, self.norm_plot):
            plot.set_size(scale)

    def _read_out(self, lane: int, step: int) -> None:
        self.seek(step)

    # -- drawing -----------------------------------------------------------------------------

    @property
    def tensors_shown(self) -> range:
        """Which tensors are shown."""
        return range(self.first, min(self.first + AT_ONCE, len(self.norms.names)))

    @property
    def _shown_names(self) -> list[str]:
        """Short names of the tensors that are shown."""
        names = labels.without_parents(self.norms.names)
        return labels.cut_in_front([names[i] for i in self.tensors_shown], NAME)

    def show_recording(self) -> None:
        """Prepare the figures for what is recorded."""
        norms, tensors = self.norms, self.tensors_shown
        nothing = np.ones((1, 1), np.float32)
        self.loss_plot.show_run(
            nothing if norms.empty else norms.loss[:, None],
            [""],
            end=self.max_steps,
            runs=[palette.OWN],
        )
        self.norm_plot.show_run(
            nothing if norms.empty else norms.of(self.shown, tensors),
            self._shown_names or [""],
            end=self.max_steps,
            title=words.TITLES[self.shown],
        )
        for plot in (self.loss_plot, self.norm_plot):
            (plot.figure.add_class if norms.empty else plot.figure.remove_class)(EMPTY)
        self._prepared = self.shown, self.first
        self._show_page()

    def _show_page(self) -> None:
        count, tensors = len(self.norms.names), self.tensors_shown
        paged = count > AT_ONCE
        for turn in self.page_buttons:
            turn.layout.display = None if paged else "none"
        self.page_buttons[0].disabled = self.first == 0
        self.page_buttons[1].disabled = tensors.stop >= count
        said = f"{tensors.start + 1}–{tensors.stop} of {count:,}" if paged else ""
        self.page_note.value = f"<span class=gdw-caption>{said}</span>"

    def show_view(self) -> None:
        """Apply what changes only how the loop is shown."""
        if self.loss_plot.log != self.loss_log:
            self.loss_plot.use_log(self.loss_log)
        for plot in (self.loss_plot, self.norm_plot):
            if plot.future != self.future:
                plot.show_future(self.future)
        if self._prepared != (self.shown, self.first):
            self.show_recording()

    def draw(self, k: int, *, full: bool) -> None:
        """Write the markers with the cursor at ``k``."""
        self.loss_plot.draw(k, full=full)
        self.norm_plot.draw(k, full=full)

    @property
    def counter_end(self) -> int:
        """The last record: of a single one, the scrubber alone needs a step 1."""
        return self.end

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        norms = self.norms
        if norms.empty:
            return words.waiting()
        loop = self._watched
        if loop is not None and loop.recording:
            return words.growing(k, float(norms.loss[k]))
        grads = norms.of("gradient", range(len(norms.names)))[k]
        return words.sentence(k, float(norms.loss[k]), norms.names, grads, last=norms.last)

    def _table(self) -> str:
        norms, k = self.norms, self.drawn
        if norms.empty:
            return text.html_paragraphs([words.waiting()])
        every = range(len(norms.names))
        values = np.stack([norms.of(kind, every)[k] for kind in KINDS], axis=1).tolist()
        rows = [
            (name, shape, grad, update, ratio)
            for name, shape, (grad, update, ratio) in zip(
                norms.names, norms.shapes, values, strict=True
            )
        ]
        return words.table(rows, k)

    def own_html(self) -> str:
        """What the loop does."""
        loop = self._watched
        if loop is None:
            return text.html_code(own_text.HOW)
        if loop.recording:
            return own_text.told("Your loop is running.")
        report = loop.report(self.hints_told)
        notes = own_text.notes(
            counted=self._counts_alike(loop),
            report=report,
            drawn=True,
            compared="",
            cut=None,
            recorded=self.norms.last,
        )
        return own_text.told(report, notes)

    # -- data and pictures -------------------------------------------------------------------

    def to_dataframe(self) -> pd.DataFrame:
        """Return the norms as pandas: ``step``, ``tensor``, ``loss``, and a column for each kind.

        One row for each tensor and step.
        """
        import pandas as pd  # noqa: PLC0415 - 30 MB that an explorer does without

        norms = self.norms
        steps = np.arange(len(norms.loss))
        parts = [
            pd.DataFrame(
                {"step": steps, "tensor": name, "loss": norms.loss}
                | {kind: norms.of(kind, range(i, i + 1))[: len(steps), 0] for kind in KINDS}
            )
            for i, name in enumerate(norms.names)
        ]
        if not parts:
            return pd.DataFrame(columns=["step", "tensor", "loss", *KINDS])
        return pd.concat(parts, ignore_index=True)

    def panels(self, *, fine: bool) -> Sequence[Panel]:
        """The loss and the sizes, as data."""
        norms, tensors = self.norms, self.tensors_shown
        if norms.empty:
            return ()
        return (
            CurvesPanel(
                values=norms.loss[:, None],
                last=np.array([norms.last]),
                names=["loss"],
                runs=[palette.OWN],
                future=self.future,
                log=self.loss_log,
            ),
            CurvesPanel(
                values=norms.of(self.shown, tensors),
                last=np.repeat(norms.last, len(tensors)),
                names=self._shown_names,
                runs=range(len(tensors)),
                future=self.future,
                log=True,
                title=words.TITLES[self.shown],
            ),
        )


def watch(
    function: Callable[..., Any] | None = None,
    /,
    *args: Any,
    hints: Hints = True,
    **named: Any,
) -> OwnLoop:
    """Watch any training loop, live: ``with watch() as mine: ...``, or ``watch(train, model)``.

    A `TrainingExplorer` is shown below the cell, and grows while the loop runs. Nothing in the loop
    is edited or changed.

    Parameters
    ----------
    function
        Called at once with ``args`` and ``named``, and watched; its result is ``mine.result``.
    args
        The function's arguments.
    hints
        How much is said of what the loop does: see ``OwnLoop.report``.
    **named
        The function's keyword arguments; without a function, names of tensors, as ``w=w``.

    Returns
    -------
    OwnLoop
        With ``report()``, ``findings``, ``tensors``, ``loss``; ``stage`` is the explorer.

    Raises
    ------
    ValueError
        When a named tensor is none, or the hints are not what they must be.
    RuntimeError
        When a loop is being watched already.
    """
    return _Shown().watch(function, *args, hints=hints, **named)


class _Shown(TrainingExplorer):
    """An explorer that shows itself when its loop begins."""

    def own_began(self, loop: OwnLoop) -> None:
        """Show the explorer below the cell, once."""
        super().own_began(loop)
        if get_ipython() is not None:
            from IPython.display import display  # noqa: PLC0415 - only inside of a notebook

            display(self)  # type: ignore[no-untyped-call]  # IPython's gap
