"""Thinning keeps the shape of a series at any length."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gdwidgets.ui.plots.thinning import Thinner

series = st.integers(1, 3).flatmap(
    lambda channels: arrays(
        np.float32,
        st.tuples(st.integers(1, 3000), st.just(channels)),
        elements=st.floats(-100, 100, width=32),
        fill=st.just(np.float32(0)),
    )
)


@given(series, st.integers(24, 300), st.data())
def test_indices_increase_stay_within_the_budget_and_keep_both_ends(values, budget, data):
    count = data.draw(st.integers(1, len(values)))
    picked = Thinner(lambda: values).indices(count, budget)
    assert len(picked) <= budget
    assert (np.diff(picked) > 0).all()
    assert picked[0] == 0
    assert picked[-1] == count - 1


def test_a_smooth_series_gets_the_whole_budget():
    values = np.linspace(0, 1, 10_000, dtype=np.float32)[:, None] ** 2
    picked = Thinner(lambda: values).indices(10_000, 300)
    assert len(picked) > 200
    assert np.diff(picked).max() < 150


@given(st.integers(121, 5000), st.integers(60, 120))
def test_a_smooth_path_has_no_long_gaps(count, budget):
    steps = np.linspace(0, 1, count, dtype=np.float32)
    values = np.stack((steps, steps**2), axis=1)
    picked = Thinner(lambda: values).indices(count, budget)
    assert len(picked) > budget / 2
    assert np.diff(picked).max() <= 4 * count / budget


@given(series, st.integers(24, 300))
def test_the_extremes_of_every_channel_survive(values, budget):
    picked = Thinner(lambda: values).indices(len(values), budget)
    np.testing.assert_array_equal(values[picked].max(axis=0), values.max(axis=0))
    np.testing.assert_array_equal(values[picked].min(axis=0), values.min(axis=0))


def test_a_spike_of_one_record_survives_wherever_it_is_and_whenever_it_is_asked_for():
    values = np.zeros((50_000, 1), np.float32)
    thinner = Thinner(lambda: values)
    for spike in (1, 777, 16_384, 49_998):
        values = np.zeros((50_000, 1), np.float32)
        values[spike] = 1
        thinner = Thinner(lambda values=values: values)
        for count in (spike + 1, spike + 100, 50_000):
            if count <= len(values):
                assert spike in thinner.indices(count, 200)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=12), st.integers(24, 120))
def test_a_series_read_while_it_grows_is_thinned_as_if_read_at_once(pieces, budget):
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((sum(pieces), 2)).astype(np.float32)
    known = 0
    growing = Thinner(lambda: whole[:known])
    for piece in pieces:
        known += piece
        picked = growing.indices(known, budget)
    np.testing.assert_array_equal(picked, Thinner(lambda: whole).indices(known, budget))


def test_values_that_are_not_finite_are_never_taken_for_extremes():
    values = np.ones((4000, 1), np.float32)
    values[1000] = np.nan
    values[2000] = np.inf
    values[3000] = 5
    values[3500] = -5
    picked = Thinner(lambda: values).indices(4000, 100)
    assert 3000 in picked
    assert 3500 in picked


def test_the_pyramid_looks_at_each_record_once():
    values = np.random.default_rng(1).standard_normal((200_000, 1)).astype(np.float32)
    thinner = Thinner(lambda: values)
    thinner.indices(200_000, 200)
    levels = [level.copy() for level in thinner._levels]
    thinner.indices(150_000, 200)
    for before, after in zip(levels, thinner._levels, strict=True):
        np.testing.assert_array_equal(before, after)
