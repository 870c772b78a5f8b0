"""AccumulationComparer in a real JupyterLab: lines of the loop, drags, keys, wrong values."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.pages import BACK, FORWARD, PLAY, RESET, ExplorerPage

CELL = "from gdwidgets import AccumulationComparer\nex = AccumulationComparer()\nex"


@pytest.fixture(scope="module")
def opened(notebook):
    return ExplorerPage(notebook.open([CELL], width=1080, height=1000)).ready()


@pytest.fixture
def lab(notebook, opened):
    notebook.execute(
        "ex.pause(); ex.situate('the exercise'); ex.assign(momentum=False, loss_log=True, speed=2,"
        "parameter='a'); ex.unpin_all(); ex.reset();"
        "[ex.unfold(title, False) for title in ex.fold.toggles]"
    )
    expect(opened.counter).to_have_text(opened.at_step(0))
    return notebook


def running(opened):
    """The code lines that are marked as running."""
    lines = opened.root.locator(".gda pre .on").all()
    return [line.evaluate("e => e.firstChild.textContent.trim()") for line in lines]


def curves(opened):
    """The curves of the middle figure as they are drawn."""
    return (
        opened.root.locator(".bqplot")
        .nth(1)
        .evaluate("m => [...m.querySelectorAll('path.line')].map(p => p.getAttribute('d')).join()")
    )


def test_it_opens_with_everything_in_place(lab, opened):
    lab.shot("accumulation-open")
    assert len(opened.root.locator(".bqplot").all()) == 3
    expect(opened.status).to_contain_text("Both loops start at the white circle")
    for part in ("without clearing", "with clearing", "loss.backward()", "accumulated"):
        expect(opened.root.locator(".gda")).to_contain_text(part)
    for fold in ("Compare", "Why", "Tables", "Settings", "Code"):
        expect(opened.named(fold)).to_be_visible()
    box = opened.root.bounding_box()
    assert box["width"] == pytest.approx(912, abs=8)
    assert box["height"] <= 640


def test_lines_of_the_loop_run_one_by_one(lab, opened):
    assert running(opened) == ["loss.backward()"] * 2
    opened.named("line ▸").click()
    expect(opened.counter).to_have_text(opened.at_step(1))
    expect(opened.root.locator(".gda pre .on")).to_have_count(4)
    assert running(opened) == ["a -= 0.1 * a.grad", "b -= 0.1 * b.grad"] * 2
    opened.named("line ▸").click()
    expect(opened.root.locator(".gda pre .on")).to_have_count(1)
    assert running(opened) == ["a.grad = b.grad = None"]
    opened.named("◂ line").click()
    expect(opened.root.locator(".gda pre .on")).to_have_count(4)


def test_play_steps_and_pause(lab, opened):
    lab.execute("ex.speed = 5")
    opened.button(PLAY).click()
    lab.wait_value("ex.step > 2")
    opened.button(PLAY).click()
    lab.wait_value("ex.playing", wanted=False)
    step = lab.value("ex.step")
    expect(opened.counter).to_have_text(opened.at_step(step))
    opened.button(FORWARD).click()
    expect(opened.counter).to_have_text(opened.at_step(step + 1))
    opened.button(BACK).click()
    expect(opened.counter).to_have_text(opened.at_step(step))
    lab.shot("accumulation-mid-run")
    for _ in range(12):
        opened.button(FORWARD).click(delay=0)
    expect(opened.counter).to_have_text(opened.at_step(10))
    expect(opened.root.locator(".gda")).to_contain_text("final loss")
    opened.button(RESET).click()
    expect(opened.counter).to_have_text(opened.at_step(0))


def test_the_curves_follow_the_start_while_the_mouse_holds_it(lab, opened):
    lab.execute("ex.seek(8)")
    expect(opened.counter).to_have_text(opened.at_step(8))
    page = opened.page
    x, y = opened.middle(opened.start_circle())
    page.mouse.move(x, y)
    page.mouse.down()
    seen = {curves(opened)}
    for i in range(1, 9):
        page.mouse.move(x + 4 * i, y - 2 * i)
        page.wait_for_timeout(120)
        seen.add(curves(opened))
    assert len(seen) > 3  # before the button is released
    page.mouse.up()
    lab.wait_value("ex.start != (0.5, 0.5)")
    assert lab.value("ex.step") == 8
    page.wait_for_timeout(400)
    assert lab.value("ex.start[0] > 0.6 and ex.start[1] > 0.5")


def test_a_click_sets_the_start(lab, opened):
    area = opened.plot_area()
    opened.page.mouse.click(area["x"] + 0.75 * area["width"], area["y"] + 0.75 * area["height"])
    lab.wait_value("ex.start != (0.5, 0.5)")
    low, high = lab.value("ex.map.view.bounds.tolist()")[0]
    assert lab.value("ex.start[0]") == pytest.approx(low + 0.75 * (high - low), abs=0.05)


def test_a_chip_reverses_the_roles_and_the_page_says_why(lab, opened):
    opened.named("roles reversed").click()
    lab.wait_value("ex.learning_rate", wanted=0.4)
    expect(opened.status).to_contain_text("Between 2/λ and 4/λ")
    lab.execute("ex.run()")
    expect(opened.status).to_contain_text("The roles are reversed")
    lab.shot("accumulation-reversed")
    opened.named("Why").click()
    expect(opened.root.locator(".gdw-fold-body")).to_contain_text("momentum with β = 1")


def test_micro_batches_and_clear_every(lab, opened):
    opened.named("micro-batches").click()
    lab.wait_value("ex.micro_batches", wanted=4)
    expect(opened.root.locator(".gda")).to_contain_text("the whole batch at once")
    lab.execute("ex.seek(2)")
    expect(opened.root.locator(".gda")).to_contain_text("part 3 of 4")
    opened.named("every third").click()
    lab.wait_value("ex.clear_every", wanted=3)
    expect(opened.root.locator(".gda")).to_contain_text("if step % 3 == 0")


def test_a_wrong_value_is_explained_in_the_sentences_place_and_nothing_is_lost(lab, opened):
    lab.execute("ex.seek(4)")
    field = opened.root.locator(".gdw-rate-number input")
    field.fill("fast")
    field.press("Enter")
    error = opened.root.locator(".gdw-error")
    expect(error).to_contain_text("learning_rate must be a number")
    expect(field).to_have_value("0.1")
    assert lab.value("[ex.learning_rate, ex.step]") == [0.1, 4]
    lab.shot("accumulation-wrong-value")
    opened.button(FORWARD).click()
    expect(error).to_have_count(0)


def test_keys_walk_through_the_loop(lab, opened):
    opened.root.focus()
    for key, step in (("ArrowRight", 1), ("PageDown", 2), ("ArrowLeft", 1), ("End", 10)):
        opened.page.keyboard.press(key)
        expect(opened.counter).to_have_text(opened.at_step(step))
    opened.page.keyboard.press("Home")
    expect(opened.counter).to_have_text(opened.at_step(0))
    opened.page.keyboard.press("]")
    lab.wait_value("ex.situation", wanted="roles reversed")


def test_the_dark_theme_has_readable_loops(lab, opened):
    lab.execute("ex.seek(4)")
    expect(opened.counter).to_have_text(opened.at_step(4))
    with lab.dark():
        lab.shot("accumulation-dark")
        ink = opened.root.locator(".gda pre").first.evaluate("e => getComputedStyle(e).color")
    assert min(int(part) for part in ink.strip("rgb()").split(",")[:3]) > 128


def test_in_large_text_code_and_titles_are_as_much_larger_as_all_the_rest(lab, opened):
    sizes = {}
    try:
        for width in (1068, 1280, 1980):
            opened.page.set_viewport_size({"width": width, "height": 1400})
            for size in ("normal", "large"):
                lab.execute(f"ex.situate('the exercise'); ex.step = 3; ex.size = {size!r}")
                opened.page.wait_for_timeout(500)
                lab.shot(f"accumulation-{size}-{width}")
                for part in (".gda pre", ".gda h5", ".gda-b", ".gda pre span"):
                    found = opened.root.locator(part).first
                    sizes[size, part] = found.evaluate(
                        "e => parseFloat(getComputedStyle(e).fontSize)"
                    )
                inside = opened.root.locator(".gda").evaluate(
                    """e => [...e.querySelectorAll("h5 span, pre div, pre span")].every(one => {
                        const a = one.getBoundingClientRect(), line = one.closest("h5, pre div"),
                            b = line.getBoundingClientRect();
                        return a.bottom <= b.bottom + 3 && a.right <= b.right + 1
                            && line.scrollWidth <= line.clientWidth + 1; })"""
                )
                assert inside, (width, size)
            for part in (".gda pre", ".gda h5", ".gda-b", ".gda pre span"):
                larger = sizes["large", part] / sizes["normal", part]
                assert larger == pytest.approx(1.4, abs=0.03), (width, part)
    finally:
        lab.execute("ex.size = 'normal'")
        opened.page.set_viewport_size({"width": 1080, "height": 1000})
