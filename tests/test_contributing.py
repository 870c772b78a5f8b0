"""The examples in CONTRIBUTING.md and README.md run as they stand."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def namespace(monkeypatch):
    """What an example is executed in: a module of its own, as a dataclass needs."""
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    return module.__dict__


def _examples(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(_examples("CONTRIBUTING.md"))))
def test_a_worked_example_runs_and_ends(number, namespace):
    exec(compile(_examples("CONTRIBUTING.md")[number], "CONTRIBUTING.md", "exec"), namespace)
    explorer = namespace["explorer"]
    assert explorer.step == explorer.end
    assert explorer.problem == ""
    assert "Step" in explorer.sentence_text
    explorer.close()


def test_the_examples_of_the_readme_run_one_after_another(namespace, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for source in _examples("README.md"):
            exec(compile(source, "README.md", "exec"), namespace)
    assert "uphill" in printed.getvalue()
    assert "<svg" in (tmp_path / "too_fast.svg").read_text(encoding="utf-8")
    assert len(namespace["training"].to_dataframe()["step"].unique()) == 100
