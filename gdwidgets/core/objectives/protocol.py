"""What an objective is: losses as a function of parameters, lane by lane.

An objective maps parameters of shape (L, P), one lane per row, to losses of shape (L,). A lane's
loss depends on its own row only, so one backward pass gives every lane its own gradient.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Objective(Protocol):
    """What `Descent` asks of an objective.

    One that takes its columns apart may have a method ``of_columns`` too, which makes the same
    losses of P tensors (L,): a descent then gives every column a leaf of its own.
    """

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The P names, such as ``("a", "b")``."""

    def __call__(self, params: Tensor, /) -> Tensor:
        """Losses (L,) at params (L, P), float32; row i depends on row i only."""
