"""Backward passes whose gradients are thrown away: no update follows, and the buffers are cleared.

A trial pass before the loop is one, and so is each pass of a loop that goes on to the next step
before its update. What the other passes do is read from the record without them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gdwidgets.core.diagnosis.findings import Finding
from gdwidgets.core.diagnosis.looking import look
from gdwidgets.core.diagnosis.records import Array, LoopRecord

_MOST = 0.34
"""The largest part of all passes: where more are idle, updates come after every n-th pass."""


@dataclass(frozen=True)
class Idle:
    """A record with passes that no update follows, and the record without them."""

    record: LoopRecord
    """Without them; its records are numbered anew."""
    kept: Array
    """The number that each of its records had, int64."""
    passes: Array
    """The numbers of those left out, int64."""
    total: int
    """Passes in all."""

    def placed(self, finding: Finding) -> Finding:
        """A finding of the record without them, at its step in the loop."""
        at = min(finding.step, len(self.kept) - 1)
        return replace(finding, step=int(self.kept[at]) + finding.step - at)

    def told(self) -> Finding:
        """What is left out."""
        first = int(self.passes[0])
        if len(self.passes) == 1:
            which = f"one, that of step {first + 1:,}, is followed by no update: what it computed"
            left = "It is"
        else:
            which = (
                f"{len(self.passes):,}, the first in step {first + 1:,}, are followed by no "
                "update: what they computed"
            )
            left = "They are"
        return Finding(
            "pass_without_update",
            f"Of your {self.total:,} backward passes {which} is cleared. {left} left out of what "
            "is said here.",
            first,
            {"passes": tuple(self.passes.tolist()), "total": self.total},
            look(first, "what stands between `backward()` and the update"),
            "A step that goes on to the next before its update, as by `continue`, changes nothing.",
        )


def idle_passes(record: LoopRecord) -> Idle | None:
    """The passes that no update follows, where these are few and every pass begins with nothing.

    ``None`` where there are none. The last pass is not among them: whether an update follows it is
    part of how the loop ends.
    """
    if record.thinned or record.count < 3 or np.isnan(record.grad).any() or record.before.any():
        return None
    delta, grad = np.diff(record.params, axis=0), record.grad[:-1]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        moved = (delta != 0).any(axis=1)
        if not moved.any():
            return None
        # An update of this size would be seen; a smaller one may have been lost in rounding.
        rate = np.nanmedian(np.abs(delta[moved] / np.where(grad[moved] == 0, np.nan, grad[moved])))
        visible = rate * np.abs(grad) > 8 * record.eps * np.abs(record.params[:-1]) + 1e-40
    idle = ~moved & visible.any(axis=1)
    if not idle.any() or idle.sum() > _MOST * record.count:
        return None
    keep = np.append(~idle, True)
    rest = replace(record.rows(keep), final=record.final, steps=None)
    number = record.number
    return Idle(rest, number[keep], number[:-1][idle], record.total)
