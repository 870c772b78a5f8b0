"""A learning rate may be a schedule: a callable of the number of the update."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from gdwidgets.core import (
    SCHEDULES,
    SURFACES,
    ConstantRate,
    Cosine,
    Descent,
    Exponential,
    InverseTime,
    StepDecay,
    WarmUp,
)

HIMMELBLAU = SURFACES["himmelblau"]

starts = st.floats(1e-4, 1)
factors = st.floats(0.1, 1)
counts = st.integers(1, 40)
schedules = st.one_of(
    st.builds(ConstantRate, starts),
    st.builds(StepDecay, starts, factors, counts),
    st.builds(Exponential, starts, st.floats(0.9, 1)),
    st.builds(Cosine, starts, factors, counts),
    st.builds(InverseTime, starts, st.floats(0, 10)),
    st.builds(WarmUp, starts, counts),
)


def torch_rates(scheduler, start, count):
    """The rates that a scheduler of torch gives to ``count`` updates."""
    optimizer = torch.optim.SGD([torch.ones(1)], lr=start)
    scheduler = scheduler(optimizer)
    rates = []
    for _ in range(count):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


@given(starts, factors, counts)
def test_named_schedules_are_those_of_torch(start, factor, count):
    pairs = [
        (StepDecay(start, factor, count), lambda o: lr_scheduler.StepLR(o, count, factor)),
        (Exponential(start, factor), lambda o: lr_scheduler.ExponentialLR(o, factor)),
        (
            InverseTime(start, factor),
            lambda o: lr_scheduler.LambdaLR(o, lambda k: 1 / (1 + factor * k)),
        ),
        (
            WarmUp(start, count),
            lambda o: lr_scheduler.LinearLR(o, 1 / count, total_iters=count - 1),
        ),
        (ConstantRate(start), lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    ]
    for ours, scheduler in pairs:
        rates = [ours(k) for k in range(50)]
        np.testing.assert_allclose(rates, torch_rates(scheduler, start, 50), rtol=1e-9, atol=1e-43)
    ours = Cosine(start, factor, count)
    expected = torch_rates(
        lambda o: lr_scheduler.CosineAnnealingLR(o, count, eta_min=start * factor), start, count
    )
    np.testing.assert_allclose([ours(k) for k in range(count)], expected, rtol=1e-9)
    assert ours(count) == ours(10**7) == pytest.approx(start * factor)


@given(schedules, st.integers(0, 10_000_000))
def test_every_rate_is_a_number_that_float32_can_hold(schedule, k):
    assert 0 < np.float32(schedule(k)) <= np.float32(schedule.start)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_describes_its_constants(name):
    schedule = SCHEDULES[name]
    assert schedule.name == name
    assert schedule.label
    constants = schedule.constants()
    assert [c.name for c in constants] == [field.name for field in dataclasses.fields(schedule)]
    assert constants[0].name == "start"
    assert all(constant.help.endswith(".") and constant.symbol for constant in constants)
    for constant in constants:
        with pytest.raises(ValueError, match=f"{constant.name} must be"):
            dataclasses.replace(schedule, **{constant.name: -1})


@settings(max_examples=30)
@given(schedules, st.sampled_from(["gd", "momentum", "adam"]), st.integers(0, 20), st.data())
def test_a_descent_follows_its_schedule_in_pieces_and_forks(schedule, rule, k, data):
    descent = Descent(HIMMELBLAU, (1, 1), schedule, rule=rule, max_steps=25)
    while not descent.finished:
        descent.advance_to(descent.recorded + data.draw(st.integers(1, 25)))
    assert descent.learning_rates.tolist() == [schedule(0)]
    # Each record follows from the one before by a descent with that update's rate alone.
    if rule == "gd":
        for step in range(descent.recorded):
            one = Descent(HIMMELBLAU, descent.params[step], schedule(step), max_steps=1)
            if one.advance_to(1) == 1 and step < descent.last_step[0]:
                np.testing.assert_array_equal(one.params[1], descent.params[step + 1])
    fork = descent.fork(min(k, descent.recorded))
    fork.advance_to(25)
    np.testing.assert_array_equal(fork.params, descent.params)
    for step in range(25):
        assert descent.rate_at(step) == fork.rate_at(step) == schedule(step)


@settings(max_examples=20)
@given(st.lists(schedules | starts, min_size=2, max_size=4))
def test_every_lane_may_have_its_own_schedule(rates):
    together = Descent(HIMMELBLAU, (1, 1), rates, max_steps=15)
    together.advance_to(15)
    for lane, rate in enumerate(rates):
        alone = Descent(HIMMELBLAU, (1, 1), rate, max_steps=15)
        alone.advance_to(15)
        count = alone.recorded + 1
        np.testing.assert_array_equal(together.params[:count, lane], alone.params[:, 0])
        assert together.rate_at(7)[lane] == alone.rate_at(7)[0]


def test_any_callable_is_a_schedule_and_one_serves_all_lanes():
    asked = []

    def rate(k):
        asked.append(k)
        return torch.tensor(1e-3 / (k + 1))

    descent = Descent(HIMMELBLAU, [(1, 1), (2, 2), (0, 1)], rate, max_steps=4)
    descent.advance_to(4)
    assert asked == [0, 0, 0, 1, 2, 3]  # looked at twice when the descent is made, then once each
    np.testing.assert_allclose(descent.rate_at(3), [2.5e-4] * 3)


def test_a_fork_goes_on_with_the_schedule_or_leaves_it():
    descent = Descent(HIMMELBLAU, (1, 1), Exponential(1e-3, 0.9), rule="momentum", max_steps=20)
    descent.advance_to(20)
    fork = descent.fork(10, learning_rate=5e-4)
    assert [fork.rate_at(k)[0] for k in (9, 10, 15)] == [1e-3 * 0.9**9, 5e-4, 5e-4]
    assert [(k, schedules) for k, schedules in fork.schedules_from] == [
        (0, (Exponential(1e-3, 0.9),)),
        (10, (ConstantRate(5e-4),)),
    ]
    assert [k for k, _ in fork.rates_from] == [0, 10]
    assert fork.rates_from[1][1] == np.float32(5e-4)
    other = fork.fork(10, rule="adam").fork(10, clear_every=2)
    assert [k for k, _ in other.rates_from] == [10]
    assert other.rate_at(3)[0] == descent.rate_at(3)[0]


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (lambda k: -k + 0.5, "learning_rate must be .*, at step 1 it is -0.5"),
        (lambda k: 1e-3 if k < 3 else math.nan, "learning_rate must be .*, at step 3 it is nan"),
        (lambda k: [1e-3] if k < 3 else math.inf, "learning_rate must be .*, at step 0 it is"),
        (lambda k: None, "learning_rate must be .*, at step 0 it is None"),
        (lambda k: 1 / (k - 2) ** 2, "learning_rate raised at step 2: ZeroDivisionError"),
        (lambda: 1, "learning_rate raised at step 0: TypeError"),
        (Exponential, "learning_rate must be .*got the class"),
        ("cosine", "learning_rate must be"),
        ([0.1, Exponential(0.1), -1], "learning_rate must be .*got -1"),
        ([0.1, lambda k: 0], "learning_rate must be .*, at step 0 it is 0"),
    ],
)
def test_a_rate_that_is_none_is_refused_with_its_step(rate, message):
    start = [(1, 1)] * (len(rate) if isinstance(rate, list) else 1)
    with pytest.raises(ValueError, match=message):
        Descent(HIMMELBLAU, start, rate, max_steps=5).advance_to(5)


def test_records_before_a_rate_that_is_none_stay():
    descent = Descent(HIMMELBLAU, (1, 1), lambda k: 1e-3 * (3 - k), max_steps=9)
    with pytest.raises(ValueError, match="at step 3 it is 0") as caught:
        descent.advance_to(9)
    assert "step 4" in caught.value.__notes__[0]
    assert descent.recorded == 3
