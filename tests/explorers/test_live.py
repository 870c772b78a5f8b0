"""Explorers in a live event loop: every control, in any order, from several threads at once."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading

import pytest
import torch
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from browserless import from_threads, live, message, quiet, screen, send
from gdwidgets import (
    AccumulationComparer,
    AutogradExplorer,
    HimmelblauExplorer,
    LearningRateExplorer,
    SurfaceExplorer,
    TrainingExplorer,
)
from living import living

ANY = st.integers(0, 10**6)
METHODS = (
    "step_forward",
    "step_back",
    "reset",
    "run",
    "play",
    "pause",
    "toggle",
    "pin",
    "unpin_all",
    "next_hint",
    "forget_own_loop",
    "predict",
    "end_prediction",
    "keep_situation",
    "to_dataframe",
    "table",
)


def trained():
    """An explorer of a loop that has run."""
    explorer = TrainingExplorer()
    with explorer.watch():
        w = torch.ones(3, requires_grad=True)
        for _ in range(12):
            (w**2).sum().backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
            w.grad = None
    return explorer


KINDS = {
    "surface": lambda: HimmelblauExplorer(max_steps=30),
    "learning rates": lambda: LearningRateExplorer(max_steps=30),
    "accumulation": AccumulationComparer,
    "autograd": AutogradExplorer,
    "training": trained,
}


class Live(RuleBasedStateMachine):
    """Whatever arrives from whichever thread, the screen is that of the settings and the cursor."""

    kind = "surface"

    def __init__(self):
        super().__init__()
        self.loop, self.lost = asyncio.new_event_loop(), []
        self.loop.set_exception_handler(lambda _, context: self.lost.append(context))
        self.before = set(living()), threading.active_count()
        self.explorer = self.in_loop(KINDS[self.kind])

    def in_loop(self, act):
        """Do something as a cell does, and let what follows come to rest."""

        async def cell():
            made = act()
            await quiet(getattr(self, "explorer", made))
            return made

        return self.loop.run_until_complete(cell())

    @rule(used=st.lists(st.tuples(ANY, ANY), min_size=1, max_size=5), threads=st.integers(1, 3))
    def use(self, used, threads):
        explorer = self.explorer
        self.in_loop(
            lambda: from_threads(explorer, [message(explorer, *one) for one in used], threads)
        )

    @rule(which=ANY)
    def fold(self, which):
        titles = list(self.explorer.fold.toggles)
        toggle = self.explorer.fold.toggles[titles[which % len(titles)]]
        sent = toggle, {"value": not toggle.value}, None
        self.in_loop(lambda: send(self.explorer, sent))

    @rule(which=ANY)
    def call(self, which):
        offered = [name for name in METHODS if hasattr(self.explorer, name)]
        method = getattr(self.explorer, offered[which % len(offered)])

        def cell():
            with contextlib.suppress(ValueError):  # nine pins, a question that does not fit
                method()

        self.in_loop(cell)

    @rule()
    def resized(self):
        size = "large" if self.explorer.size == "normal" else "normal"
        self.in_loop(lambda: setattr(self.explorer, "size", size))

    @invariant()
    def nothing_is_lost(self):
        explorer = self.explorer
        assert self.lost == []
        # A problem of one's own making names itself; of a bug, its type would be named.
        assert not re.match(r"\w+(Error|Exception): ", explorer.problem), explorer.problem
        assert ("gdw-error" in explorer.status.value) == bool(explorer.problem)
        assert 0 <= explorer.step <= explorer.end
        assert not explorer.playing
        if not explorer.problem:
            assert explorer.transport.scrubber.value == explorer.step
        for name, setting in explorer.declared().items():
            setting._check(getattr(explorer, name), name)

    @invariant()
    def the_picture_follows_from_the_recording_and_the_cursor(self):
        explorer = self.explorer

        def again():
            explorer.handler(explorer.pause)()  # a problem of before is no part of it
            explorer.redraw(full=True)
            before = screen(explorer, lines=False)
            explorer.show_recording()
            explorer.redraw(full=True)
            assert screen(explorer, lines=False) == before
            # The sentence reads out what was clicked until the cursor moves.
            whole, k = screen(explorer)[:-1], explorer.step
            explorer.place(k // 2)
            explorer.redraw(full=True)
            explorer.place(k)
            explorer.redraw(full=True)
            assert screen(explorer)[:-1] == whole

        self.in_loop(again)

    def teardown(self):
        self.loop.run_until_complete(asyncio.sleep(0))
        self.explorer.close()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        assert asyncio.all_tasks(self.loop) == set()
        self.loop.close()
        assert (set(living()), threading.active_count()) == self.before
        assert self.lost == []


EXAMPLES = max(2, hypothesis_settings.default.max_examples // 25)


@pytest.mark.parametrize("kind", KINDS)
def test_any_control_in_any_order_from_any_thread(kind):
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        type("LiveOne", (Live,), {"kind": kind}),
        settings=hypothesis_settings(
            max_examples=EXAMPLES,
            stateful_step_count=6,
            deadline=None,
            phases=[Phase.generate],  # shrinking what takes seconds takes minutes
        ),
    )


def rate_of_a_surface():
    explorer = HimmelblauExplorer(max_steps=300)
    explorer.run()
    return explorer, explorer.form.field("learning_rate").slider


def rate_of_a_lane():
    explorer = LearningRateExplorer(learning_rates=(0.1, 0.01), max_steps=1500)
    explorer.run()
    return explorer, explorer.track.handles[1]


@pytest.mark.parametrize("first", ["released", "moved"])
@pytest.mark.parametrize("made", [rate_of_a_surface, rate_of_a_lane])
def test_what_is_let_go_is_drawn_as_if_it_had_always_been_so(made, first):
    async def scene():
        explorer, slider = made()
        send(explorer, (explorer.page, {"loaded": True}, None))
        send(explorer, (explorer.page, {"held": True}, None))
        held = []
        for stop in range(60, 40, -1):
            send(explorer, (slider, {"value": slider.value * 10 ** (-0.01 * (1 + stop % 3))}, None))
            await asyncio.sleep(0.01)
            held.append(explorer._hand.waiting)
        assert all(held[5:])
        coarse = screen(explorer)
        last = (slider, {"value": slider.value * 10**-0.05}, None)
        released = (explorer.page, {"held": False}, None)
        for sent in (released, last) if first == "released" else (last, released):
            send(explorer, sent)
            await asyncio.sleep(0.05)
        await quiet(explorer)
        assert not explorer._hand.waiting
        now = screen(explorer)
        assert now != coarse
        explorer.show_recording()
        explorer.redraw(full=True)
        assert screen(explorer) == now
        explorer.close()

    live(scene)


def shown(explorer):
    explorer._repr_mimebundle_()


def tabled(explorer):
    explorer.table()


def framed(explorer):
    explorer.to_dataframe()


def saved(explorer):
    explorer.html()


@pytest.mark.parametrize("done", [shown, tabled, framed, saved])
@pytest.mark.parametrize(
    "made",
    [
        HimmelblauExplorer,
        lambda: SurfaceExplorer("booth", race=True),
        AccumulationComparer,
        lambda: LearningRateExplorer(max_steps=300),
    ],
)
def test_what_something_else_computes_is_drawn_as_well(made, done):
    async def scene():
        explorer = made()
        done(explorer)
        await quiet(explorer)
        now = screen(explorer)
        assert explorer.computed == explorer.end
        explorer.show_recording()
        explorer.redraw(full=True)
        assert screen(explorer) == now
        explorer.close()

    live(scene)


def test_a_short_run_in_the_place_of_a_long_one_ends_its_progress():
    async def scene():
        explorer = HimmelblauExplorer(max_steps=1_000_000, future=False)
        transport = explorer.transport
        send(explorer, (transport.finish, None, {"event": "click"}))
        async with asyncio.timeout(20):
            while transport.play.description != "Stop":  # noqa: ASYNC110 - it shows in time
                await asyncio.sleep(0.02)
        assert "progress" in transport.counter.value
        send(explorer, (explorer.page, {"loaded": True}, None))
        send(explorer, (explorer.page, {"held": True}, None))
        for steps in (500_000, 20):
            explorer.handler(lambda steps=steps: explorer.assign(max_steps=steps))()
            await asyncio.sleep(0.02)
        await quiet(explorer)
        assert transport.play.description == "Play"
        assert "20</b> of 20" in transport.counter.value
        explorer.close()

    live(scene)
