"""A reload in mid-play, and how the cursor moves afterwards; a surface is in ``test_faults``."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.pages import BACK, FORWARD, PLAY, RESET, ExplorerPage

WALK = {FORWARD: "One step forward", BACK: "One step back", RESET: "Back to the beginning"}
"""What these buttons say where steps are no updates."""

SETTINGS = "max_steps=3000, speed=30"
EXPLORERS = {
    "LearningRateExplorer": SETTINGS,
    "AccumulationComparer": SETTINGS,
    "AutogradExplorer": "preset='sigmoid chain', layers=30, speed=2",
}


@pytest.mark.parametrize("name", EXPLORERS)
def test_after_a_reload_in_mid_play_the_same_run_is_there_and_every_control_works(notebook, name):
    cell = f"from gdwidgets import {name}\nex = {name}({EXPLORERS[name]})\nex"
    page = notebook.open([cell], height=1000)
    opened = ExplorerPage(page)
    opened.root.locator(".bqplot").first.wait_for()
    opened.button(PLAY).click()
    notebook.wait_value("ex.step > 5")
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    page.reload()
    opened.root.locator(".bqplot").first.wait_for()
    opened.counter.wait_for()
    page.wait_for_timeout(1500)

    def click(tooltip):
        opened.button(WALK[tooltip] if name == "AutogradExplorer" else tooltip).click()

    if not notebook.value("ex.playing"):  # it pauses where nobody sees it
        opened.button(PLAY).click()
    before = notebook.value("ex.step")
    notebook.wait_value(f"ex.step > {before} + 3")
    opened.button(PLAY).click()
    notebook.wait_value("ex.playing", wanted=False)
    notebook.take_errors()  # JupyterLab's own while it unloads

    def shows(k):
        expect(opened.counter).to_have_text(re.compile(rf"(^|\s){k:,} of "))

    step = notebook.value("ex.step")
    shows(step)
    click(FORWARD)
    shows(step + 1)
    click(BACK)
    shows(step)
    x, y = opened.middle(opened.root.locator(".gdw-scrubber .noUi-handle"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=6)
    page.mouse.up()
    notebook.wait_value(f"ex.step > {step} + 3")
    page.wait_for_timeout(300)
    shows(notebook.value("ex.step"))
    click(RESET)
    shows(0)


MANY = 5


def test_of_many_explorers_each_is_there_after_a_reload_of_a_slow_page(notebook):
    cells = [
        f"from gdwidgets import HimmelblauExplorer\nHimmelblauExplorer(start=({k}, 0))"
        for k in range(MANY)
    ]
    page = notebook.open(cells, height=1000)
    roots = page.locator(".gdwidgets")
    expect(roots).to_have_count(MANY)
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    notebook.throttle(4)
    page.reload()
    expect(roots).to_have_count(MANY, timeout=60_000)
    expect(page.get_by_text("model not found")).to_have_count(0)
    notebook.throttle(1)
    notebook.take_errors()  # JupyterLab's own while it unloads
