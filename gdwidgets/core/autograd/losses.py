"""Notes for PyTorch's loss functions.

The formulas are those of
PyTorch's ``derivatives.yaml``; https://github.com/pytorch/pytorch/blob/main/tools/autograd.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.operation import Operation, Rule, number

REDUCTIONS = ("none", "mean", "sum")


def _loss(op: Operation, index: int, words: str, own: Tensor) -> Note:
    """A loss with a reduction: ``own`` is the derivative of each number's own loss."""
    reduction = REDUCTIONS[op.saved("reduction")]
    count = own.numel()
    if reduction == "mean":
        return op.loss(index, words if count == 1 else f"{words}/{count}", own / max(count, 1))
    return op.loss(index, words, own)


def _mse(op: Operation, index: int) -> Note:
    one, two = op.saved("self"), op.saved("target")
    mine, its = (one, two) if index == 0 else (two, one)
    other = op.named(1 - index, its)
    word = "{other}" if isinstance(other, dict) else other
    note = _loss(op, index, f"2 · ({{x}} − {word})", 2 * (mine - its))
    return _naming(note, other)


def _naming(note: Note, other: dict[str, str] | str) -> Note:
    names = {**note.names, **(other if isinstance(other, dict) else {})}
    return replace(note, names=names)


def _huber(op: Operation, index: int) -> Note:
    one, two = op.saved("self"), op.saved("target")
    smooth = op.kind == "SmoothL1Loss"
    width = float(op.saved("beta" if smooth else "delta"))
    mine, its = (one, two) if index == 0 else (two, one)
    gap = mine - its
    other = op.named(1 - index, its)
    word = "{other}" if isinstance(other, dict) else other
    far = 1.0 if smooth else width
    if smooth and width == 0:
        own, words = torch.sign(gap), f"the sign of ({{x}} − {word})"
    else:
        near = gap / width if smooth else gap
        own = torch.where(gap.abs() < width, near, far * torch.sign(gap))
        divided = f"/{number(width)}" if smooth and width != 1 else ""
        words = f"({{x}} − {word}){divided}, but at most {number(far)} either way"
    return _naming(_loss(op, index, words if "," not in words else f"[{words}]", own), other)


def _cross_entropy(op: Operation, index: int) -> Note | None:
    """Binary cross-entropy with respect to its input."""
    if index != 0 or op.saved("weight") is not None:
        return None
    x, target = op.saved("self"), op.saved("target")
    other = op.named(1, target)
    word = "{other}" if isinstance(other, dict) else other
    if op.kind == "BinaryCrossEntropy":
        if bool(((x <= 0) | (x >= 1)).any()):
            return None
        own, words = (x - target) / (x * (1 - x)), f"({{x}} − {word})/({{x}} · (1 − {{x}}))"
    else:
        if op.saved("pos_weight") is not None:
            return None
        own, words = torch.sigmoid(x) - target, f"(σ({{x}}) − {word})"
    return _naming(_loss(op, 0, words, own), other)


def _nll(op: Operation, index: int) -> Note | None:
    target, shape = op.saved("target"), op.input_shape(index)
    if op.saved("weight") is not None or len(shape) != 2:
        return None
    ignored = target == op.saved("ignore_index")
    own = torch.zeros(shape, dtype=torch.float32, device="cpu")
    rows = torch.arange(shape[0], device="cpu")[~ignored]
    own[rows, target[~ignored]] = -1.0
    reduction = REDUCTIONS[op.saved("reduction")]
    count = int((~ignored).sum())
    local = "−1 at each row's target, 0 elsewhere"
    if reduction == "mean" and count != 1:
        local = f"−1/{count} at each row's target, 0 elsewhere"
        own = own / max(count, 1)
    shape_of_g = (-1, 1) if reduction == "none" else ()
    return op.note(
        index, f"grad_output × ({local})", local, lambda g: g.reshape(shape_of_g) * own, own
    )


RULES: dict[str, Rule] = {
    **dict.fromkeys(("SmoothL1Loss", "HuberLoss"), _huber),
    **dict.fromkeys(("BinaryCrossEntropy", "BinaryCrossEntropyWithLogits"), _cross_entropy),
    "MseLoss": _mse,
    "NllLoss": _nll,
}
"""Rules by the name of the backward function."""
