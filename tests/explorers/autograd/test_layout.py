"""Where nodes, lines and texts go: nothing touches, nothing is clipped, everything is legible."""

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from matplotlib.ft2font import FT2Font

from explorers.autograd.screen import gradients, products, values
from gdwidgets import AutogradExplorer
from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.presets import PRESET_NAMES
from gdwidgets.explorers.autograd.layout import MOST_COLUMNS, curve, place
from gdwidgets.explorers.autograd.names import name_width, shortened
from gdwidgets.explorers.autograd.plots import HEIGHT, LEAST_ROW, WIDTH, sizes
from gdwidgets.explorers.autograd.spots import across, dotted, rectangles
from graphs import recorded


def _no_two_nodes_touch(placed):
    points = list(placed.points.values())
    for i, (x, y) in enumerate(points):
        assert 0 <= x < placed.columns <= MOST_COLUMNS
        assert 0 < y < placed.height
        for other in points[:i]:
            assert abs(x - other[0]) >= 1 or abs(y - other[1]) >= 0.999


def _every_line_goes_right_from_node_to_node(placed):
    for edge in placed.edges:
        before, after = placed.points[edge.source], placed.points[edge.target]
        assert after[0] > before[0] or after[1] > before[1]
        line = curve(edge, 0.1)
        assert np.allclose(line[0], before)
        assert np.allclose(line[-1], (after[0], after[1] + 0.1))
        assert line[-2][1] == pytest.approx(line[-1][1])  # an arrow head points to the right


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_no_two_nodes_touch_and_every_line_goes_right(name):
    placed = place(recorded(name, 30))
    _no_two_nodes_touch(placed)
    _every_line_goes_right_from_node_to_node(placed)


@st.composite
def functions(draw):
    """A function of x and w that combines earlier results at random."""
    steps = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25))

    def function(x, w):
        known = [x, w]
        for one, two in steps:
            known.append(known[one % len(known)] * 0.5 + known[two % len(known)])
        return sum(known[2:])

    return function


@given(functions())
@hypothesis_settings(deadline=None, max_examples=30)
def test_any_graph_is_laid_out(function):
    graph = record_graph(function, {"x": 1.0, "w": 2.0})
    placed = place(graph)
    _no_two_nodes_touch(placed)
    _every_line_goes_right_from_node_to_node(placed)
    wanted = sorted((i, n.name) for n in graph.nodes.values() for i in n.inputs)
    drawn = [(edge.source, edge.target) for edge in placed.edges]
    named = [(i, n) for n, sources in placed.tags.items() for i in sources]
    far = [pair for pair in wanted if pair in named]
    assert sorted(drawn + far) == wanted


def test_a_chain_of_operations_is_straight():
    placed = place(recorded())
    heights = [placed.points[name][1] for name in ("matmul", "add", "sub", "square", "mean")]
    assert max(heights) - min(heights) < 0.05


def test_two_uses_are_two_lines():
    placed = place(recorded("x · x"))
    assert [(edge.nth, edge.port) for edge in placed.edges] == [(0, -1.0), (1, 1.0)]


def test_a_layout_is_the_same_in_every_session():
    code = (
        "from gdwidgets import AutogradExplorer\n"
        "from gdwidgets.explorers.autograd.layout import place\n"
        "print(place(AutogradExplorer(preset='regression sample').graph))"
    )
    sessions = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    first, second = (session.communicate()[0] for session in sessions)
    assert "Placed(" in first
    assert first == second


def test_networkx_comes_only_when_a_graph_is_drawn():
    code = "import sys, gdwidgets.explorers.autograd.explorer\nprint('networkx' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False"


def test_an_edge_across_layers_passes_between_nodes():
    placed = place(record_graph(lambda x: torch.exp(torch.sin(torch.cos(x))) * x, {"x": 1.0}))
    edge = next(e for e in placed.edges if (e.source, e.target) == ("x", "mul"))
    assert len(edge.stops) > 3
    for name in ("cos", "sin", "exp"):
        x, y = placed.points[name]
        stop = next(stop for stop in edge.stops if stop[0] == x)
        assert abs(stop[1] - y) >= 0.5


def test_an_input_from_far_away_is_named_instead_of_drawn():
    def function(x, w):
        for _ in range(12):
            x = torch.tanh(x * w)
        return x

    explorer = AutogradExplorer(function, {"x": 1.0, "w": 0.5})
    placed = place(explorer.graph)
    drawn = {(edge.source, edge.target) for edge in placed.edges}
    assert placed.tags["mul 12"] == ("w",)
    assert ("w", "mul 12") not in drawn
    assert ("w", "mul") in drawn
    assert set(explorer.drawing.tags.text) == {"w"}
    explorer.close()


# -- sizes -----------------------------------------------------------------------------------------


def test_two_nodes_fill_the_frame():
    assert sizes(2, 1.0, 1.0).node >= 90


@given(
    st.integers(1, MOST_COLUMNS), st.floats(1.0, HEIGHT / LEAST_ROW), st.sampled_from([1.0, 1.4])
)
def test_no_text_is_below_13_pixels_and_no_nodes_touch(columns, rows, scale):
    found = sizes(columns, rows, scale)
    assert found.font >= 13 * scale
    assert found.symbol >= 13 * scale
    assert found.node < found.down
    assert found.node < found.across or scale > 1


@functools.cache
def letters_width(text, bold=True):
    """The width of a text at 1 pixel, as DejaVu Sans's own files tell it."""
    name = "DejaVuSans-Bold" if bold else "DejaVuSans"
    font = FT2Font(str(Path(mpl.get_data_path()) / f"fonts/ttf/{name}.ttf"))
    font.set_size(100, 72)
    font.set_text(text)
    return font.get_width_height()[0] / 64 / 100


@pytest.mark.parametrize("size", ["normal", "large"])
@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_name_fits_its_node_with_a_margin(name, size):
    drawing = (explorer := AutogradExplorer(preset=name, size=size)).drawing
    font = drawing.symbols.default_size
    assert font >= 13 * (1.4 if size == "large" else 1.0)
    width = dict(zip(explorer.picture_graph.nodes, drawing.symbols.text, strict=True))
    for kind, mark in drawing.nodes.items():
        # bqplot: skew is the logarithm of width to height, size the area.
        area = mark.default_size * (1 if mark.marker == "rectangle" else 4 / math.pi)
        wide = math.sqrt(area * 10**mark.default_skew)
        assert wide < 0.87 * drawing._sizes.across
        for node in drawing._names[kind]:
            assert letters_width(width[node]) * font <= 0.9 * wide
    explorer.close()


@given(st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=12))
def test_the_estimated_width_of_a_name_is_none_too_small(text):
    assert letters_width(text) <= name_width(text)
    assert name_width(shortened(text, 3.0)) <= 3.0


LABELS = " =.,…[]×+−·∇◀_0123456789⁻⁰¹²³⁴⁵⁶⁷⁸⁹abdgrwxyzE"


@given(st.text(LABELS, min_size=1, max_size=20), st.booleans())
def test_the_estimated_width_of_a_label_is_none_too_small(text, bold):
    assert letters_width(text, bold) <= name_width(text, bold=bold) + 0.01


def texts_shown(drawing, wide):
    """Text, middle, and half the width and height of every label, in pixels."""
    across, down = wide / drawing._placed.columns, drawing._sizes.down
    found = []
    for mark in (drawing.tags, drawing.values, drawing.gradients):
        font = mark.default_size
        for x, y, text in zip(mark.x, mark.y, mark.text, strict=True):
            if text and drawing.y.min < y < drawing.y.max:
                half = letters_width(str(text), mark.font_weight == "bold") * font / 2
                found.append((str(text), x * across, y * down, half, 0.42 * font))
    return found


def nodes_shown(drawing, wide):
    """Middle, and half the width and height of every node, in pixels."""
    across, down = wide / drawing._placed.columns, drawing._sizes.down
    found = []
    for mark in drawing.nodes.values():
        area = mark.default_size * (1 if mark.marker == "rectangle" else 4 / math.pi)
        half = math.sqrt(area * 10**mark.default_skew) / 2
        high = math.sqrt(area / 10**mark.default_skew) / 2
        for x, y in zip(mark.x, mark.y, strict=True):
            found.append((x * across, y * down, half, high, mark.marker == "rectangle"))
    return found


def _nothing_is_covered(drawing, wide):
    """No text lies on another, on a node it does not belong to, or outside the frame."""
    texts, nodes = texts_shown(drawing, wide), nodes_shown(drawing, wide)
    for i, (text, x, y, a, b) in enumerate(texts):
        assert -0.5 * wide / drawing._placed.columns - 20 <= x - a, text
        assert x + a <= wide - 0.5 * wide / drawing._placed.columns + 12, text
        for other, u, v, c, d in texts[:i]:
            assert abs(x - u) >= a + c or abs(y - v) >= b + d, (text, other)
        for u, v, c, d, box in nodes:
            if box and abs(x - u) < 1e-3 and abs(y - v) < d:
                assert a < c, text  # the value in a box
                continue
            assert abs(x - u) >= a + c or abs(y - v) >= b + d, (text, "node")


@pytest.mark.parametrize("wide", [WIDTH, 592, 868, 1470])
@pytest.mark.parametrize("size", ["normal", "large"])
@pytest.mark.parametrize("name", PRESET_NAMES)
def test_no_text_covers_a_node_or_another_text(name, size, wide):
    """At every step of the walk, in cells from 600 to 1800 pixels."""
    explorer = AutogradExplorer(preset=name, size=size, layers=30)
    for k in range(explorer.max_steps + 1):
        explorer.step = k
        _nothing_is_covered(explorer.drawing, wide)
    explorer.close()


@given(
    functions(),
    st.lists(st.floats(-1e4, 1e4, width=32) | st.sampled_from([1e-9, -3.21e-7]), max_size=3),
    st.floats(-9, 9, width=32),
    st.sampled_from(["normal", "large"]),
)
@hypothesis_settings(deadline=None, max_examples=20)
def test_no_text_covers_another_in_any_graph(function, x, w, size):
    explorer = AutogradExplorer(
        lambda x, w: function(x, w).sum(),
        {"x": x or 0.123456, "w": w},
        size=size,
        situations={},
        backward_calls=2,
        retain_graph=True,
    )
    for k in (explorer.max_steps // 3, 2 * explorer.max_steps // 3, explorer.max_steps):
        explorer.step = k
        _nothing_is_covered(explorer.drawing, WIDTH)
    explorer.close()


@pytest.mark.parametrize("size", ["normal", "large"])
@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_number_of_a_preset_is_written(name, size):
    explorer = AutogradExplorer(preset=name, size=size)
    explorer.run()
    assert all(text and "…" not in text for text in values(explorer).values())
    tracked = [n for n, node in explorer.graph.nodes.items() if node.requires_grad]
    assert all("…" not in gradients(explorer)[n] != "" for n in tracked)
    explorer.close()


def test_a_large_picture_shows_numbers_and_whole_names():
    explorer = AutogradExplorer(size="large")
    assert [values(explorer)[name] for name in "xwby"] == ["[2, 3]", "[1, 1]", "1", "3"]
    assert "mean" in explorer.drawing.symbols.text
    normal = AutogradExplorer()
    for kind, mark in explorer.drawing.nodes.items():
        assert mark.default_size > 1.2 * normal.drawing.nodes[kind].default_size
    explorer.close()
    normal.close()


def test_numbers_have_the_precision_of_the_details():
    explorer = AutogradExplorer()
    explorer.set_number("y", 0, -2.9)
    explorer.run()
    assert "[35.6, 53.4]" in gradients(explorer)["w"]
    assert "[35.6, 53.4]" in explorer.details.value
    explorer.close()


def test_a_gradient_stands_where_no_line_passes():
    """The tensors of the regression have free room above or below them."""
    explorer = AutogradExplorer(preset="regression sample")
    explorer.run()
    drawing = explorer.drawing
    for wide in (WIDTH, 592, 868):
        scale = np.array([wide / drawing._placed.columns, drawing._sizes.down])
        lines = [dotted(line * scale) for line in drawing._curves.values()]
        for text, x, y, a, b in texts_shown(drawing, wide):
            if ".grad" in text or y < 0:
                for line in lines:
                    beside = (abs(line[:, 0] - x) > a) | (abs(line[:, 1] - y) > b)
                    assert beside.all(), text
    assert gradients(explorer)["a"] == "a.grad = 0.1536"
    assert all("0.15" in gradients(explorer)[name] for name in "abc")
    explorer.close()


# -- rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [10, 13, 20, 30])
@pytest.mark.parametrize("size", ["normal", "large"])
def test_lines_into_the_next_row_pass_between_the_texts(layers, size):
    explorer = AutogradExplorer(preset="tanh chain", layers=layers, size=size)
    explorer.run()
    drawing = explorer.drawing
    for wide in (WIDTH, 868):
        scale = np.array([wide / drawing._placed.columns, drawing._sizes.down])
        for edge in drawing._placed.edges:
            if edge.turns:
                line = dotted(drawing._curves[edge] * scale)
                for text, x, y, a, b in texts_shown(drawing, wide):
                    beside = (abs(line[:, 0] - x) > a) | (abs(line[:, 1] - y) > b)
                    assert beside.all(), text
    explorer.close()


def _only_whole_rows_are_shown(drawing):
    low, high = drawing.y.min, drawing.y.max
    size = drawing._sizes
    for top, bottom in drawing._placed.rows:
        assert bottom <= low + 1e-6 or top >= high - 1e-6 or (low <= top and bottom <= high + 1e-6)
    for x, y in drawing._placed.points.values():
        if low < y < high:
            assert x >= 0
            assert min(y - low, high - y) * size.down > size.node / 2 + size.font


@pytest.mark.parametrize("size", ["normal", "large"])
@pytest.mark.parametrize("layers", [20, 27, 30])
def test_only_whole_rows_are_shown(layers, size):
    explorer = AutogradExplorer(preset="tanh chain", layers=layers, size=size)
    seen = set()
    for k in range(explorer.max_steps + 1):
        explorer.step = k
        _only_whole_rows_are_shown(explorer.drawing)
        name = explorer.picture_graph.steps[k - 1].node if k else "x"
        y = explorer.drawing._placed.points[name][1]
        assert explorer.drawing.y.min < y < explorer.drawing.y.max
        seen.add((explorer.drawing.y.min, explorer.drawing.y.max))
    assert (len(seen) > 1) == explorer.drawing.partly
    assert ("nodes shown" in explorer.drawing.key.value) == explorer.drawing.partly
    explorer.close()


def test_only_whole_rows_of_forty_nodes_are_shown():
    def many(x, w, b):
        for row in range(3):
            for column in range(3):
                x = torch.tanh(x * w[row, column] + b)
        return (x - 1) ** 2

    given_tensors = {"x": 0.5, "w": torch.full((3, 3), 0.9), "b": 0.1}
    explorer = AutogradExplorer(many, given_tensors)
    for k in range(explorer.max_steps + 1):
        explorer.step = k
        _only_whole_rows_are_shown(explorer.drawing)
        _nothing_is_covered(explorer.drawing, WIDTH)
    explorer.close()


def test_a_high_picture_follows_the_walk():
    names = [f"t{k}" for k in range(9)]
    explorer = AutogradExplorer(
        lambda **given: torch.stack(list(given.values())).sum(), dict.fromkeys(names, 1.0)
    )
    drawing = explorer.drawing
    assert drawing.partly
    for k in range(explorer.max_steps + 1):
        explorer.step = k
        if k:
            y = drawing._placed.points[explorer.picture_graph.steps[k - 1].node][1]
            assert drawing.y.min <= y - 0.45
            assert y + 0.45 <= drawing.y.max
        seen = [drawing.y.min < y < drawing.y.max for _, y in drawing._placed.points.values()]
        assert f"{sum(seen)} of {len(seen)} nodes shown" in drawing.key.value
        assert sum(seen) < len(seen)
    explorer.select("t0")
    assert drawing.y.min <= drawing._placed.points["t0"][1] <= drawing.y.max
    explorer.close()


def test_41_operations_are_drawn_at_a_legible_size():
    def function(x):
        for _ in range(41):
            x = torch.tanh(x)
        return x

    explorer = AutogradExplorer(function, {"x": 1.0})
    explorer.run()
    assert explorer.drawing._sizes.node >= 38
    assert all(values(explorer).values())
    assert all(gradients(explorer).values())
    explorer.close()


def test_a_graph_of_more_than_200_nodes_is_collapsed_and_says_so():
    def long(x):
        for _ in range(300):
            x = x * 1.001
        return x

    explorer = AutogradExplorer(long, {"x": 1.0}, situations={})
    assert "The graph has 301 nodes, more than 200" in explorer.sentence_text
    assert len(explorer.picture_graph.nodes) < 40
    assert explorer.max_steps < 80
    explorer.run()
    assert explorer.graph.grads["x"].item() == pytest.approx(1.001**300, rel=1e-4)
    assert "drawn as one" in explorer.words.sentence(13)
    assert len(explorer.to_dataframe()) == 601
    explorer.close()


def test_products_stay_inside_the_frame(explorer):
    size = explorer.drawing._sizes
    for k in range(13):
        explorer.step = k
        shown = products(explorer)
        for text, x in zip(shown, explorer.drawing.gradients.x[-len(shown) :], strict=False):
            left = (x + 0.5) * size.across - len(text) * 3.8
            assert left >= -20
            assert left + len(text) * 7.6 <= WIDTH + 12


@pytest.mark.parametrize("size", ["normal", "large"])
def test_no_product_lies_across_a_line_into_the_next_row(size):
    explorer = AutogradExplorer(preset="exploding", size=size)
    drawing = explorer.drawing
    shown = 0
    for k in range(explorer.max_steps + 1):
        explorer.step = k
        own = [edge for edge, _ in drawing._active_edges]
        turning = [d for edge, d in drawing._dotted.items() if edge.turns and edge not in own]
        lines = np.concatenate([*turning, np.zeros((0, 2))])
        for x, y, text in drawing.products:
            px, py = x * drawing._sizes.across, y * drawing._sizes.down
            box = rectangles(px, py, drawing._width(f"◀ {text}"), drawing._sizes.font)
            assert not across(box, lines).any(), (k, text)
            shown += 1
    assert shown > 10
    explorer.close()
