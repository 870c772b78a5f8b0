"""The course's training loops as a student writes them, to be watched; and what is the same in all.

The loops are the three exercises' reference solutions in words of their own: scalars with
``requires_grad``, ``backward()``, an update inside ``no_grad``, gradients set to ``None``.
"""

from __future__ import annotations

from contextlib import suppress

import hypothesis
import torch

from gdwidgets.core import (
    SURFACES,
    LinearNeuron,
    PolynomialRegression,
    initial_parameters,
    training_pairs,
)
from gdwidgets.core.diagnosis.records import Reference
from gdwidgets.core.watching.watch import Watch

X, Y = training_pairs()
FIRST = tuple(initial_parameters().tolist())
"""The course's draws of a, b and c."""


def himmelblau_reference(start=(1.0, 1.0), rate=5e-4, **more):
    return Reference(SURFACES["himmelblau"], start, rate, **more)


def regression_reference(rate=1e-2, steps=200, start=FIRST, **more):
    return Reference(PolynomialRegression(X, Y), start, rate, max_steps=steps, **more)


def neuron_reference(rate=0.1, steps=10, start=(0.5, 0.5), **more):
    return Reference(LinearNeuron(), start, rate, max_steps=steps, **more)


def himmelblau(u, v):
    return (u**2 + v - 11) ** 2 + (u + v**2 - 7) ** 2


def optimize_himmelblau(u0, v0, rate=5e-4, steps=300, loss_tol=None):
    """Exercise 3."""
    u = torch.tensor(float(u0), requires_grad=True)
    v = torch.tensor(float(v0), requires_grad=True)
    losses = []
    for step in range(1, steps + 1):
        loss = himmelblau(u, v)
        loss.backward()
        losses.append(loss.item())
        if loss_tol is not None and step > 1 and abs(losses[-1] - losses[-2]) < loss_tol:
            break
        with torch.no_grad():
            u -= rate * u.grad
            v -= rate * v.grad
        u.grad = None
        v.grad = None
    return u.item(), v.item(), losses


def fit_polynomial(x=X, y=Y, rate=1e-2, steps=200):
    """Exercise 1."""
    torch.manual_seed(1)
    a = torch.randn((), requires_grad=True)
    b = torch.randn((), requires_grad=True)
    c = torch.randn((), requires_grad=True)
    for _ in range(steps):
        loss = (a + b * x + c * x**2 - y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            a -= rate * a.grad
            b -= rate * b.grad
            c -= rate * c.grad
            a.grad = None
            b.grad = None
            c.grad = None
    return a.item(), b.item(), c.item(), loss.item()


def accumulate(rate=0.1, steps=10, *, clear):
    """Exercise 2."""
    a = torch.tensor(0.5, requires_grad=True)
    b = torch.tensor(0.5, requires_grad=True)
    for _ in range(steps):
        loss = (a * 1.5 + b - 2.5) ** 2
        loss.backward()
        with torch.no_grad():
            a -= rate * a.grad
            b -= rate * b.grad
        if clear:
            a.grad = None
            b.grad = None
    return a.item(), b.item()


def examples(few):
    """Settings of a property that trains a loop for each example: a few, and many in a search."""
    most = hypothesis.settings.default.max_examples
    return hypothesis.settings(max_examples=few if most <= 100 else most)


def watched(function, reference=None, **more):
    """The watch of a function, which may raise."""
    mine = Watch(reference=reference, **more)
    with suppress(RuntimeError, TypeError, AttributeError):
        mine.call(function)
    assert mine.recording_error is None
    return mine


def names(mine):
    return [finding.name for finding in mine.findings]
