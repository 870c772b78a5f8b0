"""The loss over all samples along a run, also where each step looks at a mini-batch only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import PolynomialRegression
from gdwidgets.core.objectives.batches import MiniBatches


class Losses:
    """Losses over all samples at the records of a descent, computed once each.

    With X = Q R the loss of parameters p is (|R p − Qᵀ y|² + |y − Q Qᵀ y|²)/N: P² products a
    record, however many samples there are, and a sum of squares, so nothing cancels.

    Parameters
    ----------
    regression
        The samples.
    descent
        A descent of the regression, or of mini-batches of it, or what reads like one.
    """

    def __init__(self, regression: PolynomialRegression, descent: Any) -> None:
        self.descent = descent
        self.batches = isinstance(descent.objective, MiniBatches)
        """Whether the recorded losses are those of mini-batches."""
        self._known = np.zeros((0, descent.lanes), np.float32)
        if self.batches:
            x, y = regression.x.double().numpy(), regression.y.double().numpy()
            q, r = np.linalg.qr(x[:, None] ** np.arange(regression.degree + 1))
            self._r, self._target = r, q.T @ y
            rest = y - q @ self._target
            self._floor, self._count = float(rest @ rest), len(x)

    def __call__(self) -> NDArray[np.float32]:
        """The losses recorded so far, float32 (recorded + 1, L)."""
        if not self.batches:
            return self.descent.loss
        params = self.descent.params
        known = len(self._known)
        if len(params) > known:
            self._known = np.concatenate([self._known, self.at(params[known:])])
        return self._known

    def at(self, params: NDArray[Any]) -> NDArray[np.float32]:
        """The losses at parameters (…, P), float32 (…); infinite where they are too large."""
        with np.errstate(over="ignore", invalid="ignore"):
            away = params.astype(np.float64) @ self._r.T - self._target
            mean = (np.square(away).sum(-1) + self._floor) / self._count
            return np.asarray(mean, np.float32)
