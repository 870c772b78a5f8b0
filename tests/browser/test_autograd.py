"""AutogradExplorer in a real JupyterLab: play, step, scrub, click a node, switches, reload."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from playwright.sync_api import expect

CELL = "from gdwidgets import AutogradExplorer\nex = AutogradExplorer()\nex"
DEEP = """
import torch
def many(x, w, b):
    for row in range(3):
        for column in range(3):
            x = torch.tanh(x * w[row, column] + b)
    return (x - 1)**2
deep = AutogradExplorer(many, dict(x=0.5, w=torch.full((3, 3), 0.9), b=0.1))
deep.run()
deep
"""


class GraphPage:
    """An explorer's page: its nodes by their labels, its buttons, its words."""

    def __init__(self, page, nth=0):
        self.page = page
        self.root = page.locator(".gdwidgets").nth(nth)
        self.graph = self.root.locator(".gdw-graph .bqplot")
        self.counter = self.root.get_by_text(re.compile(r"step +\d+ of \d+"))
        self.status = self.root.locator(".gdw-status")
        self.details = self.root.locator(".gdw-node")

    def ready(self):
        self.text("w").wait_for(state="attached")
        self.counter.wait_for()
        return self

    def text(self, words):
        """A text in the graph."""
        return (
            self.graph.locator("text").filter(has_text=re.compile(rf"^{re.escape(words)}$")).first
        )

    def button(self, name):
        return self.root.get_by_title(name, exact=True)

    def toggle(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def click(self, words):
        """Click the node that has these words in it."""
        box = self.text(words).bounding_box()
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


@pytest.fixture(scope="module")
def opened(notebook):
    return GraphPage(notebook.open([CELL], height=1000)).ready()


@pytest.fixture
def lab(notebook, opened):
    notebook.execute(
        "ex.preset = 'toy neuron'; ex.requires_grad = None; ex.detached = (); ex.selected = '';"
        "ex.no_grad = ex.retain_graph = False; ex.backward_calls = 1; ex.speed = 2; ex.reset()"
    )
    expect(opened.counter).to_have_text(re.compile("step +0 of 12"))
    return notebook


def test_it_opens_with_everything_in_place(lab, opened):
    lab.shot("autograd-open")
    expect(opened.status).to_contain_text("Press play or step")
    for words in ("x", "w", "b", "y", "@", "+", "^2", "mean"):
        expect(opened.text(words)).to_be_visible()
    assert opened.root.bounding_box()["height"] <= 700


def test_the_toy_neuron_is_walked_to_its_end(lab, opened):
    for _ in range(2):
        opened.button("One step forward").click()
    expect(opened.text("z = 6")).to_be_visible()
    expect(opened.text("loss = 9")).to_have_count(0)
    for _ in range(10):
        opened.button("One step forward").click()
    expect(opened.counter).to_have_text("step 12 of 12")
    expect(opened.text("loss = 9")).to_be_visible()
    expect(opened.text("∇ [12, 18]")).to_be_visible()
    expect(opened.text("∇ 6")).to_be_visible()
    expect(opened.status).to_contain_text("w.grad = [12, 18]")
    lab.shot("autograd-end")


def test_play_walks_and_pause_stops(lab, opened):
    lab.execute("ex.speed = 5")
    opened.button("Play or pause").click()
    lab.wait_value("ex.step >= 3")
    opened.button("Play or pause").click()
    lab.wait_value("ex.playing", wanted=False)
    step = lab.value("ex.step")
    assert 3 <= step < 12
    opened.page.wait_for_timeout(600)
    assert lab.value("ex.step") == step
    expect(opened.counter).to_have_text(re.compile(f"step +{step} of 12"))
    lab.execute("ex.speed = 100")
    opened.button("Play or pause").click()
    lab.wait_value("ex.step", 12)
    expect(opened.text("∇ [12, 18]")).to_be_visible()


def test_back_reset_end_and_the_scrubber(lab, opened):
    opened.button("Walk to the end").click()
    expect(opened.counter).to_have_text("step 12 of 12")
    opened.button("One step back").click()
    expect(opened.counter).to_have_text("step 11 of 12")
    expect(opened.text("∇ [12, 18]")).to_have_count(0)
    opened.button("Back to the beginning").click()
    expect(opened.counter).to_have_text(re.compile("step +0 of 12"))
    box = opened.root.locator(".noUi-handle").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 150, y, steps=8)
    opened.page.mouse.up()
    lab.wait_value("ex.step > 1")
    step = lab.value("ex.step")
    expect(opened.counter).to_have_text(re.compile(f"step +{step} of 12"))


def test_a_click_on_a_node_shows_its_details(lab, opened):
    opened.button("Walk to the end").click()
    opened.click("@")
    lab.wait_value("ex.selected", "matmul")
    expect(opened.details).to_contain_text("MmBackward0")
    expect(opened.details).to_contain_text("transposed")
    lab.shot("autograd-details")
    opened.click("w")
    lab.wait_value("ex.selected", "w")
    expect(opened.details).to_contain_text("[[12], [18]]")
    opened.click("mean")
    lab.wait_value("ex.selected", "mean")
    opened.click("mean")
    lab.wait_value("ex.selected", "")


def test_the_keyboard_chooses_a_node_too(lab, opened):
    choice = opened.root.locator("select").filter(has_text="(the present step)")
    choice.focus()
    choice.select_option("add")
    lab.wait_value("ex.selected", "add")
    expect(opened.details).to_contain_text("AddBackward0")


def test_switches_build_the_graph_anew(lab, opened):
    opened.toggle("w").click()
    lab.wait_value("ex.requires_grad", ["b"])
    opened.button("Walk to the end").click()
    expect(opened.text("∇ [12, 18]")).to_have_count(0)
    expect(opened.text("∇ 6").first).to_be_visible()
    lab.shot("autograd-w-off")
    opened.toggle("w").click()
    opened.click("+")
    lab.wait_value("ex.selected", "add")
    opened.toggle("detach").click()
    lab.wait_value("ex.detached", ["add"])
    opened.button("Walk to the end").click()
    expect(opened.status).to_contain_text("does not have a grad_fn")
    opened.toggle("detach").click()
    lab.wait_value("ex.detached", [])


def test_refusals_are_shown_in_pytorch_s_words(lab, opened):
    opened.toggle("no_grad").click()
    lab.wait_value("ex.no_grad")
    opened.button("Walk to the end").click()
    expect(opened.status).to_contain_text("element 0 of tensors does not require grad")
    lab.shot("autograd-no-grad")
    opened.toggle("no_grad").click()
    opened.toggle("backward twice").click()
    lab.wait_value("ex.backward_calls", 2)
    opened.button("Walk to the end").click()
    expect(opened.root.locator(".gdw-refused")).to_contain_text("Specify retain_graph=True")
    lab.shot("autograd-twice")
    opened.toggle("retain_graph").click()
    lab.wait_value("ex.retain_graph")
    opened.button("Walk to the end").click()
    expect(opened.text("∇ [24, 36]")).to_be_visible()


def test_the_presets_and_their_bars(lab, opened):
    expression = opened.root.locator("select").filter(has_text="toy neuron")
    expression.select_option("regression sample")
    opened.button("Walk to the end").click()
    expect(opened.text("y_pred = 0.99")).to_be_visible()
    lab.shot("autograd-regression")
    expression.select_option("used twice")
    opened.button("Walk to the end").click()
    expect(opened.status).to_contain_text("the sum of")
    lab.shot("autograd-twice-used")
    expression.select_option("sigmoid chain")
    layers = opened.root.locator("input[type=number]:visible")
    layers.fill("30")
    layers.press("Enter")
    expect(opened.counter).to_have_text(re.compile("step +0 of 61"))
    opened.button("Walk to the end").click()
    bars = opened.root.locator(".bqplot rect.bar")
    expect(bars).to_have_count(31)
    opened.page.wait_for_timeout(300)
    heights = bars.evaluate_all("all => all.map(bar => Number(bar.getAttribute('height')))")
    assert all(low < high for low, high in pairwise(heights))
    expect(opened.status).to_contain_text("e−20")
    lab.shot("autograd-chain")
    layers.fill("99")
    layers.press("Enter")
    expect(opened.status).to_contain_text("from 1 to 30")
    expect(layers).to_have_value("30")


def test_what_is_folded_away(lab, opened):
    opened.button("Walk to the end").click()
    opened.toggle("Finite differences").click()
    expect(opened.root.locator(".gdw-table")).to_contain_text("w[1]")
    lab.shot("autograd-differences")
    opened.toggle("Walk").click()
    expect(opened.root.locator("tr.gdw-now")).to_contain_text("[12, 18]")
    opened.toggle("Code").click()
    expect(opened.root.locator(".gdw-code")).to_contain_text("loss.backward()")
    opened.toggle("Code").click()


def test_forty_nodes_of_ones_own_are_legible(notebook):
    page = notebook.open(["from gdwidgets import AutogradExplorer", DEEP], height=1000)
    opened = GraphPage(page).ready()
    page.wait_for_timeout(500)
    notebook.shot("autograd-forty")
    assert opened.root.bounding_box()["height"] <= 700
    assert notebook.value("len(deep.descent.nodes)") >= 40


def test_a_reload_shows_the_same_walk(notebook):
    page = notebook.open([CELL, "ex.step = 9"], height=1000)
    opened = GraphPage(page).ready()
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    page.reload()
    opened = GraphPage(page).ready()
    expect(opened.counter).to_have_text(re.compile("step +9 of 12"))
    expect(opened.text("z = 6")).to_be_visible()
    opened.button("Walk to the end").click()
    expect(opened.text("∇ [12, 18]")).to_be_visible()
    notebook.take_errors()  # JupyterLab's own while it unloads


def test_the_dark_theme(notebook, dark_theme):
    opened = GraphPage(notebook.open([CELL, "ex.run()"], height=1000)).ready()
    expect(opened.text("∇ [12, 18]")).to_be_visible()
    notebook.shot("autograd-dark")
    colour = opened.text("z = 6").evaluate("e => getComputedStyle(e).fill")
    assert min(int(x) for x in re.findall(r"\d+", colour)[:3]) > 180


@pytest.mark.parametrize("preset", ["toy neuron", "regression sample", "tanh chain"])
def test_a_cell_of_900_pixels(notebook, preset):
    cell = f"from gdwidgets import AutogradExplorer\nex = AutogradExplorer(preset={preset!r})\nex"
    page = notebook.open([cell, "ex.layers = 30; ex.run()"], width=1010, height=1000)
    page.locator(".gdw-graph .bqplot text").first.wait_for(state="attached")
    page.wait_for_timeout(800)
    notebook.shot(f"autograd-900-{preset.split()[0]}")
    root = page.locator(".gdwidgets").first
    box = root.bounding_box()
    assert box["width"] <= 905
    assert box["height"] <= 700
    for figure in root.locator(".bqplot").all():
        inside = figure.bounding_box()
        assert inside["x"] >= box["x"] - 1
        assert inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
