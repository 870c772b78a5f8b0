"""What a recorded step costs, as ratios to the course's plain loop measured side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter

import torch

from gdwidgets.core import (
    SURFACES,
    Descent,
    PolynomialRegression,
    initial_parameters,
    training_pairs,
)
from gdwidgets.core.objectives.functions import himmelblau

Row = tuple[str, str, str]
Work = Callable[[], object]

STEPS = 500
REPEATS = 25
RATES = (1e0, 1e-1, 1e-2, 1e-3)


def plain_himmelblau(steps: int = STEPS) -> list[float]:
    """The course's Exercise 3: scalars, a list of losses."""
    u = torch.tensor(1.0, requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = himmelblau(u, v)
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            u -= 5e-4 * u.grad
            v -= 5e-4 * v.grad
        u.grad = None
        v.grad = None
    return losses


def plain_polynomial(x: torch.Tensor, y: torch.Tensor, rate: float, steps: int = STEPS) -> float:
    """The course's Exercise 1: three scalars, nothing recorded."""
    a, b, c = (torch.tensor(p, requires_grad=True) for p in initial_parameters().tolist())
    loss = torch.tensor(0.0)
    for _ in range(steps):
        y_pred = a + b * x + c * x**2
        loss = (y_pred - y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            a -= rate * a.grad
            b -= rate * b.grad
            c -= rate * c.grad
            a.grad = None
            b.grad = None
            c.grad = None
    return loss.item()


def bare_grid(points: torch.Tensor, steps: int) -> torch.Tensor:
    """Gradient descent of many points as bare torch, nothing recorded."""
    p = points.clone().requires_grad_()
    for _ in range(steps):
        u, v = p.unbind(-1)
        himmelblau(u, v).sum().backward()
        with torch.no_grad():
            p -= 1e-4 * p.grad
        p.grad = None
    return p.detach()


def recorded(objective: object, start: object, rate: object, steps: int = STEPS, **more: object):
    """Every record of a descent, computed and read."""
    descent = Descent(objective, start, rate, max_steps=steps, **more)
    descent.advance_to(steps)
    return descent.loss[-1]


def medians(*works: Work, repeats: int = REPEATS) -> list[float]:
    """Median seconds of each, the works taking turns so that a busy machine hits all alike."""
    for work in works:
        work()
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, taken in zip(works, times, strict=True):
            begin = perf_counter()
            work()
            taken.append(perf_counter() - begin)
    return [statistics.median(taken) for taken in times]


def rows() -> list[Row]:
    """(what, measured, target), measured side by side on this machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*_step_rows(), *_exercise_1_row(), *_fork_row(), *_grid_row()]
    finally:
        torch.set_num_threads(threads)


def _step_rows() -> list[Row]:
    surface = SURFACES["himmelblau"]
    regression = PolynomialRegression(*training_pairs())
    x, y = regression.x, regression.y
    first = initial_parameters()
    spread = torch.linspace(-1, 1, 64)[:, None].expand(64, 2)
    loop, one, four, many, adam, polynomial_loop, polynomial = medians(
        plain_himmelblau,
        lambda: recorded(surface, (1, 1), 5e-4),
        lambda: recorded(surface, spread[:4], 5e-4),
        lambda: recorded(surface, spread, 5e-4),
        lambda: recorded(surface, (1, 1), 5e-4, rule="adam"),
        lambda: plain_polynomial(x, y, 1e-2),
        lambda: recorded(regression, first, 1e-2),
    )
    micro = 1e6 / STEPS
    return [
        ("Himmelblau, plain loop", f"{loop * micro:.0f} µs a step", ""),
        ("  one recorded lane / plain loop", f"{one / loop:.2f}", "≤ 1.00"),
        ("  four recorded lanes / one", f"{four / one:.2f}", "≤ 1.20"),
        ("  64 recorded lanes / one", f"{many / one:.2f}", "≤ 1.40"),
        ("  Adam, one recorded lane / plain loop", f"{adam / loop:.2f}", ""),
        ("polynomial, plain loop", f"{polynomial_loop * micro:.0f} µs a step", ""),
        ("  one recorded lane / plain loop", f"{polynomial / polynomial_loop:.2f}", "≤ 0.75"),
    ]


def _exercise_1_row() -> list[Row]:
    x, y = training_pairs()
    regression = PolynomialRegression(x, y)
    first = initial_parameters()
    runs = [(rate, 4000) for rate in RATES]
    runs += [(rate, n) for rate in (1e-1, 1e-2) for n in (100, 2000, 4000, 6000, 8000)]

    def separately() -> None:
        for rate, steps in runs:
            plain_polynomial(x, y, rate, steps)

    apart, together = medians(
        separately, lambda: recorded(regression, first, RATES, 8000), repeats=3
    )
    name = "Exercise 1: 14 plain runs / one recorded run of four lanes"
    return [(name, f"{apart / together:.1f}", "≥ 8.0")]


def _fork_row() -> list[Row]:
    long = Descent(SURFACES["himmelblau"], (1, 1), 1e-4, rule="adam", max_steps=40_000)
    long.advance_to(40_000)
    (fork,) = medians(lambda: long.fork(39_999), repeats=5)
    return [("fork of an Adam run at step 39,999", f"{fork * 1e3:.1f} ms", "≤ 20 ms")]


def _grid_row() -> list[Row]:
    surface = SURFACES["himmelblau"]
    points = torch.from_numpy(surface.grid_points(200)[2])
    bare, ours = medians(
        lambda: bare_grid(points, 300),
        lambda: recorded(surface, points, 1e-4, 300, record=False),
        repeats=5,
    )
    name = "40,000 Himmelblau lanes, 300 steps, not recorded / bare torch"
    return [(name, f"{ours / bare:.2f}", "≤ 2.00")]
