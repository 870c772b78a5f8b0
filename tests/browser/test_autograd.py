"""AutogradExplorer in a real JupyterLab: play, step, drag, click a node, switches, keys, reload."""

from __future__ import annotations

import re

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
        self.graph = self.root.locator(".gdw-graph")
        self.counter = self.root.locator(".gdw-counter")
        self.sentence = self.root.locator(".gdw-sentence")
        self.details = self.root.locator(".gdw-node")
        self.lines = self.root.locator(".gdw-lines")

    def ready(self):
        self.text("w").wait_for(state="attached")
        self.counter.wait_for()
        return self

    def text(self, words):
        """A text in the graph."""
        return (
            self.graph.locator("text").filter(has_text=re.compile(rf"^{re.escape(words)}$")).first
        )

    def at(self, step, of=12):
        """Wait until the counter says where the walk is."""
        expect(self.counter).to_contain_text(f"{step} of {of}")

    def button(self, name):
        return self.root.get_by_title(name, exact=True)

    def toggle(self, name):
        words = re.compile(rf"^\s*{re.escape(name)}")
        return self.root.locator(".widget-toggle-button").filter(has_text=words)

    def click(self, words):
        """Click the node that has these words in it."""
        box = self.text(words).bounding_box()
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def drag(self, handle, way, steps=8):
        """Drag the handle of a slider; what is done at each step may be looked at in between."""
        box = handle.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        for step in range(1, steps + 1):
            self.page.mouse.move(x + way * step / steps, y)
            yield step
        self.page.mouse.up()


@pytest.fixture(scope="module")
def opened(notebook):
    return GraphPage(notebook.open([CELL], height=1000)).ready()


@pytest.fixture
def lab(notebook, opened):
    notebook.execute(
        "ex.situate('toy neuron'); ex.selected = ''; ex.speed = 2; ex.size = 'normal';"
        "ex.unfold('Code'); ex.unfold('Code', False); ex.reset()"
    )
    opened.at(0)
    return notebook


def test_it_opens_with_everything_in_place(lab, opened):
    lab.shot("autograd-open")
    expect(opened.sentence).to_contain_text("Press Play")
    for words in ("x", "w", "b", "y", "@", "+", "x²", "mean", "[2, 3]"):
        expect(opened.text(words)).to_be_visible()
    assert opened.root.bounding_box()["height"] <= 600
    expect(opened.toggle("toy neuron")).to_have_class(re.compile("mod-active"))


def test_the_toy_neuron_is_walked_to_its_end(lab, opened):
    for _ in range(2):
        opened.button("One step forward (→)").click()
    expect(opened.text("z = 6")).to_be_visible()
    expect(opened.text("loss = 9")).to_have_count(0)
    expect(opened.lines.locator(".gdw-now")).to_have_text("z = torch.matmul(x, w) + b")
    for _ in range(9):
        opened.button("One step forward (→)").click()
    opened.at(11)
    expect(opened.text("◀ [2, 3] × 6 = [12, 18]")).to_be_visible()
    expect(opened.lines.locator(".gdw-now")).to_have_text("loss.backward()")
    opened.button("One step forward (→)").click()
    opened.at(12)
    expect(opened.text("loss = 9")).to_be_visible()
    expect(opened.text("w.grad = [12, 18]")).to_be_visible()
    expect(opened.text("b.grad = 6")).to_be_visible()
    expect(opened.sentence).to_contain_text("w.grad\u00a0=\u00a0[12, 18]")
    expect(opened.details).to_contain_text("[12, 18] ✓ by finite differences")
    lab.shot("autograd-end")


def test_play_walks_and_pause_stops(lab, opened):
    lab.execute("ex.speed = 5")
    opened.button("Play or pause (space)").click()
    lab.wait_value("ex.step >= 3")
    opened.button("Play or pause (space)").click()
    lab.wait_value("ex.playing", wanted=False)
    step = lab.value("ex.step")
    assert 3 <= step < 12
    opened.page.wait_for_timeout(600)
    assert lab.value("ex.step") == step
    opened.at(step)
    lab.execute("ex.speed = 100")
    opened.button("Play or pause (space)").click()
    lab.wait_value("ex.step", 12)
    expect(opened.text("w.grad = [12, 18]")).to_be_visible()


def test_back_reset_end_and_the_scrubber(lab, opened):
    opened.button("Walk to the end (End)").click()
    opened.at(12)
    opened.button("One step back (←)").click()
    opened.at(11)
    expect(opened.text("w.grad = [12, 18]")).to_have_count(0)
    opened.button("Back to the beginning (Home)").click()
    opened.at(0)
    list(opened.drag(opened.root.locator(".gdw-scrubber .noUi-handle"), 150))
    lab.wait_value("ex.step > 1")
    opened.page.wait_for_timeout(400)
    opened.at(lab.value("ex.step"))


def test_keys_walk_from_anywhere_in_the_explorer(lab, opened):
    opened.button("One step forward (→)").focus()
    for key, step in (("ArrowRight", 1), ("PageDown", 2), ("ArrowLeft", 1), ("End", 12)):
        opened.page.keyboard.press(key)
        lab.wait_value("ex.step", step)
    opened.page.keyboard.press("Home")
    lab.wait_value("ex.step", 0)


def test_a_click_on_a_node_shows_its_details(lab, opened):
    opened.button("Walk to the end (End)").click()
    opened.click("@")
    lab.wait_value("ex.selected", "matmul")
    expect(opened.details).to_contain_text("MmBackward0")
    expect(opened.details).to_contain_text("[2, 3] × 6 = [12, 18]")
    lab.shot("autograd-details")
    opened.click("w")
    lab.wait_value("ex.selected", "w")
    expect(opened.details).to_contain_text("[12, 18]")
    opened.click("mean")
    lab.wait_value("ex.selected", "mean")
    opened.click("mean")
    lab.wait_value("ex.selected", "")


def test_switches_build_the_graph_anew_at_the_same_step(lab, opened):
    opened.button("Walk to the end (End)").click()
    opened.toggle("w").click()
    lab.wait_value("ex.requires_grad", ["b"])
    expect(opened.text("w.grad = [12, 18]")).to_have_count(0)
    expect(opened.text("∇ 6").first).to_be_visible()
    lab.shot("autograd-w-off")
    opened.toggle("w").click()
    opened.click("+")
    lab.wait_value("ex.selected", "add")
    opened.toggle("detach at +").click()
    lab.wait_value("ex.detached", ["add"])
    opened.button("Walk to the end (End)").click()
    expect(opened.sentence).to_contain_text("does not have a grad_fn")
    opened.toggle("detach at +").click()
    lab.wait_value("ex.detached", [])


def test_refusals_are_shown_in_pytorch_s_words(lab, opened):
    opened.toggle("no_grad").click()
    lab.wait_value("ex.no_grad")
    opened.button("Walk to the end (End)").click()
    expect(opened.sentence).to_contain_text("element 0 of tensors does not require grad")
    expect(opened.sentence).not_to_have_class(re.compile("gdw-error"))
    lab.shot("autograd-no-grad")
    opened.toggle("no_grad").click()
    opened.toggle("backward twice").click()
    lab.wait_value("ex.backward_calls", 2)
    opened.button("Walk to the end (End)").click()
    refused = opened.root.locator(".gdw-refused")
    expect(refused).to_contain_text("Trying to backward through the graph a second time")
    assert "Specify retain_graph=True" in refused.get_attribute("title")
    lab.shot("autograd-twice")
    opened.toggle("retain_graph").click()
    lab.wait_value("ex.retain_graph")
    opened.button("Walk to the end (End)").click()
    expect(opened.text("w.grad = [24, 36]")).to_be_visible()


def test_a_number_is_dragged_and_everything_follows_during_the_drag(lab, opened):
    opened.button("Walk to the end (End)").click()
    opened.toggle("Numbers").click()
    handle = opened.root.locator(".gdw-sliders .noUi-handle").last
    handle.wait_for()
    seen = set()
    for _ in opened.drag(handle, -60, steps=12):
        opened.page.wait_for_timeout(80)
        seen |= set(re.findall(r"loss = [\d.]+", " ".join(opened.graph.all_inner_texts())))
        seen |= {t for t in opened.graph.locator("text").all_text_contents() if "loss =" in t}
    assert len(seen) >= 3  # during the drag, not only after it
    lab.wait_value("ex.graph.values['y'].item() < 2")
    assert lab.value("ex.step") == 12
    loss = lab.value("(6 - ex.graph.values['y'].item())**2")
    assert lab.value("ex.graph.nodes['mean'].value.item()") == pytest.approx(loss, rel=1e-5)
    lab.shot("autograd-dragged")
    opened.toggle("Numbers").click()


def test_the_chips_and_the_bars(lab, opened):
    opened.toggle("regression sample").click()
    opened.button("Walk to the end (End)").click()
    expect(opened.sentence).to_contain_text(".grad")
    lab.shot("autograd-regression")
    opened.toggle("used twice").click()
    opened.button("Walk to the end (End)").click()
    expect(opened.sentence).to_contain_text("the sum of")
    lab.shot("autograd-twice-used")
    opened.toggle("10 sigmoids").click()
    opened.at(0, 21)
    opened.toggle("Why").click()
    opened.button("Walk to the end (End)").click()
    bars = opened.root.locator(".gdw-bars rect.bar")
    expect(bars).to_have_count(11)
    opened.page.wait_for_timeout(500)
    heights = bars.evaluate_all("all => all.map(bar => Number(bar.getAttribute('height')))")
    assert heights == sorted(heights)
    lab.shot("autograd-chain")
    opened.toggle("Why").click()


def test_a_wrong_value_is_explained_in_the_sentence_s_place(lab, opened):
    opened.toggle("Settings").click()
    layers = opened.root.locator("input[type=number]:visible")
    layers.fill("99")
    layers.press("Enter")
    expect(opened.root.locator(".gdw-error")).to_contain_text("layers must be")
    expect(layers).to_have_value("10")
    opened.toggle("Settings").click()
    opened.button("One step forward (→)").click()
    expect(opened.root.locator(".gdw-error")).to_have_count(0)


def test_what_is_folded_away(lab, opened):
    opened.button("Walk to the end (End)").click()
    top = opened.graph.bounding_box()["y"] - opened.root.bounding_box()["y"]
    opened.toggle("Finite differences").click()
    expect(opened.root.locator(".gdw-table")).to_contain_text("w[1]")
    lab.shot("autograd-differences")
    opened.toggle("Walk").click()
    expect(opened.root.locator("tr.gdw-now")).to_contain_text("[12, 18]")
    opened.toggle("Code").click()
    expect(opened.root.locator(".gdw-code")).to_contain_text("loss.backward()")
    opened.toggle("Code").click()
    after = opened.graph.bounding_box()["y"] - opened.root.bounding_box()["y"]
    assert after == pytest.approx(top, abs=1)


def test_forty_nodes_of_ones_own_are_legible(notebook):
    page = notebook.open(["from gdwidgets import AutogradExplorer", DEEP], height=1000)
    opened = GraphPage(page)
    opened.text("tanh").wait_for(state="attached")
    page.wait_for_timeout(500)
    notebook.shot("autograd-forty")
    assert opened.root.bounding_box()["height"] <= 600
    assert notebook.value("len(deep.graph.nodes)") >= 40
    sizes = opened.graph.locator("text.label").evaluate_all(
        "all => all.filter(one => one.textContent !== '▶')"
        ".map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 13


@pytest.fixture(scope="module")
def chosen(notebook):
    cell = "from gdwidgets import AutogradExplorer\nex = AutogradExplorer()\nex"
    page = notebook.open([cell, "ex.run()"], height=1000)
    page.locator(".gdw-graph text").first.wait_for(state="attached")
    return page


def test_the_dark_theme(notebook, chosen):
    opened = GraphPage(chosen).ready()
    expect(opened.text("w.grad = [12, 18]")).to_be_visible()
    with notebook.dark():
        notebook.shot("autograd-dark")
        colours = [opened.text("z = 6").evaluate("e => getComputedStyle(e).fill")]
        colours += opened.graph.locator("path.line").evaluate_all(
            "all => all.slice(0, 2).map(e => getComputedStyle(e).stroke)"
        )
    assert len(colours) == 3
    for colour in colours:
        assert min(int(x) for x in re.findall(r"\d+", colour)[:3]) > 160


@pytest.mark.parametrize("width", [770, 1080, 1970])
@pytest.mark.parametrize("preset", ["toy neuron", "regression sample", "tanh chain"])
def test_cells_of_any_width(notebook, chosen, preset, width):
    notebook.execute(f"ex.preset = {preset!r}; ex.layers = 30; ex.run()")
    chosen.set_viewport_size({"width": width, "height": 1000})
    chosen.wait_for_timeout(800)
    notebook.shot(f"autograd-{width}-{preset.split()[0]}")
    root = chosen.locator(".gdwidgets").first
    box = root.bounding_box()
    assert box["width"] <= 1800
    expect(root.locator(".gdw-graph-key")).to_be_visible()
    between = (
        root.locator(".gdw-graph").bounding_box()["y"]
        - (root.locator(".gdw-lines").bounding_box()["y"])
    )
    assert between < 240  # above the graph, code and details stand beside each other
    if width > 1000:
        assert box["height"] <= 600
    for figure in root.locator(".bqplot").all():
        inside = figure.bounding_box()
        assert inside["x"] >= box["x"] - 1
        assert inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
