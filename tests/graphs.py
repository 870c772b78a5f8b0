"""Recorded graphs of the presets, and functions made of any steps."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention

from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.presets import preset


def recorded(name="toy neuron", layers=10, **switches):
    """Record a preset with some switches set."""
    made = preset(name, layers)
    return record_graph(
        made.function, made.tensors, **{"requires_grad": made.requires_grad} | switches
    )


STEPS = {
    "exp": torch.exp,
    "twice": lambda y: y * 2,
    "from 1": lambda y: 1 - y,
    "rows": lambda y: torch.stack(y.unbind(0)),
    "largest": lambda y: y.max(1, keepdim=True).values + y,
    "sorted": lambda y: y.sort(0)[0],
    "assign": lambda y: _set(y * 1, 0, 0.5),
    "halve in place": lambda y: (y * 1).mul_(0.5),
    "view": lambda y: y.T.T,
    "no_grad": lambda y: y - _untracked(y),
    "dropout": lambda y: F.dropout(y, 0.25),
    "split": lambda y: torch.cat(y.split(1, 1)[::-1], 1),
    "mask": lambda y: torch.where(y > 0.5, y, y * 0.1),
    "tanh": torch.tanh,
    "power": lambda y: (y * 0.1) ** 2,
    "normalise": lambda y: y / y.norm(),
}


def _set(y, index, value):
    y[index] = value
    return y


def _untracked(y):
    with torch.no_grad():
        return y.mean(0)


def of_steps(steps):
    """A function of x (2, 3) and w (3,) that takes these steps in order, w added after each."""

    def function(x, w):
        y = x
        for step in steps:
            y = STEPS[step](y) + w
        return y.sum()

    return function
