"""What one frame of a run that plays costs: messages, bytes, and kernel time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from gdwidgets import AccumulationComparer, LearningRateExplorer, SurfaceExplorer
from tests.messages import recorded_messages

LENGTHS = (10**2, 10**4, 10**6)
FRAMES = 60
ROUNDS = 5
RATE = 30
"""Frames a second while one explorer plays."""


def _frame(explorer: Any, step: int) -> None:
    """What the clock does for a frame: it moves the cursor by one, and not all text is written.

    A page that keeps up answers at once.
    """
    explorer.compute(min(step + 1, explorer.max_steps))
    explorer.place(step)
    explorer.redraw(full=False)
    explorer._gate.seen_step.value = explorer.transport.scrubber.value


def _milliseconds(explorer: Any, length: int) -> float:
    began = time.perf_counter()
    for frame in range(FRAMES):
        _frame(explorer, length - FRAMES + frame)
    return 1000 * (time.perf_counter() - began) / FRAMES


def _sent(explorer: Any, length: int) -> tuple[float, int, float]:
    """Messages and bytes of a frame: the mean of the first, the most and the mean of the other."""
    _frame(explorer, length - FRAMES - 1)
    counts, sizes = [], []
    for frame in range(FRAMES):
        with recorded_messages() as sent:
            _frame(explorer, length - FRAMES + frame)
        counts.append(len(sent))
        sizes.append(sent.bytes)
    return statistics.mean(counts), max(sizes), statistics.mean(sizes)


def rows() -> list[tuple[str, str, str]]:
    """Measure the surface explorer at three lengths, taken in turn, and the others at one."""
    made: dict[str, tuple[Callable[[], Any], int]] = {
        f"surface, {length:,} steps": (
            lambda length=length: SurfaceExplorer(
                "rosenbrock", learning_rate=1e-7, max_steps=length, future=length < 10**6
            ),
            length,
        )
        for length in LENGTHS
    }
    made["learning rates, 4 × 4,000 steps"] = (LearningRateExplorer, 4000)
    made["comparer, 1,000 steps"] = (lambda: AccumulationComparer(max_steps=1000), 1000)
    explorers = {}
    for name, (make, length) in made.items():
        explorer = make()
        explorer.run()
        explorers[name] = (explorer, length)
    times: dict[str, list[float]] = {name: [] for name in explorers}
    for _ in range(ROUNDS):
        for name, (explorer, length) in explorers.items():
            times[name].append(_milliseconds(explorer, length))
    table = []
    for name, (explorer, length) in explorers.items():
        messages, most, mean = _sent(explorer, length)
        cost = statistics.median(times[name])
        table += [
            (f"messages of a frame: {name}", f"{messages:.1f}", "≤ 5"),
            (f"bytes of a frame, mean (most): {name}", f"{mean:,.0f} ({most:,})", "≤ 6,000"),
            (f"kernel ms of a frame: {name}", f"{cost:.2f}", ""),
            (f"of a core at {RATE} frames/s: {name}", f"{cost * RATE / 10:.1f} %", "≤ 10 %"),
        ]
        explorer.close()
    return table
