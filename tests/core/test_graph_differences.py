"""Finite differences beside autograd: close to formulas, float64 where possible, with reasons."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdwidgets.core.autograd.finite_differences import (
    LEAST_CALLS,
    MOST_CALLS,
    finite_differences,
)
from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.presets import PRESET_NAMES, preset
from graphs import STEPS, of_steps, recorded


def checked(function, tensors, **switches):
    return finite_differences(function, record_graph(function, tensors, **switches))


def of_x(apply):
    """A function whose parameter is called x."""
    return lambda x: apply(x)  # noqa: PLW0108 - the parameter's name is the tensor's


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_they_agree_with_autograd(name):
    made = preset(name)
    check = finite_differences(made.function, recorded(name))
    assert {d.name for d in check.differences} == set(made.tensors)
    assert (check.dtype, check.sampled, check.reason) == (torch.float64, False, "")
    for difference in check.differences:
        if difference.name in made.requires_grad:
            size = max(1.0, float(difference.analytic.abs().max()))
            assert difference.largest < 2e-6 * size


FUNCTIONS = {
    "sin": (torch.sin, math.cos),
    "exp": (lambda x: torch.exp(x / 2e4), lambda x: math.exp(x / 2e4) / 2e4),
    "square": (torch.square, lambda x: 2 * x),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "tanh": (torch.tanh, lambda x: 1 / math.cosh(min(abs(x), 300)) ** 2),
    "reciprocal": (torch.reciprocal, lambda x: -1 / x**2),
    "logarithm": (lambda x: torch.log(x.abs()), lambda x: 1 / x),
    "plus one": (lambda x: x + 1, lambda x: 1.0),
}
SIZES = st.floats(-6, 6).flatmap(lambda power: st.sampled_from([10**power, -(10**power)]))


@pytest.mark.parametrize("name", FUNCTIONS)
@given(x=SIZES)
def test_they_are_the_derivative_at_small_and_large_numbers(name, x):
    function, derivative = FUNCTIONS[name]
    x = float(torch.tensor(x, dtype=torch.float32))
    (found,) = checked(of_x(function), {"x": x}).differences
    value = abs(float(function(torch.tensor(x, dtype=torch.float64))))
    expected = derivative(x)
    assert float(found.numeric) == pytest.approx(expected, rel=1e-5, abs=1e-9 * max(value, 1e-3))


def test_sin_of_a_million():
    (found,) = checked(of_x(torch.sin), {"x": 1e6}).differences
    assert float(found.numeric) == pytest.approx(math.cos(1e6), abs=1e-7)
    assert float(found.numeric) == pytest.approx(0.937, abs=1e-3)


def test_they_know_nothing_of_detach():
    made = preset("toy neuron")
    check = finite_differences(made.function, recorded(detached=("matmul",)))
    w = next(d for d in check.differences if d.name == "w")
    assert (w.analytic, w.difference, w.largest) == (None, None, None)
    assert w.numeric.tolist() == pytest.approx([12.0, 18.0])


def test_float32_tensors_of_the_function_s_own_are_taken_as_float64():
    constant = torch.ones(2, 2)

    def function(x):
        buffer = torch.zeros(2)
        buffer[0] = (constant @ x.float())[0].to(torch.float32)
        return buffer.sum() * torch.tensor(0.1)

    check = checked(function, {"x": [1.0, 2.0]})
    assert check.dtype == torch.float64
    assert check.differences[0].largest < 1e-8


def test_a_function_that_takes_float32_only_is_checked_in_float32_and_says_so():
    def function(x):
        if x.dtype != torch.float32:
            raise TypeError("float32, please")
        return torch.sin(x).sum()

    check = checked(function, {"x": [1.0, 2.0]})
    assert check.dtype == torch.float32
    assert "raises TypeError: float32, please" in check.reason
    assert check.differences[0].largest < 1e-3


def test_a_function_that_computes_in_half_precision_is_not_called_float64():
    check = checked(lambda x: x.half().float().sum() * 2, {"x": [1.0, 2.0]})
    assert check.dtype == torch.float32
    assert "computes in torch.float16" in check.reason


def test_random_functions_draw_the_same_numbers_every_time():
    function = lambda x: (torch.nn.functional.dropout(x, 0.5) * torch.randn(6)).sum()  # noqa: E731
    (found,) = checked(function, {"x": torch.arange(6) + 1.0}).differences
    assert 0 in found.analytic
    assert found.largest < 1e-6


def test_a_function_that_changes_from_call_to_call_cannot_be_checked():
    calls = []

    def function(x):
        calls.append(1)
        return x * len(calls)

    check = checked(function, {"x": 1.0})
    assert check.differences == ()
    assert "no check is possible" in check.reason


def test_a_value_that_is_not_finite_cannot_be_checked():
    check = checked(of_x(torch.log), {"x": -1.0})
    assert check.differences == ()
    assert "no finite value" in check.reason


def test_a_kink_is_named():
    (found,) = checked(lambda x: torch.relu(x).sum(), {"x": [0.0, 1.0, -1.0]}).differences
    assert found.kinks == (0,)
    (found,) = checked(lambda x: (x**2 + torch.sin(x)).sum(), {"x": [0.0, 1.0]}).differences
    assert found.kinks == ()


def test_a_minimum_is_no_kink():
    def divergence(x):
        return torch.nn.functional.kl_div(x.log_softmax(0), torch.softmax(x.detach(), 0))

    with pytest.warns(UserWarning, match="reduction"):
        (found,) = checked(divergence, {"x": [0.5, -1.25, 2.0]}).differences
    assert found.kinks == ()


def test_several_results_keep_their_names_in_float64():
    check = checked(lambda x: torch.linalg.svd(x).S.sum(), {"x": [[1.0, 2.0], [0.5, -1.0]]})
    assert (check.dtype, check.reason) == (torch.float64, "")
    assert check.differences[0].largest < 1e-5


def test_two_backward_calls_are_checked_by_the_first():
    made = preset("toy neuron")
    graph = recorded(backward_calls=2, retain_graph=True)
    check = finite_differences(made.function, graph)
    assert all((d.largest or 0) < 1e-6 for d in check.differences)


@pytest.mark.parametrize(
    ("tensors", "most"),
    [
        ({"x": torch.zeros(500)}, MOST_CALLS),
        ({"x": torch.zeros(300), "w": torch.ones(1)}, MOST_CALLS),
        ({f"t{k}": torch.zeros(2) for k in range(55)}, MOST_CALLS),
        ({"x": torch.zeros(1000, 1000)}, LEAST_CALLS + 30),
    ],
)
def test_the_function_is_called_within_a_limit_and_large_tensors_are_sampled(tensors, most):
    calls = []

    def function(**given):
        calls.append(1)
        return sum((t * t + t).sum() for t in given.values())

    graph = record_graph(function, tensors)
    calls.clear()
    check = finite_differences(function, graph)
    assert len(calls) == check.calls <= most
    assert check.sampled
    assert [d.name for d in check.differences] == list(tensors)
    for difference in check.differences:
        assert difference.total == tensors[difference.name].numel()
        assert len(difference.indices) == len(difference.numeric) == len(difference.analytic)
        assert difference.largest is None or difference.largest < 1e-3
    assert sum(len(d.indices) for d in check.differences) >= 3


def test_every_number_is_varied_where_there_are_few():
    check = checked(lambda x, w: (x * w).sum(), {"x": torch.ones(2, 3), "w": 2.0})
    assert not check.sampled
    assert [d.indices for d in check.differences] == [(0, 1, 2, 3, 4, 5), (0,)]


def test_a_function_that_registers_hooks_is_checked():
    seen = []

    def function(x):
        y = x * x
        y.register_hook(seen.append)
        return y.sum()

    check = checked(function, {"x": [1.0, 2.0]})
    assert check.reason == ""
    assert check.differences[0].numeric.tolist() == pytest.approx([2.0, 4.0])


def test_a_function_that_calls_backward_itself_is_checked():
    def function(x):
        (x * x).sum().backward()
        return (x * x.grad).sum()  # x · 2x, with x.grad a constant for autograd

    graph = record_graph(function, {"x": [1.0, 3.0]})
    (found,) = finite_differences(function, graph).differences
    assert found.numeric.tolist() == pytest.approx([4.0, 12.0])
    assert found.analytic.tolist() == pytest.approx([2.0, 6.0])
    assert graph.grads["x"].tolist() == [4.0, 12.0]  # its own 2x, and 2x of this backward()


def test_nothing_of_the_graph_is_changed():
    def function(x):
        return (x.clone().mul_(2) + torch.rand(3)).sum()

    graph = record_graph(function, {"x": [1.0, 2.0, 3.0]})
    before = {name: value.clone() for name, value in graph.values.items()}
    finite_differences(function, graph)
    assert all(torch.equal(value, graph.values[name]) for name, value in before.items())
    assert all(value.grad is None for value in graph.values.values())


SMOOTH = sorted(set(STEPS) - {"largest", "sorted", "mask", "no_grad"})


@settings(max_examples=20)
@given(
    steps=st.lists(st.sampled_from(SMOOTH), min_size=1, max_size=5),
    numbers=st.lists(st.integers(-8, 8).map(lambda k: k / 16), min_size=6, max_size=6),
)
def test_they_agree_with_autograd_for_any_order_of_smooth_steps(steps, numbers):
    tensors = {"x": torch.tensor(numbers).reshape(2, 3), "w": [0.5, -1.0, 2.0]}
    check = checked(of_steps(steps), tensors)
    for found in check.differences:
        size = max(1.0, float(found.analytic.abs().max()))
        assert found.largest is None or found.largest < 1e-4 * size
