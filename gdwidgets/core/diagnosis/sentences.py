"""The findings in words: from numbers to sentences for the student who wrote the loop.

Steps are counted from 1 in sentences, as the course prints them: step n is record n − 1, where a
finding's ``step`` counts from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from gdwidgets.core.diagnosis.clearing import Clearing
from gdwidgets.core.diagnosis.comparison import OtherRate
from gdwidgets.core.diagnosis.findings import Finding, apart, listed, nth, number, point, steps_text
from gdwidgets.core.diagnosis.folding import Folded
from gdwidgets.core.diagnosis.looking import UPDATE_LINE, from_step, look
from gdwidgets.core.diagnosis.losses import Relation
from gdwidgets.core.diagnosis.moves import Moves
from gdwidgets.core.diagnosis.named_rules import LABELS
from gdwidgets.core.diagnosis.naming import (
    MOST_LISTED,
    by_rates,
    clearing_line,
    held,
    short,
    tensors,
    update_line,
    variable,
)
from gdwidgets.core.diagnosis.records import LoopRecord, Reference, StepCalls
from gdwidgets.core.diagnosis.update import Update

_DOWNHILL = (
    "The gradient points where the loss grows fastest. Descent goes the other way: subtract "
    "learning rate × gradient."
)


# -- the update ----------------------------------------------------------------------------


def _moves(names: Sequence[str]) -> str:
    return "moves" if len(names) == 1 else "move"


def uphill(record: LoopRecord, names: Sequence[str], rate: float, kind: str, step: int) -> Finding:
    """Plus instead of minus."""
    shown = tensors(record, names)
    verb = _moves(shown)
    if kind == "schedule":
        return Finding(
            "uphill",
            f"Your update goes uphill: {short(shown)} {verb} by + a rate that changes × gradient, "
            f"{from_step(step)}.",
            step,
            {"names": tuple(names)},
            look(step, UPDATE_LINE),
            _DOWNHILL,
        )
    how = f"{short(shown)} {verb} by +{number(abs(rate))} × gradient"
    if kind in LABELS and kind != "plain":
        how = f"it is {LABELS[kind]}, learning rate {number(abs(rate))}, with the wrong sign"
    return Finding(
        "uphill",
        f"Your update goes uphill: {how}, {from_step(step)}.",
        step,
        {"rate": rate, "names": tuple(names)},
        look(step, UPDATE_LINE),
        _DOWNHILL,
    )


def uphill_by_rates(record: LoopRecord, rates: dict[str, float], step: int) -> Finding:
    """Plus instead of minus, by a rate of its own for each."""
    parts = by_rates(record, rates, {name: f"+{number(-rate)}" for name, rate in rates.items()})
    return Finding(
        "uphill",
        f"Your update goes uphill: it moves {parts}, {from_step(step)}.",
        step,
        {"rates": dict(rates), "names": tuple(rates)},
        look(step, UPDATE_LINE),
        _DOWNHILL,
    )


def uphill_by_loss(factor: float, step: int) -> Finding:
    """The negative of the reference's loss."""
    times = "the negative of" if factor == -1 else f"{apart(factor, -1)[0]} ×"
    return Finding(
        "uphill",
        f"Your loss is {times} the reference's loss. What goes downhill in it goes uphill in the "
        "reference's.",
        step,
        {"factor": factor},
        look(step, "the line that computes the loss"),
        "Descent makes the loss smaller, so the loss must be what is to be made small.",
    )


def swapped(record: LoopRecord, order: Sequence[int], rate: float, step: int) -> Finding:
    """Each moved by another's gradient."""
    names = record.names
    moved = [place for place, by in enumerate(order) if by != place][:2]
    one, other = (variable(record, names[place]) for place in moved)
    own = f": update {one} with {one}.grad, {other} with {other}.grad" if one != other else ""
    pairs = [f"{names[i]} by that of {names[j]}" for i, j in enumerate(order) if i != j]
    return Finding(
        "swapped",
        f"Your update uses the wrong gradients: it moves {listed(pairs)}, {from_step(step)}.",
        step,
        {"order": tuple(names[j] for j in order), "rate": rate},
        look(step, UPDATE_LINE),
        f"Each parameter has a gradient of its own{own}.",
    )


def swapped_loss(names: Sequence[str], order: Sequence[int], step: int) -> Finding:
    """The loss with its parameters interchanged."""
    pairs = [
        f"{names[j]} where the reference has {names[i]}" for i, j in enumerate(order) if i != j
    ]
    return Finding(
        "swapped",
        f"Your loss is the reference's with its parameters interchanged: it has {listed(pairs)}.",
        step,
        {"order": tuple(names[j] for j in order)},
        look(step, "the line that computes the loss"),
        "Compare your formula with the reference's, parameter by parameter.",
    )


def not_updated(record: LoopRecord, places: Iterable[int], moves: Moves) -> Finding:
    """Parameters that never move."""
    places = list(places)
    names = [record.names[place] for place in places]
    shown = tensors(record, names)
    pulled = np.abs(moves.buffer[:, places]).max(axis=1) > 0
    step = int(moves.number[pulled.argmax()])
    first = moves.buffer[int(pulled.argmax()), places]
    all_of_them = len(names) == len(record.names)
    never = "never changes" if len(shown) == 1 else "never change"
    gradient = f"{'' if len(first) > MOST_LISTED else 'is '}{held(first, 'has norm')}"
    if record.made_anew:
        never += ", because your loop makes new tensors of the same values in every step"
        why = "Make the parameters once, before the loop."
    elif all_of_them and record.written:
        why = (
            "Your loop writes to the parameters, but they stay: look for a learning rate of 0, a "
            "gradient that is multiplied by 0, or an update too small for their dtype."
        )
    elif all_of_them:
        why = (
            "`backward()` only computes gradients. The update is a line of its own: "
            f"{update_line(record, names[0])}, or `optimizer.step()`."
        )
    else:
        why = "Every parameter needs an update line of its own, or a place in the optimizer's list."
    return Finding(
        "not_updated",
        f"{short(shown)} {never}. The gradient {gradient} at step {step + 1:,}.",
        step,
        {"names": tuple(names), "gradient": tuple(first.tolist())},
        look(step, UPDATE_LINE),
        why,
    )


def cleared_before_update(record: LoopRecord) -> Finding:
    """An update by an empty buffer."""
    shown = short(tensors(record, record.names))
    return Finding(
        "cleared_before_update",
        f"Nothing moves: your loop clears the gradient of {shown} between "
        "`backward()` and the update.",
        int(record.number[0]),
        {"gradient": tuple(record.grad[0].tolist())},
        look(0, "the order of backward, update and clearing"),
        "The order is: `backward()`, update, then clear. Cleared too early, the update multiplies "
        "the learning rate by 0. Before `backward()` clearing is fine.",
    )


def rate_not_applied(
    record: LoopRecord, names: Sequence[str], expected: float, step: int
) -> Finding:
    """A step as long as the gradient."""
    verb = _moves(names)
    line = update_line(record, names[0], number(expected))
    return Finding(
        "rate_not_applied",
        f"The learning rate is not applied, or is 1: {listed(names)} {verb} by the whole gradient, "
        f"{from_step(step)}. The reference multiplies it by {number(expected)}.",
        step,
        {"rate": 1.0, "expected": expected},
        look(step, UPDATE_LINE),
        f"The update is learning rate × gradient: {line}.",
    )


def other_rate(rate: float, expected: float, step: int) -> Finding:
    """Another learning rate."""
    mine, other = apart(rate, expected)
    return Finding(
        "other_rate",
        f"Your learning rate is {mine}, the reference's is {other}.",
        step,
        {"rate": rate, "expected": expected},
        look(step, "the learning rate"),
        "Every step is as long as the rate times the gradient: with another rate the path is "
        "another from the first update on.",
    )


def constant_rate(rate: float) -> Finding:
    """The same learning rate in every step, where the reference's changes."""
    return Finding(
        "other_rate",
        f"Your learning rate is {number(rate)} in every step, the reference's changes.",
        0,
        {"rate": rate},
        look(0, "the learning rate"),
        "The reference's rate is a function of the step, counted from 0. Set yours in every step, "
        "before the update; a scheduler is stepped after it.",
    )


def other_rate_at(found: OtherRate) -> Finding:
    """Another learning rate than that of a reference where it changes."""
    mine, other = apart(found.rate, found.expected)
    here = "" if np.isnan(found.rate) else f" {mine},"
    return Finding(
        "other_rate",
        f"Your learning rate is not the reference's, which changes: at step {found.step + 1:,} "
        f"yours is{here or ' another,'} the reference's {other}.",
        found.step,
        {"rate": found.rate, "expected": found.expected},
        look(found.step, "the learning rate of this step"),
        "The reference's rate is a function of the step, counted from 0. Set yours in every step, "
        "before the update; a scheduler is stepped after it.",
    )


def other_rates(
    record: LoopRecord,
    other: dict[str, float],
    rates: dict[str, float],
    expected: float,
    step: int,
) -> Finding:
    """A learning rate that is not the same for all."""
    texts = {name: apart(rate, expected)[0] for name, rate in other.items()}
    # One text of the reference's rate: with the digits that tell it from the nearest of the others.
    whole = max((apart(rate, expected)[1] for rate in other.values()), key=len)
    return Finding(
        "other_rate",
        f"Your update moves {by_rates(record, other, texts)}; the reference's rate is {whole} for "
        "all.",
        step,
        {"rates": dict(rates), "expected": expected},
        look(step, UPDATE_LINE),
        "Use one learning rate in all update lines.",
    )


def stale(rate: float, step: int) -> Finding:
    """The gradient of the step before."""
    return Finding(
        "stale_gradient",
        f"Your update uses the previous step's gradient (× {number(rate)}), {from_step(step)}.",
        step,
        {"rate": rate},
        look(step, "which gradient the update uses, and when it was computed"),
        "The gradient must be that of the present point: loss, `backward()`, update, in this "
        "order, in every step.",
    )


def stale_order() -> Finding:
    """A loss that was computed before the update of the step before took place."""
    return Finding(
        "stale_gradient",
        "Your loop updates between computing the loss and `backward()`: from step 2 on, loss and "
        "gradient are those of the point before.",
        1,
        {},
        look(1, "the order of loss, backward and update"),
        "The order is: loss, `backward()`, update, clear. With the update in front of `backward()` "
        "each gradient is used one step too late.",
    )


def every_n(n: int, rate: float, *, kept: bool) -> Finding:
    """Accumulation on purpose, perhaps."""
    together = f"the gradients of {n} passes add up" if kept else "only the last gradient is used"
    return Finding(
        "updated_every_n",
        f"Your loop updates after every {nth(n)} `backward()` only; {together}. "
        "Is that on purpose?",
        n - 1,
        {"n": n, "rate": rate, "kept": kept},
        look(n - 1, "when the update is made"),
        "Gradients of several batches are accumulated on purpose where a batch does not fit into "
        "memory. If that was not the plan, update and clear in every step.",
    )


def accumulated(together: Folded, link: Relation, *, asked: bool) -> Finding:
    """Micro-batches, perhaps: several backward passes to an update, whose gradients add up."""
    n, left = together.parts, together.left
    text = (
        f"Your loop accumulates gradients: {n} backward passes fill `.grad`, then one update. Here "
        "a step is one update."
    )
    if link.kind == "same":
        text += f" The losses of its {n} passes add up to the reference's."
    if left and together.record.ended:
        last = "The last pass is" if left == 1 else f"The last {left} passes are"
        text += f" {last} lost: no update follows."
    if asked:
        text += " Is that on purpose?"
    return Finding(
        "updated_every_n",
        text,
        n - 1,
        {"n": n, "kept": True, "left": left},
        look(n - 1, "when the update is made"),
        "Gradients of several batches are accumulated on purpose where a batch does not fit into "
        "memory. Each pass then needs its share of the loss: the mean over its part, divided by "
        "the number of parts.",
    )


def cleared_between(n: int, factor: float) -> Finding:
    """Micro-batches whose gradients are cleared before they have come together.

    ``factor`` is how many times the reference's loss their losses add up to.
    """
    times = "" if factor == 1 else f"{number(factor)} × "
    return Finding(
        "cleared",
        f"Your loop updates after every {nth(n)} `backward()`, and clears `.grad` before each: "
        f"only the last of {n} gradients is used, though the losses of all {n} passes add up to "
        f"{times}the reference's.",
        1,
        {"n": n},
        look(1, "when `.grad` is cleared"),
        "Accumulated gradients are cleared once, after the update, not before every `backward()`.",
    )


def several_passes(calls: StepCalls, other: str) -> Finding:
    """An optimizer that evaluates the loss several times for one update, as L-BFGS does."""
    times = steps_text(calls.calls, "time")
    each = f", up to {calls.most} in one call" if calls.calls > 1 else ""
    text = (
        f"Your loop calls `{calls.optimizer}.step(closure)` {times}, and that calls `backward()` "
        f"{calls.passes:,} times{each}. The points between are the optimizer's own trials, not "
        "updates of your loop."
    )
    if other:
        text += f" The reference's rule is {other}."
    return Finding(
        "several_passes",
        text,
        0,
        {
            "optimizer": calls.optimizer,
            "calls": calls.calls,
            "passes": calls.passes,
            "differs": bool(other),
        },
        look(0, "the optimizer, and how often it calls your closure"),
        "L-BFGS and line searches evaluate loss and gradient several times before they decide on "
        "a step. Which rule made it cannot be read from these points.",
    )


def without_sign(
    record: LoopRecord, names: Sequence[str], rate: float, first: int, step: int
) -> Finding:
    """The size of the gradient in place of the gradient; ``first`` goes uphill first."""
    shown = tensors(record, names)
    sign, side = ("−", "below") if rate > 0 else ("+", "above")
    return Finding(
        "uphill",
        f"Your update loses the gradient's sign: {short(shown)} {_moves(shown)} by "
        f"{sign}{number(abs(rate))} × |gradient|, {from_step(step)}. Where a gradient is {side} 0, "
        f"as first at step {first + 1:,}, that goes uphill.",
        step,
        {"rate": rate, "names": tuple(names), "first": first},
        look(step, UPDATE_LINE),
        _DOWNHILL,
    )


def unknown_rule(
    moves: Moves, update: Update, names: Sequence[str], optimizers: Sequence[str] = ()
) -> Finding:
    """Nothing that is known; ``optimizers`` are the classes whose ``step()`` the loop calls."""
    step = update.step
    made = listed([f"`{name}.step()`" for name in optimizers]) if optimizers else ""
    calls = f" Your loop calls {made}." if made else ""
    along = update.form == "along"
    known = "gradient descent (with a fixed or changing rate)"
    if along:
        known = (
            "gradient descent with a fixed rate, or with one that changes a few times, "
            "exponentially, in a straight line or as 1/t"
        )
    return Finding(
        "unknown_rule",
        f"I do not recognise this update. {_how_far(moves, update)}.{calls}",
        step,
        {"names": tuple(names), "optimizers": tuple(optimizers)},
        look(step, UPDATE_LINE),
        f"It is none of {known}, momentum, Nesterov, "
        "RMSprop, Adagrad and Adam with their usual constants, or one of these with weight decay; "
        "nor steps by the gradient's sign. That need not be a mistake.",
    )


def _how_far(moves: Moves, update: Update) -> str:
    """Up to which step updates that are not recognised are one rate × gradient."""
    step = update.step
    if not update.segments:
        return f"It is not along the gradient, {from_step(int(moves.number[0]))}"
    text = f"Up to step {step:,} it could be learning rate × gradient"
    _, low, high = update.segments[0]
    if np.isfinite(low) and np.isfinite(high) and (low > 0 or high < 0):
        rate = Update("plain", low, high).rate()
        how = f"{number(rate)} × gradient" if rate > 0 else f"+{number(-rate)} × gradient, uphill"
        text = f"Up to step {step:,} it is {how}"
    text += f"; that of step {step + 1:,} is not"
    if update.form == "along":
        text += ". Each is some multiple of its gradient, by no rate that I recognise"
    return text


def too_few(moves: Moves) -> Finding:
    """An update that is not the reference's, in too few steps to be known."""
    step = int(moves.number[0])
    return Finding(
        "unknown_rule",
        f"I do not recognise this update: {steps_text(moves.count, 'update')} are too few to say "
        "by which rule they are made. It is not the reference's.",
        step,
        {"updates": moves.count},
        look(step, UPDATE_LINE),
        "It is not one learning rate × gradient. Rules with a memory show after a few steps more.",
    )


# -- clearing ------------------------------------------------------------------------------


def not_cleared(record: LoopRecord, clearing: Clearing, *, compared: bool) -> Finding:
    """Gradients that accumulate."""
    partial = clearing.kind == "some"
    names = [record.names[place] for place in clearing.places]
    row = int(np.searchsorted(record.number, clearing.step))
    what = f"`.grad` of {short(tensors(record, names))} is" if partial else "`.grad` is"
    when = "only sometimes cleared" if clearing.kind == "irregular" else "not cleared"
    inside = held(record.before[row, list(clearing.places)], "gradients of norm")
    ask = "" if compared else " Is that on purpose?"
    return Finding(
        "not_cleared",
        f"{what} {when}: step {clearing.step + 1:,} begins with {inside} in it, and `backward()` "
        f"adds to that.{ask}",
        clearing.step,
        {"names": tuple(names), "held": tuple(record.before[row].tolist())},
        look(clearing.step, "what `.grad` holds before `backward()`"),
        "`backward()` adds to `.grad`; it does not replace it. Clear it after each update: "
        f"{clearing_line(record, names[0])}, or `optimizer.zero_grad()`.",
    )


def not_cleared_as_reference(
    record: LoopRecord, clearing: Clearing, reference: Reference | None
) -> Finding:
    """Gradients that accumulate, as in the reference."""
    found = not_cleared(record, clearing, compared=True)
    title = "" if reference is None else reference.title
    like = f" “{title}”" if title else ""
    return replace(
        found,
        sentence=f"{found.sentence} That is what the reference{like} does as well.",
        evidence={**found.evidence, "as_reference": True},
    )


def cleared_every_n_as_reference(n: int, step: int) -> Finding:
    """Cleared now and then, as in the reference."""
    found = cleared_every_n(n, n, step)
    return replace(
        found,
        sentence=f"`.grad` is cleared after every {nth(n)} update only, and adds up in between, as "
        "in the reference.",
        evidence={**found.evidence, "as_reference": True},
    )


def full_at_the_start(record: LoopRecord) -> Finding:
    """Something in the buffer before the loop begins."""
    places = np.flatnonzero(record.before[0])
    names = [record.names[place] for place in places]
    inside = held(record.before[0], "numbers of norm")
    return Finding(
        "not_cleared",
        f"`.grad` of {short(tensors(record, names))} holds {inside} "
        "before the first `backward()`, which adds to it.",
        0,
        {"names": tuple(names), "held": tuple(record.before[0].tolist())},
        look(0, "what `.grad` holds before the loop begins"),
        "The tensors were used before. Make new ones, or clear `.grad` before the loop.",
    )


def cleared_every_n(n: int, expected: int | None, step: int, *, compared: bool = True) -> Finding:
    """Cleared now and then."""
    other = {None: "never clears it", 1: "clears it after every update"}.get(
        expected, f"clears it after every {nth(expected or 1)} update"
    )
    return Finding(
        "cleared_every_n",
        f"`.grad` is cleared after every {nth(n)} update only, and adds up in between"
        f"{f'; the reference {other}' if compared else ''}. Is that on purpose?",
        step,
        {"n": n, "expected": expected},
        look(step, "when `.grad` is cleared"),
        "Between two clearings each update is made by a sum of gradients, of this point and of "
        "earlier ones.",
    )


def cleared(expected: int | None, step: int) -> Finding:
    """Cleared though the reference does not."""
    other = "never clears it" if expected is None else f"clears it after every {nth(expected)} only"
    return Finding(
        "cleared",
        f"Your loop clears `.grad` after every update; the reference {other}.",
        step,
        {"expected": expected},
        look(step, "what `.grad` holds before `backward()`"),
        "Without clearing, `backward()` adds each new gradient to those before.",
    )


# -- the loss ------------------------------------------------------------------------------


def scaled(
    link: Relation, samples: int | None, record: LoopRecord, *, of_loss: bool, makes_up: bool
) -> Finding:
    """The reference's loss, or gradient, times a number."""
    factor, step, parts = link.factor, link.step, record.parts
    what = "loss" if of_loss else "gradient"
    rate = " Your learning rate makes up for it." if makes_up else ""
    if parts > 1 and abs(factor / parts - 1) < 1e-3:
        return Finding(
            "sum_not_mean",
            f"The losses of the {parts} passes before an update add up to {parts} × the "
            f"reference's: each is not divided by their number, {parts}.{rate}",
            step,
            {"factor": factor, "parts": parts},
            look(step, "the line that computes the loss of a pass"),
            f"Gradients add up in `.grad`. For the mean over the whole batch each pass needs its "
            f"share: `(loss / {parts}).backward()`.",
        )
    if samples is not None and samples > 1 and abs(factor / samples - 1) < 1e-3:
        return Finding(
            "sum_not_mean",
            f"Your {what} is {samples:,} × the reference's: a sum over the {samples:,} samples "
            f"instead of their mean.{rate}",
            step,
            {"factor": factor, "samples": samples},
            look(step, f"the line that computes the {what}"),
            "With the sum, the learning rate that suits depends on how many samples there are. Use "
            "`.mean()`.",
        )
    both = ", and so is its gradient" if of_loss else ""
    if parts > 1:
        both += f", summed over the {parts} passes before an update"
    hints = {
        2.0: "A factor 2 is there that does not belong.",
        0.5: "A factor 2 is missing, or a factor ½ does not belong.",
        -1.0: "It is the negative.",
    }
    return Finding(
        "scaled_gradient",
        f"Your {what} is {apart(factor, 1)[0]} × the reference's{both}.{rate}",
        step,
        {"factor": factor},
        look(step, f"the line that computes the {what}"),
        hints.get(factor, "Compare the factors in your formula with the reference's."),
    )


def scaled_by_hand(
    factor: float, samples: int | None, rate: float, expected: float, step: int
) -> Finding:
    """A gradient by hand that is off by a factor, or a rate that is."""
    of_sum = samples is not None and samples > 1 and abs(factor / samples - 1) < 1e-3
    guess = {2.0: "a factor 2 too many", 0.5: "a factor 2 missing"}.get(
        factor,
        f"a sum over the {samples:,} samples instead of their mean"
        if of_sum
        else "a factor 1/N too many",
    )
    return Finding(
        "sum_not_mean" if of_sum else "scaled_gradient",
        f"Your update is {number(factor)} × the reference's: {guess} in your gradient, or a "
        f"learning rate of {apart(rate, expected)[0]} instead of {apart(rate, expected)[1]}.",
        step,
        {"factor": factor, "rate": rate, "expected": expected},
        look(step, "the lines that compute the gradient by hand"),
        "Differentiate the loss once more on paper: the square gives a factor 2, the mean 1/N.",
    )


def other_gradient(record: LoopRecord, link: Relation) -> Finding:
    """The right loss with a wrong gradient."""
    name = record.names[link.place]
    mine, other = apart(link.value, link.expected)
    return Finding(
        "other_gradient",
        f"Your loss is the reference's, but the gradient of {name} is not: {mine} "
        f"instead of {other} at step {link.step + 1:,}.",
        link.step,
        {"name": name, "mine": link.value, "reference": link.expected},
        look(link.step, "how the gradient is computed"),
        "A `.detach()`, `.item()` or `no_grad()` inside the loss, or `requires_grad=False`, cuts a "
        "part of the graph off, and a formula by hand may lack a term.",
    )


def other_loss(record: LoopRecord, link: Relation) -> Finding:
    """Another loss."""
    row = int(np.searchsorted(record.number, link.step))
    where = point(record.params[row])
    mine, other = apart(link.value, link.expected)
    again = (
        ""
        if link.step == int(record.number[0])
        else f" Before step {link.step + 1:,} they are equal."
    )
    same = " It differs by a constant, so the gradients are equal." if link.kind == "offset" else ""
    whose = (
        "Your loss is not the reference's: at"
        if record.parts == 1
        else f"The losses of your {record.parts} passes to an update do not add up to the "
        "reference's: at"
    )
    return Finding(
        "other_loss",
        f"{whose} {where}, step {link.step + 1:,}, it is {mine} instead of {other}.{again}{same}",
        link.step,
        {
            "mine": link.value,
            "reference": link.expected,
            "point": tuple(record.params[row].tolist()),
        },
        look(link.step, "the line that computes the loss"),
        "Compare your formula with the reference's term by term, signs and powers first, and the "
        "data it uses.",
    )
