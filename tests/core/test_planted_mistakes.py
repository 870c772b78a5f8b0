"""Mistakes planted into the course's loops, in many styles, are diagnosed as what they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from gdwidgets.core import SURFACES, Reference
from loops import (
    FIRST,
    X,
    Y,
    examples,
    himmelblau,
    himmelblau_reference,
    names,
    neuron_reference,
    regression_reference,
    watched,
)

RATE = 5e-4
PLANTED = []


def planted(reference, expected, step=0, /, also=(), **evidence):
    """Register a loop: the finding that must come first, where, and which others may follow."""

    def register(function):
        case = (function, reference, expected, step, set(also), evidence)
        PLANTED.append(pytest.param(case, id=function.__name__))
        return function

    return register


def scalars(*values):
    return [torch.tensor(float(value), requires_grad=True) for value in values]


RULE = {"plain_descent"}

# -- Exercise 3, Himmelblau: scalars ---------------------------------------------------------


@planted(himmelblau_reference(), "uphill", rate=RATE * -1)
def plus_instead_of_minus():
    u, v = scalars(1, 1)
    for _ in range(300):
        loss = himmelblau(u, v)
        loss.backward()
        with torch.no_grad():
            u += RATE * u.grad
            v += RATE * v.grad
            u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=40), "uphill", names=("v",))
def plus_for_one_parameter():
    u, v = scalars(1, 1)
    for _ in range(40):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v += RATE * v.grad
            u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=50), "not_updated", also=RULE, names=("v",))
def one_update_line_missing():
    u, v = scalars(1, 1)
    for _ in range(50):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * u.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=50), "swapped", order=("v", "u"))
def gradients_swapped():
    u, v = scalars(1, 1)
    for _ in range(50):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * v.grad
            v -= RATE * u.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=50, start=(1, 2)), "swapped", also=RULE)
def loss_with_u_and_v_interchanged():
    u, v = scalars(1, 2)
    for _ in range(50):
        loss = (v**2 + u - 11) ** 2 + (v + u**2 - 7) ** 2
        loss.backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=50), "other_loss", also=RULE)
def wrong_sign_inside_the_loss():
    u, v = scalars(1, 1)
    for _ in range(50):
        loss = (u**2 + v + 11) ** 2 + (u + v**2 - 7) ** 2
        loss.backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=50), "other_loss", 20, also=RULE)
def a_loss_that_becomes_another():
    u, v = scalars(1, 1)
    for k in range(50):
        loss = himmelblau(u, v) if k < 20 else himmelblau(u, v) + u**2
        loss.backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=50), "uphill", also=RULE)
def the_negative_loss():
    u, v = scalars(1, 1)
    for _ in range(50):
        loss = -himmelblau(u, v)
        loss.backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=50), "scaled_gradient", also=RULE, factor=0.5)
def half_the_loss():
    u, v = scalars(1, 1)
    for _ in range(50):
        loss = himmelblau(u, v) / 2
        loss.backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=6), "rate_not_applied", also={"diverged"})
def rate_forgotten():
    u, v = scalars(1, 1)
    for _ in range(6):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= u.grad
            v -= v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(), "other_rate", also=RULE, rate=5e-3)
def a_rate_ten_times_too_large():
    u, v = scalars(1, 1)
    for _ in range(300):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= 5e-3 * u.grad
            v -= 5e-3 * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=30), "other_rate", rates={"u": 5e-4, "v": 5e-3})
def a_typing_error_in_one_rate():
    u, v = scalars(1, 1)
    for _ in range(30):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= 5e-4 * u.grad
            v -= 5e-3 * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(), "other_start", also=RULE, mine=(0.0, 0.0))
def another_start():
    u, v = scalars(0, 0)
    for _ in range(300):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(), "other_length", 299, also=RULE, updates=299, expected=300)
def one_iteration_too_few():
    u, v = scalars(1, 1)
    for _ in range(1, 300):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(), "other_length", 300, also=RULE, updates=301)
def one_iteration_too_many():
    u, v = scalars(1, 1)
    for _ in range(301):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=60), "stale_gradient", 1)
def the_gradient_of_the_step_before():
    u, v = scalars(1, 1)
    last = torch.zeros(2)
    for _ in range(60):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * last[0]
            v -= RATE * last[1]
            last = torch.stack([u.grad, v.grad])
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=30), "not_cleared", 1, also=RULE, names=("u", "v"))
def never_cleared():
    u, v = scalars(1, 1)
    for _ in range(30):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad


@planted(himmelblau_reference(max_steps=30), "not_cleared", 1, also=RULE, names=("v",))
def only_one_is_cleared():
    u, v = scalars(1, 1)
    for _ in range(30):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = None


@planted(himmelblau_reference(max_steps=20), "other_gradient", also=RULE, name="v")
def a_part_of_the_graph_cut_off():
    u, v = scalars(1, 1)
    for _ in range(20):
        loss = (u**2 + v - 11) ** 2 + (u + v.detach() ** 2 - 7) ** 2
        loss.backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


# -- Exercise 3: stopping early ----------------------------------------------------------------

EARLY = himmelblau_reference((-1, 1), loss_tol=1e-4)


def stopping(test, *, before=True, steps=300):
    u, v = scalars(-1, 1)
    last = None
    for _ in range(steps):
        loss = himmelblau(u, v)
        loss.backward()
        stop = last is not None and test(loss.item(), last, (u.grad, v.grad))
        if stop and before:
            break
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        if stop:
            break
        u.grad = v.grad = None
        last = loss.item()


@planted(EARLY, "other_stop", 232, also=RULE, test="loss")
def stops_by_the_loss_itself():
    stopping(lambda loss, last, grad: abs(loss) < 1e-4, steps=290)


@planted(EARLY, "other_stop", 1, also=RULE, test="no abs")
def stops_without_the_absolute_value():
    stopping(lambda loss, last, grad: loss - last < 1e-4)


@planted(EARLY, "other_stop", 232, also=RULE, test="after update")
def stops_after_the_update():
    stopping(lambda loss, last, grad: abs(loss - last) < 1e-4, before=False)


@planted(EARLY, "other_stop", 232, also=RULE, test="never")
def does_not_stop():
    stopping(lambda loss, last, grad: False)


@planted(
    himmelblau_reference((-1, 1), loss_tol=1e-3, max_steps=2000),
    "other_stop",
    None,
    also=RULE,
    test="gradient",
)
def stops_by_the_gradient():
    stopping(lambda loss, last, grad: math.hypot(*grad) < 1e-3, steps=2000)


# -- Exercise 3: PyTorch refuses ---------------------------------------------------------------


@planted(himmelblau_reference(), "lost_leaf", also=RULE)
def a_new_tensor_instead_of_an_update():
    u, v = scalars(1, 1)
    for _ in range(10):
        loss = himmelblau(u, v)
        loss.backward()
        with torch.no_grad():
            u = u - RATE * u.grad
            v = v - RATE * v.grad


@planted(himmelblau_reference(), "lost_leaf", 1)
def a_new_tensor_inside_the_graph():
    u, v = scalars(1, 1)
    for _ in range(10):
        loss = himmelblau(u, v)
        loss.backward()
        u = u - RATE * u.grad
        v = v - RATE * v.grad


@planted(himmelblau_reference(), "in_place")
def in_place_while_recording():
    u, v = scalars(1, 1)
    for _ in range(10):
        loss = himmelblau(u, v)
        loss.backward()
        u -= RATE * u.grad
        v -= RATE * v.grad


@planted(himmelblau_reference(), "backward_twice", also=RULE)
def the_loss_outside_of_the_loop():
    u, v = scalars(1, 1)
    loss = himmelblau(u, v)
    for _ in range(10):
        loss.backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(), "no_gradient")
def requires_grad_forgotten():
    u, v = torch.tensor(1.0), torch.tensor(1.0)
    for _ in range(10):
        loss = himmelblau(u, v)
        loss.backward()


@planted(himmelblau_reference(), "no_gradient")
def backward_forgotten():
    u, v = scalars(1, 1)
    for _ in range(10):
        himmelblau(u, v)
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad


@planted(himmelblau_reference(), "no_gradient")
def the_loss_under_no_grad():
    u, v = scalars(1, 1)
    with torch.no_grad():
        for _ in range(10):
            himmelblau(u, v).backward()


@planted(himmelblau_reference(), "no_gradient")
def the_loop_under_inference_mode():
    u, v = scalars(1, 1)
    with torch.inference_mode():
        for _ in range(10):
            himmelblau(u, v).backward()


@planted(himmelblau_reference(), "cleared_before_update")
def cleared_to_none_before_the_update():
    u, v = scalars(1, 1)
    for _ in range(10):
        himmelblau(u, v).backward()
        u.grad = v.grad = None
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad


@planted(himmelblau_reference(max_steps=10), "cleared_before_update")
def zeroed_before_the_update():
    u, v = scalars(1, 1)
    for _ in range(10):
        himmelblau(u, v).backward()
        u.grad.zero_()
        v.grad.zero_()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad


@planted(himmelblau_reference(), "nothing_recorded")
def no_backward_at_all():
    u, v = scalars(1, 1)
    for _ in range(10):
        himmelblau(u, v)


@planted(himmelblau_reference(), "no_gradient")
def a_loss_made_of_a_number():
    u, v = scalars(1, 1)
    optimizer = torch.optim.SGD([u, v], lr=RATE)
    for _ in range(10):
        optimizer.zero_grad()
        torch.tensor(himmelblau(u, v).item(), requires_grad=True).backward()
        optimizer.step()


@planted(himmelblau_reference(), "in_place", also=RULE)
def an_update_between_loss_and_backward():
    u, v = scalars(1, 1)
    optimizer = torch.optim.SGD([u, v], lr=RATE)
    for _ in range(10):
        loss = himmelblau(u, v)
        optimizer.step()
        optimizer.zero_grad()
        loss.backward()


@planted(himmelblau_reference(max_steps=10), "not_updated", names=("u", "v"))
def parameters_made_inside_the_loop():
    for _ in range(10):
        u, v = scalars(1, 1)
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad


# -- Exercise 3: one vector, optimizers, modules, .data, by hand ---------------------------------


@planted(himmelblau_reference(max_steps=40), "uphill")
def a_vector_uphill():
    w = torch.tensor([1.0, 1.0], requires_grad=True)
    for _ in range(40):
        himmelblau(w[0], w[1]).backward()
        with torch.no_grad():
            w += RATE * w.grad
        w.grad.zero_()


@planted(himmelblau_reference(max_steps=40), "not_cleared", 1, also=RULE)
def an_optimizer_without_zero_grad():
    w = torch.tensor([1.0, 1.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=RATE)
    for _ in range(40):
        himmelblau(*w).backward()
        optimizer.step()


@planted(himmelblau_reference(max_steps=40), "cleared_before_update")
def zero_grad_between_backward_and_step():
    u, v = scalars(1, 1)
    optimizer = torch.optim.SGD([u, v], lr=RATE)
    for _ in range(40):
        himmelblau(u, v).backward()
        optimizer.zero_grad()
        optimizer.step()


@planted(himmelblau_reference(max_steps=40), "not_updated", names=("u", "v"))
def step_forgotten():
    u, v = scalars(1, 1)
    optimizer = torch.optim.SGD([u, v], lr=RATE)
    for _ in range(40):
        optimizer.zero_grad()
        himmelblau(u, v).backward()


@planted(himmelblau_reference(max_steps=40), "not_updated", also=RULE, names=("v",))
def a_parameter_not_in_the_optimizer():
    u, v = scalars(1, 1)
    optimizer = torch.optim.SGD([u], lr=RATE)
    for _ in range(40):
        optimizer.zero_grad()
        v.grad = None
        himmelblau(u, v).backward()
        optimizer.step()


@planted(himmelblau_reference(max_steps=40), "momentum", beta=0.9, differs=True)
def momentum_where_plain_descent_was_asked_for():
    u, v = scalars(1, 1)
    optimizer = torch.optim.SGD([u, v], lr=RATE, momentum=0.9)
    for _ in range(40):
        optimizer.zero_grad()
        himmelblau(u, v).backward()
        optimizer.step()


@planted(himmelblau_reference(max_steps=40), "schedule", 20, differs=True)
def a_rate_that_changes():
    u, v = scalars(1, 1)
    optimizer = torch.optim.SGD([u, v], lr=RATE)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 20, gamma=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        himmelblau(u, v).backward()
        optimizer.step()
        scheduler.step()


@planted(himmelblau_reference(max_steps=60), "other_rate", also=RULE, rate=1e-3)
def data_with_another_rate():
    u, v = scalars(1, 1)
    for _ in range(60):
        himmelblau(u, v).backward()
        u.data -= 1e-3 * u.grad
        v.data -= 1e-3 * v.grad
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=60), "swapped")
def autograd_grad_swapped():
    u, v = scalars(1, 1)
    for _ in range(60):
        dv, du = torch.autograd.grad(himmelblau(u, v), (u, v))
        with torch.no_grad():
            u -= RATE * du
            v -= RATE * dv


@planted(himmelblau_reference(max_steps=60), "unknown_rule")
def something_else_altogether():
    u, v = scalars(1, 1)
    generator = torch.Generator().manual_seed(3)
    for _ in range(60):
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= RATE * u.grad + 0.01 * torch.randn((), generator=generator)
            v -= RATE * v.grad + 0.01 * torch.randn((), generator=generator)
        u.grad = v.grad = None


@planted(himmelblau_reference(max_steps=60), "other_parameters", also=RULE)
def a_loop_with_other_parameters():
    w = torch.tensor([1.0, 1.0, 2.0], requires_grad=True)
    for _ in range(60):
        (w**2).sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
        w.grad = None


# -- Exercise 1, regression ------------------------------------------------------------------

START = torch.tensor(FIRST)


@planted(regression_reference(steps=50), "sum_not_mean", also=RULE | {"diverged"}, factor=100.0)
def sum_of_squares():
    a, b, c = scalars(*FIRST)
    for _ in range(50):
        loss = (a + b * X + c * X**2 - Y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c):
                p -= 1e-2 * p.grad  # noqa: PLW2901 - as students write it
                p.grad = None


@planted(regression_reference(steps=50), "sum_not_mean", also=RULE)
def sum_of_squares_and_a_rate_that_makes_up_for_it():
    a, b, c = scalars(*FIRST)
    for _ in range(50):
        loss = (a + b * X + c * X**2 - Y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c):
                p -= 1e-4 * p.grad  # noqa: PLW2901 - as students write it
                p.grad = None


@planted(regression_reference(), "other_loss", also=RULE)
def mean_of_absolute_errors():
    a, b, c = scalars(*FIRST)
    for _ in range(200):
        loss = (a + b * X + c * X**2 - Y).abs().mean()
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c):
                p -= 1e-2 * p.grad  # noqa: PLW2901 - as students write it
                p.grad = None


@planted(regression_reference(), "other_start", also=RULE, seed=0)
def another_seed():
    torch.manual_seed(0)
    a, b, c = (torch.randn((), requires_grad=True) for _ in range(3))
    for _ in range(200):
        loss = (a + b * X + c * X**2 - Y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c):
                p -= 1e-2 * p.grad  # noqa: PLW2901 - as students write it
                p.grad = None


@planted(regression_reference(), "not_updated", also=RULE, names=("c",))
def c_is_forgotten():
    a, b, c = scalars(*FIRST)
    for _ in range(200):
        loss = (a + b * X + c * X**2 - Y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            a -= 1e-2 * a.grad
            b -= 1e-2 * b.grad
        a.grad = b.grad = c.grad = None


@planted(regression_reference(), "swapped", order=("a", "c", "b"))
def b_and_c_by_each_others_gradient():
    a, b, c = scalars(*FIRST)
    for _ in range(200):
        loss = (a + b * X + c * X**2 - Y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            a -= 1e-2 * a.grad
            b -= 1e-2 * c.grad
            c -= 1e-2 * b.grad
        a.grad = b.grad = c.grad = None


@planted(regression_reference(), "stale_gradient", 1, also=RULE)
def step_before_backward():
    w = START.clone().requires_grad_()
    powers = torch.stack([X**0, X, X**2])
    optimizer = torch.optim.SGD([w], lr=1e-2)
    for _ in range(200):
        loss = (w @ powers - Y).pow(2).mean()
        with torch.no_grad():
            if w.grad is not None:
                w.data -= 1e-2 * w.grad
        optimizer.zero_grad()
        loss.backward()


@planted(regression_reference(), "adam", differs=True, beta1=0.9, beta2=0.999)
def adam_in_a_module():
    class Polynomial(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.coefficients = torch.nn.Parameter(START.clone())

        def forward(self, x):
            return self.coefficients @ torch.stack([x**0, x, x**2])

    model = Polynomial()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(X), Y).backward()
        optimizer.step()


@planted(regression_reference(), "not_cleared", 1, also=RULE)
def a_linear_layer_without_zero_grad():
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.bias.fill_(FIRST[0])
        model.weight.copy_(torch.tensor([FIRST[1:]]))
    features = torch.stack([X, X**2], dim=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    for _ in range(200):
        ((model(features)[:, 0] - Y) ** 2).mean().backward()
        optimizer.step()


@planted(
    regression_reference(rate=0.1, steps=100), "other_rate", also=RULE | {"diverged"}, rate=0.9
)
def a_diverging_rate():
    a, b, c = scalars(*FIRST)
    for _ in range(100):
        loss = (a + b * X + c * X**2 - Y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c):
                p -= 0.9 * p.grad  # noqa: PLW2901 - as students write it
                p.grad = None


# -- Exercise 2, accumulation ----------------------------------------------------------------


def neuron(a, b):
    return (a * 1.5 + b - 2.5) ** 2


@planted(neuron_reference(), "not_cleared", 1, also=RULE)
def the_pitfall_itself():
    a, b = scalars(0.5, 0.5)
    for _ in range(10):
        neuron(a, b).backward()
        with torch.no_grad():
            a -= 0.1 * a.grad
            b -= 0.1 * b.grad


@planted(neuron_reference(clear_every=None), "cleared", 1, also=RULE)
def cleared_where_it_was_not_asked_for():
    a, b = scalars(0.5, 0.5)
    for _ in range(10):
        neuron(a, b).backward()
        with torch.no_grad():
            a -= 0.1 * a.grad
            b -= 0.1 * b.grad
        a.grad = b.grad = None


@planted(neuron_reference(), "cleared_every_n", 1, also=RULE, n=3)
def cleared_every_third_step():
    a, b = scalars(0.5, 0.5)
    for step in range(1, 11):
        neuron(a, b).backward()
        with torch.no_grad():
            a -= 0.1 * a.grad
            b -= 0.1 * b.grad
        if step % 3 == 0:
            a.grad = b.grad = None


@planted(neuron_reference(), "updated_every_n", 1, n=2)
def updated_every_second_step():
    a, b = scalars(0.5, 0.5)
    for step in range(1, 11):
        neuron(a, b).backward()
        if step % 2 == 0:
            with torch.no_grad():
                a -= 0.1 * a.grad
                b -= 0.1 * b.grad
            a.grad = b.grad = None


@planted(neuron_reference(), "not_cleared", 0, also=RULE)
def something_in_grad_before_the_loop():
    a, b = scalars(0.5, 0.5)
    a.grad, b.grad = torch.tensor(1.0), torch.tensor(-2.0)
    for _ in range(10):
        neuron(a, b).backward()
        with torch.no_grad():
            a -= 0.1 * a.grad
            b -= 0.1 * b.grad
        a.grad = b.grad = None


@planted(neuron_reference(), "momentum", beta=0.5)
def a_buffer_that_decays():
    a, b = scalars(0.5, 0.5)
    for _ in range(10):
        neuron(a, b).backward()
        with torch.no_grad():
            a -= 0.1 * a.grad
            b -= 0.1 * b.grad
            a.grad *= 0.5
            b.grad *= 0.5


@planted(neuron_reference(), "other_rate", also=RULE, rate=0.01)
def rate_off_by_ten():
    a, b = scalars(0.5, 0.5)
    for _ in range(10):
        neuron(a, b).backward()
        with torch.no_grad():
            a -= 0.01 * a.grad
            b -= 0.01 * b.grad
        a.grad = b.grad = None


# -- by hand, without autograd --------------------------------------------------------------


def by_hand(factor, mean, rate=1e-2, steps=60):
    """A loop in numpy, recorded explicitly."""

    def loop(mine):
        x, y = X.double().numpy(), Y.double().numpy()
        a, b, c = FIRST
        for _ in range(steps):
            error = a + b * x + c * x**2 - y
            mine.record((error**2).mean(), a=a, b=b, c=c)
            reduce = np.mean if mean else np.sum
            a -= rate * factor * reduce(error)
            b -= rate * factor * reduce(error * x)
            c -= rate * factor * reduce(error * x**2)

    return loop


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        (by_hand(2, mean=True), "agrees"),
        (by_hand(1, mean=True), "scaled_gradient"),
        (by_hand(2, mean=False), "sum_not_mean"),
        (by_hand(-2, mean=True), "uphill"),
        (by_hand(2, mean=True, rate=3e-3), "other_rate"),
    ],
    ids=["right", "factor_2_missing", "sum", "plus", "rate"],
)
def test_a_gradient_by_hand_is_diagnosed_from_its_updates(loop, expected):
    from gdwidgets.core.watching.watch import watch

    with watch(reference=regression_reference(steps=60)) as mine:
        loop(mine)
    assert names(mine)[0] == expected, mine.report()
    assert set(names(mine)[1:]) <= {"plain_descent", "diverged"}


@pytest.mark.filterwarnings("ignore:The .grad attribute")
@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_mistake_is_found(case):
    function, reference, expected, step, also, evidence = case
    mine = watched(function, reference)
    first = mine.findings[0]
    assert first.name == expected, mine.report()
    assert set(names(mine)[1:]) <= also, mine.report()
    if step is not None:
        assert first.step == step, mine.report()
    for name, value in evidence.items():
        assert first.evidence[name] == pytest.approx(value), mine.report()
    assert first.sentence
    assert first.where
    assert first.why


def test_there_are_enough_of_them():
    assert len(PLANTED) >= 30


# -- whatever the start, the rate and the style ------------------------------------------------

MISTAKES = (
    "uphill", "not_updated", "swapped", "stale_gradient", "not_cleared", "scaled_gradient",
    "other_loss", "other_start", "other_rate", "other_length", "cleared_before_update",
)  # fmt: skip


@st.composite
def mistaken_loops(draw):
    mistake = draw(st.sampled_from(MISTAKES))
    surface = draw(st.sampled_from(["himmelblau", "booth", "beale", "mccormick"]))
    start = draw(st.tuples(st.floats(-3, 3, width=16), st.floats(-3, 3, width=16)))
    rate = draw(st.floats(-5, -3.5).map(lambda power: float(f"{10**power:.2g}")))
    vector = draw(st.booleans())
    steps = draw(st.integers(4, 40))
    return mistake, SURFACES[surface], start, rate, vector, steps


def mistaken(case):
    """A loop of the course's kind with one mistake of a given name."""
    mistake, surface, start, rate, vector, steps = case
    rate = {"uphill": rate, "other_rate": -3 * rate}.get(mistake, -rate)
    start = [x + (mistake == "other_start") for x in start]
    starts = [start] if vector else start

    def loop():
        tensors = [torch.tensor(x, requires_grad=True) for x in starts]
        last = torch.zeros(2)
        for _ in range(steps - (mistake == "other_length")):
            u, v = tensors[0] if vector else tensors
            loss = surface.function(u, v)
            other = {"scaled_gradient": loss / 2, "other_loss": loss + u**2 + 1}
            other.get(mistake, loss).backward()
            for p in tensors if mistake == "cleared_before_update" else ():
                p.grad.zero_()
            grad = torch.cat([p.grad.reshape(-1) for p in tensors])
            used = {
                "swapped": grad.flip(0),
                "stale_gradient": last,
                "not_updated": grad * torch.tensor([1.0, 0.0]),
            }.get(mistake, grad)
            last = grad
            with torch.no_grad():
                for p, part in zip(tensors, [used] if vector else used, strict=True):
                    p += rate * part  # noqa: PLW2901 - as students write it
            for p in tensors if mistake != "not_cleared" else ():
                p.grad = None

    return loop


@given(mistaken_loops())
@examples(60)
def test_a_mistake_is_found_from_any_start_at_any_rate(case):
    mistake, surface, start, rate, _, steps = case
    gradient = surface.gradient([start])[0]
    # Where a gradient is next to nothing, or both are equal, there is nothing to see.
    assume((np.abs(gradient) > 0.05).all())
    assume(abs(abs(gradient[0]) - abs(gradient[1])) > 0.05)
    mine = watched(mistaken(case), Reference(surface, start, rate, max_steps=steps))
    assert names(mine)[0] == mistake, mine.report()
    assert "agrees" not in names(mine)
    assert set(names(mine)[1:]) <= RULE | {"diverged"}, mine.report()
