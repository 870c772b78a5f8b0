"""What a page sends back by itself is never taken for a hand's, however late it comes."""

from __future__ import annotations

import math
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets import AutogradExplorer, LearningRateExplorer, SurfaceExplorer
from gdwidgets.core import Momentum
from gdwidgets.ui.echoes import LATE, Echoes

STOPS = st.integers(0, 20)


class SlowPage:
    """A slider in a page that draws what it is given in order, at any time, and sends it back."""

    def __init__(self):
        self.now = 0.0
        self.on_its_way = deque()
        self.shown = 0
        self.taken = []
        self.echoes = Echoes(
            lambda one, other: math.isclose(one, other, rel_tol=1e-9),
            lambda: self.now,
            lambda: self.on_its_way[0][1] if self.on_its_way else self.now,
        )

    def give(self, stop):
        self.echoes.give(stop)
        self.shown = stop
        self.on_its_way.append((stop, self.now))

    def came(self, value):
        if not math.isclose(value, self.shown) and self.echoes.by_hand(value):
            self.taken.append(value)
            self.give(value)

    def draw_next(self):
        if self.on_its_way:
            stop, sent_at = self.on_its_way[0]
            self.came(stop * (1 + 1e-15))  # in the page's own last digits
            self.on_its_way.remove((stop, sent_at))

    def wait(self, seconds):
        self.now += seconds


ACTS = st.one_of(
    st.tuples(st.just("give"), STOPS),
    st.tuples(st.just("draw_next")),
    st.tuples(st.just("wait"), st.floats(0.001, 60)),
)


@given(acts=st.lists(ACTS, max_size=40))
def test_nothing_that_a_page_was_given_comes_back_as_a_hand_s(acts):
    page = SlowPage()
    for act, *what in acts:
        getattr(page, act)(*what)
    assert page.taken == []


@given(acts=st.lists(ACTS, max_size=20), stop=STOPS)
def test_a_hand_may_go_anywhere_once_the_page_rests(acts, stop):
    page = SlowPage()
    for act, *what in acts:
        getattr(page, act)(*what)
    while page.on_its_way:
        page.draw_next()
    page.wait(LATE)
    page.came(stop)
    assert page.shown == stop
    page.came(21)
    page.came(stop)  # and back to where it was
    assert page.shown == stop


def test_a_slider_s_own_digits_and_stops_change_no_constant():
    explorer = SurfaceExplorer(rule="nesterov", max_steps=5)
    constants = explorer.form.field("rule").constants
    slider = constants.inputs["beta"]
    slider.value = 0.9000000000000001  # what a page makes of 0.9
    assert explorer.rule == "nesterov"
    for beta in (0.95555, 0.99995):  # between two stops, and beyond the slider's end
        explorer.rule = Momentum(beta=beta)
        assert explorer.rule.beta == beta
        assert constants.sliders["beta"].number.value == f"{beta:g}"
        slider = constants.inputs["beta"]
        slider.value = round(min(beta, slider.max) / slider.step) * slider.step
        assert explorer.rule.beta == beta
    constants.sliders["beta"].number.value = "0.9995"
    assert explorer.rule == Momentum(beta=0.9995)
    constants.sliders["beta"].number.value = "1"
    assert "beta must be a number, at least 0 and less than 1" in explorer.sentence_text
    assert explorer.rule == Momentum(beta=0.9995)
    assert constants.sliders["beta"].number.value == "0.9995"
    slider.value = 0.5
    assert explorer.rule == Momentum(beta=0.5)
    explorer.close()


def test_a_late_echo_of_a_rate_changes_no_rate():
    explorer = SurfaceExplorer(max_steps=5)
    slider = explorer.form.field("learning_rate").slider
    first = slider.value
    explorer.learning_rate = 0.01
    slider.value = first * (1 + 1e-15)
    assert explorer.learning_rate == 0.01
    explorer.close()
    explorer = LearningRateExplorer(learning_rates=(0.1, 0.01), max_steps=5)
    first = explorer.track.handles[1].value
    explorer.learning_rates = (0.1, 0.05)
    explorer.track.handles[1].value = first * (1 + 1e-15)
    assert explorer.learning_rates == (0.1, 0.05)
    explorer.close()


@pytest.mark.parametrize("number", [50.0, -7.25, 2.123456, 1e30])
def test_a_number_beyond_its_slider_is_kept_and_the_slider_grows(number):
    explorer = AutogradExplorer(preset="regression sample")
    explorer.set_number("x", 0, number)
    assert explorer.values == {"x": pytest.approx(number)}
    slider = explorer.sliders.sliders["x", 0]
    assert slider.value == pytest.approx(number)
    slider.value = 2.0
    assert explorer.values == {"x": 2.0}
    assert explorer.sliders.sliders["x", 0] is slider  # not made anew under the hand
    explorer.close()
