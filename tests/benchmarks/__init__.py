"""Measurements, printed by ``python -m tests.benchmarks``; nothing here passes or fails."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # what the browser tests import from
