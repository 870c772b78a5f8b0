"""The track of all learning rates: a handle a lane, stable part coloured, limits written on it.

Each handle is a slider of its own, laid over the others; only its handle takes the mouse. So every
lane's rate can be dragged, reached by the tab key, moved by the arrow keys and read out. Handles
that would cover each other stand a little higher and lower: a part of each can be taken hold of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipywidgets import HTML, Box, FloatLogSlider, Layout, VBox

from gdwidgets.explorers.learning_rate.given import MOST_LANES
from gdwidgets.ui import text
from gdwidgets.ui.echoes import Echoes
from gdwidgets.ui.form import LOG_STOP, log_stop, same_log_stop
from gdwidgets.ui.plots import palette

STYLE = """
/* Handles at the ends of the track reach beyond it. */
.gdw-rates { position: relative; margin: 0 calc(11px * var(--gdw-size)) 4px; overflow: visible; }
.gdw-rates .gdw-handles { position: relative; height: calc(20px * var(--gdw-size));
  overflow: visible; container-type: inline-size; z-index: 2; }
.gdw-rates .gdw-limits { overflow: visible; }
.gdw-rates .gdw-said { left: calc(-11px * var(--gdw-size)); background: none; }
@container (max-width: 48em) { .gdw-rates .gdw-limits .gdw-more { display: none; } }
.gdw-neutral { background: var(--gdw-line); }
.gdw-rates .gdw-bands { top: calc(20px * var(--gdw-size)); height: calc(20px * var(--gdw-size)); }
/* Longer than handles are high: seen above and below one that stands there. */
.gdw-rates .gdw-bands u { top: calc(-14px * var(--gdw-size)); bottom: calc(-4px * var(--gdw-size));
  z-index: 1; }
.gdwidgets .gdw-handle { position: absolute; left: 0; right: 0; top: 0; margin: 0;
  width: 100%; height: calc(20px * var(--gdw-size)); pointer-events: none; overflow: visible;
  line-height: calc(20px * var(--gdw-size)); }
.gdwidgets .gdw-handle .slider-container { margin: 0; padding: 0; overflow: visible;
  pointer-events: none; }
.gdwidgets .gdw-handle .slider { margin: 0; pointer-events: none; }
.gdwidgets .gdw-handle :is(.noUi-target, .noUi-connects, .noUi-base, .ui-slider) {
  background: transparent !important; border: none !important; box-shadow: none !important;
  pointer-events: none; }
.gdwidgets .gdw-handle :is(.noUi-handle, .ui-slider-handle) {
  pointer-events: auto; border: none !important;
  border-radius: 12px; background: transparent !important; cursor: ew-resize;
  width: calc(24px * var(--gdw-size)); height: calc(24px * var(--gdw-size));
  right: calc(-12px * var(--gdw-size)); top: calc(-12px * var(--gdw-size)); }
.gdwidgets .gdw-handle .ui-slider-handle {
  margin: calc(16px * var(--gdw-size)) 0 0 calc(-12px * var(--gdw-size));
  transform: none !important; }
.gdwidgets .gdw-handle :is(.noUi-handle, .ui-slider-handle)::after {
  position: absolute; inset: 0; left: 0; top: 0; width: auto; height: auto;
  background: none; text-align: center;
  font-size: calc(20px * var(--gdw-size)); line-height: calc(24px * var(--gdw-size));
  -webkit-text-stroke: 3px var(--jp-layout-color0, #fff); paint-order: stroke fill; }
.gdwidgets .gdw-handle :is(.noUi-handle, .ui-slider-handle)::before { display: none; }
""" + "\n".join(
    f".gdwidgets .gdw-handle-{lane} :is(.noUi-handle, .ui-slider-handle)::after {{ display: block;"
    f' content: "{run.glyph}"; color: var(--gdw-run-{lane}, {run.colour}); }}'
    for lane, run in enumerate(palette.RUNS)
)


WIDE = 22.0
"""Pixels that a handle is wide: two that stand nearer to each other overlap."""

APART = 8.0
"""Pixels by which two handles at the same place stand one above the other."""

HIGHEST, LOWEST = 5.0, 10.0
"""Pixels by which a handle stands above or below the middle at most: above it there is writing."""

NARROWEST = 280.0
"""Pixels of the narrowest track: on it handles overlap that stand well apart on others."""

USUAL = 730.0
"""Pixels of a usual track, on which handles are counted that share its height."""


def heights(places: Sequence[float]) -> list[str | None]:
    """How far below the middle of the track handles stand, as CSS; ``None`` for at the middle.

    Each two handles part as far as they overlap, the one that lies above the other downwards: how
    wide the track is, only the page knows. So nothing moves that is not covered, and nothing jumps.

    Parameters
    ----------
    places
        Of the handles, from 0 to 1 of the track's width, the uppermost last.
    """
    near = WIDE / USUAL
    made: list[str | None] = []
    for i, here in enumerate(places):
        parts = []
        for j, there in enumerate(places):
            gap = abs(here - there)
            if i == j or gap >= 1.4 * WIDE / NARROWEST:
                continue
            crowd = sum(min(abs(at - here), abs(at - there)) <= near for at in places)
            apart = min(APART, (HIGHEST + LOWEST) / max(1, crowd - 1))
            share = apart / WIDE / (HIGHEST + LOWEST)
            share *= -HIGHEST if i < j else LOWEST
            overlap = f"{WIDE:g}px * var(--gdw-size)"
            parts.append(f"{share:.4f} * clamp(0px, {overlap} - {100 * gap:.3f}cqi, {overlap})")
        low, high = (f"{end:g}px * var(--gdw-size)" for end in (-HIGHEST, LOWEST))
        made.append(f"clamp({low}, {' + '.join(parts)}, {high})" if parts else None)
    return made


@dataclass(frozen=True)
class Mark:
    """A learning rate that is written on the track."""

    rate: float
    name: str
    """What is written before its number."""

    limit: bool = True
    """Whether it ends the stable part; else a rate worth knowing."""

    whose: str = ""
    """What it is a limit of, where that is to be said; left out on a narrow track."""


def ends(limit: float) -> tuple[float, float]:
    """The ends of the track: three to four powers of ten below a limit, one to two above it.

    They follow from the data alone, so a dragged handle never moves them.
    """
    if not (0 < limit < math.inf):
        return 1e-4, 10.0
    power = math.floor(math.log10(limit))
    return 10.0 ** (power - 3), 10.0 ** (power + 2)


class RateTrack(VBox):
    """The handles of up to eight lanes on one logarithmic track.

    Parameters
    ----------
    moved
        Called with a lane and the learning rate to which its handle was dragged.
    """

    def __init__(self, moved: Callable[[int, float], None]) -> None:
        self.marks = HTML(layout=Layout(width="100%", margin="0"))
        self.handles: list[FloatLogSlider] = []
        self._moved = moved
        self._rates: tuple[float, ...] = ()
        self._echoes: list[Echoes] = []
        self._ends = (1e-4, 10.0)
        self._low, self._high = self._ends
        for lane in range(MOST_LANES):
            handle = FloatLogSlider(
                value=0.01,
                min=-4.0,
                max=1.0,
                step=LOG_STOP,
                readout=False,
                tooltip=f"Learning rate of lane {lane + 1}: drag it, or use the arrow keys",
                layout=Layout(width="100%", margin="0", display="none"),
            )
            self._echoes.append(Echoes(handle, same_log_stop))
            handle.add_class("gdw-handle")
            handle.add_class("gdw-log")
            handle.add_class(f"gdw-handle-{lane}")
            handle.observe(lambda change, lane=lane: self._slid(lane, change["new"]), "value")
            self.handles.append(handle)
        # Small rates lie under large ones; the last in the row is the uppermost.
        self.box = Box(self.handles, layout=Layout(width="100%", overflow="visible"))
        self.box.add_class("gdw-handles")
        # As wide as there is room between its margins.
        layout = Layout(width="auto", flex="1 1 auto", overflow="visible")
        super().__init__([self.marks, self.box], layout=layout)
        self.add_class("gdw-rates")

    def _slid(self, lane: int, value: float) -> None:
        if lane >= len(self._rates):
            return
        if self._echoes[lane].came(float(value)):
            self._moved(lane, float(f"{value:.3g}"))

    def _within(self, rate: float) -> float:
        return min(max(rate, self._low), self._high)

    def show_rates(self, rates: Sequence[float]) -> None:
        """Put a handle to every lane's learning rate; one beyond the track stands at its end."""
        self._rates = tuple(rates)
        for lane, handle in enumerate(self.handles):
            there = lane < len(rates)
            shown = None if there else "none"
            if handle.layout.display != shown:
                handle.layout.display = shown
            if there:
                self._echoes[lane].show(log_stop(self._within(rates[lane]), self._low))
        places = [self.position(self._within(rate)) for rate in rates]
        for handle, top in zip(self.handles, heights(places), strict=False):
            if handle.layout.top != top:
                handle.layout.top = top

    def position(self, rate: float) -> float:
        """Where a learning rate stands on the track, from 0 (left end) to 1."""
        at = math.log(rate / self._low) / math.log(self._high / self._low)
        return min(max(at, 0.0), 1.0)

    def show_marks(self, limit: float, marks: Sequence[Mark], note: str = "") -> None:
        """Write limits and other rates on the track.

        Parameters
        ----------
        limit
            Of plain descent, by which the ends of the track are chosen.
        marks
            What is written; up to the first limit the track is stable, beyond the last it is not.
        note
            What is written instead where no limit holds.
        """
        low, high = ends(limit)
        if (low, high) != (self._low, self._high):
            rates, self._rates = self._rates, ()
            self._low, self._high = low, high
            for handle in self.handles:
                with handle.hold_sync():
                    # In this order the value never lies outside.
                    handle.min, handle.max = min(handle.min, math.log10(low)), math.log10(high)
                    handle.min = math.log10(low)
            self.show_rates(rates)
        shown = [mark for mark in marks if 0 < mark.rate < math.inf]
        limits = sorted(self.position(mark.rate) * 100 for mark in shown if mark.limit)
        edges = [0.0, *limits, 100.0]
        kinds = ["gdw-stable", *["gdw-between"] * (len(limits) - 1), "gdw-unstable"]
        if not limits:
            kinds = ["gdw-neutral"]
        bands = "".join(
            f"<i class={kind} style='left:{left:.2f}%;width:{right - left:.2f}%'></i>"
            for kind, left, right in zip(kinds, edges, edges[1:], strict=False)
        )
        lines = "".join(
            f"<u style='left:{100 * self.position(mark.rate):.2f}%"
            f"{'' if mark.limit else ';opacity:.55'}'></u>"
            for mark in shown
        )
        names = _names(shown, self.position)
        if note:
            names += f"<span style='right:0'>{note}</span>"
        html = (
            "<div class=gdw-limits><span class=gdw-said>learning rates γ, drag any</span>"
            f"{names}<div class=gdw-bands>{bands}{lines}</div></div>"
        )
        if self.marks.value != html:
            self.marks.value = html


def _names(marks: Sequence[Mark], position: Callable[[float], float]) -> str:
    """What is written at the marks: the lowest to the left of its line, the others to the right."""
    parts = []
    ordered = sorted(marks, key=lambda mark: mark.rate)
    for number, mark in enumerate(ordered):
        at = 100 * position(mark.rate)
        left = (len(ordered) > 1 and number == 0) or at > 80
        side = (
            f"right:{100 - at:.2f}%;padding-right:4px"
            if left
            else f"left:{at:.2f}%;padding-left:4px"
        )
        if number > 1:
            continue
        whose = f"<i class=gdw-more>{mark.whose} </i>" if mark.whose else ""
        number_said = f"<b>{text.number(mark.rate)}</b>"
        parts.append(f"<span style='{side}'>{whose}{mark.name} {number_said}</span>")
    return "".join(parts)
