"""The update rules are those of torch.optim."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gdwidgets.core import (
    RULES,
    SURFACES,
    Adam,
    Descent,
    GradientDescent,
    LinearNeuron,
    Momentum,
    Nesterov,
    PerLane,
    RMSprop,
    as_rule,
)
from gdwidgets.core.rules import protocol
from gdwidgets.core.rules.constants import Constants, constants_of, number
from gdwidgets.core.rules.protocol import rate_dtype
from gdwidgets.core.rules.wrappers import EveryNth

betas = st.floats(0, 0.999)
epsilons = st.floats(1e-10, 0.1)
decays = st.just(0.0) | st.floats(0, 0.5)


def sgd(*, nesterov):
    def optimizer(rule, params, lr):
        return torch.optim.SGD(
            params, lr, momentum=rule.beta, weight_decay=rule.weight_decay, nesterov=nesterov,
            foreach=False,
        )  # fmt: skip

    return optimizer


def rmsprop(rule, params, lr):
    return torch.optim.RMSprop(params, lr, rule.alpha, rule.eps, rule.weight_decay, foreach=False)


def adam(rule, params, lr):
    return torch.optim.Adam(
        params, lr, (rule.beta1, rule.beta2), rule.eps, rule.weight_decay, foreach=False
    )


RULES_AND_OPTIMIZERS = st.one_of(
    st.tuples(st.builds(Momentum, st.floats(1e-3, 0.999), decays), st.just(sgd(nesterov=False))),
    st.tuples(st.builds(Nesterov, st.floats(1e-3, 0.999), decays), st.just(sgd(nesterov=True))),
    st.tuples(st.builds(RMSprop, betas, epsilons, decays), st.just(rmsprop)),
    st.tuples(st.builds(Adam, betas, betas, epsilons, st.just(True), decays), st.just(adam)),
    st.sampled_from(
        [
            (Momentum(), sgd(nesterov=False)),
            (Nesterov(), sgd(nesterov=True)),
            (RMSprop(), rmsprop),
            (Adam(), adam),
        ]
    ),
)

gradients = npst.arrays("float32", (6, 3, 2), elements=st.floats(-1e3, 1e3, width=32))
learning_rates = st.floats(1e-5, 1.0)


@settings(max_examples=300)
@given(RULES_AND_OPTIMIZERS, gradients, learning_rates)
def test_every_step_has_the_bits_of_torch_s_optimizer(pair, gradients, learning_rate):
    rule, optimizer = pair
    params = torch.linspace(-2, 2, 6, dtype=torch.float32).reshape(3, 2)
    leaf = params.clone().requires_grad_()
    optimizer = optimizer(rule, [leaf], learning_rate)
    rate = torch.full((3, 1), learning_rate, dtype=rate_dtype(rule))
    state = rule.init(params)
    for step, grad in enumerate(torch.from_numpy(gradients.copy())):
        before = [tensor.clone() for tensor in (params, grad, *state)]
        kept = (params, grad, *state)
        params, state = rule.update(params, grad, state, rate, step)
        for tensor, copy in zip(kept, before, strict=True):
            assert torch.equal(tensor, copy)  # nothing is changed in place
        leaf.grad = grad.clone()
        optimizer.step()
        assert torch.equal(params, leaf.detach())


@settings(max_examples=50)
@given(
    st.builds(Adam, betas, betas, st.floats(1e-4, 0.1), st.just(value=False), decays),
    npst.arrays("float32", (6, 3, 2), elements=st.floats(-10, 10, width=32)),
)
def test_adam_without_bias_correction_follows_its_formula(rule, gradients):
    params = torch.linspace(-2, 2, 6, dtype=torch.float32).reshape(3, 2)
    expected, mean, square = params.double().numpy().copy(), 0.0, 0.0
    state = rule.init(params)
    for step, grad in enumerate(gradients):
        params, state = rule.update(
            params, torch.from_numpy(grad.copy()), state, torch.full((3, 1), 0.01).double(), step
        )
        g = grad.astype(float) + rule.weight_decay * expected
        mean = rule.beta1 * mean + (1 - rule.beta1) * g
        square = rule.beta2 * square + (1 - rule.beta2) * g**2
        expected -= 0.01 * mean / (np.sqrt(square) + rule.eps)
        assert params.dtype == torch.float32
        np.testing.assert_allclose(params, expected, rtol=2e-4, atol=2e-4)


@settings(max_examples=20)
@given(learning_rates, decays, st.floats(-3, 3, width=32))
def test_plain_descent_with_weight_decay_has_the_bits_of_a_plain_loop(rate, decay, start):
    descent = Descent(LinearNeuron(), (start, 0.5), rate, rule=GradientDescent(decay), max_steps=10)
    descent.advance_to(10)
    a, b = (torch.tensor(x, requires_grad=True) for x in (start, 0.5))
    for k in range(descent.recorded + 1):
        assert descent.params[k, 0].tolist() == [a.item(), b.item()]
        ((a * 1.5 + b - 2.5) ** 2).backward()
        with torch.no_grad():
            for p in (a, b):
                p.sub_(rate * (p.grad + decay * p if decay else p.grad))
                p.grad = None


@pytest.mark.parametrize("name", ["momentum", "nesterov", "rmsprop", "adam"])
@settings(max_examples=15)
@given(st.tuples(*[st.floats(-3, 3, width=32)] * 2), st.floats(1e-4, 0.1))
def test_a_descent_has_the_bits_of_a_loop_with_torch_s_optimizer(name, start, rate):
    optimizers = {
        "momentum": lambda p: torch.optim.SGD(p, rate, momentum=0.9),
        "nesterov": lambda p: torch.optim.SGD(p, rate, momentum=0.9, nesterov=True),
        "rmsprop": lambda p: torch.optim.RMSprop(p, rate),
        "adam": lambda p: torch.optim.Adam(p, rate),
    }
    surface = SURFACES["himmelblau"]
    descent = Descent(surface, [start, (1, 1)], rate, rule=name, max_steps=30)
    descent.advance_to(30)
    u, v = (torch.tensor(x, requires_grad=True) for x in start)
    optimizer = optimizers[name]([u, v])
    for k in range(descent.last_step[0] + 1):
        assert descent.params[k, 0].tolist() == [u.item(), v.item()]
        optimizer.zero_grad()
        surface.function(u, v).backward()
        optimizer.step()


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
        lambda: Adam(bias_correction=1),
        lambda: Adam(weight_decay=-0.1),
        lambda: GradientDescent(float("inf")),
        lambda: EveryNth(0.5),
        lambda: dataclasses.replace(Momentum(), beta=2),
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


@pytest.mark.parametrize("rule", [*RULES.values(), EveryNth()], ids=lambda rule: rule.name)
def test_a_rule_describes_its_constants(rule):
    constants = rule.constants()
    assert [constant.name for constant in constants] == [f.name for f in dataclasses.fields(rule)]
    for constant in constants:
        assert constant.symbol or constant.name == "weight_decay"  # λ is a curvature
        assert constant.help.endswith(".")
        assert constant.default == getattr(type(rule)(), constant.name)
        low = constant.low if constant.kind != "switch" else True
        accepted = constant.accepted
        if constant.open_below:
            with pytest.raises(ValueError, match=f"{constant.name} must be {accepted}, got 0"):
                dataclasses.replace(rule, **{constant.name: low})
        else:
            changed = dataclasses.replace(rule, **{constant.name: low})
            assert getattr(changed, constant.name) == low
    assert constants_of(rule) == constants
    assert constants_of(PerLane((rule,))) == constants_of("adam") == constants_of(Adam) == ()


def test_what_a_constant_accepts_is_said_in_words():
    accepted = {constant.name: constant.accepted for constant in Adam().constants()}
    assert accepted == {
        "beta1": "a number, at least 0 and less than 1",
        "beta2": "a number, at least 0 and less than 1",
        "eps": "a number, greater than 0",
        "bias_correction": "True or False",
        "weight_decay": "a number, at least 0",
    }
    assert EveryNth().constants()[0].accepted == "a whole number, at least 1 and at most 2147483648"


def test_constants_are_kept_in_their_proper_types():
    rule = Adam(beta1=np.float32(0.5), eps=torch.tensor(1.0), bias_correction=np.True_)
    assert [type(x) for x in dataclasses.astuple(rule)] == [float, float, float, bool, float]
    assert Momentum(beta=np.array(0.5)) == Momentum(0.5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.optim.Adam([torch.ones(1)]), "an optimizer of other parameters"),
        (torch.optim.lr_scheduler.StepLR, "rule must be one of"),
        (3, "rule must be one of"),
        ([], "at least one"),
        (["adam", None], "rule must be one of"),
        ({"init": 1}, "rule must be one of"),
    ],
)
def test_what_is_no_rule_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        as_rule(given)


def test_the_documented_example_of_a_rule_runs_and_clips():
    code = textwrap.dedent(protocol.__doc__.split("::\n")[1].split("\nWhat a rule remembers")[0])
    names = {
        "dataclass": dataclasses.dataclass, "ClassVar": ClassVar, "Constants": Constants,
        "number": number, "Descent": Descent, "objective": SURFACES["himmelblau"],
        "start": [(4.0, 4.0), (3.0, 2.0001)],
    }  # fmt: skip
    exec(code, names)
    rule = names["ClippedDescent"](limit=5)
    descent = Descent(names["objective"], names["start"], 0.01, rule=rule, max_steps=1)
    descent.advance_to(1)
    moved = np.linalg.norm(np.diff(descent.params, axis=0)[0], axis=1)
    lengths = np.linalg.norm(descent.grad[0], axis=1)
    assert lengths[0] > 5 > lengths[1]
    np.testing.assert_allclose(moved, [0.05, 0.01 * lengths[1]], rtol=0.01)
    assert [constant.symbol for constant in rule.constants()] == ["c"]
