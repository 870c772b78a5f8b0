"""Named situations: settings that show something, and a sentence on what to watch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipywidgets import HBox, Layout, ToggleButton

from gdwidgets.core import checks

SENTENCE, STEP, PREDICT = "sentence", "step", "predict"
"""The keys under which a situation says what to watch, at which step it begins, and what is to be
predicted; its other keys are settings."""

KINDS = ("order", "minimum", "step")
"""What can be predicted: see `gdwidgets.ui.prediction`."""

Situations = Mapping[str, Mapping[str, Any]]


def as_situations(value: Any, name: str) -> Situations | None:
    """Situations as data: names, each with settings and a sentence; ``None`` for the explorer's.

    Raises
    ------
    ValueError
        When it is no such mapping.
    """
    if value is None:
        return None
    given = checks.mapping(value) or {}
    made = {title: checks.mapping(settings) for title, settings in given.items()}
    fits = all(
        isinstance(title, str)
        and settings is not None
        and isinstance(settings.get(SENTENCE, ""), str)
        for title, settings in made.items()
    )
    if not fits or not isinstance(value, Mapping) or len(made) != len(value):
        raise ValueError(
            f"{name} must map names to settings with a sentence, such as "
            "{'too fast': {'learning_rate': 0.02, 'sentence': 'Watch it leave.'}}, "
            f"not {checks.shown(value)}"
        )
    found = {title: settings for title, settings in made.items() if settings is not None}
    for settings in found.values():
        if STEP in settings:
            settings[STEP] = checks.integer(settings[STEP], f"{name}: {STEP}", 0)
        if PREDICT in settings:
            settings[PREDICT] = _asked(settings[PREDICT], f"{name}: {PREDICT}")
    return found


def _asked(value: Any, name: str) -> tuple[str, int | None]:
    """What a situation asks: a kind, or a kind and the lane that it is about."""
    parts = checks.items(value)
    if parts is None or len(parts) != 2:
        return checks.one_of(value, name, KINDS), None
    return checks.one_of(parts[0], name, KINDS), checks.optional(checks.integer, 0)(parts[1], name)


class Chips(HBox):
    """One chip for each situation; that of the present one is pressed.

    Parameters
    ----------
    choose
        Called with a situation's name when its chip is pressed.
    """

    def __init__(self, choose: Callable[[str], None]) -> None:
        self._choose = choose
        self._shown: str | None = None
        self.chips: dict[str, ToggleButton] = {}
        super().__init__([], layout=Layout(width="auto"))
        self.add_class("gdw-chips")

    def offer(self, situations: Situations) -> None:
        """Make the chips of these situations."""
        if list(situations) == list(self.chips):
            for title, settings in situations.items():
                self.chips[title].tooltip = settings.get(SENTENCE, "")
            return
        before = tuple(self.chips.values())
        self.chips = {}
        for title, settings in situations.items():
            chip = ToggleButton(
                description=title,
                tooltip=settings.get(SENTENCE, ""),
                layout=Layout(width="auto", flex="0 0 auto"),
            )
            chip.observe(lambda change, t=title: self._pressed(t, change["new"]), names="value")
            self.chips[title] = chip
        self.children = list(self.chips.values())
        for chip in before:
            chip.layout.close()
            chip.style.close()
            chip.close()

    def _pressed(self, title: str, on: bool) -> None:
        if on != (title == self._shown):
            self._choose(title)

    def show(self, title: str | None) -> None:
        """Press the chip of a situation; ``None`` presses none."""
        self._shown = title
        for other, chip in self.chips.items():
            chip.value = other == title
