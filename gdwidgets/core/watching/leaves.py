"""The leaf tensors of a loss: where its graph's gradients are accumulated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor


def leaves_of(roots: Iterable[Tensor]) -> list[Tensor]:
    """The leaves that ``backward()`` of ``roots`` would give gradients to, in a fixed order.

    The order follows from the graph alone: the same code gives the same order in every step.
    """
    found: list[Tensor] = []
    waiting: list[Any] = [root.grad_fn for root in roots if root.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        following = node.next_functions
        if not following:
            variable = getattr(node, "variable", None)  # only where gradients are accumulated
            if variable is not None:
                found.append(variable)
            continue
        for other, _ in following:
            if other is not None and other not in seen:
                seen.add(other)
                waiting.append(other)
    return found
