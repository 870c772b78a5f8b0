"""Gradients through many equal layers: vanishing, exploding, or falling by a power of the depth.

A chain x ← f(w x + b), applied n times, multiplies a gradient on its way back by w f'(w x + b) at
every layer. Where x approaches a fixed point x* that factor approaches a constant, and gradients
fall or grow geometrically with the depth (Hochreiter, 1991; Bengio, Simard and Frasconi, "Learning
long-term dependencies with gradient descent is difficult", 1994; Pascanu, Mikolov and Bengio,
2013).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from gdwidgets.core import checks

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
Function = Callable[[float], float]

_DEEP = 100_000
"""Layers after which a chain that approaches a fixed point has come to it."""


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    return math.exp(x) / (1 + math.exp(x))


ACTIVATIONS: Mapping[str, tuple[Function, Function]] = MappingProxyType(
    {
        "identity": (lambda x: x, lambda _: 1.0),
        "relu": (lambda x: max(x, 0.0), lambda x: float(x > 0)),
        "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)),
        "tanh": (math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    }
)
"""Activations and their derivatives, by name."""


@dataclass(frozen=True)
class FixedPoint:
    """Where a chain ends up, and what a layer multiplies a gradient by there.

    ``value`` is x* = f(w x* + b); ``factor`` is w f'(w x* + b). For sigmoids with w = 1 and b = 0
    they are 0.6590 and 0.2247: 30 layers leave 4e-20 of a gradient.
    """

    value: float
    factor: float


@dataclass(frozen=True)
class Layer:
    """One layer of a chain, x ↦ f(weight · x + bias).

    Raises
    ------
    ValueError
        When the activation is none of `ACTIVATIONS`, or a number is not finite.
    """

    activation: str
    weight: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}, "
                f"got {checks.shown(self.activation)}"
            )
        checks.real(self.weight, "weight")
        checks.real(self.bias, "bias")

    def value(self, x: float) -> float:
        """What the layer makes of x."""
        return ACTIVATIONS[self.activation][0](self.weight * x + self.bias)

    def factor(self, x: float) -> float:
        """The layer's derivative at x: what it multiplies a gradient by."""
        return self.weight * ACTIVATIONS[self.activation][1](self.weight * x + self.bias)

    def factors(self, x: float, layers: int) -> FloatArray:
        """The factors of n layers in a row, the first layer's first: float64 (n,)."""
        found = []
        for _ in range(checks.integer(layers, "layers", 0, _DEEP)):
            found.append(self.factor(x))
            x = self.value(x)
        return np.array(found)

    def gradients(self, x: float, layers: int) -> FloatArray:
        """Derivatives of the chain's output by what goes into each layer, float64 (n + 1,).

        Entry k belongs to the value after k layers; entry 0 to x, and entry n is 1.
        """
        factors = self.factors(x, layers)
        return np.append(np.cumprod(factors[::-1])[::-1], 1.0)

    def fixed_point(self, x: float) -> FixedPoint | None:
        """The fixed point that the chain approaches from x; ``None`` where there is none.

        Its value is infinite where the values grow without bound, as with relu and a weight above
        1: gradients explode by that weight. There is none where the values alternate, or approach
        more slowly than geometrically, as with tanh and a weight of 1.
        """
        for _ in range(_DEEP):
            after = self.value(x)
            if not math.isfinite(after):
                return FixedPoint(after, self.factor(x))
            if abs(after - x) <= 1e-15 * max(abs(x), 1.0):
                return FixedPoint(after, self.factor(after))
            x = after
        return None


def predicted_gradients(layer: Layer, x: float, layers: int) -> FloatArray:
    """The geometric law: what the gradients would be if every layer had the final factor.

    Entry k is factor^(n − k) as in `Layer.gradients`; float64 (n + 1,). NaN where the chain has no
    fixed point.
    """
    point = layer.fixed_point(x)
    left = np.arange(checks.integer(layers, "layers", 0, _DEEP), -1, -1)
    return np.full(len(left), math.nan) if point is None else point.factor ** left.astype(float)


def tanh_gradient(x: float, layers: int) -> float:
    """The power law of n tanh layers of weight 1: (1 + 2 n x²/3)^(−3/2), near n^(−3/2) when deep.

    For small x, tanh x = x − x³/3, and dx/dn = −x³/3 has the solution x/√(1 + 2 n x²/3), whose
    derivative by x this is. The factor per layer tends to 1, so gradients fall only as a power of
    the depth. Exact in the limit of small x; from x = 1 within 15 % up to 30 layers.
    """
    count = checks.integer(layers, "layers", 0, _DEEP)
    return float((1 + 2 * count * checks.real(x, "x") ** 2 / 3) ** -1.5)
