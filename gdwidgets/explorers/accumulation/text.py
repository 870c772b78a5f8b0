"""What the comparer says: the truth about the runs, the tables, and the code of a batch."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from gdwidgets.core import Descent, tables
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.explorers.accumulation import runs
from gdwidgets.explorers.accumulation.loops import amount, figure_loss
from gdwidgets.ui import text
from gdwidgets.ui.runs import OUTCOMES, lane_outcome, lane_steps, window

if TYPE_CHECKING:
    from gdwidgets.explorers.accumulation.explorer import AccumulationComparer

COLUMNS = "Step |       Loss |        a |        b |   grad_a |   grad_b"
MORE = " |   left_a |   left_b |  fresh_a |  fresh_b"


def sentence(explorer: AccumulationComparer, k: int) -> str:
    """Say what is true of the two runs, first how far they are."""
    descent = explorer.descent
    if isinstance(descent.objective, MicroBatches):
        return _batch_sentence(explorer, descent.objective, k)
    if k == 0 and explorer.line == "backward":
        opening = "Press step for one update or “line” for one line of the loop."
    else:
        opening = f"Step {k}: loss {', '.join(_standing(descent, lane, k) for lane in (0, 1))}."
    return f"{opening} {truth(explorer)}"


def _standing(descent: Descent, lane: int, k: int) -> str:
    every = descent.clear_every[0]
    if every is None:
        name = ("without clearing", "with")[lane]
    else:
        name = (f"clearing every {every}", "every step")[lane]
    if lane_outcome(descent, lane, k) == "diverged":
        return f"beyond float32 {name}"
    at = int(lane_steps(descent, k)[lane])
    return f"{text.number(float(descent.loss[at, lane]), 3)} {name}"


def truth(explorer: AccumulationComparer) -> str:
    """What the two runs do for ever at the present learning rate, with the limits."""
    problem, rate, n = explorer.subject, explorer.learning_rate, explorer.clear_every
    share = rate * problem.curvature
    two, four = (text.number(m / problem.curvature, 3) for m in (2, 4))
    start = np.asarray(explorer.start, np.float64)
    if abs(start @ [problem.x, 1.0] - problem.y) < 1e-6:
        return "The start lies on the valley’s floor: the gradient is 0 and nothing moves."
    left, right = runs.fate(share, n), runs.fate(share, 1)
    limits = f"(γ = {text.number(rate)}, 2/λ = {two}, 4/λ = {four})"
    if n is None:
        if left == "swings" and right == "diverges":
            return (
                f"The lesson turns round {limits}: between the two limits the cleared run diverges "
                "while the uncleared one swings, bounded, for ever."
            )
        if left == "diverges":
            return f"Both diverge {limits}: without clearing the limit is 4/λ, with clearing 2/λ."
        other = {
            "converges": "With clearing it converges.",
            "swings": "With clearing it jumps to and fro for ever.",
        }[right]
        return (
            f"Without clearing it swings for ever, undamped and bounded: momentum with β = 1. "
            f"{other} {limits}"
        )
    factor = runs.period_factor(share, n)
    size = "without bound" if abs(factor) > 1e6 else f"by {text.number(factor, 3)}"
    verdict = {"converges": "it converges", "swings": "it swings", "diverges": "it diverges"}
    both = "with" if left == right else "but with"
    return (
        f"Clearing every {n} steps multiplies the distance from the valley {size} in {n} steps: "
        f"{verdict[left]}; {both} clearing in every step {verdict[right]} {limits}."
    )


def _batch_sentence(explorer: AccumulationComparer, batch: MicroBatches, k: int) -> str:
    descent, n = explorer.descent, batch.parts
    at = int(lane_steps(descent, k).min())
    apart = float(np.abs(descent.params[at, 0] - descent.params[at, 1]).max())
    loss = text.number(float(batch.batch_loss(descent.params[at, 0])), 4)
    done = f"Backward passes: {k}, updates: {k // n}, loss {loss}."
    if "diverged" in descent.outcomes and k >= explorer.end:
        limit = text.number(2 / batch.curvature, 3)
        return f"{done} Diverged, in parts as at once: the limit 2/λ is {limit} for both."
    return (
        f"{done} Here accumulation is wanted: {n} small backward passes fill .grad with the "
        f"gradient of the whole batch, then one update. The two ways now differ by "
        f"{text.number(apart, 2)}: rounding, no more."
    )


# -- tables ----------------------------------------------------------------------------------------


def course_tables(explorer: AccumulationComparer) -> str:
    """Return both lanes as the course's Exercise 2 prints them, digit for digit."""
    problem, every = explorer.subject, explorer.clear_every
    if problem.parts is not None:
        titles = (
            f"In {problem.parts} micro-batches, one update each {problem.parts} steps",
            "The whole batch at once",
        )
        target = f"loss = sum((a * x + b - y)**2) / {runs.PAIRS} over {runs.PAIRS} pairs"
    else:
        uncleared = {None: "Without gradient clearing", 1: "With gradient clearing"}
        titles = (
            uncleared.get(every, f"Gradients cleared every {every} steps"),
            "With gradient clearing",
        )
        target = f"loss = (a * x + b - y)**2 with x = {problem.x}, y = {problem.y}"
    return "\n\n".join(
        tables.exercise_2(explorer.descent, lane, titles[lane], target) for lane in (0, 1)
    )


def record_line(descent: Descent, lane: int, k: int, *, parts: bool = False) -> str:
    """Record k of a lane as the course prints it; with ``parts``, leftover and fresh too."""
    grad, fresh = descent.grad[k, lane], descent.step_grad[k, lane]
    numbers = [*descent.params[k, lane], *grad]
    if parts:
        left = np.zeros(2) if runs.cleared(descent, lane, k) else descent.grad[k - 1, lane]
        numbers += [*left, *fresh]
    cells = [f"{k + 1:4d}", f"{figure_loss(float(descent.loss[k, lane])):>10}"]
    return " | ".join([*cells, *(f"{amount(float(value)):>8}" for value in numbers)])


def step_tables(explorer: AccumulationComparer) -> str:
    """Return the records around the cursor of both lanes side by side as HTML."""
    descent = explorer.descent
    parts = []
    for lane in (0, 1):
        at = int(lane_steps(descent, explorer.step)[lane])
        end = int(lane_steps(descent, descent.recorded)[lane])
        long = lane == 0
        head = COLUMNS + (MORE if long else "")
        title = "Left: grad = left(over) + fresh" if long else "Right: grad = fresh"
        lines = [head, "-" * len(head.replace(" | ", " "))]
        for k in window(at, end, 10):
            line = escape(record_line(descent, lane, k, parts=long))
            lines.append(f"<mark>{line}</mark>" if k == at else line)
        # Without the bars both tables fit beside each other in a cell of 900 pixels.
        body = "\n".join(lines).replace(" | ", " ")
        parts.append(f"<pre>{title}\n{body}</pre>")
    return f"<div class=gda-t>{''.join(parts)}</div>"


def run_table(explorer: AccumulationComparer) -> str:
    """Return the present run's lanes and all pinned runs, a row for each lane, as HTML."""
    head = ("run", "x", "y", "start", "learning rate", "clearing", "steps", "a", "b", "loss", "")
    rows = _run_rows("present", explorer.settings(), explorer.descent, explorer.step)
    for pin in explorer.pins:
        rows += _run_rows(pin.label, pin.settings, pin.descent, pin.step)
    return text.html_table(head, rows, text_columns=(0, 5, 10))


def _run_rows(label: str, settings: dict[str, Any], descent: Descent, k: int) -> list[list[str]]:
    rows = []
    batch = settings["micro_batches"]
    for lane in (0, 1):
        at = int(lane_steps(descent, k)[lane])
        every = descent.clear_every[lane]
        clearing = "never" if every is None else f"every {every}"
        if batch is not None:
            clearing = "at once" if lane else f"{batch} parts"
        a, b = (float(value) for value in descent.params[at, lane])
        u0, v0 = settings["start"]
        pair = ["8 pairs", ""] if batch is not None else [f"{settings[n]:g}" for n in "xy"]
        rows.append(
            [
                label,
                *pair,
                f"({u0:g}, {v0:g})",
                f"{settings['learning_rate']:g}",
                clearing,
                str(at),
                amount(a),
                amount(b),
                figure_loss(float(descent.loss[at, lane])),
                OUTCOMES[lane_outcome(descent, lane, k)],
            ]
        )
    return rows


# -- code ------------------------------------------------------------------------------------------


def batch_script(descent: Descent, batch: MicroBatches) -> str:
    """Return a plain-PyTorch script of a micro-batch descent; it leaves ``results`` per lane."""
    a, b = (float(value) for value in descent.start[0])
    updates = int(descent.last_step.min()) // batch.parts
    return f"""import torch

x = torch.tensor({batch.x.tolist()}, dtype=torch.float32, device="cpu")
y = torch.tensor({batch.y.tolist()}, dtype=torch.float32, device="cpu")
learning_rate = {float(descent.learning_rates[0])!r}
updates = {updates}
results = []

for num_parts in ({batch.parts}, 1):
    cuts = [len(x) * i // num_parts for i in range(num_parts + 1)]
    a = torch.tensor({a!r}, dtype=torch.float32, device="cpu", requires_grad=True)
    b = torch.tensor({b!r}, dtype=torch.float32, device="cpu", requires_grad=True)
    for step in range(1, updates + 1):
        for first, last in zip(cuts[:-1], cuts[1:]):
            # Forward and backward pass of one part: its gradient is added to what is there
            y_pred = a * x[first:last] + b
            loss = (y_pred - y[first:last]).square().sum() / len(x)
            loss.backward()

        # One update for the whole batch
        with torch.no_grad():
            a -= learning_rate * a.grad
            b -= learning_rate * b.grad

        # Clear the gradients only now
        a.grad = None
        b.grad = None
    print(f"{{num_parts}} parts: a = {{a.item():.6f}}, b = {{b.item():.6f}}")
    results.append({{"parameters": [a.item(), b.item()], "steps": updates}})
"""
