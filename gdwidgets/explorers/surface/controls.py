"""The settings of a surface explorer as controls, and the buttons that compare runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipywidgets import Dropdown, FloatText, IntText, Layout, Text, VBox

from gdwidgets.core import RULES, SURFACES, Surface
from gdwidgets.ui.form import LearningRate, button, captioned, parse_number, row, toggle

if TYPE_CHECKING:
    from gdwidgets.explorers.surface.explorer import SurfaceExplorer

OWN = "your own function"


class SurfaceControls(VBox):
    """Two rows of controls.

    Parameters
    ----------
    explorer
        Whose settings they change; they only ever assign its traits and call its methods.
    """

    def __init__(self, explorer: SurfaceExplorer) -> None:
        self.surface = Dropdown(options=[(known.name, name) for name, known in SURFACES.items()])
        self._own: Surface | None = None
        self.rule = Dropdown(options=[(rule.label, name) for name, rule in RULES.items()])
        self.rate = LearningRate(explorer.handler(lambda value: self._set_rate(explorer, value)))
        self.u = FloatText(step=0.1, continuous_update=False)
        self.v = FloatText(step=0.1, continuous_update=False)
        self.max_steps = IntText(step=100, continuous_update=False)
        self.loss_tol = Text(placeholder="never", continuous_update=False)
        self.loss_log = Dropdown(options=[("logarithmic", True), ("linear", False)])
        self.race = toggle("Race", "Run every update rule from this start")
        self.basins = toggle("Basins", "Colour every start by the minimum it reaches")
        self.add = button("Add a start", "Keep this start, then click for another")
        self.clear = button("Clear starts", "Forget the starts that were kept")
        self.pin = button("Pin", "Keep this run as a dashed ghost with a row in the run table")
        self.unpin = button("Unpin all", "Forget the pinned runs")
        self._bind(explorer)
        super().__init__(
            [
                row(
                    captioned(self.surface, "surface", "136px", "The function to be minimized"),
                    captioned(self.rule, "update rule", "160px", "How a gradient makes an update"),
                    self.rate,
                    captioned(self.u, "start u", "76px", "First coordinate of the start"),
                    captioned(self.v, "start v", "76px", "Second coordinate of the start"),
                    captioned(self.max_steps, "max_steps", "84px", "Updates until the run ends"),
                    align="flex-start",
                ),
                row(
                    captioned(
                        self.loss_tol,
                        "loss_tol",
                        "84px",
                        "Stop when the loss changes by less than this in a step; empty for never",
                    ),
                    captioned(self.loss_log, "loss axis", "112px", "Scale of the loss axis"),
                    self.add,
                    self.clear,
                    self.race,
                    self.basins,
                    self.pin,
                    self.unpin,
                ),
            ],
            layout=Layout(width="100%"),
        )

    def _bind(self, explorer: SurfaceExplorer) -> None:
        explorer.bind(self.rule, "rule")
        explorer.bind(self.max_steps, "max_steps")
        explorer.bind(self.race, "race")
        explorer.bind(self.basins, "basins")
        explorer.bind(self.loss_log, "loss_log")
        choose = explorer.handler(lambda name: self._set_surface(explorer, name))
        self.surface.observe(lambda change: choose(change["new"]), names="value")
        tolerate = explorer.handler(lambda value: self._set_tolerance(explorer, value))
        self.loss_tol.observe(lambda change: tolerate(change["new"]), names="value")
        place = explorer.handler(lambda: self._set_start(explorer))
        for field in (self.u, self.v):
            field.observe(lambda _: place(), names="value")
        for pressed, method in (
            (self.add, explorer.add_start),
            (self.clear, explorer.clear_starts),
            (self.pin, explorer.pin),
            (self.unpin, explorer.unpin_all),
        ):
            explorer.bind_button(pressed, method)

    def _set_rate(self, explorer: SurfaceExplorer, value: float | str) -> None:
        try:
            if isinstance(value, str):
                value = parse_number(value, "learning_rate", "0.01")
            explorer.learning_rate = value
        finally:
            self.show(explorer)

    def _set_surface(self, explorer: SurfaceExplorer, name: str) -> None:
        chosen = self._own if name == OWN else SURFACES[name]
        if not self._showing and chosen is not explorer.surface:
            explorer.assign("surface", chosen)

    def _set_tolerance(self, explorer: SurfaceExplorer, value: str) -> None:
        try:
            explorer.loss_tol = parse_number(value, "loss_tol", "0.0001") if value.strip() else None
        finally:
            self.show(explorer)

    def _set_start(self, explorer: SurfaceExplorer) -> None:
        chosen = (self.u.value, self.v.value)
        if not self._showing and chosen != self._shown_start:
            explorer.assign("start", chosen)

    _showing = False
    _shown_start: tuple[float, float] | None = None

    def show(self, explorer: SurfaceExplorer) -> None:
        """Write the explorer's settings into the controls, all before any of them is read."""
        self._showing = True
        try:
            self._show_surface(explorer.surface)
            self.u.value, self.v.value = (float(f"{x:.6g}") for x in explorer.start)
        finally:
            self._showing = False
        self._shown_start = (self.u.value, self.v.value)
        self.rule.value = explorer.rule
        self.rule.disabled = explorer.race
        self.rate.show(explorer.learning_rate)
        self.max_steps.value = explorer.max_steps
        tolerance = explorer.loss_tol
        self.loss_tol.value = "" if tolerance is None else f"{tolerance:g}"
        self.loss_log.value = explorer.loss_log
        self.race.value = explorer.race
        self.basins.value = explorer.basins
        self.clear.disabled = not explorer.kept_starts
        self.unpin.disabled = not explorer.pins

    def _show_surface(self, surface: Surface) -> None:
        name = next((name for name, known in SURFACES.items() if known is surface), OWN)
        if name == OWN and self._own is not surface:
            self._own = surface
            known = [(known.name, name) for name, known in SURFACES.items()]
            self.surface.options = [*known, (surface.name or OWN, OWN)]
        self.surface.value = name
