"""How runs are said to end, against what becomes of them when they go on."""

from __future__ import annotations

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
    basins,
    initial_parameters,
    training_pairs,
)
from gdwidgets.core.analysis.endings import End, end_behaviour, grows, motion
from gdwidgets.core.analysis.quadratic import quadratic
from gdwidgets.core.analysis.rises import raised

COURSE = PolynomialRegression(*training_pairs())


def ended(objective, start, rate, steps=300, **keywords):
    descent = Descent(objective, start, rate, max_steps=steps, **keywords)
    descent.advance_to(steps)
    return descent


CASES = {
    "Himmelblau": ("himmelblau", (1, 1), 5e-4, End.CONVERGED),
    "Himmelblau, too few": ("himmelblau", (1, 1), 5e-5, End.NOT_CONVERGED),
    "an unstable minimum": ("himmelblau", (-4, -3), 0.016, End.OSCILLATING),
    "2-cycle": ("styblinski-tang", (-2, -2), 0.058, End.OSCILLATING),
    "2-cycle of humps": ("six-hump camel", (0.2, -0.6), 0.125, End.OSCILLATING),
    "at the limit": ("narrow valley", (-9, 2), 0.02, End.OSCILLATING),
    "above the limit": ("booth", (-8, 8), 0.112, End.UNBOUNDED),
    "hardly above it": ("booth", (-8, 8), 0.1113, End.UNBOUNDED),
    "below the limit": ("booth", (-8, 8), 0.1, End.CONVERGED),
    "a saddle's axis": ("saddle", (3, 0), 0.02, End.SADDLE),
    "beside the axis": ("saddle", (3, 0.01), 0.02, End.UNBOUNDED),
    "the tip": ("ackley", (0.3, 0.2), 0.01, End.OSCILLATING),
    "diverged": ("himmelblau", (1, 1), 0.1, End.DIVERGED),
}


@pytest.mark.parametrize(("name", "start", "rate", "expected"), CASES.values(), ids=CASES.keys())
def test_known_endings(name, start, rate, expected):
    assert end_behaviour(ended(SURFACES[name], start, rate)) is expected


@settings(max_examples=10, deadline=None)
@given(
    name=st.sampled_from(["booth", "narrow valley", "matyas"]),
    part=st.floats(0.3, 1.5).filter(lambda part: abs(part - 1) > 1e-3),
    seed=st.integers(0, 99),
)
def test_on_quadratics_the_limit_decides(name, part, seed):
    surface = SURFACES[name]
    low, high = np.array(surface.bounds).T
    start = np.random.default_rng(seed).uniform(low, high)
    descent = ended(surface, start, part * quadratic(surface).limit)
    said = end_behaviour(descent)
    if part > 1:
        assert said in {End.UNBOUNDED, End.DIVERGED}
    else:
        diagonal = np.hypot(*(high - low))
        away = np.hypot(*(descent.params[-1, 0] - np.array(surface.minima[0])))
        assert said is (End.CONVERGED if away <= 0.005 * diagonal else End.NOT_CONVERGED)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["booth", "narrow valley", "matyas"]),
    rule=st.sampled_from(["momentum", "nesterov", "rmsprop", "adam"]),
    rate=st.floats(-4, 0).map(lambda power: 10**power),
    steps=st.integers(3, 60),
    seed=st.integers(0, 99),
)
def test_what_is_called_unbounded_gets_far_away(name, rule, rate, steps, seed):
    surface = SURFACES[name]
    low, high = np.array(surface.bounds).T
    start = np.random.default_rng(seed).uniform(low, high)
    if end_behaviour(ended(surface, start, rate, steps, rule=rule)) not in {
        End.UNBOUNDED,
        End.DIVERGED,
    }:
        return
    further = ended(surface, start, rate, 20_000, rule=rule)
    assert (
        further.outcomes[0] == "diverged" or np.abs(further.params[-1, 0]).max() > 10 * high.max()
    )


def test_a_map_of_starts_whose_steps_still_grow_is_not_unbounded():
    counts = basins(SURFACES["booth"], 1e-3, rule="momentum", max_steps=10, resolution=20).counts
    assert counts.get(End.UNBOUNDED, 0) == 0


def test_a_tolerance_that_stops_early_is_not_convergence():
    descent = ended(SURFACES["rosenbrock"], (-1.5, 2.0), 5e-4, loss_tol=1e-2)
    assert descent.outcomes[0] == "converged"
    assert end_behaviour(descent) is End.STOPPED
    bouncing = ended(SURFACES["narrow valley"], (-9.0, 2.0), 0.02, loss_tol=1e-3)
    assert bouncing.outcomes[0] == "converged"
    assert end_behaviour(bouncing) is End.OSCILLATING


def test_lanes_are_told_apart():
    rates = (0.1, 1e-4, 0.2005, 0.21)
    descent = ended(COURSE, initial_parameters(), rates, 4000)
    said = [end_behaviour(descent, lane) for lane in range(4)]
    assert said[:2] == [End.CONVERGED, End.NOT_CONVERGED]
    assert said[2] in {End.UNBOUNDED, End.DIVERGED}
    assert said[3] is End.DIVERGED


def test_other_objectives_have_endings_too():
    assert end_behaviour(ended(LinearNeuron(), (0.5, 0.5), 0.1)) is End.CONVERGED
    assert (
        end_behaviour(ended(LinearNeuron(), (0.5, 0.5), 0.1, clear_every=None)) is End.OSCILLATING
    )
    noisy = ended(MiniBatches(COURSE, 10), initial_parameters(), 0.1, 500)
    assert end_behaviour(noisy) in {End.OSCILLATING, End.NOT_CONVERGED}
    plane = Surface(lambda u, v: 2 * u - v, (-2, 2))
    assert end_behaviour(ended(plane, (0.0, 0.0), 0.1)) is End.UNBOUNDED
    slide = Surface(lambda u, v: torch.exp(-u) + v**2, (-2, 2))
    assert end_behaviour(ended(slide, (0.0, 0.0), 0.1)) is End.NOT_CONVERGED


@settings(max_examples=4, deadline=None)
@given(rule=st.sampled_from(["momentum", "nesterov", "adam"]), seed=st.integers(0, 99))
def test_what_converged_stays_where_it_is(rule, seed):
    surface = SURFACES["himmelblau"]
    starts = np.random.default_rng(seed).uniform(-5, 5, (6, 2))
    rate = 0.05 if rule == "adam" else 1e-3
    long = ended(surface, starts, rate, 800, rule=rule)
    short = ended(surface, starts, rate, 400, rule=rule)
    for lane in range(6):
        if end_behaviour(short, lane) is End.CONVERGED:
            away = np.hypot(*(long.params[400:, lane] - short.params[400, lane]).T)
            assert away.max() <= 0.01 * 17


def test_a_run_that_goes_on_is_judged_as_if_it_were_over():
    descent = Descent(SURFACES["booth"], (-8.0, 8.0), 0.05, max_steps=300)
    descent.advance_to(3)
    assert end_behaviour(descent) is End.NOT_CONVERGED
    descent.advance_to(300)
    assert end_behaviour(descent) is End.CONVERGED
    with pytest.raises(ValueError, match="record=True"):
        end_behaviour(Descent(COURSE, (0, 0, 0), 0.1, max_steps=1, record=False))
    with pytest.raises(ValueError, match="lane must be a whole number from 0 to 0"):
        end_behaviour(descent, 1)


@given(
    period=st.integers(2, 6),
    factor=st.sampled_from([0.8, 1.0, 1.2]),
    size=st.floats(0.1, 100),
)
def test_motions_are_recognised(period, factor, size):
    k = np.arange(33)
    around = size * factor**k * np.exp(2j * np.pi * k / period)
    records = np.stack([around.real + 1, around.imag], axis=-1)[:, None].astype(np.float32)
    found = motion(records, np.array([33]))
    assert found.growth[0] == pytest.approx(factor**16, rel=0.4)
    assert (found.growth[0] > 1.02) == (factor > 1)
    assert (found.growth[0] < 0.98) == (factor < 1)
    if factor == 1:
        assert found.returns[0]
    still = motion(np.repeat(records[:1], 33, axis=0), np.array([33]))
    assert still.still[0]
    assert still.at_rest[0]


@settings(max_examples=6, deadline=None)
@given(
    tip=st.floats(0.5, 2),
    rate=st.sampled_from([0.002, 0.01, 0.03]),
    part=st.floats(0.2, 1.6).filter(lambda part: abs(part - 1) > 0.15),
)
def test_on_the_way_to_a_kink_nothing_oscillates(tip, rate, part):
    updates = int(2 * tip / rate)  # from −tip to tip, each rate long
    surface = Surface(lambda u, v: abs(u - tip) + v**2, (-3, 3))
    beyond = int((part - 1) * updates)
    assume(not 0 < beyond < 24)  # seen once most of the last 32 records go to and fro
    said = end_behaviour(ended(surface, (-tip, 0.5), rate, max(1, updates + beyond)))
    assert said is (End.OSCILLATING if beyond > 0 else End.NOT_CONVERGED)


@settings(max_examples=8, deadline=None)
@given(
    inside=st.floats(-0.012, 0.012),
    angle=st.floats(0, 6.28),
    rule=st.sampled_from(["gd", "adam", "momentum"]),
)
def test_beside_a_ring_of_minima_is_no_saddle(inside, angle, rule):
    ring = Surface(lambda u, v: (u**2 + v**2 - 4) ** 2, (-3, 3))
    start = (2 + inside) * np.array([np.cos(angle), np.sin(angle)])
    said = end_behaviour(ended(ring, start, 1e-4, 20, rule=rule))
    assert said in {End.CONVERGED, End.NOT_CONVERGED}


@settings(max_examples=5, deadline=None)
@given(
    away=st.floats(100, 2000), power=st.sampled_from([2, 4]), rule=st.sampled_from(["gd", "adam"])
)
def test_a_minimum_far_off_the_map_is_not_called_unbounded(away, power, rule):
    far = Surface(lambda u, v: ((u - away) / away) ** power * away + v**2, (-3, 3))
    descent = ended(far, (0.0, 0.5), 0.3, 100, rule=rule)
    assert end_behaviour(descent) in {End.NOT_CONVERGED, End.CONVERGED}
    assert basins(far, 0.3, rule=rule, resolution=2, max_steps=50).counts[End.UNBOUNDED] == 0


@given(st.floats(0.7, 1.4), st.integers(8, 200), st.floats(0.0, 6.0))
def test_losses_that_grow_geometrically_grow_and_those_that_shrink_or_swing_do_not(rate, n, phase):
    k = np.arange(n)
    assume(abs(rate - 1) > 1e-3)
    assert grows(2.0 * rate**k) == (rate > 1)
    assert not grows(2.0 + np.cos(phase + 2 * np.pi * k / 4))
    assert not grows(np.full(n, 3.0))
    # On the way up again, and still below where it began.
    assert not grows(np.concatenate([[3.0 * rate**n + 1], 2.0 * rate**k]))


# -- what raised the loss --------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    name=st.sampled_from(sorted(SURFACES)),
    place=st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)),
    part=st.sampled_from([0.02, 0.3, 1.0, 1.7]),
)
def test_a_rise_counts_where_float64_sees_it_too(name, place, part):
    """Every rise beyond rounding counts, and no fall does."""
    surface = SURFACES[name]
    start = [low + p * (high - low) for p, (low, high) in zip(place, surface.bounds, strict=True)]
    descent = ended(surface, start, part * (surface.learning_rate or 0.01), steps=60)
    last = int(descent.last_step[0])
    points, losses = descent.params[: last + 1, 0], descent.loss[: last + 1, 0]
    found = raised(surface, points, losses)
    path = torch.from_numpy(points.astype(np.float64))
    with np.errstate(all="ignore"):
        exact = np.diff(surface.function(path[:, 0], path[:, 1]).numpy())
        size = 1 + np.abs(losses[1:]) + np.abs(losses[:-1])
        assert not found[exact <= 0].any()
        assert found[(exact > 1e-4 * size) & np.isfinite(exact)].all()


def test_a_function_that_takes_float32_only_is_judged_by_its_rounding():
    table = torch.ones(1, dtype=torch.float32)
    surface = Surface(lambda u, v: ((u**2 + v**2).float() + table).float(), (-2, 2))
    points = np.array([[1.0, 1.0], [1.0, 1.0], [1.5, 1.0]])
    losses = np.array([3.0, 3.0 + 2**-22, 4.25])
    assert raised(surface, points, losses).tolist() == [False, True]
