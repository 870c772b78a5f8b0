"""Scales, axes and figures with one look, and data made safe before it goes to a mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from weakref import WeakKeyDictionary

import bqplot as bq
import numpy as np
from ipywidgets import Image, Layout, Widget
from numpy.typing import ArrayLike, NDArray

from gdwidgets.ui.plots import palette
from gdwidgets.ui.plots.ticks import linear_ticks

MARGIN = {"top": 12, "bottom": 40, "left": 52, "right": 12}
"""Pixels around the plotting area of every figure."""

STYLE = """
.gdwidgets { max-width: 1200px; width: 100%; container-type: inline-size; }
.gdwidgets .bqplot > svg { --bq-content-font-color: var(--jp-content-font-color1, #222);
  --bq-mainheading-fill: var(--jp-content-font-color1, #222);
  --bq-axislabel-fill: var(--jp-content-font-color1, #222);
  --bq-axis-tick-text-font: 12px var(--jp-content-font-family, sans-serif);
  --bq-axislabel-font: 13px var(--jp-content-font-family, sans-serif); }
.gdwidgets .bqplot .axis text { fill: var(--jp-content-font-color1, #222); font-size: 12px; }
.gdwidgets .bqplot .axis text.axislabel { font-size: 13px; }
.gdwidgets .bqplot .axis .tick:not(.short) line { opacity: 0.1;
  stroke: var(--jp-content-font-color1, #222); }
.gdwidgets .bqplot .axis[text-anchor="middle"] path.domain { clip-path: inset(0 0 5px 0); }
.gdwidgets .bqplot .axis[text-anchor="end"] path.domain { clip-path: inset(0 0 0 5px); }
.gdwidgets .bqplot .plotarea_background { fill: transparent; }
.gdwidgets .widget-button { min-width: 36px; }
.gdw-status { line-height: 20px; min-height: 40px; color: var(--jp-content-font-color1, #222);
  font-size: 14px; }
.gdw-status.gdw-error { color: var(--jp-error-color0, #b00020); font-weight: 600; }
.gdw-table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px;
  color: var(--jp-content-font-color1, #222); }
.gdw-table th, .gdw-table td { padding: 2px 12px 2px 0; text-align: right; white-space: pre;
  font-family: var(--jp-code-font-family, monospace); line-height: 18px; }
.gdw-table th { font-weight: 600; border-bottom: 1px solid var(--jp-border-color1, #bbb); }
.gdw-table tr.gdw-now td { background: var(--jp-layout-color3, #ddd); }
.gdw-table td.gdw-text, .gdw-table th.gdw-text { text-align: left; }
.gdw-code { font-family: var(--jp-code-font-family, monospace); font-size: 13px; line-height: 18px;
  white-space: pre; overflow-x: auto; color: var(--jp-content-font-color1, #222); margin: 0; }
.gdw-key { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; line-height: 20px;
  color: var(--jp-content-font-color1, #222); }
.gdw-key:has(b) { column-gap: 10px; }
.gdw-key b { font-weight: normal; }
.gdw-key span + b { margin-left: 8px; }
.gdw-key i { display: inline-block; width: 18px; height: 0; border-top: 4px solid;
  margin-right: 5px; vertical-align: middle; }
.gdw-key i.gdw-box { height: 12px; border: 1px solid #555; }
"""
"""The style sheet that every explorer brings along, in JupyterLab's own theme variables."""


def scale(low: float, high: float, *, log: bool = False) -> bq.Scale:
    """A scale with fixed limits: an automatic one would redraw every mark when data arrive.

    Padding is off: it would shift every mark against the ticks by the size of the largest point.
    """
    kind = bq.LogScale if log else bq.LinearScale
    return kind(min=float(low), max=float(high), allow_padding=False)


def ticks(
    of: bq.Scale, most: int = 6, ends: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    """Round tick values within a scale's limits, or within ``ends``; about ``most`` at most."""
    first, last = ends or (of.min, of.max)
    if isinstance(of, bq.LogScale):
        low, high = math.ceil(math.log10(first) - 1e-9), math.floor(math.log10(last) + 1e-9)
        powers = np.arange(low, high + 1, max(1, math.ceil((high - low) / most)))
        return np.asarray(10.0**powers, np.float64)
    values = np.asarray(linear_ticks(first, last, most), np.float64)
    slack = 1e-9 * (last - first)
    return values[(values >= first - slack) & (values <= last + slack)]


def show_steps(of: bq.Scale, axis: bq.Axis, most: int) -> None:
    """Make an axis run from step 0 to step ``most``, with a little room at both ends.

    Without it the cross that stands there would be cut in half.
    """
    write(of, min=-0.02 * most, max=1.025 * most)
    axis.tick_values = ticks(of, ends=(0, most))


def axis(of: bq.Scale, label: str, *, vertical: bool = False, **traits: Any) -> bq.Axis:
    """An axis with its label clear of the tick labels."""
    traits = {"tick_values": ticks(of), **traits}
    if vertical:
        traits = {"orientation": "vertical", "label_offset": "40px", **traits}
    else:
        traits = {"label_offset": "32px", **traits}
    return bq.Axis(scale=of, label=label, **traits)


def figure(
    marks: Sequence[bq.Mark], axes: Sequence[bq.Axis], *, height: int, **traits: Any
) -> bq.Figure:
    """A figure that takes the width it is given; nothing in it is animated."""
    if "layout" not in traits:
        traits["layout"] = Layout(width="100%", height=f"{height}px", min_width="0")
    traits.setdefault("fig_margin", dict(MARGIN))
    return bq.Figure(
        marks=list(marks),
        axes=list(axes),
        animation_duration=0,
        display_toolbar=False,
        padding_x=0.0,
        padding_y=0.0,
        background_style={"fill": "transparent"},
        **traits,
    )


def crosses(scales: dict[str, bq.Scale]) -> bq.Scatter:
    """A mark of present points, each a red cross; ``put_crosses`` moves them."""
    return bq.Scatter(
        x=np.full(1, scales["x"].min, np.float32),
        y=np.full(1, scales["y"].max, np.float32),
        scales={**scales, "rotation": bq.LinearScale(min=0, max=180)},
        rotation=np.full(1, 45.0, np.float32),
        marker="cross",
        colors=[palette.PRESENT],
        stroke="#FFFFFF",
        stroke_width=1.0,
        default_size=130,
    )


def put_crosses(mark: bq.Scatter, x: NDArray[Any], y: NDArray[Any]) -> None:
    """Put the crosses of a mark at points, arrays (m,) of values that lie within its scales."""
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    write(mark, x=x, y=y, rotation=np.full(len(x), 45.0, np.float32))


_replaced: WeakKeyDictionary[bq.Image, tuple[Image, ...]] = WeakKeyDictionary()


def replaced_images(mark: bq.Image) -> tuple[Image, ...]:
    """Pictures that a mark has shown and that are still open, for closing them."""
    return _replaced.pop(mark, ())


def show_image(mark: bq.Image, png: bytes) -> None:
    """Show another picture in an image mark, which does not notice when its own one changes."""
    before = mark.image
    mark.image = Image(value=png, format="png")
    # The page may not have made a view of it yet: it is closed with the next.
    for old in _replaced.pop(mark, ()):
        old.layout.close()
        old.close()
    _replaced[mark] = (before,)


def write(widget: Widget, **values: Any) -> None:
    """Set several traits of a widget in one message; an array always travels as a fresh one."""
    with ExitStack() as stack:
        stack.enter_context(widget.hold_sync())
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                # bqplot sends a view of the array, which another thread reads later.
                setattr(widget, name, np.array(value, order="C"))
            else:
                setattr(widget, name, value)


def clean(
    values: ArrayLike, low: float, high: float, *, floor: bool = False
) -> NDArray[np.float32]:
    """Values fit for a mark whose scale runs from ``low`` to ``high``, as float32.

    What lies so far outside that it would break an SVG path is turned to NaN, which breaks the
    line; with ``floor`` values below ``low`` are put on it (zero loss on a logarithmic scale).
    """
    array = np.array(values, dtype=np.float64)
    if floor:
        array = np.where(array < low, low, array)
        reach = np.inf
        top = high * 1e6 if high > 0 else high
    else:
        reach = 50 * (high - low)
        top = high + reach
    with np.errstate(invalid="ignore"):
        bad = ~np.isfinite(array) | (array > top) | (array < low - reach)
    return np.where(bad, np.nan, array).astype(np.float32)


def ragged(lines: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[Any, Any]:
    """Lines of unequal lengths as the 2-D ``x`` and ``y`` of one ``Lines`` mark.

    Shorter lines repeat their last point, and a non-finite end falls back to the last good point,
    because a NaN as the last value is an error in the browser.
    """
    if not lines:
        return np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32)
    width = max(2, *(len(x) for x, _ in lines))
    xs = np.empty((len(lines), width), np.float32)
    ys = np.empty((len(lines), width), np.float32)
    for row, (x, y) in enumerate(lines):
        good = np.flatnonzero(np.isfinite(y))
        count = int(good[-1]) + 1 if len(good) else 0
        if count == 0:
            xs[row], ys[row] = (x[0] if len(x) else 0.0), 0.0
            continue
        xs[row, :count], ys[row, :count] = x[:count], y[:count]
        xs[row, count:], ys[row, count:] = x[count - 1], y[count - 1]
    return xs, ys


def joined(lines: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[Any, Any]:
    """Lines as the 1-D ``x`` and ``y`` of one mark, with a break (NaN in ``y``) between them."""
    xs: list[NDArray[Any]] = []
    ys: list[NDArray[Any]] = []
    for x, y in lines:
        good = np.flatnonzero(np.isfinite(y))
        if len(good) == 0:
            continue
        if xs:
            xs.append(x[:1])
            ys.append(np.array([np.nan]))
        xs.append(x[: good[-1] + 1])
        ys.append(y[: good[-1] + 1])
    if not xs:
        return np.zeros(2, np.float32), np.zeros(2, np.float32)
    return np.concatenate(xs).astype(np.float32), np.concatenate(ys).astype(np.float32)


def decades(low: float, high: float, stride: int = 3) -> tuple[float, float]:
    """Limits of a logarithmic axis around positive ``low`` … ``high``, in strides of decades.

    Strides make a limit change rare while a run goes on: each change redraws the figure.
    """
    bottom = stride * math.floor(math.log10(low) / stride)
    top = math.ceil(math.log10(high) + 1e-9)
    return 10.0 ** max(bottom, -36), 10.0 ** min(max(top, bottom + 1), 38)


def round_up(value: float) -> float:
    """The next of 1, 2, 5 × a power of ten that is not below a positive ``value``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(float(m * power) for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9))
