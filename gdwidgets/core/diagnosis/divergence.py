"""Whether a loop diverged, and why."""

from __future__ import annotations

import numpy as np

from gdwidgets.core.analysis.curvature import learning_rate_limit
from gdwidgets.core.diagnosis.findings import Finding, number, point
from gdwidgets.core.diagnosis.records import Array, LoopRecord, Reference

_GROWTH = 1e6


def divergence(
    record: LoopRecord, reference: Reference | None, found: list[Finding], rate: float = np.nan
) -> list[Finding]:
    """At most one finding: where loss or parameters became inf or NaN, or grew a million times."""
    place = _first_not_finite(record)
    if place is None:
        grown = _growing(record)
        if grown is None:
            return []
        text = (
            f"Your loop diverges: the loss grows from {number(record.loss[0])} to {number(grown)}."
        )
        place = int(np.nanargmax(record.loss > record.loss[0]))
    else:
        step = int(record.number[min(place, record.count - 1)]) + (place >= record.count)
        text = f"Your loop diverges: at step {step + 1:,} its numbers are inf or NaN."
    number_of = int(record.number[min(place, record.count - 1)])
    cause, evidence = _cause(record, reference, found, rate, place)
    return [
        Finding(
            "diverged",
            f"{text}{cause}",
            number_of,
            evidence,
            f"Look at the steps before step {number_of + 1:,}, and how the loss grows.",
            "Where a step is too long it lands higher up on the other side, where the gradient is "
            "larger still, and so is the next step.",
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
    record: LoopRecord, reference: Reference | None, found: list[Finding], rate: float, place: int
) -> tuple[str, dict[str, float]]:
    names = {one.name for one in found}
    if "uphill" in names:
        return " It goes uphill, so the loss must grow.", {}
    if reference is None or not np.isfinite(rate) or rate <= 0:
        return "", {}
    factor = next((one.evidence["factor"] for one in found if "factor" in one.evidence), 1.0)
    points = [record.params[0]]
    before = record.loss[:place]
    if len(before) and np.isfinite(before).any():
        points.append(record.params[int(np.nanargmin(before))])
    for where in points:
        limit = _limit(reference, where) / abs(factor)
        if rate > limit:
            text = (
                f" The learning rate {number(rate)} is larger than the largest stable one near "
                f"{point(where)}, {number(limit)}."
            )
            return text, {"rate": rate, "limit": limit}
    if "not_cleared" in names:
        return " The gradients of all steps add up.", {}
    return "", {}


def _limit(reference: Reference, where: Array) -> float:
    objective = getattr(reference.objective, "regression", reference.objective)
    try:
        return learning_rate_limit(objective, where)
    except ValueError:
        return float("inf")
