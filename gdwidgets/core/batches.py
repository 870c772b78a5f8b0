"""Mini-batches: an objective that looks at a few pairs at a time, as stochastic descent does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.objectives import PolynomialRegression
from gdwidgets.core.session import own_torch_state


class MiniBatches:
    """The loss of a polynomial regression on one mini-batch of its pairs, another in every step.

    The pairs are shuffled anew for every epoch and dealt out in batches of ``size``; where the
    size does not divide the number of pairs, the last batch of an epoch is smaller. All lanes see
    the same batch. Which pairs belong to a step follows from the step and the seed alone, so a
    recording, its forks and a repetition agree.

    Parameters
    ----------
    regression
        Whose pairs are dealt out.
    size
        Pairs in a batch, from 1 to as many as there are.
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
        pairs = len(regression.x)
        self.size = checks.integer(size, "batch_size", 1, pairs)
        self.seed = checks.integer(seed, "batch_seed", 0, 2**62)
        self.parameter_names = regression.parameter_names
        self.batches = -(-pairs // self.size)
        self._epoch = -1
        self._parts: list[PolynomialRegression] = []
        self._part = regression
        self.begin_step(0)

    def begin_step(self, k: int) -> None:
        """Turn to the batch of step ``k``; ``Descent`` calls this before it computes record k."""
        epoch, position = divmod(k, self.batches)
        if epoch != self._epoch:
            self._parts = [self._some(pairs) for pairs in self._deal(epoch)]
            self._epoch = epoch
        self._part = self._parts[position]

    def __call__(self, params: Tensor) -> Tensor:
        """Losses (L,) on the present batch at params (L, P), both float32."""
        return self._part(params)

    def pairs(self, k: int) -> Tensor:
        """Numbers of the pairs in the batch of step ``k``: int64, at most ``size`` of them."""
        epoch, position = divmod(checks.integer(k, "k", 0, 2**62), self.batches)
        return self._deal(epoch)[position]

    def manual_gradient(self, params: Any, k: int) -> Tensor:
        """Gradients of the batch of step ``k`` from the formula, float32 (L, P)."""
        return self._some(self.pairs(k)).manual_gradient(params)

    def _deal(self, epoch: int) -> list[Tensor]:
        generator = torch.Generator(device="cpu").manual_seed(self.seed + epoch)
        with own_torch_state():
            order = torch.randperm(len(self.regression.x), generator=generator, device="cpu")
            return list(order.split(self.size))

    def _some(self, pairs: Tensor) -> PolynomialRegression:
        return self.regression.subset(pairs)

    def __repr__(self) -> str:
        return f"MiniBatches({self.regression!r}, size={self.size}, seed={self.seed})"
