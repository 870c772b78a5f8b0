"""A basin map labels every start with what becomes of its own descent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdwidgets.core import (
    DIVERGED,
    NOT_CONVERGED,
    SURFACES,
    BasinMap,
    BasinSearch,
    Descent,
    Surface,
    basins,
)
from gdwidgets.core.analysis.basins import LABELS, MOST_MINIMA, UNLISTED
from gdwidgets.core.analysis.connected import connected
from gdwidgets.core.analysis.endings import End, end_behaviour

HIMMELBLAU = SURFACES["himmelblau"]
WELLS = Surface(lambda u, v: (u**2 - 1) ** 2 + v**2, (-2, 2))
RING = Surface(lambda u, v: (u**2 + v**2 - 1) ** 2, (-2, 2))


def only(found, end):
    return set(found.labels.ravel().tolist()) == {LABELS[end]}


@pytest.mark.parametrize(
    ("name", "rate", "resolution"),
    [("himmelblau", 0.01, 5), ("himmelblau", 0.016, 4), ("styblinski-tang", 0.058, 2)],
)
def test_every_label_is_what_becomes_of_that_start_s_descent(name, rate, resolution):
    surface = SURFACES[name]
    found = basins(surface, rate, resolution=resolution)
    np.testing.assert_array_equal(found.minima, surface.minima)
    _, _, points = surface.grid_points(resolution)
    descent = Descent(surface, points, rate, max_steps=300)
    descent.advance_to(300)
    for lane, label in enumerate(found.labels.ravel()):
        said = end_behaviour(descent, lane)
        if said is End.CONVERGED:
            distances = np.hypot(*(descent.params[-1, lane] - found.minima).T)
            assert label == distances.argmin()
            assert distances.min() < 0.1
        else:
            assert label == LABELS[said]


@pytest.mark.parametrize(
    "case", [("styblinski-tang", 0.058), ("six-hump camel", 0.125), ("ackley", 0.01)]
)
def test_what_is_reached_stays_and_what_oscillates_goes_on(case):
    name, rate = case
    surface = SURFACES[name]
    found = basins(surface, rate, resolution=7)
    labels = found.labels.ravel()
    _, _, points = surface.grid_points(7)
    descent = Descent(surface, points, rate, max_steps=800)
    descent.advance_to(800)
    diagonal = np.hypot(*np.diff(np.array(surface.bounds))[:, 0])
    reached = labels >= 0
    ends = descent.params[-1].astype(float)
    assert (np.hypot(*(ends[reached] - found.minima[labels[reached]]).T) <= 0.02 * diagonal).all()
    late = descent.params[-40:].astype(float)
    extent = (late.max(0) - late.min(0)).max(-1)
    assert (extent[reached] <= 1e-4 * diagonal).all()
    turning = labels == BasinMap.OSCILLATING
    assert (extent[turning] > 1e-4 * diagonal).all()
    assert (descent.outcomes[labels == DIVERGED] == "diverged").all()


def test_at_its_limit_the_valley_is_never_reached():
    found = basins(SURFACES["narrow valley"], 0.02, resolution=20)
    assert only(found, End.OSCILLATING)
    assert found.counts[End.OSCILLATING] == 400
    assert found.counts[End.CONVERGED] == 0
    assert found.reached.tolist() == [0]


def test_above_its_limit_booth_is_unbounded():
    assert only(basins(SURFACES["booth"], 0.112, resolution=20), End.UNBOUNDED)
    assert only(basins(SURFACES["saddle"], 0.01, resolution=20), End.UNBOUNDED)


def test_an_unstable_minimum_is_oscillated_around():
    found = basins(HIMMELBLAU, 0.016, resolution=30)
    assert found.reached[2] == 0
    assert (found.reached[[0, 1, 3]] > 0).all()
    around = found.around[found.labels == BasinMap.OSCILLATING]
    assert (around == 2).mean() > 0.9
    assert (found.around[found.labels != BasinMap.OSCILLATING] == -1).all()


def test_counts_add_up():
    found = basins(HIMMELBLAU, 0.01, resolution=9)
    assert sum(found.counts.values()) == 81
    assert found.counts[End.CONVERGED] == found.reached.sum() == (found.labels >= 0).sum()
    for end, label in LABELS.items():
        assert found.counts[end] == (found.labels == label).sum()


def test_in_slices_it_is_the_same_map():
    search = BasinSearch(HIMMELBLAU, 0.016, resolution=8, max_steps=60)
    seen = [search.progress]
    while not search.advance(0):
        seen.append(search.progress)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert len(seen) > 5
    assert search.progress == 1
    whole = basins(HIMMELBLAU, 0.016, resolution=8, max_steps=60)
    np.testing.assert_array_equal(search.result().labels, whole.labels)


def test_unknown_minima_are_found():
    found = basins(WELLS, 0.05, resolution=20)
    np.testing.assert_allclose(found.minima, [(-1, 0), (1, 0)], atol=1e-3)
    assert (found.labels[:, :10] == 0).all()
    assert (found.labels[:, 10:] == 1).all()
    assert not found.extended.any()


@pytest.mark.parametrize("resolution", [10, 30])
def test_a_ring_of_minima_is_one(resolution):
    found = basins(RING, 0.05, resolution=resolution)
    assert len(found.minima) == 1
    assert found.extended.tolist() == [True]
    assert (found.labels == 0).all()


def test_a_line_of_minima_is_one_also_when_a_point_of_it_is_known():
    line = Surface(lambda u, v: (u - v) ** 2, (-2, 2), minima=[(1, 1)])
    found = basins(line, 0.1, resolution=12)
    assert found.minima.tolist() == [[1, 1]]
    assert found.extended.tolist() == [True]
    assert (found.labels == 0).all()


@settings(max_examples=10, deadline=None)
@given(
    angle=st.floats(0, np.pi),
    gap=st.floats(0.2, 1.0),
    height=st.floats(1e-3, 10),
)
def test_a_barrier_however_low_separates_two_minima(angle, gap, height):
    cosine, sine = np.cos(angle), np.sin(angle)

    def wells(u, v):
        along, across = cosine * u + sine * v, cosine * v - sine * u
        return height * ((along / gap) ** 2 - 1) ** 2 + across**2

    surface = Surface(wells, (-2, 2))
    points = gap * np.array([(cosine, sine), (-cosine, -sine)])
    assert connected(surface, points, 0, 3.0).tolist() == [0, 1]


@settings(max_examples=10, deadline=None)
@given(
    radius=st.floats(0.3, 2),
    turn=st.floats(0, 6.28),
    part=st.floats(0.05, 1.0),
    steepness=st.floats(0.1, 100),
)
def test_points_of_a_ring_are_connected(radius, turn, part, steepness):
    ring = Surface(lambda u, v: steepness * (u**2 + v**2 - radius**2) ** 2, (-3, 3))
    angles = turn + np.array([0, part])
    points = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    assert connected(ring, points, 0, 10.0).tolist() == [0, 0]
    assert connected(ring, points, 2, 10.0).tolist() == [0, 1]


def test_rastrigin_s_local_minima_are_told_apart():
    found = basins(SURFACES["rastrigin"], 5e-4, resolution=40)
    assert len(found.minima) == 121
    assert found.minima[0].tolist() == [0, 0]
    losses = SURFACES["rastrigin"].values(found.minima)
    assert (np.diff(losses) > -1e-3).all()
    assert (found.labels >= 0).all()


def test_at_most_200_further_minima_are_listed():
    many = Surface(lambda u, v: torch.cos(40 * u) + torch.cos(40 * v), (-5, 5))
    found = basins(many, 5e-4, resolution=20)
    assert len(found.minima) == MOST_MINIMA
    assert (found.labels == UNLISTED).any()
    assert found.counts[End.CONVERGED] == 400


def test_a_start_that_rests_on_a_saddle_is_at_no_minimum():
    found = basins(Surface(lambda u, v: u**2 - v**2, (-2, 2)), 0.1, resolution=3, max_steps=60)
    assert found.labels[1].tolist() == [BasinMap.SADDLE] * 3
    assert (found.labels[[0, 2]] == BasinMap.UNBOUNDED).all()
    assert len(found.minima) == 0


def test_a_tolerance_ends_descents_where_descent_says():
    surface, tolerance = SURFACES["rosenbrock"], 1e-3
    found = basins(surface, 5e-4, resolution=8, loss_tol=tolerance)
    _, _, points = surface.grid_points(8)
    descent = Descent(surface, points, 5e-4, loss_tol=tolerance, max_steps=300)
    descent.advance_to(300)
    stopped = (descent.outcomes == "converged").reshape(8, 8)
    assert ((found.labels == BasinMap.STOPPED) | (found.labels >= 0))[stopped].all()
    assert (found.labels == BasinMap.STOPPED).any()
    assert not (found.labels == BasinMap.STOPPED)[~stopped].any()
    bouncing = basins(SURFACES["narrow valley"], 0.02, resolution=8, loss_tol=1e-4)
    assert only(bouncing, End.OSCILLATING)


def test_another_rule_is_taken_along():
    found = basins(HIMMELBLAU, 0.05, rule="adam", resolution=7)
    assert (found.labels >= 0).mean() > 0.8
    assert (basins(HIMMELBLAU, 5e-5, resolution=5).labels == NOT_CONVERGED).mean() > 0.5


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        ((3, 0.1), {}, "surface must be a Surface"),
        ((HIMMELBLAU, 0), {}, "learning_rate must be greater than 0"),
        ((HIMMELBLAU, 0.1), {"resolution": 1}, "resolution must be a whole number from 2 to 500"),
        ((HIMMELBLAU, 0.1), {"max_steps": 0}, "max_steps"),
        ((HIMMELBLAU, 0.1), {"rule": "sgd"}, "rule must be one of"),
        ((HIMMELBLAU, 0.1), {"loss_tol": -1}, "loss_tol must be greater than 0"),
    ],
)
def test_bad_settings_are_refused(arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        basins(*arguments, **keywords)
