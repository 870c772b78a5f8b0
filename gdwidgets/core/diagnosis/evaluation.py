"""An objective's losses and gradients at recorded points, and how far rounding may take them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core.diagnosis.records import FLOAT32_EPS, Array
from gdwidgets.core.objectives.protocol import Objective, SteppedObjective
from gdwidgets.core.session import own_torch_state

_MOST_ROWS = 4096
_MOST_NUMBERS = 4_000_000
_STEPWISE = 2000
"""Records that are evaluated one by one where the objective changes from step to step."""


@dataclass(frozen=True)
class Evaluated:
    """Values of an objective at n points of P numbers; all float64."""

    loss: Array
    """(n,)."""
    grad: Array
    """(n, P)."""
    loss_noise: Array
    """About how far rounding may take the loss, (n,)."""
    grad_noise: Array
    """About how far rounding may take a number of the gradient, (n, P)."""

    def rows(self, which: slice) -> Evaluated:
        """The values at some of the points."""
        return Evaluated(
            self.loss[which], self.grad[which], self.loss_noise[which], self.grad_noise[which]
        )


def evaluated(
    objective: Objective,
    params: Array,
    number: Array | None = None,
    eps: float = FLOAT32_EPS,
    runs: int = 1,
) -> Evaluated:
    """Losses and gradients of an objective at points (n, P), in float32 as a descent has them.

    The rounding error is estimated by moving every parameter by about one unit in the last place,
    in several combinations, in the same batched pass: sums that cancel show by how much they do.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    params
        The points; where they are not finite the values are NaN.
    number
        Steps of the points, for an objective that has ``begin_step``; the first 2,000 are
        evaluated, the others are NaN.
    eps
        Distance from 1 to the next number of the loop's dtype, for the rounding errors. Of half
        precision a sixteenth is taken: of a loop in float32 64 such errors are let pass, for its
        formula may be written in many ways, but 64 of these would be most of a loss.
    runs
        Into how many runs of equal length the points fall, one after another: no neighbours are
        looked at across them.
    """
    eps = max(FLOAT32_EPS, eps / 16)
    with own_torch_state(), np.errstate(over="ignore", invalid="ignore"):
        points = params.astype(np.float32)
        # A parameter that is just passing 0 has the rounding errors of its neighbours.
        scale = _widest(np.abs(points), 8, runs)
        moves = _moves(params.shape[1]).astype(np.float32) * np.float32(eps)
        tried = points[None] + moves[:, None, :] * scale[None]
        if not isinstance(objective, SteppedObjective):
            loss, grad = _batched(objective, tried.astype(np.float32))
        else:
            loss, grad = (
                np.full((len(moves), *shape), np.nan) for shape in (points.shape[:1], points.shape)
            )
            steps = range(len(points)) if number is None else number.tolist()
            for place, step in itertools.islice(enumerate(steps), _STEPWISE):
                objective.begin_step(int(step))
                loss[:, place], grad[:, place] = _pass(
                    objective, tried[:, place].astype(np.float32)
                )
        return _with_noise(loss, grad, eps, runs)


def _moves(count: int) -> Array:
    """No move, then all up, all down, and every second one up: (5, P)."""
    other = np.where(np.arange(count) % 2, -1.0, 1.0)
    return np.stack([np.zeros(count), np.ones(count), -np.ones(count), other, -other])


def _batched(objective: Objective, tried: Array) -> tuple[Array, Array]:
    variants, count, width = tried.shape
    samples = (
        len(getattr(objective, "x", ())) if hasattr(getattr(objective, "x", None), "__len__") else 1
    )
    rows = max(1, min(_MOST_ROWS, _MOST_NUMBERS // (variants * width * max(samples, 1))))
    losses, grads = [], []
    for first in range(0, count, rows):
        part = tried[:, first : first + rows]
        loss, grad = _pass(objective, part.reshape(-1, width))
        losses.append(loss.reshape(variants, -1))
        grads.append(grad.reshape(variants, -1, width))
    if not losses:
        return np.zeros((variants, 0)), np.zeros((variants, 0, width))
    return np.concatenate(losses, axis=1), np.concatenate(grads, axis=1)


def _pass(objective: Objective, points: Array) -> tuple[Array, Array]:
    """One forward and one backward pass at points (m, P) in float32."""
    leaf = torch.from_numpy(np.ascontiguousarray(points)).requires_grad_()
    losses: Tensor = objective(leaf)
    (grad,) = torch.autograd.grad(losses.sum(), leaf, materialize_grads=True, allow_unused=True)
    return losses.detach().double().numpy(), grad.double().numpy()


def _with_noise(loss: Array, grad: Array, eps: float, runs: int) -> Evaluated:
    loss_noise = np.abs(loss - loss[0]).max(axis=0) + 4 * eps * np.abs(loss[0])
    grad_noise = np.abs(grad - grad[0]).max(axis=0) + 4 * eps * np.abs(grad[0])
    return Evaluated(loss[0], grad[0], _widest(loss_noise, 4, runs), _widest(grad_noise, 4, runs))


def _widest(values: Array, reach: int, runs: int) -> Array:
    """Each number, or its neighbours in time where these are larger both before and after.

    A single estimate may be 0 by chance. Of a run that grows only the past counts.
    """
    if runs > 1:
        return np.concatenate([_widest(part, reach, 1) for part in np.split(values, runs)])
    earlier, later = values.copy(), values.copy()
    for shift in range(1, min(reach + 1, len(values))):
        earlier[shift:] = np.fmax(earlier[shift:], values[:-shift])
        later[:-shift] = np.fmax(later[:-shift], values[shift:])
    return np.fmin(earlier, later)
