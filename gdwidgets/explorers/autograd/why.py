"""Why a gradient is what it is: the chain rule along the graph, and what depth does to it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gdwidgets.core.autograd.depth import factors, sigmoid_fixed_point
from gdwidgets.core.autograd.nodes import AutogradGraph, Local
from gdwidgets.explorers.autograd.numbers import brief
from gdwidgets.explorers.autograd.text import Words
from gdwidgets.ui.text import counted, number

MOST_PATHS = 4
"""Paths that are written out."""


def paths(graph: AutogradGraph, name: str, most: int = 200) -> list[tuple[tuple[str, int], ...]]:
    """Every way along which a gradient comes from the output to a node.

    Returns
    -------
    Each as pairs from the output on: a node, and which of its inputs the way goes on to. At most
    ``most`` ways.
    """
    found: list[tuple[tuple[str, int], ...]] = []
    users: dict[str, list[tuple[str, int]]] = {}
    for node in graph.nodes.values():
        for index, (to, _) in enumerate(node.local):
            users.setdefault(to, []).append((node.name, index))
    waiting: list[tuple[str, tuple[tuple[str, int], ...]]] = [(name, ())]
    while waiting and len(found) < most:
        here, way = waiting.pop()
        if here == graph.output:
            found.append(way)
        waiting += [(user, ((user, index), *way)) for user, index in reversed(users.get(here, []))]
    return found


def chain_rule(words: Words, name: str) -> list[str]:
    """The chain rule for one node, in words and numbers, as paragraphs.

    Parameters
    ----------
    words
        Of the graph as it is drawn.
    name
        The node.
    """
    graph = words.graph
    output, here = words.name(graph.output), words.name(name)
    if name == graph.output:
        return [f"**∂{output}/∂{output} = 1**: backward() starts here."]
    ways = paths(graph, name)
    if not ways:
        return [_no_way(words, name)]
    parts = [_along(words, way) for way in ways[:MOST_PATHS]]
    arrived = graph.grad_output(name)
    if len(ways) == 1:
        return [
            (
                f"**Chain rule.** One way leads from {output} to {here}. The local derivatives "
                "on it are multiplied:"
            ),
            parts[0] if arrived is None else f"{parts[0]} = **{brief(arrived, 4, 6)}**",
        ]
    many = counted(len(ways), "way") if len(ways) < 200 else "200 ways or more"
    more = [] if len(ways) <= MOST_PATHS else [f"… and {len(ways) - MOST_PATHS} more"]
    total = "" if arrived is None else f" Sum: **{brief(arrived, 4, 6)}**."
    return [
        (
            f"**Chain rule.** {many} lead from {output} to {here}. The local derivatives on each "
            f"way are multiplied, and the products are added.{total}"
        ),
        *parts,
        *more,
    ]


def _no_way(words: Words, name: str) -> str:
    node = words.graph.nodes[name]
    here = words.name(name)
    if node.untracked is None or node.kind in {"leaf", "constant"}:
        asks = "" if node.requires_grad else f" {here} has requires_grad=False."
        return f"**No gradient comes to {here}.**{asks}"
    return f"**No gradient comes to {here}**: {node.untracked.value}."


def _along(words: Words, way: Sequence[tuple[str, int]]) -> str:
    names, numbers = [], []
    for node_name, index in way:
        node = words.graph.nodes[node_name]
        to, local = node.local[index]
        names.append(f"∂{words.name(node_name)}/∂{words.name(to)}")
        numbers.append(_number(local))
    return f"{' · '.join(names)} = {' × '.join(numbers)}"


def _number(local: Local | None) -> str:
    if local is None:
        return "(a large matrix)"
    if local.kind == "matrix":
        return f"({'×'.join(str(n) for n in local.value.shape)} matrix)"
    return brief(local.value, 4, 6)


# -- depth -----------------------------------------------------------------------------------------


def layer_sizes(graph: AutogradGraph, layers: Sequence[str]) -> list[float]:
    """|∂output/∂layer| for nodes of a chain; 0 where no gradient came."""
    return [size(graph.grad_output(name)) for name in layers]


def size(tensor: torch.Tensor | None) -> float:
    """The length of a gradient."""
    return 0.0 if tensor is None else float(torch.linalg.vector_norm(tensor.double()))


def depth_words(activation: str, sizes: Sequence[float], start: float) -> list[str]:
    """What a chain does to the gradient, and the prediction, as paragraphs.

    Parameters
    ----------
    activation
        Of the chain's layers: ``"sigmoid"``, ``"tanh"``, ``"relu"``, or another word for layers
        that multiply by one weight.
    sizes
        Sizes of the gradients with respect to the input and the layers, (L + 1,).
    start
        The chain's input.
    """
    count = len(sizes) - 1
    layers = counted(count, "layer")
    if not sizes[0] > 0:
        return [f"**No gradient comes to the input** through {layers}."]
    steps = factors(sizes)
    measured = (
        f"**{layers} multiply the gradient by {number(sizes[0], 3)}**; "
        f"the first of them by {number(float(steps[0]), 4)}, the last by "
        f"{number(float(steps[-1]), 4)}."
    )
    return [measured, _prediction(activation, sizes, start)]


def _prediction(activation: str, sizes: Sequence[float], start: float) -> str:
    count = len(sizes) - 1
    if activation == "sigmoid":
        at, factor = sigmoid_fixed_point()
        return (
            f"Sigmoid: the values approach the fixed point **a = σ(a) = {at:.4f}**, where the "
            f"derivative a (1 − a) is **{factor:.4f}**. Every layer multiplies by about that, and "
            "never by more than 1/4: a straight line on this logarithmic axis, "
            f"{factor:.4f} to the power {count} = {number(factor**count, 3)}."
        )
    if activation == "tanh":
        after = (1 + 2 * count * start * start / 3) ** -1.5
        return (
            "Tanh: the values approach 0, where the derivative 1 − tanh² is 1. The gradient falls "
            "as a **power of the depth n, n^(−3/2)**, not exponentially: "
            f"(1 + 2 n a²/3)^(−3/2) = {number(after, 3)} from a = {number(start)} after "
            f"{counted(count, 'layer')}."
        )
    if activation == "relu":
        return (
            "ReLU: the derivative is 1 where the input is above 0, and 0 elsewhere: "
            "the gradient passes unchanged, or is lost in one layer."
        )
    factor = float(factors(sizes)[-1])
    what = "grows" if factor > 1 else "shrinks" if factor < 1 else "keeps its size"
    return (
        f"Every layer multiplies by the same **{number(factor)}**, the size of its weight: the "
        f"gradient **{what}**, {number(factor)} to the power {count} = "
        f"{number(factor**count, 3)}. A weight above 1 makes it explode, one below 1 vanish."
    )
