"""Classic test functions of two variables.

Each takes two float32 tensors of one shape and returns their values, with gradients everywhere.
The bodies are shown to students, so they are the formulas and nothing else. Formulas and minima
after Surjanovic and Bingham, "Virtual Library of Simulation Experiments", and Jamil and Yang,
"A literature survey of benchmark functions" (2013).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def himmelblau(u: Tensor, v: Tensor) -> Tensor:
    """(u² + v − 11)² + (u + v² − 7)², Himmelblau (1972): 4 minima of value 0, one at (3, 2)."""
    return (u**2 + v - 11) ** 2 + (u + v**2 - 7) ** 2


def rosenbrock(u: Tensor, v: Tensor) -> Tensor:
    """(1 − u)² + 100 (v − u²)², Rosenbrock (1960): minimum 0 at (1, 1) in a bent valley."""
    return (1 - u) ** 2 + 100 * (v - u**2) ** 2


def beale(u: Tensor, v: Tensor) -> Tensor:
    """Sum of three squares, Beale (1958): minimum 0 at (3, 0.5).

    (1.5 − u + u v)² + (2.25 − u + u v²)² + (2.625 − u + u v³)².
    """
    return (1.5 - u + u * v) ** 2 + (2.25 - u + u * v**2) ** 2 + (2.625 - u + u * v**3) ** 2


def booth(u: Tensor, v: Tensor) -> Tensor:
    """(u + 2 v − 7)² + (2 u + v − 5)², Booth: a quadratic with minimum 0 at (1, 3)."""
    return (u + 2 * v - 7) ** 2 + (2 * u + v - 5) ** 2


def matyas(u: Tensor, v: Tensor) -> Tensor:
    """0.26 (u² + v²) − 0.48 u v, Matyas (1965): a flat quadratic with minimum 0 at (0, 0)."""
    return 0.26 * (u**2 + v**2) - 0.48 * u * v


def rastrigin(u: Tensor, v: Tensor) -> Tensor:
    """20 + u² − 10 cos 2πu + v² − 10 cos 2πv, Rastrigin (1974): minimum 0 at (0, 0)."""
    return (
        20
        + u**2 - 10 * torch.cos(2 * math.pi * u)
        + v**2 - 10 * torch.cos(2 * math.pi * v)
    )  # fmt: skip


def ackley(u: Tensor, v: Tensor) -> Tensor:
    """A funnel with ripples, Ackley (1987): minimum 0 at (0, 0), where it has a sharp point.

    −20 exp(−0.2 √((u² + v²)/2)) − exp((cos 2πu + cos 2πv)/2) + e + 20.
    """
    # A root has no derivative at 0, and autograd would give NaN there: below 1e-30 the clamp
    # passes no gradient on, so at the sharp point it is 0.
    radius = torch.sqrt(((u**2 + v**2) / 2).clamp(min=1e-30))
    ripples = (torch.cos(2 * math.pi * u) + torch.cos(2 * math.pi * v)) / 2
    return -20 * torch.exp(-0.2 * radius) - torch.exp(ripples) + math.e + 20


def six_hump_camel(u: Tensor, v: Tensor) -> Tensor:
    """Six minima, Dixon and Szegö (1978): the two deepest, −1.0316, at ±(0.0898, −0.7126).

    (4 − 2.1 u² + u⁴/3) u² + u v + (4 v² − 4) v².
    """
    return (4 - 2.1 * u**2 + u**4 / 3) * u**2 + u * v + (4 * v**2 - 4) * v**2


def styblinski_tang(u: Tensor, v: Tensor) -> Tensor:
    """Half the sum of t⁴ − 16 t² + 5 t over t = u, v, Styblinski and Tang (1990): 4 minima.

    The deepest, −78.332, is at (−2.9035, −2.9035).
    """
    return (u**4 - 16 * u**2 + 5 * u + v**4 - 16 * v**2 + 5 * v) / 2


def mccormick(u: Tensor, v: Tensor) -> Tensor:
    """Sine plus parabola, McCormick (1976): minimum −1.9132 at (−0.5472, −1.5472).

    sin(u + v) + (u − v)² − 1.5 u + 2.5 v + 1.
    """
    return torch.sin(u + v) + (u - v) ** 2 - 1.5 * u + 2.5 * v + 1


def saddle(u: Tensor, v: Tensor) -> Tensor:
    """u² − v²: no minimum, a saddle at (0, 0), and no lower bound."""
    return u**2 - v**2


def narrow_valley(u: Tensor, v: Tensor) -> Tensor:
    """(u² + 100 v²)/2: a quadratic with condition number 100 and minimum 0 at (0, 0)."""
    return (u**2 + 100 * v**2) / 2
