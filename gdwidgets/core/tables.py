"""The course's printed tables as text, digit for digit, made from recordings.

The numbers are those that the course's own loops hold, at any setting. A recording keeps a lane
that diverges at its last finite record; the loop runs on into inf and NaN, and so do these tables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.objectives.protocol import SteppedObjective
from gdwidgets.core.rules.protocol import rate_dtype
from gdwidgets.core.rules.wrappers import PerLane
from gdwidgets.core.scripts.literals import short
from gdwidgets.core.session import own_torch_state

Array = np.ndarray[Any, np.dtype[np.float32]]

COLUMNS = "Step |       Loss |        a |        b |   grad_a |   grad_b"
"""The head of Exercise 2's table."""


@dataclass(frozen=True)
class Held:
    """What one lane's training loop holds, step by step."""

    params: Array
    """After k updates, row k: (steps + 1, P), or (steps, P) where the loop stopped early."""
    loss: Array
    """Of step k + 1, at the parameters of row k: (steps,)."""
    grad: Array
    """The ``.grad`` buffers after the backward pass of step k + 1: (steps, P)."""
    stopped: bool
    """Whether ``loss_tol`` stopped the loop: its last step then makes no update."""

    @property
    def steps(self) -> int:
        """How many losses the loop computed."""
        return len(self.loss)


def held(descent: Descent, lane: int, steps: int | None = None) -> Held:
    """What a lane's loop holds in its first steps, computed where it is not recorded.

    Parameters
    ----------
    descent
        With all records kept; computed as far as is needed.
    lane
        Number of the lane.
    steps
        How many steps, at most ``max_steps``, which is what is taken when omitted.

    Returns
    -------
    Held
        Recorded numbers up to the lane's last record; beyond it, where the lane has diverged, what
        the loop goes on to compute: huge numbers, inf and NaN.
    """
    steps = descent.max_steps if steps is None else min(steps, descent.max_steps)
    descent.advance_to(steps)
    last, outcome = int(descent.last_step[lane]), str(descent.outcomes[lane])
    params, loss, grad = (part[:, lane] for part in (descent.params, descent.loss, descent.grad))
    if outcome == "converged" and last < steps:
        part = slice(last + 1)
        return Held(params[part], loss[part], grad[part], stopped=True)
    if outcome != "diverged" or last >= steps:
        return Held(params[: steps + 1], loss[:steps], grad[:steps], stopped=False)
    rows = zip(*_beyond(descent, lane, last, steps), strict=True)
    beyond = [np.array(part, np.float32) for part in rows]
    params, loss, grad = (
        # Where nothing finite is left, the last row stands for all that would follow.
        np.concatenate((part[: last + 1], more, np.repeat(more[-1:], steps - last - len(more), 0)))
        for part, more in zip((params, loss, grad), beyond, strict=True)
    )
    return Held(params[: steps + 1], loss[:steps], grad[:steps], stopped=False)


def _beyond(descent: Descent, lane: int, last: int, steps: int) -> list[tuple[Any, Any, Any]]:
    """Records from last + 1 of a lane that the recording has frozen at ``last``.

    They go as far as ``steps``, or until nothing finite is left to change.
    """
    rule = descent.rule.rules[lane] if isinstance(descent.rule, PerLane) else descent.rule
    every = descent.clear_every[lane]
    first, _ = descent.rates_from[0]
    rows: list[tuple[Any, Any, Any]] = []
    with own_torch_state(), torch.autograd.set_detect_anomaly(False):
        # A rule is a pure function of what is recorded, so its state can be had again.
        params = torch.from_numpy(descent.params[first, lane].copy())[None]
        state = rule.init(params)
        for k in range(first if state else max(first, last), steps):
            if k <= last:
                params, grad = (
                    torch.from_numpy(part[k, lane].copy())[None]
                    for part in (descent.params, descent.grad)
                )
            rate = torch.tensor([[descent.rate_at(k)[lane]]], dtype=rate_dtype(rule), device="cpu")
            params, state = rule.update(params, grad, state, rate, k - first)
            if k < last:
                continue
            cleared = every is not None and (k + 1) % every == 0
            left = torch.zeros_like(grad) if cleared else grad
            if isinstance(descent.objective, SteppedObjective):
                descent.objective.begin_step(k + 1)
            loss, own = _evaluated(descent, lane, params)
            grad = own if cleared else left + own
            rows.append((params[0].numpy(), loss, grad[0].numpy()))
            if len(rows) > 1 and not np.isfinite(rows[-1][0]).any() and _same(*rows[-2:]):
                break  # a full loop would only repeat this row
    return rows


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


def _evaluated(descent: Descent, lane: int, params: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Loss and gradient (1, P) of a lane at (1, P), among as many lanes as the descent has."""
    leaf = params.expand(descent.lanes, -1).clone().requires_grad_()
    try:
        loss = descent.objective(leaf)[lane]
        (grad,) = torch.autograd.grad(loss, leaf)
    except Exception:  # noqa: BLE001 - a user's function need not bear inf and NaN
        return math.nan, torch.full_like(params, math.nan)
    return float(loss.detach()), grad[lane : lane + 1].to(torch.float32)


# -- Exercise 1 ------------------------------------------------------------------------------------


def exercise_1(
    descent: Descent,
    num_iterations: int,
    counts: Sequence[int],
    closed_form: tuple[Any, float],
    *,
    tabled: int = 2,
) -> str:
    """All learning rates, then several numbers of iterations for some, then the closed form.

    Parameters
    ----------
    descent
        A lane for each learning rate, ``max_steps`` at least the largest number asked for.
    num_iterations
        Iterations of the first table.
    counts
        Numbers of iterations of the later tables.
    closed_form
        Coefficients (P,) and their loss.
    tabled
        For how many lanes the number of iterations is varied: those with the smallest loss among
        those that did not diverge.

    Notes
    -----
    The row for N iterations shows the coefficients after N updates and the loss of the N-th
    iteration, which is that of the coefficients before its update.
    """
    names = descent.objective.parameter_names
    rates = [float(rate) for rate in descent.learning_rates]
    longest = max(num_iterations, *counts)
    lanes = [held(descent, lane, longest) for lane in range(descent.lanes)]
    parts = [f"Changing the learning rate (fixed num_iterations = {num_iterations}):"]
    parts += [
        f"Learning rate {scientific(rate):>5s} | {_row_of(names, run, num_iterations)}"
        for rate, run in zip(rates, lanes, strict=True)
    ]
    lasting = [lane for lane, name in enumerate(descent.outcomes) if name != "diverged"]
    best = sorted(lasting, key=lambda lane: float(lanes[lane].loss[num_iterations - 1]))[:tabled]
    for lane in sorted(best, key=lambda lane: -rates[lane]):
        rate = short_scientific(rates[lane])
        parts += ["", f"Changing the number of iterations (fixed learning_rate = {rate}):"]
        parts += [f"Iterations {n:4d}         | {_row_of(names, lanes[lane], n)}" for n in counts]
    return "\n".join([*parts, "", f"Closed-form solution    | {row(names, *closed_form)}"])


def row(names: Sequence[str], values: Any, loss: float) -> str:
    """Coefficients and a loss in the columns of Exercise 1."""
    cells = ", ".join(f"{name}: {value:7.4f}" for name, value in zip(names, values, strict=True))
    return f"{cells}, loss: {loss:9.4f}"


def _row_of(names: Sequence[str], run: Held, n: int) -> str:
    return row(names, run.params[n], float(run.loss[n - 1]))


def scientific(rate: float) -> str:
    """A rate as the course writes it, ``1e-01``, with as many digits as it needs."""
    written = (f"{rate:.{digits}e}" for digits in range(17))
    return next(form for form in written if float(form) == rate)


def short_scientific(rate: float) -> str:
    """A rate as the course's headings have it: ``1e-1``, with as many digits as it needs."""
    mantissa, exponent = scientific(rate).split("e")
    return f"{mantissa}e{int(exponent)}"


# -- the unit's two worked examples ----------------------------------------------------------------


def training_lines(descent: Descent, lane: int = 0, *, every: int = 1000) -> str:
    """What the unit's two worked examples print: every thousandth loss, then the coefficients.

    Parameters
    ----------
    descent
        A descent of a regression; its ``max_steps`` is the number of iterations.
    lane
        Number of the lane.
    every
        Iterations to a line.
    """
    run = held(descent, lane)
    lines = [
        f"Iteration {k:4d} | Loss: {run.loss[k - 1]:.4f}"
        for k in range(every, run.steps + 1, every)
    ]
    names = descent.objective.parameter_names
    return "\n".join([*lines, learned(names, run.params[-1])])


def learned(names: Sequence[str], values: Any) -> str:
    """The line that ends a worked example: ``Learned parameters: a = 1.4275, …``."""
    return "Learned parameters: " + _values(names, values)


def _values(names: Sequence[str], values: Any) -> str:
    return ", ".join(f"{name} = {value:.4f}" for name, value in zip(names, values, strict=True))


# -- Exercise 2 ------------------------------------------------------------------------------------


def exercise_2(descent: Descent, lane: int, title: str, target: str) -> str:
    """One lane's steps as Exercise 2 prints them: a title, the loss, and a row for each step.

    Row n is record n − 1: what the loop prints after the n-th ``backward()``. Of micro-batches,
    the lane that takes the whole batch at once has a row only where its backward pass runs.
    """
    run = held(descent, lane)
    objective = descent.objective
    shown = range(run.steps)
    if isinstance(objective, MicroBatches) and lane == 1:
        shown = range(objective.parts - 1, run.steps, objective.parts)
    lines = [f"{title}:", f"Target function: {target}", COLUMNS, "-" * 60]
    lines += [loop_row(k + 1, run.loss[k], (*run.params[k], *run.grad[k])) for k in shown]
    return "\n".join(lines)


def loop_row(step: int, loss: float, numbers: Sequence[float]) -> str:
    """A row of Exercise 2's table: the loss in 10 columns, all other numbers in 8."""
    cells = [f"{step:4d}", f"{loss:10.6f}", *(f"{number:8.4f}" for number in numbers)]
    return " | ".join(cells)


# -- Exercise 3 ------------------------------------------------------------------------------------


def exercise_3(descent: Descent, lane: int = 0) -> str:
    """One lane as Exercise 3 prints it: a line every 100 steps and for the last one, and the end.

    Step n is record n − 1. The final line shows the point after the last update and the loss of
    the last step, as the course's loop leaves them.
    """
    names = descent.objective.parameter_names
    run = held(descent, lane)
    start = [short(value) for value in descent.start[lane]]
    lines = [start_line(names, start, float(descent.learning_rates[lane]), descent.loss_tol)]
    lines += [
        step_line(n, names, run.params[n - 1], run.loss[n - 1])
        for n in range(1, run.steps + 1)
        if n % 100 == 0 or n == descent.max_steps
    ]
    if run.stopped:
        change = abs(float(run.loss[-1]) - float(run.loss[-2]))
        lines.append(stop_line(run.steps, change, descent.loss_tol))
    return "\n".join([*lines, final_line(names, run.params[-1], run.loss[-1])])


def start_line(
    names: Sequence[str], start: Sequence[float], learning_rate: float, loss_tol: float | None
) -> str:
    """``Initialized at: u = 1.0, v = 1.0, learning rate = 0.0005``, and ``loss_tol`` if given."""
    point = ", ".join(f"{name} = {value}" for name, value in zip(names, start, strict=True))
    line = f"Initialized at: {point}, learning rate = {learning_rate}"
    return line if loss_tol is None else f"{line}, loss_tol = {loss_tol}"


def step_line(step: int, names: Sequence[str], values: Any, loss: float) -> str:
    """``Step  100 | u = 2.8298, v = 2.0261, loss = 0.938195``."""
    return f"Step {step:4d} | {_values(names, values)}, loss = {loss:.6f}"


def stop_line(step: int, change: float, loss_tol: float | None) -> str:
    """``Stopping early at step 233: loss change = 0.000098 < loss_tol = 0.0001``."""
    return f"Stopping early at step {step}: loss change = {change:.6f} < loss_tol = {loss_tol}"


def final_line(names: Sequence[str], values: Any, loss: float) -> str:
    """``Final: u = 2.9974, v = 2.0061, final loss = 0.000588``."""
    return f"Final: {_values(names, values)}, final loss = {loss:.6f}"
