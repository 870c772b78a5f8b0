"""Plain-worded checks of what an autograd explorer is given."""

from __future__ import annotations

from typing import Any

from traitlets import TraitError

OWN = "your own"
"""The preset that stands for a function of the user's."""


def chosen_preset(function: Any, tensors: Any, preset: str | None) -> str:
    """The preset that a function, its tensors and a preset's name amount to.

    Raises
    ------
    ValueError
        When they contradict each other.
    """
    if function is None and tensors is not None:
        raise ValueError("tensors were given without a function that uses them")
    if function is not None and preset not in {None, OWN}:
        raise ValueError(f"give a function or preset={preset!r}, not both")
    return OWN if function is not None else preset or "toy neuron"


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
