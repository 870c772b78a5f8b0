"""Every call that a function made, in order: what has to be repeated to get its result again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Variable:
    """Stands for a tensor object; one that is changed in place keeps its number."""

    number: int


@dataclass(frozen=True)
class Call:
    """One call of a torch operation."""

    node: str
    """Name of the operation; that of its node where the output depends on it."""

    function: Callable[..., Any]

    args: tuple[Any, ...]
    """The arguments, with a `Variable` in place of every tensor."""

    kwargs: Mapping[str, Any]

    result: Any
    """What was returned, with a `Variable` in place of every tensor; None where it returns none."""

    changed: tuple[int, ...]
    """Numbers of the variables that were changed in place."""

    mode: str
    """``"grad"``, ``"no_grad"`` or ``"inference_mode"``: what was on when it was called."""

    fields: tuple[str, ...] = ()
    """Names of several results, where PyTorch has names for them: ``("values", "indices")``."""

    detached: int | None = None
    """Number of the variable that holds the detached result, where a detach was asked for."""


@dataclass(frozen=True)
class Tape:
    """The calls of one run."""

    calls: tuple[Call, ...]

    leaves: Mapping[int, str]
    """Numbers of the variables that are the named tensors, and their names."""

    constants: Mapping[int, Tensor]
    """Numbers of the variables that were made elsewhere, and their values when first used."""

    output: int
    """Number of the variable that was returned."""

    result: Tensor
    """What was returned: one number."""

    random: bool
    """Whether random numbers were drawn; the generator's seed was 0 at the start."""

    obstacles: tuple[str, ...]
    """What the function did that is no call of an operation, as ends of sentences: "it …"."""
