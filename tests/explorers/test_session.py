"""The student's session is neither relied on nor changed by an explorer."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager

import bqplot as bq
import pytest
import torch

from gdwidgets import HimmelblauExplorer
from living import living
from messages import recorded_messages


@contextmanager
def default_dtype():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@contextmanager
def default_device():
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


@contextmanager
def seeded():
    torch.manual_seed(1234)
    yield


def state():
    """What a session's torch state is."""
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_num_threads(),
        tuple(torch.get_rng_state().tolist()),
    )


def use_everything():
    """Use an explorer's every part; return what it shows."""
    explorer = HimmelblauExplorer(start=(-1.0, 1.0), basins=True, max_steps=60)
    explorer.run()
    explorer.pin()
    key = explorer.basin_key.value
    explorer.unfold("Why")
    explorer.surface = "rosenbrock"
    explorer.race = True
    explorer.run()
    shown = (
        explorer.table(),
        explorer.status.value,
        key,
        explorer.to_dataframe().to_csv(),
        explorer.pins[0].descent.params.tobytes(),
    )
    explorer.close()
    return shown


@pytest.fixture(scope="module")
def expected():
    return use_everything()


@pytest.mark.parametrize(
    "hostile",
    [default_dtype, default_device, torch.no_grad, torch.inference_mode, seeded],
    ids=lambda hostile: hostile.__name__,
)
def test_a_hostile_session_changes_no_number_and_is_not_changed(hostile, expected):
    with hostile():
        before = state()
        shown = use_everything()
        assert state() == before
    assert shown == expected


def test_code_runs_in_a_hostile_session(capsys):
    explorer = HimmelblauExplorer(max_steps=50)
    exec(explorer.code(), {})
    plain = capsys.readouterr().out
    with default_dtype(), default_device():
        exec(explorer.code(), {})  # written for the session it is asked for in
    assert capsys.readouterr().out == plain
    explorer.close()


def test_close_in_mid_play_leaves_no_task_thread_or_widget():
    async def main():
        before = set(living()), len(asyncio.all_tasks()), threading.active_count()
        explorer = HimmelblauExplorer(max_steps=10_000, basins=True)
        explorer.play()
        await asyncio.sleep(0.3)
        assert explorer.playing
        assert explorer.step > 0
        with recorded_messages() as sent:
            explorer.close()
            await asyncio.sleep(0.05)
        assert not [widget for widget, _, _ in sent if isinstance(widget, bq.Mark)]
        assert (set(living()), len(asyncio.all_tasks()), threading.active_count()) == before

    asyncio.run(main())


def test_a_clock_that_plays_lets_other_tasks_run():
    async def main():
        explorer = HimmelblauExplorer(max_steps=1_000_000, speed=float("inf"))
        explorer.play()
        turns = 0
        for _ in range(40):
            await asyncio.sleep(0)
            turns += 1
        assert explorer.playing
        explorer.pause()
        step = explorer.step
        await asyncio.sleep(0.1)
        assert explorer.step == step
        explorer.close()
        assert turns == 40

    asyncio.run(main())


def test_a_problem_in_the_clock_stops_it_and_is_shown():
    async def main():
        def moody(u, v):
            if u.shape == (1,) and float(u.detach()[0]) < 1.2:
                raise ArithmeticError("enough")
            return u**2 + v**2

        from gdwidgets import SurfaceExplorer

        explorer = SurfaceExplorer(
            moody, bounds=((1.3, 2), (1.3, 2)), start=(1.8, 1.8), learning_rate=0.02, speed=500
        )
        explorer.play()
        for _ in range(200):
            await asyncio.sleep(0.01)
            if not explorer.playing:
                break
        assert not explorer.playing
        assert "enough" in explorer.problem
        assert 0 < explorer.step <= explorer.descent.recorded
        assert "enough" in explorer.status.value
        explorer.step_back()
        assert explorer.problem or "Step" in explorer.status.value
        explorer.close()

    asyncio.run(main())
