"""What all explorers share: settings are all or nothing, the cursor stays, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ipywidgets import Layout
from traitlets import TraitError

from gdwidgets.core import Descent, LinearNeuron
from living import living
from ui.small import SmallExplorer


@pytest.fixture
def explorer():
    made = SmallExplorer(max_steps=20)
    yield made
    made.close()


def test_a_changed_setting_keeps_the_step(explorer):
    explorer.seek(7)
    explorer.learning_rate = 0.2
    assert explorer.step == 7
    assert len(explorer.line.x) == 8
    fresh = Descent(LinearNeuron(), (0.5, 0.5), 0.2, max_steps=20)
    fresh.advance_to(7)
    assert np.array_equal(explorer.line.y, fresh.loss[:, 0])


def test_restart_is_a_choice(explorer):
    explorer.on_change = "restart"
    explorer.seek(7)
    explorer.learning_rate = 0.2
    assert explorer.step == 0


def test_a_shorter_run_puts_the_cursor_to_its_end(explorer):
    explorer.seek(15)
    explorer.max_steps = 4
    assert explorer.step == 4
    assert explorer.transport.scrubber.max == 4


BAD = [
    ({"learning_rate": -1}, TraitError, "learning_rate"),
    ({"learning_rate": "fast"}, ValueError, "learning_rate"),
    ({"x": float("nan")}, ValueError, "x must be"),
    ({"learning_rate": 0.3, "start": (1, 2, 3)}, ValueError, "start"),
    ({"learning_rate": 0.3, "refuse": ValueError("no such run")}, ValueError, "no such run"),
    ({"x": 2.0, "refuse": KeyboardInterrupt()}, KeyboardInterrupt, None),
    ({"x": 2.0, "refuse": ZeroDivisionError("by you")}, ZeroDivisionError, "by you"),
    ({"x": 2.0, "refuse_to_show": RuntimeError("ink is out")}, RuntimeError, "ink"),
]


def _one_by_one(block, explorer, changes):
    with block:
        for name, value in changes.items():
            setattr(explorer, name, value)


HOW = {
    "assign": lambda explorer, changes: explorer.assign(**changes),
    "together": lambda explorer, changes: _one_by_one(explorer.together(), explorer, changes),
    "hold": lambda explorer, changes: _one_by_one(
        explorer.hold_trait_notifications(), explorer, changes
    ),
}


@pytest.mark.parametrize(("changes", "error", "says"), BAD)
@pytest.mark.parametrize("how", HOW)
def test_after_any_failure_everything_is_as_before(explorer, changes, error, says, how):
    explorer.seek(5)
    before = explorer.drawn_state()
    with pytest.raises(error, match=says):
        HOW[how](explorer, changes)
    assert explorer.drawn_state() == before
    explorer.learning_rate = 0.05  # and it goes on working
    assert explorer.descent.learning_rates[0] == 0.05


def test_several_settings_make_one_recording(explorer, monkeypatch):
    made = []
    new = SmallExplorer.new_recording
    monkeypatch.setattr(
        SmallExplorer, "new_recording", lambda self, c: made.append(c) or new(self, c)
    )
    explorer.assign(learning_rate=0.2, start=(1, 1))
    with explorer.hold_trait_notifications():
        explorer.learning_rate = 0.3
        explorer.start = (2, 2)
    assert made == [{"learning_rate", "start"}] * 2


def test_an_unknown_keyword_names_the_nearest():
    with pytest.raises(TypeError, match="did you mean 'learning_rate'"):
        SmallExplorer(learning_rte=1)


def test_a_control_that_is_refused_shows_the_old_value(explorer):
    field = explorer.form.field("learning_rate")
    field.number.value = "quick"
    assert "learning_rate must be a number" in explorer.problem
    assert "gdw-error" in explorer.status.value
    assert field.number.value == "0.1"
    field.number.value = "-3"
    assert field.number.value == "0.1"
    assert explorer.learning_rate == 0.1
    field.number.value = "0.2"
    assert explorer.problem == ""
    assert explorer.learning_rate == 0.2
    assert field.slider.value == pytest.approx(0.2, rel=0.012)  # the slider's nearest stop


def test_a_slider_that_snaps_changes_nothing(explorer):
    explorer.learning_rate = 5e-4
    field = explorer.form.field("learning_rate")
    field.slider.value = 0.000501
    assert explorer.learning_rate == 5e-4
    field.slider.value = 0.01
    assert explorer.learning_rate == 0.01


def test_a_situation_sets_everything_and_says_what_to_watch(explorer):
    explorer.assign(learning_rate=0.02, x=3.0)
    explorer.seek(4)
    explorer.chips.chips["too fast"].value = True
    assert (explorer.learning_rate, explorer.x, explorer.step) == (0.4, 1.5, 0)
    assert explorer.sentence_text == "Watch it diverge."
    assert explorer.chips.chips["too fast"].value
    explorer.step_forward()
    assert explorer.sentence_text.startswith("Step 1")
    explorer.learning_rate = 0.3
    assert explorer.situation is None
    assert not any(chip.value for chip in explorer.chips.chips.values())


def test_a_lesson_is_data(explorer):
    explorer.situations = {"mine": {"x": 2.0, "sentence": "Look."}}
    assert list(explorer.chips.chips) == ["mine"]
    explorer.next_situation()
    assert explorer.x == 2.0
    with pytest.raises(ValueError, match="situations must map"):
        explorer.situations = {"mine": 5}
    with pytest.raises(ValueError, match="did you mean 'learning_rate'"):
        explorer.situations = {"mine": {"learning_rat": 5}}
    explorer.situations = {"wrong": {"x": "two"}}
    with pytest.raises(ValueError, match="x must be"):
        explorer.situate("wrong")
    assert explorer.x == 2.0


def test_what_a_fold_raises_is_said_in_its_place(explorer):
    explorer.unfold("Code")
    assert "print(1)" in explorer.fold.text.value
    explorer.code = lambda: 1 / 0
    explorer.learning_rate = 0.3  # of another run the script is another one
    assert "ZeroDivisionError" in explorer.fold.text.value
    assert explorer.transport.counter.value
    explorer.unfold("Settings")
    assert explorer.form.field("max_steps").inputs[0].value == 20


def test_pins_are_rows_of_the_run_table(explorer):
    explorer.run()
    explorer.pin()
    explorer.learning_rate = 0.2
    explorer.unfold("Compare")
    assert "<td class=gdw-text>A</td>" in explorer.fold.text.value
    for _ in range(7):
        explorer.pin()
    with pytest.raises(ValueError, match="8 runs are pinned"):
        explorer.pin()
    explorer.unpin_all()
    assert explorer.pins == ()


def test_play_that_raises_can_be_played_again(explorer, monkeypatch):
    monkeypatch.setattr(type(explorer), "compute", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        explorer.play()
    assert not explorer.playing
    monkeypatch.undo()
    explorer.play()
    assert explorer.step == 20


def test_closing_closes_all_but_the_users_layout():
    before = set(living())
    layout = Layout(width="50%")
    explorer = SmallExplorer(layout=layout)
    explorer.unfold("Settings")
    explorer.unfold("Compare")
    explorer.close()
    left = [widget for key, widget in living().items() if key not in before]
    assert left == [layout]
    layout.close()


def test_unseen_players_stop():
    async def scene():
        explorer = SmallExplorer(max_steps=10**6, speed=1000)
        explorer._view_count = 1
        explorer.play()
        await asyncio.sleep(0.1)
        assert explorer.playing
        explorer._view_count = 0
        assert not explorer.playing
        step = explorer.step
        await asyncio.sleep(0.1)
        assert explorer.step == step
        explorer.close()

    asyncio.run(scene())


def test_what_a_page_shows_nowhere_neither_plays_nor_computes():
    async def scene():
        explorer = SmallExplorer(max_steps=5000, speed=1000)
        explorer.page.shown = False
        explorer.play()
        await asyncio.sleep(0.2)
        step, computed = explorer.step, explorer.computed
        await asyncio.sleep(0.2)
        assert (explorer.step, explorer.computed) == (step, computed)
        explorer.page.shown = True
        await asyncio.sleep(0.2)
        assert explorer.step > step
        assert explorer.computed > computed
        explorer.close()

    asyncio.run(scene())


def test_what_is_hidden_in_mid_computing_says_what_it_draws():
    async def scene():
        explorer = SmallExplorer(max_steps=100_000, learning_rate=1e-4, future=False)
        explorer._view_count = 1
        explorer.transport.finish.click()
        await asyncio.sleep(0.2)
        explorer._view_count = 0
        assert 0 < explorer.step == explorer.computed < 100_000
        assert f"{explorer.step:,}" in explorer.transport.counter.value
        assert explorer.sentence_text.startswith(f"Step {explorer.step}:")
        assert explorer.transport.play.description == "Play"
        explorer.close()

    asyncio.run(scene())


def test_an_interrupted_run_keeps_what_is_computed(explorer, monkeypatch):
    compute, calls = SmallExplorer.compute, []

    def interrupted(self, k, budget=float("inf")):
        calls.append(k)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compute(self, min(k, self.computed + 3), budget)

    monkeypatch.setattr(SmallExplorer, "compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        explorer.run()
    monkeypatch.undo()
    assert 0 < explorer.step == explorer.computed < 20
    assert len(explorer.line.x) == explorer.step + 1
    explorer.run()
    assert explorer.step == 20


def test_pictures_of_what_is_computed_ahead_wait_for_the_page():
    async def scene():
        explorer = SmallExplorer(max_steps=80_000, learning_rate=1e-4)
        gate = explorer._gate
        gate.seen.value = gate.sent.value  # a page answers, and then lags behind
        while gate.open:
            gate.stamp()
        waiting, computed = gate.in_flight, explorer.computed
        await asyncio.sleep(0.4)
        assert gate.in_flight == waiting
        assert explorer.computed > computed
        explorer.play()
        gate.seen.value = gate.sent.value
        await asyncio.sleep(0.2)
        assert explorer.step > 0  # the clock has the page for itself
        explorer.close()

    asyncio.run(scene())


def test_a_long_seek_by_hand_answers_at_once_and_can_be_stopped():
    async def scene():
        explorer = SmallExplorer(max_steps=100_000, learning_rate=1e-4, future=False)
        explorer.transport.finish.click()
        await asyncio.sleep(0.5)
        assert explorer.step == 100_000
        assert 0 < explorer.drawn < 100_000
        assert explorer.transport.play.description == "Stop"
        explorer.transport.play.click()
        await asyncio.sleep(0.05)
        assert explorer.step == explorer.drawn < 100_000
        assert explorer.transport.play.description == "Play"
        explorer.close()

    asyncio.run(scene())


def test_the_future_is_computed_behind_the_picture():
    async def scene():
        explorer = SmallExplorer(max_steps=2000)
        assert explorer.computed <= 1
        for _ in range(100):
            await asyncio.sleep(0.02)
            if explorer.computed == explorer.end:
                break
        assert explorer.computed == explorer.end
        assert explorer.step == 0
        explorer.close()

    asyncio.run(scene())


class AnyOrder(RuleBasedStateMachine):
    """Whatever is done in whatever order, the picture is that of the settings and the cursor."""

    @initialize()
    def begin(self):
        self.explorer = SmallExplorer(max_steps=12)

    @rule(rate=st.one_of(st.floats(1e-3, 1.0), st.sampled_from([-1, "x", None, float("inf")])))
    def set_rate(self, rate):
        with contextlib.suppress(ValueError):
            self.explorer.learning_rate = rate

    @rule(k=st.integers(-2, 14))
    def seek(self, k):
        with contextlib.suppress(ValueError):
            self.explorer.seek(k)

    @rule(n=st.integers(1, 15))
    def shorten(self, n):
        self.explorer.max_steps = n

    @rule(name=st.sampled_from(["the exercise", "too fast"]))
    def situate(self, name):
        self.explorer.situate(name)

    @rule(key=st.sampled_from(["forward", "back", "reset", "finish", "toggle", "next"]))
    def press(self, key):
        self.explorer.press(key)

    @rule(title=st.sampled_from(["Code", "Settings", "Compare", "Tables"]), on=st.booleans())
    def fold(self, title, on):
        self.explorer.unfold(title, on)

    @rule(bad=st.sampled_from([ValueError("no"), KeyboardInterrupt()]))
    def refuse(self, bad):
        before = self.explorer.drawn_state()
        with pytest.raises(type(bad)):
            self.explorer.refuse = bad
        assert self.explorer.drawn_state() == before

    @invariant()
    def the_picture_follows_from_settings_and_cursor(self):
        e = self.explorer
        fresh = Descent(LinearNeuron(e.x), e.start, e.learning_rate, max_steps=e.max_steps)
        fresh.advance_to(e.step)
        assert e.step <= e.max_steps
        assert np.array_equal(e.line.y, fresh.loss[: e.step + 1, 0], equal_nan=True)
        assert e.transport.scrubber.value == e.step

    def teardown(self):
        self.explorer.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = hypothesis_settings(max_examples=15, stateful_step_count=25, deadline=None)
