"""The inner step of a descent: one forward pass, one ``backward()``, and what is cleared after.

Everything a step makes is a new tensor, so keeping a record costs a reference: the leaf is given a
new tensor to hold, and the buffer that ``backward()`` filled is handed over, never written again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from gdwidgets.core import checks
from gdwidgets.core.descent.recording import FIELDS, Block
from gdwidgets.core.objectives.protocol import Objective
from gdwidgets.core.rules.protocol import Rule, State

Parts = tuple[Tensor, ...]
"""Numbers (L, P) of all lanes: one tensor of that shape, or its P columns (L,)."""

Evaluated = tuple[Parts, Tensor, Parts, Parts]
"""Parameters, losses (L,), the ``.grad`` buffers, this step's own gradients."""

_ENGINE: Any = getattr(torch.autograd.Variable, "_execution_engine", None)


class Engine:
    """Evaluates an objective at one point after another, always through the same leaf tensors.

    An objective that has ``of_columns`` gets a leaf for each column, as the course's loop has one
    for each parameter, where the update rule treats every number by itself: to take the columns
    of one leaf apart, and to put their gradients together, is 6 microseconds of a step of 84.

    Parameters
    ----------
    objective
        Losses (L,) from params (L, P).
    rule
        Makes the updates.
    params
        Any point (L, P), to see whether the objective can be descended there.
    watch_fresh
        Whether leftovers may be in the buffers, so that a step's own gradients must be watched.

    Raises
    ------
    ValueError
        When the losses are not floating-point numbers of shape (L,) that depend on the parameters.
    """

    def __init__(
        self, objective: Objective, rule: Rule, params: Tensor, *, watch_fresh: bool
    ) -> None:
        of_columns: Callable[..., Tensor] | None = getattr(objective, "of_columns", None)
        self.by_columns = of_columns is not None and getattr(rule, "elementwise", False)
        self._losses = of_columns if of_columns is not None and self.by_columns else objective
        self._update = rule.update
        self._leaves = tuple(part.requires_grad_() for part in self.parts(params))
        self._ones = torch.ones_like(params[:, 0])
        self._shape = self._ones.shape
        self._watches = watch_fresh
        self._fresh: dict[int, Tensor] = {}
        # A user's function may refer to tensors of the user's that require gradients. Their .grad
        # is none of our business; where there are none, naming ours would only cost time.
        leaves = _leaves(_checked(self._losses(*self._leaves), self._shape))
        theirs = [leaf for leaf in leaves if not any(leaf is ours for ours in self._leaves)]
        if len(theirs) == len(leaves):
            raise ValueError(
                "objective's losses must depend on the parameters through torch operations"
            )
        self._inputs = self._leaves if theirs else ()
        self._backward = backward if shortcut_works() else backward_by_the_front_door
        if watch_fresh:
            for number, leaf in enumerate(self._leaves):
                leaf.register_hook(partial(self._see_fresh, number))  # type: ignore[no-untyped-call]  # torch's gap

    def parts(self, values: Tensor) -> Parts:
        """Take (L, P) numbers apart as this engine works on them: new tensors, contiguous."""
        columns = values.unbind(-1) if self.by_columns else (values,)
        return tuple(part.clone(memory_format=torch.contiguous_format) for part in columns)

    def rates(self, learning_rates: Tensor) -> Tensor:
        """Learning rates (L, 1) in the shape that `update` takes."""
        return learning_rates[:, 0] if self.by_columns else learning_rates

    def update(
        self, params: Parts, grad: Parts, state: tuple[State, ...], rates: Tensor, step: int
    ) -> tuple[Parts, tuple[State, ...]]:
        """Update every part by the rule; see `Rule`."""
        update = self._update
        new, states = [], []
        for part, its_grad, its_state in zip(params, grad, state, strict=True):
            updated, own = update(part, its_grad, its_state, rates, step)
            new.append(updated)
            states.append(own)
        return tuple(new), tuple(states)

    def evaluate(self, params: Parts, leftover: Parts | None) -> Evaluated:
        """Losses and gradients at ``params``, accumulated into ``leftover``, which is used up."""
        leaves = self._leaves
        for leaf, part in zip(leaves, params, strict=True):
            leaf.data = part
            leaf.grad = None
        if leftover is not None:
            for leaf, left in zip(leaves, leftover, strict=True):
                leaf.grad = left
        losses = self._losses(*leaves)
        if losses.shape != self._shape or losses.dtype is not torch.float32:
            losses = _checked(losses, self._shape).to(torch.float32)
        self._fresh = {}
        self._backward(losses, self._ones, self._inputs)
        grad: Any = tuple([leaf.grad for leaf in leaves])
        for part in grad:
            if part is None:  # a column that the function does not look at
                grad = tuple(torch.zeros_like(self._ones) if g is None else g for g in grad)
                break
        if not self._watches:
            return params, losses, grad, grad
        seen = self._fresh
        fresh = tuple(seen[i] if i in seen else torch.zeros_like(p) for i, p in enumerate(params))
        return params, losses, grad, fresh

    def _see_fresh(self, number: int, grad: Tensor) -> None:
        # A hook sees a gradient before it is added to the buffer.
        self._fresh[number] = grad


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


@cache
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

    def leftover(self, update: int, grad: Parts) -> Parts | None:
        """What stays in the buffers after update number ``update``, counted from 1.

        ``None`` where every lane is cleared, as ``.grad = None`` leaves it; otherwise new tensors
        that ``backward()`` may add to, zero where a lane is cleared.
        """
        if self.always:
            return None
        due = tuple(n for n in self._periods if update % n == 0)
        if not due:
            return tuple(part.clone() for part in grad)
        if due not in self._kept:
            keeps = [n not in due for n in self._every]
            kept = torch.tensor(keeps, dtype=torch.bool, device="cpu") if any(keeps) else None
            self._kept[due] = kept
        kept = self._kept[due]
        if kept is None:
            return None
        # `where`, not a product: a leftover that is not finite would survive times 0.
        return tuple(
            torch.where(kept if part.ndim == 1 else kept[:, None], part, torch.zeros_like(part))
            for part in grad
        )


def stacked(records: Sequence[Evaluated], fields: Sequence[str] = FIELDS) -> Block:
    """Records as one block of tensors without gradient, (records, L, P) or (records, L)."""
    columns = dict(zip(FIELDS, zip(*records, strict=True), strict=True))
    with torch.no_grad():
        return {
            name: torch.stack(columns[name]) if name == "loss" else _joined(columns[name])
            for name in fields
        }


def _joined(points: Sequence[Parts]) -> Tensor:
    """Points of all records as (records, L, P)."""
    if points[0][0].ndim == 2:
        return torch.stack([point[0] for point in points])
    parts = torch.stack([part for column in zip(*points, strict=True) for part in column])
    return parts.view(len(points[0]), len(points), -1).permute(1, 2, 0)


def _checked(losses: Any, shape: torch.Size) -> Tensor:
    if not isinstance(losses, Tensor):
        raise ValueError(f"objective must return a tensor, got {checks.shown(losses)}")
    if losses.shape != shape or not losses.dtype.is_floating_point:
        raise ValueError(
            f"objective must return floating-point losses of shape {tuple(shape)}, one per lane, "
            f"got {losses.dtype} of shape {tuple(losses.shape)}"
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
