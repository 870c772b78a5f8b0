"""The examples in CONTRIBUTING.md and README.md run as they stand."""

from __future__ import annotations

import ast
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
    assert "ends at minimum ①; your guess was minimum ②" in printed.getvalue()
    assert "<svg" in (tmp_path / "almost_there.svg").read_text(encoding="utf-8")
    assert len(namespace["training"].to_dataframe()["step"].unique()) == 100


def test_the_ways_through_the_code_name_what_exists():
    """Every ``Class.method`` in CONTRIBUTING is defined in a class of that name."""
    defined = {
        f"{found.name}.{part.name}"
        for path in (ROOT / "gdwidgets").rglob("*.py")
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(found, ast.ClassDef)
        for part in found.body
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]\w+\.\w+)", text))
    assert len(named) >= 10
    assert named <= defined


def test_the_rows_of_the_core_import_only_the_rows_below():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawn = text.split("torch and numpy only\n")[1].split("```")[0].splitlines()
    rows = [re.findall(r"\w+", re.split(r"(?<=\w) {3,}(?=\w)", row.strip())[0]) for row in drawn]
    level = {name: len(rows) - i for i, row in enumerate(rows) for name in row}
    core = ROOT / "gdwidgets" / "core"
    rooms = {path.stem for path in core.iterdir() if path.stem[0] not in "_."}
    assert set(level) == rooms
    for path in core.glob("*/*.py"):
        here = path.parent.name
        for other in re.findall(
            r"^from gdwidgets\.core\.(\w+)", path.read_text("utf-8"), re.MULTILINE
        ):
            assert other == here or level[other] < level[here], f"{here} imports {other}"
