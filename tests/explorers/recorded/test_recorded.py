"""Given losses and trajectories are shown as they are, and walked through."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gdwidgets.explorers.recorded.history import HistoryExplorer
from gdwidgets.explorers.recorded.trajectory import TrajectoryExplorer
from gdwidgets.ui.plots.named import as_color, run_of, table_of
from living import living

LOSSES = [4.0, 2.0, 3.0, 1.0]
PATH = [(1.0, 1.0), (2.0, 1.5), (2.9, 2.1), (3.0, 2.0)]


def himmelblau(u, v):
    return (u**2 + v - 11) ** 2 + (u + v**2 - 7) ** 2


@pytest.fixture
def history():
    explorer = HistoryExplorer(losses=LOSSES, title="<i>Mine</i>", color="red")
    yield explorer
    explorer.close()


@pytest.fixture
def trajectory():
    explorer = TrajectoryExplorer(trajectory=PATH)
    yield explorer
    explorer.close()


def test_a_history_holds_the_losses_and_stands_at_their_end(history):
    assert history.losses.tolist() == LOSSES
    assert (history.step, history.end, history.max_steps) == (3, 3, 3)
    panel = history.panels(fine=True)[0]
    assert panel.values[:, 0].tolist() == LOSSES
    assert history.to_dataframe().to_dict("list") == {"iteration": [0, 1, 2, 3], "loss": LOSSES}


def test_a_history_says_the_loss_and_the_lowest_before_it(history):
    said = []
    for k in range(4):
        history.seek(k)
        said.append(history.sentence_text)
    assert said == [
        "Iteration 0: loss = 4. 4 losses recorded; press Play to see how the loss goes on.",
        "Iteration 1: loss = 2. It is the lowest so far.",
        "Iteration 2: loss = 3. The lowest so far is 2, at iteration 1.",
        "Iteration 3, the last: loss = 1. It is the lowest so far.",
    ]


def test_play_goes_through_the_recording_and_ends_with_it(history):
    seen = []
    history.observe(lambda change: seen.append(change["new"]), "step")
    history.speed = math.inf
    history.play()
    assert not history.playing
    assert history.step == seen[-1] == 3
    history.step_back()
    history.step_back()
    assert history.step == 1
    history.reset()
    history.run()
    assert history.step == 3


def test_the_title_is_escaped_and_the_curve_has_the_color(history):
    assert "&lt;i&gt;Mine&lt;/i&gt;" in history.headline.value
    assert history.loss_plot.past.colors == ["#FF0000"]
    history.color = "#abc"
    assert history.loss_plot.past.colors == ["#AABBCC"]
    assert "rgb(170, 187, 204)" in history._style.value


def test_other_losses_are_shown_at_the_same_iteration(history):
    history.seek(1)
    history.losses = torch.tensor([5.0, 6.0, 7.0], requires_grad=True)
    assert (history.step, history.end) == (1, 2)
    assert "loss = 6" in history.sentence_text
    with pytest.raises(ValueError, match="losses must be 1 to"):
        history.losses = []
    assert history.losses.tolist() == [5.0, 6.0, 7.0]


@pytest.mark.parametrize("gone", [math.inf, math.nan])
def test_losses_that_diverged_are_said_and_drawn(gone):
    explorer = HistoryExplorer(losses=[1.0, 1e300, gone], loss_log=True)
    assert "The loop has diverged" in explorer.sentence_text
    assert explorer._still()
    explorer.step_back()
    assert "loss = 10³⁰⁰" in explorer.sentence_text
    explorer.close()


def test_a_trajectory_holds_the_points_and_the_function_s_values_there(trajectory):
    np.testing.assert_array_equal(trajectory.trajectory, PATH)
    expected = [himmelblau(u, v) for u, v in PATH]
    np.testing.assert_allclose(trajectory.values, expected, rtol=1e-12)
    plane, curve = trajectory.panels(fine=False)
    np.testing.assert_array_equal(plane.params[:, 0], PATH)
    np.testing.assert_allclose(curve.values[:, 0], expected, rtol=1e-12)
    assert trajectory.step == trajectory.end == 3
    assert "f(u, v) = 0. The nearest minimum, ①, is 0 away" in trajectory.sentence_text
    trajectory.seek(0)
    away = math.hypot(2, 1)
    assert f"f(u, v) = 106. The nearest minimum, ①, is {away:.1f} away" in (
        trajectory.sentence_text
    )


def test_a_click_on_the_path_goes_to_its_step(trajectory):
    trajectory.click((2.02, 1.52))
    assert trajectory.step == 1
    trajectory.click((-5.0, -5.0))
    assert trajectory.step == 1


def test_a_trajectory_that_leaves_every_bound_is_no_error():
    explorer = TrajectoryExplorer(trajectory=[(0, 0), (1e200, 1), (math.nan, 2)])
    assert "the point is not finite" in explorer.sentence_text
    explorer.step_back()
    assert "f(u, v) = ∞" in explorer.sentence_text
    assert explorer._still()
    explorer.close()


def test_the_map_has_the_colors_of_the_colormap(trajectory):
    trajectory.cmap = "viridis"
    import matplotlib as mpl

    wanted = (mpl.colormaps["viridis"]([0.0, 1.0])[:, :3] * 255).round()
    np.testing.assert_allclose(trajectory.map.ground.shade.table(256)[[0, -1]], wanted, atol=1)
    with pytest.raises(ValueError, match="did you mean 'viridis'"):
        trajectory.cmap = "virdis"
    assert trajectory.cmap == "viridis"
    np.testing.assert_array_equal(table_of("gray")(3), [[0] * 3, [128] * 3, [255] * 3])


@pytest.mark.parametrize(
    ("color", "wanted"),
    [
        ("blue", "#0000FF"),
        ("g", "#008000"),
        ("C0", "#1F77B4"),
        ("tab:orange", "#FF7F0E"),
        ((1, 0.5, 0), "#FF8000"),
        ("rebeccapurple", "#663399"),
    ],
)
def test_colors_are_those_that_matplotlib_knows(color, wanted):
    assert as_color(color, "color") == wanted


def test_a_color_can_be_read_on_either_ground():
    black, yellow = run_of("#000000"), run_of("#FFFF00")
    assert black.colour == black.text == "#000000"
    assert black.on_dark > "#707070"
    assert yellow.on_dark == "#FFFF00"
    assert yellow.text < "#808000"


def test_closing_leaves_no_widget():
    before = set(living())
    for explorer in (HistoryExplorer(losses=LOSSES), TrajectoryExplorer(trajectory=PATH)):
        explorer.unfold("Tables")
        explorer.unfold("Settings")
        explorer.close()
    assert set(living()) == before


@pytest.mark.parametrize("make", [HistoryExplorer, TrajectoryExplorer])
def test_there_is_no_code_of_numbers_that_were_given(make):
    explorer = make()
    with pytest.raises(ValueError, match="there is no code"):
        explorer.code()
    with pytest.raises(TypeError, match="did you mean"):
        make(loses=[1.0], trajectry=[(0, 0)])
    explorer.close()
