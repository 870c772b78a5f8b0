"""The update rules are those of torch.optim."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gdwidgets.core import (
    RULES,
    Adam,
    GradientDescent,
    Momentum,
    Nesterov,
    PerLane,
    RMSprop,
    as_rule,
)

OPTIMISERS = [
    (GradientDescent(), torch.optim.SGD),
    (Momentum(), lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9)),
    (Momentum(0.5), lambda p, lr: torch.optim.SGD(p, lr, momentum=0.5)),
    (Nesterov(), lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9, nesterov=True)),
    (RMSprop(), torch.optim.RMSprop),
    (RMSprop(0.9, 1e-3), lambda p, lr: torch.optim.RMSprop(p, lr, alpha=0.9, eps=1e-3)),
    (Adam(), torch.optim.Adam),
    (Adam(0.5, 0.9, 1e-4), lambda p, lr: torch.optim.Adam(p, lr, betas=(0.5, 0.9), eps=1e-4)),
]

gradients = npst.arrays("float32", (6, 3, 2), elements=st.floats(-1e3, 1e3, width=32))


@pytest.mark.parametrize(("rule", "optimiser"), OPTIMISERS, ids=str)
@settings(max_examples=20)
@given(gradients, st.floats(1e-5, 1.0))
def test_every_step_is_the_optimiser_s(rule, optimiser, gradients, learning_rate):
    params = torch.linspace(-2, 2, 6, dtype=torch.float32).reshape(3, 2)
    theirs = params.clone().requires_grad_()
    optimiser = optimiser([theirs], learning_rate)
    rate = torch.full((3, 1), learning_rate, dtype=torch.float32)
    state = rule.init(params)
    for step, grad in enumerate(torch.from_numpy(gradients.copy())):
        before = [tensor.clone() for tensor in (params, grad, *state)]
        kept = (params, grad, *state)
        params, state = rule.update(params, grad, state, rate, step)
        for tensor, copy in zip(kept, before, strict=True):
            assert torch.equal(tensor, copy)  # nothing is changed in place
        theirs.grad = grad.clone()
        optimiser.step()
        torch.testing.assert_close(params, theirs.detach(), rtol=1e-5, atol=1e-5)


@given(gradients, st.floats(1e-5, 1.0))
@settings(max_examples=20)
def test_plain_descent_has_the_bits_of_the_course_s_update(gradients, learning_rate):
    for p, g in zip(gradients[0].ravel(), gradients[1].ravel(), strict=True):
        a = torch.tensor(p)
        a -= learning_rate * torch.tensor(g)
        ours, _ = GradientDescent().update(
            torch.tensor([[p]]), torch.tensor([[g]]), (), torch.tensor([[learning_rate]]), 0
        )
        assert ours.item() == a.item()


def test_a_rule_per_lane_is_each_rule_on_its_own_lane():
    rules = (Adam(), GradientDescent(), Momentum(), Adam(), Momentum(0.5))
    race = PerLane(rules)
    params, grad = torch.randn(5, 2), torch.randn(5, 2)
    rate = torch.linspace(0.1, 0.5, 5)[:, None]
    together, state = params, race.init(params)
    alone = [params[i : i + 1] for i in range(5)]
    states = [rule.init(row) for rule, row in zip(rules, alone, strict=True)]
    for step in range(4):
        together, state = race.update(together, grad, state, rate, step)
        for i, rule in enumerate(rules):
            alone[i], states[i] = rule.update(
                alone[i], grad[i : i + 1], states[i], rate[i : i + 1], step
            )
    assert torch.equal(together, torch.cat(alone))


def test_rules_have_names_and_labels():
    assert list(RULES) == ["gd", "momentum", "nesterov", "rmsprop", "adam"]
    assert {name: rule.name for name, rule in RULES.items()} == {name: name for name in RULES}
    assert PerLane((Adam(), GradientDescent(), Adam())).label == "Adam, gradient descent"
    assert as_rule("adam") is RULES["adam"]
    assert as_rule(["adam", Momentum(0.5)]) == PerLane((Adam(), Momentum(0.5)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Momentum(1.0),
        lambda: Momentum(-0.1),
        lambda: Nesterov(float("nan")),
        lambda: RMSprop(alpha=2),
        lambda: RMSprop(eps=0),
        lambda: Adam(beta1=1),
        lambda: Adam(beta2="x"),
        lambda: Adam(eps=-1),
    ],
)
def test_constants_out_of_range_are_errors(make):
    with pytest.raises(ValueError, match="must be"):
        make()


@pytest.mark.parametrize(("given", "near"), [("Adam", "adam"), ("momentun", "momentum")])
def test_an_unknown_rule_names_the_nearest(given, near):
    with pytest.raises(ValueError, match=f"did you mean '{near}'"):
        as_rule(given)


def test_a_rule_class_is_not_a_rule():
    with pytest.raises(ValueError, match="rule object"):
        as_rule(Adam)
