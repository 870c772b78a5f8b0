"""What a hand at the mouse sees in a real JupyterLab: paths a second, and how soon it is done."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from benchmarks.bare_browser import bare_notebook
from browser.kernel import KernelReader
from browser.lab import lab_alone
from browser.pages import PLAY, ExplorerPage

SECONDS = 4.0
"""How long the mouse moves."""

SURFACE = "from gdwidgets import HimmelblauExplorer\nex = HimmelblauExplorer()\nex.run()\nex"
RATES = "from gdwidgets import LearningRateExplorer\nex = LearningRateExplorer()\nex.run()\nex"
COMPUTING = """
import time as _time
_recording, _began = ex.new_recording(frozenset()), _time.perf_counter()
_recording.advance_to(ex.max_steps)
_taken = 1000 * (_time.perf_counter() - _began)
"""
MIDDLE = """selector => {
    const starts = document.querySelector(".gdwidgets .bqplot").querySelectorAll(".object_grp");
    const found = selector ? document.querySelector(selector) : starts[starts.length - 1];
    const {x, y, width, height} = found.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
}"""
"""Where the first handle of a selector is; without one, the map's first start."""
WATCH = """() => {
    const root = document.querySelector(".gdwidgets");
    const lines = new Map();
    const seen = window.seenLines = {most: 0, last: 0};
    new MutationObserver(records => {
        for (const {target} of records) {
            if (!target.matches("path.line")) continue;
            const [count, d] = lines.get(target) || [0, ""];
            const now = target.getAttribute("d");
            if (now === d) continue;
            lines.set(target, [count + 1, now]);
            seen.most = Math.max(seen.most, count + 1);
            seen.last = performance.now();
        }
    }).observe(root, {subtree: true, attributes: true, attributeFilter: ["d"]});
    window.addEventListener("mouseup", () => { seen.up = performance.now(); }, true);
}"""
MOVE = """(x, y, reach, seconds) => new Promise(done => {
    const began = performance.now();
    const move = () => {
        const taken = (performance.now() - began) / 1000;
        if (taken >= seconds) { done(); return; }
        const at = {
            clientX: x + reach * (1 - Math.abs(1 - taken % 2)), clientY: y - Math.round(taken) % 2,
            buttons: 1, bubbles: true, cancelable: true, view: window,
        };
        document.body.dispatchEvent(new PointerEvent("pointermove", at));
        document.body.dispatchEvent(new MouseEvent("mousemove", at));
        requestAnimationFrame(move);
    };
    move();
})"""
"""Moves once in every frame, as a page hears of a real mouse."""

AFTER_PAUSE = """root => {
    window.afterPause = 0;
    root.querySelector("[title^='Play or pause']").addEventListener("click", () => {
        const clicked = performance.now();
        new MutationObserver(() => { window.afterPause = performance.now() - clicked; })
            .observe(root.querySelector(".gdw-pictures"),
                {subtree: true, attributes: true, attributeFilter: ["d"]});
    }, {once: true});
}"""


def _waits(kernel: KernelReader, stop: Event) -> list[float]:
    """Milliseconds until another cell is answered, again and again."""
    times = []
    while not stop.is_set():
        began = time.perf_counter()
        kernel.value("1")
        times.append(1000 * (time.perf_counter() - began))
        stop.wait(0.1)
    return times


def _drag(cell: str, handle: str, reach: float) -> dict[str, Any]:
    """Move a handle of a new explorer to and fro; return what was seen."""
    with bare_notebook(cell) as (page, kernel):
        x, y = page.value(MIDDLE, handle)
        page.value(WATCH)
        page.press(x, y)
        stop = Event()
        with ThreadPoolExecutor(1) as beside:
            waits = beside.submit(_waits, kernel, stop)
            page.value(MOVE, x, y, reach, SECONDS)
            during = page.value("() => window.seenLines.most")
            stop.set()
            times = waits.result()
        page.release(x, y)
        time.sleep(2.5)
        after = page.value("() => window.seenLines.last - window.seenLines.up")
        kernel.execute(COMPUTING)
        return {
            "paths": during / SECONDS,
            "computing": kernel.value("_taken"),
            "done": max(0.0, after),
            "wait": statistics.median(times),
            "longest": max(times),
        }


def _told(name: str, seen: dict[str, Any], goal: int) -> list[tuple[str, str, str]]:
    beyond = max(0.0, seen["done"] - seen["computing"])
    return [
        (f"new paths/s: {name}", f"{seen['paths']:.1f}", f"≥ {goal}"),
        (f"ms of computing the whole run: {name}", f"{seen['computing']:.0f}", ""),
        (f"ms from release to the last picture: {name}", f"{seen['done']:.0f}", ""),
        (f"ms of that beyond computing: {name}", f"{beyond:.0f}", "≤ 150"),
        (
            f"ms another cell waits, median (most): {name}",
            f"{seen['wait']:.0f} ({seen['longest']:.0f})",
            "≤ 50",
        ),
    ]


def rows() -> list[tuple[str, str, str]]:
    """Measure drags of two explorers, and pause on a slow page."""
    table = []
    for name, goal, cell, handle, reach in (
        ("start, 300 steps", 20, SURFACE, "", -80),
        ("learning rate, 300 steps", 20, SURFACE, ".gdw-track .noUi-handle", 60),
        ("learning rate, 4 × 4,000 steps", 10, RATES, ".gdw-handle-1 .noUi-handle", -60),
    ):
        table += _told(name, _drag(cell, handle, reach), goal)
    with lab_alone() as lab:
        opened = ExplorerPage(lab.open([SURFACE], width=1080, height=1000)).ready()
        lab.execute("ex.assign(max_steps=5000, speed=200); ex.reset()")
        opened.button(PLAY).click()
        lab.wait_value("ex.step > 20")
        lab.throttle(6)
        opened.page.wait_for_timeout(3000)
        opened.root.evaluate(AFTER_PAUSE)
        opened.button(PLAY).click()
        opened.page.wait_for_timeout(4000)
        paused = opened.page.evaluate("window.afterPause")
        lab.throttle(1)
        table.append(("ms from pause to standstill, page 6 × slower", f"{paused:.0f}", "≤ 300"))
    return table
