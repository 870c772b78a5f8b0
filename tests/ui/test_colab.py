"""What is asked of Google Colab, with a stand-in for its module: Colab itself cannot run here."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from gdwidgets.ui.colab import allow_widgets

IN_COLAB = """
import sys, types
sys.modules["google.colab"] = types.ModuleType("google.colab")
sys.modules["google.colab.output"] = output = types.ModuleType("google.colab.output")
output.enable_custom_widget_manager = lambda: print("asked")
import gdwidgets.core
print("core")
from gdwidgets import HimmelblauExplorer, SurfaceExplorer
"""


def test_colab_is_asked_once_when_an_explorer_is_imported():
    done = subprocess.run(
        [sys.executable, "-c", IN_COLAB], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["core", "asked"]


@pytest.mark.parametrize("colab", [None, types.ModuleType("google.colab")])
def test_where_it_cannot_be_asked_nothing_is_raised(monkeypatch, colab):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    if colab is not None:
        monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.delitem(sys.modules, "google.colab.output", raising=False)
    allow_widgets()
