"""The course's tables from one recorded run and from fourteen, and what playing costs."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

import torch

from gdwidgets import LearningRateExplorer
from gdwidgets.core import Descent, PolynomialRegression, initial_parameters, training_pairs

RATES = (1.0, 0.1, 0.01, 0.001)
COUNTS = (100, 2000, 4000, 6000, 8000)
STEPS = 8000
ROUNDS = 5


def _course_run(learning_rate: float, num_iterations: int) -> tuple[float, float, float, float]:
    """One run as the course's reference solution makes it: a, b and c, one after the other."""
    x, y = training_pairs()
    a, b, c = (number.clone().requires_grad_() for number in initial_parameters())
    loss = torch.tensor(math.nan)
    for _ in range(num_iterations):
        loss = (a + b * x + c * x**2 - y).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            a -= learning_rate * a.grad
            b -= learning_rate * b.grad
            c -= learning_rate * c.grad
        a.grad = b.grad = c.grad = None
    return a.item(), b.item(), c.item(), loss.item()


def _fourteen_runs() -> None:
    for rate in RATES:
        _course_run(rate, 4000)
    for rate in (0.1, 0.01):
        for count in COUNTS:
            _course_run(rate, count)


def _one_run() -> Descent:
    x, y = training_pairs()
    descent = Descent(PolynomialRegression(x, y), initial_parameters(), RATES, max_steps=STEPS)
    descent.advance_to(STEPS)
    return descent


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def _play() -> float:
    """Seconds for 8,000 steps at full speed through the clock, every frame drawn."""
    explorer = LearningRateExplorer(max_steps=STEPS, speed=math.inf)
    began = time.perf_counter()
    explorer.play()
    while explorer.playing:  # noqa: ASYNC110 - what a notebook's loop does between cells
        await asyncio.sleep(0.001)
    taken = time.perf_counter() - began
    assert explorer.step == STEPS
    explorer.close()
    return taken


def rows() -> list[tuple[str, str, str]]:
    """Measure, all kinds of run taken in turn; the best of each is the least disturbed one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        course, once, played = [], [], []
        for number in range(ROUNDS):
            once.append(_seconds(_one_run))
            played.append(asyncio.run(_play()))
            if number < 3:
                course.append(_seconds(_fourteen_runs))
    finally:
        torch.set_num_threads(threads)
    slow, one, play = (min(times) for times in (course, once, played))
    return [
        ("Exercise 1 as the course computes it, 14 runs, s", f"{slow:.2f}", ""),
        ("Exercise 1 as one run of four lanes, s", f"{one:.2f}", ""),
        ("times faster", f"{slow / one:.1f}", ">= 8"),
        ("8,000 steps played at full speed, s", f"{play:.2f}", ""),
        ("played / computed", f"{play / one:.2f}", "<= 1.5"),
    ]
