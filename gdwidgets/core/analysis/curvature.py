"""Second derivatives of an objective, and the learning rates that they allow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.objectives.batches import MiniBatches
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.objectives.protocol import Objective, parameter_names
from gdwidgets.core.objectives.regression import PolynomialRegression
from gdwidgets.core.objectives.surface import Surface
from gdwidgets.core.session import own_torch_state

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

_NEAR = 1e-6
"""How near a point the gradient is looked at to find a kink, as a fraction of the objective's
extent."""

_ROUNDING = 1e-12
"""Eigenvalues below this fraction of the largest are 0."""


@dataclass(frozen=True)
class RateLimits:
    """What the second derivatives at a point say about the learning rate of plain descent there.

    Attributes
    ----------
    stability
        2/λmax with the largest eigenvalue λmax of the Hessian H: if the point were a minimum,
        descent would be locally stable there below it and leave it above it. Infinite where
        nothing curves upward.
    one_step
        2 |g|² / (gᵀ H g) with the gradient g: the rate up to which the next update lowers the loss
        of the local quadratic. Never below ``stability``; infinite where the loss curves downward
        along the gradient.
    kink
        Whether the gradient jumps at the point. Both limits are ``None`` then.
    """

    stability: float | None
    one_step: float | None
    kink: bool


def hessian(objective: Objective, point: Any) -> Tensor:
    """Matrix of second derivatives at a point, symmetric, float64 (P, P), by autograd.

    Computed in float64 by differentiating the gradient, or in float32 where the objective does
    not take float64. For mini-batches and micro-batches it is that of all samples together.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    point
        P finite numbers.

    Raises
    ------
    ValueError
        When the point is not P finite numbers, when the objective cannot be differentiated twice,
        or when a second derivative is not finite.
    """
    matrix = _finite_derivatives(objective, _point(objective, point))[1]
    return torch.from_numpy(matrix)


def hessians(objective: Objective, points: Any) -> FloatArray:
    """Matrices of second derivatives at many points, float64 (M, P, P), in one batched pass.

    P + 1 backward passes serve all points, as a lane's loss depends on its own row alone.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    points
        (M, P) numbers.

    Returns
    -------
    array
        NaN where a point or a second derivative is not finite.

    Raises
    ------
    ValueError
        When the points are not M rows of P numbers, or the objective cannot be differentiated
        twice.
    """
    count = len(parameter_names(objective))
    array = checks.float64_array(points, "points")
    if array.ndim != 2 or array.shape[1] != count:
        raise ValueError(f"points must have shape (M, {count}), got {array.shape}")
    if not len(array):
        return np.empty((0, count, count))
    return derivatives(objective, array)[1]


def learning_rate_limit(objective: Objective, point: Any) -> float:
    """Largest learning rate at which plain gradient descent is stable near a minimum: 2/λ.

    λ is the largest eigenvalue of the Hessian at the point. Along its direction an update
    multiplies the distance from the minimum of the local quadratic by 1 − γ λ, which shrinks it
    while γ < 2/λ. Away from a minimum a larger rate can still lower the loss in the next update:
    see `rate_limits`. For mini-batches it is the limit of all samples together.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    point
        P finite numbers.

    Returns
    -------
    float
        2/λ, or infinity where the objective curves nowhere upward (λ ≤ 0).

    Raises
    ------
    ValueError
        As `hessian`, and where the gradient jumps: no rate is stable at a kink.
    """
    where = _point(objective, point)
    if has_kink(objective, point):
        raise ValueError(f"there is no limit at {checks.shown(point)}: the gradient jumps there")
    return _limit(_eigenvalues(objective, where))


def rate_limits(objective: Objective, point: Any) -> RateLimits:
    """Both limits of the learning rate at a point, or the news that there are none.

    Local stability as `learning_rate_limit`. The one-step threshold is where the quadratic
    γ ↦ −γ |g|² + γ²/2 gᵀ H g, the loss along the next update, is back at 0.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    point
        P finite numbers.

    Raises
    ------
    ValueError
        When the point is not P finite numbers, or the objective cannot be differentiated twice.
    """
    where = _point(objective, point)
    if has_kink(objective, point):
        return RateLimits(None, None, kink=True)
    slopes, matrices = derivatives(objective, where[None])
    gradient, matrix = slopes[0], matrices[0]
    if not (np.isfinite(gradient).all() and np.isfinite(matrix).all()):
        return RateLimits(None, None, kink=False)
    along = float(gradient @ matrix @ gradient)
    square = float(gradient @ gradient)
    one_step = None
    if square > 0:
        one_step = 2 * square / along if along > 0 else math.inf
    regression = _regression(objective) is not None
    values = _eigenvalues(objective, where) if regression else eigenvalues(matrix)
    return RateLimits(_limit(values), one_step, kink=False)


def condition_number(objective: Objective, point: Any) -> float:
    """Ratio of the Hessian's largest to its smallest eigenvalue at a point.

    Roughly how many times more updates the flattest direction needs than the steepest. Infinity
    where the smallest eigenvalue is not positive. For a regression from the singular values s of X,
    (s_max / s_min)², which is not lost in rounding.

    Raises
    ------
    ValueError
        As `hessian`.
    """
    values = _eigenvalues(objective, _point(objective, point))
    least, largest = float(values[0]), float(values[-1])
    return largest / least if least > 0 else math.inf


def has_kink(objective: Objective, point: Any) -> bool:
    """Whether the gradient jumps at a point, as at the tip of abs(u) or Ackley's function.

    The gradient's change across the point, over a distance h in every parameter, shrinks with h
    where there are second derivatives; at a kink it does not. Looked at in float64; an objective
    that takes float32 only is taken to have none.

    Raises
    ------
    ValueError
        When the point is not P finite numbers.
    """
    where = _point(objective, point)
    if _regression(objective) is not None:
        return False
    sides = np.stack([np.diag(h * _extent(objective, where)) for h in (_NEAR, _NEAR / 10)])
    both = np.stack([where + sides, where - sides], axis=1)
    with own_torch_state():
        found = _gradients_in(objective, both.reshape(-1, len(where)), torch.float64)
    if found is None or not np.isfinite(found).all():
        return False
    found = found.reshape(both.shape)
    far, near = (float(np.linalg.norm(jump)) for jump in found[:, 0] - found[:, 1])
    largest = float(np.abs(found[1]).max())
    return near > 0.5 * far and near > 1e-10 * largest


def derivatives(objective: Objective, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradients (M, P) and Hessians (M, P, P) at points (M, P), float64; NaN where not finite."""
    regression = _regression(objective)
    if regression is not None:
        return _regression_derivatives(*regression, points)
    with own_torch_state():
        try:
            gradient, matrix = _autograd(objective, points, torch.float64)
        except Exception:  # noqa: BLE001 - whatever a user's function says to float64
            try:
                gradient, matrix = _autograd(objective, points, torch.float32)
            except Exception as error:
                raise ValueError(
                    f"the objective cannot be differentiated twice: {checks.raised(error)}"
                ) from error
    matrix = (matrix + matrix.transpose(0, 2, 1)) / 2
    gradient[~np.isfinite(gradient).all(1)] = math.nan
    matrix[~np.isfinite(matrix).all((1, 2))] = math.nan
    return gradient, matrix


def _autograd(
    objective: Objective, points: FloatArray, dtype: torch.dtype
) -> tuple[FloatArray, FloatArray]:
    leaf = torch.from_numpy(points).to(dtype).clone().requires_grad_()
    losses = objective(leaf)
    if dtype is torch.float64 and losses.dtype is not dtype:
        raise TypeError("the objective computes in its own precision")
    (gradient,) = torch.autograd.grad(losses.sum(), leaf, create_graph=True, materialize_grads=True)
    rows = [
        torch.autograd.grad(column.sum(), leaf, retain_graph=True, materialize_grads=True)[0]
        if column.requires_grad
        else torch.zeros_like(leaf)  # a linear function
        for column in gradient.unbind(-1)
    ]
    return gradient.detach().double().numpy(), torch.stack(rows, dim=1).double().numpy()


def gradients(objective: Objective, points: FloatArray) -> FloatArray:
    """Gradients (M, P) at points (M, P), in float64 or what the objective takes.

    Not finite where the objective's are not. For mini-batches and micro-batches those of all
    samples together.
    """
    regression = _regression(objective)
    if regression is not None:
        return _regression_derivatives(*regression, points)[0]
    with own_torch_state():
        found = _gradients_in(objective, points, torch.float64)
        if found is None:
            found = _gradients_in(objective, points, torch.float32)
    if found is None:
        raise ValueError("objective must be differentiable and return one loss per lane")
    return found


def _gradients_in(
    objective: Objective, points: FloatArray, dtype: torch.dtype
) -> FloatArray | None:
    """Gradients (M, P) computed in ``dtype``, or ``None`` where the objective does not take it."""
    leaf = torch.from_numpy(points).to(dtype).clone().requires_grad_()
    try:
        losses = objective(leaf)
        if dtype is torch.float64 and losses.dtype is not dtype:
            return None
        (gradient,) = torch.autograd.grad(losses.sum(), leaf, materialize_grads=True)
    except Exception:  # noqa: BLE001 - whatever a user's function says to this precision
        return None
    array: FloatArray = gradient.double().numpy()
    return array


def _extent(objective: Objective, where: FloatArray) -> FloatArray:
    """The size of the region that the objective is looked at in, in every parameter: (P,)."""
    if isinstance(objective, Surface):
        return np.diff(np.array(objective.bounds))[:, 0]
    return np.maximum(np.abs(where), 1.0)


def _regression(objective: Objective) -> tuple[PolynomialRegression, bool] | None:
    """The regression on all samples behind an objective; whether its parameters are reversed."""
    if isinstance(objective, MiniBatches):
        return objective.regression, False
    if isinstance(objective, MicroBatches):
        return PolynomialRegression(objective.x, objective.y, 1), True
    return (objective, False) if isinstance(objective, PolynomialRegression) else None


def _regression_derivatives(
    regression: PolynomialRegression, reverse: bool, points: FloatArray
) -> tuple[FloatArray, FloatArray]:
    order = slice(None, None, -1 if reverse else 1)
    x, y = regression.x.double().numpy(), regression.y.double().numpy()
    powers = x[:, None] ** np.arange(regression.degree + 1)[order]
    gradient = 2 / len(x) * (points @ powers.T - y) @ powers
    matrix = regression.hessian().numpy()[order, order]
    return gradient, np.repeat(matrix[None], len(points), axis=0)


def _eigenvalues(objective: Objective, where: FloatArray) -> FloatArray:
    """Eigenvalues in rising order, float64 (P,); those lost in rounding are 0."""
    regression = _regression(objective)
    if regression is not None:
        values = regression[0].singular().values[::-1]
        curvatures: FloatArray = 2 / len(regression[0].x) * values**2
        return curvatures
    return eigenvalues(_finite_derivatives(objective, where)[1])


def eigenvalues(matrices: FloatArray) -> FloatArray:
    """Eigenvalues of symmetric matrices (…, P, P) in rising order; those lost in rounding are 0."""
    values = np.linalg.eigvalsh(matrices)
    noise = _ROUNDING * np.abs(values).max(-1, keepdims=True)
    rounded: FloatArray = np.where(np.abs(values) <= noise, 0.0, values)
    return rounded


def _finite_derivatives(objective: Objective, where: FloatArray) -> tuple[FloatArray, FloatArray]:
    slopes, matrices = derivatives(objective, where[None])
    if not np.isfinite(matrices).all():
        raise ValueError(f"the second derivatives at {checks.shown(where.tolist())} are not finite")
    return slopes[0], matrices[0]


def _limit(values: FloatArray) -> float:
    largest = float(values[-1])
    return 2 / largest if largest > 0 else math.inf


def _point(objective: Objective, point: Any) -> FloatArray:
    """A point as the float32 numbers that a lane holds, in float64."""
    count = len(parameter_names(objective))
    leaf = checks.finite_float32(point, "point")
    if leaf.shape != (count,):
        raise ValueError(f"point must be {count} numbers, got {checks.shown(point)}")
    array: FloatArray = leaf.double().numpy()
    return array
