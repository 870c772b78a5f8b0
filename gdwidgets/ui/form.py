"""Controls made from settings, and the one way in which a control and a setting are bound.

A `Setting` names its control: `Number`, `Whole`, `Optional`, `Choice`, `Switch`, `Pair`, `Slide` or
`Rate`. Each makes a `Field`, a widget that shows a value and tells of one that somebody chose. A
`Form` binds fields to settings both ways, so a row of controls is a list of settings' names.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from ipywidgets import (
    HTML,
    Box,
    Button,
    Dropdown,
    FloatLogSlider,
    FloatSlider,
    FloatText,
    HBox,
    IntText,
    Layout,
    Text,
    ToggleButton,
    VBox,
    Widget,
)

from gdwidgets.core import checks
from gdwidgets.ui import text
from gdwidgets.ui.echoes import Echoes
from gdwidgets.ui.settings import Setting

Choose = Callable[[Callable[[], Any]], None]
"""Called with a function that returns the value somebody chose, or raises ``ValueError``."""


def captioned(control: Widget, caption: str, width: str, tooltip: str = "") -> VBox:
    """A control under its name; a ``width`` (CSS) in pixels is that of normal text."""
    control.layout.width = "auto"
    # The front end cannot show a box that has a tooltip.
    if tooltip and control.has_trait("tooltip") and not isinstance(control, Box):
        control.tooltip = tooltip
    title = HTML(
        f"<div class=gdw-caption title='{escape(tooltip, quote=True)}'>{escape(caption)}</div>"
    )
    width = sized(width)
    return VBox([title, control], layout=Layout(width=width, flex="0 0 auto", min_width="0"))


def sized(width: str) -> str:
    """A CSS length in pixels that grows with the explorer's text; any other as it is."""
    return f"calc({width} * var(--gdw-size, 1))" if width.endswith("px") else width


def button(description: str, tooltip: str, icon: str = "") -> Button:
    """A button as wide as its text."""
    return Button(
        description=description,
        tooltip=tooltip,
        icon=icon,
        layout=Layout(width="auto", flex="0 0 auto"),
    )


def row(*controls: Widget, align: str = "flex-end") -> HBox:
    """Controls beside each other, on as many lines as they need."""
    made = HBox(list(controls), layout=Layout(width="100%", align_items=align))
    made.add_class("gdw-row")
    return made


def parse_number(value: Any, name: str, example: str) -> float:
    """The number that somebody typed; a number stays as it is.

    Raises
    ------
    ValueError
        When a text is not a number; names the setting.
    """
    if not isinstance(value, str):
        return float(value)
    try:
        return float(value.strip().replace("\u2212", "-"))
    except ValueError:
        said = checks.shown(value)
        raise ValueError(f"{name} must be a number such as {example}, not {said}") from None


def _nothing() -> None:
    """What is called where nobody wants to know."""


# -- fields ----------------------------------------------------------------------------------------


class Field:
    """One control of one setting.

    Parameters
    ----------
    widget
        What is put on display.
    inputs
        The widgets in it whose ``value`` somebody may change.
    write
        Makes of a setting's value one value for each of the inputs.
    read
        Makes of the inputs' values what is assigned to the setting.
    """

    def __init__(
        self,
        widget: Widget,
        inputs: Sequence[Widget],
        write: Callable[[Any], Sequence[Any]],
        read: Callable[..., Any],
    ) -> None:
        self.widget = widget
        self.inputs = tuple(inputs)
        self.made: Callable[[], None] = _nothing
        """Called when controls were made after the field itself."""
        self._writing = False
        self._write = write
        self._read = read
        self._shown: tuple[Any, ...] = tuple(one.value for one in self.inputs)

    @property
    def loose(self) -> tuple[Widget, ...]:
        """Its widgets that are not on display at times."""
        return (self.widget,)

    def bind(self, choose: Choose) -> None:
        """Call ``choose`` for what somebody sets from now on; writing to the field calls nothing.

        What is written and what comes back are told apart by value, not by a flag: a browser may
        answer much later than it was written to.
        """

        def changed(_: Any) -> None:
            if self._writing:
                return  # a list that gets other entries chooses its first on the way
            if (values := tuple(one.value for one in self.inputs)) != self._shown:
                self._shown = values
                choose(lambda: self._read(*values))

        for one in self.inputs:
            one.observe(changed, names="value")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Take no change of a control's value in the block for what somebody set."""
        before, self._writing = self._writing, True
        try:
            yield
        finally:
            self._writing = before

    def show(self, value: Any) -> None:
        """Write a setting's value into the control."""
        with self.writing():
            self._shown = tuple(self._write(value))
            for one, shown in zip(self.inputs, self._shown, strict=True):
                one.value = shown

    def enable(self, *, on: bool) -> None:
        """Let somebody use the control, or not."""
        for one in self.inputs:
            one.disabled = not on


class Control(Protocol):
    """What a setting names as its control."""

    def field(self, setting: Setting) -> Field:
        """Make the control."""


def _single(control: Widget, setting: Setting, width: str, write: Any, read: Any) -> Field:
    shown = captioned(control, setting.label, width, setting.help)
    return Field(shown, [control], lambda value: [write(value)], read)


@dataclass(frozen=True)
class Number:
    """A field for a number that takes steps of ``step`` by the arrow keys."""

    step: float = 0.1
    width: str = "88px"

    def field(self, setting: Setting) -> Field:
        """Make the control."""
        control = FloatText(step=self.step, continuous_update=False)
        return _single(control, setting, self.width, lambda v: float(f"{v:.6g}"), float)


@dataclass(frozen=True)
class Whole:
    """A field for a whole number."""

    step: int = 1
    width: str = "88px"

    def field(self, setting: Setting) -> Field:
        """Make the control."""
        return _single(
            IntText(step=self.step, continuous_update=False), setting, self.width, int, int
        )


@dataclass(frozen=True)
class Optional:
    """A field for a number that may be left empty, which means ``None``."""

    empty: str = "never"
    example: str = "0.0001"
    width: str = "88px"
    whole: bool = False

    def field(self, setting: Setting) -> Field:
        """Make the control."""

        def read(value: str) -> Any:
            if not value.strip() or value.strip() == self.empty:
                return None
            number = parse_number(value, str(setting.name), self.example)
            return int(number) if self.whole and number.is_integer() else number

        control = Text(placeholder=self.empty, continuous_update=False)
        return _single(control, setting, self.width, lambda v: "" if v is None else f"{v:g}", read)


@dataclass(frozen=True)
class Choice:
    """A list to choose from: pairs of a text and a value."""

    options: tuple[tuple[str, Any], ...]
    width: str = "144px"

    def field(self, setting: Setting) -> Field:
        """Make the control."""
        control = Dropdown(options=list(self.options))

        def write(value: Any) -> Any:
            if all(value != known for _, known in self.options):
                # A value of the user's own joins the list while it is in force.
                control.options = [*self.options, (text.short(value), value)]
            return value

        return _single(control, setting, self.width, write, lambda value: value)


def logarithmic_axis(label: str, help: str) -> Setting:  # noqa: A002 - a setting's own word for it
    """The setting of an axis's scale: logarithmic (true, the default) or linear."""
    return Setting(
        True,
        checks.boolean,
        label=label,
        help=help,
        control=Choice((("logarithmic", True), ("linear", False)), "128px"),
        view=True,
    )


def best_marked(help: str) -> Setting:  # noqa: A002 - a setting's own word for it
    """The setting that marks the best learning rate on the track; off by default."""
    return Setting(
        False,
        checks.boolean,
        label="Mark the best rate",
        help=help,
        control=Switch(),
        view=True,
    )


@dataclass(frozen=True)
class Switch:
    """A button that is on or off."""

    icon: str = ""

    def field(self, setting: Setting) -> Field:
        """Make the control."""
        control = ToggleButton(
            description=setting.label,
            tooltip=setting.help,
            icon=self.icon,
            layout=Layout(width="auto", flex="0 0 auto"),
        )
        return Field(control, [control], lambda value: [bool(value)], bool)


@dataclass(frozen=True)
class Pair:
    """Two fields for a point."""

    names: tuple[str, str] = ("u", "v")
    step: float = 0.1
    width: str = "80px"

    def field(self, setting: Setting) -> Field:
        """Make the control."""
        fields = [FloatText(step=self.step, continuous_update=False) for _ in self.names]
        parts = [
            captioned(one, f"{setting.label} {name}", self.width, setting.help)
            for one, name in zip(fields, self.names, strict=True)
        ]
        return Field(
            row(*parts).add_class("gdw-tight"),
            fields,
            lambda point: [float(f"{value:.6g}") for value in point],
            lambda *values: values,
        )


@dataclass(frozen=True)
class Slide:
    """A slider with its value beside it, linear or logarithmic; the value follows the hand.

    Parameters
    ----------
    low, high
        The ends, in the setting's own units.
    step
        Of a linear slider; a logarithmic one has a hundred stops a power of ten.
    log
        Whether equal ways on the slider are equal factors.
    width
        CSS width of slider and value together.
    """

    low: float
    high: float
    step: float = 0.01
    log: bool = False
    width: str = "240px"

    def field(self, setting: Setting) -> Field:
        """Make the control."""
        return self.named(str(setting.name), setting.label, setting.help)

    def named(self, name: str, label: str, help: str) -> SliderField:  # noqa: A002 - as a setting's
        """Make the control of what is no setting: its name in errors, its caption and tooltip."""
        low, high = self.low, self.high
        layout = Layout(flex="1 1 80px", min_width="64px", width="auto")
        common = {"readout": False, "tooltip": help, "layout": layout}
        slider: Widget
        if self.log:
            ends = math.log10(low), math.log10(high)
            slider = FloatLogSlider(value=low, min=ends[0], max=ends[1], step=LOG_STOP, **common)
            slider.add_class("gdw-log")
        else:
            slider = FloatSlider(value=low, min=low, max=high, step=self.step, **common)
        number = Text(continuous_update=False, layout=Layout(width=sized("72px"), flex="0 0 auto"))
        number.tooltip = help
        # The knob reaches beyond the end of the slider.
        control = HBox([slider, number], layout=Layout(width="100%", grid_gap=sized("12px")))
        shown = captioned(control, label, self.width, help)
        return SliderField(shown, slider, number, name, (low, high), log=self.log)


LOG_STOP = 0.01
"""Way from one stop of a logarithmic slider to the next, in powers of ten."""

NEAR = 0.012
"""Relative difference up to which a logarithmic slider stands where its number is: half a stop."""


def log_stop(value: float, low: float) -> float:
    """The stop of a logarithmic slider, which begins at ``low``, that is nearest to a value."""
    first = math.log10(low)
    return float(10 ** (first + round((math.log10(value) - first) / LOG_STOP) * LOG_STOP))


def same_log_stop(one: float, other: float) -> bool:
    """Whether two values lie at most half a stop of a logarithmic slider from each other."""
    return math.isclose(one, other, rel_tol=NEAR)


class SliderField(Field):
    """A slider and a field for one number; the field takes values beyond the slider's ends.

    Parameters
    ----------
    widget
        What is put on display.
    slider, number
        The slider and the text field.
    name
        What errors call what they set.
    ends
        The ends of the slider.
    log
        Whether the slider is logarithmic.
    """

    def __init__(
        self,
        widget: Widget,
        slider: Widget,
        number: Text,
        name: str,
        ends: tuple[float, float],
        *,
        log: bool,
    ) -> None:
        super().__init__(widget, (slider, number), self._parts, self._chosen)
        self.slider, self.number = slider, number
        self._name = name
        self._ends, self._log = ends, log
        self._value = math.nan
        self._echoes = Echoes(slider, self._near)

    def _parts(self, value: float) -> tuple[float, str]:
        self._value = float(value)
        self._echoes.show(self._stop(self._value))
        return float(self.slider.value), f"{value:g}"

    def _stop(self, value: float) -> float:
        """Where the slider stands for a value: a logarithmic one, at the nearest stop."""
        low, high = self._ends
        at = min(max(value, low), high)
        return log_stop(at, low) if self._log else at

    def _near(self, one: float, other: float) -> bool:
        """Whether two values have the same stop, or one lies at most half a stop from the other."""
        if self._log:
            return same_log_stop(one, other)
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=0.51 * float(self.slider.step))

    def bind(self, choose: Choose) -> None:
        """Call ``choose`` for a number from the slider, or what was typed into the field."""

        def slid(change: Any) -> None:
            value = float(change["new"])
            if self._echoes.came(value):
                chosen = float(f"{value:.3g}" if self._log else f"{value:.10g}")
                choose(lambda: chosen)

        def typed(change: Any) -> None:
            if (typed := change["new"]) != f"{self._value:g}":
                choose(lambda: parse_number(typed, self._name, "0.01"))

        self.slider.observe(slid, names="value")
        self.number.observe(typed, names="value")

    @staticmethod
    def _chosen(*values: Any) -> Any:
        return values[0]


LOWEST, HIGHEST = 1e-6, 10.0
"""The ends of a learning rate's track; the field beside it takes any positive number."""


@dataclass(frozen=True)
class Rate:
    """The track of a learning rate: stable part coloured, unstable part hatched, limits written."""

    low: float = LOWEST
    high: float = HIGHEST

    def field(self, setting: Setting) -> RateField:
        """Make the control."""
        return RateField(setting, self.low, self.high)


class RateField(SliderField):
    """A wide logarithmic track for a learning rate, with limits that are written on it.

    Parameters
    ----------
    setting
        The learning rate.
    low, high
        The ends of the track.
    """

    def __init__(self, setting: Setting, low: float, high: float) -> None:
        self._low, self._high = low, high
        slider = FloatLogSlider(
            value=math.sqrt(low * high),
            min=math.log10(low),
            max=math.log10(high),
            step=LOG_STOP,
            readout=False,
            tooltip=setting.help,
            layout=Layout(width="100%", margin="0"),
        )
        slider.add_class("gdw-log")
        number = Text(continuous_update=False, layout=Layout(width=sized("96px"), flex="0 0 auto"))
        number.tooltip = setting.help
        number.add_class("gdw-rate-number")
        self._caption = escape(setting.label)
        self.marks = HTML(layout=Layout(width="100%", margin="0"))
        track = VBox(
            [self.marks, slider],
            layout=Layout(flex="1 1 240px", min_width="0", width="auto", overflow="visible"),
        )
        track.add_class("gdw-track")
        box = HBox(
            [track, number], layout=Layout(width="100%", align_items="flex-end", grid_gap="16px")
        )
        super().__init__(box, slider, number, str(setting.name), (low, high), log=True)
        self.show_limits([])

    def position(self, rate: float) -> float:
        """Where a learning rate stands on the track, from 0 (left end) to 1."""
        at = math.log(rate / self._low) / math.log(self._high / self._low)
        return min(max(at, 0.0), 1.0)

    def _on_track(self, rate: float) -> bool:
        """Whether a learning rate lies between the ends of the track."""
        return self._low <= rate <= self._high

    def show_limits(
        self,
        limits: Sequence[tuple[float, str]],
        note: str = "",
        stable: str = "stable below",
        best: float | None = None,
    ) -> None:
        """Write the limits on the track.

        Parameters
        ----------
        limits
            At most two pairs (rate, text) in rising order; what is written behind the text is the
            rate. Up to the first the track is coloured as stable, beyond the last it is hatched.
            One that lies beyond the ends of the track is written without a line.
        note
            A sentence for the tooltip, or instead of limits where there are none.
        stable
            What is written before the only limit.
        best
            The best learning rate γ*, below the first limit, where it is known and to be marked.
        """
        finite = [(rate, name) for rate, name in limits if math.isfinite(rate) and rate > 0]
        at = [100 * self.position(rate) for rate, _ in finite]
        colours = ["gdw-stable", *(["gdw-between"] * (len(at) - 1)), "gdw-unstable"]
        edges = [0.0, *at, 100.0] if at else [0.0, 100.0]
        bands = "".join(
            f"<i class='{colour}' style='left:{left:.2f}%;width:{right - left:.2f}%'></i>"
            for colour, left, right in zip(colours, edges[:-1], edges[1:], strict=False)
        )
        labels = self._labels(finite, stable, best)
        ticks = "".join(
            f"<u style='left:{where:.2f}%'></u>"
            for where, (rate, _) in zip(at, finite, strict=True)
            if self._on_track(rate)
        )
        if best is not None and self._on_track(best):
            ticks += f"<u class=gdw-best style='left:{100 * self.position(best):.2f}%'></u>"
        if not finite and note:
            labels = f"<span class=gdw-note>{escape(note)}</span>"
        html = (
            f"<div class=gdw-limits title='{escape(note, quote=True)}'>"
            f"<em>{self._caption}</em>{labels}"
            f"<div class=gdw-bands>{bands}{ticks}</div></div>"
        )
        if self.marks.value != html:
            self.marks.value = html

    def _labels(self, limits: Sequence[tuple[float, str]], stable: str, best: float | None) -> str:
        """What is written above the track: the limits, and the best rate to the left of them.

        Above the track there is also its caption, at the left.
        """
        best_is = "" if best is None else f"best <b>{text.number(best, 3)}</b>"
        if any(not self._on_track(rate) for rate, _ in limits):
            said = self._with_some_beyond(limits, stable)
            return f"<span style='right:0'>{f'{best_is}, ' if best_is else ''}{said}</span>"
        at = [100 * self.position(rate) for rate, _ in limits]
        numbers = [f"<b>{text.number(rate, 3)}</b>" for rate, _ in limits]
        best_at = 0.0 if best is None else 100 * self.position(best)
        if len(limits) == 1 and best_is and at[0] > 60:  # both in one, as the right end is near
            labels = [(_before(at[0]), f"{best_is}, limit {numbers[0]}&nbsp;")]
            best_is = ""
        elif len(limits) == 1:
            # On a narrow track only the last word, else it would cover the caption.
            *more, last = escape(limits[0][1] or stable).split(" ")
            first = f"<i class=gdw-more>{' '.join(more)} </i>" if more else ""
            said = f"{first}{last} {numbers[0]}&nbsp;"
            before = at[0] > 60 and not best_is
            labels = [(_before(at[0]) if before else _behind(at[0], 6), said)]
        else:
            labels = [
                (_before(at[0], 4) if i == 0 else _behind(at[i], 4), f"{escape(name)} {numbers[i]}")
                for i, (_, name) in enumerate(limits)
            ]
        if best_is:
            # To the left of what is written before the first of two limits.
            two = f"right:calc({100 - at[0]:.2f}% + 6.5em);padding-right:4px" if at[1:] else ""
            labels.append((two or _before(best_at, 4), best_is))
        return "".join(f"<span style='{side}'>{said}</span>" for side, said in labels)

    def _with_some_beyond(self, limits: Sequence[tuple[float, str]], stable: str) -> str:
        """Limits in one label, where the track has no place for one of them."""
        beyond = [not self._on_track(rate) for rate, _ in limits]
        said = []
        for place, (rate, name) in enumerate(limits):
            *more, last = escape(name or stable).split(" ")
            first = f"<i class=gdw-more>{' '.join(more)} </i>" if more else ""
            last_one = beyond[place] and not any(beyond[place + 1 :])
            off = ", beyond<i class=gdw-more> this track</i>" if last_one else ""
            said.append(f"{first}{last} <b>{text.number(rate, 3)}</b>{off}")
        return ", ".join(said)


def _before(at: float, gap: int = 0) -> str:
    """CSS of a label that ends at a place (percent) of the track."""
    return f"right:{100 - at:.2f}%" + (f";padding-right:{gap}px" if gap else "")


def _behind(at: float, gap: int) -> str:
    """CSS of a label that begins at a place (percent) of the track."""
    return f"left:{at:.2f}%;padding-left:{gap}px"


# -- the form --------------------------------------------------------------------------------------


class Form:
    """Fields for settings, bound to them both ways.

    Parameters
    ----------
    declared
        The settings by name.
    choose
        Called with a setting's name and a function that returns the value chosen by hand.
    made
        Called when a field has made further controls.
    """

    def __init__(
        self,
        declared: Mapping[str, Setting],
        choose: Callable[[str, Callable[[], Any]], None],
        made: Callable[[], None] = _nothing,
    ) -> None:
        self._declared = declared
        self._choose = choose
        self._made = made
        self.fields: dict[str, Field] = {}
        self._settings: dict[str, str] = {}

    def field(self, name: str) -> Field:
        """The bound field of a setting; made when it is first asked for."""
        if name not in self.fields:
            setting = self._declared[name]
            self.add(name, name, setting.control.field(setting))
        return self.fields[name]

    @property
    def loose(self) -> tuple[Widget, ...]:
        """Widgets of fields that may not be on display."""
        return tuple(widget for field in self.fields.values() for widget in field.loose)

    def add(self, key: str, setting: str, field: Field) -> None:
        """Bind another field, known by ``key``, to a setting."""
        field.bind(lambda read: self._choose(setting, read))
        field.made = self._made
        self.fields[key], self._settings[key] = field, setting

    def row(self, *names: str, align: str = "flex-end") -> HBox:
        """The fields of some settings beside each other."""
        return row(*(self.field(name).widget for name in names), align=align)

    def show(self, settings: Mapping[str, Any]) -> None:
        """Write the settings' values into their fields."""
        for key, field in self.fields.items():
            field.show(settings[self._settings[key]])


__all__ = [
    "Choice",
    "Control",
    "Field",
    "Form",
    "Number",
    "Optional",
    "Pair",
    "Rate",
    "RateField",
    "Slide",
    "SliderField",
    "Switch",
    "Whole",
    "button",
    "captioned",
    "parse_number",
    "row",
]
