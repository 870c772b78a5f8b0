"""Pages that `save_html` writes: opened from a file with the network off, and no kernel."""

from __future__ import annotations

import re

import pytest
import torch
from playwright.sync_api import expect

from gdwidgets import (
    AccumulationComparer,
    AutogradExplorer,
    LearningRateExplorer,
    SurfaceExplorer,
    TrainingExplorer,
)
from gdwidgets.core import Surface

NASTY = "</script><img src=x onerror='window.broken = 1'>"


def trained():
    """A training loop that was watched, with names of a user's own."""
    explorer = TrainingExplorer()
    weight = torch.ones(2, requires_grad=True)
    with explorer.watch(**{NASTY: weight}):
        for _ in range(30):
            loss = (weight - 3).square().sum()
            loss.backward()
            with torch.no_grad():
                weight -= 0.1 * weight.grad
                weight.grad = None
    return explorer


def nasty_surface():
    surface = Surface(lambda u, v: u**2 + 3 * v**2, (-2, 2), [(0, 0)], NASTY)
    return SurfaceExplorer(surface, start=(1.5, 1.0), learning_rate=0.05, max_steps=40)


EVERY = {
    "surface": nasty_surface,
    "learning rates": LearningRateExplorer,
    "accumulation": lambda: AccumulationComparer(max_steps=200),
    "autograd": AutogradExplorer,
    "training": trained,
}


@pytest.fixture
def offline(chromium):
    context = chromium.new_context(offline=True, viewport={"width": 1100, "height": 700})
    page = context.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on(
        "console",
        lambda said: page.troubles.append(said.text) if said.type == "error" else None,
    )
    page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith(("file:", "data:", "blob:"))
            else page.troubles.append(asked.url)
        ),
    )
    yield page
    context.close()
    assert page.troubles == []


@pytest.mark.parametrize("name", EVERY)
def test_a_page_plays_steps_and_scrubs_without_kernel_and_network(offline, tmp_path, name):
    explorer = EVERY[name]()
    file = tmp_path / "run.html"
    explorer.save_html(file)
    if not isinstance(explorer, TrainingExplorer):
        assert explorer.step == 0
    end, first, last = explorer.end, *map(explorer.sentence, (0, explorer.end))
    explorer.close()
    assert file.stat().st_size <= 3_000_000

    page = offline
    page.goto(file.as_uri())
    count = page.get_by_text(re.compile(rf" of {end:,}$"))
    expect(count).to_have_text(f"0 of {end:,}")
    said = page.locator(".gdw-sentence")
    expect(said).to_have_text(_plain(first))
    page.get_by_role("button", name="Step ▶").click()
    expect(count).not_to_have_text(f"0 of {end:,}")
    page.get_by_role("button", name="Back").click()
    expect(count).to_have_text(f"0 of {end:,}")
    page.get_by_role("button", name="Play").click()
    expect(count).not_to_have_text(re.compile(r"^[0-3] of "))
    page.get_by_role("button", name="Pause").click()
    shown = count.inner_text()
    page.wait_for_timeout(300)
    assert count.inner_text() == shown
    handle = page.locator(".noUi-handle")
    handle.focus()
    page.keyboard.press("End")
    expect(count).to_have_text(f"{end:,} of {end:,}")
    expect(said).to_have_text(_plain(last))
    page.get_by_role("button", name="Reset").click()
    expect(count).to_have_text(f"0 of {end:,}")
    assert page.evaluate("window.broken") is None


def _plain(sentence):
    return re.sub(r"\s+", " ", sentence.replace("**", "")).strip()


LOSS_AXIS = """() => {
    const figures = [...Bokeh.documents[0].all_models].filter(m => m.type === "Figure");
    const loss = figures.find(f => f.y_scale.type === "LogScale");
    return [loss.y_range.start, loss.y_range.end];
}"""


def test_the_axis_of_a_hidden_future_grows_with_what_is_shown(offline, tmp_path):
    explorer = SurfaceExplorer("booth", future=False, learning_rate=0.02, max_steps=60)
    file = tmp_path / "run.html"
    explorer.save_html(file)
    loss = explorer.descent.loss[:, 0]
    offline.goto(file.as_uri())
    offline.get_by_role("button", name="Step ▶").click()
    start, end = offline.evaluate(LOSS_AXIS)
    assert 0.5 * loss[1] < start < loss[1] < loss[0] < end
    offline.get_by_role("button", name="End").click()
    assert offline.evaluate(LOSS_AXIS)[0] < loss[60] < 0.01 * start
