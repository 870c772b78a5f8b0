"""Expressions worth walking through, as functions of named tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.data import initial_parameters, training_pairs

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
}
"""What the layers of a chain may be."""

MOST_LAYERS = 30

DEPTH = 10
"""Layers of the presets whose depth is fixed."""

WEIGHT = 1.5
"""The weight of every layer of the exploding preset."""


@dataclass(frozen=True)
class Preset:
    """An expression with its tensors, and what its intermediate results are called."""

    function: Callable[..., Tensor]
    tensors: Mapping[str, Tensor]
    requires_grad: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    """Names of operations, and of the variables that hold their results."""

    layers: tuple[str, ...] = ()
    """For layers in a row: the node of the input, then that of each layer's result."""


def neuron(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """The course's toy neuron: z = x w + b, and the loss (z − y)²."""
    z = torch.matmul(x, w) + b
    return torch.square(z - y).mean()


def product(x: Tensor) -> Tensor:
    """The product x · x of the course's section on tracking control."""
    return torch.matmul(x, x)


def regression(x: Tensor, y: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The loss of one sample of the course's polynomial regression."""
    y_pred = a + b * x + c * x**2
    return (y_pred - y).pow(2).mean()


def shared(x: Tensor) -> Tensor:
    """x² · sin x: two paths lead from x to the result, and their gradients add."""
    return x**2 * torch.sin(x)


def weighted(x: Tensor, w: Tensor) -> Tensor:
    """Ten layers with the same weight w and no activation: w¹⁰ x, whose gradient grows by w."""
    for _ in range(DEPTH):
        x = w * x
    return x


def chain(activation: str, layers: int) -> Callable[[Tensor], Tensor]:
    """The same activation, applied ``layers`` times.

    Raises
    ------
    ValueError
        When the activation is unknown or ``layers`` is not from 1 to 30.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    count = checks.integer(layers, "layers", 1, MOST_LAYERS)
    apply = ACTIVATIONS[activation]

    def layered(x: Tensor) -> Tensor:
        for _ in range(count):
            x = apply(x)
        return x

    return layered


def _numbers(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device="cpu")


def _neuron() -> Preset:
    tensors = {
        "x": _numbers([[2.0, 3.0]]),
        "w": _numbers([[1.0], [1.0]]),
        "b": _numbers([[1.0]]),
        "y": _numbers([[3.0]]),
    }
    return Preset(neuron, tensors, ("w", "b"), {"add": "z", "mean": "loss"})


def _product() -> Preset:
    return Preset(product, {"x": _numbers([1.0, 2.0, 3.0])}, ("x",), {"matmul": "z"})


def _regression() -> Preset:
    x, y = training_pairs()
    a, b, c = initial_parameters()
    tensors = {"x": x[0].clone(), "y": y[0].clone(), "a": a, "b": b, "c": c}
    variables = {"add 2": "y_pred", "mean": "loss"}
    return Preset(regression, tensors, ("a", "b", "c"), variables)


def _shared() -> Preset:
    return Preset(shared, {"x": _numbers(2.0)}, ("x",), {"mul": "z"})


def _chain(activation: str, layers: int) -> Preset:
    names = _operations(activation, layers)
    results = {operation: f"a{k}" for k, operation in enumerate(names, 1)}
    tensors = {"x": _numbers(1.0)}
    return Preset(chain(activation, layers), tensors, ("x",), results, ("x", *names))


def _exploding() -> Preset:
    names = _operations("mul", DEPTH)
    results = {operation: f"a{k}" for k, operation in enumerate(names, 1)}
    tensors = {"x": _numbers(1.0), "w": _numbers(WEIGHT)}
    return Preset(weighted, tensors, ("x", "w"), results, ("x", *names))


def _operations(word: str, count: int) -> list[str]:
    """What the nodes of the same operation, done ``count`` times, are called."""
    return [word if k == 1 else f"{word} {k}" for k in range(1, count + 1)]


PRESETS: Mapping[str, Callable[[], Preset]] = {
    "toy neuron": _neuron,
    "x · x": _product,
    "used twice": _shared,
    "regression sample": _regression,
    "10 sigmoids": lambda: _chain("sigmoid", DEPTH),
    "exploding": _exploding,
}
"""Names of the presets of a fixed size, and functions that make them."""

CHAINS: Mapping[str, str] = {f"{name} chain": name for name in ACTIVATIONS}
"""Names of the chains of any length, and of their activations."""

PRESET_NAMES = (*PRESETS, *CHAINS)


def preset(name: str, layers: int = 10) -> Preset:
    """A preset by its name.

    Parameters
    ----------
    name
        One of ``PRESET_NAMES``.
    layers
        For a chain: its length, 1 to 30.

    Raises
    ------
    ValueError
        When there is none of this name, or ``layers`` does not fit.
    """
    if name in CHAINS:
        return _chain(CHAINS[name], checks.integer(layers, "layers", 1, MOST_LAYERS))
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESET_NAMES)}, not {name!r}")
    return PRESETS[name]()
