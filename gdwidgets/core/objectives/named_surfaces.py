"""The classic test functions of two variables, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gdwidgets.core.objectives import functions as f
from gdwidgets.core.objectives.surface import Surface

_HUMPS = (
    (0.08984201, -0.71265640),
    (-0.08984201, 0.71265640),
    (1.70360671, -0.79608357),
    (-1.70360671, 0.79608357),
    (1.60710475, 0.56865145),
    (-1.60710475, -0.56865145),
)


_TANG = (-2.90353403, 2.74680277)


SURFACES: Mapping[str, Surface] = MappingProxyType(
    {
        "himmelblau": Surface(
            f.himmelblau,
            (-6, 6),
            (
                (3, 2),
                (-2.80511809, 3.13131252),
                (-3.77931025, -3.28318599),
                (3.58442834, -1.84812653),
            ),
            "Himmelblau",
            start=(1, 1),
            learning_rate=5e-4,
        ),
        "rosenbrock": Surface(
            f.rosenbrock,
            ((-2, 2), (-1, 3)),
            ((1, 1),),
            "Rosenbrock",
            start=(-1.2, 1),
            learning_rate=1e-3,
        ),
        "beale": Surface(
            f.beale,
            (-4.5, 4.5),
            ((3, 0.5),),
            "Beale",
            start=(1, 1.5),
            learning_rate=0.01,
        ),
        "booth": Surface(f.booth, (-10, 10), ((1, 3),), "Booth", start=(-8, 8), learning_rate=0.05),
        "matyas": Surface(
            f.matyas, (-10, 10), ((0, 0),), "Matyas", start=(8, 2), learning_rate=0.5
        ),
        "rastrigin": Surface(
            f.rastrigin,
            (-5.12, 5.12),
            ((0, 0),),
            "Rastrigin",
            start=(1.4, 2.4),
            learning_rate=5e-4,
        ),
        "ackley": Surface(
            f.ackley, (-5, 5), ((0, 0),), "Ackley", start=(2.4, 1.4), learning_rate=0.01
        ),
        "six-hump camel": Surface(
            f.six_hump_camel,
            ((-2.2, 2.2), (-1.3, 1.3)),
            _HUMPS,
            "six-hump camel",
            start=(-1.2, 0.1),
            learning_rate=0.01,
        ),
        "styblinski-tang": Surface(
            f.styblinski_tang,
            (-5, 5),
            [(u, v) for u in _TANG for v in _TANG],
            "Styblinski–Tang",
            start=(0.3, 1),
            learning_rate=5e-3,
        ),
        "mccormick": Surface(
            f.mccormick,
            ((-3, 4), (-3, 4)),
            ((-0.54719755, -1.54719755), (2.59439510, 1.59439510)),
            "McCormick",
            start=(3, -2),
            learning_rate=0.05,
        ),
        "saddle": Surface(f.saddle, (-4, 4), (), "saddle", start=(3, 0.01), learning_rate=0.01),
        "narrow valley": Surface(
            f.narrow_valley,
            ((-10, 10), (-3, 3)),
            ((0, 0),),
            "narrow valley",
            start=(-9, 2),
            learning_rate=0.018,
        ),
    }
)
"""Classic test functions by name, each with bounds, minima, a start and a learning rate."""
