"""A loop beside its reference in words: start, length, stop, and that all agrees."""

from __future__ import annotations

import numpy as np

from gdwidgets.core.diagnosis.comparison import Agreement, Stop
from gdwidgets.core.diagnosis.findings import Finding, number, points_apart, steps_text
from gdwidgets.core.diagnosis.looking import look
from gdwidgets.core.diagnosis.records import LoopRecord, Reference


def other_start(record: LoopRecord, reference: Reference, seed: int | None) -> Finding:
    """Another start."""
    drawn = "" if seed is None else f" These are the first normal draws after seed {seed}."
    mine, other = points_apart(record.params[0], reference.start)
    return Finding(
        "other_start",
        f"Your loop begins at {mine}, the reference at {other}.{drawn}",
        0,
        {"mine": tuple(record.params[0].tolist()), "reference": reference.start, "seed": seed},
        look(0, "where the parameters are made"),
        "The path depends on the start: from another one it may even end in another minimum.",
    )


def other_length(stop: Stop) -> Finding:
    """Too many or too few updates."""
    difference = stop.updates - stop.expected
    how = {1: "one too many", -1: "one too few"}.get(difference, "")
    after = f": {how}" if how else ""
    return Finding(
        "other_length",
        f"Your loop makes {steps_text(stop.updates, 'update')}, the reference "
        f"{stop.expected:,}{after}.",
        min(stop.updates, stop.expected),
        {"updates": stop.updates, "expected": stop.expected},
        "Look at where the loop ends: its range, and its last step.",
        "`range(n)` gives n steps, 0 to n − 1; `range(1, n)` gives n − 1.",
    )


def other_stop(stop: Stop, reference: Reference) -> Finding:
    """An early stop by another test."""
    tol = number(reference.loss_tol or 0.0)
    last = stop.at
    right = (
        f"the reference's test, |change of the loss| < {tol}, holds at step {stop.expected + 1:,}"
        if stop.expected < reference.max_steps
        else f"the reference's test, |change of the loss| < {tol}, does not hold before its end"
    )
    sentences = {
        "loss": f"Your loop stops at step {last:,}, where the loss itself is below {tol}; {right}.",
        "after update": f"Your loop makes one more update before it stops at step {last:,}; the "
        "reference stops without.",
        "gradient": f"Your loop stops at step {last:,}, where the norm of the gradient is below "
        f"{tol}; {right}.",
        "parameters": f"Your loop stops at step {last:,}, where the parameters change by less than "
        f"{tol}; {right}.",
        "no abs": f"Your loop stops at step {last:,}, because a loss that falls changes by less "
        f"than {tol} without the absolute value; {right}.",
        "relative": f"Your loop stops at step {last:,}, where the loss changes by less than {tol} "
        f"times itself; {right}.",
        "never": f"Your loop does not stop early; {right}.",
        "length": f"Your loop makes {steps_text(stop.updates, 'update')}; {right}.",
    }
    return Finding(
        "other_stop",
        sentences.get(stop.kind, f"Your loop stops at step {last:,}; {right}."),
        max(min(last - 1, stop.expected), 0),
        {"test": stop.kind, "updates": stop.updates, "expected": stop.expected},
        f"Look at the test that ends the loop, at step {last:,}.",
        "The reference stops when |loss − previous loss| < loss_tol, before that step's update.",
    )


def agrees(how: Agreement, record: LoopRecord, outcome: str, title: str = "") -> Finding:
    """All is right."""
    both = f"Your loop and the reference{f' “{title}”' if title else ''}"
    what = "step" if record.parts == 1 else "update"
    if how.bits:
        text = f"{both} agree in all {steps_text(how.updates, what)}, to the last bit."
        if how.updates == 1:
            text = f"{both} agree in their one {what}, to the last bit."
    else:
        text = (
            f"{both} agree in all {steps_text(how.updates, what)}, to rounding "
            f"(largest difference {number(how.difference, 2)})."
        )
        size = max(1.0, float(np.abs(record.params[np.isfinite(record.params)]).max()))
        if how.difference > 1e-3 * size:
            text = (
                f"Every update of your loop is the reference's to rounding, in all "
                f"{steps_text(how.updates)}. Here rounding errors grow: they have taken the two "
                f"{number(how.difference, 2)} apart."
            )
    if how.compared < how.updates:
        text += f" The numbers were compared in the first {how.compared:,} steps."
    if record.final is None and record.ended:
        text += " Where its last update led to is not known."
    if record.thinned:
        text += " Of a loop this long, records from its middle were dropped."
    return Finding(
        "agrees",
        text,
        0,
        {
            "steps": how.updates,
            "compared": how.compared,
            "bits": how.bits,
            "difference": how.difference,
            "outcome": outcome,
        },
        "There is nothing to look for.",
        "Start, loss, gradient, update and clearing are the reference's in every step.",
    )
