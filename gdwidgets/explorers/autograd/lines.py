"""The lines of code beside the graph, and which of them is executed at a step of the walk."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from gdwidgets.core.autograd.nodes import AutogradGraph
from gdwidgets.core.scripts.graph import MODES, function_lines
from gdwidgets.explorers.autograd.text import Words

ARGUMENTS = re.compile(r"\([^()]{1,24}\)")
"""What stands between brackets, as far as it is short: a line does not break there."""

MOST_LINES = 5
"""Lines that are shown at a time."""


@dataclass(frozen=True)
class Line:
    """A line of code, and the nodes whose values it computes."""

    code: str
    nodes: frozenset[str] = frozenset()
    call: int = 0
    """Which ``backward()`` it is: 1 or 2; 0 for a line that computes values."""

    names: tuple[str, ...] = ()
    """The variables it assigns."""


def program(graph: AutogradGraph, words: Words, variables: Mapping[str, str]) -> tuple[Line, ...]:
    """The lines of an expression and its ``backward()``.

    Parameters
    ----------
    graph
        The whole recording.
    words
        Of the graph as it is drawn: it writes a line for each operation where the function's calls
        cannot be written as a person would.
    variables
        Names of operations, and of the variables that hold their results.
    """
    try:
        lines = _written(graph, variables)
    except ValueError:
        steps = [step for step in words.graph.steps if step.phase == "forward"]
        lines = [
            Line(words.equation(words.graph.nodes[step.node]), frozenset({step.node}))
            for step in steps
        ]
    output = next(iter(reversed(lines[-1].names)), "") if lines else ""
    keep = "retain_graph=True" if graph.retain_graph else ""
    lines += [
        Line(f"{output or words.name(graph.output)}.backward({keep})", call=call)
        for call in range(1, graph.backward_calls + 1)
    ]
    return tuple(lines)


def _written(graph: AutogradGraph, variables: Mapping[str, str]) -> list[Line]:
    found, mode = [], "grad"
    for line in function_lines(graph, variables):
        if line.mode not in {mode, "grad"}:
            found.append(Line(MODES[line.mode]))
        mode = line.mode
        indent = "" if mode == "grad" else "    "
        found.append(Line(indent + line.text, frozenset(line.nodes), names=line.names))
    return found


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
            f"<div{mark} title='{escape(code, quote=True)}'>{'⋮' if cut else _whole(code)}</div>"
        )
    return f"<div class=gdw-lines>{''.join(parts)}</div>"


def _whole(code: str) -> str:
    """A line of code as HTML that breaks before or behind short arguments, not within them."""
    return ARGUMENTS.sub(lambda found: f"<span>{found[0]}</span>", escape(code, quote=False))
