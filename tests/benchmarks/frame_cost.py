"""What one frame costs at run lengths from a hundred to a million steps."""

from __future__ import annotations

import statistics
import time

from gdwidgets import SurfaceExplorer
from tests.messages import recorded_messages

LENGTHS = (10**2, 10**4, 10**6)
FRAMES = 60
ROUNDS = 5


def _frames(explorer: SurfaceExplorer, length: int) -> float:
    """Milliseconds a frame near the end of a run; each frame moves the cursor by one."""
    began = time.perf_counter()
    for frame in range(FRAMES):
        explorer.step = length - 1 - frame % 2
    return 1000 * (time.perf_counter() - began) / FRAMES


def rows() -> list[tuple[str, str, str]]:
    """Measure kernel time, messages and bytes of a frame, the lengths taken in turn."""
    explorers = {}
    for length in LENGTHS:
        explorer = SurfaceExplorer("rosenbrock", learning_rate=1e-7, max_steps=length)
        explorer.run()
        explorers[length] = explorer
    times: dict[int, list[float]] = {length: [] for length in LENGTHS}
    for _ in range(ROUNDS):
        for length, explorer in explorers.items():
            times[length].append(_frames(explorer, length))
    table = []
    for length, explorer in explorers.items():
        explorer.step = length - 1
        with recorded_messages() as sent:
            explorer.step = length - 2
        table.append((f"messages of a frame at {length:,} steps", f"{len(sent)}", "<= 12"))
        table.append((f"bytes of a frame at {length:,} steps", f"{sent.bytes:,}", "<= 16,000"))
        median = statistics.median(times[length])
        table.append((f"kernel ms of a frame at {length:,} steps", f"{median:.2f}", ""))
    shortest, longest = (statistics.median(times[length]) for length in (LENGTHS[0], LENGTHS[-1]))
    table.append(
        ("kernel time of a frame, longest run / shortest", f"{longest / shortest:.2f}", "<= 1.2")
    )
    for explorer in explorers.values():
        explorer.close()
    return table
