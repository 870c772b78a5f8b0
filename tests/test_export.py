"""``python -m gdwidgets.export``, and what `save_html` refuses."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from gdwidgets import HimmelblauExplorer, SurfaceExplorer, export
from gdwidgets.ui.pictures.exported import FRAMES, frames_of

CELLS = (
    "from gdwidgets import SurfaceExplorer",
    "ex = SurfaceExplorer(max_steps=20)\nex",
    "SurfaceExplorer('rosenbrock', max_steps=5)",
)


def test_a_folder_of_notebooks_becomes_pages_with_pages_for_explorers(
    tmp_path, capsys, monkeypatch
):
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    import nbformat  # here: it takes seconds, in each process of the tests

    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    given = tmp_path / "lesson" / "one.ipynb"
    given.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), given)
    before = given.read_bytes()
    site = tmp_path / "site"
    export.main([str(given.parent), "--to", str(site)])
    assert capsys.readouterr().out.strip() == str(site / "one.html")
    page = (site / "one.html").read_text(encoding="utf-8")
    for number in (1, 2):
        assert f'src="one_files/{number}.html"' in page
        assert "Bokeh" in (site / "one_files" / f"{number}.html").read_text(encoding="utf-8")
    assert "children=" not in page
    assert given.read_bytes() == before


@pytest.mark.parametrize("end", [1, 399, 400, 4_000, 1_000_000])
@pytest.mark.parametrize("log", [False, True])
def test_a_page_holds_the_first_and_the_last_step_and_no_more_than_it_can(end, log):
    steps = frames_of(end, log=log)
    assert (steps[0], steps[-1]) == (0, end)
    assert len(steps) <= FRAMES
    assert np.all(np.diff(steps) > 0)
    if end < FRAMES:
        assert steps == list(range(end + 1))


def test_a_long_run_s_page_is_small():
    explorer = SurfaceExplorer("rosenbrock", learning_rate=1e-4, max_steps=4_000)
    assert len(explorer.html()) <= 3_000_000
    assert explorer.step == 0
    explorer.close()


def test_another_ending_is_refused(tmp_path):
    explorer = HimmelblauExplorer()
    with pytest.raises(ValueError, match="path's ending"):
        explorer.save_html(tmp_path / "run.png")
    explorer.close()


def test_without_bokeh_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "bokeh.embed", None)
    explorer = HimmelblauExplorer(max_steps=3)
    with pytest.raises(ImportError, match=r"gdwidgets\[html\]"):
        explorer.save_html(tmp_path / "run.html")
    assert list(tmp_path.iterdir()) == []
    explorer.close()
