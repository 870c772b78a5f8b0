"""Print one aligned table of measurements: of all that are quick, or of those that are named.

``python -m tests.benchmarks live`` drags in a real browser: a minute. ``classroom`` plays in
several kernels at once, ``hub`` and ``voila`` behind a JupyterHub and a Voilà: some minutes each,
and ``hub 1 4`` measures only classes of one and of four. ``visitor`` uses every
control at its ends, runs of a million steps included: some minutes.
"""

from __future__ import annotations

import importlib
import sys

QUICK = ("core_cost", "watch_cost", "graph_cost", "frame_cost", "learning_rate_cost")
"""Modules beside this one, each with ``rows()``: (what, measured, target)."""

SIZED = ("classroom", "hub", "voila")
"""Such modules whose ``rows`` takes the sizes of the classes; measured only when they are named."""

SLOW = ("live", "visitor", *SIZED)
"""All that are measured only when they are named."""


def main(given: list[str]) -> None:
    """Measure and print."""
    names = [word for word in given if not word.isdigit()]
    sizes = [int(word) for word in given if word.isdigit()]
    unknown = [name for name in names if name not in QUICK + SLOW]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(QUICK + SLOW)}")
    table = [("what", "measured", "target")]
    for name in names or QUICK:
        module = importlib.import_module(f"{__package__}.{name}")
        rows = module.rows(sizes) if sizes and name in SIZED else module.rows()
        table += [tuple(map(str, row)) for row in rows]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for what, measured, target in table:
        line = f"{what:<{widths[0]}}   {measured:>{widths[1]}}   {target:>{widths[2]}}"
        sys.stdout.write(line.rstrip() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
