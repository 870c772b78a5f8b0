"""The course's own helper module, alive: change the import line of the unit and run it.

The names, arguments, defaults, return values and printed number lines are those of the course's
module for its fourth unit, "PCPT Teaser" (https://www.audiolabs-erlangen.de/PCPT), at any setting.
Where the course shows a still picture of a run, a live explorer is shown; samples and fitted
curves, which have no steps, are drawn.

Numbers are float32 on the CPU whatever the session's defaults are. Nothing here changes the
session, its random generator included, except `generate_training_pairs`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core import checks, tables
from gdwidgets.core.data import initial_parameters, training_pairs
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.objectives.functions import himmelblau
from gdwidgets.core.objectives.regression import PolynomialRegression
from gdwidgets.core.session import own_torch_state

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "exercise_gradient_accumulation",
    "exercise_gradient_function2D",
    "exercise_learning_rate",
    "generate_training_pairs",
    "himmelblau",
    "optimize_himmelblau",
    "plot_himmelblau_trajectory",
    "plot_history",
    "plot_training_pairs",
    "regression_polynomial_second_order",
    "regression_polynomial_second_order_via_gradient",
    "run_accumulation_demo",
]

_RATES = (1.0, 0.1, 0.01, 0.001)
_COUNTS = (100, 2000, 4000, 6000, 8000)
_EXAMPLES = (((1.0, 1.0), None), ((-1.0, -1.0), None), ((-1.0, 1.0), 0.0001))
"""Starts and ``loss_tol`` of Exercise 3."""


# -- data ------------------------------------------------------------------------------------------


def generate_training_pairs(num: int = 100) -> tuple[Tensor, Tensor]:
    """Noisy samples of a quadratic with a ripple, as `gdwidgets.core.training_pairs` makes them.

    This function alone changes the session: it seeds torch's global generator with 0 and draws
    from it, as the course's does, because later cells of the unit rely on the state it leaves.

    Parameters
    ----------
    num
        How many samples, 1 to 1,000,000.

    Returns
    -------
    x, y
        float32 tensors of shape (num,).

    Raises
    ------
    ValueError
        When ``num`` is not a whole number in its range.
    """
    samples = training_pairs(num)
    torch.manual_seed(0)
    for draw in (torch.rand, torch.randn):  # as many draws as the samples are made of
        draw(len(samples[0]), dtype=torch.float32, device="cpu")
    return samples


# -- Exercise 1 ------------------------------------------------------------------------------------


def regression_polynomial_second_order(x: Any, y: Any) -> tuple[float, float, float, float]:
    """The least-squares polynomial a + b x + c x² of samples, in closed form.

    Parameters
    ----------
    x, y
        N inputs and targets each, finite numbers, N at least 3.

    Returns
    -------
    a, b, c
        Coefficients.
    loss
        Mean squared error.

    Raises
    ------
    ValueError
        When x or y is not what is accepted.
    """
    coefficients, loss = PolynomialRegression(x, y, 2).closed_form()
    a, b, c = (float(value) for value in coefficients)
    return a, b, c, float(loss)


def regression_polynomial_second_order_via_gradient(
    x: Any, y: Any, learning_rate: Any = 1e-2, num_iterations: int = 4000
) -> tuple[float, float, float, float]:
    """A polynomial a + b x + c x² fitted to samples by gradient descent from three normal draws.

    Parameters
    ----------
    x, y
        N inputs and targets each.
    learning_rate
        Step size.
    num_iterations
        Updates, at least 1.

    Returns
    -------
    a, b, c
        Coefficients after the last update; the draws are those after seed 1.
    loss
        The last loss computed: that of the coefficients before the last update.

    Raises
    ------
    ValueError
        When an argument is not what is accepted.
    """
    rate = checks.real(learning_rate, "learning_rate")
    count = checks.integer(num_iterations, "num_iterations", 1, checks.MOST_STEPS)
    inputs, targets = _samples(x, y)

    def mean_squared_error(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        y_pred = a + b * inputs + c * inputs**2
        return (y_pred - targets).pow(2).mean()

    with _session():
        loop = _Loop(mean_squared_error, initial_parameters().tolist(), rate)
        loss = torch.tensor(0.0)
        for step in loop.steps(count):
            loss = step.loss
        a, b, c = loop.point()
        return a, b, c, float(loss.detach())


def exercise_learning_rate() -> None:
    """Exercise 1: print what learning rates and numbers of iterations do, and show them live."""
    regression = PolynomialRegression(*training_pairs())
    descent = Descent(regression, initial_parameters(), _RATES, max_steps=max(_COUNTS))
    table = tables.exercise_1(descent, 4000, _COUNTS, regression.closed_form())
    print(f"\n{table}\n")
    _show_live(_learning_rate_explorer)


# -- Exercise 2 ------------------------------------------------------------------------------------


def run_accumulation_demo(
    clear_grad: bool = True,
    steps: int = 10,
    learning_rate: Any = 0.1,
) -> tuple[list[float], list[float], list[float]]:
    """Fit one sample by a x + b, with or without clearing the gradients, and print every step.

    Parameters
    ----------
    clear_grad
        Whether the gradients are cleared after every update.
    steps
        Updates, at least 0.
    learning_rate
        Step size.

    Returns
    -------
    a, b, loss
        Lists of ``steps`` numbers: the values before each update.

    Raises
    ------
    ValueError
        When an argument is not what is accepted.
    """
    rate = checks.real(learning_rate, "learning_rate")
    count = checks.integer(steps, "steps", 0, checks.MOST_STEPS)
    x, y = 1.5, 2.5
    print(f"\n{'With' if clear_grad else 'Without'} gradient clearing:")
    print(f"Target function: loss = (a * x + b - y)**2 with x = {x}, y = {y}")
    print(tables.COLUMNS)
    print("-" * 60)
    rows: list[tuple[float, float, float]] = []
    with _session():
        loop = _Loop(lambda a, b: (a * x + b - y) ** 2, (0.5, 0.5), rate, clear=bool(clear_grad))
        for step in loop.steps(count):
            loss = step.loss.item()
            print(tables.loop_row(step.number, loss, (*step.point, *step.grads)))
            rows.append((step.point[0], step.point[1], loss))
    a, b, losses = ([row[i] for row in rows] for i in range(3))
    return a, b, losses


def exercise_gradient_accumulation() -> None:
    """Exercise 2: print both loops, without and with clearing, and show them live."""
    run_accumulation_demo(clear_grad=False)
    run_accumulation_demo(clear_grad=True)
    print("\n")
    _show_live(_accumulation_comparer)


# -- Exercise 3 ------------------------------------------------------------------------------------


def optimize_himmelblau(
    u: Any = None,
    v: Any = None,
    learning_rate: Any = 1e-3,
    num_steps: int = 300,
    loss_tol: Any = None,
    verbose: bool = True,
) -> tuple[float, float, list[float], list[tuple[float, float]]]:
    """Descend Himmelblau's function.

    Parameters
    ----------
    u, v
        The start: numbers, or tensors of one number. What is ``None`` is drawn as after seed 0, u
        before v, and leaves the global generator alone.
    learning_rate
        Step size.
    num_steps
        Updates at most, at least 0.
    loss_tol
        Stop, without an update, when the loss has changed by less than this in a step.
    verbose
        Print every hundredth step, the last one, and an early stop.

    Returns
    -------
    u, v
        The point after the last update.
    losses, points
        Lists of what was there before each update: losses, and points (u, v).

    Raises
    ------
    ValueError
        When an argument is not what is accepted.
    """
    rate = checks.real(learning_rate, "learning_rate")
    count = checks.integer(num_steps, "num_steps", 0, checks.MOST_STEPS)
    tolerance = None if loss_tol is None else checks.real(loss_tol, "loss_tol")
    draws = iter(initial_parameters(2, seed=0).tolist())
    start = [
        next(draws) if value is None else checks.real(value, name)
        for name, value in (("u", u), ("v", v))
    ]
    losses: list[float] = []
    points: list[tuple[float, float]] = []
    with _session():
        loop = _Loop(himmelblau, start, rate)
        for step in loop.steps(count):
            losses.append(step.loss.item())
            points.append((step.point[0], step.point[1]))
            if verbose and (step.number % 100 == 0 or step.number == count):
                print(tables.step_line(step.number, ("u", "v"), step.point, losses[-1]))
            if tolerance is not None and len(losses) > 1:
                change = abs(losses[-1] - losses[-2])
                if change < tolerance:
                    if verbose:
                        print(tables.stop_line(step.number, change, loss_tol))
                    break
        end_u, end_v = loop.point()
    return end_u, end_v, losses, points


def exercise_gradient_function2D() -> None:  # noqa: N802 - the course's name
    """Exercise 3: print three descents of Himmelblau's function, and show each live."""
    rate = 0.0005
    for (u, v), loss_tol in _EXAMPLES:
        print(tables.start_line(("u", "v"), (u, v), rate, loss_tol))
        end_u, end_v, losses, _ = optimize_himmelblau(u, v, learning_rate=rate, loss_tol=loss_tol)
        print(tables.final_line(("u", "v"), (end_u, end_v), losses[-1]))
        _show_live(partial(_himmelblau_explorer, (u, v), rate, loss_tol))


# -- the loop they all are -------------------------------------------------------------------------


class _Step(NamedTuple):
    """One step of a loop, after its backward pass and before its update."""

    number: int
    loss: Tensor
    parameters: tuple[Tensor, ...]

    @property
    def point(self) -> tuple[float, ...]:
        return tuple(one.item() for one in self.parameters)

    @property
    def grads(self) -> tuple[float, ...]:
        return tuple(one.grad.item() for one in self.parameters if one.grad is not None)


class _Loop:
    """The course's training loop over tensors without dimensions: forward, backward, update."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        start: Sequence[float],
        learning_rate: float,
        *,
        clear: bool = True,
    ) -> None:
        self.function, self.learning_rate, self.clear = function, learning_rate, clear
        self.parameters = tuple(
            torch.tensor(value, dtype=torch.float32, device="cpu", requires_grad=True)
            for value in start
        )

    def steps(self, count: int) -> Iterator[_Step]:
        """Yield every step before its update, which follows when the next one is asked for."""
        for number in range(1, count + 1):
            loss = self.function(*self.parameters)
            loss.backward()  # type: ignore[no-untyped-call]  # torch's gap
            yield _Step(number, loss, self.parameters)
            with torch.no_grad():
                for one in self.parameters:
                    one.sub_(self.learning_rate * one.grad)  # type: ignore[operator]
                    if self.clear:
                        one.grad = None

    def point(self) -> tuple[float, ...]:
        """The parameters as they are now."""
        return tuple(one.item() for one in self.parameters)


def _session() -> AbstractContextManager[Any]:
    """Torch as a new session has it: NaN in a backward pass is a lesson here, not an error."""
    stack = ExitStack()
    stack.enter_context(own_torch_state())
    stack.enter_context(torch.autograd.set_detect_anomaly(False))
    return stack


def _samples(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Samples (N,) each: tensors as they are, without their graph; all else as float32."""
    found = []
    for name, value in (("x", x), ("y", y)):
        if isinstance(value, Tensor):
            found.append(value.detach())
        else:
            found.append(checks.finite_float32(value, name))
        if found[-1].ndim != 1 or not len(found[-1]):
            raise ValueError(
                f"{name} must be a one-dimensional sequence of numbers, "
                f"got shape {tuple(found[-1].shape)}"
            )
    if len(found[0]) != len(found[1]):
        raise ValueError(
            f"x and y must have the same length, got {len(found[0])} and {len(found[1])}"
        )
    return found[0], found[1]


# -- pictures --------------------------------------------------------------------------------------


def plot_training_pairs(
    x_train: Any, y_train: Any, para_learn: Any = None, para_reg: Any = None
) -> None:
    """Draw samples, and up to two polynomials a + b x + c x² over [0, 2].

    Parameters
    ----------
    x_train, y_train
        N inputs and targets each.
    para_learn, para_reg
        Coefficients a, b, c of the learned function and of the regression: numbers or tensors,
        also such as require gradients; ``None`` for no curve.

    Raises
    ------
    ValueError
        When an argument is not what is accepted.
    """
    x, y = (checks.float64_array(v, n) for n, v in (("x_train", x_train), ("y_train", y_train)))
    figure, axes = _figure(4.5, 1.8)
    axes.scatter(x, y, s=9, color="black", label="Training data")
    grid = np.linspace(0, 2, 200)
    for values, name, label, color in (
        (para_learn, "para_learn", "Learned function", "#D55E00"),
        (para_reg, "para_reg", "Polynomial regression", "#0072B2"),
    ):
        if values is not None:
            a, b, c = _coefficients(values, name)
            axes.plot(grid, a + b * grid + c * grid**2, color=color, linewidth=2, label=label)
    axes.set(xlabel="x", ylabel="y")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", fontsize=8)
    _show(figure)


def plot_history(
    loss_history: Any, title: str = "Loss during Gradient Descent", color: str = "blue"
) -> None:
    """Show losses against their iteration, live: exactly these; without any, say so.

    Parameters
    ----------
    loss_history
        At most 1,000,001 losses, numbers or tensors, also such as require gradients; inf and NaN
        are shown as diverged.
    title
        Title of the picture.
    color
        Color of the line, as matplotlib knows it; on a dark ground as much lighter as it must be.

    Raises
    ------
    ValueError
        When an argument is not what is accepted.
    """
    from gdwidgets.explorers.recorded.given import as_losses
    from gdwidgets.ui.plots.named import as_color

    losses = as_losses(loss_history, "loss_history")
    heading, line = checks.text(title, "title"), as_color(color, "color")
    if not losses.size:
        print("There are no losses to plot.")
        return
    _show_live(partial(_history_explorer, losses, heading, line))


def plot_himmelblau_trajectory(trajectory: Any, cmap: str = "gray") -> None:
    """Show a trajectory over Himmelblau's function on [−6, 6]², live: exactly these points.

    Beside it stand the function's values at the points, computed in float64.

    Parameters
    ----------
    trajectory
        1 to 1,000,001 points (u, v): list, array or tensor; one that diverged may hold inf and NaN.
    cmap
        Colormap of the function, as matplotlib knows it.

    Raises
    ------
    ValueError
        When an argument is not what is accepted.
    """
    from gdwidgets.explorers.recorded.given import as_trajectory
    from gdwidgets.ui.plots.named import as_colormap

    points = as_trajectory(trajectory, "trajectory")
    _show_live(partial(_trajectory_explorer, points, as_colormap(cmap, "cmap")))


def _coefficients(values: Any, name: str) -> tuple[float, float, float]:
    """Three numbers, also inf and NaN, as training leaves them that diverged."""
    array = checks.float64_array(values, name)
    if array.size != 3:
        raise ValueError(f"{name} must be three numbers, got {checks.shown(values)}")
    a, b, c = (float(value) for value in array.ravel())
    return a, b, c


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches that pyplot knows nothing of."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="tight")
    axes = figure.subplots()
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_fontsize(8)
    axes.yaxis.label.set_fontsize(8)
    return figure, axes


def _show(figure: Figure) -> None:
    """Display a figure as PNG where there is a notebook; otherwise nobody would see it."""
    if not _in_ipython():
        return
    from IPython.display import Image, display

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    display(Image(buffer.getvalue()))  # type: ignore[no-untyped-call]  # IPython's gap


def _show_live(make: Callable[[], Any]) -> None:
    """Make and display an explorer where there is a notebook."""
    if not _in_ipython():
        return
    from IPython.display import display

    display(make())  # type: ignore[no-untyped-call]  # IPython's gap


def _in_ipython() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None


def _learning_rate_explorer() -> Any:
    from gdwidgets.explorers.learning_rate.explorer import LearningRateExplorer

    return LearningRateExplorer()


def _accumulation_comparer() -> Any:
    from gdwidgets.explorers.accumulation.explorer import AccumulationComparer

    return AccumulationComparer()


def _himmelblau_explorer(
    start: tuple[float, float], learning_rate: float, loss_tol: float | None
) -> Any:
    from gdwidgets.explorers.surface.himmelblau import HimmelblauExplorer

    return HimmelblauExplorer(start=start, learning_rate=learning_rate, loss_tol=loss_tol)


def _history_explorer(losses: Any, title: str, color: str) -> Any:
    from gdwidgets.explorers.recorded.history import HistoryExplorer

    return HistoryExplorer(losses=losses, title=title, color=color)


def _trajectory_explorer(points: Any, cmap: Any) -> Any:
    from gdwidgets.explorers.recorded.trajectory import TrajectoryExplorer

    return TrajectoryExplorer(trajectory=points, cmap=cmap)
