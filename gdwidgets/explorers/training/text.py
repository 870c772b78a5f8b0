"""What the explorer of training loops says: the sentence and the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.ui import text
from gdwidgets.ui.plots import labels

NAME = 170.0
"""Width of a tensor's name in the sentence, which has two lines, in pixels."""

UNEVEN = 100.0
"""Ratio of two gradients of which the sentence speaks."""

TITLES = {
    "gradient": "norm of .grad",
    "update": "norm of the update",
    "ratio": "update ÷ gradient",
}


def waiting() -> str:
    """The sentence before a loop has been watched."""
    return (
        "**No loop has been watched yet.** Run your training loop inside "
        "`with explorer.watch() as mine:`, where `explorer` is this one, and see its loss and each "
        "layer's gradients and updates while it runs."
    )


def growing(step: int, loss: float) -> str:
    """The sentence while a loop runs."""
    return (
        f"Your loop runs: **step {step:,}, loss {text.number(loss)}**. Each curve on the right is "
        "one parameter tensor."
    )


def sentence(
    step: int, loss: float, names: Sequence[str], grads: NDArray[Any], *, last: int
) -> str:
    """Say how the loop stands at a step.

    Parameters
    ----------
    step
        The step.
    loss
        There.
    names
        Of the T tensors; parents that all of them share are left out.
    grads
        Norms of their gradients (T,).
    last
        The last step.
    """
    names = labels.cut_in_front(labels.without_parents(names), NAME)
    where = f"Step {step:,}{', the end' if step == last else ''}"
    lead = f"{where}: **loss = {text.number(loss)}**."
    if not math.isfinite(loss):
        return f"{lead} The loop has diverged: a smaller learning rate, or clipped gradients."
    gone = [name for name, norm in zip(names, grads, strict=True) if not math.isfinite(norm)]
    if gone:
        return f"{lead} The gradient of {gone[0]} is not finite."
    still = [name for name, norm in zip(names, grads, strict=True) if norm == 0]
    if still:
        more = f" and {len(still) - 1} more" if len(still) > 1 else ""
        return f"{lead} No gradient reaches **{still[0]}**{more}: it is exactly 0 in this step."
    if len(names) < 2:
        norm = text.number(float(grads[0]), 3) if len(names) else "0"
        return f"{lead} The norm of its gradient is {norm}."
    low, high = int(np.argmin(grads)), int(np.argmax(grads))
    ratio = float(grads[high] / grads[low])
    small, large = (text.number(float(grads[i]), 3) for i in (low, high))
    said = f"Gradients go from {small} ({names[low]}) to {large} ({names[high]})"
    times = text.number(ratio, 2)
    if ratio < UNEVEN:
        return f"{lead} {said}: {times} times as large."
    rest = "Their updates show what the rule makes of it."
    return f"{lead} {said}: **{times} times** as large. {rest}"


def table(rows: Sequence[tuple[str, tuple[int, ...], float, float, float]], step: int) -> str:
    """The tensors at a step as HTML: name, shape, norms of gradient and update, their ratio."""
    head = ("tensor", "shape", "norm of .grad", "norm of update", "update ÷ gradient")
    cells = [
        [name, " × ".join(map(str, shape)) or "number", *(text.number(v, 4) for v in values)]
        for name, shape, *values in rows
    ]
    said = f"Step {step:,}: Euclidean norms, of .grad after backward() and of the update after it."
    return text.html_paragraphs([said]) + text.html_table(head, cells, text_columns=(0, 1))
