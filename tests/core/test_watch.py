"""Watching records what a loop computes, and changes nothing of it."""

from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets.core import SURFACES, Descent, LinearNeuron
from gdwidgets.core.diagnosis.records import Reference
from gdwidgets.core.watching.store import Store
from gdwidgets.core.watching.watch import Watch, watch
from loops import (
    X,
    Y,
    accumulate,
    examples,
    fit_polynomial,
    himmelblau,
    himmelblau_reference,
    names,
    neuron_reference,
    optimize_himmelblau,
    regression_reference,
    watched,
)


def trained_module(steps=20):
    """A network that uses random numbers, hooks, an optimizer and a scheduler."""
    torch.manual_seed(4)
    model = torch.nn.Sequential(
        torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Dropout(0.2), torch.nn.Linear(16, 1)
    )
    seen = []
    model[0].weight.register_hook(lambda grad: seen.append(grad.norm().item()))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(X[:, None])[:, 0], Y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    values = [p.detach().clone() for p in model.parameters()]
    return losses, seen, values, [p.grad.clone() for p in model.parameters()], torch.rand(3)


def flat(result):
    if isinstance(result, torch.Tensor):
        return [result.numpy().tobytes()]
    if isinstance(result, (list, tuple)):
        return [part for one in result for part in flat(one)]
    return [result]


@pytest.mark.parametrize(
    "loop",
    [
        lambda: optimize_himmelblau(1, 1),
        lambda: fit_polynomial(steps=100),
        lambda: accumulate(clear=False),
        trained_module,
    ],
    ids=["himmelblau", "polynomial", "neuron", "module"],
)
def test_a_watched_loop_computes_the_same_bits(loop):
    expected = flat(loop())
    assert flat(watched(loop).result) == expected


@given(
    st.floats(-5, 5, width=32),
    st.floats(-5, 5, width=32),
    st.floats(1e-6, 1e-2),
    st.integers(1, 30),
)
@examples(20)
def test_records_are_what_a_descent_records(u, v, rate, steps):
    """The same recording in two ways: computed, and watched."""
    descent = Descent(SURFACES["himmelblau"], (u, v), rate, max_steps=steps)
    descent.advance_to(steps)
    mine = watched(
        lambda: optimize_himmelblau(u, v, rate, steps), himmelblau_reference((u, v), rate)
    )
    count = int(descent.last_step[0])
    run = mine.run
    assert run.recorded >= count
    for name in ("params", "loss", "grad", "step_grad"):
        expected = getattr(descent, name)[:count]
        assert np.array_equal(getattr(run, name)[:count], expected), name
    assert np.array_equal(run.params[count], descent.params[count])
    assert run.params.dtype == run.loss.dtype == np.float32
    assert run.params.shape == (run.recorded + 1, 1, 2)
    assert run.loss.shape == (run.recorded + 1, 1)


def test_a_run_reads_like_a_descent():
    reference = himmelblau_reference((-1, 1), loss_tol=1e-4)
    mine = watched(lambda: optimize_himmelblau(-1, 1, loss_tol=1e-4), reference)
    run, descent = mine.run, reference.descent()
    descent.advance_to(300)
    assert run.lanes == 1
    assert run.outcomes.tolist() == descent.outcomes.tolist() == ["converged"]
    assert run.last_step.tolist() == descent.last_step.tolist()
    assert run.recorded == descent.recorded == run.advance_to(10_000)
    assert run.finished
    assert run.objective is reference.objective
    assert np.array_equal(run.start, descent.start)
    for name in ("params", "loss", "grad", "step_grad"):
        assert np.array_equal(getattr(run, name), getattr(descent, name)), name


def test_the_final_point_has_the_objectives_loss_where_the_loop_has_that_loss():
    reference = himmelblau_reference(max_steps=20)
    descent = reference.descent()
    descent.advance_to(20)
    run = watched(lambda: optimize_himmelblau(1, 1, steps=20), reference).run
    assert np.array_equal(run.loss, descent.loss)
    assert run.outcomes.tolist() == ["max_steps"]

    def other():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        for _ in range(20):
            (himmelblau(u, v) + u).backward()
            with torch.no_grad():
                u -= 5e-4 * u.grad
                v -= 5e-4 * v.grad
            u.grad = v.grad = None

    run = watched(other, reference).run
    assert np.isnan(run.loss[-1]).all()
    assert np.isfinite(run.params).all()


def test_a_diverged_run_ends_at_its_last_finite_record():
    mine = watched(lambda: fit_polynomial(rate=1.0, steps=300), regression_reference(1.0, 300))
    reference = mine.reference.descent()
    reference.advance_to(300)
    assert mine.run.outcomes.tolist() == ["diverged"]
    assert abs(mine.run.recorded - reference.recorded) <= 1
    assert np.isfinite(mine.run.params).all()
    assert len(mine.params) == 300


def test_buffers_before_and_after_backward_are_told_apart():
    mine = watched(lambda: accumulate(clear=False), neuron_reference(clear_every=None))
    descent = mine.reference.descent()
    descent.advance_to(10)
    assert np.array_equal(mine.grad.astype(np.float32), descent.grad[:10, 0])
    assert np.allclose(mine.step_grad, descent.step_grad[:10, 0], atol=1e-6)


def test_columns_are_ready_for_a_data_frame():
    mine = watched(lambda: accumulate(clear=True), neuron_reference())
    table = mine.columns()
    assert list(table) == [
        "step", "loss", "a", "a.grad", "a.step_grad", "b", "b.grad", "b.step_grad",
    ]  # fmt: skip
    assert {len(column) for column in table.values()} == {10}
    assert table["a"][0] == 0.5


# -- names -----------------------------------------------------------------------------------


def test_names_come_from_the_loops_variables():
    def loop():
        weight = torch.ones(2, 2, requires_grad=True)
        bias = torch.zeros((), requires_grad=True)
        (weight.sum() + bias).backward()

    assert watched(loop).names == (
        "weight[0, 0]",
        "weight[0, 1]",
        "weight[1, 0]",
        "weight[1, 1]",
        "bias",
    )


def test_names_come_from_module_parameters():
    def loop():
        model = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1))
        model(torch.ones(1, 1)).sum().backward()

    assert watched(loop).names == ("0.weight", "0.bias", "1.weight", "1.bias")


def test_given_names_go_first():
    first = torch.tensor(1.0, requires_grad=True)
    second = torch.tensor(2.0, requires_grad=True)
    with watch(u=first, v=second) as mine:
        himmelblau(first, second).backward()
    assert set(mine.names) == {"u", "v"}
    with pytest.raises(ValueError, match="u must be a tensor"):
        watch(u=1.0)


def test_a_name_of_an_outer_frame_wins_if_it_is_the_references():
    def gradient_of(x, y):
        himmelblau(x, y).backward()

    with watch(reference=himmelblau_reference((2, 1))) as mine:
        v = torch.tensor(1.0, requires_grad=True)
        u = torch.tensor(2.0, requires_grad=True)
        gradient_of(u, v)
    assert mine.names == ("u", "v")
    assert mine.params.tolist() == [[2.0, 1.0]]


def test_a_parameter_stays_itself_when_its_tensor_is_replaced():
    def loop():
        u = torch.tensor(1.0, requires_grad=True)
        for _ in range(20):
            (u**2).backward()
            u = torch.tensor(u.item() - 0.1 * u.grad.item(), requires_grad=True)

    mine = watched(loop)
    assert mine.names == ("u",)
    assert mine.params[:, 0] == pytest.approx(0.8 ** np.arange(20), rel=1e-5)


def test_loops_one_after_another_are_told_apart():
    def loop():
        for rate in (0.1, 0.01, 0.001):
            fit_polynomial(rate=rate, steps=20)

    mine = watched(loop, regression_reference(0.001, 20))
    assert [record.count for record in mine.records] == [20, 20, 20]
    assert names(mine)[0] == "agrees"
    assert "last of 3 loops" in mine.report()


# -- forms -----------------------------------------------------------------------------------


def test_a_function_is_called_and_recorded():
    mine = watch(
        optimize_himmelblau, 1.0, 1.0, steps=30, reference=himmelblau_reference(max_steps=30)
    )
    assert names(mine) == ["agrees", "plain_descent"]
    assert mine.result[0] == mine.final[0]
    with pytest.raises(ValueError, match="callable"):
        watch(3)


def test_records_by_hand_need_no_torch():
    with watch(reference=neuron_reference(steps=6)) as mine:
        a, b = 0.5, 0.5
        for _ in range(6):
            error = a * 1.5 + b - 2.5
            mine.record(error**2, a=a, b=b, gradient={"a": 3 * error, "b": 2 * error})
            a -= 0.1 * 3 * error
            b -= 0.1 * 2 * error
    assert names(mine) == ["agrees", "plain_descent"]
    assert mine.final.tolist() == [a, b]
    with pytest.raises(RuntimeError, match="ended"):
        mine.record(0, a=a, b=b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": 1.0}, "parameters by name"),
        ({"loss": "x", "a": 1.0}, "loss"),
        ({"loss": 1.0, "a": None}, "a must be"),
        ({"loss": 1.0, "a": 1.0, "gradient": [1, 2]}, "gradient"),
        ({"loss": 1.0, "a": 1.0, "gradient": {"b": 1}}, "gradient"),
    ],
)
def test_a_record_by_hand_is_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        watch().record(**arguments)


def test_all_records_by_hand_have_the_same_parameters():
    mine = watch()
    mine.record(1.0, a=1.0)
    with pytest.raises(ValueError, match="as before"):
        mine.record(1.0, b=1.0)


# -- nothing is changed ------------------------------------------------------------------------


def test_hooks_modes_and_buffers_are_left_alone():
    modes = torch.overrides._get_current_function_mode_stack()
    u = torch.tensor(1.0, requires_grad=True)
    with watch():
        (u**2).backward()
        assert torch.is_grad_enabled()
        assert not u._backward_hooks
        assert not getattr(u, "_post_accumulate_grad_hooks", None)
        buffer = u.grad
    assert u.grad is buffer
    assert u._version == 0
    assert torch.overrides._get_current_function_mode_stack() == modes


def stopped_at(step, error, rate=5e-4):
    """A loop that raises after an update."""
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    for k in range(300):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= rate * u.grad
            v -= rate * v.grad
        u.grad = v.grad = None
        if k == step:
            raise error


def test_exceptions_pass_through_and_the_records_stay():
    error = KeyError("mine")
    mine = watch()
    with pytest.raises(KeyError) as caught:
        mine.call(stopped_at, 6, error)
    assert caught.value is error is mine.error
    assert len(mine.loss) == 7
    assert names(mine) == ["interrupted", "plain_descent"]
    assert "KeyError" in mine.findings[0].sentence


def test_an_interrupted_loop_agrees_so_far():
    mine = watch(reference=himmelblau_reference())
    with pytest.raises(KeyboardInterrupt):
        mine.call(stopped_at, 49, KeyboardInterrupt())
    assert names(mine) == ["interrupted", "agrees", "plain_descent"]
    assert mine.findings[1].evidence["steps"] == 50


def test_a_refusal_that_the_loop_catches_is_kept_too():
    def loop():
        u = torch.tensor(1.0, requires_grad=True)
        loss = u**2
        loss.backward()
        try:
            loss.backward()
        except RuntimeError as error:
            return str(error)

    mine = watched(loop)
    assert names(mine)[0] == "backward_twice"
    assert mine.findings[0].evidence["message"] in mine.result


def test_a_loop_is_watched_by_one_at_a_time():
    with watch() as outer:
        u = torch.tensor(1.0, requires_grad=True)
        with pytest.raises(RuntimeError, match="watched already"), watch():
            pass
        (u**2).backward()
    assert len(outer.loss) == 1
    with pytest.raises(RuntimeError, match="ended"), outer:
        pass
    with watch():  # the place is free again
        pass


# -- bad days ----------------------------------------------------------------------------------


def test_nothing_recorded_says_what_may_be_the_reason():
    mine = watched(lambda: None, himmelblau_reference())
    assert names(mine) == ["nothing_recorded"]
    assert "thread" in mine.report()
    assert mine.params.shape == (0, 0)
    assert mine.run.recorded == -1
    assert not mine.tensors


def test_a_loop_in_another_thread_is_not_seen_but_its_own_watch_sees_it():
    found = []

    def in_thread():
        found.append(watch(optimize_himmelblau, 1, 1, steps=5))

    with watch() as mine:
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
    assert names(mine) == ["nothing_recorded"]
    assert len(found[0].loss) == 5


def test_inference_mode_around_the_update_is_fine_and_around_the_loss_is_named():
    def right():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        for _ in range(20):
            himmelblau(u, v).backward()
            with torch.inference_mode():
                u -= 5e-4 * u.grad
                v -= 5e-4 * v.grad
            u.grad = v.grad = None

    assert names(watched(right, himmelblau_reference(max_steps=20))) == ["agrees", "plain_descent"]

    def wrong():
        with torch.inference_mode():
            optimize_himmelblau(1, 1)

    mine = watched(wrong, himmelblau_reference())
    assert names(mine) == ["no_gradient"]
    assert "inference_mode" in mine.findings[0].sentence + mine.findings[0].why


def test_a_loop_in_float64_is_recorded_in_float64():
    def loop():
        u, v = (torch.tensor(0.1, dtype=torch.float64, requires_grad=True) for _ in range(2))
        for _ in range(50):
            himmelblau(u, v).backward()
            with torch.no_grad():
                u -= 5e-4 * u.grad
                v -= 5e-4 * v.grad
            u.grad = v.grad = None

    mine = watched(loop, himmelblau_reference((0.1, 0.1), max_steps=50))
    assert mine.params[0].tolist() == [0.1, 0.1]
    assert names(mine) == ["agrees", "plain_descent"]
    assert not mine.findings[0].evidence["bits"]


def test_the_students_default_dtype_and_grad_mode_do_not_matter():
    torch.set_default_dtype(torch.float64)
    with torch.no_grad():
        mine = Watch(reference=himmelblau_reference(max_steps=20))
        with torch.enable_grad():
            mine.call(optimize_himmelblau, 1, 1, steps=20)
        assert names(mine) == ["agrees", "plain_descent"]


def test_trouble_in_on_progress_does_not_reach_the_loop(monkeypatch):
    monkeypatch.setattr("gdwidgets.core.watching.watch._PROGRESS_SECONDS", 0.0)

    def failing(mine):
        raise ValueError("drawing")

    mine = watched(lambda: optimize_himmelblau(1, 1, steps=10), on_progress=failing)
    assert len(mine.loss) == 10
    assert isinstance(mine.progress_error, ValueError)


def test_progress_is_reported_while_the_loop_runs_and_seldom(monkeypatch):
    """A clock that advances 2 milliseconds at each look, and a callback of 40: 5 % of the time."""
    now = 0.0

    def clock():
        nonlocal now
        now += 2e-3
        return now

    def draw(mine):
        nonlocal now
        now += 0.04
        seen.append((mine.recording, len(mine.loss)))

    seen = []
    monkeypatch.setattr("gdwidgets.core.watching.watch.perf_counter", clock)
    watched(lambda: optimize_himmelblau(1, 1, steps=1500), on_progress=draw)
    assert len(seen) > 2
    assert all(recording for recording, _ in seen)
    assert len(seen) * 0.04 <= 0.05 * now + 0.001
    counts = [count for _, count in seen]
    assert counts == sorted(set(counts))


def test_other_losses_than_scalars_are_summed_as_they_are_weighted():
    def loop():
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        (w**2).backward(gradient=torch.tensor([1.0, 10.0]))
        torch.autograd.backward([w[0] * 2, w[1] * 3])

    mine = watched(loop)
    assert mine.loss.tolist() == [41.0, 8.0]
    assert mine.grad[0].tolist() == [2.0, 40.0]


def test_a_gradient_penalty_is_no_step_of_its_own():
    """Newton's method and gradient penalties differentiate gradients inside a step."""

    def loop():
        u = torch.tensor(3.0, requires_grad=True)
        for _ in range(5):
            (slope,) = torch.autograd.grad(u**4, u, create_graph=True)
            (curvature,) = torch.autograd.grad(slope, u)
            with torch.no_grad():
                u -= slope / curvature
        w = torch.tensor(2.0, requires_grad=True)
        for _ in range(5):
            loss = w**2
            (slope,) = torch.autograd.grad(loss, w, create_graph=True)
            (loss + 0.1 * slope**2).backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
            w.grad = None

    mine = watched(loop)
    newton, penalty = mine.records
    assert newton.loss == pytest.approx(3.0**4 * (2 / 3) ** (4 * np.arange(5)))
    assert penalty.count == 5
    assert penalty.loss[0] == pytest.approx(4 + 0.1 * 16)


# -- many numbers and many steps ----------------------------------------------------------------


def test_a_network_is_recorded_as_norms():
    norms = []

    def loop():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Linear(16, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        x = torch.randn(20, 8)
        for _ in range(12):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            before = [p.detach().clone() for p in model.parameters()]
            optimizer.step()
            norms.append(
                [
                    (p.grad.norm().item(), (p.detach() - q).norm().item(), q.norm().item())
                    for p, q in zip(model.parameters(), before, strict=True)
                ]
            )

    mine = watched(loop, himmelblau_reference())
    assert [tensor.name for tensor in mine.tensors] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert mine.tensors[0].shape == (16, 8)
    expected = np.array(norms)
    for place, tensor in enumerate(mine.tensors):
        assert tensor.grad_norm == pytest.approx(expected[:, place, 0], rel=1e-5)
        assert tensor.update_norm == pytest.approx(expected[:, place, 1], rel=1e-3)
        assert tensor.param_norm == pytest.approx(expected[:, place, 2], rel=1e-5)
        assert tensor.ratio == pytest.approx(0.01, rel=1e-3)
    assert mine.params.shape == (12, 0)
    assert len(mine.loss) == 12
    assert names(mine) == ["values_not_kept"]


def test_small_tensors_have_norms_too():
    mine = watched(lambda: optimize_himmelblau(1, 1, steps=10))
    u = mine.tensors[0]
    assert u.name == "u"
    assert u.grad_norm == pytest.approx(np.abs(mine.grad[:, 0]))
    moved = np.abs(np.diff(np.append(mine.params[:, 0], mine.final[0])))
    assert u.update_norm == pytest.approx(moved)
    assert u.ratio == pytest.approx(5e-4, rel=1e-3)


def test_a_million_rows_are_kept_thin_with_exact_ends():
    store = Store(3, most_numbers=60_000)
    for row in range(990_000):
        store.append((float(row), 0.0, 1.0))
    tracemalloc.start()
    for row in range(990_000, 1_000_000):
        store.append((float(row), 0.0, 1.0))
    added = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    steps, rows = store.rows()
    assert store.thinned
    assert added < 1e6  # what is new takes the place of what is dropped
    assert len(rows) <= 25_000
    assert np.array_equal(rows[:, 0], steps)
    assert np.array_equal(steps[:4000], np.arange(4000))
    assert np.array_equal(steps[-4000:], np.arange(996_000, 1_000_000))
    assert (np.diff(steps) > 0).all()
    # Neighbours in the middle, so that updates can be read there too.
    assert (np.diff(steps) == 1).sum() > len(steps) / 2
    gaps = np.diff(steps)
    assert gaps.max() < 1_000_000 / 1000


@given(st.integers(0, 30_000), st.sampled_from([1, 3, 7]), st.sampled_from([20_000, 200_000]))
@examples(15)
def test_a_store_keeps_everything_that_fits(count, width, most):
    store = Store(width, most)
    for row in range(count):
        store.append((float(row),) * width)
    steps, rows = store.rows()
    assert store.count == count
    assert np.array_equal(rows[:, 0] if count else steps, steps)
    if count * width <= most:
        assert len(steps) == count
        assert not store.thinned
    assert len(steps) == 0 or (steps[0], steps[-1]) == (0, count - 1)


def _keep_few(monkeypatch):
    """An eighth of the rows that a store keeps at least, so that short loops are thinned."""
    monkeypatch.setattr("gdwidgets.core.watching.tape.MOST_NUMBERS", 125)
    monkeypatch.setattr("gdwidgets.core.watching.store._BLOCK", 128)
    monkeypatch.setattr("gdwidgets.core.watching.store._FEWEST_ROWS", 512)


def test_a_thinned_loop_says_so_and_still_agrees(monkeypatch):
    _keep_few(monkeypatch)
    steps = 1100
    mine = Watch(reference=himmelblau_reference(max_steps=steps))
    mine.call(optimize_himmelblau, 1, 1, steps=steps)
    assert mine.thinned
    assert mine.loop.count < 750
    assert mine.loop.total == steps
    assert names(mine) == ["agrees", "plain_descent"], mine.report()
    assert "dropped" in mine.report()
    assert mine.run.steps[-1] == steps
    assert mine.run.params[-1, 0] == pytest.approx(mine.final)


def test_a_wrong_step_in_a_thinned_middle_or_at_the_end_is_not_missed(monkeypatch):
    _keep_few(monkeypatch)

    def loop():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        for step in range(900):
            himmelblau(u, v).backward()
            with torch.no_grad():
                u -= 5e-4 * u.grad + (0.01 if step >= 560 else 0.0)
                v -= 5e-4 * v.grad
            u.grad = v.grad = None

    mine = watched(loop, himmelblau_reference(max_steps=900))
    assert names(mine)[0] == "unknown_rule"
    assert mine.thinned
    assert 540 <= mine.findings[0].step <= 580


def test_reading_while_the_loop_runs_shows_what_there_is():
    mine = watch()
    with mine:
        u = torch.tensor(1.0, requires_grad=True)
        for step in range(5):
            (u**2).backward()
            assert mine.recording
            assert len(mine.loss) == step + 1
            assert mine.run.outcomes.tolist() == ["running"]
            assert not mine.run.finished
            with torch.no_grad():
                u -= 0.1 * u.grad
            u.grad = None
    assert mine.run.finished
    assert not mine.recording


def test_hints_are_given_one_at_a_time():
    def loop():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        for _ in range(300):
            himmelblau(u, v).backward()
            with torch.no_grad():
                u += 5e-4 * u.grad
                v += 5e-4 * v.grad
            u.grad = v.grad = None

    mine = watched(loop, himmelblau_reference(), hints=False)
    assert "uphill" not in mine.report()
    hints = [mine.next_hint() for _ in range(4)]
    assert "uphill" not in hints[0]
    assert "uphill" in hints[1]
    assert "subtract" not in hints[1]
    assert "subtract" in hints[2]
    assert hints[3] == hints[2]
    assert mine.report(True).startswith(
        "300 steps recorded.\nYour update goes uphill: u and v move by +0.0005 × gradient, "
        "from the first step on."
    )


def test_a_watch_of_nothing_to_compare_with_checks_its_reference():
    with pytest.raises(ValueError, match="reference"):
        Watch(reference=LinearNeuron())
    assert isinstance(Watch(reference=neuron_reference()).reference, Reference)


def test_a_notebook_cell_is_watched_as_it_stands():
    """The variables of a cell are globals of its own namespace, and the with block is in it."""
    cell = """
with watch(reference=reference) as mine:
    u = torch.tensor(1.0, requires_grad=True); v = torch.tensor(1.0, requires_grad=True)
    for k in range(300):
        loss = (u**2 + v - 11)**2 + (u + v**2 - 7)**2
        loss.backward()
        with torch.no_grad():
            u += 5e-4 * u.grad; v += 5e-4 * v.grad
            u.grad = v.grad = None
"""
    space = {"__name__": "__main__", "watch": watch, "torch": torch}
    space["reference"] = himmelblau_reference()
    for _ in range(2):  # a cell may be run again
        exec(compile(cell, "cell", "exec"), space)
        mine = space["mine"]
        assert mine.names == ("u", "v")
        assert names(mine) == ["uphill"]
        assert mine.findings[0].step == 0
        assert mine.final.tolist() == [space["u"].item(), space["v"].item()]


def test_a_helper_may_use_a_parameters_name_for_something_else():
    """A variable of another function with the same name is not the parameter replaced."""

    def loss_of(u, v):
        u, v = u * 1, v * 1  # no leaves any more, here
        loss = himmelblau(u, v)
        loss.backward()

    def loop():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        for _ in range(20):
            loss_of(u, v)
            with torch.no_grad():
                u -= 5e-4 * u.grad
                v -= 5e-4 * v.grad
            u.grad = v.grad = None

    mine = watched(loop, himmelblau_reference(max_steps=20))
    assert names(mine) == ["agrees", "plain_descent"], mine.report()


def test_a_variable_outside_of_a_function_that_has_returned_is_not_its_final_point():
    def loop():
        u = torch.tensor(1.0, requires_grad=True)
        for _ in range(20):
            (u**2).backward()
            u = (u - 0.1 * u.grad).detach().requires_grad_()

    u = torch.tensor(77.0)
    with watch() as mine:
        loop()
    assert mine.final is None
    assert u == 77
    assert names(mine) == ["plain_descent"]
