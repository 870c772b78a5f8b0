"""Objectives of the course: polynomial regression and a linear neuron with one sample.

An objective maps parameters of shape (L, P), one lane per row, to losses of shape (L,). A lane's
loss depends on its own row only, so one backward pass gives every lane its own gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.objectives.least_squares import ClosedForm, Singular, closed_form, singular
from gdwidgets.core.session import own_torch_state

HIGHEST_DEGREE = 10

_SMALL = 20_000
"""Products up to which no matrix product is made: its backward pass wakes all threads, which on a
busy machine takes milliseconds, for a thousand multiplications."""


class PolynomialRegression:
    """Mean squared error of a polynomial y ≈ a + b x + c x² + … over N samples.

    Parameters
    ----------
    x, y
        N inputs and targets each: tensors, arrays or lists of finite numbers, copied.
    degree
        Degree of the polynomial, 0 to 10.

    Attributes
    ----------
    x, y
        float32 tensors (N,).
    degree
        The degree; there are P = degree + 1 parameters.
    parameter_names
        ``("a", "b", "c", …)``, constant term first.

    Raises
    ------
    ValueError
        When x or y is not one-dimensional, empty or not finite, when they differ in length, hold
        fewer samples than there are parameters, or when the degree is out of range.
    """

    def __init__(self, x: Any, y: Any, degree: int = 2) -> None:
        self.degree = checks.integer(degree, "degree", 0, HIGHEST_DEGREE)
        with own_torch_state():
            self.x = _one_dimension(x, "x")
            self.y = _one_dimension(y, "y")
            if len(self.x) != len(self.y):
                raise ValueError(
                    f"x and y must have the same length, got {len(self.x)} and {len(self.y)}"
                )
            if len(self.x) < self.degree + 1:
                raise ValueError(
                    f"a polynomial of degree {self.degree} needs at least {self.degree + 1} "
                    f"samples, got {len(self.x)}"
                )
            self._powers = _powers(self.x, self.degree)
            self._share = one_over(len(self.x))
            if not bool(torch.isfinite(self._powers).all()):
                raise ValueError(
                    f"x to the power {self.degree} must fit into float32 (up to 3.4e38), "
                    f"got x up to {float(self.x.abs().max()):g}"
                )
        self.parameter_names = tuple("abcdefghijk"[: self.degree + 1])

    def __call__(self, params: Tensor) -> Tensor:
        """Losses (L,) at params (L, P), both float32."""
        return mean_square(polynomial_values(params, self._powers) - self.y, self._share)

    def predict(self, params: Any, x: Any) -> Tensor:
        """Values of the polynomials of all lanes.

        Parameters
        ----------
        params
            (L, P) or (P,) numbers.
        x
            M inputs.

        Returns
        -------
        Tensor
            float32, shape (L, M), without gradient.

        Raises
        ------
        ValueError
            When params do not have P columns or x is not one-dimensional.
        """
        with own_torch_state(), torch.no_grad():
            return self._lanes(params) @ _powers(_one_dimension(x, "x"), self.degree)

    def closed_form(self) -> ClosedForm:
        """The least-squares polynomial: unpacks as float64 coefficients (P,) and their loss.

        Fitted in float64 in polynomials that are orthonormal over the inputs, then written in
        powers of x; the loss is the lowest possible one also where no float64 or float32
        coefficients come near it, which the result says; see `ClosedForm`.
        """
        return closed_form(self.x.double().numpy(), self.y.double().numpy(), self.degree)

    def singular(self) -> Singular:
        """The singular value decomposition of X (N, P), the powers of the inputs, in float64."""
        return singular(self.x.double().numpy(), self.degree)

    def hessian(self) -> Tensor:
        """Second derivatives of the loss, 2/N X Xᵀ: float64 (P, P), the same everywhere."""
        with own_torch_state(), torch.no_grad():
            powers = _powers(self.x.double(), self.degree)
            return 2 / len(self.x) * powers @ powers.T

    def manual_gradient(self, params: Any) -> Tensor:
        """Gradients from the formula ∂L/∂c_d = 2/N Σ (zₙ − yₙ) xₙᵈ, without autograd.

        Parameters
        ----------
        params
            (L, P) or (P,) numbers.

        Returns
        -------
        Tensor
            float32, shape (L, P).

        Raises
        ------
        ValueError
            When params do not have P columns.
        """
        with own_torch_state(), torch.no_grad():
            residuals = self._lanes(params) @ self._powers - self.y
            return 2 / len(self.x) * residuals @ self._powers.T

    def _lanes(self, params: Any) -> Tensor:
        lanes = checks.finite_float32(params, "params")
        if lanes.ndim == 1:
            lanes = lanes[None]
        if lanes.ndim != 2 or lanes.shape[1] != self.degree + 1:
            raise ValueError(
                f"params must have shape (lanes, {self.degree + 1}), got {tuple(lanes.shape)}"
            )
        return lanes

    def __repr__(self) -> str:
        return f"PolynomialRegression({len(self.x)} samples, degree={self.degree})"


def polynomial_values(params: Tensor, powers: Tensor) -> Tensor:
    """Values (L, N) of polynomials with coefficients (L, P) at N inputs, given as powers (P, N)."""
    if len(params) * powers.numel() <= _SMALL:
        return (params.unsqueeze(-1) * powers).sum(1)
    return torch.mm(params, powers)


def mean_square(residuals: Tensor, one_over_n: Tensor) -> Tensor:
    """Means (L,) of the squares of residuals (L, N); ``one_over_n`` is ``one_over(N)``.

    ``residuals.square().mean(-1)`` with a third fewer kernels: autograd takes a product for less
    than a power, a sum for less than a mean, and a tensor for less than a number.
    """
    return (residuals * residuals).sum(-1) * one_over_n


def one_over(n: int) -> Tensor:
    """1/n as a float32 tensor without dimensions."""
    return torch.tensor(1 / n, dtype=torch.float32, device="cpu")


def _one_dimension(values: Any, name: str) -> Tensor:
    tensor = checks.finite_float32(values, name)
    if tensor.ndim != 1 or not len(tensor):
        raise ValueError(
            f"{name} must be a one-dimensional sequence of at least one number, "
            f"got shape {tuple(tensor.shape)}"
        )
    return tensor


def _powers(x: Tensor, degree: int) -> Tensor:
    """Rows 1, x, x², …: shape (degree + 1, N)."""
    return torch.stack([x**d for d in range(degree + 1)])
