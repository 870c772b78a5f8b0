"""Weight decay, dampening, sign descent, and updates after every n-th pass, beside torch.optim."""

from __future__ import annotations

import random
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from gdwidgets.core import SURFACES, Momentum, Reference
from gdwidgets.core.diagnosis.diagnose import diagnose
from loops import (
    FIRST,
    X,
    Y,
    himmelblau,
    himmelblau_reference,
    names,
    regression_reference,
    watched,
)

optim = torch.optim


class SignDescent(optim.Optimizer):
    """p ← p − γ sign(g)."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * p.grad.sign())


def gradient(p, lr, c):
    return optim.SGD(p, lr=lr, weight_decay=c.decay)


def momentum(p, lr, c):
    return optim.SGD(p, lr=lr, momentum=c.beta, weight_decay=c.decay)


def nesterov(p, lr, c):
    return optim.SGD(p, lr=lr, momentum=c.beta, nesterov=True, weight_decay=c.decay)


def dampened(p, lr, c):
    return optim.SGD(p, lr=lr, momentum=c.beta, dampening=c.dampening)


def dampened_decayed(p, lr, c):
    return optim.SGD(p, lr=lr, momentum=c.beta, dampening=c.dampening, weight_decay=c.decay)


def adamw(p, lr, c):
    return optim.AdamW(p, lr=20 * lr, weight_decay=c.decay)


def adam(p, lr, c):
    return optim.Adam(p, lr=100 * lr, weight_decay=c.usual)


def rmsprop(p, lr, c):
    return optim.RMSprop(p, lr=100 * lr, weight_decay=c.usual)


MADE = {
    gradient: ("weight_decay", {"weight_decay": "decay"}),
    momentum: ("momentum", {"beta": "beta", "weight_decay": "decay"}),
    nesterov: ("nesterov", {"beta": "beta", "weight_decay": "decay"}),
    dampened: ("momentum", {"beta": "beta", "dampening": "dampening"}),
    dampened_decayed: (
        "momentum",
        {"beta": "beta", "dampening": "dampening", "weight_decay": "decay"},
    ),
    adamw: ("adamw", {"weight_decay": "decay"}),
    adam: ("adam", {"weight_decay": "usual"}),
    rmsprop: ("rmsprop", {"weight_decay": "usual"}),
}


def with_optimizer(make, surface, start, steps):
    def loop():
        tensors = [torch.tensor(x, requires_grad=True) for x in start]
        optimizer = make(tensors)
        for _ in range(steps):
            optimizer.zero_grad()
            surface.function(*tensors).backward()
            optimizer.step()

    return loop


def drawn(seed):
    """Constants, a surface with a start, and a number of steps, drawn at random."""
    draw = random.Random(seed)
    constants = SimpleNamespace(
        rate=two_digits(draw.uniform(2e-4, 1e-3)),
        beta=two_digits(draw.uniform(0.3, 0.95)),
        dampening=two_digits(draw.uniform(0.1, 0.9)),
        decay=two_digits(draw.uniform(0.02, 0.5)),
        usual=draw.choice([0.05, 0.1]),
    )
    name, start = draw.choice([("booth", (1.0, -2.0)), ("himmelblau", (1.0, -0.5))])
    return constants, SURFACES[name], start, draw.randint(20, 40)


def two_digits(value):
    return float(f"{value:.2g}")


@pytest.mark.parametrize("make", MADE)
def test_weight_decay_and_dampening_are_recognised_with_their_constants(make):
    name, constants = MADE[make]
    told = []
    for seed in range(5):
        chosen, surface, start, steps = drawn(seed)
        reference = Reference(surface, start, chosen.rate, max_steps=steps)
        loop = with_optimizer(partial(make, lr=chosen.rate, c=chosen), surface, start, steps)
        mine = watched(loop, reference)
        for found in (mine.findings, diagnose(mine.records[-1])):
            evidence = found[-1].evidence
            if found[-1].name == "unknown_rule":
                continue  # the updates do not tell, and nothing is claimed
            assert [one.name for one in found] == [name], mine.report()
            assert not found[0].is_mistake
            told.append(found[0])
            for key, drawn_as in constants.items():
                assert evidence[key] == pytest.approx(getattr(chosen, drawn_as), rel=0.03), (
                    mine.report()
                )
    assert len(told) >= 8
    assert ("λ" in told[0].sentence) == ("weight_decay" in constants)
    assert ("dampening" in told[0].sentence) == ("dampening" in constants)


def test_a_rule_with_weight_decay_that_has_come_to_rest_is_not_called_too_short():
    surface, start = SURFACES["himmelblau"], (1.0, -0.5)
    loop = with_optimizer(
        lambda p: optim.RMSprop(p, lr=0.099, weight_decay=0.1), surface, start, 25
    )
    mine = watched(loop, Reference(surface, start, 1e-3, max_steps=25))
    assert names(mine) == ["rmsprop"], mine.report()


def test_sign_descent_is_recognised_with_its_rate():
    told = 0
    for seed in range(8):
        chosen, surface, start, steps = drawn(seed)
        rate = 20 * chosen.rate
        loop = with_optimizer(partial(SignDescent, lr=rate), surface, start, steps)
        mine = watched(loop, Reference(surface, start, 1e-3, max_steps=steps))
        finding = mine.findings[-1]
        if "against the sign" in finding.sentence:
            continue  # in so few steps Adam or RMSprop look the same, which is said
        assert names(mine) == ["sign_descent"], mine.report()
        assert finding.evidence["rate"] == pytest.approx(rate, rel=1e-4)
        told += 1
    assert told >= 5


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.NAdam(p, lr=0.02, weight_decay=0.1),
        lambda p: optim.RAdam(p, lr=0.02),
        lambda p: optim.Adamax(p, lr=0.02),
        lambda p: optim.Adadelta(p, lr=0.02),
        lambda p: optim.Rprop(p, lr=0.02),
        lambda p: optim.RMSprop(p, lr=0.02, centered=True),
        lambda p: optim.RMSprop(p, lr=0.02, momentum=0.5),
        lambda p: optim.SGD(p, lr=-1e-3, weight_decay=0.1, momentum=0.5, maximize=True),
    ],
)
@pytest.mark.parametrize("place", [("booth", (1.0, -2.0)), ("matyas", (1.5, -0.7))])
def test_other_optimizers_are_not_called_one_of_these(make, place):
    def made(p):
        try:
            return make(p)
        except ValueError:  # torch takes no rate below 0: uphill by a loss that is maximised
            return optim.SGD(p, lr=1e-3, weight_decay=0.1, momentum=0.5, maximize=True)

    mine = watched(with_optimizer(made, SURFACES[place[0]], place[1], 20))
    assert set(names(mine)) <= {"unknown_rule", "diverged"}, mine.report()


def test_momentum_with_another_weight_decay_or_dampening_is_not_the_reference_s():
    surface, start = SURFACES["booth"], (1.0, -2.0)
    plain = Reference(surface, start, 1e-3, Momentum(0.9), max_steps=30)
    for more in ({"weight_decay": 0.1}, {"dampening": 0.5}):
        loop = with_optimizer(
            lambda p, more=more: optim.SGD(p, lr=1e-3, momentum=0.9, **more), surface, start, 30
        )
        mine = watched(loop, plain)
        assert names(mine) == ["momentum"], mine.report()
        assert mine.findings[0].evidence["differs"]
        assert "The reference's is momentum" in mine.findings[0].sentence


# -- updates after every n-th pass ---------------------------------------------------------------


def every(n, update, clear, steps):
    """A loop that updates and clears after the passes k for which the two say so."""

    def loop():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        for k in range(steps):
            himmelblau(u, v).backward()
            if update(k, n):
                with torch.no_grad():
                    u -= 2e-4 * u.grad
                    v -= 2e-4 * v.grad
            if clear(k, n):
                u.grad = v.grad = None

    return loop


def last(k, n):
    return (k + 1) % n == 0


def first(k, n):
    return k % n == 0


def one_early(k, n):
    return (k + 2) % n == 0


def each(k, n):
    return True


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize(
    ("update", "clear", "used"),
    [
        (first, first, lambda n: n),
        (first, last, lambda n: 1),
        (last, first, lambda n: n - 1),
        (one_early, one_early, lambda n: n),
        (one_early, last, lambda n: n - 1),
    ],
)
def test_every_nth_pass_off_by_one_is_named(n, update, clear, used):
    reference = himmelblau_reference(rate=2e-4, max_steps=4 * n)
    mine = watched(every(n, update, clear, 4 * n), reference)
    assert names(mine) == ["off_by_one"], mine.report()
    finding = mine.findings[0]
    assert finding.evidence["n"] == n
    assert finding.evidence["used"] == used(n)
    assert finding.step == next(k for k in range(n) if update(k, n))
    alone = diagnose(mine.records[-1])
    assert [one.name for one in alone] == ["off_by_one"]


def test_every_nth_pass_as_meant_is_not_off_by_one():
    reference = himmelblau_reference(rate=2e-4, max_steps=12)
    for steps in (3, 4, 12):
        assert "off_by_one" not in names(watched(every(3, last, last, steps), reference))


def test_a_clearing_off_by_one_is_told_beside_a_reference_that_clears_so():
    reference = himmelblau_reference(rate=2e-4, max_steps=12, clear_every=4)
    told = watched(every(4, each, first, 12), reference).findings[0]
    assert told.name == "off_by_one"
    assert told.sentence == (
        "Your loop clears `.grad` after updates 1, 5, 9, …; the reference after 4, 8, 12, …."
    )
    assert names(watched(every(4, each, last, 12), reference))[:2] == ["cleared_every_n", "agrees"]


def test_updates_after_every_nth_pass_without_any_clearing_are_told_so():
    reference = himmelblau_reference(rate=2e-4, max_steps=12)
    mine = watched(every(3, last, lambda k, n: False, 12), reference)
    assert names(mine) == ["not_cleared", "updated_every_n"], mine.report()
    assert mine.findings[0].step == 3


@pytest.mark.parametrize(("update", "clear"), [(first, first), (first, last), (last, first)])
def test_micro_batches_off_by_one_are_told_only_that(update, clear):
    def loop():
        a, b, c = (torch.tensor(x, requires_grad=True) for x in FIRST)
        for k in range(20):
            x, y = X.chunk(4)[k % 4], Y.chunk(4)[k % 4]
            ((a + b * x + c * x**2 - y).pow(2).mean() / 4).backward()
            with torch.no_grad():
                for p in (a, b, c) if update(k, 4) else ():
                    p.sub_(0.1 * p.grad)
            if clear(k, 4):
                a.grad = b.grad = c.grad = None

    mine = watched(loop, regression_reference(0.1, 5))
    assert names(mine) == ["off_by_one"], mine.report()
