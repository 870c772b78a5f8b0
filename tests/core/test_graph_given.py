"""A function must leave its tensors as they are; why a node has no grad_fn; the session's modes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gdwidgets.core.autograd.finite_differences import finite_differences
from gdwidgets.core.autograd.graph import Untracked, record_graph
from gdwidgets.core.autograd.presets import PRESET_NAMES
from gdwidgets.core.objectives.surface import Surface
from graphs import recorded

# -- given tensors are left alone -----------------------------------------------------------------


def writes_data(x, w):
    x.data[0] = 5.0
    return (x * w).sum()


def replaces_data(x, w):
    x.data = x.data * 2
    return (x * w).sum()


def adds_without_grad(x, w):
    with torch.no_grad():
        x += 1
    return (x * w).sum()


def writes_detached(x, w):
    x.detach().mul_(2)
    return (x * w).sum()


def writes_a_view(x, w):
    x.data.reshape(1, 2)[:, 1:].zero_()
    return (x * w).sum()


def writes_numpy(x, w):
    x.detach().numpy()[0] = 7.0
    return (x * w).sum()


def writes_and_puts_back(x, w):
    x.data.add_(1)
    result = (x * w).sum()
    x.data.sub_(1)
    return result


def writes_the_untracked(x, w):
    w.mul_(2)
    return (x * w).sum()


def resizes(x, w):
    x.data = torch.ones(3)
    return x.sum() * w.sum()


CHANGING = [
    (writes_data, "x"),
    (replaces_data, "x"),
    (adds_without_grad, "x"),
    (writes_detached, "x"),
    (writes_a_view, "x"),
    (writes_numpy, "x"),
    (writes_and_puts_back, "x"),
    (writes_the_untracked, "w"),
    (resizes, "x"),
]


@pytest.mark.parametrize(
    ("function", "name"), CHANGING, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_function_that_changes_what_it_was_given_is_refused(function, name):
    tensors = {"x": torch.tensor([1.0, 2.0]), "w": torch.tensor([3.0, 4.0])}
    with pytest.raises(ValueError, match=f"the function changes {name}, which was given to it"):
        record_graph(function, tensors, requires_grad=("x",))
    assert tensors["x"].tolist() == [1.0, 2.0]
    assert tensors["w"].tolist() == [3.0, 4.0]


def test_a_copy_may_be_changed():
    graph = record_graph(lambda x: (x.clone().mul_(2)).sum(), {"x": [1.0, 2.0]})
    assert graph.grads["x"].tolist() == [2.0, 2.0]


def test_what_is_done_to_the_given_tensors_later_changes_no_graph():
    tensors = {"x": torch.tensor([1.0, 2.0]), "w": np.array([3.0, 4.0])}
    graph = record_graph(lambda x, w: (x * w).sum(), tensors)
    tensors["x"].zero_()
    tensors["w"][:] = 0
    tensors.clear()
    assert graph.values["x"].tolist() == [1.0, 2.0]
    assert graph.values["w"].tolist() == [3.0, 4.0]


def data_of_u(u, v):
    u.data.clamp_(min=0)
    return u**2 + v**2


def detached_v(u, v):
    v.detach().numpy()[:] = 0
    return u**2 + v**2


@pytest.mark.parametrize(("function", "name"), [(data_of_u, "u"), (detached_v, "v")])
def test_a_surface_that_changes_its_arguments_is_refused(function, name):
    with pytest.raises(ValueError, match=f"it changes {name} in place"):
        Surface(function, (-1, 1))


# -- why there is no grad_fn ----------------------------------------------------------------------


def reasons(function, **switches):
    graph = record_graph(function, {"x": [1.0, -2.0, 3.0], "w": [1.0, 2.0, 3.0]}, **switches)
    return {name: node.untracked for name, node in graph.nodes.items()}


def test_every_node_without_a_grad_fn_says_why():
    def function(x, w):
        with torch.no_grad():
            scale = x.abs()
        with torch.inference_mode():
            plain = (x * 2).sum().item()
        data = x.detach() * x.data
        where = (x > 0) * x.argmax()
        untracked = torch.exp(w) * torch.ones(3)
        return (scale * data * where * untracked * x).sum() + plain

    found = reasons(function, requires_grad=("x",))
    expected = {
        "x": Untracked.GIVEN,
        "w": Untracked.GIVEN,
        "abs": Untracked.NO_GRAD,
        "detach": Untracked.DETACHED,
        "data": Untracked.DETACHED,
        "gt": Untracked.NOT_DIFFERENTIABLE,
        "argmax": Untracked.NOT_DIFFERENTIABLE,
        "exp": Untracked.NO_TRACKED_INPUT,
        "ones": Untracked.GIVEN,
        "sum 2": None,
    }
    assert {name: found[name] for name in expected} == expected


def test_inference_mode_is_a_reason_of_its_own():
    def function(x, w):
        with torch.inference_mode():
            return (x * w).sum()

    assert set(reasons(function).values()) == {Untracked.GIVEN, Untracked.INFERENCE_MODE}


@pytest.mark.parametrize(
    ("switches", "reason"),
    [
        ({"no_grad": True}, Untracked.NO_GRAD),
        ({"requires_grad": ()}, Untracked.NO_TRACKED_INPUT),
        ({"detached": ("matmul",)}, Untracked.DETACHED),
    ],
)
def test_the_switches_are_reasons(switches, reason):
    assert recorded(**switches).nodes["matmul"].untracked is reason


@pytest.mark.parametrize("name", PRESET_NAMES)
@pytest.mark.parametrize("switches", [{}, {"no_grad": True}, {"requires_grad": ()}], ids=str)
def test_a_reason_stands_exactly_where_there_is_no_grad_fn(name, switches):
    for node in recorded(name, **switches).nodes.values():
        assert (node.untracked is None) is (node.grad_fn is not None)
        assert (node.untracked is Untracked.GIVEN) is (node.kind in {"leaf", "constant"})


# -- the session ----------------------------------------------------------------------------------


def draws(x):
    noise = torch.randn(3) * torch.tensor(0.1) + torch.arange(3) / 7 + torch.rand(3).round()
    return (torch.nn.functional.dropout(x, 0.5) * noise * torch.tensor([1, 2, 3]).sqrt()).sum()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_numbers_are_the_same_whatever_the_default_dtype(dtype):
    tensors = {"x": [0.1, 0.2, 0.3]}
    expected = record_graph(draws, tensors)
    torch.set_default_dtype(dtype)
    graph = record_graph(draws, tensors)
    check = finite_differences(draws, graph)
    assert torch.get_default_dtype() == dtype
    assert graph.grads["x"].dtype == torch.float32
    assert torch.equal(graph.grads["x"], expected.grads["x"])
    for name, node in expected.nodes.items():
        assert node.value is None or torch.equal(node.value, graph.nodes[name].value)
    assert check.differences[0].largest < 1e-6


def test_the_default_dtype_is_put_back_when_a_function_raises():
    torch.set_default_dtype(torch.float64)
    with pytest.raises(ValueError, match="the function raised ZeroDivisionError"):
        record_graph(lambda x: x / (1 // 0), {"x": 1.0})
    assert torch.get_default_dtype() == torch.float64


def test_anomaly_detection_changes_nothing():
    def invalid(x):
        return torch.sqrt(x) * torch.log(x)  # its gradient at 0 is NaN

    plain = {
        "twice": recorded(backward_calls=2),
        "no grad": recorded(no_grad=True),
        "NaN": record_graph(invalid, {"x": 0.0}),
    }
    with torch.autograd.set_detect_anomaly(True):
        found = {
            "twice": recorded(backward_calls=2),
            "no grad": recorded(no_grad=True),
            "NaN": record_graph(invalid, {"x": 0.0}),
        }
        assert torch.is_anomaly_enabled()
        assert torch.is_anomaly_check_nan_enabled()
    assert math.isnan(found["NaN"].grads["x"].item())
    for name, graph in found.items():
        assert graph.refusal == plain[name].refusal
        assert [step.node for step in graph.steps] == [step.node for step in plain[name].steps]
