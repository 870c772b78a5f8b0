"""Limits of the learning rate, each against what descents do at it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gdwidgets.core import (
    SURFACES,
    Descent,
    LinearNeuron,
    MiniBatches,
    PolynomialRegression,
    Surface,
    condition_number,
    hessian,
    learning_rate_limit,
    training_pairs,
)
from gdwidgets.core.analysis.curvature import has_kink, hessians, rate_limits
from gdwidgets.core.analysis.sharpness import sharpness
from gdwidgets.core.objectives.micro_batches import MicroBatches

SMOOTH = sorted(set(SURFACES) - {"ackley"})
coordinate = st.floats(-3, 3, width=32)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(SURFACES)), u=coordinate, v=coordinate)
def test_hessians_are_torch_s(name, u, v):
    surface = SURFACES[name]
    assume(abs(u) + abs(v) > 1e-3)
    point = torch.tensor([u, v], dtype=torch.float64)
    expected = torch.autograd.functional.hessian(lambda p: surface(p[None])[0], point)
    np.testing.assert_allclose(hessian(surface, (u, v)), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(
    name=st.sampled_from(SMOOTH),
    points=st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=20),
)
def test_many_points_in_one_pass_are_each_point_by_itself(name, points):
    surface = SURFACES[name]
    together = hessians(surface, points)
    alone = np.stack([hessian(surface, point).numpy() for point in points])
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)
    largest = [np.linalg.eigvalsh(matrix)[-1] for matrix in alone]
    np.testing.assert_allclose(sharpness(surface, points), largest, rtol=1e-9, atol=1e-9)


def test_sharpness_along_a_path_says_which_minima_cannot_hold():
    surface, rate = SURFACES["himmelblau"], 0.016
    at_minima = sharpness(surface, surface.minima)
    unstable = at_minima > 2 / rate
    assert unstable.tolist() == [False, False, True, False]
    starts = np.array(surface.minima, dtype=np.float32) + np.float32(1e-3)
    descent = Descent(surface, starts, rate, max_steps=2000)
    descent.advance_to(2000)
    away = np.hypot(*(descent.params[-1] - np.array(surface.minima)).T)
    assert ((away > 0.01) == unstable).all()
    path = sharpness(surface, descent.params[:300, 0])
    assert path.shape == (300,)
    assert np.isnan(sharpness(surface, [(math.nan, 0), (1, 1)])).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"points must have shape \(M, 2\)"):
        sharpness(surface, [1.0, 2.0])


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["booth", "matyas", "narrow valley", "saddle"]), u=coordinate, v=coordinate
)
def test_on_quadratics_the_next_update_lowers_the_loss_up_to_the_one_step_limit(name, u, v):
    surface = SURFACES[name]
    limits = rate_limits(surface, (u, v))
    assert not limits.kink
    assume(limits.one_step is not None and np.hypot(*surface.gradient([(u, v)])[0]) > 1e-2)
    assert limits.one_step >= limits.stability * (1 - 1e-9)
    rates = (0.97 * limits.one_step, 1.03 * limits.one_step)
    if math.isinf(limits.one_step):
        rates = (1.0, 3.0)
    descent = Descent(surface, (u, v), rates, max_steps=1)
    descent.advance_to(1)
    loss = surface.values(descent.params[1]).astype(float)
    change = loss - descent.loss[0]
    assert change[0] < 0
    assert (change[1] > 0) == math.isfinite(limits.one_step)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(SMOOTH), u=coordinate, v=coordinate)
def test_the_one_step_limit_is_where_the_local_quadratic_is_level_again(name, u, v):
    surface = SURFACES[name]
    limits = rate_limits(surface, (u, v))
    assume(limits.one_step is not None and math.isfinite(limits.one_step))
    gradient = surface.gradient([(u, v)])[0].astype(float)
    assume(np.hypot(*gradient) > 1e-3)
    update = -limits.one_step * gradient
    curved = 0.5 * update @ hessian(surface, (u, v)).numpy() @ update
    assert gradient @ update + curved == pytest.approx(0, abs=1e-4 * abs(gradient @ update))


def test_beyond_local_stability_an_update_may_still_lower_the_loss():
    surface = SURFACES["himmelblau"]
    points = np.random.default_rng(0).uniform(-6, 6, (200, 2))
    limits = [rate_limits(surface, point) for point in points]
    stable = np.array([limit.stability for limit in limits])
    descent = Descent(surface, points, np.minimum(1.05 * stable, 1), max_steps=1)
    descent.advance_to(1)
    fell = descent.loss[1] < descent.loss[0]
    assert 0.2 < fell[np.isfinite(stable)].mean() < 0.95


@settings(max_examples=12, deadline=None)
@given(name=st.sampled_from(["himmelblau", "beale", "six-hump camel", "mccormick"]), data=st.data())
def test_the_stability_limit_divides_coming_back_from_leaving(name, data):
    surface = SURFACES[name]
    point = data.draw(st.sampled_from(surface.minima))
    limit = learning_rate_limit(surface, point)
    _, vectors = np.linalg.eigh(hessian(surface, point).numpy())
    start = np.array(point) + 1e-3 * vectors[:, -1]
    descent = Descent(surface, start, (0.95 * limit, 1.05 * limit), max_steps=40)
    descent.advance_to(40)
    away = np.hypot(*(descent.params[-1] - np.array(point)).T)
    assert away[0] < 0.5e-3
    assert away[1] > 2e-3


KINKS = {
    "the tip of Ackley's function": (SURFACES["ackley"], (0, 0)),
    "abs": (Surface(lambda u, v: u.abs() + v**2, (-1, 1)), (0, 0.5)),
    "relu": (Surface(lambda u, v: torch.relu(u) + v**2, (-1, 1)), (0, 0.5)),
    "a distance": (Surface(lambda u, v: torch.sqrt(u**2 + v**2 + 1e-30), (-1, 1)), (0, 0)),
}


@pytest.mark.parametrize(("surface", "point"), KINKS.values(), ids=KINKS.keys())
def test_at_a_kink_there_is_no_limit(surface, point):
    limits = rate_limits(surface, point)
    assert limits.kink
    assert limits.stability is None
    assert limits.one_step is None
    with pytest.raises(ValueError, match="there is no limit"):
        learning_rate_limit(surface, point)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(SMOOTH), u=coordinate, v=coordinate)
def test_smooth_functions_have_no_kinks(name, u, v):
    assert not has_kink(SURFACES[name], (u, v))
    assert not has_kink(SURFACES["ackley"], (u, v)) or np.hypot(u, v) < 1e-4


def test_second_order_kinks_are_none():
    assert not has_kink(Surface(lambda u, v: torch.relu(u) ** 2 + v**2, (-1, 1)), (0, 0.1))
    assert not has_kink(Surface(lambda u, v: 2 * u + v, (-1, 1)), (0, 0.1))
    assert not has_kink(Surface(lambda u, v: (0.1 * u - 0.3 * v) ** 2, (-1, 1)), (0.3, 0.1))


def test_functions_that_take_float32_only_are_served():
    weight = torch.tensor([[2.0]], dtype=torch.float32)
    narrow = Surface(lambda u, v: (u[:, None] @ weight)[:, 0] ** 2 + v**2, (-1, 1))
    np.testing.assert_allclose(hessian(narrow, (0.5, 0.5)), [[8, 0], [0, 2]], rtol=1e-6)
    assert learning_rate_limit(narrow, (0.5, 0.5)) == pytest.approx(0.25)


def test_a_flat_point_has_no_one_step_limit():
    limits = rate_limits(SURFACES["booth"], (1, 3))
    assert limits.one_step is None
    assert limits.stability == pytest.approx(2 / 18)


def test_the_limit_of_batches_is_that_of_all_samples():
    regression = PolynomialRegression(*training_pairs())
    batches = MiniBatches(regression, 10)
    batches.begin_step(7)
    assert learning_rate_limit(batches, (0, 0, 0)) == learning_rate_limit(regression, (0, 0, 0))
    parts = MicroBatches(*training_pairs(8), 4)
    assert learning_rate_limit(parts, (0, 0)) == pytest.approx(2 / parts.curvature)
    whole = PolynomialRegression(*training_pairs(8), 1)
    expected = hessian(whole, (0, 0)).flip(0, 1)
    torch.testing.assert_close(hessian(parts, (0, 0)), expected)


def test_the_condition_number_survives_rounding():
    steep = PolynomialRegression(*training_pairs(), 8)
    assert condition_number(steep, [0.0] * 9) == pytest.approx(1.02e12, rel=0.01)
    assert condition_number(LinearNeuron(), (0, 0)) == math.inf
    repeated = PolynomialRegression([0, 0, 1, 1], [1, 2, 3, 4], 2)
    assert condition_number(repeated, (0, 0, 0)) == math.inf
