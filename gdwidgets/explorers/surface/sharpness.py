"""The sharpness along a path, against the 2/γ above which plain descent is not stable."""

from __future__ import annotations

from typing import Any

import numpy as np

from gdwidgets.core import Descent
from gdwidgets.explorers.surface.why import path_sharpness
from gdwidgets.ui.plots.curves import Curves

HEIGHT = 200
"""Height of the figure, in pixels."""


class SharpnessPlot(Curves):
    """The largest curvature at each record of a lane, on a logarithmic axis."""

    def __init__(self, size: float) -> None:
        super().__init__(HEIGHT, title="sharpness λ along the path", log=True)
        self.set_size(size)
        self._lane_shown: tuple[Any, ...] | None = None

    def draw_lane(self, descent: Descent, lane: int, k: int, *, name: str, end: int) -> None:
        """Draw a lane up to step ``k``; the curvatures are computed once for what is recorded.

        Parameters
        ----------
        descent, lane, k
            The recording, the lane, and a step it has reached.
        name
            What the lane is called.
        end
            The step at which the axis ends.
        """
        shown = (descent, lane, min(int(descent.last_step[lane]), descent.recorded), end)
        if shown != self._lane_shown:
            values = path_sharpness(descent, lane).astype(np.float32)
            rate = float(descent.rate_at(k)[lane])
            self.show_run(values[:, None], [name], end=end, runs=[lane], levels=[(2 / rate, "2/γ")])
            self._lane_shown = shown
        self.draw(k, full=True)
