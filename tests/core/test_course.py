"""The course's printed tables come out to every digit."""

from __future__ import annotations

import pytest
import torch

from course import CLEARED, CLOSED_FORM, HIMMELBLAU, ITERATIONS, LEARNING_RATES, UNCLEARED
from gdwidgets.core import (
    SURFACES,
    Descent,
    LinearNeuron,
    PolynomialRegression,
    initial_parameters,
    learning_rate_limit,
    training_pairs,
)


@pytest.fixture(scope="module")
def regression():
    return PolynomialRegression(*training_pairs())


@pytest.fixture(scope="module")
def exercise_1(regression):
    descent = Descent(regression, initial_parameters(), (1.0, 0.1, 0.01, 0.001), max_steps=8000)
    descent.advance_to(8000)
    return descent


def row(params, loss):
    a, b, c = (float(number) for number in params)
    return f"a: {a:7.4f}, b: {b:7.4f}, c: {c:7.4f}, loss: {float(loss):9.4f}"


def test_the_training_pairs_are_the_course_s():
    torch.manual_seed(0)
    x = torch.rand(100) * 2
    y = x + 2 * (x - 0.9) ** 2 + 0.3 * torch.cos(20 * x) + 0.1 * torch.randn(100)
    ours = training_pairs()
    assert torch.equal(ours[0], x)
    assert torch.equal(ours[1], y)


def test_the_initial_parameters_are_three_draws_after_seed_1():
    torch.manual_seed(1)
    assert initial_parameters().tolist() == [torch.randn(()).item() for _ in range(3)]


def test_exercise_1_changing_the_learning_rate(exercise_1):
    lines = []
    for lane, rate in enumerate(exercise_1.learning_rates):
        if exercise_1.last_step[lane] < 4000:
            # The course runs on into NaN; the recording keeps the last finite record.
            assert exercise_1.outcomes[lane] == "diverged"
            numbers = row([float("nan")] * 3, float("nan"))
        else:
            numbers = row(exercise_1.params[4000, lane], exercise_1.loss[3999, lane])
        lines.append(f"Learning rate {rate:.0e} | {numbers}")
    assert "\n".join(lines) == LEARNING_RATES


@pytest.mark.parametrize(("lane", "rate"), [(1, 0.1), (2, 0.01)])
def test_exercise_1_changing_the_number_of_iterations(exercise_1, lane, rate):
    lines = [
        f"Iterations {n:4d}         | "
        + row(exercise_1.params[n, lane], exercise_1.loss[n - 1, lane])
        for n in (100, 2000, 4000, 6000, 8000)
    ]
    assert "\n".join(lines) == ITERATIONS[rate]


def test_the_closed_form(regression):
    coefficients, loss = regression.closed_form()
    assert f"Closed-form solution    | {row(coefficients, loss)}" == CLOSED_FORM


def test_the_largest_stable_learning_rate(regression):
    assert f"{learning_rate_limit(regression, (0, 0, 0)):.4f}" == "0.2004"


def test_exercise_2_both_tables():
    descent = Descent(LinearNeuron(), (0.5, 0.5), 0.1, clear_every=(None, 1), max_steps=10)
    descent.advance_to(9)
    for lane, table in enumerate((UNCLEARED, CLEARED)):
        lines = [
            f"{k + 1:4d} | {descent.loss[k, lane]:10.6f} | "
            + " | ".join(f"{x:8.4f}" for x in (*descent.params[k, lane], *descent.grad[k, lane]))
            for k in range(10)
        ]
        assert "\n".join(lines) == table


@pytest.mark.parametrize(("start", "loss_tol"), HIMMELBLAU, ids=str)
def test_exercise_3(start, loss_tol):
    descent = Descent(SURFACES["himmelblau"], start, 5e-4, loss_tol=loss_tol, max_steps=300)
    descent.advance_to(300)
    assert exercise_3_lines(descent) == HIMMELBLAU[start, loss_tol]


def exercise_3_lines(descent):
    """What the course prints, read off a single lane's recording."""
    params, loss = descent.params[:, 0], descent.loss[:, 0]
    last = int(descent.last_step[0])
    stopped = descent.outcomes[0] == "converged"
    lines = [
        f"Step {n:4d} | u = {params[n - 1, 0]:.4f}, v = {params[n - 1, 1]:.4f}, "
        f"loss = {loss[n - 1]:.6f}"
        for n in range(100, last + 1, 100)
    ]
    if stopped:
        change = abs(float(loss[last]) - float(loss[last - 1]))
        lines.append(
            f"Stopping early at step {last + 1}: loss change = {change:.6f} "
            f"< loss_tol = {descent.loss_tol}"
        )
    final = loss[last] if stopped else loss[last - 1]
    lines.append(
        f"Final: u = {params[last, 0]:.4f}, v = {params[last, 1]:.4f}, final loss = {final:.6f}"
    )
    return "\n".join(lines)
