"""Which of a loop's numbers are which of an objective's parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from gdwidgets.core.diagnosis.evaluation import evaluated
from gdwidgets.core.diagnosis.records import LoopRecord
from gdwidgets.core.objectives.protocol import Objective, SteppedObjective

_MOST_PERMUTED = 5
_LOOKED_AT = 8


def aligned(record: LoopRecord, objective: Objective) -> LoopRecord | None:
    """A loop's record with its numbers named and ordered as an objective's parameters.

    By names; else, where there are as many numbers as parameters (a vector, or the weight and bias
    of a layer), in the order under which the recorded losses are the objective's, or as they come.
    ``None`` where the loop has other parameters.
    """
    names = tuple(objective.parameter_names)
    if record.count == 0:
        return None
    if set(names) <= set(record.names):
        return record.selected([record.names.index(name) for name in names], names)
    for first, last in _candidates(record, len(names)):
        return record.selected(_order(record, objective, first, last), names)
    return None


def _candidates(record: LoopRecord, count: int) -> Iterator[tuple[int, int]]:
    """Ranges of as many numbers as there are parameters: all of the loop's, or one tensor's."""
    if len(record.names) == count:
        yield 0, count
    fitting = [(first, last) for _, first, last in record.groups if last - first == count]
    if len(fitting) == 1:
        yield from fitting


def _order(record: LoopRecord, objective: Objective, first: int, last: int) -> list[int]:
    places = list(range(first, last))
    if len(places) > _MOST_PERMUTED or isinstance(objective, SteppedObjective):
        return places
    rows = np.unique(np.linspace(0, record.count - 1, _LOOKED_AT).astype(int))
    rows = rows[np.isfinite(record.params[rows]).all(axis=1) & np.isfinite(record.loss[rows])]
    if not len(rows):
        return places
    orders = [list(order) for order in itertools.permutations(places)]
    points = np.concatenate([record.params[rows][:, order] for order in orders])
    found = evaluated(objective, points)
    wrong = np.abs(found.loss.reshape(len(orders), -1) - record.loss[rows])
    close = wrong <= 1e-4 * np.abs(record.loss[rows]) + 64 * found.loss_noise.reshape(wrong.shape)
    best = int(close.sum(axis=1).argmax())  # the first of equals: as they come
    return orders[best] if close[best].all() else places
