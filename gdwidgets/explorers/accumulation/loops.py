"""The two loops side by side: code with the line that runs, and leftover + fresh = ``.grad``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

import numpy as np

from gdwidgets.explorers.accumulation.runs import PAIRS, Array, Moment
from gdwidgets.ui.plots import figures, palette

COLOURS = (palette.VERMILLION, palette.BLUE)
"""Of the lanes: without clearing, with clearing; also of their parameter a."""

TINTS = (palette.ORANGE, palette.SKY)
"""Of the lanes' parameter b."""

STYLE = """
.gda { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr));
  gap: 4px 20px; color: var(--jp-content-font-color1, #222); font-size: 12px; line-height: 16px;
  padding-right: 2px; }
.gda h5 { margin: 0 0 3px; padding: 0 0 2px; font-size: 13px; line-height: 18px; font-weight: 600;
  border-bottom: 2px solid; display: flex; justify-content: space-between; gap: 8px;
  white-space: nowrap; }
.gda h5 span { color: var(--jp-content-font-color1, #222); }
.gda h5 span + span { font-weight: 400; font-variant-numeric: tabular-nums; }
.gda-s { display: grid; grid-template-columns: max-content minmax(150px, 1fr); gap: 0 10px; }
.gda pre { margin: 0; font: 11.5px/16px var(--jp-code-font-family, monospace);
  letter-spacing: -0.3px;
  overflow: hidden; color: inherit; background: none; }
.gda pre div { padding: 0 0 0 4px; border-left: 3px solid transparent; white-space: pre; }
.gda pre .on { border-left-color: var(--c); font-weight: 600;
  background: color-mix(in srgb, var(--c) 22%, transparent); }
.gda pre .no { border: 1px dashed var(--jp-content-font-color2, #666); padding-left: 19px;
  line-height: 14px; color: var(--jp-content-font-color2, #666); text-decoration: line-through; }
.gda-b { display: grid; grid-template-columns: 56px 58px 1fr; gap: 0 6px;
  white-space: nowrap; align-items: center;
  align-content: start; }
.gda-b tt { font: 12px/16px var(--jp-code-font-family, monospace); text-align: right;
  white-space: pre; letter-spacing: -0.2px; }
.gda-b u { position: relative; height: 10px; text-decoration: none; overflow: hidden;
  background: linear-gradient(90deg, transparent calc(50% - .5px),
  var(--jp-content-font-color2, #666) 0, transparent calc(50% + .5px)); }
.gda-b u i { position: absolute; top: 0; bottom: 0; }
.gda-b p { grid-column: 1 / -1; margin: 0 0 4px; padding-top: 1px; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.gda-b b { font-weight: 600; }
.gda-t { display: flex; flex-wrap: wrap; gap: 4px 20px; }
.gda-t pre { margin: 0; font: 10.5px/16px var(--jp-code-font-family, monospace);
  letter-spacing: -0.3px; color: var(--jp-content-font-color1, #222); background: none; }
.gda-t mark { background: var(--jp-layout-color3, #ddd); color: inherit; }
"""
"""Style sheet of the panel and the step tables; ``--c`` is the lane's colour."""


@dataclass(frozen=True)
class Loop:
    """One side of the panel: what its loop looks like."""

    lane: int
    clear_every: int | None
    parts: int | None
    max_steps: int
    learning_rate: float

    @property
    def title(self) -> str:
        """What the side is called."""
        if self.parts is not None:
            return "the whole batch at once" if self.lane else f"in {self.parts} micro-batches"
        if self.clear_every is None:
            return "without clearing"
        return "with clearing" if self.clear_every == 1 else f"clearing every {self.clear_every}"

    def code(self, at: Moment) -> list[tuple[str, str]]:
        """The loop's lines, and the line of ``LINES`` each of them is ("-" for a missing one)."""
        update = [
            ("  with torch.no_grad():", ""),
            ("    a -= learning_rate * a.grad", "update"),
            ("    b -= learning_rate * b.grad", "update"),
        ]
        clear = "a.grad = b.grad = None"
        if self.parts is not None:
            return self._batch_code(update, clear)
        head = [
            (f"for step in range(1, {self.max_steps + 1}):", ""),
            ("  loss = (a * x + b - y)**2", "forward"),
            ("  loss.backward()", "backward"),
            *update,
        ]
        if self.clear_every is None:
            return [*head, (clear, "-")]
        if self.clear_every == 1:
            return [*head, ("  " + clear, "clear")]
        hit = at.step > 0 and at.step % self.clear_every == 0
        return [
            *head,
            (f"  if step % {self.clear_every} == 0:", "clear"),
            ("    " + clear, "clear" if hit else ""),
        ]

    def _batch_code(self, update: list[tuple[str, str]], clear: str) -> list[tuple[str, str]]:
        if self.lane:
            first = [
                ("for step in range(steps):", ""),
                (f"  loss = square_error(all) / {PAIRS}", "forward"),
                ("  loss.backward()", "backward"),
            ]
        else:
            first = [
                ("for step in range(steps):", ""),
                (f"  for part in parts:  # {self.parts}", ""),
                (f"    loss = square_error(part) / {PAIRS}", "forward"),
                ("    loss.backward()", "backward"),
            ]
        return [*first, *update, ("  " + clear, "clear")]


def panel(sides: list[tuple[Loop, Moment, str]], expected: float) -> str:
    """Both sides as HTML.

    Parameters
    ----------
    sides
        The loop, what it holds now, and how its lane ended (empty while it runs).
    expected
        The gradient whose bar reaches from the middle to the edge, on both sides, as long as no
        larger one has to be shown.
    """
    return f"<div class=gda>{''.join(_side(*side, expected) for side in sides)}</div>"


def amount(value: float) -> str:
    """A number with the course's four decimals; with an exponent where it is huge."""
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.2e}"


def _side(loop: Loop, at: Moment, ending: str, expected: float) -> str:
    scale = _scale(expected, (at.leftover, at.fresh, at.grad))
    colour = COLOURS[loop.lane]
    code = "".join(_line(text, kind, at.line) for text, kind in loop.code(at))
    loss = "" if at.loss is None else f"loss = {figure_loss(at.loss)}"
    return (
        f"<div style='--c:{colour}'><h5 style='border-color:{colour}'><span>{loop.title}</span>"
        f"<span>{escape(ending or loss)}</span></h5><div class=gda-s><pre>{code}</pre>"
        f"<div class=gda-b>{_rows(loop, at, scale)}</div></div></div>"
    )


def figure_loss(loss: float) -> str:
    """A loss with the course's six decimals; with an exponent where it is huge."""
    return f"{loss:.6f}" if loss < 1e7 else f"{loss:.3e}"


def _line(text: str, kind: str, running: str) -> str:
    if kind == "-":
        return f"<div class='no{' on' if running == 'clear' else ''}'>{escape(text)}</div>"
    on = " class=on" if kind and kind == running else ""
    return f"<div{on}>{escape(text)}</div>"


def _rows(loop: Loop, at: Moment, scale: float) -> str:
    parts = []
    for i, (name, colour) in enumerate(
        zip("ab", (COLOURS[loop.lane], TINTS[loop.lane]), strict=True)
    ):
        left = None if at.leftover is None else float(at.leftover[i])
        fresh = None if at.fresh is None else float(at.fresh[i])
        whole = None if at.grad is None else float(at.grad[i])
        known = at.line in {"forward", "backward"} or (not at.line and at.fresh is not None)
        ran = at.line in {"backward", ""} and at.fresh is not None
        parts.append(
            _row("leftover", left, "None" if known else "·", (0.0, f"{colour}77", scale))
            + _row("+ fresh", fresh, "·", ((left or 0.0) if ran else 0.0, f"{colour}bb", scale))
            + _row(f"<b>= {name}.grad</b>", whole, "None", (0.0, colour, scale))
            + _update(name, at, i, loop)
        )
    return "".join(parts)


def _row(label: str, value: float | None, absent: str, bar: tuple[float, str, float]) -> str:
    """A label, a number (or what stands for none), and a bar: from where, colour, scale."""
    if value is None:
        return f"<span>{label}</span><tt>{absent}</tt><u></u>"
    base, colour, scale = bar
    ends = [50 + 50 * min(max(v / scale, -1.0), 1.0) for v in (base, base + value)]
    low, wide = min(ends), abs(ends[1] - ends[0])
    fill = f"<i style='left:{low:.1f}%;width:{wide:.1f}%;background:{colour}'></i>" if wide else ""
    return f"<span>{label}</span><tt>{amount(value)}</tt><u>{fill}</u>"


def _update(name: str, at: Moment, i: int, loop: Loop) -> str:
    if at.update is None:
        here = f"{name} = {amount(float(at.point[i]))}"
        if loop.parts is not None and at.line in {"forward", "backward"}:
            here += f", part {at.step % loop.parts + 1} of {loop.parts}"
        elif not at.line and at.loss is None:
            here += ", waits"
        return f"<p>{here}</p>"
    before, after = (float(point[i]) for point in at.update)
    when = "update" if at.line == "update" else "next"
    return f"<p>{when}: {name} {amount(before)} → {amount(after)}</p>"


def _scale(expected: float, grads: tuple[Array | None, ...]) -> float:
    """The gradient that fills a bar: the largest expected, or more where one is larger."""
    known = [float(np.abs(grad).max()) for grad in grads if grad is not None]
    present = max((value for value in known if math.isfinite(value)), default=0.0)
    return max(expected, figures.round_up(present) if present > expected else 0.0, 1e-12)
