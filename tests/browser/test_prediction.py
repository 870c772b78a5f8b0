"""Predictions answered in the page: by a click on the map, by keys alone, by a typed number."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser.pages import PLAY, ExplorerPage
from browser.test_accessibility import violations

CELL = """
from gdwidgets import HimmelblauExplorer, LearningRateExplorer
{made}
ex
"""


def opened(notebook, made):
    shown = ExplorerPage(notebook.open([CELL.format(made=made)], width=1080, height=1000))
    shown.ready()
    notebook.wait_value("ex.page.loaded")
    return shown


@pytest.fixture(scope="module")
def landscape(notebook):
    return opened(notebook, "ex = HimmelblauExplorer(speed=1000)")


def test_a_minimum_is_clicked_on_the_map(notebook, landscape):
    landscape.named("Predict").click()
    landscape.named("Which minimum").click()
    expect(landscape.status).to_contain_text("At which minimum does the run end")
    expect(landscape.map.locator("path.line[stroke-dasharray]").first).to_be_hidden()
    area = landscape.plot_area()
    at = area["x"] + area["width"] * (-2.8 + 6) / 12, area["y"] + area["height"] * (6 - 3.1) / 12
    landscape.page.mouse.click(*at)
    expect(landscape.status).to_contain_text("Your guess: minimum ②")
    expect(landscape.named("②")).to_have_attribute("aria-pressed", "true")
    top = landscape.root.locator(".gdw-transport").bounding_box()["y"]
    notebook.shot("predict-minimum")
    landscape.button(PLAY).click()
    expect(landscape.status).to_contain_text(
        "The run ends at minimum ①; your guess was minimum ②. No update raised the loss"
    )
    assert landscape.root.locator(".gdw-transport").bounding_box()["y"] == top
    expect(landscape.named("②")).to_be_disabled()
    notebook.shot("predict-minimum-answered")


def test_a_minimum_is_chosen_by_keys_alone(notebook, landscape):
    notebook.execute("ex.situate('the exercise')")
    press = landscape.page.keyboard.press
    landscape.root.focus()
    landscape.tab_to(landscape.named("Which minimum"))
    press("Space")
    expect(landscape.named("③")).to_be_enabled()
    landscape.tab_to(landscape.named("③"))
    press("Space")
    expect(landscape.status).to_contain_text("Your guess: minimum ③")
    expect(landscape.named("③")).to_be_focused()
    notebook.shot("predict-minimum-keys")
    press("End")
    expect(landscape.status).to_contain_text("ends at minimum ①; your guess was minimum ③")


def test_a_step_is_typed_by_keys_alone_and_may_be_skipped(notebook, landscape):
    notebook.execute("ex.situate('the exercise'); ex.learning_rate = 1.0")
    landscape.root.focus()
    landscape.tab_to(landscape.named("At which update"))
    landscape.page.keyboard.press("Space")
    field = landscape.root.locator(".gdw-answers input")
    field.wait_for()
    landscape.tab_to(field)
    landscape.page.keyboard.type("20\n")
    expect(landscape.status).to_contain_text(re.compile("Your guess: .* will .* at update 20"))
    assert violations(landscape.page) == []
    notebook.shot("predict-step")
    landscape.tab_to(landscape.named("Never"))
    landscape.page.keyboard.press("End")  # in the field it would move the caret
    expect(landscape.status).to_contain_text("inf or NaN at update 3. Your guess, 20, is 17 too")
    landscape.named("At which update").click()
    landscape.named("Skip it").click()
    notebook.wait_value("ex.prediction is None")


def test_a_situation_is_kept_and_copied(notebook, landscape):
    landscape.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notebook.execute("ex.situate('too fast'); ex.seek(7)")
    landscape.named("Code").click()
    landscape.named("Keep this situation").click()
    kept = landscape.root.locator(".gdw-code").first
    expect(kept).to_contain_text("explorer.seek(7)")
    landscape.named("Copy it").click()
    landscape.page.wait_for_function(
        "async () => (await navigator.clipboard.readText()).includes('explorer.seek(7)')"
    )
    notebook.shot("keep-situation")


def test_an_order_is_given_by_keys_alone(notebook):
    shown = opened(notebook, "ex = LearningRateExplorer(max_steps=200, speed=1000)\nex.predict()")
    press = shown.page.keyboard.press
    runs = shown.root.locator(".gdw-answers button")
    expect(runs).to_have_count(4)
    shown.named("Skip it").focus()
    for lane in range(3):  # 1, 0.1 and 0.01; 0.001 is left over
        press("Tab")
        expect(runs.nth(lane)).to_be_focused()
        shown.page.wait_for_timeout(100)  # as quick as a hand
        press("Space")
        expect(runs.nth(lane)).to_contain_text(f"{lane + 1}.")
    expect(shown.status).to_contain_text("Your guess: 1, 0.1, 0.01, 0.001")
    expect(runs.nth(3)).to_contain_text("4.")
    assert violations(shown.page) == []
    notebook.shot("predict-order")
    press("End")
    expect(shown.status).to_contain_text("3 of 6 pairs right")
    expect(shown.status).to_contain_text("lies beyond the limit 2/λ = 0.2004")
    notebook.shot("predict-order-answered")
