"""HimmelblauExplorer in a real JupyterLab: click, drag, play, pause, scrub, reload."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.pages import ExplorerPage, reloaded_in_mid_play
from gdwidgets.ui.playback.frame_gate import MOST_IN_FLIGHT

CELL = "from gdwidgets import HimmelblauExplorer\nex = HimmelblauExplorer()\nex"


@pytest.fixture(scope="module")
def opened(notebook):
    return ExplorerPage(notebook.open([CELL], height=1000)).ready()


@pytest.fixture
def lab(notebook, opened):
    notebook.execute(
        "ex.reset(); ex.start = (1, 1); ex.learning_rate = 5e-4; ex.rule = 'gd'; ex.speed = 30;"
        "ex.max_steps = 300; ex.loss_tol = None; ex.race = ex.basins = False; ex.clear_starts();"
        "ex.loss_log = True; ex.unpin_all()"
    )
    expect(opened.counter).to_have_text(re.compile("step +0 of 300"))
    return notebook


def test_it_opens_with_everything_in_place(lab, opened):
    lab.shot("himmelblau-open")
    assert len(opened.root.locator(".bqplot").all()) == 2
    expect(opened.status).to_contain_text("Click the map")
    for tooltip in ("Play or pause", "Apply one update", "One update back", "Back to step 0"):
        expect(opened.button(tooltip)).to_be_visible()
    box = opened.root.bounding_box()
    assert box["height"] <= 700


@pytest.mark.parametrize(("u", "v"), [(-4.2, 3.3), (2.5, -5.1), (5.9, 5.9)])
def test_the_start_lands_where_the_click_was_to_half_a_pixel(lab, opened, u, v):
    area = opened.plot_area()
    x = area["x"] + area["width"] * (u + 6) / 12
    y = area["y"] + area["height"] * (6 - v) / 12
    x, y = round(x), round(y)
    opened.page.mouse.click(x, y)
    lab.wait_value("ex.start != (1.0, 1.0)")
    got_u, got_v = lab.value("ex.start")
    assert abs(area["x"] + area["width"] * (got_u + 6) / 12 - x) <= 0.5
    assert abs(area["y"] + area["height"] * (6 - got_v) / 12 - y) <= 0.5
    opened.page.wait_for_timeout(200)
    drawn = opened.middle(opened.start_circle())
    assert abs(drawn[0] - x) <= 1
    assert abs(drawn[1] - y) <= 1


def test_the_start_can_be_dragged(lab, opened):
    x, y = opened.middle(opened.start_circle())
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x - 60, y + 40, steps=6)
    opened.page.mouse.up()
    lab.wait_value("ex.start != (1.0, 1.0)")
    area = opened.plot_area()
    u, v = lab.value("ex.start")
    assert abs(u - (1 - 60 * 12 / area["width"])) < 0.1
    assert abs(v - (1 - 40 * 12 / area["height"])) < 0.1


def test_play_draws_the_path_and_pause_stops_it(lab, opened):
    frames = lab.count_frames(".gdwidgets .bqplot path.line >> nth=3")
    opened.button("Play or pause").click()
    opened.page.wait_for_timeout(2000)
    assert frames() > 20
    opened.button("Play or pause").click()
    lab.wait_value("ex.playing", wanted=False)
    opened.page.wait_for_timeout(300)
    step = lab.value("ex.step")
    assert 30 <= step <= 90
    assert opened.step == step
    assert len(opened.path_points()) == step + 1
    opened.page.wait_for_timeout(400)
    assert opened.step == step
    lab.shot("himmelblau-mid-run")


def test_play_runs_to_the_end_and_stops_there(lab, opened):
    lab.execute("ex.speed = 1000")
    opened.button("Play or pause").click()
    expect(opened.counter).to_have_text("step 300 of 300")
    lab.wait_value("ex.playing", wanted=False)
    expect(opened.status).to_contain_text("u = 2.9974, v = 2.0061")
    lab.shot("himmelblau-end")


def test_step_back_reset_and_end(lab, opened):
    for _ in range(3):
        opened.button("Apply one update").click()
    expect(opened.counter).to_have_text(re.compile("step +3 of"))
    assert len(opened.path_points()) == 4
    opened.button("One update back").click()
    expect(opened.counter).to_have_text(re.compile("step +2 of"))
    opened.button("Compute and show the whole run").click()
    expect(opened.counter).to_have_text("step 300 of 300")
    opened.button("Back to step 0").click()
    expect(opened.counter).to_have_text(re.compile("step +0 of"))


def test_fast_clicking_loses_no_step(lab, opened):
    button = opened.button("Apply one update")
    for _ in range(25):
        button.click(delay=0)
    expect(opened.counter).to_have_text(re.compile("step +25 of"))


def test_the_scrubber_sets_the_step(lab, opened):
    handle = opened.root.locator(".noUi-handle").first
    x, y = opened.middle(handle)
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 80, y, steps=8)
    opened.page.mouse.up()
    lab.wait_value("ex.step > 10")
    opened.page.wait_for_timeout(300)
    assert opened.step == lab.value("ex.step")
    assert len(opened.path_points()) == opened.step + 1


def test_the_speed_control_changes_the_clock(lab, opened):
    opened.root.get_by_title("Updates per second while playing").locator("select").or_(
        opened.root.locator("select[title='Updates per second while playing']")
    ).first.select_option(label="1000 steps/s")
    lab.wait_value("ex.speed", 1000.0)


def test_wrong_values_are_explained_and_taken_back(lab, opened):
    field = opened.root.locator("input[type=text]").first
    field.fill("-1")
    field.press("Enter")
    expect(opened.status).to_contain_text("learning_rate must be a number greater than 0")
    expect(field).to_have_value("0.0005")
    lab.shot("himmelblau-wrong-value")
    field.fill("fast")
    field.press("Enter")
    expect(opened.status).to_contain_text("'fast'")
    expect(field).to_have_value("0.0005")
    opened.button("Apply one update").click()
    expect(opened.status).to_contain_text("Step 1:")


def test_basins_race_starts_and_pins(lab, opened):
    opened.root.get_by_role("button", name="Basins").click()
    expect(opened.root.locator(".gdw-key").first).to_contain_text("reaches")
    lab.shot("himmelblau-basins")
    opened.root.get_by_role("button", name="Basins").click()
    opened.root.get_by_role("button", name="Add a start").click()
    area = opened.plot_area()
    opened.page.mouse.click(area["x"] + 60, area["y"] + 60)
    lab.wait_value("len(ex.starts)", 2)
    lab.execute("ex.run(); ex.pin(); ex.clear_starts()")
    opened.root.get_by_role("button", name="Race").click()
    expect(opened.root.locator(".gdw-key").first).to_contain_text("Adam")
    lab.execute("ex.run()")
    opened.root.get_by_role("button", name="Run table").click()
    expect(opened.root.locator(".gdw-table")).to_contain_text("RMSprop")
    lab.shot("himmelblau-race")
    opened.root.get_by_role("button", name="Run table").click()


def test_the_code_is_shown(lab, opened):
    opened.root.get_by_role("button", name="Code").click()
    expect(opened.root.locator(".gdw-code")).to_contain_text("loss.backward()")
    opened.root.get_by_role("button", name="Code").click()


def test_a_play_goes_on_between_cells(lab, opened):
    lab.execute("ex.max_steps = 2000")
    opened.button("Play or pause").click()
    lab.wait_value("ex.step > 5")
    assert lab.run_cell("import time; time.sleep(0.5); print(ex.playing)").strip() == "True"
    before = lab.value("ex.step")
    lab.wait_value(f"ex.step > {before} + 20")
    opened.button("Play or pause").click()
    lab.wait_value("ex.playing", wanted=False)


def test_pause_on_a_slow_browser_leaves_at_most_the_frames_in_flight(lab, opened, record_property):
    lab.execute("ex.max_steps = 5000; ex.speed = 200")
    lab.throttle(6)
    opened.button("Play or pause").click()
    lab.wait_value("ex.step > 300")
    opened.path.evaluate("""path => {
        window.drawnAfterPause = [];
        document.querySelector("[title='Play or pause']").addEventListener("click", () => {
            const clicked = performance.now();
            new MutationObserver(() => window.drawnAfterPause.push(performance.now() - clicked))
                .observe(path, {attributes: true, attributeFilter: ["d"]});
        }, {once: true});
    }""")
    opened.button("Play or pause").click()
    lab.wait_value("ex.playing", wanted=False)
    opened.page.wait_for_timeout(1500)
    drawn = opened.page.evaluate("window.drawnAfterPause")
    lab.throttle(1)
    # How long that takes is a figure to read: the limit is on frames, which no busy machine moves.
    record_property("milliseconds from the click to the last frame", max(drawn, default=0))
    print("milliseconds from the click to the last frame:", max(drawn, default=0))  # noqa: T201
    assert len(drawn) <= MOST_IN_FLIGHT + 2  # and the full picture that a pause sends
    assert opened.step == lab.value("ex.step")


def test_two_explorers_play_side_by_side(notebook):
    page = notebook.open([CELL, "two = HimmelblauExplorer(start=(-1, -1))\ntwo"], height=1600)
    one, two = ExplorerPage(page).ready(), ExplorerPage(page, 1).ready()
    one.button("Play or pause").click()
    two.button("Play or pause").click()
    notebook.wait_value("ex.step > 20 and two.step > 20")
    one.button("Play or pause").click()
    notebook.wait_value("ex.playing", wanted=False)
    before = notebook.value("two.step")
    notebook.wait_value(f"two.step > {before} + 10")
    assert notebook.value("two.playing")
    two.button("Play or pause").click()
    notebook.wait_value("two.playing", wanted=False)
    page.wait_for_timeout(300)
    assert (one.step, two.step) == tuple(notebook.value("[ex.step, two.step]"))
    notebook.execute("ex.close(); two.close()")
    page.wait_for_timeout(200)
    assert notebook.value("len(__import__('asyncio').all_tasks()) < 50")


def test_a_reload_in_mid_play_shows_the_same_run(notebook):
    page = notebook.open([CELL, "ex.max_steps = 20000"], height=1000)
    opened = reloaded_in_mid_play(notebook)
    page.wait_for_timeout(300)
    assert opened.step == notebook.value("ex.step")


def test_the_dark_theme(notebook, dark_theme):
    opened = ExplorerPage(notebook.open([CELL, "ex.run()"], height=1000)).ready()
    notebook.shot("himmelblau-dark")
    colour = opened.map.locator(".axis text").first.evaluate("e => getComputedStyle(e).fill")
    red, green, blue = (int(x) for x in re.findall(r"\d+", colour)[:3])
    assert min(red, green, blue) > 180


def test_a_cell_of_900_pixels(notebook):
    opened = ExplorerPage(notebook.open([CELL, "ex.run()"], width=1010, height=1000)).ready()
    notebook.shot("himmelblau-900")
    box = opened.root.bounding_box()
    assert box["width"] <= 905
    assert box["height"] <= 700
    for figure in opened.root.locator(".bqplot").all():
        inside = figure.bounding_box()
        assert inside["x"] >= box["x"] - 1
        assert inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
