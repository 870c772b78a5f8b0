"""AutogradExplorer without a browser: the walk, the switches, the words, bad input."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from gdwidgets import AutogradExplorer
from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.presets import CHAINS, PRESET_NAMES
from gdwidgets.explorers.autograd.layout import MOST_COLUMNS, place

TABLE = """\
step | direction | node   | value | incoming | .grad
-------------------------------------------------------
1    | forward   | matmul | 5     |          |
2    | forward   | z      | 6     |          |
3    | forward   | sub    | 3     |          |
4    | forward   | square | 9     |          |
5    | forward   | loss   | 9     |          |
6    | backward  | loss   |       | 1        |
7    | backward  | square |       | 1        |
8    | backward  | sub    |       | 6        |
9    | backward  | z      |       | 6        |
10   | backward  | b      |       | 6        | 6
11   | backward  | matmul |       | 6        |
12   | backward  | w      |       | [12, 18] | [12, 18]"""


@pytest.fixture
def explorer():
    made = AutogradExplorer()
    yield made
    made.close()


def shown(explorer):
    """The texts in the picture, by node: value below, gradient above."""
    names = list(explorer.picture_graph.nodes)
    picture = explorer.picture
    return (
        dict(zip(names, picture.values.text, strict=True)),
        dict(zip(names, picture.gradients.text, strict=True)),
    )


# -- the walk ------------------------------------------------------------------------------------


def test_the_toy_neuron_walks_to_the_course_s_numbers(explorer):
    assert explorer.table() == TABLE
    explorer.run()
    values, gradients = shown(explorer)
    assert values["add"] == "z = 6"
    assert values["mean"] == "loss = 9"
    assert gradients["w"] == "∇ [12, 18]"
    assert gradients["b"] == "∇ 6"
    assert "w.grad = [12, 18]" in explorer.status.value


def test_values_fill_in_forward_then_gradients_come_back(explorer):
    explorer.step = 2
    values, gradients = shown(explorer)
    assert [name for name, text in values.items() if text] == ["x", "w", "b", "y", "matmul", "add"]
    assert not any(gradients.values())
    explorer.step = 7
    _, gradients = shown(explorer)
    assert [name for name, text in gradients.items() if text] == ["square", "mean"]


def test_the_sentence_says_what_a_step_did(explorer):
    assert "Press play or step" in explorer.status.value
    explorer.step = 2
    assert "Forward 2 of 5: z = matmul + b = 6." in explorer.status.value
    assert "grad_fn is AddBackward0" in explorer.status.value
    explorer.step = 7
    assert "PowBackward0 passes on 1 × 6 = 6 to sub." in explorer.status.value
    explorer.step = 11
    assert "6 × [2, 3] = [12, 18] to w" in explorer.status.value


def test_buttons_move_the_cursor(explorer):
    transport = explorer.transport
    transport.forward.click()
    transport.forward.click()
    transport.back.click()
    assert explorer.step == 1
    transport.finish.click()
    assert explorer.step == explorer.max_steps == 12
    transport.reset.click()
    assert explorer.step == 0
    transport.play.click()  # without an event loop, play goes to the end
    assert explorer.step == 12


def test_edges_of_the_step_are_drawn_thick(explorer):
    explorer.step = 2
    xs = explorer.picture.active.x
    assert len(xs) > 2
    assert explorer.picture.active.colors == ["#0072B2"]
    explorer.step = 9
    assert explorer.picture.active.colors == ["#D55E00"]


def test_a_value_used_twice_names_both_ways():
    explorer = AutogradExplorer(preset="used twice")
    explorer.run()
    assert "the sum of −1.66459 and 3.63719" in explorer.status.value
    explorer.close()


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_preset_opens_walks_and_gives_code(name):
    explorer = AutogradExplorer(preset=name)
    explorer.run()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(explorer.code(), {})
    assert "grad" in out.getvalue()
    explorer.close()


# -- switches --------------------------------------------------------------------------------------


def test_a_leaf_s_switch_takes_its_gradient_away(explorer):
    toggles = {toggle.description: toggle for toggle in explorer.controls.leaves.children}
    assert {name: toggle.value for name, toggle in toggles.items()} == {
        "x": False,
        "w": True,
        "b": True,
        "y": False,
    }
    toggles["w"].value = False
    assert explorer.requires_grad == ("b",)
    assert explorer.descent.grads["w"] is None
    toggles["x"].value = True
    assert explorer.requires_grad == ("x", "b")
    assert explorer.descent.grads["x"].tolist() == [[6.0, 6.0]]


def test_no_grad_is_answered_in_pytorch_s_words(explorer):
    explorer.controls.no_grad.value = True
    explorer.run()
    words = "element 0 of tensors does not require grad and does not have a grad_fn"
    assert words in explorer.status.value
    assert words in explorer.details.value
    assert words in explorer.table()
    assert "nothing to go back through" in explorer.status.value


def test_a_second_backward_is_refused_unless_the_graph_is_retained(explorer):
    explorer.controls.twice.value = True
    explorer.run()
    assert "Trying to backward through the graph a second time" in explorer.status.value
    assert "Specify retain_graph=True" in explorer.details.value
    explorer.controls.retain.value = True
    explorer.run()
    assert (
        "w gets [12, 18], added to what was there: now w.grad = [24, 36]" in explorer.status.value
    )


def test_detach_is_put_behind_the_selected_node(explorer):
    assert explorer.controls.detach.disabled
    explorer.select("matmul")
    assert not explorer.controls.detach.disabled
    explorer.controls.detach.value = True
    assert explorer.detached == ("matmul",)
    assert explorer.descent.grads["w"] is None
    assert "(torch.matmul(x, w)).detach()" in explorer.details.value
    explorer.controls.detach.value = False
    assert explorer.detached == ()
    assert explorer.descent.grads["w"].tolist() == [[12.0], [18.0]]


def test_the_grad_of_a_non_leaf_is_explained_at_the_node(explorer):
    explorer.select("add")
    assert "The .grad attribute of a Tensor that is not a leaf Tensor" in explorer.details.value


def test_a_new_preset_takes_its_own_switches(explorer):
    explorer.require_grad("w", on=False)
    explorer.detach("add")
    explorer.controls.preset.value = "x · x"
    assert explorer.detached == ()
    assert explorer.requires_grad is None
    assert [toggle.description for toggle in explorer.controls.leaves.children] == ["x"]
    explorer.run()
    assert shown(explorer)[1]["x"] == "∇ [2, 4, 6]"


def test_a_wrong_control_value_is_explained_and_taken_back(explorer):
    explorer.preset = "sigmoid chain"
    explorer.controls.layers.value = 31
    assert "layers must be a whole number from 1 to 30" in explorer.status.value
    assert explorer.controls.layers.value == 10


# -- nodes -----------------------------------------------------------------------------------------


def test_a_click_shows_a_node_and_a_second_click_follows_the_walk_again(explorer):
    picture = explorer.picture
    picture._clicked(picture.operations, 1)
    assert explorer.selected == "add"
    assert explorer.controls.node.value == "add"
    assert "AddBackward0" in explorer.details.value
    assert list(picture.chosen.x) == [picture._placed.points["add"][0]]
    picture._clicked(picture.operations, 1)
    assert explorer.selected == ""


def test_the_dropdown_selects_too(explorer):
    explorer.controls.node.value = "w"
    assert explorer.selected == "w"
    assert "<b>w</b>" in explorer.details.value


def test_the_details_show_what_backward_computes(explorer):
    explorer.run()
    explorer.select("matmul")
    html = explorer.details.value
    assert "w gets xᵀ @ grad_output (local derivative: x)" in html
    assert "[[2],\n [3]]" in html
    assert "[[12],\n [18]]" in html


def test_nothing_from_a_user_becomes_html():
    explorer = AutogradExplorer(lambda x: x * 2, {"x": 1.0})
    explorer.words._variables = {"mul": "<script>"}
    explorer.select("mul")
    assert "<script>" not in explorer.details.value
    explorer.close()


# -- chains ----------------------------------------------------------------------------------------


def test_bars_rise_as_the_gradient_passes_and_compare_activations():
    explorer = AutogradExplorer(preset="sigmoid chain", layers=6)
    bars = explorer.bars
    assert bars.view in explorer.side.children
    assert np.allclose(bars.bars.y, bars.y.min)
    explorer.run()
    expected = [explorer.descent.grad_output(n).item() for n in explorer.descent.nodes]
    assert np.allclose(bars.bars.y, expected, rtol=1e-5)
    assert bars.others.y.shape == (2, 7)
    assert np.allclose(bars.others.y[1], 1.0)  # relu passes 1 on everywhere
    assert bars.y.min <= min(expected)
    explorer.preset = "toy neuron"
    assert bars.view not in explorer.side.children
    explorer.close()


def test_a_cut_chain_has_no_gradient_anywhere():
    explorer = AutogradExplorer(preset="tanh chain", layers=5, detached=("tanh 3",))
    explorer.run()
    assert "does not have a grad_fn" in explorer.status.value  # x was the only tracked tensor
    assert (explorer.bars.bars.y == np.float32(explorer.bars.y.min)).all()
    assert (explorer.bars.others.y[1] == 1.0).all()  # the others are whole
    explorer.close()


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("layers", [1, 30])
def test_chains_of_any_length_are_drawn(name, layers):
    explorer = AutogradExplorer(preset=name, layers=layers)
    explorer.run()
    assert np.isfinite(explorer.bars.bars.y).all()
    explorer.close()


# -- layout ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_no_two_nodes_touch_and_every_edge_goes_right(name):
    explorer = AutogradExplorer(preset=name, layers=30)
    placed = place(explorer.descent)
    points = list(placed.points.values())
    for i, (x, y) in enumerate(points):
        assert 0 <= x < placed.columns <= MOST_COLUMNS
        assert 0 < y < placed.height
        for other in points[:i]:
            assert abs(x - other[0]) >= 1 or abs(y - other[1]) >= 0.99
    for (source, target), line in placed.edges.items():
        assert line[0] == placed.points[source]
        assert line[-1] == placed.points[target]
        before, after = placed.points[source], placed.points[target]
        assert after[0] > before[0] or after[1] > before[1]
    explorer.close()


def test_a_picture_that_is_taller_than_its_frame_says_so():
    names = [f"t{k}" for k in range(9)]
    explorer = AutogradExplorer(
        lambda **given: torch.stack(list(given.values())).sum(), dict.fromkeys(names, 1.0)
    )
    assert "Scroll the picture" in explorer.status.value
    explorer.close()


def test_a_layout_is_the_same_in_every_session():
    code = (
        "from gdwidgets import AutogradExplorer\n"
        "from gdwidgets.explorers.autograd.layout import place\n"
        "print(place(AutogradExplorer(preset='regression sample').descent))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


def test_an_edge_across_layers_passes_between_nodes():
    graph = record_graph(lambda x: torch.exp(torch.sin(torch.cos(x))) * x, {"x": 1.0})
    placed = place(graph)
    corners = placed.edges["x", "mul"]
    assert len(corners) > 6
    others = [placed.points[name] for name in ("cos", "sin", "exp")]
    assert not set(corners) & set(others)


def test_an_input_from_far_away_is_named_instead_of_drawn():
    def function(x, w):
        for _ in range(12):
            x = torch.tanh(x * w)
        return x

    explorer = AutogradExplorer(function, {"x": 1.0, "w": 0.5})
    placed = place(explorer.descent)
    assert placed.tags["mul 12"] == ("w",)
    assert ("w", "mul 12") not in placed.edges
    assert ("w", "mul") in placed.edges
    assert set(explorer.picture.tags.text) == {"w"}
    assert "Scroll the picture" not in explorer.status.value
    drawn = len(placed.edges) + sum(len(tag) for tag in placed.tags.values())
    assert drawn == len({(i, n.name) for n in explorer.descent.nodes.values() for i in n.inputs})
    explorer.close()


def test_a_graph_of_more_than_200_nodes_is_collapsed_and_says_so():
    def long(x):
        for _ in range(300):
            x = x * 1.001
        return x

    explorer = AutogradExplorer(long, {"x": 1.0})
    assert "The graph has 301 nodes, more than 200" in explorer.status.value
    assert len(explorer.picture_graph.nodes) < 40
    explorer.run()
    assert explorer.descent.grads["x"].item() == pytest.approx(1.001**300, rel=1e-4)
    assert "drawn as one" in explorer.words.sentence(13)
    explorer.close()


# -- parts that are folded away --------------------------------------------------------------------


def test_finite_differences_stand_beside_autograd(explorer):
    explorer.fold.toggles["Finite differences"].value = True
    html = explorer.fold.body.value
    assert "w[1]" in html
    assert "<td>18</td>" in html
    explorer.fold.toggles["Walk"].value = True
    assert "[12, 18]" in explorer.fold.body.value
    explorer.fold.toggles["Code"].value = True
    assert "loss.backward()" in explorer.fold.body.value


def test_code_that_cannot_be_written_is_explained():
    explorer = AutogradExplorer(lambda x: x.sum(), {"x": torch.ones(2000)})
    explorer.fold.toggles["Code"].value = True
    assert "too large to be written out" in explorer.fold.body.value
    explorer.close()


def test_the_data_frame_has_a_row_for_each_step(explorer):
    frame = explorer.to_dataframe()
    assert list(frame["step"]) == list(range(1, 13))
    assert list(frame["phase"]) == ["forward"] * 5 + ["backward"] * 7
    assert frame["grad"].iloc[-1] == [[12.0], [18.0]]
    assert frame["variable"].iloc[1] == "z"
