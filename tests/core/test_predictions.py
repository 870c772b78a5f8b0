"""What is known in advance about runs, each against the run itself."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from course_loops import himmelblau, landscape
from gdwidgets.core import (
    SURFACES,
    Adam,
    Descent,
    LinearNeuron,
    MiniBatches,
    Momentum,
    Nesterov,
    PolynomialRegression,
    RMSprop,
    Surface,
    initial_parameters,
    training_pairs,
)
from gdwidgets.core.analysis.adaptive import first_update, reach
from gdwidgets.core.analysis.momentum import (
    best_momentum,
    momentum_distance,
    momentum_limit,
    momentum_updates_to,
    spectral_radius,
    update_matrices,
)
from gdwidgets.core.analysis.noise import noise_floor
from gdwidgets.core.analysis.quadratic import Quadratic, quadratic
from gdwidgets.core.analysis.stopping import remaining_loss
from gdwidgets.core.analysis.vanishing import Layer, predicted_gradients, tanh_gradient

COURSE = PolynomialRegression(*training_pairs())
START = initial_parameters().numpy()
QUADRATICS = {
    "regression": COURSE,
    "line": PolynomialRegression(*training_pairs(20), 1),
    "neuron": LinearNeuron(),
    "booth": SURFACES["booth"],
    "matyas": SURFACES["matyas"],
    "narrow valley": SURFACES["narrow valley"],
    "tilted valley": Surface(lambda u, v: (u - 2 * v + 1) ** 2, (-3, 3)),
}


def run(objective, start, rate, steps, rule="gd", **keywords):
    descent = Descent(objective, start, rate, rule=rule, max_steps=steps, **keywords)
    descent.advance_to(steps)
    return descent


def distances(descent, centre, lane=0):
    return np.linalg.norm(descent.params[:, lane] - centre, axis=-1)


# -- quadratics ------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(list(QUADRATICS)), part=st.floats(0.01, 1.01), seed=st.integers(0, 99))
def test_losses_and_distances_are_predicted(name, part, seed):
    objective = QUADRATICS[name]
    known = quadratic(objective)
    start = np.random.default_rng(seed).normal(size=len(objective.parameter_names))
    descent = run(objective, start, part * known.limit, 100)
    steps = np.arange(101)
    start, rate = descent.start[0], part * known.limit
    predicted = known.loss(start, rate, steps)
    np.testing.assert_allclose(
        descent.loss[:, 0], predicted, rtol=1e-3, atol=1e-5 * predicted.max()
    )
    moved = descent.params[:, 0] - known.centre
    curved = known.directions[:, known.curvatures != 0]
    found = np.linalg.norm(moved @ curved, axis=-1)
    expected = known.distance(start, rate, steps)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_the_course_s_distance_is_reached_when_predicted():
    known = quadratic(COURSE)
    assert known.updates_to(START, 0.1, 1e-3) == 2734
    descent = run(COURSE, START, 0.1, 2800)
    assert int(np.argmax(distances(descent, known.centre) <= 1e-3)) == 2734


@settings(max_examples=12, deadline=None)
@given(part=st.floats(0.02, 0.98), target=st.floats(1e-2, 1.0))
def test_updates_to_a_distance_are_counted(part, target):
    known = quadratic(SURFACES["booth"])
    start, rate = (-8.0, 8.0), part * known.limit
    count = known.updates_to(start, rate, target)
    found = distances(run(SURFACES["booth"], start, rate, count + 20), known.centre)
    first = int(np.argmax(found <= target))
    assert abs(first - count) <= 1
    assert known.updates_to(start, 1.01 * known.limit, target) is None


def test_the_best_rate_shrinks_the_slowest_direction_most():
    known = quadratic(COURSE)
    assert f"{known.best_rate:.5f}" == "0.19984"
    assert known.updates_to(START, known.best_rate, 1e-3) == 1367
    assert known.best_factor == pytest.approx((known.condition - 1) / (known.condition + 1))
    for rate in np.linspace(0.01, known.limit, 200):
        assert np.abs(known.factors(rate)).max() >= known.best_factor - 1e-12
    descent = run(COURSE, START, known.best_rate, 1400)
    assert int(np.argmax(distances(descent, known.centre) <= 1e-3)) == 1367


def test_halving_is_named_for_its_direction():
    known = quadratic(COURSE)
    just_below = known.halving(0.2004)
    assert round(just_below.steepest) == 1397
    assert f"{just_below.flattest:.1f}" == "113.5"
    assert just_below.slowest == just_below.steepest
    small = known.halving(0.01)
    assert small.slowest == small.flattest > small.steepest
    assert known.halving(1 / known.curvatures[-1]).steepest == pytest.approx(0, abs=0.1)
    assert known.halving(0.21).steepest == math.inf


@settings(max_examples=15, deadline=None)
@given(part=st.floats(0.05, 0.95))
def test_each_direction_halves_when_predicted(part):
    known = quadratic(SURFACES["booth"])
    rate = part * known.limit
    halving = known.halving(rate)
    for direction, updates in ((1, halving.steepest), (0, halving.flattest)):
        assume(updates > 0.2)
        start = known.centre + 4 * known.directions[:, direction]
        found = distances(run(SURFACES["booth"], start, rate, 40), known.centre)
        expected = 4 * 0.5 ** (np.arange(41) / updates)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_degree_8_is_unique_and_badly_conditioned():
    known = quadratic(PolynomialRegression(*training_pairs(), 8))
    assert known.unique
    assert known.condition == pytest.approx(1.02e12, rel=0.01)
    flat = quadratic(PolynomialRegression([0, 0, 1, 1], [1, 2, 3, 4], 2))
    assert not flat.unique
    assert flat.condition == math.inf
    assert (flat.curvatures == 0).sum() == 1


def test_only_quadratics_are_quadratics():
    named = {name for name, surface in SURFACES.items() if quadratic(surface) is not None}
    assert named == {"booth", "matyas", "narrow valley", "saddle"}
    assert quadratic(Surface(lambda u, v: u - v, (-1, 1))) is None
    assert quadratic(Surface(lambda u, v: u.abs() + v**2, (-1, 1))) is None
    assert quadratic(MiniBatches(COURSE, 10)) is None
    saddle = quadratic(SURFACES["saddle"])
    descent = run(SURFACES["saddle"], (1.0, 0.5), 0.05, 40)
    predicted = saddle.loss((1.0, 0.5), 0.05, np.arange(41))
    np.testing.assert_allclose(descent.loss[:, 0], predicted, rtol=1e-4, atol=1e-4)


# -- momentum --------------------------------------------------------------------------------------

constants = {
    "curvature": st.floats(0.1, 20),
    "part": st.floats(0.01, 1.5),
    "beta": st.floats(0, 0.99),
    "nesterov": st.booleans(),
}


@given(**constants)
def test_the_spectral_radius_is_that_of_the_update_matrix(curvature, part, beta, nesterov):
    rate = part * momentum_limit(curvature, beta, nesterov=nesterov)
    (matrix,) = update_matrices([curvature], rate, beta, nesterov=nesterov)
    expected = np.abs(np.linalg.eigvals(matrix)).max()
    (radius,) = spectral_radius([curvature], rate, beta, nesterov=nesterov)
    assert radius == pytest.approx(expected, abs=1e-6)
    assume(abs(part - 1) > 1e-6)
    assert (radius < 1) == (part < 1)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["regression", "booth", "narrow valley"]),
    part=st.floats(0.05, 1.05),
    beta=st.floats(0, 0.95),
    nesterov=st.booleans(),
)
def test_distances_under_momentum_are_predicted(name, part, beta, nesterov):
    objective, known = QUADRATICS[name], quadratic(QUADRATICS[name])
    rate = part * momentum_limit(known.curvatures[-1], beta, nesterov=nesterov)
    rule = Nesterov(beta=beta) if nesterov else Momentum(beta=beta)
    start = known.centre.astype(np.float32) + np.float32(1)
    found = distances(run(objective, start, rate, 60, rule), known.centre)
    expected = momentum_distance(known, start, rate, beta, 60, nesterov=nesterov)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_the_best_heavy_ball_takes_104_updates():
    known = quadratic(COURSE)
    best = best_momentum(known)
    root = math.sqrt(known.condition)
    assert best.beta == pytest.approx(((root - 1) / (root + 1)) ** 2)
    radii = spectral_radius(known.curvatures, best.learning_rate, best.beta)
    assert radii.max() == pytest.approx(best.factor, abs=1e-6)
    assert momentum_updates_to(known, START, best.learning_rate, best.beta, 1e-3) == 104
    descent = run(COURSE, START, best.learning_rate, 150, Momentum(beta=best.beta))
    assert int(np.argmax(distances(descent, known.centre) <= 1e-3)) == 104
    rng = np.random.default_rng(0)
    others = zip(rng.uniform(0, 0.99, 200), rng.uniform(0.01, 0.8, 200), strict=True)
    assert all(spectral_radius(known.curvatures, g, b).max() > best.factor for b, g in others)


def test_at_0_15_plain_descent_converges_and_nesterov_diverges():
    known = quadratic(COURSE)
    limit = momentum_limit(known.curvatures[-1], 0.9, nesterov=True)
    assert limit < 0.15 < known.limit < momentum_limit(known.curvatures[-1], 0.9)
    descent = run(COURSE, START, 0.15, 3000, ["gd", "nesterov", "momentum"])
    assert descent.outcomes.tolist() == ["max_steps", "diverged", "max_steps"]
    assert momentum_updates_to(known, START, 0.15, 0.9, 1e-3, nesterov=True) is None
    assert momentum_limit(0, 0.9) == math.inf


# -- stopping --------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(part=st.floats(0.002, 0.3))
def test_what_remains_of_the_loss_is_predicted(part):
    valley = SURFACES["narrow valley"]
    known = quadratic(valley)
    rate = part / known.curvatures[-1]
    losses = valley.values(run(valley, (-9.0, 0.0), rate, 60).params[:, 0]).astype(float)
    remaining = remaining_loss(losses)
    assert part < 0.08 or remaining is not None
    assert remaining is None or remaining == pytest.approx(losses[-1], rel=0.1)


def test_the_course_s_tolerance_leaves_15_times_the_last_change():
    """The course's third example as its own loop; what remains is what that loop still loses."""
    _, _, losses, _ = landscape(himmelblau, (-1.0, 1.0), 5e-4, 2000, loss_tol=1e-4)
    assert len(losses) == 233
    _, _, longer, _ = landscape(himmelblau, (-1.0, 1.0), 5e-4, 2000, loss_tol=None)
    change, still_lost = losses[-2] - losses[-1], losses[-1] - min(longer)
    ratio = change / (losses[-3] - losses[-2])
    assert change * ratio / (1 - ratio) == pytest.approx(still_lost, rel=0.1)
    assert still_lost / change == pytest.approx(15, rel=0.05)
    assert remaining_loss(losses) == pytest.approx(still_lost, rel=0.05)


def test_losses_that_do_not_approach_anything_leave_nothing_to_predict():
    assert remaining_loss([3, 2, 1]) is None
    assert remaining_loss([3, 2, 0.5]) is None
    assert remaining_loss([1, 1, 1]) is None
    assert remaining_loss([1, 2, 2.5]) is None
    with pytest.raises(ValueError, match="at least three"):
        remaining_loss([1, 2])


# -- mini-batches ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "rate"), [(10, 0.02), (50, 0.1), (30, 0.05)])
def test_the_noise_floor_is_the_average_excess_of_the_full_loss(size, rate):
    batches = MiniBatches(COURSE, size)
    best, least = COURSE.closed_form()
    descent = run(batches, best, rate, 4000)
    predicted = noise_floor(batches, rate)
    excess = losses_of(descent.params[500:, 0]) - least
    assert excess.mean() == pytest.approx(predicted.dealt, rel=0.12)


def losses_of(params):
    residuals = params.astype(float) @ COURSE._powers.double().numpy() - COURSE.y.double().numpy()
    return (residuals**2).mean(-1)


def test_batches_drawn_anew_have_the_independent_floor():
    size, rate = 50, 0.1
    best, least = COURSE.closed_form()
    rng = np.random.default_rng(0)
    powers, y = COURSE._powers.double().numpy().T, COURSE.y.double().numpy()
    params = np.tile(best, (300, 1))
    found = []
    for k in range(400):
        chosen = np.argsort(rng.random((300, 100)), axis=1)[:, :size]
        x = powers[chosen]
        residuals = np.einsum("lbp,lp->lb", x, params) - y[chosen]
        params = params - rate * 2 / size * np.einsum("lbp,lb->lp", x, residuals)
        if k > 200:
            found.append(losses_of(params).mean() - least)
    predicted = noise_floor(MiniBatches(COURSE, size), rate)
    assert np.mean(found) == pytest.approx(predicted.independent, rel=0.05)


@pytest.mark.parametrize(("size", "rate"), [(10, 0.1), (25, 0.19), (50, 0.01), (99, 0.2)])
def test_the_independent_floor_balances_the_noise_and_the_shrinking(size, rate):
    """The covariance C of the coefficients, from update to update: (1 − γH) C (1 − γH) + γ²S."""
    x, y = (values.double().numpy() for values in training_pairs())
    design = np.vander(x, 3, increasing=True)
    residuals = design @ np.linalg.lstsq(design, y, rcond=None)[0] - y
    hessian = 2 / 100 * design.T @ design
    shrink = np.eye(3) - rate * hessian
    # Batches drawn without replacement: the corrected covariance over B, times (N − B)/N.
    noise = np.cov(2 * design * residuals[:, None], rowvar=False) / size * (100 - size) / 100
    covariance, power = rate**2 * noise, shrink
    for _ in range(40):  # each doubles the number of updates
        covariance = covariance + power @ covariance @ power.T
        power = power @ power
    excess = np.trace(hessian @ covariance) / 2
    assert noise_floor(MiniBatches(COURSE, size), rate).independent == pytest.approx(
        excess, rel=1e-5
    )


@given(size=st.integers(1, 100))
@settings(max_examples=20, deadline=None)
def test_the_variance_of_a_batch_s_gradient_is_that_of_random_batches(size):
    batches = MiniBatches(COURSE, size)
    best, _ = COURSE.closed_form()
    floor = noise_floor(batches, 0.1)
    powers = COURSE._powers.double().numpy()
    single = 2 * powers * (best @ powers - COURSE.y.double().numpy())
    rng = np.random.default_rng(size)
    drawn = [single[:, rng.permutation(100)[:size]].mean(1) for _ in range(600)]
    along = np.array(drawn) @ quadratic(COURSE).directions
    np.testing.assert_allclose(along.var(0), floor.variances, rtol=0.4, atol=1e-12)


def test_all_samples_together_have_no_floor_and_unstable_rates_no_finite_one():
    whole = noise_floor(MiniBatches(COURSE, 100), 0.1)
    assert whole.independent == 0
    assert whole.dealt == pytest.approx(0, abs=1e-12)
    assert noise_floor(MiniBatches(COURSE, 10), 0.21).independent == math.inf
    small, large = (noise_floor(MiniBatches(COURSE, 10), rate).dealt for rate in (0.01, 0.02))
    assert small < large / 2


# -- adaptive rules --------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    u=st.floats(-5, 5, width=32),
    v=st.floats(-5, 5, width=32),
    rate=st.floats(1e-3, 0.5),
    rule=st.sampled_from([Adam(), RMSprop(), RMSprop(alpha=0.5), Adam(beta1=0.5)]),
)
def test_the_first_update_has_the_size_of_the_rate(u, v, rate, rule):
    surface = SURFACES["himmelblau"]
    gradient = surface.gradient([(u, v)])[0]
    assume((np.abs(gradient) > 1e-2).all())
    descent = run(surface, (u, v), rate, 1, rule)
    moved = descent.params[0, 0].astype(float) - descent.params[1, 0]
    expected = first_update(rule, gradient, rate)
    np.testing.assert_allclose(moved, expected, rtol=1e-4, atol=1e-6)
    size = rate / math.sqrt(1 - rule.alpha) if isinstance(rule, RMSprop) else rate
    np.testing.assert_allclose(expected, size * np.sign(gradient), rtol=1e-4)


@settings(max_examples=10, deadline=None)
@given(
    slope=st.floats(0.1, 100),
    rate=st.floats(1e-3, 0.1),
    updates=st.integers(1, 60),
    rule=st.sampled_from([Adam(), RMSprop(), RMSprop(alpha=0.9)]),
)
def test_a_constant_gradient_carries_as_far_as_predicted(slope, rate, updates, rule):
    plane = Surface(lambda u, v: slope * u + 0 * v, (-1, 1))
    descent = run(plane, (0.0, 0.0), rate, updates, rule)
    assert -descent.params[-1, 0, 0] == pytest.approx(reach(rule, rate, updates), rel=1e-3)


# -- depth -----------------------------------------------------------------------------------------

TORCH = {"identity": lambda x: x, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


@settings(max_examples=50, deadline=None)
@given(
    name=st.sampled_from(list(TORCH)),
    weight=st.floats(-2, 2),
    bias=st.floats(-1, 1),
    x=st.floats(-2, 2),
    layers=st.integers(0, 15),
)
def test_gradients_through_a_chain_are_autograd_s(name, weight, bias, x, layers):
    inputs = [torch.tensor(x, dtype=torch.float64, requires_grad=True)]
    for _ in range(layers):
        inputs.append(TORCH[name](weight * inputs[-1] + bias))
    assume(name != "relu" or all(abs(weight * h.item() + bias) > 1e-9 for h in inputs))
    expected = torch.autograd.grad(inputs[-1], inputs, materialize_grads=True)
    found = Layer(name, weight, bias).gradients(x, layers)
    np.testing.assert_allclose(found, [float(g) for g in expected], rtol=1e-9, atol=1e-15)


def test_sigmoids_approach_one_factor_per_layer():
    point = Layer("sigmoid").fixed_point(1.0)
    assert f"{point.value:.4f} {point.factor:.4f}" == "0.6590 0.2247"
    assert torch.sigmoid(torch.tensor(point.value, dtype=torch.float64)) == pytest.approx(
        point.value
    )
    factors = Layer("sigmoid").factors(1.0, 30)
    np.testing.assert_allclose(factors[8:], point.factor, rtol=1e-4)
    predicted = predicted_gradients(Layer("sigmoid"), 1.0, 30)
    found = Layer("sigmoid").gradients(1.0, 30)
    np.testing.assert_allclose(found[8:], predicted[8:], rtol=1e-4)


def test_tanh_falls_by_a_power_of_the_depth():
    layer = Layer("tanh")
    assert layer.fixed_point(1.0) is None
    depths = np.array([1000, 8000])
    ends = np.array([layer.gradients(1.0, n)[0] for n in depths])
    slope = np.diff(np.log(ends))[0] / np.diff(np.log(depths))[0]
    assert slope == pytest.approx(-1.5, abs=0.02)
    for n in range(1, 31):
        assert tanh_gradient(1.0, n) == pytest.approx(layer.gradients(1.0, n)[0], rel=0.16)
        assert tanh_gradient(0.1, n) == pytest.approx(layer.gradients(0.1, n)[0], rel=0.01)


def test_relu_with_a_weight_above_one_explodes():
    layer = Layer("relu", 1.5)
    point = layer.fixed_point(1.0)
    assert (point.value, point.factor) == (math.inf, 1.5)
    np.testing.assert_allclose(layer.gradients(1.0, 30), predicted_gradients(layer, 1.0, 30))
    assert layer.gradients(1.0, 30)[0] == pytest.approx(1.5**30)
    with pytest.raises(ValueError, match="activation must be one of identity, relu"):
        Layer("selu")


@settings(max_examples=15, deadline=None)
@given(
    flattest=st.floats(1e-40, 1e-3),
    steepest=st.floats(0.1, 1e20),
    part=st.floats(1e-3, 0.999),
)
def test_halving_is_exact_however_flat_a_direction_is(flattest, steepest, part):
    bowl = Quadratic(np.array([flattest, steepest]), np.eye(2), np.zeros(2), 0.0)
    rate = part * 2 / steepest
    with mpmath.workdps(150):
        left = abs(1 - mpmath.mpf(rate) * mpmath.mpf(flattest))
        expected = mpmath.log(mpmath.mpf(1) / 2) / mpmath.log(left)
    assert bowl.halving(rate).flattest == pytest.approx(float(expected), rel=1e-9)
