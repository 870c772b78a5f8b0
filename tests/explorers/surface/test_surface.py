"""The surface explorers without a browser: numbers, cursor, marks, clicks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from traitlets import TraitError

from course import EXERCISE_3, EXERCISE_3_EARLY
from gdwidgets import HimmelblauExplorer, SurfaceExplorer
from gdwidgets.core import RULES, SURFACES, Descent
from gestures import click, drag, refused
from messages import recorded_messages

# -- the course's numbers --------------------------------------------------------------------------


def test_the_defaults_are_the_course_s_exercise(explorer):
    assert explorer.start == (1.0, 1.0)
    assert explorer.learning_rate == 5e-4
    assert explorer.max_steps == 300
    assert explorer.rule == "gd"


def test_the_table_prints_the_course_s_lines(explorer):
    assert explorer.table() == EXERCISE_3


def test_the_table_prints_an_early_stop_as_the_course_does():
    explorer = HimmelblauExplorer(start=(-1.0, 1.0), loss_tol=1e-4)
    assert explorer.table() == EXERCISE_3_EARLY
    explorer.close()


def test_the_table_leaves_the_cursor_where_it_is(explorer):
    explorer.step = 7
    explorer.table()
    assert explorer.step == 7


# -- the cursor ------------------------------------------------------------------------------------


def test_buttons_move_the_cursor(explorer):
    transport = explorer.transport
    transport.forward.click()
    transport.forward.click()
    assert explorer.step == 2
    transport.back.click()
    assert explorer.step == 1
    transport.finish.click()
    assert explorer.step == 300
    transport.reset.click()
    assert explorer.step == 0
    transport.back.click()
    assert explorer.step == 0


def test_the_scrubber_sets_the_cursor_and_a_link_can(explorer):
    explorer.transport.scrubber.value = 120
    assert explorer.step == 120
    explorer.step = 40
    assert explorer.transport.scrubber.value == 40
    assert "40 of 300" in explorer.transport.counter.value


def test_play_without_an_event_loop_plays_to_the_end(explorer):
    explorer.play()
    assert explorer.step == 300
    assert not explorer.playing


def test_play_at_the_end_starts_again(explorer):
    explorer.run()
    seen = []
    explorer.observe(lambda change: seen.append(change["new"]), "step")
    explorer.play()
    assert seen[0] == 0
    assert explorer.step == 300


@pytest.mark.parametrize("k", [-1, 301, 1.5, "3", None, math.nan, True])
def test_seeking_a_step_that_is_none_is_refused_and_changes_nothing(explorer, k):
    explorer.step = 12
    with pytest.raises(TraitError, match="0 to 300"):
        explorer.seek(k)
    assert explorer.step == 12


def test_a_run_that_ends_early_stops_the_cursor_there():
    explorer = HimmelblauExplorer(start=(-1.0, 1.0), loss_tol=1e-4)
    explorer.run()
    assert explorer.step == 232
    explorer.step_forward()
    assert explorer.step == 232
    explorer.transport.scrubber.value = 290
    assert explorer.step == 232
    assert explorer.transport.scrubber.value == 232
    explorer.close()


# -- marks -----------------------------------------------------------------------------------------


def oracle(start, rate, steps):
    """The course's loop, in plain PyTorch."""
    u, v = (torch.tensor(x, requires_grad=True) for x in start)
    points = [start]
    for _ in range(steps):
        ((u**2 + v - 11) ** 2 + (u + v**2 - 7) ** 2).backward()
        with torch.no_grad():
            u -= rate * u.grad
            v -= rate * v.grad
        u.grad = v.grad = None
        points.append((u.item(), v.item()))
    return np.array(points, np.float32)


def test_the_path_drawn_is_pytorch_s_own(explorer):
    explorer.step = 80
    expected = oracle((1.0, 1.0), 5e-4, 80)
    np.testing.assert_allclose(explorer.map.paths.x, expected[:, 0], rtol=1e-6)
    np.testing.assert_allclose(explorer.map.paths.y, expected[:, 1], rtol=1e-6)
    np.testing.assert_allclose(explorer.map.present.x, expected[-1, :1], rtol=1e-6)
    np.testing.assert_allclose(explorer.map.start.x, [1.0])


def test_the_arrow_points_along_the_next_update(explorer):
    explorer.step = 10
    expected = oracle((1.0, 1.0), 5e-4, 11)
    update = expected[11] - expected[10]
    drawn = np.array(
        [
            explorer.map.arrows.x[1] - explorer.map.arrows.x[0],
            explorer.map.arrows.y[1] - explorer.map.arrows.y[0],
        ]
    )
    np.testing.assert_allclose(drawn, explorer.map.magnification * update, rtol=1e-3)


def test_the_screen_is_a_pure_function_of_recording_and_cursor(explorer):
    def screen():
        marks = (*explorer.map.figure.marks, *explorer.loss_plot.figure.marks)
        drawn = [
            np.asarray(getattr(mark, name)).copy()
            for mark in marks
            if mark.visible
            for name in ("x", "y")
        ]
        return [*drawn, explorer.status.value]

    explorer.step = 50
    there = screen()
    explorer.run()
    explorer.reset()
    explorer.step = 50
    # Limits of axes only ever widen; what is drawn on them is the same.
    for before, after in zip(there, screen(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_no_mark_ever_gets_what_breaks_it():
    explorer = HimmelblauExplorer(learning_rate=0.05, max_steps=50)
    for k in range(explorer.max_steps + 1):
        explorer.step = k
        for mark in (*explorer.map.figure.marks, *explorer.loss_plot.figure.marks):
            x, y = np.asarray(mark.x, float), np.asarray(mark.y, float)
            assert np.isfinite(x).all()
            assert np.isfinite(np.atleast_2d(y)[:, -1:]).all()
            assert (np.abs(y[np.isfinite(y)]) <= 1e12).all()
    assert explorer.descent.outcomes[0] == "diverged"
    assert "Diverged" in explorer.status.value
    explorer.close()


def test_a_frame_stays_within_twelve_messages_and_16_kb_at_any_length():
    explorer = SurfaceExplorer(
        lambda u, v: 5 * u**2 + v**2 + 0 * u, bounds=(-2, 2), max_steps=60_000, learning_rate=0.199
    )
    explorer.kept_starts = [(1.0, k / 8) for k in range(7)]
    for k in (10, 1000, 60_000):
        explorer.step = k - 1
        with recorded_messages() as sent:
            explorer.step = k
        assert len(sent) <= 12
        assert sent.bytes <= 16_000
    explorer.close()


# -- clicking, dragging, typing --------------------------------------------------------------------


def test_a_click_sets_the_start_and_goes_to_step_0(explorer):
    explorer.step = 20
    click(explorer, -2.5, 3.25)
    assert explorer.start == (-2.5, 3.25)
    assert explorer.step == 0
    assert (explorer.controls.u.value, explorer.controls.v.value) == (-2.5, 3.25)


def test_a_drag_and_the_number_fields_do_the_same(explorer):
    drag(explorer, 0, 0.5, -0.5)
    assert explorer.start == (0.5, -0.5)
    explorer.controls.u.value = 2.0
    assert explorer.start == (2.0, -0.5)
    explorer.controls.v.value = 1.5
    assert explorer.start == (2.0, 1.5)


def test_controls_set_settings_and_settings_show_in_controls(explorer):
    controls = explorer.controls
    controls.rule.value = "adam"
    controls.rate.field.value = "0.25"
    controls.max_steps.value = 77
    controls.loss_tol.value = "1e-3"
    assert (explorer.rule, explorer.learning_rate) == ("adam", 0.25)
    assert (explorer.max_steps, explorer.loss_tol) == (77, 1e-3)
    explorer.rule = "nesterov"
    explorer.learning_rate = 0.002
    explorer.loss_tol = None
    assert controls.rule.value == "nesterov"
    assert controls.rate.field.value == "0.002"
    assert controls.rate.slider.value == pytest.approx(0.002)
    assert controls.loss_tol.value == ""


@pytest.mark.parametrize(
    ("control", "bad", "says"),
    [
        ("rate.field", "fast", "learning_rate must be a number"),
        ("rate.field", "-1", "greater than 0"),
        ("rate.field", "nan", "greater than 0"),
        ("loss_tol", "0", "greater than 0"),
        ("loss_tol", "tiny", "loss_tol must be a number"),
        ("max_steps", 0, "1 to 1000000"),
        ("max_steps", -5, "1 to 1000000"),
        ("u", math.inf, "2 finite numbers"),
    ],
)
def test_a_bad_value_in_a_control_is_explained_and_the_old_one_stays(explorer, control, bad, says):
    explorer.step = 9
    refused(explorer, control, bad, says)
    explorer.transport.forward.click()
    assert explorer.problem == ""


def test_the_slider_sets_round_rates(explorer):
    explorer.controls.rate.slider.value = 0.0123456
    assert explorer.learning_rate == 0.0123


# -- lanes, race, basins --------------------------------------------------------------------------


def test_added_starts_run_along_in_their_own_colour(explorer):
    explorer.add_start()
    click(explorer, -3.0, 3.0)
    explorer.run()
    assert explorer.starts == ((1.0, 1.0), (-3.0, 3.0))
    alone = Descent(SURFACES["himmelblau"], (-3.0, 3.0), 5e-4, max_steps=300)
    alone.advance_to(300)
    np.testing.assert_array_equal(explorer.descent.params[:, 1], alone.params[:, 0])
    assert len(set(explorer.map.paths.colors)) == 2
    drag(explorer, 0, 2.0, 2.0)
    assert explorer.starts == ((2.0, 2.0), (-3.0, 3.0))
    explorer.clear_starts()
    assert explorer.starts == ((-3.0, 3.0),)


def test_an_eighth_kept_start_is_refused(explorer):
    for k in range(7):
        explorer.start = (k / 2, 1.0)
        explorer.add_start()
    explorer.start = (5.0, 5.0)
    with pytest.raises(TraitError, match="at most 7"):
        explorer.add_start()
    assert explorer.descent.lanes == 8


def test_a_race_runs_every_rule_from_one_start(explorer):
    explorer.race = True
    explorer.run()
    assert explorer.descent.lanes == len(RULES)
    for lane, name in enumerate(RULES):
        alone = Descent(
            SURFACES["himmelblau"],
            explorer.start,
            explorer.rates[lane],
            rule=name,
            max_steps=300,
        )
        alone.advance_to(300)
        last = int(alone.last_step[0])
        np.testing.assert_allclose(
            explorer.descent.params[last, lane], alone.params[last, 0], rtol=1e-5
        )
    assert "Adam" in explorer.key.value


def test_basins_colour_the_map_and_are_computed_again_for_other_settings(explorer):
    explorer.basins = True
    assert explorer.map.basins.visible
    assert explorer.key.value.count("reaches") == 4
    before = explorer.map.basins.image.value
    explorer.learning_rate = 0.02
    assert explorer.map.basins.image.value != before
    assert "diverges" in explorer.key.value
    explorer.basins = False
    assert not explorer.map.basins.visible
