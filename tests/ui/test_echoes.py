"""What a page sends back by itself is never taken for a hand's, however late it comes."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets import AutogradExplorer, LearningRateExplorer, SurfaceExplorer
from gdwidgets.core import Momentum
from gdwidgets.ui.echoes import LATE, Echoes
from messages import recorded_messages

STOPS = st.integers(0, 20)


def digits(stop):
    """A stop in a page's own digits, which are the kernel's for some."""
    return stop + (1e-12 if stop % 3 else 0.0)


class Slider:
    """What `Echoes` needs of a slider: its value, and every value that is sent to the page."""

    def __init__(self, send):
        self.send, self._value = send, 0.0

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, value):
        if value != self._value:
            self._value = value
            self.send(value)

    def send_state(self, _):
        self.send(self._value)

    def receive(self, value):
        self._value = value


class SlowPage:
    """A kernel and a page with one slider; either handles what the other sent when it is told to.

    As ipywidgets does it, the page sends one value at a time and keeps the newest for when that is
    answered; the kernel repeats each value that it gets, and the page ignores a repetition that is
    not of its last, or while it keeps one. As noUiSlider does it, the page moves what it is given
    to a stop, and sends that if it is another number.
    """

    def __init__(self):
        self.now = 0.0
        self.to_page, self.to_kernel = deque(), deque()
        self.on_page, self.setting = 0.0, 0
        self.asked, self.number, self.kept, self.expected = False, 0, None, None
        self.unanswered, self.answers = deque(), []
        self.slider = Slider(self._give)
        self.echoes = Echoes(
            self.slider,
            lambda one, other: abs(one - other) < 0.5,
            lambda: self.now,
            self.drawn_at,
        )
        self.taken = []

    def drawn_at(self, sent):
        answered = [answered for at, answered in self.answers if at >= sent]
        if answered:
            return min(answered)
        last = max((answered for _, answered in self.answers), default=sent)
        return None if self.unanswered else max(sent, last)

    def give(self, stop):
        self.setting = stop
        self.echoes.show(stop)

    def hand(self, stop):
        if self.on_page != digits(stop):
            self.on_page = digits(stop)
            self._send(self.on_page)

    def wait(self, seconds):
        """Let time pass; an echo comes within ``LATE`` of the last frame's answer."""
        if not self.unanswered:
            self.rest()
        self.now += seconds

    def kernel_handles(self):
        if self.to_kernel:
            number, value = self.to_kernel.popleft()
            if number is None:
                self.answers.append((self.unanswered.popleft(), self.now))
                return
            self.to_page.append(("repeat", (number, value)))
            self.slider.receive(value)
            if self.echoes.came(value):
                self.taken.append(round(value))
                self.give(round(value))
            self.to_page.append(("answered", None))

    def page_handles(self):
        if self.to_page:
            kind, what = self.to_page.popleft()
            if kind == "give":
                self._put(what)
                self.to_kernel.append((None, "drawn"))
            elif kind == "repeat":
                if self.expected is None:
                    self._put(what[1])
                elif self.expected == what[0]:
                    self.expected = None
                    if self.kept is None:
                        self._put(what[1])
            else:
                self.asked = False
                if self.kept is not None:
                    kept, self.kept = self.kept, None
                    self._send(kept)

    def rest(self):
        """Let both handle all that is on its way; whether that came to an end."""
        for _ in range(400):
            if not self.to_page and not self.to_kernel:
                return True
            self.kernel_handles()
            self.page_handles()
        return False

    def _give(self, value):
        self.now += 1e-6  # the frame ends later than it begins
        self.to_page.append(("give", value))
        self.unanswered.append(self.now)

    def _put(self, value):
        self.on_page = digits(round(value))
        if self.on_page != value:
            self._send(self.on_page)

    def _send(self, value):
        if self.asked:
            self.kept = value
        else:
            self.asked, self.number = True, self.number + 1
            self.expected = self.number
            self.to_kernel.append((self.number, value))


HANDLED = (
    st.tuples(st.just("kernel_handles")),
    st.tuples(st.just("page_handles")),
    st.tuples(st.just("wait"), st.floats(0.001, 60)),
)
GIVEN = st.tuples(st.just("give"), STOPS)
HAND = st.tuples(st.just("hand"), STOPS)


def after(acts):
    page = SlowPage()
    page.give(10)
    assert page.rest()
    for act, *what in acts:
        getattr(page, act)(*what)
    return page


@given(acts=st.lists(st.one_of(*HANDLED, GIVEN), max_size=40))
def test_nothing_that_a_page_was_given_comes_back_as_a_hand_s(acts):
    page = after(acts)
    assert page.rest()
    assert page.taken == []
    assert round(page.on_page) == page.setting


@given(acts=st.lists(st.one_of(*HANDLED, HAND), max_size=40))
def test_a_hand_s_last_value_stays_however_slow_the_page(acts):
    page = after(acts)
    moves = [what[0] for act, *what in acts if act == "hand"]
    assert page.rest()
    assert page.setting == round(page.on_page) == (moves[-1] if moves else 10)


@given(acts=st.lists(st.one_of(*HANDLED, GIVEN, HAND), max_size=40))
def test_a_hand_and_given_values_at_once_come_to_rest_and_agree(acts):
    page = after(acts)
    assert page.rest()
    assert page.setting == round(page.on_page)


@given(acts=st.lists(st.one_of(*HANDLED, GIVEN), max_size=20), stop=STOPS)
def test_a_hand_may_go_anywhere_once_the_page_rests(acts, stop):
    page = after(acts)
    page.rest()
    page.wait(LATE + 1)
    for to in (stop, 21, stop):  # and back to where it was
        page.hand(to)
        page.rest()
        assert page.setting == round(page.on_page) == to
    page.give(22)
    page.rest()
    page.hand(stop)  # at once, where a hand has been
    page.rest()
    assert page.setting == round(page.on_page) == stop


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


def rate_of_a_surface():
    explorer = SurfaceExplorer(max_steps=5)
    slider = explorer.form.field("learning_rate").slider
    return explorer, slider, (10**-2.73, 10**-2.66), lambda: explorer.learning_rate


def rate_of_a_lane():
    explorer = LearningRateExplorer(learning_rates=(0.1, 0.01), max_steps=5)
    slider = explorer.track.handles[1]
    return explorer, slider, (10**-2.73, 10**-2.66), lambda: explorer.learning_rates[1]


def constant_of_a_rule():
    explorer = SurfaceExplorer(rule="momentum", max_steps=5)
    slider = explorer.form.field("rule").constants.inputs["beta"]
    stops = (500 * slider.step, 700 * slider.step)
    return explorer, slider, stops, lambda: explorer.rule.beta


def number_of_a_graph():
    explorer = AutogradExplorer(preset="regression sample")
    slider = explorer.sliders.sliders["x", 0]
    return explorer, slider, (50 / 100, 70 / 100), lambda: explorer.values["x"]


@pytest.mark.parametrize(
    "made", [rate_of_a_surface, rate_of_a_lane, constant_of_a_rule, number_of_a_graph]
)
def test_a_hand_is_answered_by_no_value(made):
    explorer, slider, stops, setting = made()
    with recorded_messages() as sent:
        for stop in stops:
            slider.set_state({"value": stop * (1 + 4e-16)})
            assert setting() == pytest.approx(stop, rel=0.01)
    values = [
        message["state"]["value"]
        for widget, message, _ in sent
        if widget is slider and message["method"] == "update" and "value" in message["state"]
    ]
    assert values == []
    explorer.close()
