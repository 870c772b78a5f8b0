"""The largest learning rate at which a loop's own rule is stable, where there is one."""

from __future__ import annotations

import math

from gdwidgets.core.analysis.accumulation import stable_rates
from gdwidgets.core.analysis.curvature import learning_rate_limit
from gdwidgets.core.analysis.momentum import momentum_limit
from gdwidgets.core.diagnosis.case import Case
from gdwidgets.core.diagnosis.findings import nth, number
from gdwidgets.core.diagnosis.records import Array, Reference

_KNOWN_GRADIENTS = {"same", "unknown", "factor", "gradient factor", "offset", "stale"}


def largest_stable(case: Case, where: Array) -> tuple[float, str]:
    """The largest stable learning rate near a point and what it holds for, in words.

    On the local quadratic with the largest curvature λ of the loop's loss: 2/λ for plain descent,
    4/λ where gradients are never cleared (`stable_rates` for every n-th), 2 (1 + β)/λ and
    2 (1 + β)/((1 + 2 β) λ) for momentum and Nesterov's, and 1/λ with the gradient of the step
    before, for which z² = z − γ λ must have its roots within the unit circle. Weight decay adds to
    the curvature, and dampening τ divides the limit by 1 − τ. Infinite for all other rules, and
    where the loop's gradients are not those of the reference's loss.
    """
    if case.reference is None or case.relation.kind not in _KNOWN_GRADIENTS:
        return math.inf, ""
    curvature = _curvature(case.reference, where) * abs(case.factor)
    return _of_rule(case, curvature) if curvature > 0 else (math.inf, "")


def _of_rule(case: Case, curvature: float) -> tuple[float, str]:
    update, clearing = case.update, case.clearing
    clean = clearing.kind in {"always", "unknown"}
    if update.kind == "stale" or (case.relation.kind == "stale" and update.kind == "plain"):
        return (1 / curvature, " with the gradient of the step before") if clean else (math.inf, "")
    if update.kind == "every_n":
        return _of_every_n(case, curvature)
    if update.kind in {"plain", "schedule"}:
        return _of_plain(case, curvature)
    beta = update.constants.get("beta", 0.0)
    decay = update.constants.get("weight_decay", 0.0)
    if case.made_by_reference and case.reference is not None:
        decay = case.reference.weight_decay
    if not clean or update.kind not in {"decayed", "momentum", "nesterov"}:
        return math.inf, ""
    limit = momentum_limit(curvature + decay, beta, nesterov=update.kind == "nesterov")
    parts = [f"β = {number(beta)}"] if beta else []
    parts += [f"weight decay {number(decay)}"] if decay else []
    name = {"nesterov": "Nesterov momentum ", "momentum": "momentum "}.get(update.kind, "")
    limit /= 1 - update.constants.get("dampening", 0.0)
    return limit, f" with {name}{' and '.join(parts)}"


def _of_plain(case: Case, curvature: float) -> tuple[float, str]:
    """Plain descent, by what becomes of its gradients."""
    clearing = case.clearing
    if clearing.kind in {"always", "unknown"}:
        return 2 / curvature, ""
    if clearing.kind == "never":
        return 4 / curvature, " without clearing"
    if clearing.kind == "decays":
        return momentum_limit(curvature, clearing.beta), f" with β = {number(clearing.beta)}"
    if clearing.kind == "every":
        largest = stable_rates(curvature, clearing.n)[-1][1]
        return largest, f" with clearing after every {nth(clearing.n)} update"
    return math.inf, ""


def _of_every_n(case: Case, curvature: float) -> tuple[float, str]:
    """One update after n passes at the same point, whose gradients come together or do not."""
    n, clearing = case.update.n, case.clearing
    if clearing.kind == "always":
        return 2 / curvature, ""
    together = f" for the sum of {n} gradients"
    if clearing.kind == "between" or (clearing.kind == "every" and clearing.n == n):
        return 2 / (n * curvature), together
    return math.inf, ""


def _curvature(reference: Reference, where: Array) -> float:
    """The largest curvature of a reference's loss at a point; 0 where none is known."""
    objective = getattr(reference.objective, "regression", reference.objective)
    try:
        return 2 / learning_rate_limit(objective, where)
    except ValueError:
        return 0.0
