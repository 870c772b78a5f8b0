"""JupyterLab, Notebook 7 and Voilà, each started for real, and all that a hand does in them.

``.ci/older`` drives the JupyterLab of older versions with the same test.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.pages import BACK, FORWARD, PLAY, ExplorerPage
from browser.server import LabServer, NotebookServer, OneShellServer, VoilaServer, wait_until

CELL = """from gdwidgets import HimmelblauExplorer
HimmelblauExplorer(start=(1, 1), max_steps=5000)"""
LOOP = """import torch
ex = HimmelblauExplorer()
display(ex)
with ex.watch():
    u = torch.tensor(1.0, requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    for k in range(40):
        loss = (u**2 + v - 11) ** 2 + (u + v**2 - 7) ** 2
        loss.backward()
        with torch.no_grad():
            u += 5e-4 * u.grad  # a mistake
            v += 5e-4 * v.grad
            u.grad = v.grad = None"""
RATES = """from gdwidgets import LearningRateExplorer
LearningRateExplorer(max_steps=500)"""
KNOWN = {
    "jupyterlab": (),
    "notebook": ("reading 'schema'",),  # thrown as it loads, by an empty notebook too
    "voila": ("shared module", "Unable to determine eager version"),
}
"""Errors that are the place's own, by text."""

HANDLE = ":is(.noUi-handle, .ui-slider-handle)"
"""A slider's handle, in ipywidgets 8 and 7."""

SUBSHELLS = """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
    .commsOverSubshells"""
EDITOR = ".jp-CodeCell .jp-InputArea-editor"


@pytest.fixture(
    params=[LabServer, OneShellServer, NotebookServer, VoilaServer],
    ids=["jupyterlab", "without subshells", "notebook", "voila"],
)
def place(request, tmp_path):
    server = request.param(tmp_path / "server").start()
    yield server
    server.stop()


@pytest.fixture
def page(place, chromium):
    """A page of the browser in which nothing but the place's own errors may happen."""
    errors: list[str] = []
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(f"uncaught: {error}"))
    yield page
    page.close()
    unknown = [error for error in errors if not any(k in error for k in KNOWN[place.MODULE])]
    assert unknown == []


def _ready(place):
    """Whether a page is connected to the server's kernel, and it waits for a cell."""
    try:
        kernels = place.api("GET", "kernels")
    except OSError:  # the server is busy with starting it
        return False
    return any(one["connections"] and one["execution_state"] == "idle" for one in kernels)


def _run_cell(page, number):
    """Run a cell as a person does; Voilà has run all of them before it shows anything."""
    page.locator(EDITOR).nth(number).click()
    page.keyboard.press("Shift+Enter")


def _open(place, page):
    """Open a lesson, and run its first cell."""
    place.write_notebook("lesson.ipynb", [CELL, LOOP, RATES])
    if place.MODULE == "voila":
        page.goto(f"{place.url}/voila/render/lesson.ipynb")
    else:
        tree = "notebooks" if place.MODULE == "notebook" else "doc/tree"
        page.goto(f"{place.url}/{tree}/lesson.ipynb?token={place.token}")
        page.locator(EDITOR).first.wait_for()
        wait_until(lambda: _ready(place), "the notebook's kernel")
        _run_cell(page, 0)


def _drawn_anew(opened, before):
    """Wait until the map shows another picture."""
    opened.page.wait_for_function(
        "([root, before]) => [...root.querySelectorAll('path')]"
        ".map(p => p.getAttribute('d')).join() !== before",
        arg=[opened.map.element_handle(), before],
    )


def _click_and_drag(opened):
    """A click sets the start there; the picture follows while the mouse holds it."""
    page, area = opened.page, opened.plot_area()
    before = opened.drawn()
    x, y = area["x"] + 0.3 * area["width"], area["y"] + 0.3 * area["height"]
    page.mouse.click(x, y)
    _drawn_anew(opened, before)
    page.wait_for_timeout(300)
    assert opened.middle(opened.start_circle()) == pytest.approx((x, y), abs=1.5)
    before = opened.drawn()
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=6)
    _drawn_anew(opened, before)
    page.mouse.up()
    page.wait_for_timeout(500)
    assert opened.middle(opened.start_circle()) == pytest.approx((x + 60, y + 30), abs=2.5)


def _step_play_and_pause(opened):
    """Buttons go forward and back; a run plays, and stands still when it is paused."""
    opened.wait_step(0)
    opened.button(FORWARD).click()
    opened.button(FORWARD).click()
    opened.wait_step(2)
    opened.button(BACK).click()
    opened.wait_step(1)
    before = opened.drawn()
    opened.button(PLAY).click()
    expect(opened.counter).not_to_have_text(opened.at_step(1))
    opened.page.wait_for_timeout(1000)
    assert opened.step > 10
    assert opened.drawn() != before
    opened.button(PLAY).click()
    opened.page.wait_for_timeout(500)
    paused = opened.step
    opened.page.wait_for_timeout(500)
    assert opened.step == paused


def _scrub(opened):
    """The scrubber's handle takes the run along."""
    paused, picture = opened.step, opened.drawn()
    x, y = opened.middle(opened.root.locator(f".gdw-scrubber {HANDLE}"))
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 120, y, steps=6)
    expect(opened.counter).not_to_have_text(opened.at_step(paused))
    opened.page.mouse.up()
    opened.page.wait_for_timeout(500)
    assert opened.step > paused + 100
    assert opened.drawn() != picture


def test_an_explorer_does_all_that_it_does_anywhere(place, page, shot):
    _open(place, page)
    opened = ExplorerPage(page).ready()
    if isinstance(place, OneShellServer):
        assert page.evaluate(SUBSHELLS) == "disabled"
    shot(page, f"{place.MODULE}-first")
    _click_and_drag(opened)
    _step_play_and_pause(opened)
    _scrub(opened)
    shot(page, f"{place.MODULE}-scrubbed")

    # A loop of the learner's own, with a mistake planted in it.
    if place.MODULE != "voila":
        _run_cell(page, 1)
    own = ExplorerPage(page, nth=1).ready()
    expect(own.status).to_contain_text("uphill")
    expect(own.root.locator(".gdw-curves text", has_text="yours")).to_have_count(1)
    own.root.scroll_into_view_if_needed()
    shot(page, f"{place.MODULE}-loop")

    # Handles that lie over each other, each to be dragged.
    if place.MODULE != "voila":
        _run_cell(page, 2)
    rates = ExplorerPage(page, nth=2).ready()
    rates.root.scroll_into_view_if_needed()
    x, y = rates.middle(rates.root.locator(f".gdw-handle-1 {HANDLE}"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=6)
    expect(rates.root.locator(".gdw-lane-1 input").first).not_to_have_value("0.1")
    page.mouse.up()
    shot(page, f"{place.MODULE}-rates")
