"""What importing gdwidgets and making explorers loads beyond torch and bqplot."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import torch, bqplot
before = set(sys.modules)
import gdwidgets
for name in sys.argv[1:]:
    getattr(gdwidgets, name)()
    print(name, *sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""
EXPLORERS = (
    "HimmelblauExplorer",
    "SurfaceExplorer",
    "LearningRateExplorer",
    "AccumulationComparer",
)


def test_no_explorer_loads_a_large_library_before_it_is_needed():
    # One after another in one process: what one has loaded is seen in its own line first.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *EXPLORERS],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, *_ in lines] == list(EXPLORERS)
    # bqplot itself imports pandas.
    large = {"pandas", "matplotlib", "scipy", "networkx", "sympy"}
    assert {name: large & set(loaded) for name, *loaded in lines} == {n: set() for n in EXPLORERS}
    assert all("gdwidgets" in loaded for _, *loaded in lines)
