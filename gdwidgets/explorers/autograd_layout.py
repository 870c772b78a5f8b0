"""Where the nodes of a graph go: left to right in layers, like text in as many rows as it takes."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

from gdwidgets.core.graph_nodes import AutogradGraph

MOST_COLUMNS = 9
"""Layers beside each other; more go into a further row."""

MOST_SPAN = 4
"""Layers that a line may cross."""

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
    points, edges, height = _in_rows(_ordered(layered), stops, columns)
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


def _ordered(layered: nx.DiGraph) -> nx.DiGraph:
    """The same graph, its nodes listed in the order in which they stand in their layers."""
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
    ordered = nx.DiGraph()
    for layer in sorted(rows):
        ordered.add_nodes_from((node, {"layer": layer}) for node in rows[layer])
    ordered.add_edges_from(layered.edges)
    return ordered


def _mean(
    node: Hashable, neighbours: Iterable[Hashable], places: Mapping[Hashable, float]
) -> float:
    found = [places[other] for other in neighbours]
    return sum(found) / len(found) if found else places[node]


def _in_rows(
    layered: nx.DiGraph, stops: Mapping[tuple[str, str], Sequence[Hashable]], columns: int
) -> tuple[dict[Hashable, Point], dict[tuple[str, str], tuple[Point, ...]], float]:
    """Places of all nodes, the edges' corners, and the height of all rows together."""
    where = nx.multipartite_layout(layered, subset_key="layer")
    depth = dict(layered.nodes(data="layer"))
    count = max(depth.values()) + 1
    unit = (max(x for x, _ in where.values()) - min(x for x, _ in where.values())) / (count - 1)
    heights = [1.0] * math.ceil(count / columns)
    for node, (_, y) in where.items():
        row = depth[node] // columns
        heights[row] = max(heights[row], 2 * abs(float(y)) / unit + 1)
    tops = [sum(heights[:row]) for row in range(len(heights))]
    points: dict[Hashable, Point] = {}
    for node, (_, y) in where.items():
        row, column = divmod(depth[node], columns)
        points[node] = (float(column), tops[row] + heights[row] / 2 + float(y) / unit)
    edges = {}
    for pair, path in stops.items():
        corners: list[Point] = [points[path[0]]]
        for one, two in pairwise(path):
            top = tops[depth[two] // columns]
            corners.extend(_corners(points[one], points[two], columns, top))
        edges[pair] = tuple(corners)
    return points, edges, sum(heights)


def _corners(one: Point, two: Point, columns: int, top: float) -> list[Point]:
    """The corners from ``one`` to ``two`` in the next layer, perhaps at the start of a row."""
    (x, y), (right, below) = one, two
    if right > x:
        return [(x + 0.3, y), (right - 0.36, below), two]
    return [(columns - 0.52, y), (columns - 0.52, top), (-0.52, top), (-0.52, below), two]
