"""Local derivatives, and the real ``backward()`` watched by hooks on every node."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gdwidgets.core.autograd.nodes import Local, Refusal, Step
from gdwidgets.core.autograd.trace import Item, Tracer

MOST_LOCAL = 16
"""Results and inputs of up to this many numbers get their whole Jacobian matrix."""

ELEMENTWISE = frozenset(
    f"{name}Backward0"
    for name in (
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Neg",
        "Exp",
        "Log",
        "Sin",
        "Cos",
        "Tanh",
        "Sigmoid",
        "Relu",
        "Sqrt",
        "Abs",
        "Rsub",
        "Softplus",
        "Gelu",
        "Silu",
        "Elu",
        "LeakyRelu",
        "Reciprocal",
        "Clamp",
        "Clone",
    )
)
"""Backward functions that work number by number where shapes agree."""


def local_derivatives(item: Item) -> tuple[tuple[str, Local | None], ...]:
    """The local derivatives of a tracked operation, from its own backward function."""
    if item.grad_fn is None or item.kind == "leaf":
        return ()
    targets = [(i, other) for i, other in enumerate(item.real_inputs) if other is not None]
    unknown = tuple((other.name, None) for _, other in targets)
    if item.value is None or item.outputs > 1:
        return unknown
    try:
        with torch.no_grad():
            return tuple((other.name, _local(item, item.value, i, other)) for i, other in targets)
    except (RuntimeError, TypeError, NotImplementedError):
        return unknown  # a function of the user's own, or values changed in place since


def _local(item: Item, value: Tensor, index: int, other: Item) -> Local | None:
    if other.value is None or other.outputs > 1:
        return None
    shape = other.value.shape

    def backward(gradient: Tensor) -> Tensor | None:
        passed = item.grad_fn(gradient)  # type: ignore[operator,misc]  # a grad_fn can be called
        found = passed[index] if isinstance(passed, tuple) else passed
        return found.sum_to_size(shape) if isinstance(found, Tensor) else None  # as the engine does

    ones = backward(torch.ones_like(value))
    if ones is None:
        return None
    ones = ones.detach().clone()
    if value.numel() == 1:
        return Local("number", ones)
    name = item.grad_fn.name() if item.grad_fn is not None else ""
    if ones.shape == value.shape and name in ELEMENTWISE:
        return Local("elementwise", ones)
    if max(value.numel(), ones.numel()) > MOST_LOCAL:
        return None
    return _jacobian(value, ones, backward)


def _jacobian(value: Tensor, ones: Tensor, backward: Callable[[Tensor], Tensor | None]) -> Local:
    """The derivative of several numbers, a unit gradient at a time."""
    units = torch.eye(value.numel(), dtype=value.dtype, device="cpu")
    rows = [backward(unit.reshape(value.shape)) for unit in units]
    matrix = torch.stack([row.detach().clone().flatten() for row in rows if row is not None])
    if ones.shape == value.shape and torch.equal(matrix, torch.diag(matrix.diagonal())):
        return Local("elementwise", ones)
    return Local("matrix", matrix)


def grad_words(item: Item) -> str:
    """What PyTorch says when ``.grad`` of a result is read, without the place in its source."""
    if item.result is None or item.kind != "operation":
        return ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _ = item.result.grad
    words = " ".join(str(warning.message) for warning in caught)
    return re.sub(r"\s*\(Triggered internally at [^)]*\)", "", words).strip()


def watched_backward(
    output: Tensor, tracer: Tracer, call: int, *, retain_graph: bool
) -> tuple[list[Step], Refusal | None]:
    """Call ``backward()`` with hooks on every node; return the steps it took, and a refusal.

    Parameters
    ----------
    output
        A tensor of one number.
    tracer
        Its graph has been read.
    call
        Which call this is: 1 or 2.
    retain_graph
        Handed to ``backward``.
    """
    steps: list[Step] = []
    begun: list[tuple[Item, Tensor | None]] = []
    handles = []

    def watch(fn: Any, item: Item) -> None:
        def before(grads: tuple[Tensor | None, ...]) -> None:
            begun.append((item, _joined(fn, grads)))

        def after(
            grad_inputs: tuple[Tensor | None, ...], grad_outputs: tuple[Tensor | None, ...]
        ) -> None:
            passed = tuple(
                (other.name, gradient.detach().clone())
                for other, gradient in zip(item.real_inputs, grad_inputs, strict=False)
                if other is not None and gradient is not None
            )
            held = item.result.grad if item.is_leaf and item.result is not None else None
            grad = None if held is None else held.detach().clone()
            begun.pop()
            steps.append(Step("backward", item.name, call, _joined(fn, grad_outputs), passed, grad))

        handles.append(fn.register_prehook(before))
        handles.append(fn.register_hook(after))

    for fn, item in _functions(output, tracer):
        watch(fn, item)
    try:
        output.backward(retain_graph=retain_graph)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - whatever PyTorch refuses is what is to be shown
        where, grad_output = begun[-1] if begun else (tracer.item_of(output), None)
        steps.append(Step("refused", where.name, call, grad_output))
        which = "backward()" if call == 1 else "the second backward()"
        return steps, Refusal(which, str(error), _meaning(str(error)))
    finally:
        for handle in handles:
            handle.remove()
    return steps, None


def _functions(output: Tensor, tracer: Tracer) -> list[tuple[Any, Item]]:
    """Every node of the real graph behind the output, with its item."""
    found: dict[int, tuple[Any, Item]] = {}
    waiting: list[Any] = [output.grad_fn]
    while waiting:
        fn = waiting.pop()
        if fn is None or id(fn) in found:
            continue
        item = tracer.item_of_fn(fn)
        if item is not None:
            found[id(fn)] = (fn, item)
        waiting.extend(other for other, _ in fn.next_functions)
    return list(found.values())


def _joined(fn: Any, grads: tuple[Tensor | None, ...]) -> Tensor | None:
    """The grad_output of a node; of several results, all of them one after the other."""
    if all(g is None for g in grads):
        return None
    if len(grads) == 1 and grads[0] is not None:
        return grads[0].detach().clone()
    parts = []
    for g, meta in zip(grads, fn._input_metadata, strict=True):  # noqa: SLF001 - torch's documented
        full = torch.zeros(meta.shape, dtype=meta.dtype, device="cpu") if g is None else g
        parts.append(full.detach().flatten())  # a result that is not used gets zeros
    return torch.cat(parts)


def _meaning(words: str) -> str:
    if "does not require grad" in words:
        return (
            "The result was computed without a graph: no tensor that requires gradients reaches it "
            "through tracked operations, so there is nothing to go back through."
        )
    if "second time" in words:
        return (
            "The first backward() freed the values that the operations had saved for it; "
            "retain_graph=True keeps them, and gradients then add up in .grad."
        )
    if "inplace operation" in words:
        return "A value that backward() needs was overwritten by an in-place operation."
    return "PyTorch could not go back through this operation."
