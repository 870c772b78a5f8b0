"""Functions of two variables as objectives: anyone's, and the classic ones by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.objectives import functions
from gdwidgets.core.objectives.surface_checks import check_function
from gdwidgets.core.session import own_torch_state

Point = tuple[float, float]
Bounds = tuple[Point, Point]
Array = np.ndarray[Any, np.dtype[np.float32]]


class Surface:
    """A function of two variables (u, v) over a rectangle.

    Parameters
    ----------
    function
        Takes two float32 tensors of one shape, returns their values in that shape, and is made of
        torch operations that treat every element by itself.
    bounds
        ``((u_min, u_max), (v_min, v_max))``, or ``(min, max)`` for both.
    minima
        Known minima, points (u, v); may be empty.
    name
        What it is called.
    start, learning_rate
        A start and learning rate at which plain gradient descent shows something instructive.

    Attributes
    ----------
    function, name, start, learning_rate
        As given.
    bounds
        Always in the long form, floats.
    minima
        Tuple of points, two floats each.

    Raises
    ------
    ValueError
        When an argument is malformed, or the function raises, does not return a tensor of its
        arguments' shape, mixes elements, is not differentiable, or is nowhere finite.
    """

    parameter_names = ("u", "v")

    def __init__(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        bounds: Any,
        minima: Sequence[Any] = (),
        name: str = "",
        *,
        start: Any = None,
        learning_rate: float | None = None,
    ) -> None:
        if not callable(function):
            raise ValueError(
                f"function must be a callable of two tensors, got {checks.shown(function)}"
            )
        self.function = function
        self.bounds: Bounds = _bounds(bounds)
        self.minima = _pairs(minima, "minima")
        self.name = checks.text(name, "name")
        self.start: Point | None = None if start is None else _pair(start, "start")
        self.learning_rate: float | None = (
            None if learning_rate is None else checks.positive(learning_rate, "learning_rate")
        )
        check_function(function, self.bounds)

    def __call__(self, params: Tensor) -> Tensor:
        """Values (L,) at params (L, 2)."""
        # Torch computes strided numbers by other code, whose last bits differ, and a lane would
        # depend on how many others there are.
        if params.size(0) > 1 and params.stride(0) != 1:
            params = params.t().contiguous().t()
        return self.of_columns(*params.unbind(-1))

    @property
    def is_formula(self) -> bool:
        """Whether it is known to be the same elementwise formula whenever it is called.

        A function of a user's may be another one next time.
        """
        return getattr(self.function, "__module__", None) == functions.__name__

    def of_columns(self, u: Tensor, v: Tensor) -> Tensor:
        """Values (L,) at u and v, both (L,)."""
        return self.function(u, v)

    def grid(self, n: int = 200) -> tuple[Array, Array, Array]:
        """The function on an n × n grid over the bounds.

        Parameters
        ----------
        n
            Points a side, 2 to 2,000.

        Returns
        -------
        u, v
            float32 (n,), from minimum to maximum.
        z
            float32 (n, n), ``z[i, j]`` the value at ``(u[j], v[i])``; not finite where the
            function is not.
        """
        u, v, points = self.grid_points(n)
        return u, v, self.values(points).reshape(n, n)

    def grid_points(self, n: int) -> tuple[Array, Array, Array]:
        """u (n,), v (n,) and all n² points (n², 2) of the grid, row by row of v, float32."""
        n = checks.integer(n, "n", 2, 2000)
        u, v = (np.linspace(low, high, n).astype(np.float32) for low, high in self.bounds)
        points = np.stack([np.tile(u, n), np.repeat(v, n)], axis=-1)
        return u, v, points

    def values(self, points: Any) -> Array:
        """Values at points (M, 2): float32 (M,).

        Raises
        ------
        ValueError
            When the points are not M points of two finite numbers.
        """
        with own_torch_state(), torch.no_grad():
            values: Array = self(_leaf(points)).to(torch.float32).numpy().copy()
            return values

    def gradient(self, points: Any) -> Array:
        """Gradients at points (M, 2): float32 (M, 2), by autograd.

        Raises
        ------
        ValueError
            When the points are not M points of two finite numbers.
        """
        with own_torch_state():
            leaf = _leaf(points).requires_grad_()
            (gradient,) = torch.autograd.grad(self(leaf).sum(), leaf)
            array: Array = gradient.numpy()
            return array

    def __repr__(self) -> str:
        return f"Surface({self.name or self.function!r}, bounds={self.bounds})"


def _leaf(points: Any) -> Tensor:
    leaf = checks.finite_float32(points, "points")
    if leaf.ndim != 2 or leaf.shape[1] != 2:
        raise ValueError(f"points must have shape (M, 2), got {tuple(leaf.shape)}")
    return leaf


def _pair(value: Any, name: str) -> Point:
    u, v = checks.point(value, name)
    return u, v


def _pairs(value: Any, name: str) -> tuple[Point, ...]:
    return tuple((u, v) for u, v in checks.points(value, name))


def _bounds(value: Any) -> Bounds:
    accepted = "bounds must be ((u_min, u_max), (v_min, v_max)) or (min, max), finite, min < max"
    try:
        array = checks.float64_array(value, "bounds")
    except ValueError:
        raise ValueError(f"{accepted}; got {checks.shown(value)}") from None
    if array.shape == (2,):
        array = np.stack([array, array])
    fits = array.shape == (2, 2) and bool((np.abs(array) < 1e38).all())
    # Both ends must stay apart in float32, the numbers everything runs in.
    if not fits or not (np.diff(array.astype(np.float32)) > 0).all():
        raise ValueError(f"{accepted}; got {checks.shown(value)}")
    (u0, u1), (v0, v1) = array.tolist()
    return (u0, u1), (v0, v1)
