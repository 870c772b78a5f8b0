"""Mini-batches: an objective that looks at a few samples at a time, as stochastic descent does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.objectives.regression import (
    PolynomialRegression,
    mean_square,
    one_over,
    polynomial_values,
)
from gdwidgets.core.session import own_torch_state


class MiniBatches:
    """The loss of a polynomial regression on one mini-batch of its samples, another in every step.

    The samples are shuffled anew for every epoch and dealt out in batches of ``size``; where the
    size does not divide their number, the last batch of an epoch is smaller. All lanes see the
    same batch. Which samples belong to a step follows from the step and the seed alone, so a
    recording, its forks and a repetition agree.

    Parameters
    ----------
    regression
        Whose samples are dealt out.
    size
        Samples in a batch, from 1 to as many as there are.
    seed
        Epoch e is shuffled by ``torch.randperm`` with a generator seeded with ``seed + e``.

    Attributes
    ----------
    parameter_names
        Those of the regression.
    batches
        Batches in an epoch.

    Raises
    ------
    ValueError
        When the size or the seed is not a whole number in its range.
    """

    def __init__(self, regression: PolynomialRegression, size: int, seed: int = 0) -> None:
        self.regression = regression
        self.size = checks.integer(size, "batch_size", 1, len(regression.x))
        self.seed = checks.integer(seed, "batch_seed", 0, 2**62)
        self.parameter_names = regression.parameter_names
        self.batches = -(-len(regression.x) // self.size)
        self._epoch = -1
        self._order: Tensor
        with own_torch_state():
            sizes = self.size, len(regression.x) % self.size
            self._one_over = {n: one_over(n) for n in sizes if n}
            self._powers = torch.stack([regression.x**d for d in range(regression.degree + 1)])
            self.begin_step(0)

    def begin_step(self, k: int) -> None:
        """Turn to the batch of step ``k``; ``Descent`` calls this before it computes record k."""
        epoch, position = divmod(k, self.batches)
        if epoch != self._epoch:
            self._order = self._deal(epoch)
            self._shuffled = self._powers[:, self._order], self.regression.y[self._order]
            self._epoch = epoch
        part = slice(position * self.size, (position + 1) * self.size)
        y = self._shuffled[1][part]
        self._part = self._shuffled[0][:, part], y, self._one_over[len(y)]

    def __call__(self, params: Tensor) -> Tensor:
        """Losses (L,) on the present batch at params (L, P), both float32."""
        powers, y, one_over_n = self._part
        return mean_square(polynomial_values(params, powers) - y, one_over_n)

    def pairs(self, k: int) -> Tensor:
        """Numbers of the samples in the batch of step ``k``: int64, at most ``size`` of them."""
        epoch, position = divmod(checks.integer(k, "k", 0, 2**62), self.batches)
        return self._deal(epoch)[position * self.size : (position + 1) * self.size]

    def hessian(self) -> Tensor:
        """Second derivatives of the loss on all samples: float64 (P, P), the same everywhere."""
        return self.regression.hessian()

    def manual_gradient(self, params: Any, k: int) -> Tensor:
        """Gradients on the batch of step ``k`` from the formula, without autograd.

        Parameters
        ----------
        params
            (L, P) finite numbers.
        k
            The step.

        Returns
        -------
        Tensor
            float32, shape (L, P).
        """
        with own_torch_state(), torch.no_grad():
            lanes = checks.finite_float32(params, "params")
            samples = self.pairs(k)
            powers = self._powers[:, samples]
            return 2 / len(samples) * (lanes @ powers - self.regression.y[samples]) @ powers.T

    def _deal(self, epoch: int) -> Tensor:
        generator = torch.Generator(device="cpu").manual_seed(self.seed + epoch)
        with own_torch_state():
            return torch.randperm(len(self.regression.x), generator=generator, device="cpu")

    def __repr__(self) -> str:
        return f"MiniBatches({self.regression!r}, size={self.size}, seed={self.seed})"
