"""Notes for results that hold the input's numbers at other places.

The formulas are those of
PyTorch's ``derivatives.yaml``; https://github.com/pytorch/pytorch/blob/main/tools/autograd.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.operation import Operation, Rule


def _reshaped(op: Operation, index: int) -> Note:
    shape = op.input_shape(index)
    passes = f"grad_output in its own shape {_shape_text(shape)}"
    return op.moved(index, passes, lambda g: g.reshape(shape))


def _shape_text(shape: Sequence[int]) -> str:
    return str(tuple(shape))


def _copied(op: Operation, index: int) -> Note:
    return op.times(index, "1", 1.0)


def _transposed(op: Operation, index: int) -> Note:
    if op.kind == "Permute":
        dims = op.saved("dims")
        order = [dim % len(dims) for dim in dims]
        back = [order.index(dim) for dim in range(len(order))]
        return op.moved(
            index, "grad_output with its dimensions put back", lambda g: g.permute(back)
        )
    if op.kind == "T":
        return op.moved(index, "grad_outputᵀ", lambda g: g.t())
    one, two = op.saved("dim0"), op.saved("dim1")
    passes = "grad_outputᵀ"
    if len(op.shape) != 2:
        passes = f"grad_output with dimensions {one} and {two} exchanged"
    return op.moved(index, passes, lambda g: g.transpose(one, two))


def _expanded(op: Operation, index: int) -> Note:
    shape = op.input_shape(index)
    passes = "grad_output, summed over the places that {x} was repeated in"
    return op.moved(index, passes, lambda g: g.sum_to_size(shape), "1 for each copy")


def _repeated(op: Operation, index: int) -> Note:
    shape, repeats = op.input_shape(index), op.saved("repeats")
    full = (1,) * (len(repeats) - len(shape)) + tuple(shape)
    split = [size for pair in zip(repeats, full, strict=True) for size in pair]
    copies = tuple(range(0, len(split), 2))

    def rule(g: Tensor) -> Tensor:
        return (g.reshape(split).sum(copies) if copies else g).reshape(shape)

    return op.moved(index, "grad_output, summed over its copies", rule, "1 for each copy")


def _placed(op: Operation, index: int, passes: str, place: Callable[[Tensor], Tensor]) -> Note:
    """A part of the input: ``place`` takes that part out of a tensor of the input's shape."""
    shape = op.input_shape(index)

    def rule(g: Tensor) -> Tensor:
        # Where every number of the result came from, by taking the part out of their numbers.
        numbers = torch.arange(math.prod(shape), device="cpu").reshape(shape)
        zeros = torch.zeros(math.prod(shape), dtype=g.dtype, device="cpu")
        return zeros.index_add(0, place(numbers).flatten(), g.flatten()).reshape(shape)

    return op.moved(index, passes, rule, "1 for what was taken, 0 for the rest")


def _select(op: Operation, index: int) -> Note:
    dim, which = op.saved("dim"), op.saved("index")
    passes = f"grad_output at index {which} of dimension {dim}, 0 elsewhere"
    return _placed(op, index, passes, lambda t: t.select(dim, which))


def _slice(op: Operation, index: int) -> Note:
    dim, start, end, step = (op.saved(n) for n in ("dim", "start", "end", "step"))
    size = op.input_shape(index)[dim]
    first = start + size if start < 0 else start
    last = min(end + size if end < 0 else end, size)
    by = "" if step == 1 else f", every {step}th"
    passes = f"grad_output at {first}:{last} of dimension {dim}{by}, 0 elsewhere"

    def place(t: Tensor) -> Tensor:
        return t.transpose(0, dim)[first:last:step].transpose(0, dim)

    return _placed(op, index, passes, place)


def _indexed(op: Operation, index: int) -> Note:
    indices = tuple(slice(None) if i is None else i for i in op.saved("indices"))
    passes = "grad_output at the places that were taken, 0 elsewhere"
    return _placed(op, index, passes, lambda t: t[indices])


def _gathered(op: Operation, index: int) -> Note:
    dim, which = op.saved("dim"), op.saved("index")
    passes = f"grad_output at the indices taken along dimension {dim}, 0 elsewhere"
    if op.kind == "Gather":
        return _placed(op, index, passes, lambda t: t.gather(dim, which))
    return _placed(op, index, passes, lambda t: t.index_select(dim, which))


def _diagonal(op: Operation, index: int) -> Note:
    offset, one, two = (op.saved(n) for n in ("offset", "dim1", "dim2"))
    return _placed(
        op,
        index,
        "grad_output on the diagonal, 0 elsewhere",
        lambda t: t.diagonal(offset, one, two),
    )


def _flipped(op: Operation, index: int) -> Note:
    dims = op.saved("dims")
    return op.moved(index, "grad_output, turned round again", lambda g: g.flip(dims))


def _concatenated(op: Operation, index: int) -> Note:
    dim = op.saved("dim") % max(len(op.shape), 1)
    sizes = [op.input_shape(i)[dim] if f[0] else None for i, f in enumerate(op.fn.next_functions)]
    known = [size for size in sizes[:index] if size is not None]
    if len(known) != index:  # an input that is not tracked stands before this one
        given = [item.value for item, _ in op.item.called_with]
        if len(given) != len(sizes) or any(value is None for value in given):
            raise TypeError
        known = [value.shape[dim] for value in given[:index] if value is not None]
    start, size = sum(known), op.input_shape(index)[dim]
    return op.moved(
        index,
        f"its own part of grad_output: {start}:{start + size} of dimension {dim}",
        lambda g: g.narrow(dim, start, size),
    )


def _stacked(op: Operation, index: int) -> Note:
    dim = op.saved("dim") % len(op.shape)
    passes = f"its own part of grad_output: index {index} of dimension {dim}"
    return op.moved(index, passes, lambda g: g.select(dim, index))


def _parted(op: Operation, index: int) -> Note:
    """Several results that together are the input: unbind, split, chunk."""
    dim = op.saved("dim")

    def rule(g: Tensor) -> Tensor:
        sizes = [math.prod(shape) for shape in op.shapes]
        parts = [
            part.reshape(shape)
            for part, shape in zip(torch.split(g.flatten(), sizes), op.shapes, strict=True)
        ]
        return torch.stack(parts, dim) if op.kind == "Unbind" else torch.cat(parts, dim)

    passes = "the grad_outputs of all its parts, put together (0 for a part that was not used)"
    return op.moved(index, passes, rule)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze"), _reshaped),
    **dict.fromkeys(("Clone", "Alias", "ToCopy"), _copied),
    **dict.fromkeys(("T", "Transpose", "Permute"), _transposed),
    **dict.fromkeys(("Gather", "IndexSelect"), _gathered),
    **dict.fromkeys(("Unbind", "Split", "SplitWithSizes"), _parted),
    "Expand": _expanded,
    "Repeat": _repeated,
    "Select": _select,
    "Slice": _slice,
    "Index": _indexed,
    "Diagonal": _diagonal,
    "Flip": _flipped,
    "Cat": _concatenated,
    "Stack": _stacked,
}
"""Rules by the name of the backward function."""
