"""A loop beside its reference: where it begins, how far it goes, and how far the two differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gdwidgets.core.data import initial_parameters
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.diagnosis.findings import roundest
from gdwidgets.core.diagnosis.moves import RATE_SLACK, Moves, rate_bounds
from gdwidgets.core.diagnosis.records import FLOAT32_EPS, Array, LoopRecord, Reference
from gdwidgets.core.rules.protocol import rate_dtype
from gdwidgets.core.session import own_torch_state

_SEEDS = 50

_NEVER = 1 << 62

_MOST_COMPARED = 20_000
"""Updates of the reference that are computed for the sake of a comparison."""


def seed_of(point: Array) -> int | None:
    """The seed, 0 to 49, whose first normal draws a point is: one call each, or one for all."""
    values = point.astype(np.float32)
    for seed in range(_SEEDS):
        with own_torch_state():
            generator = torch.Generator(device="cpu").manual_seed(seed)
            at_once = torch.randn(
                len(values), generator=generator, dtype=torch.float32, device="cpu"
            )
        drawn = (initial_parameters(len(values), seed).numpy(), at_once.numpy())
        if any(np.array_equal(values, numbers) for numbers in drawn):
            return seed
    return None


def made_by(moves: Moves, reference: Reference) -> bool:
    """Whether the reference's rule and rate make every recorded update."""
    rows = min(moves.head, _MOST_COMPARED)
    if not rows:
        return True
    rule, rates = reference.rule, reference.rates
    dtype = rate_dtype(rule)
    eps = max(moves.eps, FLOAT32_EPS)
    with own_torch_state(), torch.no_grad(), np.errstate(over="ignore", invalid="ignore"):
        points = torch.from_numpy(moves.params[:rows].astype(np.float32))
        grads = torch.from_numpy(moves.buffer[:rows].astype(np.float32))
        state = rule.init(points[:1])
        following = []
        for step in range(rows):
            rate = rates.tensor(step, dtype)
            after, state = rule.update(
                points[step : step + 1], grads[step : step + 1], state, rate, step
            )
            following.append(after[0])
        expected = (torch.stack(following) - points).double().numpy()
        delta = moves.delta[:rows]
        slack = 2 * moves.tol[:rows] + 2 * eps * np.abs(moves.params[:rows])
        slack += 256 * eps * np.maximum.accumulate(np.abs(expected))
        return bool((np.abs(delta - expected) <= slack).all())


@dataclass(frozen=True)
class OtherRate:
    """Where a loop's learning rate first is not the reference's, which changes."""

    step: int
    """The record before the update."""
    rate: float
    expected: float


def other_rate_of(moves: Moves, reference: Reference, factor: float = 1.0) -> OtherRate | None:
    """The first update along the gradient whose learning rate is not the reference's.

    ``factor`` is how many times the reference's gradient the loop's is: the rate may make up for
    it. ``None`` where all updates are the reference's.
    """
    low, high = rate_bounds(moves.delta, moves.buffer, moves.tol, moves.doubt)
    low, high = low.max(axis=1) * factor, high.min(axis=1) * factor
    rates = reference.rates
    due = np.array([float(rates.at(int(step))[0]) for step in moves.number])
    slack = RATE_SLACK * np.abs(due)
    wrong = np.flatnonzero((due < low - slack) | (due > high + slack))
    if not len(wrong):
        return None
    row = int(wrong[0])
    between = roundest(low[row], high[row]) if np.isfinite([low[row], high[row]]).all() else np.nan
    return OtherRate(int(moves.number[row]), float(between), float(due[row]))


@dataclass(frozen=True)
class Stop:
    """How a loop stopped, beside how the reference would have."""

    kind: str
    """``"same"``, ``"unknown"``, ``"length"`` (more or fewer updates), or, with a ``loss_tol``:
    ``"loss"``, ``"after update"``, ``"gradient"``, ``"parameters"``, ``"no abs"``, ``"relative"``,
    ``"never"``, ``"other"``."""
    updates: int = 0
    """Updates that the loop made."""
    expected: int = 0
    """Updates that it should have made."""
    at: int = 0
    """The step, counted from 1, in which it stopped."""


def stop_of(
    record: LoopRecord,
    reference: Reference,
    moves: Moves,
    *,
    known: bool,
    next_loss: float | None = None,
) -> Stop:
    """Compare the loop's length with the reference's settings, applied to the loop's own losses.

    Parameters
    ----------
    known
        Whether the rule is: only then does a point that stays mean that no update came.
    next_loss
        The loss where the last update led to, which a loop that tests before its backward pass has
        computed; ``None`` where it is not known.
    """
    passes, most, tol = record.total, reference.max_steps, reference.loss_tol
    if not record.ended or not passes or (tol is not None and record.thinned):
        return Stop("unknown")
    followed = _last_update_seen(record, moves, reference)
    if followed is False and not known:
        followed = None
    updates = passes - 1 if followed is False else passes
    whole = updates == most or (followed is None and passes - 1 == most)
    if tol is None:
        return Stop("same" if whole else "length", updates, most, passes)
    losses = record.loss
    if followed and next_loss is not None and passes < most:
        losses = np.append(losses, next_loss)
    first, latest = _first_small(_changes(losses), tol, losses)
    # A test before the backward pass ends the loop at a record that is not there any more.
    decided = passes if followed else passes - 1
    if first <= decided <= latest and decided < min(len(losses), most):
        return Stop("same", updates, decided, passes)
    if whole and latest >= most:
        return Stop("same", updates, most, passes)
    if followed and first <= passes - 1 <= latest and first < most:
        return Stop("after update", updates, passes - 1, passes)
    if passes >= most:
        kind, at = "never" if first < most else "length", passes
    else:
        kind, at = _other_test(record, moves, tol, losses)
    if kind == "other" and followed and next_loss is None:
        kind = "unknown"  # a test of a loss that is not known may have ended it
    return Stop(kind, updates, min(first, most), at)


def _last_update_seen(record: LoopRecord, moves: Moves, reference: Reference) -> bool | None:
    """Whether an update followed the last backward pass; ``None`` where that cannot be seen."""
    if record.final is None:
        return None
    last = record.params[-1]
    if not np.array_equal(last, record.final):
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        size = reference.learning_rate * np.abs(record.grad[-1])
        seen = size > 4 * record.eps * np.abs(last) + 1e-40
    if not np.isfinite(last).all() or not seen.any():
        return None  # an update too small to be seen, or of nothing but NaN
    # Nothing moves any more, or did at all: then the last update is not what is missing. A rule
    # with weight decay comes to rest where the gradient is not 0.
    still = moves.count and (np.abs(moves.delta[-1]) <= 4 * moves.tol[-1]).all()
    return None if still or (moves.count and not moves.delta.any()) else False


def _changes(losses: Array) -> Array:
    """|loss − loss before| at each record, NaN at the first."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.concatenate([[np.nan], np.abs(np.diff(losses))])


def _first_small(values: Array, tol: float, scale: Array) -> tuple[int, int]:
    """The first record below ``tol``: the earliest and the latest that rounding allows.

    Where there is none it is far beyond all records.
    """
    with np.errstate(invalid="ignore"):
        slack = 4 * FLOAT32_EPS * np.abs(scale)
        below = values < tol + slack, values < tol - slack
    earliest, latest = (int(one.argmax()) if one.any() else _NEVER for one in below)
    return earliest, latest


def _other_test(record: LoopRecord, moves: Moves, tol: float, losses: Array) -> tuple[str, int]:
    """Which other test would have stopped the loop where it stopped, and at which of its steps.

    ``losses`` may hold one more than there are records.
    """
    passes = record.total
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        signed = np.concatenate([[np.nan], np.diff(losses)])
        tests: list[tuple[str, Any]] = [
            ("loss", np.abs(losses)),
            ("no abs", signed),
            ("gradient", np.linalg.norm(record.grad, axis=1)),
            ("parameters", np.abs(moves.delta).max(axis=1)),
            ("relative", _changes(losses) / np.abs(losses)),
        ]
        for name, values in tests:
            below = np.flatnonzero(values < tol)
            # After the test the loop may still make an update and another pass, or none; or the
            # test is made before the backward pass.
            if len(below) and int(below[0]) >= passes - 1:
                return name, int(below[0]) + 1
    return "other", passes


@dataclass(frozen=True)
class Agreement:
    """How close a loop's parameters are to its reference's, record by record."""

    updates: int
    """Updates that both make."""
    compared: int
    """Of these, the updates after which numbers were compared."""
    bits: bool
    """Whether all are equal to the last bit."""
    difference: float
    """The largest difference."""
    step: int
    """The record where that is."""
    begins: bool
    """Whether the first update is the same but for rounding."""


def agreement(record: LoopRecord, reference: Reference, moves: Moves) -> tuple[Agreement, Descent]:
    """Run the reference as far as the loop, and compare."""
    run = reference.descent()
    run.advance_to(min(reference.max_steps, record.total, _MOST_COMPARED))
    mine, number = record.params, record.number
    updated = _last_update_seen(record, moves, reference) is not False
    if record.final is not None and updated and not record.thinned:
        mine = np.concatenate([mine, record.final[None]])
        number = np.append(number, record.total)
    rows = (number <= run.last_step[0]) & np.isfinite(mine).all(axis=1)
    with np.errstate(over="ignore"):
        narrow = mine[rows].astype(np.float32)
    other = run.params[number[rows], 0]
    difference = np.abs(mine[rows] - other).max(axis=1) if rows.any() else np.zeros(1)
    bits = bool(np.array_equal(narrow, other)) and record.eps > 1e-8
    if not rows.any():
        return Agreement(0, 0, bits, 0.0, 0, begins=True), run
    first = slice(0, 2)
    size = np.abs(mine[rows][first]).max() + np.abs(run.grad[:1, 0]).max() * reference.learning_rate
    worst = int(difference.argmax())
    compared = int(number[rows][-1])
    going_on = str(run.outcomes[0]) == "running"
    how = Agreement(
        min(int(number[-1]), reference.max_steps) if going_on else compared,
        compared,
        bits,
        float(difference[worst]),
        int(number[rows][worst]),
        begins=bool(difference[first].max() <= max(1e-4, 8 * record.eps) * size),
    )
    return how, run
