"""What watching costs a loop: plain and watched, side by side."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import torch

from gdwidgets.core import PolynomialRegression, training_pairs
from gdwidgets.core.watching.watch import Watch, watch
from tests.benchmarks.core_cost import Row, medians, plain_himmelblau, plain_polynomial

STEPS = 300
REPEATS = 15


def network(steps: int = 60) -> float:
    """A small network and an optimizer, as a course's next unit has them."""
    model = torch.nn.Sequential(
        torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(),
        torch.nn.Linear(64, 1),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x = torch.linspace(-1, 1, 64 * 32).reshape(64, 32)
    loss = torch.tensor(0.0)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (model(x) - 1).square().mean()
        loss.backward()
        optimizer.step()
    return loss.item()


def watched(function: Callable[[], object]) -> Callable[[], object]:
    """The same loop under a watch."""
    return lambda: watch(function)


def rows() -> list[Row]:
    """(what, measured, target)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*_loop_rows(), *_progress_row(), *_diagnosis_row()]
    finally:
        torch.set_num_threads(threads)


def _loop_rows() -> list[Row]:
    regression = PolynomialRegression(*training_pairs())
    x, y = regression.x, regression.y
    loops: list[tuple[str, Callable[[], object], int, str]] = [
        ("Himmelblau", lambda: plain_himmelblau(STEPS), STEPS, "≤ 2.00"),
        ("polynomial", lambda: plain_polynomial(x, y, 1e-2, STEPS), STEPS, "≤ 2.00"),
        ("network of 6,337 parameters, Adam", network, 60, "≤ 2.00"),
    ]  # fmt: skip
    found = []
    for name, loop, steps, target in loops:
        plain, seen = medians(loop, watched(loop), repeats=REPEATS)
        micro = 1e6 / steps
        found += [
            (f"{name}, plain loop", f"{plain * micro:.0f} µs a step", ""),
            ("  watched", f"{seen * micro:.0f} µs a step", ""),
            ("  watched / plain", f"{seen / plain:.2f}", target),
        ]
    return found


def _progress_row() -> list[Row]:
    """The part of a loop's time that a slow picture takes."""
    spent = 0.0

    def draw(_: Watch) -> None:
        nonlocal spent
        begin = perf_counter()
        while perf_counter() - begin < 0.03:
            pass
        spent += perf_counter() - begin

    begin = perf_counter()
    watch(plain_himmelblau, 20_000, on_progress=draw)
    part = spent / (perf_counter() - begin)
    return [("on_progress of 30 ms, part of the loop's time", f"{100 * part:.1f} %", "≤ 5 %")]


def _diagnosis_row() -> list[Row]:
    from gdwidgets.core import SURFACES
    from gdwidgets.core.diagnosis.diagnose import diagnose
    from gdwidgets.core.diagnosis.records import Reference

    reference = Reference(SURFACES["himmelblau"], (1, 1), 5e-4)
    record = watch(plain_himmelblau, STEPS).loop
    (taken,) = medians(lambda: diagnose(record, reference), repeats=REPEATS)
    return [
        ("diagnosis of 300 steps, the reference's run included", f"{taken * 1e3:.0f} ms", "≤ 50")
    ]
