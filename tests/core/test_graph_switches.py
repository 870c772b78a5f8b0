"""An autograd graph with switches set: refusals, reasons, large graphs."""

from __future__ import annotations

import torch

from gdwidgets.core.autograd.collapse import collapsed
from gdwidgets.core.autograd.graph import record_graph
from graphs import recorded

# -- switches and refusals ------------------------------------------------------------------------


def test_without_grad_there_are_values_and_no_graph():
    graph = recorded(no_grad=True)
    assert graph.nodes["mean"].value.item() == 9.0
    assert {node.grad_fn for node in graph.nodes.values()} == {None}
    assert graph.refusal.words == (
        "element 0 of tensors does not require grad and does not have a grad_fn"
    )
    assert graph.steps[-1].phase == "refused"
    assert graph.grads["w"] is None


def test_without_a_tensor_that_requires_gradients_backward_is_refused():
    graph = recorded(requires_grad=())
    assert "does not require grad" in graph.refusal.words


def test_a_leaf_can_be_left_out():
    graph = recorded(requires_grad=("b",))
    assert graph.grads["w"] is None
    assert graph.grads["b"].tolist() == [[6.0]]
    assert graph.nodes["matmul"].grad_fn is None


def test_detach_cuts_the_graph_at_a_node():
    graph = recorded(detached=("matmul",))
    assert graph.nodes["matmul"].detached
    assert graph.nodes["matmul"].grad_fn is None
    assert graph.nodes["add"].value.tolist() == [[6.0]]
    assert graph.grads["w"] is None
    assert graph.grads["b"].tolist() == [[6.0]]


def test_detach_of_the_output_leaves_nothing_to_go_back_through():
    assert "does not have a grad_fn" in recorded(detached=("mean",)).refusal.words


def test_backward_twice_is_refused_in_pytorch_s_words():
    graph = recorded(backward_calls=2)
    assert graph.refusal.operation == "the second backward()"
    assert graph.refusal.words.startswith("Trying to backward through the graph a second time")
    assert graph.grads["w"].tolist() == [[12.0], [18.0]]


def test_with_the_graph_retained_gradients_add_up():
    graph = recorded(backward_calls=2, retain_graph=True)
    assert graph.refusal is None
    assert graph.grads["w"].tolist() == [[24.0], [36.0]]


def test_the_grad_of_a_non_leaf_is_answered_in_pytorch_s_words():
    graph = recorded()
    words = graph.nodes["add"].grad_words
    assert words.startswith("The .grad attribute of a Tensor that is not a leaf Tensor")
    assert "Triggered internally" not in words
    assert recorded(no_grad=True).nodes["add"].grad_words == ""


def test_an_overwritten_value_is_refused_by_backward():
    def function(x):
        y = torch.exp(x)
        z = y * 2
        y += 1
        return (z + y).sum()

    graph = record_graph(function, {"x": [1.0]})
    assert "inplace operation" in graph.refusal.words
    assert "overwritten" in graph.refusal.meaning


# -- large graphs ---------------------------------------------------------------------------------


def long(x):
    for _ in range(300):
        x = x * 1.01
    return x.sum()


def test_a_graph_of_more_than_200_nodes_is_collapsed():
    graph = record_graph(long, {"x": [1.0, 2.0]})
    small = collapsed(graph)
    assert len(graph.nodes) == 302
    assert len(small.nodes) < 40
    assert sum(node.members or 1 for node in small.nodes.values()) == 302
    assert small.steps[-1].node == "x"
    assert torch.equal(small.grads["x"], graph.grads["x"])
    for node in small.nodes.values():
        assert set(node.inputs) <= set(small.nodes)
    order = list(small.nodes)
    assert all(order.index(i) < order.index(n.name) for n in small.nodes.values() for i in n.inputs)


def test_a_graph_of_200_nodes_is_left_whole():
    graph = recorded("sigmoid chain", 30)
    assert collapsed(graph) is graph


def test_many_tensors_are_collapsed_too():
    names = [f"t{k}" for k in range(250)]
    graph = record_graph(
        lambda **given: torch.stack(list(given.values())).sum(), dict.fromkeys(names, 1.0)
    )
    small = collapsed(graph)
    assert len(small.nodes) < 40
    assert "… 238 tensors" in small.nodes
