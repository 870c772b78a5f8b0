"""A reload in mid-play, and every way to move the cursor afterwards, in the course's other two."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.pages import BACK, FORWARD, RESET, reloaded_in_mid_play


@pytest.mark.parametrize("name", ["LearningRateExplorer", "AccumulationComparer"])
def test_after_a_reload_in_mid_play_the_same_run_is_there_and_every_control_works(notebook, name):
    cell = f"from gdwidgets import {name}\nex = {name}(max_steps=3000, speed=30)\nex"
    page = notebook.open([cell], height=1000)
    opened = reloaded_in_mid_play(notebook)

    step = notebook.value("ex.step")
    expect(opened.counter).to_have_text(opened.at_step(step))
    opened.button(FORWARD).click()
    expect(opened.counter).to_have_text(opened.at_step(step + 1))
    opened.button(BACK).click()
    expect(opened.counter).to_have_text(opened.at_step(step))
    x, y = opened.middle(opened.root.locator(".gdw-scrubber .noUi-handle"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=6)
    page.mouse.up()
    notebook.wait_value(f"ex.step > {step} + 50")
    page.wait_for_timeout(300)
    assert opened.step == notebook.value("ex.step")
    opened.button(RESET).click()
    expect(opened.counter).to_have_text(opened.at_step(0))
