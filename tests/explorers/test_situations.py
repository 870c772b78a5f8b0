"""The chip of a situation is pressed while its settings are in force, in page and kernel."""

from __future__ import annotations

import pytest

from gdwidgets import (
    AccumulationComparer,
    AutogradExplorer,
    HimmelblauExplorer,
    LearningRateExplorer,
    SurfaceExplorer,
)
from messages import recorded_messages


def told_after_a_press(chip, pressed):
    """What the page is told of a chip after it was pressed there, in order."""
    with recorded_messages() as sent:
        chip.set_state({"value": pressed})
    states = [message["state"] for widget, message, _ in sent if widget is chip]
    return [state["value"] for state in states if "value" in state]


EXPLORERS = (HimmelblauExplorer, LearningRateExplorer, AccumulationComparer, AutogradExplorer)
EXERCISES = ("the exercise", "exercise", "the exercise", "toy neuron")
ELSEWHERE = {"learning_rate": 0.0321, "learning_rates": (0.0321,), "no_grad": True}
"""A value that no situation has, for a setting that each explorer has one of."""


def pressed(explorer):
    """The names of the chips that are pressed."""
    return [title for title, chip in explorer.chips.chips.items() if chip.value]


@pytest.mark.parametrize(("make", "exercise"), [*zip(EXPLORERS, EXERCISES, strict=True)])
def test_an_explorer_begins_with_the_chip_of_the_exercise_pressed(make, exercise):
    explorer = make()
    assert pressed(explorer) == [exercise] == [explorer.situation]
    explorer.close()


@pytest.mark.parametrize("make", EXPLORERS)
def test_a_chip_is_pressed_whichever_way_its_settings_came_and_only_then(make):
    """The settings a press takes are read from the explorer after one, never from our matching."""
    explorer = make()
    away = {n: v for n, v in ELSEWHERE.items() if n in explorer.declared()}
    for name in explorer.situations_offered:
        explorer.situate(name)
        taken = {n: v for n, v in explorer.settings().items() if n != "situations"}
        explorer.assign(**away)
        assert pressed(explorer) == []
        assert explorer.situation is None
        back = {n: taken[n] for n in away}
        explorer.assign(**back)
        assert pressed(explorer) == [name]
    explorer.size = "large"
    assert pressed(explorer) == [name]
    built = make(**taken)
    assert pressed(built) == [name]
    built.close()
    explorer.close()


def test_a_part_of_the_view_that_a_situation_names_belongs_to_it():
    explorer = HimmelblauExplorer()
    explorer.situate("hilltop")
    explorer.basins = False
    assert pressed(explorer) == []
    explorer.basins = True
    assert pressed(explorer) == ["hilltop"]
    explorer.velocity = True  # which it does not name
    assert pressed(explorer) == ["hilltop"]
    explorer.close()


def test_of_situations_alike_the_chosen_one_is_pressed_and_a_question_only_when_asked():
    explorer = HimmelblauExplorer(
        situations={
            "asked": {"predict": "minimum"},
            "plain": {},
            "later": {"step": 20},
            "coloured": {"basins": True},
            "wrong": {"learning_rate": "fast"},
        }
    )
    assert pressed(explorer) == ["plain"]
    for name in ("later", "asked", "plain"):
        explorer.situate(name)
        assert pressed(explorer) == [name]
    explorer.learning_rate = 1e-3
    assert pressed(explorer) == []
    explorer.assign(learning_rate=5e-4, basins=True)
    assert pressed(explorer) == ["coloured"]
    explorer.close()


@pytest.mark.parametrize("make", EXPLORERS)
def test_a_chip_that_is_pressed_stays_so_and_no_other_is(make):
    """Not let go and pressed once more: the page may miss one of the two."""
    explorer = make()
    for name in [*explorer.situations_offered, *list(explorer.situations_offered)[::-1]]:
        chip = explorer.chips.chips[name]
        if not chip.value:
            # ipywidgets 8 tells the page what it said; 7 tells it nothing.
            assert set(told_after_a_press(chip, pressed=True)) <= {True}
        assert explorer.situation == name
        assert [title for title, c in explorer.chips.chips.items() if c.value] == [name]
    explorer.close()


@pytest.mark.parametrize("kind", [AccumulationComparer, LearningRateExplorer])
def test_a_chip_pressed_by_hand_chooses_the_axes_of_its_situation_alone(kind):
    for name in kind.SITUATIONS:
        pressed, alone = kind(), kind()
        with pressed.doing_by_hand():
            pressed.situate(name)
        alone.situate(name)
        for explorer in (pressed, alone):
            explorer.run()
        assert pressed.loss_plot._values == alone.loss_plot._values
        pressed.close()
        alone.close()


def test_a_thin_line_of_theory_is_named_above_it_where_it_is_drawn():
    comparer = AccumulationComparer(momentum=True, mark_best=True)
    rates = LearningRateExplorer(theory="prediction", max_steps=50)
    booth = SurfaceExplorer("booth", theory=True, mark_best=True, max_steps=50)
    for plot, name in (
        (comparer.curve, "β = 1"),
        (rates.loss_plot, "predicted"),
        (booth.loss_plot, "predicted"),
    ):
        assert plot.theory.visible
        assert plot.title.endswith(f"; thin: {name}")
    comparer.momentum = False
    rates.theory = "noise"
    booth.surface = "himmelblau"  # no quadratic: nothing is predicted
    assert comparer.curve.title == "a"
    assert not booth.loss_plot.theory.visible
    assert booth.loss_plot.title == "loss"
    assert rates.loss_plot.title.endswith("; thin: noise floor") == rates.loss_plot.theory.visible
    for explorer in (comparer, rates, booth):
        explorer.close()
