"""Colors and colormaps by the names that matplotlib has for them, as runs and tables of colours.

matplotlib itself is imported only for what neither CSS nor this module names.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from gdwidgets.core import checks
from gdwidgets.ui.plots import palette
from gdwidgets.ui.plots.shade import Table

DARK_PAPER = "#111111"
"""The ground of figures in JupyterLab's dark theme."""

READABLE = 4.5
"""The contrast that text needs (WCAG 2.2, success criterion 1.4.3)."""


def as_color(value: Any, name: str) -> str:
    """A color as ``#RRGGBB``: a CSS name, ``#RGB``, or what else matplotlib takes for one.

    Raises
    ------
    ValueError
        When it is no color.
    """
    if isinstance(value, str):
        try:
            return _hex(ImageColor.getrgb(value)[:3])
        except ValueError:
            pass  # "C0", "tab:blue" and the like
    from matplotlib.colors import to_rgb  # noqa: PLC0415 - an explorer does without

    try:
        rgb = to_rgb(value)
    except (ValueError, TypeError):
        raise ValueError(
            f"{name} must be a color such as 'blue' or '#0F6CBD', got {checks.shown(value)}"
        ) from None
    return _hex([round(255 * part) for part in rgb])


def as_colormap(value: Any, name: str) -> Any:
    """A colormap: ``"gray"``, or what else matplotlib takes for one; given back as it is.

    Raises
    ------
    ValueError
        When it is none.
    """
    table_of(value, name)
    return value


def table_of(colormap: Any, name: str = "cmap") -> Table:
    """A colormap's colours: called with n, gives them from the lowest value on, uint8 (n, 3).

    Raises
    ------
    ValueError
        When there is no such colormap.
    """
    if isinstance(colormap, str) and colormap in ("gray", "grey"):
        return gray
    import matplotlib as mpl  # noqa: PLC0415 - an explorer does without

    try:
        found = mpl.colormaps.get_cmap(colormap)
    except (ValueError, TypeError):
        near = checks.nearest(colormap, mpl.colormaps)
        raise ValueError(
            f"{name} must be one of matplotlib's colormaps, such as 'gray' or 'viridis', "
            f"got {checks.shown(colormap)}{near}"
        ) from None

    def table(size: int) -> NDArray[np.uint8]:
        colours: NDArray[np.uint8] = found(np.linspace(0, 1, size), bytes=True)[:, :3]
        return np.ascontiguousarray(colours)

    return table


def gray(size: int) -> NDArray[np.uint8]:
    """Black to white in equal steps, uint8 (n, 3)."""
    levels = np.linspace(0, 255, size).round().astype(np.uint8)
    return np.repeat(levels[:, None], 3, axis=1)


def run_of(color: str) -> palette.Run:
    """A run in a color, ``#RRGGBB``: lighter on a dark ground, and its name darker on a light one.

    Both only as far as they must be to be read there.
    """
    first = palette.RUNS[0]
    return palette.Run(
        colour=color,
        text=_readable(color, "#FFFFFF"),
        on_dark=_readable(color, DARK_PAPER),
        glyph=first.glyph,
        corners=first.corners,
    )


def _readable(color: str, ground: str) -> str:
    """A color, mixed with black or white until it can be read on a ground."""
    away = np.array([255.0] * 3 if _luminance(ground) < 0.5 else [0.0] * 3)
    own = palette.rgb(color).astype(np.float64)
    for part in np.linspace(0, 1, 41):
        mixed = _hex((own + part * (away - own)).round().astype(int))
        if _contrast(mixed, ground) >= READABLE:
            break
    return mixed


def _contrast(one: str, other: str) -> float:
    """Contrast of two colors as WCAG defines it, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    """Relative luminance of sRGB (IEC 61966-2-1), 0 to 1."""
    part = palette.rgb(color) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _hex(rgb: Any) -> str:
    red, green, blue = (int(part) for part in rgb)
    return f"#{red:02X}{green:02X}{blue:02X}"
