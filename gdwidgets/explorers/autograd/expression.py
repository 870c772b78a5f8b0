"""What is computed: a preset or a function of the user's, with numbers that may be changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.autograd.graph import default_requires_grad, named_tensors
from gdwidgets.core.autograd.presets import Preset, preset

OWN = "your own"
"""The preset that stands for a function of the user's."""


def chosen_preset(function: Any, tensors: Any, name: str | None) -> str:
    """The preset that a function, its tensors and a preset's name amount to.

    Raises
    ------
    ValueError
        When they contradict each other.
    """
    if function is None and tensors is not None:
        raise ValueError("tensors were given without a function that uses them")
    if function is not None and name not in {None, OWN}:
        raise ValueError(f"give a function or preset={checks.shown(name)}, not both")
    return OWN if function is not None else "toy neuron" if name is None else name


def a_function(value: Any, name: str) -> Callable[..., Tensor] | None:
    """A callable, or None for a preset."""
    if value is not None and not callable(value):
        raise ValueError(f"{name} must be a callable of named tensors, not {checks.shown(value)}")
    found: Callable[..., Tensor] | None = value
    return found


def some_tensors(value: Any, _: str) -> Mapping[str, Tensor] | None:
    """Copies of named tensors, which keep ``requires_grad``; None for a preset."""
    if value is None:
        return None
    made = named_tensors(value)
    for key, given in (checks.mapping(value) or {}).items():
        if isinstance(given, Tensor) and given.requires_grad:
            made[key].requires_grad_()
    return made


def names(value: Any, name: str) -> tuple[str, ...]:
    """Names of tensors or operations as a tuple."""
    several = checks.items(value) if isinstance(value, (list, tuple)) else None
    if several is not None and all(isinstance(one, str) for one in several):
        return tuple(several)
    raise ValueError(
        f"{name} must be a tuple of names, such as ('w', 'b'), not {checks.shown(value)}"
    )


def some_names(value: Any, name: str) -> tuple[str, ...] | None:
    """Names of tensors as a tuple, or None."""
    return None if value is None else names(value, name)


def some_values(value: Any, name: str) -> Mapping[str, Any] | None:
    """Names and nested tuples of numbers, or None; their shapes are checked where they are used."""
    if value is None:
        return None
    given = checks.mapping(value)
    if given is None or not all(isinstance(key, str) for key in given):
        raise ValueError(
            f"{name} must map names to numbers, such as {{'x': [[2.0, 3.0]]}}, "
            f"not {checks.shown(value)}"
        )
    made = {
        key: nested(checks.finite_float32(numbers, f"{name}[{checks.shown(key)}]"))
        for key, numbers in given.items()
    }
    return made or None


def nested(tensor: Tensor) -> Any:
    """A tensor's numbers as nested tuples."""

    def frozen(values: Any) -> Any:
        return tuple(frozen(one) for one in values) if isinstance(values, list) else values

    return frozen(tensor.tolist())


def expression(
    function: Callable[..., Tensor] | None,
    tensors: Mapping[str, Tensor] | None,
    name: str,
    layers: int,
    values: Mapping[str, Any] | None = None,
) -> Preset:
    """The function that is run, its tensors, and what its results are called.

    Parameters
    ----------
    function, tensors
        The user's own, for the preset `OWN`.
    name
        A preset's name, or `OWN`.
    layers
        Length of a chain.
    values
        Numbers in place of those that the tensors come with.

    Raises
    ------
    ValueError
        When the function or its tensors are missing, or values do not fit the tensors.
    """
    if name != OWN:
        found = preset(name, layers)
    elif function is None:
        raise ValueError(f"preset={OWN!r} needs a function: give function and tensors")
    else:
        held = named_tensors(tensors)
        found = Preset(function, held, default_requires_grad(tensors or {}))
    if not values:
        return found
    given = dict(found.tensors)
    for key, numbers in values.items():
        if key not in given:
            raise ValueError(
                f"values names {checks.shown(key)}, but there is no such tensor; there are "
                f"{', '.join(given)}"
            )
        new = torch.tensor(numbers, dtype=torch.float32, device="cpu")
        if new.shape != given[key].shape or not given[key].is_floating_point():
            raise ValueError(
                f"values[{key!r}] must be floating-point numbers of shape "
                f"{tuple(given[key].shape)}, not {checks.shown(numbers)}"
            )
        given[key] = new
    return replace(found, tensors=given)
