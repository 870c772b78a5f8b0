"""Notes for what makes one number of many, and for functions of a whole row.

The formulas are those of
PyTorch's ``derivatives.yaml``; https://github.com/pytorch/pytorch/blob/main/tools/autograd.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.operation import Operation, Rule, number, scalar


def _spread(g: Tensor, dims: Any, keepdim: bool, shape: Sequence[int]) -> Tensor:
    """A reduced gradient in the shape it had before: every number repeated."""
    for dim in _dims(dims, len(shape)):
        if not keepdim:
            g = g.unsqueeze(dim)
    return g.expand(shape)


def _dims(dims: Any, ndim: int) -> list[int]:
    """Dimensions in ascending order, counted from the front; none named means all."""
    if dims is None or dims == ():
        return list(range(ndim))
    named = dims if isinstance(dims, (tuple, list)) else (dims,)
    return sorted(int(dim) % max(ndim, 1) for dim in named) if ndim else []


def _along(dims: Sequence[int], ndim: int) -> str:
    """Which numbers are meant when dimensions were reduced."""
    if len(dims) == ndim:
        return ""
    word = "dimension" if len(dims) == 1 else "dimensions"
    return f" along {word} {' and '.join(str(dim) for dim in dims)}"


def _reduced(op: Operation, index: int) -> tuple[list[int], bool, tuple[int, ...]]:
    """Dimensions that were reduced, whether they were kept as 1, and the input's shape."""
    shape = op.input_shape(index)
    whole = (op.variant == 0 and op.kind in {"Sum", "Mean", "Prod"}) or len(shape) == 0
    if whole:
        return _dims(None, len(shape)), False, shape
    return _dims(op.saved("dim"), len(shape)), bool(op.saved("keepdim")), shape


def _everywhere(dims: Sequence[int], shape: Sequence[int]) -> str:
    """Where a reduced gradient goes: nothing need be said of a single number."""
    return f", at every number{_along(dims, len(shape))}" if math.prod(shape) != 1 else ""


def _sum(op: Operation, index: int) -> Note:
    dims, keep, shape = _reduced(op, index)
    passes = f"grad_output as it is{_everywhere(dims, shape)}"
    return op.note(index, passes, "1", lambda g: _spread(g, dims, keep, shape), scalar(1.0))


def _mean(op: Operation, index: int) -> Note:
    dims, keep, shape = _reduced(op, index)
    count = math.prod(shape[dim] for dim in dims)
    if count == 1:
        passes, local = f"grad_output as it is{_everywhere(dims, shape)}", "1"
    else:
        local = f"1/{count}"
        passes = f"grad_output × {local}{_everywhere(dims, shape)}"
    derivative = scalar(1 / max(count, 1))
    rule = lambda g: _spread(g, dims, keep, shape) * derivative  # noqa: E731
    return op.note(index, passes, local, rule, derivative)


def _per_group(op: Operation, index: int, local: str, factor: Tensor) -> Note:
    """A reduction with a factor of its own for every number."""
    dims, keep, shape = _reduced(op, index)
    passes = f"grad_output × ({local}), at every number{_along(dims, len(shape))}"
    return op.note(index, passes, local, lambda g: _spread(g, dims, keep, shape) * factor, factor)


def _widened(op: Operation, index: int, result: Tensor) -> Tensor:
    dims, keep, shape = _reduced(op, index)
    return _spread(result, dims, keep, shape)


def _prod(op: Operation, index: int) -> Note | None:
    x = op.saved("self")
    if bool((x == 0).any()):
        return None
    return _per_group(op, index, "{y}/{x}", _widened(op, index, op.saved("result")) / x)


def _norm(op: Operation, index: int) -> Note | None:
    if float(op.saved("ord")) != 2:
        return None
    x, length = op.saved("self"), _widened(op, index, op.saved("result"))
    return _per_group(op, index, "{x}/{y}", torch.where(length == 0, 0.0, x / length))


def _logsumexp(op: Operation, index: int) -> Note:
    x = op.saved("self")
    factor = torch.exp(x - _widened(op, index, op.saved("result")))
    return _per_group(op, index, "exp({x} − {y}), the softmax", factor)


def _variance(op: Operation, index: int) -> Note | None:
    x = op.saved("self")
    dims, _, shape = _reduced(op, index)
    correction = op.saved("correction")
    count = math.prod(shape[dim] for dim in dims)
    below = count - (1.0 if correction is None else float(correction))
    if below <= 0 or not dims:
        return None
    centred = x - x.mean(dims, keepdim=True)
    if op.kind == "Var":
        local = f"2 · ({{x}} − mean)/{number(below)}"
        return _per_group(op, index, local, 2 * centred / below)
    result = _widened(op, index, op.saved("result"))
    if bool((result == 0).any()):
        return None
    return _per_group(
        op, index, f"({{x}} − mean)/({number(below)} · {{y}})", centred / below / result
    )


def _most(op: Operation, index: int) -> Note:
    """max() and min() of everything, amax and amin: equal ones divide the gradient."""
    x = op.saved("self")
    word = "largest" if "ax" in op.kind else "smallest"
    if op.kind in {"Max", "Min"} and op.variant == 0:
        return _picked(op, index, word)
    if op.kind in {"Max", "Min"}:
        dims, keep, shape = list(range(x.ndim)), False, tuple(x.shape)
    else:
        dims, keep, shape = _reduced(op, index)
    is_it = x == _spread(op.saved("result"), dims, keep, shape)
    count = is_it.sum(dims, keepdim=True) if dims else torch.ones(())
    factor = is_it / count
    local = f"1 at the {word} number, 0 elsewhere"
    if int(is_it.sum()) > math.prod(op.shape):
        local = f"1/n at the n {word} numbers, which are equal, 0 elsewhere"
    return op.note(
        index,
        f"grad_output × ({local})",
        local,
        lambda g: _spread(g, dims, keep, shape) * factor,
        factor,
    )


def _picked(op: Operation, index: int, word: str) -> Note:
    """Values at saved indices along a dimension."""
    dim, indices = op.saved("dim"), op.saved("indices")
    shape = op.input_shape(index)
    keep = len(indices.shape) == len(shape)

    def rule(g: Tensor) -> Tensor:
        zeros = torch.zeros(shape, dtype=g.dtype, device="cpu")
        if not shape:
            return g.clone()
        if not keep:
            return zeros.scatter(dim, indices.unsqueeze(dim), g.unsqueeze(dim))
        return zeros.scatter(dim, indices, g)

    passes = (
        f"grad_output at the {word} number along dimension {dim % max(len(shape), 1)}, 0 elsewhere"
    )
    return op.moved(index, passes, rule, "1 at the chosen number, 0 elsewhere")


def _max_dim(op: Operation, index: int) -> Note:
    if op.variant == 0:
        return _picked(op, index, "largest" if op.kind == "Max" else "smallest")
    return _most(op, index)


def _ordered(op: Operation, index: int) -> Note:
    dim, indices, shape = op.saved("dim"), op.saved("indices"), op.input_shape(index)
    verb = "sorted" if op.kind == "Sort" else "chosen"

    def rule(g: Tensor) -> Tensor:
        if not shape:
            return g.clone()
        return torch.zeros(shape, dtype=g.dtype, device="cpu").scatter(dim, indices, g)

    return op.moved(index, f"grad_output, every number where it stood before it was {verb}", rule)


def _softmax(op: Operation, index: int) -> Note:
    dim, y = op.saved("dim"), op.saved("result")
    return op.note(
        index,
        f"{{y}} × (grad_output − Σ grad_output · {{y}}), the sum along dimension {dim}",
        "{y}ᵢ · (δᵢⱼ − {y}ⱼ)",
        lambda g: y * (g - (g * y).sum(dim, keepdim=True)),
        y,
    )


def _log_softmax(op: Operation, index: int) -> Note:
    dim, y = op.saved("dim"), op.saved("result")
    return op.note(
        index,
        f"grad_output − exp({{y}}) × Σ grad_output, the sum along dimension {dim}",
        "δᵢⱼ − exp({y}ⱼ)",
        lambda g: g - torch.exp(y) * g.sum(dim, keepdim=True),
        torch.exp(y),
    )


def _cumsum(op: Operation, index: int) -> Note:
    dim = op.saved("dim")
    return op.note(
        index,
        f"the sum of grad_output from its own place to the end of dimension {dim}",
        "1 for this and every later sum, 0 for earlier ones",
        lambda g: g.flip(dim).cumsum(dim).flip(dim) if g.ndim else g.clone(),
    )


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Var", "Std"), _variance),
    **dict.fromkeys(("Max", "Min"), _max_dim),
    **dict.fromkeys(("Amax", "Amin"), _most),
    **dict.fromkeys(("Sort", "Topk"), _ordered),
    "Sum": _sum,
    "Mean": _mean,
    "Prod": _prod,
    "LinalgVectorNorm": _norm,
    "Logsumexp": _logsumexp,
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "Cumsum": _cumsum,
}
"""Rules by the name of the backward function."""
