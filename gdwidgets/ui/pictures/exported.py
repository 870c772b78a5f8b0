"""An explorer's run as one page that plays with no kernel and no network.

Bokeh draws it. The page holds the recording, thinned where it is long, and a short script
(``exported.js``) that shows any step of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.ui import text
from gdwidgets.ui.pictures.panels import (
    Blob,
    CurvesPanel,
    DrawingPanel,
    FitsPanel,
    Label,
    Line,
    MapPanel,
    Panel,
)
from gdwidgets.ui.plots import palette
from gdwidgets.ui.plots.thinning import column_extremes
from gdwidgets.ui.plots.ticks import step_ticks

FRAMES = 400
"""Steps that can be shown; of a longer run, so many of them."""

COLUMNS = 500
"""A longer line keeps its lowest and highest value in so many columns."""

RATE = 30
"""Frames a second, at most, when it plays."""

SECONDS = 10
"""A run of few steps is played so slowly that it takes about so long."""

HEIGHT = 340

GLYPHS = {
    "●": "circle",
    "▲": "triangle",
    "■": "square",
    "◆": "diamond",
    "▼": "inverted_triangle",
    "★": "star",
    "✚": "plus",
    "◐": "hex",
    "✖": "x",
}
"""Bokeh's markers for those on the screen."""

SCRIPT = Path(__file__).with_name("exported.js")

Array = NDArray[Any]


def frames_of(end: int, *, log: bool) -> list[int]:
    """The steps that a page can show, 0 and ``end`` among them.

    Parameters
    ----------
    end
        The last step.
    log
        Whether half of them are spread evenly over log(1 + step).
    """
    if end < FRAMES:
        return list(range(end + 1))
    even = np.linspace(0, end, FRAMES // 2 if log else FRAMES)
    steps = np.concatenate((even, np.expm1(np.linspace(0, np.log1p(end), FRAMES // 2)) * log))
    return sorted({int(step) for step in steps.round()})


def page(
    panels: Sequence[Panel],
    sentence: Callable[[int], str],
    *,
    end: int,
    title: str,
    widths: Sequence[float],
) -> str:
    """Write the page.

    Parameters
    ----------
    panels
        What is drawn, all of it computed.
    sentence
        Called with a step; what is said there.
    end
        The last step.
    title
        Of the page.
    widths
        Of the panels, relative to each other.

    Raises
    ------
    ImportError
        Where Bokeh is not installed.
    """
    try:
        from bokeh.embed import file_html  # noqa: PLC0415 - an extra, imported for a page only
        from bokeh.layouts import column, row  # noqa: PLC0415
        from bokeh.models import CustomJS, Div  # noqa: PLC0415
        from bokeh.resources import INLINE  # noqa: PLC0415
    except ImportError as missing:
        raise ImportError(
            "save_html needs Bokeh: python -m pip install 'gdwidgets[html]', or bokeh alone"
        ) from missing
    log = any(isinstance(panel, CurvesPanel) and panel.log_steps for panel in panels)
    frames = frames_of(end, log=log)
    sources: list[Any] = []
    told: list[dict[str, Any]] = []
    figures = [
        _figure(panel, frames, sources, told, width)
        for panel, width in zip(panels, widths, strict=False)
    ]
    for k, panel in enumerate(panels):
        if isinstance(panel, CurvesPanel) and not panel.future:
            limits = [panel.limits_at(frame) for frame in frames]
            told.append({"kind": "limits", "range": k, "limits": limits})
    said = [text.html_sentence(sentence(k), live=False) for k in frames]
    counted = [f"{k:,} of {end:,}" for k in frames]
    words = Div(text=said[0], sizing_mode="stretch_width", min_height=48)
    count = Div(text=counted[0], width=140, styles={"font-variant-numeric": "tabular-nums"})
    controls = _controls(len(frames))
    script = CustomJS(
        args={
            "sources": sources,
            "ranges": [plot.y_range for plot in figures],
            "panels": json.dumps(told, allow_nan=False),
            "frames": frames,
            "said": said,
            "counted": counted,
            "words": words,
            "count": count,
            "slider": controls[-1],
            "play": controls[2],
            "pause": 1000 / max(4, min(RATE, len(frames) / SECONDS)),
        },
        code=SCRIPT.read_text(encoding="utf-8"),
    )
    controls[-1].js_on_change("value", script)
    for button, does in zip(
        controls[:-1], ("reset", "back", "toggle", "forward", "finish"), strict=True
    ):
        button.tags = [does]
        button.js_on_event("button_click", script)
    heading = Div(text=f"<b>{escape(title)}</b>", sizing_mode="stretch_width")
    body = column(
        heading,
        words,
        row(*figures, sizing_mode="stretch_width"),
        row(*controls, count, sizing_mode="stretch_width"),
        sizing_mode="stretch_width",
        styles={"max-width": "1400px", "margin": "0 auto", "font-size": "16px"},
    )
    return str(file_html(body, INLINE, title=title))


def _controls(count: int) -> list[Any]:
    from bokeh.models import Button, Slider  # noqa: PLC0415

    labels = ("Reset", "◀ Back", "▶ Play", "Step ▶", "End")
    made: list[Any] = [
        Button(label=label, width=90, button_type="primary" if "Play" in label else "default")
        for label in labels
    ]
    slider = Slider(
        start=0,
        end=max(1, count - 1),
        value=0,
        step=1,
        title="",
        show_value=False,
        sizing_mode="stretch_width",
    )
    return [*made, slider]


# -- figures ---------------------------------------------------------------------------------------


def _figure(
    panel: Panel,
    frames: Sequence[int],
    sources: list[Any],
    told: list[dict[str, Any]],
    width: float,
) -> Any:
    """Make one figure; what its script needs is added to ``sources`` and ``told``."""
    from bokeh.plotting import figure  # noqa: PLC0415

    options: dict[str, Any] = {
        "height": HEIGHT,
        "min_width": 220,
        "sizing_mode": "stretch_width",
        "tools": "pan,wheel_zoom,box_zoom,reset",
        "active_drag": None,
        "active_scroll": None,
        "toolbar_location": None if isinstance(panel, DrawingPanel) else "above",
    }
    match panel:
        case CurvesPanel():
            across = (0.0, float(np.log1p(panel.end)) if panel.log_steps else float(panel.end))
            plot = figure(
                title=panel.title,
                x_axis_label=panel.steps,
                y_axis_type="log" if panel.log else "linear",
                x_range=across,
                y_range=panel.limits_at(0),
                **options,
            )
            _curves(plot, panel, frames, sources, told)
        case MapPanel():
            plot = figure(
                x_axis_label=panel.axes[0],
                y_axis_label=panel.axes[1],
                x_range=panel.bounds[0],
                y_range=panel.bounds[1],
                **options,
            )
            _plane(plot, panel, frames, sources, told)
        case FitsPanel():
            ends = float(panel.grid[0]), float(panel.grid[-1])
            spare = 0.03 * (ends[1] - ends[0])
            plot = figure(
                title=panel.title,
                x_axis_label=panel.label,
                x_range=(ends[0] - spare, ends[1] + spare),
                y_range=panel.limits,
                **options,
            )
            _fits(plot, panel, frames, sources, told)
        case DrawingPanel():
            plot = figure(x_range=panel.across, y_range=panel.down, **options)
            plot.height = int(min(700, max(HEIGHT, 60 * panel.height)))
            plot.axis.visible = False
            plot.grid.visible = False
            _drawing(plot, panel, frames, sources, told)
    plot.outline_line_color = None
    plot.toolbar.logo = None
    plot.styles = {"flex-grow": f"{width:g}"}
    return plot


def _source(sources: list[Any], **columns: Any) -> Any:
    from bokeh.models import ColumnDataSource  # noqa: PLC0415

    sources.append(ColumnDataSource(data=columns))
    return sources[-1]


def _kept(panel: Any, y: Array, frames: Sequence[int]) -> Array:
    """The records of a lane that the page holds: those it can show, and all extremes."""
    count = len(y)
    steps = np.array([k for k in frames if k < count] + [count - 1])
    if count > 2 * COLUMNS:
        edges = np.linspace(0, count - 1, COLUMNS).astype(np.int64)
        if isinstance(panel, CurvesPanel) and panel.log_steps:
            edges = np.expm1(np.linspace(0, np.log1p(count - 1), COLUMNS)).astype(np.int64)
        edges = np.unique(np.append(0, edges))
        values = np.where(np.isfinite(y), y, np.nan)
        steps = np.concatenate((steps, column_extremes(values, edges, count)))
    elif count > 1:
        steps = np.arange(count)
    return np.unique(steps)


def _lanes(
    plot: Any,
    panel: CurvesPanel | MapPanel,
    frames: Sequence[int],
    sources: list[Any],
    told: list[dict[str, Any]],
    *,
    halo: bool,
) -> list[Any]:
    """The paths of all lanes: future dotted, past solid, a marker; returns what a key names."""
    named = []
    for lane in range(len(panel.names)):
        run = palette.run(panel.runs[lane])
        x, y = panel.track(lane)
        kept = _kept(panel, y, frames)
        track = {"x": x[kept].astype(np.float32), "y": y[kept].astype(np.float32)}
        whole = _source(sources, step=kept.astype(np.int32), **track)
        past = _source(sources, x=track["x"][:1], y=track["y"][:1])
        head = _source(sources, x=track["x"][:1], y=track["y"][:1])
        if panel.future:
            plot.line("x", "y", source=whole, color=run.colour, line_dash="dotted", alpha=0.7)
        if halo:
            plot.line("x", "y", source=past, color="white", width=4)
        line = plot.line("x", "y", source=past, color=run.colour, width=2)
        if halo:
            first = {"x": [float(x[0])], "y": [float(y[0])]}
            plot.scatter(**first, size=11, fill_color="white", line_color=palette.INK, line_width=2)
        marker = plot.scatter(
            "x",
            "y",
            source=head,
            size=12,
            marker=GLYPHS.get(run.glyph, "circle"),
            fill_color=run.colour,
            line_color="white" if run.glyph not in "✖✚" else run.colour,
        )
        at = len(sources)
        told.append({"kind": "track", "whole": at - 3, "past": at - 2, "head": at - 1})
        named.append([line, marker])
    return named


def _curves(
    plot: Any,
    panel: CurvesPanel,
    frames: Sequence[int],
    sources: list[Any],
    told: list[dict[str, Any]],
) -> None:
    from bokeh.models import Label as Text  # noqa: PLC0415
    from bokeh.models import Legend, LegendItem, Span  # noqa: PLC0415

    renderers = _lanes(plot, panel, frames, sources, told, halo=False)
    for value, label in panel.levels:
        plot.add_layout(Span(location=value, dimension="width", line_dash="dashed"))
        end = panel.end
        x = float(np.log1p(end)) if panel.log_steps else float(end)
        plot.add_layout(Text(x=x, y=value, text=label, text_align="right", text_font_size="12px"))
    if panel.log_steps:
        steps = step_ticks(panel.end, log=True)
        plot.xaxis.ticker = [float(np.log1p(k)) for k in steps]
        plot.xaxis.major_label_overrides = {float(np.log1p(k)): f"{k:,}" for k in steps}
    plot.xgrid.visible = False
    items = [
        LegendItem(label={"value": name}, renderers=both)
        for name, both in zip(panel.names, renderers, strict=True)
    ]
    plot.add_layout(Legend(items=items, background_fill_alpha=0.7, border_line_color=None))


def _plane(
    plot: Any,
    panel: MapPanel,
    frames: Sequence[int],
    sources: list[Any],
    told: list[dict[str, Any]],
) -> None:
    (u0, u1), (v0, v1) = panel.bounds
    colours = np.ascontiguousarray(panel.shade.colours(panel.heights))
    image = colours.view(np.uint32).reshape(colours.shape[:2])
    plot.image_rgba([image], x=u0, y=v0, dw=u1 - u0, dh=v1 - v0)
    if panel.minima:
        u, v = zip(*panel.minima, strict=True)
        plot.scatter(x=u, y=v, size=18, fill_color="white", line_color=palette.INK)
        numbers = [str(i) for i in range(1, len(u) + 1)]
        plot.text(
            x=u,
            y=v,
            text=numbers,
            text_align="center",
            text_baseline="middle",
            text_font_size="12px",
        )
    _lanes(plot, panel, frames, sources, told, halo=True)


def _fits(
    plot: Any,
    panel: FitsPanel,
    frames: Sequence[int],
    sources: list[Any],
    told: list[dict[str, Any]],
) -> None:
    x, y = panel.samples
    plot.scatter(x=x, y=y, size=6, color="#8A94A3", alpha=0.8)
    _source(sources, y=panel.basis.ravel())
    basis = len(sources) - 1
    plot.line(x=panel.grid, y=panel.best, color=palette.INK, line_dash="dashed", width=1.5)
    for lane in range(len(panel.names)):
        params = np.stack([panel.params[panel.at(lane, k), lane] for k in frames])
        params = params.astype(np.float64)
        params[[not panel.drawn(lane, k) for k in frames]] = np.nan
        line = _source(sources, x=panel.grid, y=panel.fit(lane, frames[0]))
        _source(sources, y=params.ravel())
        plot.line("x", "y", source=line, color=palette.run(panel.runs[lane]).colour, width=2)
        at = len(sources)
        told.append({"kind": "fit", "line": at - 2, "params": at - 1, "basis": basis})


def _drawing(
    plot: Any,
    panel: DrawingPanel,
    frames: Sequence[int],
    sources: list[Any],
    told: list[dict[str, Any]],
) -> None:
    steps = [_columns(panel.shapes(k)) for k in frames]
    lines, heads, boxes, ellipses, labels = (
        _source(sources, **steps[0][name]) for name in steps[0]
    )
    plot.multi_line("xs", "ys", source=lines, color="colour", width="width", line_dash="dash")
    plot.scatter(
        "x", "y", source=heads, size=9, marker="triangle", angle=-np.pi / 2, color="colour"
    )
    shape: dict[str, Any] = {
        "width": "width",
        "height": "height",
        "fill_color": "fill",
        "line_color": "outline",
        "line_width": 1.5,
    }
    plot.rect("x", "y", source=boxes, border_radius=5, **shape)
    plot.ellipse("x", "y", source=ellipses, **shape)
    plot.text(
        "x",
        "y",
        text="text",
        source=labels,
        text_align="align",
        text_baseline="middle",
        text_color="colour",
        text_font_size="size",
        text_font_style="style",
        background_fill_color="ground",
        border_line_color="edge",
        padding=3,
    )
    at = len(sources)
    for i, name in enumerate(steps[0]):
        told.append({"kind": "drawn", "source": at - 5 + i, "steps": [one[name] for one in steps]})


def _columns(shapes: Sequence[Any]) -> dict[str, dict[str, list[Any]]]:
    """The shapes of a drawing as columns of Bokeh's sources."""
    lines = [shape for shape in shapes if isinstance(shape, Line)]
    blobs = [shape for shape in shapes if isinstance(shape, Blob)]
    labels = [shape for shape in shapes if isinstance(shape, Label)]
    arrows = [line for line in lines if line.arrow]

    def outlines(box: bool) -> dict[str, list[Any]]:
        kept = [blob for blob in blobs if blob.box is box]
        return {
            name: [getattr(blob, name) for blob in kept]
            for name in ("x", "y", "width", "height", "fill", "outline")
        }

    return {
        "lines": {
            "xs": [line.points[:, 0].tolist() for line in lines],
            "ys": [line.points[:, 1].tolist() for line in lines],
            "colour": [line.colour for line in lines],
            "width": [line.width for line in lines],
            "dash": ["dashed" if line.dashed else "solid" for line in lines],
        },
        "heads": {
            "x": [float(line.points[-1, 0]) + 0.02 for line in arrows],
            "y": [float(line.points[-1, 1]) for line in arrows],
            "colour": [line.colour for line in arrows],
        },
        "boxes": outlines(box=True),
        "ellipses": outlines(box=False),
        "labels": {
            "x": [label.x for label in labels],
            "y": [label.y for label in labels],
            "text": [label.text for label in labels],
            "align": [label.align for label in labels],
            "colour": [label.colour for label in labels],
            "size": [f"{1.35 * label.size:.1f}px" for label in labels],
            "style": ["bold" if label.bold else "normal" for label in labels],
            "ground": [label.ground or None for label in labels],
            "edge": [label.colour if label.ground else None for label in labels],
        },
    }
