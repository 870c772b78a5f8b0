"""Which of a loop's numbers are which of an objective's parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from gdwidgets.core.diagnosis.evaluation import Evaluated, evaluated
from gdwidgets.core.diagnosis.losses import close, gradient_slack, loss_slack, one_factor
from gdwidgets.core.diagnosis.records import FLOAT32_EPS, Array, LoopRecord
from gdwidgets.core.objectives.protocol import Objective, SteppedObjective
from gdwidgets.core.objectives.regression import PolynomialRegression

_MOST_PERMUTED = 5
_LOOKED_AT = 8

Order = tuple[int, ...]


def aligned(
    record: LoopRecord, objective: Objective, start: Sequence[float] | None = None
) -> LoopRecord | None:
    """A loop's record with its numbers named and ordered as an objective's parameters.

    By names; else, where there are as many numbers as parameters (a vector, or the weight and bias
    of a layer), in the order that fits, see `_order`. ``None`` where the loop has other parameters.

    Parameters
    ----------
    record
        The loop's.
    objective
        Whose parameters are looked for.
    start
        Where the reference begins, P numbers, in case the losses do not tell the order.
    """
    names = tuple(objective.parameter_names)
    if record.count == 0:
        return None
    if set(names) <= set(record.names):
        return record.selected([record.names.index(name) for name in names], names)
    for first, last in _candidates(record, len(names)):
        return record.selected(_order(record, objective, start, first, last), names)
    return None


def _candidates(record: LoopRecord, count: int) -> Iterator[tuple[int, int]]:
    """Ranges of as many numbers as there are parameters: all of the loop's, or one tensor's."""
    if len(record.names) == count:
        yield 0, count
    fitting = [(first, last) for _, first, last in record.groups if last - first == count]
    if len(fitting) == 1:
        yield from fitting


def _order(
    record: LoopRecord,
    objective: Objective,
    start: Sequence[float] | None,
    first: int,
    last: int,
) -> Order:
    """The order in which a loop's numbers are an objective's parameters.

    That under which the recorded losses are the objective's, or the recorded gradients, times one
    factor at most. If there is none, because the loop has another loss, or several: that under
    which the loop begins where the reference does. Of several, a layer's bias is the constant term,
    and else they are as they come.
    """
    orders = _orders(record, first, last)
    fitting = _by_values(record, objective, orders)
    # The numbers of one vector are as they come, where their order makes no difference.
    separate = sum(first <= at < last for _, at, _ in record.groups) > 1
    if start is not None and (separate or not fitting):
        begun = [order for order in fitting or orders if begins_at(record, start, order)]
        fitting = begun or fitting
    fitting = fitting or orders
    by_name = _by_name(record, objective, first, last)
    return by_name if by_name in fitting else fitting[0]


def _orders(record: LoopRecord, first: int, last: int) -> list[Order]:
    """The orders to try, as they come first: of single numbers, or of whole tensors if many."""
    places = range(first, last)
    if len(places) <= _MOST_PERMUTED:
        return list(itertools.permutations(places))
    inside = [
        places[a - first : b - first] for _, a, b in record.groups if first <= a and b <= last
    ]
    if sum(map(len, inside)) != len(places) or len(inside) > _MOST_PERMUTED:
        return [tuple(places)]
    return [tuple(itertools.chain(*parts)) for parts in itertools.permutations(inside)]


def _by_values(record: LoopRecord, objective: Objective, orders: list[Order]) -> list[Order]:
    """Orders under which losses or gradients are the objective's, up to one factor."""
    if isinstance(objective, SteppedObjective) or len(orders) < 2:
        return []
    rows = np.unique(np.linspace(0, record.count - 1, _LOOKED_AT).astype(int))
    rows = rows[np.isfinite(record.params[rows]).all(axis=1) & np.isfinite(record.loss[rows])]
    if not len(rows):
        return []
    points = np.concatenate([record.params[rows][:, order] for order in orders])
    found = evaluated(objective, points, eps=record.eps, runs=len(orders))
    each = {
        order: found.rows(slice(at * len(rows), (at + 1) * len(rows)))
        for at, order in enumerate(orders)
    }
    fitting = [order for order in orders if _same_losses(record, rows, each[order])]
    alike = [order for order in fitting or orders if _alike(record, rows, order, each[order])]
    return alike or fitting


def _same_losses(record: LoopRecord, rows: Array, computed: Evaluated) -> bool:
    return bool(close(record.loss[rows], computed.loss, computed.loss_noise).all())


def _alike(record: LoopRecord, rows: Array, order: Order, computed: Evaluated) -> bool:
    """Whether gradients are the objective's times one factor; of a loop without any, losses."""
    part = record.rows(rows).selected(order, tuple(record.names[place] for place in order))
    own, slack = part.step_grad, gradient_slack(part, computed)
    known = np.isfinite(own) & np.isfinite(computed.grad) & np.isfinite(slack)
    if known.sum() > 1:
        return one_factor(own[known], computed.grad[known], slack[known]) is not None
    loss, true = part.loss, computed.loss
    usable = np.isfinite(true)
    if usable.sum() < 3:
        return False
    slack = loss_slack(true, computed.loss_noise)
    return one_factor(loss[usable], true[usable], slack[usable]) is not None


def begins_at(record: LoopRecord, start: Sequence[float], order: Order | None = None) -> bool:
    """Whether a loop begins at a start, but for rounding to its dtype."""
    due = np.asarray(start, dtype=np.float64)
    eps = max(record.eps, FLOAT32_EPS)
    first = record.params[0] if order is None else record.params[0][list(order)]
    near = np.abs(first - due) <= 4 * eps * np.abs(due) + 1e-44
    return bool(near.all())


def _by_name(record: LoopRecord, objective: Objective, first: int, last: int) -> Order:
    """As they come, but a layer's bias first where that is the constant term of a polynomial."""
    places = tuple(range(first, last))
    regression = getattr(objective, "regression", objective)
    biases = [
        at
        for name, at, end in record.groups
        if name.rpartition(".")[2] == "bias" and end - at == 1 and first <= at < last
    ]
    if not isinstance(regression, PolynomialRegression) or len(biases) != 1:
        return places
    return (biases[0], *(place for place in places if place != biases[0]))
