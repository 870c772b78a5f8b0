"""What accumulated gradients do in the long run, against recorded descents."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gdwidgets.core import Descent, LinearNeuron
from gdwidgets.core.analysis.accumulation import (
    Asymptotic,
    amplitude,
    asymptotic_behaviour,
    landing_rates,
    never_moves,
    period_factor,
    stable_rates,
)

CURVATURE = 6.5
"""That of the course's neuron, 2 (1.5² + 1)."""


def residuals(descent, lane=0):
    """How far the neuron's output is from its target in each record."""
    neuron = descent.objective
    return descent.params[:, lane].astype(float) @ np.array([neuron.x, 1]) - neuron.y


def recorded(rate, clear_every, steps, start=(0.5, 0.5)):
    descent = Descent(LinearNeuron(), start, rate, clear_every=clear_every, max_steps=steps)
    descent.advance_to(steps)
    return descent


def recursion(scaled_rate, n):
    """The factor from r_{k+1} = (2 − γ λ) r_k − r_{k−1}."""
    before, now = 1.0, 1 - scaled_rate
    for _ in range(n - 1):
        before, now = now, (2 - scaled_rate) * now - before
    return now


@given(scaled_rate=st.floats(0, 6), n=st.integers(1, 60))
@example(scaled_rate=4.0, n=7)
@example(scaled_rate=np.nextafter(4, 0), n=7)
@example(scaled_rate=np.nextafter(4, 5), n=7)
def test_the_factor_is_that_of_the_recursion(scaled_rate, n):
    size = max(1.0, abs(recursion(scaled_rate, n)), min(amplitude(scaled_rate), 2 * n + 1))
    assert abs(period_factor(scaled_rate, n) - recursion(scaled_rate, n)) <= 1e-9 * size


@given(x=st.floats(-3, 3), scaled_rate=st.floats(0.05, 6), n=st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_clearing_every_n_updates_multiplies_the_distance_as_predicted(x, scaled_rate, n):
    rate = scaled_rate / (2 * (x**2 + 1))
    descent = Descent(LinearNeuron(x, 2.5), (0.5, -0.5), rate, clear_every=n, max_steps=2 * n)
    descent.advance_to(2 * n)
    found = residuals(descent)
    size = np.abs(found).max()
    factor = period_factor(scaled_rate, n)
    assert abs(found[n] - factor * found[0]) <= 1e-4 * (size + 1)
    assert abs(found[2 * n] - factor * found[n]) <= 1e-4 * (size + 1)


def test_beyond_the_limit_the_factor_is_finite_and_the_recording_has_it():
    factor = period_factor(0.65 * CURVATURE, 2)
    assert f"{factor:.2f}" == "6.18"
    found = residuals(recorded(0.65, 2, 4))
    np.testing.assert_allclose(found[[2, 4]], factor * found[[0, 2]], rtol=1e-5)


def test_a_grid_of_rates_gives_a_grid_of_factors():
    grid = np.linspace(0, 5, 501)
    factors = period_factor(grid, 3)
    assert factors.shape == grid.shape
    assert factors.tolist() == [period_factor(a, 3) for a in grid]
    assert period_factor(1e6, 500) == math.inf
    assert period_factor(1e6, 501) == -math.inf


@given(scaled_rates=st.lists(st.floats(0.01, 3.9), min_size=8, max_size=8))
@settings(max_examples=4, deadline=None)
def test_without_clearing_the_distance_stays_within_the_amplitude_and_comes_near_it(scaled_rates):
    descent = recorded(np.array(scaled_rates) / CURVATURE, None, 1000)
    for lane, scaled_rate in enumerate(scaled_rates):
        found = np.abs(residuals(descent, lane))
        limit = amplitude(scaled_rate) * found[0]
        # With four records a period they are all at cos 45° of the amplitude, never farther off.
        assert 0.7 * limit <= found.max() <= limit * (1 + 1e-2)


@given(n=st.integers(1, 40), data=st.data())
def test_the_factor_is_below_one_on_the_islands_and_not_between_them(n, data):
    islands = stable_rates(CURVATURE, n)
    assert len(islands) == n
    edges = np.array(islands).ravel()
    assert (np.diff(edges) >= 0).all()
    assert edges[0] == 0
    assert edges[-1] < 4 / CURVATURE
    inside = data.draw(st.floats(0.01, 0.99))
    j = data.draw(st.integers(0, n - 1))
    low, high = islands[j]
    assert abs(period_factor((low + inside * (high - low)) * CURVATURE, n)) < 1
    after = islands[j + 1][0] if j + 1 < n else 4 / CURVATURE
    assert abs(period_factor((high + inside * (after - high)) * CURVATURE, n)) > 1


@given(n=st.integers(1, 8), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_landing_rate_lands_on_the_minimum_in_n_updates(n, data):
    rates = landing_rates(CURVATURE, n)
    assert len(rates) == n
    rate = data.draw(st.sampled_from(rates.tolist()))
    found = np.abs(residuals(recorded(rate, n, n)))
    assert found[n] <= 1e-5 * found.max() * n
    low, high = np.array(stable_rates(CURVATURE, n)).T
    assert ((low < rate) & (rate < high)).any()


def test_two_updates_land_at_known_rates():
    np.testing.assert_allclose(landing_rates(1, 2), [(3 - 5**0.5) / 2, (3 + 5**0.5) / 2])
    assert landing_rates(1, 1) == pytest.approx([1])
    np.testing.assert_allclose(stable_rates(1, 2), [(0, 1), (2, 3)], atol=1e-12)


def decided(scaled_rate, clear_every):
    """Whether a few hundred updates are enough to see what becomes of it."""
    if clear_every is None:
        return abs(scaled_rate - 4) > 0.02
    return abs(abs(period_factor(scaled_rate, clear_every)) - 1) > 0.1


coordinates = st.floats(-2, 2, width=32)
lanes = st.tuples(
    st.floats(1e-2, 6),
    st.one_of(st.none(), st.integers(1, 10)),
    st.tuples(coordinates, coordinates),
).filter(lambda lane: decided(*lane[:2]))


@given(lanes=st.lists(lanes, min_size=12, max_size=12))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_long_recordings_do_what_is_predicted(lanes):
    scaled_rates, clear_every, starts = zip(*lanes, strict=True)
    rates = np.array(scaled_rates) / CURVATURE
    descent = recorded(rates, clear_every, 800, starts)
    for lane, scaled_rate in enumerate(scaled_rates):
        start, gradient = starts[lane], descent.step_grad[0, lane]
        said = asymptotic_behaviour(
            rates[lane], CURVATURE, clear_every[lane], start=start, gradient=gradient
        )
        found = np.abs(residuals(descent, lane))
        if said is Asymptotic.AT_REST:
            assert (descent.params[:, lane] == descent.params[0, lane]).all()
        elif found[0] < 1e-3:
            continue  # rounding has a say in so small a distance
        elif said is Asymptotic.CONVERGES:
            assert found[-1] <= 1e-2 * found[0] + 1e-5
        elif said is Asymptotic.OSCILLATES:
            assert found.max() <= 1.1 * amplitude(scaled_rate) * found[0]
            assert found[-200:].max() >= 0.3 * found[0]
        else:
            assert descent.outcomes[lane] == "diverged" or found[-1] > 30 * found[0]


def test_a_tiny_gradient_is_not_no_gradient():
    start = (1.0, 1.0000005)
    descent = recorded(0.4, 1, 80, start)
    gradient = descent.step_grad[0, 0]
    assert 0 < np.abs(gradient).max() < 1e-5
    assert descent.loss[-1, 0] > 1e18
    said = asymptotic_behaviour(0.4, CURVATURE, 1, start=start, gradient=gradient)
    assert said is Asymptotic.DIVERGES


@given(
    exponent=st.floats(-14, -5),
    clear_every=st.integers(1, 30),
    start=st.tuples(st.floats(-2, 2, width=32), st.floats(-2, 2, width=32)),
)
@settings(max_examples=60, deadline=None)
def test_it_is_at_rest_exactly_when_no_update_changes_a_number(exponent, clear_every, start):
    descent = recorded(10**exponent, clear_every, 3 * clear_every, start)
    still = bool((descent.params == descent.params[0]).all())
    assert never_moves(start, descent.step_grad[0, 0], 10**exponent, clear_every) == still


def test_what_is_never_cleared_moves_in_the_end():
    late = recorded(1e-10, None, 300)
    gradient = late.step_grad[0, 0]
    assert never_moves((0.5, 0.5), gradient, 1e-10, 10)
    assert not never_moves((0.5, 0.5), gradient, 1e-10, None)
    assert never_moves((0.5, 0.5), gradient, 1e-20, None)
    assert (late.params[10] == late.params[0]).all()
    assert (late.params[-1] != late.params[0]).any()


def test_at_the_limits_it_oscillates():
    assert asymptotic_behaviour(2 / CURVATURE, CURVATURE, 1) is Asymptotic.OSCILLATES
    assert asymptotic_behaviour(0.5, 1, 3) is not Asymptotic.OSCILLATES
    for low, high in stable_rates(CURVATURE, 5):
        assert asymptotic_behaviour(high, CURVATURE, 5) is Asymptotic.OSCILLATES
        if low:
            assert asymptotic_behaviour(low, CURVATURE, 5) is Asymptotic.OSCILLATES
    assert asymptotic_behaviour(4 / CURVATURE, CURVATURE, None) is Asymptotic.DIVERGES
    assert asymptotic_behaviour(1e-9, CURVATURE, 7) is Asymptotic.CONVERGES


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: period_factor(1, 0), "n must be"),
        (lambda: stable_rates(0, 2), "curvature must be greater than 0"),
        (lambda: landing_rates(1, 1.5), "n must be a whole number"),
        (lambda: asymptotic_behaviour(-1, 1, 1), "learning_rate must be greater than 0"),
        (lambda: asymptotic_behaviour(1, 1, 0), "clear_every must be"),
    ],
)
def test_bad_numbers_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
