"""Objectives as source text: definitions, data, the forward pass, and what the course prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from gdwidgets.core import checks
from gdwidgets.core.data import training_pairs
from gdwidgets.core.objectives.batches import MiniBatches
from gdwidgets.core.objectives.neuron import LinearNeuron
from gdwidgets.core.objectives.regression import PolynomialRegression
from gdwidgets.core.objectives.surface import Surface
from gdwidgets.core.scripts import literals
from gdwidgets.core.scripts.carried import Carried, carried
from gdwidgets.core.session import own_torch_state

MOST_WRITTEN = 200
"""Samples that are written out; of more the script refers to the user's own x and y."""

_ADDED = 4
"""Terms that torch's sum over rows adds one after another, as a sum written out does."""


@dataclass(frozen=True)
class Written:
    """The parts of a script that an objective determines."""

    function: Carried | None
    """What the forward pass calls."""
    data: tuple[str, ...]
    """Lines that define the data."""
    forward: tuple[str, ...]
    """The forward pass, which makes ``loss``."""
    progress: Callable[[Sequence[str], int], list[str]]
    """Of names and indentation: the lines that print a step's numbers."""
    after_backward: bool
    """Whether those belong after the backward pass, whose gradients they show."""
    final: Callable[[Sequence[str], int], list[str]]
    """Of names and indentation: the lines that print the last numbers."""
    vectors: bool = False
    """Whether the forward pass takes parameters of shape (1,) only, not of no dimensions."""


def written_objective(objective: Any, start: Sequence[float], taken: AbstractSet[str]) -> Written:
    """How an objective is computed.

    Parameters
    ----------
    objective
        A `Surface`, `LinearNeuron`, `PolynomialRegression` or `MiniBatches` of one, exactly.
    start
        A point (P,) at which a surface's function is tried.
    taken
        Names that the rest of the script defines.

    Raises
    ------
    ValueError
        When it is of another type, or a function's source cannot be had.
    """
    writer = WRITERS.get(type(objective))
    if writer is None:
        raise ValueError(
            "a script can be made for a Surface, a PolynomialRegression, MiniBatches of one, "
            f"MicroBatches or a LinearNeuron, got {checks.shown(objective)}"
        )
    return writer(objective, start, taken)


# -- surfaces --------------------------------------------------------------------------------------


def _surface(surface: Surface, start: Sequence[float], taken: AbstractSet[str]) -> Written:
    made = carried(surface.function, "function", taken)
    if made is None:
        raise ValueError(
            f"no script: the source of {surface.function!r} cannot be had, or it refers to "
            "something that cannot be written down; define it with def or lambda in a cell or "
            "file, out of torch functions, numbers and other such functions"
        )
    without, vectors = _tried(surface, start)
    loss = " + ".join([f"loss = {made.called}(u, v)", *(f"0 * {name}" for name in without)])
    said = [f"# It does not depend on {name}, so the gradient is 0" for name in without]
    return Written(
        function=made,
        data=(),
        forward=(*said, loss),
        progress=_every_hundredth,
        after_backward=False,
        final=_final_point,
        vectors=vectors,
    )


def _every_hundredth(names: Sequence[str], indent: int) -> list[str]:
    values = [f"{name} = {{{name}.item():.4f}}, " for name in names]
    pieces = ["Step {step:4d} | ", *values, "loss = {loss.item():.6f}"]
    return [
        "if step % 100 == 0 or step == num_iterations:",
        *(f"    {line}" for line in literals.printing(pieces, indent=indent + 4)),
    ]


def _final_point(names: Sequence[str], indent: int) -> list[str]:
    values = [f"{name} = {{{name}.item():.4f}}, " for name in names]
    return literals.printing(["Final: ", *values, "final loss = {losses[-1]:.6f}"], indent=indent)


def _tried(surface: Surface, start: Sequence[float]) -> tuple[tuple[str, ...], bool]:
    """Which parameters get no gradient, and whether parameters must have a dimension."""
    names = surface.parameter_names
    with own_torch_state(), torch.autograd.set_detect_anomaly(False):
        for shape in ((), (1,)):
            leaves = [
                torch.full(shape, float(value), dtype=torch.float32, device="cpu").requires_grad_()
                for value in start
            ]
            try:
                loss = surface.function(*leaves)
                if loss.shape != shape:
                    continue
                grads: Any = torch.autograd.grad(loss, leaves, allow_unused=True)
            except Exception:  # noqa: BLE001, S112 - the other shape may do
                continue
            pairs = zip(names, grads, strict=True)
            return tuple(name for name, grad in pairs if grad is None), bool(shape)
    return (), False


# -- one neuron ------------------------------------------------------------------------------------


def _neuron(neuron: LinearNeuron, _: Sequence[float], __: AbstractSet[str]) -> Written:
    return Written(
        function=None,
        data=("", "# Input and target", f"x = {neuron.x!r}", f"y = {neuron.y!r}"),
        forward=("loss = (a * x + b - y) ** 2",),
        progress=_row,
        after_backward=True,
        final=lambda _names, _indent: [],
    )


def _row(names: Sequence[str], indent: int) -> list[str]:
    values = [f" | {{{name}.item():8.4f}}" for name in names]
    grads = [f" | {{{name}.grad.item():8.4f}}" for name in names]
    pieces = ["{step:4d} | {loss.item():10.6f}", *values, *grads]
    return literals.printing(pieces, indent=indent)


# -- regressions -----------------------------------------------------------------------------------


def _regression(
    regression: PolynomialRegression, _: Sequence[float], __: AbstractSet[str]
) -> Written:
    names = regression.parameter_names
    powers, prediction = _prediction(names, "x", "powers")
    return Written(
        function=None,
        data=(*samples(regression.x, regression.y), *powers),
        forward=(*prediction, "loss = (y_pred - y).pow(2).sum() * (1 / len(x))"),
        progress=_every_thousandth,
        after_backward=False,
        final=_learned,
    )


def _mini_batches(batches: MiniBatches, _: Sequence[float], __: AbstractSet[str]) -> Written:
    regression = batches.regression
    names = regression.parameter_names
    powers, prediction = _prediction(names, "x_batch", "powers[:, batch]")
    count = len(regression.x)
    seed = f"{batches.seed} + epoch" if batches.seed else "epoch"
    deal = [
        f"epoch, position = divmod(step - 1, {batches.batches})",
        f"generator = torch.Generator().manual_seed({seed})",
        f"order = torch.randperm({count}, generator=generator{_device()})",
        "batch = order[position * batch_size : (position + 1) * batch_size]",
        "x_batch, y_batch = x[batch], y[batch]",
    ]
    head = [*samples(regression.x, regression.y), *powers, ""]
    head += ["# Every epoch deals out all samples in a new order"]
    head += [f"batch_size = {batches.size}"]
    loss = "loss = (y_pred - y_batch).pow(2).sum() * (1 / len(x_batch))"
    return Written(
        function=None,
        data=tuple(head),
        forward=(*deal, *prediction, loss),
        progress=_every_thousandth,
        after_backward=False,
        final=_learned,
    )


def _device() -> str:
    return "" if torch.get_default_device().type == "cpu" else ', device="cpu"'


def _prediction(names: Sequence[str], x: str, powers: str) -> tuple[list[str], list[str]]:
    """Lines before the loop and in it that compute ``y_pred``.

    Torch adds up to four rows as a written sum does, and more of them in an order that depends
    on the column; the recording sums rows, and its numbers are what the script is to give.
    """
    if len(names) <= _ADDED:
        terms = [
            name if power == 0 else f"{name} * {x}" if power == 1 else f"{name} * {x}**{power}"
            for power, name in enumerate(names)
        ]
        return [], ["y_pred = " + " + ".join(terms)]
    return [
        "",
        f"# Rows 1, x, x**2, ..., x**{len(names) - 1}",
        f"powers = torch.stack([x**power for power in range({len(names)})])",
    ], [
        f"coefficients = torch.stack([{', '.join(names)}])",
        f"y_pred = (coefficients[:, None] * {powers}).sum(0)",
    ]


def samples(x: torch.Tensor, y: torch.Tensor) -> list[str]:
    """Lines that define x and y, or that say whose they are."""
    count = len(x)
    drawn = training_pairs(count)
    if torch.equal(x, drawn[0]) and torch.equal(y, drawn[1]):
        told = f"{count}, generator=generator{literals.settings()}"
        return [
            "",
            "# The course's training samples; the global generator is left alone",
            "generator = torch.Generator().manual_seed(0)",
            *literals.fitted([f"x = 2 * torch.rand({told})", f"noise = torch.randn({told})"]),
            "y = x + 2 * (x - 0.9) ** 2 + 0.3 * torch.cos(20 * x) + 0.1 * noise",
        ]
    if count > MOST_WRITTEN:
        return [
            "",
            f"# x and y are your data, as given: {count:,} samples",
            "x = torch.as_tensor(x, dtype=torch.float32)",
            "y = torch.as_tensor(y, dtype=torch.float32)",
        ]
    return [
        "",
        "# The samples",
        *literals.vector("x", x.tolist()),
        *literals.vector("y", y.tolist()),
    ]


def _every_thousandth(_: Sequence[str], indent: int) -> list[str]:
    pieces = ["Iteration {step:4d} | ", "Loss: {loss.item():.4f}"]
    return [
        "if step % 1000 == 0:",
        *(f"    {line}" for line in literals.printing(pieces, indent=indent + 4)),
    ]


def _learned(names: Sequence[str], indent: int) -> list[str]:
    values = [f"{name} = {{{name}.item():.4f}}, " for name in names]
    values[-1] = values[-1].removesuffix(", ")
    return literals.printing(["Learned parameters: ", *values], indent=indent)


WRITERS: Mapping[type, Callable[[Any, Sequence[float], AbstractSet[str]], Written]] = (
    MappingProxyType(
        {
            Surface: _surface,
            LinearNeuron: _neuron,
            PolynomialRegression: _regression,
            MiniBatches: _mini_batches,
        }
    )
)
"""The function that writes the objectives of a type."""


def identifier(text: str) -> str:
    """``text`` as part of a Python name: ``0.5`` becomes ``0_5``."""
    return re.sub(r"\W+", "_", text).strip("_").lower()
