"""Recorded graphs of the presets."""

from __future__ import annotations

from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.presets import preset


def recorded(name="toy neuron", layers=10, **switches):
    """Record a preset with some switches set."""
    made = preset(name, layers)
    return record_graph(
        made.function, made.tensors, **{"requires_grad": made.requires_grad} | switches
    )
