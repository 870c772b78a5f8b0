"""The graph as a figure: boxes for tensors, circles for operations, values below, gradients above.

Nodes and texts have sizes in pixels, chosen so that the graph fills the frame; lines run between
the nodes' middles and are drawn under them. A step writes one mark of texts, the active lines and a
ring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bqplot as bq
import numpy as np
from ipywidgets import HTML, Layout, VBox
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from gdwidgets.core.autograd.nodes import AutogradGraph, Node, Step
from gdwidgets.explorers.autograd.layout import Edge, curve, place
from gdwidgets.explorers.autograd.names import Room, fit_names
from gdwidgets.explorers.autograd.numbers import fitting
from gdwidgets.explorers.autograd.text import Words
from gdwidgets.ui.plots.figures import write

HEIGHT = 336
"""Height of the picture, in pixels; a graph that needs more is shown in part."""

WIDTH = 592
"""Width of the plot area in a cell of 900 pixels. In a wider one there is more room."""

PANEL = 284
"""Width of the code and the details beside it, in pixels."""

LEAST_ROW = 84
"""Height that a node needs with a value below and a gradient above it, in pixels."""

APART = np.array([-6.0, -1.0, 6.0, 1.0])
"""Room around a product on a line: left, top, right, bottom, in pixels."""

MARGIN = (20, 12)
"""Room for texts left and right of the plot area, in pixels."""

CHARACTER = 7.6
"""Width of a character of a label, in pixels at size 1."""

INK = "#1B1F25"
QUIET = "#5B6573"
GRADIENT = "#B34700"
BLUE = "#1976D2"
ORANGE = "#D55E00"
DARK = "#14171C"
"""Colours of texts and lines. The first four are turned lighter in a dark theme by ``STYLE``;
the last is that of texts inside nodes, which are pale in both themes."""

MOST_ACTIVE = 3
"""Products that are printed on lines at a time."""


@dataclass(frozen=True)
class Look:
    """How a kind of node is drawn: fill, outline, and whether it is a box."""

    fill: str
    outline: str
    box: bool


LOOKS = {
    "tracked": Look("#DFF3E6", "#1B7F4B", box=True),
    "untracked": Look("#ECEFF4", "#8592A6", box=True),
    "operation": Look("#E6F0FB", "#1976D2", box=False),
    "plain": Look("#F1F2F4", "#8592A6", box=False),
}
"""Looks by what a node is: a tensor that requires gradients or does not, an operation that is
tracked or is not."""

STYLE = """
.gdw-graph { overflow: hidden; }
.gdwidgets .gdw-graph text { pointer-events: none; }
.gdwidgets .gdw-graph .plotarea_background { fill: transparent; }
.gdwidgets .gdw-graph .label { paint-order: stroke; stroke: var(--jp-layout-color0, #fff);
  stroke-width: 4px; stroke-linejoin: round; font-family: var(--jp-ui-font-family, sans-serif);
  font-variant-numeric: tabular-nums; }
.gdwidgets .gdw-graph .label[style*="rgb(20, 23, 28)"],
.gdwidgets .gdw-graph .label[style*="rgb(20, 23, 29)"] { stroke: none; }
.gdwidgets .gdw-graph .label[style*="rgb(20, 23, 29)"] { font-weight: 400 !important; }
.gdwidgets .gdw-graph .dot { cursor: pointer; stroke-linejoin: round; }
.gdwidgets .gdw-graph path.line { stroke-linecap: round; }
DARK .gdwidgets .gdw-graph .label[style*="rgb(27, 31, 37)"] { fill: #e6e8eb !important; }
DARK .gdwidgets .gdw-graph .label[style*="rgb(91, 101, 115)"] { fill: #aab3c0 !important; }
DARK .gdwidgets .gdw-graph .label[style*="rgb(179, 71, 0)"] { fill: #ff9a4d !important; }
DARK .gdwidgets .gdw-graph path.line[style*="rgb(27, 31, 37)"] { stroke: #c9ced6 !important; }
.gdw-graph-key { display: flex; flex-wrap: wrap; gap: 0 16px; justify-content: flex-end;
  font-size: calc(13px * var(--gdw-size)); line-height: calc(20px * var(--gdw-size));
  color: var(--gdw-quiet); }
@container (max-width: 63.6em) { .gdw-graph-key { display: none; } }
.gdw-graph-key i { display: inline-block; width: 12px; height: 12px; border: 2px solid;
  margin-right: 6px; vertical-align: -2px; box-sizing: border-box; }
.gdw-graph-key .gdw-op { border-radius: 50%; }
.gdw-graph-key b { color: #B34700; }
DARK .gdw-graph-key b { color: #ff9a4d; }
""".replace("DARK", '[data-jp-theme-light="false"]')

KEY = (
    "<div class=gdw-graph-key>"
    "<span><i style='background:{0.fill};border-color:{0.outline}'></i>requires_grad</span>"
    "<span><i style='background:{1.fill};border-color:{1.outline}'></i>does not</span>"
    "<span><i class=gdw-op style='background:{2.fill};border-color:{2.outline}'></i>"
    "operation</span><span>dashed: not tracked</span>"
    "<span><b>∇</b> gradient</span></div>"
).format(LOOKS["tracked"], LOOKS["untracked"], LOOKS["operation"])

INSIDE = "#14171D"
"""The value inside a box; known to ``STYLE``, which writes it in normal weight."""


@dataclass(frozen=True)
class Sizes:
    """Lengths in pixels, and how many of them one column and one row take."""

    across: float
    down: float
    node: float
    """Diameter of a circle."""

    box: tuple[float, float]
    """Width and height of a box."""

    font: float
    symbol: float
    """Of what stands in a node, as far as it fits."""

    inside: bool
    """Whether a box has room for its value."""

    room: int
    """Characters of a label."""


def sizes(columns: int, rows: float, scale: float) -> Sizes:
    """Sizes with which a graph fills the frame.

    Parameters
    ----------
    columns, rows
        How many nodes are beside and below each other; of the part that is shown.
    scale
        1, or 1.4 for a projector; the code beside the frame takes more room then.
    """
    across, down = (WIDTH - (scale - 1) * PANEL) / columns, HEIGHT * scale / rows
    font = 13.0 * scale
    node = max(min(0.52 * across, down - 3.5 * font, 96.0 * scale), 38.0 * scale)
    inside = node >= 36 * scale
    if node > 72 * scale:
        font *= 1.2
    box = (min(1.42 * node, 0.82 * across), 0.92 * node if inside else 0.8 * node)
    room = int(0.94 * across / (CHARACTER * font / 13.0))
    symbol = min(max(0.34 * node, font), 26 * scale)
    return Sizes(across, down, node, box, font, symbol, inside, room)


class GraphPicture:
    """The figure of a graph.

    Parameters
    ----------
    on_click
        Called with the name of the node that was clicked.
    """

    def __init__(self, on_click: Callable[[str], None]) -> None:
        self.x, self.y = (
            bq.LinearScale(min=0.0, max=1.0, allow_padding=False),
            bq.LinearScale(min=0.0, max=1.0, reverse=True, allow_padding=False),
        )
        self._scales = {"x": self.x, "y": self.y}
        # bqplot's rectangles and ellipses are high: here they lie on their side.
        self._turn = bq.LinearScale(min=0.0, max=180.0)
        self._on_click = on_click
        self._scale = 1.0
        self._names: dict[str, list[str]] = {}
        self._active_edges: list[tuple[Edge, str]] = []
        self.untracked = self._lines(QUIET, 1.5, line_style="dashed")
        self.tracked = self._lines(INK, 1.5)
        self.active = self._lines(ORANGE, 4.0)
        self.heads = self._labels(colors=[INK])
        self.ring = self._nodes(box=False, stroke=None)
        self.frame = self._nodes(box=True, stroke=None)
        self.nodes = {
            kind: self._nodes(box=look.box, stroke=look.outline, colors=[look.fill])
            for kind, look in LOOKS.items()
        }
        self.symbols = self._labels(colors=[DARK])
        self.tags = self._labels(colors=[QUIET], font_weight="normal")
        self.values = self._labels(colors=[INK], font_weight="normal")
        self.gradients = self._labels(colors=[GRADIENT])
        for kind, mark in self.nodes.items():
            mark.on_element_click(
                lambda _, event, kind=kind: self._clicked(kind, event.get("data", {}))
            )
        self.figure = bq.Figure(
            marks=[
                self.untracked,
                self.tracked,
                self.active,
                self.heads,
                self.ring,
                self.frame,
                *self.nodes.values(),
                self.symbols,
                self.tags,
                self.values,
                self.gradients,
            ],
            axes=[],
            animation_duration=0,
            display_toolbar=False,
            padding_x=0.0,
            padding_y=0.0,
            background_style={"fill": "transparent"},
            fig_margin={"top": 4, "bottom": 4, "left": MARGIN[0], "right": MARGIN[1]},
            layout=Layout(width="100%", height=f"{HEIGHT + 8}px", min_width="0", margin="0"),
            min_aspect_ratio=0.01,
            max_aspect_ratio=100.0,
        )
        self.figure.add_class("gdw-graph")
        self.key = HTML(KEY, layout=Layout(width="100%", margin="0"))
        self.view = VBox(
            [self.figure, self.key], layout=Layout(flex="1 1 480px", min_width="320px")
        )

    # -- marks -------------------------------------------------------------------------------

    def _lines(self, colour: str, width: float, **traits: str) -> bq.Lines:
        none = np.full(2, -9, np.float32)
        return bq.Lines(
            x=none, y=none, scales=self._scales, colors=[colour], stroke_width=width, **traits
        )

    def _nodes(self, *, box: bool, stroke: str | None, **traits: Any) -> bq.Scatter:
        none = np.zeros(0, np.float32)
        return bq.Scatter(
            x=none,
            y=none,
            rotation=none,
            scales={**self._scales, "rotation": self._turn},
            marker="rectangle" if box else "ellipse",
            stroke=stroke,
            stroke_width=2.0,
            enable_hover=False,
            hovered_style={},
            apply_clip=False,
            **traits,
        )

    def _labels(self, **traits: Any) -> bq.Label:
        none = np.zeros(0, np.float32)
        return bq.Label(
            x=none,
            y=none,
            text=[],
            scales=self._scales,
            align="middle",
            enable_hover=False,
            hovered_style={},
            apply_clip=False,
            **{"font_weight": "bold", **traits},
        )

    def _clicked(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell which node was clicked, by its place.

        The index that bqplot sends is that of the mark as it was when the node's element was made.
        """
        names = self._names.get(kind, [])
        try:
            x, y = float(data["x"]), float(data["y"])
        except (KeyError, TypeError, ValueError):
            return
        places = {name: self._placed.points[name] for name in names}
        if names:
            self._on_click(min(names, key=lambda n: math.dist(places[n], (x, y))))

    def resize(self, scale: float) -> None:
        """Make the figure ``scale`` times as large as it normally is."""
        self._scale = scale
        self.figure.layout.height = f"{round((HEIGHT + 8) * scale)}px"

    # -- a new graph -------------------------------------------------------------------------

    def show_graph(self, graph: AutogradGraph, words: Words) -> None:
        """Draw the nodes and edges of a graph; values and gradients come with ``draw``."""
        self._graph, self._words = graph, words
        same = getattr(self, "_structure", None)
        self._structure = (tuple((n.name, n.inputs) for n in graph.nodes.values()), self._scale)
        if same != self._structure:
            self._placed = place(graph)
            self._window = min(self._placed.height, HEIGHT / LEAST_ROW)
            self._sizes = sizes(self._placed.columns, self._window, self._scale)
            self._top = -1.0
            write(self.x, min=-0.5, max=self._placed.columns - 0.5)
            self._look_at(None)
        nodes = graph.nodes.values()
        boxed = [node.name for node in nodes if LOOKS[_kind(node)].box]
        self._fitted = fit_names(
            {node.name: words.symbol(node) for node in nodes},
            boxed,
            room=Room(
                self._sizes.node, 0.78 * self._sizes.across, self._sizes.box[0], self._sizes.symbol
            ),
            least=13.0 * self._scale,
        )
        self._write_edges()
        self._write_nodes()
        self._write_texts()

    @property
    def partly(self) -> bool:
        """Whether the graph is higher than the frame, and the picture follows the walk."""
        return self._window < self._placed.height

    def _look_at(self, node: str | None) -> None:
        """Show the part of the graph that a node is in."""
        most = self._placed.height - self._window
        top = min(max(self._top, 0.0), most)
        if node is not None:
            y = self._placed.points[node][1]
            if not top + 0.5 <= y <= top + self._window - 0.5:
                top = min(max(y - self._window / 2, 0.0), most)
        if top != self._top:
            self._top = top
            write(self.y, min=float(top), max=float(top + self._window))

    def _write_nodes(self) -> None:
        size = self._sizes
        shown: dict[str, list[str]] = {kind: [] for kind in LOOKS}
        for node in self._graph.nodes.values():
            shown[_kind(node)].append(node.name)
        self._names = shown
        for kind, names in shown.items():
            x, y = self._at(names)
            self._write_scatter(self.nodes[kind], x, y, size, 0.0)
        sizes_of_text = {
            self.symbols: self._fitted.font,
            self.tags: size.font,
            self.values: size.font,
            self.gradients: size.font,
            self.heads: 12 * self._scale,
        }
        for mark, font in sizes_of_text.items():
            mark.default_size = font

    def _write_scatter(
        self,
        mark: bq.Scatter,
        x: NDArray[Any],
        y: NDArray[Any],
        size: Sizes,
        more: float,
        **traits: Any,
    ) -> None:
        """Put nodes at places, ``more`` pixels larger than they are."""
        box = mark.marker == "rectangle"
        wide, high = size.box if box else (self._fitted.wide, size.node)
        wide, high = wide + more, high + more
        traits["default_skew"] = min(max(math.log10(wide / high), 0.0), 1.0)
        traits["default_size"] = round(wide * high * (1.0 if box else math.pi / 4))
        traits["rotation"] = np.full(len(x), 90.0, np.float32)
        _write(mark, x=x, y=y, **traits)

    def _port(self, edge: Edge) -> float:
        """How far below the middle of its target a line ends, in rows."""
        count = len(self._graph.nodes[edge.target].inputs)
        if count < 2:
            return 0.0
        twice = edge.nth or any(
            other.nth and (other.source, other.target) == (edge.source, edge.target)
            for other in self._placed.edges
        )
        reach = 0.22 * self._sizes.node
        if not twice:
            reach = min(reach, 7.0 * self._scale * (count - 1))
        return edge.port * reach / self._sizes.down

    def _write_edges(self) -> None:
        def tracked(edge: Edge) -> bool:
            nodes = self._graph.nodes
            return nodes[edge.source].requires_grad and nodes[edge.target].requires_grad

        placed = self._placed
        self._curves = {edge: curve(edge, self._port(edge)) for edge in placed.edges}
        for mark, wanted in ((self.tracked, True), (self.untracked, False)):
            x, y = joined([line for e, line in self._curves.items() if tracked(e) is wanted])
            _write(mark, x=x, y=y)
        ends = [line[-1] for line in self._curves.values()]
        # A line from far away is named instead; its arrow head stands there all the same.
        drawn = {edge.target for edge in placed.edges}
        ends += [np.array(placed.points[name]) for name in placed.tags if name not in drawn]
        x, y = _columns(ends)
        away = -(self._fitted.wide / 2 + 6 * self._scale)
        _write(self.heads, x=x, y=y, text=["▶"] * len(x), x_offset=round(away))

    def _write_texts(self) -> None:
        graph, size = self._graph, self._sizes
        nodes = list(graph.nodes.values())
        x, y = self._at(graph.nodes)
        boxed = np.array([n.kind in {"leaf", "constant"} for n in nodes])
        inside = boxed & size.inside
        lift = np.where(inside, -0.2 * size.box[1] / size.down, 0.0)
        _write(self.symbols, x=x, y=y + lift, text=[self._fitted.texts[n.name] for n in nodes])
        named = [
            ", ".join(self._words.name(source) for source in tag)
            for tag in self._placed.tags.values()
        ]
        tx, ty = self._at(self._placed.tags)
        aside = (self._fitted.wide / 2 + 14 * self._scale) / size.across
        above = 0.62 * size.font / size.down + 0.08
        _write(self.tags, x=tx - aside, y=ty - above, text=[name[:14] for name in named])
        half = np.where(boxed, size.box[1], size.node) / 2
        outside = (half + 0.85 * size.font + 3 * self._scale) / size.down
        below = np.where(inside, 0.22 * size.box[1] / size.down, outside)
        self._texts = {
            n.name: self._value(n, inside=bool(i)) for n, i in zip(nodes, inside, strict=True)
        }
        colours = [
            QUIET if self._texts[n.name][1] and not i else INSIDE if i else INK
            for n, i in zip(nodes, inside, strict=True)
        ]
        _write(self.values, x=x, y=y + below, text=[""] * len(nodes), colors=colours)
        self._gradient_x, self._gradient_y = x, (y - outside).astype(np.float32)
        taken = [
            *self._rectangles(x, y, np.where(boxed, size.box[0], self._fitted.wide), 2 * half),
            *self._rectangles(x, y + below, self._widths([t for t, _ in self._texts.values()])),
        ]
        self._obstacles = np.array(taken).reshape(-1, 4)
        self._named_grads = dict.fromkeys(self._graph.nodes, False)
        for k, node in enumerate(nodes):
            if inside[k]:
                self._place_grad(k, node.name, float(y[k]), float(outside[k]))

    def _place_grad(self, k: int, name: str, y: float, outside: float) -> None:
        """Choose where the ``.grad`` of a box stands, and whether there is room for its name."""
        grad = self._graph.grads.get(name)
        if grad is None:
            return
        grad_outputs = {s.node: s.grad_output for s in self._graph.steps if s.call}
        texts = [self._gradient(other, grad_outputs.get(other)) for other in self._graph.nodes]
        others = [i for i, text in enumerate(texts) if text and i != k]
        slots = self._rectangles(
            self._gradient_x[others],
            self._gradient_y[others],
            self._widths([texts[i] for i in others]),
        )
        taken = np.concatenate([self._obstacles, np.array(slots).reshape(-1, 4)])
        text, _ = fitting(grad, 2 * self._sizes.room)
        for named in (True, False):
            said = f"{self._words.name(name)}.grad = {text}" if named else f"∇ {text}"
            for at in (y + outside, y - outside):
                spot = self._rectangles([self._gradient_x[k]], [at], self._widths([said]))
                left, _, right, _ = spot[0]
                within = left > self._ends[0] and right < self._ends[1]
                if within and not _overlap(np.array(spot), taken).any():
                    self._gradient_y[k] = at
                    self._named_grads[name] = named
                    return

    @property
    def _ends(self) -> tuple[float, float]:
        """The left and the right end of the picture, in pixels from the first column."""
        size = self._sizes
        return -0.5 * size.across - MARGIN[0], (self._placed.columns - 0.5) * size.across + (
            MARGIN[1]
        )

    # Rectangles are in pixels, as the picture is in a cell of 900: left, top, right, bottom.

    def _widths(self, texts: Sequence[str]) -> NDArray[Any]:
        return np.array([len(text) for text in texts]) * CHARACTER * self._sizes.font / 13.0

    def _rectangles(
        self, x: ArrayLike, y: ArrayLike, wide: NDArray[Any], high: ArrayLike | None = None
    ) -> list[list[float]]:
        size = self._sizes
        across, down = np.asarray(x) * size.across, np.asarray(y) * size.down
        half = np.asarray(1.15 * size.font if high is None else high) / 2
        edges = (across - wide / 2, down - half, across + wide / 2, down + half)
        return np.stack(np.broadcast_arrays(*edges), axis=-1).tolist()

    def _at(self, names: Iterable[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        return _columns([np.array(self._placed.points[name]) for name in names])

    # -- a step ------------------------------------------------------------------------------

    def draw(self, k: int, chosen: str) -> None:
        """Write values, gradients, the active edges and the rings, with the cursor at ``k``."""
        graph, seen = self._graph, self._graph.steps[:k]
        step = seen[-1] if seen else None
        if self.partly:
            self._look_at(chosen or (step.node if step else None))
        computed = {s.node for s in seen if s.phase == "forward"}
        arrived = {s.node: s.grad if s.grad is not None else s.grad_output for s in seen if s.call}
        texts = [
            self._texts[n.name][0] if n.kind != "operation" or n.name in computed else ""
            for n in graph.nodes.values()
        ]
        if texts != list(self.values.text):
            self.values.text = np.array(texts)
        self._draw_active(step)
        self._draw_gradients([self._gradient(name, arrived.get(name)) for name in graph.nodes])
        colour = BLUE if step is None or step.phase == "forward" else ORANGE
        self._draw_rings([(step.node, colour)] if step else [], chosen)

    def _value(self, node: Node, *, inside: bool) -> tuple[str, bool]:
        """A node's value in its label, and whether it is a shape."""
        size = self._sizes
        if node.kind == "group":
            return f"{node.members} nodes", True
        room = int((size.box[0] - 6) / CHARACTER * 13.0 / size.font) if inside else size.room
        name = self._words.name(node.name)
        if name == node.name or node.value is None or node.kind != "operation":
            return fitting(node.value, room)
        text, is_shape = fitting(node.value, room - len(name) - 3)
        if len(name) + 3 + len(text) <= room + 2:
            return f"{name} = {text}", is_shape
        return fitting(node.value, room)

    def _gradient(self, name: str, tensor: Tensor | None) -> str:
        if tensor is None:
            return ""
        room = self._sizes.room
        if self._named_grads[name]:
            text, is_shape = fitting(tensor, 2 * room)
            if not is_shape:
                return f"{self._words.name(name)}.grad = {text}"
        text, is_shape = fitting(tensor, room - 2)
        return f"∇ of {text}" if is_shape else f"∇ {text}"

    def _draw_active(self, step: Step | None) -> None:
        if step is None or step.phase == "refused":
            found: list[tuple[Edge, str]] = []
        elif step.phase == "forward":
            found = [(edge, "") for edge in self._placed.edges if edge.target == step.node]
        else:
            found = self._passing(step)
        forward = step is not None and step.phase == "forward"
        colours = [BLUE if forward else ORANGE]
        if found != self._active_edges or self.active.colors != colours:
            self._active_edges = found
            x, y = joined([self._curves[edge] for edge, _ in found])
            _write(self.active, x=x, y=y, colors=colours)

    def _passing(self, step: Step) -> list[tuple[Edge, str]]:
        """The lines that gradients pass along, and the product that is printed on each."""
        passed = self._words.passed(step, self._graph.nodes[step.node])
        into: dict[tuple[str, int], Edge] = {
            (edge.source, edge.nth): edge for edge in self._placed.edges if edge.target == step.node
        }
        found, seen = [], dict[str, int]()
        for to, text in passed:
            nth = seen.get(to, 0)
            seen[to] = nth + 1
            edge = into.get((to, nth)) or into.get((to, 0))
            if edge is not None:
                found.append((edge, text))
        return found

    def _draw_gradients(self, texts: list[str]) -> None:
        """Write the gradients, and the products on the active lines."""
        shown = [(edge, f"◀ {text}") for edge, text in self._active_edges if text][:MOST_ACTIVE]
        spots = self._spots(texts, shown)
        texts = texts + [text for _, text in shown]
        points = np.array(spots, np.float32).reshape(-1, 2)
        x = np.concatenate([self._gradient_x, points[:, 0]])
        y = np.concatenate([self._gradient_y, points[:, 1]])
        if texts != list(self.gradients.text) or not np.array_equal(x, self.gradients.x):
            _write(self.gradients, x=x, y=y, text=texts)

    @property
    def products(self) -> list[tuple[float, float, str]]:
        """What is printed on the active lines, and where, in columns and rows."""
        mark, first = self.gradients, len(self._graph.nodes)
        return [
            (float(x), float(y), str(text).removeprefix("◀ "))
            for x, y, text in zip(mark.x[first:], mark.y[first:], mark.text[first:], strict=True)
        ]

    def _spots(
        self, gradients: Sequence[str], shown: Sequence[tuple[Edge, str]]
    ) -> list[tuple[float, float]]:
        """Where the products stand: near the middle of their line, and on no node or other text."""
        size = self._sizes
        slots = [k for k, text in enumerate(gradients) if text]
        there = self._rectangles(
            self._gradient_x[slots],
            self._gradient_y[slots],
            self._widths([gradients[k] for k in slots]),
        )
        taken = np.concatenate([self._obstacles, np.array(there).reshape(-1, 4)])
        low, high = self._top * size.down, (self._top + self._window) * size.down
        found = []
        for edge, text in shown:
            line = self._curves[edge]
            middle = line[len(line) // 2] if len(line) > 2 else line.mean(axis=0)
            centre = middle * (size.across, size.down)
            step = 0.5 * size.font
            ways = np.stack(
                np.meshgrid(np.arange(-14, 15) * step, np.arange(-14, 15) * step), axis=-1
            ).reshape(-1, 2)
            places = centre + ways
            wide = float(self._widths([text])[0])
            spots = np.array(
                self._rectangles(
                    places[:, 0] / size.across,
                    places[:, 1] / size.down,
                    np.full(len(places), wide),
                )
            )
            covered = _overlap(spots + APART, taken).sum(axis=1)
            outside = (
                np.maximum(self._ends[0] - spots[:, 0], 0)
                + np.maximum(spots[:, 2] - self._ends[1], 0)
                + np.maximum(low - spots[:, 1], 0)
                + np.maximum(spots[:, 3] - high, 0)
            )
            cost = 10 * covered + 100 * outside + np.hypot(ways[:, 0] * 0.6, ways[:, 1])
            best = int(np.argmin(cost))
            found.append((places[best, 0] / size.across, places[best, 1] / size.down))
            taken = np.concatenate([taken, spots[best : best + 1]])
        return found

    def _draw_rings(self, active: list[tuple[str, str]], chosen: str) -> None:
        shown = active + ([(chosen, INK)] if chosen else [])
        boxes = {name for name, node in self._graph.nodes.items() if LOOKS[_kind(node)].box}
        for mark, box in ((self.ring, False), (self.frame, True)):
            names = [item for item in shown if (item[0] in boxes) is box]
            x, y = self._at(name for name, _ in names)
            colours = [colour for _, colour in names] or [INK]
            self._write_scatter(mark, x, y, self._sizes, 10.0 * self._scale, colors=colours)


def _kind(node: Node) -> str:
    if node.kind in {"leaf", "constant"}:
        return "tracked" if node.requires_grad else "untracked"
    return "operation" if node.requires_grad else "plain"


def _overlap(some: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """By how many square pixels each of some rectangles covers each of others, (m, n)."""
    left = np.maximum(some[:, None, 0], others[None, :, 0])
    top = np.maximum(some[:, None, 1], others[None, :, 1])
    right = np.minimum(some[:, None, 2], others[None, :, 2])
    bottom = np.minimum(some[:, None, 3], others[None, :, 3])
    return np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)


def joined(lines: Sequence[NDArray[np.float64]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Lines (m, 2) as one mark's x and y, float32, with a break between them."""
    if not lines:
        # Off the picture: a line of no length with round ends would be a dot.
        return np.full(2, -9, np.float32), np.full(2, -9, np.float32)
    xs, ys = [lines[0][:, 0]], [lines[0][:, 1]]
    for line in lines[1:]:
        xs += [line[:1, 0], line[:, 0]]
        ys += [np.array([np.nan]), line[:, 1]]
    return np.concatenate(xs).astype(np.float32), np.concatenate(ys).astype(np.float32)


def _columns(points: Sequence[NDArray[np.float64]]) -> tuple[NDArray[Any], NDArray[Any]]:
    array = np.array(points, np.float32).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _write(mark: Any, **traits: Any) -> None:
    """Write those traits that differ, in one message; lists of texts travel as arrays."""
    changed = {}
    for name, given in traits.items():
        value = given
        if name == "text":
            value = np.array(given, dtype=np.str_)
        elif isinstance(given, np.ndarray):
            value = given.astype(np.float32)
        before = getattr(mark, name)
        equal = (
            np.array_equal(before, value, equal_nan=value.dtype.kind == "f")
            if isinstance(value, np.ndarray)
            else before == value
        )
        if not equal:
            changed[name] = value
    if changed:
        write(mark, **changed)
