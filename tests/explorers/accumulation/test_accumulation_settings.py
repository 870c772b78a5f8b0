"""AccumulationComparer without a browser: marks, clicks, pins, code, bad input, any order."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gdwidgets import AccumulationComparer
from gestures import click, drag, run_code
from living import living
from messages import recorded_messages


def control(explorer, name, index=0):
    return explorer.form.field(name).inputs[index]


def marks(explorer):
    plots = (explorer.map, explorer.curve, explorer.loss_plot)
    return [mark for plot in plots for mark in plot.figure.marks]


# -- marks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"learning_rate": 5.0}, {"x": 1e4}, {"learning_rate": 1e-6}])
def test_no_mark_ever_gets_what_breaks_it(explorer, settings):
    explorer.assign(max_steps=60, **settings)
    for k in range(0, explorer.max_steps + 1, 6):
        explorer.step = k
        for mark in marks(explorer):
            x, y = np.asarray(mark.x, float), np.asarray(mark.y, float)
            assert np.isfinite(x).all()
            assert np.isfinite(np.atleast_2d(y)[:, -1:]).all()
            assert (np.abs(y[np.isfinite(y)]) < 1e12).all()


def test_the_screen_is_a_pure_function_of_recording_and_cursor(explorer):
    def screen():
        arrays = [np.asarray(getattr(mark, n)).copy() for mark in marks(explorer) for n in "xy"]
        return [*arrays, explorer.loops.value, explorer.status.value]

    explorer.run()
    explorer.step = 5
    there = screen()
    explorer.run()
    explorer.reset()
    explorer.step = 5
    for before, after in zip(there, screen(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.614])
def test_a_frame_while_playing_is_small_at_any_length(explorer, rate):
    explorer.assign(learning_rate=rate, max_steps=6000)
    explorer.compute(6000)
    explorer.unfold("Tables")
    explorer.redraw(full=True)
    for k in (10, 700, 5990):
        explorer.place(k - 1)
        explorer.redraw(full=False)
        with recorded_messages() as sent:
            explorer.place(k)
            explorer.redraw(full=False)
        assert len(sent) <= 6
        assert sent.bytes <= 6_000


# -- clicking, dragging, typing --------------------------------------------------------------------


def test_clicks_drags_and_fields_set_the_start_and_keep_the_step(explorer):
    explorer.step = 4
    click(explorer, 1.25, -0.5)
    assert explorer.start == pytest.approx((1.25, -0.5), abs=0.01)
    assert explorer.step == 4
    drag(explorer, 0, 2.0, 1.5)
    assert explorer.start == pytest.approx((2.0, 1.5), abs=0.01)
    control(explorer, "start").value = 0.25
    control(explorer, "start", 1).value = -1.0
    assert explorer.start == (0.25, -1.0)
    assert len(explorer.map.start.x) == 1


def test_a_start_far_away_widens_the_map(explorer):
    explorer.start = (30.0, 0.0)
    assert explorer.map.view.bounds[0][1] >= 30


def test_controls_set_settings_and_settings_show_in_controls(explorer):
    explorer.unfold("Settings")
    explorer.form.field("learning_rate").number.value = "0.25"
    control(explorer, "clear_every").value = "3"
    explorer.form.field("x").number.value = "-2"
    explorer.form.field("y").slider.value = 1.0
    control(explorer, "max_steps").value = 17
    assert (explorer.learning_rate, explorer.clear_every) == (0.25, 3)
    assert (explorer.x, explorer.y, explorer.max_steps) == (-2.0, 1.0, 17)
    control(explorer, "clear_every").value = ""
    assert explorer.clear_every is None
    explorer.micro_batches = 2
    assert control(explorer, "micro_batches").value == 2
    assert control(explorer, "x").disabled
    explorer.micro_batches = None
    assert not control(explorer, "x").disabled
    control(explorer, "loss_log").value = False
    assert not explorer.loss_log
    assert not explorer.loss_plot.log


@pytest.mark.parametrize(
    ("name", "index", "bad", "says"),
    [
        ("learning_rate", 1, "fast", "learning_rate must be a number"),
        ("learning_rate", 1, "-1", "greater than 0"),
        ("clear_every", 0, "0", "clear_every must be a whole number"),
        ("clear_every", 0, "1.5", "clear_every must be a whole number"),
        ("clear_every", 0, "often", "clear_every must be a number"),
        ("max_steps", 0, 0, "max_steps must be a whole number from 1 to 1000000"),
        ("x", 1, "inf", "x must be a finite number"),
        ("start", 0, math.nan, "start must be 2 finite numbers"),
        ("y", 1, "1e30", "y must give a loss"),
    ],
)
def test_a_bad_value_in_a_control_is_explained_and_the_old_one_stays(
    explorer, name, index, bad, says
):
    explorer.step = 3
    explorer.unfold("Settings")
    before, old = explorer.settings(), control(explorer, name, index).value
    control(explorer, name, index).value = bad
    assert says in explorer.problem
    assert "gdw-error" in explorer.status.value
    assert control(explorer, name, index).value == old
    assert (explorer.settings(), explorer.step) == (before, 3)
    explorer.line_forward()
    explorer.transport.forward.click()
    assert explorer.problem == ""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"x": "1.5"}, "x must be a number"),
        ({"x": math.nan}, "x must be a finite number"),
        ({"y": None}, "y must be a number"),
        ({"x": 1e30}, "start, x and y must give a loss"),
        ({"start": (1, 2, 3)}, "start must be 2 finite numbers"),
        ({"start": (1, math.inf)}, "start must be 2 finite numbers"),
        ({"learning_rate": 0}, "learning_rate must be greater than 0"),
        ({"learning_rate": True}, "learning_rate must be a number"),
        ({"learning_rate": 10**400}, "learning_rate must be a finite number"),
        ({"clear_every": 0}, "clear_every must be a whole number"),
        ({"clear_every": "never"}, "clear_every must be a whole number"),
        ({"micro_batches": 1}, "micro_batches must be a whole number from 2 to 8"),
        ({"micro_batches": 9}, "micro_batches must be a whole number from 2 to 8"),
        ({"parameter": "c"}, "parameter must be one of 'a', 'b'"),
        ({"max_steps": 0}, "max_steps must be a whole number from 1 to 1000000"),
        ({"speed": 0}, "speed must be greater than 0"),
        ({"layout": 5}, "layout must be"),
    ],
    ids=str,
)
def test_bad_keywords_name_the_setting_and_say_what_is_accepted(settings, says):
    with pytest.raises(ValueError, match=says):
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
    explorer.unfold("Compare")
    assert explorer.fold.text.value.count("<td class=gdw-text>A</td>") == 2
    assert "never" in explorer.fold.text.value
    explorer.x = 2.0
    assert len(explorer.pins) == 1
    explorer.unpin_all()
    assert not explorer.map.ghosts.visible


def test_the_step_tables_mark_the_present_record(explorer):
    explorer.unfold("Tables")
    explorer.step = 4
    body = explorer.fold.text.value
    assert "<mark>   4   1.283600   1.5998   1.2332   4.2975   2.8650   0.8986   0.5991" in body
    assert "<mark>   4   0.000352 " in body
    assert "before_a" in body
    assert "step_b" in body


def test_the_columns_of_the_step_tables_are_aligned_where_powers_appear():
    """Every number ends where the name of its column ends."""
    explorer = AccumulationComparer(learning_rate=0.9, max_steps=60)
    explorer.unfold("Tables")
    explorer.run()
    for k in (2, 30, 58):
        explorer.seek(k)
        tables = re.findall(r"<pre>.*?</pre>", explorer.fold.text.value, re.DOTALL)
        assert len(tables) == 2
        assert "·10" in "".join(tables)
        for table in tables:
            lines = re.sub("<[^>]*>", "", table).split("\n")[1:]
            ends = [[found.end() for found in re.finditer(r"\S+", line)] for line in lines]
            assert all(one == ends[0] for one in ends)
    explorer.close()


@pytest.mark.parametrize("every", [None, 3])
def test_loops_are_named_and_not_placed_which_narrow_cells_stack(every):
    explorer = AccumulationComparer(clear_every=every)
    explorer.unfold("Why")
    said = explorer.fold.text.value + " ".join(
        str(one.get("sentence")) for one in explorer.situations_offered.values()
    )
    assert not re.search("left|right", said.replace("left there", ""))
    for title in explorer.lane_titles():
        assert f"the loop {title} " in explorer.fold.text.value
    explorer.close()


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
def test_the_code_gives_the_numbers_on_the_screen_and_settings_an_equal_explorer(settings):
    explorer = AccumulationComparer(**settings)
    explorer.run()
    results = run_code(explorer)
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
    for title in explorer.fold.toggles:
        explorer.unfold(title)
        assert "gdw-error" not in explorer.fold.text.value
    assert explorer.problem == ""
    assert explorer.table()
    for mark in marks(explorer):
        y = np.atleast_2d(np.asarray(mark.y, float))
        assert np.isfinite(np.asarray(mark.x, float)).all()
        assert np.isfinite(y[:, -1:]).all()
    explorer.close()


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_picture_can_be_saved(explorer, kind, tmp_path):
    explorer.step = 4
    explorer.save(tmp_path / f"loops.{kind}")
    content = (tmp_path / f"loops.{kind}").read_bytes()
    assert content.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])
    with pytest.raises(ValueError, match="ending must be one of 'png', 'svg', 'pdf'"):
        explorer.save(tmp_path / "loops.bmp")


def test_play_without_an_event_loop_plays_to_the_end(explorer):
    explorer.play()
    assert (explorer.step, explorer.playing) == (10, False)


def test_close_leaves_no_widget_behind():
    before = set(living())
    explorer = AccumulationComparer(momentum=True)
    explorer.run()
    explorer.pin()
    explorer.situate("micro-batches")
    explorer.loss_log = False
    for title in explorer.fold.toggles:
        explorer.unfold(title)
    explorer.close()
    assert set(living()) == before
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

    @rule(name=st.sampled_from(list(AccumulationComparer.SITUATIONS)))
    def situate(self, name):
        self.explorer.situate(name)

    @rule(n=st.sampled_from(["", "1", "4"]))
    def clear(self, n):
        control(self.explorer, "clear_every").value = n

    @rule(rate=st.sampled_from([1e-4, 0.1, 0.4, 10.0]))
    def rate(self, rate):
        self.explorer.learning_rate = rate

    @rule(a=st.floats(-1, 3, width=16), b=st.floats(-1, 3, width=16))
    def click(self, a, b):
        click(self.explorer, a, b)

    @invariant()
    def is_well(self):
        explorer = self.explorer
        assert explorer.problem == ""
        assert 0 <= explorer.step <= explorer.end
        assert explorer.transport.scrubber.value == explorer.step

    @rule()  # now and then: to make an explorer takes longer than all else
    def agrees_with_one_made_so(self):
        explorer = self.explorer
        twin = AccumulationComparer(**explorer.settings())
        twin.step = explorer.step
        twin.line = explorer.line
        assert np.array_equal(
            twin.descent.params[: twin.step + 1], explorer.descent.params[: twin.step + 1]
        )
        assert twin.loops.value == explorer.loops.value
        if explorer.situation is None or explorer.step:
            assert twin.sentence_text == explorer.sentence_text
        twin.close()

    def teardown(self):
        self.agrees_with_one_made_so()
        self.explorer.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = hypothesis_settings(max_examples=4, stateful_step_count=12, deadline=None)


def test_the_map_zooms_between_the_points_of_both_loops_and_back(explorer):
    explorer.step = 4
    whole = explorer.map.window
    zoom_in, zoom_out, show_whole = explorer.zooms
    zoom_in.click()
    assert explorer.map.magnification == pytest.approx(2)
    points = explorer.descent.params[4]
    for (low, high), middle in zip(explorer.map.window, points.mean(axis=0), strict=True):
        assert high - low == pytest.approx((whole[0][1] - whole[0][0]) / 2)
        assert (low + high) / 2 == pytest.approx(middle, abs=1e-5)
    explorer.step = 9  # the part that is seen stays
    assert explorer.map.magnification == pytest.approx(2)
    zoom_in.click()
    zoom_out.click()
    assert explorer.map.magnification == pytest.approx(2)
    show_whole.click()
    assert explorer.map.window == whole


def test_where_a_loop_has_diverged_the_map_zooms_on_its_edge_at_most(explorer):
    explorer.assign(learning_rate=5.0, max_steps=60)
    explorer.run()
    explorer.zoom_in()
    for (low, high), (first, last) in zip(
        explorer.map.window, explorer.map.view.bounds, strict=True
    ):
        assert first <= low < high <= last
