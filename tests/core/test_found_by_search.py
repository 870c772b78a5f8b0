"""Loops that were once accused of what they do not do: found by ``python -m tests.planted_pairs``.

And loops with everything that training scripts do besides: schedulers, clipping, averages, scaling.
"""

from __future__ import annotations

import pytest
import torch

from gdwidgets.core import SURFACES, Reference
from gdwidgets.core.watching.watch import Watch
from loops import himmelblau, himmelblau_reference, names, neuron_reference, watched
from tests.planted_pairs import Spec, judged
from tests.planted_pairs import watched as planted

RATE = 5e-4


@pytest.mark.parametrize(
    "spec",
    [
        Spec("himmelblau", "by hand", (1.125, -1.375), 4.6e-05, 15, ("rate x3", "one short")),
        Spec("matyas", "by hand", (2.0, 1.9375), 0.0021, 3),
        Spec("booth", "by hand", (-0.6626, -0.5239), 7.7e-05, 3, ("rule adam fused",)),
        Spec("neuron", "module", (1.2129, 1.2549), 0.12, 30, ("uphill", "swapped")),
        Spec("rosenbrock", "sgd", (-1.8027, -2.3477), 0.00025, 3, ("clip", "late term")),
        Spec("mccormick", "module", (0.3171, 1.5283), 0.00069, 3, ("nothing moves",)),
        Spec("beale", "sgd", (0.248, 0.1725), 0.00018, 60, ("every 2", "two rates")),
        Spec("matyas", "data", (0.2412, -1.5039), 0.00037, 15, ("every 2", "detached part")),
        Spec("rosenbrock", "detached", (-0.3386, -0.5645), 6.2e-05, 15, ("halved", "every 2")),
        Spec("beale", "sgd", (0.4766, -1.9756), 0.00012, 15, ("two rates", "rate forgotten"), 301),
        Spec("matyas", "vector", (1.0508, -1.8643), 8.4e-05, 7, ("tail", "rule nesterov")),
    ],
    ids=lambda spec: " ".join((spec.exercise, spec.style, *spec.mistakes)),
)
def test_what_the_search_found_is_mended(spec):
    mine = planted(spec)
    assert judged(spec, mine) == [], mine.report()


def pair(*values):
    return [torch.tensor(float(value), requires_grad=True) for value in values or (1, 1)]


def optimized(make, *, steps=40, scheduler=None, between=lambda params: None, scale=1.0):
    """A loop with an optimizer and what else a training script may do."""

    def loop():
        params = pair()
        optimizer = make(params)
        plan = None if scheduler is None else scheduler(optimizer)
        for _ in range(steps):
            optimizer.zero_grad()
            (himmelblau(*params) * scale).backward()
            between(params)
            optimizer.step()
            if plan is not None:
                plan.step()

    return loop


def unscaled(params):
    for p in params:
        p.grad.div_(1024)


def clipped_by_value(params):
    torch.nn.utils.clip_grad_value_(params, 10.0)


OPTIM = torch.optim
BESIDES = {
    "agrees": [
        optimized(lambda p: OPTIM.SGD(p, lr=RATE, foreach=True)),
        optimized(lambda p: OPTIM.SGD(p, lr=RATE, fused=True)),
    ],
    "nesterov": [optimized(lambda p: OPTIM.SGD(p, lr=RATE, momentum=0.9, nesterov=True))],
    "adam": [
        optimized(lambda p: OPTIM.Adam(p, lr=0.01, fused=True)),
        optimized(lambda p: OPTIM.SGD(p, lr=RATE), between=clipped_by_value),
    ],
    "adagrad": [optimized(lambda p: OPTIM.Adagrad(p, lr=0.01))],
    "uphill": [
        optimized(lambda p: OPTIM.SGD(p, lr=RATE, maximize=True)),
        optimized(lambda p: OPTIM.Adam(p, lr=0.01, maximize=True)),
    ],
    "schedule": [
        optimized(
            lambda p: OPTIM.SGD(p, lr=RATE),
            scheduler=lambda o: OPTIM.lr_scheduler.CosineAnnealingLR(o, 40),
        )
    ],
    "scaled_gradient": [optimized(lambda p: OPTIM.SGD(p, lr=RATE), scale=1024.0, between=unscaled)],
    "adamw": [optimized(lambda p: OPTIM.AdamW(p, lr=0.01))],
    "weight_decay": [optimized(lambda p: OPTIM.SGD(p, lr=RATE, weight_decay=0.1))],
    "momentum": [optimized(lambda p: OPTIM.SGD(p, lr=RATE, momentum=0.9, dampening=0.5))],
    "unknown_rule": [
        optimized(make)
        for make in (
            lambda p: OPTIM.NAdam(p, lr=0.01),
            lambda p: OPTIM.Rprop(p, lr=0.01),
        )
    ],
}


@pytest.mark.parametrize(
    ("first", "loop"), [(name, loop) for name, loops in BESIDES.items() for loop in loops]
)
def test_what_training_scripts_do_besides_is_said_as_it_is(first, loop):
    mine = watched(loop, himmelblau_reference(max_steps=40))
    assert names(mine)[0] == first, mine.report()
    assert set(names(mine)[1:]) <= {"plain_descent"}, mine.report()
    if first == "unknown_rule":
        assert mine.findings[0].evidence["optimizers"]
        assert ".step()`" in mine.findings[0].sentence
    if first == "scaled_gradient":
        assert "makes up for it" in mine.findings[0].sentence
    if first == "adam":  # clipped by value the steps are those of Adam, and of the sign alone
        looks_like = "by the sign" if "fused" in mine.report() else "against the sign"
        assert ("is Adam (" in mine.report()) != (looks_like in mine.report())


def test_a_copy_that_averages_the_parameters_is_none_of_them():
    def loop():
        params = torch.nn.ParameterList([torch.nn.Parameter(torch.tensor(1.0)) for _ in "uv"])
        average = OPTIM.swa_utils.AveragedModel(params)
        optimizer = OPTIM.SGD(params.parameters(), lr=RATE)
        for _ in range(40):
            optimizer.zero_grad()
            himmelblau(params[0], params[1]).backward()
            optimizer.step()
            average.update_parameters(params)

    assert names(watched(loop, himmelblau_reference(max_steps=40))) == ["agrees", "plain_descent"]


def test_gradients_by_torch_func_are_not_taken_for_a_step():
    def loop():
        point = (torch.tensor(1.0), torch.tensor(1.0))
        for _ in range(10):
            grads = torch.func.grad(himmelblau, argnums=(0, 1))(*point)
            point = tuple(p - RATE * g for p, g in zip(point, grads, strict=True))

    mine = watched(loop, himmelblau_reference(max_steps=10))
    assert names(mine) == ["nothing_recorded"]
    assert "torch.func.grad" in mine.report()


def test_a_parameter_that_is_frozen_on_the_way_is_told_from_there_on():
    def loop():
        params = pair()
        for k in range(20):
            params[1].requires_grad_(k < 10)
            himmelblau(*params).backward()
            with torch.no_grad():
                for p in params:
                    if p.requires_grad:
                        p.sub_(RATE * p.grad)
                    p.grad = None

    mine = watched(loop, himmelblau_reference(max_steps=20))
    assert names(mine) == ["other_gradient", "plain_descent"], mine.report()
    assert (mine.findings[0].step, mine.findings[0].evidence["name"]) == (10, "v")
    assert "requires_grad=False" in mine.findings[0].why


def test_a_parameter_that_joins_later_has_been_there_before():
    """Two losses trained in turns: each pass reaches one parameter alone."""

    def loop():
        u, v = pair()
        one, other = OPTIM.SGD([u], lr=RATE), OPTIM.SGD([v], lr=RATE)
        for _ in range(20):
            one.zero_grad()
            himmelblau(u, v.detach()).backward()
            one.step()
            other.zero_grad()
            himmelblau(u.detach(), v).backward()
            other.step()

    mine = watched(loop, himmelblau_reference(max_steps=40))
    assert names(mine) == ["other_gradient", "unknown_rule"], mine.report()
    assert mine.params[0].tolist() == [1.0, 1.0]
    assert mine.step_grad[0, 1] == 0


def test_two_passes_with_the_whole_loss_are_no_two_updates():
    def loop():
        u, v = pair()
        for _ in range(20):
            loss = himmelblau(u, v)
            loss.backward(retain_graph=True)
            loss.backward()
            with torch.no_grad():
                u -= RATE * u.grad
                v -= RATE * v.grad
            u.grad = v.grad = None

    mine = watched(loop, himmelblau_reference(max_steps=20))
    assert names(mine) == ["updated_every_n"], mine.report()


def test_a_loss_in_two_halves_agrees_with_their_sum():
    def loop():
        u, v = pair()
        for _ in range(20):
            ((u**2 + v - 11) ** 2).backward()
            ((u + v**2 - 7) ** 2).backward()
            with torch.no_grad():
                u -= RATE * u.grad
                v -= RATE * v.grad
            u.grad = v.grad = None

    mine = watched(loop, himmelblau_reference(max_steps=20))
    assert names(mine) == ["agrees", "updated_every_n", "plain_descent"], mine.report()


@pytest.mark.parametrize("optimizer", [True, False])
def test_a_learning_rate_of_0_is_not_called_a_cleared_gradient(optimizer):
    def loop():
        u, v = pair()
        sgd = OPTIM.SGD([u, v], lr=0.0)
        for _ in range(10):
            sgd.zero_grad()
            himmelblau(u, v).backward()
            if optimizer:
                sgd.step()
            else:
                with torch.no_grad():
                    u -= 0.0 * u.grad
                    v -= 0.0 * v.grad

    mine = watched(loop, himmelblau_reference(max_steps=10))
    assert names(mine) == ["not_updated"], mine.report()
    assert "learning rate of 0" in mine.findings[0].why


def test_zero_grad_twice_without_a_step_is_a_missing_step():
    def loop():
        u, v = pair()
        sgd = OPTIM.SGD([u, v], lr=RATE)
        for _ in range(10):
            sgd.zero_grad()
            himmelblau(u, v).backward()
            sgd.zero_grad()

    mine = watched(loop, himmelblau_reference(max_steps=10))
    assert names(mine) == ["not_updated"], mine.report()
    assert "optimizer.step()" in mine.findings[0].why


def test_float32_numbers_recorded_by_hand_round_as_float32():
    mine = Watch(reference=neuron_reference(steps=10))
    with mine:
        a, b = torch.tensor(0.5), torch.tensor(0.5)
        for _ in range(10):
            error = a * 1.5 + b - 2.5
            mine.record(error.item() ** 2, a=a.item(), b=b.item())
            a, b = a - 0.1 * 3 * error, b - 0.1 * 2 * error
    assert names(mine) == ["agrees", "plain_descent"], mine.report()


def test_hooks_on_every_optimizer_are_gone_afterwards():
    from torch.optim import optimizer as torch_optimizer

    before = list(torch_optimizer._global_optimizer_pre_hooks)
    with Watch():
        assert len(torch_optimizer._global_optimizer_pre_hooks) == len(before) + 1
    assert list(torch_optimizer._global_optimizer_pre_hooks) == before
    assert not torch_optimizer._global_optimizer_post_hooks


def test_an_explorer_s_own_optimizer_is_not_the_loop_s():
    mine = Watch(reference=Reference(SURFACES["booth"], (1, -2), 0.01, max_steps=5))
    with mine:
        p = torch.tensor([1.0, -2.0], requires_grad=True)
        for _ in range(5):
            Reference(SURFACES["booth"], (1, 1), 0.01, OPTIM.Adagrad, max_steps=3).descent()
            SURFACES["booth"].function(p[0], p[1]).backward()
            with torch.no_grad():
                p -= 0.01 * p.grad
            p.grad = None
    assert mine.loop.step_calls == ()
    assert names(mine) == ["agrees", "plain_descent"]
