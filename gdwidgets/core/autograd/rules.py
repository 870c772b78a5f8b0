"""Notes for PyTorch's backward functions, each made from what the node in hand has saved.

A rule gets one node and one of its inputs, and returns a `Note`; where there is no rule, or the
node holds something the rule does not know, the note is the general one. The formulas are those of
PyTorch's ``derivatives.yaml``; https://github.com/pytorch/pytorch/blob/main/tools/autograd.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gdwidgets.core.autograd.nodes import Local
from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.trace import Item

Rule = Callable[["Operation", int], Note | None]

OTHER = "the other input"

MOST_COMPARED = 10_000
"""Results of up to this many numbers have their notes compared with the backward function."""


class Operation:
    """A node of the real graph, with what its backward function has saved."""

    def __init__(self, item: Item) -> None:
        self.item = item
        fn: Any = item.grad_fn
        self.fn = fn
        match = re.fullmatch(r"(\w+)Backward(\d+)", fn.name().split("::")[-1])
        self.kind, self.variant = (match[1], int(match[2])) if match else ("", 0)
        metas = getattr(fn, "_input_metadata", ())  # of its results, which are backward's inputs
        self.dtype: torch.dtype = metas[0].dtype if metas else torch.float32
        self.shapes = [tuple(meta.shape) for meta in metas]
        self.shape = self.shapes[0] if len(metas) == 1 else (sum(map(math.prod, self.shapes)),)

    def saved(self, name: str) -> Any:
        """A saved value; None where it was not needed."""
        value = getattr(self.fn, f"_saved_{name}")
        if isinstance(value, tuple):
            return tuple(_signed(v) for v in value)
        return value.detach() if isinstance(value, Tensor) else _signed(value)

    def input_shape(self, index: int) -> tuple[int, ...]:
        """The shape of an input that gradients go to."""
        fn, nth = self.fn.next_functions[index]
        variable = getattr(fn, "variable", None)
        if variable is not None:
            return tuple(variable.shape)
        return tuple(fn._input_metadata[nth].shape)  # noqa: SLF001 - see above

    def named(self, index: int, tensor: Tensor | None) -> dict[str, str] | str:
        """How another input is called: the role ``other`` for a node, or a text."""
        inputs = self.item.real_inputs
        found = inputs[index] if 0 <= index < len(inputs) else None
        if found is not None:
            return {"other": found.name}
        if tensor is None:
            return OTHER
        for item, _ in self.item.called_with:
            result = item.result
            if (
                result is not None
                and item.outputs == 1
                and result.numel()
                and result.data_ptr() == tensor.data_ptr()
                and result.shape == tensor.shape
            ):
                return {"other": item.name}
        return number(float(tensor)) if tensor.numel() == 1 else OTHER

    def note(
        self,
        index: int,
        passes: str,
        local: str,
        rule: Callable[[Tensor], Tensor] | None,
        derivative: Tensor | None = None,
        **names: str,
    ) -> Note:
        """A note for one input."""
        target = self.item.real_inputs[index]
        to = "" if target is None else target.name
        roles = {"x": to, "y": self.item.name} | names
        return Note(to, passes, local, roles, derivative, self.shape, self.dtype, rule)

    def times(
        self, index: int, local: str, factor: Tensor | float, aside: str = "", **names: str
    ) -> Note:
        """A note for a result whose numbers each depend on one number of the input."""
        shape = self.input_shape(index)
        value = factor if isinstance(factor, Tensor) else _tensor(factor)
        passes = {"1": "grad_output as it is", "0": "0"}.get(
            local, f"grad_output × {_factor(local)}"
        )
        if math.prod(shape) != math.prod(self.shape):
            passes += ", summed over the places that {x} was repeated in"
        rule = lambda g: (g * value).sum_to_size(shape)  # noqa: E731
        return self.note(index, passes, local + aside, rule, value, **names)

    def loss(self, index: int, local: str, factor: Tensor, **names: str) -> Note:
        """A note for a loss, whose gradient goes to every number of the input."""
        shape = self.input_shape(index)
        rule = lambda g: (g * factor).sum_to_size(shape)  # noqa: E731
        return self.note(index, f"grad_output × {_factor(local)}", local, rule, factor, **names)

    def moved(
        self,
        index: int,
        passes: str,
        rule: Callable[[Tensor], Tensor],
        local: str = "1 between a number and its copy, 0 elsewhere",
    ) -> Note:
        """A note for a result that holds numbers of the input at other places."""
        return self.note(index, passes, local, rule)


def number(value: float) -> str:
    """A number in a text."""
    return f"{value:.6g}".replace("-", "−")


def _tensor(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float32, device="cpu")


def _factor(text: str) -> str:
    """A factor in a product: in brackets unless it is one name, number, function or bracket."""
    simple = r"(1/)?[\w.{}]+(\([^()]*\))?|\[[^]]*\]"
    return text if re.fullmatch(simple, text) else f"({text})"


def _signed(value: Any) -> Any:
    """A whole number as it was given: negative ones are saved as large ones."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 2**63:
        return value - 2**64
    return value


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


# -- one number in, one number out ----------------------------------------------------------------

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


# -- two inputs -----------------------------------------------------------------------------------


def _scaled(op: Operation, index: int, factor: float) -> Note:
    """A note for an input that is added with a factor."""
    return op.times(index, number(factor), factor)


def _add(op: Operation, index: int) -> Note:
    return _scaled(op, index, float(op.saved("alpha")) if index == 1 else 1.0)


def _sub(op: Operation, index: int) -> Note:
    return _scaled(op, index, -float(op.saved("alpha")) if index == 1 else 1.0)


def _rsub(op: Operation, index: int) -> Note:
    return _scaled(op, index, 1.0 if index == 1 else -float(op.saved("alpha")))


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


# -- many numbers to one --------------------------------------------------------------------------


def _spread(g: Tensor, dims: Any, keepdim: bool, shape: Sequence[int]) -> Tensor:
    """A reduced gradient in the shape it had before: every number repeated."""
    for dim in _dims(dims, len(shape)):
        if not keepdim:
            g = g.unsqueeze(dim)
    return g.expand(shape)


def _dims(dims: Any, ndim: int) -> list[int]:
    """Dimensions in ascending order, counted from the front; none named means all."""
    if dims is None or dims == ():
        return list(range(ndim))
    named = dims if isinstance(dims, (tuple, list)) else (dims,)
    return sorted(int(dim) % max(ndim, 1) for dim in named) if ndim else []


def _along(dims: Sequence[int], ndim: int) -> str:
    """Which numbers are meant when dimensions were reduced."""
    if len(dims) == ndim:
        return ""
    word = "dimension" if len(dims) == 1 else "dimensions"
    return f" along {word} {' and '.join(str(dim) for dim in dims)}"


def _reduced(op: Operation, index: int) -> tuple[list[int], bool, tuple[int, ...]]:
    """Dimensions that were reduced, whether they were kept as 1, and the input's shape."""
    shape = op.input_shape(index)
    whole = (op.variant == 0 and op.kind in {"Sum", "Mean", "Prod"}) or len(shape) == 0
    if whole:
        return _dims(None, len(shape)), False, shape
    return _dims(op.saved("dim"), len(shape)), bool(op.saved("keepdim")), shape


def _everywhere(dims: Sequence[int], shape: Sequence[int]) -> str:
    """Where a reduced gradient goes: nothing need be said of a single number."""
    return f", at every number{_along(dims, len(shape))}" if math.prod(shape) != 1 else ""


def _sum(op: Operation, index: int) -> Note:
    dims, keep, shape = _reduced(op, index)
    passes = f"grad_output as it is{_everywhere(dims, shape)}"
    return op.note(index, passes, "1", lambda g: _spread(g, dims, keep, shape), _tensor(1.0))


def _mean(op: Operation, index: int) -> Note:
    dims, keep, shape = _reduced(op, index)
    count = math.prod(shape[dim] for dim in dims)
    if count == 1:
        passes, local = f"grad_output as it is{_everywhere(dims, shape)}", "1"
    else:
        local = f"1/{count}"
        passes = f"grad_output × {local}{_everywhere(dims, shape)}"
    derivative = _tensor(1 / max(count, 1))
    rule = lambda g: _spread(g, dims, keep, shape) * derivative  # noqa: E731
    return op.note(index, passes, local, rule, derivative)


def _per_group(op: Operation, index: int, local: str, factor: Tensor) -> Note:
    """A reduction with a factor of its own for every number."""
    dims, keep, shape = _reduced(op, index)
    passes = f"grad_output × ({local}), at every number{_along(dims, len(shape))}"
    return op.note(index, passes, local, lambda g: _spread(g, dims, keep, shape) * factor, factor)


def _widened(op: Operation, index: int, result: Tensor) -> Tensor:
    dims, keep, shape = _reduced(op, index)
    return _spread(result, dims, keep, shape)


def _prod(op: Operation, index: int) -> Note | None:
    x = op.saved("self")
    if bool((x == 0).any()):
        return None
    return _per_group(op, index, "{y}/{x}", _widened(op, index, op.saved("result")) / x)


def _norm(op: Operation, index: int) -> Note | None:
    if float(op.saved("ord")) != 2:
        return None
    x, length = op.saved("self"), _widened(op, index, op.saved("result"))
    return _per_group(op, index, "{x}/{y}", torch.where(length == 0, 0.0, x / length))


def _logsumexp(op: Operation, index: int) -> Note:
    x = op.saved("self")
    factor = torch.exp(x - _widened(op, index, op.saved("result")))
    return _per_group(op, index, "exp({x} − {y}), the softmax", factor)


def _variance(op: Operation, index: int) -> Note | None:
    x = op.saved("self")
    dims, _, shape = _reduced(op, index)
    correction = op.saved("correction")
    count = math.prod(shape[dim] for dim in dims)
    below = count - (1.0 if correction is None else float(correction))
    if below <= 0 or not dims:
        return None
    centred = x - x.mean(dims, keepdim=True)
    if op.kind == "Var":
        local = f"2 · ({{x}} − mean)/{number(below)}"
        return _per_group(op, index, local, 2 * centred / below)
    result = _widened(op, index, op.saved("result"))
    if bool((result == 0).any()):
        return None
    return _per_group(
        op, index, f"({{x}} − mean)/({number(below)} · {{y}})", centred / below / result
    )


def _most(op: Operation, index: int) -> Note:
    """max() and min() of everything, amax and amin: equal ones divide the gradient."""
    x = op.saved("self")
    word = "largest" if "ax" in op.kind else "smallest"
    if op.kind in {"Max", "Min"} and op.variant == 0:
        return _picked(op, index, word)
    if op.kind in {"Max", "Min"}:
        dims, keep, shape = list(range(x.ndim)), False, tuple(x.shape)
    else:
        dims, keep, shape = _reduced(op, index)
    is_it = x == _spread(op.saved("result"), dims, keep, shape)
    count = is_it.sum(dims, keepdim=True) if dims else torch.ones(())
    factor = is_it / count
    local = f"1 at the {word} number, 0 elsewhere"
    if int(is_it.sum()) > math.prod(op.shape):
        local = f"1/n at the n {word} numbers, which are equal, 0 elsewhere"
    return op.note(
        index,
        f"grad_output × ({local})",
        local,
        lambda g: _spread(g, dims, keep, shape) * factor,
        factor,
    )


def _picked(op: Operation, index: int, word: str) -> Note:
    """Values at saved indices along a dimension."""
    dim, indices = op.saved("dim"), op.saved("indices")
    shape = op.input_shape(index)
    keep = len(indices.shape) == len(shape)

    def rule(g: Tensor) -> Tensor:
        zeros = torch.zeros(shape, dtype=g.dtype, device="cpu")
        if not shape:
            return g.clone()
        if not keep:
            return zeros.scatter(dim, indices.unsqueeze(dim), g.unsqueeze(dim))
        return zeros.scatter(dim, indices, g)

    passes = (
        f"grad_output at the {word} number along dimension {dim % max(len(shape), 1)}, 0 elsewhere"
    )
    return op.moved(index, passes, rule, "1 at the chosen number, 0 elsewhere")


def _max_dim(op: Operation, index: int) -> Note:
    if op.variant == 0:
        return _picked(op, index, "largest" if op.kind == "Max" else "smallest")
    return _most(op, index)


def _ordered(op: Operation, index: int) -> Note:
    dim, indices, shape = op.saved("dim"), op.saved("indices"), op.input_shape(index)
    verb = "sorted" if op.kind == "Sort" else "chosen"

    def rule(g: Tensor) -> Tensor:
        if not shape:
            return g.clone()
        return torch.zeros(shape, dtype=g.dtype, device="cpu").scatter(dim, indices, g)

    return op.moved(index, f"grad_output, every number where it stood before it was {verb}", rule)


# -- functions of a whole row ---------------------------------------------------------------------


def _softmax(op: Operation, index: int) -> Note:
    dim, y = op.saved("dim"), op.saved("result")
    return op.note(
        index,
        f"{{y}} × (grad_output − Σ grad_output · {{y}}), the sum along dimension {dim}",
        "{y}ᵢ · (δᵢⱼ − {y}ⱼ)",
        lambda g: y * (g - (g * y).sum(dim, keepdim=True)),
        y,
    )


def _log_softmax(op: Operation, index: int) -> Note:
    dim, y = op.saved("dim"), op.saved("result")
    return op.note(
        index,
        f"grad_output − exp({{y}}) × Σ grad_output, the sum along dimension {dim}",
        "δᵢⱼ − exp({y}ⱼ)",
        lambda g: g - torch.exp(y) * g.sum(dim, keepdim=True),
        torch.exp(y),
    )


def _cumsum(op: Operation, index: int) -> Note:
    dim = op.saved("dim")
    return op.note(
        index,
        f"the sum of grad_output from its own place to the end of dimension {dim}",
        "1 for this and every later sum, 0 for earlier ones",
        lambda g: g.flip(dim).cumsum(dim).flip(dim) if g.ndim else g.clone(),
    )


# -- losses ---------------------------------------------------------------------------------------

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


# -- products of matrices -------------------------------------------------------------------------


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
        return _scaled(op, 0, beta)
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
        return _scaled(op, 0, beta)
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


# -- numbers at other places ----------------------------------------------------------------------


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
    **dict.fromkeys(BY_INPUT, _by_input),
    **dict.fromkeys(BY_RESULT, _by_result),
    **dict.fromkeys(("Sign", "Floor", "Ceil", "Round", "Trunc"), _step),
    **dict.fromkeys(("Clamp", "ClampMin", "ClampMax", "Hardtanh"), _clamped),
    **dict.fromkeys(("Maximum", "Minimum"), _extreme),
    **dict.fromkeys(("Var", "Std"), _variance),
    **dict.fromkeys(("Max", "Min"), _max_dim),
    **dict.fromkeys(("Amax", "Amin"), _most),
    **dict.fromkeys(("Sort", "Topk"), _ordered),
    **dict.fromkeys(("SmoothL1Loss", "HuberLoss"), _huber),
    **dict.fromkeys(("BinaryCrossEntropy", "BinaryCrossEntropyWithLogits"), _cross_entropy),
    **dict.fromkeys(("Mm", "Bmm"), _mm),
    **dict.fromkeys(("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze"), _reshaped),
    **dict.fromkeys(("Clone", "Alias", "ToCopy"), _copied),
    **dict.fromkeys(("T", "Transpose", "Permute"), _transposed),
    **dict.fromkeys(("Gather", "IndexSelect"), _gathered),
    **dict.fromkeys(("Unbind", "Split", "SplitWithSizes"), _parted),
    "Neg": _neg,
    "Gelu": _gelu,
    "Softplus": _softplus,
    "LeakyRelu": _leaky_relu,
    "Elu": _elu,
    "Add": _add,
    "Sub": _sub,
    "Rsub": _rsub,
    "Mul": _mul,
    "Div": _div,
    "Pow": _pow,
    "Where": _where,
    "MaskedFill": _masked_fill,
    "Atan2": _atan2,
    "Sum": _sum,
    "Mean": _mean,
    "Prod": _prod,
    "LinalgVectorNorm": _norm,
    "Logsumexp": _logsumexp,
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "Cumsum": _cumsum,
    "MseLoss": _mse,
    "NllLoss": _nll,
    "Addmm": _addmm,
    "Mv": _mv,
    "Addmv": _addmv,
    "Dot": _dot,
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
"""Rules by the name of the backward function, without ``Backward`` and its number."""
