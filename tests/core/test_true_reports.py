"""Reports that were false, or said more than was recorded, and what is true of these loops."""

from __future__ import annotations

import re

import pytest
import torch

from gdwidgets.core import SURFACES, MiniBatches, PolynomialRegression, Reference
from gdwidgets.core.diagnosis.findings import apart, points_apart
from gdwidgets.core.rules.momentum import GradientDescent
from loops import (
    FIRST,
    X,
    Y,
    accumulate,
    himmelblau,
    himmelblau_reference,
    names,
    neuron_reference,
    regression_reference,
    watched,
)

MSE = torch.nn.functional.mse_loss
RATE = 5e-4

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


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_numbers_are_matched_by_the_start_where_a_run_that_diverges_fits_in_any_order(order):
    """Booth's function is nearly the same with u and v interchanged."""
    begins = (-0.56, -1.48)

    def loop():
        params = [torch.tensor(begins[place], requires_grad=True) for place in order]
        for _ in range(12):
            u, v = (params[order.index(place)] for place in (0, 1))
            ((u + 2 * v - 7) ** 2 + (2 * u + v - 5) ** 2 + 3).backward()
            update(params, 1.0)

    mine = watched(loop, Reference(SURFACES["booth"], begins, 1.0, max_steps=12))
    assert "other_start" not in names(mine), mine.report()
    assert mine.loop.params[0] == pytest.approx(begins)

    def vector():
        w = torch.tensor(begins, requires_grad=True)
        for _ in range(12):
            u, v = w
            ((u + 2 * v - 7) ** 2 + (2 * u + v - 5) ** 2 + 3).backward()
            update([w], 1.0)

    mine = watched(vector, Reference(SURFACES["booth"], begins, 1.0, max_steps=12))
    assert "other_start" not in names(mine), mine.report()


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


# -- rates that change, momentum, clipping, and updates that fit nothing -----------------------


def pair(u=1.0, v=1.0, **more):
    return [torch.tensor(value, requires_grad=True, **more) for value in (u, v)]


def descend(update, steps, **reference):
    """Himmelblau's function with ``update(k, p, gradient)`` for each parameter."""

    def loop():
        params = pair()
        for k in range(steps):
            himmelblau(*params).backward()
            with torch.no_grad():
                for p in params:
                    update(k, p, p.grad)
                    p.grad = None

    return watched(loop, himmelblau_reference(max_steps=steps, **reference))


def with_rate(rate, steps):
    return descend(lambda k, p, grad: p.sub_(rate(k) * grad), steps)


@pytest.mark.parametrize(
    ("rate", "steps", "told"),
    [
        (lambda k: 1e-4 * 1.05**k, 40, "from 0.0001 to 0.0006705, growing exponentially."),
        (lambda k: 1e-4 * 0.95**k, 40, "from 0.0001 to 1.353e−5, falling exponentially."),
        (lambda k: 1e-4 + 1e-6 * k, 40, "from 0.0001 to 0.000139, growing in a straight line."),
        (lambda k: 1e-4 - 1e-6 * k, 40, "from 0.0001 to 6.1e−5, falling in a straight line."),
        (lambda k: 1e-4 / (1 + k), 40, "from 0.0001 to 2.5e−6, falling as 1/t."),
        (lambda k: 1e-4 / (1 - k / 50), 40, "from 0.0001 to 0.000454"),
    ],
)
def test_a_rate_that_changes_is_said_to_grow_or_to_fall_as_it_does(rate, steps, told):
    mine = with_rate(rate, steps)
    schedule = next(one for one in mine.findings if one.name == "schedule")
    assert told in schedule.sentence
    assert ("growing" in schedule.sentence) == ("growing" in told)


@pytest.mark.parametrize("steps", [10, 20, 60, 300])
def test_a_rate_that_falls_until_nothing_moves_is_still_a_rate_that_falls(steps):
    mine = with_rate(lambda k: 5e-4 * 0.5**k, steps)
    assert names(mine) == ["schedule"], mine.report()
    assert "falling exponentially" in mine.findings[0].sentence
    assert "from 0.0005 to" in mine.findings[0].sentence


def test_a_rate_too_small_to_be_seen_is_told_as_a_bound():
    told = with_rate(lambda k: 5e-4 * 0.5**k, 60).findings[0].sentence
    last = float(told.partition(" to ")[2].partition(" or less")[0].replace("−", "-"))
    assert 5e-4 * 0.5**59 <= last < 1e-7


def test_momentum_whose_steps_are_as_long_as_the_references_is_not_said_to_average():
    def loop():
        params = pair()
        optimizer = torch.optim.SGD(params, lr=5e-5, momentum=0.9)
        for _ in range(50):
            optimizer.zero_grad()
            himmelblau(*params).backward()
            optimizer.step()

    mine = watched(loop, himmelblau_reference(max_steps=50))
    assert names(mine) == ["momentum"]
    told = mine.findings[0].sentence
    assert "It averages" not in told
    assert "as long as with learning rate 0.0005: 5e−5/(1 − β)" in told


@pytest.mark.parametrize("norm", [20.0, 30.0, 42.5])
def test_a_clipped_loop_is_told_its_own_rate_and_norm(norm):
    def loop():
        params = pair()
        optimizer = torch.optim.SGD(params, lr=5e-4)
        for _ in range(300):
            optimizer.zero_grad()
            himmelblau(*params).backward()
            torch.nn.utils.clip_grad_norm_(params, norm)
            optimizer.step()

    for reference in (himmelblau_reference(), None):
        clipped = next(one for one in watched(loop, reference).findings if one.name == "clipped")
        assert f"learning rate 0.0005: the gradient's norm is limited to {norm:g}" in (
            clipped.sentence
        )


def test_the_size_of_the_gradient_in_its_place_goes_uphill_where_it_is_negative():
    short, long = (
        descend(lambda k, p, grad: p.sub_(5e-4 * grad.abs()), steps) for steps in (20, 300)
    )
    assert names(short) == names(long) == ["uphill"]
    assert "u and v move by +0.0005 × gradient, from the first step on" in short.report()
    assert "u and v move by −0.0005 × |gradient|, from the first step on" in long.report()
    other = descend(lambda k, p, grad: p.add_(5e-4 * grad.abs()), 300)
    assert "uphill" in names(other)


def test_where_an_update_stops_to_fit_it_is_said_what_it_was():
    """And that a multiple of the gradient is none is not said."""
    uphill = descend(
        lambda k, p, grad: p.add_(5e-4 * grad) if k < 7 else p.sub_(1e-3 * grad.sin()), 12
    )
    assert "Up to step 7 it is +0.0005 × gradient, uphill; that of step 8 is not" in uphill.report()

    def alone():
        u = torch.tensor(1.0, requires_grad=True)
        for k in range(20):
            (u**2).backward()
            with torch.no_grad():
                u -= 0.01 * (1 + (k * k % 7)) * u.grad
                u.grad = None

    told = watched(alone).findings[0]
    assert told.name == "unknown_rule"
    assert "Up to step 1 it is 0.01 × gradient; that of step 2 is not" in told.sentence
    assert "Each is some multiple of its gradient" in told.sentence
    assert "(with a fixed or changing rate)" not in told.why


# -- what was refused --------------------------------------------------------------------------


def inside_no_grad(p):
    with torch.no_grad():
        return p - RATE * p.grad


NEW_TENSORS = {
    "inside no_grad": (inside_no_grad, False),
    "detached": (lambda p: (p - RATE * p.grad).detach(), False),
    "of a number": (lambda p: torch.tensor(p.item() - RATE * p.grad.item()), False),
    "computed": (lambda p: p - RATE * p.grad, True),
}


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("kind", NEW_TENSORS)
@pytest.mark.parametrize("both", [True, False])
def test_a_new_tensor_is_told_the_true_reason_why_it_has_no_gradient(kind, both):
    made, requires = NEW_TENSORS[kind]

    def loop():
        u, v = pair()
        for _ in range(3):
            himmelblau(u, v).backward()
            u = made(u)
            assert u.requires_grad == requires
            assert u.is_leaf != requires
            if both:
                v = made(v)
            else:
                with torch.no_grad():
                    v -= RATE * v.grad
                    v.grad = None

    lost = watched(loop, himmelblau_reference()).findings[0]
    assert lost.name == "lost_leaf"
    assert ("no lea" in lost.sentence) == requires
    assert ("not require gradients" in lost.sentence) != requires
    assert ("require gradients" in lost.why) != requires
    assert ("u and v new tensors" in lost.sentence) == both


# -- which passes are the loop's ---------------------------------------------------------------


def update(params, rate=RATE):
    with torch.no_grad():
        for p in params:
            p.sub_(rate * p.grad)
            p.grad = None


def with_norm_before(params, k):
    loss = himmelblau(*params)
    torch.autograd.grad(loss, params, retain_graph=True)
    loss.backward()


def with_norm_now_and_then(params, k):
    loss = himmelblau(*params)
    if k % 7 == 0:
        torch.autograd.grad(loss, params, retain_graph=True)
    loss.backward()


def with_norm_after(params, k):
    loss = himmelblau(*params)
    loss.backward(retain_graph=True)
    torch.autograd.grad(loss, params)


def with_norms_one_by_one(params, k):
    loss = himmelblau(*params)
    for p in params:
        torch.autograd.grad(loss, p, retain_graph=True)
    loss.backward()


def trial():
    t = torch.tensor(2.0, requires_grad=True)
    (t**2).backward()


def trial_at(*steps):
    def step(params, k):
        himmelblau(*params).backward()
        if k in steps:
            trial()

    return step


def trial_before(params, k):
    if k == 0:
        trial()
    himmelblau(*params).backward()


PASSES = {
    "norm before": with_norm_before,
    "norm now and then": with_norm_now_and_then,
    "norm after": with_norm_after,
    "norms one by one": with_norms_one_by_one,
    "trial before": trial_before,
    "trial first": trial_at(0),
    "trial later": trial_at(13),
    "trials always": trial_at(*range(40)),
    "trial last": trial_at(39),
}


@pytest.mark.parametrize("passes", PASSES)
def test_a_pass_beside_the_loop_is_none_of_its_steps(passes):
    def loop():
        params = pair()
        for k in range(40):
            PASSES[passes](params, k)
            update(params)

    mine = watched(loop, himmelblau_reference(max_steps=40))
    assert names(mine) == ["agrees", "plain_descent"], mine.report()
    assert mine.findings[0].evidence["bits"]
    assert mine.report().startswith("40 steps recorded.")


@pytest.mark.parametrize("times", [1, 3])
def test_a_trial_after_the_loop_is_not_the_last_loop(times):
    def loop():
        params = pair()
        for _ in range(40):
            himmelblau(*params).backward()
            update(params)
        for _ in range(times):
            trial()

    mine = watched(loop, himmelblau_reference(max_steps=40))
    assert names(mine) == ["agrees", "plain_descent"], mine.report()


def test_a_second_loop_of_one_step_is_the_last_loop_though_nothing_moves():
    def loop():
        for steps in (40, 1):
            params = pair()
            for _ in range(steps):
                himmelblau(*params).backward()
                if steps > 1:
                    update(params)

    assert watched(loop, himmelblau_reference(max_steps=40)).loop.count == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_loop_by_grad_alone_is_recorded_in_whatever_parts(together):
    def loop():
        u, v = params = pair()
        for _ in range(40):
            loss = himmelblau(u, v)
            if together:
                grads = torch.autograd.grad(loss, params)
            else:
                grads = [torch.autograd.grad(loss, p, retain_graph=True)[0] for p in params]
            with torch.no_grad():
                for p, grad in zip(params, grads, strict=True):
                    p.sub_(RATE * grad)

    mine = watched(loop, himmelblau_reference(max_steps=40))
    assert names(mine) == ["agrees", "plain_descent"], mine.report()


def test_a_loop_with_a_loss_for_each_parameter_keeps_both():
    def loop():
        u, v = params = pair()
        for _ in range(20):
            (3 * u**2).backward()
            ((v - 2) ** 2).backward()
            update(params, 0.01)

    mine = watched(loop)
    assert mine.names == ("u", "v")
    assert mine.loop.count == 40


# -- numbers that are nearly equal -------------------------------------------------------------


def descended(start=(1.0, 1.0), rates=(RATE, RATE), scale=1.0, steps=20, dtype=torch.float32):
    def loop():
        params = pair(*start, dtype=dtype)
        for _ in range(steps):
            (scale * himmelblau(*params)).backward()
            with torch.no_grad():
                for p, rate in zip(params, rates, strict=True):
                    p.sub_(rate * p.grad)
                    p.grad = None

    return loop


def test_a_references_weight_decay_has_a_symbol():
    reference = himmelblau_reference(rule=GradientDescent(0.01), max_steps=20)
    assert (
        "The reference's is gradient descent (λ = 0.01)" in watched(descended(), reference).report()
    )


def test_two_numbers_are_told_apart_and_equal_ones_are_short():
    assert apart(1.0001, 1) == ("1.0001", "1")
    assert apart(5.0002e-4, 5e-4) == ("0.00050002", "0.0005")
    assert apart(0.1, 0.1) == ("0.1", "0.1")
    assert apart(1 / 3, 0.25) == ("0.3333", "0.25")
    assert apart(1.0, 1.0 + 2**-52)[0] != apart(1.0, 1.0 + 2**-52)[1]
    assert points_apart((1.0001, 2 / 3), (1, 2 / 3)) == ("(1.0001, 0.6667)", "(1, 0.6667)")


@pytest.mark.parametrize(
    ("loop", "told"),
    [
        (descended(start=(1.0001, 1.0)), "begins at (1.0001, 1), the reference at (1, 1)."),
        (descended(rates=(5.0002e-4,) * 2), "descent with learning rate 0.00050002."),
        (descended(rates=(5.1e-4,) * 2), "rate is 0.00051, the reference's is 0.0005."),
        (
            descended(rates=(RATE, 5.0002e-4)),
            "moves v by 0.00050002 × its gradient; the reference's rate is 0.0005 for all.",
        ),
        (descended(scale=1.0005), "Your loss is 1.0005 × the reference's"),
    ],
)
def test_a_small_difference_is_told_with_digits_that_show_it(loop, told):
    mine = watched(loop, himmelblau_reference(max_steps=20))
    assert told in mine.findings[0].sentence
    assert "makes up for it" not in mine.findings[0].sentence


def test_a_constant_more_is_no_factor_of_the_gradient():
    def loop():
        u, v = pair()
        for _ in range(4):
            (himmelblau(u, v) + 0.1).backward()
            u.grad = v.grad = None

    told = [one.name for one in watched(loop, himmelblau_reference()).findings]
    assert "other_loss" in told
    assert "scaled_gradient" not in told


def test_no_sentence_says_that_a_loss_is_something_instead_of_the_same():
    def loop():
        params = pair()
        for k in range(20):
            (himmelblau(*params) + 0.03 * (k == 5)).backward()
            update(params)

    told = watched(loop, himmelblau_reference(max_steps=20)).findings[0]
    mine, reference = re.search(r"it is (\S+) instead of (\S+)\.", told.sentence).groups()
    assert told.name == "other_loss"
    assert mine != reference


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("start", [(1.0, 1.0), (-1.1, 0.7), (3.3, -2.2)])
def test_a_loop_in_half_precision_is_not_accused_of_its_rounding(dtype, start):
    reference = himmelblau_reference(start, max_steps=60)
    mine = watched(descended(start, steps=60, dtype=dtype), reference)
    assert names(mine) == ["agrees", "plain_descent"], mine.report()


def test_mistakes_in_half_precision_are_still_seen():
    def mistake(**more):
        loop = descended(dtype=torch.float16, **more)
        return names(watched(loop, himmelblau_reference(max_steps=20)))[0]

    assert mistake(rates=(-RATE, -RATE)) == "uphill"
    assert mistake(rates=(4e-4, 4e-4)) == "other_rate"
    assert mistake(scale=0.5) == "scaled_gradient"
    assert mistake(start=(1.5, 1.0)) == "other_start"


# -- names, of tensors and of the loop's own variables -----------------------------------------


def network(parameters=lambda model: model.parameters(), clear=True, before=False):
    def loop():
        model = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        optimizer = torch.optim.SGD(parameters(model), lr=0.05)
        for _ in range(10):
            if clear:
                model.zero_grad()
            MSE(model(X[:, None]), Y[:, None]).backward()
            if before:
                optimizer.zero_grad(set_to_none=False)
            optimizer.step()

    return watched(loop)


def test_where_all_numbers_of_a_tensor_are_concerned_the_tensor_is_named():
    frozen = network(lambda model: model[2].parameters())
    assert frozen.findings[0].sentence.startswith(
        "0.weight and 0.bias never change. The gradient has norm "
    )
    assert len(frozen.findings[0].evidence["names"]) == 16
    kept = network(clear=False).findings[0]
    assert kept.sentence.startswith("`.grad` is not cleared: step 2 begins with gradients of norm")
    early = network(before=True).findings[0]
    assert early.name == "cleared_before_update"
    assert "the gradient of 0.weight, 0.bias, 2.weight and 2.bias between" in early.sentence
    for told in (frozen.findings[0], kept, early):
        assert len(told.sentence) < 160


def test_rates_of_layers_are_told_by_layers():
    mine = network(
        lambda model: [
            {"params": model[0].parameters(), "lr": 0.01},
            {"params": model[2].parameters()},
        ]
    )
    assert mine.findings[0].sentence.endswith(
        "it moves 0.weight and 0.bias by 0.01 × their gradient and 2.weight and 2.bias by 0.05 × "
        "their gradient."
    )


def test_a_line_of_code_in_a_hint_has_the_loops_own_names():
    def unmoved(clear=True):
        w = torch.tensor([1.0, 1.0], requires_grad=True)
        for _ in range(5):
            himmelblau(*w).backward()
            if clear:
                w.grad = None
            else:
                w.data -= RATE * w.grad

    for reference in (None, himmelblau_reference(max_steps=5)):
        assert "`w -= learning_rate * w.grad`" in watched(unmoved, reference).findings[0].why
        kept = watched(lambda: unmoved(clear=False), reference).findings[0]
        assert "`w.grad = None`" in kept.why

    def layer_unmoved():
        model = torch.nn.Linear(2, 1)
        for _ in range(5):
            model(torch.ones(1, 2)).square().sum().backward()
            model.zero_grad()

    assert "`p -= learning_rate * p.grad` for every" in watched(layer_unmoved).findings[0].why


def test_so_has_a_line_against_a_missing_rate_or_exchanged_gradients():
    def whole():
        w = torch.tensor([1.0, 1.0], requires_grad=True)
        (himmelblau(*w) / 100).backward()
        w.data -= w.grad

    assert "`w -= 0.0005 * w.grad`" in watched(whole, himmelblau_reference()).report()

    def exchanged():
        s, t = params = pair()
        for _ in range(5):
            himmelblau(s, t).backward()
            with torch.no_grad():
                s -= RATE * t.grad
                t -= RATE * s.grad
                for p in params:
                    p.grad = None

    swapped = watched(exchanged, himmelblau_reference(max_steps=5)).findings[0]
    assert swapped.name == "swapped"
    assert "update s with s.grad, t with t.grad" in swapped.why


@pytest.mark.parametrize(
    ("differentiate", "cause", "way_out"),
    [
        (lambda p: p.square().backward(), "several numbers", ".mean()"),
        (lambda p: p.square().sum().item().backward(), "called on a Python number", ".item()"),
        (lambda p: p.square().sum().detach().numpy().backward(), "on a NumPy array", ".numpy()"),
        (lambda p: None.backward(), "called on None", "`return`"),
        (lambda p: torch.nn.Linear(1, 1).backward(), "an object of type Linear", "the loss"),
    ],
)
@pytest.mark.parametrize("after", [0, 2])
def test_a_loss_that_cannot_be_differentiated_is_told_why(differentiate, cause, way_out, after):
    def loop():
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        for _ in range(after):
            w.square().sum().backward()
            update([w], 0.1)
        differentiate(w)

    told = watched(loop).findings[0]
    assert told.name == "no_gradient"
    assert cause in told.sentence
    assert way_out in told.why
    assert "says: “" in told.sentence


def test_one_number_is_not_called_numbers():
    def loop():
        z = torch.tensor(1 + 1j, requires_grad=True)
        for _ in range(5):
            ((z - 2).abs() ** 2).backward()
            update([z], 0.1)

    assert "Your loop has 1 number in its parameters." in watched(loop).report()
