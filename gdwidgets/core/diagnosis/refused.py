"""What PyTorch refused, and what cannot be diagnosed, in words."""

from __future__ import annotations

from gdwidgets.core.diagnosis.findings import Finding, listed, steps_text
from gdwidgets.core.diagnosis.looking import UPDATE_LINE, all_of, look
from gdwidgets.core.diagnosis.records import LoopRecord, Reference, Refusal


def refused(refusal: Refusal) -> Finding:
    """An error, in PyTorch's own words, and its cause."""
    it = all_of(refusal.names) if refusal.names else "the parameter"
    name = refusal.names[0] if refusal.names else "a"
    who = "Python" if _of_python(refusal.message) else "PyTorch"
    words = f" {who} says: “{refusal.message}”" if refusal.message else ""
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
    elif refusal.kind == "lost_leaf":
        cause = f"Your update gives {_new_tensors(refusal, it)}"
        why, line = _MEND_LOST[refusal.mode == "not required"].format(name=name), UPDATE_LINE
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
        look(refusal.step, line),
        why,
    )


_REFUSED = {
    "in_place": (
        "Your update changes a tensor in place while autograd is recording.",
        (
            "A parameter that requires gradients may be changed in place only where nothing is "
            "recorded: put the update inside `with torch.no_grad():`, after `backward()`."
        ),
        UPDATE_LINE,
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


_NO_TENSOR = "no tensor: "
_THINGS = {
    "float": "a Python number",
    "int": "a Python number",
    "NoneType": "None",
    "numpy.ndarray": "a NumPy array",
    "numpy.float32": "a NumPy number",
    "numpy.float64": "a NumPy number",
}


def _of_python(message: str) -> bool:
    """Whether an error is the interpreter's own, not torch's."""
    return message.startswith(("unsupported operand", "bad operand")) or "object has no" in message


def _new_tensors(refusal: Refusal, it: str) -> str:
    """What became of parameters whose variables are other tensors now."""
    many = len(refusal.names) > 1
    new = f"{it} new tensors" if many else f"{it} a new tensor"
    why = "They are no leaves any more" if many else "It is no leaf any more"
    if refusal.mode == "not required":
        why = f"{'They do' if many else 'It does'} not require gradients"
    if refusal.mode == "either":
        why = "They are no leaves any more, or do not require gradients"
    return f"{new}. {why}, so no gradient is accumulated in {'them' if many else 'it'}."


_MEND_LOST = {
    False: (
        "`{name} = {name} - ...` makes a new tensor and forgets the old one. Change the tensor in "
        "place instead, inside `torch.no_grad()`: `{name} -= learning_rate * {name}.grad`."
    ),
    True: (
        "`{name} = ...` forgets the old tensor, and a new one that is made inside "
        "`torch.no_grad()`, by `.detach()` or of a number does not require gradients. Change the "
        "tensor in place instead, inside `torch.no_grad()`: "
        "`{name} -= learning_rate * {name}.grad`."
    ),
}
"""The way out, by whether the new tensors are leaves that do not require gradients."""


def _missing_gradient(refusal: Refusal, it: str) -> str:
    if refusal.mode == "new tensor":
        return "the loss is a new tensor, cut off from the parameters."
    if refusal.mode == "not one number":
        return "the loss has several numbers, and `backward()` needs a single one."
    if refusal.mode.startswith(_NO_TENSOR):
        kind = refusal.mode.removeprefix(_NO_TENSOR)
        what = _THINGS.get(kind, f"an object of type {kind}")
        return f"`backward()` is called on {what}, not on a tensor."
    if refusal.mode:
        return f"the loss was computed under `torch.{refusal.mode}()`, where nothing is recorded."
    if "NoneType" in refusal.message:
        return f"`.grad` of {it} is None, because no `backward()` has reached it."
    return "the loss does not depend on any tensor with `requires_grad=True`."


def _mend_missing_gradient(refusal: Refusal) -> str:
    if refusal.mode in _MEND_MISSING:
        return _MEND_MISSING[refusal.mode]
    if refusal.mode.startswith(_NO_TENSOR):
        return (
            "`backward()` belongs to the loss, as torch computed it. `.item()`, `float()` and "
            "`.numpy()` take a number out of the graph: use them only to print or to keep it."
        )
    if "NoneType" in refusal.message:
        return "Call `loss.backward()` before the update; it fills `.grad` of the leaf tensors."
    return (
        "Make the parameters with `requires_grad=True`, and compute the loss from them with torch "
        "operations; `.item()` and `.detach()` leave the graph."
    )


_MEND_MISSING = {
    "inference_mode": (
        "Under `torch.inference_mode()` no graph is made, so nothing can be differentiated: "
        "take the loss and `backward()` out of it."
    ),
    "no_grad": "Only the update belongs inside `torch.no_grad()`; the loss must be outside.",
    "new tensor": "`torch.tensor(number)` has no graph. Call `backward()` on what torch computed.",
    "not one number": "Make one number of it before `backward()`: its `.mean()`, or its `.sum()`.",
    f"{_NO_TENSOR}NoneType": "The function that computes the loss must `return` it.",
}
"""The way out, by the cause where it is known."""


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
        f"Your loop has {steps_text(record.numbers, 'number')} in its parameters. Norms of each "
        f"tensor's gradient and update were recorded in {steps_text(record.total)}, not the "
        "values.",
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
