"""Where a text of a graph has room: near its node, on no other text, across as few lines as can be.

Lengths are in pixels; a rectangle is left, top, right, bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ACROSS_A_LINE = 4.0
TOO_NEAR = 1.5
LESS_WANTED = 0.1
"""What a spot costs: one that lies across a line, one near another text, and a later one."""

NEAR = np.array([-2.0, -7.0, 2.0, 7.0])
"""Room that a text has around it where it can."""

Spot = tuple[float, float]


@dataclass(frozen=True)
class Form:
    """A way to write something."""

    wide: float
    cost: float
    """How much less it is wanted than the best; a line across it costs 4."""


@dataclass(frozen=True)
class Ground:
    """What there is already."""

    taken: NDArray[np.float64]
    """Rectangles (n, 4) of nodes and texts, which nothing may cover."""

    own: NDArray[np.float64]
    """The rectangle (1, 4) of the node itself: its text may be near it, but not on it."""

    dots: NDArray[np.float64]
    """Points (m, 2) of the lines, close to each other."""

    ends: tuple[float, float]
    """The left and the right end of the picture."""


def best_spot(
    forms: Sequence[Form], spots: Callable[[float], Sequence[Spot]], high: float, ground: Ground
) -> tuple[int, Spot] | None:
    """The best of several ways to write something, and the middle of its text.

    Parameters
    ----------
    forms
        The ways.
    spots
        Where a text of some width may stand, the best first.
    high
        Height of the text.
    ground
        What there is already.

    Returns
    -------
    Which form and its place; None where none has room.
    """
    found: tuple[float, int, Spot] | None = None
    covered = np.concatenate([ground.taken, ground.own])
    for index, form in enumerate(forms):
        for order, (x, y) in enumerate(spots(form.wide)):
            cost = form.cost + LESS_WANTED * order
            if found is not None and cost >= found[0]:
                continue
            box = rectangles(x, y, form.wide, high)
            if box[0, 0] < ground.ends[0] or box[0, 2] > ground.ends[1]:
                continue
            if overlap(box, covered).any():
                continue
            cost += TOO_NEAR * bool(overlap(box + NEAR, ground.taken).any())
            cost += ACROSS_A_LINE * bool(across(box, ground.dots)[0])
            if found is None or cost < found[0]:
                found = cost, index, (x, y)
    return None if found is None else found[1:]


def rectangles(x: ArrayLike, y: ArrayLike, wide: ArrayLike, high: ArrayLike) -> NDArray[np.float64]:
    """Rectangles (n, 4) around middles."""
    x, y, a, b = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, np.float64)) for v in (x, y, wide, high))
    )
    return np.stack([x - a / 2, y - b / 2, x + a / 2, y + b / 2], axis=-1)


def overlap(some: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """By how many square pixels each of some rectangles covers each of others, (m, n)."""
    left = np.maximum(some[:, None, 0], others[None, :, 0])
    top = np.maximum(some[:, None, 1], others[None, :, 1])
    right = np.minimum(some[:, None, 2], others[None, :, 2])
    bottom = np.minimum(some[:, None, 3], others[None, :, 3])
    return np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)


def across(boxes: NDArray[np.float64], dots: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of rectangles (n, 4) lie across lines, given as points (m, 2) close to each other."""
    left, top, right, bottom = boxes.T[:, :, None]
    x, y = dots.T
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    found: NDArray[np.bool_] = inside.any(axis=1)
    return found


def dotted(line: NDArray[np.float64], apart: float = 3.0) -> NDArray[np.float64]:
    """Points (m, 2) along a line, no further apart than this."""
    lengths = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0.0, along[-1], int(along[-1] / apart) + 2)
    return np.stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])], axis=1)
