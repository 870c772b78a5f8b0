"""What axe-core finds in every explorer, and what keyboards and screen readers are told."""

from __future__ import annotations

from importlib import resources

import pytest

from browser.lab import DARK
from browser.pages import ExplorerPage

EXPLORERS = (
    "HimmelblauExplorer",
    "SurfaceExplorer",
    "LearningRateExplorer",
    "AccumulationComparer",
    "AutogradExplorer",
)
AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RUN_AXE = """async ([where, rules]) => {
    const options = rules ? {runOnly: rules} : {};
    const found = await axe.run({include: [[where]]}, {resultTypes: ["violations"], ...options});
    return found.violations.flatMap(rule => rule.nodes.map(node =>
        `${rule.id}: ${node.html.slice(0, 240)} | ${node.failureSummary.slice(0, 300)}`));
}"""
COLOURS = ["color-contrast", "color-contrast-enhanced", "link-in-text-block"]


def cell(name, settings=""):
    return f"from gdwidgets import {name}\nex = {name}({settings})\nex"


def show(notebook, name, settings="", **window):
    opened = ExplorerPage(notebook.open([cell(name, settings)], **{"height": 1000, **window}))
    opened.root.locator(".gdw-counter").wait_for()
    notebook.wait_value("ex.page.loaded")
    opened.page.wait_for_timeout(800)
    return opened


def violations(page, where=".gdwidgets", rules=None, patience=6):
    """What axe finds once the page has had time to draw and to name what is new in it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = []
    for _ in range(patience):
        page.wait_for_timeout(300)
        found = page.evaluate(RUN_AXE, [where, rules])
        if not found:
            break
    return found


def find_in_all_folds(notebook, opened, rules=None):
    """What axe finds in each open fold, and in all in mid-run and after a problem."""
    found = []
    for title in notebook.value("list(ex.fold.toggles)"):
        notebook.execute(f"ex.unfold({title!r})")
        found += violations(opened.page, ".gdw-folds", rules)
        notebook.execute(f"ex.unfold({title!r}, False)")
    notebook.execute("ex.step = 3\nif hasattr(ex, 'pin'): ex.pin()")
    notebook.execute("ex.show_problem(ValueError('learning_rate must be a number'))")
    return sorted({*found, *violations(opened.page, rules=rules)})


# Himmelblau's is a SurfaceExplorer with another name.
@pytest.mark.parametrize("name", [name for name in EXPLORERS if name != "SurfaceExplorer"])
def test_axe_finds_nothing_and_no_fault_of_colour_in_the_dark_theme(notebook, name):
    opened = show(notebook, name)
    assert violations(opened.page) == []
    assert find_in_all_folds(notebook, opened) == []
    notebook.change_theme(DARK)
    assert violations(opened.page, rules=COLOURS) == []
    assert find_in_all_folds(notebook, opened, COLOURS) == []
