"""Whether a loop diverged, and why."""

from __future__ import annotations

import numpy as np

from gdwidgets.core.diagnosis.case import Case
from gdwidgets.core.diagnosis.findings import Finding, apart, number, point
from gdwidgets.core.diagnosis.limits import largest_stable
from gdwidgets.core.diagnosis.records import LoopRecord

_GROWTH = 1e6

_TOO_LONG = (
    "Where a step is too long it lands higher up on the other side, where the gradient is larger "
    "still, and so is the next step."
)
_UPHILL = "Uphill there is no end: where the loss grows ever faster, so do the steps."


def divergence(record: LoopRecord, found: list[Finding], case: Case | None = None) -> list[Finding]:
    """At most one finding: where loss or parameters became inf or NaN, or grew a million times.

    ``found`` is what is said already; ``case`` what is known of the update, ``None`` for nothing.
    """
    place = _first_not_finite(record)
    if place is None:
        grown = _growing(record)
        if grown is None:
            return []
        verb = "grows" if grown > record.loss[0] else "falls"
        text = (
            f"Your loop diverges: the loss {verb} from {number(record.loss[0])} to {number(grown)}."
        )
        place = int(np.nanargmax(np.abs(record.loss) > np.abs(record.loss[0])))
    else:
        step = int(record.number[min(place, record.count - 1)]) + (place >= record.count)
        text = f"Your loop diverges: at step {step + 1:,} its numbers are inf or NaN."
    number_of = int(record.number[min(place, record.count - 1)])
    cause, evidence = _cause(record, found, case, place)
    return [
        Finding(
            "diverged",
            f"{text}{cause}",
            number_of,
            evidence,
            f"Look at the steps before step {number_of + 1:,}, and how the loss changes.",
            _UPHILL if any(one.name == "uphill" for one in found) else _TOO_LONG,
        )
    ]


def _first_not_finite(record: LoopRecord) -> int | None:
    with np.errstate(over="ignore", invalid="ignore"):
        bad = ~np.isfinite(record.loss) | ~np.isfinite(record.params).all(axis=1)
    if bad.any():
        return int(bad.argmax())
    if record.final is not None and not np.isfinite(record.final).all():
        return record.count
    return None


def _growing(record: LoopRecord) -> float | None:
    size = np.abs(record.loss)
    if record.count < 4 or size[0] == 0 or size[-1] < _GROWTH * size[0] or size[-1] < size.max():
        return None
    return float(record.loss[-1])


def _cause(
    record: LoopRecord, found: list[Finding], case: Case | None, place: int
) -> tuple[str, dict[str, float]]:
    names = {one.name for one in found}
    if "uphill" in names:
        if case is not None and case.factor < 0:
            return " It goes uphill in the reference's loss, and so downhill in its own.", {}
        return " It goes uphill, so the loss must grow.", {}
    text, evidence = ("", {}) if case is None else _too_large(record, case, place)
    if not text and "not_cleared" in names:
        return " The gradients of all steps add up.", {}
    return text, evidence


def _too_large(record: LoopRecord, case: Case, place: int) -> tuple[str, dict[str, float]]:
    """A learning rate beyond the largest stable one, at the start or at the lowest loss."""
    rate = case.update.rate(case.rate)
    changes = case.update.kind == "schedule"
    if not changes and (not np.isfinite(rate) or rate <= 0):
        return "", {}
    points = [record.params[0]]
    before = record.loss[:place]
    if len(before) and np.isfinite(before).any():
        points.append(record.params[int(np.nanargmin(before))])
    for where in points:
        limit, by = largest_stable(case, where)
        mine, most = apart(rate, limit)
        largest = f"than the largest stable one{by} near {point(where)}, {most}."
        since = _beyond(case, limit, place) if changes else None
        if since is not None:
            text = f" From step {since + 1:,} on the learning rate is larger {largest}"
            return text, {"limit": limit}
        if not changes and rate > limit:
            text = f" The learning rate {mine} is larger {largest}"
            return text, {"rate": rate, "limit": limit}
    return "", {}


def _beyond(case: Case, limit: float, place: int) -> int | None:
    """The update from which on a rate that changes is beyond a limit, up to a record."""
    end = int(case.record.number[min(place, case.record.count - 1)])
    since = None
    for step, low, _ in case.update.segments:
        if step <= end:
            since = None if low <= limit else step if since is None else since
    return since
