"""The graph as a figure: boxes for tensors, circles for operations, values below, gradients above.

Nodes and texts have sizes in pixels, chosen so that the graph fills the frame; lines run between
the nodes' middles and are drawn under them. A step writes one mark of texts, the active lines and a
ring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bqplot as bq
import numpy as np
from ipywidgets import HTML, Layout, VBox
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from gdwidgets.core.autograd.nodes import AutogradGraph, Node, Step
from gdwidgets.explorers.autograd.layout import Edge, curve, place
from gdwidgets.explorers.autograd.names import Room, fit_names, name_width
from gdwidgets.explorers.autograd.numbers import brief, fitting, shape
from gdwidgets.explorers.autograd.spots import (
    Form,
    Ground,
    Spot,
    across,
    best_spot,
    dotted,
    overlap,
    rectangles,
)
from gdwidgets.explorers.autograd.text import Words
from gdwidgets.ui.plots.figures import write

HEIGHT = 336
"""Height of the picture, in pixels; a graph that needs more is shown in part."""

WIDTH = 560
"""Width of the plot area in the narrowest cell with room for all texts, one of 600 pixels. In a
wider one there is more room between the texts."""

PANEL = 284
"""Width of the code and the details beside it, in pixels."""

LEAST_ROW = 74.5
"""Height that a node needs with a value below and a gradient above it, in pixels."""

FULL = 0.92
"""How much of a column a text below or above a node may take: lines into the next row pass the
first and the last column at its edge."""

APART = np.array([-6.0, -1.0, 6.0, 1.0])
"""Room around a product on a line: left, top, right, bottom, in pixels."""

MARGIN = (20, 12)
"""Room for texts left and right of the plot area, in pixels."""

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
.gdw-graph { overflow: hidden; clip-path: inset(4px 0); }
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
DARK .gdwidgets .gdw-graph path.line[style*="rgb(91, 101, 115)"] { stroke: #aab3c0 !important; }
.gdw-graph-key { display: flex; flex-wrap: wrap; gap: 0 16px; justify-content: flex-end;
  font-size: calc(13px * var(--gdw-size)); line-height: calc(20px * var(--gdw-size));
  color: var(--gdw-quiet); }
.gdw-graph-key .gdw-part { margin-right: auto; color: var(--gdw-ink); }
.gdw-graph-key i { display: inline-block; width: 12px; height: 12px; border: 2px solid;
  margin-right: 6px; vertical-align: -2px; box-sizing: border-box; }
.gdw-graph-key .gdw-op { border-radius: 50%; }
.gdw-graph-key b { color: #B34700; }
DARK .gdw-graph-key b { color: #ff9a4d; }
""".replace("DARK", '[data-jp-theme-light="false"]')

KEY = (
    "<span><i style='background:{0.fill};border-color:{0.outline}'></i>requires_grad</span>"
    "<span><i style='background:{1.fill};border-color:{1.outline}'></i>does not</span>"
    "{operation}<span>dashed: not tracked</span><span><b>∇</b> gradient</span>"
).format
OPERATION = (
    "<span><i class=gdw-op style='background:{0.fill};border-color:{0.outline}'></i>"
    "operation</span>"
).format(LOOKS["operation"])

ACROSS = 60.0
"""What it costs a product to lie across another line than its own, in pixels from its line."""

MOST_NUMBERS = 6
"""Numbers of a tensor that are written out."""

GRAD_FORMS = (("{}.grad = ", 4, 0.0), ("∇ ", 4, 2.0), ("∇ ", 3, 5.5), ("∇ ", 2, 6.5))
"""Ways to write a tensor's gradient: what stands first, digits, and how much less it is wanted."""

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

    room: float
    """Width of a text below or above a node."""


def sizes(columns: int, rows: float, scale: float) -> Sizes:
    """Sizes with which a graph fills the frame.

    Parameters
    ----------
    columns, rows
        How many nodes are beside and below each other; of the part that is shown.
    scale
        1, or 1.4 for a projector: texts are larger, and the narrowest cell is not.
    """
    across, down = WIDTH / columns, HEIGHT * scale / rows
    font = 13.0 * scale
    filled = 0.52 if scale == 1 else 0.62
    node = max(min(filled * across, down - 3.5 * font, 96.0 * scale), 38.0 * scale)
    inside = node >= 36 * scale
    if node > 72 * scale:
        font *= 1.2
    box = (min(1.42 * node, 0.86 * across), 0.92 * node if inside else 0.8 * node)
    symbol = min(max(0.34 * node, font), 26 * scale)
    return Sizes(across, down, node, box, font, symbol, inside, FULL * across)


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
        self.key = HTML(layout=Layout(width="100%", margin="0"))
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
            self._views = self._placed.views(HEIGHT / LEAST_ROW)
            highest = max(high - low for low, high in self._views)
            self._sizes = sizes(self._placed.columns, highest, self._scale)
            write(self.x, min=-0.5, max=self._placed.columns - 0.5)
            self._show(self._views[0])
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
        return self._views[0][1] < self._placed.height

    def _look_at(self, node: str) -> None:
        """Show a part of the graph that a node is in; the present one as long as it is in that."""
        y = self._placed.points[node][1]

        def fitness(view: tuple[float, float]) -> tuple[float, float]:
            low, high = view
            return round(high - low, 3), -abs((low + high) / 2 - y)

        low, high = self._view
        if not low < y < high:
            self._show(max((v for v in self._views if v[0] < y < v[1]), key=fitness))
            self._write_edges()
            self._write_texts()

    def _show(self, view: tuple[float, float]) -> None:
        """Let a part of the graph fill the frame."""
        self._view = low, high = view
        self._sizes = replace(self._sizes, down=HEIGHT * self._scale / (high - low))
        write(self.y, min=float(low), max=float(high))
        self.key.value = f"<div class=gdw-graph-key>{self._key()}</div>"

    def _key(self) -> str:
        """What the looks mean; of a graph that is higher than the frame also how much is seen."""
        known = LOOKS["tracked"], LOOKS["untracked"]
        if not self.partly:
            return KEY(*known, operation=OPERATION)
        low, high = self._view
        shown = sum(low < y < high for _, y in self._placed.points.values())
        return (
            "<span class=gdw-part title='The picture follows the walk'>"
            f"{shown} of {len(self._placed.points)} nodes shown</span>{KEY(*known, operation='')}"
        )

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
        size = np.array([self._sizes.across, self._sizes.down])
        self._dotted = {edge: dotted(line * size) for edge, line in self._curves.items()}
        self._dots = np.concatenate([*self._dotted.values(), np.zeros((0, 2))])
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
        half = np.where(boxed, size.box[1], size.node) / 2
        away = half + 0.75 * size.font + 2 * self._scale
        # Where there is room, the ring of the present step does not touch a text.
        away += np.clip(size.down / 2 - away - 0.5 * size.font, 0, 3 * self._scale)
        outside = away / size.down
        below = np.where(inside, 0.22 * size.box[1] / size.down, outside)
        self._texts = {
            n.name: self._value(n, inside=bool(i)) for n, i in zip(nodes, inside, strict=True)
        }
        colours = [
            QUIET if self._texts[n.name][1] and not i else INSIDE if i else INK
            for n, i in zip(nodes, inside, strict=True)
        ]
        same = len(self.values.text) == len(nodes)
        shown = list(self.values.text) if same else [""] * len(nodes)
        _write(self.values, x=x, y=y + below, text=shown, colors=colours)
        self._gradient_x, self._gradient_y = x, (y - outside).astype(np.float32)
        self._incoming: dict[tuple[str, int], str] = {}
        self._grad_forms: dict[str, tuple[str, int] | None] = {}
        own = self._rectangles(x, y, np.where(boxed, size.box[0], self._fitted.wide), 2 * half)
        written = [text for text, _ in self._texts.values()]
        widths = self._widths(written, bold=False)
        taken = [own, self._rectangles(x, y + below, widths)]
        taken += [self._gradient_slot(k, n) for k, n in enumerate(nodes) if not inside[k]]
        self._obstacles = np.concatenate(taken)
        self._write_tags()
        for k, node in enumerate(nodes):
            if inside[k]:
                self._place_grad(k, node, float(outside[k]))

    def _arriving(self, name: str) -> list[Tensor]:
        """The gradients that are written at a node in the course of the walk."""
        steps = (step for step in self._graph.steps if step.call and step.node == name)
        found = [step.grad_output if step.grad is None else step.grad for step in steps]
        return [tensor for tensor in found if tensor is not None]

    def _gradient_slot(self, k: int, node: Node) -> NDArray[Any]:
        """Where the gradients of a node that is no box stand."""
        texts = [self._gradient(node.name, tensor) for tensor in self._arriving(node.name)]
        if not texts:
            return np.zeros((0, 4))
        wide = float(self._widths(texts).max())
        return self._rectangles(self._gradient_x[k], self._gradient_y[k], wide)

    def _write_tags(self) -> None:
        """Name the inputs whose lines would be too long, at the arrow heads in their place."""
        found = [self._place_tag(*tag) for tag in self._placed.tags.items()]
        x, y = _columns([np.array(point) for point, _ in found])
        _write(self.tags, x=x, y=y, text=[text for _, text in found])

    def _place_tag(self, name: str, sources: Sequence[str]) -> tuple[Spot, str]:
        """Where a tag stands, and as much of it as there is room for."""
        size = self._sizes
        x, y = np.array(self._placed.points[name]) * (size.across, size.down)
        right = x - self._fitted.wide / 2 - 4 * self._scale
        lift = 0.62 * size.font + 6 * self._scale
        full = ", ".join(map(self._words.name, sources))[:14]
        texts = [full, *(f"{full[:n]}…" for n in range(len(full) - 1, -1, -1))]
        forms = [Form(self._width(text, bold=False), 3.0 * n) for n, text in enumerate(texts)]
        own = rectangles(x, y, self._fitted.wide, size.node)

        def spots(wide: float) -> list[Spot]:
            return [(right - wide / 2, y - lift), (right - wide / 2, y + lift)]

        best = best_spot(forms, spots, size.font, self._ground(own))
        if best is None:
            return (x / size.across, y / size.down), ""
        index, (at_x, at_y) = best
        self._take(at_x, at_y, forms[index].wide)
        return (at_x / size.across, at_y / size.down), texts[index]

    def _place_grad(self, k: int, node: Node, outside: float) -> None:
        """Choose how and where the ``.grad`` of a box is written: at length where there is room."""
        tensors = self._arriving(node.name)
        self._grad_forms[node.name] = None
        if not tensors:
            return
        size = self._sizes
        ways = [*GRAD_FORMS, ("∇ of ", 0, 8.0), ("∇ …", -1, 9.0)]
        if tensors[0].numel() > MOST_NUMBERS:
            ways = ways[len(GRAD_FORMS) :]
        forms = []
        for head, digits, cost in ways:
            texts = [self._grad_text(node.name, (head, digits), tensor) for tensor in tensors]
            forms.append(Form(float(self._widths(texts).max()), cost))
        x, y = float(self._gradient_x[k]) * size.across, self._placed.points[node.name][1]
        y *= size.down
        away, side = outside * size.down, size.box[0] / 2

        def spots(wide: float) -> list[Spot]:
            aside = max(wide / 2 - side, 0.0)
            found = [(x, y + at) for at in (away, -away)]
            found += [(x + by, y + at) for by in (-aside, aside) for at in (away, -away)]
            return [*found, (x - side - 4 * self._scale - wide / 2, y)]

        own = self._rectangles(x / size.across, y / size.down, *size.box)
        best = best_spot(forms, spots, size.font, self._ground(own))
        if best is not None:
            index, (at_x, at_y) = best
            self._grad_forms[node.name] = ways[index][:2]
            self._gradient_x[k], self._gradient_y[k] = at_x / size.across, at_y / size.down
            self._take(at_x, at_y, forms[index].wide)

    def _grad_text(self, name: str, way: tuple[str, int], tensor: Tensor) -> str:
        head, digits = way
        if digits < 0:
            return head
        text = brief(tensor, digits, MOST_NUMBERS) if digits else shape(tensor)
        return f"{head.format(self._words.name(name))}{text}"

    def _ground(self, own: NDArray[Any]) -> Ground:
        others = self._obstacles[~np.isclose(self._obstacles, own).all(axis=1)]
        return Ground(others, own, self._dots, self._ends)

    def _take(self, x: float, y: float, wide: float) -> None:
        """Keep a text's place free of others."""
        box = rectangles(x, y, wide, self._sizes.font)
        self._obstacles = np.concatenate([self._obstacles, box])

    @property
    def _ends(self) -> tuple[float, float]:
        """The left and the right end of the picture, in pixels from the first column."""
        size = self._sizes
        return -0.5 * size.across - MARGIN[0], (self._placed.columns - 0.5) * size.across + (
            MARGIN[1]
        )

    # Rectangles are in pixels, as the picture is in the narrowest cell.

    def _widths(self, texts: Sequence[str], *, bold: bool = True) -> NDArray[Any]:
        return np.array([self._width(text, bold=bold) for text in texts])

    def _width(self, text: str, *, bold: bool = True) -> float:
        return name_width(text, bold=bold) * self._sizes.font

    def _rectangles(
        self, x: ArrayLike, y: ArrayLike, wide: ArrayLike, high: ArrayLike | None = None
    ) -> NDArray[Any]:
        size = self._sizes
        across, down = np.asarray(x) * size.across, np.asarray(y) * size.down
        return rectangles(across, down, wide, size.font if high is None else high)

    def _at(self, names: Iterable[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        return _columns([np.array(self._placed.points[name]) for name in names])

    # -- a step ------------------------------------------------------------------------------

    def draw(self, k: int, chosen: str) -> None:
        """Write values, gradients, the active edges and the rings, with the cursor at ``k``."""
        graph, seen = self._graph, self._graph.steps[:k]
        step = seen[-1] if seen else None
        if self.partly and (step or chosen):
            self._look_at(chosen or (step.node if step else ""))
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
        room = size.box[0] - 6 if inside else size.room
        name = self._words.name(node.name)

        def fits(text: str) -> bool:
            return self._width(text, bold=False) <= room

        if node.kind == "group":
            text = f"{node.members} nodes"
            return text if fits(text) else str(node.members), True

        def behind(start: str) -> Callable[[str], bool]:
            return lambda text: fits(start + text)

        if name != node.name and node.value is not None and node.kind == "operation":
            # The spaces are given up before the name is.
            for start in (f"{name} = ", f"{name}="):
                text, is_shape = fitting(node.value, behind(start), least=2)
                if text != "…":
                    return start + text, is_shape
        return fitting(node.value, fits)

    def _gradient(self, name: str, tensor: Tensor | None) -> str:
        if tensor is None:
            return ""
        if name in self._grad_forms:
            way = self._grad_forms[name]
            return "" if way is None else self._grad_text(name, way, tensor)
        key = name, id(tensor)  # the recording keeps its tensors
        if key not in self._incoming:
            self._incoming[key] = self._incoming_text(tensor)
        return self._incoming[key]

    def _incoming_text(self, tensor: Tensor) -> str:
        """The gradient that comes to an operation."""
        room = self._sizes.room
        # The space is given up before a digit is.
        text, is_shape = fitting(tensor, lambda text: self._width(f"∇{text}") <= room)
        spaced = f"∇ of {text}" if is_shape and text != "…" else f"∇ {text}"
        if self._width(spaced) <= room:
            return spaced
        return "∇ …" if is_shape else f"∇{text}"

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
        found = self._spots(texts, shown)
        spots = [(x, y) for x, y, _ in found]
        texts = texts + [text for _, _, text in found]
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
    ) -> list[tuple[float, float, str]]:
        """The products and where they stand: near the middle of their line, on nothing else.

        A product that has room nowhere near its line is left to the sentence.
        """
        size = self._sizes
        slots = [k for k, text in enumerate(gradients) if text]
        there = self._rectangles(
            self._gradient_x[slots],
            self._gradient_y[slots],
            self._widths([gradients[k] for k in slots]),
        )
        taken = np.concatenate([self._obstacles, there])
        low, high = self._view[0] * size.down, self._view[1] * size.down
        step = 0.5 * size.font
        ways = np.stack(
            np.meshgrid(np.arange(-14, 15) * step, np.arange(-14, 15) * step), axis=-1
        ).reshape(-1, 2)
        found = []
        for edge, text in shown:
            line = self._curves[edge]
            middle = line[len(line) // 2] if len(line) > 2 else line.mean(axis=0)
            places = middle * (size.across, size.down) + ways
            boxes = rectangles(places[:, 0], places[:, 1], self._width(text), size.font)
            corners = [*(boxes + APART).min(axis=0)[:2], *(boxes + APART).max(axis=0)[2:]]
            close = taken[overlap(np.array([corners]), taken)[0] > 0]
            free = (
                (overlap(boxes, close).max(axis=1, initial=0.0) == 0)
                & (boxes[:, 0] >= self._ends[0])
                & (boxes[:, 2] <= self._ends[1])
                & (boxes[:, 1] >= low)
                & (boxes[:, 3] <= high)
            )
            if not free.any():
                continue
            near = overlap(boxes + APART, close).sum(axis=1)
            lines = [dots for other, dots in self._dotted.items() if other is not edge]
            dots = np.concatenate([*lines, np.zeros((0, 2))])
            here = ((dots >= corners[:2]) & (dots <= corners[2:])).all(axis=1)
            crossed = across(boxes, dots[here])
            cost = (
                10 * near
                + ACROSS * crossed
                + np.hypot(ways[:, 0] * 0.6, ways[:, 1])
                + np.where(free, 0, np.inf)
            )
            best = int(np.argmin(cost))
            x, y = places[best] / (size.across, size.down)
            found.append((float(x), float(y), text))
            taken = np.concatenate([taken, boxes[best : best + 1]])
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
