"""A lesson as data: what situations hold besides settings, and the Python that rebuilds one."""

from __future__ import annotations

import pytest
import torch

from gdwidgets import (
    AccumulationComparer,
    AutogradExplorer,
    HimmelblauExplorer,
    LearningRateExplorer,
    SurfaceExplorer,
)
from gdwidgets.core import Cosine, Momentum
from living import living
from messages import recorded_messages

SITUATIONS = [
    (HimmelblauExplorer, {"surface": "rosenbrock", "start": (0.5, -1.0), "basins": False}, 12),
    (HimmelblauExplorer, {"rule": Momentum(beta=0.5), "learning_rate": Cosine(start=0.02)}, 40),
    (SurfaceExplorer, {"rule": torch.optim.AdamW, "max_steps": 5, "speed": float("inf")}, 3),
    (LearningRateExplorer, {"x": (1.0, 2.0, 4.0), "y": (1.0, 0.0, 2.0), "degree": 1}, 2),
    (AccumulationComparer, {"clear_every": 3, "max_steps": 30, "size": "large"}, 9),
    (AutogradExplorer, {"preset": "used twice", "no_grad": True}, 2),
]


@pytest.mark.parametrize(("make", "settings", "step"), SITUATIONS)
def test_the_lines_rebuild_settings_and_step(make, settings, step):
    explorer = make()
    explorer.assign(**settings)
    explorer.seek(step)
    namespace = {}
    exec(explorer.keep_situation(), namespace)
    rebuilt = namespace["explorer"]
    assert type(rebuilt) is make
    assert rebuilt.settings() == explorer.settings()
    assert rebuilt.step == explorer.step
    last = explorer.keep_situation().splitlines()[-1]
    rebuilt.situations = {"kept": eval(last.partition(": ")[2].rstrip(","), namespace)}
    rebuilt.seek(0)
    rebuilt.situate("kept")
    assert rebuilt.step == explorer.step
    assert rebuilt.settings() | {"situations": None} == explorer.settings()
    for one in (explorer, rebuilt):
        one.close()


def rebuilt_from(explorer):
    """What the kept lines make of a new session."""
    namespace = {}
    exec(explorer.keep_situation(), namespace)
    return namespace["explorer"]


@pytest.mark.parametrize(
    ("make", "runs"),
    [
        (HimmelblauExplorer, [{"learning_rate": 0.01}, {"surface": "rosenbrock", "start": (1, 1)}]),
        (HimmelblauExplorer, [{"rule": Momentum(beta=0.5)}, {"race": True, "max_steps": 40}]),
        (SurfaceExplorer, [{"surface": "saddle"}, {"start": (2, 2), "size": "large"}]),
        (LearningRateExplorer, [{"learning_rates": (0.1, 0.3)}, {"degree": 1, "max_steps": 50}]),
        (AccumulationComparer, [{"clear_every": 3}, {"learning_rate": 0.4, "max_steps": 20}]),
    ],
)
def test_the_lines_rebuild_pinned_runs(make, runs):
    explorer = make()
    for step, settings in enumerate(runs, start=4):
        explorer.reset()
        explorer.assign(**settings)
        explorer.seek(step)
        explorer.pin()
    explorer.seek(7)
    rebuilt = rebuilt_from(explorer)
    assert (rebuilt.settings(), rebuilt.step) == (explorer.settings(), 7)
    assert len(rebuilt.pins) == len(explorer.pins) == len(runs)
    views = {name for name, one in make.declared().items() if one.view}
    for ours, again in zip(explorer.pins, rebuilt.pins, strict=True):
        assert (again.label, again.step) == (ours.label, ours.step)
        assert {n: v for n, v in again.settings.items() if n not in views} == {
            n: v for n, v in ours.settings.items() if n not in views
        }
        assert again.descent.params[: ours.step + 1].tolist() == (
            ours.descent.params[: ours.step + 1].tolist()
        )
    assert rebuilt.run_table() == explorer.run_table()
    for one in (explorer, rebuilt):
        one.close()


def test_a_run_of_other_settings_is_pinned_beside_the_present_one():
    explorer = HimmelblauExplorer()
    explorer.seek(12)
    open_before = len(living())
    explorer.pin(30, learning_rate=0.01)
    assert len(living()) == open_before
    assert (explorer.step, explorer.learning_rate) == (12, 5e-4)
    (pin,) = explorer.pins
    u = torch.tensor([1.0, 1.0], requires_grad=True)
    for _ in range(30):
        u.grad = None
        ((u[0] ** 2 + u[1] - 11) ** 2 + (u[0] + u[1] ** 2 - 7) ** 2).backward()
        with torch.no_grad():
            u -= 0.01 * u.grad
    assert pin.descent.params[pin.step, 0].tolist() == pytest.approx(u.tolist(), rel=1e-5)
    for wrong in ({"step": 301}, {"learning_rate": 0.1}, {"step": 3, "learning_rate": -1}):
        with pytest.raises(ValueError, match=r"step|learning_rate"):
            explorer.pin(**wrong)
    with pytest.raises(TypeError, match="did you mean 'learning_rate'"):
        explorer.pin(3, learningrate=0.1)
    assert explorer.pins == (pin,)
    explorer.close()


def test_the_lines_rebuild_the_part_of_the_map_that_is_seen():
    explorer = HimmelblauExplorer()
    explorer.seek(200)
    for _ in range(10):
        explorer.zoom_in()
    rebuilt = rebuilt_from(explorer)
    assert rebuilt.map.window == explorer.map.window
    assert rebuilt.map.magnification == pytest.approx(1024)
    rebuilt.zoom_out()
    assert rebuilt.map.window == rebuilt.surface.bounds
    for wrong in (((0, 1), (-7, 1)), ((0, 0.001), (0, 1)), ((1, 0), (0, 1)), (0, 1)):
        with pytest.raises(ValueError, match="window must"):
            rebuilt.zoom_to(wrong)
    assert not rebuilt.map.zoomed
    for one in (explorer, rebuilt):
        one.close()


def test_a_loop_of_ones_own_is_said_to_be_left_out():
    explorer = HimmelblauExplorer()
    assert "own" not in explorer.keep_situation()
    with explorer.watch():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        for _ in range(3):
            ((u**2 + v - 11) ** 2 + (u + v**2 - 7) ** 2).backward()
            with torch.no_grad():
                u -= 5e-4 * u.grad
                v -= 5e-4 * v.grad
            u.grad = v.grad = None
    assert "# a loop of your own is not part of this" in explorer.keep_situation()
    explorer.close()


def test_a_situation_s_own_values_hold_on_its_surface_though_they_were_there_before():
    explorer = HimmelblauExplorer(
        situations={"here": {"surface": "rosenbrock", "start": (1.0, 1.0), "learning_rate": 5e-4}}
    )
    explorer.situate("here")
    assert (explorer.start, explorer.learning_rate) == ((1.0, 1.0), 5e-4)
    explorer.close()


def test_what_has_no_source_is_named():
    explorer = SurfaceExplorer(lambda u, v: u**2 + v**2, bounds=(-1, 1), max_steps=5)
    assert "# surface is an object of your own" in explorer.keep_situation()
    assert "surface=surface" in explorer.keep_situation()
    explorer.close()


def test_a_lesson_begins_where_it_says_and_asks_what_it_asks():
    explorer = HimmelblauExplorer(
        situations={
            **HimmelblauExplorer.SITUATIONS,
            "near": {"step": 120, "sentence": "Look how short the updates are."},
            "which": {"start": (-1, 1), "predict": "minimum", "sentence": "Where does it go?"},
            "plain": {"start": (2, 2)},
        }
    )
    explorer.situate("near")
    assert (explorer.step, explorer.sentence_text) == (120, "Look how short the updates are.")
    explorer.next_situation()
    assert (explorer.step, explorer.sentence_text) == (0, "Where does it go?")
    assert not explorer.shows_future
    explorer.guess(2)
    explorer.run()
    assert "Right: the run ends at minimum ②" in explorer.sentence_text
    explorer.next_situation()
    assert explorer.situation == "plain"
    assert explorer.prediction is None
    assert explorer.shows_future
    explorer.close()


@pytest.mark.parametrize(
    ("make", "own", "says"),
    [
        (HimmelblauExplorer, {"step": -1}, "situations: step must be"),
        (HimmelblauExplorer, {"step": "soon"}, "situations: step must be"),
        (HimmelblauExplorer, {"predict": "winner"}, "situations: predict must be one of"),
        (HimmelblauExplorer, {"predicts": "order"}, "predicts"),
        (AutogradExplorer, {"predict": "order"}, "predict"),
    ],
)
def test_a_situation_that_does_not_fit_is_refused(make, own, says):
    with pytest.raises(ValueError, match=says):
        make(situations={"mine": own})


def test_the_fold_code_writes_the_lines_and_copies_them():
    explorer = HimmelblauExplorer()
    explorer.unfold("Code")
    buttons, kept = explorer.fold.body.children[0].children
    keep, copy, script = buttons.children
    explorer.seek(7)
    keep.click()
    lines = explorer.keep_situation()
    assert "explorer.seek(7)" in kept.value
    explorer.seek(9)
    assert "explorer.seek(7)" in kept.value
    with recorded_messages() as sent:
        copy.click()
        script.click()
    copied = [message["content"]["copy"] for page, message, _ in sent if page is explorer.page]
    assert copied == [lines, explorer.code()]
    explorer.close()
