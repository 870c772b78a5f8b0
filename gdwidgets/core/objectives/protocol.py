"""What an objective is: losses as a function of parameters, lane by lane.

An objective maps parameters of shape (L, P), one lane per row, to losses of shape (L,). A lane's
loss depends on its own row only, so one backward pass gives every lane its own gradient. Any
callable with ``parameter_names`` will do; nothing has to be inherited::

    class Bowl:
        parameter_names = ("u", "v")

        def __call__(self, params):
            return params.square().sum(-1)

    Descent(Bowl(), (1.0, -2.0), 0.1, max_steps=20)

Two more methods are asked for with `isinstance`, and used where an objective has them:
``of_columns`` (`ColumnObjective`) and ``begin_step`` (`SteppedObjective`). A `ColumnObjective`
whose ``is_formula`` is true promises to be the same elementwise formula whenever it is called; a
descent may then work it off without calling it in every step, with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from gdwidgets.core import checks


@runtime_checkable
class Objective(Protocol):
    """What `Descent` asks of an objective."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The P names, such as ``("a", "b")``."""

    def __call__(self, params: Tensor, /) -> Tensor:
        """Losses (L,) at params (L, P), float32; row i depends on row i only."""


@runtime_checkable
class ColumnObjective(Objective, Protocol):
    """An objective that is a formula of its P parameters, such as (a x + b − y)².

    A descent then keeps each parameter's numbers of all lanes side by side and calls
    ``of_columns`` in place of the objective.
    """

    @property
    def of_columns(self) -> Callable[..., Tensor]:
        """A method that makes losses (L,) of P tensors (L,), float32 and contiguous."""


@runtime_checkable
class SteppedObjective(Objective, Protocol):
    """An objective that is another one in every step, such as the loss on a mini-batch."""

    def begin_step(self, k: int, /) -> None:
        """Become the objective of record ``k``; called before that record is computed.

        Records may be asked for again and in any order, so everything follows from ``k`` alone.
        """


def parameter_names(objective: Any) -> tuple[str, ...]:
    """The names of an objective's parameters.

    Raises
    ------
    ValueError
        When it is no objective: says what is accepted.
    """
    names = checks.items(objective.parameter_names) if checks.fits(objective, Objective) else None
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(
            "objective must be a Surface, PolynomialRegression, LinearNeuron or another callable "
            f"with parameter_names, a tuple of names, got {checks.shown(objective)}"
        )
    return tuple(names)
