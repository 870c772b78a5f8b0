"""The inner step of a descent: one forward pass, one ``backward()``, and what is cleared after.

Everything a step makes is a new tensor, so keeping a record costs a reference: the leaf is given a
new tensor to hold, and the buffer that ``backward()`` filled is handed over, never written again.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gdwidgets.core.objectives import Objective
from gdwidgets.core.recording import FIELDS, Block

Evaluated = tuple[Tensor, Tensor, Tensor, Tensor]
"""Parameters (L, P), losses (L,), the ``.grad`` buffer (L, P), this step's own gradient (L, P)."""


class Engine:
    """Evaluates an objective at one point after another through a single leaf tensor.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    watch_fresh
        Whether leftovers may be in the buffer, so that the step's own gradient must be watched.
    """

    def __init__(self, objective: Objective, *, watch_fresh: bool) -> None:
        self._objective = objective
        self._watch_fresh = watch_fresh
        self._leaf: Tensor | None = None
        self._fresh: Tensor | None = None

    def evaluate(self, params: Tensor, leftover: Tensor | None) -> Evaluated:
        """Losses and gradients at ``params``, accumulated into ``leftover``, which is used up."""
        leaf = self._leaf
        if leaf is None:
            leaf = self._leaf = params.clone().requires_grad_()
            self._inputs = (leaf,)
            self._ones = torch.ones_like(params[:, 0])
            if self._watch_fresh:
                leaf.register_hook(self._see_fresh)  # type: ignore[no-untyped-call]  # torch's gap
        leaf.data = params
        leaf.grad = leftover
        losses = self._objective(leaf)
        if losses.dtype is not torch.float32:
            losses = losses.to(torch.float32)
        # `inputs` keeps gradients out of tensors of the user's that a function may refer to.
        torch.autograd.backward(losses, self._ones, inputs=self._inputs)
        grad = leaf.grad
        assert grad is not None  # noqa: S101 - backward() has just filled it
        fresh = self._fresh if self._fresh is not None else grad
        self._fresh = None
        return params, losses.detach(), grad, fresh

    def _see_fresh(self, grad: Tensor) -> None:
        # A hook sees a gradient before it is added to the buffer.
        self._fresh = grad


class Clearing:
    """Which lanes' gradient buffers are cleared after which update."""

    def __init__(self, clear_every: Sequence[int | None]) -> None:
        self._every = clear_every
        self._periods = sorted({n for n in clear_every if n is not None})
        self.always = all(n == 1 for n in clear_every)
        self._kept: dict[tuple[int, ...], Tensor | None] = {}

    def leftover(self, update: int, grad: Tensor) -> Tensor | None:
        """What stays in the buffer after update number ``update``, counted from 1.

        ``None`` where every lane is cleared, as ``.grad = None`` leaves it; otherwise a new tensor
        (L, P) that ``backward()`` may add to, zero where a lane is cleared.
        """
        if self.always:
            return None
        due = tuple(n for n in self._periods if update % n == 0)
        if not due:
            return grad.clone()
        if due not in self._kept:
            keeps = [n not in due for n in self._every]
            self._kept[due] = (
                torch.tensor(keeps, dtype=torch.bool, device="cpu")[:, None] if any(keeps) else None
            )
        kept = self._kept[due]
        # `where`, not a product: a leftover that is not finite would survive times 0.
        return None if kept is None else torch.where(kept, grad, torch.zeros_like(grad))


def stacked(records: Sequence[Evaluated], fields: Sequence[str] = FIELDS) -> Block:
    """Records as one block of tensors, (records, L, P) or (records, L)."""
    columns = zip(*records, strict=True)
    return {
        name: torch.stack(column)
        for name, column in zip(FIELDS, columns, strict=True)
        if name in fields
    }
