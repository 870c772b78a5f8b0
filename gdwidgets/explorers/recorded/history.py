"""Losses that a loop has kept, played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ipywidgets import HTML, HBox, Layout, Widget
from numpy.typing import NDArray

from gdwidgets.core import checks
from gdwidgets.explorers.recorded import text as words
from gdwidgets.explorers.recorded.explorer import Recorded
from gdwidgets.explorers.recorded.given import as_losses
from gdwidgets.ui import text
from gdwidgets.ui.form import logarithmic_axis
from gdwidgets.ui.pictures.panels import CurvesPanel, Panel
from gdwidgets.ui.plots import palette
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.plots.named import as_color, run_of
from gdwidgets.ui.plots.style import on_dark
from gdwidgets.ui.settings import Setting

HEIGHT = 264
"""Height of the figure, in pixels."""


class HistoryExplorer(Recorded):
    """A list of losses against its iterations: exactly these numbers, to be played and read.

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

    TITLE = "Loss"
    GIVEN = "losses"
    COUNTED = "iteration"
    WIDTHS = (1.0,)
    DIALS = ("loss_log",)

    losses = Setting(np.zeros(1), as_losses, help="The losses, in the order of the iterations")
    """The losses that are shown, float64 (n,), n at least 1; inf and NaN are shown as diverged."""

    title = Setting("", checks.text, help="What stands in the head", view=True)
    """What stands in the head; empty for *Loss*."""

    color = Setting("#0000FF", as_color, help="Color of the curve", view=True)
    """Color of the curve, as matplotlib knows it; kept as ``#RRGGBB``. Default blue."""

    loss_log = logarithmic_axis("loss axis", "Scale of the loss axis").starting_at(default=False)
    """Whether the loss is drawn on a logarithmic axis."""

    @property
    def heading(self) -> str:
        """What stands in the head."""
        return self.title or self.TITLE

    def columns(self) -> Mapping[str, NDArray[np.float64]]:
        """The losses."""
        return {"loss": self.recording}

    # -- the face ----------------------------------------------------------------------------

    def build_picture(self) -> Widget:
        """Make the plot."""
        self.loss_plot = Curves(
            HEIGHT, steps=self.COUNTED, log=False, on_click=self.handler(self.read_out), whole=True
        )
        self.summary = HTML()
        box = HBox([self.loss_plot.figure, self.summary], layout=Layout(flex="1 1 320px"))
        box.add_class("gdw-figure")
        self._shown_color = ""
        return HBox([box])

    def style_sheet(self) -> str:
        """The curve's own color on a dark ground."""
        return "\n".join(on_dark(self.run_shown))

    @property
    def run_shown(self) -> palette.Run:
        """How the curve is shown."""
        return run_of(self.color)

    def resize(self, scale: float) -> None:
        """Make the figure ``scale`` times as large as it normally is."""
        self.loss_plot.set_size(scale)

    # -- drawing -----------------------------------------------------------------------------

    def show_recording(self) -> None:
        """Prepare the figure for other losses, or another color."""
        self._shown_color = self.color
        self.loss_plot.show_run(
            self.recording[:, None], [""], end=self.max_steps, runs=[self.run_shown]
        )

    def show_view(self) -> None:
        """Apply what changes only how the losses are shown."""
        super().show_view()
        if self._shown_color != self.color:
            self.write_style()
            self.show_recording()

    def draw(self, k: int, *, full: bool) -> None:
        """Write the marks with the cursor at ``k``."""
        self.loss_plot.draw(k, full=full)
        if full:
            self.summary.value = text.html_summary(self.loss_plot.summary(k))

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        return words.of_loss(self.recording, k)

    def panels(self, *, fine: bool) -> Sequence[Panel]:
        """The losses, as data."""
        return (
            CurvesPanel(
                values=self.recording[:, None],
                last=np.array([self.end]),
                names=["loss"],
                runs=[self.run_shown],
                future=self.future,
                title=self.heading,
                steps=self.COUNTED,
                log=self.loss_log,
            ),
        )
