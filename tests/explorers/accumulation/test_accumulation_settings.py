"""AccumulationComparer without a browser: marks, clicks, pins, code, bad input, any order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gdwidgets.explorers.accumulation.runs import PRESETS
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ipywidgets.widgets.widget import _instances
from traitlets import TraitError

from gdwidgets import AccumulationComparer
from gestures import click, refused, run_code
from messages import recorded_messages

# -- marks -----------------------------------------------------------------------------------------


def test_paths_and_curves_are_the_recording(explorer):
    explorer.step = 6
    params = explorer.descent.params[:7]
    for lane in (0, 1):
        np.testing.assert_array_equal(explorer.map.paths.x[lane], params[:, lane, 0])
        np.testing.assert_array_equal(explorer.map.paths.y[lane], params[:, lane, 1])
        for i in (0, 1):
            np.testing.assert_array_equal(explorer.curves.lines.y[2 * lane + i], params[:, lane, i])
    np.testing.assert_array_equal(explorer.map.present.x, params[6, :, 0])


def test_the_valley_s_floor_is_drawn_where_the_loss_is_least(explorer):
    x, y = explorer.map.minima.x, explorer.map.minima.y
    np.testing.assert_allclose(x * 1.5 + y, 2.5, atol=1e-5)


def test_a_diverging_path_stays_straight(explorer):
    explorer.apply_preset("both diverge")
    explorer.run()
    x, y = (np.asarray(values, float) for values in (explorer.map.paths.x, explorer.map.paths.y))
    np.testing.assert_allclose((x - 0.5) / 1.5, y - 0.5, atol=1e-3)
    shown_x, shown_y = explorer.map.present.x, explorer.map.present.y
    np.testing.assert_allclose((shown_x - 0.5) / 1.5, shown_y - 0.5, atol=1e-5)


@pytest.mark.parametrize("settings", [{"learning_rate": 5.0}, {"x": 1e4}, {"learning_rate": 1e-6}])
def test_no_mark_ever_gets_what_breaks_it(explorer, settings):
    with explorer.settings_together():
        explorer.max_steps = 60
        for name, value in settings.items():
            setattr(explorer, name, value)
    for k in range(0, explorer.max_steps + 1, 3):
        explorer.step = k
        figures = (explorer.map.figure, explorer.curves.figure, explorer.loss_plot.figure)
        for mark in [mark for figure in figures for mark in figure.marks]:
            x, y = np.asarray(mark.x, float), np.asarray(mark.y, float)
            assert np.isfinite(x).all()
            assert np.isfinite(np.atleast_2d(y)[:, -1:]).all()
            assert (np.abs(y[np.isfinite(y)]) < 1e12).all()


def test_the_screen_is_a_pure_function_of_recording_and_cursor(explorer):
    def screen():
        marks = (*explorer.map.figure.marks, *explorer.curves.figure.marks)
        arrays = [np.asarray(getattr(mark, name)).copy() for mark in marks for name in "xy"]
        return [*arrays, explorer.loops.value, explorer.status.value]

    explorer.step = 5
    there = screen()
    explorer.run()
    explorer.reset()
    explorer.step = 5
    for before, after in zip(there, screen(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.614])
def test_a_frame_stays_within_twelve_messages_and_16_kb_at_any_length(explorer, rate):
    explorer.learning_rate = rate
    explorer.max_steps = 6000
    for k in (10, 700, 6000):
        explorer.step = k - 1
        with recorded_messages() as sent:
            explorer.step = k
        assert len(sent) <= 12
        assert sent.bytes <= 16_000


def test_an_open_step_table_keeps_a_frame_within_twelve_messages_and_16_kb(explorer):
    explorer.max_steps = 6000
    explorer.fold.toggles["Step tables"].value = True
    explorer.step = 5000
    with recorded_messages() as sent:
        explorer.step_forward()
    assert len(sent) <= 12
    assert sent.bytes <= 16_000


# -- clicking, dragging, typing --------------------------------------------------------------------


def test_clicks_drags_and_fields_set_the_start(explorer):
    explorer.step = 4
    click(explorer, 1.25, -0.5)
    assert explorer.start == (1.25, -0.5)
    assert explorer.step == 0
    explorer.map.start._handle_custom_msg(
        {"event": "drag_end", "point": {"x": 2.0, "y": 1.5}, "index": 0}, []
    )
    assert explorer.start == (2.0, 1.5)
    explorer.controls.a.value = 0.25
    explorer.controls.b.value = -1.0
    assert explorer.start == (0.25, -1.0)
    assert len(explorer.map.start.x) == 1


def test_a_click_does_not_move_the_window(explorer):
    before = (explorer.map.x.min, explorer.map.x.max)
    click(explorer, before[1] - 0.001, explorer.map.y.min + 0.001)
    assert (explorer.map.x.min, explorer.map.x.max) == before
    explorer.start = (30.0, 0.0)
    assert explorer.map.x.max >= 30


def test_controls_set_settings_and_settings_show_in_controls(explorer):
    controls = explorer.controls
    controls.rate.field.value = "0.25"
    controls.clear_every.value = "3"
    controls.x.value, controls.y.value = -2.0, 1.0
    controls.max_steps.value = 17
    assert (explorer.learning_rate, explorer.clear_every) == (0.25, 3)
    assert (explorer.x, explorer.y, explorer.max_steps) == (-2.0, 1.0, 17)
    controls.clear_every.value = ""
    assert explorer.clear_every is None
    controls.parts.value = 2
    assert explorer.micro_batches == 2
    assert controls.x.disabled
    explorer.micro_batches = None
    assert controls.parts.value == 0
    controls.loss_log.value = False
    assert not explorer.loss_log
    controls.momentum.value = True
    assert explorer.curves.momentum.visible


@pytest.mark.parametrize(
    ("control", "bad", "says"),
    [
        ("rate.field", "fast", "learning_rate must be a number"),
        ("rate.field", "-1", "greater than 0"),
        ("clear_every", "0", "clear_every must be a whole number"),
        ("clear_every", "1.5", "clear_every must be a whole number"),
        ("clear_every", "often", "clear_every must be a number"),
        ("max_steps", 0, "1 to 1000000"),
        ("x", math.inf, "x must be a number"),
        ("a", math.nan, "2 finite numbers"),
        ("y", 1e30, "too large for float32"),
    ],
)
def test_a_bad_value_in_a_control_is_explained_and_the_old_one_stays(explorer, control, bad, says):
    explorer.step = 3
    refused(explorer, control, bad, says)
    explorer.line_forward()
    explorer.transport.forward.click()
    assert explorer.problem == ""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"x": "1.5"}, "x must be a number"),
        ({"x": math.nan}, "x must be a number"),
        ({"y": None}, "y must be a number"),
        ({"x": 1e30}, "too large for float32"),
        ({"start": (1, 2, 3)}, "2 finite numbers"),
        ({"start": (1, math.inf)}, "2 finite numbers"),
        ({"learning_rate": 0}, "greater than 0"),
        ({"learning_rate": True}, "greater than 0"),
        ({"clear_every": 0}, "clear_every must be a whole number"),
        ({"clear_every": "never"}, "clear_every must be a whole number"),
        ({"micro_batches": 1}, "from 2 to 8"),
        ({"micro_batches": 9}, "from 2 to 8"),
        ({"max_steps": 0}, "1 to 1000000"),
        ({"speed": 0}, "greater than 0"),
    ],
    ids=str,
)
def test_bad_keywords_say_what_is_accepted(settings, says):
    with pytest.raises((TraitError, ValueError), match=says):
        AccumulationComparer(**settings)


def test_an_unknown_keyword_names_the_nearest():
    with pytest.raises(TypeError, match="did you mean 'clear_every'"):
        AccumulationComparer(clear_evry=3)


# -- pins, code, data, settings, the end -----------------------------------------------------------


def test_pins_keep_ghosts_and_rows(explorer):
    explorer.run()
    explorer.pin()
    explorer.learning_rate = 0.2
    assert explorer.map.ghosts.visible
    assert explorer.loss_plot.ghosts.visible
    explorer.fold.toggles["Run table"].value = True
    assert explorer.fold.body.value.count("<td class=gdw-text>A</td>") == 2
    assert "never" in explorer.fold.body.value
    explorer.x = 2.0
    assert len(explorer.pins) == 1
    explorer.unpin_all()
    assert not explorer.map.ghosts.visible


def test_the_step_tables_mark_the_present_record(explorer):
    explorer.fold.toggles["Step tables"].value = True
    explorer.step = 4
    body = explorer.fold.body.value
    assert "<mark>   5   1.283600   1.5998   1.2332   4.2975   2.8650   0.8986   0.5991" in body
    assert "<mark>   5   0.000352 " in body
    assert "left_a" in body
    assert "fresh_b" in body


VARIANTS = [
    {},
    {"clear_every": 3, "max_steps": 25},
    {"clear_every": 1},
    {"learning_rate": 0.4, "max_steps": 30},
    {"x": -0.7, "y": 0.1, "start": (3.0, -2.0)},
    {"micro_batches": 4, "max_steps": 20},
    {"micro_batches": 3, "max_steps": 10},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_the_code_gives_the_numbers_on_the_screen_and_settings_an_equal_explorer(settings, capsys):
    explorer = AccumulationComparer(**settings)
    explorer.run()
    results = run_code(explorer)
    assert capsys.readouterr().out
    descent = explorer.descent
    for lane, result in enumerate(results):
        np.testing.assert_allclose(
            result.parameters, descent.params[-1, lane], rtol=1e-5, atol=1e-6
        )
    twin = AccumulationComparer(**explorer.settings())
    assert twin.settings() == explorer.settings()
    twin.run()
    np.testing.assert_array_equal(twin.descent.params, descent.params)
    explorer.close()
    twin.close()


def test_the_data_frame_has_a_row_for_each_lane_and_step(explorer):
    frame = explorer.to_dataframe()
    assert len(frame) == 2 * 11
    row = frame[(frame.lane == 0) & (frame.step == 1)].iloc[0]
    assert f"{row.grad_a:.4f} {row.step_grad_a:.4f}" == "-5.0625 -1.3125"
    assert explorer.step == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"x": 0.0, "y": 0.0, "start": (0.0, 0.0)},
        {"start": (1e9, -1e9)},
        {"x": 0.0, "y": 1e12},
        {"x": 1e-12},
        {"learning_rate": 1e-30},
        {"learning_rate": 1e30},
        {"clear_every": 1_000_000, "max_steps": 1},
        {"micro_batches": 8, "max_steps": 1, "learning_rate": 100.0},
    ],
    ids=str,
)
def test_extreme_settings_are_drawn_without_a_word_of_warning(settings):
    explorer = AccumulationComparer(**settings)
    explorer.run()
    explorer.momentum = True
    explorer.loss_log = False
    assert explorer.problem == ""
    assert explorer.table()
    for mark in explorer.curves.figure.marks:
        y = np.atleast_2d(np.asarray(mark.y, float))
        assert np.isfinite(np.asarray(mark.x, float)).all()
        assert np.isfinite(y[:, -1]).all()
    explorer.close()


def test_play_without_an_event_loop_plays_to_the_end(explorer):
    explorer.play()
    assert (explorer.step, explorer.playing) == (10, False)


def test_the_loops_are_sent_again_on_pause(explorer):
    with recorded_messages() as sent:
        explorer.resend()
    assert explorer.loops in [widget for widget, _, _ in sent]


def test_close_leaves_no_widget_behind():
    before = set(_instances)
    explorer = AccumulationComparer(momentum=True)
    explorer.run()
    explorer.pin()
    explorer.apply_preset("micro-batches")
    explorer.loss_log = False
    explorer.fold.toggles["Code"].value = True
    explorer.close()
    assert set(_instances) == before
    explorer.close()


class AnyOrder(RuleBasedStateMachine):
    """Buttons pressed in any order leave the picture in agreement with the recording."""

    def __init__(self):
        super().__init__()
        self.explorer = AccumulationComparer(max_steps=20)

    @rule(button=st.sampled_from(["play", "reset", "finish", "forward", "back"]))
    def press(self, button):
        getattr(self.explorer.transport, button).click()

    @rule(on=st.booleans())
    def step_a_line(self, on):
        (self.explorer.line_forward if on else self.explorer.line_back)()

    @rule(k=st.integers(0, 10))
    def scrub(self, k):
        self.explorer.transport.scrubber.value = k

    @rule(name=st.sampled_from(list(PRESETS)))
    def preset(self, name):
        self.explorer.controls.preset.value = name

    @rule(n=st.sampled_from(["", "1", "4"]))
    def clear(self, n):
        self.explorer.controls.clear_every.value = n

    @rule(rate=st.sampled_from([1e-4, 0.1, 0.4, 10.0]))
    def rate(self, rate):
        self.explorer.learning_rate = rate

    @rule(a=st.floats(-1, 3, width=16), b=st.floats(-1, 3, width=16))
    def click(self, a, b):
        click(self.explorer, a, b)

    @invariant()
    def agrees(self):
        explorer = self.explorer
        descent, k = explorer.descent, explorer.step
        assert explorer.problem == ""
        assert 0 <= k <= explorer.end
        assert explorer.transport.scrubber.value == k
        last = np.minimum(k, descent.last_step)
        here = descent.params[last, [0, 1]]
        shown = np.stack([explorer.map.present.x, explorer.map.present.y], axis=1)
        inside = explorer.map._inside(here)
        np.testing.assert_array_equal(shown[inside], here[inside])
        assert explorer.map._inside(shown).all()
        assert explorer.controls.preset.value == explorer.preset

    def teardown(self):
        self.explorer.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = hypothesis_settings(max_examples=8, stateful_step_count=12, deadline=None)
