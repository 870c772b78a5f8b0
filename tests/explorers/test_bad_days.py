"""Bad days: functions that fail or take their time, hostile sessions, very many explorers."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from contextlib import ExitStack, contextmanager

import pytest
import torch

from browserless import live, quiet
from gdwidgets import (
    AccumulationComparer,
    AutogradExplorer,
    LearningRateExplorer,
    SurfaceExplorer,
    TrainingExplorer,
)
from living import living

# -- a function that is good for 50 steps ----------------------------------------------------------


def good_until(step, then):
    """A bowl whose run of one lane is as ever up to a step, and does ``then`` from there on.

    With γ = 0.01 and a gradient of 1 the run moves by 0.01 a step along u.
    """

    def function(u, v):
        losses = u + v**2
        if u.shape == (1,) and float(u.detach()[0]) < 1.0 - 0.01 * (step - 0.5):
            return then(losses)
        return losses

    return function


def raises(_):
    raise ArithmeticError("no more of this")


def is_nan(losses):
    return losses * float("nan")


def takes_its_time(losses):
    time.sleep(0.3)
    return losses


def make(then):
    return SurfaceExplorer(
        good_until(50, then),
        bounds=((0.9, 2.0), (-1, 1)),
        start=(1.0, 0.0),
        learning_rate=0.01,
        max_steps=200,
        speed=float("inf"),
    )


def test_a_function_that_raises_from_step_50_on_leaves_50_steps_to_walk_through():
    async def scene():
        explorer = make(raises)
        await quiet(explorer)
        explorer.transport.play.click()
        for _ in range(300):
            await asyncio.sleep(0.01)
            if not explorer.playing:
                break
        assert not explorer.playing
        assert "no more of this" in explorer.problem
        assert explorer.step == explorer.descent.recorded == 49
        explorer.transport.back.click()
        await quiet(explorer)
        assert explorer.step == 48
        explorer.transport.finish.click()
        await quiet(explorer)
        assert "no more of this" in explorer.status.value
        explorer.close()

    live(scene)


def test_a_function_that_gives_nan_from_step_50_on_diverges_there():
    async def scene():
        explorer = make(is_nan)
        explorer.transport.finish.click()
        await quiet(explorer)
        assert explorer.step == explorer.end == 49
        assert explorer.descent.outcomes[0] == "diverged"
        assert "Update 50 makes inf or NaN" in explorer.sentence_text
        assert explorer.problem == ""
        explorer.close()

    live(scene)


def test_a_function_that_takes_its_time_from_step_50_on_can_be_paused_at_once():
    async def scene():
        explorer = make(takes_its_time)
        explorer.transport.play.click()
        for _ in range(500):
            await asyncio.sleep(0.01)
            if explorer.descent.recorded > 51:
                break
        assert explorer.playing
        began = explorer.descent.recorded
        explorer.transport.play.click()
        assert not explorer.playing
        # A rest follows each step, so the kernel goes on answering others.
        turns = 0
        while explorer.descent.recorded < began + 3 and turns < 1000:
            await asyncio.sleep(0.01)
            turns += 1
        assert 20 < turns < 1000
        explorer.close()
        recorded = explorer.descent.recorded
        await asyncio.sleep(0.05)
        assert explorer.descent.recorded == recorded

    live(scene)


# -- sessions --------------------------------------------------------------------------------------


@contextmanager
def anomalies():
    before = torch.is_anomaly_enabled()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Anomaly Detection has been enabled")
        torch.autograd.set_detect_anomaly(True)
        yield
    torch.autograd.set_detect_anomaly(before)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@contextmanager
def strict():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # bqplot declares traits, ipywidgets 7 reads them in ways that traitlets has deprecated.
        for said in (
            "metadata .* was set from",
            "Passing unrecognized arguments to super",
            "Deprecated in traitlets",
        ):
            warnings.filterwarnings("ignore", said, DeprecationWarning)
        yield


@contextmanager
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@contextmanager
def on_meta():
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


SESSIONS = {
    "all at once": (anomalies, deterministic, strict, in_float64, on_meta, torch.inference_mode),
    "without gradients": (strict, torch.no_grad),
}


@contextmanager
def session(name):
    with ExitStack() as stack:
        for one in SESSIONS[name]:
            stack.enter_context(one())
        yield


def used(make):
    """What an explorer shows after much of it has been used."""
    explorer = make()
    shown = [explorer.sentence_text]
    for title in explorer.fold.toggles:
        explorer.unfold(title)
        # A script is written for the session that it is asked for in.
        shown.append("" if title in {"Code", "Settings"} else explorer.fold.text.value)
    explorer.unfold("Compare" if hasattr(explorer, "pin") else "Walk")
    explorer.run()
    for name in list(explorer.situations_offered)[:3]:
        explorer.situate(name)
        explorer.step_forward(5)
        shown += [explorer.sentence_text, explorer.fold.text.value]
    if hasattr(explorer, "pin"):
        explorer.pin()
        shown.append(explorer.run_table())
    explorer.size = "large"
    shown += [explorer.to_dataframe().to_csv()]
    assert explorer.problem == ""
    assert "gdw-error" not in "".join(shown)
    explorer.close()
    return shown


EVERY = {
    "surface": lambda: SurfaceExplorer("booth", max_steps=40, basins=False),
    "learning rates": lambda: LearningRateExplorer(max_steps=40),
    "accumulation": AccumulationComparer,
    "autograd": AutogradExplorer,
}


@pytest.fixture(scope="module")
def expected():
    return {name: used(make) for name, make in EVERY.items()}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("hostile", SESSIONS)
def test_every_explorer_shows_the_same_in_any_session(name, hostile, expected):
    random = torch.get_rng_state()
    with session(hostile):
        assert used(EVERY[name]) == expected[name]
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("hostile", SESSIONS)
def test_a_loop_s_explorer_opens_and_closes_in_any_session(hostile):
    before = set(living())
    with session(hostile):
        explorer = TrainingExplorer()
        for title in explorer.fold.toggles:
            explorer.unfold(title)
        assert explorer.problem == ""
        explorer.close()
    assert set(living()) == before


# -- very many -------------------------------------------------------------------------------------


def test_explorers_made_played_and_closed_leave_nothing():
    async def scene():
        before = set(living()), len(asyncio.all_tasks()), threading.active_count()
        for number in range(10):
            for make in (*EVERY.values(), TrainingExplorer):
                explorer = make()
                explorer.unfold(list(explorer.fold.toggles)[number % len(explorer.fold.toggles)])
                explorer.play()
                await asyncio.sleep(0)
                explorer.close()
        await asyncio.sleep(0.05)
        assert (set(living()), len(asyncio.all_tasks()), threading.active_count()) == before

    live(scene)
