"""What a node's note says is what PyTorch's backward sends: note × grad_output = grad_input."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from hypothesis import given, settings
from hypothesis import strategies as st

from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.presets import PRESET_NAMES
from graphs import STEPS, of_steps, recorded

X = [[0.5, -1.25, 2.0], [1.5, 0.75, -0.5]]
P = [[0.5, 0.25, 0.75], [0.125, 0.625, 0.9]]
ONE = {"x": X}
POSITIVE = {"x": P}
TWO = {"x": X, "w": P}
ROW = {"x": X, "w": [0.5, 2.0, 1.5]}
COLUMN = {"x": X, "w": [[0.5], [2.0]]}
MATRICES = {"x": X, "w": [[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]]}
VECTOR = {"x": X, "w": [0.5, -2.0, 1.5]}


def of_x(apply):
    """A function whose parameter is called x."""
    return lambda x: apply(x)  # noqa: PLW0108 - the parameter's name is the tensor's


def of_two(apply):
    """A function whose parameters are called x and w."""
    return lambda x, w: apply(x, w)  # noqa: PLW0108 - as above


def assigned(x):
    y = x * 2
    y[0] = x[1]
    return y


OPERATIONS = (
    {
        # name: (function whose result is then weighed and summed, tensors)
        "add": (lambda x, w: x + w, TWO),
        "add a row": (lambda x, w: x + w, ROW),
        "add a column": (lambda x, w: w + x, COLUMN),
        "add alpha": (lambda x, w: torch.add(x, w, alpha=2.5), ROW),
        "sub": (lambda x, w: x - w, ROW),
        "sub alpha": (lambda x, w: torch.sub(x, w, alpha=3), TWO),
        "rsub of a number": (lambda x: 2 - x, ONE),
        "rsub": (lambda x, w: torch.rsub(x, w, alpha=3), ROW),
        "mul": (lambda x, w: x * w, COLUMN),
        "mul by a number": (lambda x: 3 * x, ONE),
        "mul by itself": (lambda x: x * x, ONE),
        "div": (lambda x, w: x / w, ROW),
        "div of a number": (lambda x: 2 / x, POSITIVE),
        "div, floor": (lambda x, w: torch.div(x, w, rounding_mode="floor"), TWO),
        "pow 2": (lambda x: x**2, ONE),
        "pow 1": (lambda x: x**1, ONE),
        "pow 0": (lambda x: x**0, ONE),
        "pow −1.5": (lambda x: x**-1.5, POSITIVE),
        "pow of tensors": (lambda w, x: w**x, TWO),
        "pow of a number": (lambda x: 2**x, ONE),
        "square": (of_x(torch.square), ONE),
        "maximum": (of_two(torch.maximum), TWO),
        "minimum": (lambda x, w: torch.minimum(x, w * 0 + 0.5), TWO),
        "atan2": (of_two(torch.atan2), ROW),
        "where": (lambda x, w: torch.where(x > 0, x, w), ROW),
        "masked_fill": (lambda x: x.masked_fill(x > 0, 3.0), ONE),
        "sum": (lambda x: x.sum(), ONE),
        "sum(0)": (lambda x: x.sum(0), ONE),
        "sum(-1, keepdim)": (lambda x: x.sum(-1, keepdim=True), ONE),
        "mean": (lambda x: x.mean(), ONE),
        "mean over dimensions": (lambda x: x.reshape(2, 1, 3).mean((0, 2)), ONE),
        "prod": (lambda x: x.prod(), ONE),
        "prod(1)": (lambda x: x.prod(1), ONE),
        "norm": (lambda x: x.norm(), ONE),
        "norm of rows": (lambda x: torch.linalg.vector_norm(x, dim=1), ONE),
        "logsumexp": (lambda x: x.logsumexp(1), ONE),
        "var": (lambda x: x.var(), ONE),
        "var(0)": (lambda x: x.var(0, correction=0), ONE),
        "std": (lambda x: x.std(1), ONE),
        "max": (lambda x: x.max(), ONE),
        "max of equal numbers": (lambda x: (x * 0 + 1).max(), ONE),
        "max(1)": (lambda x: x.max(1).values, ONE),
        "min(0, keepdim)": (lambda x: x.min(0, keepdim=True)[0], ONE),
        "amin": (lambda x: x.amin(), ONE),
        "amax(1)": (lambda x: x.amax(1), ONE),
        "sort": (lambda x: x.sort(1).values, ONE),
        "topk": (lambda x: x.topk(2)[0], ONE),
        "softmax": (lambda x: x.softmax(1), ONE),
        "log_softmax": (lambda x: F.log_softmax(x, 0), ONE),
        "cumsum": (lambda x: x.cumsum(1), ONE),
        "mse": (of_two(F.mse_loss), TWO),
        "mse sum": (of_two(torch.nn.MSELoss(reduction="sum")), TWO),
        "mse none": (lambda x, w: F.mse_loss(x, w, reduction="none"), TWO),
        "mse of a number": (lambda x: F.mse_loss(x, torch.ones(2, 3)), ONE),
        "l1": (of_two(F.l1_loss), TWO),
        "smooth l1": (lambda x, w: F.smooth_l1_loss(x, w, beta=0.5), TWO),
        "huber": (lambda x, w: F.huber_loss(x, w, delta=0.5, reduction="sum"), TWO),
        "bce": (lambda x: F.binary_cross_entropy(x, torch.ones(2, 3)), POSITIVE),
        "bce with logits": (
            lambda x: F.binary_cross_entropy_with_logits(x, torch.ones(2, 3), reduction="sum"),
            ONE,
        ),
        "cross entropy": (lambda x: F.cross_entropy(x, torch.tensor([2, 0])), ONE),
        "nll sum": (lambda x: F.nll_loss(x, torch.tensor([2, 0]), reduction="sum"), ONE),
        "nll none": (lambda x: F.nll_loss(x, torch.tensor([2, 0]), reduction="none"), ONE),
        "matmul": (of_two(torch.matmul), MATRICES),
        "matrix and vector": (lambda x, w: x @ w, VECTOR),
        "vector and matrix": (lambda x, w: w @ x.T, VECTOR),
        "dot": (lambda x, w: x[0] @ w, VECTOR),
        "batches": (lambda x, w: x.reshape(1, 2, 3) @ w.expand(4, 3, 2), MATRICES),
        "linear": (lambda x, w: F.linear(x, w.T, w[:2].sum(0)), MATRICES),
        "addmm": (lambda x, w: torch.addmm(w[0], x, w, alpha=2, beta=3), MATRICES),
        "addmv": (lambda x, w: torch.addmv(w[:2], x, w, alpha=2, beta=3), VECTOR),
        "einsum": (lambda x, w: torch.einsum("ij,jk->ki", x, w), MATRICES),
        "outer": (lambda x, w: torch.outer(x[0], w), VECTOR),
        "bilinear form": (lambda x, w: torch.einsum("ij,jk,ik->i", x, w, x[:, :2]), MATRICES),
        "reshape": (lambda x: x.T.reshape(6), ONE),
        "view": (lambda x: x.view(3, 2), ONE),
        "permute": (lambda x: x.reshape(2, 1, 3).permute(2, 0, 1), ONE),
        "transpose": (lambda x: x.reshape(2, 1, 3).transpose(0, 2), ONE),
        "squeeze": (lambda x: x.unsqueeze(1).squeeze(), ONE),
        "expand": (lambda x: x[0].expand(4, 3), ONE),
        "repeat": (lambda x: x.repeat(2, 3, 2), ONE),
        "select": (lambda x: x[1, 2], ONE),
        "slice": (lambda x: x[:, 0:3:2], ONE),
        "index": (lambda x: x[torch.tensor([0, 0, 1])], ONE),
        "mask": (lambda x: x[x > 0], ONE),
        "gather": (lambda x: x.gather(1, torch.tensor([[2, 2], [0, 1]])), ONE),
        "index_select": (lambda x: x.index_select(1, torch.tensor([2, 2])), ONE),
        "diagonal": (lambda x: x.diagonal(1), ONE),
        "flip": (lambda x: x.flip(1), ONE),
        "cat": (lambda x, w: torch.cat([x, torch.ones(2, 1), w], 1), TWO),
        "stack": (lambda x, w: torch.stack([w, torch.ones(2, 3), x], -1), TWO),
        "unbind": (lambda x: x.unbind(1)[1], ONE),
        "unbind, all": (lambda x: sum(x.unbind(0)), ONE),
        "split": (lambda x: x.split([1, 2], 1)[1], ONE),
        "split alike": (lambda x: x.split(2, 1)[1], ONE),
        "chunk": (lambda x: x.chunk(2, 1)[0], ONE),
        "clone": (lambda x: x.clone(), ONE),
        "clamp": (lambda x: x.clamp(-0.5, 1.5), ONE),
        "clamp min": (lambda x: x.clamp(min=0.75), ONE),
        "clamp max": (lambda x: x.clamp_max(0.5), ONE),
        "elu": (lambda x: F.elu(x, alpha=0.5), ONE),
        "dropout": (lambda x: F.dropout(x, 0.5), ONE),
        "item assignment": (of_x(assigned), ONE),
        "changes in place": (lambda x: (x * 2).add_(x, alpha=2).mul_(3), ONE),
        "layer_norm": (lambda x: F.layer_norm(x, (3,)), ONE),
        "hypot": (of_two(torch.hypot), TWO),
        "xlogy": (of_two(torch.xlogy), TWO),
        "lerp": (lambda x, w: torch.lerp(x, w, 0.25), TWO),
        "tril": (lambda x: x.tril(), ONE),
        "conv1d": (lambda x, w: F.conv1d(x.unsqueeze(0), w.reshape(1, 2, 3)), TWO),
    }
    | {
        name: (of_x(apply), ONE)
        for name, apply in {
            "neg": torch.neg,
            "exp": torch.exp,
            "exp2": torch.exp2,
            "expm1": torch.expm1,
            "sin": torch.sin,
            "cos": torch.cos,
            "tan": torch.tan,
            "sinh": torch.sinh,
            "cosh": torch.cosh,
            "tanh": torch.tanh,
            "atan": torch.atan,
            "asinh": torch.asinh,
            "erf": torch.erf,
            "abs": torch.abs,
            "sign": torch.sign,
            "floor": torch.floor,
            "reciprocal": torch.reciprocal,
            "sigmoid": torch.sigmoid,
            "relu": torch.relu,
            "relu6": F.relu6,
            "silu": F.silu,
            "gelu": F.gelu,
            "selu": F.selu,
            "leaky_relu": F.leaky_relu,
            "softplus": F.softplus,
            "logsigmoid": F.logsigmoid,
            "hardtanh": F.hardtanh,
        }.items()
    }
    | {
        name: (of_x(apply), POSITIVE)
        for name, apply in {
            "log": torch.log,
            "log2": torch.log2,
            "log10": torch.log10,
            "log1p": torch.log1p,
            "sqrt": torch.sqrt,
            "rsqrt": torch.rsqrt,
            "asin": torch.asin,
            "acos": torch.acos,
            "atanh": torch.atanh,
            "acosh": lambda x: torch.acosh(x + 1),
        }.items()
    }
)


def weighed(apply):
    """The function with a result of one number, to whose parts different gradients go."""

    def function(**given):
        result = apply(**given)
        return (result * (1 + torch.arange(result.numel()).reshape(result.shape))).sum()

    return function


def checked(graph):
    """Assert that every note of a graph is true; count those that say more than the general."""
    own = 0
    for step in graph.steps:
        node = graph.nodes[step.node]
        if step.phase != "backward" or node.kind == "leaf":
            continue
        assert len(node.notes) == len(node.local)
        sent = list(step.grad_inputs)
        for note in node.notes:
            target, gradient = next(pair for pair in sent if pair[0] == note.to)
            sent = [pair for pair in sent if pair[1] is not gradient]
            found = note.grad_input(step.grad_output)
            assert note.sentence().startswith(f"{target} gets ")
            if found is None:
                continue
            assert found.shape == gradient.shape
            assert torch.allclose(found, gradient, rtol=2e-5, atol=1e-6, equal_nan=True), (
                note.sentence(),
                found,
                gradient,
            )
            matrix = note.jacobian()
            through = (step.grad_output.flatten() @ matrix).reshape(gradient.shape)
            assert torch.allclose(through, gradient, rtol=1e-4, atol=1e-5, equal_nan=True)
            own += "computed by" not in note.local
    return own


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_a_note_says_is_what_backward_sends(name):
    apply, tensors = OPERATIONS[name]
    assert checked(record_graph(weighed(apply), tensors))


GENERAL = {"item assignment", "layer_norm", "hypot", "xlogy", "lerp", "tril", "conv1d"}


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - GENERAL))
def test_common_operations_have_notes_of_their_own(name):
    apply, tensors = OPERATIONS[name]
    graph = record_graph(weighed(apply), tensors)
    notes = [note for node in graph.nodes.values() for note in node.notes]
    assert not [note.sentence() for note in notes if "computed by" in note.local]


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_the_notes_of_presets_are_true(name):
    assert checked(recorded(name))


BROADCAST = st.sampled_from([(), (1,), (3,), (2, 3), (2, 1), (1, 3), (4, 1, 1), (1, 2, 3)])
BINARY = {
    "add": lambda x, w: torch.add(x, w, alpha=2),
    "sub": lambda x, w: x - w,
    "rsub": lambda x, w: torch.rsub(x, w, alpha=0.5),
    "mul": lambda x, w: x * w,
    "div": lambda x, w: x / (1.5 + w * w),
    "pow": lambda x, w: (1.5 + x * x) ** w,
    "maximum": of_two(torch.maximum),
    "where": lambda x, w: torch.where(x > w, x, w),
}


def numbers(shape):
    count = torch.Size(shape).numel()
    number = st.integers(-20, 20).map(lambda k: k / 8)
    return st.lists(number, min_size=count, max_size=count).map(
        lambda values: torch.tensor(values).reshape(shape)
    )


@pytest.mark.parametrize("name", BINARY)
@settings(max_examples=40)
@given(data=st.data(), one=BROADCAST, two=BROADCAST)
def test_notes_are_true_for_any_shapes_that_broadcast(name, data, one, two):
    tensors = {"x": data.draw(numbers(one)), "w": data.draw(numbers(two))}
    assert checked(record_graph(weighed(BINARY[name]), tensors))


REDUCTIONS = {
    "sum": lambda x, dim, keep: x.sum(dim, keepdim=keep),
    "mean": lambda x, dim, keep: x.mean(dim, keepdim=keep),
    "amax": lambda x, dim, keep: x.amax(dim, keepdim=keep),
    "var": lambda x, dim, keep: x.var(dim, correction=0, keepdim=keep),
    "logsumexp": lambda x, dim, keep: x.logsumexp(dim, keepdim=keep),
    "norm": lambda x, dim, keep: torch.linalg.vector_norm(x, dim=dim, keepdim=keep),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@settings(max_examples=40)
@given(
    data=st.data(),
    shape=st.sampled_from([(3,), (2, 3), (1, 3), (2, 1, 3)]),
    keep=st.booleans(),
)
def test_notes_are_true_for_any_dimensions_reduced(name, data, shape, keep):
    dims = st.integers(-len(shape), len(shape) - 1)
    dim = data.draw(st.lists(dims, min_size=1, unique_by=lambda d: d % len(shape)).map(tuple))
    function = weighed(lambda x: REDUCTIONS[name](x, dim, keep))
    assert checked(record_graph(function, {"x": data.draw(numbers(shape))}))


@settings(max_examples=40)
@given(
    steps=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=6),
    numbers=numbers((2, 3)),
)
def test_notes_are_true_for_any_order_of_steps(steps, numbers):
    assert checked(record_graph(of_steps(steps), {"x": numbers, "w": [0.5, -1.0, 2.0]}))


SENTENCES = {
    "add alpha": "w gets grad_output × 2.5, the local derivative, "
    "summed over the places that w was repeated in",
    "rsub": "w gets grad_output as it is, summed over the places that w was repeated in "
    "(local derivative: 1)",
    "sum(0)": "x gets grad_output as it is, at every number along dimension 0 "
    "(local derivative: 1)",
    "mse sum": "w gets grad_output × (2 · (w − x)), the local derivative",
    "mse": "x gets grad_output × (2 · (x − w)/6), the local derivative",
    "pow of tensors": "x gets grad_output × (pow · ln(w)), the local derivative",
    "matmul": "w gets xᵀ @ grad_output (local derivative: x)",
    "mean over dimensions": "reshape gets grad_output × 1/6, the local derivative, "
    "at every number along dimensions 0 and 2",
    "mul by a number": "x gets grad_output × 3, the local derivative",
    "sin": "x gets grad_output × cos(x), the local derivative",
    "div": "x gets grad_output × 1/w, the local derivative",
    "sigmoid": "x gets grad_output × (sigmoid · (1 − sigmoid)) "
    "(local derivative: sigmoid · (1 − sigmoid), never more than 1/4)",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_note_names_what_this_node_does(name):
    apply, tensors = OPERATIONS[name]
    graph = record_graph(weighed(apply), tensors)
    said = [note.sentence() for node in graph.nodes.values() for note in node.notes]
    assert any(SENTENCES[name] in sentence for sentence in said), said


def test_a_note_calls_nodes_as_it_is_told():
    (note,) = recorded().nodes["mean"].notes
    assert note.sentence({"square": "e", "mean": "loss"}.get).startswith("e gets grad_output as")
