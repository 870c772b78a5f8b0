"""Controls with a caption above them, and the learning-rate slider with its stability limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape

from ipywidgets import (
    HTML,
    Button,
    FloatLogSlider,
    HBox,
    Layout,
    Text,
    ToggleButton,
    VBox,
    Widget,
)

from gdwidgets.ui.text import number

LOWEST, HIGHEST = -6.0, 1.0
"""The slider's range of learning rates, as powers of ten; the field takes any."""


def captioned(control: Widget, caption: str, width: str, tooltip: str = "") -> VBox:
    """A control of some width under its name."""
    control.layout.width = "auto"
    if tooltip and control.has_trait("tooltip"):
        control.tooltip = tooltip
    title = HTML(
        f"<div style='font-size:12px;line-height:16px;white-space:nowrap' "
        f"title='{escape(tooltip, quote=True)}'>{escape(caption)}</div>",
        layout=Layout(margin="0 2px"),
    )
    return VBox([title, control], layout=Layout(width=width, flex="0 0 auto", min_width="0"))


def button(description: str, tooltip: str) -> Button:
    """A button as wide as its text."""
    return Button(description=description, tooltip=tooltip, layout=Layout(width="auto"))


def toggle(description: str, tooltip: str) -> ToggleButton:
    """A toggle as wide as its text."""
    return ToggleButton(description=description, tooltip=tooltip, layout=Layout(width="auto"))


def row(*controls: Widget, align: str = "flex-end") -> HBox:
    """Controls beside each other, on as many lines as they need."""
    return HBox(
        list(controls),
        layout=Layout(width="100%", flex_flow="row wrap", align_items=align, grid_gap="2px 8px"),
    )


def parse_number(text: str, name: str, example: str) -> float:
    """The number that somebody typed.

    Raises
    ------
    ValueError
        When the text is not a number.
    """
    try:
        return float(text.strip().replace("\u2212", "-"))
    except ValueError:
        raise ValueError(f"{name} must be a number such as {example}, not {text!r}") from None


class LearningRate(VBox):
    """A logarithmic slider and a field for one number, and a mark at the largest stable one.

    Parameters
    ----------
    changed
        Called with the learning rate, or the text, that somebody chose.
    lowest, highest
        Ends of the slider, as powers of ten.
    """

    def __init__(
        self,
        changed: Callable[[float | str], None],
        lowest: float = LOWEST,
        highest: float = HIGHEST,
    ) -> None:
        self.lowest, self.highest = lowest, highest
        self.slider = FloatLogSlider(
            value=10.0 ** ((lowest + highest) / 2),
            min=lowest,
            max=highest,
            step=0.01,
            readout=False,
            tooltip="Learning rate: how far one update goes along the negative gradient",
            layout=Layout(width="150px", margin="0 8px"),
        )
        self.field = Text(
            continuous_update=False,
            tooltip="Learning rate, any positive number",
            layout=Layout(width="80px"),
        )
        self.mark = HTML(layout=Layout(width="150px", height="18px", margin="0 8px"))
        self._shown = math.nan
        self._limit: tuple[float, str] | None = None
        self.slider.observe(lambda change: self._slid(change["new"], changed), names="value")
        self.field.observe(lambda change: self._typed(change["new"], changed), names="value")
        caption = HTML(
            "<div style='font-size:12px;line-height:16px'>learning rate</div>",
            layout=Layout(margin="0 2px"),
        )
        super().__init__(
            [caption, HBox([self.slider, self.field]), self.mark],
            layout=Layout(flex="0 0 auto"),
        )

    def _slid(self, value: float, changed: Callable[[float | str], None]) -> None:
        # The browser moves a value it is given to the slider's nearest stop: nobody's choice.
        if not math.isclose(value, self._clipped(), rel_tol=0.012):
            changed(float(f"{value:.3g}"))

    def _typed(self, value: str, changed: Callable[[float | str], None]) -> None:
        if value != f"{self._shown:g}":
            changed(value)

    def _clipped(self) -> float:
        return min(max(self._shown, 10.0**self.lowest), 10.0**self.highest)

    def share(self, learning_rate: float) -> float:
        """Where a learning rate stands on the slider, from 0 (left end) to 1."""
        share = (math.log10(learning_rate) - self.lowest) / (self.highest - self.lowest)
        return min(max(share, 0.0), 1.0)

    def show(self, learning_rate: float) -> None:
        """Show a learning rate; one beyond the slider's ends stands at the end."""
        self._shown = learning_rate
        self.slider.value = self._clipped()
        self.field.value = f"{learning_rate:g}"

    def show_limit(self, limit: float, note: str = "") -> None:
        """Mark the largest stable learning rate under the slider; infinity removes the mark."""
        if (limit, note) == self._limit:
            return
        self._limit = (limit, note)
        if not math.isfinite(limit):
            style = "font-size:11px;line-height:16px;white-space:nowrap"
            self.mark.value = f"<div style='{style}'>{escape(note)}</div>"
            return
        share = self.share(limit)
        text = f"limit {number(limit, 3)}"
        right = share > 0.55  # write towards the middle, so that the text never leaves the strip
        anchor = f"right:{100 * (1 - share):.2f}%" if right else f"left:{100 * share:.2f}%"
        shift = "translateX(50%)" if right else "translateX(-50%)"
        self.mark.value = (
            "<div style='position:relative;height:16px;font-size:11px;line-height:16px;"
            f"white-space:nowrap' title='{escape(note, quote=True)}'>"
            f"<span style='position:absolute;{anchor};transform:{shift}'>▲</span>"
            f"<span style='position:absolute;{anchor};margin:0 10px'>{escape(text)}</span></div>"
        )
