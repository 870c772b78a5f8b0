"""The two loops side by side: the line that runs, and accumulated + this step = ``.grad``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from gdwidgets.explorers.accumulation.given import SAMPLES
from gdwidgets.explorers.accumulation.loop import Array, Moment
from gdwidgets.ui import text
from gdwidgets.ui.plots import palette

NAMES = ("a", "b")

STYLE = """
/* Above a short track two limits leave no room for the words "learning rate". */
@container (max-width: 18em) {
  .gdwidgets .gdw-limits em { font-size: 0; }
  .gdwidgets .gdw-limits em::after { content: "γ"; font-size: calc(13px * var(--gdw-size)); }
}
/* A theme sets sizes for pre and tt: ours must be the more specific rules. */
.gda { display: grid; gap: 8px 24px; margin: 0 0 8px 0;
  grid-template-columns: repeat(auto-fit, minmax(min(360px, 100%), 1fr)); }
.gda > section { border-top: 4px solid var(--c); min-width: 0; container-type: inline-size;
  font-size: calc(14px * var(--gdw-size)); }
.gda h5 { margin: 0; font-weight: 700; display: flex; flex-wrap: wrap; gap: 0 8px;
  justify-content: space-between; overflow: hidden; height: calc(24px * var(--gdw-size));
  font-size: calc(15px * var(--gdw-size));
  line-height: calc(24px * var(--gdw-size)); white-space: nowrap; color: var(--t); }
/* Title and loss would not fit into one line: they have two, whatever they say. */
@container (max-width: 29em) {
  .gda h5 { height: calc(48px * var(--gdw-size)); }
  .gda h5 span { flex: 1 0 100%; } }
.gda h5 span + span { color: var(--gdw-ink); font-variant-numeric: tabular-nums; }
.gdwidgets .gda pre { margin: 0; background: none; color: var(--gdw-ink); overflow: hidden;
  font: clamp(13px, calc((100cqi - 10px) / var(--n) * 1.66), calc(14px * var(--gdw-size)))/calc(18px
  * var(--gdw-size)) var(--jp-code-font-family, monospace); }
.gdwidgets .gda pre div { display: flex; justify-content: space-between; padding: 0 0 0 4px;
  border-left: 4px solid transparent; white-space: pre;
  height: calc(18px * var(--gdw-size)); box-sizing: border-box; }
.gdwidgets .gda pre span { font-variant-numeric: tabular-nums;
  font-family: var(--jp-ui-font-family, system-ui, sans-serif); }
.gdwidgets .gda pre .on { border-left-color: var(--gdw-blue); background: var(--gdw-blue-pale);
  font-weight: 600; }
.gdwidgets .gda pre .no { display: inline-block; border: 2px solid var(--c); border-radius: 4px;
  padding: 0 6px 0 4px; line-height: calc(18px * var(--gdw-size) - 4px); color: var(--t);
  background: color-mix(in srgb, var(--c) 12%, transparent); text-decoration: line-through;
  text-decoration-thickness: 2px; font-weight: 700; }
.gdwidgets .gda pre .clears { font-weight: 700; }
.gda-b { display: grid; grid-template-columns: 14ch 1fr 11ch; gap: 0 8px; align-items: center;
  font-size: calc(14px * var(--gdw-size)); line-height: calc(18px * var(--gdw-size));
  white-space: nowrap; margin-top: 4px; }
.gdwidgets .gda-b tt { font: inherit; text-align: right; font-variant-numeric: tabular-nums; }
.gda-b u { position: relative; height: calc(12px * var(--gdw-size)); text-decoration: none;
  overflow: hidden; background: linear-gradient(90deg, transparent calc(50% - .5px),
  var(--gdw-quiet) 0, transparent calc(50% + .5px)); }
.gda-b u i { position: absolute; top: 0; bottom: 0; border-radius: 2px; }
.gda-b b { font-weight: 700; }
.gda-t { display: flex; flex-wrap: wrap; gap: 8px 24px; }
.gdwidgets .gda-t pre { margin: 0; background: none; color: var(--gdw-ink);
  font: calc(13px * var(--gdw-size))/calc(20px * var(--gdw-size))
  var(--jp-code-font-family, monospace); }
.gda-t mark { background: var(--gdw-blue-pale); color: inherit; }
"""
"""Style sheet of the loops and the step tables.

``--c`` is the lane's colour, ``--n`` the characters in a line of code: all of it stands in its
section, in large text too, however narrow the cell is.
"""

COLUMNS = 4
"""In strides of so many characters code gets smaller where a line is long."""

BESIDE = 14
"""Characters of code in whose room stands what an update makes of a parameter: its numbers may get
longer, and code is not to change its size with every step."""


Line = tuple[str, str, str]
"""A line of code, which of ``LINES`` it is, and how the clearing stands."""


@dataclass(frozen=True)
class Loop:
    """What one lane's loop looks like."""

    lane: int
    title: str
    clear_every: int | None
    parts: int | None
    learning_rate: float

    def code(self, at: Moment) -> list[Line]:
        """The loop's lines: text, which line of ``LINES`` it is, and how the clearing stands."""
        rate = f"{self.learning_rate:g}"
        update = [
            ("with torch.no_grad():", "", ""),
            *((f"    {name} -= {rate} * {name}.grad", "update", "") for name in NAMES),
        ]
        clear = "a.grad = b.grad = None"
        if self.parts is not None:
            if self.lane:
                first = [
                    (f"loss = squares(all).sum() / {SAMPLES}", "forward", ""),
                    ("loss.backward()", "backward", ""),
                ]
            else:
                part = f"{self.parts} parts"
                if at.line in {"forward", "backward"}:
                    part = f"part {at.step % self.parts + 1} of {self.parts}"
                first = [
                    (f"loss = squares(part).sum() / {SAMPLES}", "forward", ""),
                    (f"loss.backward()  # {part}", "backward", ""),
                ]
            return [*first, *update, (clear, "clear", "clears")]
        head = [
            ("loss = (a * x + b - y)**2", "forward", ""),
            ("loss.backward()", "backward", ""),
            *update,
        ]
        if self.clear_every is None:
            return [*head, (clear, "clear", "no")]
        if self.clear_every == 1:
            return [*head, (clear, "clear", "clears")]
        hit = at.step > 0 and at.step % self.clear_every == 0
        line = f"if step % {self.clear_every} == 0: {clear}"
        return [*head, (line, "clear", "clears" if hit else "")]


def lane_titles(clear_every: int | None, parts: int | None) -> tuple[str, str]:
    """What the two lanes are called."""
    if parts is not None:
        return f"in {parts} micro-batches", "the whole batch at once"
    if clear_every is None:
        return "without clearing", "with clearing"
    if clear_every == 1:
        return "with clearing", "with clearing, again"
    return f"clearing every {clear_every}", "clearing every step"


def lane_names(clear_every: int | None, parts: int | None) -> tuple[str, str]:
    """The same in a word or two, for the ends of curves."""
    if parts is not None:
        return f"{parts} parts", "at once"
    return ("without" if clear_every is None else f"every {clear_every}"), "with"


def panel(sides: Sequence[tuple[Loop, Moment, str]], shown: int, expected: float) -> str:
    """Both loops as HTML.

    Parameters
    ----------
    sides
        The loop, what it holds now, and how its lane ended (empty while it runs).
    shown
        The parameter whose buffer is shown: 0 for a, 1 for b.
    expected
        The gradient whose bar reaches from the middle to the edge, on both sides, as long as no
        larger one has to be shown.
    """
    codes = [loop.code(at) for loop, at, _ in sides]
    most = max(len(line) + BESIDE * (kind == "update") for code in codes for line, kind, _ in code)
    columns = math.ceil(most / COLUMNS) * COLUMNS
    made = [_side(*each, shown, expected) for each in zip(sides, codes, strict=True)]
    return f"<div class=gda style='--n:{columns}'>{''.join(made)}</div>"


def _side(
    side: tuple[Loop, Moment, str], lines: Sequence[Line], shown: int, expected: float
) -> str:
    loop, at, ending = side
    run = palette.run(loop.lane)
    scale = _scale(expected, (at.accumulated, at.step_grad, at.grad))
    # Each number stands beside the line that changes it.
    updated = iter(["", ""] if ending else [_where(at, i) for i in range(len(NAMES))])
    code = "".join(
        _line(*line, at.line, next(updated) if line[1] == "update" else "") for line in lines
    )
    of = "" if loop.parts is None else "the part's " if loop.lane == 0 else "the batch's "
    loss = "" if at.loss is None else f"{of}loss = {text.fixed(at.loss, 6)}"
    return (
        f"<section style='--c:{run.colour};--t:var(--gdw-run-{loop.lane})'><h5><span>{run.glyph} "
        f"{escape(loop.title)}</span><span>{escape(ending or loss)}</span></h5>"
        f"<pre>{code}</pre><div class=gda-b>{_rows(loop, at, shown, scale)}</div></section>"
    )


def _line(code: str, kind: str, clearing: str, running: str, beside: str) -> str:
    classes = [clearing] if clearing else []
    if kind and kind == running and clearing != "no":
        classes.append("on")
    attribute = f" class='{' '.join(classes)}'" if classes else ""
    right = f"<span>{escape(beside)}</span>" if beside else ""
    return f"<div{attribute}>{escape(code)}{right}</div>"


def _rows(loop: Loop, at: Moment, shown: int, scale: float) -> str:
    name, colour = NAMES[shown], palette.run(loop.lane).colour
    before = None if at.accumulated is None else float(at.accumulated[shown])
    own = None if at.step_grad is None else float(at.step_grad[shown])
    whole = None if at.grad is None else float(at.grad[shown])
    known = at.line in {"forward", "backward"} or (not at.line and at.step_grad is not None)
    waits = loop.parts is not None and loop.lane == 1 and not at.line and at.loss is None
    paler, pale = _pale(colour, 47), _pale(colour, 73)
    return (
        _row("accumulated", before, "None" if known else "", (0.0, paler, scale))
        + _row("+ this step", own, "waits" if waits else "", (before or 0.0, pale, scale))
        + _row(f"<b>= {name}.grad</b>", whole, "None", (0.0, colour, scale))
    )


def _pale(colour: str, percent: int) -> str:
    """CSS of a colour with white in it: to be seen on a dark ground as well."""
    return f"color-mix(in srgb, {colour} {percent}%, white)"


def _row(label: str, value: float | None, absent: str, bar: tuple[float, str, float]) -> str:
    """A label, a bar (from where, colour, scale), and a number or what stands for none."""
    if value is None:
        return f"<span>{label}</span><u></u><tt>{absent}</tt>"
    base, colour, scale = bar
    ends = [50 + 50 * min(max(v / scale, -1.0), 1.0) for v in (base, base + value)]
    low, wide = min(ends), abs(ends[1] - ends[0])
    fill = f"<i style='left:{low:.1f}%;width:{wide:.1f}%;background:{colour}'></i>" if wide else ""
    return f"<span>{label}</span><u>{fill}</u><tt>{text.fixed(value)}</tt>"


def _where(at: Moment, parameter: int) -> str:
    """The value of a parameter, and what the update makes or has made of it."""
    if at.update is not None:
        before, after = (text.fixed(float(point[parameter])) for point in at.update)
        return f"{before} → {after}"
    return text.fixed(float(at.point[parameter]))


def _scale(expected: float, grads: Sequence[Array | None]) -> float:
    """The gradient that fills a bar: the largest expected, or more where one is larger."""
    known = [float(np.abs(grad).max()) for grad in grads if grad is not None]
    present = max((value for value in known if math.isfinite(value)), default=0.0)
    if present <= expected:
        return max(expected, 1e-12)
    power = 10.0 ** math.floor(math.log10(present))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= present * (1 - 1e-9))
