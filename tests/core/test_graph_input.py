"""What an autograd graph does with bad input, and that it leaves the session alone."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch

from gdwidgets.core.autograd.finite_differences import finite_differences
from gdwidgets.core.autograd.graph import named_tensors, record_graph
from gdwidgets.core.autograd.presets import MOST_LAYERS, preset
from gdwidgets.core.autograd.trace import MOST_NUMBERS, MOST_OPERATIONS
from graphs import recorded

# -- bad input ------------------------------------------------------------------------------------


def long_error():
    raise RuntimeError("a" * 1_000_000)


def raises(x):
    raise RuntimeError("out of paper")


@pytest.mark.parametrize(
    ("function", "tensors", "words"),
    [
        (3, {"x": 1.0}, "function must be a callable, not 3"),
        (lambda x: x, {}, "tensors must map names to numbers"),
        (lambda x: x, [1.0], "tensors must map names to numbers"),
        (lambda x: x, {"2x": 1.0}, "tensors must have Python names as keys, got '2x'"),
        (lambda x: x, {"x": "abc"}, r"tensors\['x'\] must be numbers"),
        (lambda x: x, {"x": float("nan")}, r"tensors\['x'\] must be finite"),
        (lambda x: x, {"x": torch.ones(2, device="meta")}, r"tensors\['x'\] must be numbers"),
        (
            lambda x: x,
            {"x": torch.ones(2, dtype=torch.int64, device="meta")},
            r"tensors\['x'\] must be numbers",
        ),
        (
            lambda x: x,
            {"x": torch.ones(2, dtype=torch.int64).to_sparse()},
            r"tensors\['x'\] must be numbers",
        ),
        (lambda x: long_error(), {"x": 1.0}, "the function raised RuntimeError: a{499}…$"),
        (lambda x: x * 2, {"x": [1.0, 2.0]}, r"of one number, not of shape \(2,\)"),
        (lambda x: 3.0, {"x": 1.0}, r"of one number, not float \(3.0\)"),
        (lambda x: None, {"x": 1.0}, "of one number, not NoneType"),
        (lambda x: (x > 0).sum(), {"x": 1.0}, "torch.int64, which cannot be differentiated"),
        (raises, {"x": 1.0}, "the function raised RuntimeError: out of paper"),
        (lambda x: x, {"x": 1.0}, "without computing anything"),
        (lambda x: torch.ones(()), {"x": 1.0}, "without computing anything"),
        (lambda x, y: x, {"x": 1.0}, r"takes \(x, y\), but the tensors are named x"),
        (lambda x: x @ x, {"x": [[1.0, 2.0]]}, "the function raised RuntimeError: mat1 and mat2"),
    ],
)
def test_bad_input_is_explained(function, tensors, words):
    with pytest.raises(ValueError, match=words):
        record_graph(function, tensors)


@pytest.mark.parametrize(
    ("switches", "words"),
    [
        ({"requires_grad": ("q",)}, "requires_grad names 'q', but there is no such tensor"),
        ({"detached": ("q",)}, "detached names 'q', but there is no such operation"),
        ({"detached": ("x",)}, "detached names 'x', but there is no such operation"),
        ({"backward_calls": 3}, "backward_calls must be a whole number from 1 to 2"),
    ],
)
def test_bad_switches_are_explained(switches, words):
    with pytest.raises(ValueError, match=words):
        recorded(**switches)


def test_a_whole_number_that_is_to_require_gradients_is_refused_by_pytorch():
    with pytest.raises(ValueError, match="only Tensors of floating point dtype can require"):
        record_graph(lambda k: k.float(), {"k": torch.tensor(1)}, requires_grad=("k",))


def test_somebody_else_s_tensors_are_left_alone():
    outside = torch.ones((), requires_grad=True)
    for function in (lambda x: x * outside, lambda x: x * (outside * 2)):
        with pytest.raises(ValueError, match="pass every such tensor by name"):
            record_graph(function, {"x": 1.0})
    assert outside.grad is None


def test_endless_and_huge_functions_are_stopped():
    def endless(x):
        while True:
            x = x + 1

    with pytest.raises(ValueError, match=f"more than {MOST_OPERATIONS} operations"):
        record_graph(endless, {"x": 1.0})
    with pytest.raises(ValueError, match=f"more than {MOST_NUMBERS} numbers"):
        record_graph(lambda x: x.expand(6_000_000).sum(), {"x": 1.0})


def test_a_detach_where_it_cannot_be_is_explained():
    with pytest.raises(ValueError, match="unbind returns several tensors"):
        record_graph(lambda x: sum(x.unbind()), {"x": [1.0, 2.0]}, detached=("unbind",))


@pytest.mark.parametrize("name", ["toy chain", ""])
def test_unknown_presets_are_named(name):
    with pytest.raises(ValueError, match=re.escape("preset must be one of toy neuron")):
        preset(name)


@pytest.mark.parametrize("layers", [0, MOST_LAYERS + 1, 2.5])
def test_a_chain_has_1_to_30_layers(layers):
    with pytest.raises(ValueError, match="layers must be"):
        preset("sigmoid chain", layers)


# -- the student's session ------------------------------------------------------------------------


def test_the_session_is_neither_relied_on_nor_changed():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            graph = record_graph(
                lambda x: torch.nn.functional.dropout(x * torch.ones(4), 0.5).sum(),
                {"x": [1.0, 2.0, 3.0, 4.0]},
            )
            neuron = recorded()
            finite_differences(preset("toy neuron").function, neuron)
            assert torch.is_inference_mode_enabled()
        with torch.no_grad():
            assert recorded().grads["b"].tolist() == [[6.0]]
            assert not torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device("cpu")
    assert graph.nodes["ones"].value.dtype == torch.float32
    assert neuron.grads["w"].tolist() == [[12.0], [18.0]]
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_random_numbers_are_drawn_every_time():
    function = lambda x: torch.nn.functional.dropout(x, 0.5).sum()  # noqa: E731
    one, two = (record_graph(function, {"x": torch.ones(50)}) for _ in range(2))
    assert torch.equal(one.grads["x"], two.grads["x"])


def test_given_tensors_are_copied():
    mine = torch.ones(3)
    copy = named_tensors({"x": mine})["x"]
    copy += 1
    assert mine.tolist() == [1.0, 1.0, 1.0]


def test_the_graph_needs_no_widgets():
    code = (
        "import sys, gdwidgets.core.autograd.graph, gdwidgets.core.autograd.presets, "
        "gdwidgets.core.autograd.finite_differences, gdwidgets.core.scripts.graph, "
        "gdwidgets.core.autograd.collapse\n"
        "assert not {'ipywidgets', 'bqplot', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
