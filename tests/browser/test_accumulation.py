"""AccumulationComparer in a real JupyterLab: steps, lines of the loop, clicks, presets."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.pages import ExplorerPage

CELL = "from gdwidgets import AccumulationComparer\nex = AccumulationComparer()\nex"


@pytest.fixture(scope="module")
def opened(notebook):
    return ExplorerPage(notebook.open([CELL], height=1000)).ready()


@pytest.fixture
def lab(notebook, opened):
    notebook.execute(
        'ex.apply_preset("the course\'s"); ex.reset(); ex.momentum = False; ex.speed = 2;'
        "ex.loss_log = True; ex.unpin_all()"
    )
    expect(opened.counter).to_have_text(re.compile("step +0 of 10"))
    return notebook


def running(opened):
    """The code lines that are marked as running."""
    return [text.strip() for text in opened.root.locator(".gda pre .on").all_inner_texts()]


def test_it_opens_with_everything_in_place(lab, opened):
    lab.shot("accumulation-open")
    assert len(opened.root.locator(".bqplot").all()) == 3
    expect(opened.status).to_contain_text("Press step")
    for text in ("without clearing", "with clearing", "loss.backward()", "leftover"):
        expect(opened.root.locator(".gda")).to_contain_text(text)
    assert opened.root.bounding_box()["height"] <= 700


def test_a_step_shows_the_course_s_numbers(lab, opened):
    for _ in range(3):
        opened.button("Apply one update").click()
    expect(opened.counter).to_have_text(re.compile("step +3 of"))
    left, right = opened.root.locator(".gda > div").all_inner_texts()
    for number in ("1.762671", "-3.0844", "3.9830", "0.8986", "1.6897 → 1.5998"):
        assert number in left
    for number in ("0.002872", "-0.1608", "1.0522 → 1.0683"):
        assert number in right
    lab.shot("accumulation-mid-run")


def test_lines_of_the_loop_run_one_by_one(lab, opened):
    line = opened.button("Execute one line of the training loop")
    line.click()
    expect(opened.counter).to_have_text(re.compile("step +1 of"))
    expect(opened.root.locator(".gda pre .on")).to_have_count(4)
    assert running(opened)[0] == "a -= learning_rate * a.grad"
    line.click()
    expect(opened.root.locator(".gda pre .no.on")).to_have_count(1)
    lab.shot("accumulation-clear")
    line.click()
    line.click()
    expect(opened.root.locator(".gda pre .on").first).to_have_text("  loss.backward()")
    for _ in range(4):
        opened.button("One line of the training loop back").click()
    expect(opened.counter).to_have_text(re.compile("step +0 of"))
    lab.wait_value("ex.line", "backward")


def test_play_runs_to_the_end_and_the_table_is_the_course_s(lab, opened):
    lab.execute("ex.speed = 20")
    opened.button("Play or pause").click()
    expect(opened.counter).to_have_text("step 10 of 10")
    lab.wait_value("ex.playing", wanted=False)
    opened.root.get_by_role("button", name="Step tables").click()
    expect(opened.root.locator(".gda-t")).to_contain_text("0.001614")
    lab.shot("accumulation-tables")
    opened.root.get_by_role("button", name="Step tables").click()


def test_a_click_on_the_valley_sets_the_start(lab, opened):
    area = opened.plot_area()
    opened.page.mouse.click(area["x"] + 0.8 * area["width"], area["y"] + 0.75 * area["height"])
    lab.wait_value("ex.start != (0.5, 0.5)")
    a, b = lab.value("ex.start")
    assert abs(a - (-1 + 4 * 0.8)) < 0.02
    assert abs(b - (-1 + 4 * 0.25)) < 0.02
    x, y = opened.middle(opened.start_circle())
    assert abs(x - (area["x"] + 0.8 * area["width"])) <= 1.5
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x - 50, y - 30, steps=5)
    opened.page.mouse.up()
    lab.wait_value(f"abs(ex.start[0] - {a - 50 * 4 / area['width']}) < 0.05")


def test_the_turn_round_says_so(lab, opened):
    opened.root.locator("select").nth(1).select_option(label="the turn-round")
    expect(opened.status).to_contain_text("The lesson turns round")
    lab.execute("ex.step = 12; ex.momentum = True")
    expect(opened.counter).to_have_text("step 12 of 30")
    opened.page.wait_for_timeout(300)
    lab.shot("accumulation-turn-round")


def test_micro_batches_wait_for_their_update(lab, opened):
    opened.root.locator("select").nth(1).select_option(label="micro-batches")
    lab.wait_value("ex.preset", "micro-batches")
    lab.execute("ex.step = 6")
    expect(opened.root.locator(".gda")).to_contain_text("part 3 of 4")
    expect(opened.status).to_contain_text("accumulation is wanted")
    lab.shot("accumulation-micro-batches")


def test_wrong_values_are_explained_and_taken_back(lab, opened):
    field = opened.root.get_by_placeholder("never")
    field.fill("often")
    field.press("Enter")
    expect(opened.status).to_contain_text("clear_every must be a number")
    expect(field).to_have_value("")
    field.fill("3")
    field.press("Enter")
    lab.wait_value("ex.clear_every", 3)
    expect(opened.root.locator(".gda")).to_contain_text("if step % 3 == 0:")
    field.fill("")
    field.press("Enter")
    lab.wait_value("ex.clear_every", None)


def test_the_dark_theme(notebook, dark_theme):
    opened = ExplorerPage(notebook.open([CELL, "ex.step = 5"], height=1000)).ready()
    notebook.shot("accumulation-dark")
    colour = opened.root.locator(".gda pre").first.evaluate("e => getComputedStyle(e).color")
    assert min(int(x) for x in re.findall(r"\d+", colour)[:3]) > 180


def test_a_cell_of_900_pixels(notebook):
    opened = ExplorerPage(notebook.open([CELL, "ex.step = 3"], width=1066, height=1000)).ready()
    notebook.shot("accumulation-900")
    box = opened.root.bounding_box()
    assert box["width"] <= 905
    assert box["height"] <= 700
    for part in [*opened.root.locator(".bqplot").all(), *opened.root.locator(".gda > div").all()]:
        inside = part.bounding_box()
        assert inside["x"] >= box["x"] - 1
        assert inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
    cut = "e => e.scrollWidth > e.clientWidth + 1"
    for part in opened.root.locator(".gda pre, .gda-b p").all():
        assert not part.evaluate(cut)
