"""What goes to a mark: new arrays in one message, pictures, and lines of unequal lengths."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from weakref import WeakKeyDictionary

import bqplot as bq
import numpy as np
from ipywidgets import Image, Widget
from numpy.typing import NDArray

from gdwidgets.ui.plots import shade

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


def clear_picture() -> Image:
    """A picture through which everything is seen."""
    return Image(value=shade.png(np.zeros((2, 2, 4), np.uint8)), format="png")


def write(widget: Widget, **values: Any) -> None:
    """Set several traits of a widget in one message; an array always travels as a new one."""
    with ExitStack() as stack:
        stack.enter_context(widget.hold_sync())
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                # bqplot sends a view of the array, which another thread reads later.
                setattr(widget, name, np.array(value, order="C"))
            else:
                setattr(widget, name, value)


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
