"""Momentum on a quadratic, known in advance: heavy ball and Nesterov as in ``torch.optim.SGD``.

Along an eigenvector with curvature λ an update is a 2 × 2 matrix that acts on the component e of
the distance and on γ m, the learning rate times the velocity. With a = γ λ

    heavy ball   e ← (1 − a) e − β γm            γm ← a e + β γm
    Nesterov     e ← (1 − (1 + β) a) e − β² γm   γm ← a e + β γm

The component shrinks in the long run if both eigenvalues lie within the unit circle. Polyak,
"Some methods of speeding up the convergence of iteration methods", 1964; Sutskever and others,
"On the importance of initialization and momentum in deep learning", 2013; Goh, "Why momentum really
works", Distill 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.analysis.quadratic import Quadratic

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

_BLOCK = 256
"""Updates that are worked out together."""


@dataclass(frozen=True)
class BestMomentum:
    """Momentum and learning rate at which the heavy ball's slowest direction shrinks fastest."""

    beta: float
    """((√κ − 1)/(√κ + 1))²."""

    learning_rate: float
    """4/(√λmax + √λmin)²."""

    factor: float
    """What an update leaves of the distance in the long run, √β."""


def update_matrices(
    curvatures: Any, learning_rate: float, beta: float, *, nesterov: bool = False
) -> FloatArray:
    """The matrices that an update applies to (e, γ m), float64 (P, 2, 2), for curvatures (P,)."""
    a = np.atleast_1d(learning_rate * np.asarray(curvatures, dtype=np.float64))
    matrices = np.empty((len(a), 2, 2))
    matrices[:, 0, 0] = 1 - (1 + beta) * a if nesterov else 1 - a
    matrices[:, 0, 1] = -beta * beta if nesterov else -beta
    matrices[:, 1, 0] = a
    matrices[:, 1, 1] = beta
    return matrices


def spectral_radius(
    curvatures: Any, learning_rate: float, beta: float, *, nesterov: bool = False
) -> FloatArray:
    """The larger eigenvalue in size of each update matrix, float64 (P,): below 1 it converges.

    From trace T and determinant D: √D where T² < 4 D, else (∣T∣ + √(T² − 4 D))/2. Heavy ball:
    T = 1 + β − a, D = β. Nesterov: T = 1 + β − (1 + β) a, D = β (1 − a). β = 0 is plain descent,
    ∣1 − a∣.

    Parameters
    ----------
    curvatures
        λ, (P,) numbers.
    learning_rate, beta
        γ greater than 0, β in [0, 1].
    nesterov
        Whether the momentum is Nesterov's.
    """
    a = np.atleast_1d(learning_rate * np.asarray(curvatures, dtype=np.float64))
    trace = 1 + beta - (1 + beta) * a if nesterov else 1 + beta - a
    determinant = beta * (1 - a) if nesterov else np.full_like(a, beta)
    square = trace**2 - 4 * determinant
    real = (np.abs(trace) + np.sqrt(np.maximum(square, 0))) / 2
    radius: FloatArray = np.where(square < 0, np.sqrt(np.maximum(determinant, 0)), real)
    return radius


def momentum_limit(curvature: float, beta: float, *, nesterov: bool = False) -> float:
    """The learning rate below which momentum is stable at a curvature λ.

    Heavy ball 2 (1 + β)/λ; Nesterov 2 (1 + β)/((1 + 2 β) λ), which is lower than plain descent's
    2/λ would let one expect: for β = 0.9 it is 1.36/λ. Infinite where λ is not above 0.
    """
    if curvature <= 0:
        return math.inf
    return 2 * (1 + beta) / ((1 + 2 * beta if nesterov else 1) * curvature)


def best_momentum(quadratic: Quadratic) -> BestMomentum | None:
    """The heavy ball's best constants, β = ((√κ − 1)/(√κ + 1))²; ``None`` where nothing curves.

    κ is the ratio of the largest curvature to the smallest above 0. At these constants both
    eigenvalues of the extreme directions are equal, so that the distance first shrinks like
    k √βᵏ (Polyak, 1964).
    """
    curved = quadratic.curvatures[quadratic.curvatures > 0]
    if not len(curved):
        return None
    low, high = math.sqrt(curved[0]), math.sqrt(curved[-1])
    factor = (high - low) / (high + low)
    return BestMomentum(factor**2, 4 / (high + low) ** 2, factor)


def momentum_distance(
    quadratic: Quadratic,
    start: Any,
    learning_rate: float,
    beta: float,
    steps: int,
    *,
    nesterov: bool = False,
) -> FloatArray:
    """Predicted distances from the minimum after 0 … steps updates, float64 (steps + 1,).

    Parameters
    ----------
    quadratic
        The loss.
    start
        P numbers; the velocity starts at 0.
    learning_rate, beta, nesterov
        As `spectral_radius`.
    steps
        Updates, at least 0.
    """
    count = checks.integer(steps, "steps", 0, checks.MOST_STEPS)
    walk = _Walk(quadratic, start, learning_rate, beta, nesterov=nesterov)
    blocks = [walk.next_block() for _ in range(count // _BLOCK + 1)]
    return np.concatenate(blocks)[: count + 1]


def momentum_updates_to(
    quadratic: Quadratic,
    start: Any,
    learning_rate: float,
    beta: float,
    distance: float,
    *,
    nesterov: bool = False,
    most: int = 1_000_000,
) -> int | None:
    """Updates after which the distance is first at most this much.

    ``None`` where a direction that moves does not shrink, or it takes more than ``most``.
    """
    target = checks.positive(distance, "distance")
    moving = quadratic.components(start) != 0
    radius = spectral_radius(quadratic.curvatures[moving], learning_rate, beta, nesterov=nesterov)
    if (radius >= 1).any():
        return None
    walk = _Walk(quadratic, start, learning_rate, beta, nesterov=nesterov)
    for first in range(0, most + 1, _BLOCK):
        near = np.flatnonzero(walk.next_block() <= target)
        if len(near):
            return first + int(near[0])
    return None


class _Walk:
    """Distances of one update after another, a block at a time."""

    def __init__(
        self, quadratic: Quadratic, start: Any, learning_rate: float, beta: float, *, nesterov: bool
    ) -> None:
        components = quadratic.components(start)
        moving = components != 0
        self._state = np.stack([components[moving], np.zeros(int(moving.sum()))], axis=-1)
        rate = checks.positive(learning_rate, "learning_rate")
        matrices = update_matrices(quadratic.curvatures[moving], rate, beta, nesterov=nesterov)
        powers = np.broadcast_to(np.eye(2), matrices.shape)[None]
        with np.errstate(over="ignore", invalid="ignore"):
            while len(powers) < _BLOCK:
                powers = np.concatenate([powers, powers @ matrices])
                matrices = matrices @ matrices
        self._powers, self._whole = powers, matrices

    def next_block(self) -> FloatArray:
        """The next distances, float64 (_BLOCK,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            along = np.einsum("kpi,pi->kp", self._powers[:, :, 0], self._state)
            self._state = np.einsum("pij,pj->pi", self._whole, self._state)
            distances: FloatArray = np.linalg.norm(along, axis=1)
            return distances
