"""Every notebook runs from its first cell to its last, in the interpreter that runs the tests.

The numbers that it states then are compared with those of plain torch: see ``notebook_claims``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from notebook_claims import BARE, CLAIMS, CODE, check

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("**/*.ipynb"))
CELL_TIMEOUT = 120  # seconds; the slowest cell of the course's exercises takes a few


CELLS = {
    path.stem: [
        (cell["cell_type"], "".join(cell["source"]))
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    ]
    for path in NOTEBOOKS
}


@pytest.mark.parametrize("name", CELLS)
def test_every_question_has_an_answer_of_its_own(name):
    text = "\n".join(source for _, source in CELLS[name])
    parts = re.split(r"\*\*Question (\d+)\.\*\*", text)
    assert list(map(int, parts[1::2])) == list(range(1, len(parts) // 2 + 1))
    assert ["Compare with this answer" in part for part in parts[2::2]] == [True] * (
        len(parts) // 2
    )


def test_running_all_cells_of_the_lecture_changes_no_explorer_above():
    """An explorer that a question is about is left as its own cell shows it."""
    shown = []
    for kind, source in CELLS["lecture"]:
        if kind == "code":
            touched = [name for name in shown if re.search(rf"\b{name}\.\w", source)]
            assert not touched or f"{touched[0]}.watch()" in source
            shown += re.findall(r"^(\w+) = \w+(?:Explorer|Comparer)\(", source, re.MULTILINE)
    assert len(shown) == 14


def test_there_are_notebooks():
    assert NOTEBOOKS, f"no notebooks in {FOLDER}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_without_error(path, tmp_path, monkeypatch):
    import nbformat  # here: these take seconds, in each process of the tests
    from nbclient import NotebookClient

    # A kernel the user has installed under the same name must not stand in for this interpreter.
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        startup_timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute()
    text = text_of(notebook)
    for claim, compute in CLAIMS[path.stem].items():
        check(text, claim, compute())
    said = "\n".join(prose_of(notebook))
    assert not BARE.findall(CODE.sub("", said)), "numbers are written as on the screen: −1.5·10⁻⁷"


def prose_of(notebook):
    """Questions and answers: what is set as text, not as output of Python."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
        else:
            yield from (output.get("data", {}).get("text/markdown", "") for output in cell.outputs)


def text_of(notebook):
    """What a reader sees of an executed notebook, without pictures."""
    printed = [out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", ())]
    return "\n".join([*prose_of(notebook), *printed])
