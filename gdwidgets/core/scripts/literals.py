"""Numbers and tensors as Python source: short, and exactly the float32 they stand for."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

WIDTH = 80
"""Columns a line of a script may have."""


def float32(value: Any) -> str:
    """The shortest decimal number that is this float32, such as ``0.1``; not finite: a call.

    The text is read as a float64 first; where that would round to another float32, all digits of
    the float64 are written.
    """
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if not math.isfinite(single):
        return f'float("{single}")'
    short = repr(float(str(single)))
    return short if np.float32(float(short)) == single else repr(float(single))


def short(value: Any) -> float:
    """The float whose text is `float32`'s: what a user typed, as far as a float32 remembers it."""
    return float(float32(value)) if math.isfinite(value) else float(value)


def settings() -> str:
    """What `torch.tensor` must be told for float32 on the CPU in the session as it is.

    Nothing in an ordinary session. Where the session's default dtype or device is another one,
    the keyword arguments that say so, with a comma before each.
    """
    text = "" if torch.get_default_dtype() is torch.float32 else ", dtype=torch.float32"
    return text + ("" if torch.get_default_device().type == "cpu" else ', device="cpu"')


def parameter(name: str, value: str) -> str:
    """The line that makes a parameter of a number's source text, tracked by autograd."""
    return f"{name} = torch.tensor({value}{settings()}, requires_grad=True)"


def vector(name: str, values: Sequence[Any]) -> list[str]:
    """The lines that make a tensor of float32 numbers, not wider than `WIDTH`."""
    numbers = ", ".join(map(float32, values))
    line = f"{name} = torch.tensor([{numbers}]{settings()})"
    if len(line) <= WIDTH:
        return [line]
    rows = textwrap.wrap(numbers, WIDTH - 4, break_long_words=False)
    return [f"{name} = torch.tensor([", *(f"    {row}" for row in rows), f"]{settings()})"]


def call(head: str, arguments: Sequence[str], *, indent: int = 0) -> list[str]:
    """``head(arguments)``, over as many lines as it takes to stay within `WIDTH`."""
    line = f"{head}({', '.join(arguments)})"
    if len(line) + indent <= WIDTH:
        return [line]
    inner = textwrap.wrap(
        ", ".join(arguments), WIDTH - 4 - indent, break_long_words=False, break_on_hyphens=False
    )
    return [f"{head}(", *(f"    {row}" for row in inner), ")"]


def fitted(lines: Sequence[str], *, indent: int = 0) -> list[str]:
    """Lines of source; a call that is too wide in its own right over several lines."""
    kept = []
    for line in lines:
        head, bracket, rest = line.partition("(")
        wide = len(line) + indent > WIDTH and bracket and rest.endswith(")")
        kept += call(head, rest[:-1].split(", "), indent=indent) if wide else [line]
    return kept


def comment(text: str) -> list[str]:
    """A comment within `WIDTH`."""
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def printing(pieces: Sequence[str], *, indent: int = 0) -> list[str]:
    """A ``print`` of one f-string, broken between pieces where it would be too wide.

    Parameters
    ----------
    pieces
        Parts of the f-string, without quotes; a line is broken only between two of them.
    indent
        Columns by which the lines will be indented.
    """
    rows, row = [], ""
    for piece in pieces:
        # print(f" before, ") after
        if row and len(row) + len(piece) + len('print(f"")') + indent > WIDTH:
            rows.append(row)
            row = ""
        row += piece
    rows.append(row)
    lines = [f'f"{row}"' if "{" in row else f'"{row}"' for row in rows]
    lines[0] = "print(" + lines[0]
    lines[1:] = [" " * len("print(") + line for line in lines[1:]]
    lines[-1] += ")"
    return lines
