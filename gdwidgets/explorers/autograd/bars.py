"""The size of the gradient in every layer of a chain, as bars on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import bqplot as bq
import numpy as np
from ipywidgets import HTML, Layout, VBox
from numpy.typing import ArrayLike, NDArray

from gdwidgets.ui.plots.figures import write
from gdwidgets.ui.text import power_of_ten

HEIGHT = 216
"""Height of the figure, in pixels."""

COLOURS = {"sigmoid": "#0F6CBD", "tanh": "#007A5C", "relu": "#8A3FD1"}
OTHER = "#B34700"
INK = "#1B1F25"

STYLE = """
.gdwidgets .gdw-bars .axis text { fill: var(--jp-content-font-color1, #1b1f24) !important;
  font-size: calc(13px * var(--gdw-size)); }
.gdwidgets .gdw-bars .axis path.domain, .gdwidgets .gdw-bars .axis .tick line { opacity: 0.2; }
.gdwidgets .gdw-bars .plotarea_background { fill: transparent; }
DARK .gdwidgets .gdw-bars path.line[style*="rgb(27, 31, 37)"] { stroke: #e6e8eb !important; }
.gdw-bars-key { display: flex; flex-wrap: wrap; gap: 0 16px; color: var(--gdw-ink);
  font-size: calc(13px * var(--gdw-size)); line-height: calc(20px * var(--gdw-size)); }
.gdw-bars-key i { display: inline-block; width: 20px; height: 0; margin-right: 6px;
  border-top: 4px solid; vertical-align: 4px; }
""".replace("DARK", '[data-jp-theme-light="false"]')


class LayerBars:
    """Bars for one chain, a line for its prediction, and dashed lines for other activations."""

    def __init__(self) -> None:
        self.x = bq.LinearScale(min=-0.7, max=1.0, allow_padding=False)
        self.y = bq.LogScale(min=1e-3, max=10.0)
        scales = {"x": self.x, "y": self.y}
        self.bars = bq.Bars(
            x=[0.0, 1.0], y=[1.0, 1.0], scales=scales, colors=[OTHER], padding=0.3, base=1e-3
        )
        self.others = bq.Lines(
            x=[0.0, 1.0], y=np.ones((2, 2)), scales=scales, stroke_width=2, line_style="dashed"
        )
        self.predicted = bq.Lines(
            x=[0.0, 1.0], y=np.ones(2), scales=scales, stroke_width=2, colors=[INK]
        )
        self._layers = bq.Axis(
            scale=self.x, label="layer (0 is the input)", grid_lines="none", tick_format="d"
        )
        self._powers = bq.Axis(
            scale=self.y,
            label="|gradient|",
            orientation="vertical",
            grid_lines="none",
            label_offset="52px",
        )
        self.figure = bq.Figure(
            marks=[self.bars, self.others, self.predicted],
            axes=[self._layers, self._powers],
            animation_duration=0,
            display_toolbar=False,
            padding_x=0.0,
            padding_y=0.0,
            background_style={"fill": "transparent"},
            fig_margin={"top": 8, "bottom": 44, "left": 72, "right": 12},
            layout=Layout(width="100%", height=f"{HEIGHT}px", min_width="0", margin="0"),
        )
        self.figure.add_class("gdw-bars")
        self.key = HTML()
        self.view = VBox([], layout=Layout(width="100%"))
        self._own: NDArray[np.float64] = np.zeros(0)

    def resize(self, scale: float) -> None:
        """Make the figure ``scale`` times as large."""
        self.figure.layout.height = f"{round(HEIGHT * scale)}px"

    def hide(self) -> None:
        """Show nothing: the expression is no chain."""
        # A figure that is hidden has no size, and a browser complains of its marks: it is in the
        # page only while it is shown.
        self.view.children = ()

    def show_chain(
        self,
        activation: str,
        sizes: Sequence[float],
        predicted: ArrayLike | None,
        others: Mapping[str, Sequence[float]],
    ) -> None:
        """Prepare for a chain.

        Parameters
        ----------
        activation
            Of the chain that is walked.
        sizes
            Sizes of its gradients with respect to the input and each layer, (L + 1,).
        predicted
            The same as a formula has it.
        others
            The sizes of the same chain with other activations.
        """
        self._own = np.asarray(sizes, np.float64)
        line = None if predicted is None else np.asarray(predicted, np.float64)
        every = [self._own, *map(np.asarray, others.values()), *([] if line is None else [line])]
        positive = [float(v) for row in every for v in row if v > 0 and math.isfinite(v)] or [1.0]
        low = 10.0 ** max(math.floor(math.log10(min(positive))), -40)
        high = 10.0 ** math.ceil(math.log10(max(positive) * 1.001))
        high = max(high, 10 * low)
        write(self.y, min=low, max=high)
        count = len(self._own)
        self.x.max = count - 0.3
        self._layers.tick_values = np.arange(0, count, max(1, count // 8))
        top, bottom = round(math.log10(high)), round(math.log10(low))
        powers = range(top, bottom - 1, -max(1, math.ceil((top - bottom) / 4)))
        self._powers.tick_labels = {_key(10.0**p): power_of_ten(p) for p in powers}
        self._powers.tick_values = np.array([10.0**p for p in powers])
        layers = np.arange(count, dtype=np.float32)
        shown = [_within(row, low, high) for row in others.values()]
        colours = [COLOURS.get(name, OTHER) for name in others]
        if shown:
            write(self.others, x=layers, y=np.array(shown), colors=colours, visible=True)
        else:
            self.others.visible = False
        if line is not None:
            write(self.predicted, x=layers, y=_within(line, low, high), visible=True)
        else:
            self.predicted.visible = False
        self.bars.colors = [COLOURS.get(activation, OTHER)]
        write(self.bars, base=low, x=layers, y=np.full(count, low, np.float32))
        self.key.value = _key_html(activation, others, predicted=line is not None)
        self.view.children = (self.figure, self.key)

    def draw(self, reached: Sequence[bool]) -> None:
        """Raise the bars of the layers that a gradient has reached, (L + 1,)."""
        low, high = self.y.min, self.y.max
        values = _within(np.where(reached, self._own, low), low, high)
        if not np.array_equal(values, self.bars.y):
            self.bars.y = values


def _within(values: ArrayLike, low: float, high: float) -> NDArray[Any]:
    given = np.nan_to_num(np.asarray(values, np.float64), nan=low, posinf=high)
    return np.clip(given, low, high).astype(np.float32)


def _key(value: float) -> str:
    """A number as JavaScript writes it, by which bqplot finds a tick's text."""
    exponent = round(math.log10(value))
    if -7 < exponent < 21:
        return f"{value:.{max(0, -exponent)}f}"
    return f"1e{exponent:+d}"


def _key_html(activation: str, others: Mapping[str, Any], *, predicted: bool) -> str:
    entries = [(COLOURS.get(activation, OTHER), f"{activation} (bars)", "solid")]
    entries += [("currentColor", "predicted", "solid")] if predicted else []
    entries += [(COLOURS.get(name, OTHER), name, "dashed") for name in others]
    shown = "".join(
        f"<span><i style='border-top:4px {style} {colour}'></i>{name}</span>"
        for colour, name, style in entries
    )
    return f"<div class=gdw-bars-key>{shown}</div>"
