"""The script of a graph: the recorded numbers, or a refusal that says why; as a teacher writes."""

from __future__ import annotations

import ast
import builtins
import contextlib
import io

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from hypothesis import given, settings
from hypothesis import strategies as st

from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.presets import PRESET_NAMES, preset
from gdwidgets.core.scripts.graph import call_text, function_lines, graph_script
from gdwidgets.core.scripts.statements import free_name, literal, tensor_literal, wrapped
from graphs import STEPS, of_steps, recorded


def run(script):
    """Execute a script as a file would be; its variables, and what it prints."""
    space = {"__name__": "script"}
    state = torch.get_rng_state()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(script, "script", "exec"), space)
    torch.set_rng_state(state)
    return space, out.getvalue()


def checked(graph, variables=None):
    """Assert that a graph's script is neat and repeats the graph; return it and what it makes."""
    script = graph_script(graph, variables)
    space, out = run(script)
    for leaf, grad in graph.grads.items():
        found = space[free_name(leaf, {"torch", "F"})].grad
        assert (found is None) is (grad is None)
        assert grad is None or torch.equal(found.nan_to_num(7), grad.nan_to_num(7))
    assert max(map(len, script.splitlines())) <= 80
    assigned = {
        node.id
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert not assigned & {*dir(builtins), "torch", "F"}
    return script, space, out


# -- presets ----------------------------------------------------------------------------------


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
def test_a_preset_s_script_gives_the_recorded_numbers(name, switches):
    graph = recorded(name, 4, **switches)
    variables = preset(name, 4).variables
    for given_names in ({}, variables):
        _, space, out = checked(graph, given_names)
        for node, variable in given_names.items():
            if node in graph.nodes:
                assert torch.equal(space[variable].detach(), graph.nodes[node].value)
        if graph.refusal:
            assert graph.refusal.words in out


NEURON = """\
import torch

x = torch.tensor([[2.0, 3.0]])
w = torch.tensor([[1.0], [1.0]], requires_grad=True)
b = torch.tensor([[1.0]], requires_grad=True)
y = torch.tensor([[3.0]])

z = torch.matmul(x, w) + b
loss = torch.square(z - y).mean()

print(f"z: {z}")
print(f"loss: {loss}")

loss.backward()
print(f"w.grad: {w.grad}")
print(f"b.grad: {b.grad}")
"""


def test_the_toy_neuron_s_script_is_the_course_s_cell():
    script, _, out = checked(recorded(), preset("toy neuron").variables)
    assert script == NEURON
    assert "z: tensor([[6.]], grad_fn=<AddBackward0>)" in out
    assert "tensor([[12.],\n        [18.]])" in out


def test_without_names_there_is_a_line_for_each_operation():
    graph = recorded()
    _, space, _ = checked(graph)
    for name in ("matmul", "add", "sub", "square", "mean"):
        assert torch.equal(space[name].detach(), graph.nodes[name].value)


def test_the_lines_say_which_operations_they_run():
    lines = function_lines(recorded(), preset("toy neuron").variables)
    assert [line.nodes for line in lines] == [("matmul", "add"), ("sub", "square", "mean")]
    assert [line.text for line in lines] == [
        "z = torch.matmul(x, w) + b",
        "loss = torch.square(z - y).mean()",
    ]


# -- anything a function may do -------------------------------------------------------------------


def unpacked(x):
    a, b, c = x
    return a * b + c


def iterated(x):
    total = torch.zeros(())
    for row in x:
        total = total + row * row
    return total


def assigned(x):
    y = x * 2
    y[0] = 5.0
    y[1:] = y[1:] * x[0]
    return y.sum()


def in_place(x):
    y = x.exp()
    y += x
    y.mul_(3)
    y -= 1
    y.clamp_(max=4)
    torch.add(y.detach(), 1, out=torch.zeros(3))
    return (y**2).sum()


def through_a_view(x):
    y = x * 2
    part = y[:2]
    part *= x[2]
    return y.sum() + part.sum()


def with_no_grad(x):
    with torch.no_grad():
        scale = x.abs().max()
        centred = x - x.mean()
    return (x / scale * centred).sum()


def enabled_again(x):
    with torch.no_grad():
        a = x * 2
        with torch.enable_grad():
            b = x * 3
    with torch.inference_mode():
        c = (x * 4).sum().item()
    return (a * b).sum() + c


def buffered(x):
    out = torch.empty(3)
    for k in range(3):
        out[k] = x[k] ** k
    return out.sum()


def random(x):
    noise = torch.randn(3)
    unused = torch.rand(2)
    return (F.dropout(x, 0.5) * noise + torch.rand_like(x)).sum() + unused.numel()


def many_parts(x):
    parts = torch.arange(8.0).unbind()
    return (x * parts[3]).sum() + parts[7]


FUNCTIONS = {
    "unpacking": unpacked,
    "iteration": iterated,
    "unbind": lambda x: x.unbind()[0] * x.unbind()[2],
    "split": lambda x: sum(part.prod() for part in x.split([1, 2])),
    "chunk": lambda x: x.chunk(2)[1].sum(),
    "max(dim)": lambda x: x.reshape(1, 3).max(1).values.sum() * x.max(0)[1],
    "sort": lambda x: (x.sort(descending=True)[0] * torch.arange(3)).sum(),
    "topk": lambda x: torch.topk(x, 2).values.prod(),
    "item assignment": assigned,
    "changes in place": in_place,
    "a view changed in place": through_a_view,
    "inner no_grad": with_no_grad,
    "modes inside modes": enabled_again,
    "a buffer": buffered,
    "random numbers": random,
    "more results than names": many_parts,
    "where": lambda x: torch.where(x > 0, x, torch.tensor(0.5)).sum(),
    "comparison": lambda x: (x * (x >= 1)).sum() + (x * (x != 2).float()).sum(),
    "argmax": lambda x: x[x.argmax()] ** 2,
    "detach": lambda x: (x.detach() * x).sum(),
    "data": lambda x: (x.data * x).sum(),
    "item": lambda x: x.sum() * x[0].item(),
    "reversed operators": lambda x: (
        2 - x + 2 * x - 1 / x + 2**x + 3.0 @ x[:0] if 0 else 2**x - 1 / x
    ).sum(),
    "negative exponents": lambda x: ((-x) ** 2 + (-2) ** torch.tensor([2.0]) * x**-2).sum(),
    "floor division": lambda x: (x // 2 * x).sum(),
    "transposes": lambda x: (x.reshape(1, 3).T @ x.reshape(1, 3)).sum(),
    "None and Ellipsis": lambda x: (x[None, ..., :2] * x[:, None][1:]).sum(),
    "mask": lambda x: x[x > 0].sum(),
    "list of indices": lambda x: x[[0, 2, 2]].sum(),
    "stack and cat": lambda x: torch.cat([torch.stack([x, x * 2]), x.reshape(1, 3)]).sum(),
    "einsum": lambda x: torch.einsum("i,j->ij", x, x).sum(),
    "keywords": lambda x: F.softmax(x.reshape(1, 3), dim=-1).log().sum(dim=1, keepdim=True).sum(),
    "cross entropy": lambda x: F.cross_entropy(
        x.reshape(1, 3), torch.tensor([2]), label_smoothing=0.1
    ),
    "mse": lambda x: F.mse_loss(x, torch.tensor([0.1, 0.2, 0.3])),
    "module": lambda x: torch.nn.MSELoss(reduction="sum")(x, x * 2),
    "layer_norm": lambda x: (F.layer_norm(x, (3,)) * x).sum(),
    "linspace": lambda x: (x * torch.linspace(0, 1, 3)).sum(),
    "large constants": lambda x: (x[:1] * torch.ones(5000)).sum(),
    "float64": lambda x: (x.double() * torch.tensor(0.1, dtype=torch.float64)).sum(),
    "cumsum and flip": lambda x: x.cumsum(0).flip(0)[0] * x.prod(),
    "infinite": lambda x: x.masked_fill(x < 0, float("-inf")).logsumexp(0),
    "one of several results": lambda x: torch.std_mean(x)[0],
    "an argument handed back": lambda x: torch.broadcast_tensors(x[0], x)[1].sum(),
    "norm": lambda x: x.norm() + torch.linalg.norm(x) + torch.linalg.vector_norm(x, ord=1),
    "long": lambda x: torch.stack([x * k for k in range(30)]).sum(),
    "nothing": lambda x: x.sum() + torch.sin(x).sum() * 0,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("tracked", [("x",), ()], ids=["tracked", "untracked"])
def test_a_script_repeats_the_function(name, tracked):
    graph = record_graph(FUNCTIONS[name], {"x": [0.5, -1.25, 2.0]}, requires_grad=tracked)
    checked(graph)


def test_a_gradient_of_a_gradient_can_be_written():
    def function(x):
        (slope,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        return slope.sum()

    graph = record_graph(function, {"x": [0.5, -1.25, 2.0]})
    script, _, _ = checked(graph)
    assert graph.grads["x"].tolist() == [3.0, -7.5, 12.0]
    assert "torch.autograd.grad(" in script


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, grad):
        return 3 * grad


def hooked(x):
    y = x * 2
    y.register_hook(lambda grad: grad * 2)
    return y.sum()


def backward_inside(x):
    (x * x).sum().backward()
    return (x * 3).sum()


REFUSED = {
    "custom Function": (
        lambda x: Double.apply(x).sum(),
        "it calls Double, which is not an operation",
    ),
    "hook": (hooked, "it registers a hook"),
    "backward inside": (backward_inside, "it calls backward\\(\\) itself"),
    "large constant": (
        lambda x, c=torch.rand(2000): (x[:1] * c).sum(),  # noqa: B008 - made once on purpose
        "2000 numbers is too large",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_is_refused_with_the_reason(name):
    function, reason = REFUSED[name]
    graph = record_graph(function, {"x": [0.5, -1.25, 2.0]})
    with pytest.raises(ValueError, match=f"cannot be written as a script: .*{reason}"):
        graph_script(graph)


def test_gradients_that_are_sparse_are_compared_too():
    table = {"x": torch.arange(6.0).reshape(3, 2), "k": torch.tensor([2, 0])}
    graph = record_graph(lambda x, k: F.embedding(k, x, sparse=True).sum(), table)
    assert "sparse=True" in graph_script(graph)


def test_large_tensors_are_refused():
    graph = record_graph(lambda x: x.sum(), {"x": torch.ones(2000)})
    with pytest.raises(ValueError, match="2000 numbers is too large"):
        graph_script(graph)


@pytest.mark.parametrize(
    "names", [("print", "torch"), ("F", "sum"), ("list", "x_"), ("add", "mul")]
)
def test_tensors_may_have_any_names(names):
    one, two = names
    graph = record_graph(
        lambda **given: (given[one] * given[two] + given[one]).sum() ** 2,
        {
            one: [1.0, 2.0],
            two: [3.0, 4.0],
        },
    )
    checked(graph)


def test_names_of_variables_that_are_taken_are_changed():
    graph = recorded()
    script, _, _ = checked(graph, {"add": "x", "mean": "sum", "square": "torch", "sub": "2 y"})
    assert "x_2 = torch.matmul(x, w) + b" in script
    assert "sum_ = torch_2.mean()" in script


def test_a_detached_operation_is_written_so():
    graph = recorded(detached=("matmul", "square"), requires_grad=("w", "b"))
    script, _, _ = checked(graph, preset("toy neuron").variables)
    assert "z = torch.matmul(x, w).detach() + b" in script
    graph = record_graph(FUNCTIONS["changes in place"], {"x": [1.0, 2.0, 3.0]}, detached=("add",))
    script, _, _ = checked(graph)
    assert ".detach()" in script


@settings(max_examples=40)
@given(
    steps=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=6),
    numbers=st.lists(st.integers(-8, 8).map(lambda k: k / 4), min_size=6, max_size=6),
    tracked=st.booleans(),
)
def test_any_order_of_steps_can_be_written(steps, numbers, tracked):
    tensors = {"x": torch.tensor(numbers).reshape(2, 3), "w": [0.5, -1.0, 2.0]}
    leaves = ("x", "w") if tracked else ("w",)
    graph = record_graph(of_steps(steps), tensors, requires_grad=leaves)
    checked(graph)


# -- parts ----------------------------------------------------------------------------------------


def test_literals_are_exact():
    tensor = torch.tensor([0.1, -1e-20, float("inf"), 3.0])
    assert torch.equal(eval(f"torch.tensor({literal(tensor)})"), tensor)
    for value in (
        torch.tensor([[0.1]], dtype=torch.float64),
        torch.zeros(0, 3),
        torch.tensor([1, 2], dtype=torch.int8),
        torch.tensor(True),
    ):
        made = eval(tensor_literal(value))
        assert made.dtype == value.dtype
        assert torch.equal(made, value)


def test_long_lines_are_broken_in_their_brackets():
    numbers = ", ".join(str(k / 8) for k in range(60))
    line = f"x = torch.tensor([{numbers}], requires_grad=True)"
    lines = wrapped(line)
    assert max(map(len, lines)) <= 80
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(line))


def test_calls_are_described_with_the_names_people_use():
    graph = recorded()
    assert call_text(graph.nodes["add"], {"matmul": "x·w"}.get) == "x·w + None"


def test_the_session_s_dtype_and_anomaly_detection_change_no_script():
    plain = graph_script(record_graph(random, {"x": [0.5, -1.25, 2.0]}))
    for dtype in (torch.float64, torch.bfloat16):
        torch.set_default_dtype(dtype)
        try:
            with torch.autograd.set_detect_anomaly(True):
                script = graph_script(record_graph(random, {"x": [0.5, -1.25, 2.0]}))
        finally:
            torch.set_default_dtype(torch.float32)
        assert script.splitlines()[0].endswith("usual default dtype, float32.")
        assert script.split("\n", 1)[1] == plain
