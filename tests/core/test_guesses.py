"""How close a guess came: pairs in order as Kendall counts them, minima, arrivals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets.core.analysis.guesses import (
    arrival,
    minimum_at,
    pairs_in_order,
    ranks,
    target_loss,
    written_target,
)

losses = st.lists(st.floats(0, 1e6) | st.sampled_from([np.inf, np.nan]), min_size=1, max_size=8)
coordinates = st.tuples(st.floats(-6, 6), st.floats(-6, 6))


@given(losses)
def test_a_rank_is_the_number_of_smaller_losses(values):
    known = [value if np.isfinite(value) else np.inf for value in values]
    assert ranks(values).tolist() == [sum(other < value for other in known) for value in known]


@given(st.data(), st.integers(2, 8))
def test_pairs_and_kendall_s_tau_are_the_same_count(data, count):
    places = data.draw(st.permutations(range(count)))
    order = data.draw(st.permutations(range(count)))
    right, pairs = pairs_in_order(order, places)
    position = np.argsort(order)
    signs = [
        np.sign((position[i] - position[j]) * (places[i] - places[j]))
        for i in range(count)
        for j in range(i)
    ]
    assert pairs == count * (count - 1) // 2
    assert right - (pairs - right) == sum(signs)


@given(losses)
def test_the_order_of_the_losses_has_all_pairs_right_and_equal_ones_in_either_order(values):
    places = ranks(values)
    order = sorted(range(len(values)), key=lambda run: places[run])
    swapped = sorted(range(len(values)), key=lambda run: (places[run], -run))
    for one in (order, swapped):
        right, pairs = pairs_in_order(one, places)
        assert right == pairs


@given(st.lists(coordinates, max_size=6), coordinates, st.floats(0, 10))
def test_a_run_is_at_the_nearest_minimum_within_reach(minima, point, reach):
    distances = [np.hypot(u - point[0], v - point[1]) for u, v in minima]
    found = minimum_at(minima, point, reach)
    if found is None:
        assert all(distance > reach for distance in distances)
    else:
        assert distances[found] == min(distances)
        assert distances[found] <= reach
    assert minimum_at(minima, (np.nan, 0.0), np.inf) is None


@given(losses, st.floats(0, 1e6))
def test_a_loss_has_come_down_where_it_never_rises_above_the_target_again(values, target):
    below = [value <= target for value in values]
    expected = next((k for k in range(len(values)) if all(below[k:])), None)
    assert arrival(values, target) == expected


def test_the_target_is_a_hundredth_of_the_way_above_the_lowest_loss():
    np.testing.assert_allclose(target_loss(106.0, 0.0), 1.06)
    np.testing.assert_allclose(target_loss(1.2, 0.2), 0.21)


@given(st.floats(-1e3, 1e3), st.floats(1e-9, 1e6), st.booleans())
def test_the_target_that_is_written_is_short_and_between_the_lowest_loss_and_the_start(
    lowest, excess, above
):
    first, zero = lowest + excess, lowest if above else 0.0
    written = written_target(first, lowest, zero)
    if written is None:  # to rounding, the start is at the lowest loss
        assert first - lowest <= 1e-5 * abs(lowest)
    else:
        assert float(f"{written:.8g}") == written
        assert lowest < written + zero < first
        assert (written + zero - lowest) / (first - lowest) == pytest.approx(0.01, rel=0.11)


def test_nothing_is_left_to_come_down_from_the_lowest_loss():
    for lowest in (0.0, -1.0316285, 0.0518):
        assert written_target(lowest, lowest) is None
        assert written_target(lowest - 1, lowest) is None
