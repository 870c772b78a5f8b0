"""What the learning-rate explorer says: the sentence, the rows of the lanes, tables as HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Descent
from gdwidgets.ui import text
from gdwidgets.ui.runs import GONE, lane_grows, lane_outcome, lane_steps, outcome_said, window

Array = NDArray[np.float64]

_ROOM = 126
"""Characters for the reasons, so that two lines hold the whole sentence."""

_MOST_NAMED = 3
"""Lanes that the sentence names by their rates; of more the number is told."""

_LONG = 6
"""Characters of a learning rate beside which there is no room for two factors."""

_SLOWER = 3.0
"""How many times slower a lane must be for the sentence to speak of it."""


@dataclass(frozen=True)
class Standing:
    """How the lanes stand with the cursor at a step."""

    step: int
    rates: tuple[float, ...]
    """Learning rates in force at the step, or of a schedule the first ones, (L,)."""
    outcomes: tuple[str, ...]
    """As far as they are seen at the step, (L,): see ``ui.runs.OUTCOMES``."""
    growing: tuple[bool, ...]
    """Whether a lane has ended with a loss that grew on, (L,)."""
    last: tuple[int, ...]
    """The last record of each lane, (L,); a diverged lane diverged at the update after it."""
    params: Array
    """Coefficients (L, P)."""
    loss: Array
    """Over all samples, (L,)."""
    distance: Array
    """Of the coefficients from those of the closed form, (L,)."""
    symbol: str = "γ"
    """What the learning rates are called: ``γ``, or ``γ₀`` where a schedule begins there."""

    @property
    def lasting(self) -> list[int]:
        """The lanes that have not diverged."""
        return [lane for lane, name in enumerate(self.outcomes) if name != "diverged"]

    @property
    def best(self) -> int:
        """The lane with the smallest loss among those that have not diverged."""
        return min(self.lasting, key=lambda lane: float(self.loss[lane]))

    def only(self, lane: int) -> Standing:
        """One lane of them."""
        one = slice(lane, lane + 1)
        return replace(
            self,
            rates=self.rates[one],
            outcomes=self.outcomes[one],
            growing=self.growing[one],
            last=self.last[one],
            params=self.params[one],
            loss=self.loss[one],
            distance=self.distance[one],
        )

    @property
    def ended(self) -> bool:
        """Whether no lane goes on."""
        return all(name != "running" for name in self.outcomes)


def standing(
    descent: Any,
    loss: NDArray[Any],
    best: Array,
    rates: Sequence[float],
    k: int,
    *,
    symbol: str = "γ",
) -> Standing:
    """How the lanes of a descent stand at step ``k``.

    Parameters
    ----------
    descent
        The recording: a `Descent`, or what reads like one.
    loss
        Losses over all samples (recorded + 1, L).
    best
        Coefficients of the closed form, (P,).
    rates
        Learning rates in force at the step, (L,).
    k
        The step.
    symbol
        What the learning rates are called.
    """
    steps, lanes = lane_steps(descent, k), np.arange(descent.lanes)
    params = descent.params[steps, lanes].astype(np.float64)
    return Standing(
        step=k,
        rates=tuple(rates),
        outcomes=tuple(lane_outcome(descent, lane, k) for lane in range(descent.lanes)),
        growing=tuple(lane_grows(descent, lane, k) for lane in range(descent.lanes)),
        last=tuple(int(last) for last in descent.last_step),
        params=params,
        loss=loss[steps, lanes].astype(np.float64),
        distance=distance(params, best),
        symbol=symbol,
    )


def distance(params: NDArray[Any], best: Array) -> Array:
    """Euclidean distance of coefficients (…, P) from those of the closed form (P,)."""
    with np.errstate(all="ignore"):
        away = params.astype(np.float64) - best
        scale = np.maximum(np.abs(away).max(axis=-1, keepdims=True), 1e-300)
        found: Array = scale[..., 0] * np.sqrt(np.square(away / scale).sum(axis=-1))
        return found


@dataclass(frozen=True)
class Speeds:
    """What theory says of the present learning rates, where it says something."""

    limit: float | None
    """The largest stable learning rate of the rule; ``None`` where there is none."""
    formula: str
    """How the limit is written."""
    growth: tuple[float, ...]
    """Factor of the error along the steepest direction in an update, (L,); empty where the rule
    has more than one."""
    halving: tuple[float, ...]
    """Updates in which the slowest part of the error halves, (L,), infinite where it does not;
    empty where it is not known."""
    whose: str = ""
    """Whose limit it is; empty for plain gradient descent's."""

    @property
    def written(self) -> str:
        """The limit, whose it is, and its formula where it is short; empty where there is none."""
        if self.limit is None:
            return ""
        short = f"{self.formula} = " if len(self.formula) < 4 else ""
        return f"{self.whose or 'the'} limit {short}{text.number(self.limit)}"


# -- the sentence ----------------------------------------------------------------------------------


def sentence(now: Standing, speeds: Speeds, *, batch_size: int | None) -> str:
    """Say how the lanes stand, in numbers first, and why.

    Parameters
    ----------
    now
        The lanes.
    speeds
        What theory says of them.
    batch_size
        Samples in a mini-batch; ``None`` for all.
    """
    if not now.lasting:
        return (
            f"**{_diverged(now, list(range(len(now.rates))), speeds)}.** "
            f"{_smaller(now.rates, speeds)}"
        )
    if now.step == 0:
        return _first(now)
    lanes = len(now.rates)
    best = now.best
    loss = text.fixed(float(now.loss[best]))
    who = f"{now.symbol} = {rate(now.rates[best])}"
    over = " over all samples" if batch_size is not None else ""
    where = f"Update {now.step:,}{', the end' if now.ended else ''}"
    if lanes == 1:
        lead = f"{who}, loss{over} {loss}"
    elif now.ended:
        lead = f"{who} has the smallest loss{over}, {loss}"
    else:
        lead = f"{who} leads, loss{over} {loss}"
    away = ""
    if now.ended and math.isfinite(now.distance[best]):
        away = f", {text.number(float(now.distance[best]), 3)} from the closed form"
    return f"{where}: **{lead}**{away}. {reasons(now, speeds, batch_size)}".strip()


def _first(now: Standing) -> str:
    loss = text.fixed(float(now.loss[now.lasting[0]]))
    if len(now.rates) == 1:
        return (
            f"Update 0: **{now.symbol} = {rate(now.rates[0])}, loss {loss}**. Press Play, and "
            "watch how the fit approaches the dashed closed form, or leaves it."
        )
    return (
        f"Update 0: **{len(now.rates)} learning rates, one start, loss {loss}**. Which fit reaches "
        "the dashed closed form first, and is there one that never does? Press Play."
    )


def reasons(now: Standing, speeds: Speeds, batch_size: int | None) -> str:
    """What explains the picture: divergence, a rate beyond the limit, noise, a slow lane."""
    parts = []
    gone = [lane for lane in range(len(now.rates)) if lane not in now.lasting]
    beyond = [lane for lane in now.lasting if _is_beyond(now.rates[lane], speeds)]
    if batch_size is not None:
        beyond = []  # The limit is that of all samples together.
    if gone:
        parts.append(_diverged(now, gone, speeds, beyond))
    elif beyond:
        parts.append(_growing(now, beyond, speeds))
    if batch_size is not None and not gone:
        of = "sample" if batch_size == 1 else "samples"
        parts.append(
            f"Each update sees {batch_size:,} {of}: the larger γ, the more of their noise remains"
        )
    slow = _slowest(now, speeds)
    if slow is not None and batch_size is None and len(parts) < 2:
        lane, times = slow
        parts.append(
            f"{now.symbol} = {rate(now.rates[lane])} is stable, and {_times(times)} slower"
        )
    if not parts and batch_size is None and speeds.halving:
        half = speeds.halving[now.best]
        if math.isfinite(half) and half >= 0.5:
            parts.append(
                f"The slowest part of the error halves in {text.counted(round(half), 'update')}"
            )
    while len(parts) > 1 and len("; ".join(parts)) > _ROOM:
        parts.pop()
    return "; ".join(parts) + "." if parts else ""


def _growing(now: Standing, lanes: Sequence[int], speeds: Speeds) -> str:
    """That lanes lie beyond the limit, and what each update does to their errors."""
    says = _beyond(now, lanes, speeds)
    if not speeds.growth:
        return says
    their = "its error" if len(lanes) == 1 else "their errors"
    if len(lanes) > 2 or max(len(rate(now.rates[lane])) for lane in lanes) > _LONG:
        return f"{says}: each update enlarges {their} along the steepest direction"
    by = text.listed([text.number(speeds.growth[lane]) for lane in lanes])
    return f"{says}: each update multiplies {their} along the steepest direction by {by}"


def _beyond(now: Standing, lanes: Sequence[int], speeds: Speeds) -> str:
    verb = "lies" if len(lanes) == 1 else "lie"
    return f"{_named(now, lanes)} {verb} beyond {speeds.written}"


def _named(now: Standing, lanes: Sequence[int]) -> str:
    """Lanes by their rates, or how many they are."""
    if len(lanes) > _MOST_NAMED:
        return f"{len(lanes)} learning rates"
    return f"{now.symbol} = {text.listed([rate(now.rates[lane]) for lane in lanes])}"


def _diverged(
    now: Standing, lanes: Sequence[int], speeds: Speeds, lasting: Sequence[int] = ()
) -> str:
    """Which lanes have diverged, when, and whether the limit explains it.

    ``lasting`` are lanes that lie beyond the limit too, and have not diverged.
    """
    updates = [f"{now.last[lane] + 1:,}" for lane in lanes]
    one = len(lanes) == 1
    if len(lanes) <= _MOST_NAMED:
        said = f"update {updates[0]}" if one or len(set(updates)) == 1 else None
        when = f"diverged at {said or 'updates ' + text.listed(updates)}"
    else:
        when = f"diverged, the last at update {max(now.last[lane] for lane in lanes) + 1:,}"
    if not all(_is_beyond(now.rates[lane], speeds) for lane in lanes):
        says = f"{_named(now, lanes)} {when}"
        return f"{says}; {_beyond(now, lasting, speeds)}" if lasting else says
    if not lasting:
        return f"{_beyond(now, lanes, speeds)}, and {when}"
    every = sorted([*lanes, *lasting])
    who = text.listed([rate(now.rates[lane]) for lane in lanes])
    if len(lanes) > _MOST_NAMED:
        who = f"{len(lanes)} of them"
    elif len(every) > _MOST_NAMED:
        who = f"{now.symbol} = {who}"
    says = f"{_beyond(now, every, speeds)}; {who} {when}"
    # Where there is no room for all of it, those that have not diverged can wait.
    return says if len(says) <= _ROOM else f"{_beyond(now, lanes, speeds)}, and {when}"


def _smaller(rates: Sequence[float], speeds: Speeds) -> str:
    if speeds.limit is not None and any(given > speeds.limit for given in rates):
        return f"Choose a learning rate below {text.number(speeds.limit)}."
    return "Choose smaller learning rates."


def _is_beyond(given: float, speeds: Speeds) -> bool:
    return speeds.limit is not None and given > speeds.limit


def _slowest(now: Standing, speeds: Speeds) -> tuple[int, float] | None:
    """The slowest lane, and how many times as many updates as the leading one it needs."""
    if not speeds.halving:
        return None
    half = {lane: speeds.halving[lane] for lane in now.lasting}
    half = {lane: value for lane, value in half.items() if math.isfinite(value) and value > 0}
    if not half or now.best not in half:
        return None
    slow = max(half, key=lambda lane: half[lane])
    times = half[slow] / half[now.best]
    return (slow, times) if times >= _SLOWER else None


def _times(times: float) -> str:
    known = {10: "ten times", 100: "a hundred times", 1000: "a thousand times"}
    near = next((word for n, word in known.items() if abs(times / n - 1) < 0.06), None)
    rounded = float(f"{times:.2g}")
    return near or f"{f'{rounded:,.0f}' if rounded >= 1000 else text.number(times, 2)} times"


def rate(given: float) -> str:
    """A learning rate in a sentence."""
    return text.number(given, 6)


# -- the rows beside the lanes ---------------------------------------------------------------------


def numbers(
    now: Standing, names: Sequence[str], closed: tuple[Array, float], *, batches: bool
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of lanes: coefficients, loss, distance, outcome.

    Parameters
    ----------
    now
        The lanes.
    names
        Of the coefficients.
    closed
        Coefficients of the closed form and their loss; the last row.
    batches
        Whether updates see mini-batches; the loss is then called that of all samples.
    """
    head = [*names, "loss, all" if batches else "loss", "distance", "outcome"]
    rows = []
    for lane, outcome in enumerate(now.outcomes):
        if outcome == "diverged":
            rows.append([*[GONE] * (len(names) + 2), note(now, lane)])
            continue
        cells = [*now.params[lane], now.loss[lane], now.distance[lane]]
        rows.append([*(_cell(float(value)) for value in cells), note(now, lane)])
    coefficients, loss = closed
    best = [text.fixed(value) for value in (*coefficients, loss)]
    return head, [*rows, [*best, "0", "least squares"]]


def _cell(value: float) -> str:
    """Four decimals, as the course prints; of a large number fewer: its column is narrow."""
    if abs(value) >= 99_999.5 or 0 < abs(value) < 0.5e-4:
        return text.number(value, 2)
    if not abs(value) >= 10:
        return text.fixed(value)
    return text.fixed(value, 4 - math.floor(math.log10(abs(value))))


def note(now: Standing, lane: int) -> str:
    """A lane's outcome with the update that matters."""
    return outcome_said(now.outcomes[lane], now.last[lane], grows=now.growing[lane])


def _gone(now: Standing, lane: int) -> str:
    return f"diverged at update {now.last[lane] + 1:,}"


def losses_described(now: Standing, max_steps: int, least: float) -> str:
    """The plot of losses for those who do not see it."""
    parts = [
        f"{now.symbol} = {rate(now.rates[lane])}: "
        + (_gone(now, lane) if outcome == "diverged" else text.number(float(now.loss[lane])))
        for lane, outcome in enumerate(now.outcomes)
    ]
    return (
        f"Losses against update, 0 to {max_steps:,}, logarithmic scale, at update {now.step:,}. "
        f"{'; '.join(parts)}. Dashed line: least squares, {text.number(least)}."
    )


# -- tables ----------------------------------------------------------------------------------------


def gradient_table(
    names: Sequence[str],
    steps: range,
    at: int,
    by_hand: NDArray[Any],
    by_autograd: NDArray[Any],
    *,
    about: str,
) -> str:
    """The gradient from the formula beside the one from ``.grad``, as HTML.

    Parameters
    ----------
    names
        Of the P coefficients.
    steps
        The S steps shown.
    at
        The present one.
    by_hand, by_autograd
        Gradients (S, P).
    about
        Of which lane, and over which samples.
    """
    head = ["step"]
    for name in names:
        head += [f"∂L/∂{name} by hand", f"{name}.grad", "difference"]
    rows = []
    for row, k in enumerate(steps):
        cells = [f"{k:,}"]
        for hand, auto in zip(by_hand[row], by_autograd[row], strict=True):
            cells += [text.fixed(hand, 6), text.fixed(auto, 6)]
            cells.append(text.number(float(hand) - float(auto), 2))
        rows.append(cells)
    title = (
        f"{about} By hand: ∂L/∂c_d = 2/N Σ (zₙ − yₙ) xₙᵈ; by autograd: what loss.backward() puts "
        "into .grad. They differ by float32's rounding."
    )
    return text.html_paragraphs([title]) + text.html_table(head, rows, now=at - steps.start)


def shown_steps(descent: Descent, lane: int, k: int, rows: int = 8) -> tuple[int, range]:
    """A lane's step with the cursor at ``k``, and the steps shown around it."""
    at = int(lane_steps(descent, k)[lane])
    return at, window(at, int(lane_steps(descent, descent.recorded)[lane]), rows=rows)
