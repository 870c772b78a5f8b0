"""What hands, keys and ears find in one page: keys everywhere, focus, what is spoken, zoom."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.pages import PLAY, ExplorerPage
from browser.test_accessibility import cell

STEPS = (("ArrowRight", 6), ("PageDown", 6), ("ArrowLeft", 4), ("PageUp", 4), ("Home", 0))
"""Keys, and the step they lead to from step 5; End and Space are tried beside them."""

SPOKEN = """root => {
    window.spoken = [];
    const region = root.querySelector('[role=status][aria-live=polite]');
    new MutationObserver(() => window.spoken.push(region.textContent))
        .observe(region, {childList: true, characterData: true, subtree: true});
}"""
FOCUS = "e => { const s = getComputedStyle(e); return s.outlineStyle + s.boxShadow; }"


@pytest.fixture(scope="module")
def opened(notebook):
    shown = ExplorerPage(notebook.open([cell("HimmelblauExplorer")], width=1068, height=1000))
    shown.ready()
    notebook.wait_value("ex.page.loaded")
    return shown


def test_keys_do_the_same_wherever_the_focus_is_and_no_field_loses_one(notebook, opened):
    press = opened.page.keyboard.press
    places = (
        opened.root,
        opened.named("the exercise"),
        opened.root.locator(".gdw-scrubber .noUi-handle"),
    )
    for place in places:
        for key, step in STEPS:
            notebook.execute("ex.step = 5")
            place.focus()
            press(key)
            notebook.wait_value("ex.step", step)
        press("End")
        notebook.wait_value("ex.step", 300)
        notebook.execute("ex.step = 5")
        place.focus()
        press("Space")
        notebook.wait_value("ex.playing")
        press("Space")
        notebook.wait_value("ex.playing", wanted=False)
    # The slider of a setting keeps its arrows.
    notebook.execute("ex.step = 5")
    rate = notebook.value("ex.learning_rate")
    opened.root.locator(".gdw-track .noUi-handle").focus()
    press("ArrowRight")
    notebook.wait_value(f"ex.learning_rate > {rate}")
    press("PageDown")
    notebook.wait_value("ex.step", 6)
    field = opened.root.locator(".gdw-rate-number input")
    expect(field).to_have_value(f"{notebook.value('ex.learning_rate'):g}")  # the page is there
    field.fill("0.0005")
    for key in ("Home", "1", "End", "2", "ArrowLeft", "Space", "PageUp", "PageDown"):
        press(key)
    expect(field).to_have_value("10.0005 2")
    assert notebook.value("ex.step") == 6
    field.fill("0.0005")
    press("Enter")
    notebook.wait_value("ex.learning_rate", 0.0005)


def test_focus_can_be_seen_and_a_rate_is_heard_as_it_is(notebook, opened):
    handle = opened.root.locator(".gdw-track .noUi-handle")
    handle.focus()
    expect(handle).to_have_attribute("aria-valuetext", "0.0005")
    zoom = opened.button("Zoom in")
    for place in (opened.root, opened.button(PLAY), zoom, handle):
        opened.page.keyboard.press("Shift")  # the focus is moved by keys
        place.focus()
        assert place.evaluate(FOCUS) != "nonenone"


def test_the_sentence_is_spoken_at_pauses_and_not_while_it_plays(notebook, opened):
    notebook.execute("ex.reset()")
    opened.page.wait_for_timeout(600)
    opened.root.evaluate(SPOKEN)
    opened.button(PLAY).click()
    notebook.wait_value("ex.step > 25")
    while_playing = opened.page.evaluate("window.spoken")
    opened.button(PLAY).click()
    notebook.wait_value("ex.playing", wanted=False)
    opened.page.wait_for_timeout(600)
    spoken = opened.page.evaluate("window.spoken")
    assert while_playing == []
    assert len(spoken) == 1
    assert f"Step {notebook.value('ex.step')}:" in spoken[0]


def test_zoom_works_by_keys_and_in_mid_play_and_comes_back(notebook, opened):
    before = opened.root.bounding_box()
    opened.button(PLAY).click()
    for name in ("Zoom in on the present point", "Zoom in on the present point", "Zoom out"):
        opened.page.get_by_role("button", name=name).focus()
        opened.page.keyboard.press("Enter")
    notebook.wait_value("ex.map.magnification", 2.0)
    assert notebook.value("ex.playing")
    opened.button("Show the whole map").click()
    notebook.wait_value("ex.map.magnification", 1.0)
    opened.button(PLAY).click()
    notebook.wait_value("ex.playing", wanted=False)
    assert opened.root.bounding_box() == before


def test_a_click_on_a_curve_or_path_reads_it_out_and_nothing_moves(notebook, opened):
    before = opened.root.bounding_box()
    notebook.execute("ex.run()")
    opened.page.wait_for_timeout(500)
    box = opened.root.locator(".bqplot").nth(1).locator("image").bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
    expect(opened.status).to_contain_text("gradient = (")
    step = notebook.value("ex.step")
    assert 0 < step < 300
    notebook.execute("ex.run()")
    area = opened.plot_area()
    u, v = notebook.value(f"ex.descent.params[{step}, 0].tolist()")
    x, y = area["x"] + area["width"] * (u + 6) / 12, area["y"] + area["height"] * (6 - v) / 12
    opened.page.mouse.click(x, y)
    notebook.wait_value(f"abs(ex.step - {step}) <= 5")
    expect(opened.status).to_contain_text("gradient = (")
    assert notebook.value("ex.start") == [1.0, 1.0]
    assert opened.root.bounding_box() == before
