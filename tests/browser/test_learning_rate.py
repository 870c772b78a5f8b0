"""LearningRateExplorer in a real JupyterLab: play, edit rates, switch axes and gradients, look."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from browser.pages import ExplorerPage

CELL = "from gdwidgets import LearningRateExplorer\nex = LearningRateExplorer()\nex"
COUNTER = re.compile(r"step +\d+ of \d+")


class RatePage(ExplorerPage):
    """The explorer in the page: lines, rows and fields where a person finds them."""

    def ready(self):
        self.loss_line().wait_for(state="attached")
        self.counter.wait_for()
        return self

    def loss_line(self, lane: int = 1) -> Locator:
        """Find a lane's curve in the loss plot: floor, changes and ghosts come before them."""
        return self.root.locator(".bqplot").nth(1).locator("path.line").nth(3 + lane)

    def row(self, lane: int) -> Locator:
        """Find a lane's row in the live table."""
        return self.root.locator(".gdw-lanes tr").nth(1 + lane)

    def rate(self, lane: int) -> Locator:
        """Find the field of a lane's learning rate."""
        return self.root.locator(".gdw-lane input").nth(lane)


@pytest.fixture(scope="module")
def opened(notebook):
    return RatePage(notebook.open([CELL], height=1000)).ready()


@pytest.fixture
def lab(notebook, opened):
    notebook.execute(
        "ex.reset(); ex.learning_rates = (1, 0.1, 0.01, 0.001); ex.rule = 'gd'; ex.degree = 2;"
        "ex.max_steps = 4000; ex.batch_size = None; ex.on_change = 'restart'; ex.speed = 200;"
        "ex.log_steps = False; ex.lane = 1; ex.unpin_all()"
    )
    expect(opened.counter).to_have_text(re.compile("step +0 of 4000"))
    return notebook


def test_it_opens_with_everything_in_place(lab, opened):
    lab.shot("learning-rate-open")
    assert len(opened.root.locator(".bqplot").all()) == 2
    expect(opened.status).to_contain_text("Press play")
    expect(opened.root.locator(".gdw-strip")).to_contain_text("limit 0.2004")
    expect(opened.root.locator(".gdw-why")).to_contain_text("328 times")
    expect(opened.row(4)).to_contain_text("least squares")
    assert opened.root.bounding_box()["height"] <= 700


def test_a_row_stands_beside_its_field(lab, opened):
    for lane in range(4):
        field, row = opened.rate(lane).bounding_box(), opened.row(lane).bounding_box()
        middle = field["y"] + field["height"] / 2
        assert abs(middle - (row["y"] + row["height"] / 2)) <= 2


def test_play_draws_all_lanes_and_pause_stops_them(lab, opened):
    frames = lab.count_frames(".gdwidgets .bqplot >> nth=1 >> path.line >> nth=4")
    opened.button("Play or pause").click()
    lab.wait_value("ex.step > 150")
    opened.button("Play or pause").click()
    lab.wait_value("ex.playing", wanted=False)
    assert frames() > 5
    opened.page.wait_for_timeout(300)
    step = lab.value("ex.step")
    assert opened.step == step
    expect(opened.row(0)).to_contain_text("diverged at step 20")
    expect(opened.row(1)).to_contain_text("running")
    lab.shot("learning-rate-mid-run")


def test_the_axes_stay_where_they_are_while_a_lane_diverges(lab, opened):
    ticks = opened.root.locator(".bqplot").nth(1).locator(".axis text")
    before = [tick.bounding_box() for tick in ticks.all()]
    for _ in range(3):
        lab.execute("ex.step_forward(12)")
    expect(opened.counter).to_have_text(re.compile("step +36 of"))
    assert [tick.bounding_box() for tick in ticks.all()] == before


def test_the_end_of_the_run(lab, opened):
    opened.button("Compute and show the whole run").click()
    expect(opened.counter).to_have_text("step 4000 of 4000")
    for text in ("1.8195", "-3.0786", "2.2214", "0.0503", "end of run"):
        expect(opened.row(1)).to_contain_text(text)
    lab.shot("learning-rate-end")


def test_full_speed_keeps_the_page_responsive(lab, opened):
    lab.execute("ex.max_steps = 8000; ex.speed = float('inf')")
    opened.button("Play or pause").click()
    lab.wait_value("ex.playing", wanted=False)
    expect(opened.counter).to_have_text("step 8000 of 8000")
    opened.button("One update back").click()
    expect(opened.counter).to_have_text("step 7999 of 8000", timeout=2000)


def test_a_rate_is_edited_in_place_and_a_wrong_one_is_taken_back(lab, opened):
    opened.rate(1).fill("0.05")
    opened.rate(1).press("Enter")
    lab.wait_value("ex.learning_rates[1]", 0.05)
    opened.rate(1).fill("-2")
    opened.rate(1).press("Enter")
    expect(opened.status).to_contain_text("learning rate must be a number greater than 0")
    expect(opened.rate(1)).to_have_value("0.05")
    lab.shot("learning-rate-wrong-value")


def test_lanes_are_added_and_removed(lab, opened):
    add = opened.button("Add a lane with a learning rate of its own")
    for lanes in range(5, 9):
        add.click()
        lab.wait_value("ex.descent.lanes", lanes)
    expect(add).to_be_disabled()
    assert opened.root.bounding_box()["height"] <= 700
    lab.execute("ex.run()")
    expect(opened.row(8)).to_contain_text("least squares")
    lab.shot("learning-rate-eight")
    opened.root.get_by_title("Remove this lane", exact=True).nth(0).click()
    lab.wait_value("ex.descent.lanes", 7)
    expect(opened.rate(0)).to_have_value("0.1")


def test_a_rate_changed_in_mid_run_continues_from_there(lab, opened):
    lab.execute("ex.on_change = 'continue'; ex.step = 500")
    opened.rate(3).fill("0.1")
    opened.rate(3).press("Enter")
    lab.wait_value("ex.schedule", [[500, [1.0, 0.1, 0.01, 0.001]]])
    expect(opened.counter).to_have_text(re.compile("step +500 of"))
    opened.button("Play or pause").click()
    lab.wait_value("ex.step > 600")
    lab.execute("ex.change_rate(2, 0.05)")
    assert lab.value("ex.playing")
    step = lab.value("ex.step")
    lab.wait_value(f"ex.step > {step} + 20")
    lab.execute("ex.run()")
    expect(opened.status).to_contain_text("End of the run")
    lab.shot("learning-rate-schedule")


def test_a_logarithmic_step_axis_and_mini_batches(lab, opened):
    lab.execute("ex.run()")
    opened.root.get_by_label("").locator("select").or_(
        opened.root.locator("select").filter(has_text="logarithmic")
    ).first.select_option(label="logarithmic")
    lab.wait_value("ex.log_steps")
    axis = opened.root.locator(".bqplot").nth(1).locator(".axis")
    expect(axis.get_by_text("iteration (step + 1)")).to_be_visible()
    expect(axis.get_by_text("1000", exact=True)).to_be_visible()
    lab.execute("ex.batch_size = 10; ex.run()")
    expect(opened.counter).to_have_text("step 4000 of 4000")
    expect(opened.status).to_contain_text("End of the run")
    expect(axis.get_by_text("loss of the mini-batch")).to_be_visible()
    lab.shot("learning-rate-batches")


def test_the_manual_gradient_beside_autograd(lab, opened):
    lab.execute("ex.step = 100")
    opened.root.get_by_role("button", name="Manual gradient").click()
    table = opened.root.locator(".gdw-table")
    expect(table).to_contain_text("a.grad")
    expect(table).to_contain_text("∂L/∂a by hand")
    lab.shot("learning-rate-manual")
    opened.root.get_by_role("button", name="Manual gradient").click()


def test_the_dark_theme(notebook, dark_theme):
    cells = [CELL, "ex.run(); ex.pin(); ex.rule = 'momentum'; ex.step = 300"]
    opened = RatePage(notebook.open(cells, height=1000)).ready()
    expect(opened.counter).to_have_text(re.compile("step +300 of"))
    opened.page.wait_for_timeout(300)
    notebook.shot("learning-rate-dark")
    floor = opened.root.locator(".bqplot").nth(1).locator("path.line").first
    colour = floor.evaluate("e => getComputedStyle(e).stroke")
    assert min(int(x) for x in re.findall(r"\d+", colour)[:3]) > 180


def test_a_cell_of_900_pixels(notebook):
    cells = [CELL, "[ex.add_rate() for _ in range(4)]; ex.run()"]
    opened = RatePage(notebook.open(cells, width=1010, height=1000)).ready()
    expect(opened.row(8)).to_contain_text("least squares")
    notebook.shot("learning-rate-900")
    box = opened.root.bounding_box()
    assert box["width"] <= 905
    assert box["height"] <= 700
    for figure in opened.root.locator(".bqplot").all():
        inside = figure.bounding_box()
        assert inside["x"] >= box["x"] - 1
        assert inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
