"""Every explorer at every width, in both sizes and with fewer controls: nothing overlaps."""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from browser.pages import ExplorerPage
from browser.test_accessibility import EXPLORERS, show

WIDTHS = (600, 900, 1200, 1800)
"""Widths of a notebook's cell."""

AROUND = 168
"""How much wider the window is than the cell."""

ROWS = (".gdw-head", ".gdw-sentence", ".gdw-pictures", ".gda", ".gdw-transport", ".gdw-dials")
ROWS += (".gdw-folds",)
INSIDE = ".gdw-head > *, .gdw-pictures > *, .gdw-transport > *, .gdw-buttons > *"
INSIDE += ", .gdw-dials > *, .gdw-fold-row > *, .gdw-chips > *, .gdw-tools > *"

BOXES = """(root, selector) => [...root.querySelectorAll(selector)].map(e => {
    const b = e.getBoundingClientRect();
    return {name: e.className.toString().split(" ").filter(c => /^(gd|bq)/.test(c)).join(".")
            || e.tagName + " " + e.textContent.trim().slice(0, 20),
        x: b.left, y: b.top, right: b.right, bottom: b.bottom, parent: e.parentElement};
}).filter(b => b.right - b.x > 1 && b.bottom - b.y > 1).map(b => ({...b,
    parent: [...root.querySelectorAll("*")].indexOf(b.parent)}))"""


ARROWHEADS = "▶◀"
TEXTS = """root => [...root.querySelectorAll("*")]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}))
    .filter(e => e.getBoundingClientRect().width > 1 && !e.closest("option, style, .gdw-summary"))
    .map(e => [parseFloat(getComputedStyle(e).fontSize), e.textContent.trim().slice(0, 40)])"""


UNREADABLE = r"""root => {
    const found = [], seen = e => e.checkVisibility(
        {visibilityProperty: true, opacityProperty: true});
    const share = (a, b) => [Math.min(a.right, b.right) - Math.max(a.left, b.left),
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
    for (const svg of root.querySelectorAll("svg.svg-figure, .bqplot > svg")) {
        const frame = svg.getBoundingClientRect();
        if (!seen(svg) || frame.width < 5) continue;
        // Markers are texts too, and may cover each other.
        const texts = [...svg.querySelectorAll("text")]
            .map(e => ({e, said: e.textContent.trim(), box: e.getBoundingClientRect()}))
            .filter(t => t.box.width > 1 && /[^●▲■◆▼★✚◐\s]/u.test(t.said) && seen(t.e));
        texts.forEach((text, i) => {
            const {left, right, top, bottom} = text.box;
            if (left < frame.left - 1 || right > frame.right + 1
                    || top < frame.top - 2 || bottom > frame.bottom + 2)
                found.push(`"${text.said}" stands beyond its figure`);
            for (const other of texts.slice(0, i)) {
                const [wide, high] = share(text.box, other.box);
                if (wide > 1.5 && high > 4)
                    found.push(`"${other.said}" and "${text.said}" overlap`);
            }
        });
    }
    for (const e of root.querySelectorAll("*")) {
        if (e.closest("svg, .gdw-summary, .gdw-fold-body, .gdw-note") || !seen(e)) continue;
        const style = getComputedStyle(e), said = e.textContent.trim().slice(0, 30);
        if (style.overflowX !== "visible" && e.clientWidth > 2 && e.scrollWidth > e.clientWidth + 1)
            found.push(`${e.className} "${said}" is clipped to ${e.clientWidth} pixels of width`);
        if (style.overflowY !== "visible" && e.clientHeight > 2
                && e.scrollHeight > e.clientHeight + 2)
            found.push(`${e.className} "${said}" is clipped to ${e.clientHeight} pixels of height`);
    }
    const pen = document.createElement("canvas").getContext("2d");
    for (const list of root.querySelectorAll("select")) {
        const style = getComputedStyle(list);
        if (!seen(list)) continue;
        pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
        const room = list.clientWidth - parseFloat(style.paddingLeft)
            - parseFloat(style.paddingRight);
        for (const option of list.options)
            if (pen.measureText(option.textContent).width > room + 1)
                found.push(`"${option.textContent}" is cut in a list of ${room} pixels`);
    }
    const rows = ".gdw-head, .gdw-chips, .gdw-transport, .gdw-fold-row";
    for (const row of root.querySelectorAll(rows)) {
        const lines = [];
        for (const child of row.children) {
            const box = child.getBoundingClientRect(), middle = (box.top + box.bottom) / 2;
            if (box.width < 2 || !seen(child)) continue;
            const line = lines.find(l => l.top < middle && middle < l.bottom);
            if (line) line.push(child);
            else lines.push(Object.assign([child], {top: box.top, bottom: box.bottom}));
        }
        const last = lines.at(-1);
        if (lines.length > 1 && last.length === 1
                && last[0].getBoundingClientRect().width < row.clientWidth / 2)
            found.push(`"${last[0].textContent.trim().slice(0, 30)}" stands in a line alone`);
    }
    return found;
}"""
"""Texts that cover each other or stand beyond their figure, what is clipped, what wraps alone."""


def problems(opened: ExplorerPage) -> list[str]:
    """Rows, and things in a row, that overlap each other or stand beyond the cell."""
    rows = [box for row in ROWS for box in opened.root.evaluate(BOXES, row)]
    found = [
        f"{above['name']} ends at {above['bottom']:.0f}, {below['name']} begins at {below['y']:.0f}"
        for above, below in pairwise(rows)
        if above["bottom"] > below["y"] + 1
    ]
    inside = opened.root.evaluate(BOXES, INSIDE)
    for i, one in enumerate(inside):
        for other in inside[:i]:
            wide = min(one["right"], other["right"]) - max(one["x"], other["x"])
            high = min(one["bottom"], other["bottom"]) - max(one["y"], other["y"])
            if one["parent"] == other["parent"] and wide > 1 and high > 1:
                found.append(f"{other['name']} and {one['name']} overlap")
    edge = opened.root.bounding_box()
    right = edge["x"] + edge["width"]
    found += [
        f"{box['name']} ends at {box['right']:.0f}, beyond {right:.0f}"
        for box in [*rows, *inside]
        if box["right"] > right + 1
    ]
    return found


def font_size(opened: ExplorerPage, selector: str) -> float:
    """The size of a text, in CSS pixels."""
    found = opened.root.locator(selector).first
    return float(found.evaluate("e => parseFloat(getComputedStyle(e).fontSize)"))


# Himmelblau's is a SurfaceExplorer with another name.
@pytest.fixture(scope="module", params=[name for name in EXPLORERS if name != "SurfaceExplorer"])
def opened(request, notebook):
    return show(notebook, request.param, width=900 + AROUND)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", ["normal", "large"])
def test_nothing_overlaps(notebook, opened, size, width):
    notebook.execute(f"ex.size = {size!r}; ex.step = 3")
    opened.page.set_viewport_size({"width": width + AROUND, "height": 1400})
    opened.page.wait_for_timeout(800)
    notebook.shot(f"{notebook.value('type(ex).__name__')}-{size}-{width}")
    assert opened.root.bounding_box()["width"] == pytest.approx(width, abs=16)
    assert problems(opened) == []
    found = opened.root.evaluate(UNREADABLE)
    # Large text in 600 pixels is normal text in 430, where wide tables are scrolled.
    narrow = size == "large" and width < 900
    assert [f for f in found if not (narrow and "pixels of width" in f)] == []


def test_large_text_is_larger_in_numbers(notebook, opened):
    parts = (".gdw-sentence", ".gdw-counter", ".gdw-chips button", ".gdw-fold-row button")
    notebook.execute("ex.size = 'normal'")
    opened.page.wait_for_timeout(500)
    normal = [font_size(opened, part) for part in parts]
    height = opened.map.bounding_box()["height"]
    notebook.execute("ex.size = 'large'")
    opened.page.wait_for_timeout(500)
    assert [font_size(opened, part) for part in parts] == pytest.approx([1.4 * n for n in normal])
    assert opened.map.bounding_box()["height"] == pytest.approx(1.4 * height, abs=2)
    assert opened.root.evaluate("e => getComputedStyle(e).zoom") == "1"
    notebook.execute("ex.size = 'normal'")


@pytest.mark.parametrize("size", ["normal", "large"])
def test_no_text_is_small_whichever_theme_came_last(notebook, opened, size):
    """A theme brings rules for code of its own, which are read after ours once it is changed."""
    notebook.execute(f"ex.size = {size!r}; ex.step = 3; ex.unfold('Code')")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        opened.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
    # Where a large explorer is shown: in 900 pixels the comparer's code is as large as fits.
    width = 900 if size == "normal" else 1800
    opened.page.set_viewport_size({"width": width + AROUND, "height": 1400})
    opened.page.wait_for_timeout(500)
    texts = [text for text in opened.root.evaluate(TEXTS) if text[1] not in ARROWHEADS]
    least = 13 if size == "normal" else 13 * 1.4
    assert len(texts) > 30
    assert [text for text in texts if text[0] < least - 0.05] == []
    notebook.execute("ex.size = 'normal'; ex.unfold('Code', False)")


@pytest.mark.parametrize(
    ("controls", "shown"),
    [("transport", (".gdw-transport",)), ("none", ()), ("all", (".gdw-transport", ".gdw-head"))],
)
def test_fewer_controls_leave_picture_and_sentence(notebook, opened, controls, shown):
    notebook.execute(f"ex.controls = {controls!r}")
    for part in (".gdw-head", ".gdw-transport", ".gdw-dials", ".gdw-folds"):
        place = opened.root.locator(part).first
        expect(place).to_be_visible(visible=part in shown or controls == "all")
    expect(opened.status).to_be_visible()
    expect(opened.map).to_be_visible()
