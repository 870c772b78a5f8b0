"""How gradients grow or vanish along a chain of equal layers, in closed form.

For ``a ← f(a)`` applied L times, the gradient of the result with respect to layer k is the product
of f' at layers k, …, L − 1. Where the values approach a fixed point a* = f(a*) with 0 < |f'(a*)| <
1, every further layer multiplies by nearly f'(a*). Where f'(a*) = 1, as for tanh at 0, the product
falls as a power of the depth. See Y. Bengio, P. Simard and P. Frasconi, Learning long-term
dependencies with gradient descent is difficult (IEEE Transactions on Neural Networks 5, 1994).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def sigmoid_fixed_point() -> tuple[float, float]:
    """The fixed point of the sigmoid, and the derivative there: 0.6590 and 0.2247.

    The sigmoid is a contraction (its derivative is at most 1/4), so that the iteration converges.
    """
    a = 0.5
    for _ in range(60):
        a = 1 / (1 + math.exp(-a))
    return a, a * (1 - a)


def predicted_sizes(
    activation: str, values: Sequence[float], weight: float = 1.0
) -> NDArray[np.float64]:
    """The predicted sizes of ∂(last value)/∂(each value) of a chain.

    Parameters
    ----------
    activation
        ``"sigmoid"``, ``"tanh"``, ``"relu"``, or another word for layers a ← w a.
    values
        The chain's values: the input and the results of its L layers, (L + 1,).
    weight
        w, for layers a ← w a.

    Returns
    -------
    float64 (L + 1,), the last 1. For the sigmoid
    f'(a*) to the power of the layers in between. For tanh, from da/dk = −a³/3, which is tanh(a) − a
    to third order: (1 + 2 n a²/3)^(−3/2) after n layers from a; good for small a. For ReLU 1 where
    the input is above 0, else 0. For a weight |w| to the power of the layers in between.
    """
    count = len(values) - 1
    left = np.arange(count, -1, -1, dtype=np.float64)
    if activation == "sigmoid":
        _, factor = sigmoid_fixed_point()
        return np.asarray(factor**left, np.float64)
    if activation == "tanh":
        given = np.asarray(values, np.float64)
        return np.asarray((1 + 2 * left * given**2 / 3) ** -1.5, np.float64)
    if activation == "relu":
        passes = np.array([1.0 if value > 0 else 0.0 for value in values[:1]])
        return np.where(left > 0, passes, 1.0)
    return np.asarray(abs(weight) ** left, np.float64)


def factors(sizes: Sequence[float]) -> NDArray[np.float64]:
    """By what each layer multiplied the gradient on its way back, (L,); NaN where it was 0.

    Parameters
    ----------
    sizes
        Sizes of the gradients with respect to the input and the layers, (L + 1,).
    """
    found = np.asarray(sizes, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(found[1:] > 0, found[:-1] / found[1:], np.nan)
