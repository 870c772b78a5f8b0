"""Notes for functions of one number: each number of the result depends on one of the input.

The formulas are those of
PyTorch's ``derivatives.yaml``; https://github.com/pytorch/pytorch/blob/main/tools/autograd.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.operation import Operation, Rule, number

Factor = Callable[[Tensor, Tensor], Tensor]

BY_INPUT: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "Log": ("1/{x}", lambda x: 1 / x),
    "Log2": ("1/({x} · ln 2)", lambda x: 1 / (x * math.log(2))),
    "Log10": ("1/({x} · ln 10)", lambda x: 1 / (x * math.log(10))),
    "Log1P": ("1/(1 + {x})", lambda x: 1 / (1 + x)),
    "Sin": ("cos({x})", torch.cos),
    "Cos": ("−sin({x})", lambda x: -torch.sin(x)),
    "Sinh": ("cosh({x})", torch.cosh),
    "Cosh": ("sinh({x})", torch.sinh),
    "Asin": ("1/√(1 − {x}²)", lambda x: torch.rsqrt(1 - x * x)),
    "Acos": ("−1/√(1 − {x}²)", lambda x: -torch.rsqrt(1 - x * x)),
    "Atan": ("1/(1 + {x}²)", lambda x: 1 / (1 + x * x)),
    "Asinh": ("1/√({x}² + 1)", lambda x: torch.rsqrt(x * x + 1)),
    "Acosh": ("1/√({x}² − 1)", lambda x: torch.rsqrt(x * x - 1)),
    "Atanh": ("1/(1 − {x}²)", lambda x: 1 / (1 - x * x)),
    "Erf": ("2/√π · exp(−{x}²)", lambda x: 2 / math.sqrt(math.pi) * torch.exp(-x * x)),
    "Abs": ("−1 where {x} < 0, 1 where {x} > 0, 0 at 0", torch.sign),
    "LogSigmoid": ("σ(−{x})", lambda x: torch.sigmoid(-x)),
    "Silu": (
        "σ({x}) · (1 + {x} · (1 − σ({x})))",
        lambda x: torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x))),
    ),
}
"""The derivative of functions of one number, from the input ``x``."""

BY_RESULT: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "Exp": ("exp({x})", lambda y: y),
    "Exp2": ("ln 2 · {y}", lambda y: math.log(2) * y),
    "Expm1": ("exp({x})", lambda y: y + 1),
    "Tan": ("1 + {y}²", lambda y: 1 + y * y),
    "Tanh": ("1 − {y}²", lambda y: 1 - y * y),
    "Sigmoid": ("{y} · (1 − {y})", lambda y: y * (1 - y)),
    "Relu": ("1 where {x} > 0, 0 elsewhere", lambda y: (y > 0).to(y.dtype)),
    "Sqrt": ("1/(2 · {y})", lambda y: 0.5 / y),
    "Rsqrt": ("−{y}³/2", lambda y: -0.5 * y**3),
    "Reciprocal": ("−1/{x}²", lambda y: -y * y),
}
"""The derivative of functions of one number, from the result ``y``."""


MOST = {"Tanh": ", never more than 1", "Sigmoid": ", never more than 1/4"}
"""What is worth knowing of a derivative."""


def _by_input(op: Operation, index: int) -> Note:
    local, factor = BY_INPUT[op.kind]
    return op.times(index, local, factor(op.saved("self")))


def _by_result(op: Operation, index: int) -> Note:
    local, factor = BY_RESULT[op.kind]
    return op.times(index, local, factor(op.saved("result")), MOST.get(op.kind, ""))


def _neg(op: Operation, index: int) -> Note:
    return op.times(index, "−1", -1.0)


def _step(op: Operation, index: int) -> Note:
    return op.times(index, "0", 0.0)


def _gelu(op: Operation, index: int) -> Note | None:
    if op.saved("approximate") != "none":
        return None
    x = op.saved("self")
    density = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    cumulated = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    return op.times(
        index,
        "Φ({x}) + {x} · φ({x}), with the normal distribution and its density",
        cumulated + x * density,
    )


def _softplus(op: Operation, index: int) -> Note:
    x, beta, most = op.saved("self"), float(op.saved("beta")), float(op.saved("threshold"))
    factor = torch.where(x * beta > most, torch.ones_like(x), torch.sigmoid(beta * x))
    inner = "{x}" if beta == 1 else f"{number(beta)} · {{x}}"
    return op.times(index, f"σ({inner})", factor)


def _leaky_relu(op: Operation, index: int) -> Note:
    x, slope = op.saved("self"), float(op.saved("negative_slope"))
    factor = torch.where(x > 0, torch.ones_like(x), torch.full_like(x, slope))
    return op.times(index, f"1 where {{x}} > 0, {number(slope)} elsewhere", factor)


def _elu(op: Operation, index: int) -> Note:
    x = op.saved("self")
    alpha, inner, scale = (float(op.saved(n)) for n in ("alpha", "input_scale", "scale"))
    below = scale * alpha * inner * torch.exp(inner * x)
    factor = torch.where(x > 0, torch.full_like(x, scale), below)
    exponent = "{x}" if inner == 1 else f"{number(inner)} · {{x}}"
    times = "" if scale * alpha * inner == 1 else f"{number(scale * alpha * inner)} · "
    local = f"{number(scale)} where {{x}} > 0, {times}exp({exponent}) elsewhere"
    return op.times(index, local, factor)


def _clamped(op: Operation, index: int) -> Note | None:
    names = {"Hardtanh": ("min_val", "max_val"), "Clamp": ("min", "max")}
    x = op.saved("self")
    if op.kind in names:
        low, high = (op.saved(name) for name in names[op.kind])
    else:
        low = op.saved("min") if op.kind == "ClampMin" else None
        high = op.saved("max") if op.kind == "ClampMax" else None
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return None
    inside = torch.ones_like(x, dtype=torch.bool)
    strict = op.kind == "Hardtanh"
    if low is not None:
        inside &= x > low if strict else x >= low
    if high is not None:
        inside &= x < high if strict else x <= high
    sign = "<" if strict else "≤"
    left = "" if low is None else f"{number(float(low))} {sign} "
    right = "" if high is None else f" {sign} {number(float(high))}"
    return op.times(index, f"1 where {left}{{x}}{right}, 0 elsewhere", inside.to(x.dtype))


RULES: dict[str, Rule] = {
    **dict.fromkeys(BY_INPUT, _by_input),
    **dict.fromkeys(BY_RESULT, _by_result),
    **dict.fromkeys(("Sign", "Floor", "Ceil", "Round", "Trunc"), _step),
    **dict.fromkeys(("Clamp", "ClampMin", "ClampMax", "Hardtanh"), _clamped),
    "Neg": _neg,
    "Gelu": _gelu,
    "Softplus": _softplus,
    "LeakyRelu": _leaky_relu,
    "Elu": _elu,
}
"""Rules by the name of the backward function."""
