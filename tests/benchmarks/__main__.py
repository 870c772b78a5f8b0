"""Print one aligned table of all measurements."""

from __future__ import annotations

import importlib
import importlib.util
import sys

MODULES = ("core_cost", "watch_cost", "graph_cost", "frame_cost", "learning_rate_cost")
"""Modules beside this one, each with ``rows()``: (what, measured, target)."""


def main() -> None:
    """Measure and print."""
    table = [("what", "measured", "target")]
    for name in MODULES:
        module = f"{__package__}.{name}"
        if importlib.util.find_spec(module) is not None:
            table += [tuple(map(str, row)) for row in importlib.import_module(module).rows()]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for what, measured, target in table:
        line = f"{what:<{widths[0]}}   {measured:>{widths[1]}}   {target:>{widths[2]}}"
        sys.stdout.write(line.rstrip() + "\n")


if __name__ == "__main__":
    main()
