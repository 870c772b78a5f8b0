"""Gradients by central finite differences, beside autograd's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from gdwidgets.core.autograd.nodes import AutogradGraph
from gdwidgets.core.session import own_torch_state

MOST_CHECKED = 200
"""Numbers of one tensor that are varied: each takes two runs of the function."""

WIDTHS = {torch.float64: 1e-5, torch.float32: 1e-2}
"""How far a number is varied, as a share of its size but at least this much: near the cube root
of the precision, where the error of the formula and that of rounding are about equal."""


@dataclass(frozen=True)
class Difference:
    """The gradient of one tensor, found in two ways."""

    name: str
    by_differences: Tensor
    """(f(x + h) − f(x − h)) / 2h for each number, flattened; float64."""

    by_autograd: Tensor | None
    """What one ``backward()`` puts into ``.grad``, flattened; None where nothing arrives."""

    total: int
    """How many numbers the tensor has; at most ``MOST_CHECKED`` were varied."""

    @property
    def largest(self) -> float | None:
        """The largest absolute difference between the two."""
        if self.by_autograd is None:
            return None
        return float((self.by_differences - self.by_autograd.double()).abs().max())


def finite_differences(
    function: Callable[..., Tensor], graph: AutogradGraph
) -> tuple[Difference, ...]:
    """Check the gradients of a recorded graph.

    Parameters
    ----------
    function
        The function that was recorded.
    graph
        Its recording.

    Returns
    -------
    One `Difference` for every floating tensor that is not empty, varied in float64 where the
    function can be run so, else in float32.
    """
    found = []
    with own_torch_state(), torch.no_grad(), _repeatable():
        dtype = _precision(function, graph.values)
        for name, value in graph.values.items():
            if not value.is_floating_point() or value.numel() == 0:
                continue
            numbers = _vary(function, graph.values, name, dtype)
            grad = _first_grad(graph, name)
            autograd = None if grad is None else grad.flatten()[: len(numbers)]
            found.append(Difference(name, numbers, autograd, value.numel()))
    return tuple(found)


def _first_grad(graph: AutogradGraph, name: str) -> Tensor | None:
    """What the first ``backward()`` put into ``.grad``: a second one would have doubled it."""
    return next((s.grad for s in graph.steps if s.node == name and s.call == 1), None)


@contextmanager
def _repeatable() -> Iterator[None]:
    state = torch.default_generator.get_state()
    try:
        yield
    finally:
        torch.default_generator.set_state(state)


def _run(
    function: Callable[..., Tensor], values: Mapping[str, Tensor], dtype: torch.dtype
) -> float:
    torch.default_generator.manual_seed(0)
    given = {n: v.to(dtype) if v.is_floating_point() else v.clone() for n, v in values.items()}
    return float(function(**{n: v.clone() for n, v in given.items()}))


def _precision(function: Callable[..., Tensor], values: Mapping[str, Tensor]) -> torch.dtype:
    try:
        _run(function, values, torch.float64)
    except Exception:  # noqa: BLE001 - a float32 tensor of the function's own may not fit float64
        return torch.float32
    return torch.float64


def _vary(
    function: Callable[..., Tensor], values: Mapping[str, Tensor], name: str, dtype: torch.dtype
) -> Tensor:
    width = WIDTHS[dtype]
    flat = values[name].to(dtype).flatten()
    found = []
    for k in range(min(flat.numel(), MOST_CHECKED)):
        ends = []
        h = width * max(1.0, abs(float(flat[k])))
        for sign in (1.0, -1.0):
            moved = flat.clone()
            moved[k] += sign * h
            ends.append(_run(function, {**values, name: moved.reshape(values[name].shape)}, dtype))
        found.append((ends[0] - ends[1]) / (2 * h))
    return torch.tensor(found, dtype=torch.float64, device="cpu")
