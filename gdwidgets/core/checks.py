"""Values from users become numbers, or a ``ValueError`` that says what was given and accepted."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
import torch

MOST_STEPS = 10_000_000


def shown(value: object) -> str:
    """``value`` as an error message shows it: its repr, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def integer(value: Any, name: str, low: int, high: int) -> int:
    """``value`` as an int in [low, high]; bools and floats are rejected."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {shown(value)}")
    number = int(value)
    if not low <= number <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {shown(value)}")
    return number


def real(value: Any, name: str) -> float:
    """``value`` as a finite float; no bools; tensors and arrays of one number are numbers."""
    if isinstance(value, (torch.Tensor, np.ndarray)) and math.prod(value.shape) == 1:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise ValueError(f"{name} must be a number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {shown(value)}")
    return number


def positive(value: Any, name: str) -> float:
    """``value`` as a finite float above zero."""
    number = real(value, name)
    if number <= 0:
        raise ValueError(f"{name} must be greater than 0, got {shown(value)}")
    return number


def fraction(value: Any, name: str) -> float:
    """``value`` as a float in [0, 1)."""
    number = real(value, name)
    if not 0 <= number < 1:
        raise ValueError(f"{name} must be at least 0 and less than 1, got {shown(value)}")
    return number


def float64_array(value: Any, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers in any common container as a new float64 array; bools and text are rejected."""
    try:
        if isinstance(value, torch.Tensor):
            array = value.detach().cpu().resolve_conj().to(torch.float64).clone().numpy()
            boolean = value.dtype == torch.bool or value.is_complex()
        else:
            if isinstance(value, (list, tuple)):
                value = [_unwrapped(item) for item in value]
            raw = np.asarray(value)
            boolean = raw.dtype.kind not in "iuf"
            if raw.dtype.kind == "O":
                boolean = not all(
                    isinstance(item, numbers.Real) and not isinstance(item, bool)
                    for item in raw.flat
                )
            array = np.array(raw, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError, NotImplementedError):
        raise ValueError(f"{name} must be numbers, got {shown(value)}") from None
    if boolean and array.size:
        raise ValueError(f"{name} must be numbers, got {shown(value)}")
    if _has_bool(value):
        raise ValueError(f"{name} must be numbers, got {shown(value)}")
    return array


def finite_float32(value: Any, name: str) -> torch.Tensor:
    """Numbers as a new float32 tensor on the CPU, all of them finite in float32."""
    array = float64_array(value, name)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {shown(value)}")
    # from_numpy and clone: no default dtype or device comes in, and the caller's data stay theirs.
    tensor = torch.from_numpy(array).to(torch.float32).clone()
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} must fit into float32 (up to 3.4e38), got {shown(value)}")
    return tensor


def _unwrapped(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, (list, tuple)):
        return [_unwrapped(item) for item in value]
    return value


def _has_bool(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_has_bool(item) for item in value)
    return isinstance(value, (bool, np.bool_))
