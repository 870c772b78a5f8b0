"""Ticks are round, lie on their axis, are few, and are written as on paper."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets.ui.plots import ticks

exponents = st.floats(-30, 30)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_linear_ticks_are_evenly_spread_on_the_axis(low, span, most):
    found = ticks.linear_ticks(low, low + span, most)
    assert len(found) <= most + 1
    assert all(low - 1e-5 * span <= tick <= low + span * (1 + 1e-5) for tick in found)
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert all(step == pytest.approx(steps[0], rel=1e-6) for step in steps)


@given(exponents, st.floats(0.2, 30), st.integers(3, 8))
def test_log_ticks_lie_on_the_axis_and_are_few(exponent, decades, most):
    low, high = 10**exponent, 10 ** (exponent + decades)
    found = ticks.log_ticks(low, high, most)
    assert 1 <= len(found) <= most + 1
    assert all(low * 0.99 <= tick <= high * 1.01 for tick in found)
    assert found == sorted(set(found))


@given(st.integers(-16, 16), st.integers(1, 20), st.integers(3, 8))
def test_a_logarithmic_axis_from_power_to_power_has_two_numbers_at_least(low, decades, most):
    found = ticks.log_ticks(float(f"1e{low}"), float(f"1e{low + decades}"), most)
    assert len(found) >= 2


@given(st.integers(-20, 20), st.integers(3, 12), st.sampled_from([0.1, 0.2, 1, 2.5]))
def test_a_linear_axis_between_round_ends_has_two_numbers_at_least(low, steps, step):
    assert len(ticks.linear_ticks(low * step, (low + steps) * step, 3)) >= 2


@given(exponents, st.floats(0.2, 30))
def test_texts_differ_where_ticks_do(exponent, decades):
    found = ticks.log_ticks(10**exponent, 10 ** (exponent + decades))
    texts = ticks.log_texts(found)
    assert len(set(texts)) == len(found)
    assert not any("e" in text or "-" in text for text in texts)


@given(st.integers(1, 10**7))
def test_step_ticks_begin_at_0_and_a_logarithmic_axis_names_its_end(end):
    log = ticks.step_ticks(end, log=True)
    assert log[0] == 0
    assert log[-1] == end
    assert log == sorted(set(log))
    assert ticks.step_ticks(end, log=False)[0] == 0


def test_the_axis_of_the_exercise():
    assert ticks.step_ticks(4000, log=True) == [0, 10, 100, 1000, 4000]
    assert ticks.step_ticks(300, log=False) == [0, 50, 100, 150, 200, 250, 300]


def test_powers_are_written_as_superscripts():
    assert ticks.log_texts([1e-12, 1e-6, 1.0, 1e3]) == ["10⁻¹²", "10⁻⁶", "10⁰", "10³"]
    assert ticks.log_texts([0.05, 0.1, 0.5, 1, 5, 10]) == ["0.05", "0.1", "0.5", "1", "5", "10"]
