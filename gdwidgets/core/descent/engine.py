"""The inner step of a descent: one forward pass, one ``backward()``, and what is cleared after.

An objective that is known to be a `formula` is worked off instead, with the same numbers.

Everything a step makes is a new tensor, so keeping a record costs a reference: the leaf is given a
new tensor to hold, and the buffer that ``backward()`` filled is handed over, never written again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.descent.formula import Formula, formula
from gdwidgets.core.descent.recording import FIELDS, Block
from gdwidgets.core.objectives.protocol import ColumnObjective, Objective

_ENGINE: Any = getattr(torch.autograd.Variable, "_execution_engine", None)


class Evaluated(NamedTuple):
    """What one forward and backward pass of all lanes gives; float32, shaped as `Engine`'s leaf."""

    params: Tensor
    loss: Tensor
    """(L,)."""
    grad: Tensor
    """What the ``.grad`` buffer holds afterwards."""
    step_grad: Tensor
    """What this step added to it."""


class Engine:
    """Evaluates an objective at one point after another, always through the same leaf tensor.

    The leaf has shape (L, P), or (P, L) for a `ColumnObjective`: there the numbers of each
    parameter lie side by side, because torch computes strided numbers by other code, whose last
    bits differ, and a lane would depend on how many others there are.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    params
        Any point (L, P), to see whether the objective can be descended there.
    accumulates
        Whether the buffer may hold gradients of earlier steps, so that a step's own gradient must
        be watched.

    Raises
    ------
    ValueError
        When the losses are not floating-point numbers of shape (L,) that depend on the parameters.
    """

    def __init__(self, objective: Objective, params: Tensor, *, accumulates: bool) -> None:
        columns = objective if isinstance(objective, ColumnObjective) else None
        self._by_columns = columns is not None
        self._leaf = leaf = self._in_leaf_order(params).clone().requires_grad_()
        self._ones = torch.ones_like(params[:, 0])
        self._shape = self._ones.shape
        self._params_shape = params.shape
        self._accumulates = accumulates
        self._step_grads: list[Tensor] = []
        self._losses: Callable[[], Tensor] = lambda: objective(leaf)
        if columns is not None:
            self._losses = lambda: columns.of_columns(*leaf.unbind())
        # A user's function may refer to tensors of the user's that require gradients. Their .grad
        # must not change; where there are none, naming our leaf would only cost time.
        leaves = _leaves(_checked(self._losses(), self._shape))
        if not any(other is leaf for other in leaves):
            raise ValueError(
                "objective's losses must depend on the parameters through torch operations"
            )
        self._inputs = (leaf,) if len(leaves) > 1 else ()
        self._formula = None
        if columns is not None and getattr(objective, "is_formula", False):
            self._formula = formula(columns.of_columns, leaf.detach())
        self._backward = backward if direct_entrance_works() else public_backward
        if accumulates:
            # A hook sees a gradient before it is added to the buffer.
            leaf.register_hook(self._step_grads.append)  # type: ignore[no-untyped-call]  # torch's gap

    def evaluate(self, params: Tensor, accumulated: Tensor | None) -> Evaluated:
        """Losses and gradients at ``params`` (L, P).

        ``accumulated`` (L, P) is what the buffer holds before ``backward()`` adds to it, and is
        used up; ``None`` for an empty buffer.

        Raises
        ------
        ValueError
            When a rule has made params, or the objective losses, of another shape.
        """
        leaf = self._leaf
        if (
            type(params) is not Tensor
            or params.shape != self._params_shape
            or (params.dtype is not torch.float32)
        ):
            params = _checked_params(params, self._params_shape)
        if self._formula is not None:
            return self._by_formula(self._formula, params, accumulated)
        leaf.data = point = self._in_leaf_order(params)
        leaf.grad = None if accumulated is None else self._in_leaf_order(accumulated)
        self._step_grads.clear()
        losses = self._losses()
        if losses.shape != self._shape or losses.dtype is not torch.float32:
            losses = _checked(losses, self._shape).to(torch.float32)
        self._backward(losses, self._ones, self._inputs)
        grad = leaf.grad
        if grad is None:  # in this step the losses depend on other leaves only
            grad = torch.zeros_like(point)
        step_grad = grad
        if self._accumulates:
            step_grad = self._step_grads.pop() if self._step_grads else torch.zeros_like(point)
        return Evaluated(point, losses, grad, step_grad)

    def _by_formula(self, of: Formula, params: Tensor, accumulated: Tensor | None) -> Evaluated:
        point = self._in_leaf_order(params)
        losses, gradient = map(torch.from_numpy, of(point.numpy()))
        grad = gradient
        if accumulated is not None:
            grad = self._in_leaf_order(accumulated) + gradient
        return Evaluated(point, losses, grad, gradient)

    def lanes(self, values: Tensor) -> Tensor:
        """Numbers shaped as the leaf, seen as (L, P)."""
        return values.t() if self._by_columns else values

    def stacked(self, records: Sequence[Evaluated], fields: Sequence[str] = FIELDS) -> Block:
        """Records as one block of tensors without gradient, (records, L, P) or (records, L)."""
        with torch.no_grad():
            columns = dict(zip(FIELDS, zip(*records, strict=True), strict=True))
            block = {name: torch.stack(columns[name]) for name in fields}
        if self._by_columns:
            return {n: values if n == "loss" else values.mT for n, values in block.items()}
        return block

    def _in_leaf_order(self, values: Tensor) -> Tensor:
        return (values.t() if self._by_columns else values).contiguous()


def backward(losses: Tensor, ones: Tensor, inputs: tuple[Tensor, ...]) -> None:
    """What ``torch.autograd.backward(losses, ones, inputs=inputs or None)`` does, and no more.

    It is torch's own engine that runs either way, and adds to the same ``.grad``. But the public
    function looks at its arguments for 19 microseconds before, a quarter of a step, and ours are
    the same in every step. This entrance is not documented: see `direct_entrance_works`.
    """
    _ENGINE.run_backward(
        (losses,), (ones,), False, False, inputs, allow_unreachable=True, accumulate_grad=True
    )


def public_backward(losses: Tensor, ones: Tensor, inputs: tuple[Tensor, ...]) -> None:
    """`backward` through torch's public function, for a torch whose engine has changed."""
    torch.autograd.backward(losses, ones, inputs=inputs or None)


@cache
def direct_entrance_works() -> bool:
    """Whether this torch's engine can be called as `backward` does; tried once."""
    leaf = torch.ones(1, dtype=torch.float32, device="cpu", requires_grad=True)
    other = leaf.detach().clone().requires_grad_()
    leaf.grad = torch.ones_like(leaf)
    try:
        backward(3 * leaf * other, torch.ones_like(leaf), (leaf,))
        return bool(leaf.grad == 4) and other.grad is None
    except Exception:  # noqa: BLE001 - whatever another torch raises, there is the public function
        return False


class Clearing:
    """Which lanes' gradient buffers are cleared after which update."""

    def __init__(self, clear_every: Sequence[int | None]) -> None:
        self._every = clear_every
        self._periods = sorted({n for n in clear_every if n is not None})
        self.always = all(n == 1 for n in clear_every)
        self._kept: dict[tuple[int, ...], Tensor | None] = {}

    def accumulated(self, update: int, grad: Tensor) -> Tensor | None:
        """What stays in the buffer ``grad`` (L, P) after update number ``update``, from 1.

        ``None`` where every lane is cleared, as ``.grad = None`` does; otherwise a new tensor
        that ``backward()`` may add to, zero where a lane is cleared.
        """
        if self.always:
            return None
        due = tuple(n for n in self._periods if update % n == 0)
        if not due:
            return grad.clone()
        if due not in self._kept:
            keeps = [n not in due for n in self._every]
            kept = torch.tensor(keeps, dtype=torch.bool, device="cpu") if any(keeps) else None
            self._kept[due] = None if kept is None else kept[:, None]
        kept = self._kept[due]
        # `where`, not a product: a gradient that is not finite would survive times 0.
        return None if kept is None else torch.where(kept, grad, torch.zeros_like(grad))


def _checked(losses: Any, shape: torch.Size) -> Tensor:
    if not isinstance(losses, Tensor):
        raise ValueError(f"objective must return a tensor, got {checks.shown(losses)}")
    if losses.shape != shape or not losses.dtype.is_floating_point:
        raise ValueError(
            f"objective must return floating-point losses of shape {tuple(shape)}, one per lane, "
            f"got {losses.dtype} of shape {tuple(losses.shape)}"
        )
    return losses


def _checked_params(params: Any, shape: torch.Size) -> Tensor:
    if not isinstance(params, Tensor) or params.shape != shape:
        raise ValueError(
            f"rule must return params of shape {tuple(shape)} and a state, "
            f"got {checks.shown(params)}"
        )
    return params.detach().to(torch.float32)


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
