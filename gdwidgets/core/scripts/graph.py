"""A recorded graph as a plain PyTorch script, one line for each operation."""

from __future__ import annotations

import keyword
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import resolve_name

from gdwidgets.core.autograd.nodes import AutogradGraph, Node, NodeName

MOST_LITERAL = 1_000
"""Numbers of a tensor that can be written out."""

INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "truediv": "/",
    "matmul": "@",
    "pow": "**",
    "gt": ">",
    "lt": "<",
    "ge": ">=",
    "le": "<=",
    "floordiv": "//",
}
"""Methods of tensors that are written between their arguments."""


def variable_names(graph: AutogradGraph, variables: Mapping[str, str]) -> dict[str, str]:
    """A Python name for every node: as ``variables`` says, else the node's own."""
    taken: set[str] = set(graph.leaves)
    found = {}
    for name, node in graph.nodes.items():
        if node.kind == "leaf":
            found[name] = name
            continue
        base = variables.get(name, name.replace(" ", "_"))
        if not base.isidentifier() or base in taken or keyword.iskeyword(base):
            base = f"{base}_"
        taken.add(base)
        found[name] = base
    return found


def literal(tensor: Tensor) -> str:
    """A tensor's numbers as Python, short and exact.

    Raises
    ------
    ValueError
        When there are more than 1,000.
    """
    if tensor.numel() > MOST_LITERAL:
        raise ValueError(
            f"a tensor of {tensor.numel()} numbers is too large to be written out in code: "
            f"at most {MOST_LITERAL}"
        )

    def one(value: Any) -> str:
        if isinstance(value, (bool, int)):
            return str(value)
        if not math.isfinite(value):
            return f"float('{value}')"
        return repr(float(str(np.float32(value))))

    def nested(values: Any) -> str:
        if isinstance(values, list):
            return "[" + ", ".join(nested(value) for value in values) + "]"
        return one(values)

    return nested(tensor.tolist())


def _literal_tensor(tensor: Tensor, *, requires_grad: bool = False) -> str:
    text = literal(tensor)
    if tensor.is_floating_point() and tensor.dtype != torch.float32:
        text += f", dtype={tensor.dtype}"
    if tensor.numel() == 0:
        text += f", dtype={tensor.dtype}"
    return f"torch.tensor({text}{', requires_grad=True' if requires_grad else ''})"


def expression(node: Node, names: Mapping[str, str]) -> str:
    """The call that made a node, as Python.

    Raises
    ------
    ValueError
        When an argument has no form in Python's syntax.
    """
    if node.call is None:
        raise ValueError(f"{node.name} was not made by a call that can be written down")
    func, args, kwargs = node.call
    full = resolve_name(func) or ""
    keywords = [f"{key}={_argument(value, names)}" for key, value in kwargs.items()]
    parts = [_argument(value, names) for value in args]
    if full.startswith("torch.Tensor."):
        return _method(full.split(".")[2:], parts, keywords)
    if not full.startswith("torch."):
        raise ValueError(f"the call of {node.name} cannot be written as plain PyTorch")
    return f"{full}({', '.join(parts + keywords)})"


REVERSED = {"rsub": "-", "rtruediv": "/", "rdiv": "/", "rpow": "**", "rmatmul": "@"}
"""Methods of tensors that are written between their arguments, the other way round."""


def _method(path: list[str], parts: list[str], keywords: list[str]) -> str:
    own, others = parts[0], parts[1:]
    name = path[0]
    bare = name.strip("_")
    single = len(others) == 1 and not keywords
    if path[-1] == "__get__":
        return f"{own}.{name}"
    if name == "__getitem__":
        return f"{own}[{others[0]}]"
    if single and bare in REVERSED:
        return f"{others[0]} {REVERSED[bare]} {own}"
    if single and bare in INFIX and (not name.endswith("_") or name.startswith("__")):
        return f"{own} {INFIX[bare]} {others[0]}"
    return f"{own}.{name}({', '.join(others + keywords)})"


def _argument(value: Any, names: Mapping[str, str]) -> str:
    if isinstance(value, NodeName):
        return names[value.name]
    if isinstance(value, (tuple, list)):
        inner = ", ".join(_argument(item, names) for item in value)
        if isinstance(value, tuple):
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        return f"[{inner}]"
    if isinstance(value, slice):
        ends = (_argument(end, names) for end in (value.start, value.stop, value.step))
        return f"slice({', '.join(ends)})"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is Ellipsis:
        return "..."
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
        return f"({value!r})"
    if value is None or isinstance(value, (bool, int, float, str, torch.dtype)):
        return repr(value)
    if isinstance(value, torch.device):
        return repr(str(value))
    raise ValueError(f"an argument of type {type(value).__name__} cannot be written as Python")


def graph_script(graph: AutogradGraph, variables: Mapping[str, str] | None = None) -> str:
    """Return a runnable plain-PyTorch script that repeats a recording and prints its numbers.

    Parameters
    ----------
    graph
        The recording.
    variables
        Names of operations, and of the variables their results go to.

    Raises
    ------
    ValueError
        When something in it cannot be written as plain PyTorch.
    """
    names = variable_names(graph, variables or {})
    lines = ["import torch", ""]
    for name in graph.leaves:
        tracked = name in graph.requires_grad
        lines.append(f"{name} = {_literal_tensor(graph.values[name], requires_grad=tracked)}")
    computed = [node for node in graph.nodes.values() if node.kind not in {"leaf", "inner"}]
    body = [f"{names[node.name]} = {_computation(node, names)}" for node in computed]
    lines.append("")
    if graph.no_grad:
        lines += ["with torch.no_grad():", *(f"    {line}" for line in body)]
    else:
        lines += body
    lines.append("")
    lines += [
        f'print(f"{names[n.name]}: {{{names[n.name]}}}")' for n in computed if n.kind == "operation"
    ]
    lines += ["", *_backward_lines(graph, names[graph.output])]
    lines += [f'print(f"{name}.grad: {{{name}.grad}}")' for name in graph.leaves]
    return "\n".join(lines) + "\n"


def _computation(node: Node, names: Mapping[str, str]) -> str:
    if node.kind == "constant" and node.value is not None:
        return _literal_tensor(node.value)
    text = expression(node, names)
    if not node.detached:
        return text
    simple = text.endswith(")") and " " not in text.split("(")[0]
    return f"{text}.detach()" if simple else f"({text}).detach()"


def _backward_lines(graph: AutogradGraph, output: str) -> list[str]:
    call = f"{output}.backward({'retain_graph=True' if graph.retain_graph else ''})"
    done = max((step.call for step in graph.steps), default=1)
    lines = [call] * (done if graph.refusal is None else done - 1)
    if graph.refusal is not None:
        lines += [
            "try:",
            f"    {call}",
            "except RuntimeError as error:",
            '    print(f"PyTorch refuses: {error}")',
        ]
    return lines


def call_text(node: Node, describe: Callable[[str], str]) -> str:
    """A short form of a node's call for people; falls back to its name."""
    try:
        return expression(node, _Described(describe))
    except ValueError:
        return node.name


class _Described(dict[str, str]):
    def __init__(self, describe: Callable[[str], str]) -> None:
        super().__init__()
        self._describe = describe

    def __missing__(self, key: str) -> str:
        return self._describe(key)
