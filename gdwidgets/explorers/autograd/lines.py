"""The lines of code beside the graph, and which of them is executed at a step of the walk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from gdwidgets.core.autograd.nodes import AutogradGraph

MOST_LINES = 6
"""Lines that are shown at a time."""


@dataclass(frozen=True)
class Line:
    """A line of code, and the nodes whose values it computes."""

    code: str
    nodes: frozenset[str] = frozenset()
    call: int = 0
    """Which ``backward()`` it is: 1 or 2; 0 for a line that computes values."""


WRITTEN: Mapping[str, tuple[Line, ...]] = {
    "toy neuron": (
        Line("z = x @ w + b", frozenset({"matmul", "add"})),
        Line("loss = (z - y).square().mean()", frozenset({"sub", "square", "mean"})),
    ),
    "x · x": (Line("z = x @ x", frozenset({"matmul"})),),
    "regression sample": (
        Line(
            "y_pred = a + b * x + c * x**2",
            frozenset({"mul", "add", "pow", "mul 2", "add 2"}),
        ),
        Line("loss = (y_pred - y).pow(2).mean()", frozenset({"sub", "pow 2", "mean"})),
    ),
    "value used twice": (Line("z = x**2 * torch.sin(x)", frozenset({"pow", "sin", "mul"})),),
}
"""Presets as a person writes them. Other expressions get a line for each operation."""


def program(
    graph: AutogradGraph,
    equation: Callable[[str], str],
    output: str,
    preset: str = "",
) -> tuple[Line, ...]:
    """The lines of an expression and its ``backward()``.

    Parameters
    ----------
    graph
        The graph as it is drawn.
    equation
        What a node computes, as a line of code.
    output
        The variable that holds the result.
    preset
        The preset's name, for one that has lines of its own.
    """
    forward: Sequence[Line]
    if preset in WRITTEN and not graph.detached:
        forward = WRITTEN[preset]
    else:
        forward = [
            Line(equation(step.node), frozenset({step.node}))
            for step in graph.steps
            if step.phase == "forward"
        ]
    lines = list(forward)
    if graph.no_grad:
        inside = [Line(f"    {line.code}", line.nodes) for line in forward]
        lines = [Line("with torch.no_grad():"), *inside]
    keep = "retain_graph=True" if graph.retain_graph else ""
    for call in range(1, graph.backward_calls + 1):
        lines.append(Line(f"{output}.backward({keep})", call=call))
    return tuple(lines)


def executed(graph: AutogradGraph, lines: Sequence[Line], k: int) -> int | None:
    """Which line step ``k`` belongs to; None before the first step."""
    if k == 0:
        return None
    step = graph.steps[k - 1]
    for index, line in enumerate(lines):
        if line.call == step.call and (step.call or step.node in line.nodes):
            return index
    return None


def html_lines(lines: Sequence[Line], now: int | None) -> str:
    """The lines as HTML, the one that is executed marked; of many, those around it."""
    first = 0
    if len(lines) > MOST_LINES:
        middle = 0 if now is None else now
        first = min(max(middle - MOST_LINES // 2, 0), len(lines) - MOST_LINES)
    shown = range(first, min(first + MOST_LINES, len(lines)))
    parts = []
    for index in shown:
        mark = " class=gdw-now" if index == now else ""
        code = lines[index].code
        cut = (index == shown[0] and first > 0) or (
            index == shown[-1] and shown[-1] < len(lines) - 1
        )
        parts.append(
            f"<div{mark} title='{escape(code, quote=True)}'>{'⋮' if cut else escape(code)}</div>"
        )
    return f"<div class=gdw-lines>{''.join(parts)}</div>"
