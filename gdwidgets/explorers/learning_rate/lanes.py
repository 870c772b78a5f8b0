"""The lanes: where their rates lie against the limit, their fields, and the live table beside."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from ipywidgets import HTML, Button, HBox, Layout, Text, VBox

from gdwidgets.explorers.learning_rate import text as words
from gdwidgets.ui import text
from gdwidgets.ui.plots import palette
from gdwidgets.ui.runs import lane_steps

if TYPE_CHECKING:
    from gdwidgets.explorers.learning_rate.explorer import LearningRateExplorer

ROW = 24
"""Height of a row, in pixels, in the column of fields and in the table beside it."""

MOST_LANES = len(palette.LANES)

STYLE = f"""<style>
.gdw-lane {{ height: {ROW}px; align-items: center; overflow: hidden; }}
.gdw-lane .widget-text {{ height: 20px; margin: 0; }}
.gdw-lane .widget-text input[type=text] {{ height: 20px; font-size: 13px; line-height: 18px;
  font-variant-numeric: tabular-nums; }}
.gdw-lane .widget-button {{ height: 20px; line-height: 18px; min-width: 20px; margin: 0 2px;
  padding: 0; }}
.gdw-lane .widget-html, .gdw-lane .widget-html-content {{ height: {ROW}px; line-height: {ROW}px;
  margin: 0; font-size: 13px; }}
.gdw-lane .widget-html-content > i {{ display: inline-block; width: 18px; height: 0;
  border-top: 4px solid; vertical-align: middle; margin: 0 4px 2px 4px; }}
.gdw-lanes {{ border-collapse: collapse; table-layout: fixed; font-size: 13px;
  font-variant-numeric: tabular-nums; color: var(--jp-content-font-color1, #222); }}
.gdw-lanes tr {{ height: {ROW}px; }}
.gdw-lanes th, .gdw-lanes td {{ padding: 0 8px 0 0; text-align: right; white-space: pre;
  font-family: var(--jp-code-font-family, monospace); line-height: {ROW - 2}px;
  overflow: hidden; text-overflow: ellipsis; }}
.gdw-lanes th {{ font-weight: 600; }}
.gdw-lanes tr + tr > td {{ border-top: 1px solid var(--jp-border-color2, #e0e0e0); }}
.gdw-lanes th:last-child, .gdw-lanes td:last-child {{ text-align: left; padding-left: 12px; }}
.gdw-strip {{ position: relative; height: 30px; margin: 0 8px 0 102px; font-size: 12px;
  line-height: 14px; color: var(--jp-content-font-color1, #222); }}
.gdw-strip > * {{ position: absolute; white-space: nowrap; }}
.gdw-why {{ font-size: 12px; line-height: 16px; min-height: 32px; margin: 2px 4px 0 4px;
  color: var(--jp-content-font-color1, #222); }}
</style>"""


class LanePanel(VBox):
    """A strip of the rates, a row per lane, and the closed form below them.

    Parameters
    ----------
    edited
        Called with a lane and the text that somebody typed as its learning rate.
    removed
        Called with the lane whose × was pressed.
    added
        Called when the plus was pressed.
    """

    def __init__(
        self,
        edited: Callable[[int, str], None],
        removed: Callable[[int], None],
        added: Callable[[], None],
    ) -> None:
        self.strip = HTML(layout=Layout(width="100%", margin="0"))
        self.table = HTML(layout=Layout(flex="1 1 auto", margin="0", min_width="0"))
        self.why = HTML(layout=Layout(width="100%", margin="0"))
        self.fields: list[Text] = []
        self.removers: list[Button] = []
        self.rows: list[HBox] = []
        for lane in range(MOST_LANES):
            self._make_row(lane, edited, removed)
        self.add = Button(
            icon="plus",
            tooltip="Add a lane with a learning rate of its own",
            layout=Layout(width="22px", flex="0 0 auto"),
        )
        self.add.on_click(lambda _: added())
        head = HTML("<b>learning rate</b>", layout=Layout(width="108px", margin="0 0 0 4px"))
        heading = _lane_row([head, self.add])
        closed = HTML(
            "<i style='border-color:currentColor;border-top-style:dashed;border-top-width:3px'></i>"
            "&nbsp;closed form",
            layout=Layout(width="auto", margin="0"),
        )
        left = VBox(
            [heading, *self.rows, _lane_row([closed])],
            layout=Layout(flex="0 0 148px", overflow="hidden"),
        )
        self.body = HBox(
            [left, self.table], layout=Layout(width="100%", overflow="auto hidden", margin="0")
        )
        self._shown: tuple[float, ...] = ()
        super().__init__(
            [HTML(STYLE, layout=Layout(display="none")), self.strip, self.body, self.why],
            layout=Layout(width="100%"),
        )

    def _make_row(
        self, lane: int, edited: Callable[[int, str], None], removed: Callable[[int], None]
    ) -> None:
        swatch = HTML(
            f"<i style='border-color:{_colour(lane)}'></i>",
            layout=Layout(width="28px", flex="0 0 auto", margin="0"),
        )
        field = Text(
            continuous_update=False,
            tooltip="Learning rate of this lane: any positive number",
            layout=Layout(width="84px"),
        )
        remover = Button(
            icon="times",
            tooltip="Remove this lane",
            layout=Layout(width="22px", flex="0 0 auto"),
        )
        field.observe(lambda change: self._edited(lane, change["new"], edited), names="value")
        remover.on_click(lambda _: removed(lane))
        self.fields.append(field)
        self.removers.append(remover)
        self.rows.append(_lane_row([swatch, field, remover]))

    def _edited(self, lane: int, value: str, edited: Callable[[int, str], None]) -> None:
        if lane < len(self._shown) and value != f"{self._shown[lane]:g}":
            edited(lane, value)

    def show_rates(self, rates: Sequence[float]) -> None:
        """Write the learning rates into their fields; there is a row for each."""
        self._shown = tuple(rates)
        for lane, row in enumerate(self.rows):
            row.layout.display = None if lane < len(rates) else "none"
            if lane < len(rates):
                self.fields[lane].value = f"{rates[lane]:g}"
                self.removers[lane].disabled = len(rates) == 1
        self.add.disabled = len(rates) >= MOST_LANES

    def show_curvature(
        self, curvature: words.Curvature, rates: Sequence[float], rule: str, *, batches: bool
    ) -> None:
        """Write the strip with the limit and the sentence under the table."""
        self.strip.value = strip(curvature.limit if rule == "gd" else math.inf, rates)
        sentence = words.explanation(curvature, rates, rule, batches=batches)
        self.why.value = f"<div class=gdw-why>{escape(sentence)}</div>"

    def draw(self, explorer: LearningRateExplorer, k: int) -> None:
        """Write the table with the cursor at ``k``."""
        self.table.value = lane_table(explorer, k)


def _lane_row(children: list[HTML | Text | Button]) -> HBox:
    row = HBox(children, layout=Layout(width="100%", height=f"{ROW}px", margin="0"))
    row.add_class("gdw-lane")
    return row


def _colour(lane: int) -> str:
    return palette.LANES[lane]


def lane_table(explorer: LearningRateExplorer, k: int) -> str:
    """The live table as HTML: a row per lane and the closed form last; widths never change."""
    descent = explorer.descent
    names = descent.objective.parameter_names
    steps = lane_steps(descent, k)
    here = descent.params[steps, np.arange(descent.lanes)]
    apart = words.distance(explorer, here)
    best, floor = explorer.closed_form
    loss = "batch loss" if explorer.batch_size else "loss"
    heads = [*names, loss, "distance"]
    columns = "<col style='width:88px'>" * (len(names) + 2) + "<col style='width:180px'>"
    title = "Distance of the coefficients to those of the closed form"
    head = "".join(f"<th{f' title={title!r}' if h == 'distance' else ''}>{h}</th>" for h in heads)
    rows = [
        (
            *map(words.amount, here[lane]),
            words.amount(float(descent.loss[steps[lane], lane])),
            words.amount(float(apart[lane])),
            words.lane_note(descent, lane, k),
        )
        for lane in range(descent.lanes)
    ]
    rows.append((*map(words.amount, best), words.amount(floor), "0.0000", "least squares"))
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>" for cells in rows
    )
    width = 88 * (len(names) + 2) + 180
    return (
        f"<table class=gdw-lanes style='width:{width}px'><colgroup>{columns}</colgroup>"
        f"<tr>{head}<th>outcome</th></tr>{body}</table>"
    )


def strip(limit: float, rates: Sequence[float]) -> str:
    """The rates as coloured marks on a logarithmic line, what is beyond the limit shaded."""
    known = [*rates, limit] if math.isfinite(limit) else list(rates)
    low = math.floor(math.log10(min(known)) - 0.2)
    high = math.ceil(math.log10(max(known)) + 0.2)

    def place(rate: float) -> float:
        return 100 * (math.log10(rate) - low) / (high - low)

    line = "left:0;right:0;top:9px;border-top:2px solid var(--jp-border-color1,#aaa)"
    parts = [f"<span style='{line}'></span>"]
    if math.isfinite(limit):
        at = place(limit)
        parts.append(
            f"<span style='left:{at:.2f}%;right:0;top:2px;height:15px;background:"
            "repeating-linear-gradient(135deg,rgba(128,128,128,.45) 0 2px,transparent 2px 6px);"
            "border-left:2px solid currentColor' "
            "title='Plain gradient descent diverges at these learning rates'></span>"
        )
        right = at > 70
        where = f"right:{100 - at:.2f}%" if right else f"left:{at:.2f}%"
        parts.append(
            f"<span style='{where};top:17px;margin:0 0 0 {'0' if right else '-4px'}'>"
            f"▲ limit {text.number(limit)}</span>"
        )
    stride = max(1, math.ceil((high - low) / 8))
    for power in range(low, high + 1, stride):
        at = 100 * (power - low) / (high - low)
        near = math.isfinite(limit) and -3 < at - place(limit) < 12
        if not near:
            parts.append(
                f"<span style='left:{at:.2f}%;top:17px;transform:translateX(-50%);opacity:.75'>"
                f"{_power(power)}</span>"
            )
    for lane, rate in enumerate(rates):
        parts.append(
            f"<span style='left:{place(rate):.2f}%;top:4px;width:12px;height:12px;"
            f"border-radius:6px;margin-left:-6px;background:{_colour(lane)};"
            f"box-shadow:0 0 0 1.5px var(--jp-layout-color0,#fff)' title='{rate:g}'></span>"
        )
    label = (
        "<span style='left:-98px;top:2px;font-size:12px;line-height:16px'>rate, log scale</span>"
    )
    inside = f"{label}{''.join(parts)}"
    return f"<div class=gdw-strip role=img aria-label='learning rates'>{inside}</div>"


def _power(power: int) -> str:
    value = 10.0**power
    return f"{value:g}" if -4 <= power <= 4 else f"1e{power}"
