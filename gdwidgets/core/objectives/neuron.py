"""One linear neuron with one sample: the course's Exercise 2."""

from __future__ import annotations

from torch import Tensor

from gdwidgets.core import checks


class LinearNeuron:
    """One linear neuron with one sample, (a x + b − y)²: the course's Exercise 2.

    Parameters
    ----------
    x, y
        Input and target, finite numbers.

    Raises
    ------
    ValueError
        When x or y is not a finite number.
    """

    parameter_names = ("a", "b")
    is_formula = True

    def __init__(self, x: float = 1.5, y: float = 2.5) -> None:
        self.x = checks.real(x, "x")
        self.y = checks.real(y, "y")

    def __call__(self, params: Tensor) -> Tensor:
        """Losses (L,) at params (L, 2), both float32."""
        return self.of_columns(*params.unbind(-1))

    def of_columns(self, a: Tensor, b: Tensor) -> Tensor:
        """Losses (L,) at a and b, both (L,) and float32."""
        return (a * self.x + b - self.y) ** 2

    def __repr__(self) -> str:
        return f"LinearNeuron(x={self.x!r}, y={self.y!r})"
