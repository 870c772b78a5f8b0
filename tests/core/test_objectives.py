"""Polynomial regression, the linear neuron, and what second derivatives say about them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdwidgets.core import (
    SURFACES,
    Descent,
    LinearNeuron,
    PolynomialRegression,
    Surface,
    condition_number,
    hessian,
    initial_parameters,
    learning_rate_limit,
    training_pairs,
)

params_3 = st.tuples(*[st.floats(-10, 10, width=32)] * 3)


@settings(max_examples=25)
@given(st.lists(params_3, min_size=1, max_size=4))
def test_the_manual_gradient_is_autograd_s(params):
    regression = PolynomialRegression(*training_pairs())
    leaf = torch.tensor(params, dtype=torch.float32, requires_grad=True)
    regression(leaf).sum().backward()
    torch.testing.assert_close(regression.manual_gradient(params), leaf.grad, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("degree", [0, 1, 2, 5])
def test_the_closed_form_is_numpy_s_and_has_no_gradient(degree):
    x, y = training_pairs()
    regression = PolynomialRegression(x, y, degree)
    coefficients, loss = regression.closed_form()
    expected = np.polynomial.polynomial.polyfit(x.double().numpy(), y.double().numpy(), degree)
    np.testing.assert_allclose(coefficients, expected, rtol=1e-6, atol=1e-6)
    assert coefficients.dtype == np.float64
    assert loss == pytest.approx(float(regression(torch.tensor(expected)[None].float())), rel=1e-4)
    np.testing.assert_allclose(regression.manual_gradient(coefficients), 0, atol=1e-3)


def test_predictions_are_the_polynomials():
    regression = PolynomialRegression((0, 1, 2), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(
        regression.predict([(1, 2, 3), (0, 0, 1)], (0, 1, 2)), [[1, 6, 17], [0, 1, 4]]
    )
    assert regression.parameter_names == ("a", "b", "c")


@pytest.mark.parametrize("container", [list, tuple, np.asarray, torch.tensor])
def test_data_come_in_any_container_and_are_copied(container):
    x, y = container([0.0, 1.0, 2.0]), container([1.0, 2.0, 5.0])
    regression = PolynomialRegression(x, y, 1)
    if not isinstance(x, tuple):
        x[0] = 9.0
    assert regression.x.tolist() == [0, 1, 2]
    assert regression.x.dtype == torch.float32


BAD = [
    (([], []), "x must be a one-dimensional"),
    (([1, 2], [1, 2, 3]), "same length, got 2 and 3"),
    (([[1, 2]], [[1, 2]]), r"shape \(1, 2\)"),
    (([1, float("nan"), 2], [1, 2, 3]), "x must be finite"),
    (([1, 2, 3], [1, float("inf"), 2]), "y must be finite"),
    (([1, 2], [1, 2]), "needs at least 3 samples, got 2"),
    ((["a"], [1]), "x must be numbers"),
    (([True, False, True], [1, 2, 3]), "x must be numbers"),
    (([1, 2, 3], [1, 2, 3], 1.5), "degree must be a whole number"),
    (([1, 2, 3], [1, 2, 3], -1), "degree must be a whole number from 0 to 10"),
    (([1, 2, 3], [1, 2, 3], 11), "degree must be a whole number from 0 to 10"),
    (([1, 2, 3], [1, 2, 3], True), "degree must be a whole number"),
    (([1e30, 1, 2], [1, 2, 3]), "float32"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_data_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PolynomialRegression(*arguments)


@pytest.mark.parametrize("arguments", [(float("nan"), 1), (1, "y"), (None, 1), (True, 1)])
def test_a_neuron_needs_finite_numbers(arguments):
    with pytest.raises(ValueError, match="must be a"):
        LinearNeuron(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"), [((0,), "num"), ((1.5,), "num"), ((5, -1), "seed")]
)
def test_training_pairs_need_whole_numbers(arguments, message):
    with pytest.raises(ValueError, match=message):
        training_pairs(*arguments)
    with pytest.raises(ValueError, match="count"):
        initial_parameters(0)


def test_the_hessian_of_the_regression_is_its_second_derivative():
    regression = PolynomialRegression(*training_pairs())
    second = torch.autograd.functional.hessian(lambda p: regression(p[None])[0], torch.zeros(3))
    torch.testing.assert_close(hessian(regression, (1, 2, 3)).float(), second, rtol=1e-4, atol=1e-4)


def test_hessians_of_surfaces_are_the_formulas():
    u, v = 1.3, -0.7
    expected = [
        [12 * u**2 + 4 * v - 42, 4 * (u + v)],
        [4 * (u + v), 12 * v**2 + 4 * u - 26],
    ]
    np.testing.assert_allclose(hessian(SURFACES["himmelblau"], (u, v)), expected, rtol=1e-5)
    plane = Surface(lambda u, v: 2 * u + v, (-1, 1))
    assert hessian(plane, (0, 0)).tolist() == [[0, 0], [0, 0]]


def test_the_limit_divides_convergence_from_divergence():
    for objective, start in (
        (LinearNeuron(), (0.5, 0.5)),
        (SURFACES["narrow valley"], (1.0, 1.0)),
        (PolynomialRegression(*training_pairs()), (0.0, 0.0, 0.0)),
    ):
        limit = learning_rate_limit(objective, start)
        descent = Descent(objective, start, (0.98 * limit, 1.02 * limit), max_steps=4000)
        descent.advance_to(4000)
        assert descent.outcomes.tolist() == ["max_steps", "diverged"]


def test_limits_known_by_hand():
    assert learning_rate_limit(LinearNeuron(), (0, 0)) == pytest.approx(2 / 6.5)
    assert learning_rate_limit(SURFACES["narrow valley"], (5, 5)) == pytest.approx(0.02)
    assert condition_number(SURFACES["narrow valley"], (5, 5)) == pytest.approx(100)
    assert condition_number(LinearNeuron(), (0, 0)) > 1e6
    hill = Surface(lambda u, v: -(u**2) - v**2, (-1, 1))
    assert learning_rate_limit(hill, (0, 0)) == math.inf
    assert condition_number(SURFACES["saddle"], (0, 0)) == math.inf


def test_a_hessian_that_is_not_finite_is_an_error():
    root = Surface(lambda u, v: torch.sqrt(u.abs()) + v**2, (-1, 1))
    with pytest.raises(ValueError, match="not finite"):
        learning_rate_limit(root, (0, 0))
    with pytest.raises(ValueError, match="point must be 2 numbers"):
        learning_rate_limit(root, (0, 0, 0))
