"""The walk through a graph as a table, as text and as pandas, and the check of its gradients."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
from torch import Tensor

from gdwidgets.core.autograd.finite_differences import GradientCheck
from gdwidgets.core.autograd.nodes import AutogradGraph
from gdwidgets.explorers.autograd.text import Words, brief
from gdwidgets.ui.text import html_table

HEAD = ("step", "direction", "node", "value", "incoming", ".grad")

MOST_ROWS = 60
"""Rows of the check that are shown."""


def walk_rows(words: Words) -> list[list[str]]:
    """The walk, a row for each step: number, direction, node, value, incoming, ``.grad``."""
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


def walk_frame(graph: AutogradGraph, name: Callable[[str], str]) -> pd.DataFrame:
    """The walk as pandas, one row per step; see ``AutogradExplorer.to_dataframe``."""
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
                "incoming": _nested(step.grad_output),
                "grad": _nested(step.grad),
            }
        )
    return pd.DataFrame(rows)


def _nested(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.tolist()


def check_table(check: GradientCheck) -> str:
    """Autograd's gradients beside finite differences, as HTML."""
    rows = []
    for d in check.differences:
        for k, (index, numeric) in enumerate(zip(d.indices, d.numeric.tolist(), strict=True)):
            label = d.name if d.total == 1 else f"{d.name}[{index}]"
            if d.analytic is None:
                rows.append([label, "None", f"{numeric:.6g}", ""])
                continue
            own = float(d.analytic[k])
            gap = "no derivative here" if index in d.kinks else f"{abs(own - numeric):.1e}"
            rows.append([label, f"{own:.6g}", f"{numeric:.6g}", gap])
    if len(rows) > MOST_ROWS:
        rows = [*rows[:MOST_ROWS], [f"… {len(rows) - MOST_ROWS} more", "", "", ""]]
    head = ["number", "autograd", "finite differences", "difference"]
    part = "A part of the numbers was varied, evenly spaced. " if check.sampled else ""
    said = f"<p>{escape(part + check.reason)}</p>" if part or check.reason else ""
    return html_table(head, rows, text_columns=(0,)) + said
