"""What the picture of a graph shows, read from its marks."""

from __future__ import annotations


def values(explorer):
    """The texts below or in the nodes, by name."""
    names = list(explorer.picture_graph.nodes)
    return dict(zip(names, explorer.drawing.values.text, strict=True))


def gradients(explorer):
    """The texts of gradients, by the name of their node."""
    names = list(explorer.picture_graph.nodes)
    return dict(zip(names, explorer.drawing.gradients.text[: len(names)], strict=True))


def products(explorer):
    """What is printed on the active lines."""
    return list(explorer.drawing.gradients.text[len(explorer.picture_graph.nodes) :])


def ringed(explorer):
    """The nodes with a ring, and its colour."""
    found = {}
    for mark in (explorer.drawing.ring, explorer.drawing.frame):
        for x, y, colour in zip(mark.x, mark.y, mark.colors, strict=False):
            found |= {
                name: colour
                for name, place in explorer.drawing._placed.points.items()
                if abs(place[0] - x) + abs(place[1] - y) < 1e-5
            }
    return found
