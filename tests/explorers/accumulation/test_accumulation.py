"""AccumulationComparer without a browser: numbers, lines of the loop, what is true, presets."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from gdwidgets.explorers.accumulation.runs import PRESETS, fate, period_factor, swing
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from traitlets import TraitError

from course import EXERCISE_2
from gdwidgets import AccumulationComparer
from gdwidgets.core import Descent, LinearNeuron


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
    assert explorer.table() == EXERCISE_2
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


def test_the_student_s_torch_session_is_neither_relied_on_nor_changed():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with torch.inference_mode():
        explorer = AccumulationComparer(momentum=True)
        assert explorer.table() == EXERCISE_2
        explorer.apply_preset("micro-batches")
        explorer.run()
        explorer.pin()
        assert torch.is_inference_mode_enabled()
    assert torch.get_default_dtype() == torch.float64
    assert torch.equal(torch.get_rng_state(), state)
    explorer.close()
