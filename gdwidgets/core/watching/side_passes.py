"""Backward passes inside a watched block that are none of the loop's.

A pass that reaches none of the parameters of the loop's other passes, and after which none of its
own is updated, is a trial beside the loop: ``t = torch.tensor(2.0, requires_grad=True)`` and
``(t**2).backward()`` among a loop on u and v.
"""

from __future__ import annotations

from gdwidgets.core.watching.store import MOST_NUMBERS, Store
from gdwidgets.core.watching.tape import FIRST_PASSES, Slot, Tape


def drop_side_passes(tape: Tape, now: set[Slot], state: list[list[float]]) -> bool:
    """Take passes back that are none of the loop's; whether there were any.

    Parameters
    ----------
    tape
        The loop's records. Only within its first passes such are looked for.
    now
        The parameters that the present pass reaches, none of them for the first time.
    state
        What stands before it, as from ``tape.begin()``.
    """
    if not 2 <= tape.count <= FIRST_PASSES or len(tape.reached) != tape.count:
        return False
    own = set(now)
    for _ in tape.reached:  # as far as passes hang together
        own = own.union(*(slots for slots in tape.reached if slots & own))
    side = [row for row, slots in enumerate(tape.reached) if not slots & own]
    others = [slot for slot in tape.slots if slot not in own]
    if not side or not any(_moved(tape, slot, state) for slot in own):
        return False
    if not all(_is_left_alone(tape, slot, state) for slot in others):
        return False
    _keep(tape, [slot for slot in tape.slots if slot in own], side)
    return True


def is_beside(tape: Tape) -> bool:
    """Whether a whole tape holds a few passes whose parameters were never updated."""
    if tape.count > FIRST_PASSES or not tape.exact:
        return False
    state = tape.begin()
    return all(_is_left_alone(tape, slot, state) for slot in tape.slots)


def _is_left_alone(tape: Tape, slot: Slot, state: list[list[float]]) -> bool:
    """Whether a parameter has not changed though its gradient is not 0."""
    _, rows = tape.store.rows()
    pulled = rows[:, slot.start + slot.width - (slot.numel if slot.exact else 1) :]
    pulled = pulled[:, : slot.numel if slot.exact else 1]
    return bool((pulled != 0).any()) and not _moved(tape, slot, state)


def _moved(tape: Tape, slot: Slot, state: list[list[float]]) -> bool:
    """Whether a parameter has changed since the first record."""
    now = state[tape.slots.index(slot)]
    if not slot.exact:
        return now[1] != 0
    _, rows = tape.store.rows()
    values = rows[:, slot.start : slot.start + slot.numel]
    return bool((values != now[: slot.numel]).any())


def _keep(tape: Tape, slots: list[Slot], without: list[int]) -> None:
    """Keep these parameters alone, and all rows but some."""
    _, rows = tape.store.rows()
    columns, store = [0], Store(1, MOST_NUMBERS)
    for slot in slots:
        first, slot.start = slot.start, len(columns)
        columns += range(first, first + slot.width)
    store.width = len(columns)
    kept = [row for row in range(len(rows)) if row not in without]
    for row in kept:
        store.append(tuple(rows[row, columns].tolist()))
    tape.store, tape.slots = store, slots
    tape.by_id = {id(slot.leaf): slot for slot in slots}
    tape.reached = [tape.reached[row] for row in kept]
