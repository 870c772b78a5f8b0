"""Settings, bad input, pins, code, messages, pictures, and any order of all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gdwidgets import LearningRateExplorer
from gdwidgets.core import Momentum
from gestures import run_code
from living import living
from messages import recorded_messages

VARIANTS = [
    {},
    {"rule": "momentum", "learning_rates": (0.01, 0.001)},
    {"rule": Momentum(beta=0.3), "learning_rates": (0.01,)},
    {"rule": "adam", "degree": 3, "learning_rates": 0.05},
    {"x": (0.0, 1.0, 2.0), "y": (1.0, 0.0, 3.0), "degree": 1, "learning_rates": (0.1,)},
    {"batch_size": 30, "learning_rates": (0.1, 0.01)},
    {"schedule": ((40, (0.1, 0.01)),), "learning_rates": (0.01, 0.02)},
    {"schedule": ((40, (0.01,)),), "learning_rates": (0.02,), "rule": "adam"},
    {"rate_schedule": "exponential", "learning_rates": (0.1, 0.05)},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_the_code_gives_the_numbers_on_the_screen(make, settings):
    explorer = make(**settings)
    explorer.run()
    descent = explorer.descent
    for lane, result in enumerate(run_code(explorer)):
        if descent.outcomes[lane] == "diverged":
            continue  # the script's loop runs on into inf and NaN
        last = int(descent.last_step[lane])
        left = result["parameters"] if isinstance(result, dict) else result.parameters
        np.testing.assert_allclose(left, descent.params[last, lane], rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_settings_build_an_equal_explorer(make, settings):
    one = make(**settings)
    two = LearningRateExplorer(**one.settings())
    assert two.settings() == one.settings()
    one.run()
    two.run()
    np.testing.assert_array_equal(one.descent.params, two.descent.params)
    two.close()


def test_a_rule_object_has_its_own_constants(make):
    explorer = make(rule=Momentum(beta=0.3))
    assert explorer.descent.rule.beta == 0.3
    assert make(rule=Momentum()).rule == "momentum"


def test_the_data_frame_has_a_row_for_each_lane_and_step(explorer):
    frame = explorer.to_dataframe()
    lasting = frame[frame.lane == 1]
    assert len(lasting) == 201
    assert len(frame[frame.lane == 0]) == explorer.descent.last_step[0] + 1
    assert {"step", "a", "b", "c", "loss", "grad_a", "step_grad_c"} <= set(frame.columns)
    assert f"{lasting[lasting.step == 100].a.item():.4f}" == "0.8828"
    assert explorer.step == 0


def test_a_pinned_run_stays_as_ghosts_and_rows(explorer):
    explorer.run()
    explorer.pin_button.click()
    explorer.rule = "momentum"
    assert explorer.fits.ghosts.visible
    assert explorer.loss_plot.ghosts.visible
    explorer.unfold("Compare")
    shown = explorer.fold.text.value
    assert shown.count("<td class=gdw-text>A</td>") == 4
    assert "momentum" in shown
    assert "gradient descent" in shown
    explorer.degree = 3
    assert "–" in explorer.fold.text.value
    explorer.unpin.click()
    assert explorer.pins == ()
    assert not explorer.loss_plot.ghosts.visible


def test_play_without_an_event_loop_plays_to_the_end(explorer):
    explorer.play()
    assert explorer.step == 200
    assert not explorer.playing


def test_the_screen_is_a_pure_function_of_recording_and_cursor(explorer):
    def screen():
        marks = (*explorer.fits.figure.marks, *explorer.loss_plot.figure.marks)
        arrays = [np.asarray(getattr(mark, name)).copy() for mark in marks for name in ("x", "y")]
        return [*arrays, explorer.status.value, explorer.lanes.table.value]

    explorer.run()
    explorer.step = 60
    there = screen()
    explorer.run()
    explorer.reset()
    explorer.step = 60
    for before, after in zip(there, screen(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("log", [False, True])
def test_no_mark_ever_gets_what_breaks_it(make, log):
    explorer = make(learning_rates=(1e6, 1.0, 0.21, 0.1), max_steps=60, log_steps=log)
    for k in range(61):
        explorer.step = k
        for mark in (*explorer.fits.figure.marks, *explorer.loss_plot.figure.marks):
            x, y = np.asarray(mark.x, float), np.atleast_2d(np.asarray(mark.y, float))
            assert np.isfinite(x).all()
            assert np.isfinite(y[:, -1:]).all()
            assert (np.abs(y[np.isfinite(y)]) < 1e12).all()


@pytest.mark.parametrize("log", [False, True])
def test_a_frame_stays_within_five_messages_and_6_kb_with_eight_lanes(make, log):
    explorer = make(
        learning_rates=(1, 0.1, 0.01, 0.001, 0.19, 0.21, 0.3, 0.03),
        max_steps=3000,
        log_steps=log,
        batch_size=10,
    )
    explorer.run()
    explorer.reset()
    explorer.playing, explorer._player.run_through = False, lambda: None
    explorer.playing = True
    explorer._said_at = math.inf
    for k in (10, 100, 1000, 2900):
        explorer.step = k - 1
        with recorded_messages() as sent:
            explorer.step = k
        assert len(sent) <= 5
        assert sent.bytes <= 6_000


def test_close_leaves_no_widget_behind():
    before = set(living())
    explorer = LearningRateExplorer(max_steps=50, on_change="continue")
    explorer.add_rate()
    explorer.step = 20
    explorer.change_rate(1, 0.05)
    explorer.pin()
    explorer.log_steps = False
    explorer.batch_size = 10
    for title in explorer.fold.toggles:
        explorer.unfold(title)
    explorer.remove_rate(0)
    explorer.close()
    assert set(living()) == before


def test_controls_set_settings_and_settings_show_in_controls(explorer, cells):
    explorer.unfold("Settings")

    def choose(name, value):
        explorer.form.field(name).inputs[0].value = value

    choose("rule", "adam")
    choose("degree", 4)
    choose("max_steps", 77)
    choose("log_steps", False)
    choose("on_change", "continue")
    assert (explorer.rule, explorer.degree, explorer.max_steps) == ("adam", 4, 77)
    assert not explorer.log_steps
    assert explorer.on_change == "continue"
    assert cells(explorer)[0][:5] == ["a", "b", "c", "d", "e"]
    explorer.rule, explorer.degree = "gd", 2
    shown = [explorer.form.field(name).inputs[0].value for name in ("rule", "degree")]
    assert shown == ["gd", 2]


def test_a_click_on_a_curve_goes_to_its_step_and_chooses_its_lane(explorer):
    explorer.run()
    lane, step = 2, 40
    x = float(explorer.loss_plot._steps.place(step))
    y = float(explorer.loss_plot._values.place(explorer.descent.loss[step, lane]))
    explorer.loss_plot.clicks._handle_custom_msg(
        {"event": "element_click", "data": {"click_x": x, "click_y": y}}, []
    )
    assert explorer.lane == lane
    assert explorer.step == pytest.approx(step, abs=2)


@pytest.mark.parametrize(
    ("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_the_picture_is_drawn_for_print(make, kind, begins):
    explorer = make(max_steps=40, batch_size=10)
    explorer.step = 25
    assert explorer.picture(kind).startswith(begins)


def test_large_makes_text_and_figures_larger(explorer):
    height = int(explorer.fits.figure.layout.height.removesuffix("px"))
    explorer.size = "large"
    assert int(explorer.fits.figure.layout.height.removesuffix("px")) == round(1.4 * height)
    explorer.size = "normal"
    assert int(explorer.loss_plot.figure.layout.height.removesuffix("px")) == height


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"x": [], "y": []}, "x must be"),
        ({"x": [1, 2, 3]}, "y is missing"),
        ({"y": [1, 2, 3]}, "x is missing"),
        ({"x": [1, 2, 3, 4], "y": [1, 2, 3]}, "same length"),
        ({"x": [1, 2, math.nan], "y": [1, 2, 3]}, "x must be finite"),
        ({"x": [1, 2, 3], "y": [1, 2, math.inf]}, "y must be finite"),
        ({"x": [[1, 2, 3]], "y": [1, 2, 3]}, "one-dimensional"),
        ({"x": "abc", "y": [1, 2, 3]}, "x must be numbers"),
        ({"x": [1, 2], "y": [1, 2]}, "needs at least 3"),
        ({"degree": 11}, "degree must be .*0 to 10"),
        ({"degree": -1}, "degree must be .*0 to 10"),
        ({"degree": 1.5}, "degree must be .*0 to 10"),
        ({"learning_rates": ()}, "1 to 8 numbers, got 0"),
        ({"learning_rates": (0.1,) * 9}, "1 to 8 numbers, got 9"),
        ({"learning_rates": (0.1, -1)}, r"learning_rates\[1\] must be greater than 0"),
        ({"learning_rates": (0,)}, "greater than 0"),
        ({"learning_rates": (math.nan,)}, r"learning_rates\[0\] must be"),
        ({"learning_rates": (1e9,)}, "1e-30 to 1,000,000"),
        ({"learning_rates": "0.1"}, "1 to 8 numbers"),
        ({"learning_rates": None}, "1 to 8 numbers"),
        ({"learning_rates": ("0.1",)}, r"learning_rates\[0\] must be"),
        ({"learning_rates": {0.1}}, "1 to 8 numbers"),
        ({"rule": "adan"}, "did you mean 'adam'"),
        ({"rule": ("gd", "adam")}, "one rule for all lanes"),
        ({"rule": [{}]}, "one rule for all lanes"),
        ({"rate_schedule": "cosin"}, "did you mean 'cosine'"),
        ({"rate_schedule": 3}, "rate_schedule must be"),
        ({"init": (1, 2)}, "init must be 3 numbers"),
        ({"init": (1, 2, math.nan)}, "init must be finite"),
        ({"init": (1e30, 0, 0)}, "init must be coefficients at which"),
        ({"max_steps": 0}, "max_steps must be"),
        ({"max_steps": None}, "max_steps must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"batch_size": 101}, "batch_size must be"),
        ({"batch_size": "ten"}, "batch_size must be"),
        ({"batch_seed": -1}, "batch_seed must be"),
        ({"schedule": 5}, "schedule must be pairs"),
        ({"schedule": ((10,),)}, "schedule must be pairs"),
        ({"schedule": ((10, (0.1,)),)}, "4 learning rates"),
        ({"schedule": ((250, (1, 0.1, 0.01, 0.001)),)}, "run ends at 200"),
        ({"schedule": ((20, (0.1,)), (10, (0.1,)))}, "rising"),
        ({"on_change": "carry on"}, "'keep', 'restart', 'continue'"),
        ({"lane": 4}, "lane must be from 0 to 3"),
        ({"lane": -1}, "lane must be"),
        ({"speed": 0}, "speed must be"),
        ({"theory": "astrology"}, "'none', 'prediction'"),
    ],
    ids=str,
)
def test_bad_keywords_say_what_is_accepted(settings, says):
    with pytest.raises(ValueError, match=says):
        LearningRateExplorer(**({"max_steps": 200} | settings))


def test_an_unknown_keyword_names_the_nearest():
    with pytest.raises(TypeError, match="did you mean 'learning_rates'"):
        LearningRateExplorer(learning_rate=0.1)


@pytest.mark.parametrize(
    ("setting", "bad"),
    [
        ("x", (1.0, 2.0)),
        ("learning_rates", (0.1, 0.0)),
        ("degree", 12),
        ("init", (1, 2)),
        ("batch_size", 1000),
        ("max_steps", -3),
        ("schedule", ((10, (0.1,)),)),
        ("lane", 7),
        ("rate_schedule", 2),
    ],
)
def test_a_bad_value_leaves_everything_as_it_was(explorer, setting, bad):
    explorer.step = 9
    before, descent = explorer.settings(), explorer.descent
    with pytest.raises(ValueError, match=setting):
        setattr(explorer, setting, bad)
    assert explorer.settings() == before
    assert explorer.descent is descent
    assert explorer.step == 9


@pytest.mark.parametrize("bad", ["fast", "-1", "0", "nan", "", "1e12"])
def test_a_bad_rate_in_a_row_is_explained_and_the_old_one_comes_back(explorer, bad):
    explorer.step = 9
    field = explorer.lanes.fields[1]
    field.value = bad
    assert "learning rate must be" in explorer.problem
    assert "gdw-error" in explorer.status.value
    assert field.value == "0.1"
    assert explorer.learning_rates[1] == 0.1
    assert explorer.step == 9
    explorer.lanes.fields[1].value = "0.2"
    assert explorer.problem == ""


@pytest.mark.parametrize("bad", ["0", "101", "2.5", "some"])
def test_a_bad_batch_size_is_explained_and_taken_back(explorer, bad):
    field = explorer.form.field("batch_size").inputs[0]
    field.value = bad
    assert "batch_size must be" in explorer.problem
    assert field.value == ""
    assert explorer.batch_size is None


def test_a_degree_beyond_the_data_is_refused_and_taken_back(make):
    explorer = make(x=(0, 1, 2, 3), y=(1, 2, 0, 1))
    field = explorer.form.field("degree").inputs[0]
    field.value = 6
    assert "needs at least 7" in explorer.problem
    assert field.value == 2


def test_x_and_y_are_changed_together(explorer):
    explorer.assign(x=torch.linspace(0, 1, 20), y=np.linspace(1, 2, 20))
    assert len(explorer.regression.x) == 20
    assert explorer.closed_form[1] == pytest.approx(0, abs=1e-10)


def test_another_degree_takes_initial_coefficients_of_its_own(make):
    explorer = make(init=(1, 2, 3))
    explorer.degree = 4
    assert explorer.init is None
    assert explorer.descent.params.shape[-1] == 5


@pytest.mark.parametrize("x", [(0, 0, 0, 0), (1, 1, 2, 2), (1e3, 2e3, 3e3, 4e3), (5, 5, 5, 5)])
def test_unusual_data_are_drawn_all_the_same(make, x):
    explorer = make(x=x, y=(1, 2, 3, 4), learning_rates=(0.1, 1e-9), max_steps=20)
    explorer.run()
    for title in explorer.fold.toggles:
        explorer.unfold(title)
        assert "gdw-error" not in explorer.fold.text.value
    assert explorer.problem == ""
    assert explorer.table()


class AnyOrder(RuleBasedStateMachine):
    """Buttons and settings in any order leave the picture in agreement with the recording."""

    def __init__(self):
        super().__init__()
        self.explorer = LearningRateExplorer(max_steps=40)

    @rule(k=st.integers(0, 40))
    def scrub(self, k):
        self.explorer.transport.scrubber.value = k

    @rule(button=st.sampled_from(["play", "reset", "finish", "forward", "back"]))
    def press(self, button):
        getattr(self.explorer.transport, button).click()

    @rule(lane=st.integers(0, 7), rate=st.sampled_from(["0.1", "0.02", "5", "1e-3", "x"]))
    def edit(self, lane, rate):
        if lane < self.explorer.descent.lanes:
            self.explorer.lanes.fields[lane].value = rate

    @rule(lane=st.integers(0, 7), rate=st.sampled_from([0.11, 0.023, 5.3, 1.7e-3]))
    def drag(self, lane, rate):
        if lane < self.explorer.descent.lanes:
            self.explorer.track.handles[lane].value = rate

    @rule(lane=st.integers(0, 7))
    def remove(self, lane):
        if lane < self.explorer.descent.lanes > 1:
            self.explorer.lanes.removers[lane].click()

    @rule()
    def add(self):
        if self.explorer.descent.lanes < 8:
            self.explorer.lanes.add.click()

    @rule(what=st.sampled_from(["keep", "restart", "continue"]))
    def on_change(self, what):
        self.explorer.on_change = what

    @rule(size=st.sampled_from(["", "10", "0"]))
    def batch(self, size):
        self.explorer.form.field("batch_size").inputs[0].value = size

    @rule(name=st.sampled_from(["gd", "adam"]))
    def update_rule(self, name):
        self.explorer.form.field("rule").inputs[0].value = name

    @rule(name=st.sampled_from(["exercise", "by hand", "cliff", "noise"]))
    def situate(self, name):
        self.explorer.situate(name)
        self.explorer.max_steps = 40

    @invariant()
    def agrees(self):
        explorer = self.explorer
        descent, k = explorer.descent, explorer.step
        assert 0 <= k <= explorer.end
        assert explorer.transport.scrubber.value == k
        assert explorer.lane < descent.lanes == len(explorer.learning_rates)
        np.testing.assert_array_equal(descent.learning_rates, explorer.learning_rates)

    @rule()  # now and then: to make an explorer takes longer than all else
    def agrees_with_one_made_so(self):
        explorer = self.explorer
        descent, k = explorer.descent, explorer.step
        again = LearningRateExplorer(**explorer.settings())
        again.step = k
        np.testing.assert_array_equal(again.descent.params[: k + 1], descent.params[: k + 1])
        assert again.lanes.table.value == explorer.lanes.table.value
        again.close()

    def teardown(self):
        self.agrees_with_one_made_so()
        self.explorer.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = hypothesis_settings(max_examples=4, stateful_step_count=12, deadline=None)
