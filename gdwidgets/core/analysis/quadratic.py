"""Plain descent on a quadratic, known in advance: one factor 1 − γ λ for every direction.

On a quadratic with Hessian H = Σ λᵢ vᵢ vᵢᵀ the distance from the minimum splits into components
cᵢ along the eigenvectors, and k updates with the learning rate γ multiply component i by
(1 − γ λᵢ)ᵏ (Nocedal and Wright, "Numerical Optimization", 2006, section 3.3; Goh, "Why momentum
really works", Distill 2017). Losses, distances and the best rate follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.analysis.curvature import derivatives
from gdwidgets.core.objectives.neuron import LinearNeuron
from gdwidgets.core.objectives.protocol import Objective
from gdwidgets.core.objectives.regression import PolynomialRegression
from gdwidgets.core.objectives.surface import Surface

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

_FLAT = 1e-12
"""Curvatures below this fraction of the largest count as 0 where they come from derivatives."""

_SAME = 1e-9
"""Relative difference of derivatives that still count as equal."""


@dataclass(frozen=True)
class Halving:
    """Updates after which a component of the distance has halved; infinite if it never does.

    Attributes
    ----------
    steepest
        In the direction of the largest curvature.
    flattest
        In the direction of the smallest curvature above 0.
    slowest
        In whichever direction it shrinks most slowly, the largest ∣1 − γ λ∣: the
        steepest just below the limit, the flattest at small rates.
    """

    steepest: float
    flattest: float
    slowest: float


@dataclass(frozen=True, eq=False)
class Quadratic:
    """A quadratic loss of P parameters, and what plain descent does on it.

    Attributes
    ----------
    curvatures
        Eigenvalues λ of the Hessian, float64 (P,), rising; exactly 0 in flat directions.
    directions
        Their eigenvectors, float64 (P, P), one a column.
    centre
        Where the gradient is 0, float64 (P,): the minimum, or one of them, unless a curvature is
        negative.
    centre_loss
        The loss there.
    unique
        Whether there is no flat direction.
    """

    curvatures: FloatArray
    directions: FloatArray
    centre: FloatArray
    centre_loss: float
    _components: Callable[[FloatArray], FloatArray] | None = field(default=None, repr=False)

    @property
    def unique(self) -> bool:
        """Whether the centre is the only point without gradient."""
        return bool((self.curvatures != 0).all())

    @property
    def limit(self) -> float:
        """The learning rate 2/λmax below which descent converges; infinite without curvature."""
        largest = float(self.curvatures[-1])
        return 2 / largest if largest > 0 else math.inf

    @property
    def condition(self) -> float:
        """The condition number κ = λmax/λmin; infinite where a direction is flat."""
        least = float(self.curvatures[0])
        return float(self.curvatures[-1]) / least if least > 0 else math.inf

    @property
    def best_rate(self) -> float:
        """The rate 2/(λmin + λmax) at which the slowest direction shrinks fastest.

        λmin is the smallest curvature above 0, since flat directions do not move. Polyak,
        "Introduction to Optimization", 1987.
        """
        curved = self._curved()
        return 2 / float(curved[0] + curved[-1]) if len(curved) else math.inf

    @property
    def best_factor(self) -> float:
        """What an update at the best rate leaves of the distance: (κ − 1)/(κ + 1)."""
        curved = self._curved()
        return float((curved[-1] - curved[0]) / (curved[-1] + curved[0])) if len(curved) else 1.0

    def factors(self, learning_rate: float) -> FloatArray:
        """What an update multiplies each component by: 1 − γ λ, float64 (P,)."""
        return 1 - checks.positive(learning_rate, "learning_rate") * self.curvatures

    def halving(self, learning_rate: float) -> Halving:
        """Updates in which components halve, log ½ / log ∣1 − γ λ∣."""
        curved = self._curved()
        if not len(curved):
            return Halving(math.inf, math.inf, math.inf)
        scaled = checks.positive(learning_rate, "learning_rate") * curved
        halves = [_halves(one) for one in scaled]
        return Halving(halves[-1], halves[0], max(halves))

    def components(self, point: Any) -> FloatArray:
        """Components of point − centre along the directions, float64 (P,); 0 in flat ones."""
        where = checks.float64_array(point, "point")
        if where.shape != self.centre.shape:
            raise ValueError(f"point must be {len(self.centre)} numbers, got {checks.shown(point)}")
        if self._components is not None:
            return self._components(where)
        moving = self.directions.T @ (where - self.centre)
        components: FloatArray = np.where(self.curvatures != 0, moving, 0.0)
        return components

    def loss(self, start: Any, learning_rate: float, steps: Any) -> FloatArray:
        """Predicted losses after k updates: centre_loss + ½ Σ λᵢ cᵢ² (1 − γ λᵢ)²ᵏ.

        Parameters
        ----------
        start
            P numbers.
        learning_rate
            γ, greater than 0.
        steps
            Numbers k of updates, (K,).

        Returns
        -------
        array
            float64 (K,); infinite where it is too large.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            parts = 0.5 * self.curvatures * self.components(start) ** 2
            powers = self._powers(learning_rate, 2 * np.asarray(steps, dtype=np.float64))
            losses: FloatArray = self.centre_loss + np.where(parts != 0, parts * powers, 0.0).sum(1)
            return losses

    def distance(self, start: Any, learning_rate: float, steps: Any) -> FloatArray:
        """Predicted distances from the nearest point without gradient: √(Σ cᵢ² (1 − γ λᵢ)²ᵏ).

        Parameters and result as `loss`.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            powers = self._powers(learning_rate, np.asarray(steps, dtype=np.float64))
            c = self.components(start)
            distances: FloatArray = np.linalg.norm(np.where(c != 0, c * powers, 0.0), axis=1)
            return distances

    def updates_to(self, start: Any, learning_rate: float, distance: float) -> int | None:
        """Updates after which the distance is at most this much and stays so; ``None`` if never.

        Raises
        ------
        ValueError
            When the learning rate or the distance is not greater than 0.
        """
        target = checks.positive(distance, "distance")
        c, factors = np.abs(self.components(start)), np.abs(self.factors(learning_rate))
        c, factors = c[c > 0], factors[c > 0]
        still = float(np.linalg.norm(c[factors == 1]))
        if (factors > 1).any() or still > target or still == target > 0:
            return None

        def near(k: int) -> bool:
            return float(np.linalg.norm(c * factors ** float(k))) <= target

        high = 1
        while not near(high):
            high *= 2
        low = 0 if near(0) else high // 2
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if near(middle) else (middle + 1, high)
        return low

    def _curved(self) -> FloatArray:
        return self.curvatures[self.curvatures > 0]

    def _powers(self, learning_rate: float, exponents: FloatArray) -> FloatArray:
        """Sizes of (1 − γ λ)ᵏ: (K, P)."""
        powers: FloatArray = (
            np.abs(self.factors(learning_rate)) ** np.atleast_1d(exponents)[:, None]
        )
        return powers


def quadratic(objective: Objective) -> Quadratic | None:
    """The quadratic that an objective is, or ``None`` if it is none.

    A regression always is, with curvatures λ = 2 s²/N from the singular values s of X; so is the
    linear neuron. A surface is one when the loss of the quadratic through one point of its map
    agrees with it, derivatives included, at 24 others.
    """
    if isinstance(objective, PolynomialRegression):
        return _of_regression(objective)
    if isinstance(objective, Surface):
        low, high = np.array(objective.bounds).T
        spread = np.random.default_rng(0).uniform(size=(25, 2))
        points = (low + spread * (high - low)).astype(np.float32).astype(np.float64)
        return _through(objective, points)
    if isinstance(objective, LinearNeuron):
        return _of_neuron(objective)
    return None


def _of_regression(regression: PolynomialRegression) -> Quadratic:
    svd, best = regression.singular(), regression.closed_form()
    rank, count = best.rank, len(regression.x)
    x, y = regression.x.double().numpy(), regression.y.double().numpy()

    def components(point: FloatArray) -> FloatArray:
        # From the residuals, not from the centre: that may be too large for float64.
        residuals = np.polynomial.polynomial.polyval(x, point) - y
        found = np.zeros(len(point))
        found[::-1][:rank] = svd.left.T @ residuals / svd.values[:rank]
        return found

    curvatures = 2 / count * svd.values[::-1] ** 2
    return Quadratic(curvatures, svd.right[:, ::-1], best.coefficients, best.loss, components)


def _of_neuron(neuron: LinearNeuron) -> Quadratic:
    x, y = neuron.x, neuron.y
    square = x * x + 1
    along = np.array([x, 1.0]) / math.sqrt(square)
    directions = np.array([[-along[1], along[0]], [along[0], along[1]]]).T
    return Quadratic(
        np.array([0.0, 2 * square]), directions, np.array([x * y / square, y / square]), 0.0
    )


def _through(surface: Surface, points: FloatArray) -> Quadratic | None:
    """The quadratic that agrees with a surface at points (M, 2), if there is one."""
    gradients, matrices = derivatives(surface, points)
    values = surface.values(points).astype(np.float64)
    if not (np.isfinite(gradients).all() and np.isfinite(matrices).all()):
        return None
    matrix, gradient, where = matrices[0], gradients[0], points[0]
    away = points - where
    scale = float(np.abs(matrix).max())
    predicted = gradient + away @ matrix
    size = float(np.abs(predicted).max())
    tolerance = _SAME
    if not np.allclose(matrices, matrix, rtol=0, atol=tolerance * scale):
        return None
    if not np.allclose(gradients, predicted, rtol=0, atol=tolerance * size):
        return None
    rise = away @ gradient + 0.5 * np.einsum("mi,ij,mj->m", away, matrix, away)
    if not np.allclose(values, values[0] + rise, rtol=0, atol=1e-5 * float(np.abs(values).max())):
        return None
    curvatures, directions = np.linalg.eigh(matrix)
    curvatures = np.where(np.abs(curvatures) > _FLAT * scale, curvatures, 0.0)
    along = directions.T @ gradient
    flat = curvatures == 0
    if flat.any() and float(np.abs(along[flat]).max()) > tolerance * size:
        return None  # a slope without end
    step = np.where(flat, 0.0, along / np.where(flat, 1.0, curvatures))
    centre = where - directions @ step
    centre_loss = float(surface.values(centre[None])[0])
    return Quadratic(curvatures, directions, centre, centre_loss)


def _halves(scaled: float) -> float:
    """Updates in which a component with γλ halves; exact also where 1 − γλ rounds to 1."""
    if scaled >= 2:
        return math.inf
    if scaled == 1:
        return 0.0
    return math.log(0.5) / (math.log1p(-scaled) if scaled < 1 else math.log(scaled - 1))
