"""Whether a user's function can be descended: asked once, when a surface is made of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.session import own_torch_state

# Where the function is tried, as fractions of the bounds' sides; off every symmetry.
_TRIED = ((0.13, 0.71), (0.37, 0.22), (0.52, 0.83), (0.68, 0.41), (0.91, 0.57))
_GRID = 21
_RTOL = 1e-3


def check_function(function: Any, bounds: tuple[tuple[float, float], tuple[float, float]]) -> None:
    """Raise ``ValueError`` in plain words unless ``function`` can be descended over ``bounds``."""
    with own_torch_state():
        _check_lanes(function, _spread(_TRIED, bounds))
        fractions = [(i / (_GRID - 1), j / (_GRID - 1)) for i in range(_GRID) for j in range(_GRID)]
        with torch.no_grad():
            values = _values(function, _spread(fractions, bounds))
        if not bool(torch.isfinite(values).any()):
            raise ValueError("function is not finite anywhere within the bounds")


def _check_lanes(function: Any, points: Tensor) -> None:
    leaf = points.clone().requires_grad_()
    values = _values(function, leaf)
    if not values.requires_grad:
        raise ValueError(
            "function is not differentiable: what it returns does not depend on u and v through "
            "torch operations (check for .item(), .detach(), numpy or torch.no_grad)"
        )
    try:
        torch.autograd.grad(values.sum(), leaf)
    except Exception as error:
        raise ValueError(f"function is not differentiable: {checks.raised(error)}") from error
    with torch.no_grad():
        for i, point in enumerate(points):
            alone = _values(function, point[None])
            if not torch.allclose(alone[0], values[i], rtol=_RTOL, atol=1e-5, equal_nan=True):
                raise ValueError(
                    "function must treat every element by itself: at "
                    f"({float(point[0]):g}, {float(point[1]):g}) it gives {float(alone[0]):g} "
                    f"alone but {float(values[i]):g} together with other points"
                )


def _values(function: Any, points: Tensor) -> Tensor:
    u, v = points.t().contiguous().unbind()
    before = [given.detach().clone() for given in (u, v)]
    try:
        values = function(u, v)
    except Exception as error:
        raise ValueError(
            f"function raised for two float32 tensors of shape {tuple(u.shape)}: "
            f"{checks.raised(error)}"
        ) from error
    for name, given, copy in zip("uv", (u, v), before, strict=True):
        # Such as u.data.clamp_(min=0): autograd does not see it, and the recorded points would not
        # be those at which the function was computed.
        if not torch.equal(given.detach(), copy):
            raise ValueError(
                f"function must not change its arguments: it changes {name} in place; "
                f"let it change a copy, {name}.clone()"
            )
    if not isinstance(values, Tensor):
        raise ValueError(
            f"function must return a tensor, got {type(values).__name__}: {checks.shown(values)}"
        )
    if values.shape != u.shape:
        raise ValueError(
            f"function must return one value per element: for shape {tuple(u.shape)} it returned "
            f"shape {tuple(values.shape)}"
        )
    if not values.dtype.is_floating_point:
        raise ValueError(f"function must return floating-point numbers, got {values.dtype}")
    return values.to(torch.float32)


def _spread(fractions: Any, bounds: tuple[tuple[float, float], tuple[float, float]]) -> Tensor:
    (u0, u1), (v0, v1) = bounds
    points = [(u0 + s * (u1 - u0), v0 + t * (v1 - v0)) for s, t in fractions]
    return torch.tensor(points, dtype=torch.float32, device="cpu")
