"""A still picture of an explorer, small and quick: what a notebook shows where no widget can live.

It goes along with every explorer that is shown, so it is drawn by Pillow in a few tens of
milliseconds: importing matplotlib alone would take longer.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

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
from gdwidgets.ui.plots.shade import LEVELS
from gdwidgets.ui.plots.ticks import (
    linear_texts,
    linear_ticks,
    log_texts,
    log_ticks,
    step_ticks,
)

WIDTH = 720
"""Of a picture as it is shown, in CSS pixels."""

SCALE = 2
"""Its own pixels for each of those."""

COLOURS = 96
"""Colours of the PNG's palette."""

INCH = 72
"""CSS pixels for an inch of a drawing."""

GREY, GRID, AXIS, PAPER = "#4B5563", "#E3E6EA", "#6B7280", "#FFFFFF"

Array = NDArray[Any]
Box = tuple[float, float, float, float]


@cache
def _font(size: float, bold: bool = False) -> Any:
    """matplotlib's own font, which has every sign used here; matplotlib is not imported for it."""
    spec = find_spec("matplotlib")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / name
        if path.is_file():
            return ImageFont.truetype(path, round(size * SCALE))
    return ImageFont.load_default(size * SCALE)


def still_png(panels: Sequence[Panel], k: int, sentence: str, widths: Sequence[float]) -> bytes:
    """Panels beside each other and the sentence below them, as a PNG of ``SCALE * WIDTH`` pixels.

    Parameters
    ----------
    panels
        What is drawn. A `DrawingPanel` stands alone.
    k
        The cursor.
    sentence
        The explorer's own.
    widths
        Of the panels, relative to each other.
    """
    height = 250.0
    if panels and isinstance(panels[0], DrawingPanel):
        height = panels[0].height * INCH * min(1.0, WIDTH / (panels[0].width * INCH))
    if not panels:
        height = 0.0
    lines = _wrapped(text.plain(sentence), WIDTH - 24)
    pen = _Pen(WIDTH, height + 14 + 16 * len(lines))
    left = 0.0
    for panel, wide in zip(panels, widths, strict=False):
        if isinstance(panel, DrawingPanel):
            _drawing(pen, panel, k, height)
            break
        right = left + WIDTH * wide / sum(widths[: len(panels)])
        box = (left + 48, 24.0, right - 12, height - 34)
        match panel:
            case CurvesPanel():
                _curves(pen, panel, k, box)
            case MapPanel():
                _plane(pen, panel, k, (left + 44, 12.0, right - 12, height - 34))
            case FitsPanel():
                _fits(pen, panel, k, box)
        left = right
    for i, line in enumerate(lines):
        pen.write(WIDTH / 2, height + 12 + 16 * i, line, size=11.5, anchor="mm")
    return pen.png()


class _Pen:
    """A white sheet; lengths in CSS pixels from the upper left."""

    def __init__(self, width: float, height: float) -> None:
        self.image = Image.new("RGB", (round(width * SCALE), round(height * SCALE)), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def line(self, points: Array, colour: str, width: float = 1.0, *, dashes: float = 0.0) -> None:
        """Draw a line through points (m, 2), in pieces of ``dashes`` where that is not 0."""
        if len(points) < 2:
            return
        scaled = np.asarray(points, np.float64) * SCALE
        wide = max(1, round(width * SCALE))
        if not dashes:
            self.draw.line([tuple(p) for p in scaled], colour, wide, joint="curve")
            return
        lengths = np.hypot(*np.diff(scaled, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(lengths)])
        if along[-1] > 0:
            step = max(dashes * SCALE, along[-1] / 800)
            starts = np.arange(0, along[-1], 2 * step)
            ends = np.minimum(starts + step, along[-1])
            x, y = ([np.interp(at, along, scaled[:, i]) for at in (starts, ends)] for i in range(2))
            for x0, y0, x1, y1 in zip(x[0], y[0], x[1], y[1], strict=True):
                self.draw.line([(x0, y0), (x1, y1)], colour, wide)

    def broken(self, points: Array, colour: str, width: float, *, dashes: float = 0.0) -> None:
        """Draw a line that is interrupted where a point is NaN."""
        gone = np.flatnonzero(np.isnan(points).any(axis=1))
        for part in np.split(points, gone):
            self.line(part[~np.isnan(part).any(axis=1)], colour, width, dashes=dashes)

    def marker(self, x: float, y: float, run: palette.Run, radius: float = 5.0) -> None:
        """Draw a run's marker with a white outline."""
        if not (math.isfinite(x) and math.isfinite(y)):
            return
        corners = np.array(run.corners) * (1, -1)
        for size, colour in ((radius + 1.2, PAPER), (radius, run.colour)):
            points = (corners * size + (x, y)) * SCALE
            self.draw.polygon([tuple(p) for p in points], colour)

    def circle(self, x: float, y: float, radius: float, *, width: float = 1.5) -> None:
        """Draw a white circle with a dark outline."""
        box = [(x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE]
        self.draw.ellipse(
            [*box, (y + radius) * SCALE], PAPER, palette.INK, max(1, round(width * SCALE))
        )

    def write(
        self,
        x: float,
        y: float,
        said: str,
        *,
        size: float = 10.0,
        anchor: str = "mm",
        bold: bool = False,
        colour: str = palette.INK,
        ground: str = "",
    ) -> None:
        """Write a text; ``anchor`` is Pillow's."""
        font, at = _font(size, bold), (x * SCALE, y * SCALE)
        if ground:
            x0, y0, x1, y1 = self.draw.textbbox(at, said, font, anchor)
            pad = 3 * SCALE
            self.draw.rounded_rectangle(
                [x0 - pad, y0 - pad, x1 + pad, y1 + pad], pad, ground, colour, SCALE
            )
        self.draw.text(at, said, colour, font, anchor)

    def png(self) -> bytes:
        """Return the sheet as a PNG with a palette."""
        few = self.image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        file = io.BytesIO()
        few.save(file, "PNG", compress_level=6)
        return file.getvalue()


def _wrapped(said: str, width: float) -> list[str]:
    """A sentence in lines of at most ``width``, at most four."""
    font, lines = _font(11.5), [""]
    for word in said.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width * SCALE:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines if len(lines) <= 4 else [*lines[:3], f"{lines[3]} …"]


class _Scales:
    """From values to a box of the sheet."""

    def __init__(
        self, box: Box, x: tuple[float, float], y: tuple[float, float], *, log: bool
    ) -> None:
        self.box, self.x, self.log = box, x, log
        self.y = (math.log10(y[0]), math.log10(y[1])) if log else y

    def across(self, value: Any) -> Any:
        """Pixels from the left."""
        left, _, right, _ = self.box
        return left + (right - left) * (value - self.x[0]) / (self.x[1] - self.x[0])

    def up(self, value: Any) -> Any:
        """Pixels from above, a little beyond the box at most."""
        _, top, _, bottom = self.box
        with np.errstate(all="ignore"):
            value = np.log10(value) if self.log else value
        part = (value - self.y[0]) / (self.y[1] - self.y[0])
        return bottom - (bottom - top) * np.clip(part, -4.0, 4.0)

    def points(self, x: Array, y: Array) -> Array:
        """Both as points (n, 2)."""
        return np.stack([self.across(x), self.up(y)], axis=1)


def _axes(
    pen: _Pen,
    scales: _Scales,
    *,
    title: str,
    label: str,
    across: Sequence[tuple[float, str]],
    up: Sequence[tuple[float, str]],
) -> None:
    left, top, right, bottom = scales.box
    for value, said in up:
        pen.write(left - 5, float(scales.up(value)), said, colour=GREY, anchor="rm")
    for value, said in across:
        x = float(scales.across(value))
        pen.line(np.array([(x, bottom), (x, bottom + 4)]), AXIS)
        pen.write(x, bottom + 11, said, colour=GREY)
    pen.line(np.array([(left, top), (left, bottom), (right, bottom)]), AXIS)
    pen.write(left, top - 12, title, size=11, anchor="lm")
    pen.write((left + right) / 2, bottom + 25, label)


def _grid(pen: _Pen, scales: _Scales, values: Sequence[float]) -> None:
    left, _, right, _ = scales.box
    for value in values:
        y = float(scales.up(value))
        pen.line(np.array([(left, y), (right, y)]), GRID, 0.8)


def _blank(pen: _Pen, box: Box, width: float) -> None:
    """Take away what was drawn above and below a box."""
    left, top, right, bottom = box
    for y0, y1 in ((0.0, top - 3), (bottom + 2, pen.image.height / SCALE)):
        pen.draw.rectangle(
            [(left - 46) * SCALE, y0 * SCALE, (right + width) * SCALE, y1 * SCALE], PAPER
        )


def _curves(pen: _Pen, panel: CurvesPanel, k: int, box: Box) -> None:
    low, high = panel.limits_at(k)
    end = math.log1p(panel.end) if panel.log_steps else float(panel.end)
    scales = _Scales(box, (0.0, end), (low, high), log=panel.log)
    values = (log_ticks if panel.log else linear_ticks)(low, high, 5)
    texts = (log_texts if panel.log else linear_texts)(values)
    steps = step_ticks(panel.end, log=panel.log_steps, most=4)
    across = [(math.log1p(s) if panel.log_steps else float(s), f"{s:,}") for s in steps]
    _grid(pen, scales, values)
    for value, label in panel.levels:
        level = float(scales.up(value))
        pen.line(np.array([(box[0], level), (box[2], level)]), palette.INK, dashes=5)
        pen.write(box[2], level - 7, label, size=9, anchor="rm")
    heads = []
    for lane, name in enumerate(panel.names):
        run = palette.run(panel.runs[lane])
        (x, y), coming = panel.parts(lane, k)
        if panel.future:
            pen.broken(scales.points(*coming), run.colour, 1, dashes=2)
        pen.broken(scales.points(x, y), run.colour, 2)
        heads.append((float(scales.across(x[-1])), float(scales.up(y[-1])), run, name))
    _blank(pen, box, 11)
    up = list(zip(values, texts, strict=True))
    _axes(pen, scales, title=panel.title, label=panel.steps, across=across, up=up)
    for left, high, run, _ in heads:
        if box[1] - 3 <= high <= box[3] + 3:
            pen.marker(left, high, run)
    _key(pen, heads, box)


def _key(pen: _Pen, heads: Sequence[tuple[float, float, palette.Run, str]], box: Box) -> None:
    """Name the lanes at the upper right."""
    for i, (_, _, run, name) in enumerate(heads):
        y = box[1] + 6 + 14 * i
        said = name if len(name) <= 28 else f"{name[:27]}…"
        pen.write(box[2] - 12, y, said, size=9.5, anchor="rm", colour=run.text)
        pen.marker(box[2] - 4, y, run, 4)


def _plane(pen: _Pen, panel: MapPanel, k: int, box: Box) -> None:
    side = min(box[2] - box[0], box[3] - box[1])
    left = box[0] + (box[2] - box[0] - side) / 2
    box = (left, box[1], left + side, box[1] + side)
    across, up = panel.bounds
    scales = _Scales(box, across, up, log=False)
    pixels = round(side * SCALE)
    place = Image.fromarray(panel.shade.place(panel.heights).astype(np.float32)[::-1].copy())
    smooth = np.asarray(place.resize((pixels, pixels), Image.Resampling.BICUBIC))
    bands = np.clip(np.floor(smooth * LEVELS), 0, LEVELS - 1).astype(np.int64)
    table = panel.shade.table(2 * LEVELS)[1::2]
    sheet = Image.new("RGB", pen.image.size, PAPER)
    sheet.paste(Image.fromarray(table[bands]), (round(left * SCALE), round(box[1] * SCALE)))
    under, pen.image = pen.image, sheet
    pen.draw = ImageDraw.Draw(sheet)
    for number, (u, v) in enumerate(panel.minima, start=1):
        right, down = float(scales.across(u)), float(scales.up(v))
        if box[0] < right < box[2] and box[1] < down < box[3]:
            pen.circle(right, down, 7.5, width=0.8)
            pen.write(right, down, str(number), size=9)
    for lane in range(len(panel.names)):
        run = palette.run(panel.runs[lane])
        past, coming = (scales.points(*part) for part in panel.parts(lane, k))
        for points in (past, coming):
            points[:, 0] = np.clip(points[:, 0], box[0] - 4 * side, box[2] + 4 * side)
        if panel.future:
            pen.line(coming, run.colour, 1.2, dashes=2)
        pen.line(past, PAPER, 4)
        pen.line(past, run.colour, 2)
        pen.circle(float(past[0, 0]), float(past[0, 1]), 4.5)
        if len(past) > 1:
            pen.marker(float(past[-1, 0]), float(past[-1, 1]), run)
    x0, y0, x1, y1 = (round(edge * SCALE) for edge in box)
    under.paste(sheet.crop((x0, y0, x1, y1)), (x0, y0))
    pen.image, pen.draw = under, ImageDraw.Draw(under)
    ticks = [(at, linear_texts(at)) for at in (linear_ticks(*across, 6), linear_ticks(*up, 6))]
    for value, said in zip(*ticks[0], strict=True):
        pen.write(float(scales.across(value)), box[3] + 11, said, colour=GREY)
    for value, said in zip(*ticks[1], strict=True):
        pen.write(box[0] - 5, float(scales.up(value)), said, colour=GREY, anchor="rm")
    pen.write((box[0] + box[2]) / 2, box[3] + 25, panel.axes[0])
    pen.write(box[0] - 28, (box[1] + box[3]) / 2, panel.axes[1], anchor="rm")


def _fits(pen: _Pen, panel: FitsPanel, k: int, box: Box) -> None:
    low, high = panel.limits
    ends = float(panel.grid[0]), float(panel.grid[-1])
    spare = 0.03 * (ends[1] - ends[0]) or 1.0
    scales = _Scales(box, (ends[0] - spare, ends[1] + spare), (low, high), log=False)
    across, up = linear_ticks(*scales.x, 5), linear_ticks(low, high, 5)
    _grid(pen, scales, up)
    for x, y in scales.points(*panel.samples)[:1000] * SCALE:
        dot = 2 * SCALE
        pen.draw.ellipse([x - dot, y - dot, x + dot, y + dot], "#A9B1BD")
    pen.line(scales.points(panel.grid, panel.best), palette.INK, 1.4, dashes=5)
    for lane in range(len(panel.names)):
        if panel.drawn(lane, k):
            run = palette.run(panel.runs[lane])
            pen.line(scales.points(panel.grid, panel.fit(lane, k)), run.colour, 2)
    _blank(pen, box, 11)
    _axes(
        pen,
        scales,
        title=panel.title,
        label=panel.label,
        across=list(zip(across, linear_texts(across), strict=True)),
        up=list(zip(up, linear_texts(up), strict=True)),
    )


def _drawing(pen: _Pen, panel: DrawingPanel, k: int, height: float) -> None:
    (x0, x1), (y0, y1) = panel.across, panel.down
    inch = height / panel.height
    wide = panel.width * inch
    left = (WIDTH - wide) / 2

    def at(x: float, y: float) -> tuple[float, float]:
        return left + wide * (x - x0) / (x1 - x0), height * (y - y1) / (y0 - y1)

    across, down = wide / (x1 - x0), height / abs(y1 - y0)
    shapes = panel.shapes(k)
    for shape in shapes:
        if isinstance(shape, Line):
            points = np.array([at(*p) for p in shape.points])
            dashes = 4.0 if shape.dashed else 0.0
            pen.line(points, shape.colour, shape.width, dashes=dashes)
            if shape.arrow:
                x, y = points[-1] * SCALE
                head = [(x, y - 4 * SCALE), (x + 7 * SCALE, y), (x, y + 4 * SCALE)]
                pen.draw.polygon(head, shape.colour)
    for shape in shapes:
        if isinstance(shape, Blob):
            x, y = at(shape.x, shape.y)
            half = shape.width * across / 2, shape.height * down / 2
            corners = [x - half[0], y - half[1], x + half[0], y + half[1]]
            ends, edge = [c * SCALE for c in corners], round(1.5 * SCALE)
            if shape.box:
                pen.draw.rounded_rectangle(ends, 5 * SCALE, shape.fill, shape.outline, edge)
            else:
                pen.draw.ellipse(ends, shape.fill, shape.outline, edge)
    for shape in shapes:
        if isinstance(shape, Label):
            x, y = at(shape.x, shape.y)
            pen.write(
                x,
                y,
                shape.text,
                size=shape.size * inch / INCH,
                anchor={"center": "mm", "right": "rm"}.get(shape.align, "lm"),
                bold=shape.bold,
                colour=shape.colour,
                ground=shape.ground,
            )
