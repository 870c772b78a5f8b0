"""Gradients by central finite differences, beside autograd's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gdwidgets.core.autograd.environment import plain_session, seeded
from gdwidgets.core.autograd.nodes import AutogradGraph
from gdwidgets.core.autograd.trace import replaced, tensors_in

MOST_CALLS = 200
"""How often the function is called, at most."""

MOST_NUMBERS = 50_000_000
"""How many numbers those calls compute together, at most; a function of large tensors is called
less often, but at least ``LEAST_CALLS`` times."""

LEAST_CALLS = 20

PER_SLOPE = 4
"""Calls for one h: two for D(h) and two for D(h/2)."""

WIDTHS = {torch.float64: (1e-4, 1e-2, 1e-6), torch.float32: (2e-2, 2e-1, 2e-3)}
"""The h that are tried, the first also times the size of the number that is varied."""

CLOSE = {torch.float64: 1e-7, torch.float32: 1e-3}
"""The estimated error, relative to the slope, below which no other h is tried."""


@dataclass(frozen=True)
class Difference:
    """The gradient of one tensor, found in two ways, at the numbers that were varied."""

    name: str
    indices: tuple[int, ...]
    """Places of the numbers that were varied, in the flattened tensor."""

    numeric: Tensor
    """(f(x + h) − f(x − h)) / 2h for each of them; float64. NaN where f was not finite."""

    analytic: Tensor | None
    """The gradient that one ``backward()`` gives them; None where the tensor gets none."""

    total: int
    """How many numbers the tensor has."""

    kinks: tuple[int, ...]
    """Those of the indices where the slopes to the left and to the right differ, however small h:
    there is no derivative there, and autograd gives one of the possible values."""

    @property
    def difference(self) -> Tensor | None:
        """numeric − analytic; float64."""
        return None if self.analytic is None else self.numeric - self.analytic.double()

    @property
    def largest(self) -> float | None:
        """The largest absolute difference between the two."""
        found = self.difference
        return None if found is None or not found.numel() else float(found.abs().max())


@dataclass(frozen=True)
class GradientCheck:
    """What finite differences say of a recorded graph's gradients."""

    differences: tuple[Difference, ...]
    """One for every floating tensor that is not empty; none where no check was possible."""

    dtype: torch.dtype
    """What the function was computed in: float64, or float32 where it does not allow that."""

    sampled: bool
    """Whether only a part of the numbers was varied."""

    calls: int
    """How often the function was called."""

    reason: str
    """Why float64 was not used, or why no check was possible; empty where all is well."""


def finite_differences(function: Callable[..., Tensor], graph: AutogradGraph) -> GradientCheck:
    """Check the gradients of a recorded graph.

    The function is run on copies, so nothing of the graph is touched, with the same random numbers
    as in the recording, in float64: every float32 tensor that it is given, makes, or brings along
    is converted before it is used. Where the function then gives another value or raises, it is
    run in float32. For each number D(h) = (f(x + h) − f(x − h)) / 2h is computed for h and h/2,
    and (4 D(h/2) − D(h)) / 3 taken (Richardson's extrapolation); where they do not agree, other h
    are tried as far as the limit of calls allows, and those that agree best are taken.

    Parameters
    ----------
    function
        The function that was recorded.
    graph
        Its recording.
    """
    with plain_session():
        probe, reason = _chosen(function, graph)
        if probe is None:
            return GradientCheck((), torch.float32, sampled=False, calls=0, reason=reason)
        numbers = sum(node.value.numel() for node in graph.nodes.values() if node.value is not None)
        limit = max(LEAST_CALLS, min(MOST_CALLS, MOST_NUMBERS // max(numbers, 1)))
        places = _places(graph, (limit - probe.calls - 1) // PER_SLOPE)
        found = _differences(probe, graph, places, limit)
    sampled = any(len(difference.indices) < difference.total for difference in found)
    return GradientCheck(found, probe.dtype, sampled, probe.calls, reason)


class _Probe:
    """The function of named tensors as f(tensors) → float, in one precision."""

    def __init__(
        self, function: Callable[..., Tensor], graph: AutogradGraph, dtype: torch.dtype
    ) -> None:
        self.dtype, self.calls = dtype, 0
        self.narrow = ""
        self.size = _largest(graph)
        self._function, self._graph = function, graph

    def value(self, name: str = "", flat: Tensor | None = None) -> float:
        """The function's value with the numbers of one tensor replaced."""
        self.calls += 1
        given = {}
        for key, value in self._graph.values.items():
            moved = flat.reshape(value.shape) if key == name and flat is not None else value
            floating = value.is_floating_point()
            given[key] = moved.to(self.dtype, copy=True) if floating else value.clone()
        for key in self._graph.requires_grad:
            given[key].requires_grad_()  # the function may register hooks, or call backward()
        mode = _InFloat64()
        with seeded(), mode if self.dtype == torch.float64 else nullcontext():
            result = self._function(**given)
        self.narrow = self.narrow or mode.narrow
        return float(result.detach())


def _largest(graph: AutogradGraph) -> float:
    """The largest finite number among the results of the graph's operations."""
    found = 0.0
    for node in graph.nodes.values():
        if node.value is None or node.kind == "leaf" or not node.value.is_floating_point():
            continue
        finite = node.value[torch.isfinite(node.value)]
        if finite.numel():
            found = max(found, float(finite.abs().max()))
    return found


class _InFloat64(TorchFunctionMode):
    """Lets every operation work on float64: what it is given, makes, or is converted to."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = ""
        """The first other floating dtype that was met."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if next(tensors_in((args, kwargs)), None) is None:
            # In float32 as in the recording, so that random numbers and constants are the same.
            return _doubled(func(*args, **kwargs))
        if func is Tensor.float:
            return args[0].double()
        args, kwargs = replaced((args, kwargs), _in_double)
        result = _doubled(func(*args, **kwargs))
        for tensor in tensors_in(result):
            if tensor.is_floating_point() and tensor.dtype != torch.float64:
                self.narrow = self.narrow or str(tensor.dtype)
        return result


def _doubled(result: Any) -> Any:
    """A result in float64; one that is so already is handed on as it is, with its names."""
    narrow = any(tensor.dtype == torch.float32 for tensor in tensors_in(result))
    return replaced(result, _in_double) if narrow else result


def _in_double(value: Any) -> Any:
    if value is torch.float32:
        return torch.float64
    if isinstance(value, Tensor) and value.dtype == torch.float32:
        return value.double()
    return value


def _chosen(function: Callable[..., Tensor], graph: AutogradGraph) -> tuple[_Probe | None, str]:
    """The function in float64, or in float32 with the reason, or nothing with the reason."""
    expected = float(graph.tape.result)
    wide = _Probe(function, graph, torch.float64)
    reason = _unfit(wide, expected)
    if not reason:
        return wide, ""
    narrow = _Probe(function, graph, torch.float32)
    other = _unfit(narrow, expected)
    if not other:
        return narrow, f"computed in float32: in float64 the function {reason}"
    return None, f"no check is possible: the function {other}"


def _unfit(probe: _Probe, expected: float) -> str:
    """Why a probe cannot be used, as the end of a sentence; empty where it can."""
    try:
        values = [probe.value(), probe.value()]
    except Exception as error:  # noqa: BLE001 - whatever a user's function raises is the reason
        return f"raises {type(error).__name__}: {error}"
    if not math.isfinite(expected):
        return f"has no finite value here ({expected})"
    if probe.narrow:
        return f"computes in {probe.narrow}"
    if values[0] != values[1]:
        return "does not give the same value twice"
    if abs(values[0] - expected) > 1e-3 * max(abs(expected), 1e-3):
        return f"gives {values[0]:.6g}, and {expected:.6g} in the recording"
    return ""


def _places(graph: AutogradGraph, most: int) -> dict[str, tuple[int, ...]]:
    """Which numbers of each floating tensor are varied: all, or ``most`` evenly spaced ones.

    Small tensors and those that get gradients come first.
    """
    sizes = {n: v.numel() for n, v in graph.values.items() if v.is_floating_point() and v.numel()}
    left, found = most, {}
    order = sorted(sizes, key=lambda name: (graph.grad_output(name) is None, sizes[name]))
    for k, name in enumerate(order):
        count = min(sizes[name], max(1, left // (len(order) - k)), left)
        left -= count
        step = (sizes[name] - 1) / max(count - 1, 1)
        found[name] = tuple(dict.fromkeys(round(i * step) for i in range(count)))
    return {name: found[name] for name in sizes}


def _differences(
    probe: _Probe, graph: AutogradGraph, places: Mapping[str, tuple[int, ...]], limit: int
) -> tuple[Difference, ...]:
    """The gradients of all tensors; ``limit`` is the number of calls that must not be exceeded."""
    waiting = sum(map(len, places.values()))
    here = probe.value()
    found = []
    for name, indices in places.items():
        flat = graph.values[name].detach().flatten()
        varied, slopes = _Varied(probe, name, flat, here), []
        for index in indices:
            waiting -= 1
            free = limit - probe.calls - PER_SLOPE * waiting
            slopes.append(varied.slope(index, max(1, free // PER_SLOPE)))
        # What this backward() adds: the buffer also holds what the function's own may have put in.
        grad = graph.grad_output(name)
        chosen = torch.tensor(indices, dtype=torch.int64, device="cpu")
        numeric = [slope for slope, _ in slopes]
        found.append(
            Difference(
                name=name,
                indices=indices,
                numeric=torch.tensor(numeric, dtype=torch.float64, device="cpu"),
                analytic=None if grad is None else grad.flatten()[chosen],
                total=flat.numel(),
                kinks=tuple(i for i, (_, kink) in zip(indices, slopes, strict=True) if kink),
            )
        )
    return tuple(found)


Sides = tuple[float, float, float, float]


class _Varied:
    """One tensor, its numbers varied one at a time."""

    def __init__(self, probe: _Probe, name: str, flat: Tensor, here: float) -> None:
        self._probe, self._name, self._here = probe, name, here
        self._flat = flat.to(probe.dtype)

    def slope(self, index: int, tries: int) -> tuple[float, bool]:
        """One number's slope, and whether there is a kink: the best of at most ``tries`` widths.

        The error is estimated by |D(h) − D(h/2)| and by rounding, ε / h times the largest number
        that f has computed on its way.
        """
        at, dtype = float(self._flat[index]), self._probe.dtype
        first, *others = WIDTHS[dtype]
        widths = [first, *([first * abs(at)] if at else []), *others]
        best, least, kink = math.nan, math.inf, False
        for h in widths[:tries]:
            wide, narrow = self._sides(index, h), self._sides(index, h / 2)
            if wide is None or narrow is None:
                continue
            (slope, bend), (half, half_bend) = self._fitted(wide), self._fitted(narrow)
            size = max(abs(wide[0]), abs(wide[1]), self._probe.size)
            rounding = 4 * torch.finfo(dtype).eps * size / h
            error = abs(slope - half) + rounding
            if error < least:
                best, least = (4 * half - slope) / 3, error
                # The bend of a smooth function halves with h.
                kink = half_bend > 0.8 * bend and half_bend > 1e-3 * abs(half) + 50 * rounding
            if error <= CLOSE[dtype] * max(abs(slope), 1e-6 * size):
                break
        return best, kink

    def _sides(self, index: int, h: float) -> Sides | None:
        """f(x + h), f(x − h), and how far these two are from x in the numbers at hand."""
        values, moves = [], []
        for step in (h, -h):
            moved = self._flat.clone()
            moved[index] += step
            moves.append(abs(float(moved[index].double() - self._flat[index].double())))
            if moves[-1] == 0:
                return None
            values.append(self._probe.value(self._name, moved))
        if not all(map(math.isfinite, values)):
            return None
        return values[0], values[1], moves[0], moves[1]

    def _fitted(self, sides: Sides) -> tuple[float, float]:
        """The central difference, and by how much the slopes right and left of x differ."""
        right, left, after, before = sides
        bend = (right - self._here) / after - (self._here - left) / before
        return (right - left) / (after + before), abs(bend)
