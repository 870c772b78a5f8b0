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
