"""Reports that were false, or said more than was recorded, and what is true of these loops."""

from __future__ import annotations

import pytest
import torch

from gdwidgets.core import MiniBatches, PolynomialRegression, Reference
from loops import FIRST, X, Y, accumulate, names, neuron_reference, regression_reference, watched

MSE = torch.nn.functional.mse_loss

# -- which number is which ---------------------------------------------------------------------


def layer(loss, *, rate=0.05, steps=500, start=FIRST):
    """`nn.Linear` on x and x²: its numbers come as b, c and a."""

    def loop():
        model = torch.nn.Linear(2, 1)
        with torch.no_grad():
            model.bias.fill_(start[0])
            model.weight.copy_(torch.tensor(start[1:])[None])
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        powers = torch.stack([X, X**2], 1)
        for _ in range(steps):
            optimizer.zero_grad()
            loss(model(powers)).backward()
            optimizer.step()

    return watched(loop, regression_reference(0.05, steps))


@pytest.mark.parametrize(
    ("loss", "rate", "steps", "finding"),
    [
        (lambda p: MSE(p[:, 0], Y), 0.05, 500, "agrees"),
        (lambda p: MSE(p[:, 0], Y) / 2, 0.05, 500, "scaled_gradient"),
        (lambda p: (p[:, 0] - Y).square().sum(), 5e-4, 500, "sum_not_mean"),
        (lambda p: -MSE(p[:, 0], Y), 0.05, 5, "uphill"),
        (lambda p: MSE(p[:, 0], Y) + 1, 0.05, 500, "other_loss"),
        (lambda p: torch.nn.functional.huber_loss(p[:, 0], Y), 0.05, 500, "other_loss"),
        (lambda p: (p[:, 0] - Y).abs().mean(), 0.05, 500, "other_loss"),
        (lambda p: (p - Y).square().mean(), 0.05, 500, "other_loss"),
    ],
)
def test_a_layer_with_another_loss_has_its_own_start_and_mistake(loss, rate, steps, finding):
    mine = layer(loss, rate=rate, steps=steps)
    assert names(mine) == [finding, *["plain_descent"] * (finding != "uphill")], mine.report()
    assert mine.loop.params[0] == pytest.approx(FIRST)


def test_a_layer_that_begins_elsewhere_is_told_its_own_start():
    mine = layer(lambda p: (p[:, 0] - Y).abs().mean(), start=(5.0, 6.0, 7.0))
    start = next(one for one in mine.findings if one.name == "other_start")
    assert start.evidence["mine"] == (5.0, 6.0, 7.0)


def test_a_layer_on_mini_batches_begins_where_the_reference_does():
    batches = MiniBatches(PolynomialRegression(X, Y), 10)

    def loop():
        model = torch.nn.Linear(2, 1)
        with torch.no_grad():
            model.bias.fill_(FIRST[0])
            model.weight.copy_(torch.tensor(FIRST[1:])[None])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for some in torch.randperm(len(X), generator=torch.Generator().manual_seed(3)).split(10):
            optimizer.zero_grad()
            MSE(model(torch.stack([X[some], X[some] ** 2], 1))[:, 0], Y[some]).backward()
            optimizer.step()

    mine = watched(loop, Reference(batches, FIRST, 0.05, max_steps=10))
    assert "other_start" not in names(mine), mine.report()


# -- the largest stable learning rate ----------------------------------------------------------

OPTIM = torch.optim
RULES = {
    "plain": (lambda p, lr: OPTIM.SGD(p, lr=lr), True),
    "never cleared": (lambda p, lr: OPTIM.SGD(p, lr=lr), False),
    "momentum": (lambda p, lr: OPTIM.SGD(p, lr=lr, momentum=0.9), True),
    "dampened": (lambda p, lr: OPTIM.SGD(p, lr=lr, momentum=0.9, dampening=0.5), True),
    "nesterov": (lambda p, lr: OPTIM.SGD(p, lr=lr, momentum=0.9, nesterov=True), True),
    "decayed": (lambda p, lr: OPTIM.SGD(p, lr=lr, weight_decay=1.0), True),
    "decayed momentum": (lambda p, lr: OPTIM.SGD(p, lr=lr, momentum=0.5, weight_decay=1.0), True),
}


def fitted(make, rate, *, clear=True, steps=600):
    def loop():
        a, b, c = (torch.tensor(value, requires_grad=True) for value in FIRST)
        optimizer = make([a, b, c], rate)
        for _ in range(steps):
            if clear:
                optimizer.zero_grad()
            MSE(a + b * X + c * X * X, Y).backward()
            optimizer.step()

    return watched(loop, regression_reference(0.05, steps))


@pytest.mark.parametrize("rule", RULES)
def test_the_limit_that_is_told_divides_the_rates_that_diverge_from_those_that_do_not(rule):
    make, clear = RULES[rule]
    diverged = next(
        one for one in fitted(make, 1.0, clear=clear).findings if one.name == "diverged"
    )
    limit = diverged.evidence["limit"]
    assert "diverged" not in names(fitted(make, 0.98 * limit, clear=clear))
    assert "diverged" in names(fitted(make, 1.1 * limit, clear=clear))


def test_the_gradient_of_the_step_before_halves_the_limit():
    def run(rate, steps=3000):
        def loop():
            a, b, c = params = [torch.tensor(value, requires_grad=True) for value in FIRST]
            before = [torch.zeros(())] * 3
            for _ in range(steps):
                MSE(a + b * X + c * X * X, Y).backward()
                with torch.no_grad():
                    for p, grad in zip(params, before, strict=True):
                        p.sub_(rate * grad)
                before = [p.grad for p in params]
                for p in params:
                    p.grad = None

        return watched(loop, regression_reference(0.05, steps))

    diverged = next(one for one in run(1.0).findings if one.name == "diverged")
    limit = diverged.evidence["limit"]
    assert "diverged" not in names(run(0.98 * limit))
    assert "diverged" in names(run(1.1 * limit))


def test_a_neuron_that_is_never_cleared_has_twice_the_limit():
    run = watched(lambda: accumulate(0.7, 60, clear=False), neuron_reference(0.1, 60))
    diverged = next(one for one in run.findings if one.name == "diverged")
    assert diverged.evidence["limit"] == pytest.approx(4 / 6.5, rel=1e-4)
    assert "without clearing" in diverged.sentence


def test_a_rate_that_grows_is_told_from_where_on_it_is_too_large():
    def loop():
        a, b, c = (torch.tensor(value, requires_grad=True) for value in FIRST)
        rate = 0.02
        for _ in range(60):
            MSE(a + b * X + c * X * X, Y).backward()
            with torch.no_grad():
                for p in (a, b, c):
                    p.sub_(rate * p.grad)
                    p.grad = None
            rate *= 1.1

    diverged = next(
        one
        for one in watched(loop, regression_reference(0.05, 60)).findings
        if one.name == "diverged"
    )
    first = next(step for step in range(60) if 0.02 * 1.1**step > diverged.evidence["limit"])
    assert f"From step {first + 1} on the learning rate is larger" in diverged.sentence


@pytest.mark.parametrize("make", [OPTIM.Adam, OPTIM.RMSprop])
def test_rules_that_have_no_limit_are_told_none(make):
    run = fitted(lambda p, lr: make(p, lr=lr), 1e10, steps=40)
    assert all("limit" not in one.evidence for one in run.findings)
    assert "largest stable" not in run.report()


def test_a_loop_on_the_negative_loss_is_not_told_that_its_loss_grows():
    run = layer(lambda p: -MSE(p[:, 0], Y), steps=50)
    diverged = next(one for one in run.findings if one.name == "diverged")
    assert "the loss falls from" in diverged.sentence
    assert "in the reference's loss" in diverged.sentence
