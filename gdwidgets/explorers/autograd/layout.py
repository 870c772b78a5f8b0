"""Where the nodes of a graph go: left to right in layers, like text in as many rows as it takes."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core.autograd.nodes import AutogradGraph

if TYPE_CHECKING:
    import networkx as nx

MOST_COLUMNS = 7
"""Layers beside each other; more go into a further row."""

MOST_SPAN = 4
"""Layers that a line may cross."""

SWEEPS = 6
"""How often every layer is ordered anew by its neighbours, there and back."""

PASSES = 16
"""How often every layer is moved towards its neighbours, there and back."""

ROOM = 1.0
"""Room between two nodes of a layer."""

LANE = 0.1
"""Room between two rows for each line that goes from one to the next."""

PASSING = 0.55
"""Room between a node and a line that passes it; two lines keep half of it."""

FLAT = 0.3
"""How far from a node its lines are horizontal, in layers: an arrow head points to the right."""

BEND = np.linspace(0.0, 1.0, 11)
"""Where the points of a bend are, from its beginning to its end."""

TENSORS_PULL = 0.02
"""How strongly a tensor pulls at the operation that uses it; operations pull at each other with 1,
so that a chain of them is straight."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Edge:
    """A line from a node to one that uses it."""

    source: str
    target: str
    nth: int
    """Which of the lines between the two it is, from 0: a value may be used twice."""

    stops: tuple[Point, ...]
    """The nodes' places, and places between them through which the line passes nodes of the layers
    in between; for a line into the next row, the corners of its way."""

    turns: bool
    """Whether it goes into the next row."""

    port: float
    """Where it ends at its target, from −1 (top) to 1 (bottom): lines end beside each other."""


@dataclass(frozen=True)
class Placed:
    """A graph with places: x grows to the right, y downwards, neighbours are 1 apart."""

    points: Mapping[str, Point]
    edges: tuple[Edge, ...]
    tags: Mapping[str, tuple[str, ...]]
    """Nodes with inputs that lie too far for a line: those are named beside the node instead."""

    columns: int
    height: float
    """Of all rows together."""

    rows: tuple[tuple[float, float], ...]
    """Where each row begins and ends; y. Lines into a row run above its beginning."""

    def views(self, most: float) -> tuple[tuple[float, float], ...]:
        """The parts that are shown where not all rows have room: as many whole rows as fit.

        Parameters
        ----------
        most
            How high a part may be. A row that is higher is cut too, between its nodes.

        Returns
        -------
        Where each part begins and ends, with the lines into its first row and out of its last.
        """
        pieces = [piece for row in range(len(self.rows)) for piece in self._pieces(row, most)]
        found = []
        for k, (low, high) in enumerate(pieces):
            ends = [end for _, end in pieces[k:] if end - low <= most + 1e-9]
            found.append((low, max(ends, default=high)))
        return tuple(found)

    def _pieces(self, row: int, most: float) -> list[tuple[float, float]]:
        """A row with the room above and below it, in parts where it is higher than ``most``."""
        top, bottom = self.rows[row]
        low = self.rows[row - 1][1] if row else 0.0
        high = self.rows[row + 1][0] if row + 1 < len(self.rows) else self.height
        if high - low <= most:
            return [(low, high)]
        within = [y for _, y in self.points.values() if top <= y <= bottom]
        between = {
            round(y + ROOM / 2, 6)
            for y in within
            if y + ROOM / 2 < bottom and all(abs(y + ROOM / 2 - z) > 0.45 * ROOM for z in within)
        }
        cuts = [low, *sorted(between), high]
        found = []
        for one, two in itertools.pairwise(cuts):
            count = math.ceil((two - one) / most)
            ends = np.linspace(one, two, count + 1).tolist()
            found += list(itertools.pairwise(ends))
        return found


def place(graph: AutogradGraph) -> Placed:
    """Lay out a graph in layers.

    A node stands right of everything it needs and no earlier than its first user asks. An edge
    across several layers gets a point in each, so that it passes between nodes; one across many,
    or into another row, becomes a tag. The order within a layer is that of the neighbours' mean
    places (Sugiyama, Tagawa and Toda 1981); the places themselves are those nearest to the
    neighbours', operations first, that keep their distance.
    """
    import networkx as nx  # noqa: PLC0415 - only a graph needs it

    drawing = nx.DiGraph()
    drawing.add_nodes_from(graph.nodes)
    drawing.add_edges_from((i, node.name) for node in graph.nodes.values() for i in node.inputs)
    layers = _layers(nx, drawing)
    count = max(layers.values()) + 1
    columns = math.ceil(count / math.ceil(count / MOST_COLUMNS))
    ways: dict[tuple[str, str], list[Hashable]] = {}
    tags: dict[str, list[str]] = {}
    layered = nx.DiGraph()
    layered.add_nodes_from((name, {"layer": layers[name]}) for name in graph.nodes)
    for source, target in drawing.edges:
        span = layers[target] - layers[source]
        other_row = layers[target] // columns != layers[source] // columns
        if span > MOST_SPAN or (span > 1 and other_row):
            tags.setdefault(target, []).append(source)
            continue
        between = [(source, target, k) for k in range(layers[source] + 1, layers[target])]
        layered.add_nodes_from((stop, {"layer": stop[2]}) for stop in between)
        ways[source, target] = [source, *between, target]
        nx.add_path(layered, ways[source, target])
    operations = {node.name for node in graph.nodes.values() if node.kind not in SOURCES}
    beside = _beside(layered, operations, list(graph.nodes))
    turning = Counter(
        layers[target] // columns
        for source, target in ways
        if layers[source] // columns != layers[target] // columns
    )
    points, rows = _in_rows(layered, beside, columns, turning)
    return Placed(
        points={name: points[name] for name in graph.nodes},
        edges=_edges(graph, ways, points, columns, rows),
        tags={target: tuple(sources) for target, sources in tags.items()},
        columns=columns,
        height=rows[-1][1],
        rows=rows,
    )


SOURCES = frozenset({"leaf", "constant"})
"""Kinds of nodes that nothing goes into."""


def _layers(nx: object, drawing: nx.DiGraph) -> dict[str, int]:
    order = list(nx.topological_sort(drawing))  # type: ignore[attr-defined]
    generations = nx.topological_generations(drawing)  # type: ignore[attr-defined]
    layers = {name: depth for depth, names in enumerate(generations) for name in names}
    for name in reversed(order):  # as late as its first user allows
        if drawing.out_degree(name):
            layers[name] = min(layers[user] for user in drawing.successors(name)) - 1
    return layers


# -- places within a layer -------------------------------------------------------------------------


def _ordered(
    layered: nx.DiGraph, operations: set[str], names: Sequence[str]
) -> dict[int, list[Hashable]]:
    """The nodes of every layer, from top to bottom; tensors alternately above and below."""
    sources = [name for name in names if name not in operations]
    height = {name: (-1.0 if k % 2 == 0 else 1.0) for k, name in enumerate(sources)}
    rows: dict[int, list[Hashable]] = {}
    for node, layer in layered.nodes(data="layer"):
        rows.setdefault(layer, []).append(node)
    for row in rows.values():
        row.sort(key=lambda node: height.get(str(node), 0.0) if node in height else 0.0)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        neighbours = layered.predecessors if forward else layered.successors
        for layer in sorted(rows, reverse=not forward):
            places = {
                node: k - (len(row) - 1) / 2 for row in rows.values() for k, node in enumerate(row)
            }
            means = {node: _mean(node, neighbours(node), places) for node in rows[layer]}
            rows[layer] = sorted(rows[layer], key=means.__getitem__)
    return {layer: rows[layer] for layer in sorted(rows)}


def _mean(
    node: Hashable, neighbours: Iterable[Hashable], places: Mapping[Hashable, float]
) -> float:
    found = [places[other] for other in neighbours]
    return sum(found) / len(found) if found else places[node]


def _beside(
    layered: nx.DiGraph, operations: set[str], names: Sequence[str]
) -> dict[Hashable, float]:
    """The place of every node within its layer, about 0."""
    ordered = _ordered(layered, operations, names)
    nodes = set(names)
    place: dict[Hashable, float] = {}
    for row in ordered.values():
        place.update({node: k - (len(row) - 1) / 2 for k, node in enumerate(row)})

    def near(node: Hashable, forward: bool) -> list[Hashable]:
        """The nodes it follows: operations those before or behind them, others all."""
        some = list(layered.predecessors(node) if forward else layered.successors(node))
        if node in operations and any(other in operations for other in some):
            return some
        return [*layered.predecessors(node), *layered.successors(node)]

    def pull(one: Hashable, other: Hashable) -> float:
        return TENSORS_PULL if one in operations and other not in operations else 1.0

    weight = {node: 1000.0 if node in operations else 1.0 for node in layered.nodes}
    for sweep in range(PASSES):
        forward = sweep % 2 == 1
        for layer in sorted(ordered, reverse=not forward):
            row = ordered[layer]
            wanted = []
            for node in row:
                others = near(node, forward)
                total = sum(pull(node, other) for other in others)
                mean = sum(pull(node, other) * place[other] for other in others)
                wanted.append(mean / total if total else place[node])
            gaps = [_gap(one in nodes, other in nodes) for one, other in itertools.pairwise(row)]
            found = _apart(wanted, [weight[node] for node in row], gaps)
            place.update(zip(row, found, strict=True))
    return place


def _gap(one: bool, other: bool) -> float:
    return ROOM if one and other else PASSING if one or other else PASSING / 2


def _apart(wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """Places nearest to those wanted, in least squares, that are at least the gaps apart.

    With the gaps taken off this is monotone regression: neighbours in the wrong order are merged
    into blocks (pool adjacent violators).
    """
    offsets = np.concatenate([[0.0], np.cumsum(gaps)])
    blocks: list[list[float]] = []  # mean, weight, count
    for value, weight, offset in zip(wanted, weights, offsets, strict=True):
        blocks.append([value - offset, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, more, count = blocks.pop()
            before = blocks[-1]
            total = before[1] + more
            before[0] = (before[0] * before[1] + mean * more) / total
            before[1], before[2] = total, before[2] + count
    means = [block[0] for block in blocks for _ in range(int(block[2]))]
    return [mean + float(offset) for mean, offset in zip(means, offsets, strict=True)]


def _in_rows(
    layered: nx.DiGraph,
    beside: Mapping[Hashable, float],
    columns: int,
    turning: Mapping[int, int],
) -> tuple[dict[Hashable, Point], tuple[tuple[float, float], ...]]:
    """Places of all nodes, and where the rows begin and end.

    Above a row there is room for the lines that come into it from the row before.
    """
    depth = dict(layered.nodes(data="layer"))
    count = math.ceil((max(depth.values()) + 1) / columns)
    ends = [(math.inf, -math.inf)] * count
    for node, y in beside.items():
        row = depth[node] // columns
        ends[row] = min(ends[row][0], y), max(ends[row][1], y)
    rows: list[tuple[float, float]] = []
    for row, (low, high) in enumerate(ends):
        top = rows[-1][1] + LANE * max(turning.get(row, 0), 1) if rows else 0.0
        rows.append((top, top + high - low + ROOM))
    points: dict[Hashable, Point] = {}
    for node, y in beside.items():
        row, column = divmod(depth[node], columns)
        points[node] = (float(column), rows[row][0] + y - ends[row][0] + ROOM / 2)
    return points, tuple(rows)


# -- lines -----------------------------------------------------------------------------------------


def _edges(
    graph: AutogradGraph,
    ways: Mapping[tuple[str, str], Sequence[Hashable]],
    points: Mapping[Hashable, Point],
    columns: int,
    rows: Sequence[tuple[float, float]],
) -> tuple[Edge, ...]:
    found = []
    into = dict.fromkeys(range(len(rows)), 0)
    for node in graph.nodes.values():
        lines = [name for name in node.inputs if (name, node.name) in ways]
        # In the order in which they come in, from top to bottom: no two lines cross at the node.
        order = sorted(
            range(len(lines)), key=lambda k: (points[ways[lines[k], node.name][-2]][1], k)
        )
        rank = {k: at for at, k in enumerate(order)}
        seen: dict[str, int] = {}
        for k, name in enumerate(lines):
            stops = [points[stop] for stop in ways[name, node.name]]
            row = _row(stops[-1][1], rows)
            turns = _row(stops[0][1], rows) != row
            if turns:
                stops = _turn(stops[0], stops[-1], columns, rows[row - 1][1], into[row])
                into[row] += 1
            port = 0.0 if len(lines) == 1 else 2 * rank[k] / (len(lines) - 1) - 1
            nth = seen.get(name, 0)
            seen[name] = nth + 1
            found.append(Edge(name, node.name, nth, tuple(stops), turns, port))
    return tuple(found)


def _row(y: float, rows: Sequence[tuple[float, float]]) -> int:
    return max(row for row, (top, _) in enumerate(rows) if top <= y)


def _turn(one: Point, two: Point, columns: int, bottom: float, nth: int) -> list[Point]:
    """The corners from the end of a row to the start of the next; each line has its own way.

    Between the rows, below the texts of the one and above those of the other; ``bottom`` is where
    the first of them ends.
    """
    aside, between = 0.01 + 0.025 * min(nth, 3), bottom + LANE * (nth + 0.5)
    right, left = columns - 0.5 - aside, -0.5 + aside
    return [one, (right, one[1]), (right, between), (left, between), (left, two[1]), two]


def curve(edge: Edge, port: float = 0.0) -> NDArray[np.float64]:
    """The line of an edge as points (m, 2).

    Parameters
    ----------
    edge
        The edge.
    port
        How far below its target's middle it ends.
    """
    *before, last = edge.stops
    stops = [*before, (last[0], last[1] + port)]
    if edge.turns:
        stops[-2] = (stops[-2][0], stops[-1][1])
        return _rounded(np.array(stops))
    parts = []
    for one, two in itertools.pairwise(stops):
        run = np.concatenate([[0.0], FLAT + (1 - 2 * FLAT) * BEND, [1.0]])
        ease = np.concatenate([[0.0], BEND * BEND * (3 - 2 * BEND), [1.0]])
        if abs(one[1] - two[1]) < 1e-9:
            run = ease = np.array([0.0, 1.0])
        x = one[0] + (two[0] - one[0]) * run
        parts.append(np.stack([x, one[1] + (two[1] - one[1]) * ease], axis=1))
    return np.concatenate(parts)


def _rounded(corners: NDArray[np.float64], radius: float = 0.12) -> NDArray[np.float64]:
    """A line through corners that are rounded off."""
    parts = [corners[:1]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        into, out = before - corner, after - corner
        a, b = float(np.hypot(*into)), float(np.hypot(*out))
        if min(a, b) < 1e-6:
            continue
        cut = min(radius, a / 2, b / 2)
        one, two = corner + into / a * cut, corner + out / b * cut
        t = np.linspace(0.0, 1.0, 5)[:, None]
        parts.append((1 - t) ** 2 * one + 2 * t * (1 - t) * corner + t**2 * two)
    parts.append(corners[-1:])
    return np.concatenate(parts)
