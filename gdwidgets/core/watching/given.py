"""What a loop gives to torch, or to a record by hand, as tensors and numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.diagnosis.records import Array
from gdwidgets.core.watching.tape import Tape


def functional(tensor: Tensor) -> bool:
    """Whether a tensor lives inside of a transform of ``torch.func``."""
    return bool(torch._C._functorch.is_gradtrackingtensor(tensor))  # noqa: SLF001 - as torch does


def flat(tensor: Tensor) -> list[float]:
    """The numbers of a tensor, row by row."""
    numbers: list[float] = tensor.detach().reshape(-1).tolist()
    return numbers


def moved(tape: Tape, before: list[list[float]], now: list[list[float]]) -> bool:
    """Whether any parameter has changed between two states of a tape.

    Those that came to it in between are left out.
    """
    if len(before) > len(now):
        return True
    return any(
        then[: slot.numel] != later[: slot.numel] if slot.exact else later[1] != 0
        for slot, then, later in zip(tape.slots, before, now, strict=False)
    )


def tensors_of(value: Any) -> list[Tensor]:
    """A tensor, or the tensors in a sequence; none of anything else."""
    if isinstance(value, Tensor):
        return [value]
    try:
        return [one for one in value if isinstance(one, Tensor)]
    except TypeError:
        return []


def loss_of(roots: list[Tensor], weights: Any) -> float:
    """The number that was differentiated: of several, the weighted sum."""
    if len(roots) == 1 and weights is None and roots[0].numel() == 1:
        return float(roots[0].item())
    given = tensors_of(weights) if weights is not None else [None] * len(roots)
    total = 0.0
    for root, weight in zip(roots, given, strict=True):
        value = root.detach()
        total += float((value if weight is None else value * weight.detach()).sum().item())
    return total


def placeholder(value: Any, array: Array) -> Tensor:
    """A tensor of the shape of an array, and of the floating dtype in which it was given."""
    dtype = torch.float64
    if isinstance(value, Tensor) and value.is_floating_point():
        dtype = value.dtype
    elif isinstance(value, (np.ndarray, np.generic)) and value.dtype == np.float32:
        dtype = torch.float32
    return torch.empty(array.shape, dtype=dtype, device="cpu")


def gradients(gradient: Any, shapes: dict[str, tuple[int, ...]]) -> dict[str, list[float]]:
    """Gradients by parameter, flat; NaN where they are not given."""
    if gradient is None:
        return {name: [math.nan] * math.prod(shape) for name, shape in shapes.items()}
    if not isinstance(gradient, dict):
        given = list(gradient) if isinstance(gradient, (list, tuple)) else [gradient]
        if len(given) != len(shapes):
            raise ValueError(
                f"gradient must have an entry for each of {', '.join(shapes)}, "
                f"got {checks.shown(gradient)}"
            )
        gradient = dict(zip(shapes, given, strict=True))
    found = {}
    for name, shape in shapes.items():
        if name not in gradient:
            raise ValueError(
                f"gradient must have an entry for {name}, got {checks.shown(gradient)}"
            )
        array = checks.float64_array(gradient[name], f"gradient of {name}")
        if array.shape != shape:
            raise ValueError(
                f"gradient of {name} must have shape {shape}, got {checks.shown(gradient[name])}"
            )
        found[name] = array.ravel().tolist()
    return found
