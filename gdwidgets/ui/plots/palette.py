"""One palette for all explorers: a colour and a marker have one meaning everywhere.

Runs are told apart by colour and by marker. The colours of the first four lie near Okabe and Ito's
(Color Universal Design, 2008); all eight were chosen so that any two differ by a CIEDE2000 distance
of 12 or more in ordinary sight and in the three dichromacies as Machado, Oliveira and Fernandes
simulate them (2009), and the first four also in lightness, for greyscale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Run:
    """How one run is shown.

    Attributes
    ----------
    colour
        Of its lines and markers, on a light ground and on the map.
    text
        Of its name on a light ground: the same hue at a contrast of 4.5 or more to white.
    on_dark
        Of lines, markers and names on a dark ground.
    glyph
        Its marker, as a character.
    corners
        Its marker as a closed polygon, (m, 2), about (0, 0), of radius about 1, y upwards.
    """

    colour: str
    text: str
    on_dark: str
    glyph: str
    corners: tuple[tuple[float, float], ...]


def _ring(count: int, turn: float, radii: tuple[float, ...] = (1.0,)) -> list[tuple[float, float]]:
    """A closed polygon of ``count`` corners, the first at an angle of ``turn`` degrees."""
    angles = [math.radians(turn + 360 * i / count) for i in range(count + 1)]
    sizes = [radii[i % len(radii)] for i in range(count + 1)]
    return [(r * math.cos(a), r * math.sin(a)) for r, a in zip(sizes, angles, strict=True)]


def _plus(turn: float = 0.0) -> list[tuple[float, float]]:
    """A closed cross, turned by an angle in degrees."""
    near, far = 0.36, 1.05
    quarter = [(far, -near), (far, near), (near, near)]
    points = []
    for _ in range(4):
        points += quarter
        quarter = [(-y, x) for x, y in quarter]
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    points = [(x * cos - y * sin, x * sin + y * cos) for x, y in points]
    return [*points, points[0]]


_CIRCLE = _ring(16, 0)
_HALF = [*_ring(16, 90)[:9], (0.0, 1.0)]

RUNS = (
    Run("#D55E00", "#B85000", "#EF7D2D", "●", tuple(_CIRCLE)),
    Run("#0F6CBD", "#0F6CBD", "#4C94F5", "▲", tuple(_ring(3, 90, (1.3,)))),
    Run("#03A67F", "#007A5C", "#5FEBC0", "■", tuple(_ring(4, 45, (1.25,)))),
    Run("#662268", "#662268", "#C55CC0", "◆", tuple(_ring(4, 90, (1.35,)))),
    Run("#BC72FF", "#8A3FD1", "#E3C6FF", "▼", tuple(_ring(3, -90, (1.3,)))),
    Run("#285000", "#285000", "#B9CC52", "★", tuple(_ring(10, 90, (1.4, 0.6)))),
    Run("#7984A8", "#5A658C", "#A3ADCF", "✚", tuple(_plus())),
    Run("#576D61", "#4B5F54", "#7F9A8C", "◐", tuple(_HALF)),
)
"""How runs are shown, in the order in which they are added; there are never more lanes."""

OWN = -1
"""The number of the learner's own loop, whatever other runs there are."""

OWN_RUN = Run("#80003C", "#80003C", "#FF337E", "✖", tuple(_plus(45)))
"""How the learner's own loop is shown."""

INK = "#1B1F24"
"""Closed form, minima, theory, outlines. In a dark theme the style sheet turns it light."""

GHOST = "#6B7280"
"""Pinned runs."""

HALO = "#FFFFFE"
"""A line under a path, wider than it: the style sheet knows it by this colour."""

GRADIENT, VELOCITY = "#1B1F26", "#8A005C"
"""Arrows of what makes an update: what its gradient makes, and what its velocity adds."""

OUTLINE = "#FFFFFD"
"""The thin outline of a marker."""

PAPER = "#FEFEFD"
"""The ground of a figure; in a dark theme the style sheet turns it dark."""

GRID = "#1B1F26"
"""Grid lines, almost transparent: they lie above the curves and must not cut them."""

TITLE = "#1B1F25"
"""Texts beside a map, which follow the theme where those on it do not."""

HEAT = (
    "#FBFEF3",
    "#E3F4DE",
    "#BFE6CE",
    "#8CCFC3",
    "#57B0BE",
    "#3A8DB0",
    "#2F6A9A",
    "#2B497B",
    "#233058",
)
"""Colours of a surface from its lowest value to its highest, in equal steps of the scale."""

TINTS = (
    "#F6E3C5",
    "#CFE0F7",
    "#D9EFC9",
    "#EBD3EE",
    "#FBF3B4",
    "#C6EDEA",
    "#F8D3CC",
    "#DDD9F6",
    "#E8E0D2",
    "#C9E4D4",
    "#F3D3E2",
    "#E3ECB9",
)
"""Basins: pale, never the colour of a run; numbers in the plot name them, so they may repeat."""

NO_MINIMUM = "#F2F2F0"
OTHER_MINIMA = "#C3CAD3"
"""Basins of minima that have no number."""

DIVERGED = "#8C8F94"


def run(index: int | Run) -> Run:
    """How the run with a number is shown; numbers beyond the eighth begin anew.

    `OWN` is the number of the learner's own loop. A `Run` stands for itself: see `named`.
    """
    if isinstance(index, Run):
        return index
    return OWN_RUN if index == OWN else RUNS[index % len(RUNS)]


def tint(index: int) -> str:
    """The colour of the basin with a number, from 0."""
    return TINTS[index % len(TINTS)]


def rgb(colour: str) -> NDArray[np.uint8]:
    """Red, green and blue of ``#RRGGBB``, uint8 (3,)."""
    return np.frombuffer(bytes.fromhex(colour.removeprefix("#")), np.uint8)


def heat_table(size: int = 256) -> NDArray[np.uint8]:
    """The heat map's colours, uint8 (size, 3), low first."""
    stops = np.stack([rgb(colour) for colour in HEAT]).astype(np.float64)
    at = np.linspace(0, len(HEAT) - 1, size)
    channels = [np.interp(at, np.arange(len(HEAT)), stops[:, i]) for i in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)
