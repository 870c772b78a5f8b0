"""What it costs to record an expression anew, as when a value is dragged."""

from __future__ import annotations

import statistics
from time import perf_counter

from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.presets import preset

ROUNDS = 25


def rows() -> list[tuple[str, str, str]]:
    """Measure milliseconds of a recording with values changed."""
    table = []
    for name, target in (("toy neuron", "<= 10"), ("10 sigmoids", "")):
        made = preset(name)
        times = []
        for round_ in range(ROUNDS):
            tensors = {key: value + round_ / 10 for key, value in made.tensors.items()}
            began = perf_counter()
            record_graph(made.function, tensors, requires_grad=made.requires_grad)
            times.append(1000 * (perf_counter() - began))
        table.append((f"ms to record {name} anew", f"{statistics.median(times):.1f}", target))
    return table
