"""The explorer for print: both figures from the same recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import PolynomialRegression
from gdwidgets.core.objectives.least_squares import ClosedForm
from gdwidgets.explorers.learning_rate.text import Standing
from gdwidgets.ui import printed
from gdwidgets.ui.plots import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Page:
    """What is drawn."""

    regression: PolynomialRegression
    losses: NDArray[Any]
    """Over all samples, (n, L)."""
    closed: ClosedForm
    now: Standing
    names: Sequence[str]
    """Of the lanes."""
    runs: Sequence[int]
    """Which of ``palette.RUNS`` each lane is."""
    future: bool
    log_steps: bool
    title: str
    sentence: str

    def draw(self, figure: Figure) -> None:
        """Draw the fits, the losses and the sentence on an empty figure."""
        left, right = figure.subplots(1, 2)
        self._fits(left)
        printed.curves(
            right,
            self.losses,
            np.array(self.now.last),
            self.names,
            self.now.step,
            log=True,
            log_steps=self.log_steps,
            future=self.future,
            levels=[(self.closed.loss, "least squares")],
            title=self.title,
            steps="update",
            runs=self.runs,
        )
        printed.caption(figure, self.sentence)

    def _fits(self, axes: Axes) -> None:
        x, y = self.regression.x.numpy(), self.regression.y.numpy()
        grid = np.linspace(x.min(), x.max(), 200)
        axes.plot(x, y, ls="", marker="o", ms=3.5, color="#8A94A3", alpha=0.8)
        axes.plot(grid, self.closed.values(grid), color=palette.INK, lw=1.4, ls="--")
        low, high = axes.get_ylim()
        powers = np.vander(grid, self.now.params.shape[1], increasing=True).T
        for lane in self.now.lasting:
            with np.errstate(all="ignore"):
                values = np.nan_to_num(self.now.params[lane] @ powers)
            far = 10 * (high - low)
            values = np.clip(values, low - far, high + far)
            axes.plot(grid, values, color=palette.run(self.runs[lane]).colour, lw=2)
        axes.set_ylim(low, high)
        axes.set_xlabel("x")
        axes.set_title("y and the fits", loc="left", fontsize=10)
