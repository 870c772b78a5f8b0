"""The walk through a graph as a table, as text and as pandas, and the check of its gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gdwidgets.core.autograd.finite_differences import GradientCheck
from gdwidgets.core.autograd.nodes import AutogradGraph
from gdwidgets.explorers.autograd.numbers import brief
from gdwidgets.explorers.autograd.text import Words
from gdwidgets.ui.text import MINUS, counted, html_paragraphs, html_table, number

if TYPE_CHECKING:
    import pandas as pd

HEAD = ("step", "direction", "node", "value", "grad_output", ".grad")

MOST_ROWS = 60
"""Rows of the check that are shown."""


def walk_rows(words: Words) -> list[list[str]]:
    """The walk, a row for each step: number, direction, node, value, grad_output, ``.grad``."""
    found = []
    graph = words.graph
    for k, step in enumerate(graph.steps, 1):
        direction = step.phase
        if step.phase == "backward" and graph.backward_calls > 1:
            direction = f"backward {step.call}"
        value = brief(graph.nodes[step.node].value, 6, 6) if step.phase == "forward" else ""
        incoming, grad = brief(step.grad_output, 6, 6), brief(step.grad, 6, 6)
        found.append([str(k), direction, words.name(step.node), value, incoming, grad])
    return found


def walk_text(words: Words) -> str:
    """The walk as text, and PyTorch's words where it was refused."""
    rows = [list(HEAD), *walk_rows(words)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * max(len(line) for line in lines))
    refusal = words.graph.refusal
    if refusal is not None:
        lines.append(f"{refusal.operation}: {refusal.words}")
    return "\n".join(lines)


def walk_html(words: Words, k: int) -> str:
    """The walk as an HTML table, the present step marked."""
    return html_table(HEAD, walk_rows(words), now=k - 1, text_columns=(1, 2, 3, 4, 5))


def walk_frame(graph: AutogradGraph, name: Callable[[str], str]) -> pd.DataFrame:
    """The walk as pandas, one row per step; see ``AutogradExplorer.to_dataframe``."""
    import pandas as pd  # noqa: PLC0415 - only who asks for a frame needs it

    rows = []
    for k, step in enumerate(graph.steps, 1):
        node = graph.nodes[step.node]
        rows.append(
            {
                "step": k,
                "phase": step.phase,
                "call": step.call,
                "node": step.node,
                "variable": name(step.node),
                "grad_fn": node.grad_fn,
                "shape": node.shape,
                "value": _nested(node.value),
                "grad_output": _nested(step.grad_output),
                "grad": _nested(step.grad),
            }
        )
    return pd.DataFrame(rows)


def _nested(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.tolist()


def check_html(check: GradientCheck) -> str:
    """Autograd's gradients beside finite differences, and how they were found, as HTML."""
    rows = []
    for d in check.differences:
        for at, (index, numeric) in enumerate(zip(d.indices, d.numeric.tolist(), strict=True)):
            label = d.name if d.total == 1 else f"{d.name}[{index}]"
            note = "a kink: no derivative" if index in d.kinks else ""
            if d.analytic is None:
                rows.append([label, "None", _six(numeric), "", note])
                continue
            own = float(d.analytic[at])
            rows.append([label, _six(own), _six(numeric), _gap(own - numeric), note])
    if len(rows) > MOST_ROWS:
        rows = [*rows[:MOST_ROWS], [f"… {len(rows) - MOST_ROWS} more", "", "", "", ""]]
    head = ["number", "autograd", "finite differences", "difference", "note"]
    return html_paragraphs([_method(check)]) + html_table(head, rows, text_columns=(0, 4))


def _method(check: GradientCheck) -> str:
    if not check.differences:
        return f"No check was possible: {check.reason or 'no tensor holds floating-point numbers'}."
    kind = "float64" if check.dtype == torch.float64 else "float32"
    said = (
        "Each number is nudged up and down: **(f(x + h) − f(x − h)) / 2h**, computed in "
        f"{kind} with {counted(check.calls, 'run')} of the function; backward() needs one."
    )
    if check.sampled:
        said += " There are too many numbers to nudge them all: those below were drawn."
    reason = check.reason
    return f"{said} {reason[:1].upper()}{reason[1:]}." if reason else said


def _six(value: float) -> str:
    return f"{value:.6g}".replace("-", MINUS) if math.isfinite(value) else number(value)


def _gap(value: float) -> str:
    return number(abs(value), 2)
