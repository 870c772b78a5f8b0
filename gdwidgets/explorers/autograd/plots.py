"""The graph as a figure: tensors, operations and the output, values below them, gradients above."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import bqplot as bq
import numpy as np
from ipywidgets import HTML, Layout, VBox
from torch import Tensor

from gdwidgets.core.autograd.nodes import AutogradGraph, Node, Step
from gdwidgets.explorers.autograd.layout import Placed, Point, place
from gdwidgets.explorers.autograd.text import Words, brief
from gdwidgets.ui.plots import figures, palette

HEIGHT = 384
"""Height of the picture, in pixels; a graph that needs more is scrolled."""

LEAST_ROW = 66
"""Height that a node needs with a value below and a gradient above it, in pixels."""

INK = "var(--jp-content-font-color1)"
FADED = "var(--jp-content-font-color2)"

TRACKED = "#A9DCCB"
OPERATION = "#B9D9EE"
OUTPUT = "#F6CF80"
UNTRACKED = "#D5D8DC"
"""Fills: pale, so that the dark text inside can be read in both themes."""

STYLE = f"""<style>
.gdw-graph .bqplot text {{ pointer-events: none; }}
.gdw-graph-key {{ display: flex; flex-wrap: wrap; gap: 0 14px; font-size: 12px; line-height: 18px;
  color: var(--jp-content-font-color1, #222); padding-left: 8px; }}
.gdw-graph-key i {{ display: inline-block; width: 11px; height: 11px; border: 1px solid #444;
  margin-right: 5px; vertical-align: -1px; }}
.gdw-graph-key i.gdw-op {{ border-radius: 50%; }}
.gdw-graph-key i.gdw-out {{ transform: rotate(45deg) scale(0.85); }}
</style><div class=gdw-graph-key>
<span><i style='background:{TRACKED}'></i>tensor, requires gradients</span>
<span><i style='background:{UNTRACKED}'></i>tensor, does not</span>
<span><i class=gdw-op style='background:{OPERATION}'></i>operation</span>
<span><i class=gdw-out style='background:{OUTPUT}'></i>output</span>
<span style='opacity:0.8'>dashed: not tracked</span>
<span style='color:{palette.VERMILLION};font-weight:600'>∇ gradient of the output</span>
</div>"""


class GraphPicture:
    """The figure of a graph.

    Parameters
    ----------
    on_click
        Called with the name of the node that was clicked.
    """

    def __init__(self, on_click: Callable[[str], None]) -> None:
        self.x, self.y = figures.scale(-0.6, 1), figures.scale(1, 0)
        self._on_click = on_click
        self._names: dict[int, list[str]] = {}
        self.untracked = self._lines(FADED, 1.5, line_style="dashed")
        self.tracked = self._lines(INK, 1.5)
        self.active = self._lines(palette.VERMILLION, 3.5)
        self.heads = self._labels(["▶"], 10, x_offset=-24)
        self.ring = self._nodes("circle", 1330, colors=[palette.PRESENT], stroke=palette.PRESENT)
        self.chosen = self._nodes("circle", 1750, colors=[INK], stroke=INK)
        self.tensors = self._nodes("square", 800)
        self.operations = self._nodes("circle", 960)
        self.output = self._nodes("square", 800)
        self.signs = self._labels([palette.DARK], 12, font_weight="bold")
        self.tags = self._labels([FADED], 12, x_offset=-34, y_offset=-11)
        self.values = self._labels([INK], 12, y_offset=27)
        self.gradients = self._labels([palette.VERMILLION], 12, y_offset=-27, font_weight="bold")
        turn = figures.scale(0, 180)  # a square on its corner: bqplot's own diamond is too narrow
        self.output.scales = {**self.output.scales, "rotation": turn}
        for scatter in (self.tensors, self.operations, self.output):
            scatter.on_element_click(
                lambda _, event, scatter=scatter: self._clicked(scatter, event["data"]["index"])
            )
        self.figure = figures.figure(
            [
                self.untracked,
                self.tracked,
                self.active,
                self.heads,
                self.chosen,
                self.ring,
                self.tensors,
                self.operations,
                self.output,
                self.signs,
                self.tags,
                self.values,
                self.gradients,
            ],
            [],
            height=HEIGHT,
            fig_margin={"top": 4, "bottom": 4, "left": 4, "right": 4},
            min_aspect_ratio=0.01,
            max_aspect_ratio=100.0,
        )
        self.figure.layout.margin = "0"
        self.figure.layout.flex = "0 0 auto"
        frame = VBox(
            [self.figure],
            layout=Layout(width="100%", height=f"{HEIGHT + 4}px", overflow="hidden auto"),
        )
        frame.add_class("gdw-graph")
        self.key = HTML(STYLE)
        self.view = VBox([frame], layout=Layout(flex="1 1 460px", min_width="320px"))
        self._placed: Placed | None = None

    # -- marks -------------------------------------------------------------------------------

    def _lines(self, colour: str, width: float, **traits: str) -> bq.Lines:
        none = np.zeros(2, np.float32)
        scales = {"x": self.x, "y": self.y}
        return bq.Lines(
            x=none, y=none, scales=scales, colors=[colour], stroke_width=width, **traits
        )

    def _nodes(self, marker: str, area: int, **traits: object) -> bq.Scatter:
        none = np.zeros(0, np.float32)
        return bq.Scatter(
            x=none,
            y=none,
            scales={"x": self.x, "y": self.y},
            marker=marker,
            default_size=area,
            enable_hover=False,
            hovered_style={},
            **{"stroke": "#444444", "stroke_width": 1.2, **traits},
        )

    def _labels(self, colours: list[str], points: int, **traits: object) -> bq.Label:
        none = np.zeros(0, np.float32)
        return bq.Label(
            x=none,
            y=none,
            text=[],
            scales={"x": self.x, "y": self.y},
            colors=colours if colours[0] != "▶" else [INK],
            default_size=points,
            align="middle",
            enable_hover=False,
            hovered_style={},
            **{"font_weight": "normal", **traits},
        )

    def _clicked(self, scatter: bq.Scatter, index: int) -> None:
        names = self._names.get(id(scatter), [])
        if 0 <= index < len(names):
            self._on_click(names[index])

    # -- a new graph -------------------------------------------------------------------------

    def show_graph(self, graph: AutogradGraph, words: Words) -> None:
        """Draw the nodes and edges of a graph; values and gradients come with ``draw``."""
        self._graph, self._words = graph, words
        self._placed = placed = place(graph)
        height = max(HEIGHT, round(placed.height * LEAST_ROW))
        self.figure.layout.height = f"{height}px"
        self.hint = " Scroll the picture for its lower rows." if height > HEIGHT else ""
        figures.write(self.x, min=-0.6, max=placed.columns - 0.4)
        figures.write(self.y, min=placed.height, max=0.0)
        self._room = min(18, 88 // placed.columns)
        self._write_edges(graph, placed)
        nodes = graph.nodes.values()
        tensors = [n for n in nodes if n.kind in {"leaf", "constant"}]
        output = [graph.nodes[graph.output]]
        operations = [n for n in nodes if n not in tensors and n not in output]
        for scatter, shown in (
            (self.tensors, tensors),
            (self.operations, operations),
            (self.output, output),
        ):
            self._names[id(scatter)] = [n.name for n in shown]
            x, y = self._at(n.name for n in shown)
            figures.write(scatter, x=x, y=y, colors=[_fill(n, graph) for n in shown] or [OPERATION])
        self.output.rotation = np.array([45.0], np.float32)
        x, y = self._at(graph.nodes)
        figures.write(self.signs, x=x, y=y, text=[words.sign(n) for n in nodes])
        for labels in (self.values, self.gradients):
            figures.write(labels, x=x, y=y, text=[""] * len(graph.nodes))

    def _write_edges(self, graph: AutogradGraph, placed: Placed) -> None:
        def tracked(pair: tuple[str, str]) -> bool:
            source, target = (graph.nodes[name] for name in pair)
            return source.requires_grad and target.requires_grad

        for mark, wanted in ((self.tracked, True), (self.untracked, False)):
            x, y = _joined([line for p, line in placed.edges.items() if tracked(p) is wanted])
            figures.write(mark, x=x, y=y)
        targets = dict.fromkeys([*(target for _, target in placed.edges), *placed.tags])
        x, y = self._at(targets)
        figures.write(self.heads, x=x, y=y, text=["▶"] * len(x))
        x, y = self._at(placed.tags)
        names = [[self._words.name(source) for source in tag] for tag in placed.tags.values()]
        figures.write(self.tags, x=x, y=y, text=[", ".join(tag)[:14] for tag in names])

    def _at(self, names: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        points = [self._placed.points[name] for name in names] if self._placed else []
        array = np.array(points, np.float32).reshape(-1, 2)
        return array[:, 0], array[:, 1]

    # -- a step ------------------------------------------------------------------------------

    def draw(self, k: int, chosen: str) -> None:
        """Write values, gradients, the active edges and the rings, with the cursor at ``k``."""
        graph, seen = self._graph, self._graph.steps[:k]
        values = {s.node for s in seen if s.phase == "forward"}
        arrived = {s.node: s.grad if s.grad is not None else s.grad_output for s in seen if s.call}
        self.values.text = [self._value(n, n.name in values) for n in graph.nodes.values()]
        self.gradients.text = [self._gradient(arrived.get(name)) for name in graph.nodes]
        step = seen[-1] if seen else None
        self._draw_active(step)
        figures.write(
            self.ring, **dict(zip("xy", self._at([step.node] if step else []), strict=True))
        )
        figures.write(
            self.chosen, **dict(zip("xy", self._at([chosen] if chosen else []), strict=True))
        )

    def _value(self, node: Node, computed: bool) -> str:
        if node.kind == "operation" and not computed:
            return ""
        if node.kind == "group":
            return f"{node.members} nodes"
        name = self._words.name(node.name)
        if name == node.name or node.value is None:
            return fitting(node.value, self._room)
        return f"{name} = {fitting(node.value, self._room - len(name) - 3)}"

    def _gradient(self, tensor: Tensor | None) -> str:
        return "" if tensor is None else f"∇ {fitting(tensor, self._room)}"

    def _draw_active(self, step: Step | None) -> None:
        edges = self._placed.edges if self._placed else {}
        if step is None or step.phase == "refused":
            pairs: list[tuple[str, str]] = []
        elif step.phase == "forward":
            pairs = [(name, step.node) for name in self._graph.nodes[step.node].inputs]
        else:
            pairs = [(name, step.node) for name, _ in step.grad_inputs]
        x, y = _joined([edges[pair] for pair in dict.fromkeys(pairs) if pair in edges])
        forward = step is not None and step.phase == "forward"
        figures.write(
            self.active, x=x, y=y, colors=[palette.BLUE if forward else palette.VERMILLION]
        )


def fitting(tensor: Tensor | None, room: int) -> str:
    """A tensor in at most ``room`` characters, with as many digits as there is room for."""
    for digits in (4, 3, 2):
        text = brief(tensor, digits)
        if len(text) <= room:
            return text
    return text if tensor is None or tensor.numel() == 1 else brief(tensor, most=0)


def _fill(node: Node, graph: AutogradGraph) -> str:
    if not node.requires_grad:
        return UNTRACKED
    if node.kind in {"leaf", "constant"}:
        return TRACKED
    return OUTPUT if node.name == graph.output else OPERATION


def _joined(lines: Sequence[Sequence[Point]]) -> tuple[np.ndarray, np.ndarray]:
    """Polylines as one mark's x and y, with a break between them."""
    parts = [np.array(line, np.float64).reshape(-1, 2) for line in lines]
    return figures.joined([(part[:, 0], part[:, 1]) for part in parts])
