"""Descents whose gradients accumulate, and the mathematics of it.

On a quadratic with curvature λ plain descent that never clears its gradient buffer is momentum
with β = 1. The distance r from the minimum obeys r_{k+1} = (2 − γ λ) r_k − r_{k−1} with
r₁ = (1 − γ λ) r₀, so that

    r_k / r₀ = cos((k + ½) θ) / cos(θ/2),    sin²(θ/2) = γ λ / 4,

Chebyshev's polynomials of the third kind (Mason and Handscomb, "Chebyshev Polynomials", 2003,
section 1.2.3). A buffer that is cleared after every n-th update begins this anew each time.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.rules.wrappers import EveryNth

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

_ROUNDING = 1e-7
"""Relative distance of a learning rate from a limit at which float32 does not tell them apart."""

_MANY = 100_000
"""Accumulated gradients that are added up one by one, as float32 does."""

_SATURATED = 2.0**24
"""How many equal numbers float32 adds up before one more changes nothing."""


class Asymptotic(StrEnum):
    """What a run does in the long run."""

    CONVERGES = "converges"
    OSCILLATES = "oscillates"
    DIVERGES = "diverges"
    AT_REST = "at rest"
    """It never moves: its gradient is exactly 0, or no update changes a float32 parameter."""


def period_factor(scaled_rate: Any, n: int) -> Any:
    """What n updates without clearing multiply the distance from the minimum by.

    Parameters
    ----------
    scaled_rate
        γ λ, the learning rate times the curvature, at least 0: a number, or an array of any shape
        to draw the factor over learning rates.
    n
        Updates between clearings, at least 1.

    Returns
    -------
    float or array
        cos((n + ½) θ)/cos(θ/2) with sin²(θ/2) = γ λ/4 up to γ λ = 4, and beyond it
        (−1)ⁿ sinh((n + ½) φ)/sinh(φ/2) with sinh²(φ/2) = γ λ/4 − 1: finite, unless it exceeds
        float64. At n = 1 it is 1 − γ λ.
    """
    count = checks.integer(n, "n", 1, 2**53)
    a = np.asarray(scaled_rate, dtype=np.float64)
    parity = -1.0 if count % 2 else 1.0
    m = count + 0.5
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        half = np.arcsin(np.sqrt(np.clip(a / 4, 0, 0.5)))
        small = np.cos(2 * m * half) / np.cos(half)
        # From the other end, θ = π − ψ, where the quotient above is nearly 0/0.
        half = np.arcsin(np.sqrt(np.clip(1 - a / 4, 0, 0.5)))
        large = parity * np.sin(2 * m * half) / np.sin(half)
        half = np.arcsinh(np.sqrt(np.maximum(a / 4 - 1, 0)))
        beyond = parity * np.sinh(2 * m * half) / np.sinh(half)
    factor = np.select([a <= 2, a < 4, a > 4], [small, large, beyond], parity * 2 * m)
    return float(factor) if factor.ndim == 0 else factor


def amplitude(scaled_rate: float) -> float:
    """How far a run without clearing gets from the minimum, in multiples of the start's distance.

    1/√(1 − γ λ/4), the largest that cos((k + ½) θ)/cos(θ/2) can be; infinite from γ λ = 4 on.
    """
    return 1 / math.sqrt(1 - scaled_rate / 4) if scaled_rate < 4 else math.inf


def stable_rates(curvature: float, n: int) -> list[tuple[float, float]]:
    """The intervals of learning rates at which clearing every n updates converges.

    The factor of a period is ±1 where θ is a multiple of π/n or of π/(n + 1), and smaller between
    (j − 1) π/n and j π/(n + 1): n intervals, of which for n > 1 all but the first lie beyond rates
    that diverge.

    Parameters
    ----------
    curvature
        λ, greater than 0.
    n
        Updates between clearings, at least 1.

    Returns
    -------
    list
        n pairs (low, high), rising; the last ends below 4/λ.
    """
    count = checks.integer(n, "n", 1, 100_000)
    j = np.arange(1, count + 1)
    low = _rates_at((j - 1) * (math.pi / count), curvature)
    high = _rates_at(j * (math.pi / (count + 1)), curvature)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def landing_rates(curvature: float, n: int) -> FloatArray:
    """The n learning rates at which n updates without clearing end exactly at the minimum.

    cos((n + ½) θ) = 0, so θ = (2 j − 1) π/(2 n + 1): with n = 1 1/λ, with n = 2 0.382/λ and
    2.618/λ. Rising, float64 (n,).
    """
    count = checks.integer(n, "n", 1, 100_000)
    return _rates_at((2 * np.arange(1, count + 1) - 1) * (math.pi / (2 * count + 1)), curvature)


def asymptotic_behaviour(
    learning_rate: float,
    curvature: float,
    clear_every: int | None,
    *,
    start: Any = None,
    gradient: Any = None,
) -> Asymptotic:
    """What plain descent does in the long run on a loss with one curvature, as a linear neuron's.

    Parameters
    ----------
    learning_rate
        γ, greater than 0; rounded to float32 as a descent does.
    curvature
        λ, greater than 0.
    clear_every
        Updates between clearings, ``None`` for never: then it oscillates below 4/λ.
    start, gradient
        The first record's parameters and gradient, P numbers each. Without them it is taken for
        granted that the run moves.

    Notes
    -----
    A rate that float32 cannot tell from the edge of an interval of `stable_rates` oscillates.
    """
    with np.errstate(over="ignore", under="ignore"):
        rate = float(np.float32(checks.positive(learning_rate, "learning_rate")))
    steep = checks.positive(curvature, "curvature")
    moves = start is None or gradient is None
    if not moves and never_moves(start, gradient, rate, clear_every):
        return Asymptotic.AT_REST
    scaled = rate * steep
    if clear_every is None:
        return Asymptotic.OSCILLATES if scaled < 4 else Asymptotic.DIVERGES
    if scaled > 4:
        return Asymptotic.DIVERGES
    n = checks.integer(clear_every, "clear_every", 1, 2**53)
    theta = 2 * math.asin(math.sqrt(scaled / 4))
    j = math.floor(theta * n / math.pi)  # below θ lies j π/n, the beginning of an interval
    edges = [j * math.pi / n, (j + 1) * math.pi / (n + 1), (j + 1) * math.pi / n]
    for edge in edges:
        at = 4 * math.sin(edge / 2) ** 2
        if 0 < edge < math.pi * (1 - 1e-12) and abs(scaled - at) <= _ROUNDING * at:
            return Asymptotic.OSCILLATES
    return Asymptotic.CONVERGES if theta < edges[1] else Asymptotic.DIVERGES


def never_moves(
    start: Any, gradient: Any, learning_rate: float, clear_every: int | None = 1
) -> bool:
    """Whether plain descent in float32 stays at its start for good.

    It does where the gradient is exactly 0, and where even the largest buffer before it is cleared,
    n gradients, gives an update too small to change a parameter. A buffer that is never cleared
    grows until float32 has no room for another gradient, some 2²⁴ of them.

    Parameters
    ----------
    start, gradient
        P finite numbers each, as recorded.
    learning_rate
        γ.
    clear_every
        Updates between clearings, ``None`` for never.
    """
    p = np.asarray(start, dtype=np.float32)
    g = np.asarray(gradient, dtype=np.float32)
    if not g.any():
        return True
    count = int(_SATURATED) if clear_every is None else clear_every
    with np.errstate(over="ignore", under="ignore"):
        if count <= _MANY:
            buffer = np.cumsum(np.broadcast_to(g, (count, len(g))), axis=0, dtype=np.float32)[-1]
        else:
            buffer = np.float32(min(float(count), _SATURATED)) * g
        return bool((p - np.float32(learning_rate) * buffer == p).all())


def micro_batch_descent(
    objective: MicroBatches, start: Any, learning_rate: float, max_steps: int
) -> Descent:
    """A descent of both lanes: in parts, and at once; a step is one part.

    Raises
    ------
    ValueError
        When a setting does not fit.
    """
    n = objective.parts
    return Descent(
        objective,
        start=[tuple(start)] * 2,
        learning_rate=learning_rate,
        rule=EveryNth(n),
        clear_every=n,
        max_steps=max_steps,
    )


def largest_difference(descent: Descent, k: int) -> float:
    """How far the two lanes are apart at most in the records up to k, in any parameter."""
    params = descent.params[: k + 1].astype(np.float64)
    return float(np.abs(params[:, 0] - params[:, 1]).max())


def _rates_at(theta: Any, curvature: float) -> FloatArray:
    """Learning rates γ with sin²(θ/2) = γ λ/4."""
    rates: FloatArray = 4 * np.sin(theta / 2) ** 2 / checks.positive(curvature, "curvature")
    return rates
