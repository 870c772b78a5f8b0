"""The least-squares polynomial, against exact arithmetic and against every descent."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gdwidgets.core import Descent, PolynomialRegression, training_pairs

mpmath.mp.dps = 120


def exact(regression):
    """Coefficients, loss and singular values of X by high-precision arithmetic."""
    x, y = regression.x.double().tolist(), regression.y.double().tolist()
    matrix = mpmath.matrix([[mpmath.mpf(v) ** d for d in range(regression.degree + 1)] for v in x])
    target = mpmath.matrix(y)
    normal = matrix.T * matrix
    coefficients = mpmath.lu_solve(normal, matrix.T * target)
    residuals = matrix * coefficients - target
    loss = mpmath.fsum(r * r for r in residuals) / len(x)
    eigenvalues = mpmath.eigsy(normal, eigvals_only=True)
    return coefficients, loss, sorted((mpmath.sqrt(e) for e in eigenvalues), reverse=True)


def years():
    rng = np.random.default_rng(0)
    x = np.arange(1990, 2021)
    return x, np.sin((x - 1990) / 5) + 0.1 * rng.normal(size=len(x)), 3


def shifted(degree):
    x, y = training_pairs()
    return x + 10, y, degree


def spread(high, degree):
    rng = np.random.default_rng(1)
    x = np.linspace(0, high, 40)
    return x, np.cos(6 * x / high) + 0.2 * rng.normal(size=len(x)), degree


HARD = {
    "years": years(),
    "x + 10, degree 6": shifted(6),
    "x + 10, degree 10": shifted(10),
    "0 … 0.001": spread(1e-3, 5),
    "0 … 100": spread(100, 8),
    "the course, degree 8": (*training_pairs(), 8),
}


@pytest.mark.parametrize("data", HARD.values(), ids=HARD.keys())
def test_badly_scaled_inputs_are_fitted_exactly(data):
    regression = PolynomialRegression(*data)
    coefficients, loss, singular = exact(regression)
    fit = regression.closed_form()
    assert fit.loss == pytest.approx(float(loss), rel=1e-9)
    np.testing.assert_allclose(fit.coefficients, [float(c) for c in coefficients], rtol=1e-9)
    assert fit.unique
    assert fit.rank == regression.degree + 1
    np.testing.assert_allclose(
        regression.singular().values, [float(s) for s in singular], rtol=1e-7
    )
    x = regression.x.double().numpy()
    drawn = np.mean((fit.values(x) - regression.y.numpy()) ** 2)
    assert drawn == pytest.approx(float(loss), rel=1e-9)


def test_it_unpacks_as_coefficients_and_loss():
    fit = PolynomialRegression(*training_pairs()).closed_form()
    coefficients, loss = fit
    assert coefficients is fit.coefficients
    assert loss == fit.loss == fit[1]
    assert fit.representable
    assert fit.representable_in_float64


@settings(max_examples=40, deadline=None)
@given(
    degree=st.integers(0, 6),
    offset=st.sampled_from([0.0, 1.0, 30.0, -500.0]),
    scale=st.sampled_from([1e-3, 1.0, 40.0]),
    seed=st.integers(0, 10_000),
)
def test_the_loss_is_the_least_for_any_data(degree, offset, scale, seed):
    rng = np.random.default_rng(seed)
    x = offset + scale * rng.uniform(-1, 1, degree + 1 + rng.integers(0, 8))
    assume(len(np.unique(x.astype(np.float32))) > degree)
    regression = PolynomialRegression(x, rng.normal(size=len(x)), degree)
    fit = regression.closed_form()
    _, loss, singular = exact(regression)
    assert fit.loss == pytest.approx(float(loss), rel=1e-6, abs=1e-22)
    np.testing.assert_allclose(
        regression.singular().values, [float(s) for s in singular], rtol=1e-6
    )
    rounded = [mpmath.mpf(float(np.float32(c))) for c in fit.coefficients]
    values = [mpmath.polyval(rounded[::-1], mpmath.mpf(v)) for v in regression.x.double().tolist()]
    pairs = zip(values, regression.y.tolist(), strict=True)
    inflated = mpmath.fsum((v - t) ** 2 for v, t in pairs) / len(x)
    assert fit.loss_in_float32 == pytest.approx(float(inflated), rel=1e-5, abs=1e-20)


@settings(max_examples=15, deadline=None)
@given(
    case=st.sampled_from(list(HARD)),
    seed=st.integers(0, 1000),
    spread=st.sampled_from([0.0, 1e-7, 1e-3, 1.0]),
)
def test_no_lane_is_below_the_least_loss_but_for_rounding(case, seed, spread):
    regression = PolynomialRegression(*HARD[case])
    fit = regression.closed_form()
    rng = np.random.default_rng(seed)
    noise = 1 + spread * rng.normal(size=(4, len(fit.coefficients)))
    start = (fit.coefficients * noise).astype(np.float32)
    limit = len(regression.x) / regression.singular().values[0] ** 2
    descent = Descent(regression, start, 0.9 * limit, max_steps=20)
    descent.advance_to(20)
    powers = np.abs(regression.x.double().numpy())[:, None] ** np.arange(regression.degree + 1)
    sizes = np.abs(descent.params.astype(float)) @ powers.T + regression.y.abs().numpy()
    rounding = 4 * (regression.degree + 2) * 2**-24 * np.sqrt((sizes**2).mean(-1))
    bound = np.maximum(np.sqrt(fit.loss) - rounding, 0) ** 2
    assert (descent.loss >= bound * (1 - 1e-5)).all()


def test_what_numbers_cannot_hold_is_said():
    years_10 = PolynomialRegression(*years()[:2], 10).closed_form()
    assert not years_10.representable
    assert not years_10.representable_in_float64
    assert years_10.loss < years_10.loss_in_float64 < years_10.loss_in_float32
    shifted_10 = PolynomialRegression(*shifted(10)).closed_form()
    assert not shifted_10.representable
    assert shifted_10.loss_in_float32 > 1e6
    assert PolynomialRegression(*shifted(2)).closed_form().representable
    tiny = PolynomialRegression(np.arange(1, 12) * 1e-38, np.arange(11) % 2, 10).closed_form()
    assert np.isinf(tiny.coefficients[-1])
    assert not tiny.representable_in_float64


@settings(max_examples=20, deadline=None)
@given(
    inputs=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=6, max_size=10),
    seed=st.integers(0, 1000),
)
def test_with_repeated_inputs_the_smallest_coefficients_are_taken(inputs, seed):
    y = np.random.default_rng(seed).normal(size=len(inputs)).astype(np.float32)
    fit = PolynomialRegression(inputs, y, 5).closed_form()
    assert fit.rank == len(set(inputs))
    assert not fit.unique
    matrix = np.vander(np.array(inputs), 6, increasing=True)
    least, *_ = np.linalg.lstsq(matrix, y.astype(float))
    np.testing.assert_allclose(fit.coefficients, least, atol=1e-8)
    assert fit.loss == pytest.approx(np.mean((matrix @ least - y) ** 2), rel=1e-9, abs=1e-20)
    svd = PolynomialRegression(inputs, y, 5).singular()
    assert (svd.values[fit.rank :] == 0).all()
    assert (svd.values[: fit.rank] > 0).all()
    rebuilt = svd.left * svd.values[: fit.rank] @ svd.right[:, : fit.rank].T
    np.testing.assert_allclose(rebuilt, matrix, atol=1e-6)


def test_the_decomposition_is_one():
    for x, y, degree in HARD.values():
        regression = PolynomialRegression(x, y, degree)
        svd = regression.singular()
        count = degree + 1
        np.testing.assert_allclose(svd.left.T @ svd.left, np.eye(count), atol=1e-8)
        np.testing.assert_allclose(svd.right.T @ svd.right, np.eye(count), atol=1e-8)
        powers = regression.x.double().numpy()[:, None] ** np.arange(count)
        rebuilt = svd.left * svd.values @ svd.right.T
        np.testing.assert_allclose(rebuilt, powers, atol=1e-9 * np.abs(powers).max())


def test_the_session_s_defaults_change_nothing():
    regression = PolynomialRegression(*training_pairs())
    expected = regression.closed_form()
    with torch.inference_mode():
        inside = PolynomialRegression(*training_pairs()).closed_form()
    np.testing.assert_array_equal(inside.coefficients, expected.coefficients)
