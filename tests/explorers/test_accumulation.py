"""The accumulation comparer without a browser: numbers, lines, truths, marks and bad input."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ipywidgets.widgets.widget import _instances
from traitlets import TraitError

from gdwidgets import AccumulationComparer
from gdwidgets.core import Descent, LinearNeuron
from gdwidgets.explorers.accumulation_runs import PRESETS, fate, period_factor, swing
from messages import recorded_messages

COURSE = """\
Without gradient clearing:
Target function: loss = (a * x + b - y)**2 with x = 1.5, y = 2.5
Step |       Loss |        a |        b |   grad_a |   grad_b
------------------------------------------------------------
   1 |   1.562500 |   0.5000 |   0.5000 |  -3.7500 |  -2.5000
   2 |   0.191406 |   0.8750 |   0.7500 |  -5.0625 |  -3.3750
   3 |   0.434776 |   1.3813 |   1.0875 |  -3.0844 |  -2.0562
   4 |   1.762671 |   1.6897 |   1.2931 |   0.8986 |   0.5991
   5 |   1.283600 |   1.5998 |   1.2332 |   4.2975 |   2.8650
   6 |   0.040740 |   1.1701 |   0.9467 |   4.9030 |   3.2687
   7 |   0.740418 |   0.6798 |   0.6199 |   2.3216 |   1.5477
   8 |   1.859085 |   0.4476 |   0.4651 |  -1.7689 |  -1.1793
   9 |   0.960844 |   0.6245 |   0.5830 |  -4.7096 |  -3.1397
  10 |   0.001614 |   1.0955 |   0.8970 |  -4.5890 |  -3.0593

With gradient clearing:
Target function: loss = (a * x + b - y)**2 with x = 1.5, y = 2.5
Step |       Loss |        a |        b |   grad_a |   grad_b
------------------------------------------------------------
   1 |   1.562500 |   0.5000 |   0.5000 |  -3.7500 |  -2.5000
   2 |   0.191406 |   0.8750 |   0.7500 |  -1.3125 |  -0.8750
   3 |   0.023447 |   1.0063 |   0.8375 |  -0.4594 |  -0.3062
   4 |   0.002872 |   1.0522 |   0.8681 |  -0.1608 |  -0.1072
   5 |   0.000352 |   1.0683 |   0.8788 |  -0.0563 |  -0.0375
   6 |   0.000043 |   1.0739 |   0.8826 |  -0.0197 |  -0.0131
   7 |   0.000005 |   1.0759 |   0.8839 |  -0.0069 |  -0.0046
   8 |   0.000001 |   1.0766 |   0.8844 |  -0.0024 |  -0.0016
   9 |   0.000000 |   1.0768 |   0.8845 |  -0.0008 |  -0.0006
  10 |   0.000000 |   1.0769 |   0.8846 |  -0.0003 |  -0.0002"""


@pytest.fixture(scope="module")
def shared():
    made = AccumulationComparer()
    yield made
    made.close()


@pytest.fixture
def explorer(shared):
    """One explorer for all tests, as it opens: making one takes a while."""
    shared.momentum, shared.loss_log = False, True
    shared.unpin_all()
    shared.apply_preset("the course's")
    shared.reset()
    for toggle in shared.fold.toggles.values():
        toggle.value = False
    return shared


def plain_loop(clear_every, steps, rate=0.1):
    """The course's exercise in plain PyTorch: parameters and .grad seen by each backward()."""
    a, b = (torch.tensor(0.5, requires_grad=True) for _ in "ab")
    seen = []
    for step in range(1, steps + 1):
        ((a * 1.5 + b - 2.5) ** 2).backward()
        seen.append((a.item(), b.item(), a.grad.item(), b.grad.item()))
        with torch.no_grad():
            a -= rate * a.grad
            b -= rate * b.grad
        if clear_every and step % clear_every == 0:
            a.grad = b.grad = None
    return np.array(seen, np.float32)


def said(explorer):
    """The status sentence, with plain spaces."""
    return explorer.status.value.replace("\u00a0", " ")


def marked(explorer):
    """The code lines that are marked as running, left and right together."""
    return [text.strip() for text in re.findall(r"<div class=on>([^<]*)<", explorer.loops.value)]


# -- the course's numbers --------------------------------------------------------------------------


def test_the_table_is_the_course_s_digit_for_digit(explorer):
    explorer.step = 4
    assert explorer.table() == COURSE
    assert explorer.step == 4


@pytest.mark.parametrize("n", [None, 1, 3])
def test_both_buffers_are_pytorch_s_own(explorer, n):
    explorer.clear_every = n
    explorer.run()
    for lane, every in ((0, n), (1, 1)):
        expected = plain_loop(every, 10)
        np.testing.assert_allclose(explorer.descent.params[:10, lane], expected[:, :2], rtol=1e-6)
        np.testing.assert_allclose(
            explorer.descent.grad[:10, lane], expected[:, 2:], rtol=1e-5, atol=1e-6
        )


def test_leftover_and_fresh_and_grad_stand_beside_the_update_they_cause(explorer):
    explorer.step = 3
    left, right = explorer.loops.value.split("<div style=")[1:]
    for number in ("-3.0844", "3.9830", "0.8986", "a 1.6897 → 1.5998", "loss = 1.762671"):
        assert number in left
    for number in ("None", "-0.1608", "a 1.0522 → 1.0683", "loss = 0.002872"):
        assert number in right


# -- the lines of the loop -------------------------------------------------------------------------


def test_lines_run_one_by_one_and_back(explorer):
    seen = []
    for _ in range(8):
        explorer.line_forward()
        seen.append((explorer.step, explorer.line))
    lines = ["update", "clear", "forward", "backward"]
    assert seen == [(1, line) for line in lines] + [(2, line) for line in lines]
    back = []
    while (explorer.step, explorer.line) != (0, "forward"):
        back.append((explorer.step, explorer.line))
        explorer.line_back()
    assert back == [*reversed(seen), (0, "backward")]
    explorer.line_back()
    assert (explorer.step, explorer.line) == (0, "forward")


def test_the_running_line_is_marked_and_the_missing_one_is_struck_out(explorer):
    assert marked(explorer) == ["loss.backward()"] * 2
    explorer.line_forward()
    assert marked(explorer)[:2] == [
        "a -= learning_rate * a.grad",
        "b -= learning_rate * b.grad",
    ]
    assert "update: a 0.5000 → 0.8750" in explorer.loops.value
    explorer.line_forward()
    assert marked(explorer) == ["a.grad = b.grad = None"]  # on the right only
    assert "<div class='no on'>a.grad = b.grad = None</div>" in explorer.loops.value
    left, right = explorer.loops.value.split("<div style=")[1:]
    assert "-3.7500" in left
    assert "<b>= a.grad</b></span><tt>None" in right
    explorer.line_forward()
    assert marked(explorer) == ["loss = (a * x + b - y)**2"] * 2
    explorer.clear_every = 1
    assert "class='no" not in explorer.loops.value


def test_a_whole_step_stops_after_backward(explorer):
    explorer.line_forward()
    explorer.step_forward()
    assert (explorer.step, explorer.line) == (2, "backward")
    explorer.line_forward()
    explorer.seek(3)
    assert (explorer.step, explorer.line) == (3, "backward")
    explorer.line = "clear"
    explorer.reset()
    assert (explorer.step, explorer.line) == (0, "backward")


def test_the_next_update_is_drawn_once_the_gradient_is_known(explorer):
    assert explorer.map.arrows.visible
    explorer.line_forward()
    assert not explorer.map.arrows.visible
    explorer.step_forward()
    assert explorer.map.arrows.visible
    arrow = explorer.map.arrows
    np.testing.assert_allclose(arrow.x[:, 1], explorer.descent.params[3, :, 0], rtol=1e-6)


def test_after_the_loop_micro_batches_show_the_loss_of_the_whole_batch():
    explorer = AccumulationComparer(micro_batches=4, max_steps=24)
    explorer.run()
    x, y = explorer.subject.objective.x, explorer.subject.objective.y
    a, b = torch.tensor(explorer.descent.params[24, 1])
    expected = f"after the loop: loss = {(a * x + b - y).square().mean():.6f}"
    assert explorer.loops.value.count(expected) == 2
    explorer.close()


def test_the_cross_of_a_loss_beyond_the_plot_stands_above_the_present_step():
    explorer = AccumulationComparer(learning_rate=0.4, max_steps=30)
    explorer.run()
    present = explorer.loss_plot.present
    np.testing.assert_array_equal(present.x, [30, 30])
    np.testing.assert_allclose(present.y[0], explorer.descent.loss[30, 0], rtol=1e-6)
    assert present.y[0] < present.y[1] < explorer.descent.loss[30, 1]
    explorer.close()


def test_no_line_runs_after_the_end(explorer):
    explorer.run()
    explorer.line_forward()
    assert (explorer.step, explorer.line) == (10, "backward")
    # range(1, 11) is used up: no eleventh backward() has run, and the leftover is still there.
    assert marked(explorer) == []
    left, right = explorer.loops.value.split("<div style=")[1:]
    assert "after the loop: loss = 1.070119" in left
    assert "-4.5890" in left
    assert "<b>= a.grad</b></span><tt>None" in right


def test_a_line_that_has_not_run_is_refused(explorer):
    with pytest.raises(TraitError, match="at step 0"):
        explorer.line = "update"
    with pytest.raises(TraitError, match="did you mean 'forward'"):
        explorer.line = "forwards"


# -- what is true ----------------------------------------------------------------------------------


@given(x=st.floats(-3, 3), share=st.floats(0.05, 4.5), n=st.integers(1, 12))
@hypothesis_settings(max_examples=40)
def test_clearing_every_n_steps_multiplies_the_distance_as_predicted(x, share, n):
    rate = share / (2 * (x**2 + 1))
    descent = Descent(LinearNeuron(x, 2.5), (0.5, -0.5), rate, clear_every=n, max_steps=2 * n)
    descent.advance_to(2 * n)
    residual = descent.params[:, 0].astype(float) @ np.array([x, 1]) - 2.5
    if share < 4:
        size = swing(share) * np.abs(residual[[0, n]])
        predicted = period_factor(share, n) * residual[[0, n]]
        np.testing.assert_array_less(np.abs(residual[[n, 2 * n]] - predicted), 1e-4 * (size + 1))
    else:
        assert abs(residual[2 * n]) > abs(residual[0])
        assert fate(share, n) == "diverges"


@pytest.mark.parametrize(
    ("share", "n", "expected"),
    [
        (0.65, None, "swings"),
        (3.99, None, "swings"),
        (4.01, None, "diverges"),
        (1.99, 1, "converges"),
        (2.0, 1, "swings"),
        (2.01, 1, "diverges"),
        (0.65, 5, "converges"),
    ],
)
def test_fates(share, n, expected):
    assert fate(share, n) == expected


def test_the_sentence_says_what_is_true_at_the_learning_rate(explorer):
    assert "swings for ever, undamped and bounded: momentum with β = 1" in said(explorer)
    assert "2/λ = 0.308, 4/λ = 0.615" in said(explorer)
    explorer.learning_rate = 0.4
    assert "The lesson turns round" in said(explorer)
    explorer.learning_rate = 0.62
    assert "Both diverge" in said(explorer)
    explorer.apply_preset("the course's")
    explorer.clear_every = 4
    assert "Clearing every 4 steps" in said(explorer)
    explorer.start = (1.0, 1.0)
    assert "The start lies on the valley" in said(explorer)
    explorer.x = 4.0
    assert "2/λ = 0.0588" in said(explorer)


def test_the_sentence_tells_both_losses(explorer):
    explorer.step = 3
    assert "Step 3: loss 1.76 without clearing, 0.00287 with." in said(explorer)
    explorer.learning_rate = 50.0
    explorer.max_steps = 60
    explorer.run()
    assert "loss beyond float32 without clearing, beyond float32 with." in said(explorer)
    assert "diverged at update" in explorer.loops.value


def test_between_the_limits_the_uncleared_run_stays_and_the_cleared_one_goes(explorer):
    explorer.apply_preset("the turn-round")
    explorer.run()
    assert explorer.descent.loss[:, 0].max() < 5
    assert explorer.descent.loss[30, 1] > 1e12


def test_the_overlay_of_undamped_momentum_lies_on_the_uncleared_curve(explorer):
    assert not explorer.curves.momentum.visible
    explorer.momentum = True
    explorer.run()
    overlay = np.asarray(explorer.curves.momentum.y)
    a, b = (explorer.descent.params[:, 0, i] for i in (0, 1))
    np.testing.assert_array_equal(overlay, [*a, np.nan, *b])
    assert explorer.curves.momentum.visible


# -- presets and micro-batches ---------------------------------------------------------------------


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_recognised_and_runs(explorer, name):
    explorer.controls.preset.value = name
    assert explorer.preset == name
    assert explorer.problem == ""
    explorer.run()
    assert explorer.step == explorer.max_steps
    explorer.max_steps += 1
    assert explorer.preset == explorer.controls.preset.value == "your own"


def test_micro_batches_give_the_update_of_the_whole_batch(explorer):
    explorer.apply_preset("micro-batches")
    explorer.run()
    params = explorer.descent.params
    np.testing.assert_allclose(params[:, 0], params[:, 1], atol=1e-6)
    assert "accumulation is wanted" in explorer.status.value
    explorer.step = 2
    assert "part 3 of 4" in explorer.loops.value
    assert "waits" in explorer.loops.value
    explorer.line_forward()
    assert (explorer.step, explorer.line) == (3, "forward")
    explorer.line_forward()
    explorer.line_forward()
    assert (explorer.step, explorer.line) == (4, "update")
    assert "part 4" not in explorer.loops.value
    # The loss that is drawn is the batch's, for both ways.
    np.testing.assert_allclose(explorer.loss_plot.lines.y[0], explorer.loss_plot.lines.y[1])


def test_an_unknown_preset_names_the_nearest(explorer):
    with pytest.raises(TraitError, match="did you mean 'the turn-round'"):
        explorer.apply_preset("turn-round")


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


def click(explorer, a, b):
    explorer.map.glass._handle_custom_msg(
        {"event": "element_click", "data": {"click_x": a, "click_y": b}}, []
    )


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
    before = explorer.settings()
    explorer.step = 3
    widget = explorer.controls
    for part in control.split("."):
        widget = getattr(widget, part)
    old = widget.value
    widget.value = bad
    assert says in explorer.problem
    assert "gdw-error" in explorer.status.value
    assert widget.value == old
    assert explorer.settings() == before
    assert explorer.step == 3
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
    namespace = {"__name__": "script"}
    exec(compile(explorer.code(), "script", "exec"), namespace)
    assert capsys.readouterr().out
    descent = explorer.descent
    for lane, result in enumerate(namespace["results"]):
        np.testing.assert_allclose(
            result["parameters"], descent.params[-1, lane], rtol=1e-5, atol=1e-6
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
    assert f"{row.grad_a:.4f} {row.fresh_grad_a:.4f}" == "-5.0625 -1.3125"
    assert explorer.step == 0


def test_the_student_s_torch_session_is_neither_relied_on_nor_changed():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with torch.inference_mode():
        explorer = AccumulationComparer(momentum=True)
        assert explorer.table() == COURSE
        explorer.apply_preset("micro-batches")
        explorer.run()
        explorer.pin()
        assert torch.is_inference_mode_enabled()
    assert torch.get_default_dtype() == torch.float64
    assert torch.equal(torch.get_rng_state(), state)
    explorer.close()


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
