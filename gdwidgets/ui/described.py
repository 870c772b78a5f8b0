"""Controls for update rules and schedules: a choice, and the constants of what is chosen.

Rules and schedules describe their own constants (``gdwidgets.core.rules.constants``); the controls
here are made from that, so a rule of a user's own that describes its constants gets them too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ipywidgets import (
    HTML,
    Dropdown,
    FloatText,
    HBox,
    IntText,
    Layout,
    ToggleButton,
    Widget,
)

from gdwidgets.core import RULES, as_rule
from gdwidgets.core.rules.constants import Constant, constants_of
from gdwidgets.core.rules.schedules import SCHEDULES
from gdwidgets.ui import text
from gdwidgets.ui.form import Choose, Field, RateField, Slide, SliderField, captioned, row
from gdwidgets.ui.settings import Setting

NUMBER = "calc(104px * var(--gdw-size))"
"""Width of a field for a number, whose name above it is a word or two."""

OWN = "own"
"""The entry of a list for what is none of the named ones."""


class ConstantControls:
    """One control for each constant of what is shown; made anew when something else is.

    Parameters
    ----------
    changed
        Called with a constant's name and a function that returns the value somebody chose, or
        raises ``ValueError``.
    """

    def __init__(self, changed: Callable[[str, Callable[[], Any]], None]) -> None:
        self._changed = changed
        self.first = HBox([], layout=Layout(flex="0 0 auto", width="auto"))
        """Where the control of the first constant is."""
        self.others = row()
        self.others.layout.display = "none"
        """Where the others are."""
        self.inputs: dict[str, Widget] = {}
        self.sliders: dict[str, SliderField] = {}
        self._constants: tuple[Constant, ...] = ()
        self._shown: dict[str, Any] = {}

    def show(self, described: object, leave_out: Sequence[str] = ()) -> bool:
        """Show an object's constants; whether controls were made for that."""
        constants = tuple(c for c in constants_of(described) if c.name not in leave_out)
        made = constants != self._constants
        if made:
            before = (*self.first.children, *self.others.children)
            self._constants, self.inputs, self.sliders, self._shown = constants, {}, {}, {}
            boxes = [self._control(constant) for constant in constants]
            self.first.children, self.others.children = boxes[:1], boxes[1:]
            # An empty row would still take a line.
            self.others.layout.display = None if boxes[1:] else "none"
            for box in before:
                _close(box)
        for constant in constants:
            value = getattr(described, constant.name)
            self._shown[constant.name] = value
            if constant.name in self.sliders:
                self.sliders[constant.name].show(value)
            else:
                self.inputs[constant.name].value = value
        return made

    def _control(self, constant: Constant) -> Widget:
        title = f"{constant.symbol} {constant.name.replace('_', ' ')}".strip()
        control: Widget
        if constant.kind == "switch":
            control = ToggleButton(
                description=constant.name.replace("_", " "),
                tooltip=constant.help,
                layout=Layout(width="auto", flex="0 0 auto"),
            )
            box: Widget = control
        elif constant.kind == "whole number":
            control = IntText(step=10, continuous_update=False)
            box = captioned(control, title, NUMBER, constant.help)
        elif math.isfinite(constant.low) and math.isfinite(constant.high):
            return self._slider(constant, title)
        else:
            control = FloatText(step=0.01, continuous_update=False)
            box = captioned(control, title, NUMBER, constant.help)
        control.observe(lambda change: self._came(constant.name, change["new"]), names="value")
        self.inputs[constant.name] = control
        return box

    def _slider(self, constant: Constant, title: str) -> Widget:
        name = constant.name
        low = constant.low + (0.01 if constant.open_below else 0.0)
        high = constant.high - (0.001 if constant.open_above else 0.0)
        field = Slide(low, high, 0.001, width="192px").named(name, title, constant.help)
        field.bind(lambda read: self._changed(name, read))
        self.sliders[name], self.inputs[name] = field, field.slider
        return field.widget

    def _came(self, name: str, value: Any) -> None:
        if name in self._shown and value != self._shown[name]:
            self._shown[name] = value
            self._changed(name, lambda: value)


def _close(box: Widget) -> None:
    """Close a control that is no longer shown, with all that belongs to it."""
    for child in getattr(box, "children", ()):
        _close(child)
    for part in ("style", "layout"):
        if hasattr(box, part) and isinstance(getattr(box, part), Widget):
            getattr(box, part).close()
    box.close()


class DescribedField(Field):
    """A list of named rules or schedules, and the constants of the chosen one.

    Parameters
    ----------
    setting
        What is set.
    known
        What can be chosen, by name.
    width
        CSS width of the list.
    """

    leave_out: tuple[str, ...] = ()
    """Constants that another control sets."""

    def __init__(
        self, setting: Setting, known: Mapping[str, Any], width: str, caption: str
    ) -> None:
        self._known = known
        self.list = Dropdown(options=self._options(None))
        self.constants = ConstantControls(self._constant)
        self._value: Any = None
        self._choose: Choose = lambda _: None
        shown = captioned(self.list, caption, width, setting.help)
        box = HBox([shown, self.constants.first], layout=Layout(flex="0 0 auto", width="auto"))
        box.add_class("gdw-row")
        super().__init__(box, [self.list], lambda value: [self._key(value)], lambda key: key)

    def _options(self, own: Any) -> list[tuple[str, str]]:
        named = [(entry.label, name) for name, entry in self._known.items()]
        return named if own is None else [*named, (text.short(own), OWN)]

    @property
    def loose(self) -> tuple[Widget, ...]:
        """The list, and the constants wherever they are put."""
        return (self.widget, self.constants.first, self.constants.others)

    # -- what a subclass knows ---------------------------------------------------------------

    def described(self, value: Any) -> Any:
        """The object that a setting's value stands for."""
        raise AssertionError("every list knows what its values stand for")

    def chosen(self, name: str) -> Any:
        """What is assigned when a name is chosen."""
        return name

    def changed(self, described: Any, constant: str, value: Any) -> Any:
        """What is assigned when a constant is changed."""
        return dataclasses.replace(described, **{constant: value})

    # -- both ways ---------------------------------------------------------------------------

    def _key(self, value: Any) -> str:
        described = self.described(value)
        for name, entry in self._known.items():
            if type(described) is type(entry):
                return name
        return OWN

    def bind(self, choose: Choose) -> None:
        """Call ``choose`` for a name that is chosen and for a constant that is changed."""
        self._choose = choose

        def listed(change: Any) -> None:
            name = change["new"]
            if not self._writing and (name,) != self._shown and name != OWN:
                self._shown = (name,)
                choose(lambda: self.chosen(name))

        self.list.observe(listed, names="value")

    def _constant(self, name: str, read: Callable[[], Any]) -> None:
        described = self.described(self._value)
        self._choose(lambda: self.changed(described, name, read()))

    def show(self, value: Any) -> None:
        """Write a setting's value into the list and the constants."""
        self._value = value
        described = self.described(value)
        key = self._key(value)
        options = self._options(described if key == OWN else None)
        self._writing = True
        try:
            self._shown = (key,)
            if list(self.list.options) != options:
                self.list.options = options
            self.list.value = key
        finally:
            self._writing = False
        if self.constants.show(described, self.leave_out):
            self.made()


class RuleField(DescribedField):
    """The choice of an update rule; its first constant stands beside it."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting, RULES, "184px", setting.label)

    def described(self, value: Any) -> Any:
        """The rule that a name or an object stands for."""
        return as_rule(value)


@dataclass(frozen=True)
class RuleChoice:
    """A list of update rules with the constants of the chosen one."""

    def field(self, setting: Setting) -> RuleField:
        """Make the control."""
        return RuleField(setting)


class ScheduleField(DescribedField):
    """The choice of a schedule γ(t), its constants, and its curve.

    A number stands for the constant schedule; the first learning rate is set by its own track.
    """

    leave_out = ("start",)

    def __init__(self, setting: Setting, steps: Callable[[], int]) -> None:
        self._steps = steps
        self.curve = HTML(layout=Layout(width="auto", display="none"))
        super().__init__(setting, SCHEDULES, "144px", "schedule γ(t)")
        self.widget.children = (*self.widget.children, self.constants.others, self.curve)

    def described(self, value: Any) -> Any:
        """The schedule that a number or an object stands for."""
        return value if callable(value) else dataclasses.replace(SCHEDULES["constant"], start=value)

    def chosen(self, name: str) -> Any:
        """A schedule that begins at the present learning rate; for the constant one, the number."""
        start = self.described(self._value)(0)
        return start if name == "constant" else dataclasses.replace(SCHEDULES[name], start=start)

    def show(self, value: Any) -> None:
        """Write the schedule into the controls and draw its curve."""
        super().show(value)
        html = sparkline(self.described(value), self._steps()) if callable(value) else ""
        if self.curve.value != html:
            self.curve.value = html
            self.curve.layout.display = None if html else "none"


@dataclass(frozen=True)
class ScheduledRate:
    """The track of a learning rate that may be a schedule: it sets the first rate."""

    low: float
    high: float

    def field(self, setting: Setting) -> ScheduledRateField:
        """Make the control."""
        return ScheduledRateField(setting, self.low, self.high)


class ScheduledRateField(RateField):
    """A learning rate's track; of a schedule it shows and sets the first rate."""

    _held: Any = None

    def show(self, value: Any) -> None:
        """Show a number, or a schedule's first rate."""
        self._held = value
        super().show(rate_at(value))

    def bind(self, choose: Choose) -> None:
        """Call ``choose`` for a first rate that somebody sets."""
        super().bind(lambda read: choose(lambda: with_start(self._held, read())))


def rate_at(value: Any, k: int = 0) -> float:
    """The learning rate of update ``k`` of a number or a schedule."""
    return float(value(k)) if callable(value) else float(value)


def with_start(value: Any, rate: float) -> Any:
    """A number or schedule with another first learning rate.

    Raises
    ------
    ValueError
        For a schedule of a user's own, whose rates only the user can set.
    """
    if not callable(value):
        return rate
    if any(constant.name == "start" for constant in constants_of(value)):
        return dataclasses.replace(value, start=rate)
    raise ValueError("learning_rate is a function of your own: its rates are set by that function")


def sparkline(schedule: Callable[[int], float], steps: int, points: int = 80) -> str:
    """The curve of a schedule over so many updates, as an inline drawing."""
    at = (
        sorted({round(i * (steps - 1) / (points - 1)) for i in range(points)}) if steps > 1 else [0]
    )
    rates = [float(schedule(k)) for k in at]
    high = max(rates) or 1.0
    places = " ".join(
        f"{2 + 116 * k / max(1, at[-1]):.1f},{38 - 34 * rate / high:.1f}"
        for k, rate in zip(at, rates, strict=True)
    )
    said = f"learning rate from {text.number(rates[0], 3)} to {text.number(rates[-1], 3)}"
    return (
        f"<svg width=120 height=40 role=img aria-label='{escape(said, quote=True)}'>"
        f"<title>{escape(said)}</title><polyline points='{places}' fill=none "
        "stroke='var(--gdw-blue)' stroke-width=2 /></svg>"
    )
