"""A path over Himmelblau's function that a loop has kept, played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ipywidgets import HTML, HBox, Layout, Widget
from numpy.typing import NDArray

from gdwidgets.core import SURFACES
from gdwidgets.explorers.recorded import text as words
from gdwidgets.explorers.recorded.explorer import Recorded
from gdwidgets.explorers.recorded.given import as_trajectory
from gdwidgets.ui import text
from gdwidgets.ui.form import logarithmic_axis
from gdwidgets.ui.pictures.panels import CurvesPanel, MapPanel, Panel, grid
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.plots.named import as_colormap, table_of
from gdwidgets.ui.plots.plane import Plane
from gdwidgets.ui.plots.shade import Shade
from gdwidgets.ui.settings import Setting

HEIGHT = 328
"""Height of both figures, in pixels."""

BESIDE = 84
"""Width of the colour bar beside the map, in pixels."""

ON_PATH = 12.0
"""How near to the path a click reads it out, in pixels."""

SURFACE = SURFACES["himmelblau"]

VALUE = "f(u, v)"


class TrajectoryExplorer(Recorded):
    """A path over Himmelblau's function: exactly these points, and the function's values there.

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

    TITLE = "Himmelblau function and optimization path"
    GIVEN = "trajectory"
    DIALS = ("loss_log",)
    WIDTHS = (1.0, 1.35)

    trajectory = Setting(np.zeros((1, 2)), as_trajectory, help="The points (u, v), in order")
    """The points (u, v) that are shown, float64 (n, 2), n at least 1; one that diverged may hold
    inf and NaN."""

    cmap = Setting("gray", as_colormap, help="Colormap of the function", view=True)
    """Colormap of the function, as matplotlib knows it. Default ``"gray"``."""

    loss_log = logarithmic_axis("value axis", "Scale of the axis of the function's value")
    """Whether the function's value is drawn on a logarithmic axis."""

    def columns(self) -> Mapping[str, NDArray[np.float64]]:
        """The points and the function's values there."""
        u, v = self.recording.T
        return {"u": u, "v": v, VALUE: self.values}

    @property
    def values(self) -> NDArray[np.float64]:
        """The function's values at the points, float64 (n,)."""
        if self._values_of is not self.recording:
            self._values_of = self.recording
            with torch.inference_mode():
                u, v = torch.from_numpy(self.recording).unbind(-1)
                self._values: NDArray[np.float64] = SURFACE.function(u, v).numpy()
        return self._values

    _values_of: Any = None

    # -- the face ----------------------------------------------------------------------------

    def build_picture(self) -> Widget:
        """Make the map and the plot of the values."""
        self.map = Plane(HEIGHT, self.handler(self.click), bar=True)
        self.loss_plot = Curves(HEIGHT, title=VALUE, on_click=self.handler(self.read_out))
        self.summaries = [HTML(), HTML()]
        self._shown_cmap: Any = None
        assert self.map.bar is not None  # noqa: S101 - it was asked for
        self._left = HBox(
            [self.map.figure, self.map.bar, self.summaries[0]],
            layout=Layout(flex=f"0 1 {HEIGHT + BESIDE}px", min_width="280px"),
        )
        right = HBox(
            [self.loss_plot.figure, self.summaries[1]],
            layout=Layout(flex="1 1 320px", min_width="280px"),
        )
        for part in (self._left, right):
            part.add_class("gdw-figure")
        return HBox([self._left, right])

    def resize(self, scale: float) -> None:
        """Make the figures ``scale`` times as large as they normally are."""
        for plot in (self.map, self.loss_plot):
            plot.set_size(scale)
        self._left.layout.flex = f"0 1 {round((HEIGHT + BESIDE) * scale)}px"

    def click(self, point: tuple[float, float]) -> None:
        """Go to the step of the path at a point: what a click on the map does."""
        found = self.map.nearest(point, ON_PATH)
        if found is not None:
            self.seek(found[1])

    def close(self) -> None:
        """Stop the clock and close every widget this explorer made, images of before included."""
        was_open = self._ready
        super().close()
        if was_open:
            for plot in (self.map, self.loss_plot):
                plot.close()

    # -- drawing -----------------------------------------------------------------------------

    def show_recording(self) -> None:
        """Prepare the figures for another path."""
        self._show_surface()
        with np.errstate(over="ignore"):  # so far out a point is on no map
            path = self.recording.astype(np.float32)
        self.map.show_run(path[:, None], factor=1.0)
        self.loss_plot.show_run(self.values[:, None], [""], end=self.max_steps)

    def _show_surface(self) -> None:
        if self._shown_cmap is self.cmap:
            return
        self._shown_cmap = self.cmap
        self.map.show_surface(
            SURFACE.values,
            SURFACE.bounds,
            lowest=0.0,
            minima=SURFACE.minima,
            table=table_of(self.cmap),
        )

    def show_view(self) -> None:
        """Apply what changes only how the path is shown."""
        super().show_view()
        self._show_surface()
        if self.map.future != self.future:
            self.map.show_future(self.future)

    def draw(self, k: int, *, full: bool) -> None:
        """Write the marks with the cursor at ``k``."""
        self.map.draw(k, full=full)
        self.loss_plot.draw(k, full=full)
        if full:
            for said, plot in zip(self.summaries, (self.map, self.loss_plot), strict=True):
                said.value = text.html_summary(plot.summary(k))

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``."""
        return words.of_point(self.recording, self.values, SURFACE.minima, k)

    def panels(self, *, fine: bool) -> Sequence[Panel]:
        """The map and the values, as data."""
        u, v, z = grid(SURFACE.values, self.map.window, 201 if fine else 101)
        lanes: dict[str, Any] = {"last": np.array([self.end]), "runs": [0], "future": self.future}
        return (
            MapPanel(
                across=u,
                up=v,
                heights=z,
                shade=Shade(z, 0.0, table_of(self.cmap)),
                params=self.recording[:, None],
                minima=SURFACE.minima,
                axes=SURFACE.parameter_names,
                names=["path"],
                **lanes,
            ),
            CurvesPanel(
                values=self.values[:, None], log=self.loss_log, title=VALUE, names=["path"], **lanes
            ),
        )
