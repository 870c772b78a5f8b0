"""`gdwidgets.pcpt` stands in for the course's helper module, cell by cell and at any setting."""

from __future__ import annotations

import inspect
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import course_loops as loops
from course import (
    CLOSED_FORM,
    CLOSED_FORM_EXAMPLE,
    EXERCISE_1,
    EXERCISE_2,
    EXERCISE_3_ALL,
    TOY_NEURON,
    TRACKING,
    UNCLEARED,
    WORKED_EXAMPLES,
)
from gdwidgets import pcpt

single = st.floats(-3, 3, width=32)
rates = st.floats(-9, 1).map(lambda exponent: float(f"{10**exponent:.3g}"))


def printed(call, *arguments, **settings):
    """What a call prints, and what it returns."""
    with redirect_stdout(StringIO()) as out:
        returned = call(*arguments, **settings)
    return out.getvalue(), returned


def same(one, other):
    """Equal, NaN to NaN, and plain Python numbers, lists and tuples throughout."""
    assert type(one) is type(other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    assert type(one) is float
    return one == other or (one != one and other != other)  # noqa: PLR0124


# -- what is offered -------------------------------------------------------------------------------


def test_signatures_are_the_course_s():
    expected = {
        "generate_training_pairs": "num=100",
        "plot_training_pairs": "x_train, y_train, para_learn=None, para_reg=None",
        "exercise_learning_rate": "",
        "exercise_gradient_accumulation": "",
        "exercise_gradient_function2D": "",
        "regression_polynomial_second_order": "x, y",
        "regression_polynomial_second_order_via_gradient": (
            "x, y, learning_rate=0.01, num_iterations=4000"
        ),
        "run_accumulation_demo": "clear_grad=True, steps=10, learning_rate=0.1",
        "optimize_himmelblau": (
            "u=None, v=None, learning_rate=0.001, num_steps=300, loss_tol=None, verbose=True"
        ),
        "plot_history": "loss_history, title='Loss during Gradient Descent', color='blue'",
        "himmelblau": "u, v",
        "plot_himmelblau_trajectory": "trajectory, cmap='gray'",
    }
    assert sorted(expected) == pcpt.__all__
    for name, arguments in expected.items():
        signature = inspect.signature(getattr(pcpt, name))
        bare = [
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in signature.parameters.values()
        ]
        assert ", ".join(map(str, bare)) == arguments


def test_importing_it_brings_in_no_widgets_and_no_pyplot():
    code = (
        "import sys\nfrom gdwidgets import pcpt\n"
        "names = 'ipywidgets', 'bqplot', 'IPython', 'matplotlib', 'pandas'\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num", [1, 15, 16, 100, 1000])
def test_training_pairs_and_the_state_of_the_generator_they_leave(num):
    torch.manual_seed(0)
    x = torch.rand(num) * 2
    y = x + 2 * (x - 0.9) ** 2 + 0.3 * torch.cos(20 * x) + 0.1 * torch.randn(num)
    after = torch.randn(3)
    torch.manual_seed(5)
    ours = pcpt.generate_training_pairs(num)
    assert torch.equal(ours[0], x)
    assert torch.equal(ours[1], y)
    assert torch.equal(torch.randn(3), after)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_numbers_do_not_depend_on_the_default_dtype(dtype):
    def everything():
        x, y = pcpt.generate_training_pairs(20)
        return (
            x.tolist(),
            y.tolist(),
            pcpt.regression_polynomial_second_order(x, y),
            pcpt.regression_polynomial_second_order_via_gradient(x, y, num_iterations=9),
            printed(pcpt.run_accumulation_demo, steps=4),
            printed(pcpt.optimize_himmelblau, num_steps=9),
        )

    expected = everything()
    torch.set_default_dtype(dtype)
    with torch.autograd.set_detect_anomaly(True), torch.no_grad():
        assert everything() == expected


def test_only_the_training_pairs_touch_the_global_generator():
    x, y = loops.training_pairs()
    before = torch.get_rng_state()
    printed(pcpt.exercise_learning_rate)
    printed(pcpt.exercise_gradient_accumulation)
    printed(pcpt.exercise_gradient_function2D)
    printed(pcpt.optimize_himmelblau, num_steps=3)
    pcpt.regression_polynomial_second_order_via_gradient(x, y, num_iterations=3)
    assert torch.equal(torch.get_rng_state(), before)


# -- Exercise 1 ------------------------------------------------------------------------------------


@given(rate=rates, num=st.integers(3, 200), iterations=st.integers(1, 60))
@example(1.0, 100, 200)
def test_regression_by_gradient_is_the_course_s_loop(rate, num, iterations):
    x, y = loops.training_pairs(num)
    coefficients, losses = loops.regression(x, y, loops.three_draws(), rate, iterations)
    ours = pcpt.regression_polynomial_second_order_via_gradient(
        x, y, learning_rate=rate, num_iterations=iterations
    )
    assert same(ours, (*coefficients, losses[-1]))


def test_regression_takes_samples_that_require_gradients_and_leaves_them_alone():
    x, y = (side.requires_grad_() for side in loops.training_pairs(30))
    plain = pcpt.regression_polynomial_second_order_via_gradient(
        x.detach().numpy(), y.tolist(), torch.tensor(0.1), 20
    )
    ours = pcpt.regression_polynomial_second_order_via_gradient(x, y, 0.1, 20)
    assert ours == pytest.approx(plain, rel=1e-6)
    assert x.grad is None
    assert y.grad is None


def test_the_closed_form_is_numpy_s_polynomial():
    x, y = loops.training_pairs()
    a, b, c, loss = pcpt.regression_polynomial_second_order(x, y)
    best = np.polyfit(x.double(), y.double(), 2)[::-1]
    np.testing.assert_allclose((a, b, c), best, rtol=1e-6)
    residual = np.polyval(best[::-1], x.double()) - y.double().numpy()
    assert loss == pytest.approx(np.square(residual).mean())
    assert f"Closed-form solution    | {loops.regression_row((a, b, c), loss)}" == CLOSED_FORM
    assert all(type(value) is float for value in (a, b, c, loss))


def test_exercise_1_prints_the_course_s_tables():
    text, returned = printed(pcpt.exercise_learning_rate)
    assert text == f"\n{EXERCISE_1}\n\n"
    assert returned is None


# -- Exercise 2 ------------------------------------------------------------------------------------


@given(clear=st.booleans(), steps=st.integers(0, 60), rate=rates | st.sampled_from([0.0, -0.1]))
@example(True, 60, 10.0)
@example(False, 60, 0.7)
def test_the_demo_is_the_course_s_loop(clear, steps, rate):
    rows, values = loops.accumulation(
        1.5, 2.5, (0.5, 0.5), rate, steps, clear_every=1 if clear else None
    )
    text, returned = printed(pcpt.run_accumulation_demo, clear, steps, rate)
    title = "With" if clear else "Without"
    assert text.splitlines() == [
        "",
        f"{title} gradient clearing:",
        "Target function: loss = (a * x + b - y)**2 with x = 1.5, y = 2.5",
        "Step |       Loss |        a |        b |   grad_a |   grad_b",
        "-" * 60,
        *rows,
    ]
    columns = [[row[i] for row in values] for i in range(3)]
    assert same(returned, tuple(columns))


def test_exercise_2_prints_the_course_s_tables():
    text, _ = printed(pcpt.exercise_gradient_accumulation)
    assert text == f"\n{EXERCISE_2}\n\n\n"


# -- Exercise 3 ------------------------------------------------------------------------------------


@given(
    start=st.tuples(single, single),
    rate=rates,
    steps=st.integers(0, 230),
    loss_tol=st.none() | st.floats(1e-7, 10.0),
    verbose=st.booleans(),
)
@example((1.0, 1.0), 5e-4, 250, None, True)
@example((-1.0, 1.0), 5e-4, 300, 1.0, True)
@example((2.5, 2.5), 1.0, 105, None, True)
def test_optimizing_is_the_course_s_loop(start, rate, steps, loss_tol, verbose):
    lines, end, losses, points = loops.landscape(loops.himmelblau, start, rate, steps, loss_tol)
    text, returned = printed(
        pcpt.optimize_himmelblau,
        *start,
        learning_rate=rate,
        num_steps=steps,
        loss_tol=loss_tol,
        verbose=verbose,
    )
    assert text.splitlines() == (lines if verbose else [])
    assert same(returned, (*end, losses, points))


def test_what_is_none_is_drawn_as_after_seed_0():
    torch.manual_seed(0)
    first, second = torch.randn(()).item(), torch.randn(()).item()
    starts = {
        (None, None): (first, second),
        (None, 0.5): (first, 0.5),
        (0.5, None): (0.5, first),
    }
    for given_start, drawn in starts.items():
        _, (*_, points) = printed(pcpt.optimize_himmelblau, *given_start, num_steps=1)
        assert points == [drawn]


def test_the_start_may_be_tensors_that_require_gradients():
    u = torch.tensor(1.0, requires_grad=True)
    v = torch.tensor([[-1.5]])
    _, ours = printed(pcpt.optimize_himmelblau, u, v, torch.tensor(5e-4), 20)
    _, plain = printed(pcpt.optimize_himmelblau, 1, -1.5, float(np.float32(5e-4)), 20)
    assert ours == plain
    assert u.grad is None


def test_exercise_3_prints_the_course_s_lines():
    text, _ = printed(pcpt.exercise_gradient_function2D)
    assert text == EXERCISE_3_ALL + "\n"


def test_himmelblau_takes_numbers_tensors_and_arrays():
    assert pcpt.himmelblau(3, 2) == 0
    grid = np.linspace(-6, 6, 7)
    expected = (grid**2 + 1 - 11) ** 2 + (grid + 1 - 7) ** 2
    np.testing.assert_allclose(pcpt.himmelblau(grid, np.ones(7)), expected)
    np.testing.assert_allclose(
        pcpt.himmelblau(torch.from_numpy(grid), torch.ones(7)), expected, rtol=1e-6
    )


# -- pictures --------------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch):
    """The figures that would be displayed."""
    figures = []
    monkeypatch.setattr(pcpt, "_show", figures.append)
    return figures


def test_the_training_pairs_are_drawn_with_both_curves(shown):
    x, y = loops.training_pairs()
    learned = [torch.tensor(value, requires_grad=True) for value in (1.0, -1.0, 0.5)]
    assert pcpt.plot_training_pairs(x, y) is None
    pcpt.plot_training_pairs(x.requires_grad_(), y, learned, (1.8, -3.0, 2.2))
    alone, both = (figure.axes[0] for figure in shown)
    np.testing.assert_array_equal(alone.collections[0].get_offsets(), np.c_[x.detach(), y])
    assert not alone.lines
    for line, (a, b, c) in zip(both.lines, ((1.0, -1.0, 0.5), (1.8, -3.0, 2.2)), strict=True):
        at = line.get_xdata()
        assert (at.min(), at.max()) == (0, 2)
        np.testing.assert_allclose(line.get_ydata(), a + b * at + c * at**2)
    assert both.get_ylim()[0] == 0
    assert [text.get_text() for text in both.get_legend().get_texts()] == [
        "Training data",
        "Learned function",
        "Polynomial regression",
    ]


def test_coefficients_that_diverged_are_no_error(shown):
    x, y = loops.training_pairs()
    gone = pcpt.regression_polynomial_second_order_via_gradient(x, y, learning_rate=1.0)[:3]
    assert all(value != value for value in gone)  # noqa: PLR0124
    pcpt.plot_training_pairs(x, y, gone, (1.8, -3.0, 2.2))
    learned, regression = shown[0].axes[0].lines
    assert np.isnan(learned.get_ydata()).all()
    assert np.isfinite(regression.get_ydata()).all()


@pytest.fixture
def live(monkeypatch):
    """The explorers that would be displayed."""
    explorers = []
    monkeypatch.setattr(pcpt, "_show_live", lambda make: explorers.append(make()))
    yield explorers
    for explorer in explorers:
        explorer.close()


def test_a_history_is_shown_live_and_an_empty_one_is_said(live):
    losses = [torch.tensor(3.0, requires_grad=True), 2.0, np.float32(1.5)]
    assert pcpt.plot_history(losses, title="Mine", color="green") is None
    (shown,) = live
    assert shown.losses.tolist() == [3.0, 2.0, 1.5]
    assert (shown.heading, shown.color) == ("Mine", "#008000")
    assert (shown.step, shown.end) == (2, 2)
    text, _ = printed(pcpt.plot_history, [])
    assert text == "There are no losses to plot.\n"
    assert len(live) == 1


def test_a_trajectory_is_shown_live_over_the_function(live):
    _, (*_, points) = printed(pcpt.optimize_himmelblau, 1.0, 1.0, 5e-4, 50)
    pcpt.plot_himmelblau_trajectory(points, cmap="viridis")
    pcpt.plot_himmelblau_trajectory(torch.tensor(points, requires_grad=True))
    first, second = live
    np.testing.assert_array_equal(first.trajectory, points)
    np.testing.assert_allclose(second.trajectory, points, rtol=1e-6)
    assert (first.cmap, second.cmap) == ("viridis", "gray")
    expected = [loops.himmelblau(torch.tensor(u), torch.tensor(v)).item() for u, v in points]
    np.testing.assert_allclose(first.values, expected, rtol=1e-4)
    with pytest.raises(ValueError, match="trajectory must be at least one pair"):
        pcpt.plot_himmelblau_trajectory([])


def test_pictures_bring_in_no_matplotlib_and_drawn_ones_leave_pyplot_alone():
    code = (
        "import sys\nfrom gdwidgets import pcpt\n"
        "pcpt._in_ipython = lambda: True\n"
        "pcpt.plot_history([1.0, 2.0])\n"
        "pcpt.plot_himmelblau_trajectory([(1.0, 1.0)])\n"
        "print('matplotlib' in sys.modules)\n"
        "pcpt.plot_training_pairs([1.0, 2.0], [1.0, 2.0])\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = [line for line in done.stdout.splitlines() if line in ("True", "False")]
    assert said == ["False", "False"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: pcpt.generate_training_pairs(0), "num"),
        (lambda: pcpt.run_accumulation_demo(steps=-1), "steps"),
        (lambda: pcpt.run_accumulation_demo(learning_rate="0.1"), "learning_rate"),
        (lambda: pcpt.optimize_himmelblau(u="here"), "u must"),
        (lambda: pcpt.optimize_himmelblau(num_steps=2.5), "num_steps"),
        (lambda: pcpt.regression_polynomial_second_order_via_gradient([1], [1, 2]), "length"),
        (lambda: pcpt.regression_polynomial_second_order_via_gradient([[1]], [1]), "x must"),
        (
            lambda: pcpt.regression_polynomial_second_order_via_gradient(
                [1], [1], num_iterations=0
            ),
            "num_iterations",
        ),
        (lambda: pcpt.plot_training_pairs([1], [1], 5), "para_learn"),
        (lambda: pcpt.plot_history("losses"), "loss_history"),
        (lambda: pcpt.plot_history([1.0], color="nocolor"), "color must"),
        (lambda: pcpt.plot_history([1.0], title=3), "title must"),
        (lambda: pcpt.plot_himmelblau_trajectory([(1, 2)], "virids"), "did you mean 'viridis'"),
    ],
)
def test_a_bad_argument_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# -- the unit --------------------------------------------------------------------------------------

CELLS = {
    "import": """
import torch
from matplotlib.figure import Figure
from gdwidgets.pcpt import (
    generate_training_pairs, plot_training_pairs,
    exercise_learning_rate, exercise_gradient_accumulation, exercise_gradient_function2D,
    regression_polynomial_second_order, regression_polynomial_second_order_via_gradient,
    run_accumulation_demo, optimize_himmelblau, plot_history, himmelblau,
    plot_himmelblau_trajectory,
)
""",
    "the toy neuron": """
x, y = torch.tensor([[2.0, 3.0]]), torch.tensor([[3.0]])
w = torch.ones(2, 1, requires_grad=True)
b = torch.ones(1, 1, requires_grad=True)
z = torch.matmul(x, w) + b
loss = torch.square(z - y).mean()
print(f"z: {z}")
print(f"loss: {loss}")
loss.backward(retain_graph=True)
print(f"w.grad: {w.grad}")
print(f"b.grad: {b.grad}")
""",
    "the data": """
x, y = generate_training_pairs()
plot_training_pairs(x, y)
""",
    "by hand": """
x, y = generate_training_pairs()
torch.manual_seed(0)
a, b, c = torch.randn(3)
for k in range(1, 4001):
    error = a + b * x + c * x**2 - y
    if k % 1000 == 0:
        print(f"Iteration {k:4d} | Loss: {error.square().mean():.4f}")
    slope = 2.0 * error
    a -= 1e-2 * slope.mean()
    b -= 1e-2 * (slope * x).mean()
    c -= 1e-2 * (slope * x**2).mean()
loss = error.square().mean()
print(f"Learned parameters: a = {a:.4f}, b = {b:.4f}, c = {c:.4f}")
plot_training_pairs(x, y, [a, b, c])
""",
    "the closed form": """
print(f"  a = {a:.4f}, b = {b:.4f}, c = {c:.4f}")
print(f"  Loss: {loss:.4f}")
a_reg, b_reg, c_reg, loss_reg = regression_polynomial_second_order(x, y)
print(f"  a = {a_reg:.4f}, b = {b_reg:.4f}, c = {c_reg:.4f}")
print(f"  Loss: {loss_reg:.4f}")
plot_training_pairs(x, y, [a, b, c], [a_reg, b_reg, c_reg])
""",
    "by autograd": """
x, y = generate_training_pairs()
torch.manual_seed(1)
a, b, c = (torch.randn((), requires_grad=True) for _ in range(3))
for k in range(1, 4001):
    loss = (a + b * x + c * x**2 - y).pow(2).mean()
    if k % 1000 == 0:
        print(f"Iteration {k:4d} | Loss: {loss.item():.4f}")
    loss.backward()
    with torch.no_grad():
        for parameter in (a, b, c):
            parameter -= 1e-2 * parameter.grad
            parameter.grad = None
print(f"Learned parameters: a = {a.item():.4f}, b = {b.item():.4f}, c = {c.item():.4f}")
plot_training_pairs(x, y, [a, b, c], [a_reg, b_reg, c_reg])
""",
    "the parameters as they are": """
plot_training_pairs(x, y, [a, b, c], [a_reg, b_reg, c_reg])
""",
    "without tracking": """
v = torch.tensor([1, 2, 3], dtype=torch.float32, requires_grad=True)
z = torch.matmul(v, v)
print(f"z: {z}, requires_grad: {z.requires_grad}")
z.backward()
print(f"gradient: {v.grad}")
with torch.no_grad():
    z = torch.matmul(v, v)
print(f"z: {z}, requires_grad: {z.requires_grad}")
z = torch.matmul(v, v).detach()
print(f"z: {z}, requires_grad: {z.requires_grad}")
""",
    "my loop": """
a_learned = regression_polynomial_second_order_via_gradient(x, y, learning_rate=1e-1)[0]
print(f"{a_learned:.4f}")
a_values, b_values, losses = run_accumulation_demo(clear_grad=False, steps=3)
plot_history(losses, title="Not cleared", color="red")
u, v, losses, points = optimize_himmelblau(loss_tol=1e-3)
plot_history(losses)
plot_himmelblau_trajectory(points)
print(himmelblau(u, v) < 1)
""",
    "exercise 1": "exercise_learning_rate()",
    "exercise 2": "exercise_gradient_accumulation()",
    "exercise 3": "exercise_gradient_function2D()",
}


@pytest.fixture(scope="module")
def unit(tmp_path_factory):
    """The cells' outputs in a notebook: printed text, and MIME types displayed."""
    import nbformat  # here: these take seconds, in each process of the tests
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(source.strip()) for source in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    folder = tmp_path_factory.mktemp("unit")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("JUPYTER_PATH", raising=False)
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(folder / name))
        NotebookClient(notebook, timeout=120, startup_timeout=120, kernel_name="python3").execute()
    found = {}
    for name, cell in zip(CELLS, notebook.cells, strict=True):
        text = "".join(out.text for out in cell.outputs if out.output_type == "stream")
        shown = [set(out.data) for out in cell.outputs if out.output_type == "display_data"]
        found[name] = text, shown
    return found


def test_the_unit_s_cells_print_its_numbers(unit):
    expected = {
        "import": "",
        "the toy neuron": TOY_NEURON,
        "the data": "",
        "by hand": WORKED_EXAMPLES["by hand"],
        "the closed form": CLOSED_FORM_EXAMPLE,
        "by autograd": WORKED_EXAMPLES["by autograd"],
        "the parameters as they are": "",
        "without tracking": TRACKING,
        "exercise 1": EXERCISE_1,
        "exercise 2": EXERCISE_2,
        "exercise 3": EXERCISE_3_ALL,
    }
    assert {name: text.strip("\n") for name, (text, _) in unit.items() if name != "my loop"} == (
        expected
    )
    # a of Exercise 1's row at 1e-1, Exercise 2's first three steps, and a minimum of the function.
    text = unit["my loop"][0]
    assert text.splitlines()[0] == "1.8195"
    assert "\n".join(UNCLEARED.splitlines()[:3]) in text
    assert text.splitlines()[-1] == "True"


def test_the_unit_s_pictures_are_live_or_drawn(unit):
    live = "application/vnd.jupyter.widget-view+json"
    for name, drawn, explorers in (
        ("the data", 1, 0),
        ("by hand", 1, 0),
        ("the closed form", 1, 0),
        ("by autograd", 1, 0),
        ("the toy neuron", 0, 0),
        ("the parameters as they are", 1, 0),
        ("without tracking", 0, 0),
        ("my loop", 0, 3),
        ("exercise 1", 0, 1),
        ("exercise 2", 0, 1),
        ("exercise 3", 0, 3),
    ):
        shown = unit[name][1]
        assert sum("image/png" in kinds and live not in kinds for kinds in shown) == drawn
        assert sum(live in kinds for kinds in shown) == explorers
