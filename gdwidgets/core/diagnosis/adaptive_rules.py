"""Rules that scale by the size of gradients: Adam, RMSprop and Adagrad with usual constants."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdwidgets.core.diagnosis.moves import (
    FEWEST,
    MOST_ROWS,
    Moves,
    common,
    fit_together,
    holds,
    is_rate,
    rate_bounds,
)
from gdwidgets.core.diagnosis.records import Array
from gdwidgets.core.diagnosis.update import Update


@dataclass(frozen=True)
class Scaling:
    """One rule of the kind, with its constants."""

    kind: str
    mean: float
    """How much of the mean gradient is kept: β₁; 0 for the gradient itself."""
    square: float
    """How much of the mean square is kept: β₂ or α; 1 for a sum of squares."""
    corrected: bool
    eps: float = 1e-8


def scalings_of(rule: Any) -> list[Scaling]:
    """The rules that are tried: with usual constants, and with those of the reference's rule."""
    squares = (0.999, 0.99, 0.9, 0.95)
    tried = [
        Scaling("adam", 0.9, 0.999, corrected=True),
        Scaling("rmsprop", 0, 0.99, corrected=False),
    ]
    name = getattr(rule, "name", "")
    if name == "rmsprop":
        tried.insert(0, Scaling("rmsprop", 0, rule.alpha, corrected=False, eps=rule.eps))
    if name == "adam":
        tried.insert(0, Scaling("adam", rule.beta1, rule.beta2, corrected=True, eps=rule.eps))
    tried.append(Scaling("adagrad", 0, 1, corrected=False, eps=1e-10))
    for square in (*squares, 0.5):
        tried += [
            Scaling("rmsprop", 0, square, corrected=False, eps=eps)
            for eps in (1e-8, 1e-7, 1e-6, 1e-10)
        ]
    for mean, square in itertools.product((0.9, 0.95, 0.8, 0.99, 0.5), squares):
        tried += [
            Scaling("adam", mean, square, corrected=corrected, eps=eps)
            for corrected in (True, False)
            for eps in (1e-8, 1e-7, 1e-6)
        ]
    return list(dict.fromkeys(tried))


def adaptive(moves: Moves, rule: Any, rate: float | None) -> Update | None:
    """Adam, RMSprop or Adagrad with usual constants, each step simulated on the gradients."""
    rows = min(moves.head, MOST_ROWS)
    if rows < FEWEST or (moves.doubt > 0).any():
        return None
    # Most are ruled out by the first updates.
    scalings = scalings_of(rule)
    fits: list[tuple[Scaling, float, float]] = []
    for length in sorted({min(rows, 24), rows}):
        directions, doubts = directions_of(scalings, moves.buffer[:length], moves.eps)
        fits = [
            (scalings[place], low, high)
            for place, low, high in fitting(moves.rows(length), directions, doubts)
        ]
        scalings = [scaling for scaling, _, _ in fits]
        if not fits:
            return None
    fits.sort(key=lambda fit: not (rate is not None and holds(fit[1], fit[2], rate)))
    alike = [fit for fit in fits if fit[0].kind == fits[0][0].kind]
    bounds = min(low for _, low, _ in alike), max(high for _, _, high in alike)
    signs = common(
        *rate_bounds(moves.delta, np.sign(moves.buffer), 2 * moves.tol, np.zeros_like(moves.delta))
    )
    return Update(
        fits[0][0].kind,
        *bounds,
        constants=shared([one for one, _, _ in alike]),
        form="sign" if fit_together(*signs) else "",
    )


def fitting(moves: Moves, directions: Array, doubts: Array) -> list[tuple[int, float, float]]:
    """Which of C directions (C, m, P) make the moves at one rate that is not 0, and its bounds."""
    low, high = rate_bounds(moves.delta[None], directions, 2 * moves.tol[None], doubts)
    bounds = zip(low.max(axis=(1, 2)).tolist(), high.min(axis=(1, 2)).tolist(), strict=True)
    return [(place, *one) for place, one in enumerate(bounds) if is_rate(*one)]


def shared(scalings: list[Scaling]) -> dict[str, float]:
    """The constants on which all that fit agree: short runs leave some open."""
    keys = {
        "rmsprop": {"alpha": "square"},
        "adam": {"beta1": "mean", "beta2": "square", "corrected": "corrected"},
    }.get(scalings[0].kind, {})
    values = {key: {float(getattr(one, name)) for one in scalings} for key, name in keys.items()}
    return {key: found.pop() for key, found in values.items() if len(found) == 1}


def directions_of(scalings: list[Scaling], grads: Array, eps: float) -> tuple[Array, Array]:
    """What each scaling makes of gradients, and its rounding error: both (C, m, P).

    ``grads`` is (m, P), or (m, C, P) with gradients for each scaling.
    """
    mean_kept, square_kept, guard = (
        np.array([getattr(one, name) for one in scalings])[:, None]
        for name in ("mean", "square", "eps")
    )
    corrected = np.array([one.corrected for one in scalings])[:, None]
    added = np.where(square_kept == 1, 1, 1 - square_kept)
    shape = (len(scalings), grads.shape[-1])
    mean, size, square = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    directions = np.zeros((len(grads), *shape))
    doubts = np.zeros_like(directions)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for step, grad in enumerate(grads):
            mean = mean_kept * mean + (1 - mean_kept) * grad
            size = mean_kept * size + (1 - mean_kept) * np.abs(grad)
            square = square_kept * square + added * grad**2
            first = np.where(corrected, 1 - mean_kept ** (step + 1), 1)
            second = np.where(corrected & (square_kept < 1), 1 - square_kept ** (step + 1), 1)
            root = np.sqrt(square / second) + guard
            directions[step] = mean / first / root
            doubts[step] = 64 * eps * size / first / root
    return directions.swapaxes(0, 1), doubts.swapaxes(0, 1)
