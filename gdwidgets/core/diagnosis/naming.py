"""What a loop's numbers are called in a sentence, and in a line of code for that loop."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gdwidgets.core.diagnosis.findings import listed, number, point
from gdwidgets.core.diagnosis.records import LoopRecord

MOST_LISTED = 6
"""Names, or numbers, that are listed one by one."""

_VARIABLE = re.compile(r"[^\W\d]\w*(\[\d+\])*")


def tensors(record: LoopRecord, names: Iterable[str]) -> list[str]:
    """Names of numbers, the tensor's own where all of its numbers are among them."""
    places = sorted(record.names.index(name) for name in names)
    found: dict[str, None] = {}
    for place in places:
        whole = (
            name
            for name, first, last in record.groups
            if first <= place < last and set(range(first, last)) <= set(places)
        )
        found[next(whole, record.names[place])] = None
    return list(found)


def short(names: Sequence[str]) -> str:
    """Names in a sentence, the first of them where there are many."""
    if len(names) <= MOST_LISTED:
        return listed(names)
    return f"{', '.join(names[: MOST_LISTED - 2])} and {len(names) - MOST_LISTED + 2} others"


def held(values: Any, many: str) -> str:
    """Numbers in a sentence; of many their norm after ``many``: “gradients of norm 3”."""
    values = np.ravel(values)
    if len(values) <= MOST_LISTED:
        return point(values)
    return f"{many} {number(float(np.linalg.norm(values)))}"


def by_rates(record: LoopRecord, rates: Mapping[str, float], texts: Mapping[str, str]) -> str:
    """“u by 0.1 × its gradient and v by 0.2 × its gradient”, those with the same rate together.

    ``texts`` are the rates as they are written.
    """
    alike: dict[str, list[str]] = {}
    for name in rates:
        alike.setdefault(texts[name], []).append(name)
    parts = []
    for text, names in alike.items():
        shown = tensors(record, names)
        parts.append(f"{short(shown)} by {text} × {'its' if len(shown) == 1 else 'their'} gradient")
    return listed(parts)


def variable(record: LoopRecord, name: str) -> str:
    """The loop's own variable that holds a number; empty for a module's parameter."""
    names = record.variables or record.names
    found = names[record.names.index(name)]
    return found if _VARIABLE.fullmatch(found) else ""


def update_line(record: LoopRecord, name: str, rate: str = "learning_rate") -> str:
    """The update of plain descent as a line of code with the loop's own names."""
    own = variable(record, name)
    if own:
        return f"`{own} -= {rate} * {own}.grad`"
    return f"`p -= {rate} * p.grad` for every parameter `p`"


def clearing_line(record: LoopRecord, name: str) -> str:
    """The clearing of a gradient as a line of code with the loop's own names."""
    own = variable(record, name)
    return f"`{own}.grad = None`" if own else "`p.grad = None` for every parameter `p`"
