"""Other places than JupyterLab 4: Notebook 7 and Voilà, started for real."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.pages import FORWARD, PLAY, ExplorerPage
from browser.server import NotebookServer, VoilaServer, wait_until

CELL = """from gdwidgets import HimmelblauExplorer
HimmelblauExplorer(start=(1, 1), max_steps=5000)"""
KNOWN = {
    "notebook": ("reading 'schema'",),  # thrown as it loads, by an empty notebook too
    "voila": ("shared module", "Unable to determine eager version"),
}
"""Errors that are the place's own, by text."""


@pytest.fixture(params=[NotebookServer, VoilaServer], ids=["notebook", "voila"])
def place(request, tmp_path):
    server = request.param(tmp_path / "server").start()
    yield server
    server.stop()


def _ready(place):
    """Whether a page is connected to the server's kernel, and it waits for a cell."""
    kernels = place.api("GET", "kernels")
    return any(one["connections"] and one["execution_state"] == "idle" for one in kernels)


def test_an_explorer_appears_and_is_clicked_stepped_played_and_paused(place, chromium):
    errors: list[str] = []
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(f"uncaught: {error}"))
    place.write_notebook("lesson.ipynb", [CELL])
    if place.MODULE == "notebook":
        page.goto(f"{place.url}/notebooks/lesson.ipynb?token={place.token}")
        page.locator(".jp-CodeCell .cm-content").click()
        wait_until(lambda: _ready(place), "the notebook's kernel")
        page.keyboard.press("Shift+Enter")
    else:
        page.goto(f"{place.url}/voila/render/lesson.ipynb")
    opened = ExplorerPage(page)
    opened.path.wait_for(state="attached")
    opened.counter.wait_for()
    try:
        before = opened.drawn()
        area = opened.plot_area()
        page.mouse.click(area["x"] + 0.3 * area["width"], area["y"] + 0.3 * area["height"])
        page.wait_for_function(
            "([root, before]) => [...root.querySelectorAll('path')]"
            ".map(p => p.getAttribute('d')).join() !== before",
            arg=[opened.map.element_handle(), before],
        )
        opened.wait_step(0)
        opened.button(FORWARD).click()
        opened.wait_step(1)
        opened.button(PLAY).click()
        expect(opened.counter).not_to_have_text(opened.at_step(1))
        page.wait_for_timeout(1000)
        assert opened.step > 10
        opened.button(PLAY).click()
        page.wait_for_timeout(500)
        paused = opened.step
        page.wait_for_timeout(500)
        assert opened.step == paused
    finally:
        page.close()
    unknown = [error for error in errors if not any(k in error for k in KNOWN[place.MODULE])]
    assert unknown == []
