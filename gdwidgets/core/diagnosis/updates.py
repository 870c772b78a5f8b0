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
from gdwidgets.core.diagnosis.findings import roundest
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
    update = update or adaptive(moves, rule, rate) or _signs(moves) or _sizes(moves)
    update = update or _decaying_at(rate, moves, _per_parameter(low, high))
    update = update or _schedule(moves, low, high) or decaying(moves, rule, rate)
    if update is None and moves.count < FEWEST:
        return Update("few")
    return update or _unknown(moves, low, high)


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


def _sizes(moves: Moves) -> Update | None:
    """Steps by the size of each gradient, its sign lost, where that is not always the same."""
    both = (moves.buffer > 0).any(axis=0) & (moves.buffer < 0).any(axis=0)
    if moves.count < FEWEST or not both.any() or (moves.doubt > 0).any():
        return None
    low, high = common(
        *rate_bounds(moves.delta, np.abs(moves.buffer), moves.tol, np.zeros_like(moves.delta))
    )
    known = fit_together(low, high) and np.isfinite(high) and not low <= 0 <= high
    return Update("size", low, high) if known else None


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
    row_low, row_high = row_low[known], row_high[known]
    middle = (row_low + row_high) / 2
    size = np.linalg.norm(moves.buffer[known], axis=1)
    found = Update(
        "schedule",
        float(middle.min()),
        float(middle.max()),
        segments=pieces,
        step=first_change,
    )
    if (row_high + 1e-4 * np.abs(middle) > 0).all():
        clip = _clipped(row_low, row_high, size)
        if clip is not None:
            return replace(clip, segments=pieces, step=first_change)
    lengths = np.diff([first for first, _, _ in segments] + [moves.count])
    if len(segments) <= max(2, moves.count // 4) and (lengths[:-1] >= 2).all():
        return replace(found, form="pieces")
    form = _form(moves.number[known], row_low, row_high)
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


def _clipped(low: Array, high: Array, size: Array) -> Update | None:
    """Whether steps are limited to one length: the gradient clipped, or normalised.

    Parameters
    ----------
    low, high, size
        Bounds of each update's rate, and the length of its gradient.
    """
    rate = (low + high) / 2
    doubt = (high - low) / 2 + 1e-4 * np.abs(rate)
    length = rate * size
    limit = float(np.median(length[length >= length.max() * 0.999]))
    at_limit = np.abs(length - limit) <= doubt * size + 1e-3 * limit
    if at_limit.sum() < 2:
        return None
    if at_limit.all():
        varied = size.max() > 1.01 * size.min()
        most = float(rate.max())
        return Update("normalised", most, most, constants={"norm": limit}) if varied else None
    usual = float(np.median(rate[~at_limit]))
    same = np.abs(rate - usual)[~at_limit] <= doubt[~at_limit] + 1e-4 * usual
    if not same.all() or (rate[at_limit] > usual * 1.001).any():
        return None
    bounds = float(low[~at_limit].max()), float(high[~at_limit].min())
    bounds = bounds if fit_together(*bounds) else (usual, usual)
    norm = limit / roundest(*bounds)
    return Update("clipped", *bounds, constants={"norm": roundest(norm * 0.9999, norm * 1.0001)})


def _form(step: Array, low: Array, high: Array) -> str:
    """The formula of a rate that changes: exponential, linear, or 1/t where it falls.

    It is fitted where the rate is known to be above 0, and must be within the bounds everywhere:
    where a rate has fallen so far that nothing moves, 0 is within them too.
    """
    clear = low > 0
    if clear.sum() < 4 or (high < 0).any():
        return ""
    rate, doubt = (low + high)[clear] / 2, (high - low)[clear] / 2 + 1e-4 * (low + high)[clear] / 2
    slack = 1e-4 * np.abs(low + high)
    for name, shape in (("exponential", np.log(rate)), ("linear", rate), ("1/t", 1 / rate)):
        close = 2 * doubt / rate
        weight = 1 / close if name == "exponential" else 1 / (close * np.abs(shape))
        terms = np.stack([np.ones(len(step)), step.astype(float)], axis=1)
        fit = np.linalg.lstsq(terms[clear] * weight[:, None], shape * weight, rcond=None)[0]
        with np.errstate(divide="ignore", over="ignore"):
            line = terms @ fit
            due = {"exponential": np.exp(line), "linear": line, "1/t": 1 / line}[name]
        misfit = np.abs(line[clear] - shape) * weight
        within = (low - slack <= due) & (due <= high + slack)
        if (misfit <= 1).all() and within[~clear].all() and (name != "1/t" or fit[1] > 0):
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


def _unknown(moves: Moves, low: Array, high: Array) -> Update:
    """No rule: the first update that no rate fits together with those before it.

    ``segments`` are the bounds of the rate before it, and of its own. ``form`` is ``"along"`` where
    each update by itself is a multiple of its gradient.
    """
    row_low, row_high = low.max(axis=1), high.min(axis=1)
    bottom, top = np.maximum.accumulate(row_low), np.minimum.accumulate(row_high)
    wrong = np.flatnonzero(bottom > top + 1e-6 * np.abs(np.nan_to_num(top, posinf=0, neginf=0)))
    if not len(wrong):
        return Update("unknown")
    at = int(wrong[0])
    along = all(map(fit_together, row_low.tolist(), row_high.tolist()))
    segments: tuple[tuple[int, float, float], ...] = ()
    if at:
        segments = ((int(moves.number[0]), float(bottom[at - 1]), float(top[at - 1])),)
    return Update(
        "unknown", step=int(moves.number[at]), segments=segments, form="along" if along else ""
    )
