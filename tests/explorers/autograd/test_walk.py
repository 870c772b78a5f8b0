"""The walk through a graph: what is drawn, said and listed at each step."""

from __future__ import annotations

import contextlib
import html
import io
import re

import numpy as np
import pytest
import torch

from explorers.autograd.screen import gradients, products, ringed, values
from gdwidgets import AutogradExplorer
from gdwidgets.core.autograd.presets import CHAINS, PRESET_NAMES
from gdwidgets.explorers.autograd.lines import Line, executed, html_lines
from gdwidgets.explorers.autograd.numbers import brief, fitting, plainly, shape, written
from gdwidgets.explorers.autograd.plots import BLUE, ORANGE

TABLE = """\
step | direction | node   | value | grad_output | .grad
----------------------------------------------------------
1    | forward   | matmul | 5     |             |
2    | forward   | z      | 6     |             |
3    | forward   | sub    | 3     |             |
4    | forward   | square | 9     |             |
5    | forward   | loss   | 9     |             |
6    | backward  | loss   |       | 1           |
7    | backward  | square |       | 1           |
8    | backward  | sub    |       | 6           |
9    | backward  | z      |       | 6           |
10   | backward  | b      |       | 6           | 6
11   | backward  | matmul |       | 6           |
12   | backward  | w      |       | [12, 18]    | [12, 18]"""


def test_the_toy_neuron_walks_to_the_course_s_numbers(explorer):
    assert explorer.table() == TABLE
    explorer.run()
    assert values(explorer)["add"] == "z = 6"
    assert values(explorer)["mean"] == "loss = 9"
    assert gradients(explorer)["w"] == "w.grad = [12, 18]"
    assert gradients(explorer)["b"] == "b.grad = 6"
    assert "w.grad = [12, 18]" in explorer.sentence_text


def test_values_fill_in_forward_then_gradients_come_back(explorer):
    explorer.step = 2
    shown = [name for name, text in values(explorer).items() if text]
    assert shown == ["x", "w", "b", "y", "matmul", "add"]
    assert not any(gradients(explorer).values())
    explorer.step = 7
    assert [name for name, text in gradients(explorer).items() if text] == ["square", "mean"]


def test_the_sentence_says_what_a_step_did(explorer):
    assert "Press Play" in explorer.sentence_text
    explorer.step = 2
    assert "Forward 2 of 5: z = matmul + b = 6." in explorer.sentence_text
    assert "grad_fn is AddBackward0" in explorer.sentence_text
    explorer.step = 7
    assert "PowBackward0 passes on 6 × 1 = 6 to sub" in explorer.sentence_text
    explorer.step = 11
    assert "[2, 3] × 6 = [12, 18] to w" in explorer.sentence_text
    explorer.step = 12
    assert "from matmul: xᵀ @ grad_output" in explorer.sentence_text


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_sentence_fits_into_two_lines(name):
    explorer = AutogradExplorer(preset=name, layers=30, retain_graph=True, backward_calls=2)
    for k in range(explorer.max_steps + 1):
        assert len(explorer.words.sentence(k).replace("**", "")) <= 210
    explorer.close()


def test_the_counter_says_how_many_steps_go_which_way(explorer):
    assert "forward 5 · backward 7" in explorer.transport.counter.value
    explorer.backward_calls = 2
    assert "forward 5 · backward 8 · refused" in explorer.transport.counter.value


def test_local_times_incoming_is_printed_on_the_active_line(explorer):
    explorer.step = 11
    assert products(explorer) == ["◀ [2, 3] × 6 = [12, 18]"]
    explorer.step = 9
    assert products(explorer) == ["◀ 1 × 6 = 6"] * 2
    explorer.step = 3
    assert products(explorer) == []


RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def read(text):
    """The numbers in a text, also such as ``1.5·10⁻⁷`` and ``10³``."""
    plain = re.sub("(?:^|(?<=[^·\\d]))10(?=[⁻⁰¹²³⁴⁵⁶⁷⁸⁹])", "1e", text.replace("·10", "e"))
    return np.array(re.findall(r"[-\d.e]+", plain.translate(RAISED)), np.float64)


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_product_that_is_printed_is_one(name):
    explorer = AutogradExplorer(preset=name)
    for k in range(explorer.max_steps + 1):
        explorer.step = k
        for text in products(explorer):
            local, incoming, result = (read(part) for part in re.split("[×=]", text))
            assert np.allclose(local * incoming, result, rtol=2e-3)
    explorer.close()


def test_a_line_is_blue_on_the_way_forward_and_orange_back(explorer):
    explorer.step = 2
    assert len(explorer.drawing.active.x) > 2
    assert explorer.drawing.active.colors == [BLUE]
    assert ringed(explorer) == {"add": BLUE}
    explorer.step = 9
    assert explorer.drawing.active.colors == [ORANGE]
    explorer.step = 12
    assert ringed(explorer) == {"w": ORANGE}


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


def test_keys_move_the_cursor_and_change_the_situation(explorer):
    for key in ("forward", "forward", "back"):
        explorer.press(key)
    assert explorer.step == 1
    explorer.press("next")
    assert (explorer.preset, explorer.step) == ("x · x", 0)


def test_a_value_used_twice_names_both_ways():
    explorer = AutogradExplorer(preset="used twice")
    explorer.run()
    assert "the sum of −1.66459 and 3.63719" in explorer.sentence_text
    assert "x is used twice" in explorer.sentence_text
    explorer.close()


# -- the lines of code -----------------------------------------------------------------------------


def test_the_line_that_is_executed_is_marked(explorer):
    lines = [line.code for line in explorer.lines]
    assert lines[0] == "z = torch.matmul(x, w) + b"
    assert lines[-1] == "loss.backward()"
    marked = [executed(explorer.picture_graph, explorer.lines, k) for k in range(13)]
    assert marked == [None, 0, 0, 1, 1, 1, *[2] * 7]
    explorer.step = 4
    assert f"<div class=gdw-now title='{lines[1]}'>" in explorer.details.value


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_the_lines_beside_the_graph_compute_its_numbers(name):
    explorer = AutogradExplorer(preset=name, layers=4)
    graph = explorer.graph
    scope = {"torch": torch}
    for leaf, value in graph.values.items():
        scope[leaf] = value.clone().requires_grad_(leaf in graph.requires_grad)
    exec("\n".join(line.code for line in explorer.lines), scope)
    for leaf, grad in graph.grads.items():
        assert (scope[leaf].grad is None) == (grad is None)
        assert grad is None or torch.equal(scope[leaf].grad, grad)
    explorer.close()


def test_no_grad_and_a_second_call_are_lines(explorer):
    explorer.assign(no_grad=True, backward_calls=2, retain_graph=True)
    lines = [line.code for line in explorer.lines]
    assert lines[0] == "with torch.no_grad():"
    assert lines[1].startswith("    z = ")
    assert lines[-2:] == ["loss.backward(retain_graph=True)"] * 2


def test_of_many_lines_those_around_the_present_one_are_shown():
    explorer = AutogradExplorer(preset="tanh chain", layers=30)
    explorer.step = 20
    assert "a20 = torch.tanh(a19)" in explorer.details.value
    assert "a3 = torch.tanh(a2)" not in explorer.details.value
    assert explorer.details.value.count("⋮") == 2
    explorer.close()


# -- nodes -----------------------------------------------------------------------------------------


def test_a_click_shows_a_node_and_a_second_click_follows_the_walk_again(explorer):
    drawing = explorer.drawing
    click = {"index": 0, **dict(zip("xy", drawing._placed.points["add"], strict=True))}
    drawing._clicked("operation", click)
    assert explorer.selected == "add"
    assert "AddBackward0" in explorer.details.value
    assert "add" in ringed(explorer)
    drawing._clicked("operation", click)
    assert explorer.selected == ""
    drawing._clicked("tracked", dict(zip("xy", drawing._placed.points["w"], strict=True)))
    assert explorer.selected == "w"
    drawing._clicked("tracked", {"x": None})  # nothing that a browser sends can do harm
    assert explorer.selected == "w"
    assert "<b>w</b>" in explorer.details.value


def test_a_list_of_the_nodes_does_what_a_click_does(explorer):
    explorer.unfold("Settings")
    nodes = explorer.choice.list
    assert [label for label, _ in nodes.options][-1] == "mean (loss)"
    nodes.value = "add"
    assert explorer.selected == "add"
    explorer.select("w")
    assert nodes.value == "w"
    nodes.value = ""
    assert explorer.selected == ""
    explorer.preset = "x · x"
    assert [value for _, value in nodes.options] == ["", "x", "matmul"]


def test_the_picture_is_told_in_words(explorer):
    explorer.step = 9
    said = explorer.words.summary(9)
    assert said.startswith("Graph of 9 nodes: x = [2, 3]; w = [1, 1]; ")
    assert "add (z) = 6, gradient 6" in said
    assert said in explorer.details.value


def test_three_nodes_of_the_toy_neuron_change_nothing(explorer):
    ones = [
        name
        for name, node in explorer.graph.nodes.items()
        if node.local and all((local.value == 1).all() for _, local in node.local)
    ]
    assert ones == ["add", "sub", "mean"]


def test_the_details_show_what_backward_computes(explorer):
    explorer.run()
    explorer.select("matmul")
    html = explorer.details.value
    assert "xᵀ @ grad_output" in html
    assert "<b>[2, 3] × 6 = [12, 18]</b>" in html
    assert "5 <i>1×1 float32</i>" in html


def test_the_details_of_a_leaf_are_checked_by_finite_differences(explorer):
    explorer.run()
    assert "<b>[12, 18]</b>" in explorer.details.value
    assert "[12, 18] ✓" in explorer.details.value


def test_a_gradient_that_detach_takes_away_differs_from_finite_differences():
    explorer = AutogradExplorer(lambda x: (x * x.detach()).sum(), {"x": 3.0})
    explorer.run()  # autograd sees x · constant: 3; the function is x²: 6
    assert explorer.graph.grads["x"].item() == 3
    assert "6 ≠" in explorer.details.value
    explorer.close()


def test_the_grad_of_a_non_leaf_is_explained_at_the_node(explorer):
    explorer.select("add")
    assert "The .grad attribute of a Tensor that is not a leaf Tensor" in explorer.details.value


def test_nothing_from_a_user_becomes_html():
    explorer = AutogradExplorer(lambda x: x * 2, {"x": 1.0})
    explorer.words._variables = {"mul": "<script>"}
    explorer.select("mul")
    explorer.step = 1
    assert "<script>" not in explorer.details.value + explorer.status.value
    explorer.close()


# -- why -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_preset_opens_walks_and_gives_code(name):
    explorer = AutogradExplorer(preset=name)
    explorer.run()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(explorer.code(), {})
    assert "grad" in out.getvalue()
    explorer.close()


def test_bars_rise_as_the_gradient_passes_and_compare_activations():
    explorer = AutogradExplorer(preset="sigmoid chain", layers=6)
    explorer.unfold("Why")
    bars = explorer.bars
    assert bars.figure in bars.view.children
    assert np.allclose(bars.bars.y, bars.y.min)
    explorer.run()
    x, sizes = torch.tensor(1.0), []
    for _ in range(6):
        x = torch.sigmoid(x)
        sizes.append((x * (1 - x)).item())
    expected = [np.prod(sizes[k:]) for k in range(7)]
    assert np.allclose(bars.bars.y, expected, rtol=1e-5)
    assert bars.others.y.shape == (2, 7)
    assert np.allclose(bars.others.y[1], 1.0)  # relu passes 1 on everywhere
    assert bars.y.min <= min(expected)
    explorer.preset = "toy neuron"
    assert bars.view.children == ()
    explorer.close()


def test_a_cut_chain_has_no_gradient_anywhere():
    explorer = AutogradExplorer(preset="tanh chain", layers=5, detached=("tanh 3",))
    explorer.run()
    explorer.unfold("Why")
    assert "does not have a grad_fn" in explorer.sentence_text  # x was the only tracked tensor
    assert (explorer.bars.bars.y == np.float32(explorer.bars.y.min)).all()
    assert (explorer.bars.others.y[1] == 1.0).all()  # the others are whole
    assert "No gradient comes to the input" in explorer.fold.text.value
    explorer.close()


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("layers", [1, 30])
def test_chains_of_any_length_are_drawn(name, layers):
    explorer = AutogradExplorer(preset=name, layers=layers)
    explorer.unfold("Why")
    explorer.run()
    assert np.isfinite(explorer.bars.bars.y).all()
    explorer.close()


def test_why_multiplies_the_local_derivatives(explorer):
    explorer.unfold("Why")
    explorer.run()
    html = explorer.fold.text.value
    assert "∂loss/∂square · ∂square/∂sub · ∂sub/∂z · ∂z/∂matmul · ∂matmul/∂w" in html
    assert "1 × 6 × 1 × 1 × [2, 3] = <b>[12, 18]</b>" in html
    explorer.select("x")
    assert "No gradient comes to x" in explorer.fold.text.value
    assert "requires_grad=False" in explorer.fold.text.value


def test_why_adds_the_ways_of_a_value_used_twice():
    explorer = AutogradExplorer(preset="used twice")
    explorer.unfold("Why")
    explorer.run()
    html = explorer.fold.text.value
    assert "2 ways lead from z to x" in html
    assert "Sum: <b>1.973</b>" in html  # 2 x sin x + x² cos x at 2
    explorer.close()


def test_the_exploding_preset_grows_by_its_weight():
    explorer = AutogradExplorer(preset="exploding")
    explorer.unfold("Why")
    explorer.run()
    assert np.allclose(explorer.bars.bars.y, 1.5 ** np.arange(10, -1, -1), rtol=1e-5)
    assert np.allclose(explorer.bars.predicted.y, explorer.bars.bars.y, rtol=1e-5)
    assert "1.5 to the power 10 = 57.7" in explorer.fold.text.value
    explorer.set_number("w", 0, 0.5)
    assert "shrinks" in explorer.fold.text.value
    explorer.close()


# -- other folds -----------------------------------------------------------------------------------


def test_finite_differences_stand_beside_autograd(explorer):
    explorer.unfold("Finite differences")
    html = explorer.fold.text.value
    assert "w[1]" in html
    assert "<td>18</td>" in html
    assert "float64" in html
    explorer.unfold("Walk")
    assert "[12, 18]" in explorer.fold.text.value
    explorer.unfold("Code")
    assert "loss.backward()" in explorer.fold.text.value


def test_code_that_cannot_be_written_is_explained():
    explorer = AutogradExplorer(lambda x: x.sum(), {"x": torch.ones(2000)})
    explorer.unfold("Code")
    assert "too large to be written out" in explorer.fold.text.value
    explorer.close()


def test_the_data_frame_has_a_row_for_each_step(explorer):
    frame = explorer.to_dataframe()
    assert list(frame["step"]) == list(range(1, 13))
    assert list(frame["phase"]) == ["forward"] * 5 + ["backward"] * 7
    assert frame["grad"].iloc[-1] == [[12.0], [18.0]]
    assert frame["variable"].iloc[1] == "z"


@pytest.mark.parametrize(
    ("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_the_picture_is_saved(explorer, tmp_path, kind, start):
    explorer.step = 11
    explorer.save(tmp_path / f"graph.{kind}")
    content = (tmp_path / f"graph.{kind}").read_bytes()
    assert content.startswith(start)
    if kind == "svg":
        assert b"[2, 3]" in content or content.count(b"<path") > 20


# -- texts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (6.0, "6"),
        ([[6.0]], "6"),
        ([12.0, 18.0], "[12, 18]"),
        (-1.5e-20, "−1.5·10⁻²⁰"),
        (-0.0, "0"),
        ([1.0] * 4, "4"),
        ([[1.0, 2.0], [3.0, 4.0]], "2×2"),
    ],
)
def test_tensors_are_written_in_few_characters(numbers, text):
    assert brief(torch.tensor(numbers)) == text


def test_a_shape_is_told_from_numbers():
    pair = torch.tensor([[1.5, 2.5]])
    assert fitting(pair, lambda text: len(text) <= 10) == ("[1.5, 2.5]", False)
    assert fitting(pair, lambda text: len(text) <= 6) == ("1×2", True)
    assert fitting(pair, lambda text: len(text) <= 2) == ("…", True)
    small = torch.tensor(-0.0001324)
    assert fitting(small, lambda text: len(text) <= 8) == ("−0.00013", False)
    assert fitting(small, lambda text: "0.0" not in text) == ("−1·10⁻⁴", False)
    assert fitting(small, lambda text: len(text) <= 6) == ("…", False)
    assert shape(torch.tensor(1.0)) == "scalar"


def test_large_tensors_are_cut():
    assert written(torch.zeros(9)) == "[0, 0, 0, 0, …]"
    assert plainly(torch.zeros(2, 1)) == "[0, 0]"
    assert plainly(torch.zeros(2, 2)) == "[[0, 0],\n [0, 0]]"


def test_of_an_error_its_first_sentence_is_shown_and_all_at_a_hover():
    explorer = AutogradExplorer(backward_calls=2)
    explorer.run()
    shown, title = explorer.words.refused(), explorer.graph.refusal.words
    assert "a second time. …</p>" in shown
    assert html.escape(title, quote=True) in shown
    assert "Saved intermediate" not in shown.partition(">")[2]
    explorer.close()


def test_a_line_of_code_does_not_break_within_short_arguments():
    code = "loss = torch.square(z - y).mean()"
    assert "torch.square<span>(z - y)</span>.mean()" in html_lines([Line(code)], None)
    assert "<span>" not in html_lines([Line(f"f({'x, ' * 20})")], None)


def test_the_rows_of_a_wide_matrix_do_not_break():
    explorer = AutogradExplorer(
        lambda w: (w**2).sum(), {"w": torch.full((2, 3), 1.23456)}, situations={}
    )
    explorer.selected = "w"
    explorer.run()
    details = explorer.words.details("w", explorer.max_steps)
    assert "<td colspan=2 class=gdw-matrix><b>[[2.469, 2.469, 2.469],\n" in details
    explorer.close()


def test_that_only_leaves_keep_a_gradient_is_said_in_one_line():
    explorer = AutogradExplorer()
    explorer.run()
    note = explorer.words.details("add", explorer.max_steps).partition("<p ")[2]
    assert "that is not a leaf Tensor" in note.partition(">")[0]
    assert note.partition(">")[2].startswith("z.grad is None: only leaves keep a gradient.</p>")
    assert "<p " not in explorer.words.details("w", explorer.max_steps)
    explorer.close()


@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize("name", ["toy neuron", "regression sample", "used twice"])
def test_a_check_mark_stands_beside_equal_numbers(name, calls):
    """Every backward call adds the slope once; the slope times the calls is what is compared."""
    explorer = AutogradExplorer(preset=name, backward_calls=calls, retain_graph=True)
    explorer.run()
    for leaf in explorer.graph.requires_grad:
        html = explorer.words.details(leaf, explorer.step, explorer._nudged(leaf, explorer.step))
        held = read(re.search(r"<th>\.grad</th><td><b>(.+?)</b>", html)[1])
        check = re.search(r"<th>check</th><td>(?:(\d+) × )?(.+?) ✓ <i>by finite differences", html)
        assert int(check[1] or 1) == calls
        assert np.allclose(calls * read(check[2]), held, rtol=1e-3)
        assert f"for {calls} backward calls" in html or calls == 1
    explorer.close()


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_names_in_code_are_names(name):
    """A second power is ``pow_2``: what is written as a line of Python is one."""
    explorer = AutogradExplorer(preset=name)
    for node in explorer.graph.nodes.values():
        if node.kind == "operation":
            line = explorer.words.equation(node).replace("\u2060", "")
            compile(line.replace("(…)", "()"), "line", "exec")
            assert explorer.words.name(node.name).isidentifier()
    explorer.close()
