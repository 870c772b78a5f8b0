"""Loops that make several backward passes to an update: micro-batches, right and wrong."""

from __future__ import annotations

import pytest
import torch

from gdwidgets.core import Reference, training_pairs
from gdwidgets.core.objectives.micro_batches import WholeBatch
from loops import FIRST, X, Y, names, regression_reference, watched

XS, YS = training_pairs(8)


def share(a, b, x, y, parts):
    return (a * x + b - y).square().mean() / parts


def undivided(a, b, x, y, parts):
    return (a * x + b - y).square().mean()


def summed(a, b, x, y, parts):
    return (a * x + b - y).square().sum()


def in_parts(
    parts, updates=6, loss=share, *, rate=0.1, clear="after", more=0, make=torch.optim.SGD
):
    """The accumulation loop as training scripts have it, with places for mistakes."""

    def loop():
        a, b = (torch.tensor(0.5, requires_grad=True) for _ in range(2))
        optimizer = make([a, b], lr=rate)
        for k in range(parts * updates + more):
            if clear == "before":
                optimizer.zero_grad()
            place = k % parts
            loss(a, b, XS.chunk(parts)[place], YS.chunk(parts)[place], parts).backward()
            if place == parts - 1:
                optimizer.step()
                if clear == "after":
                    optimizer.zero_grad()

    return loop


def batch_reference(**more):
    return Reference(WholeBatch(XS, YS), (0.5, 0.5), 0.1, max_steps=6, **more)


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_micro_batches_agree_with_the_whole_batch(parts):
    mine = watched(in_parts(parts), batch_reference())
    assert names(mine) == ["agrees", "updated_every_n", "plain_descent"], mine.report()
    agrees, accumulates, _ = mine.findings
    assert agrees.evidence["steps"] == 6
    assert accumulates.evidence["n"] == parts
    assert "in all 6 updates" in agrees.sentence
    assert "on purpose?" not in accumulates.sentence
    assert mine.report().startswith(f"{6 * parts} backward passes recorded.")


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize("rate", [0.1, 0.025])
def test_a_forgotten_division_is_a_sum_instead_of_a_mean(parts, rate):
    mine = watched(in_parts(parts, loss=undivided, rate=rate), batch_reference())
    assert names(mine)[0] == "sum_not_mean", mine.report()
    assert mine.findings[0].evidence["factor"] == pytest.approx(parts)
    assert f"divided by their number, {parts}" in mine.findings[0].sentence
    assert ("makes up for it" in mine.findings[0].sentence) == (rate * parts == 0.1)
    other = {"other_rate"} if rate * parts not in {0.1, 0.1 * parts} else set()
    assert set(names(mine)[1:]) == {"updated_every_n", "plain_descent"} | other, mine.report()


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        (in_parts(4, loss=summed), ["sum_not_mean"]),
        (in_parts(4, rate=-0.1), ["uphill"]),
        (in_parts(4, rate=0.02), ["other_rate"]),
        (in_parts(4, updates=5, more=3), ["other_length"]),
        (in_parts(4, clear="never"), ["not_cleared"]),
        (in_parts(4, clear="before"), ["cleared"]),
    ],
    ids=["sum", "uphill", "rate", "left over", "never cleared", "cleared between"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_mistake_in_a_loop_of_micro_batches_is_found(loop, expected):
    if expected == ["uphill"]:
        loop = in_parts(4, make=lambda p, lr: torch.optim.SGD(p, lr=lr, maximize=True))
    mine = watched(loop, batch_reference())
    found = [one.name for one in mine.findings if one.is_mistake]
    assert found == expected, mine.report()
    if expected == ["other_length"]:
        assert "The last 3 passes are lost" in mine.report()


def test_a_wrong_loss_of_a_part_is_told_by_its_sum():
    def wrong(a, b, x, y, parts):
        return (a * x + b - y).abs().mean() / parts

    mine = watched(in_parts(4, loss=wrong), batch_reference())
    assert names(mine)[0] == "other_loss"
    error = (0.5 * XS + 0.5 - YS).double()
    assert mine.findings[0].evidence["mine"] == pytest.approx(error.abs().mean().item(), rel=1e-5)
    assert mine.findings[0].evidence["reference"] == pytest.approx(
        error.square().mean().item(), rel=1e-5
    )
    assert "4 passes" in mine.findings[0].sentence


def test_a_step_of_a_finding_is_the_first_pass_of_its_update():
    def late(a, b, x, y, parts):
        calls.append(1)
        return share(a, b, x, y, parts) * (2 if len(calls) > 8 else 1)

    calls = []
    mine = watched(in_parts(4, loss=late), batch_reference())
    assert (names(mine)[0], mine.findings[0].step) == ("other_loss", 8), mine.report()


@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.RMSprop])
def test_the_rule_is_read_from_the_updates(make):
    mine = watched(in_parts(4, updates=20, rate=0.01, make=make))
    assert names(mine) == ["updated_every_n", make.__name__.lower()], mine.report()
    assert mine.findings[0].sentence.endswith("Is that on purpose?")


def test_a_regression_in_parts_agrees_with_the_course_s_reference():
    def loop():
        w = torch.tensor(FIRST, requires_grad=True)
        for k in range(200):
            x, y = X.chunk(4)[k % 4], Y.chunk(4)[k % 4]
            ((w[0] + w[1] * x + w[2] * x**2 - y).square().sum() / 100).backward()
            if k % 4 == 3:
                with torch.no_grad():
                    w -= 1e-2 * w.grad
                w.grad = None

    mine = watched(loop, regression_reference(steps=50))
    assert names(mine) == ["agrees", "updated_every_n", "plain_descent"], mine.report()
