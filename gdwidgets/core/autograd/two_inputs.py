"""Notes for what two inputs make number by number: sums, products, powers, choices.

The formulas are those of
PyTorch's ``derivatives.yaml``; https://github.com/pytorch/pytorch/blob/main/tools/autograd.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.operation import Operation, Rule, number


def scaled(op: Operation, index: int, factor: float) -> Note:
    """A note for an input that is added with a factor."""
    return op.times(index, number(factor), factor)


def _add(op: Operation, index: int) -> Note:
    return scaled(op, index, float(op.saved("alpha")) if index == 1 else 1.0)


def _sub(op: Operation, index: int) -> Note:
    return scaled(op, index, -float(op.saved("alpha")) if index == 1 else 1.0)


def _rsub(op: Operation, index: int) -> Note:
    return scaled(op, index, 1.0 if index == 1 else -float(op.saved("alpha")))


def _with_other(
    op: Operation, index: int, local: str, factor: Tensor, other: dict[str, str] | str
) -> Note:
    """A note whose derivative names the other input, written ``{other}``."""
    if isinstance(other, dict):
        return op.times(index, local, factor, **other)
    return op.times(index, local.replace("{other}", other), factor)


def _mul(op: Operation, index: int) -> Note:
    factor = op.saved("other" if index == 0 else "self")
    return _with_other(op, index, "{other}", factor, op.named(1 - index, factor))


def _div(op: Operation, index: int) -> Note | None:
    if op.variant == 2 and op.saved("rounding_mode") is not None:
        return op.times(index, "0", 0.0)
    divisor = op.saved("other")
    if index == 0:
        return _with_other(op, 0, "1/{other}", 1 / divisor, op.named(1, divisor))
    top = op.saved("self")
    return _with_other(op, 1, "−{other}/{x}²", -top / divisor**2, op.named(0, top))


def _pow(op: Operation, index: int) -> Note:
    exponent = op.saved("exponent")
    if op.variant == 0:
        return _power(op, op.saved("self"), float(exponent))
    base = op.saved("self")
    if op.variant == 1 and index == 0:
        other = op.named(1, exponent)
        lowered = torch.where(exponent == 0, 0.0, exponent * base ** (exponent - 1))
        return _with_other(op, 0, "{other} · {x}^({other} − 1)", lowered, other)
    base = torch.as_tensor(base, dtype=torch.float32, device="cpu")
    other = number(float(base)) if op.variant == 2 else op.named(0, base)
    result = op.saved("result")
    factor = torch.where((base == 0) & (exponent >= 0), 0.0, result * torch.log(base))
    return _with_other(op, index, "{y} · ln({other})", factor, other)


def _power(op: Operation, base: Tensor, exponent: float) -> Note:
    if exponent == 0:
        return op.times(0, "0", 0.0)
    less = exponent - 1
    power = {0.0: "", 1.0: " · {x}"}.get(less, f" · {{x}}^{_in_brackets(less)}")
    return op.times(0, f"{number(exponent)}{power}", exponent * base**less)


def _in_brackets(value: float) -> str:
    text = number(value)
    return text if text.isdigit() else f"({text})"


def _extreme(op: Operation, index: int) -> Note:
    one, two = op.saved("self"), op.saved("other")
    mine, its = (one, two) if index == 0 else (two, one)
    larger = op.kind == "Maximum"
    chosen = (mine > its if larger else mine < its).to(mine.dtype)
    factor = torch.where(mine == its, torch.full_like(chosen, 0.5), chosen)
    word = "larger" if larger else "smaller"
    return op.times(
        index, f"1 where {{x}} is the {word}, 0 elsewhere, 1/2 where both agree", factor
    )


def _where(op: Operation, index: int) -> Note:
    condition = op.saved("condition")
    chosen = condition if index == 0 else ~condition
    local = f"1 where the condition is {'true' if index == 0 else 'false'}, 0 elsewhere"
    return op.times(index, local, chosen.to(torch.float32))


def _masked_fill(op: Operation, index: int) -> Note | None:
    if index != 0:
        return None
    return op.times(0, "0 where the mask is true, 1 elsewhere", (~op.saved("mask")).float())


def _atan2(op: Operation, index: int) -> Note:
    one, two = op.saved("self"), op.saved("other")
    size = one * one + two * two
    other = op.named(1 - index, two if index == 0 else one)
    if index == 0:
        return _with_other(op, 0, "{other}/({x}² + {other}²)", two / size, other)
    return _with_other(op, 1, "−{other}/({x}² + {other}²)", -one / size, other)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Maximum", "Minimum"), _extreme),
    "Add": _add,
    "Sub": _sub,
    "Rsub": _rsub,
    "Mul": _mul,
    "Div": _div,
    "Pow": _pow,
    "Where": _where,
    "MaskedFill": _masked_fill,
    "Atan2": _atan2,
}
"""Rules by the name of the backward function."""
