"""The table of the lanes: a learning rate to edit in each row, and the live numbers beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from ipywidgets import HTML, Button, HBox, Layout, Text, VBox

from gdwidgets.explorers.learning_rate.given import MOST_LANES
from gdwidgets.ui.form import parse_number
from gdwidgets.ui.plots import palette

STYLE = """
.gdw-lanes { width: 100%; align-items: flex-start; }
.gdw-lanes-left { flex: 0 0 calc(152px * var(--gdw-size)); overflow: hidden; }
.gdw-lane { height: calc(24px * var(--gdw-size)); align-items: center; overflow: hidden;
  box-sizing: border-box; border-bottom: 1px solid var(--jp-border-color3, #eee); gap: 4px; }
.gdw-lane-head { border-bottom-color: var(--gdw-line); }
.gdw-lane .widget-html, .gdw-lane .widget-html-content { margin: 0; overflow: hidden;
  height: calc(23px * var(--gdw-size)); line-height: calc(22px * var(--gdw-size));
  font-size: calc(14px * var(--gdw-size)); white-space: nowrap; }
.gdwidgets .gdw-lane .widget-text { height: calc(22px * var(--gdw-size)); margin: 0; }
.gdwidgets .gdw-lane .widget-text input[type=text] { height: calc(20px * var(--gdw-size));
  line-height: calc(18px * var(--gdw-size)); font-weight: 600; font-family: inherit;
  border-color: transparent; background: transparent; padding: 0 4px;
  font-variant-numeric: tabular-nums; }
.gdwidgets .gdw-lane .widget-text input[type=text]:hover,
.gdwidgets .gdw-lane .widget-text input[type=text]:focus { border-color: var(--gdw-line); }
.gdwidgets .gdw-lane .widget-button { height: calc(22px * var(--gdw-size)); min-width: 0;
  line-height: calc(20px * var(--gdw-size)); padding: 0 6px; border-color: transparent;
  background: transparent; color: var(--gdw-quiet); }
.gdwidgets .gdw-lane .widget-button:hover { border-color: var(--gdw-line); }
.gdwidgets .gdw-lane-head .widget-button { color: var(--gdw-blue-ink); font-weight: 600; }
.gdw-numbers { flex: 1 1 auto; min-width: 0; overflow: auto hidden; }
/* Below the least width columns would cut their numbers: the table is scrolled instead. */
.gdw-numbers table { border-collapse: collapse; table-layout: fixed; width: 100%;
  min-width: calc((80px * var(--gdw-columns) + 178px) * var(--gdw-size));
  font-variant-numeric: tabular-nums; font-size: calc(14px * var(--gdw-size));
  color: var(--gdw-ink); }
.gdw-numbers th, .gdw-numbers td { box-sizing: border-box; padding: 0 8px 0 0; text-align: right;
  white-space: pre; overflow: hidden; text-overflow: ellipsis;
  height: calc(24px * var(--gdw-size)); line-height: calc(22px * var(--gdw-size));
  border-bottom: 1px solid var(--jp-border-color3, #eee); }
.gdw-numbers th { font-weight: 600; color: var(--gdw-quiet); border-bottom-color: var(--gdw-line); }
.gdw-numbers .gdw-text { text-align: left; padding: 0 0 0 8px; }
@container (max-width: 54.3em) {
  .gdw-numbers .gdw-wide { display: none; }
  .gdw-numbers col:not(:last-child) { width: calc(80px * var(--gdw-size)) !important; }
  .gdw-numbers table {
    min-width: calc((80px * (var(--gdw-columns) - 1) + 110px) * var(--gdw-size)); }
  .gdw-lanes-left { flex-basis: calc(132px * var(--gdw-size)); } }
.gdw-numbers .widget-html-content, .gdw-numbers.widget-html { margin: 0; line-height: 0; }
.gdw-lanes .gdw-dash { display: inline-block; width: calc(22px * var(--gdw-size)); height: 0;
  border-top: 2px dashed var(--gdw-ink); vertical-align: middle; margin: 0 6px 2px 2px; }
""" + "\n".join(
    f".gdw-lanes .gdw-run-{lane}, .gdw-lane-{lane} input {{"
    f" color: var(--gdw-run-{lane}, {run.text}) !important; }}"
    for lane, run in enumerate(palette.RUNS)
)


def written(rate: float) -> str:
    """A learning rate as its field shows it, with as many digits as it needs."""
    return f"{rate:.15g}"


class LaneTable(HBox):
    """A row for each lane, with the closed form below them.

    Parameters
    ----------
    edited
        Called with a lane and a function that returns the learning rate somebody typed, or raises.
    removed
        Called with the lane whose × was pressed.
    added
        Called when *add* was pressed.
    """

    def __init__(
        self,
        edited: Callable[[int, Callable[[], float]], None],
        removed: Callable[[int], None],
        added: Callable[[], None],
    ) -> None:
        self.table = HTML(layout=Layout(margin="0"))
        self.table.add_class("gdw-numbers")
        self.fields: list[Text] = []
        self.removers: list[Button] = []
        self.rows: list[HBox] = []
        self._edited = edited
        self._shown: tuple[str, ...] = ()
        for lane in range(MOST_LANES):
            self._make_row(lane, removed)
        self.add = Button(
            description="+ add",
            tooltip="Add a lane with a learning rate of its own",
            layout=Layout(width="auto", flex="0 0 auto"),
        )
        self.add.on_click(lambda _: added())
        title = HTML("<b>&nbsp;γ</b>", layout=Layout(width="auto", flex="0 0 auto"))
        head = _row([title, self.add]).add_class("gdw-lane-head")
        closed = HTML("<span class=gdw-dash></span>closed form", layout=Layout(width="100%"))
        own = f"<span style='color:var(--gdw-run-own)'>&nbsp;{palette.OWN_RUN.glyph}</span> yours"
        self.own = _row([HTML(own, layout=Layout(width="100%"))])
        self.own.layout.display = "none"
        left = VBox([head, *self.rows, self.own, _row([closed])])
        left.add_class("gdw-lanes-left")
        super().__init__([left, self.table], layout=Layout(width="100%"))
        self.add_class("gdw-lanes")

    def _make_row(self, lane: int, removed: Callable[[int], None]) -> None:
        run = palette.run(lane)
        glyph = HTML(
            f"<span class=gdw-run-{lane}>&nbsp;{run.glyph}</span>",
            layout=Layout(width="auto", flex="0 0 auto"),
        )
        field = Text(
            continuous_update=False,
            tooltip=f"Learning rate of lane {lane + 1}: any positive number",
            layout=Layout(flex="1 1 auto", width="60px", min_width="0"),
        )
        field.add_class(f"gdw-lane-{lane}")
        remover = Button(
            description="×",
            tooltip="Remove this lane",
            layout=Layout(width="auto", flex="0 0 auto"),
        )
        field.observe(lambda change: self._typed(lane, change["new"]), names="value")
        remover.on_click(lambda _: removed(lane))
        self.fields.append(field)
        self.removers.append(remover)
        self.rows.append(_row([glyph, field, remover]))

    def _typed(self, lane: int, value: str) -> None:
        if lane < len(self._shown) and value != self._shown[lane]:
            self._edited(lane, lambda: parse_number(value, "learning rate", "0.01"))

    def show_rates(self, rates: Sequence[float]) -> None:
        """Write the learning rates into as many rows as there are lanes."""
        self._shown = tuple(written(rate) for rate in rates)
        for lane, row in enumerate(self.rows):
            there = lane < len(rates)
            shown = None if there else "none"
            if row.layout.display != shown:
                row.layout.display = shown
            if there:
                self.fields[lane].value = self._shown[lane]
            self.removers[lane].disabled = len(rates) == 1
        self.add.disabled = len(rates) == MOST_LANES

    def show_own(self, *, on: bool) -> None:
        """Show or hide the row of the learner's own loop, after those of the lanes."""
        self.own.layout.display = None if on else "none"

    def show_numbers(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write the numbers beside the rows: the head, the lanes, the closed form.

        The last column is text; all columns keep their width whatever is in them.
        """
        columns = len(head)
        fraction = 100 / (columns - 1 + 2.2)
        # A narrow cell shows what an update makes and its outcome, and no distance.
        kinds = [""] * (columns - 2) + [" class=gdw-wide", " class=gdw-text"]
        widths = "".join(f"<col{kind} style='width:{fraction:.2f}%'>" for kind in kinds[:-1])

        def line(cells: Sequence[str], tag: str) -> str:
            return "".join(
                f"<{tag}{kind}>{escape(cell)}</{tag}>"
                for kind, cell in zip(kinds, cells, strict=True)
            )

        body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
        html = (
            f"<table style='--gdw-columns:{columns - 1}'><colgroup>{widths}<col></colgroup>"
            f"<tr>{line(head, 'th')}</tr>{body}</table>"
        )
        if self.table.value != html:
            self.table.value = html


def _row(parts: Sequence[HTML | Text | Button]) -> HBox:
    row = HBox(list(parts), layout=Layout(width="100%"))
    row.add_class("gdw-lane")
    return row
