"""Accumulation on purpose: a batch in parts, one ``backward()`` each, and one update for all.

Said as an objective that a `Descent` can run and record, with `EveryNth` as its rule.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.objectives.regression import PolynomialRegression
from gdwidgets.core.session import own_torch_state


class WholeBatch:
    """One batch's mean squared error of a line, a x + b, at once.

    Parameters
    ----------
    x, y
        N inputs and targets each, finite numbers.

    Raises
    ------
    ValueError
        When x and y do not fit together.
    """

    parameter_names = ("a", "b")

    def __init__(self, x: Any, y: Any) -> None:
        regression = PolynomialRegression(x, y, 1)
        self.x, self.y = regression.x, regression.y

    def __call__(self, params: Tensor) -> Tensor:
        """Losses (L,) at params (L, 2), both float32."""
        a, b = params.unbind(-1)
        return (a[..., None] * self.x + b[..., None] - self.y).square().mean(-1)

    def __repr__(self) -> str:
        return f"WholeBatch({len(self.x)} samples)"


class MicroBatches:
    """Two lanes that minimize one batch's mean squared error of a line, a x + b.

    Lane 0 sees the batch in parts: record k is the ``backward()`` of part k modulo ``parts``, whose
    loss is the part's sum of squares divided by N, so that the parts' losses add up to the batch's.
    Lane 1 sees the whole batch at once, in the records of the last part; before that its loss and
    gradient are 0. With `EveryNth` as the rule and ``clear_every=parts`` both lanes are updated
    together, and since gradients add up as losses do, they stay equal to rounding.

    Parameters
    ----------
    x, y
        N inputs and targets each, finite numbers.
    parts
        Into how many parts the batch is cut, 1 to N; they differ by at most one sample in size.

    Raises
    ------
    ValueError
        When x and y do not fit together, or there are fewer samples than parts.

    Attributes
    ----------
    whole
        The loss of the whole batch, what both lanes minimize.
    """

    parameter_names = ("a", "b")

    def __init__(self, x: Any, y: Any, parts: int) -> None:
        regression = PolynomialRegression(x, y, 1)
        self.x, self.y = regression.x, regression.y
        self.whole = WholeBatch(self.x, self.y)
        self.parts = checks.integer(parts, "parts", 1, len(self.x))
        cuts = [len(self.x) * i // self.parts for i in range(self.parts + 1)]
        self._slices = [slice(*ends) for ends in pairwise(cuts)]
        self._part = 0
        with own_torch_state():
            self._curvature = float(torch.linalg.eigvalsh(regression.hessian()).max())
        (intercept, slope), _ = regression.closed_form()
        self._minimum = (float(slope), float(intercept))

    @property
    def curvature(self) -> float:
        """Largest eigenvalue λ of the batch loss's Hessian."""
        return self._curvature

    @property
    def minimum(self) -> tuple[float, float]:
        """The least-squares (a, b)."""
        return self._minimum

    def begin_step(self, k: int) -> None:
        """Turn to the part that record k sees."""
        self._part = k % self.parts

    def __call__(self, params: Tensor) -> Tensor:
        """Losses (2,) at params (2, 2): of a part for lane 0, of the batch for lane 1."""
        if params.shape[0] != 2:
            raise ValueError(f"micro-batches are two lanes, got {params.shape[0]}")
        a, b = params.unbind(-1)
        mine = self._slices[self._part]
        partial = (a[0] * self.x[mine] + b[0] - self.y[mine]).square().sum() / len(self.x)
        if self._part == self.parts - 1:
            whole = (a[1] * self.x + b[1] - self.y).square().mean()
        else:
            whole = a[1] * 0.0
        return torch.stack([partial, whole])

    def batch_loss(self, params: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The whole batch's loss at params (…, 2): float32 (…)."""
        with own_torch_state(), torch.no_grad():
            loss = self.whole(checks.finite_float32(params, "params"))
            values: np.ndarray[Any, np.dtype[np.float32]] = loss.numpy()
            return values

    def __repr__(self) -> str:
        return f"MicroBatches({len(self.x)} samples, parts={self.parts})"
