"""AccumulationComparer without a browser: numbers, lines of the loop, and what is true."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from course import EXERCISE_2
from gdwidgets import AccumulationComparer
from gdwidgets.ui import text


def plain_loop(clear_every, steps):
    """The course's exercise in plain PyTorch: parameters and .grad seen by each backward()."""
    a, b = (torch.tensor(value, requires_grad=True) for value in (0.5, 0.5))
    seen = []
    for step in range(1, steps + 1):
        ((a * 1.5 + b - 2.5) ** 2).backward()
        seen.append((a.item(), b.item(), a.grad.item(), b.grad.item()))
        with torch.no_grad():
            a -= 0.1 * a.grad
            b -= 0.1 * b.grad
        if clear_every and step % clear_every == 0:
            a.grad = b.grad = None
    return np.array(seen, np.float64)


def marked(explorer):
    """The code lines that are marked as running, left and right together."""
    return [
        code.strip()
        for code in re.findall(r"<div class='[^']*\bon'>([^<]*)<", explorer.loops.value)
    ]


def beside(explorer, lane):
    """Lines of a loop's code beside which something stands, and what."""
    found = re.findall(r"<div[^>]*>([^<]*)<span>([^<]*)</span></div>", sides(explorer)[lane])
    return {line.strip(): said for line, said in found}


def sides(explorer):
    """The HTML of the left and of the right loop."""
    return explorer.loops.value.split("<section")[1:]


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


def test_accumulated_and_step_gradient_stand_beside_the_buffer_they_make(explorer):
    explorer.step = 3
    left, right = sides(explorer)
    for number in ("−3.0844", "3.9830", "0.8986", "1.6897 → 1.5998", "loss = 1.762671"):
        assert number in left
    for number in ("None", "−0.1608", "1.0522 → 1.0683", "loss = 0.002872"):
        assert number in right


@pytest.mark.parametrize("parts", [None, 2])
def test_what_an_update_makes_of_a_parameter_stands_beside_the_line_that_makes_it(explorer, parts):
    explorer.micro_batches = parts
    explorer.compute(5)
    for k in (1, 3):
        explorer.step = k
        for lane in (0, 1):
            before, after = explorer.descent.params[k : k + 2, lane]
            assert beside(explorer, lane) == {
                f"{name} -= 0.1 * {name}.grad": f"{text.fixed(before[i])} → {text.fixed(after[i])}"
                for i, name in enumerate("ab")
            }


@pytest.mark.parametrize(
    ("every", "said"),
    [(None, "without clearing"), (1, "with clearing"), (3, "clearing every 3")],
)
def test_the_sentence_names_the_loop_whose_numbers_it_gives(explorer, every, said):
    explorer.assign(clear_every=every, learning_rate=0.7, max_steps=400)
    shown = []
    for step, line in ((3, "backward"), (3, "update"), (4, "backward"), (400, "backward")):
        explorer.seek(step)
        explorer.line = line
        shown.append(explorer.sentence_text)
    assert all(re.match(rf"Step \d+, {said}: ", one) for one in shown)
    assert "a.grad holds" in shown[0]
    assert f"a = {text.fixed(float(explorer.descent.params[3, 0, 0]))} after" in shown[1]
    assert "makes inf or NaN" in shown[3]


def test_either_parameter_can_be_shown(explorer):
    explorer.step = 4
    explorer.parameter = "b"
    left, _ = sides(explorer)
    for number in ("0.5991", "2.2659", "2.8650", "b.grad", "1.2332 → 0.9467"):
        assert number in left
    assert explorer.curve.title == "b"
    assert "**b.grad" not in explorer.sentence_text
    assert "b.grad holds 2.8650" in explorer.sentence_text


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
    assert sides(explorer)[0].count("class='no'") == 1
    assert "class='no'" not in sides(explorer)[1]
    explorer.line_forward()
    assert marked(explorer) == ["a -= 0.1 * a.grad", "b -= 0.1 * b.grad"] * 2
    assert beside(explorer, 0)["a -= 0.1 * a.grad"] == "0.5000 → 0.8750"
    explorer.line_forward()
    assert marked(explorer) == ["a.grad = b.grad = None"]  # on the right only
    left, right = sides(explorer)
    assert "−3.7500" in left
    assert "<b>= a.grad</b></span><u></u><tt>None" in right
    explorer.line_forward()
    assert marked(explorer) == ["loss = (a * x + b - y)**2"] * 2
    explorer.clear_every = 1
    assert "class='no'" not in explorer.loops.value


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


def test_no_line_runs_after_the_end(explorer):
    explorer.run()
    explorer.line_forward()
    assert (explorer.step, explorer.line) == (10, "backward")
    # range(1, 11) is used up: no eleventh backward() has run, and the gradients are still there.
    assert marked(explorer) == []
    left, right = sides(explorer)
    assert "final loss = 1.070119" in left
    assert "−4.5890" in left
    assert "<b>= a.grad</b></span><u></u><tt>None" in right


def test_after_the_loop_micro_batches_show_the_loss_of_the_whole_batch():
    explorer = AccumulationComparer(micro_batches=4, max_steps=24)
    explorer.run()
    batch = explorer.problem_descended.objective
    a, b = torch.tensor(explorer.descent.params[24, 1])
    expected = f"final loss = {(a * batch.x + b - batch.y).square().mean():.6f}"
    assert explorer.loops.value.count(expected) == 2
    explorer.close()


@pytest.mark.parametrize("k", [0, 1, 10, 23])
def test_a_loss_of_a_part_is_told_from_the_batch_s(k):
    explorer = AccumulationComparer(micro_batches=4, max_steps=40)
    explorer.seek(k)
    batch = explorer.problem_descended.objective
    a, b = torch.tensor(explorer.descent.params[k, 0])
    squares = (a * batch.x + b - batch.y).square() / len(batch.x)
    size = len(batch.x) // 4
    parts = [float(squares[i : i + size].sum()) for i in range(0, len(squares), size)]
    card = float(re.search(r"the part&#x27;s loss = ([\d.]+)", sides(explorer)[0])[1])
    assert card == pytest.approx(parts[k % 4], abs=1e-6)
    said = float(re.search(r"the batch's loss ([\d.]+\d)", explorer.sentence_text)[1])
    assert said == pytest.approx(sum(parts), rel=1e-3)
    assert len(explorer.sentence_text) <= 205
    explorer.close()


def test_a_line_that_has_not_run_is_refused(explorer):
    with pytest.raises(ValueError, match="at step 0"):
        explorer.line = "update"
    assert explorer.line == "backward"
    with pytest.raises(ValueError, match="did you mean 'forward'"):
        explorer.line = "forwards"


# -- what is true ----------------------------------------------------------------------------------


def in_the_long_run(x, rate, every, steps=4000):
    """What float64 arithmetic of the loop does: ``converges``, ``oscillates`` or ``diverges``."""
    residual, before, lam, grad = 1.0, 1.0, 2 * (x * x + 1), 0.0
    far = []
    for step in range(1, steps + 1):
        grad += lam * residual
        residual -= rate * grad
        if every and step % every == 0:
            grad = 0.0
        far.append(abs(residual))
        if far[-1] > 1e6:
            return "diverges"
    del before
    return "converges" if max(far[-200:]) < 1e-3 else "oscillates"


@given(
    x=st.floats(-2, 2),
    scaled=st.floats(0.1, 4.6),
    every=st.one_of(st.none(), st.integers(1, 6)),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_the_sentence_says_what_the_loops_do(x, scaled, every):
    rate = scaled / (2 * (x * x + 1))
    explorer = AccumulationComparer(x=x, learning_rate=rate, clear_every=every)
    left, right = (in_the_long_run(x, rate, n) for n in (every, 1))
    explorer.unfold("Why")
    said = explorer.fold.text.value
    explorer.close()
    near = min(abs(scaled - edge) for edge in (2.0, 4.0))
    if near < 0.01 or "multiplies the distance by <b>1<" in said:
        return  # too near to a limit to be seen in so many steps
    words = {"converges": "converges", "oscillates": "oscillates", "diverges": "diverges"}
    first, second = said.rsplit("So at γ", 1)[1].split(" and the loop ")
    slow = every is not None and every > 1 and left == "oscillates"
    assert slow or words[left] in first
    assert words[right] in second


def test_the_roles_are_reversed_between_the_limits(explorer):
    explorer.situate("roles reversed")
    explorer.run()
    assert explorer.descent.loss[:, 0].max() < 5
    assert explorer.descent.loss[30, 1] > 1e12
    assert "The roles are reversed" in explorer.sentence_text


def test_a_start_on_the_valley_floor_moves_only_where_float32_has_a_gradient(explorer):
    explorer.start = (1.0, 1.0)
    explorer.run()
    assert "nothing moves" in explorer.sentence_text
    np.testing.assert_array_equal(explorer.descent.params, 1)
    # Very near is not on it: at a rate beyond the limit this loss grows without bound.
    explorer.assign(start=(1.0, 1.0000005), learning_rate=0.4, max_steps=100)
    explorer.run()
    assert "nothing moves" not in explorer.sentence_text
    assert explorer.descent.loss[:, 1].max() > 1e20


def test_a_diverged_loop_says_at_which_update(explorer):
    explorer.assign(learning_rate=50.0, max_steps=60)
    explorer.run()
    last = int(explorer.descent.last_step[0])
    assert f"update {last + 1} makes inf or NaN" in explorer.sentence_text
    assert f"diverged at update {last + 1}" in explorer.loops.value


def test_momentum_with_beta_1_is_the_loop_without_clearing(explorer):
    explorer.momentum = True
    explorer.run()
    steps, values = explorer.curve._theory
    a, b = (torch.tensor(0.5, requires_grad=True) for _ in "ab")
    optimizer = torch.optim.SGD([a, b], lr=0.1, momentum=1.0)
    for k in range(10):
        assert values[k] == pytest.approx(a.item(), rel=1e-6)
        optimizer.zero_grad()
        ((a * 1.5 + b - 2.5) ** 2).backward()
        optimizer.step()
    np.testing.assert_array_equal(values, explorer.descent.params[:, 0, 0])
    np.testing.assert_array_equal(steps, np.arange(11))


# -- situations and micro-batches ------------------------------------------------------------------


TRUE = {
    "the exercise": lambda d: d.loss[10, 0] > 0.001 > d.loss[10, 1],
    "roles reversed": lambda d: d.loss[:, 0].max() < 5 and d.loss[30, 1] > 1e12,
    "both diverge": lambda d: (d.loss[20] > 1e3).all(),
    "every third": lambda d: d.loss[30, 0] > d.loss[0, 0] and d.loss[30, 1] < 1e-6,
    "micro-batches": lambda d: np.allclose(*d.params[24], atol=1e-6),
}


@pytest.mark.parametrize("name", list(AccumulationComparer.SITUATIONS))
def test_a_situation_is_what_it_says(explorer, name):
    explorer.chips.chips[name].value = True
    assert explorer.situation == name
    assert explorer.problem == ""
    explorer.run()
    assert explorer.step == explorer.max_steps
    assert TRUE[name](explorer.descent)
    explorer.max_steps += 1
    assert explorer.situation is None


def test_micro_batches_give_the_update_of_the_whole_batch(explorer):
    explorer.situate("micro-batches")
    explorer.run()
    params = explorer.descent.params
    np.testing.assert_allclose(params[:, 0], params[:, 1], atol=1e-6)
    explorer.step = 2
    assert "Accumulation on purpose" in explorer.sentence_text
    assert "2 backward passes, 0 updates" in explorer.sentence_text
    assert "part 3 of 4" in explorer.loops.value
    assert "waits" in explorer.loops.value
    explorer.line_forward()
    assert (explorer.step, explorer.line) == (3, "forward")
    explorer.line_forward()
    explorer.line_forward()
    assert (explorer.step, explorer.line) == (4, "update")
    # The loss that is drawn is the batch's, for both ways.
    losses = explorer.losses()
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=1e-5)


def test_the_student_s_torch_session_is_neither_relied_on_nor_changed():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with torch.inference_mode():
        explorer = AccumulationComparer(momentum=True)
        assert explorer.table() == EXERCISE_2
        explorer.situate("micro-batches")
        explorer.run()
        explorer.pin()
        assert torch.is_inference_mode_enabled()
    assert torch.get_default_dtype() == torch.float64
    assert torch.equal(torch.get_rng_state(), state)
    explorer.close()


def test_no_two_numbers_that_look_equal_are_set_against_each_other():
    """At step 12 only 2·10⁻⁶ is left in .grad from before: too little for the printed digits."""
    explorer = AccumulationComparer(
        parameter="b", x=3.0, y=-2.0, start=(4.0, -6.0), learning_rate=0.05, max_steps=30
    )
    seen = 0
    for k in range(1, 31):
        explorer.seek(k)
        said = explorer.sentence_text
        grad, own = (float(x[k, 0, 1]) for x in (explorer.descent.grad, explorer.descent.step_grad))
        if against := re.search("holds (.+?), though this step's gradient is (.+?)\\. ", said):
            assert against[1] != against[2]
        if before := re.search("holds (.+?), this step's gradient and (.+?) from before", said):
            seen += 1
            assert f"{grad:.4f}".replace("-", "−") == before[1] == f"{own:.4f}".replace("-", "−")
            number = before[2].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-"))
            left = float(explorer.descent.grad[k - 1, 0, 1])
            assert float(number.replace("·10", "e")) == pytest.approx(left, rel=0.01)
    assert seen
    explorer.close()
