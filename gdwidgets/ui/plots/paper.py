"""Figures drawn once more by matplotlib, for a file: PNG, SVG or PDF, without a browser.

The marks of a figure hold their data on its plot area, so this draws what the marks hold. The page
is white, whatever the notebook's theme. Matplotlib is imported by the functions here and nowhere
else.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gdwidgets.ui.plots import palette
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.plots.frame import Frame
from gdwidgets.ui.plots.plane import SIDE, Plane

DOTS = 200
"""Of a PNG, to the inch."""

PIXELS = 96.0
"""Of a screen, to the inch: lengths on paper are those on the screen."""

FORMATS = ("png", "svg", "pdf")

DOTTED, DASHED = (0, (0.1, 2.2)), (0, (4, 3))


def save(
    path: str | Path,
    figures: Sequence[Frame],
    *,
    title: str = "",
    widths: Sequence[float] | None = None,
) -> Path:
    """Save figures, side by side and as they are now, as one picture.

    Parameters
    ----------
    path
        Where to; its suffix says how: ``.png``, ``.svg`` or ``.pdf``.
    figures
        `Curves` and `Plane` figures with something on them.
    title
        A line above them.
    widths
        Of each figure, in pixels at size 1; without it a map is as wide as high, curves 1.4 times.

    Returns
    -------
    The path.

    Raises
    ------
    ValueError
        When the suffix is none of these.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(f"path must end in .png, .svg or .pdf, got {path.name!r}")
    import matplotlib as mpl  # noqa: PLC0415 - only those who save a picture wait for it
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    wide = list(widths) if widths is not None else [_usual_width(figure) for figure in figures]
    high = max(figure.height for figure in figures)
    above = 28.0 if title else 0.0
    # Texts stay texts in an SVG; fonts that every matplotlib brings along.
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        sheet = Figure(figsize=(sum(wide) / PIXELS, (high + above) / PIXELS))
        FigureCanvasAgg(sheet)
        left = 0.0
        for figure, width in zip(figures, wide, strict=True):
            margin = figure.margin
            axes = sheet.add_axes(
                (
                    (left + margin["left"]) / sum(wide),
                    (high - figure.height + margin["bottom"]) / (high + above),
                    (width - margin["left"] - margin["right"]) / sum(wide),
                    (figure.height - margin["top"] - margin["bottom"]) / (high + above),
                )
            )
            left += width
            if isinstance(figure, Plane):
                _draw_plane(axes, figure)
            elif isinstance(figure, Curves):
                _draw_curves(axes, figure)
        if title:
            sheet.text(0.5, 1 - 8 / (high + above), title, ha="center", va="top", size=_points(15))
        sheet.savefig(path, dpi=DOTS, facecolor="white", format=kind)
    return path


def _usual_width(figure: Frame) -> float:
    return figure.height if isinstance(figure, Plane) else 1.4 * figure.height


def _points(pixels: float) -> float:
    """A length in pixels as one in points, which matplotlib counts in."""
    return pixels * 72 / PIXELS


def _rows(mark: Any) -> list[tuple[Any, Any]]:
    """The lines of a mark, (x, y) each."""
    x, y = np.atleast_2d(mark.x), np.atleast_2d(mark.y)
    return [(x[min(row, len(x) - 1)], y[row]) for row in range(len(y))]


def _line(axes: Any, mark: Any, row: int, x: Any, y: Any, **style: Any) -> None:
    colours = mark.colors
    colour = colours[row % len(colours)]
    style = {"linewidth": _points(2.4), "solid_capstyle": "round", **style}
    axes.plot(x, y, color=colour, dash_capstyle="round", **style)


def _texts(
    axes: Any, mark: Any, size: float, *, rim: bool = False, offset: tuple[float, float] = (0, 0)
) -> None:
    """The texts of a mark, each in its colour; with a white rim they become outlines in an SVG."""
    from matplotlib.patheffects import withStroke  # noqa: PLC0415

    if not mark.visible:
        return
    effects = [withStroke(linewidth=_points(3), foreground="white")] if rim else []
    xs, ys, texts = (np.atleast_1d(part) for part in (mark.x, mark.y, mark.text))
    weight = "bold" if mark.font_weight == "bold" else "normal"
    for index, (x, y, text) in enumerate(zip(xs, ys, texts, strict=True)):
        axes.annotate(
            str(text),
            (float(x), float(y)),
            xytext=tuple(_points(part) for part in offset),
            textcoords="offset points",
            color=mark.colors[index % len(mark.colors)],
            size=_points(size),
            weight=weight,
            va="center",
            ha={"start": "left", "middle": "center", "end": "right"}[mark.align],
            path_effects=effects,
            annotation_clip=False,
            zorder=9,
        )


def _ticks(axes: Any, figure: Frame, reach: float) -> None:
    """Limits and ticks of both axes, as the figure has them."""
    axes.set_xlim(0, reach)
    axes.set_ylim(0, reach)
    for axis, ticked in ((figure.axis_x, axes.xaxis), (figure.axis_y, axes.yaxis)):
        places = np.asarray(axis.tick_values)
        ticked.set_ticks(places, [axis.tick_labels.get(f"{at:.10g}", "") for at in places])
    axes.tick_params(length=0, pad=_points(8), labelsize=_points(13), labelcolor="#4b5563")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_curves(axes: Any, figure: Curves) -> None:
    _ticks(axes, figure, 1.0)
    axes.grid(axis="y", color="#e3e6ea", linewidth=_points(1))
    edge = float(figure.cover.x[0])
    if figure.band.visible:
        (x, high), (_, low) = _rows(figure.band)
        axes.fill_between(x, low, high, color=palette.GHOST, alpha=0.12, linewidth=0)
    if figure.points.visible:
        keep = np.isfinite(figure.points.y) & (figure.points.x <= edge)
        style = {"color": figure.points.colors[0], "alpha": 0.35, "linewidths": 0}
        axes.scatter(figure.points.x[keep], figure.points.y[keep], s=4, **style)
    for row, (x, y) in enumerate(_rows(figure.past)):
        if figure.coming.visible:
            _line(axes, figure.past, row, x, y, linestyle=DOTTED, alpha=0.5)
        beyond = x > edge
        shown = np.append(x[~beyond], edge) if beyond.any() else x
        if figure.past.visible:
            heights = np.interp(shown, x, y) if beyond.any() else y
            _line(axes, figure.past, row, shown, heights)
    for mark, style in (
        (figure.levels, {"linestyle": DASHED, "linewidth": _points(2)}),
        (figure.theory, {"linewidth": _points(1.2)}),
        (figure.ghosts, {"linestyle": DASHED, "linewidth": _points(1.6)}),
    ):
        if mark.visible:
            for row, (x, y) in enumerate(_rows(mark)):
                _line(axes, mark, row, x, y, **style)
    _texts(axes, figure.present, 17, rim=True)
    _texts(axes, figure.names, 13, offset=(10, 0))
    _texts(axes, figure.heading, 14)
    _texts(axes, figure.leavers, 13, offset=(figure.leavers.x_offset / figure.size, 0))
    _texts(axes, figure.level_names, 13, offset=(0, 10))
    _texts(axes, figure.letters, 13, rim=True)
    axes.set_xlabel(figure.axis_x.label, size=_points(14))


def _draw_plane(axes: Any, figure: Plane) -> None:
    _ticks(axes, figure, SIDE)
    _draw_ground(axes, figure)
    if figure.moving.visible:
        _draw_paths(axes, figure)
    spots = {"color": "white", "edgecolors": palette.INK, "linewidths": _points(3)}
    size = _points(18) ** 2
    axes.scatter(figure.start.x, figure.start.y, s=size, zorder=8, clip_on=False, **spots)
    for mark, height in (
        (figure.titles, 14),
        (figure.upright, 14),
        (figure.factor_note, 13),
        (figure.letters, 13),
    ):
        _texts(axes, mark, height)


def _draw_ground(axes: Any, figure: Plane) -> None:
    """The heat map, basins, lines, and minima."""
    from matplotlib.image import imread  # noqa: PLC0415

    for mark in (figure.heat, figure.basins):
        if mark.visible:
            (x0, x1), (y0, y1) = mark.x, mark.y
            picture = imread(io.BytesIO(mark.image.value))
            kind = "bilinear" if mark is figure.heat else "nearest"
            axes.imshow(picture, extent=(x0, x1, y0, y1), aspect="auto", interpolation=kind)
    axes.set_xlim(0, SIDE)
    axes.set_ylim(0, SIDE)
    for mark, style in (
        (figure.contours, {"linewidth": _points(0.9), "alpha": 0.28}),
        (figure.valley, {"linewidth": _points(2), "linestyle": DASHED}),
        (figure.ghosts, {"linewidth": _points(1.8), "linestyle": DASHED}),
        (figure.coming, {"linewidth": _points(2.6), "linestyle": DOTTED, "alpha": 0.7}),
    ):
        if mark.visible:
            for row, (x, y) in enumerate(_rows(mark)):
                _line(axes, mark, row, x, y, **_widened(mark, row, style))
    if figure.minima.visible:
        spots = {"color": "white", "edgecolors": palette.INK, "linewidths": _points(1.4)}
        axes.scatter(figure.minima.x, figure.minima.y, s=_points(18) ** 2, zorder=3, **spots)
        _texts(axes, figure.numbers, 12)


def _draw_paths(axes: Any, figure: Plane) -> None:
    """The paths up to the cursor, arrows and markers."""
    shown = set(figure.past.curves_subset)
    for row, (x, y) in enumerate(_rows(figure.past)):
        if row in shown:
            style = {"linewidth": _points(3), "zorder": 4}
            _line(axes, figure.past, row, x, y, **_widened(figure.past, row, style))
    for row, (x, y) in enumerate(_rows(figure.moving)):
        if figure.moving.fill_opacities[row]:
            face = figure.moving.fill_colors[row]
            axes.fill(x, y, facecolor=face, edgecolor="white", linewidth=_points(1.5), zorder=6)
        else:
            style = {"linewidth": _points(3), "zorder": 5}
            _line(axes, figure.moving, row, x, y, **_widened(figure.moving, row, style))


def _widened(mark: Any, row: int, style: dict[str, Any]) -> dict[str, Any]:
    """The style of a line; of a halo wider and without dashes, as the style sheet has it."""
    if mark.colors[row % len(mark.colors)] != palette.HALO:
        return style
    return {**style, "linewidth": _points(6), "linestyle": "-", "solid_capstyle": "butt"}
