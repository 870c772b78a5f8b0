"""The size of the gradient in every layer of a chain, as bars on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import bqplot as bq
import numpy as np
from ipywidgets import HTML, Layout, VBox

from gdwidgets.core.autograd.nodes import AutogradGraph
from gdwidgets.explorers.autograd.text import size
from gdwidgets.ui import text
from gdwidgets.ui.plots import figures, palette

HEIGHT = 176
"""Height of the figure, in pixels."""

COLOURS = {"sigmoid": palette.BLUE, "tanh": palette.GREEN, "relu": palette.ORANGE}


def layer_gradients(graph: AutogradGraph) -> list[float]:
    """|∂output/∂layer| of the input and of every layer of a chain; 0 where nothing arrived."""
    return [size(graph.grad_output(name)) for name in graph.nodes]


class LayerBars:
    """Bars for one activation, and thin lines for the same chain of the others."""

    def __init__(self) -> None:
        self.x, self.y = figures.scale(-0.7, 1), figures.scale(1e-3, 10, log=True)
        scales = {"x": self.x, "y": self.y}
        self.bars = bq.Bars(
            x=[0.0, 1.0], y=[1.0, 1.0], scales=scales, colors=[palette.BLUE], padding=0.2, base=1e-3
        )
        self.others = bq.Lines(
            x=[0.0, 1.0], y=np.ones((2, 2)), scales=scales, stroke_width=2, line_style="dashed"
        )
        self._layer_axis = figures.axis(self.x, "layer (0 is the input)", tick_format="d")
        self._size_axis = figures.axis(
            self.y, "|gradient|", vertical=True, tick_format=".0e", label_offset="48px"
        )
        self.figure = figures.figure(
            [self.bars, self.others],
            [self._layer_axis, self._size_axis],
            height=HEIGHT,
            fig_margin={"top": 8, "bottom": 38, "left": 66, "right": 8},
        )
        self.figure.layout.margin = "0"
        self.key = HTML()
        self.view = VBox([self.figure, self.key], layout=Layout(width="100%"))

    def show_chain(
        self, activation: str, graph: AutogradGraph, others: Mapping[str, Sequence[float]]
    ) -> None:
        """Prepare for a chain.

        Parameters
        ----------
        activation
            Of the chain that is walked.
        graph
            Its recording.
        others
            The gradients of the same chain with other activations.
        """
        self._own = np.array(layer_gradients(graph))
        positive = [v for row in (self._own, *others.values()) for v in row if v > 0] or [1.0]
        low, high = figures.decades(min(positive), max(positive), stride=2)
        figures.write(self.y, min=low, max=high)
        self.x.max = len(self._own) - 0.3
        stride = max(1, len(self._own) // 6)
        self._layer_axis.tick_values = np.arange(0, len(self._own), stride)
        top, decades = math.log10(high), math.log10(high / low)
        powers = np.arange(top, math.log10(low) - 0.5, -max(1, round(decades / 4)))
        self._size_axis.tick_values = 10.0**powers
        layers = np.arange(len(self._own), dtype=np.float32)
        shown = np.array([figures.clean(row, low, high, floor=True) for row in others.values()])
        figures.write(self.others, x=layers, y=shown, colors=[COLOURS[name] for name in others])
        self.bars.colors = [COLOURS[activation]]
        figures.write(self.bars, base=low, x=layers, y=np.full(len(layers), low, np.float32))
        self.key.value = text.html_key(
            [(COLOURS[activation], f"{activation} (bars)")]
            + [(COLOURS[name], name) for name in others]
        )

    def draw(self, graph: AutogradGraph, k: int) -> None:
        """Raise the bars of the layers that a gradient has reached with the cursor at ``k``."""
        reached = {step.node for step in graph.steps[:k] if step.call == 1}
        low, high = self.y.min, self.y.max
        values = [v if n in reached else low for n, v in zip(graph.nodes, self._own, strict=True)]
        figures.write(self.bars, y=figures.clean(values, low, high, floor=True))
