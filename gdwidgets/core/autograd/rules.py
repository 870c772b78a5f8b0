"""Notes for PyTorch's backward functions, each made from what the node in hand has saved.

A rule gets one node and one of its inputs, and returns a `Note`; where there is no rule, or the
node holds something the rule does not know, the note is the general one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from gdwidgets.core.autograd import elementwise, losses, matrices, places, reductions, two_inputs
from gdwidgets.core.autograd.nodes import Local
from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.operation import Operation, Rule
from gdwidgets.core.autograd.trace import Item

MOST_COMPARED = 10_000
"""Results of up to this many numbers have their notes compared with the backward function."""

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **two_inputs.RULES,
    **reductions.RULES,
    **losses.RULES,
    **matrices.RULES,
    **places.RULES,
}
"""Rules by the name of the backward function, without ``Backward`` and its number."""


def notes_of(item: Item, local: Sequence[tuple[str, Local | None]]) -> tuple[Note, ...]:
    """A note for each input that a gradient goes to, in the order of ``local``.

    Parameters
    ----------
    item
        A node whose real graph has been read and not yet gone back through.
    local
        Its local derivatives, as PyTorch's own backward function gives them.
    """
    if item.grad_fn is None or item.kind == "leaf":
        return ()
    operation = Operation(item)
    targets = [index for index, other in enumerate(item.real_inputs) if other is not None]
    rule = RULES.get(operation.kind)
    notes = []
    with torch.no_grad():
        for index, (_, known) in zip(targets, local, strict=True):
            note = None
            if rule is not None:
                try:
                    note = rule(operation, index)
                    note = note if note is None or _holds(operation, index, note) else None
                except (AttributeError, RuntimeError, TypeError, IndexError):
                    note = None  # saved values changed in place, or another release of torch
            notes.append(note or _general(operation, index, known))
    return tuple(notes)


def _holds(op: Operation, index: int, note: Note) -> bool:
    """Whether a note says what this very node's backward function does for some grad_output.

    A later release of PyTorch may compute something else under the same name.
    """
    if note.rule is None or math.prod(op.shape) > MOST_COMPARED:
        return True
    numbers = torch.linspace(1, 2, math.prod(op.shape), dtype=op.dtype, device="cpu")
    parts = torch.split(numbers, [math.prod(shape) for shape in op.shapes])
    passed = op.fn(*(part.reshape(shape) for part, shape in zip(parts, op.shapes, strict=True)))
    found = passed[index] if isinstance(passed, tuple) else passed
    expected = note.rule(numbers.reshape(op.shape))
    if found is None:  # what is not needed is not computed
        return not bool(expected.any())
    shape = op.input_shape(index)  # what was repeated is summed by the engine
    return torch.allclose(found.sum_to_size(shape), expected, rtol=1e-3, atol=1e-5, equal_nan=True)


def _general(op: Operation, index: int, known: Local | None) -> Note:
    target = op.item.real_inputs[index]
    rule = None
    if known is not None and target is not None and target.value is not None:
        shape = target.value.shape
        rule = lambda g: known.times(g).reshape(shape)  # noqa: E731
    return op.note(
        index,
        "grad_output × local derivative",
        f"computed by {op.fn.name()}",
        rule,
        None if known is None else known.value,
    )
