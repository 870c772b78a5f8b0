"""A large graph with its middle drawn as one node."""

from __future__ import annotations

from dataclasses import replace

from gdwidgets.core.autograd.nodes import AutogradGraph, Node, Step

MOST_NODES = 200
"""Graphs of up to this many nodes are shown whole."""

KEPT = 12
"""Operations that stay at either end, and tensors that stay, when a graph is collapsed."""


def collapsed(graph: AutogradGraph, most: int = MOST_NODES) -> AutogradGraph:
    """Return the graph with most of its nodes in one or two groups, if it has more than ``most``.

    The first and last operations stay, and the tensors they use. Those between become one node of
    kind ``"group"``: what is put together lies side by side in forward order, so that the graph
    keeps its direction. Steps inside a group become one.
    """
    if len(graph.nodes) <= most:
        return graph
    sources = [n.name for n in graph.nodes.values() if n.kind in {"leaf", "constant"}]
    others = [n.name for n in graph.nodes.values() if n.kind not in {"leaf", "constant"}]
    kept = {*others[:KEPT], *others[-KEPT:]}
    used = {name for other in kept for name in graph.nodes[other].inputs}
    stay = set([name for name in sources if name in used][:KEPT])
    groups = {
        f"… {len(hidden)} {what}": set(hidden)
        for what, hidden in (
            ("tensors", [name for name in sources if name not in stay]),
            ("operations", [name for name in others if name not in kept]),
        )
        if hidden
    }
    home = {name: group for group, members in groups.items() for name in members}
    nodes: dict[str, Node] = {}
    for name, node in graph.nodes.items():
        inputs = tuple(dict.fromkeys(home.get(other, other) for other in node.inputs))
        if name not in home:
            again = any(other in home for other in node.inputs)
            nodes[name] = replace(node, inputs=inputs) if again else node
            continue
        group = home[name]
        before = nodes.get(group)
        outside = tuple(other for other in inputs if other != group)
        if before is None:
            nodes[group] = _group(group, node, outside, len(groups[group]))
        else:
            merged = tuple(dict.fromkeys((*before.inputs, *outside)))
            tracked = before.requires_grad or node.requires_grad
            nodes[group] = replace(before, inputs=merged, requires_grad=tracked)
    steps = _merged(graph.steps, home)
    forward = sum(step.phase == "forward" for step in steps)
    return replace(graph, nodes=nodes, steps=steps, forward_steps=forward)


def _group(name: str, first: Node, inputs: tuple[str, ...], members: int) -> Node:
    return Node(
        name=name,
        kind="group",
        inputs=inputs,
        value=None,
        is_leaf=False,
        requires_grad=first.requires_grad,
        detached=False,
        grad_fn=None,
        call=None,
        local=(),
        notes=(),
        untracked=None,
        grad_words="",
        members=members,
    )


def _merged(steps: tuple[Step, ...], home: dict[str, str]) -> tuple[Step, ...]:
    """The steps with every run of steps inside one group as one step."""
    found: list[Step] = []
    for step in steps:
        group = home.get(step.node)
        passed = tuple((home.get(name, name), gradient) for name, gradient in step.grad_inputs)
        if group is None:
            found.append(replace(step, grad_inputs=passed))
            continue
        leaving = tuple(item for item in passed if item[0] != group)
        last = found[-1] if found else None
        if last and (last.node, last.phase, last.call) == (group, step.phase, step.call):
            found[-1] = replace(last, grad_inputs=last.grad_inputs + leaving)
        else:
            found.append(replace(step, node=group, grad_inputs=leaving, grad=None))
    return tuple(found)
