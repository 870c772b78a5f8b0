"""What the comparer says, from the recording and the numbers of its settings alone."""

from __future__ import annotations

from html import escape

import numpy as np

from gdwidgets.core import Descent, tables
from gdwidgets.core.analysis import accumulation
from gdwidgets.core.analysis.accumulation import Asymptotic
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.explorers.accumulation.given import SAMPLES, Problem
from gdwidgets.explorers.accumulation.loop import Moment, cleared
from gdwidgets.explorers.accumulation.panel import NAMES, lane_names, lane_titles
from gdwidgets.ui import text
from gdwidgets.ui.runs import lane_outcome, lane_steps, window

MOST_LISTED = 1000
"""Updates between clearings up to which the stable rates are listed."""

VERBS = {
    Asymptotic.CONVERGES: "converges",
    Asymptotic.OSCILLATES: "oscillates indefinitely",
    Asymptotic.DIVERGES: "diverges",
    Asymptotic.AT_REST: "stays where it is",
}


def behaviours(
    problem: Problem, descent: Descent, learning_rate: float, clear_every: int | None
) -> tuple[Asymptotic, Asymptotic]:
    """What the two lanes do in the long run."""
    found = [
        accumulation.asymptotic_behaviour(
            learning_rate,
            problem.curvature,
            every,
            start=descent.start[lane],
            gradient=descent.grad[0, lane],
        )
        for lane, every in enumerate((clear_every, 1))
    ]
    return found[0], found[1]


def sentence(
    problem: Problem, descent: Descent, k: int, moments: tuple[Moment, Moment], shown: int
) -> str:
    """Say where the two loops are, in numbers, and what explains it.

    Parameters
    ----------
    problem
        What is descended.
    descent
        The recording of both lanes.
    k
        The cursor.
    moments
        What the loops hold.
    shown
        The parameter that is shown: 0 for a, 1 for b.
    """
    rate = float(descent.learning_rates[0])
    if isinstance(descent.objective, MicroBatches):
        return _batch_sentence(descent, descent.objective, k)
    every = descent.clear_every[0]
    opening = _opening(descent, k, moments[0], shown)
    return f"{opening} {explanation(problem, descent, rate, every)}"


def _opening(descent: Descent, k: int, left: Moment, shown: int) -> str:
    """Where the left loop is; it is named, for the other one is somewhere else."""
    name, which = NAMES[shown], lane_titles(descent.clear_every[0], None)[0]
    if k == 0 and left.accumulated is None:
        return "Press Play, or **line** to run one line of both loops."
    if lane_outcome(descent, 0, k) == "diverged":
        at = int(descent.last_step[0])
        return f"Step {at:,}, {which}: **update {at + 1:,} makes inf or NaN**."
    where = f"Step {k:,}, {which}:"
    if left.step_grad is None or left.grad is None:
        return f"{where} **{name} = {text.fixed(float(left.point[shown]))}** after the update."
    grad, own = float(left.grad[shown]), float(left.step_grad[shown])
    if left.accumulated is None:
        return f"{where} **{name}.grad holds {text.fixed(grad)}**, this step's gradient alone."
    held, added = text.fixed(grad), text.fixed(own)
    if held == added:
        before = text.number(float(left.accumulated[shown]), 3)
        return (
            f"{where} **{name}.grad holds {held}**, this step's gradient and {before} from before."
        )
    return f"{where} **{name}.grad holds {held}**, though this step's gradient is {added}."


def explanation(problem: Problem, descent: Descent, rate: float, clear_every: int | None) -> str:
    """What the two lanes do in the long run at this learning rate, and why."""
    left, right = behaviours(problem, descent, rate, clear_every)
    if left is right is Asymptotic.AT_REST:
        return "No update changes a parameter here, so nothing moves, cleared or not."
    if clear_every is None:
        if left is Asymptotic.OSCILLATES and right is Asymptotic.DIVERGES:
            return (
                "The roles are reversed between 2/λ and 4/λ: with clearing it diverges, without it "
                "oscillates and stays bounded."
            )
        if left is Asymptotic.DIVERGES:
            return "Both diverge: the rate is beyond 4/λ, the limit without clearing."
        return f"Without clearing, descent is momentum with β = 1: it {VERBS[left]}."
    if clear_every == 1:
        return f"Both loops clear in every step: each {VERBS[right]}."
    factor = accumulation.period_factor(rate * problem.curvature, clear_every)
    return (
        f"{text.counted(clear_every, 'update')} and one clearing multiply the distance from the "
        f"minimum by {text.number(factor, 3)}: it {VERBS[left]}; with clearing it {VERBS[right]}."
    )


def lane_explanation(
    problem: Problem, descent: Descent, rate: float, clear_every: int | None, lane: int
) -> str:
    """What one of the lanes does in the long run at this learning rate, and why."""
    does = behaviours(problem, descent, rate, clear_every)[lane]
    every = 1 if lane == 1 else clear_every
    if does is Asymptotic.AT_REST:
        return "No update changes a parameter here."
    said = f"In the long run it {VERBS[does]}"
    if every is not None and every > 1:
        factor = accumulation.period_factor(rate * problem.curvature, every)
        return f"{said}: {every:,} updates multiply its distance by {text.number(factor, 3)}."
    limit, which = ("4/λ", "without clearing") if every is None else ("2/λ", "with clearing")
    side = "at" if does is Asymptotic.OSCILLATES and every == 1 else "below"
    side = "beyond" if does is Asymptotic.DIVERGES else side
    return f"{said}: γ is {side} {limit}, the limit {which}."


def _batch_sentence(descent: Descent, batch: MicroBatches, k: int) -> str:
    n = batch.parts
    at = int(lane_steps(descent, k).min())
    loss = text.number(float(batch.batch_loss(descent.params[at, 0])), 4)
    done = (
        f"**{text.counted(k, 'backward pass', 'backward passes')}, "
        f"{text.counted(k // n, 'update')}, the batch's loss {loss}**."
    )
    if "diverged" in descent.outcomes and k >= int(descent.last_step.max()):
        limit = text.number(2 / batch.curvature, 3)
        return f"{done} Diverged, in parts as at once: the limit 2/λ is {limit} for both."
    apart = accumulation.largest_difference(descent, at)
    differ = (
        f"The two ways differ by {text.number(apart, 2)} at most, by rounding."
        if apart
        else "So far the two ways agree to the last bit."
    )
    return (
        f"{done} Accumulation on purpose: {n} small passes fill .grad with the batch's "
        f"gradient, then one update. {differ}"
    )


# -- tables ----------------------------------------------------------------------------------------


def course_tables(problem: Problem, descent: Descent) -> str:
    """Both lanes as the course's Exercise 2 prints them, digit for digit."""
    every = descent.clear_every[0]
    if problem.parts is not None:
        titles = (
            f"In {problem.parts} micro-batches, one update after every {problem.parts} steps",
            "The whole batch at once",
        )
        target = f"loss = sum((a * x + b - y)**2) / {SAMPLES} over {SAMPLES} samples"
    else:
        left = {None: "Without gradient clearing", 1: "With gradient clearing"}
        titles = (
            left.get(every, f"Gradients cleared every {every} steps"),
            "With gradient clearing",
        )
        target = f"loss = (a * x + b - y)**2 with x = {problem.x}, y = {problem.y}"
    parts = [tables.exercise_2(descent, lane, titles[lane], target) for lane in (0, 1)]
    return "\n\n".join(parts)


HEAD = ("step", "loss", "a", "b", "grad_a", "grad_b")
MORE = ("before_a", "before_b", "step_a", "step_b")
LEAST = (4, 10, *[8] * 8)
"""Characters in each column at least, so that it keeps its place from step to step."""


def step_tables(descent: Descent, k: int, parts: int | None) -> str:
    """The records around step ``k`` of both lanes side by side as HTML."""
    every = descent.clear_every[0]
    names = lane_names(every, parts)
    made = []
    for lane in (0, 1):
        at = int(lane_steps(descent, k)[lane])
        end = int(lane_steps(descent, descent.recorded)[lane])
        long = lane == 0
        shown = window(at, end, 10)
        rows = [HEAD + (MORE if long else ())]
        rows += [_record(descent, lane, i, long=long) for i in shown]
        # Powers of ten are longer than other numbers.
        wide = [max(least, *map(len, cells)) for least, *cells in zip(LEAST, *rows, strict=False)]
        lines = [escape(" ".join(map(str.rjust, row, wide))) for row in rows]
        now = 1 + at - shown.start
        lines[now] = f"<mark>{lines[now]}</mark>"
        title = "grad = before + this step" if long else "grad = this step's gradient"
        made.append(f"<pre><b>{escape(names[lane])}</b>, {title}\n" + "\n".join(lines) + "</pre>")
    return f"<div class=gda-t>{''.join(made)}</div>"


def _record(descent: Descent, lane: int, k: int, *, long: bool) -> tuple[str, ...]:
    numbers = [*descent.params[k, lane], *descent.grad[k, lane]]
    if long:
        before = np.zeros(2) if cleared(descent, lane, k) else descent.grad[k - 1, lane]
        numbers += [*before, *descent.step_grad[k, lane]]
    return str(k), text.fixed(descent.loss[k, lane], 6), *map(text.fixed, numbers)


# -- why -------------------------------------------------------------------------------------------


def why(
    problem: Problem, descent: Descent, learning_rate: float, clear_every: int | None
) -> list[str]:
    """The theory of the present settings, in paragraphs."""
    lam = problem.curvature
    two, four = (text.number(m / lam, 3) for m in (2, 4))
    if problem.parts is not None:
        added = (
            f"The gradient of a sum is the sum of the gradients: {problem.parts} backward passes "
            "on parts of the batch leave in .grad what one pass on the whole batch leaves, up to "
            "rounding. So a batch that does not fit into memory is trained on part by part."
        )
        return [added, f"Both ways are plain descent on the batch, stable below 2/λ = **{two}**."]
    clearing = (
        f"The loss curves with λ = 2(x² + 1) = **{text.number(lam, 4)}** across the valley. With "
        f"clearing an update multiplies the distance r from it by 1 − γλ: stable below 2/λ = "
        f"**{two}**."
    )
    keeping = (
        "Without clearing .grad is the sum of all gradients so far, so the distances obey "
        "r(k+1) = (2 − γλ) r(k) − r(k−1): momentum with β = 1. Below 4/λ = "
        f"**{four}** they are r(k) = r(0) cos((k + ½)θ)/cos(θ/2) with sin²(θ/2) = γλ/4, a cosine "
        "that nothing damps."
    )
    said = [clearing, keeping]
    scaled = learning_rate * lam
    left, right = behaviours(problem, descent, learning_rate, clear_every)
    if scaled < 4 and clear_every is None and left is not Asymptotic.AT_REST:
        high = text.number(accumulation.amplitude(scaled), 3)
        period = text.number(2 * np.pi / (2 * np.arcsin(np.sqrt(scaled / 4))), 3)
        said.append(
            f"Here it gets at most **{high}** times as far from the valley as the start, with a "
            f"period of **{period}** steps."
        )
    if clear_every is not None and 1 < clear_every <= MOST_LISTED:
        factor = text.number(accumulation.period_factor(scaled, clear_every), 3)
        rates = accumulation.landing_rates(lam, clear_every)
        lands = text.listed([text.number(float(rate), 3) for rate in rates[:3]])
        islands = accumulation.stable_rates(lam, clear_every)
        ranges = text.listed([f"{text.number(a, 3)}–{text.number(b, 3)}" for a, b in islands[:3]])
        more = f" and {len(islands) - 3} more" if len(islands) > 3 else ""
        said.append(
            f"Clearing after {clear_every} updates begins that cosine anew each time: a period "
            f"multiplies the distance by **{factor}**. It converges for γ in {ranges}{more}; "
            f"at γ = {lands} it lands exactly on the minimum after {clear_every} updates."
        )
    one, other = lane_titles(clear_every, None)
    said.append(
        f"So at γ = {text.number(learning_rate)} the loop {one} {VERBS[left]} and the loop {other} "
        f"{VERBS[right]}."
    )
    return said
