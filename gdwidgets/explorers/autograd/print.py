"""The graph at a step of the walk for print: drawn by matplotlib, vector where it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdwidgets.core.autograd.nodes import AutogradGraph, Node
from gdwidgets.explorers.autograd.layout import Placed, curve, place
from gdwidgets.explorers.autograd.numbers import fitting
from gdwidgets.explorers.autograd.text import Words
from gdwidgets.ui import printed as shared

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


def printed(words: Words, k: int, sentence: str, products: Sequence[Product], kind: str) -> bytes:
    """Draw a graph.

    Parameters
    ----------
    words
        Of the graph as it is drawn.
    k
        The step of the walk.
    sentence
        What is written above it.
    products
        What is written on the active lines, and where: x, y in columns and rows.
    kind
        ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns
    -------
    The file's content.
    """
    placed = place(words.graph)
    width, height = max(placed.columns * ACROSS, 5.0), placed.height * DOWN + 0.6
    return shared.printed(
        kind,
        lambda figure: _draw(figure, words, k, placed, sentence=sentence, products=products),
        width=width,
        height=height,
    )


def _draw(
    figure: Figure,
    words: Words,
    k: int,
    placed: Placed,
    *,
    sentence: str,
    products: Sequence[Product],
) -> None:
    graph = words.graph
    width, height = figure.get_size_inches()
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, (height - 0.6) / height))
    axes.set_xlim(*_centred(placed.columns, width / ACROSS))
    axes.set_ylim(placed.height, 0.0)
    axes.axis("off")
    step = graph.steps[k - 1] if k else None
    passed = {name for name, _ in step.grad_inputs} if step else set()
    phase = step.phase if step else ""
    for edge in placed.edges:
        port = 0.0 if len(graph.nodes[edge.target].inputs) < 2 else 0.09 * edge.port
        line = curve(edge, port)
        tracked = graph.nodes[edge.source].requires_grad and graph.nodes[edge.target].requires_grad
        on = step is not None and edge.target == step.node
        active = on and (phase == "forward" or edge.source in passed)
        colour = ACTIVE[phase] if active else "#1B1F25" if tracked else "#5B6573"
        axes.plot(
            line[:, 0],
            line[:, 1],
            color=colour,
            linewidth=3 if active else 1.2,
            linestyle="-" if tracked else (0, (4, 3)),
            zorder=1,
        )
        head = (line[-1][0] - 0.3, line[-1][1])
        axes.annotate(
            "",
            xy=(head[0] + 0.06, head[1]),
            xytext=(head[0] - 0.02, head[1]),
            arrowprops={"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0},
        )
    _nodes(axes, words, k, placed.points)
    for x, y, product in products:
        axes.text(
            x,
            y,
            product,
            ha="center",
            va="center",
            fontsize=8.5,
            weight="bold",
            color=GRADIENT,
            bbox={"facecolor": "#FFF4EC", "edgecolor": ACTIVE["backward"], "boxstyle": "round"},
            zorder=4,
        )
    for target, sources in placed.tags.items():
        x, y = placed.points[target]
        axes.text(x - 0.3, y - 0.12, ", ".join(map(words.name, sources)), ha="right", fontsize=8)
    figure.text(0.5, 1 - 0.3 / height, sentence, ha="center", va="center", fontsize=9, wrap=True)


def _centred(columns: int, room: float) -> tuple[float, float]:
    spare = (room - columns) / 2
    return -0.5 - spare, columns - 0.5 + spare


def _nodes(axes: Axes, words: Words, k: int, points: Mapping[str, tuple[float, float]]) -> None:
    from matplotlib.patches import Ellipse, FancyBboxPatch  # noqa: PLC0415 - for print only

    graph: AutogradGraph = words.graph
    seen = graph.steps[:k]
    computed = {s.node for s in seen if s.phase == "forward"}
    arrived = {s.node: s.grad if s.grad is not None else s.grad_output for s in seen if s.call}
    for name, node in graph.nodes.items():
        x, y = points[name]
        box = node.kind in {"leaf", "constant"}
        fill, outline = LOOKS[_look(node)]
        wide, high = (0.62, 0.46) if box else (0.46, 0.46 * ACROSS / DOWN)
        shape = (
            FancyBboxPatch(
                (x - wide / 2, y - high / 2), wide, high, boxstyle="round,pad=0,rounding_size=0.06"
            )
            if box
            else Ellipse((x, y), wide, high)
        )
        shape.set(facecolor=fill, edgecolor=outline, linewidth=1.5, zorder=2)
        axes.add_patch(shape)
        write = axes.text
        centred: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 3}
        sign = words.sign(node)
        write(x, y - (0.1 if box else 0), sign, fontsize=10, weight="bold", **centred)
        if box or node.name in computed:
            value, _ = fitting(node.value, 12)
            called = words.name(name)
            below = value if box or called == name else f"{called} = {value}"
            write(x, y + (0.1 if box else 0.36), below, fontsize=8.5, **centred)
        if arrived.get(name) is not None:
            gradient, _ = fitting(arrived[name], 14)
            text = f"{words.name(name)}.grad = {gradient}" if box else f"∇ {gradient}"
            place = y + (0.36 if box else -0.36)
            write(x, place, text, fontsize=8.5, weight="bold", color=GRADIENT, **centred)


def _look(node: Node) -> str:
    if node.kind in {"leaf", "constant"}:
        return "tracked" if node.requires_grad else "untracked"
    return "operation" if node.requires_grad else "plain"
