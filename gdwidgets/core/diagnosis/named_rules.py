"""Which update rule a loop follows, in words."""

from __future__ import annotations

import numpy as np

from gdwidgets.core.diagnosis.clearing import Clearing
from gdwidgets.core.diagnosis.findings import Finding, apart, number, roundest
from gdwidgets.core.diagnosis.looking import UPDATE_LINE, look
from gdwidgets.core.diagnosis.naming import by_rates
from gdwidgets.core.diagnosis.records import LoopRecord, Reference
from gdwidgets.core.diagnosis.update import Update
from gdwidgets.core.rules.constants import constants_of

LABELS = {
    "plain": "plain gradient descent",
    "momentum": "gradient descent with momentum",
    "nesterov": "gradient descent with Nesterov momentum",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
    "adagrad": "Adagrad",
    "decayed": "gradient descent with weight decay",
    "sign": "sign descent",
    "clipped": "gradient descent with clipped gradients",
    "normalised": "gradient descent with normalised gradients",
    "schedule": "gradient descent with a learning rate that changes",
}


def rule_of(reference: Reference) -> str:
    """A reference's rule in words, with its constants and learning rate."""
    described = [
        f"{constant.symbol or _SYMBOLS.get(constant.name, constant.name)} = {number(value, 6)}"
        for constant in constants_of(reference.rule)
        for value in [float(getattr(reference.rule, constant.name))]
        if constant.kind != "switch" and (constant.name != "weight_decay" or value)
    ]
    text = str(reference.rule.label) + (f" ({', '.join(described)})" if described else "")
    if reference.schedule is not None:
        return f"{text} with a learning rate that changes"
    if getattr(reference.rule, "own_rate", False):
        return text
    return f"{text} with learning rate {number(reference.learning_rate)}"


_SYMBOLS = {"beta": "β", "alpha": "α", "beta1": "β₁", "beta2": "β₂"}
_SYMBOLS |= {"dampening": "dampening", "weight_decay": "λ"}
_NAMES = {"plain": "plain_descent", "decayed": "weight_decay", "sign": "sign_descent"}


def rule(
    update: Update, rate: float, clearing: Clearing, other: str, expected: float | None
) -> Finding:
    """Which rule the updates follow; ``other`` is the reference's, where it differs."""
    kind, constants = update.kind, dict(update.constants)
    if kind == "plain" and clearing.kind == "decays":
        kind, constants = "momentum", {"beta": clearing.beta}
    parts = [
        f"{_SYMBOLS[key]} {'≈' if key in update.about else '='} {number(value, 6)}"
        for key, value in constants.items()
        if key in _SYMBOLS
    ]
    with_constants = f" ({', '.join(parts)})" if parts else ""
    verb = "looks like" if update.form == "sign" else "is"
    text = f"Your update {verb} {LABELS[kind]}{with_constants}"
    shown = number(abs(rate)) if expected is None else apart(abs(rate), expected)[0]
    text += _with_rate(update, kind, shown, "and" if parts else "with") + "."
    if "weight_decay" in constants:
        text += (
            " The weight decay λ × parameter is added to its step, not to the gradient."
            if kind == "adamw"
            else " The weight decay adds λ × parameter to the gradient."
        )
    if "dampening" in constants:
        text += (
            f" From the second update on a gradient counts {number(1 - constants['dampening'])} "
            "times: 1 − dampening."
        )
    if update.form == "ahead":
        text += " The gradient is taken at the point ahead, p + β v."
    if update.form == "sign":
        text += (
            f" In these steps that is the same as {shown} against the sign of each "
            "gradient, to rounding."
        )
    if kind == "adam" and not constants.get("corrected", 1.0):
        text += " Its averages are not corrected for starting at 0."
    if kind == "momentum" and expected is not None and "beta" in constants:
        average = rate / (1 - constants["beta"]) if constants["beta"] < 1 else 0.0
        if abs(average / expected - 1) < 1e-3:
            text += (
                f" Where the gradient stays the same its step becomes as long as with learning "
                f"rate {number(expected)}: {number(rate)}/(1 − β). An average of the gradients "
                f"with weight 1 − β and learning rate {number(expected)} would look the same."
            )
    if other:
        text += f" The reference's is {other}."
    return Finding(
        _NAMES.get(kind, kind),
        text,
        update.step,
        {
            **constants,
            "rate": rate,
            "bounds": update.bounds,
            "segments": update.segments,
            "differs": bool(other),
        },
        look(update.step, UPDATE_LINE),
        _WHY_RULE[kind],
    )


def _with_rate(update: Update, kind: str, rate: str, link: str) -> str:
    """How long the steps are."""
    if kind == "schedule":
        return f": {_schedule(update)}"
    if kind == "clipped":
        return (
            f" and learning rate {rate}: the gradient's norm is limited to "
            f"{number(update.constants['norm'])}"
        )
    if kind == "sign":
        return (
            f": every number moves by {rate}, the learning rate, whatever the size of its gradient"
        )
    if kind == "normalised":
        return f": every step is {number(update.constants['norm'])} long"
    return f" {link} learning rate {rate}" if rate != "NaN" else ""


def plain_rates(record: LoopRecord, rates: dict[str, float]) -> Finding:
    """Plain descent with more than one rate."""
    parts = by_rates(record, rates, {name: number(rate) for name, rate in rates.items()})
    return Finding(
        "plain_descent",
        f"Your update is plain gradient descent with rates of their own: it moves {parts}.",
        0,
        {"rates": dict(rates), "differs": False},
        look(0, UPDATE_LINE),
        _WHY_RULE["plain"],
    )


def _schedule(update: Update) -> str:
    if update.form == "pieces":
        changes = [(step, Update("plain", low, high).rate()) for step, low, high in update.segments]
        parts = [f"{number(rate)} from step {step + 1:,} on" for step, rate in changes[:4]]
        more = f", and {len(changes) - 4} changes more" if len(changes) > 4 else ""
        return ", ".join(parts) + more
    known = [
        (low, high) for _, low, high in update.segments if np.isfinite(low) and np.isfinite(high)
    ]
    first, last = Update("plain", *known[0]).rate(), Update("plain", *known[-1]).rate()
    grows = last > first
    how = {
        "exponential": f", {'growing' if grows else 'falling'} exponentially",
        "linear": f", {'growing' if grows else 'falling'} in a straight line",
        "1/t": ", falling as 1/t",
    }.get(update.form, "")
    low, high = known[-1]
    roughly = high - low > 0.02 * abs(high)
    to = f"{number(roundest(high, high * 1.1))} or less" if roughly else number(last)
    return f"from {number(first)} to {to}{how}"


_WHY_RULE = {
    "plain": "Each step is learning rate × gradient, against the gradient.",
    "momentum": "A part β of each step is carried over into the next.",
    "nesterov": "A part β of each step is carried over, and looked ahead along.",
    "rmsprop": "Each number's step is divided by the root of its mean square gradient.",
    "adam": "The mean gradient is divided by the root of the mean square gradient.",
    "adamw": "Adam's step, and beside it each parameter shrinks by learning rate × λ × itself.",
    "decayed": "Each parameter shrinks by learning rate × λ × itself, besides its gradient step.",
    "sign": "Only the sign of each gradient is used, not its size.",
    "adagrad": "Each number's step is divided by the root of its summed square gradients.",
    "clipped": "Where the gradient is longer than the limit it is shortened, in its direction.",
    "normalised": "Only the direction of the gradient is used, not its length.",
    "schedule": "The step is along the gradient, but the rate is not the same in every step.",
}
