"""The graph at every step of the walk, as lines, boxes and texts for a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gdwidgets.core.autograd.nodes import AutogradGraph, Node
from gdwidgets.explorers.autograd.layout import Edge, Placed, curve, place
from gdwidgets.explorers.autograd.numbers import fitting
from gdwidgets.explorers.autograd.text import Words
from gdwidgets.ui.pictures.panels import Blob, DrawingPanel, Label, Line, Shape

GRADIENT = "#B34700"
ACTIVE = {"forward": "#1976D2", "backward": "#D55E00", "refused": "#D55E00"}
LOOKS: Mapping[str, tuple[str, str]] = {
    "tracked": ("#DFF3E6", "#1B7F4B"),
    "untracked": ("#ECEFF4", "#8592A6"),
    "operation": ("#E6F0FB", "#1976D2"),
    "plain": ("#F1F2F4", "#8592A6"),
}
Product = tuple[float, float, str]

ACROSS, DOWN = 1.2, 1.1
"""Inches that a node takes."""


def drawing(words: Words, present: int, products: Sequence[Product], end: int) -> DrawingPanel:
    """A graph at every step of its walk.

    Parameters
    ----------
    words
        Of the graph as it is drawn.
    present
        The step on the screen.
    products
        What is written there on the active lines, and where: x, y in columns and rows.
    end
        The last step of the walk.
    """
    placed = place(words.graph)
    width, height = max(placed.columns * ACROSS, 5.0), placed.height * DOWN + 0.6

    def shapes(k: int) -> list[Shape]:
        along = products if k == present else _products(words, k, placed)
        return _shapes(words, k, placed, along)

    return DrawingPanel(
        width=width,
        height=height,
        across=_centred(placed.columns, width / ACROSS),
        down=(placed.height, 0.0),
        shapes=shapes,
        records=end + 1,
    )


def _products(words: Words, k: int, placed: Placed) -> list[Product]:
    """What passes along the lines in a step backward, in the middle of each."""
    step = words.graph.steps[k - 1] if k else None
    if step is None or step.phase != "backward":
        return []
    passed = {to: said for to, said in words.passed(step, words.graph.nodes[step.node]) if said}
    found = []
    for edge in placed.edges:
        if edge.target == step.node and edge.source in passed:
            line = curve(edge, _port(words.graph, edge))
            middle = line[len(line) // 2] if len(line) > 2 else line.mean(axis=0)
            found.append((float(middle[0]), float(middle[1]), passed[edge.source]))
    return found


def _port(graph: AutogradGraph, edge: Edge) -> float:
    """How far from the middle of its target a line ends."""
    return 0.0 if len(graph.nodes[edge.target].inputs) < 2 else 0.09 * edge.port


def _shapes(words: Words, k: int, placed: Placed, products: Sequence[Product]) -> list[Shape]:
    graph = words.graph
    step = graph.steps[k - 1] if k else None
    passed = {name for name, _ in step.grad_inputs} if step else set()
    phase = step.phase if step else ""
    found: list[Shape] = []
    for edge in placed.edges:
        tracked = graph.nodes[edge.source].requires_grad and graph.nodes[edge.target].requires_grad
        on = step is not None and edge.target == step.node
        active = on and (phase == "forward" or edge.source in passed)
        colour = ACTIVE[phase] if active else "#1B1F25" if tracked else "#5B6573"
        line = np.array(curve(edge, _port(graph, edge)), np.float64)
        line[-1, 0] -= 0.3  # the arrow head stands before the node
        found.append(Line(line, colour, width=3 if active else 1.2, dashed=not tracked, arrow=True))
    found += _nodes(words, k, placed.points)
    ground = "#FFF4EC"
    found += [
        Label(x, y, said, bold=True, colour=GRADIENT, ground=ground) for x, y, said in products
    ]
    for target, sources in placed.tags.items():
        x, y = placed.points[target]
        names = ", ".join(map(words.name, sources))
        found.append(Label(x - 0.3, y - 0.12, names, size=8, align="right"))
    return found


def _centred(columns: int, room: float) -> tuple[float, float]:
    spare = (room - columns) / 2
    return -0.5 - spare, columns - 0.5 + spare


def _nodes(words: Words, k: int, points: Mapping[str, tuple[float, float]]) -> list[Shape]:
    graph: AutogradGraph = words.graph
    seen = graph.steps[:k]
    computed = {s.node for s in seen if s.phase == "forward"}
    arrived = {s.node: s.grad if s.grad is not None else s.grad_output for s in seen if s.call}
    found: list[Shape] = []
    for name, node in graph.nodes.items():
        x, y = points[name]
        box = node.kind in {"leaf", "constant"}
        fill, outline = LOOKS[_look(node)]
        wide, high = (0.62, 0.46) if box else (0.46, 0.46 * ACROSS / DOWN)
        found.append(Blob(x, y, wide, high, fill, outline, box))
        found.append(Label(x, y - (0.1 if box else 0), words.symbol(node), size=10, bold=True))
        if box or node.name in computed:
            value, _ = fitting(node.value, lambda text: len(text) <= 12)
            called = words.name(name)
            below = value if box or called == name else f"{called} = {value}"
            found.append(Label(x, y + (0.1 if box else 0.36), below))
        if arrived.get(name) is not None:
            gradient, _ = fitting(arrived[name], lambda text: len(text) <= 14)
            said = f"{words.name(name)}.grad = {gradient}" if box else f"∇ {gradient}"
            place = y + (0.36 if box else -0.36)
            found.append(Label(x, place, said, bold=True, colour=GRADIENT))
    return found


def _look(node: Node) -> str:
    if node.kind in {"leaf", "constant"}:
        return "tracked" if node.requires_grad else "untracked"
    return "operation" if node.requires_grad else "plain"
