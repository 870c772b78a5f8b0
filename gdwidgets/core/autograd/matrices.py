"""Notes for products of matrices and vectors.

The formulas are those of
PyTorch's ``derivatives.yaml``; https://github.com/pytorch/pytorch/blob/main/tools/autograd.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.operation import Operation, Rule, number
from gdwidgets.core.autograd.two_inputs import scaled

Product = Callable[[Tensor], Tensor]


def _matrix(op: Operation, pair: tuple[int, int], factor: Tensor, text: str, rule: Product) -> Note:
    """A product: ``pair`` is the input and the other one, ``text`` holds ``{other}``."""
    other = op.named(pair[1], factor)
    if isinstance(other, dict):
        return op.note(pair[0], text, "{other}", rule, factor, **other)
    return op.note(pair[0], text.replace("{other}", f"({other})"), other, rule, factor)


def _times_text(factor: float) -> str:
    return "" if factor == 1 else f"{number(factor)} × "


def _mm(op: Operation, index: int) -> Note:
    if index == 0:
        right = op.saved("mat2")
        return _matrix(op, (0, 1), right, "grad_output @ {other}ᵀ", lambda g: g @ right.mT)
    left = op.saved("self")
    return _matrix(op, (1, 0), left, "{other}ᵀ @ grad_output", lambda g: left.mT @ g)


def _addmm(op: Operation, index: int) -> Note:
    alpha, beta = float(op.saved("alpha")), float(op.saved("beta"))
    if index == 0:
        return scaled(op, 0, beta)
    before = _times_text(alpha)
    if index == 1:
        right = op.saved("mat2")
        template = f"{before}grad_output @ {{other}}ᵀ"
        return _matrix(op, (1, 2), right, template, lambda g: alpha * (g @ right.mT))
    left = op.saved("mat1")
    template = f"{before}{{other}}ᵀ @ grad_output"
    return _matrix(op, (2, 1), left, template, lambda g: alpha * (left.mT @ g))


def _mv(op: Operation, index: int) -> Note:
    if index == 0:
        vector = op.saved("vec")
        template = "grad_output ⊗ {other}, a row for each number of grad_output"
        return _matrix(op, (0, 1), vector, template, lambda g: g.unsqueeze(1) * vector)
    matrix = op.saved("self")
    return _matrix(op, (1, 0), matrix, "{other}ᵀ @ grad_output", lambda g: matrix.mT @ g)


def _addmv(op: Operation, index: int) -> Note:
    alpha, beta = float(op.saved("alpha")), float(op.saved("beta"))
    if index == 0:
        return scaled(op, 0, beta)
    before = _times_text(alpha)
    if index == 1:
        vector = op.saved("vec")
        template = f"{before}grad_output ⊗ {{other}}, a row for each number of grad_output"
        return _matrix(op, (1, 2), vector, template, lambda g: alpha * g.unsqueeze(1) * vector)
    matrix = op.saved("mat")
    template = f"{before}{{other}}ᵀ @ grad_output"
    return _matrix(op, (2, 1), matrix, template, lambda g: alpha * (matrix.mT @ g))


def _dot(op: Operation, index: int) -> Note:
    vector = op.saved("tensor" if index == 0 else "self")
    return _matrix(op, (index, 1 - index), vector, "grad_output × {other}", lambda g: g * vector)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Mm", "Bmm"), _mm),
    "Addmm": _addmm,
    "Mv": _mv,
    "Addmv": _addmv,
    "Dot": _dot,
}
"""Rules by the name of the backward function."""
