"""A chip that the page presses is pressed in the page as well as in the kernel."""

from __future__ import annotations

import pytest

from gdwidgets import (
    AccumulationComparer,
    AutogradExplorer,
    HimmelblauExplorer,
    LearningRateExplorer,
)
from messages import recorded_messages


def told_after_a_press(chip, pressed):
    """What the page is told of a chip after it was pressed there, in order."""
    with recorded_messages() as sent:
        chip.set_state({"value": pressed})
    states = [message["state"] for widget, message, _ in sent if widget is chip]
    return [state["value"] for state in states if "value" in state]


@pytest.mark.parametrize(
    "make", [HimmelblauExplorer, LearningRateExplorer, AccumulationComparer, AutogradExplorer]
)
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
