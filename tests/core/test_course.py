"""The course's printed tables come out to every digit."""

from __future__ import annotations

import pytest
import torch

from gdwidgets.core import (
    SURFACES,
    Descent,
    LinearNeuron,
    PolynomialRegression,
    initial_parameters,
    learning_rate_limit,
    training_pairs,
)

LEARNING_RATES = """\
Learning rate 1e+00 | a:     nan, b:     nan, c:     nan, loss:       nan
Learning rate 1e-01 | a:  1.8195, b: -3.0786, c:  2.2214, loss:    0.0503
Learning rate 1e-02 | a:  1.4430, b: -2.0325, c:  1.7196, loss:    0.0730
Learning rate 1e-03 | a:  0.7073, b:  0.0478, c:  0.7156, loss:    0.2522"""

ITERATIONS = {
    0.1: """\
Iterations  100         | a:  0.8828, b: -0.4756, c:  0.9729, loss:    0.1912
Iterations 2000         | a:  1.8166, b: -3.0707, c:  2.2175, loss:    0.0503
Iterations 4000         | a:  1.8195, b: -3.0786, c:  2.2214, loss:    0.0503
Iterations 6000         | a:  1.8195, b: -3.0786, c:  2.2214, loss:    0.0503
Iterations 8000         | a:  1.8195, b: -3.0786, c:  2.2214, loss:    0.0503""",
    0.01: """\
Iterations  100         | a:  0.7115, b:  0.3569, c:  0.5112, loss:    0.3005
Iterations 2000         | a:  1.1279, b: -1.1572, c:  1.2998, loss:    0.1267
Iterations 4000         | a:  1.4430, b: -2.0325, c:  1.7196, loss:    0.0730
Iterations 6000         | a:  1.6145, b: -2.5091, c:  1.9482, loss:    0.0570
Iterations 8000         | a:  1.7079, b: -2.7686, c:  2.0727, loss:    0.0523""",
}

CLOSED_FORM = "Closed-form solution    | a:  1.8195, b: -3.0787, c:  2.2214, loss:    0.0503"

UNCLEARED = """\
   1 |   1.562500 |   0.5000 |   0.5000 |  -3.7500 |  -2.5000
   2 |   0.191406 |   0.8750 |   0.7500 |  -5.0625 |  -3.3750
   3 |   0.434776 |   1.3813 |   1.0875 |  -3.0844 |  -2.0562
   4 |   1.762671 |   1.6897 |   1.2931 |   0.8986 |   0.5991
   5 |   1.283600 |   1.5998 |   1.2332 |   4.2975 |   2.8650
   6 |   0.040740 |   1.1701 |   0.9467 |   4.9030 |   3.2687
   7 |   0.740418 |   0.6798 |   0.6199 |   2.3216 |   1.5477
   8 |   1.859085 |   0.4476 |   0.4651 |  -1.7689 |  -1.1793
   9 |   0.960844 |   0.6245 |   0.5830 |  -4.7096 |  -3.1397
  10 |   0.001614 |   1.0955 |   0.8970 |  -4.5890 |  -3.0593"""

CLEARED = """\
   1 |   1.562500 |   0.5000 |   0.5000 |  -3.7500 |  -2.5000
   2 |   0.191406 |   0.8750 |   0.7500 |  -1.3125 |  -0.8750
   3 |   0.023447 |   1.0063 |   0.8375 |  -0.4594 |  -0.3062
   4 |   0.002872 |   1.0522 |   0.8681 |  -0.1608 |  -0.1072
   5 |   0.000352 |   1.0683 |   0.8788 |  -0.0563 |  -0.0375
   6 |   0.000043 |   1.0739 |   0.8826 |  -0.0197 |  -0.0131
   7 |   0.000005 |   1.0759 |   0.8839 |  -0.0069 |  -0.0046
   8 |   0.000001 |   1.0766 |   0.8844 |  -0.0024 |  -0.0016
   9 |   0.000000 |   1.0768 |   0.8845 |  -0.0008 |  -0.0006
  10 |   0.000000 |   1.0769 |   0.8846 |  -0.0003 |  -0.0002"""

HIMMELBLAU = {
    ((1.0, 1.0), None): """\
Step  100 | u = 2.8298, v = 2.0261, loss = 0.938195
Step  200 | u = 2.9880, v = 2.0220, loss = 0.008313
Step  300 | u = 2.9974, v = 2.0062, loss = 0.000588
Final: u = 2.9974, v = 2.0061, final loss = 0.000588""",
    ((-1.0, -1.0), None): """\
Step  100 | u = -3.1413, v = -2.1422, loss = 41.550198
Step  200 | u = -3.7448, v = -3.2243, loss = 0.161758
Step  300 | u = -3.7783, v = -3.2816, loss = 0.000130
Final: u = -3.7783, v = -3.2816, final loss = 0.000130""",
    ((-1.0, 1.0), 1e-4): """\
Step  100 | u = -2.4022, v = 2.9422, loss = 5.786583
Step  200 | u = -2.7859, v = 3.1270, loss = 0.012538
Stopping early at step 233: loss change = 0.000098 < loss_tol = 0.0001
Final: u = -2.7986, v = 3.1301, final loss = 0.001436""",
}


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
