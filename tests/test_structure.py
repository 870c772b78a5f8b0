"""The rooms of the package: which may import which, and that no two modules import each other."""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gdwidgets"


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in PACKAGE.rglob("*.py")}


@functools.cache  # not on import: each process of the tests would do it
def _trees() -> dict[str, ast.Module]:
    return {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}


def _imported(module: str) -> set[str]:
    """Modules of the package that a module names in an import, wherever it stands in the file."""
    found = set()
    for node in ast.walk(_trees()[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else str(node.module) for name in names}
    return {name for name in found if name in MODULES} - {module}


@functools.cache
def _imports() -> nx.DiGraph:
    return nx.DiGraph([(module, other) for module in MODULES for other in _imported(module)])


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_no_modules_import_each_other():
    assert list(nx.simple_cycles(_imports())) == []


def test_no_folders_import_each_other():
    """Folders inside a room are one-way too: core/rules knows nothing of core/descent."""
    folders = nx.DiGraph()
    for module, other in _imports().edges:
        here, there = (_folder(name) for name in (module, other))
        if here and there and here != there:
            folders.add_edge(here, there)
    assert list(nx.simple_cycles(folders)) == []


def _folder(module: str) -> str:
    """``core.rules`` of ``gdwidgets.core.rules.names``; empty for a file that lies in a room."""
    path = MODULES[module]
    parts = path.parent.relative_to(PACKAGE).parts
    return ".".join(parts) if len(parts) > 1 else ""


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("gdwidgets.core", ("gdwidgets.ui", "gdwidgets.explorers")),
        ("gdwidgets.ui", ("gdwidgets.explorers",)),
    ],
)
def test_imports_run_one_way(room, forbidden):
    wrong = [
        f"{module} -> {other}"
        for module, other in _imports().edges
        if _room(module) == room and _room(other) in forbidden
    ]
    assert wrong == []


def test_explorers_do_not_import_each_other():
    def home(module: str) -> str:
        return ".".join(module.split(".")[:3])

    wrong = [
        f"{module} -> {other}"
        for module, other in _imports().edges
        if _room(module) == _room(other) == "gdwidgets.explorers"
        and home(module) != home(other)
        and other != "gdwidgets.explorers"
    ]
    assert wrong == []


def test_the_core_needs_torch_and_numpy_only():
    allowed = {"torch", "numpy", "gdwidgets"}
    stdlib = sys.stdlib_module_names
    wrong = []
    for module, tree in _trees().items():
        if _room(module) != "gdwidgets.core":
            continue
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            wrong += [
                f"{module}: {name}" for name in names if name.split(".")[0] not in allowed | stdlib
            ]
    assert wrong == []


def test_each_setting_is_declared_once():
    """A setting that several explorers have comes from a base class or from a factory."""
    declared: dict[str, list[str]] = {}
    for module, tree in _trees().items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
                continue
            if getattr(node.value.func, "id", "") == "Setting" and len(node.value.args) > 1:
                # What it takes and what it is said to do: its default may be each explorer's own.
                words = [ast.unparse(k.value) for k in node.value.keywords if k.arg != "control"]
                check = ast.unparse(node.value.args[1])
                what = f"{ast.unparse(node.targets[0])}: {check} {words}"
                declared.setdefault(what, []).append(f"{module}:{node.lineno}")
    assert len(declared) > 40
    assert [places for places in declared.values() if len(places) > 1] == []
