"""Second derivatives of an objective, and the largest stable learning rate they allow."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.objectives.batches import MiniBatches
from gdwidgets.core.objectives.protocol import Objective
from gdwidgets.core.objectives.regression import PolynomialRegression
from gdwidgets.core.session import own_torch_state


def hessian(objective: Objective, point: Any) -> Tensor:
    """Matrix of second derivatives at a point, symmetric, float64 (P, P), by autograd.

    Computed in float32 by differentiating the gradient; for `PolynomialRegression`, whose Hessian
    is the same everywhere, exactly in float64. That of `MiniBatches` is the one of all samples,
    whichever batch is present.

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
    with own_torch_state():
        leaf = checks.finite_float32(point, "point")
        count = len(objective.parameter_names)
        if leaf.shape != (count,):
            raise ValueError(f"point must be {count} numbers, got {checks.shown(point)}")
        if isinstance(objective, (MiniBatches, PolynomialRegression)):
            return objective.hessian()
        matrix = _second_derivatives(objective, leaf).double()
        if not bool(torch.isfinite(matrix).all()):
            raise ValueError(
                f"the second derivatives at {checks.shown(point)} are not finite in float32"
            )
        return (matrix + matrix.T) / 2


def learning_rate_limit(objective: Objective, point: Any) -> float:
    """Largest learning rate at which plain gradient descent is stable near a point: 2/λ.

    λ is the largest eigenvalue of the Hessian there. Along its direction an update multiplies the
    distance from the minimum of the local parabola by 1 − γ λ, which shrinks it while γ < 2/λ.

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
        As `hessian`.
    """
    largest = float(_eigenvalues(objective, point)[-1])
    return 2 / largest if largest > 0 else math.inf


def condition_number(objective: Objective, point: Any) -> float:
    """Ratio of the Hessian's largest to its least eigenvalue at a point.

    Roughly how many times more updates the flattest direction needs than the steepest. Infinity
    where the least eigenvalue is not positive.

    Raises
    ------
    ValueError
        As `hessian`.
    """
    values = _eigenvalues(objective, point)
    least, largest = float(values[0]), float(values[-1])
    return largest / least if least > 0 else math.inf


def _eigenvalues(objective: Objective, point: Any) -> Tensor:
    """Eigenvalues in rising order, float64 (P,); those lost in rounding are 0."""
    matrix = hessian(objective, point)
    with own_torch_state():
        values = torch.linalg.eigvalsh(matrix)
        noise = 1e-12 * values.abs().max()
        return torch.where(values.abs() <= noise, torch.zeros_like(values), values)


def _second_derivatives(objective: Objective, point: Tensor) -> Tensor:
    leaf = point[None].clone().requires_grad_()
    try:
        (gradient,) = torch.autograd.grad(
            objective(leaf).sum(), leaf, create_graph=True, materialize_grads=True
        )
        rows = [
            torch.autograd.grad(entry, leaf, retain_graph=True, materialize_grads=True)[0][0]
            if entry.requires_grad
            else torch.zeros_like(point)  # a linear function
            for entry in gradient[0]
        ]
    except RuntimeError as error:
        raise ValueError(f"the objective cannot be differentiated twice: {error}") from error
    return torch.stack(rows).detach()
