"""The loss that mini-batches leave above the minimum: the noise floor of a learning rate.

At the minimum the full gradient is 0, but each batch's is not. Every update adds γ times that noise
to the component along an eigenvector of the Hessian and shrinks the component by 1 − γ λ, which
balances at a variance (Bottou, Curtis and Nocedal, "Optimization methods for large-scale machine
learning", 2018, section 4; Mandt, Hoffman and Blei, "Stochastic gradient descent as approximate
Bayesian inference", 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.objectives.batches import MiniBatches

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class NoiseFloor:
    """How far the full loss stays above its minimum on average, long after the start.

    Attributes
    ----------
    independent
        If every update drew its batch anew: Σ γ σᵢ² / (2 (2 − γ λᵢ)).
    dealt
        With batches dealt from a shuffled epoch, as `MiniBatches` does: the batches of an epoch
        compensate each other, which makes it far lower at small rates. Near the limit, where
        components alternate, or with a small last batch it can be higher.
    curvatures
        λ, float64 (P,), rising.
    variances
        σ², float64 (P,): variance of a full batch's gradient along each eigenvector.

    Both are infinite where the full loss is not stable, from γ = 2/λmax on. They take a batch's
    curvature to be that of all samples; where γ times a batch's own curvature is not small,
    the floor is higher.
    """

    independent: float
    dealt: float
    curvatures: FloatArray
    variances: FloatArray


def noise_floor(batches: MiniBatches, learning_rate: float) -> NoiseFloor:
    """The noise floor of plain descent on mini-batches of a polynomial regression.

    With the gradients gₙ of single samples at the minimum, a batch of B of N samples drawn without
    replacement has a gradient of variance σ² = mean(gₙ²)/B · (N − B)/(N − 1), and two batches of
    the same epoch have the covariance −mean(gₙ²)/(N − 1) (Cochran, "Sampling Techniques", 1977,
    theorem 2.2).

    Parameters
    ----------
    batches
        The mini-batches.
    learning_rate
        γ, greater than 0.

    Raises
    ------
    ValueError
        When the learning rate is not greater than 0.
    """
    rate = checks.positive(learning_rate, "learning_rate")
    regression = batches.regression
    count = len(regression.x)
    svd, best = regression.singular(), regression.closed_form()
    residuals = best.values(regression.x.numpy()) - regression.y.double().numpy()
    rank = best.rank
    curvatures = 2 / count * svd.values[:rank] ** 2
    single = np.square(2 * residuals[:, None] * svd.left * svd.values[:rank]).mean(0)
    variances = np.zeros(len(svd.values))
    if count > 1:
        size = batches.size
        variances[::-1][:rank] = single * (count - size) / (size * (count - 1))
    rising = np.zeros(len(svd.values))
    rising[::-1][:rank] = curvatures
    if (rate * curvatures >= 2).any():
        return NoiseFloor(math.inf, math.inf, rising, variances)
    independent = float((rate * variances / (2 * (2 - rate * rising))).sum())
    sizes = np.full(batches.batches, batches.size)
    sizes[-1] = count - batches.size * (batches.batches - 1)
    dealt = 0.0
    if count > 1:
        spread = _dealt(rate, curvatures, sizes, count)
        dealt = float((0.5 * curvatures * single * spread).sum())
    return NoiseFloor(independent, dealt, rising, variances)


def _dealt(rate: float, curvatures: FloatArray, sizes: Any, count: int) -> FloatArray:
    """Mean variance of each component over the records of an epoch, for samples of variance 1.

    After m batches of an epoch the noise in a component is −γ Σ_j aᵐ⁻¹⁻ʲ ξ_j with a = 1 − γ λ. With
    the covariances of `noise_floor` its variance is γ² (N A_m − S_m²)/(N − 1), where
    A_m = Σ a²⁽ᵐ⁻¹⁻ʲ⁾/B_j and S_m = Σ aᵐ⁻¹⁻ʲ. Epochs are independent.
    """
    a = 1 - rate * curvatures
    squares, plain = np.zeros_like(a), np.zeros_like(a)
    within, decay = [], []
    power = np.ones_like(a)
    for size in sizes:
        within.append(rate**2 * (count * squares - plain**2) / (count - 1))
        decay.append(power**2)
        squares, plain = a**2 * squares + 1 / size, a * plain + 1
        power = power * a
    epoch = rate**2 * np.maximum(count * squares - plain**2, 0) / (count - 1)
    lost = 1 - power**2
    # A component that hardly shrinks in an epoch gathers noise that hardly adds up to anything.
    start = np.where(lost > 1e-9, epoch / np.where(lost > 1e-9, lost, 1), 0)
    mean: FloatArray = np.mean(within, axis=0) + start * np.mean(decay, axis=0)
    return mean
