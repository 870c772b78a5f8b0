"""The settings of a learning-rate explorer as controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipywidgets import Dropdown, IntText, Layout, Text, VBox

from gdwidgets.core import RULES
from gdwidgets.core.objectives.regression import HIGHEST_DEGREE
from gdwidgets.explorers.learning_rate.lanes import LanePanel
from gdwidgets.ui.form import button, captioned, parse_number, row

if TYPE_CHECKING:
    from gdwidgets.explorers.learning_rate.explorer import LearningRateExplorer

CHANGES = {"restart": "restart", "continue": "continue"}
"""What a changed learning rate does, as a setting and as people read it."""


class LearningRateControls(VBox):
    """The lanes and a row of controls.

    Parameters
    ----------
    explorer
        Whose settings they change; they only ever assign its traits and call its methods.
    """

    def __init__(self, explorer: LearningRateExplorer) -> None:
        self.panel = LanePanel(
            explorer.handler(lambda lane, value: self._set_rate(explorer, lane, value)),
            explorer.handler(explorer.remove_rate),
            explorer.handler(explorer.add_rate),
        )
        self.rule = Dropdown(options=[(rule.label, name) for name, rule in RULES.items()])
        self.degree = Dropdown(options=list(range(HIGHEST_DEGREE + 1)))
        self.max_steps = IntText(step=1000, continuous_update=False)
        self.batch_size = Text(placeholder="all", continuous_update=False)
        self.log_steps = Dropdown(options=[("linear", False), ("logarithmic", True)])
        self.on_change = Dropdown(options=[(label, name) for name, label in CHANGES.items()])
        self.lane = Dropdown(options=[("–", 0)])
        self.pin = button("Pin", "Keep this run as dotted ghosts, with rows in the run table")
        self.unpin = button("Unpin all", "Forget the pinned runs")
        self._bind(explorer)
        super().__init__(
            [
                self.panel,
                row(
                    captioned(self.rule, "update rule", "140px", "How a gradient makes an update"),
                    captioned(self.degree, "degree", "58px", "Degree of the polynomial"),
                    captioned(self.max_steps, "iterations", "78px", "Updates until the run ends"),
                    captioned(
                        self.batch_size,
                        "batch size",
                        "66px",
                        "Pairs in a mini-batch, another in every step; empty for all of them",
                    ),
                    captioned(self.log_steps, "step axis", "100px", "Scale of the step axis"),
                    captioned(
                        self.on_change,
                        "a changed rate",
                        "112px",
                        "Restart the run, or continue from the present step: a schedule",
                    ),
                    captioned(
                        self.lane,
                        "tables show",
                        "76px",
                        "The learning rate whose steps and gradients the tables list",
                    ),
                    self.pin,
                    self.unpin,
                ),
            ],
            layout=Layout(width="100%"),
        )

    def _bind(self, explorer: LearningRateExplorer) -> None:
        for name in ("rule", "degree", "max_steps", "log_steps", "on_change"):
            explorer.bind(getattr(self, name), name)
        choose = explorer.handler(lambda lane: self._set_lane(explorer, lane))
        self.lane.observe(lambda change: choose(change["new"]), names="value")
        deal = explorer.handler(lambda value: self._set_batch(explorer, value))
        self.batch_size.observe(lambda change: deal(change["new"]), names="value")
        for pressed, method in ((self.pin, explorer.pin), (self.unpin, explorer.unpin_all)):
            explorer.bind_button(pressed, method)

    def _set_rate(self, explorer: LearningRateExplorer, lane: int, value: str) -> None:
        try:
            explorer.change_rate(lane, parse_number(value, "learning rate", "0.01"))
        finally:
            self.show(explorer)

    def _set_batch(self, explorer: LearningRateExplorer, value: str) -> None:
        if value == self._batch(explorer):
            return
        try:
            typed = value.strip()
            size = None if typed in {"", "all"} else parse_number(typed, "batch_size", "10")
            explorer.batch_size = size
        finally:
            self.show(explorer)

    @staticmethod
    def _batch(explorer: LearningRateExplorer) -> str:
        return "" if explorer.batch_size is None else str(explorer.batch_size)

    _showing = False

    def _set_lane(self, explorer: LearningRateExplorer, lane: int | None) -> None:
        if not self._showing and lane is not None:
            explorer.assign("lane", lane)

    def show(self, explorer: LearningRateExplorer) -> None:
        """Write the explorer's settings into the controls."""
        self.panel.show_rates(explorer.learning_rates)
        for name in ("rule", "degree", "max_steps", "log_steps", "on_change"):
            getattr(self, name).value = getattr(explorer, name)
        self.batch_size.value = self._batch(explorer)
        self._showing = True
        try:
            options = [(f"{rate:g}", lane) for lane, rate in enumerate(explorer.learning_rates)]
            if tuple(self.lane.options) != tuple(options):
                self.lane.options = options
            self.lane.value = explorer.lane
        finally:
            self._showing = False
        self.unpin.disabled = not explorer.pins
