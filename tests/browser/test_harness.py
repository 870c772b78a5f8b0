"""The harness itself: a notebook runs, and both of its ends can be seen."""

import pytest
from playwright.sync_api import expect

from browser.chromium import NoBrowserError, find_or_install
from browser.kernel import KernelError

CELL = """
import bqplot, ipywidgets, numpy
slider = ipywidgets.IntSlider(value=3, max=50, description="step")
line = bqplot.Lines(
    x=numpy.arange(3.0), y=numpy.arange(3.0),
    scales={"x": bqplot.LinearScale(min=0, max=2), "y": bqplot.LinearScale(min=0, max=50)},
)
ipywidgets.VBox([slider, bqplot.Figure(marks=[line], animation_duration=0)])
"""
PATH = ".bqplot path.line"


@pytest.fixture(scope="module")
def page(notebook):
    return notebook.open([CELL])


def test_widgets_are_drawn(notebook, page):
    path = page.locator(PATH).first
    path.wait_for(state="attached")
    assert path.get_attribute("d").startswith("M")
    expect(page.locator(".widget-readout")).to_have_text("3")
    notebook.shot("harness")


def test_what_the_kernel_sets_beside_the_page_shows_in_the_page(notebook, page):
    path = page.locator(PATH).first
    before = path.get_attribute("d")
    frames = notebook.count_frames(PATH)
    notebook.execute("slider.value = 17; line.y = numpy.array([1.0, 40.0, 2.0])")
    expect(page.locator(".widget-readout")).to_have_text("17")
    page.wait_for_function(
        "([s, d]) => document.querySelector(s).getAttribute('d') !== d", arg=[PATH, before]
    )
    assert frames() >= 1


def test_what_the_page_sets_can_be_read_in_the_kernel(notebook, page):
    readout = page.locator(".widget-readout")
    readout.fill("23")
    readout.press("Enter")
    notebook.wait_value("slider.value", 23)


def test_a_cell_run_later_returns_its_text(notebook, page):
    assert notebook.run_cell("print(6 * 7)").strip() == "42"
    with pytest.raises(KernelError, match="ZeroDivisionError"):
        notebook.run_cell("1 / 0")
    assert notebook.run_cell("'goes ' + 'on'") == "'goes on'"


def test_an_error_in_the_page_is_noticed(notebook, page):
    page.evaluate("setTimeout(() => { throw new Error('on purpose'); }); null")
    page.wait_for_timeout(100)
    assert any("on purpose" in error for error in notebook.take_errors())


def test_a_throttled_page_is_slower(notebook, page):
    work = """() => {
        const start = performance.now();
        let x = 0;
        for (let i = 0; i < 2e7; i += 1) x += Math.sqrt(i);
        return performance.now() - start + 0 * x;
    }"""
    usual = min(page.evaluate(work) for _ in range(5))  # the least: others use the machine too
    notebook.throttle(6)
    slow = min(page.evaluate(work) for _ in range(3))
    notebook.throttle(1)
    assert slow > 2 * usual


def test_another_notebook_in_the_same_kernel_starts_clean(notebook, dark_theme):
    page = notebook.open(["import ipywidgets\nipywidgets.Label('second')"])
    expect(page.locator(".widget-label")).to_have_text("second")
    assert page.locator("body").get_attribute("data-jp-theme-light") == "false"
    assert notebook.value("'slider' in globals()") is False
    assert notebook.value("len(ipywidgets.widgets.widget._instances)") <= 3


def test_a_browser_that_is_named_but_missing_is_an_error(monkeypatch):
    monkeypatch.setenv("GDWIDGETS_CHROMIUM", "no-such-browser")
    with pytest.raises(NoBrowserError, match="no-such-browser"):
        find_or_install()
