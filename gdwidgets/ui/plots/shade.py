"""How the values of a surface become colours, contour levels and a colour bar in its own units."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gdwidgets.ui.plots import palette, ticks
from gdwidgets.ui.text import number

QUANTILES = 129
"""Points at which the distribution of a surface's values is kept."""

LEVELS = 15
"""Contour lines divide the colour scale into so many equal parts."""


Table = Callable[[int], NDArray[np.uint8]]


class Shade:
    """How a surface's values become colours: a scale spread by the surface's own values.

    A colour stands half for the logarithm of the height above the minimum and half for the part of
    the map that lies lower. The logarithm alone leaves a surface of many local minima, such as
    Ackley's, in one colour; the rank alone shows no depth. Where the minimum is not known, as for a
    saddle, there is no natural zero, and the height itself takes the logarithm's place.

    Parameters
    ----------
    values
        The surface on a grid; what is not finite gets the colour of the highest value.
    lowest
        Its minimum, where that is known.
    table
        Gives the colours of the scale, the lowest first: called with n, uint8 (n, 3).
    """

    def __init__(
        self,
        values: NDArray[np.floating],
        lowest: float | None,
        table: Table = palette.heat_table,
    ) -> None:
        self.table = table
        finite = values[np.isfinite(values)].astype(np.float64)
        finite = finite if finite.size else np.array([0.0, 1.0])
        self.low, self.high = float(finite.min()), float(finite.max())
        if self.high <= self.low:
            self.high = self.low + (abs(self.low) * 1e-6 or 1.0)
        self.log = lowest is not None
        if lowest is not None:
            self.low = min(self.low, lowest)
        span = self.high - self.low
        self._unit = 10.0 ** (math.floor(math.log10(span)) - 3)
        at = np.linspace(0.0, 1.0, QUANTILES)
        ranked = np.quantile(finite, at)
        # More nodes where values are few, so that the blend is smooth from the minimum on.
        geometric = self.low + span * np.append(0.0, np.geomspace(1e-6, 1.0, QUANTILES))
        knots = np.unique(np.concatenate((ranked, geometric, self.low + span * at)))
        places, first = np.unique(ranked, return_index=True)
        last = QUANTILES - 1 - np.unique(ranked[::-1], return_index=True)[1]
        # A plateau, a value that many points have, counts as lower by half of itself.
        rank = np.interp(knots, places, 0.5 * (at[first] + at[last]))
        height = knots - self.low
        if self.log:
            smooth = np.log1p(height / self._unit) / math.log1p(span / self._unit)
        else:
            smooth = height / span
        blend = 0.5 * smooth + 0.5 * rank
        self._knots = knots
        self._place = (blend - blend[0]) / (blend[-1] - blend[0])

    def place(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where values stand on the colour scale, 0 to 1; increasing in the value."""
        height = np.nan_to_num(np.asarray(values, np.float64), nan=np.inf, posinf=np.inf)
        return np.interp(height, self._knots, self._place)

    def value(self, places: NDArray[np.floating]) -> NDArray[np.float64]:
        """The values that stand at places of the colour scale."""
        return np.interp(places, self._place, self._knots)

    def colours(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Red, green, blue, opacity of values, uint8, the shape of ``values`` with 4 appended."""
        table = self.table(256)
        rgb = table[(self.place(values) * (len(table) - 1)).round().astype(np.int64)]
        return np.concatenate((rgb, np.full((*rgb.shape[:-1], 1), 255, np.uint8)), axis=-1)

    def picture(self, values: NDArray[np.floating]) -> bytes:
        """Values (rows, columns), lowest row first, as the bytes of a PNG."""
        index = (self.place(values) * 255).round().astype(np.uint8)
        return indexed_png(index, self.table(256))

    def levels(self) -> list[float]:
        """Values at which contour lines are drawn: equal steps of colour."""
        return [float(value) for value in self.value(np.arange(1, LEVELS) / LEVELS)]

    def ticks(self, most: int = 6) -> list[float]:
        """Round values for the colour bar, in the function's own units, well apart on it."""
        span = self.high - self.low
        found: list[float] = []
        places: list[float] = []
        exponents = range(math.floor(math.log10(span)), math.floor(math.log10(span)) - 4, -1)
        steps = [float(f"{digit}e{power}") for power in exponents for digit in (5, 2, 1)]
        candidates = [self.low, *steps, *(-step for step in steps)]
        candidates += ticks.linear_ticks(self.low, self.high, 4)
        for value in candidates:
            if not self.low <= value <= self.high:
                continue
            place = float(self.place(np.array(value)))
            if all(abs(place - other) >= 0.9 / most for other in places):
                found.append(value)
                places.append(place)
        return sorted(found)

    def bar(self, height: int, top: int = 12, bottom: int = 44) -> str:
        """A colour bar beside a figure of some height in pixels, as HTML."""
        tall = height - top - bottom
        ramp = ",".join(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in self.table(17))
        marks = "".join(
            f"<span style='bottom:{tall * float(self.place(np.array(tick))) - 8:.0f}px'>"
            f"{number(tick, 3)}</span>"
            for tick in self.ticks()
        )
        return (
            f"<div class=gdw-bar style='margin-top:{top}px;height:{tall}px' role=img "
            f"aria-label='colour bar, the value of the function, from {number(self.low, 3)} "
            f"to {number(self.high, 3)}'>"
            f"<i style='background:linear-gradient(to top,{ramp})'></i>{marks}</div>"
        )


def png(rgba: NDArray[np.integer] | NDArray[np.floating]) -> bytes:
    """An image (rows, columns, 4), first row at the bottom, as the bytes of a PNG.

    Integers from 0 to 255, or floats from 0 to 1.
    """
    array = np.asarray(rgba)
    if array.dtype.kind == "f":
        array = (np.clip(array, 0, 1) * 255).round()
    return _png(array.astype(np.uint8).reshape(len(array), -1), array.shape[1], 6)


def indexed_png(index: NDArray[np.uint8], table: NDArray[np.uint8]) -> bytes:
    """Numbers (rows, columns) of colours in a table (256, 3), first row at the bottom, as a PNG."""
    return _png(index, index.shape[1], 3, table.tobytes())


def _png(rows: NDArray[np.uint8], width: int, kind: int, table: bytes = b"") -> bytes:
    """Bytes of a PNG (ISO/IEC 15948) of 8 bits a sample, of a colour type: 3 or 6."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    height = len(rows)
    # Each line begins with its filter: none.
    lines = np.concatenate((np.zeros((height, 1), np.uint8), rows[::-1]), axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header)]
    if table:
        parts.append(chunk(b"PLTE", table))
    parts += [chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
