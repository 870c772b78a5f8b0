"""Controls of an autograd explorer: switches and sliders for the tensors, and one for two calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ipywidgets import HTML, Dropdown, FloatSlider, HBox, Layout, Text, ToggleButton, VBox, Widget
from torch import Tensor

from gdwidgets.ui.echoes import Echoes
from gdwidgets.ui.form import Field, captioned, sized
from gdwidgets.ui.playback.transport import Transport
from gdwidgets.ui.settings import Setting
from gdwidgets.ui.text import html_paragraphs

MOST_LEAVES = 8
"""Tensors that get a switch of their own; of more, the rest is set by ``requires_grad``."""

FOLLOW = "the present step"

MOST_SLIDERS = 12
"""Numbers that get a slider of their own."""

STYLE = """
.gdwidgets.gdw-autograd .gdw-chips { gap: 6px; }
.gdwidgets.gdw-autograd .gdw-chips .widget-toggle-button { padding: 0 10px;
  font-size: calc(13px * var(--gdw-size)); }
@container (max-width: 63.6em) {
  .gdwidgets.gdw-autograd .gdw-chips { gap: 4px; }
  .gdwidgets.gdw-autograd .gdw-chips .widget-toggle-button { padding: 0 6px; } }
.gdw-switches { gap: 8px; align-items: center; flex-wrap: wrap; }
.gdw-switches .gdw-caption { line-height: calc(32px * var(--gdw-size)); }
.gdwidgets .gdw-leaf-switch.mod-active { background: #dff3e6; border-color: #1b7f4b;
  color: #14532d; }
[data-jp-theme-light="false"] .gdwidgets .gdw-leaf-switch.mod-active { background: #173d29;
  border-color: #4cbf86; color: #b7efd0; }
.gdwidgets .gdw-leaf-switch.mod-active::before { content: "✓ "; }
.gdw-autograd .gdw-dials { flex-wrap: wrap; gap: 8px 16px; }
.gdw-sliders { flex-wrap: wrap; gap: 4px 24px; overflow: visible; }
.gdw-sliders .widget-label { font-weight: 600; }
"""


def name_buttons(transport: Transport) -> None:
    """Let the transport's buttons speak of steps of a walk, where they spoke of updates."""
    transport.reset.tooltip = "Back to the beginning (Home)"
    transport.back.tooltip = "One step back (←)"
    transport.forward.tooltip = "One step forward (→)"
    transport.finish.tooltip = "Walk to the end (End)"
    transport.speed.tooltip = "Steps per second while playing"


@dataclass(frozen=True)
class Twice:
    """A button that is on for two calls and off for one."""

    def field(self, setting: Setting) -> Field:
        """Make the control."""
        control = switch(setting.label, setting.help)
        return Field(control, [control], lambda calls: [calls > 1], lambda on: 2 if on else 1)


def switch(description: str, tooltip: str) -> ToggleButton:
    """A button that is on or off, as wide as its text."""
    return ToggleButton(
        description=description, tooltip=tooltip, layout=Layout(width="auto", flex="0 0 auto")
    )


def close(widgets: Iterable[Widget]) -> None:
    """Close widgets that nothing shows any more."""
    for widget in widgets:
        for part in (widget.layout, getattr(widget, "style", None), widget):
            if part is not None:
                part.close()


class NodeChoice:
    """A list of the nodes: the keyboard's way to what a click on a node does.

    Parameters
    ----------
    chosen
        Called with a node's name, or an empty text for the node of the present step.
    """

    def __init__(self, chosen: Callable[[str], None]) -> None:
        self._shown = ""
        self.list = Dropdown(options=[(FOLLOW, "")], value="")
        self.widget = captioned(
            self.list, "details of", "176px", "The node whose details are shown; or click one"
        )
        self.list.observe(
            lambda change: None if change["new"] == self._shown else chosen(change["new"]),
            names="value",
        )

    def show(self, names: Mapping[str, str], selected: str) -> None:
        """Show the nodes, by what they are called, and which one is selected."""
        options = [(FOLLOW, ""), *names.items()]
        self._shown = selected
        if list(self.list.options) != options:
            self.list.options = options
        self.list.value = selected


class LeafSwitches(HBox):
    """A switch for each tensor: whether it requires gradients.

    Parameters
    ----------
    turned
        Called with a name and whether it is on, when somebody uses a switch.
    """

    def __init__(self, turned: Callable[[str, bool], None]) -> None:
        self._turned = turned
        self._tracked: tuple[str, ...] = ()
        self.switches: dict[str, ToggleButton] = {}
        self._caption = HTML("<div class=gdw-caption>requires_grad</div>")
        super().__init__([self._caption], layout=Layout(width="auto"))
        self.add_class("gdw-switches")

    def show(self, names: Sequence[str], tracked: Sequence[str]) -> bool:
        """Show which of the named tensors require gradients; return whether switches are new."""
        self._tracked = tuple(tracked)
        names = list(names)[:MOST_LEAVES]
        new = names != list(self.switches)
        if new:
            before = tuple(self.switches.values())
            self.switches = {name: self._switch(name) for name in names}
            self.children = [self._caption, *self.switches.values()]
            close(before)
        for name, one in self.switches.items():
            one.value = name in self._tracked
        return new

    def _switch(self, name: str) -> ToggleButton:
        one = switch(name, f"Whether {name} requires gradients")
        one.add_class("gdw-leaf-switch")

        def changed(change: Mapping[str, bool]) -> None:
            if change["new"] != (name in self._tracked):
                self._turned(name, change["new"])

        one.observe(changed, names="value")
        return one


class LeafSliders(VBox):
    """A slider and a field for each number of the tensors; the picture follows the hand.

    The field shows the number itself: the slider, in a page, stands at the stop nearest to it.

    Parameters
    ----------
    moved
        Called with a tensor's name, the place of a number in the flattened tensor, and its new
        value, while somebody drags; or with the text that somebody typed.
    """

    def __init__(self, moved: Callable[[str, int, float | str], None]) -> None:
        self._moved = moved
        self.sliders: dict[tuple[str, int], FloatSlider] = {}
        self.numbers: dict[tuple[str, int], Text] = {}
        self._present: dict[tuple[str, int], str] = {}
        self._echoes: dict[tuple[str, int], Echoes] = {}
        self._reach: dict[tuple[str, int], float] = {}
        self._given_reach: dict[tuple[str, int], float] = {}
        self._row = HBox([])
        self._row.add_class("gdw-sliders")
        self._note = HTML()
        super().__init__([self._row, self._note], layout=Layout(width="100%"))

    def show(self, given: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> bool:
        """Show the numbers of some tensors; return whether sliders are new.

        Parameters
        ----------
        given
            The tensors that the expression comes with: they say how far the sliders reach.
        values
            The present ones.
        """
        every = {
            (name, index): number
            for name, tensor in given.items()
            if tensor.is_floating_point()
            for index, number in enumerate(tensor.flatten()[: MOST_SLIDERS + 1].tolist())
        }
        numbers = dict(list(every.items())[:MOST_SLIDERS])
        given_reach = {key: max(3.0, math.ceil(2 * abs(number))) for key, number in numbers.items()}
        far = self._reach if given_reach == self._given_reach else given_reach
        present = {key: float(values[key[0]].flatten()[key[1]]) for key in numbers}
        # A slider that once grew for a number stays so: a hand that drags it back is still on it.
        reach = {key: max(far[key], math.ceil(abs(number))) for key, number in present.items()}
        new = reach != self._reach
        self._given_reach = given_reach
        if new:
            self._reach = reach
            before = (*self.sliders.values(), *self.numbers.values(), *self._row.children)
            self._echoes = {}
            self.sliders = {
                key: self._slider(key, given[key[0]].numel() == 1, reach[key]) for key in reach
            }
            self.numbers = {key: self._number(key, self.sliders[key].description) for key in reach}
            self._row.children = [HBox([self.sliders[key], self.numbers[key]]) for key in reach]
            close(before)
            rest = sum(t.numel() for t in given.values() if t.is_floating_point()) - len(numbers)
            said = f"{rest:,} more numbers have no slider: set `values`." if rest else ""
            self._note.value = html_paragraphs([said]) if said else ""
        for key, echoes in self._echoes.items():
            echoes.show(present[key])
            self._present[key] = f"{present[key]:g}"
            self.numbers[key].value = self._present[key]
        return new

    def _number(self, key: tuple[str, int], label: str) -> Text:
        field = Text(
            continuous_update=False,
            tooltip=f"The number {label}",
            layout=Layout(width=sized("112px"), flex="0 0 auto"),
        )

        def typed(change: Mapping[str, str]) -> None:
            if change["new"] != self._present.get(key):
                self._moved(*key, change["new"])
                field.value = self._present[key]  # also where it was refused

        field.observe(typed, names="value")
        return field

    def _slider(self, key: tuple[str, int], single: bool, reach: float) -> FloatSlider:
        name, index = key
        label = name if single else f"{name}[{index}]"
        one = FloatSlider(
            description=label,
            min=-reach,
            max=reach,
            step=reach / 300,
            readout=False,
            tooltip=f"The number {label}: values and gradients follow",
            layout=Layout(width="168px"),
            style={"description_width": "48px"},
        )

        def near(one: float, other: float) -> bool:
            return math.isclose(one, other, abs_tol=reach / 590)

        self._echoes[key] = echoes = Echoes(one, near)

        def changed(change: Mapping[str, float]) -> None:
            value = float(change["new"])
            if echoes.came(value):
                self._moved(name, index, float(f"{value:.4g}"))

        one.observe(changed, names="value")
        return one
