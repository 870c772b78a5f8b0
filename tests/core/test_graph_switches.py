"""An autograd graph with switches set: refusals, finite differences, scripts, large graphs."""

from __future__ import annotations

import contextlib
import io

import pytest
import torch

from gdwidgets.core.autograd.collapse import collapsed
from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.presets import PRESET_NAMES, preset
from gdwidgets.core.scripts.graph import call_text, graph_script, literal
from graphs import recorded


def printed(script):
    """What a script prints, by the names it prints it under."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(script, "script", "exec"), {"__name__": "script"})
    return out.getvalue()


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


# -- the script -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESET_NAMES)
@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"no_grad": True},
        {"backward_calls": 2},
        {"backward_calls": 2, "retain_graph": True},
        {"requires_grad": ()},
    ],
    ids=str,
)
def test_the_script_prints_the_recorded_numbers(name, switches):
    graph = recorded(name, 4, **switches)
    namespace = {"__name__": "script"}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(graph_script(graph), "script", "exec"), namespace)
    for node in graph.nodes.values():
        assert torch.equal(namespace[node.name.replace(" ", "_")].detach(), node.value)
    for leaf, grad in graph.grads.items():
        found = namespace[leaf].grad
        assert found is grad is None or torch.equal(found, grad)
    if graph.refusal:
        assert graph.refusal.words in out.getvalue()


def test_the_script_names_what_the_preset_names():
    graph = recorded()
    script = graph_script(graph, preset("toy neuron").variables)
    assert "z = matmul + b" in script
    assert "loss.backward()" in script
    assert "z: tensor([[6.]], grad_fn=<AddBackward0>)" in printed(script)


def test_the_script_knows_methods_indices_keywords_and_reversed_operators():
    def function(x):
        a = 2 - x[:, 0]
        b = -((1 / x[..., 1]) ** -2)
        c = torch.stack([a, b]).T.softmax(dim=1)
        return torch.nn.functional.cross_entropy(c, torch.tensor([0, 1]), label_smoothing=0.1)

    graph = record_graph(function, {"x": [[1.0, 2.0], [3.0, 4.0]]}, detached=("rsub",))
    namespace = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(graph_script(graph), namespace)
    assert torch.equal(namespace["x"].grad, graph.grads["x"])


def test_what_cannot_be_written_out_is_named():
    graph = record_graph(lambda x: x.sum(), {"x": torch.ones(2000)})
    with pytest.raises(ValueError, match="2000 numbers is too large"):
        graph_script(graph)


def test_literals_are_exact():
    tensor = torch.tensor([0.1, -1e-20, float("inf"), 3.0])
    assert torch.equal(eval(f"torch.tensor({literal(tensor)})"), tensor)


def test_calls_are_described_with_the_names_people_use():
    graph = recorded()
    assert call_text(graph.nodes["add"], {"matmul": "x·w"}.get) == "x·w + None"


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
