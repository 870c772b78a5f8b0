"""Reports that were false, or said more than was recorded, and what is true of these loops."""

from __future__ import annotations

import pytest
import torch

from gdwidgets.core import MiniBatches, PolynomialRegression, Reference
from loops import FIRST, X, Y, names, regression_reference, watched

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
    assert names(mine) == [finding, "plain_descent"], mine.report()
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
