"""The inner step of a descent: one forward pass, one ``backward()``, and what is cleared after.

Everything a step makes is a new tensor, so keeping a record costs a reference: the leaf is given a
new tensor to hold, and the buffer that ``backward()`` filled is handed over, never written again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.objectives import Objective
from gdwidgets.core.recording import FIELDS, Block

Evaluated = tuple[Tensor, Tensor, Tensor, Tensor]
"""Parameters (L, P), losses (L,), the ``.grad`` buffer (L, P), this step's own gradient (L, P)."""


_ENGINE: Any = getattr(torch.autograd.Variable, "_execution_engine", None)

_MANY = 10_000
"""Numbers in a record from which its layout matters."""


class Engine:
    """Evaluates an objective at one point after another through a single leaf tensor.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    params
        Any point (L, P), to see whether the objective can be descended there.
    watch_fresh
        Whether leftovers may be in the buffer, so that the step's own gradient must be watched.

    Raises
    ------
    ValueError
        When the losses are not floating-point numbers of shape (L,) that depend on the parameters.
    """

    def __init__(self, objective: Objective, params: Tensor, *, watch_fresh: bool) -> None:
        self._objective = objective
        self._leaf = params.clone().requires_grad_()
        self._ones = torch.ones_like(params[:, 0])
        self._shape = self._ones.shape
        self._fresh: Tensor | None = None
        # A user's function may refer to tensors of the user's that require gradients. Their .grad
        # is none of our business; where there are none, naming the leaf would only cost time.
        leaves = _leaves(_checked(objective(self._leaf), self._leaf))
        if not any(leaf is self._leaf for leaf in leaves):
            raise ValueError(
                "objective's losses must depend on the parameters through torch operations"
            )
        self._inputs = (self._leaf,) if len(leaves) > 1 else ()
        self._backward = backward if shortcut_works() else backward_by_the_front_door
        if watch_fresh:
            self._leaf.register_hook(self._see_fresh)  # type: ignore[no-untyped-call]  # torch's gap

    def evaluate(self, params: Tensor, leftover: Tensor | None) -> Evaluated:
        """Losses and gradients at ``params``, accumulated into ``leftover``, which is used up."""
        leaf = self._leaf
        leaf.data = params
        leaf.grad = leftover
        losses = self._objective(leaf)
        if losses.shape != self._shape or losses.dtype is not torch.float32:
            losses = _checked(losses, leaf).to(torch.float32)
        self._backward(losses, self._ones, self._inputs)
        grad: Any = leaf.grad
        fresh = self._fresh
        if fresh is None:
            return params, losses, grad, grad
        self._fresh = None
        return params, losses, grad, fresh

    def _see_fresh(self, grad: Tensor) -> None:
        # A hook sees a gradient before it is added to the buffer.
        self._fresh = grad


def backward(losses: Tensor, ones: Tensor, inputs: tuple[Tensor, ...]) -> None:
    """What ``torch.autograd.backward(losses, ones, inputs=inputs or None)`` does, and no more.

    It is torch's own engine that runs either way, and adds to the same ``.grad``. But the public
    function looks at its arguments for 19 microseconds before, a quarter of a step, and ours are
    the same in every step. The engine's entrance is not documented: see `shortcut_works`.
    """
    _ENGINE.run_backward(
        (losses,), (ones,), False, False, inputs, allow_unreachable=True, accumulate_grad=True
    )


def backward_by_the_front_door(losses: Tensor, ones: Tensor, inputs: tuple[Tensor, ...]) -> None:
    """`backward` through torch's public function, for a torch whose engine has changed."""
    torch.autograd.backward(losses, ones, inputs=inputs or None)


@functools.cache
def shortcut_works() -> bool:
    """Whether this torch's engine can be called as `backward` does; tried once."""
    leaf = torch.ones(1, dtype=torch.float32, device="cpu", requires_grad=True)
    other = leaf.detach().clone().requires_grad_()
    leaf.grad = torch.ones_like(leaf)
    try:
        backward(3 * leaf * other, torch.ones_like(leaf), (leaf,))
        return bool(leaf.grad == 4) and other.grad is None
    except Exception:  # noqa: BLE001 - whatever another torch has to say, the front door is open
        return False


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


def laid_out(params: Tensor, objective: Objective) -> Tensor:
    """The same (L, P) numbers, columns contiguous if the objective says it works ``by_columns``.

    Updates keep the layout, and so does ``backward()`` in the buffer of a leaf that has it.
    """
    if getattr(objective, "by_columns", False):
        return params.t().contiguous().t()
    return params.contiguous()


def stacked(records: Sequence[Evaluated], fields: Sequence[str] = FIELDS) -> Block:
    """Records as one block of tensors without gradient, (records, L, P) or (records, L)."""
    columns = zip(*records, strict=True)
    with torch.no_grad():
        return {
            name: _stack(column)
            for name, column in zip(FIELDS, columns, strict=True)
            if name in fields
        }


def _stack(tensors: tuple[Tensor, ...]) -> Tensor:
    first = tensors[0]
    if first.ndim == 2 and first.numel() > _MANY and first.stride(0) == 1:
        # Copied as they lie in memory: reordering many numbers costs more than computing them.
        return torch.stack([tensor.t() for tensor in tensors]).transpose(1, 2)
    return torch.stack(tensors)


def _checked(losses: Any, leaf: Tensor) -> Tensor:
    lanes = len(leaf)
    if not isinstance(losses, Tensor):
        raise ValueError(f"objective must return a tensor, got {checks.shown(losses)}")
    if losses.shape != (lanes,) or not losses.dtype.is_floating_point:
        raise ValueError(
            f"objective must return floating-point losses of shape ({lanes},) for params of shape "
            f"{tuple(leaf.shape)}, got {losses.dtype} of shape {tuple(losses.shape)}"
        )
    return losses


def _leaves(losses: Tensor) -> list[Tensor]:
    """The leaf tensors that ``losses`` would give gradients to."""
    leaves: list[Tensor] = []
    waiting, seen = [losses.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)  # only where gradients are accumulated
        if variable is not None:
            leaves.append(variable)
        waiting += [following for following, _ in node.next_functions]
    return leaves
