"""What all figures share: a size in numbers, margins, a ground, texts of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import bqplot as bq
import numpy as np
from ipywidgets import Layout, Widget
from numpy.typing import NDArray

from gdwidgets.ui.plots import labels
from gdwidgets.ui.plots.figures import clear_picture, replaced_images, write

TICK_GAP = 10.0
"""Between the text of a tick and the plot area, in pixels."""

NARROW = 160.0
"""Width of a narrow plot area: that of a figure of 300 pixels."""

MARGIN_STRIDE = 8.0
"""Margins grow in strides of so many pixels: the plot seldom changes its width."""

NOTHING = np.zeros(1, np.float32)


class Frame:
    """A figure with a plot area, whose every length follows ``size``.

    Parameters
    ----------
    height
        Of the figure at size 1, in pixels.
    size
        1, or 1.4 for a projector.
    reach
        What the scales run to from 0; they never change.
    """

    MARGIN: ClassVar[dict[str, float]] = {"top": 12.0, "right": 12.0, "bottom": 44.0, "left": 52.0}
    """Pixels around the plot area at size 1."""

    def __init__(self, height: float, size: float, reach: float) -> None:
        self.height = float(height)
        self.size = float(size)
        self.x, self.y = (bq.LinearScale(min=0.0, max=reach, allow_padding=False) for _ in range(2))
        self.scales = {"x": self.x, "y": self.y}
        self.margin = dict(self.MARGIN)
        self._beside = 0.0
        self._beyond = (0.0, 0.0)
        self.axis_x = bq.Axis(scale=self.x, grid_lines="none", num_ticks=None)
        self.axis_y = bq.Axis(scale=self.y, grid_lines="none", orientation="vertical")
        self.figure: bq.Figure

    def build(self, marks: Sequence[bq.Mark], kind: str, **traits: Any) -> None:
        """Make the figure of its marks, the lowest first."""
        self.figure = bq.Figure(
            marks=list(marks),
            axes=[self.axis_x, self.axis_y],
            animation_duration=0,
            display_toolbar=False,
            padding_x=0.0,
            padding_y=0.0,
            layout=Layout(width="100%", min_width="0"),
            **traits,
        )
        self.figure.add_class("gdw-plot")
        self.figure.add_class(kind)

    @property
    def plot_height(self) -> float:
        """Of the plot area, in pixels."""
        return self.size * (self.height - self.margin["top"] - self.margin["bottom"])

    def pixels(self, number: float) -> float:
        """A length of so many pixels at size 1 as a part of the plot area's height."""
        return number * self.size / self.plot_height

    def place_margins(self) -> None:
        """Give the figure its height and margins."""
        margin = {side: round(self.size * width) for side, width in self.margin.items()}
        if self.figure.fig_margin != margin:
            self.figure.fig_margin = margin
        height = f"{round(self.size * self.height)}px"
        if self.figure.layout.height != height:
            self.figure.layout.height = height
        offset = f"{round(34 * self.size)}px"
        if self.axis_x.label_offset != offset:
            self.axis_x.label_offset = offset

    def lines(self, **traits: Any) -> bq.Lines:
        """A mark of lines on the figure's scales, invisible until it has data."""
        return bq.Lines(
            x=np.zeros((1, 2), np.float32),
            y=np.zeros((1, 2), np.float32),
            scales=self.scales,
            **{"visible": False, **traits},
        )

    def texts(self, **traits: Any) -> bq.Label:
        """A mark of texts on the figure's scales, which may stand in the margins."""
        return bq.Label(
            x=NOTHING,
            y=NOTHING,
            text=np.array([""]),
            scales=self.scales,
            apply_clip=False,
            default_size=13 * self.size,
            **traits,
        )

    def click_layer(self) -> bq.Image:
        """A transparent picture over the plot area: it tells where it is clicked."""
        ends = np.array([0.0, self.x.max])
        return bq.Image(image=clear_picture(), x=ends, y=ends, scales=self.scales)

    def least_margin(self, side: str) -> float:
        """How wide a margin, ``left`` or ``right``, is at least: the texts of ticks fit in it."""
        left, right = self._beyond
        needed = max(left, self._beside) if side == "left" else right
        more = max(0.0, needed - self.MARGIN[side])
        return self.MARGIN[side] + MARGIN_STRIDE * math.ceil(more / MARGIN_STRIDE)

    def put_ticks(self, axis: bq.Axis, places: Sequence[float], texts: Sequence[str]) -> None:
        """Write texts at places of an axis, both of one length and not empty."""
        widths = [labels.tick_width(text) for text in texts]
        if axis is self.axis_y:
            self._beside = TICK_GAP + max(widths)
        else:
            halves, at = np.array(widths) / 2 + 1, np.asarray(places) / self.x.max * NARROW
            self._beyond = float((halves - at).max()), float((halves + at - NARROW).max())
        # What JavaScript calls a number is the key of its text.
        keys = [f"{round(place, 4):.10g}" for place in places]
        made = dict(zip(keys, texts, strict=True))
        # Labels go first and alone, with those of the ticks that are still there: the browser
        # draws ticks later than it is told of them, with the labels that it knew when told.
        there = [] if axis.tick_values is None else axis.tick_values.tolist()
        present = {f"{place:.10g}" for place in there}
        kept = {key: text for key, text in (axis.tick_labels or {}).items() if key in present}
        axis.tick_labels = {**kept, **made}
        axis.tick_values = np.array([float(key) for key in keys])

    def put_texts(
        self,
        mark: bq.Label,
        x: Sequence[float] | NDArray[Any],
        y: Sequence[float] | NDArray[Any],
        texts: Sequence[str],
        **traits: Any,
    ) -> None:
        """Put texts at places; none at all hides the mark."""
        if not len(texts):
            mark.visible = False
            return
        write(
            mark,
            x=np.asarray(x, np.float32),
            y=np.asarray(y, np.float32),
            text=np.array(texts),
            visible=True,
            **traits,
        )

    def summary(self, k: int) -> str:
        """What the figure shows with the cursor at ``k``, for those who do not see it."""
        raise AssertionError("every figure says what it shows")

    def close(self) -> None:
        """Close the figure with all its marks, scales, axes and layouts."""
        figure = self.figure
        parts: list[Widget] = [self.axis_x, self.axis_y, self.x, self.y]
        parts += [figure.scale_x, figure.scale_y]
        for mark in figure.marks:
            if isinstance(mark, bq.Image):
                for image in (mark.image, *replaced_images(mark)):
                    parts += [image.layout, image]
            parts.append(mark)
        for part in [*parts, figure.layout, figure]:
            part.close()
