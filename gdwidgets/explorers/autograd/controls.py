"""The settings of an autograd explorer as controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipywidgets import Dropdown, HBox, IntText, Layout, ToggleButton, VBox

from gdwidgets.core.autograd.presets import CHAINS, PRESET_NAMES
from gdwidgets.explorers.autograd.given import OWN
from gdwidgets.ui.form import captioned, row, toggle
from gdwidgets.ui.playback.transport import Transport

if TYPE_CHECKING:
    from gdwidgets.explorers.autograd.explorer import AutogradExplorer

FOLLOW = "(the present step)"
MOST_LEAVES = 8
"""Tensors that get a switch of their own; of more, the rest is set by ``requires_grad``."""


def name_buttons(transport: Transport) -> None:
    """Let the transport's buttons speak of steps of a walk, where they spoke of updates."""
    transport.reset.tooltip = "Back to the beginning"
    transport.back.tooltip = "One step back"
    transport.forward.tooltip = "One step forward"
    transport.finish.tooltip = "Walk to the end"
    transport.speed.tooltip = "Steps per second while playing"


class AutogradControls(VBox):
    """Two rows of controls.

    Parameters
    ----------
    explorer
        Whose settings they change; they only ever assign its traits and call its methods.
    """

    def __init__(self, explorer: AutogradExplorer) -> None:
        names = [*PRESET_NAMES] if explorer.function is None else [OWN, *PRESET_NAMES]
        self._explorer = explorer
        self.preset = Dropdown(options=names)
        self.layers = IntText(continuous_update=False)
        self.node = Dropdown(options=[FOLLOW])
        self.leaves = HBox([], layout=Layout(flex_flow="row wrap"))
        self.detach = toggle("detach", "Detach the result of the node chosen here")
        self.no_grad = toggle("no_grad", "Run the expression inside torch.no_grad()")
        self.retain = toggle("retain_graph", "Call backward(retain_graph=True)")
        self.twice = toggle("backward twice", "Call backward() a second time")
        self._showing = False
        self._bind(explorer)
        self._layers = captioned(self.layers, "layers", "72px", "Length of the chain, 1 to 30")
        requires = captioned(self.leaves, "requires_grad of", "auto")
        super().__init__(
            [
                row(
                    captioned(self.preset, "expression", "160px", "What is computed"),
                    self._layers,
                    requires,
                    self.no_grad,
                    self.retain,
                    self.twice,
                    captioned(
                        self.node, "node", "168px", "The node whose details are shown; or click one"
                    ),
                    self.detach,
                )
            ],
            layout=Layout(width="100%"),
        )

    def _bind(self, explorer: AutogradExplorer) -> None:
        explorer.bind(self.preset, "preset")
        explorer.bind(self.layers, "layers")
        explorer.bind(self.no_grad, "no_grad")
        explorer.bind(self.retain, "retain_graph")
        twice = explorer.handler(lambda on: explorer.assign("backward_calls", 2 if on else 1))
        self.twice.observe(lambda change: twice(change["new"]), names="value")
        choose = explorer.handler(self._choose)
        self.node.observe(lambda change: choose(change["new"]), names="value")
        detach = explorer.handler(self._detach)
        self.detach.observe(lambda change: detach(change["new"]), names="value")

    def _choose(self, name: str) -> None:
        if not self._showing:
            self._explorer.selected = "" if name == FOLLOW else name

    def _detach(self, on: bool) -> None:
        if not self._showing:
            try:
                self._explorer.detach(self._explorer.selected, on=on)
            finally:
                self._explorer.show_settings()

    def _require(self, name: str, on: bool) -> None:
        if not self._showing:
            try:
                self._explorer.require_grad(name, on=on)
            finally:
                self._explorer.show_settings()

    def show(self, explorer: AutogradExplorer) -> None:
        """Write the explorer's settings into the controls."""
        self._showing = True
        try:
            self._show(explorer)
        finally:
            self._showing = False

    def _show(self, explorer: AutogradExplorer) -> None:
        graph = explorer.descent
        if explorer.preset not in self.preset.options:
            self.preset.options = [explorer.preset, *self.preset.options]
        self.preset.value = explorer.preset
        self.layers.value = explorer.layers
        self._layers.layout.display = None if explorer.preset in CHAINS else "none"
        self.no_grad.value = explorer.no_grad
        self.retain.value = explorer.retain_graph
        self.twice.value = explorer.backward_calls == 2
        options = [FOLLOW, *explorer.picture_graph.nodes]
        if list(self.node.options) != options:
            self.node.options = options
        self.node.value = explorer.selected or FOLLOW
        node = explorer.picture_graph.nodes.get(explorer.selected)
        self.detach.disabled = node is None or node.kind != "operation"
        self.detach.value = explorer.selected in graph.detached
        self._show_leaves(explorer)

    def _show_leaves(self, explorer: AutogradExplorer) -> None:
        graph = explorer.descent
        names = [name for name in graph.leaves if graph.values[name].is_floating_point()]
        names = names[:MOST_LEAVES]
        if [toggle.description for toggle in self.leaves.children] != names:
            old = self.leaves.children
            self.leaves.children = [self._leaf(explorer, name) for name in names]
            for toggle in old:
                toggle.layout.close()
                toggle.style.close()
                toggle.close()
            explorer.adopt_widgets()
        for leaf in self.leaves.children:
            leaf.value = leaf.description in graph.requires_grad

    def _leaf(self, explorer: AutogradExplorer, name: str) -> ToggleButton:
        leaf = toggle(name, f"Whether {name} requires gradients")
        leaf.layout.min_width = "36px"
        require = explorer.handler(lambda on: self._require(name, on))
        leaf.observe(lambda change: require(change["new"]), names="value")
        return leaf
