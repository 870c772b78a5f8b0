"""How the values of a surface become colours, with a colour bar in its own units."""

from __future__ import annotations

import io
import math

import matplotlib as mpl
import matplotlib.image
import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gdwidgets.ui.plots import figures, palette
from gdwidgets.ui.text import number


class Shade:
    """How a surface's values become colours: by the logarithm of their height above the least.

    A surface whose least value is not known, such as a saddle, has no natural zero and is coloured
    linearly.

    Parameters
    ----------
    values
        The surface on a grid; what is not finite gets the colour of the highest value.
    least
        Its least value anywhere, where that is known.
    """

    def __init__(self, values: NDArray[np.float32], least: float | None) -> None:
        finite = values[np.isfinite(values)].astype(np.float64)
        self.low, self.high = float(finite.min()), float(finite.max())
        if self.high <= self.low:
            self.high = self.low + 1.0
        self.log = least is not None
        if least is not None:
            self.low = min(self.low, least)
        self.unit = 10.0 ** (math.floor(math.log10(self.high - self.low)) - 3)

    def share(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Values as shares of the colour range, 0 to 1."""
        height = np.nan_to_num(np.asarray(values, np.float64), nan=np.inf, posinf=np.inf) - self.low
        height = np.clip(height, 0.0, self.high - self.low)
        if not self.log:
            return height / (self.high - self.low)
        return np.log1p(height / self.unit) / math.log1p((self.high - self.low) / self.unit)

    def colours(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """RGBA of values, the shape of ``values`` with 4 appended."""
        low, high = palette.HEAT_RANGE
        return np.asarray(mpl.colormaps[palette.HEAT_MAP](low + (high - low) * self.share(values)))

    def ticks(self) -> list[float]:
        """Values for the colour bar, in the function's own units."""
        if not self.log:
            return self._round_values(6)
        powers = range(5)
        steps = [self.unit * 10.0**p for p in powers if self.unit * 10.0**p < self.high - self.low]
        return [self.low, *(self.low + s for s in steps[1:])]

    def _round_values(self, most: int) -> list[float]:
        values = MaxNLocator(nbins=most).tick_values(self.low, self.high)
        return [float(value) for value in values if self.low <= value <= self.high]

    def levels(self) -> list[float]:
        """Values at which contour lines are drawn."""
        if not self.log:
            return self._round_values(14)
        span = self.high - self.low
        return [
            self.low + m * self.unit * 10.0**p
            for p in range(1, 5)
            for m in (1.0, 2.0, 5.0)
            if m * self.unit * 10.0**p < span
        ]

    def bar(self, height: int) -> str:
        """A colour bar beside a figure of some height in pixels, as HTML."""
        margin = figures.MARGIN
        tall = height - margin["top"] - margin["bottom"]
        stops = np.linspace(0.0, 1.0, 12)
        low, high = palette.HEAT_RANGE
        colours = mpl.colormaps[palette.HEAT_MAP](low + (high - low) * stops)
        ramp = ",".join(mpl.colors.to_hex(c) for c in colours)
        marks = "".join(
            f"<span style='position:absolute;left:18px;bottom:{tall * share - 8:.1f}px;"
            f"line-height:16px;white-space:nowrap'>{number(tick, 3)}</span>"
            for tick, share in zip(self.ticks(), self.share(np.array(self.ticks())), strict=True)
        )
        return (
            f"<div style='position:relative;margin-top:{margin['top']}px;height:{tall}px;"
            "font-size:12px' role=img aria-label='colour bar, the value of the function'>"
            f"<div style='width:14px;height:100%;background:linear-gradient(to top,{ramp});"
            f"outline:1px solid var(--jp-border-color1,#bbb)'></div>{marks}</div>"
        )


def png(rgba: NDArray[np.floating]) -> bytes:
    """An RGBA image, first row at the bottom, as the bytes of a PNG."""
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, np.asarray(rgba), format="png", origin="lower")
    return buffer.getvalue()
