"""Tensors and long lines as Python text, for scripts that a person reads."""

from __future__ import annotations

import builtins
import keyword
import math
from collections.abc import Container
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core.scripts.literals import WIDTH

MOST_LITERAL = 1_000
"""Numbers of a tensor that can be written out."""


def literal(tensor: Tensor) -> str:
    """A tensor's numbers as Python, short and exact.

    Raises
    ------
    ValueError
        When there are more than 1,000, or they are complex.
    """
    if tensor.numel() > MOST_LITERAL:
        raise ValueError(
            f"a tensor of {tensor.numel()} numbers is too large to be written out in code: "
            f"at most {MOST_LITERAL}"
        )
    if tensor.is_complex():
        raise ValueError("complex numbers cannot be written out in code")
    exact = np.float64 if tensor.dtype == torch.float64 else np.float32

    def one(value: Any) -> str:
        if isinstance(value, (bool, int)):
            return str(value)
        if not math.isfinite(value):
            return f'float("{value}")'
        return repr(float(str(exact(value))))

    def nested(values: Any) -> str:
        if isinstance(values, list):
            return "[" + ", ".join(nested(value) for value in values) + "]"
        return one(values)

    return nested(tensor.tolist())


def tensor_literal(tensor: Tensor, *, requires_grad: bool = False) -> str:
    """``torch.tensor(...)`` with the tensor's numbers and dtype, in a session of default float32.

    Raises
    ------
    ValueError
        As `literal` does.
    """
    tracked = ", requires_grad=True" if requires_grad else ""
    if tensor.numel() == 0:
        return f"torch.empty({tuple(tensor.shape)}, dtype={tensor.dtype}{tracked})"
    usual = tensor.dtype in {torch.float32, torch.int64, torch.bool}
    return f"torch.tensor({literal(tensor)}{'' if usual else f', dtype={tensor.dtype}'}{tracked})"


def free_name(base: str, taken: Container[str]) -> str:
    """A name like ``base`` that is a Python name, hides no builtin, and is not taken."""
    name = base if base.isidentifier() else "value"
    if keyword.iskeyword(name) or hasattr(builtins, name):
        name += "_"
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def wrapped(line: str, indent: int = 0) -> list[str]:
    """A statement in lines of at most 80 columns, broken inside its brackets.

    What stands in brackets goes into lines of its own: plain numbers and names as many to a line as
    fit, anything else one to a line. A line that has no brackets stays as it is.
    """
    space = " " * indent
    if indent + len(line) <= WIDTH:
        return [space + line]
    pair = _outer_brackets(line)
    if pair is None:
        return [space + line]
    opened, closed = pair
    items = _split(line[opened + 1 : closed])
    lines = [space + line[: opened + 1]]
    if any(mark in item for item in items for mark in "([{"):
        for item in items:
            lines += wrapped(f"{item}," if len(items) > 1 else item, indent + 4)
    else:
        lines += _filled(items, indent + 4)
    tail = line[closed:]
    return [*lines, *(wrapped(tail, indent) if len(tail) > 1 else [space + tail])]


def _filled(items: list[str], indent: int) -> list[str]:
    lines = [" " * indent]
    for item in items:
        part = f"{item}," if len(items) > 1 else item
        gap = "" if lines[-1].isspace() else " "
        if len(lines[-1]) + len(gap) + len(part) > WIDTH and not lines[-1].isspace():
            lines.append(" " * indent)
            gap = ""
        lines[-1] += gap + part
    return lines


def _levels(text: str) -> list[tuple[int, str, int]]:
    """Places of brackets and commas outside of strings, with their depth (brackets: the outer)."""
    found, depth, quote = [], 0, ""
    for place, mark in enumerate(text):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark in "([{":
            found.append((place, mark, depth))
            depth += 1
        elif mark in ")]}":
            depth -= 1
            found.append((place, mark, depth))
        elif mark == ",":
            found.append((place, mark, depth))
    return found


def _outer_brackets(text: str) -> tuple[int, int] | None:
    """The longest pair of brackets that stands in no other."""
    ends = [place for place, mark, depth in _levels(text) if depth == 0 and mark != ","]
    pairs = [(a, b) for a, b in zip(ends[::2], ends[1::2], strict=False) if b > a + 1]
    return max(pairs, key=lambda pair: pair[1] - pair[0], default=None)


def _split(text: str) -> list[str]:
    """What stands between the commas that are in no brackets."""
    ends = [place for place, mark, depth in _levels(text) if mark == "," and depth == 0]
    starts = [0, *(end + 1 for end in ends)]
    parts = [text[a:b].strip() for a, b in zip(starts, [*ends, len(text)], strict=True)]
    return [part for part in parts if part]
