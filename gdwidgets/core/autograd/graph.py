"""A torch expression's autograd graph as data: values on the way forward, gradients back.

`record_graph` runs a function of named tensors once, reads the graph that PyTorch built from the
output's ``grad_fn`` through ``next_functions`` to the leaves, and calls the real ``backward()``
with hooks on every node. Nothing is simulated: a node's local derivative is what the node's own
backward function returns for ones, and what PyTorch refuses is kept in its own words.
"""

from __future__ import annotations

import contextlib
import inspect
import keyword
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.autograd.backward import grad_words, local_derivatives, watched_backward
from gdwidgets.core.autograd.environment import plain_session, seeded
from gdwidgets.core.autograd.nodes import (
    AutogradGraph,
    Local,
    Node,
    NodeName,
    Refusal,
    Step,
    Untracked,
)
from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.rules import notes_of
from gdwidgets.core.autograd.trace import Item, Part, Tracer, replaced

__all__ = [
    "AutogradGraph",
    "Local",
    "Node",
    "NodeName",
    "Refusal",
    "Step",
    "Untracked",
    "default_requires_grad",
    "named_tensors",
    "record_graph",
]


MOST_SAID = 500
"""Characters of a function's own error that are repeated."""


def named_tensors(tensors: Any) -> dict[str, Tensor]:
    """Copies of named tensors: floating ones float32 on the CPU, whole numbers as they are.

    Raises
    ------
    ValueError
        When ``tensors`` is no mapping from Python names to numbers.
    """
    given = checks.mapping(tensors)
    if not given:
        raise ValueError(
            "tensors must map names to numbers, such as {'x': [2.0, 3.0], 'w': 1.0}, "
            f"not {checks.shown(tensors)}"
        )
    made = {}
    for name, value in given.items():
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"tensors must have Python names as keys, got {checks.shown(name)}")
        whole = value if isinstance(value, (Tensor, np.ndarray)) else None
        if whole is not None and str(whole.dtype).split(".")[-1] in ("int64", "int32", "bool"):
            made[name] = _whole(whole, f"tensors[{checks.shown(name)}]")
        else:
            made[name] = checks.finite_float32(value, f"tensors[{checks.shown(name)}]")
    return made


def _whole(value: Any, name: str) -> Tensor:
    """Whole numbers or booleans as a new dense tensor on the CPU."""
    copied: Tensor | None = None
    with contextlib.suppress(NotImplementedError, RuntimeError):  # no numbers, as on "meta"
        copied = torch.as_tensor(value).detach().to("cpu", copy=True)
    if copied is None or copied.layout != torch.strided:
        raise ValueError(f"{name} must be numbers, got {checks.shown(value)}")
    return copied


def default_requires_grad(tensors: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that were given with ``requires_grad=True``; where none was, every floating one."""
    floating = tuple(n for n, t in named_tensors(tensors).items() if t.is_floating_point())
    given = tuple(n for n, t in tensors.items() if isinstance(t, Tensor) and t.requires_grad)
    return given or floating


def record_graph(
    function: Callable[..., Tensor],
    tensors: Mapping[str, Any],
    *,
    requires_grad: Iterable[str] | None = None,
    detached: Iterable[str] = (),
    no_grad: bool = False,
    retain_graph: bool = False,
    backward_calls: int = 1,
) -> AutogradGraph:
    """Run an expression once, and its ``backward()``, and write down everything.

    Parameters
    ----------
    function
        Called with the tensors by name; returns a tensor of one number.
    tensors
        Names and numbers; copies are used and kept, so yours stay as they are, and what you do
        with them later changes nothing here.
    requires_grad
        Names of the tensors that require gradients; see `default_requires_grad`.
    detached
        Names of operations (see ``AutogradGraph.nodes``) whose results are detached.
    no_grad
        Run the expression inside ``torch.no_grad()``.
    retain_graph
        Call ``backward(retain_graph=True)``.
    backward_calls
        How often ``backward()`` is called: 1 or 2.

    Raises
    ------
    ValueError
        When the function is not callable, raises, does not fit the names, changes a tensor that it
        was given, or returns anything but one floating-point number in a tensor; when a name is
        unknown. Says what was given.
    """
    if not callable(function):
        raise ValueError(f"function must be a callable, not {checks.shown(function)}")
    backward_calls = checks.integer(backward_calls, "backward_calls", 1, 2)
    tracked = default_requires_grad(tensors) if requires_grad is None else tuple(requires_grad)
    detached = tuple(detached)
    with plain_session():
        leaves = named_tensors(tensors)
        values = {name: leaf.clone() for name, leaf in leaves.items()}
        _check_names(tracked, leaves, "requires_grad", "tensor")
        for name in tracked:
            _require_grad(leaves[name], name)
        _check_parameters(function, leaves)
        tracer = Tracer(leaves, detached)
        output, random = _run(function, leaves, tracer, no_grad=no_grad)
        tracer.check_leaves(values)
        tape = tracer.tape(output, random=random)
        items = tracer.read_graph(output)
        operations = {item.name for item in tracer.items if item.kind == "operation"}
        _check_names(detached, operations, "detached", "operation")
        local = {item.name: local_derivatives(item) for item in items}
        notes = {item.name: notes_of(item, local[item.name]) for item in items}
        words = {item.name: grad_words(item) for item in items}
        steps = [Step("forward", item.name) for item in items if item.kind == "operation"]
        forward = len(steps)
        last = tracer.item_of(output)
        refusal = None
        for call in range(1, backward_calls + 1):
            taken, refusal = watched_backward(output, tracer, call, retain_graph=retain_graph)
            steps.extend(taken)
            if refusal is not None:
                break
        nodes = {
            item.name: _node(item, local[item.name], notes[item.name], words[item.name])
            for item in items
        }
    return AutogradGraph(
        nodes=nodes,
        output=last.name,
        steps=tuple(steps),
        forward_steps=forward,
        refusal=refusal,
        requires_grad=tracked,
        detached=detached,
        no_grad=bool(no_grad),
        retain_graph=bool(retain_graph),
        backward_calls=backward_calls,
        leaves=tuple(leaves),
        values=values,
        tape=tape,
    )


def _check_names(names: Iterable[str], known: Iterable[str], setting: str, what: str) -> None:
    for name in names:
        if name not in set(known):
            raise ValueError(
                f"{setting} names {name!r}, but there is no such {what}; "
                f"there are {', '.join(known) or 'none'}"
            )


def _require_grad(leaf: Tensor, name: str) -> None:
    try:
        leaf.requires_grad_()
    except RuntimeError as error:
        raise ValueError(f"{name} cannot require gradients. PyTorch says: {error}") from None


def _check_parameters(function: Callable[..., Any], leaves: Mapping[str, Tensor]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some built-in callables have none; calling them tells
    try:
        signature.bind(**leaves)
    except TypeError:
        raise ValueError(
            f"the function takes ({', '.join(signature.parameters)}), "
            f"but the tensors are named {', '.join(leaves)}"
        ) from None


def _run(
    function: Callable[..., Tensor], leaves: dict[str, Tensor], tracer: Tracer, *, no_grad: bool
) -> tuple[Tensor, bool]:
    """Run the function, its operations traced; also return whether it drew random numbers."""
    try:
        with seeded() as drawn, torch.no_grad() if no_grad else nullcontext(), tracer:
            output = function(**leaves)
    except Exception as error:
        if isinstance(error, ValueError) and error.__traceback__ and _ours(error):
            raise
        said = str(error)
        cut = said if len(said) <= MOST_SAID else f"{said[: MOST_SAID - 1]}…"
        raise ValueError(f"the function raised {type(error).__name__}: {cut}") from error
    if not isinstance(output, Tensor):
        raise ValueError(
            f"the function must return a tensor of one number, not {type(output).__name__} "
            f"({checks.shown(output)})"
        )
    if output.numel() != 1:
        raise ValueError(
            f"the function must return a tensor of one number, not of shape {tuple(output.shape)} "
            "(PyTorch: “grad can be implicitly created only for scalar outputs”); "
            "end it with .sum() or .mean()"
        )
    if not output.is_floating_point():
        raise ValueError(
            f"the function returns {output.dtype}, which cannot be differentiated: "
            "it must return a floating-point number"
        )
    if tracer.item_of(output).kind in {"leaf", "constant"}:
        raise ValueError("the function returns a tensor without computing anything from the others")
    return output, drawn.random


def _ours(error: ValueError) -> bool:
    """Whether an error was raised by the tracer itself, whose words are plain already."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and last.tb_frame.f_globals.get("__name__", "").startswith(
        "gdwidgets.core.autograd"
    )


def _node(
    item: Item,
    local: tuple[tuple[str, Local | None], ...],
    notes: tuple[Note, ...],
    words: str,
) -> Node:
    return Node(
        name=item.name,
        kind=item.kind,
        inputs=tuple(other.name for other in item.inputs),
        value=item.value,
        is_leaf=item.is_leaf,
        requires_grad=item.requires_grad,
        detached=item.detached,
        grad_fn=None if item.grad_fn is None else item.grad_fn.name(),
        call=None if item.call is None else _named_call(item.call),
        local=local,
        notes=notes,
        untracked=item.untracked,
        grad_words=words,
    )


def _named_call(call: Any) -> Any:
    return replaced(call, lambda v: NodeName(v.item.name, v.index) if isinstance(v, Part) else v)
