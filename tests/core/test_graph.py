"""The autograd graph as data: what PyTorch built, computed and passed back."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdwidgets.core.autograd.graph import default_requires_grad, record_graph
from gdwidgets.core.autograd.presets import MOST_LAYERS, preset
from graphs import recorded

# -- the course's numbers -------------------------------------------------------------------------


def test_the_toy_neuron_has_the_course_s_numbers():
    graph = recorded()
    assert graph.nodes["add"].value.tolist() == [[6.0]]
    assert graph.nodes["add"].grad_fn == "AddBackward0"
    assert graph.nodes["mean"].value.item() == 9.0
    assert graph.nodes["mean"].grad_fn == "MeanBackward0"
    assert graph.grads["w"].tolist() == [[12.0], [18.0]]
    assert graph.grads["b"].tolist() == [[6.0]]
    assert graph.grads["x"] is None
    assert graph.grads["y"] is None


def test_the_toy_neuron_s_walk_goes_forward_then_back_to_the_leaves():
    graph = recorded()
    forward = [step.node for step in graph.steps[: graph.forward_steps]]
    assert forward == ["matmul", "add", "sub", "square", "mean"]
    back = [step.node for step in graph.steps[graph.forward_steps :]]
    assert back[:4] == ["mean", "square", "sub", "add"]
    assert set(back[4:]) == {"matmul", "w", "b"}
    assert graph.grad_output("mean").item() == 1.0
    assert graph.grad_output("add").tolist() == [[6.0]]


def test_tracking_control_multiplies_x_by_itself():
    graph = recorded("x · x")
    assert graph.nodes["matmul"].value.item() == 14.0
    assert graph.nodes["matmul"].inputs == ("x", "x")
    assert graph.grads["x"].tolist() == [2.0, 4.0, 6.0]


def test_gradients_of_a_value_used_twice_add():
    graph = recorded("used twice")
    sent = [g.item() for step in graph.steps for name, g in step.grad_inputs if name == "x"]
    assert len(sent) == 2
    assert graph.grads["x"].item() == pytest.approx(sum(sent))
    assert graph.grads["x"].item() == pytest.approx(4 * math.sin(2) + 4 * math.cos(2))


def test_a_regression_sample_has_the_course_s_formula():
    graph = recorded("regression sample")
    x, y, a, b, c = (graph.values[name].item() for name in "xyabc")
    error = 2 * (a + b * x + c * x**2 - y)
    for name, factor in (("a", 1), ("b", x), ("c", x**2)):
        assert graph.grads[name].item() == pytest.approx(error * factor, rel=1e-4)


@pytest.mark.parametrize("layers", [1, 2, 10, MOST_LAYERS])
@pytest.mark.parametrize(
    ("name", "activation", "slope"),
    [
        ("sigmoid chain", lambda x: 1 / (1 + math.exp(-x)), lambda a: a * (1 - a)),
        ("tanh chain", math.tanh, lambda a: 1 - a * a),
        ("relu chain", lambda x: max(x, 0.0), lambda a: float(a > 0)),
    ],
)
def test_a_chain_s_gradient_is_the_product_of_its_slopes(name, activation, slope, layers):
    graph = recorded(name, layers)
    value, product = 1.0, 1.0
    for _ in range(layers):
        value = activation(value)
        product *= slope(value)
    assert graph.nodes[graph.output].value.item() == pytest.approx(value, rel=1e-5)
    assert graph.grads["x"].item() == pytest.approx(product, rel=1e-4)
    assert len(graph.nodes) == layers + 1


def test_the_exploding_preset_s_gradient_grows_by_its_weight_in_every_layer():
    graph, made = recorded("exploding"), preset("exploding")
    sizes = [graph.grad_output(name).item() for name in made.layers]
    assert sizes == pytest.approx([1.5**k for k in range(10, -1, -1)])
    assert graph.grads["w"].item() == pytest.approx(10 * 1.5**9)


def test_10_sigmoids_are_the_sigmoid_chain_of_10():
    made, chain = preset("10 sigmoids"), preset("sigmoid chain", 10)
    assert (made.layers, made.variables) == (chain.layers, chain.variables)
    assert recorded("10 sigmoids").grads["x"] == recorded("sigmoid chain", 10).grads["x"]


@pytest.mark.parametrize("name", ["10 sigmoids", "exploding", "tanh chain"])
def test_layers_name_nodes_of_the_graph_in_order(name):
    made, graph = preset(name), recorded(name)
    assert len(made.layers) == 11
    order = list(graph.nodes)
    places = [order.index(layer) for layer in made.layers]
    assert places == sorted(places)
    assert made.layers[-1] == graph.output


# -- what is read ---------------------------------------------------------------------------------


def test_only_named_tensors_are_leaves_of_the_graph():
    graph = recorded()
    assert [n.name for n in graph.nodes.values() if n.kind == "leaf"] == ["x", "w", "b", "y"]
    assert [n.name for n in graph.nodes.values() if n.requires_grad] == [
        "w",
        "b",
        "matmul",
        "add",
        "sub",
        "square",
        "mean",
    ]
    assert not graph.nodes["add"].is_leaf
    assert graph.nodes["x"].is_leaf


def test_a_shared_expression_appears_once():
    def function(x):
        part = torch.exp(x)
        return part * part + part

    graph = record_graph(function, {"x": 1.0})
    assert list(graph.nodes) == ["x", "exp", "mul", "add"]
    assert graph.nodes["mul"].inputs == ("exp", "exp")


def test_steps_inside_a_composite_operation_belong_to_the_graph():
    graph = record_graph(
        lambda x, w, b: torch.nn.functional.linear(x, w, b).sum(),
        {"x": [[1.0, 2.0]], "w": [[3.0, 4.0]], "b": [5.0]},
    )
    assert graph.nodes["t"].kind == "inner"
    assert graph.nodes["t"].value is None
    assert graph.nodes["linear"].value.tolist() == [[16.0]]
    assert graph.grads["w"].tolist() == [[1.0, 2.0]]


def test_what_the_function_does_without_effect_on_the_result_is_left_out():
    graph = record_graph(lambda x: (torch.sin(x), torch.exp(x))[1], {"x": 1.0})
    assert list(graph.nodes) == ["x", "exp"]


def test_a_tensor_from_outside_is_a_constant():
    outside = torch.tensor(3.0)
    graph = record_graph(lambda x: x * outside, {"x": 2.0})
    assert graph.nodes["constant"].value.item() == 3.0
    assert graph.grads["x"].item() == 3.0


def test_changes_in_place_are_operations_with_values_of_their_own():
    def function(x):
        y = x * 2
        y += 1
        y[0] = 5.0
        return y.sum()

    graph = record_graph(function, {"x": [1.0, 2.0]})
    assert graph.nodes["mul"].value.tolist() == [2.0, 4.0]
    assert graph.nodes["add"].value.tolist() == [3.0, 5.0]
    assert graph.nodes["sum"].value.item() == 10.0
    assert graph.grads["x"].tolist() == [0.0, 2.0]


def test_an_operation_with_several_results_is_one_node():
    def function(x):
        a, b = x.unbind()
        return a * b

    graph = record_graph(function, {"x": [3.0, 4.0]})
    assert list(graph.nodes) == ["x", "unbind", "mul"]
    assert graph.nodes["unbind"].value.tolist() == [3.0, 4.0]
    assert graph.grad_output("unbind").tolist() == [4.0, 3.0]


def test_a_function_of_ones_own_appears_with_its_value():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad

    graph = record_graph(lambda x: Double.apply(x) + 1, {"x": 3.0})
    assert graph.nodes["double"].value.item() == 6.0
    assert graph.grads["x"].item() == 2.0


def test_whole_numbers_stay_whole_and_have_no_gradient():
    graph = record_graph(
        lambda x, k: torch.nn.functional.cross_entropy(x, k).mul(2),
        {"x": [[1.0, 2.0], [0.0, 1.0]], "k": torch.tensor([0, 1])},
    )
    assert graph.requires_grad == ("x",)
    assert graph.nodes["k"].value.dtype == torch.int64


def test_tensors_given_with_requires_grad_are_the_tracked_ones():
    given = {"x": torch.ones(2), "w": torch.ones(2, requires_grad=True)}
    assert default_requires_grad(given) == ("w",)
    assert default_requires_grad({"x": 1.0, "w": 2.0}) == ("x", "w")
    record_graph(lambda x, w: x @ w, given)
    assert given["w"].grad is None


# -- local derivatives ----------------------------------------------------------------------------

EXPRESSIONS = {
    "sum of products": lambda x, w: (x * w).sum(),
    "matrix product": lambda x, w: torch.tanh(x.reshape(2, 2) @ w.reshape(2, 2)).mean(),
    "broadcasting": lambda x, w: (x.reshape(4, 1) - w.reshape(1, 4)).pow(2).sum(),
    "softmax": lambda x, w: torch.softmax(x, 0).log() @ w,
    "indexing": lambda x, w: x[0] * w[3] + torch.stack([x[1], w[2]]).prod(),
    "loss": lambda x, w: torch.nn.functional.mse_loss(x, w),  # noqa: PLW0108 - parameter names
}
NUMBERS = st.lists(st.floats(-2, 2, width=32), min_size=4, max_size=4)


@settings(deadline=None, max_examples=20)
@pytest.mark.parametrize("name", EXPRESSIONS)
@given(x=NUMBERS, w=NUMBERS)
def test_incoming_gradient_times_local_derivative_is_what_is_passed_on(name, x, w):
    function = EXPRESSIONS[name]
    graph = record_graph(function, {"x": x, "w": w})
    checked = 0
    for step in graph.steps:
        if step.phase != "backward":
            continue
        local = [pair for pair in graph.nodes[step.node].local if pair[1] is not None]
        sent = list(step.grad_inputs)
        for target, derivative in local:
            gradient = next(g for n, g in sent if n == target)
            sent.remove(next(pair for pair in sent if pair[1] is gradient))
            assert torch.allclose(
                derivative.times(step.grad_output), gradient.flatten(), atol=1e-5, rtol=1e-4
            )
            checked += 1
    assert checked


@settings(deadline=None, max_examples=20)
@pytest.mark.parametrize("name", EXPRESSIONS)
@given(x=NUMBERS, w=NUMBERS)
def test_recorded_gradients_are_those_of_plain_pytorch(name, x, w):
    function = EXPRESSIONS[name]
    graph = record_graph(function, {"x": x, "w": w})
    plain = [torch.tensor(v, dtype=torch.float32, requires_grad=True) for v in (x, w)]
    output = function(*plain)
    output.backward()
    assert torch.equal(graph.nodes[graph.output].value, output.detach())
    for leaf, key in zip(plain, "xw", strict=True):
        assert torch.equal(graph.grads[key], leaf.grad)


def test_the_local_derivative_of_one_number_has_the_input_s_shape():
    ((name, local),) = recorded().nodes["matmul"].local
    assert (name, local.kind, local.value.tolist()) == ("w", "number", [[2.0], [3.0]])


def test_a_large_matrix_has_no_local_derivative_and_its_gradient_all_the_same():
    graph = record_graph(lambda x: (x @ x).sum(), {"x": torch.ones(5, 5)})
    assert [local for _, local in graph.nodes["matmul"].local] == [None, None]
    assert graph.grads["x"].tolist() == torch.full((5, 5), 10.0).tolist()
