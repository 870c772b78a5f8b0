"""How a loop's losses and gradients relate to those of the reference's objective."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from gdwidgets.core.diagnosis.evaluation import Evaluated, evaluated
from gdwidgets.core.diagnosis.records import FLOAT32_EPS, Array, LoopRecord
from gdwidgets.core.objectives.protocol import Objective, SteppedObjective

_NOISE = 64.0
"""How many times the estimated rounding error is let pass: formulas may be written in many ways."""


@dataclass(frozen=True)
class Relation:
    """Of loss and gradient to the objective's.

    ``kind`` is one of: ``"unknown"``, ``"same"``, ``"factor"`` (both are the objective's times
    one), ``"gradient factor"`` (the gradient alone), ``"stale"`` (both are those of the point one
    update earlier), ``"swapped"`` (those of the point with its numbers interchanged), ``"offset"``
    (the loss differs by a constant), ``"gradient"`` (the gradient alone differs), ``"loss"``.
    """

    kind: str
    factor: float = 1.0
    step: int = 0
    """The record that differs first."""
    place: int = 0
    """For ``"gradient"``: the number whose gradient differs first."""
    order: tuple[int, ...] = ()
    """For ``"swapped"``."""
    value: float = 0.0
    expected: float = 0.0
    """The two values where they differ first."""


def relation(record: LoopRecord, objective: Objective, computed: Evaluated) -> Relation:
    """Compare recorded losses and gradients with the objective's at the same points."""
    own = record.step_grad
    with np.errstate(over="ignore", invalid="ignore"):
        usable = (
            np.isfinite(record.loss) & np.isfinite(computed.loss) & np.isfinite(computed.loss_noise)
        )
        usable &= np.isfinite(record.loss.astype(np.float32))
    if not usable.any():
        return Relation("unknown")
    loss, true = record.loss[usable], computed.loss[usable]
    noise, number = computed.loss_noise[usable], record.number[usable]
    wrong = ~close(loss, true, noise)
    if not wrong.any():
        return _of_gradients(record, computed, own)
    if isinstance(objective, SteppedObjective):
        return Relation("unknown")  # the loop may deal out its batches in another order
    first = int(wrong.argmax())
    seen = Relation(
        "loss", step=int(number[first]), value=float(loss[first]), expected=float(true[first])
    )
    return _of_losses(record, objective, computed, usable, seen)


def _of_losses(
    record: LoopRecord, objective: Objective, computed: Evaluated, usable: Array, seen: Relation
) -> Relation:
    """What the losses are instead, where they are not the objective's."""
    if _is_stale(record, computed):
        return replace(seen, kind="stale", step=1)
    factor = _factor(record, computed, usable)
    if factor is not None:
        return replace(seen, kind="factor", factor=factor)
    order = _interchanged(record, objective)
    if order:
        return replace(seen, kind="swapped", order=order)
    loss, true, noise = (part[usable] for part in (record.loss, computed.loss, computed.loss_noise))
    offset = float(np.median(loss - true))
    near = close(loss - offset, true, noise + 8 * FLOAT32_EPS * abs(offset))
    gradients = _of_gradients(record, computed, record.step_grad)
    if len(loss) > 1 and near.all() and gradients.kind == "same":
        return replace(seen, kind="offset")
    return seen


def close(value: Array, true: Array, noise: Array) -> Array:
    """Which losses are equal but for rounding."""
    size = np.fmax(np.abs(value), np.abs(true))
    close: Array = np.abs(value - true) <= 1e-4 * size + _NOISE * noise
    return close


def loss_slack(true: Array, noise: Array) -> Array:
    """How far a loss may be from a multiple of the objective's."""
    slack: Array = 1e-4 * np.abs(true) + _NOISE * noise
    return slack


def gradient_slack(record: LoopRecord, computed: Evaluated) -> Array:
    """How far recorded step gradients may be from the objective's, (n, P)."""
    largest = np.abs(computed.grad).max(axis=1, keepdims=True)
    # A step's gradient is the difference of two buffers where these were not empty.
    rounding = 4 * max(record.eps, FLOAT32_EPS) * (np.abs(record.before) + np.abs(record.grad))
    rounding[record.before == 0] = 0
    slack: Array = 1e-3 * largest + _NOISE * computed.grad_noise + rounding
    return slack


def _of_gradients(record: LoopRecord, computed: Evaluated, own: Array) -> Relation:
    with np.errstate(over="ignore", invalid="ignore"):
        slack = gradient_slack(record, computed)
        usable = np.isfinite(own) & np.isfinite(computed.grad) & np.isfinite(slack)
        wrong = usable & (np.abs(own - computed.grad) > slack)
    if not wrong.any():
        return Relation("same")
    row = int(wrong.any(axis=1).argmax())
    place = int(wrong[row].argmax())
    seen = Relation(
        "gradient",
        step=int(record.number[row]),
        place=place,
        value=float(own[row, place]),
        expected=float(computed.grad[row, place]),
    )
    factor = one_factor(own[usable], computed.grad[usable], slack[usable])
    if factor is not None and usable.sum() >= 2:
        return replace(seen, kind="gradient factor", factor=factor)
    return seen


def one_factor(mine: Array, true: Array, slack: Array) -> float | None:
    """The one factor between two sets of numbers, where there is one."""
    clear = np.abs(true) > 4 * slack
    if not clear.any():
        return None
    factor = float(np.median(mine[clear] / true[clear]))
    scale = max(abs(factor), 1.0)
    if abs(factor) < 1e-12 or (np.abs(mine - factor * true) > scale * slack).any():
        return None
    near = float(f"{factor:.3g}")
    return near if (np.abs(mine - near * true) <= scale * slack).all() else factor


def _factor(record: LoopRecord, computed: Evaluated, usable: Array) -> float | None:
    """The one factor between losses, which the gradients must have too."""
    loss, true = record.loss[usable], computed.loss[usable]
    factor = one_factor(loss, true, loss_slack(true, computed.loss_noise[usable]))
    if factor is None:
        return None
    own, grad = record.step_grad[usable], computed.grad[usable]
    largest = np.abs(grad).max(axis=1, keepdims=True)
    slack = max(abs(factor), 1.0) * (2e-3 * largest + _NOISE * computed.grad_noise[usable])
    known = np.isfinite(own) & np.isfinite(slack)
    if not known.any():
        return factor if len(loss) > 2 else None
    wrong = np.abs(own - factor * grad)[known]
    # A constant more looks like a factor close to 1 where the loss hardly changes.
    nearer = np.abs(own - grad)[known].sum() < wrong.sum()
    return None if nearer or (wrong > slack[known]).any() else factor


def _is_stale(record: LoopRecord, computed: Evaluated) -> bool:
    """Whether losses and gradients from the second on are those of the point before."""
    if (
        record.count < 3
        or not close(record.loss[:1], computed.loss[:1], computed.loss_noise[:1]).all()
    ):
        return False
    consecutive = np.diff(record.number) == 1
    with np.errstate(over="ignore", invalid="ignore"):
        fits = close(record.loss[1:], computed.loss[:-1], computed.loss_noise[:-1])
        finite = np.isfinite(record.loss[1:]) & np.isfinite(computed.loss[:-1])
        rows = consecutive & finite
        # Where steps are short both points fit: the one before must fit much better.
        before = np.abs(record.loss[1:] - computed.loss[:-1])[rows]
        here = np.abs(record.loss[1:] - computed.loss[1:])[rows]
    return bool(fits[rows].all()) and bool(np.nansum(before) <= 0.05 * np.nansum(here))


def _interchanged(record: LoopRecord, objective: Objective) -> tuple[int, ...]:
    """The order of the numbers under which the losses are the objective's; empty if none."""
    count = record.params.shape[1]
    if not 2 <= count <= 4 or record.count < 3:
        return ()
    rows = np.unique(np.linspace(0, record.count - 1, 200).astype(int))
    rows = rows[np.isfinite(record.params[rows]).all(axis=1) & np.isfinite(record.loss[rows])]
    for order in itertools.permutations(range(count)):
        if order == tuple(range(count)) or len(rows) < 3:
            continue
        there = evaluated(objective, record.params[rows][:, list(order)], eps=record.eps)
        if close(record.loss[rows], there.loss, there.loss_noise).all():
            return order
    return ()
