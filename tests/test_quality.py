"""The repository's own rules: linters, types, clean notebooks, no private paths."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOT_OURS = re.compile(r"\.git|\.?venv|build|dist|shots|__pycache__|\..*_cache|\.hypothesis|.*-info")
# What holds only on the machine where the repository was written. Spelled so that this file passes.
FORBIDDEN = {
    "a folder of one machine": re.compile(r"(?<![\w.*-])/(?:work|root)/"),
    "a folder outside the repository": re.compile(r"\.\./" + "shared"),
    "a package registry": re.compile(
        r"\b(?:pypi|pythonhosted|test\.pypi|npmjs|anaconda)\.(?:org|com)\b"
        r"|download\.pytorch\." + "org|/opt/" + "(?:pypi|wheels)"
    ),
}


def _files() -> list[Path]:
    """The repository's files: what git tracks or would, or all of them in an unpacked archive."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split("\0")
        files = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        files = [
            path
            for path in ROOT.rglob("*")
            if not any(NOT_OURS.fullmatch(part) for part in path.relative_to(ROOT).parts)
        ]
    return sorted(path for path in files if path.is_file())


FILES = _files()


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "arguments",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy", "gdwidgets")],
    ids=" ".join,
)
def test_the_tools_have_nothing_to_say(arguments):
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        pytest.fail(f"{' '.join(arguments)}\n{done.stdout}", pytrace=False)


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.suffix == ".ipynb"], ids=lambda path: path.stem
)
def test_a_notebook_is_committed_without_output(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in code if cell["outputs"]] == []
    assert [cell["execution_count"] for cell in code if cell["execution_count"] is not None] == []
    assert "widgets" not in notebook["metadata"]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what):
    found = [
        f"{_name(path)}:{number}: {line.strip()[:120]}"
        for path in FILES
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    ]
    assert found == []


def _text(path: Path) -> str:
    """A file's text, or nothing for a picture."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8")
