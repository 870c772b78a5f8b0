"""What importing gdwidgets and making explorers loads beyond torch and bqplot."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import torch, bqplot
before = set(sys.modules)
import gdwidgets
gdwidgets.{name}()
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""
EXPLORERS = (
    "HimmelblauExplorer",
    "SurfaceExplorer",
    "LearningRateExplorer",
    "AccumulationComparer",
)


@pytest.mark.parametrize("name", EXPLORERS)
def test_an_explorer_loads_no_large_library_before_it_is_needed(name):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(done.stdout.split())
    assert "gdwidgets" in loaded
    # bqplot itself imports pandas.
    assert not loaded & {"pandas", "matplotlib", "scipy", "networkx"}
