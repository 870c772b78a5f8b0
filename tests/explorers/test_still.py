"""What a notebook keeps of an explorer: a still picture and the sentence, beside the widget."""

from __future__ import annotations

import base64
import copy
import io

import numpy as np
import pytest
from ipywidgets import VBox
from PIL import Image

from gdwidgets import (
    AccumulationComparer,
    AutogradExplorer,
    HimmelblauExplorer,
    LearningRateExplorer,
    SurfaceExplorer,
    TrainingExplorer,
)
from gdwidgets.ui.pictures.panels import CurvesPanel, MapPanel
from gdwidgets.ui.plots import palette
from gdwidgets.ui.plots.shade import Shade

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
EVERY = (
    AccumulationComparer,
    AutogradExplorer,
    HimmelblauExplorer,
    LearningRateExplorer,
    SurfaceExplorer,
    TrainingExplorer,
)


def shown(explorer):
    """The MIME types that a cell shows, and the metadata."""
    return type(explorer)._repr_mimebundle_(explorer)


def picture(explorer):
    """The still picture, (rows, columns, 3)."""
    data, _ = shown(explorer)
    png = base64.b64decode(data["image/png"])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def coloured(explorer, run):
    """How many points of the picture are nearly in a run's colour."""
    away = np.abs(picture(explorer) - palette.rgb(palette.run(run).colour)).max(axis=2)
    return int((away <= 12).sum())


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_explorer_is_shown_with_a_picture_of_at_most_60_kb_and_its_sentence(kind):
    explorer = kind()
    data, metadata = shown(explorer)
    assert data[VIEW]["model_id"] == explorer.model_id
    assert explorer.sentence_text in data["text/plain"]
    png = base64.b64decode(data["image/png"])
    assert len(png) <= 60_000
    assert Image.open(io.BytesIO(png)).width == 2 * metadata["image/png"]["width"]
    explorer.close()
    assert VIEW not in shown(explorer)[0]


def test_the_picture_follows_the_cursor():
    explorer = HimmelblauExplorer(future=False)
    at_start = coloured(explorer, 0)
    explorer.run()
    assert coloured(explorer, 0) > at_start + 500
    explorer.close()


def test_a_lane_that_diverges_has_no_fit_and_the_others_have_theirs():
    explorer = LearningRateExplorer(learning_rates=(1.0, 0.1), future=False, max_steps=300)
    explorer.run()
    (fits, losses) = explorer.panels(fine=False)
    assert not fits.drawn(0, 300)
    # What a fit is: the polynomial with the lane's present coefficients.
    wanted = np.polyval(explorer.descent.params[300, 1][::-1].astype(float), fits.grid)
    np.testing.assert_allclose(fits.fit(1, 300), wanted, rtol=1e-6)
    assert losses.limits[1] <= 50 * float(explorer.descent.loss[0].max())
    explorer.close()


@pytest.mark.parametrize("log_steps", [False, True])
def test_a_long_line_of_a_picture_is_cut_down_and_keeps_cursor_and_extremes(log_steps):
    rng = np.random.default_rng(0)
    values = rng.random((50_000, 1)) + 1
    values[33_333] = 7.0
    panel = CurvesPanel(
        values=values, last=np.array([49_999]), names=["loss"], runs=[0], log_steps=log_steps
    )
    (x, y), (later, coming) = panel.parts(0, 20_000)
    place = np.log1p if log_steps else float
    assert len(x) + len(later) < 5000
    assert (x[0], x[-1], later[0], later[-1]) == (0, *(place(k) for k in (20_000, 20_000, 49_999)))
    assert y[-1] == coming[0] == values[20_000, 0]
    assert coming.max() == 7.0
    assert y.min() == values[:20_001].min() or log_steps
    path = np.cumsum(rng.normal(size=(30_000, 1, 2)), axis=0)
    plane = MapPanel(
        across=np.array([0.0, 1.0]),
        up=np.array([0.0, 1.0]),
        heights=np.eye(2),
        shade=Shade(np.eye(2), None),
        params=path,
        last=np.array([29_999]),
        names=["run"],
        runs=[0],
    )
    (u, v), (_, up) = plane.parts(0, 12_345)
    assert len(u) < 5000
    assert (u[-1], v[-1]) == tuple(path[12_345, 0])
    assert max(v.max(), up.max()) == path[:, 0, 1].max()


def test_the_picture_can_be_left_out():
    explorer = HimmelblauExplorer(still=False)
    assert set(shown(explorer)[0]) == {VIEW, "text/plain"}
    explorer.close()


def test_a_function_that_raises_leaves_the_explorer_shown():
    calls = iter(range(10**9))
    fails = []

    def moody(u, v):
        next(calls)
        if fails:
            raise RuntimeError("not today")
        return u**2 + v**2

    explorer = SurfaceExplorer(moody, bounds=(-1, 1), start=(0.5, 0.5))
    fails.append(True)
    assert set(shown(explorer)[0]) == {VIEW, "text/plain"}
    explorer.close()


def test_a_long_run_does_not_keep_a_cell_waiting():
    explorer = LearningRateExplorer(max_steps=1_000_000)
    computed = explorer.computed
    shown(explorer)
    # As many steps as the slice allows, however quick the machine is: nothing like the whole run.
    assert computed <= explorer.computed < 100_000
    explorer.close()


def test_an_explorer_inside_another_layout_keeps_no_picture_and_one_shown_again_a_new_one():
    explorer = HimmelblauExplorer(future=False)
    inside = VBox([explorer])
    shows = getattr(type(inside), "_repr_mimebundle_", lambda _: ())  # ipywidgets 7 has none
    assert "image/png" not in shows(inside)
    first = shown(explorer)[0]["image/png"]
    explorer.run()
    assert shown(explorer)[0]["image/png"] != first
    assert explorer.picture("png").startswith(b"\x89PNG")  # what README shows instead
    inside.close()
    explorer.close()


CELLS = ("from gdwidgets import HimmelblauExplorer", "ex = HimmelblauExplorer()\nex.run()\nex")


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A notebook that was executed and saved with the state of its widgets."""
    import nbformat  # here: these take seconds, in each process of the tests
    from nbclient import NotebookClient

    folder = tmp_path_factory.mktemp("notebook")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(folder / name))
        client = NotebookClient(notebook, kernel_name="python3", store_widget_state=True)
        client.execute(cwd=str(folder))
    (output,) = notebook.cells[1].outputs
    assert output.data[VIEW]["model_id"] in notebook.metadata.widgets[STATE]["state"]
    return notebook


@pytest.mark.parametrize("exporter", ["html", "markdown"])
@pytest.mark.parametrize("state", [True, False], ids=["with state", "without state"])
def test_an_exported_notebook_shows_the_picture(executed, exporter, state):
    from nbconvert.exporters import get_exporter

    notebook = copy.deepcopy(executed)
    if not state:
        del notebook.metadata["widgets"]
    data = notebook.cells[1].outputs[0].data
    body, resources = get_exporter(exporter)().from_notebook_node(notebook)
    if exporter == "markdown":
        ((name, file),) = resources["outputs"].items()
        assert f"]({name})" in body
        assert file == base64.b64decode(data["image/png"])
    elif state:  # the page draws the widget itself, by scripts from the network
        assert f'"model_id": "{data[VIEW]["model_id"]}"' in body
    else:
        png = data["image/png"].replace("\n", "")
        assert f"data:image/png;base64,{png}" in body.replace("\n", "")
    assert "children=" not in body
