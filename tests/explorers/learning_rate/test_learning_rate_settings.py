"""LearningRateExplorer without a browser: code, pins, settings, bad input, any order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ipywidgets.widgets.widget import _instances
from traitlets import TraitError

from gdwidgets import LearningRateExplorer
from gestures import cells, run_code
from messages import recorded_messages

# -- what all explorers have -----------------------------------------------------------------------


VARIANTS = [
    {},
    {"rule": "momentum", "learning_rates": (0.01, 0.001)},
    {"rule": "adam", "degree": 3, "learning_rates": 0.05},
    {"x": (0.0, 1.0, 2.0), "y": (1.0, 0.0, 3.0), "degree": 1, "learning_rates": (0.1,)},
    {"batch_size": 30, "learning_rates": (0.1, 0.01)},
    {"schedule": ((40, (0.1, 0.01)),), "learning_rates": (0.01, 0.02)},
    {"schedule": ((40, (0.01,)),), "learning_rates": (0.02,), "rule": "adam"},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_the_code_gives_the_numbers_on_the_screen(make, settings, capsys):
    explorer = make(**settings)
    explorer.run()
    results = run_code(explorer)
    assert "Learned parameters" in capsys.readouterr().out
    descent = explorer.descent
    for lane, result in enumerate(results):
        last = int(descent.last_step[lane])
        if descent.outcomes[lane] == "diverged":  # the script's loop runs on
            assert np.isnan(result.parameters).all()
            continue
        assert result.updates == last
        np.testing.assert_allclose(
            result.parameters, descent.params[last, lane], rtol=2e-4, atol=1e-5
        )


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_settings_build_an_equal_explorer(make, settings):
    one = make(**settings)
    two = LearningRateExplorer(**one.settings())
    assert two.settings() == one.settings()
    one.run()
    two.run()
    np.testing.assert_array_equal(one.descent.params, two.descent.params)
    two.close()


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
    explorer.controls.pin.click()
    explorer.rule = "momentum"
    assert explorer.fits.ghosts.visible
    assert explorer.loss_plot.ghosts.visible
    explorer.fold.toggles["Run table"].value = True
    shown = explorer.fold.body.value
    assert shown.count("<td class=gdw-text>A</td>") == 4
    assert "momentum" in shown
    assert "gradient descent" in shown
    explorer.degree = 3
    assert "–" in explorer.fold.body.value
    explorer.controls.unpin.click()
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
        return [*arrays, explorer.status.value, explorer.controls.panel.table.value]

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
def test_a_frame_stays_within_twelve_messages_and_16_kb_with_eight_lanes(make, log):
    explorer = make(
        learning_rates=(1, 0.1, 0.01, 0.001, 0.19, 0.21, 0.3, 0.03),
        max_steps=3000,
        log_steps=log,
        batch_size=10,
    )
    explorer.fold.toggles["Step table"].value = True
    for k in (10, 100, 1000, 3000):
        explorer.step = k - 1
        with recorded_messages() as sent:
            explorer.step = k
        assert len(sent) <= 12
        assert sent.bytes <= 16_000


def test_close_leaves_no_widget_behind():
    before = set(_instances)
    explorer = LearningRateExplorer(max_steps=50, on_change="continue")
    explorer.add_rate()
    explorer.step = 20
    explorer.change_rate(1, 0.05)
    explorer.pin()
    explorer.log_steps = True
    explorer.batch_size = 10
    for toggle in explorer.fold.toggles.values():
        toggle.value = True
    explorer.remove_rate(0)
    explorer.close()
    assert set(_instances) == before


def test_controls_set_settings_and_settings_show_in_controls(explorer):
    controls = explorer.controls
    controls.rule.value = "adam"
    controls.degree.value = 4
    controls.max_steps.value = 77
    controls.log_steps.value = True
    controls.on_change.value = "continue"
    assert (explorer.rule, explorer.degree, explorer.max_steps) == ("adam", 4, 77)
    assert explorer.log_steps
    assert explorer.on_change == "continue"
    assert cells(explorer)[0][:5] == ["a", "b", "c", "d", "e"]
    explorer.rule, explorer.degree = "gd", 2
    assert (controls.rule.value, controls.degree.value) == ("gd", 2)


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"x": [], "y": []}, "1 to 1,000,000 numbers"),
        ({"x": [1, 2, 3]}, "y is missing"),
        ({"y": [1, 2, 3]}, "x is missing"),
        ({"x": [1, 2, 3, 4], "y": [1, 2, 3]}, "same length"),
        ({"x": [1, 2, math.nan], "y": [1, 2, 3]}, "x must be finite"),
        ({"x": [1, 2, 3], "y": [1, 2, math.inf]}, "y must be finite"),
        ({"x": [[1, 2, 3]], "y": [1, 2, 3]}, "one-dimensional"),
        ({"x": "abc", "y": [1, 2, 3]}, "x must be numbers"),
        ({"x": [1, 2], "y": [1, 2]}, "needs at least 3 pairs"),
        ({"degree": 11}, "0 to 10"),
        ({"degree": -1}, "0 to 10"),
        ({"degree": 1.5}, "0 to 10"),
        ({"learning_rates": ()}, "1 to 8 numbers, not 0"),
        ({"learning_rates": (0.1,) * 9}, "1 to 8 numbers, not 9"),
        ({"learning_rates": (0.1, -1)}, "greater than 0"),
        ({"learning_rates": (0,)}, "greater than 0"),
        ({"learning_rates": (math.nan,)}, "greater than 0"),
        ({"learning_rates": (1e9,)}, "1e-30 to 1,000,000"),
        ({"learning_rates": "0.1"}, "1 to 8 numbers"),
        ({"learning_rates": None}, "1 to 8 numbers"),
        ({"learning_rates": ("0.1",)}, "greater than 0"),
        ({"rule": "adan"}, "did you mean 'adam'"),
        ({"init": (1, 2)}, "start must be 3 numbers"),
        ({"init": (1, 2, math.nan)}, "init must be finite"),
        ({"init": (1e30, 0, 0)}, "not finite in float32"),
        ({"max_steps": 0}, "1 to 1000000"),
        ({"max_steps": None}, "1 to 1000000"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"batch_size": 101}, "batch_size must be"),
        ({"batch_size": "ten"}, "batch_size must be"),
        ({"batch_seed": -1}, "batch_seed must be"),
        ({"schedule": 5}, "pairs"),
        ({"schedule": ((10,),)}, "pairs"),
        ({"schedule": ((10, (0.1,)),)}, "4 learning rates"),
        ({"schedule": ((250, (1, 0.1, 0.01, 0.001)),)}, "run ends at 200"),
        ({"schedule": ((20, (0.1,)), (10, (0.1,)))}, "rising"),
        ({"on_change": "carry on"}, "restart, continue"),
        ({"lane": 4}, "0 to 3"),
        ({"lane": -1}, "0 to 7"),
        ({"speed": 0}, "greater than 0"),
    ],
    ids=str,
)
def test_bad_keywords_say_what_is_accepted(settings, says):
    with pytest.raises((TraitError, ValueError), match=says):
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
    ],
)
def test_a_bad_value_leaves_everything_as_it_was(explorer, setting, bad):
    explorer.step = 9
    before, descent = explorer.settings(), explorer.descent
    with pytest.raises((TraitError, ValueError)):
        setattr(explorer, setting, bad)
    assert explorer.settings() == before
    assert explorer.descent is descent
    assert explorer.step == 9


@pytest.mark.parametrize("bad", ["fast", "-1", "0", "nan", "", "1e12"])
def test_a_bad_rate_in_a_row_is_explained_and_the_old_one_comes_back(explorer, bad):
    explorer.step = 9
    field = explorer.controls.panel.fields[1]
    field.value = bad
    assert "learning rate must be" in explorer.problem
    assert field.value == "0.1"
    assert explorer.learning_rates[1] == 0.1
    assert explorer.step == 9


@pytest.mark.parametrize("bad", ["0", "101", "2.5", "some"])
def test_a_bad_batch_size_is_explained_and_taken_back(explorer, bad):
    explorer.controls.batch_size.value = bad
    assert "batch_size must be" in explorer.problem
    assert explorer.controls.batch_size.value == ""
    assert explorer.batch_size is None


def test_a_degree_beyond_the_data_is_refused_and_taken_back(make):
    explorer = make(x=(0, 1, 2, 3), y=(1, 2, 0, 1))
    explorer.controls.degree.value = 6
    assert "needs at least 7 pairs" in explorer.problem
    assert explorer.controls.degree.value == 2


def test_x_and_y_are_changed_together(explorer):
    with explorer.settings_together():
        explorer.x = torch.linspace(0, 1, 20)
        explorer.y = np.linspace(1, 2, 20)
    assert len(explorer.regression.x) == 20
    assert explorer.closed_form[1] == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("x", [(0, 0, 0, 0), (1, 1, 2, 2), (1e3, 2e3, 3e3, 4e3), (5, 5, 5, 5)])
def test_unusual_data_are_drawn_all_the_same(make, x):
    explorer = make(x=x, y=(1, 2, 3, 4), learning_rates=(0.1, 1e-9), max_steps=20)
    explorer.run()
    assert explorer.problem == ""
    assert explorer.table()
    assert explorer.fits.x.min < explorer.fits.x.max


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
            self.explorer.controls.panel.fields[lane].value = rate

    @rule(lane=st.integers(0, 7))
    def remove(self, lane):
        if lane < self.explorer.descent.lanes > 1:
            self.explorer.controls.panel.removers[lane].click()

    @rule()
    def add(self):
        if self.explorer.descent.lanes < 8:
            self.explorer.controls.panel.add.click()

    @rule(what=st.sampled_from(["restart", "continue"]))
    def on_change(self, what):
        self.explorer.controls.on_change.value = what

    @rule(size=st.sampled_from(["", "10", "0"]))
    def batch(self, size):
        self.explorer.controls.batch_size.value = size

    @rule(name=st.sampled_from(["gd", "adam"]))
    def update_rule(self, name):
        self.explorer.controls.rule.value = name

    @invariant()
    def agrees(self):
        explorer = self.explorer
        descent, k = explorer.descent, explorer.step
        assert 0 <= k <= explorer.end
        assert explorer.transport.scrubber.value == k
        assert len(cells(explorer)) == descent.lanes + 2
        assert explorer.lane < descent.lanes == len(explorer.learning_rates)
        np.testing.assert_array_equal(descent.learning_rates, explorer.learning_rates)
        again = LearningRateExplorer(**explorer.settings())
        again.step = k
        np.testing.assert_array_equal(again.descent.params[: k + 1], descent.params[: k + 1])
        assert again.controls.panel.table.value == explorer.controls.panel.table.value
        again.close()

    def teardown(self):
        self.explorer.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = hypothesis_settings(max_examples=3, stateful_step_count=10, deadline=None)
