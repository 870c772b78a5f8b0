"""The findings in words: from numbers to sentences for the student who wrote the loop.

Steps are counted from 1 in sentences, as the course prints them: step n is record n − 1, where a
finding's ``step`` counts from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from gdwidgets.core.diagnosis.clearing import Clearing
from gdwidgets.core.diagnosis.comparison import Agreement, OtherRate, Stop
from gdwidgets.core.diagnosis.findings import Finding, listed, nth, number, point, steps_text
from gdwidgets.core.diagnosis.folding import Folded
from gdwidgets.core.diagnosis.losses import Relation
from gdwidgets.core.diagnosis.moves import Moves
from gdwidgets.core.diagnosis.records import LoopRecord, Reference, Refusal, StepCalls
from gdwidgets.core.diagnosis.updates import Update
from gdwidgets.core.rules.constants import constants_of

_UPDATE_LINE = "the line that updates the parameters"
_DOWNHILL = (
    "The gradient points where the loss grows fastest. Descent goes the other way: subtract "
    "learning rate × gradient."
)


def _from(step: int) -> str:
    return "from the first step on" if step == 0 else f"from step {step + 1:,} on"


def _look(step: int, line: str) -> str:
    return f"Look at step {step + 1:,}, at {line}."


def _all_or(names: Sequence[str]) -> str:
    return listed(list(names))


# -- what PyTorch refused ------------------------------------------------------------------


def refused(refusal: Refusal) -> Finding:
    """An error, in PyTorch's own words, and its cause."""
    it = _all_or(refusal.names) if refusal.names else "the parameter"
    name = refusal.names[0] if refusal.names else "a"
    words = f" PyTorch says: “{refusal.message}”" if refusal.message else ""
    if "has been modified by an inplace operation" in refusal.message:
        cause = (
            "Your loop changes a tensor between computing the loss and `backward()`, which needs "
            "the old value."
        )
        why = "The order is: loss, `backward()`, update, clear."
        line = "the order of loss, backward and update"
    elif refusal.kind == "no_gradient":
        cause = f"There is no gradient: {_missing_gradient(refusal, it)}"
        why, line = _mend_missing_gradient(refusal), "where gradients are computed and used"
    elif refusal.kind in _REFUSED:
        cause, why, line = (text.format(it=it, name=name) for text in _REFUSED[refusal.kind])
    else:
        words = ""
        cause = f"Your loop was stopped after {steps_text(refusal.step)}: {refusal.message}."
        why, line = "What came before is recorded.", "the line that raised the error"
    return Finding(
        refusal.kind,
        cause + words,
        max(refusal.step - 1, 0),
        {"message": refusal.message, "records": refusal.step, "names": refusal.names},
        _look(refusal.step, line),
        why,
    )


_REFUSED = {
    "lost_leaf": (
        (
            "Your update gives {it} a new tensor. It is no leaf any more, so no gradient is "
            "accumulated in it."
        ),
        (
            "`{name} = {name} - ...` makes a new tensor and forgets the old one. Change the tensor "
            "in place instead, inside `torch.no_grad()`: `{name} -= learning_rate * {name}.grad`."
        ),
        _UPDATE_LINE,
    ),
    "in_place": (
        "Your update changes a tensor in place while autograd is recording.",
        (
            "A parameter that requires gradients may be changed in place only where nothing is "
            "recorded: put the update inside `with torch.no_grad():`, after `backward()`."
        ),
        _UPDATE_LINE,
    ),
    "backward_twice": (
        "Your loop calls `backward()` a second time on a graph that was already used up.",
        (
            "`backward()` frees the graph of the loss. Compute the loss anew in every step, inside "
            "the loop, before `loss.backward()`."
        ),
        "the line that computes the loss, and where it stands",
    ),
    "cleared_before_update": (
        "Your loop clears the gradient of {it} between `backward()` and the update.",
        (
            "The order is: `backward()`, update, then clear. Cleared too early, `.grad` is empty "
            "when the update needs it."
        ),
        "the order of backward, update and clearing",
    ),
}
"""By kind: the cause, why, and where to look."""


def _missing_gradient(refusal: Refusal, it: str) -> str:
    if refusal.mode == "new tensor":
        return "the loss is a new tensor, cut off from the parameters."
    if refusal.mode:
        return f"the loss was computed under `torch.{refusal.mode}()`, where nothing is recorded."
    if "NoneType" in refusal.message:
        return f"`.grad` of {it} is None, because no `backward()` has reached it."
    return "the loss does not depend on any tensor with `requires_grad=True`."


def _mend_missing_gradient(refusal: Refusal) -> str:
    if refusal.mode == "inference_mode":
        return (
            "Under `torch.inference_mode()` no graph is made, so nothing can be differentiated: "
            "take the loss and `backward()` out of it."
        )
    if refusal.mode == "new tensor":
        return "`torch.tensor(number)` has no graph. Call `backward()` on what torch computed."
    if refusal.mode:
        return "Only the update belongs inside `torch.no_grad()`; the loss must be outside."
    if "NoneType" in refusal.message:
        return "Call `loss.backward()` before the update; it fills `.grad` of the leaf tensors."
    return (
        "Make the parameters with `requires_grad=True`, and compute the loss from them with torch "
        "operations; `.item()` and `.detach()` leave the graph."
    )


def nothing_recorded() -> Finding:
    """No backward pass was seen."""
    return Finding(
        "nothing_recorded",
        "Nothing was recorded: no `backward()` was called in the watched block.",
        0,
        {"records": 0},
        "Look at whether the loop ran inside the `with` block, and calls `loss.backward()`.",
        "A loop in another thread is not seen: open the watch in that thread. A loop without "
        "autograd, or with `torch.func.grad`, is recorded by `mine.record(loss, u=u, v=v)` in each "
        "step.",
    )


def values_not_kept(record: LoopRecord) -> Finding:
    """A loop of many numbers."""
    return Finding(
        "values_not_kept",
        f"Your loop has {record.numbers:,} numbers in its parameters. Norms of each tensor's "
        f"gradient and update were recorded in {steps_text(record.total)}, not the values.",
        0,
        {"numbers": record.numbers, "records": record.total},
        "Look at the norms of gradient and update of each tensor.",
        "The update rule cannot be read from norms alone.",
    )


def other_parameters(record: LoopRecord, reference: Reference) -> Finding:
    """A loop on something else."""
    mine, names = list(record.names), list(reference.objective.parameter_names)
    shown = listed(mine) if len(mine) <= 6 else f"{len(mine)} numbers"
    return Finding(
        "other_parameters",
        f"Your loop trains {shown}; the reference has {listed(names)}. They cannot be compared.",
        0,
        {"mine": tuple(mine), "reference": tuple(names)},
        "Look at the parameters that your loss depends on.",
        f"Use one tensor for each of {listed(names)}, or one vector of {len(names)} numbers.",
    )


# -- the update ----------------------------------------------------------------------------


def uphill(names: Sequence[str], rate: float, kind: str, step: int) -> Finding:
    """Plus instead of minus."""
    verb = "moves" if len(names) == 1 else "move"
    if kind == "schedule":
        return Finding(
            "uphill",
            f"Your update goes uphill: {listed(names)} {verb} by + a rate that changes × gradient, "
            f"{_from(step)}.",
            step,
            {"names": tuple(names)},
            _look(step, _UPDATE_LINE),
            _DOWNHILL,
        )
    how = f"{listed(names)} {verb} by +{number(abs(rate))} × gradient"
    if kind in _LABELS and kind != "plain":
        how = f"it is {_LABELS[kind]}, learning rate {number(abs(rate))}, with the wrong sign"
    return Finding(
        "uphill",
        f"Your update goes uphill: {how}, {_from(step)}.",
        step,
        {"rate": rate, "names": tuple(names)},
        _look(step, _UPDATE_LINE),
        _DOWNHILL,
    )


def uphill_by_rates(rates: dict[str, float], step: int) -> Finding:
    """Plus instead of minus, by a rate of its own for each."""
    parts = [f"{name} by +{number(-rate)} × its gradient" for name, rate in rates.items()]
    return Finding(
        "uphill",
        f"Your update goes uphill: it moves {listed(parts)}, {_from(step)}.",
        step,
        {"rates": dict(rates), "names": tuple(rates)},
        _look(step, _UPDATE_LINE),
        _DOWNHILL,
    )


def uphill_by_loss(factor: float, step: int) -> Finding:
    """The negative of the reference's loss."""
    times = "the negative of" if factor == -1 else f"{number(factor)} ×"
    return Finding(
        "uphill",
        f"Your loss is {times} the reference's loss. What goes downhill in it goes uphill in the "
        "reference's.",
        step,
        {"factor": factor},
        _look(step, "the line that computes the loss"),
        "Descent makes the loss smaller, so the loss must be what is to be made small.",
    )


def swapped(names: Sequence[str], order: Sequence[int], rate: float, step: int) -> Finding:
    """Each moved by another's gradient."""
    pairs = [f"{names[i]} by that of {names[j]}" for i, j in enumerate(order) if i != j]
    return Finding(
        "swapped",
        f"Your update uses the wrong gradients: it moves {listed(pairs)}, {_from(step)}.",
        step,
        {"order": tuple(names[j] for j in order), "rate": rate},
        _look(step, _UPDATE_LINE),
        "Each parameter has a gradient of its own: update u with u.grad, v with v.grad.",
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
        _look(step, "the line that computes the loss"),
        "Compare your formula with the reference's, parameter by parameter.",
    )


def not_updated(record: LoopRecord, places: Iterable[int], moves: Moves) -> Finding:
    """Parameters that never move."""
    places = list(places)
    names = [record.names[place] for place in places]
    pulled = np.abs(moves.buffer[:, places]).max(axis=1) > 0
    step = int(moves.number[pulled.argmax()])
    first = moves.buffer[int(pulled.argmax()), places]
    all_of_them = len(names) == len(record.names)
    never = "never changes" if len(names) == 1 else "never change"
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
            "`u -= learning_rate * u.grad`, or `optimizer.step()`."
        )
    else:
        why = "Every parameter needs an update line of its own, or a place in the optimizer's list."
    return Finding(
        "not_updated",
        f"{listed(names)} {never}. The gradient is {point(first)} at step {step + 1:,}.",
        step,
        {"names": tuple(names), "gradient": tuple(first.tolist())},
        _look(step, _UPDATE_LINE),
        why,
    )


def cleared_before_update(record: LoopRecord) -> Finding:
    """An update by an empty buffer."""
    return Finding(
        "cleared_before_update",
        f"Nothing moves: your loop clears the gradient of {listed(record.names)} between "
        "`backward()` and the update.",
        int(record.number[0]),
        {"gradient": tuple(record.grad[0].tolist())},
        _look(0, "the order of backward, update and clearing"),
        "The order is: `backward()`, update, then clear. Cleared too early, the update multiplies "
        "the learning rate by 0. Before `backward()` clearing is fine.",
    )


def rate_not_applied(names: Sequence[str], expected: float, step: int) -> Finding:
    """A step as long as the gradient."""
    verb = "moves" if len(names) == 1 else "move"
    return Finding(
        "rate_not_applied",
        f"The learning rate is not applied, or is 1: {listed(names)} {verb} by the whole gradient, "
        f"{_from(step)}. The reference multiplies it by {number(expected)}.",
        step,
        {"rate": 1.0, "expected": expected},
        _look(step, _UPDATE_LINE),
        f"The update is learning rate × gradient: `u -= {number(expected)} * u.grad`.",
    )


def other_rate(rate: float, expected: float, step: int) -> Finding:
    """Another learning rate."""
    return Finding(
        "other_rate",
        f"Your learning rate is {number(rate)}, the reference's is {number(expected)}.",
        step,
        {"rate": rate, "expected": expected},
        _look(step, "the learning rate"),
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
        _look(0, "the learning rate"),
        "The reference's rate is a function of the step, counted from 0. Set yours in every step, "
        "before the update; a scheduler is stepped after it.",
    )


def other_rate_at(found: OtherRate) -> Finding:
    """Another learning rate than that of a reference where it changes."""
    here = "" if np.isnan(found.rate) else f" {number(found.rate)},"
    return Finding(
        "other_rate",
        f"Your learning rate is not the reference's, which changes: at step {found.step + 1:,} "
        f"yours is{here or ' another,'} the reference's {number(found.expected)}.",
        found.step,
        {"rate": found.rate, "expected": found.expected},
        _look(found.step, "the learning rate of this step"),
        "The reference's rate is a function of the step, counted from 0. Set yours in every step, "
        "before the update; a scheduler is stepped after it.",
    )


def other_rates(
    other: dict[str, float], rates: dict[str, float], expected: float, step: int
) -> Finding:
    """A learning rate that is not the same for all."""
    parts = [f"{name} by {number(rate)} × its gradient" for name, rate in other.items()]
    return Finding(
        "other_rate",
        f"Your update moves {listed(parts)}; the reference's rate is {number(expected)} for all.",
        step,
        {"rates": dict(rates), "expected": expected},
        _look(step, _UPDATE_LINE),
        "Use one learning rate in all update lines.",
    )


def stale(rate: float, step: int) -> Finding:
    """The gradient of the step before."""
    return Finding(
        "stale_gradient",
        f"Your update uses the previous step's gradient (× {number(rate)}), {_from(step)}.",
        step,
        {"rate": rate},
        _look(step, "which gradient the update uses, and when it was computed"),
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
        _look(1, "the order of loss, backward and update"),
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
        _look(n - 1, "when the update is made"),
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
        _look(n - 1, "when the update is made"),
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
        _look(1, "when `.grad` is cleared"),
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
        _look(0, "the optimizer, and how often it calls your closure"),
        "L-BFGS and line searches evaluate loss and gradient several times before they settle on "
        "a step. Which rule made it cannot be read from these points.",
    )


def unknown_rule(
    moves: Moves, step: int, names: Sequence[str], optimizers: Sequence[str] = ()
) -> Finding:
    """Nothing that is known; ``optimizers`` are the classes whose ``step()`` the loop calls."""
    if step == int(moves.number[0]):
        how = "It is not along the gradient, from the first step on"
    else:
        how = (
            f"Up to step {step:,} it is learning rate × gradient; that of step {step + 1:,} is not"
        )
    made = listed([f"`{name}.step()`" for name in optimizers]) if optimizers else ""
    calls = f" Your loop calls {made}." if made else ""
    return Finding(
        "unknown_rule",
        f"I do not recognise this update. {how}.{calls}",
        step,
        {"names": tuple(names), "optimizers": tuple(optimizers)},
        _look(step, _UPDATE_LINE),
        "It is none of gradient descent (with a fixed or changing rate), momentum, Nesterov, "
        "RMSprop, Adagrad and Adam with their usual constants. That need not be a mistake.",
    )


def too_few(moves: Moves) -> Finding:
    """An update that is not the reference's, in too few steps to be known."""
    step = int(moves.number[0])
    return Finding(
        "unknown_rule",
        f"I do not recognise this update: {steps_text(moves.count, 'update')} are too few to say "
        "by which rule they are made. It is not the reference's.",
        step,
        {"updates": moves.count},
        _look(step, _UPDATE_LINE),
        "It is not one learning rate × gradient. Rules with a memory show after a few steps more.",
    )


# -- clearing ------------------------------------------------------------------------------


def not_cleared(record: LoopRecord, clearing: Clearing, *, compared: bool) -> Finding:
    """Gradients that accumulate."""
    partial = clearing.kind == "some"
    names = [record.names[place] for place in clearing.places]
    row = int(np.searchsorted(record.number, clearing.step))
    what = f"`.grad` of {listed(names)} is" if partial else "`.grad` is"
    when = "only sometimes cleared" if clearing.kind == "irregular" else "not cleared"
    held = point(record.before[row, list(clearing.places)])
    ask = "" if compared else " Is that on purpose?"
    return Finding(
        "not_cleared",
        f"{what} {when}: step {clearing.step + 1:,} begins with {held} in it, and `backward()` "
        f"adds to that.{ask}",
        clearing.step,
        {"names": tuple(names), "held": tuple(record.before[row].tolist())},
        _look(clearing.step, "what `.grad` holds before `backward()`"),
        "`backward()` adds to `.grad`; it does not replace it. Clear it after each update: "
        f"`{_variable(names[0])}.grad = None`, or `optimizer.zero_grad()`.",
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


def _variable(name: str) -> str:
    """The variable that holds a number: w of w[0]; of a module's parameter only what it is."""
    first = name.partition("[")[0]
    return first if first.isidentifier() else "parameter"


def full_at_the_start(record: LoopRecord) -> Finding:
    """Something in the buffer before the loop begins."""
    names = [name for name, held in zip(record.names, record.before[0], strict=True) if held != 0]
    return Finding(
        "not_cleared",
        f"`.grad` of {listed(names)} holds {point(record.before[0])} before the first "
        "`backward()`, which adds to it.",
        0,
        {"names": tuple(names), "held": tuple(record.before[0].tolist())},
        _look(0, "what `.grad` holds before the loop begins"),
        "The tensors were used before. Make new ones, or clear `.grad` before the loop.",
    )


def cleared_every_n(n: int, expected: int | None, step: int) -> Finding:
    """Cleared now and then."""
    other = {None: "never clears it", 1: "clears it after every update"}.get(
        expected, f"clears it after every {nth(expected or 1)} update"
    )
    return Finding(
        "cleared_every_n",
        f"`.grad` is cleared after every {nth(n)} update only, and adds up in between; the "
        f"reference {other}. Is that on purpose?",
        step,
        {"n": n, "expected": expected},
        _look(step, "when `.grad` is cleared"),
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
        _look(step, "what `.grad` holds before `backward()`"),
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
            _look(step, "the line that computes the loss of a pass"),
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
            _look(step, f"the line that computes the {what}"),
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
        f"Your {what} is {number(factor)} × the reference's{both}.{rate}",
        step,
        {"factor": factor},
        _look(step, f"the line that computes the {what}"),
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
        f"learning rate of {number(rate)} instead of {number(expected)}.",
        step,
        {"factor": factor, "rate": rate, "expected": expected},
        _look(step, "the lines that compute the gradient by hand"),
        "Differentiate the loss once more on paper: the square gives a factor 2, the mean 1/N.",
    )


def other_gradient(record: LoopRecord, link: Relation) -> Finding:
    """The right loss with a wrong gradient."""
    name = record.names[link.place]
    return Finding(
        "other_gradient",
        f"Your loss is the reference's, but the gradient of {name} is not: {number(link.value)} "
        f"instead of {number(link.expected)} at step {link.step + 1:,}.",
        link.step,
        {"name": name, "mine": link.value, "reference": link.expected},
        _look(link.step, "how the gradient is computed"),
        "A `.detach()`, `.item()` or `no_grad()` inside the loss, or `requires_grad=False`, cuts a "
        "part of the graph off, and a formula by hand may lack a term.",
    )


def other_loss(record: LoopRecord, link: Relation) -> Finding:
    """Another loss."""
    row = int(np.searchsorted(record.number, link.step))
    where = point(record.params[row])
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
        f"{whose} {where}, step {link.step + 1:,}, it is "
        f"{number(link.value)} instead of {number(link.expected)}.{again}{same}",
        link.step,
        {
            "mine": link.value,
            "reference": link.expected,
            "point": tuple(record.params[row].tolist()),
        },
        _look(link.step, "the line that computes the loss"),
        "Compare your formula with the reference's term by term, signs and powers first, and the "
        "data it uses.",
    )


# -- beside the reference ------------------------------------------------------------------


def other_start(record: LoopRecord, reference: Reference, seed: int | None) -> Finding:
    """Another start."""
    drawn = "" if seed is None else f" These are the first normal draws after seed {seed}."
    return Finding(
        "other_start",
        f"Your loop begins at {point(record.params[0])}, the reference at "
        f"{point(reference.start)}.{drawn}",
        0,
        {"mine": tuple(record.params[0].tolist()), "reference": reference.start, "seed": seed},
        _look(0, "where the parameters are made"),
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


def other_stop(stop: Stop, record: LoopRecord, reference: Reference) -> Finding:
    """An early stop by another test."""
    tol = number(reference.loss_tol or 0.0)
    last = record.total
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


# -- which rule ----------------------------------------------------------------------------

_LABELS = {
    "plain": "plain gradient descent",
    "momentum": "gradient descent with momentum",
    "nesterov": "gradient descent with Nesterov momentum",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adagrad": "Adagrad",
    "clipped": "gradient descent with clipped gradients",
    "normalised": "gradient descent with normalised gradients",
    "schedule": "gradient descent with a learning rate that changes",
}


def rule_of(reference: Reference) -> str:
    """A reference's rule in words, with its constants and learning rate."""
    described = [
        f"{constant.symbol} = {number(value, 6)}"
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


def rule(
    update: Update, rate: float, clearing: Clearing, other: str, expected: float | None
) -> Finding:
    """Which rule the updates follow; ``other`` is the reference's, where it differs."""
    kind, constants = update.kind, dict(update.constants)
    if kind == "plain" and clearing.kind == "decays":
        kind, constants = "momentum", {"beta": clearing.beta}
    parts = [
        f"{_SYMBOLS[key]} = {number(value, 6)}"
        for key, value in constants.items()
        if key in _SYMBOLS
    ]
    with_constants = f" ({', '.join(parts)})" if parts else ""
    verb = "looks like" if update.form == "sign" else "is"
    text = f"Your update {verb} {_LABELS[kind]}{with_constants}"
    text += _with_rate(update, kind, rate, "and" if parts else "with") + "."
    if update.form == "ahead":
        text += " The gradient is taken at the point ahead, p + β v."
    if update.form == "sign":
        text += (
            f" In these steps that is the same as {number(abs(rate))} against the sign of each "
            "gradient, to rounding."
        )
    if kind == "adam" and not constants.get("corrected", 1.0):
        text += " Its averages are not corrected for starting at 0."
    if kind == "momentum" and expected is not None and "beta" in constants:
        average = rate / (1 - constants["beta"]) if constants["beta"] < 1 else 0.0
        if abs(average / expected - 1) < 1e-3:
            text += (
                f" It averages gradients with weight 1 − β: its step is as with learning rate "
                f"{number(expected)} × (1 − β)."
            )
    if other:
        text += f" The reference's is {other}."
    return Finding(
        {"plain": "plain_descent"}.get(kind, kind),
        text,
        update.step,
        {
            **constants,
            "rate": rate,
            "bounds": update.bounds,
            "segments": update.segments,
            "differs": bool(other),
        },
        _look(update.step, _UPDATE_LINE),
        _WHY_RULE[kind],
    )


def _with_rate(update: Update, kind: str, rate: float, link: str) -> str:
    """How long the steps are."""
    if kind == "schedule":
        return f": {_schedule(update)}"
    if kind == "clipped":
        return (
            f" and learning rate {number(rate)}: the gradient's norm is limited to "
            f"{number(update.constants['norm'])}"
        )
    if kind == "normalised":
        return f": every step is {number(update.constants['norm'])} long"
    return f" {link} learning rate {number(abs(rate))}" if np.isfinite(rate) else ""


def plain_rates(rates: dict[str, float]) -> Finding:
    """Plain descent with more than one rate."""
    parts = [f"{name} by {number(rate)} × its gradient" for name, rate in rates.items()]
    return Finding(
        "plain_descent",
        f"Your update is plain gradient descent with rates of their own: it moves {listed(parts)}.",
        0,
        {"rates": dict(rates), "differs": False},
        _look(0, _UPDATE_LINE),
        _WHY_RULE["plain"],
    )


def _schedule(update: Update) -> str:
    if update.form == "pieces":
        changes = [(step, Update("plain", low, high).rate()) for step, low, high in update.segments]
        parts = [f"{number(rate)} from step {step + 1:,} on" for step, rate in changes[:4]]
        more = f", and {len(changes) - 4} changes more" if len(changes) > 4 else ""
        return ", ".join(parts) + more
    how = {
        "exponential": ", falling exponentially",
        "linear": ", in a straight line",
        "1/t": ", as 1/t",
    }
    first, last = (
        Update("plain", *piece[1:]).rate() for piece in (update.segments[0], update.segments[-1])
    )
    return f"from {number(first)} to {number(last)}{how.get(update.form, '')}"


_WHY_RULE = {
    "plain": "Each step is learning rate × gradient, against the gradient.",
    "momentum": "A part β of each step is carried over into the next.",
    "nesterov": "A part β of each step is carried over, and looked ahead along.",
    "rmsprop": "Each number's step is divided by the root of its mean square gradient.",
    "adam": "The mean gradient is divided by the root of the mean square gradient.",
    "adagrad": "Each number's step is divided by the root of its summed square gradients.",
    "clipped": "Where the gradient is longer than the limit it is shortened, in its direction.",
    "normalised": "Only the direction of the gradient is used, not its length.",
    "schedule": "The step is along the gradient, but the rate is not the same in every step.",
}
