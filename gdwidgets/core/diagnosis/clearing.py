"""When a loop clears its gradient buffers, read from what they hold before each backward pass."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gdwidgets.core.diagnosis.records import Array, LoopRecord


@dataclass(frozen=True)
class Clearing:
    """What happens to ``.grad`` between two backward passes.

    ``kind`` is one of: ``"unknown"`` (no gradients, or all 0), ``"always"`` (cleared before every
    backward pass), ``"never"``, ``"every"`` (after every n-th pass), ``"some"`` (of some
    parameters only), ``"decays"`` (multiplied by β: momentum kept in the buffer), ``"between"``
    (kept until an update is made), ``"irregular"`` (now cleared, now kept), ``"other"`` (neither:
    something else is written there).
    """

    kind: str
    n: int = 1
    """For ``"every"``."""
    beta: float = 0.0
    """For ``"decays"``."""
    places: tuple[int, ...] = ()
    """Numbers that are not cleared."""
    step: int = 0
    """The first record that begins with something in the buffer."""
    first: int = 1
    """For ``"every"``: the pass after which they are cleared first, 1 to n."""
    cleared: tuple[bool | None, ...] = ()
    """Whether it was cleared before each record from the second on; ``None`` where unknown."""


def clearing_of(record: LoopRecord) -> Clearing:
    """Read the clearing from the buffers before and after each backward pass."""
    after, before = record.grad[:-1], record.before[1:]
    consecutive = np.diff(record.number) == 1
    known = consecutive[:, None] & np.isfinite(after) & np.isfinite(before) & (after != 0)
    # Where a pass adds nothing, as to a parameter that its loss has no part of, none is due.
    known &= record.step_grad[1:] != 0
    return _seen(record, known) if known.any() else Clearing("unknown")


def _seen(record: LoopRecord, known: Array) -> Clearing:
    """The clearing where it shows: ``known``, (n − 1, P)."""
    after, before = record.grad[:-1], record.before[1:]
    empty, kept = before == 0, before == after
    full = (~empty & known).any(axis=1)
    pattern = _tristate(known, empty, kept)
    if not full.any():
        return Clearing("always", cleared=pattern)
    places = tuple(int(j) for j in np.flatnonzero((~empty & known).any(axis=0)))
    found = Clearing(
        "irregular", places=places, step=int(record.number[1:][full][0]), cleared=pattern
    )
    never = [bool((kept | ~known)[:, j].all()) for j in range(after.shape[1])]
    if all(never[j] for j in places):
        return replace(found, kind="never" if all(never) else "some")
    if not (empty | kept)[known].all():
        beta = _decay(before, after, known)
        return replace(found, kind="other" if beta is None else "decays", beta=beta or 0.0)
    if _only_between_updates(record, pattern):
        return replace(found, kind="between")
    n = _period(pattern)
    if n is None:
        return found
    return replace(found, kind="every", n=n, first=pattern.index(True) + 1)


def expected_clearing(count: int, clear_every: int | None) -> tuple[bool, ...]:
    """Whether a descent clears its buffers before each record from the second on."""
    if clear_every is None:
        return (False,) * count
    return tuple(update % clear_every == 0 for update in range(1, count + 1))


def same_clearing(found: Clearing, expected: tuple[bool, ...]) -> bool:
    """Whether a clearing is the expected one wherever that can be seen."""
    if found.kind == "unknown":
        return True
    if found.kind in {"some", "decays", "other"}:
        return False
    return all(
        seen is None or seen == due for seen, due in zip(found.cleared, expected, strict=False)
    )


def _tristate(known: Array, empty: Array, kept: Array) -> tuple[bool | None, ...]:
    any_known = known.any(axis=1)
    all_empty = (empty | ~known).all(axis=1)
    all_kept = (kept | ~known).all(axis=1)
    cleared = np.where(all_empty, 1, np.where(all_kept, 0, -1))
    values = np.where(any_known, cleared, -1).tolist()
    return tuple(None if value < 0 else bool(value) for value in values)


def _decay(before: Array, after: Array, known: Array) -> float | None:
    """β where the buffer begins each pass at β times what it held, else ``None``."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = (before / after)[known]
    beta = float(np.median(ratio))
    normal = np.abs(before[known]) > 1e-30
    if not normal.any() or not (np.abs(ratio[normal] - beta) <= 1e-5 * abs(beta)).all():
        return None
    return float(f"{beta:.5g}")


def _only_between_updates(record: LoopRecord, pattern: tuple[bool | None, ...]) -> bool:
    """Whether buffers are kept exactly where no update was made."""
    moved = (np.diff(record.params, axis=0) != 0).any(axis=1)
    if moved.all() or not moved.any():
        return False
    return all(
        seen is None or seen == bool(update) for seen, update in zip(pattern, moved, strict=True)
    )


def _period(pattern: tuple[bool | None, ...]) -> int | None:
    """n where the buffers are cleared after every n-th update, at whatever offset."""
    places = [place for place, cleared in enumerate(pattern, start=1) if cleared]
    if len(places) < 2:
        return None
    n = places[1] - places[0]
    if n < 2 or places[0] > n:
        return None
    due = [(place - places[0]) % n == 0 for place in range(1, len(pattern) + 1)]
    regular = all(
        seen is None or seen == expected for seen, expected in zip(pattern, due, strict=True)
    )
    return n if regular else None
