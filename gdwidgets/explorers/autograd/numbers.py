"""Tensors in few characters: for a label, a sentence, a table."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from gdwidgets.ui.text import MINUS, number, power_of_ten

MOST_SHOWN = 4
"""Rows and columns of a tensor that are written out."""


def shape(tensor: Tensor) -> str:
    """A tensor's shape: ``1×2``, ``3``, or ``scalar`` for a number without dimensions."""
    return "×".join(str(size) for size in tensor.shape) or "scalar"


def brief(tensor: Tensor | None, digits: int = 4, most: int = 3) -> str:
    """A tensor in few characters: its number, its numbers, or its shape."""
    if tensor is None:
        return ""
    if tensor.numel() == 1:
        return number(float(tensor), digits)
    if 0 < tensor.numel() <= most:
        return "[" + ", ".join(number(float(v), digits) for v in tensor.flatten()) + "]"
    return shape(tensor)


def fitting(
    tensor: Tensor | None, fits: Callable[[str], bool], most: int = 6, least: int = 1
) -> tuple[str, bool]:
    """A tensor with as many digits as there is room for.

    Parameters
    ----------
    tensor
        The tensor.
    fits
        Whether there is room for a text.
    most
        Numbers that are written out.
    least
        Digits that a number has at least; several numbers have 2.

    Returns
    -------
    The text, and whether it is a shape because the numbers do not fit; ``…`` where nothing does.
    """
    if tensor is None:
        return "", False
    one = tensor.numel() == 1
    if 0 < tensor.numel() <= most:
        for digits in range(4, (least if one else 2) - 1, -1):
            text = brief(tensor, digits, most)
            if fits(text):
                return text, False
    if one and fits(short := _power(float(tensor))):
        return short, False
    if one or not fits(shape(tensor)):
        return "…", not one
    return shape(tensor), True


def _power(value: float) -> str:
    """A number as a figure and a power of ten, the shortest way to write a small or large one."""
    if value == 0 or not math.isfinite(value):
        return number(value)
    figure, exponent = f"{value:.0e}".split("e")
    return f"{figure.replace('-', MINUS)}·{power_of_ten(int(exponent))}"


def said(tensor: Tensor | None) -> str:
    """A tensor in a sentence: up to six numbers with six digits, or its shape."""
    many = tensor is not None and not 0 < tensor.numel() <= 6
    return f"a tensor of shape {brief(tensor, most=0)}" if many else brief(tensor, 6, 6)


def plainly(tensor: Tensor, digits: int = 4) -> str:
    """A tensor beside its shape: a number, a list where one dimension will do, or nested lists."""
    if tensor.numel() == 1:
        return number(float(tensor), digits)
    flat = tensor.numel() == max(tensor.shape)
    return written(tensor.flatten() if flat else tensor, digits)


def written(tensor: Tensor, digits: int = 4) -> str:
    """A tensor as nested lists, of at most 4 × 4 numbers."""

    def nested(values: Tensor) -> str:
        if values.dim() == 0:
            return number(float(values), digits)
        inner = [nested(part) for part in values[:MOST_SHOWN]]
        if len(values) > MOST_SHOWN:
            inner.append("…")
        joint = ",\n " if values.dim() > 1 and max(values.shape[1:], default=0) > 1 else ", "
        return "[" + joint.join(part.replace("\n", "\n ") for part in inner) + "]"

    return nested(tensor)
