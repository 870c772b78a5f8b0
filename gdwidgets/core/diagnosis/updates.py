"""Which update rule made the recorded updates.

Every hypothesis is tested by the bounds that each update puts on the learning rate: a rule is
recognised where one rate lies within all of them. The bounds are as wide as float rounding makes
them, so a rule that fits is the rule, and one that misses by more than rounding is not.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from gdwidgets.core.diagnosis.adaptive_rules import adaptive
from gdwidgets.core.diagnosis.decaying_rules import decaying
from gdwidgets.core.diagnosis.moves import (
    FEWEST,
    MOST_ROWS,
    Moves,
    common,
    fit_together,
    holds,
    near,
    rate_bounds,
)
from gdwidgets.core.diagnosis.records import Array
from gdwidgets.core.diagnosis.update import Update


def identify(moves: Moves, rule: Any = None, rate: float | None = None) -> Update:
    """Find the rule of recorded updates.

    Parameters
    ----------
    moves
        The updates.
    rule, rate
        The reference's, whose constants are tried too; ``None`` for none.
    """
    if not moves.count:
        return Update("none")
    moving = np.any(moves.delta != 0, axis=0)
    pulled = np.any(np.abs(moves.buffer) > 2 * moves.doubt, axis=0)
    if not moving.any():
        return _still(moves, pulled, rate)
    frozen = [int(place) for place in np.flatnonzero(~moving & pulled)]
    rest = [place for place in range(len(moving)) if place not in frozen]
    found = _of_moving(moves.columns(rest) if frozen else moves, rule, rate)
    if frozen:
        frozen = [place for place in frozen if _should_move(moves, place, found)]
        if not frozen:  # too small an update to be seen: the rule may be tested on all
            return _of_moving(moves, rule, rate)
        order = tuple(rest[place] for place in found.order)
        return replace(found, frozen=tuple(frozen), order=order)
    return found


def _still(moves: Moves, pulled: Array, rate: float | None) -> Update:
    if not pulled.any():
        return Update("none")
    low, high = common(*_bounds(moves))
    if rate is not None and holds(low, high, rate):
        return Update("plain", low, high)  # the updates are lost in rounding
    frozen = tuple(int(place) for place in np.flatnonzero(pulled))
    return Update("still", low, high, frozen=frozen)


def _should_move(moves: Moves, place: int, found: Update) -> bool:
    """Whether an update of this number would have been larger than rounding."""
    if found.kind in {"plain", "every_n"} and np.isfinite(found.high):
        size = max(abs(found.low), abs(found.high)) * np.abs(moves.buffer[:, place])
        return bool((size > 4 * moves.tol[:, place]).any())
    largest = np.abs(moves.delta).max()
    return bool(
        np.abs(moves.buffer[:, place]).max() > 0 and largest > 4 * moves.tol[:, place].min()
    )


def _of_moving(moves: Moves, rule: Any, rate: float | None) -> Update:
    low, high = _bounds(moves)
    update = _plain(low, high)
    if update is None:
        update = _swapped(moves, rate, low, high)
    # Momentum before stale gradients: where all gradients are parallel some momentum looks stale,
    # but its first update does not.
    update = update or _every_n(moves) or _with_memory(moves) or _stale(moves)
    # A rate for each number is the weakest of guesses: where steps are short, RMSprop and Adam look
    # like that to rounding.
    update = update or adaptive(moves, rule, rate) or _signs(moves)
    update = update or _decaying_at(rate, moves, _per_parameter(low, high))
    update = update or _schedule(moves, low, high) or decaying(moves, rule, rate)
    if update is None and moves.count < FEWEST:
        return Update("few")
    return update or Update("unknown", step=_first_misfit(moves, low, high))


def _bounds(moves: Moves) -> tuple[Array, Array]:
    return rate_bounds(moves.delta, moves.buffer, moves.tol, moves.doubt)


def _plain(low: Array, high: Array) -> Update | None:
    bounds = common(low, high)
    return Update("plain", *bounds) if fit_together(*bounds) else None


def _per_parameter(low: Array, high: Array) -> Update | None:
    each = tuple(zip(low.max(axis=0).tolist(), high.min(axis=0).tolist(), strict=True))
    if len(each) < 2 or len(low) < 2 or not all(fit_together(*bounds) for bounds in each):
        return None
    return Update("per_parameter", each=each)


def _decaying_at(rate: float | None, moves: Moves, each: Update | None) -> Update | None:
    """Rates of each number's own, or weight decay at the reference's rate, where both fit."""
    if each is None or rate is None:
        return each
    found = decaying(moves)
    return found if found is not None and found.kind == "decayed" and found.holds(rate) else each


def _swapped(moves: Moves, rate: float | None, low: Array, high: Array) -> Update | None:
    """Each number moved by another's gradient."""
    count = moves.delta.shape[1]
    if not 2 <= count <= 4 or moves.count < 2:
        return None
    alike = _per_parameter(low, high) is not None
    for order in itertools.permutations(range(count)):
        if order == tuple(range(count)):
            continue
        columns = list(order)
        bounds = common(
            *rate_bounds(moves.delta, moves.buffer[:, columns], moves.tol, moves.doubt[:, columns])
        )
        if not fit_together(*bounds) or bounds[0] <= 0 <= bounds[1]:
            continue
        # Where all gradients are parallel, rates of their own would explain it as well.
        if alike and (rate is None or not holds(*bounds, rate)):
            continue
        return Update("swapped", *bounds, order=order)
    return None


def _every_n(moves: Moves) -> Update | None:
    """An update after every n-th backward pass only."""
    moved = (moves.delta != 0).any(axis=1)
    places = np.flatnonzero(moved)
    # Gradients of 0 move nothing anyway.
    idle = ~moved & (np.abs(moves.buffer) > 2 * moves.doubt).any(axis=1)
    if not len(places) or not idle.any() or moves.head < moves.count:
        return None
    first = int(places[0]) + 1
    n = int(places[1]) + 1 - first if len(places) > 1 else first
    passes = np.arange(moves.count) + 1
    due = (passes >= first) & ((passes - first) % n == 0)
    if n < 2 or first > n or (moved & ~due).any() or (idle & due).any():
        return None
    low, high = common(
        *rate_bounds(moves.delta[due], moves.buffer[due], moves.tol[due], moves.doubt[due])
    )
    if not fit_together(low, high):
        return None
    return Update("every_n", low, high, n=n, first=first)


def _signs(moves: Moves) -> Update | None:
    """Steps of one length against the sign of each gradient: sign descent.

    A single number's are those of normalised gradients as well, which is said instead.
    """
    if moves.delta.shape[1] < 2 or moves.count < FEWEST or (moves.doubt > 0).any():
        return None
    low, high = common(
        *rate_bounds(moves.delta, np.sign(moves.buffer), 2 * moves.tol, np.zeros_like(moves.delta))
    )
    known = fit_together(low, high) and np.isfinite(high) and not low <= 0 <= high
    return Update("sign", low, high) if known else None


def _stale(moves: Moves) -> Update | None:
    """Each update made with the gradient of the step before."""
    if moves.head < FEWEST or moves.count < FEWEST:
        return None
    rows = slice(1, moves.head)
    before = slice(0, moves.head - 1)
    low, high = common(
        *rate_bounds(moves.delta[rows], moves.buffer[before], moves.tol[rows], moves.doubt[before])
    )
    if not fit_together(low, high) or low <= 0 <= high:
        return None
    return Update("stale", low, high, step=1)


# -- rules with a memory -------------------------------------------------------------------


def _with_memory(moves: Moves) -> Update | None:
    """Momentum, Δₖ = β Δₖ₋₁ − γ gₖ, or Nesterov's, Δₖ = β Δₖ₋₁ − γ ((1 + β) gₖ − β gₖ₋₁)."""
    rows = min(moves.head, MOST_ROWS)
    if rows < FEWEST:
        return None
    delta, grad = moves.delta[:rows], moves.buffer[:rows]
    last_delta, last_grad = (np.concatenate([part[:1] * 0, part[:-1]]) for part in (delta, grad))
    tol = moves.tol[:rows]
    slack = 2 * (tol + np.concatenate([tol[:1] * 0, tol[:-1]]))
    slack += 16 * moves.eps * (np.abs(delta) + np.abs(last_delta))
    doubt = moves.doubt[:rows]
    doubt = doubt + np.concatenate([doubt[:1] * 0, doubt[:-1]])
    weight = 1 / slack
    for name, terms in (
        ("momentum", (last_delta, grad)),
        ("nesterov", (last_delta, grad, last_grad)),
    ):
        matrix = np.stack([(term * weight).ravel() for term in terms], axis=1)
        scale = np.abs(matrix).max(axis=0)
        if not (scale > 0).all() or not np.isfinite(scale).all():
            continue
        solution = np.linalg.lstsq(matrix / scale, (delta * weight).ravel(), rcond=None)[0] / scale
        for beta in near(float(solution[0])):
            direction = grad if name == "momentum" else (1 + beta) * grad - beta * last_grad
            spread = slack + 16 * moves.eps * np.abs(delta - beta * last_delta)
            low, high = common(*rate_bounds(delta - beta * last_delta, direction, spread, doubt))
            if fit_together(low, high) and np.isfinite(high) and not low <= 0 <= high:
                return Update(name, low, high, constants={"beta": beta})
    return None


# -- rates that change ----------------------------------------------------------------------


def _schedule(moves: Moves, low: Array, high: Array) -> Update | None:
    """Updates along the gradient whose rate changes from step to step."""
    row_low, row_high = low.max(axis=1), high.min(axis=1)
    if moves.count < FEWEST or not all(map(fit_together, row_low.tolist(), row_high.tolist())):
        return None
    segments = _segments(row_low, row_high)
    pieces = tuple((int(moves.number[first]), bottom, top) for first, bottom, top in segments)
    first_change = pieces[1][0] if len(pieces) > 1 else 0
    known = np.isfinite(row_low) & np.isfinite(row_high)
    if not known.any():
        return None
    middle = (row_low[known] + row_high[known]) / 2
    doubt = (row_high[known] - row_low[known]) / 2 + 1e-4 * np.abs(middle)
    size = np.linalg.norm(moves.buffer[known], axis=1)
    low_rate, high_rate = float(middle.min()), float(middle.max())
    found = Update("schedule", low_rate, high_rate, segments=pieces, step=first_change)
    if (middle + doubt > 0).all():
        clip = _clipped(middle, doubt, size)
        if clip is not None:
            kind, length = clip
            return replace(found, kind=kind, low=high_rate, constants={"norm": length})
    lengths = np.diff([first for first, _, _ in segments] + [moves.count])
    if len(segments) <= max(2, moves.count // 4) and (lengths[:-1] >= 2).all():
        return replace(found, form="pieces")
    form = _form(moves.number[known], middle, doubt)
    if form:
        return replace(found, form=form)
    # Along the gradient in more than one direction: that is no chance.
    return None if _parallel(moves.buffer) else replace(found, form="varies")


def _segments(low: Array, high: Array) -> list[tuple[int, float, float]]:
    """Greedy stretches in which one rate fits: first update, bounds of the rate."""
    segments: list[tuple[int, float, float]] = []
    first, bottom, top = 0, -np.inf, np.inf
    for place, (lower, upper) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        narrowed = max(bottom, lower), min(top, upper)
        if not fit_together(*narrowed):
            segments.append((first, bottom, top))
            first, narrowed = place, (lower, upper)
        bottom, top = narrowed
    return [*segments, (first, bottom, top)]


def _clipped(rate: Array, doubt: Array, size: Array) -> tuple[str, float] | None:
    """Whether steps are limited to one length: the gradient clipped, or normalised."""
    length = rate * size
    spread = doubt * size
    limit = float(np.median(length[length >= length.max() * 0.999]))
    at_limit = np.abs(length - limit) <= spread + 1e-3 * limit
    if at_limit.sum() < 2:
        return None
    if at_limit.all():
        return ("normalised", limit) if size.max() > 1.01 * size.min() else None
    full = rate[~at_limit]
    usual = float(np.median(full))
    same = np.abs(full - usual) <= doubt[~at_limit] + 1e-4 * usual
    if not same.all() or (rate[at_limit] > usual * 1.001).any():
        return None
    return "clipped", limit / usual


def _form(step: Array, rate: Array, doubt: Array) -> str:
    """The formula of a rate that falls: exponential, linear, or 1/t."""
    if len(rate) < 4 or not (rate > 0).all():
        return ""
    close = 2 * doubt / rate
    for name, shape in (("exponential", np.log(rate)), ("linear", rate), ("1/t", 1 / rate)):
        weight = 1 / close if name == "exponential" else 1 / (close * np.abs(shape))
        matrix = np.stack([np.ones(len(step)), step.astype(float)], axis=1) * weight[:, None]
        fit = np.linalg.lstsq(matrix, shape * weight, rcond=None)[0]
        misfit = np.abs(fit[0] + fit[1] * step - shape) * weight
        if (misfit <= 1).all():
            return name
    return ""


def _parallel(grads: Array) -> bool:
    """Whether all gradients lie along one line."""
    size = np.linalg.norm(grads, axis=1)
    unit = grads[size > 0] / size[size > 0, None]
    if grads.shape[1] < 2 or not len(unit):
        return True
    values = np.linalg.svd(unit, compute_uv=False)
    return bool(values[1] < 1e-3 * values[0])


def _first_misfit(moves: Moves, low: Array, high: Array) -> int:
    """The first update that no rate fits together with those before it."""
    bottom = np.maximum.accumulate(low.max(axis=1))
    top = np.minimum.accumulate(high.min(axis=1))
    wrong = np.flatnonzero(bottom > top + 1e-6 * np.abs(np.nan_to_num(top, posinf=0, neginf=0)))
    return int(moves.number[wrong[0]]) if len(wrong) else 0
