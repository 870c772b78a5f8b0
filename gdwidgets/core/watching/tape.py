"""The records of one loop as they are made: its parameter tensors, and a row at each backward pass.

Small parameters are kept value by value. A loop with more numbers than `MOST_VALUES` is kept as
norms of each tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdwidgets.core.diagnosis.records import FLOAT32_EPS, LoopRecord, Refusal, StepCalls
from gdwidgets.core.watching.names import Named
from gdwidgets.core.watching.store import MOST_NUMBERS, Store

Array = np.ndarray[Any, np.dtype[Any]]

MOST_VALUES = 64
"""Numbers up to which a loop's parameters are kept value by value."""

FIRST_PASSES = 8
"""Passes of which is kept what they reach."""

_REAL = {torch.float64: 2.0**-52, torch.float32: 2.0**-23, torch.float16: 2.0**-10}
_REAL[torch.bfloat16] = 2.0**-7


@dataclass(frozen=True)
class TensorRecord:
    """One parameter tensor of a loop, as norms; all arrays float64 (n,), a number per record."""

    name: str
    shape: tuple[int, ...]
    param_norm: Array
    """Euclidean norm of its values."""
    grad_norm: Array
    """Norm of what ``.grad`` held after the backward pass."""
    update_norm: Array
    """Norm of the change from this record to the next; NaN where that is not known."""

    @property
    def ratio(self) -> Array:
        """Norm of the update over norm of the gradient: the learning rate of plain descent."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: Array = self.update_norm / self.grad_norm
        return ratio


class Slot:
    """A parameter of the loop, through all the tensors that hold it."""

    def __init__(self, leaf: Tensor, named: Named, start: int, *, exact: bool) -> None:
        self.leaf = leaf
        self.name = named.name
        self.named = named
        """The variable; its ``code`` is ``None`` where the name is made up or was given."""
        self.start = start
        """First column of its numbers in a row."""
        self.shape = tuple(leaf.shape)
        self.numel = leaf.numel()
        self.exact = exact
        """Whether its values are kept."""
        self.replaced = 0
        """How often another tensor took its place."""
        self._previous: Tensor | None = None

    @property
    def variable(self) -> str:
        """What the loop's own code calls it; empty for a module's parameter."""
        return "" if isinstance(self.leaf, torch.nn.Parameter) else self.name

    @property
    def width(self) -> int:
        """Columns it has: value, ``.grad`` before and after; or the norms, and of the update."""
        return 3 * self.numel if self.exact else 4

    def state(self) -> list[float]:
        """Its values; or their norm, and the norm of the change since the last call."""
        if self.exact:
            return _values(self.leaf)
        now = self.leaf.detach()
        moved = math.nan
        if self._previous is not None and self._previous.shape == now.shape:
            moved = _norm(now - self._previous)
        self._previous = now.clone()
        return [_norm(now), moved]

    def buffer(self, grad: Tensor | None, empty: float) -> list[float]:
        """What ``.grad`` holds: its values, or their norm; ``empty`` where it holds nothing."""
        if grad is None:
            return [empty] * (self.numel if self.exact else 1)
        if grad.layout is not torch.strided:
            grad = grad.to_dense()
        return _values(grad) if self.exact else [_norm(grad.detach())]

    def state_before(self) -> list[float]:
        """What its columns held in the records before its first."""
        if not self.exact:
            return [math.nan] * self.width
        held = self.buffer(self.leaf.grad, 0.0)
        return _values(self.leaf) + held + held

    def last_move(self) -> float:
        """Norm of the change since the last record."""
        if self._previous is None:
            return math.nan
        return _norm(self.leaf.detach() - self._previous)


class Tape:
    """The records of one loop."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.by_id: dict[int, Slot] = {}
        self.store = Store(1, MOST_NUMBERS)
        self.steady = 0
        """Records in a row that were made by the same tensors."""
        self.update_tried = False
        self.written = False
        self.ended = False
        self.broken = False
        """Whether an error or an interrupt ended the loop."""
        self.final: Array | None = None
        self.final_moves: list[float] = []
        self.final_values: list[list[float] | None] = []
        """Of each parameter its values at the end, where they are kept and known."""
        self.reached: list[set[Slot]] = []
        """The parameters that each of the first passes reached."""
        self._step_calls: dict[str, StepCalls] = {}

    @property
    def count(self) -> int:
        """Backward passes so far."""
        return self.store.count

    @property
    def exact(self) -> bool:
        """Whether all values are kept."""
        return bool(self.slots) and all(slot.exact for slot in self.slots)

    @property
    def numbers(self) -> int:
        """How many numbers the parameters hold."""
        return sum(slot.numel for slot in self.slots)

    def add(self, leaf: Tensor, named: Named) -> Slot:
        """Begin a new parameter."""
        exact = leaf.dtype in _REAL and self.numbers + leaf.numel() <= MOST_VALUES
        slot = Slot(leaf, named, self.store.width, exact=exact)
        self.slots.append(slot)
        self.by_id[id(leaf)] = slot
        # Until now no loss had any part of it: it stayed as it is, and so did its .grad.
        self.store.widen(slot.state_before())
        return slot

    def replace(self, slot: Slot, leaf: Tensor) -> None:
        """Let another tensor take a parameter's place."""
        self.by_id.pop(id(slot.leaf), None)
        slot.leaf = leaf
        slot.replaced += 1
        self.by_id[id(leaf)] = slot

    def begin(self) -> list[list[float]]:
        """What stands before a backward pass: of each parameter its state and its ``.grad``."""
        return [slot.state() + slot.buffer(slot.leaf.grad, 0.0) for slot in self.slots]

    def end(
        self,
        loss: float,
        begun: Sequence[list[float]],
        grads: dict[int, Any] | None,
        reached: set[Slot] | None = None,
    ) -> None:
        """Complete the record after the backward pass.

        ``grads`` are the gradients by ``id`` of the parameter's tensor where they were returned
        instead of accumulated; ``reached`` the parameters that have any.
        """
        if reached is not None and self.count < FIRST_PASSES:
            self.reached.append(reached)
        row = [loss]
        for slot, state in zip(self.slots, begun, strict=True):
            if grads is None:
                after = slot.buffer(slot.leaf.grad, 0.0)
            else:
                # What .grad may hold besides plays no part where gradients are returned.
                unused = slot.numel if slot.exact else 1
                state = state[: len(state) - unused] + [0.0] * unused  # noqa: PLW2901
                after = slot.buffer(grads.get(id(slot.leaf)), 0.0)
            row += state + after
        self.store.append(tuple(row))

    def add_row(self, loss: float, columns: Sequence[list[float]]) -> None:
        """Add a record as given: of each parameter its values and the two states of ``.grad``."""
        self.store.append((loss, *(number for column in columns for number in column)))

    def drop_last(self) -> None:
        """Take the last record back."""
        self.store.drop_last()
        del self.reached[self.count :]

    def resume(self) -> None:
        """Go on after the end, as if there had been none."""
        self.ended, self.broken = False, False
        self.final, self.final_moves, self.final_values = None, [], []

    def stepped(self, optimizer: str, passes: int) -> None:
        """Note a call of an optimizer's ``step()``, and the backward passes made inside it."""
        known = self._step_calls.get(optimizer, StepCalls(optimizer, 0, 0, 0))
        self._step_calls[optimizer] = StepCalls(
            optimizer, known.calls + 1, known.passes + passes, max(known.most, passes)
        )

    def finish(self, final: dict[int, Tensor | None], *, broken: bool) -> None:
        """Take the values when the loop has ended; ``final`` by ``id`` of the slot."""
        self.ended, self.broken = True, broken
        numbers: list[float] = []
        for slot in self.slots:
            last = final[id(slot)]
            kept = _values(last) if last is not None and slot.exact else None
            numbers += kept or []
            self.final_values.append(kept)
            known = last is not None and not slot.exact
            self.final_moves.append(slot.last_move() if known else math.nan)
        if self.exact and all(last is not None for last in final.values()):
            self.final = np.array(numbers)

    # -- reading ---------------------------------------------------------------------------

    def record(self, refusals: tuple[Refusal, ...] = ()) -> LoopRecord:
        """The record, value by value; with P = 0 where values were not kept."""
        steps, rows = self.store.rows()
        slots = self.slots if self.exact else []
        parts: tuple[list[Array], list[Array], list[Array]] = ([], [], [])
        names: list[str] = []
        groups: list[tuple[str, int, int]] = []
        for slot in slots:
            for place, part in enumerate(parts):
                first = slot.start + place * slot.numel
                part.append(rows[:, first : first + slot.numel])
            groups.append((slot.name, len(names), len(names) + slot.numel))
            names += element_names(slot.name, slot.shape)
        none = np.zeros((len(rows), 0))
        params, before, after = (np.concatenate([none, *part], axis=1) for part in parts)
        eps = max((_REAL.get(slot.leaf.dtype, FLOAT32_EPS) for slot in slots), default=FLOAT32_EPS)
        if _all_float32(params):
            # Numbers of Python's own may come from float32 tensors, by .item().
            eps = max(eps, FLOAT32_EPS)
        return LoopRecord(
            tuple(names),
            params,
            rows[:, 0],
            after,
            before,
            self.final,
            steps,
            eps,
            tuple(groups),
            tuple(slot.variable for slot in slots for _ in range(slot.numel)),
            update_tried=self.update_tried,
            written=self.written,
            made_anew=self.count > 1 and all(slot.replaced == self.count - 1 for slot in slots),
            ended=self.ended and not self.broken,
            refusals=refusals,
            thinned=self.store.thinned,
            numbers=self.numbers,
            step_calls=tuple(self._step_calls.values()),
        )

    def tensors(self) -> tuple[TensorRecord, ...]:
        """Norms of every parameter tensor."""
        steps, rows = self.store.rows()
        following = np.append(np.diff(steps) == 1, False) if len(steps) else np.zeros(0, bool)
        found = []
        for place, slot in enumerate(self.slots):
            final = self.final_values[place] if self.final_values else None
            columns = rows[:, slot.start : slot.start + slot.width]
            moved = np.full(len(rows), np.nan)
            if slot.exact:
                values, after = columns[:, : slot.numel], columns[:, 2 * slot.numel :]
                with np.errstate(invalid="ignore", over="ignore"):
                    norms = np.linalg.norm(values, axis=1), np.linalg.norm(after, axis=1)
                    if len(rows):
                        moved[:-1] = np.linalg.norm(np.diff(values, axis=0), axis=1)
                    if len(rows) and final is not None:
                        moved[-1] = np.linalg.norm(np.array(final) - values[-1])
            else:
                norms = columns[:, 0], columns[:, 3]
                moved[:-1] = columns[1:, 1]
                if len(rows) and self.final_moves:
                    moved[-1] = self.final_moves[place]
            known = following.copy()
            if len(known):
                known[-1] = True
            moved[~known] = np.nan
            found.append(TensorRecord(slot.name, slot.shape, *norms, moved))
        return tuple(found)


def element_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """Names of a tensor's numbers: ``w`` alone, ``w[0]``, ``w[1, 0]``."""
    if not shape or math.prod(shape) == 1:
        return [name]
    return [f"{name}[{', '.join(map(str, place))}]" for place in np.ndindex(*shape)]


def _all_float32(values: Array) -> bool:
    """Whether all numbers, at least one of them with a fraction, are numbers of float32 too."""
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = values.astype(np.float32)
        fraction = bool((values[1:] != np.round(values[1:])).any())
    return fraction and bool(np.array_equal(narrow, values, equal_nan=True))


def _values(tensor: Tensor) -> list[float]:
    if tensor.dim() == 0:
        return [float(tensor.item())]
    flat: list[float] = tensor.detach().reshape(-1).tolist()
    return flat


def _norm(tensor: Tensor) -> float:
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        return float(torch.linalg.vector_norm(tensor).item())
    return float(tensor.double().norm().item())
