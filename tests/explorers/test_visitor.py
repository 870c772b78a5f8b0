"""Nobody at the controls can hold the kernel: work is handed out in slices, however much it is."""

from __future__ import annotations

import asyncio
import math
import time

import pytest
import torch
from ipywidgets import Button, Dropdown, ToggleButton

from browserless import live, message, quiet, send
from gdwidgets import AccumulationComparer, LearningRateExplorer, SurfaceExplorer
from gdwidgets.core import Descent
from gdwidgets.core.analysis import basins
from gdwidgets.core.descent import descent
from gdwidgets.core.tables import exercise_1, training_lines
from gdwidgets.ui.playback.main_loop import reachable

MILLION = 1_000_000
FEW = 2000
"""Steps that may be computed without a look at the time: some 150 milliseconds."""

LONG = {
    "surface": lambda: SurfaceExplorer("rosenbrock", learning_rate=1e-5, max_steps=MILLION),
    "learning rates": lambda: LearningRateExplorer(
        max_steps=MILLION,
        learning_rates=(0.1, 0.01),
        schedule=((MILLION // 2, (0.1, 0.1)),),
        on_change="continue",
    ),
    "accumulation": lambda: AccumulationComparer(max_steps=MILLION),
}


def entries(part):
    """What a page sends for each button of a part, and for each entry of its lists."""
    for widget in list(reachable(part)):
        if isinstance(widget, Button):
            yield widget, None, {"event": "click"}
        elif isinstance(widget, ToggleButton):
            yield widget, {"value": not widget.value}, None
        elif isinstance(widget, Dropdown):
            yield from ((widget, {"index": i}, None) for i in range(len(widget.options)))


async def opened(explorer, title):
    """Wait until a part is open: what was sent before is handled before."""
    for _ in range(500):
        await asyncio.sleep(0.01)
        if explorer.fold.opened == title:
            return
    raise AssertionError(f"{title} is not open, but {explorer.fold.opened}")


@pytest.mark.parametrize("kind", LONG)
def test_whatever_is_pressed_a_long_run_is_computed_in_slices(kind, monkeypatch):
    advance, held = Descent.advance_to, []

    def watched(self, k, *, budget=None):
        ahead = min(k, self.max_steps) - self.recorded
        if ahead > FEW and (budget is None or budget > 0.1):
            held.append((ahead, budget))
            return self.recorded
        return advance(self, k, budget=budget)

    async def scene():
        explorer = LONG[kind]()
        monkeypatch.setattr(Descent, "advance_to", watched)
        for title, toggle in explorer.fold.toggles.items():
            send(explorer, (toggle, {"value": True}, None))
            await opened(explorer, title)
            for sent in entries(explorer.fold.body):
                send(explorer, sent)
                await asyncio.sleep(0.002)
        bar = explorer.transport
        send(explorer, (bar.scrubber, {"value": 900_000}, None))
        for which in range(0, 400, 19):
            if (sent := message(explorer, which, which)) is not None:
                send(explorer, sent)
            await asyncio.sleep(0.002)
        for pressed in (bar.finish, bar.play, explorer.head.picture):
            send(explorer, (pressed, None, {"event": "click"}))
            await asyncio.sleep(0.05)
        assert "Error" not in explorer.problem
        explorer.close()

    live(scene)
    assert held == []


def test_the_course_s_tables_of_a_long_run_come_later_and_are_those_of_the_whole_run():
    async def scene():
        explorer = LearningRateExplorer(max_steps=1500, shown_table="course", future=False)
        explorer._choose("max_steps", lambda: 1600)
        explorer.handler(explorer.unfold)("Tables")
        assert "Computing 3,200 steps" in explorer.fold.text.value
        await quiet(explorer)
        whole = Descent(
            explorer.regression,
            explorer.descent.start[0],
            explorer.learning_rates,
            max_steps=3200,
        )
        counts = [40, 800, 1600, 2400, 3200]
        wanted = exercise_1(whole, 1600, counts, explorer.closed_form)
        assert wanted.splitlines()[-1] in explorer.fold.text.value
        assert all(line in explorer.fold.text.value for line in wanted.splitlines())
        explorer._choose("shown_table", lambda: "training")
        await quiet(explorer)
        lines = training_lines(explorer.descent, explorer.lane).splitlines()
        assert all(line in explorer.fold.text.value for line in lines)
        explorer.close()

    live(scene)


class Slow:
    """A function that takes 80 milliseconds, on a clock of its own."""

    def __init__(self, monkeypatch):
        self.taken, self.turn, self.most = 0.0, 0.0, 0.0
        real = time.perf_counter
        for module in (descent, basins):
            monkeypatch.setattr(module, "perf_counter", lambda: real() + self.taken)

    def __call__(self, u, v):
        self.taken += 0.08
        return u**2 + 3 * v**2 + torch.sin(u * v)

    async def watch(self):
        while True:
            began = self.taken
            await asyncio.sleep(0)
            self.most = max(self.most, self.taken - began)


def test_a_function_of_80_milliseconds_is_called_twelve_times_in_a_turn_at_most(monkeypatch):
    slow = Slow(monkeypatch)

    async def scene():
        explorer = SurfaceExplorer(slow, bounds=(-2, 2), minima=[(0, 0)], start=(1.5, 1.0))
        watching = asyncio.create_task(slow.watch())
        bar, zoom = explorer.transport, explorer._beside.widget.children[-1].children
        acts = [
            lambda: explorer._choose("start", lambda: (-1.0, 1.0)),
            bar.forward.click,
            bar.finish.click,
            bar.reset.click,
            bar.play.click,
            bar.play.click,
            lambda: explorer._choose("learning_rate", lambda: 0.02),
            *(lambda t=t: explorer.handler(explorer.unfold)(t) for t in explorer.fold.toggles),
            zoom[0].click,
            zoom[2].click,
            lambda: explorer._choose("basins", lambda: True),
            lambda: explorer._choose("race", lambda: True),
            lambda: setattr(explorer.chooser, "value", "booth"),
            lambda: setattr(explorer.chooser, "value", "your own function"),
        ]
        for act in acts:
            asyncio.get_running_loop().call_soon(act)
            await asyncio.sleep(0.1)
        watching.cancel()
        explorer.close()

    live(scene)
    assert 0 < slow.most <= 1.0 + 1e-6


def test_what_takes_long_leaves_as_much_time_to_others():
    """A step of a tenth of a second is followed by a rest of the same length."""

    async def scene():
        def heavy(u, v):
            if u.requires_grad and explorer is not None:
                time.sleep(0.12)
            return u**2 + v**2

        explorer = None
        explorer = SurfaceExplorer(heavy, bounds=(-2, 2), start=(1.5, 1.0), max_steps=MILLION)
        turns, until = 0, time.monotonic() + 1.0
        while time.monotonic() < until:
            await asyncio.sleep(0.005)
            turns += 1
        # Without the rest there would be a turn a step: eight.
        assert turns > 12
        explorer.close()

    live(scene)


def test_typed_numbers_of_any_length_are_refused_in_a_few_words():
    explorer = SurfaceExplorer("himmelblau")
    field = explorer.form.field("learning_rate").number
    for typed in ("9" * 100_000, "x" * 100_000, "1e999", "<script>" * 10_000):
        field.value = typed
        assert "learning_rate must be" in explorer.problem
        assert len(explorer.problem) < 200
        assert explorer.learning_rate == 5e-4
    explorer.close()


def test_a_finite_budget_is_what_a_control_gives(monkeypatch):
    """Outside of a loop, and in cells, a picture is of the whole run."""
    asked = []
    explorer = SurfaceExplorer("himmelblau", max_steps=50)
    compute = SurfaceExplorer.compute
    monkeypatch.setattr(
        SurfaceExplorer,
        "compute",
        lambda self, k, budget=math.inf: asked.append((k, budget)) or compute(self, k, budget),
    )
    explorer.picture("png")
    assert (50, math.inf) in asked
    explorer.close()
