"""Situations of the learning-rate explorer: settings that show something, and what to watch."""

from __future__ import annotations

from types import MappingProxyType

import torch

from gdwidgets.core import own_torch_state
from gdwidgets.ui.situations import Situations


def seed_0() -> tuple[float, float, float]:
    """The initial coefficients of the worked example by hand: ``torch.randn(3)`` after seed 0.

    Drawn by one call, where the course's exercise draws three numbers after seed 1.
    """
    with own_torch_state():
        generator = torch.Generator(device="cpu").manual_seed(0)
        a, b, c = torch.randn(3, generator=generator, dtype=torch.float32, device="cpu").tolist()
    return a, b, c


SITUATIONS: Situations = MappingProxyType(
    {
        "exercise": {
            "sentence": "Four learning rates, one start. Press Play: **which fit reaches the "
            "dashed closed form first?** Keep an eye on γ = 1 during the first 20 updates.",
        },
        "by hand": {
            "learning_rates": (0.01,),
            "init": seed_0(),
            "shown_table": "training",
            "sentence": "The worked example with gradients by hand: a, b, c from **torch.randn(3) "
            "after seed 0**. It prints the losses 0.2023, 0.1331, 0.0954 and 0.0749; see Tables.",
        },
        "by autograd": {
            "learning_rates": (0.01,),
            "shown_table": "training",
            "sentence": "The worked example by autograd: a, b, c by **three draws after seed 1**. "
            "It prints the losses 0.1905, 0.1267, 0.0919 and 0.0730; see Tables.",
        },
        "cliff": {
            "learning_rates": (0.21, 0.202, 0.199, 0.19),
            "max_steps": 1000,
            "sentence": "Two rates above the limit **0.2004**, two below. Watch the losses above "
            "it rise, quickly at 0.21, slowly at 0.202. Then drag a handle across the limit.",
        },
        "best rate": {
            "learning_rates": (0.19984, 0.1, 0.05),
            "max_steps": 2000,
            "mark_best": True,
            "sentence": "The best single rate, **0.1998, lies 0.3 % below the limit**. It begins "
            "worse than 0.1, since each update overshoots along the steepest direction, and wins.",
        },
        "noise": {
            "learning_rates": (0.1, 0.01),
            "batch_size": 10,
            "max_steps": 3000,
            "sentence": "Each update sees **10 of the 100 samples**; the faint points are their "
            "losses. Watch γ = 0.1 come down sooner and then scatter above the smallest loss.",
        },
        "Nesterov": {
            "learning_rates": (0.15, 0.13, 0.01),
            "rule": "nesterov",
            "max_steps": 400,
            "sentence": "Nesterov momentum has a **lower limit, 0.1360**, than plain descent's "
            "0.2004: watch γ = 0.15 diverge, and converge with plain gradient descent (Compare).",
        },
    }
)
"""The situations on the chips, in their order."""
