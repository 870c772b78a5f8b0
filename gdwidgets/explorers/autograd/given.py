"""Plain-worded checks of what an autograd explorer is given."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
from torch import Tensor
from traitlets import TraitError

from gdwidgets.core import checks

OWN = "your own"
"""The preset that stands for a function of the user's."""


def chosen_preset(function: Any, tensors: Any, preset: str | None) -> str:
    """The preset that a function, its tensors and a preset's name amount to.

    Raises
    ------
    ValueError
        When they contradict each other.
    """
    if function is not None and not callable(function):
        raise ValueError(f"function must be a callable, not {checks.shown(function)}")
    if function is None and tensors is not None:
        raise ValueError("tensors were given without a function that uses them")
    if function is not None and preset not in {None, OWN}:
        raise ValueError(f"give a function or preset={preset!r}, not both")
    return OWN if function is not None else preset or "toy neuron"


def copied(value: Any) -> Any:
    """Named tensors in a dictionary of their own: what is done to the given one changes nothing."""
    if not isinstance(value, Mapping):
        return value
    return {name: _copy(tensor) for name, tensor in value.items()}


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return value.copy() if isinstance(value, np.ndarray) else deepcopy(value)


def names(value: Any) -> tuple[str, ...]:
    """Names of tensors or operations as a tuple.

    Raises
    ------
    TraitError
        When they are no sequence of names.
    """
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise TraitError(f"names must be given as a tuple, such as ('w', 'b'), not {value!r}")
