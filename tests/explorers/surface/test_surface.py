"""The surface explorers without a browser: numbers, cursor, marks, clicks, lanes, basins."""

from __future__ import annotations

import asyncio
import math
import re

import numpy as np
import pytest
import torch
from traitlets import TraitError

from course import EXERCISE_3, EXERCISE_3_EARLY
from gdwidgets import HimmelblauExplorer, SurfaceExplorer
from gdwidgets.core import RULES, SURFACES, Descent
from gdwidgets.ui.plots.view import SIDE
from gdwidgets.ui.text import CIRCLED, numbered
from gestures import click, drag, drop, move, present, refused
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
    with pytest.raises((TraitError, ValueError), match="0 to 300"):
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


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.01},
        {"start": (-2.0, 3.0)},
        {"rule": "momentum"},
        {"kept_starts": ((2.0, 2.0),)},
        {"race": True},
        {"loss_log": False},
        {"max_steps": 500},
    ],
    ids=str,
)
def test_a_changed_setting_keeps_the_step_and_the_picture_shows_the_new_run_there(explorer, change):
    explorer.step = 120
    explorer.assign(**change)
    assert explorer.step == 120
    fresh = HimmelblauExplorer(**change)
    fresh.step = 120
    np.testing.assert_array_equal(present(explorer), present(fresh))
    assert explorer.sentence_text == fresh.sentence_text
    fresh.close()


def test_another_surface_keeps_the_step_too(explorer):
    explorer.step = 120
    explorer.surface = "booth"
    assert explorer.step == 120
    assert explorer.descent.recorded >= 120


# -- marks -----------------------------------------------------------------------------------------

PIXEL = 12 / 272
"""Of the map at its normal size, in units of Himmelblau's u and v."""


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
    explorer.run()
    expected = oracle((1.0, 1.0), 5e-4, 300)
    np.testing.assert_allclose(explorer.descent.params[:, 0], expected, rtol=1e-5)
    line = np.stack([explorer.map.coming.x, explorer.map.coming.y], axis=-1).reshape(-1, 2)
    drawn = np.array([explorer.map.from_map(place) for place in line])
    away = np.hypot(*(drawn[:, None] - expected[None]).transpose(2, 0, 1))
    # Every corner is one of PyTorch's points, and no point is a pixel off the line's corners.
    assert away.min(1).max() < 0.1 * PIXEL
    assert away[:, [0, -1]].min(0).max() < 0.1 * PIXEL


@pytest.mark.parametrize("k", [0, 1, 17, 80, 299, 300])
def test_the_marker_stands_at_the_present_step(explorer, k):
    explorer.step = k
    expected = oracle((1.0, 1.0), 5e-4, k)[-1]
    np.testing.assert_allclose(present(explorer)[0], expected, atol=0.1 * PIXEL)
    x, y = explorer.map.start.x[0], explorer.map.start.y[0]
    np.testing.assert_allclose(explorer.map.from_map((x, y)), (1, 1), atol=1e-3)


def test_the_arrow_is_the_next_update_times_the_factor_written_under_the_map(explorer):
    explorer.step = 10
    expected = oracle((1.0, 1.0), 5e-4, 11)
    tail, tip = explorer.map._arrow(expected[10], np.float64(expected[11]) - expected[10])[:2]
    drawn = np.asarray(explorer.map.moving.x, float)[-2], np.asarray(explorer.map.moving.y)[-2]
    places = np.stack(drawn, axis=1)
    for wanted in (tail, tip):
        assert np.hypot(*(places - wanted).T).min() < 2
    moved = (tip - tail) / 4000 * 12
    np.testing.assert_allclose(
        moved, explorer.map.factor * (expected[11] - expected[10]), rtol=1e-3
    )
    assert explorer.map.factor_note.text[0] == f"arrow ×{explorer.map.factor:g}"


def screen(explorer):
    """Everything that is drawn: places of all marks and the sentence."""
    marks = (*explorer.map.figure.marks, *explorer.loss_plot.figure.marks)
    drawn = [
        np.asarray(getattr(mark, name)).copy()
        for mark in marks
        if mark.visible
        for name in ("x", "y")
    ]
    return [*drawn, list(explorer.map.past.curves_subset), explorer.sentence_text]


def same_screen(one, other):
    for before, after in zip(one, other, strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_start_that_is_let_go_is_at_once_drawn_as_at_rest():
    async def settled(explorer):
        for _ in range(300):
            await asyncio.sleep(0.01)
            if explorer.computed >= explorer.goal and not explorer._ahead.busy:
                return

    async def main():
        explorer = HimmelblauExplorer(still=False)
        await settled(explorer)
        drag = explorer.handler(explorer.drag)
        for point in ((1.5, 2.0), (-2.0, 4.0), (-2.5, 4.5)):
            drag(0, point, False)
        assert explorer._hand.waiting
        drag(0, (3.0, -5.0), True)
        assert not explorer._hand.waiting
        await settled(explorer)
        other = HimmelblauExplorer(start=(3.0, -5.0))
        await settled(other)
        same_screen(screen(other), screen(explorer))
        drag(0, (1.5, 2.0), False)
        drag(0, (1.5, 2.0), True)  # where it is already
        assert not explorer._hand.waiting
        other.start = (1.5, 2.0)
        await settled(explorer)
        await settled(other)
        same_screen(screen(other), screen(explorer))
        explorer.close()
        other.close()

    asyncio.run(main())


def test_the_screen_is_a_pure_function_of_recording_and_cursor(explorer):
    explorer.run()
    explorer.step = 50
    there = screen(explorer)
    explorer.run()
    explorer.reset()
    explorer.step = 50
    same_screen(there, screen(explorer))


def test_axes_do_not_depend_on_where_the_cursor_has_been(explorer):
    explorer.run()
    explorer.start = (3, 2)  # the loss is 0 there
    explorer.run()
    explorer.reset()
    fresh = HimmelblauExplorer(start=(3, 2))
    fresh.run()
    fresh.reset()
    same_screen(screen(explorer), screen(fresh))
    fresh.close()


def test_no_mark_ever_gets_what_breaks_it():
    explorer = HimmelblauExplorer(learning_rate=0.05, max_steps=50)
    for k in range(explorer.end + 1):
        explorer.step = k
        for mark in (*explorer.map.figure.marks, *explorer.loss_plot.figure.marks):
            x, y = (np.asarray(values, float) for values in (mark.x, mark.y))
            assert np.isfinite(x).all()
            assert (np.abs(x) <= 1e6).all()
            assert (np.abs(y[np.isfinite(y)]) <= 1e6).all()
    assert explorer.descent.outcomes[0] == "diverged"
    assert "inf or NaN" in explorer.sentence_text
    explorer.close()


def frames(explorer, first, count=30):
    """Messages and bytes of frames as the clock draws them, when no text is due."""
    sizes = []
    for k in range(first, first + count):
        explorer.compute(k + 1)
        with recorded_messages() as sent:
            explorer.place(k)
            explorer._said_at = math.inf
            explorer.redraw(full=False)
        sizes.append((len(sent), sent.bytes))
    return np.array(sizes)


@pytest.mark.parametrize("steps", [100, 1_000_000])
def test_a_frame_while_playing_is_at_most_5_messages_and_6_kb_at_any_length(steps):
    explorer = HimmelblauExplorer(max_steps=steps)
    explorer.kept_starts = [(1.0, k / 8) for k in range(3)]
    explorer.compute(min(steps, 20_000))  # as is done between cells, for the future
    explorer.progressed(done=True)
    for first in (5, min(steps // 2, 10_000)):
        explorer.step = first - 1
        messages, sizes = frames(explorer, first).T
        assert messages.max() <= 5
        assert sizes.max() <= 6000
    explorer.close()


def test_without_the_future_a_frame_is_as_small():
    explorer = HimmelblauExplorer(max_steps=100_000, future=False)
    explorer.step = 3000
    messages, sizes = frames(explorer, 3001).T
    assert messages.mean() <= 5
    assert sizes.mean() <= 6000
    explorer.close()


def test_figures_have_alternative_texts_that_are_written_at_rest(explorer):
    explorer.step = 120
    on_map, on_loss = (said.value for said in explorer.summaries)
    assert "gdw-summary" in on_map
    assert "Minimum 1 at (3, 2)." in on_map
    assert "step 120" in on_map
    assert "0.2262" in on_loss
    with recorded_messages() as sent:
        explorer.place(121)
        explorer.redraw(full=False)
    assert not any(widget in explorer.summaries for widget, _, _ in sent)


# -- clicking, dragging, typing --------------------------------------------------------------------


def test_a_click_sets_the_start_and_keeps_the_step(explorer):
    explorer.unfold("Settings")
    explorer.step = 20
    click(explorer, -2.5, 3.25)
    assert explorer.start == pytest.approx((-2.5, 3.25), abs=1e-9)
    assert explorer.step == 20
    u, v = (field.value for field in explorer.form.field("start").inputs)
    assert (u, v) == pytest.approx((-2.5, 3.25))


def test_with_on_change_restart_a_click_goes_to_step_0():
    explorer = HimmelblauExplorer(on_change="restart")
    explorer.step = 20
    click(explorer, -2.5, 3.25)
    assert explorer.step == 0
    explorer.close()


def test_the_path_follows_the_circle_while_it_is_dragged(explorer):
    explorer.run()
    seen = []
    for u in np.linspace(1, 3, 5):
        move(explorer, 0, u, 0.0)
        expected = oracle(explorer.start, 5e-4, 300)[-1]
        np.testing.assert_allclose(present(explorer)[0], expected, atol=0.2 * PIXEL)
        seen.append(tuple(explorer.descent.params[0, 0]))
        assert explorer.step == 300
    assert len(set(seen)) == 5
    drop(explorer, 0, 3.0, 0.0)
    assert explorer.start == pytest.approx((3.0, 0.0), abs=1e-6)


def test_a_drag_and_the_number_fields_do_the_same(explorer):
    explorer.unfold("Settings")
    drag(explorer, 0, 0.5, -0.5)
    assert explorer.start == pytest.approx((0.5, -0.5), abs=1e-6)
    u, v = explorer.form.field("start").inputs
    u.value = 2.0
    assert explorer.start == pytest.approx((2.0, -0.5), abs=1e-6)
    v.value = 1.5
    assert explorer.start == (2.0, 1.5)


def test_a_start_dropped_off_the_map_lies_on_its_edge(explorer):
    drag(explorer, 0, 9.0, -30.0)
    assert explorer.start == (6.0, -6.0)
    x, y = explorer.map.start.x[0], explorer.map.start.y[0]
    assert (x, y) == (4000, 0)
    explorer.drag(0, (1e9, 0.0))
    assert explorer.start == (6.0, 0.0)


def test_controls_set_settings_and_settings_show_in_controls(explorer):
    field = explorer.form.field
    explorer.unfold("Settings")
    field("rule").inputs[0].value = "adam"
    field("learning_rate").number.value = "0.25"
    field("max_steps").inputs[0].value = 77
    field("loss_tol").inputs[0].value = "1e-3"
    assert (explorer.rule, explorer.learning_rate) == ("adam", 0.25)
    assert (explorer.max_steps, explorer.loss_tol) == (77, 1e-3)
    explorer.rule = "nesterov"
    explorer.learning_rate = 0.002
    explorer.loss_tol = None
    assert field("rule").inputs[0].value == "nesterov"
    assert field("learning_rate").number.value == "0.002"
    assert field("learning_rate").slider.value == pytest.approx(0.002, rel=0.012)
    assert field("loss_tol").inputs[0].value == ""


@pytest.mark.parametrize(
    ("name", "bad", "says"),
    [
        ("learning_rate", "fast", "learning_rate must be a number"),
        ("learning_rate", "-1", "greater than 0"),
        ("learning_rate", "nan", "finite number"),
        ("loss_tol", "0", "greater than 0"),
        ("loss_tol", "tiny", "loss_tol must be a number"),
        ("max_steps", 0, "1 to 1000000"),
        ("max_steps", -5, "1 to 1000000"),
        ("start", math.inf, "start must be"),
    ],
)
def test_a_bad_value_in_a_control_is_explained_and_the_old_one_stays(explorer, name, bad, says):
    explorer.step = 9
    explorer.unfold("Settings")
    refused(explorer, name, bad, says)
    explorer.transport.forward.click()
    assert explorer.problem == ""


def test_the_slider_sets_round_rates(explorer):
    explorer.form.field("learning_rate").slider.value = 0.0123456
    assert explorer.learning_rate == 0.0123


def test_a_click_on_the_loss_plot_goes_to_that_step(explorer):
    explorer.run()
    explorer.loss_plot.clicks._handle_custom_msg(
        {"event": "element_click", "data": {"click_x": 0.5, "click_y": 0.5}}, []
    )
    assert 100 < explorer.step < 200


def test_the_track_shows_the_stability_limit_at_the_present_point(explorer):
    explorer.run()
    point = torch.tensor(explorer.descent.params[-1, 0], dtype=torch.float64)
    matrix = torch.autograd.functional.hessian(
        lambda p: (p[0] ** 2 + p[1] - 11) ** 2 + (p[0] + p[1] ** 2 - 7) ** 2, point
    )
    limit = 2 / float(torch.linalg.eigvalsh(matrix)[-1])
    assert f"{limit:.3g}" in explorer.form.field("learning_rate").marks.value
    explorer.rule = "adam"
    assert "plain descent" in explorer.form.field("learning_rate").marks.value


# -- lanes, race, basins --------------------------------------------------------------------------


def test_added_starts_run_along_in_their_own_colour(explorer):
    explorer.add_start()
    click(explorer, -3.0, 3.0)
    explorer.run()
    assert np.allclose(explorer.starts, ((1.0, 1.0), (-3.0, 3.0)), atol=1e-9)
    alone = Descent(SURFACES["himmelblau"], explorer.start, 5e-4, max_steps=300)
    alone.advance_to(300)
    np.testing.assert_array_equal(explorer.descent.params[:, 1], alone.params[:, 0])
    assert len(set(explorer.map.coming.colors)) == 2
    drag(explorer, 0, 2.0, 2.0)
    assert np.allclose(explorer.starts, ((2.0, 2.0), (-3.0, 3.0)), atol=1e-6)
    explorer.clear_starts()
    assert len(explorer.starts) == 1


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
    assert explorer.lane_names == ("plain", "momentum", "Nesterov", "RMSprop", "Adam")
    assert any("Adam" in name for name in explorer.loss_plot.names.text)
    explorer.unfold("Compare")
    for name in RULES.values():
        assert f">{name.label}<" in explorer.fold.text.value


def test_basins_colour_the_map_and_are_computed_again_for_other_settings(explorer):
    explorer.basins = True
    assert explorer.map.ground.basins.visible
    assert explorer.map.bar.layout.display == "none"
    key = explorer.basin_key
    assert key.layout.display is None
    for number in "①②③④":
        assert number in key.value
    before = explorer.map.ground.basins.image.value
    explorer.learning_rate = 0.02
    assert explorer.map.ground.basins.image.value != before
    assert "diverges" in key.value
    explorer.basins = False
    assert not explorer.map.ground.basins.visible
    assert explorer.map.bar.layout.display is None
    assert key.layout.display == "none"


def test_the_map_of_a_settled_rate_agrees_with_runs_from_its_starts(explorer):
    explorer.assign(learning_rate=0.005, max_steps=100, basins=True)
    found = explorer.basin_finder.map
    minima = np.array(explorer.surface.minima)
    for i, j in ((20, 20), (90, 90), (20, 100), (100, 20), (64, 77)):
        end = oracle((float(found.u[j]), float(found.v[i])), 0.005, 100)[-1]
        nearest = np.hypot(*(minima - end).T)
        if found.labels[i, j] >= 0:
            assert found.labels[i, j] == nearest.argmin()
            assert nearest.min() < 0.05


def test_basins_respect_loss_tol(explorer):
    explorer.assign(learning_rate=0.005, basins=True)
    assert "by loss_tol" not in explorer.basin_key.value
    explorer.loss_tol = 5.0
    assert "by loss_tol" in explorer.basin_key.value


def test_every_class_of_starts_stands_in_the_key():
    explorer = SurfaceExplorer("saddle", basins=True)
    assert "goes away" in explorer.basin_key.value
    explorer.assign(surface="narrow valley", learning_rate=0.02, basins=True)
    assert "oscillates" in explorer.basin_key.value
    explorer.close()


@pytest.mark.parametrize("name", ["rastrigin", "mccormick", "himmelblau", "six-hump camel"])
def test_every_number_in_the_key_stands_on_the_map_and_the_rest_is_named(name):
    explorer = SurfaceExplorer(name, basins=True)
    found = explorer.basin_finder.map
    key = explorer.basin_key.value
    ground = explorer.map.ground
    on_map = {numbered(int(text) - 1) for text in np.atleast_1d(ground.numbers.text)}
    in_key = {sign for sign in CIRCLED if sign in key}
    assert in_key <= on_map
    assert len(on_map) <= 9
    known = len(explorer.surface.minima)
    circle = 9 / explorer.map.plot_height * SIDE
    for x, y in zip(ground.numbers.x[known:], ground.numbers.y[known:], strict=True):
        assert circle <= min(x, y)
        assert max(x, y) <= SIDE - circle
    shares = re.findall(r"<b>([\d.]+)\s%</b>", key)
    assert sum(map(float, shares)) == pytest.approx(100, abs=len(shares))
    rest = int((found.reached > 0).sum()) - len(in_key)
    assert ("minim" in key) == (rest > 0)
    assert "background:''" not in key
    assert "style=''" not in key
    if name == "mccormick":
        assert "off the map" in key
    explorer.close()


def test_rows_of_the_key_add_up_to_all_starts(explorer):
    explorer.assign(learning_rate=0.005, basins=True)
    shares = re.findall(r"<b>([\d.]+)\s%</b>", explorer.basin_key.value)
    assert sum(map(float, shares)) == pytest.approx(100, abs=len(shares))


def test_a_search_for_basins_that_fails_leaves_everything_as_before():
    def moody(u, v):
        if u.numel() == 14_400:
            raise ArithmeticError("too many at once")
        return u**2 + v**2

    explorer = SurfaceExplorer(moody, bounds=(-2, 2), minima=((0, 0),), learning_rate=0.1)
    explorer.step = 3
    for _ in range(2):  # and it is tried again
        with pytest.raises(ArithmeticError, match="too many"):
            explorer.basins = True
        assert not explorer.basins
        assert explorer.step == 3
    assert explorer.basin_finder.progress.layout.display == "none"
    explorer.close()


def test_a_search_for_basins_that_fails_between_cells_turns_them_off_and_says_why():
    async def main():
        calls = 0

        def moody(u, v):
            nonlocal calls
            calls += u.numel() == 14_400
            if calls > 3 and u.numel() == 14_400:
                raise ArithmeticError("too many at once")
            return u**2 + v**2

        explorer = SurfaceExplorer(moody, bounds=(-2, 2), minima=((0, 0),), learning_rate=0.1)
        explorer.basins = True
        for _ in range(300):
            await asyncio.sleep(0.01)
            if not explorer.basins:
                break
        assert not explorer.basins
        assert "too many at once" in explorer.problem
        assert explorer.basin_finder.progress.layout.display == "none"
        assert not explorer.form.field("basins").inputs[0].value
        calls = -1000
        explorer.basins = True  # the same settings are tried again
        for _ in range(1500):
            await asyncio.sleep(0.01)
            if explorer.basin_finder.map is not None:
                break
        assert "①" in explorer.basin_key.value
        explorer.close()

    asyncio.run(main())


def test_between_cells_the_end_of_a_run_is_named_when_it_is_known():
    async def main():
        explorer = HimmelblauExplorer()
        explorer.run()
        assert "converges" not in explorer.sentence_text  # it is looked into at rest
        for _ in range(500):
            await asyncio.sleep(0.01)
            if "converges" in explorer.status.value:
                break
        assert "It converges to minimum ①" in explorer.sentence_text
        explorer.learning_rate = 0.02
        assert "It converges" not in explorer.sentence_text
        explorer.close()

    asyncio.run(main())


def test_a_function_that_fails_beyond_the_run_leaves_the_end_of_it_open():
    run_is_over = False

    def moody(u, v):
        if run_is_over:
            raise ArithmeticError("no further")
        return u**2 + v**2

    explorer = SurfaceExplorer(moody, bounds=(-2, 2), minima=((0, 0),), learning_rate=0.1)
    explorer.compute(300)
    run_is_over = True
    assert explorer.ends.at(300) is None
    assert explorer.problem == ""
    explorer.close()


def test_a_run_that_is_not_over_is_not_judged_by_the_end_of_the_one_before():
    async def main():
        explorer = HimmelblauExplorer(future=False)
        explorer.run()
        explorer.reset()
        explorer.learning_rate = 5.01e-4  # while the first run's end is still looked into
        assert explorer.ends.looking is not None
        await asyncio.sleep(0.5)
        explorer.run()
        for _ in range(300):
            await asyncio.sleep(0.01)
            if explorer.ends.looking is None and explorer.ends.known:
                break
        assert "It converges to minimum ①" in explorer.sentence_text
        explorer.close()

    asyncio.run(main())
