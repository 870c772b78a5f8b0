"""Where the nodes of a graph go: left to right in layers, like text in as many rows as it takes."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

from gdwidgets.core.autograd.nodes import AutogradGraph

MOST_COLUMNS = 9
"""Layers beside each other; more go into a further row."""

MOST_SPAN = 4
"""Layers that a line may cross."""

ROW_GAP = 0.2
"""Room between two rows, for the lines that go from one to the next."""

SWEEPS = 6
"""How often every layer is ordered anew by its neighbours, there and back."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Placed:
    """A graph with places: x grows to the right, y downwards, neighbours are 1 apart."""

    points: Mapping[str, Point]
    edges: Mapping[tuple[str, str], tuple[Point, ...]]
    """Corners of the line from one node to another."""

    tags: Mapping[str, tuple[str, ...]]
    """Nodes with inputs that lie too far for a line: those are named beside the node instead."""

    columns: int
    height: float
    """Of all rows together."""


def place(graph: AutogradGraph) -> Placed:
    """Lay out a graph in layers.

    A node stands right of everything it needs and no earlier than its first user asks. An edge
    across several layers gets a point in each, so that it passes between nodes; one across many,
    or into another row, becomes a tag. The order within a layer is that of the neighbours' mean
    places (Sugiyama, Tagawa and Toda 1981).
    """
    drawing = nx.DiGraph()
    drawing.add_nodes_from(graph.nodes)
    drawing.add_edges_from((i, node.name) for node in graph.nodes.values() for i in node.inputs)
    layers = _layers(drawing)
    count = max(layers.values()) + 1
    columns = math.ceil(count / math.ceil(count / MOST_COLUMNS))
    stops: dict[tuple[str, str], list[Hashable]] = {}
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
        stops[source, target] = [source, *between, target]
        nx.add_path(layered, stops[source, target])
    points, edges, height = _in_rows(layered, stops, columns)
    return Placed(
        points={name: points[name] for name in graph.nodes},
        edges=edges,
        tags={target: tuple(sources) for target, sources in tags.items()},
        columns=columns,
        height=height,
    )


def _layers(drawing: nx.DiGraph) -> dict[str, int]:
    order = list(nx.topological_sort(drawing))
    layers = {
        name: depth
        for depth, names in enumerate(nx.topological_generations(drawing))
        for name in names
    }
    for name in reversed(order):  # as late as its first user allows
        if drawing.out_degree(name):
            layers[name] = min(layers[user] for user in drawing.successors(name)) - 1
    return layers


def _ordered(layered: nx.DiGraph) -> dict[int, list[Hashable]]:
    """The nodes of every layer, from top to bottom."""
    rows: dict[int, list[Hashable]] = {}
    for node, layer in layered.nodes(data="layer"):
        rows.setdefault(layer, []).append(node)
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


def _in_rows(
    layered: nx.DiGraph, stops: Mapping[tuple[str, str], Sequence[Hashable]], columns: int
) -> tuple[dict[Hashable, Point], dict[tuple[str, str], tuple[Point, ...]], float]:
    """Places of all nodes, the edges' corners, and the height of all rows together."""
    # Handed over as lists: from node attributes the layout would make sets, in any order.
    where = nx.multipartite_layout(layered, subset_key=_ordered(layered))
    depth = dict(layered.nodes(data="layer"))
    count = max(depth.values()) + 1
    unit = (max(x for x, _ in where.values()) - min(x for x, _ in where.values())) / (count - 1)
    heights = [1.0 + ROW_GAP] * math.ceil(count / columns)
    for node, (_, y) in where.items():
        row = depth[node] // columns
        heights[row] = max(heights[row], 2 * abs(float(y)) / unit + 1 + ROW_GAP)
    tops = [sum(heights[:row]) for row in range(len(heights))]
    points: dict[Hashable, Point] = {}
    for node, (_, y) in where.items():
        row, column = divmod(depth[node], columns)
        points[node] = (float(column), tops[row] + heights[row] / 2 + float(y) / unit)
    edges = {}
    into = dict.fromkeys(range(len(heights)), 0)
    for pair, path in stops.items():
        corners: list[Point] = [points[path[0]]]
        for one, two in pairwise(path):
            row = depth[two] // columns
            if row == depth[one] // columns:
                corners.extend(_corners(points[one], points[two]))
            else:
                corners.extend(_turn(points[one], points[two], columns, tops[row], into[row]))
                into[row] += 1
        edges[pair] = tuple(corners)
    return points, edges, sum(heights)


def _corners(one: Point, two: Point) -> list[Point]:
    """The corners from ``one`` to ``two`` in the next layer."""
    return [(one[0] + 0.3, one[1]), (two[0] - 0.36, two[1]), two]


def _turn(one: Point, two: Point, columns: int, top: float, nth: int) -> list[Point]:
    """The corners from the end of a row to the start of the next; each line has its own way."""
    aside, above = 0.04 * min(nth, 3), top + 0.07 * (nth % 4)
    right, left = columns - 0.5 - aside, -0.54 + aside
    return [(right, one[1]), (right, above), (left, above), (left, two[1]), two]
