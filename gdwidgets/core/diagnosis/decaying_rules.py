"""Rules with weight decay, and momentum with dampening, with the constants that the updates show.

Weight decay λ adds λ p to the gradient; in AdamW it is added to the step instead. Dampening τ is
that of ``torch.optim.SGD``: m ← β m + (1 − τ) g from the second update on, m = g in the first.
These have a constant more than the rules without, so they are the last to be tried, and only where
there are more numbers than one could fit by chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gdwidgets.core.diagnosis.adaptive_rules import (
    Scaling,
    directions_of,
    fitting,
    scalings_of,
    shared,
)
from gdwidgets.core.diagnosis.findings import roundest
from gdwidgets.core.diagnosis.moves import (
    MOST_ROWS,
    Moves,
    common,
    holds,
    is_rate,
    near,
    rate_bounds,
)
from gdwidgets.core.diagnosis.records import Array
from gdwidgets.core.diagnosis.update import Update

_FEWEST_NUMBERS = 12
"""Changes of single numbers that are needed to tell such a rule from chance."""

_FEWEST_ROWS = 5

_CLEAR = 64
"""How many times as long as its rounding error such a change is."""

_ROUGHLY = 0.02
"""Where a constant larger or smaller by this part fits as well, it is known roughly only."""

_FIRST = 24
"""Updates that rule most candidates out."""

_DECAYS = tuple(digit * 10.0**power for power in range(-5, 0) for digit in range(1, 10))
"""Weight decays that are tried inside Adam and RMSprop."""


def decaying(moves: Moves, rule: Any = None, rate: float | None = None) -> Update | None:
    """The rule with weight decay or dampening that makes the updates, or ``None``.

    ``rule`` and ``rate`` are the reference's. ``None`` also where two of them fit.
    """
    rows = min(moves.head, MOST_ROWS)
    moves = moves.rows(rows)
    clear = np.abs(moves.delta) > _CLEAR * moves.tol
    if clear.sum() < _FEWEST_NUMBERS or rows < _FEWEST_ROWS or (moves.doubt > 0).any():
        return None
    found = _with_velocity(moves)
    if found is not None:
        return found
    fits = [*_decoupled(moves, rule), *_inside(moves, rule, rate)]
    return fits[0] if len(fits) == 1 else None


# -- with a velocity, or none --------------------------------------------------------------------


def _with_velocity(moves: Moves) -> Update | None:
    """Plain descent, momentum and Nesterov momentum, with weight decay, dampening or both."""
    for name, decays, dampened in (
        ("decayed", True, False),
        ("momentum", False, True),
        ("momentum", True, False),
        ("nesterov", True, False),
        ("momentum", True, True),
    ):
        found = _fitted(moves, name, decays=decays, dampened=dampened)
        if found is not None:
            return found
    return None


@dataclass(frozen=True)
class _Velocity:
    """A kind of rule with a velocity or none, and the updates to try it on."""

    moves: Moves
    name: str
    decays: bool
    dampened: bool

    @property
    def constants(self) -> Iterator[tuple[float, float]]:
        """Pairs of β and λ to try, near those of least squares."""
        moves, nesterov = self.moves, self.name == "nesterov"
        terms = [moves.buffer, *([_shifted(moves.buffer)] if nesterov else [])]
        if self.decays:
            terms += [moves.params, *([_shifted(moves.params)] if nesterov else [])]
        if self.name != "decayed":
            terms.append(_shifted(moves.delta))
        first = slice(int(self.dampened), None)
        solution = _solved(moves.delta[first], [term[first] for term in terms], 1 / self.slack)
        if solution is None:
            return iter(())
        decay = float(solution[1 + nesterov] / solution[0]) if self.decays else 0.0
        betas = [0.0] if self.name == "decayed" else near(float(solution[-1]))
        return itertools.product(betas, _near_decay(decay) if self.decays else [0.0])

    @property
    def slack(self) -> Array:
        """How far rounding may have taken changes and what is left of those before."""
        return 2 * (self.moves.tol + _shifted(self.moves.tol))[int(self.dampened) :]

    def bounds(self, beta: float, weight: float) -> tuple[float, float]:
        """Bounds of the rate, with dampening from the second update on."""
        first = slice(int(self.dampened), None)
        delta, before = self.moves.delta[first], _shifted(self.moves.delta)[first]
        direction, doubt = _direction(self.moves, self.name, beta, weight)
        spread = self.slack + 16 * self.moves.eps * (np.abs(delta) + np.abs(beta * before))
        return common(*rate_bounds(delta - beta * before, direction[first], spread, doubt[first]))

    def first_bounds(self, beta: float, weight: float) -> tuple[float, float]:
        """Bounds of the rate of the first update, which dampening leaves alone."""
        direction, doubt = _direction(self.moves, self.name, beta, weight)
        moves = self.moves
        return common(*rate_bounds(moves.delta[:1], direction[:1], 2 * moves.tol[:1], doubt[:1]))


def _fitted(moves: Moves, name: str, *, decays: bool, dampened: bool) -> Update | None:
    """One kind of rule, with the constants that fit best."""
    kind = _Velocity(moves, name, decays, dampened)
    for beta, weight in kind.constants:
        bounds = kind.bounds(beta, weight)
        if not is_rate(*bounds):
            continue
        constants = {"beta": beta} if beta else {}
        about: tuple[str, ...] = ()
        if decays:
            constants["weight_decay"] = weight
            around = (weight * (1 - _ROUGHLY), weight * (1 + _ROUGHLY))
            if any(is_rate(*kind.bounds(beta, other)) for other in around):
                about = ("weight_decay",)
        found = Update(name, *bounds, constants=constants, about=about)
        return _dampened(found, kind.first_bounds(beta, weight)) if dampened else found
    return None


def _dampened(found: Update, whole: tuple[float, float]) -> Update | None:
    """The rule with the rate of its first update, and by it the dampening of all others."""
    if not is_rate(*whole):
        return None
    low, high = 1 - found.high / whole[0], 1 - found.low / whole[1]
    low, high = min(low, high), max(low, high)
    if low < 1e-4 or high >= 1:
        return None
    value = roundest(low, high)
    about = (*found.about, *(["dampening"] if high - low > _ROUGHLY * value else []))
    constants = {**found.constants, "dampening": value}
    return replace(found, low=whole[0], high=whole[1], constants=constants, about=about)


def _direction(moves: Moves, name: str, beta: float, weight: float) -> tuple[Array, Array]:
    """What the rate multiplies in each update, and its rounding error."""
    pull = moves.buffer + weight * moves.params
    size = np.abs(moves.buffer) + np.abs(weight * moves.params)
    if name == "nesterov":
        pull = (1 + beta) * pull - beta * _shifted(pull)
        size = (1 + beta) * size + beta * _shifted(size)
    return pull, 4 * moves.eps * size * (weight > 0 or name == "nesterov")


# -- beside or inside an adaptive rule -------------------------------------------------------------


def _decoupled(moves: Moves, rule: Any) -> list[Update]:
    """AdamW: λ p beside Adam's step."""
    scalings = [one for one in scalings_of(rule) if one.kind == "adam" and one.corrected]
    fits: list[tuple[Scaling, float, float, float, bool]] = []
    for length in sorted({min(moves.count, _FIRST), moves.count}):
        part = moves.rows(length)
        directions, doubts = directions_of(scalings, part.buffer, part.eps)
        fits = [
            (scaling, *found)
            for scaling, direction, doubt in zip(scalings, directions, doubts, strict=True)
            for found in _beside(part, direction, doubt)
        ]
        scalings = [fit[0] for fit in fits]
        if not fits:
            return []
    weights = {fit[3] for fit in fits}
    if len(weights) > 1:
        return []
    constants = shared([fit[0] for fit in fits])
    return [
        Update(
            "adamw",
            min(fit[1] for fit in fits),
            max(fit[2] for fit in fits),
            constants={**constants, "weight_decay": weights.pop()},
            about=("weight_decay",) if any(fit[4] for fit in fits) else (),
        )
    ]


def _beside(moves: Moves, direction: Array, doubt: Array) -> list[tuple[float, float, float, bool]]:
    """At most one weight decay beside a step: the rate's bounds, λ, and whether that is rough."""
    solution = _solved(moves.delta, [direction, moves.params], 1 / (2 * moves.tol))
    if solution is None:
        return []
    for weight in _near_decay(float(solution[1] / solution[0])):
        tried = np.array([weight, weight * (1 - _ROUGHLY), weight * (1 + _ROUGHLY)])
        pulls = direction + tried[:, None, None] * moves.params
        found = fitting(moves, pulls, np.broadcast_to(doubt, pulls.shape))
        if found and found[0][0] == 0:
            return [(found[0][1], found[0][2], weight, len(found) > 1)]
    return []


def _inside(moves: Moves, rule: Any, rate: float | None) -> list[Update]:
    """Adam and RMSprop whose gradient has λ p in it, for usual λ: the updates do not give it."""
    own = float(getattr(rule, "weight_decay", 0.0))
    decays = dict.fromkeys((*([own] if own else []), *_DECAYS))
    kinds = [
        one
        for one in scalings_of(rule)
        if one.eps == 1e-8 and one.kind != "adagrad" and (one.corrected or one.kind == "rmsprop")
    ]
    tried = list(itertools.product(kinds, decays))
    for length in sorted({min(moves.count, most) for most in (6, _FIRST, moves.count)}):
        part = moves.rows(length)
        weights = np.array([weight for _, weight in tried])[None, :, None]
        grads = part.buffer[:, None] + weights * part.params[:, None]
        directions, doubts = directions_of([one for one, _ in tried], grads, part.eps)
        fits = [
            (tried[place], (low, high)) for place, low, high in fitting(part, directions, doubts)
        ]
        tried = [one for one, _ in fits]
        if not fits:
            return []
    found = []
    for kind in dict.fromkeys(scaling.kind for (scaling, _), _ in fits):
        alike = [fit for fit in fits if fit[0][0].kind == kind]
        alike.sort(key=lambda fit: not (rate is not None and holds(fit[1][0], fit[1][1], rate)))
        weights_left = {weight for (_, weight), _ in alike}
        if len(weights_left) > 1:
            return []  # the updates do not tell how much: nothing is claimed
        low, high = min(fit[1][0] for fit in alike), max(fit[1][1] for fit in alike)
        constants = shared([scaling for (scaling, _), _ in alike])
        constants["weight_decay"] = float(f"{weights_left.pop():.6g}")
        found.append(replace(Update(kind, low, high), constants=constants))
    return found


# -- numbers ---------------------------------------------------------------------------------------


def _shifted(rows: Array) -> Array:
    """What was one row earlier; 0 in the first."""
    return np.concatenate([rows[:1] * 0, rows[:-1]])


def _solved(target: Array, terms: list[Array], weight: Array) -> Array | None:
    """Coefficients of terms that make a target, by weighted least squares."""
    matrix = np.stack([(term * weight).ravel() for term in terms], axis=1)
    scale = np.abs(matrix).max(axis=0)
    if not (scale > 0).all() or not np.isfinite(scale).all():
        return None
    found: Array
    found, _, rank, _ = np.linalg.lstsq(matrix / scale, (target * weight).ravel(), rcond=None)
    return found / scale if rank == len(terms) and found[0] != 0 else None


def _near_decay(weight: float) -> Iterator[float]:
    """Values of λ to try: the roundest near a fitted one, and the fitted one itself."""
    if not 1e-7 < weight < 10:
        return
    tried = [roundest(weight * (1 - part), weight * (1 + part)) for part in (2e-2, 2e-3, 2e-4)]
    yield from dict.fromkeys([*tried, weight])
