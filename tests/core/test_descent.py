"""A descent is a recording: computed once, in any pieces, lane by lane, and never changed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdwidgets.core import (
    RULES,
    SURFACES,
    Descent,
    LinearNeuron,
    Momentum,
    PerLane,
    PolynomialRegression,
    Surface,
    training_pairs,
)
from gdwidgets.core.descent.states import KeptStates

FIELDS = ("params", "loss", "grad", "step_grad")
HIMMELBLAU = SURFACES["himmelblau"]

coordinates = st.floats(-5, 5, width=32)
points = st.tuples(coordinates, coordinates)
rates = st.floats(1e-4, 0.2)
rule_names = st.sampled_from(list(RULES))
periods = st.sampled_from([None, 1, 2, 3, 7])
tolerances = st.sampled_from([None, 1e-4, 1e-2])


def whole(*arguments, **keywords):
    descent = Descent(*arguments, **keywords)
    descent.advance_to(descent.max_steps)
    return descent


def assert_same(one, other, lane=slice(None), other_lane=slice(None), rows=None):
    for field in FIELDS:
        mine, others = getattr(one, field), getattr(other, field)
        count = rows or len(mine)
        np.testing.assert_array_equal(mine[:count, lane], others[:count, other_lane])


def scalar_loop(objective, start, rate, steps, period):
    """Plain PyTorch with scalar tensors: records as the course's loop sees them."""
    scalars = [torch.tensor(float(x), requires_grad=True) for x in start]
    records = []
    for step in range(1, steps + 2):
        before = [0.0 if p.grad is None else p.grad.item() for p in scalars]
        loss = objective(torch.stack(scalars)[None])[0]
        loss.backward()
        grad = [p.grad.item() for p in scalars]
        records.append(([p.item() for p in scalars], loss.item(), grad, before))
        with torch.no_grad():
            for p in scalars:
                p.sub_(rate * p.grad)
                if period is not None and step % period == 0:
                    p.grad = None
    return records


@settings(max_examples=12)
@given(points, st.floats(1e-4, 0.3), periods)
def test_records_are_those_of_the_plain_loop(start, rate, period):
    neuron = LinearNeuron()
    descent = whole(neuron, start, rate, clear_every=period, max_steps=20)
    for k, (params, loss, grad, accumulated) in enumerate(
        scalar_loop(neuron, start, rate, descent.recorded, period)
    ):
        assert descent.params[k, 0].tolist() == params
        assert descent.loss[k, 0] == loss
        assert descent.grad[k, 0].tolist() == grad
        np.testing.assert_allclose(
            descent.step_grad[k, 0], np.subtract(grad, accumulated), rtol=1e-4, atol=1e-4
        )


@settings(max_examples=12)
@given(st.lists(points, min_size=1, max_size=4), rates, rule_names, periods, tolerances, st.data())
def test_asking_in_pieces_equals_asking_at_once(starts, rate, rule, period, tol, data):  # noqa: PLR0917
    keywords = {"rule": rule, "clear_every": period, "loss_tol": tol, "max_steps": 60}
    at_once = whole(HIMMELBLAU, starts, rate, **keywords)
    pieces = Descent(HIMMELBLAU, starts, rate, **keywords)
    while not pieces.finished:
        k = pieces.recorded + data.draw(st.integers(1, 40))
        assert pieces.advance_to(k) == pieces.recorded <= k
    assert_same(pieces, at_once)
    assert pieces.outcomes.tolist() == at_once.outcomes.tolist()
    assert pieces.last_step.tolist() == at_once.last_step.tolist()


@settings(max_examples=12)
@given(st.lists(st.tuples(points, rates, rule_names, periods), min_size=2, max_size=5), tolerances)
def test_lanes_together_equal_lanes_alone(lanes, tol):
    starts, lane_rates, rules, clearing = zip(*lanes, strict=True)
    together = whole(
        HIMMELBLAU, starts, lane_rates, rule=rules, clear_every=clearing, loss_tol=tol, max_steps=50
    )
    for lane, (start, rate, rule, period) in enumerate(lanes):
        alone = whole(
            HIMMELBLAU, start, rate, rule=rule, clear_every=period, loss_tol=tol, max_steps=50
        )
        assert_same(alone, together, 0, lane)
        assert alone.outcomes[0] == together.outcomes[lane]
        assert alone.last_step[0] == together.last_step[lane]


def test_polynomial_lanes_together_are_lanes_alone_but_for_rounding():
    regression = PolynomialRegression(*training_pairs())
    together = whole(regression, (0, 0, 0), (0.1, 0.01, 0.001), max_steps=500)
    for lane, rate in enumerate(together.learning_rates):
        alone = whole(regression, (0, 0, 0), rate, max_steps=500)
        np.testing.assert_allclose(alone.params[:, 0], together.params[:, lane], atol=1e-5)


@settings(max_examples=12)
@given(
    st.lists(points, min_size=2, max_size=2), rates, rule_names, periods, tolerances,
    st.integers(0, 40),
)  # fmt: skip
def test_a_fork_without_changes_is_the_original(starts, rate, rule, period, tol, k):  # noqa: PLR0917
    original = whole(
        HIMMELBLAU, starts, rate, rule=rule, clear_every=(period, 1), loss_tol=tol, max_steps=50
    )
    k = min(k, original.recorded)
    fork = original.fork(k)
    assert fork.recorded == k
    fork.advance_to(50)
    assert_same(fork, original)
    assert fork.outcomes.tolist() == original.outcomes.tolist()
    assert fork.last_step.tolist() == original.last_step.tolist()


def test_a_fork_of_a_fork_keeps_the_rule_s_state():
    original = whole(HIMMELBLAU, (1, 1), 1e-3, rule="adam", clear_every=None, max_steps=30)
    fork = original.fork(8).fork(8)
    fork.advance_to(15)
    fork = fork.fork(12)
    fork.advance_to(30)
    assert_same(fork, original)


def test_a_fork_s_first_update_uses_the_new_learning_rate_and_the_recorded_buffer():
    original = whole(LinearNeuron(), (0.5, 0.5), 0.1, clear_every=None, max_steps=10)
    fork = original.fork(4, learning_rate=0.05, clear_every=1)
    fork.advance_to(10)
    assert_same(fork, original, rows=5)
    expected = original.params[4, 0] - np.float32(0.05) * original.grad[4, 0]
    np.testing.assert_array_equal(fork.params[5, 0], expected)
    np.testing.assert_array_equal(fork.grad[5:], fork.step_grad[5:])
    assert not np.array_equal(fork.grad[:5], fork.step_grad[:5])


@given(st.sampled_from(list(RULES)), st.sampled_from([1, 3, None]), st.integers(1, 20), st.data())
@settings(max_examples=15)
def test_a_planned_change_of_the_learning_rate_is_a_fork_there(rule, period, first, data):
    second = data.draw(st.integers(first + 1, 30))
    how = {"rule": rule, "clear_every": period, "max_steps": 40}
    planned = Descent(HIMMELBLAU, [(1, 1), (-1, 2)], (1e-3, 2e-3), **how)
    planned.change_at(first, 5e-4)
    planned.change_at(second, (2e-3, 1e-4))
    assert planned.recorded == 0
    while planned.recorded < 40:
        planned.advance_to(min(40, planned.recorded + data.draw(st.integers(1, 13))))
    forked = Descent(HIMMELBLAU, [(1, 1), (-1, 2)], (1e-3, 2e-3), **how)
    for k, rates in ((first, 5e-4), (second, (2e-3, 1e-4))):
        forked.advance_to(k)
        forked = forked.fork(k, learning_rate=rates)
    forked.advance_to(40)
    for name in FIELDS:
        assert np.array_equal(getattr(planned, name), getattr(forked, name))
    assert planned.schedules_from == forked.schedules_from
    again = planned.fork(data.draw(st.integers(0, 40)))
    again.advance_to(40)
    assert np.array_equal(again.params, planned.params)


def test_a_planned_change_must_come_after_all_others_and_after_what_is_recorded():
    descent = Descent(HIMMELBLAU, (1, 1), 1e-3, max_steps=40)
    descent.advance_to(5)
    descent.change_at(9, 1e-4)
    for k in (4, 9, 41):
        with pytest.raises(ValueError, match="k must be"):
            descent.change_at(k, 1e-4)
    with pytest.raises(ValueError, match="lanes"):
        descent.change_at(20, (1e-4, 1e-3))


def test_a_fork_with_another_rule_starts_it_anew():
    original = whole(HIMMELBLAU, (1, 1), 1e-3, max_steps=20)
    fork = original.fork(10, rule="adam")
    fork.advance_to(20)
    anew = whole(HIMMELBLAU, original.params[10], 1e-3, rule="adam", max_steps=10)
    np.testing.assert_array_equal(fork.params[10:], anew.params)


def test_a_fork_wakes_lanes_that_end_at_its_record_and_no_earlier_ones():
    original = whole(HIMMELBLAU, [(3, 2), (1, 1)], 5e-4, loss_tol=1e-4, max_steps=300)
    first, second = original.last_step
    assert first < second < 300
    fork = original.fork(second, loss_tol=None)
    assert fork.outcomes.tolist() == ["converged", "running"]
    fork.advance_to(300)
    assert fork.last_step.tolist() == [first, 300]
    longer = whole(HIMMELBLAU, (1, 1), 5e-4, max_steps=5).fork(5, max_steps=9)
    assert longer.advance_to(99) == 9


def test_a_fork_says_what_it_cannot_do():
    descent = Descent(HIMMELBLAU, (1, 1), 5e-4, max_steps=10)
    descent.advance_to(5)
    with pytest.raises(ValueError, match="k must be a whole number from 0 to 5"):
        descent.fork(6)
    with pytest.raises(ValueError, match="max_steps must be at least k = 5"):
        descent.fork(5, max_steps=4)
    with pytest.raises(ValueError, match="keeps its 1 lanes"):
        descent.fork(5, learning_rate=(1, 2))
    with pytest.raises(TypeError, match="got start"):
        descent.fork(5, start=(1, 1))
    with pytest.raises(ValueError, match="record=True"):
        Descent(HIMMELBLAU, (1, 1), 5e-4, max_steps=10, record=False).fork(0)


@settings(max_examples=12)
@given(st.lists(points, min_size=1, max_size=6), rates, rule_names, periods, tolerances)
def test_recording_off_gives_the_last_record_of_recording_on(starts, rate, rule, period, tol):
    keywords = {"rule": rule, "clear_every": period, "loss_tol": tol, "max_steps": 40}
    on = whole(HIMMELBLAU, starts, rate, **keywords)
    off = whole(HIMMELBLAU, starts, rate, record=False, **keywords)
    for field in FIELDS:
        assert len(getattr(off, field)) == 1
        np.testing.assert_array_equal(getattr(off, field)[0], getattr(on, field)[-1])
    assert off.recorded == on.recorded
    assert off.outcomes.tolist() == on.outcomes.tolist()
    assert off.last_step.tolist() == on.last_step.tolist()


def test_a_diverged_lane_freezes_at_its_last_finite_record():
    descent = whole(HIMMELBLAU, [(1, 1), (4, 4)], (5e-4, 0.5), max_steps=30)
    last = int(descent.last_step[1])
    assert descent.outcomes.tolist() == ["max_steps", "diverged"]
    for field in FIELDS:
        values = getattr(descent, field)
        assert np.isfinite(values).all()
        assert (values[last:, 1] == values[last, 1]).all()
    after = descent.params[last, 1] - np.float32(0.5) * descent.grad[last, 1]
    with np.errstate(over="ignore", invalid="ignore"):
        loss = HIMMELBLAU(torch.from_numpy(after)[None])
    assert not math.isfinite(float(loss))


def test_a_recording_ends_when_its_only_lane_has_diverged():
    descent = Descent(HIMMELBLAU, (4, 4), 0.5, max_steps=5000)
    assert descent.advance_to(5000) == int(descent.last_step[0]) < 10
    assert len(descent.params) == descent.recorded + 1
    assert descent.finished
    assert descent.advance_to(5000) == descent.recorded


def test_a_start_without_a_finite_loss_has_diverged_at_record_0():
    descent = Descent(HIMMELBLAU, [(1e30, 1), (1, 1)], 5e-4, max_steps=3)
    assert descent.outcomes.tolist() == ["diverged", "running"]
    descent.advance_to(3)
    assert descent.last_step.tolist() == [0, 3]


@settings(max_examples=12)
@given(st.lists(points, min_size=1, max_size=4), st.floats(1e-4, 5e-3), st.floats(1e-5, 1.0))
def test_the_early_stop_is_the_first_small_change_of_the_loss(starts, rate, tol):
    free = whole(HIMMELBLAU, starts, rate, max_steps=80)
    stopped = whole(HIMMELBLAU, starts, rate, loss_tol=tol, max_steps=80)
    for lane in range(len(starts)):
        if free.outcomes[lane] == "diverged":
            continue
        changes = np.abs(np.diff(free.loss[:80, lane].astype(np.float64)))
        small = np.flatnonzero(changes < tol)
        expected = small[0] + 1 if len(small) else 80
        assert stopped.last_step[lane] == expected
        assert stopped.outcomes[lane] == ("converged" if len(small) else "max_steps")
        np.testing.assert_array_equal(
            stopped.params[stopped.recorded, lane], free.params[expected, lane]
        )


def test_no_early_stop_at_the_last_record_where_no_update_would_follow():
    descent = whole(HIMMELBLAU, (3, 2), 5e-4, loss_tol=1.0, max_steps=1)
    assert descent.outcomes.tolist() == ["max_steps"]


def test_views_are_read_only_and_keep_what_they_showed():
    descent = Descent(HIMMELBLAU, [(1, 1), (4, 4)], (5e-4, 0.5), clear_every=2, max_steps=900)
    earlier = []
    for k in (0, 1, 3, 4, 70, 900):
        descent.advance_to(k)
        views = [getattr(descent, field) for field in FIELDS]
        for view in (*views, descent.start, descent.learning_rates):
            with pytest.raises(ValueError, match="read-only"):
                view[...] = 0
        earlier.append((views, [view.copy() for view in views]))
        assert len(views[0]) == k + 1
    for views, copies in earlier:
        for view, copy in zip(views, copies, strict=True):
            np.testing.assert_array_equal(view, copy)


def test_cleared_every_step_the_buffer_is_the_step_gradient():
    descent = whole(HIMMELBLAU, (1, 1), 5e-4, max_steps=10)
    assert np.shares_memory(descent.grad, descent.step_grad)


def test_a_budget_stops_soon_but_not_before_one_step():
    descent = Descent(HIMMELBLAU, (1, 1), 5e-4, max_steps=1_000_000)
    assert descent.advance_to(1_000_000, budget=0) == 1
    assert 1 < descent.advance_to(1_000_000, budget=0.02) < 100_000


def test_an_objective_that_raises_leaves_the_records_so_far():
    class Grumpy:
        parameter_names = ("u", "v")
        calls = 0

        def __call__(self, params):
            self.calls += 1
            if self.calls == 8:
                raise RuntimeError("enough")
            return HIMMELBLAU(params)

    descent = Descent(Grumpy(), (1, 1), 5e-4, max_steps=20)
    with pytest.raises(RuntimeError, match="enough") as caught:
        descent.advance_to(20)
    assert "step 6" in caught.value.__notes__[0]
    assert descent.recorded == 5
    descent.advance_to(20)
    assert_same(descent, whole(HIMMELBLAU, (1, 1), 5e-4, max_steps=20))


def test_one_start_serves_several_learning_rates_and_the_reverse():
    assert Descent(HIMMELBLAU, (1, 1), (0.1, 0.2), max_steps=1).start.shape == (2, 2)
    assert Descent(HIMMELBLAU, [(1, 1), (2, 2)], 0.1, max_steps=1).learning_rates.shape == (2,)
    racing = Descent(HIMMELBLAU, (1, 1), 0.1, rule=list(RULES), max_steps=1)
    assert racing.lanes == len(RULES)
    assert isinstance(racing.rule, PerLane)
    assert Descent(HIMMELBLAU, (1, 1), 0.1, rule=Momentum(0.5), max_steps=1).rule.beta == 0.5


GOOD = {"objective": HIMMELBLAU, "start": (1, 1), "learning_rate": 0.1, "max_steps": 5}

BAD = [
    ({"start": (1, 2, 3)}, r"start must be 2 numbers \(u, v\).*\(1, 2, 3\)"),
    ({"start": "ab"}, "start must be numbers"),
    ({"start": (True, 1)}, "start must be numbers"),
    ({"start": (float("nan"), 1)}, "start must be finite"),
    ({"start": (1e39, 1)}, "float32"),
    ({"start": []}, "start must be 2 numbers"),
    ({"start": [[[1, 1]]]}, "start must be 2 numbers"),
    ({"start": None}, "start must be numbers"),
    ({"learning_rate": 0}, "greater than 0.*got 0"),
    ({"learning_rate": -0.1}, "greater than 0.*got -0.1"),
    ({"learning_rate": float("inf")}, "finite"),
    ({"learning_rate": True}, "must be numbers"),
    ({"learning_rate": "0.1"}, "must be numbers"),
    ({"learning_rate": []}, "a schedule, or one of these per lane"),
    ({"learning_rate": (1, 2, 3), "start": [(1, 1), (2, 2)]}, "start must be one for all 3"),
    ({"rule": "adm"}, "did you mean 'adam'"),
    ({"rule": 3}, "rule must be one of"),
    ({"rule": []}, "at least one"),
    ({"clear_every": 0}, "clear_every must be a whole number, at least 1"),
    ({"clear_every": 1.5}, "clear_every must be a whole number"),
    ({"clear_every": True}, "clear_every must be a whole number"),
    ({"clear_every": ()}, "clear_every"),
    ({"loss_tol": 0}, "loss_tol must be greater than 0"),
    ({"loss_tol": float("nan")}, "loss_tol must be a finite number"),
    ({"max_steps": 0}, "max_steps must be a whole number from 1 to 10000000, got 0"),
    ({"max_steps": 10_000_001}, "max_steps must be a whole number from 1"),
    ({"max_steps": 3.5}, "max_steps must be a whole number"),
    ({"max_steps": 10**400}, "max_steps must be a whole number from 1.*about 401 digits"),
    ({"objective": 3}, "objective must be a Surface"),
    ({"objective": PolynomialRegression}, "objective must be a Surface"),
    ({"objective": Surface}, "objective must be a Surface"),
    ({"learning_rate": 10**400}, "learning_rate must be numbers.*about 401 digits"),
    ({"learning_rate": torch.zeros(1, device="meta")}, "learning_rate must be numbers"),
    ({"start": torch.eye(2).to_sparse()}, "start must be numbers.*sparse"),
    ({"start": np.ones((500, 3))}, r"start must be 2 .*got array of shape \(500, 3\), float64"),
    ({"clear_every": np.array(0)}, "clear_every must be a whole number"),
    ({"clear_every": np.array([[1, 1]])}, "clear_every"),
    ({"record": 3}, "record must be True or False"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_settings_say_what_was_given_and_what_is_accepted(change, message):
    keywords = GOOD | change
    with pytest.raises(ValueError, match=message):
        Descent(**keywords)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda p: p.sum(), r"shape \(1,\)"),
        (lambda p: p, r"shape \(1,\)"),
        (lambda p: 3.0, "return a tensor"),
        (lambda p: p.detach().sum(-1), "depend on the parameters"),
        (lambda p: p.sum(-1).long(), "floating-point"),
    ],
)
def test_an_objective_s_output_is_checked_at_once(function, message):
    class Objective:
        parameter_names = ("u", "v")

        def __call__(self, params):
            return function(params)

    with pytest.raises(ValueError, match=message):
        Descent(Objective(), (1, 1), 0.1, max_steps=5)


@pytest.mark.parametrize("k", [-1, 1.5, True, None])
def test_advancing_to_what_is_no_step_is_an_error(k):
    with pytest.raises(ValueError, match="k must be"):
        Descent(HIMMELBLAU, (1, 1), 0.1, max_steps=5).advance_to(k)


class Counted(Momentum):
    """Momentum that counts its updates; cannot be hashed."""

    __hash__ = None
    updates = 0

    def update(self, *arguments):
        Counted.updates += 1
        return super().update(*arguments)


@pytest.mark.parametrize("race", [False, True])
def test_a_fork_repeats_few_updates_of_a_rule_with_memory(race):
    Counted.updates = 0
    rule = [Counted(), Counted()] if race else Counted()
    original = whole(HIMMELBLAU, (1, 1), 1e-4, rule=rule, max_steps=1500)
    assert Counted.updates == 1500
    again = original.fork(1490)
    again.advance_to(1500)
    assert Counted.updates < 1500 + 100
    assert_same(again, original)
    third = again.fork(777, learning_rate=2e-4).fork(777, learning_rate=1e-4)
    third.advance_to(1500)
    assert_same(third, original)


def test_a_fork_repeats_no_update_of_a_rule_without_memory():
    class Plain:
        name = label = "plain"
        updates = 0

        def init(self, params):
            return ()

        def update(self, params, grad, state, learning_rate, step):
            self.updates += 1
            return params - learning_rate * grad, state

    rule = Plain()
    original = whole(HIMMELBLAU, (1, 1), 1e-4, rule=[rule, "gd"], max_steps=300)
    original.fork(290)
    assert rule.updates == 300


def test_rules_that_cannot_be_hashed_or_compared_race_like_others():
    class Odd(Counted):
        def __eq__(self, other):
            raise RuntimeError("no")

        __hash__ = None

    race = whole(HIMMELBLAU, (1, 1), 1e-4, rule=[Counted(), Odd(), "gd", Momentum()], max_steps=20)
    np.testing.assert_array_equal(race.params[:, 0], race.params[:, 3])
    np.testing.assert_array_equal(race.params[:, 1], race.params[:, 3])
    race.fork(10, learning_rate=1e-3).advance_to(20)


def test_a_subclass_with_its_own_update_is_another_rule():
    class Reversed(Momentum):
        def update(self, params, grad, state, learning_rate, step):
            return super().update(params, -grad, state, learning_rate, step)

    race = whole(HIMMELBLAU, (1, 1), 1e-4, rule=[Momentum(), Reversed()], max_steps=5)
    assert race.loss[-1, 0] < race.loss[0, 0] < race.loss[-1, 1]
    alone = whole(HIMMELBLAU, (1, 1), 1e-4, rule=Momentum(), max_steps=5)
    other = alone.fork(0, rule=Reversed())
    other.advance_to(5)
    np.testing.assert_array_equal(other.params[:, 0], race.params[:, 1])


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"max_steps": 5.0}, {"max_steps": 5}),
        ({"max_steps": np.int16(5)}, {"max_steps": 5}),
        ({"max_steps": torch.tensor(5)}, {"max_steps": 5}),
        ({"clear_every": np.array(3)}, {"clear_every": (3,)}),
        ({"clear_every": torch.tensor([3, 1])}, {"clear_every": (3, 1)}),
        ({"learning_rate": torch.tensor(0.5)}, {"learning_rates": [0.5]}),
        ({"learning_rate": np.array([0.5, 0.25])}, {"learning_rates": [0.5, 0.25]}),
    ],
)
def test_numbers_may_come_in_any_type(given, taken):
    descent = Descent(**(GOOD | given))
    for name, value in taken.items():
        assert np.array_equal(getattr(descent, name), value)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda p: p[:1, :1], r"rule must return params of shape \(2, 2\)"),
        (lambda p: p.numpy(), "rule must return params"),
        (lambda p: None, "rule must return params"),
    ],
)
def test_what_a_user_s_rule_returns_is_checked(returned, message):
    class Wrong:
        name = label = "wrong"

        def init(self, params):
            return ()

        def update(self, params, grad, state, learning_rate, step):
            return returned(params - learning_rate * grad), state

    descent = Descent(HIMMELBLAU, [(1, 1), (2, 2)], 0.1, rule=Wrong(), max_steps=3)
    with pytest.raises(ValueError, match=message):
        descent.advance_to(3)


def test_a_user_s_rule_may_compute_in_float64():
    class Double:
        name = label = "double"

        def init(self, params):
            return ()

        def update(self, params, grad, state, learning_rate, step):
            return params - (learning_rate * grad).double(), state

    descent = whole(HIMMELBLAU, (1, 1), 1e-3, rule=Double(), max_steps=3)
    assert descent.params.dtype == np.float32


@settings(max_examples=20)
@given(st.integers(0, 5), st.lists(st.integers(1, 700), min_size=1, max_size=200), st.data())
def test_kept_states_are_few_and_near(first, chunks, data):
    kept = KeptStates(first, (first,))
    k = first
    for chunk in chunks:
        kept.add(k + 1, [(at,) for at in range(k + 1, k + chunk + 1)])
        k += chunk
    wanted = data.draw(st.integers(first, k))
    for states in (kept, kept.until(wanted)):
        nearest, state = states.nearest(wanted)
        assert state == (nearest,)
        assert wanted - max(64, k // 256) < nearest <= wanted
        assert len(states._states) <= 1024 + 11
