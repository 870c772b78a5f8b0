"""Figures for print: what is on the screen, drawn once more by matplotlib from the same recording.

matplotlib is imported here only, and only when a picture is asked for. Nothing of pyplot's is used,
so a notebook's own figures, backend and style are left alone.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

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
from gdwidgets.ui.plots.ticks import step_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {
    "●": "o",
    "▲": "^",
    "■": "s",
    "◆": "D",
    "▼": "v",
    "★": "*",
    "✚": "P",
    "◐": "h",
    "✖": "X",
}
"""matplotlib's markers for those on the screen."""

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b7280",
    "axes.labelcolor": palette.INK,
    "axes.unicode_minus": True,
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "savefig.facecolor": "white",
}


def ready() -> bool:
    """Whether matplotlib is imported already."""
    return "matplotlib.backends.backend_agg" in sys.modules


def prepare() -> None:
    """Import matplotlib with what it needs to draw and write: half a second or more."""
    from matplotlib import figure, font_manager  # noqa: F401, PLC0415 - see above
    from matplotlib.backends import backend_agg  # noqa: F401, PLC0415

    font_manager.findfont(font_manager.FontProperties())


def printed(
    kind: str,
    draw: Callable[[Figure], None],
    *,
    width: float = 9.0,
    height: float = 3.8,
    dpi: float = 160,
) -> bytes:
    """A figure as the bytes of a file.

    Parameters
    ----------
    kind
        ``"png"``, ``"svg"`` or ``"pdf"``.
    draw
        Called with an empty ``matplotlib.figure.Figure``.
    width, height
        In inches.
    dpi
        Pixels an inch, for PNG and for pictures inside of vector files.
    """
    import matplotlib as mpl  # noqa: PLC0415 - half a second that an explorer does without
    from matplotlib.figure import Figure  # noqa: PLC0415

    file = io.BytesIO()
    style: Any = {**mpl.rcParamsDefault, **STYLE, "backend": mpl.rcParams["backend"]}
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
        draw(figure)
        # Without a date the same picture is the same file.
        metadata: Any = {"Date": None} if kind == "svg" else None
        figure.savefig(file, format=kind, dpi=dpi, metadata=metadata)
    return file.getvalue()


def sheet(
    kind: str, panels: Sequence[Panel], k: int, sentence: str, *, widths: Sequence[float]
) -> bytes:
    """Panels beside each other, the sentence below them.

    Parameters
    ----------
    kind
        ``"png"``, ``"svg"`` or ``"pdf"``.
    panels
        What is drawn. A `DrawingPanel` stands alone, and has its size of its own.
    k
        The cursor.
    sentence
        The explorer's own.
    widths
        Of the panels, relative to each other.
    """
    if panels and isinstance(panels[0], DrawingPanel):
        drawing = panels[0]
        return printed(
            kind,
            lambda figure: _drawing(figure, drawing, k, text.plain(sentence)),
            width=drawing.width,
            height=drawing.height,
        )

    def draw(figure: Figure) -> None:
        if panels:
            row = figure.subplots(1, len(panels), width_ratios=widths, squeeze=False)[0]
            for axes, panel in zip(row, panels, strict=True):
                _panel(axes, panel, k)
        figure.supxlabel(text.plain(sentence), fontsize=9, ha="center", wrap=True)

    return printed(kind, draw, width=11.0 if len(panels) > 2 else 9.0)


def _panel(axes: Axes, panel: Panel, k: int) -> None:
    match panel:
        case CurvesPanel():
            _curves(axes, panel, k)
        case MapPanel():
            _plane(axes, panel, k)
        case FitsPanel():
            _fits(axes, panel, k)


def _curves(axes: Axes, panel: CurvesPanel, k: int) -> None:
    """Values of all lanes against step, past solid and future dotted."""
    for lane, name in enumerate(panel.names):
        run = palette.run(panel.runs[lane])
        (x, y), coming = panel.parts(lane, k)
        axes.plot(x, y, color=run.colour, lw=2)
        if panel.future and len(coming[0]) > 1:
            axes.plot(*coming, color=run.colour, lw=1.4, ls=":", alpha=0.6)
        axes.plot(
            x[-1],
            y[-1],
            color=run.colour,
            marker=MARKERS.get(run.glyph, "o"),
            ms=7,
            mec="white",
            mew=0.8,
            label=name,
            ls="",
        )
    for value, label in panel.levels:
        axes.axhline(value, color=palette.INK, lw=1.2, ls="--")
        axes.annotate(
            label,
            (1, value),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=8,
        )
    if panel.log:
        axes.set_yscale("log")
    axes.set_ylim(*panel.limits_at(k))
    if panel.log_steps:
        steps = step_ticks(panel.end, log=True)
        axes.set_xticks([math.log1p(t) for t in steps], [f"{t:,}" for t in steps])
    axes.set_xlabel(panel.steps)
    axes.set_title(panel.title, loc="left", fontsize=10)
    axes.grid(axis="y", color="#e3e6ea", lw=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=9, loc="best")


def _plane(axes: Axes, panel: MapPanel, k: int) -> None:
    """A map of two parameters with the paths of all lanes."""
    (u0, u1), (v0, v1) = panel.bounds
    axes.imshow(
        panel.shade.colours(panel.heights),
        origin="lower",
        extent=(u0, u1, v0, v1),
        aspect="auto",
        interpolation="bilinear",
    )
    axes.contour(
        panel.across,
        panel.up,
        np.ma.masked_invalid(panel.heights),
        levels=panel.shade.levels(),
        colors=palette.INK,
        linewidths=0.5,
        alpha=0.3,
    )
    for number, minimum in enumerate(panel.minima, start=1):
        axes.text(
            *minimum,
            str(number),
            ha="center",
            va="center",
            fontsize=8,
            bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": palette.INK, "lw": 0.9},
        )
    for lane in range(len(panel.names)):
        run = palette.run(panel.runs[lane])
        (u, v), coming = panel.parts(lane, k)
        if panel.future:
            axes.plot(*coming, color=run.colour, lw=1.4, ls=":")
        axes.plot(u, v, color="white", lw=4)
        axes.plot(u, v, color=run.colour, lw=2)
        axes.plot(u[0], v[0], marker="o", ms=8, mfc="white", mec=palette.INK, mew=1.8, ls="")
        marker = MARKERS.get(run.glyph, "o")
        axes.plot(
            u[-1],
            v[-1],
            marker=marker,
            color=run.colour,
            ms=7,
            mec="white",
            mew=0.8,
            ls="",
            zorder=5,
        )
    axes.set_xlim(u0, u1)
    axes.set_ylim(v0, v1)
    axes.set_xlabel(panel.axes[0])
    axes.set_ylabel(panel.axes[1], rotation=0)
    axes.spines[:].set_visible(False)
    axes.set_box_aspect(1)


def _fits(axes: Axes, panel: FitsPanel, k: int) -> None:
    """Samples, the best fit, and what every lane has fitted so far."""
    axes.plot(*panel.samples, ls="", marker="o", ms=3.5, color="#8A94A3", alpha=0.8)
    axes.plot(panel.grid, panel.best, color=palette.INK, lw=1.4, ls="--")
    for lane in range(len(panel.names)):
        if panel.drawn(lane, k):
            colour = palette.run(panel.runs[lane]).colour
            axes.plot(panel.grid, panel.fit(lane, k), color=colour, lw=2)
    axes.set_ylim(*panel.limits)
    axes.set_xlabel(panel.label)
    axes.set_title(panel.title, loc="left", fontsize=10)


def _drawing(figure: Figure, panel: DrawingPanel, k: int, sentence: str) -> None:
    """A drawing, the sentence above it."""
    from matplotlib.patches import Ellipse, FancyBboxPatch  # noqa: PLC0415 - for print only

    height = panel.height
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, (height - 0.6) / height))
    axes.set_xlim(*panel.across)
    axes.set_ylim(*panel.down)
    axes.axis("off")
    for shape in panel.shapes(k):
        match shape:
            case Line(points=points, colour=colour):
                axes.plot(
                    points[:, 0],
                    points[:, 1],
                    color=colour,
                    linewidth=shape.width,
                    linestyle=(0, (4, 3)) if shape.dashed else "-",
                    zorder=1,
                )
                if shape.arrow:
                    x, y = points[-1]
                    arrow = {"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0}
                    axes.annotate("", xy=(x + 0.06, y), xytext=(x - 0.02, y), arrowprops=arrow)
            case Blob(x=x, y=y, width=wide, height=high):
                corner, rounded = (x - wide / 2, y - high / 2), "round,pad=0,rounding_size=0.06"
                patch = (
                    FancyBboxPatch(corner, wide, high, boxstyle=rounded)
                    if shape.box
                    else Ellipse((x, y), wide, high)
                )
                patch.set(facecolor=shape.fill, edgecolor=shape.outline, linewidth=1.5, zorder=2)
                axes.add_patch(patch)
            case Label():
                look: dict[str, Any] = {"boxstyle": "round", "edgecolor": shape.colour}
                axes.text(
                    shape.x,
                    shape.y,
                    shape.text,
                    ha=shape.align,
                    va="center",
                    fontsize=shape.size,
                    weight="bold" if shape.bold else "normal",
                    color=shape.colour,
                    bbox={**look, "facecolor": shape.ground} if shape.ground else None,
                    zorder=4 if shape.ground else 3,
                )
    figure.text(0.5, 1 - 0.3 / height, sentence, ha="center", va="center", fontsize=9, wrap=True)
