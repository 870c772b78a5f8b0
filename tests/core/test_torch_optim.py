"""Any optimizer of torch.optim is an update rule, with its own bits."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from gdwidgets.core import SURFACES, Descent, Exponential, OptimizerRule, as_rule

HIMMELBLAU = SURFACES["himmelblau"]

OPTIMIZERS = {
    "SGD": torch.optim.SGD,
    "SGD, nesterov": lambda p, **k: torch.optim.SGD(
        p, momentum=0.8, nesterov=True, weight_decay=0.01, **k
    ),
    "SGD, dampened": lambda p, **k: torch.optim.SGD(p, momentum=0.8, dampening=0.3, **k),
    "Adam": torch.optim.Adam,
    "Adam, amsgrad": functools.partial(torch.optim.Adam, amsgrad=True, weight_decay=0.1),
    "AdamW": torch.optim.AdamW,
    "RMSprop": torch.optim.RMSprop,
    "RMSprop, centered": lambda p, **k: torch.optim.RMSprop(p, centered=True, momentum=0.5, **k),
    "Adagrad": torch.optim.Adagrad,
    "Adadelta": torch.optim.Adadelta,
    "NAdam": torch.optim.NAdam,
    "RAdam": torch.optim.RAdam,
    "Adamax": torch.optim.Adamax,
    "ASGD": torch.optim.ASGD,
    "Rprop": torch.optim.Rprop,
}
SCHEDULERS = {
    "none": None,
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 10),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda k: 1 / (k + 1)),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.01, total_steps=60, cycle_momentum=False),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.1), lr_scheduler.ExponentialLR(o, 0.9)], [5]
    ),
}

points = st.tuples(*[st.floats(-4, 4, width=32)] * 2)
lanes = st.lists(st.tuples(points, st.floats(1e-4, 0.02)), min_size=1, max_size=4)
optimizers = st.sampled_from(list(OPTIMIZERS))
schedulers = st.sampled_from(list(SCHEDULERS))


def plain_loop(optimizer, scheduler, start, rate, steps):
    """Parameters (steps + 1, 2) of a loop as it is written by hand."""
    p = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    optimizer = optimizer([p], lr=rate)
    scheduler = None if scheduler is None else scheduler(optimizer)
    points = [p.detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        HIMMELBLAU.function(p[0], p[1]).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        points.append(p.detach().clone())
    return torch.stack(points).numpy()


@pytest.mark.parametrize("name", OPTIMIZERS)
@settings(max_examples=12)
@given(lanes, schedulers)
def test_every_lane_has_the_bits_of_a_plain_loop(name, lanes, scheduler):
    starts, rates = zip(*lanes, strict=True)
    rule = OptimizerRule(OPTIMIZERS[name], SCHEDULERS[scheduler])
    descent = Descent(HIMMELBLAU, starts, rates, rule=rule, max_steps=20)
    descent.advance_to(20)
    for lane, (start, rate) in enumerate(lanes):
        expected = plain_loop(OPTIMIZERS[name], SCHEDULERS[scheduler], start, rate, 20)
        count = descent.last_step[lane] + 1
        np.testing.assert_array_equal(descent.params[:count, lane], expected[:count])


@settings(max_examples=12)
@given(lanes, optimizers, schedulers, st.integers(0, 99), st.data())
def test_pieces_forks_and_repetitions_agree(lanes, optimizer, scheduler, k, data):
    starts, rates = zip(*lanes, strict=True)
    rule = OptimizerRule(OPTIMIZERS[optimizer], SCHEDULERS[scheduler])
    scheduled = 55 if scheduler == "OneCycleLR" else 80
    whole = Descent(HIMMELBLAU, starts, rates, rule=rule, max_steps=scheduled)
    whole.advance_to(scheduled)
    pieces = Descent(HIMMELBLAU, starts, rates, rule=rule, max_steps=scheduled)
    k = min(k, whole.recorded)
    fork = whole.fork(k)
    # Two descents and a fork take turns with one rule.
    while not (pieces.finished and fork.finished):
        pieces.advance_to(pieces.recorded + data.draw(st.integers(1, 30)))
        fork.advance_to(fork.recorded + data.draw(st.integers(1, 30)))
    np.testing.assert_array_equal(pieces.params, whole.params)
    np.testing.assert_array_equal(fork.params, whole.params)


def test_a_step_that_failed_is_tried_again_exactly():
    class Failing:
        parameter_names = ("u", "v")
        calls = 0

        def __call__(self, params):
            self.calls += 1
            if self.calls in {8, 70}:
                raise KeyboardInterrupt
            return HIMMELBLAU(params)

    rule = OptimizerRule(torch.optim.NAdam, SCHEDULERS["StepLR"])
    descent = Descent(Failing(), (1, 1), 1e-2, rule=rule, max_steps=90)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            descent.advance_to(90)
    descent.advance_to(90)
    expected = plain_loop(torch.optim.NAdam, SCHEDULERS["StepLR"], (1, 1), 1e-2, 90)
    np.testing.assert_array_equal(descent.params[:, 0], expected)


def test_the_descent_s_learning_rate_holds_unless_the_factory_s_is_asked_for():
    def factory(params):
        return torch.optim.AdamW(params, lr=0.1)

    given_rate = Descent(HIMMELBLAU, (1, 1), 0.01, rule=factory, max_steps=10)
    own_rate = Descent(
        HIMMELBLAU, (1, 1), 0.01, rule=OptimizerRule(factory, own_rate=True), max_steps=10
    )
    for descent, rate in ((given_rate, 0.01), (own_rate, 0.1)):
        descent.advance_to(10)
        expected = plain_loop(torch.optim.AdamW, None, (1, 1), rate, 10)
        np.testing.assert_array_equal(descent.params[:, 0], expected)


def test_a_changed_learning_rate_reaches_the_optimizer_with_its_memory_kept():
    original = Descent(HIMMELBLAU, (1, 1), 0.01, rule=torch.optim.Adam, max_steps=20)
    original.advance_to(20)
    fork = original.fork(8, learning_rate=0.05)
    fork.advance_to(20)
    p = torch.tensor([1.0, 1.0], requires_grad=True)
    optimizer = torch.optim.Adam([p], lr=0.01)
    for k in range(20):
        np.testing.assert_array_equal(fork.params[k, 0], p.detach())
        if k == 8:
            optimizer.param_groups[0]["lr"] = 0.05
        optimizer.zero_grad()
        HIMMELBLAU.function(p[0], p[1]).backward()
        optimizer.step()


@pytest.mark.parametrize("scheduler", ["StepLR", "LambdaLR", "CosineAnnealingLR", "SequentialLR"])
def test_with_a_scheduler_a_changed_learning_rate_changes_its_rates_in_proportion(scheduler):
    rule = OptimizerRule(torch.optim.SGD, SCHEDULERS[scheduler])
    original = Descent(HIMMELBLAU, (1, 1), 1e-3, rule=rule, max_steps=10)
    original.advance_to(10)
    fork = original.fork(4, learning_rate=5e-4)
    fork.advance_to(10)
    factors = []
    optimizer = torch.optim.SGD([torch.ones(1)], lr=1.0)
    made = SCHEDULERS[scheduler](optimizer)
    for _ in range(10):
        factors.append(made.get_last_lr()[0])
        optimizer.step()
        made.step()
    for k, factor in enumerate(factors):
        rate = factor * (1e-3 if k < 4 else 5e-4)
        expected = fork.params[k, 0] - rate * fork.grad[k, 0].astype(float)
        np.testing.assert_allclose(fork.params[k + 1, 0], expected, rtol=1e-6)


def test_a_schedule_of_the_descent_sets_the_optimizer_s_rate():
    schedule = Exponential(1e-2, 0.9)
    descent = Descent(HIMMELBLAU, (1, 1), schedule, rule=torch.optim.Adam, max_steps=10)
    descent.advance_to(10)
    p = torch.tensor([1.0, 1.0], requires_grad=True)
    optimizer = torch.optim.Adam([p], lr=1.0)
    for k in range(11):
        np.testing.assert_array_equal(descent.params[k, 0], p.detach())
        optimizer.param_groups[0]["lr"] = schedule(k)
        optimizer.zero_grad()
        HIMMELBLAU.function(p[0], p[1]).backward()
        optimizer.step()


def test_optimizers_race_our_own_rules():
    rules = [
        torch.optim.AdamW,
        "adam",
        lambda p: torch.optim.Adam(p, lr=1),
        "gd",
        torch.optim.AdamW,
    ]
    race = Descent(HIMMELBLAU, (1, 1), 1e-2, rule=rules, max_steps=30)
    race.advance_to(30)
    np.testing.assert_array_equal(race.params[:, 1], race.params[:, 2])
    np.testing.assert_array_equal(race.params[:, 0], race.params[:, 4])
    assert race.rule.label == "AdamW, Adam, gradient descent"


def test_the_random_state_is_left_alone():
    before = torch.get_rng_state()
    as_rule(torch.optim.Adam)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_rule_made_of_an_optimizer_says_which():
    rule = as_rule(torch.optim.AdamW)
    assert rule == OptimizerRule(torch.optim.AdamW)
    assert (rule.name, rule.label) == ("torch.optim.AdamW", "AdamW")
    scheduled = OptimizerRule(torch.optim.SGD, SCHEDULERS["StepLR"])
    assert scheduled.label == "SGD with StepLR"
    assert scheduled.scheduler_type is lr_scheduler.StepLR


class Sneaky(torch.optim.SGD):
    """Takes the numbers of all lanes as one group."""

    def __init__(self, groups):
        super().__init__([{"params": [p for group in groups for p in group["params"]]}], lr=0.1)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (torch.optim.LBFGS, "no more than gradients, got LBFGS.*closure"),
        (torch.optim.SparseAdam, "no more than gradients, got SparseAdam"),
        (torch.optim.Muon, "Muon.*2D"),
        (lambda params: None, "returned None"),
        (lambda params: torch.optim.SGD(params, lr=-1), "raised ValueError"),
        (lambda: None, "raised TypeError"),
        (lambda params: torch.optim.SGD([torch.ones(1)]), "parameter groups it is given"),
        (Sneaky, "parameter groups it is given"),
        (torch.optim.Optimizer, "raised TypeError"),
    ],
)
def test_an_optimizer_that_needs_more_than_gradients_is_refused(rule, message):
    with pytest.raises(ValueError, match="rule must ") as caught:
        Descent(HIMMELBLAU, (1, 1), 0.1, rule=rule, max_steps=3)
    assert caught.match(message)


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (lr_scheduler.ReduceLROnPlateau, "ReduceLROnPlateau"),
        (lambda o: 3, "returned 3"),
        (lr_scheduler.StepLR, "raised TypeError"),
        (3, "scheduler must be a callable, got 3"),
    ],
)
def test_a_scheduler_that_does_not_fit_is_refused(scheduler, message):
    with pytest.raises(ValueError, match=message):
        OptimizerRule(torch.optim.SGD, scheduler)
    with pytest.raises(ValueError, match="factory must be a callable"):
        OptimizerRule(None, scheduler)
