"""`diagnose`: from a loop's records to findings. A pure function of its arguments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gdwidgets.core.diagnosis import beside, named_rules, passes, refused
from gdwidgets.core.diagnosis import sentences as say
from gdwidgets.core.diagnosis.case import MEMORY_RULES, Case
from gdwidgets.core.diagnosis.clearing import expected_clearing, same_clearing
from gdwidgets.core.diagnosis.comparison import agreement, seed_of, stop_of
from gdwidgets.core.diagnosis.divergence import divergence
from gdwidgets.core.diagnosis.findings import Finding, sorted_findings
from gdwidgets.core.diagnosis.folding import Folded, folded
from gdwidgets.core.diagnosis.idle import idle_passes
from gdwidgets.core.diagnosis.matching import aligned
from gdwidgets.core.diagnosis.moves import holds
from gdwidgets.core.diagnosis.records import LoopRecord, Reference

_SUMS = {"same", "factor"}
_WHOLE = {"same", "gradient", "gradient factor"}
_OF_SUMS = {
    "sum_not_mean", "scaled_gradient", "other_loss", "other_gradient", "other_length", "other_stop",
}  # fmt: skip
_WITH_RATE = {
    "plain", "swapped", "every_n", "stale", "schedule", "decayed", "sign", *MEMORY_RULES,
}  # fmt: skip
_UNEXPLAINED = {"unknown", "few", "schedule"}
_SAID_OTHERWISE = {
    "none", "still", "swapped", "stale", "size", "every_n", "unknown", "few", "reference",
}  # fmt: skip


def diagnose(record: LoopRecord, reference: Reference | None = None) -> tuple[Finding, ...]:
    """Say what a recorded loop does, and where it differs from a reference.

    Parameters
    ----------
    record
        A loop's records.
    reference
        What to compare with; ``None`` for the loop by itself.

    Returns
    -------
    tuple of Finding
        The most important first. No two contradict each other, and none says more than the records
        show: an update that fits no known rule is ``"unknown_rule"``.
    """
    found = [refused.refused(refusal) for refusal in record.refusals]
    if not record.count:
        return sorted_findings(found or [refused.nothing_recorded()])
    if any(refusal.kind == "lost_leaf" for refusal in record.refusals) and record.count > 1:
        return sorted_findings(found)  # the loop's parameters are no longer what was recorded
    if not record.names:
        found += [refused.values_not_kept(record), *divergence(record, found)]
        return sorted_findings(found)
    if reference is not None:
        matched = aligned(record, reference.objective, reference.start)
        if matched is None:
            found.append(refused.other_parameters(record, reference))
            reference = None
        else:
            record = matched
    return sorted_findings(found + _of_values(record, reference, found))


def _of_values(
    record: LoopRecord, reference: Reference | None, found: list[Finding]
) -> list[Finding]:
    """What the values of a loop show; ``found`` is what is known."""
    case = Case(record, reference)
    # What a rule makes of all passes is its updates, though some may be 0.
    idle = idle_passes(record) if case.update.kind in _UNEXPLAINED else None
    if idle is not None:
        rest = Case(idle.record, reference)
        if rest.update.kind not in _UNEXPLAINED:
            more = _of_passes(rest, found)
            return [*(idle.placed(one) for one in more), idle.told()]
    return _of_passes(case, found)


def _of_passes(case: Case, found: list[Finding]) -> list[Finding]:
    """What the values of a loop show, by passes or by updates; ``found`` is what is known."""
    record, reference = case.record, case.reference
    if any(calls.most > 1 for calls in record.step_calls):
        return _of_trials(case, found)
    together = folded(record)
    if together is None or not together.kept:
        return _of_steps(case, found, together)
    whole = Case(together.record, reference)
    if not _is_batch_in_parts(case, whole):
        return _of_steps(case, found)
    more = [_by_passes(one, together.parts) for one in _of_steps(whole, found)]
    each = case.relation.kind in _WHOLE
    if each:  # every pass has the whole loss: sums and numbers of updates are no findings then
        more = [one for one in more if one.name not in _OF_SUMS]
        more += _of_loss(case, more)
    # Losses that add up to the reference's, or to n times as much, are no accident.
    asked = each or whole.relation.kind not in _SUMS
    return [*more, say.accumulated(together, whole.relation, asked=asked)]


def _of_steps(case: Case, before: list[Finding], apart: Folded | None = None) -> list[Finding]:
    """All that there is to say of a loop whose records are its steps.

    ``apart`` are passes whose gradients do not come together, though an update follows all of them.
    """
    found = list(before)
    found += _of_update(case, found)
    found += _of_clearing(case)
    lost = _of_parts_lost(case, apart)
    if lost:
        found = [one for one in found if one.name not in {"updated_every_n", "unknown_rule"}] + lost
    else:
        found += _of_loss(case, found)
    found += _of_start(case) + _of_rate(case)
    if not case.record.refusals and not lost:
        found += _of_length(case)
    if {one.name for one in found if one.is_mistake} <= {"interrupted"}:
        found += _of_agreement(case)
    found += divergence(case.record, found, case)
    return (found + _of_rule(case, found))[len(before) :]


def _of_parts_lost(case: Case, apart: Folded | None) -> list[Finding]:
    """Parts of a batch whose gradients are cleared before they have come together."""
    if apart is None or case.relation.kind in _WHOLE:
        return []
    sums = Case(apart.record, case.reference).relation
    return [say.cleared_between(apart.parts, sums.factor)] if sums.kind in _SUMS else []


def _is_batch_in_parts(case: Case, whole: Case) -> bool:
    """Whether the passes before an update see parts of what the reference sees at once."""
    if case.reference is None:
        return True
    if case.relation.kind in _WHOLE:
        return case.update.kind == "unknown" and whole.update.kind != "unknown"
    return whole.relation.kind in {"same", "factor", "gradient factor", "gradient"} or (
        case.relation.kind not in {"factor", "gradient factor"}
    )


def _by_passes(finding: Finding, parts: int) -> Finding:
    """A finding on updates, at the first backward pass of its update."""
    return replace(finding, step=finding.step * parts)


def _of_trials(case: Case, before: list[Finding]) -> list[Finding]:
    """What is known of a loop whose optimizer tries several points for one update.

    Which points these are is the optimizer's affair: no rule, rate or length is read from them.
    """
    calls = max(case.record.step_calls, key=lambda one: one.most)
    reference = "" if case.reference is None else named_rules.rule_of(case.reference)
    found = [say.several_passes(calls, reference), *_of_clearing(case)]
    found += _of_loss(case, [*before, *found]) + _of_start(case)
    return found + divergence(case.record, [*before, *found])


def _of_update(case: Case, before: list[Finding]) -> list[Finding]:
    """Mistakes in the update."""
    update, rate = case.update, case.update.rate(case.rate)
    if update.kind == "still":
        return _of_standing_still(case, before)
    found: list[Finding] = []
    if update.frozen:
        found.append(say.not_updated(case.record, update.frozen, case.moves))
    if update.kind == "per_parameter":
        return found + _of_rates(case)
    if update.kind in _WITH_RATE and update.high < 0:
        # Uphill on the negative of the reference's loss is downhill on its loss.
        if case.factor > 0:
            found.append(
                say.uphill(case.record, case.moving_names, rate, update.kind, case.first_move)
            )
    elif case.factor < 0 and update.kind in _WITH_RATE:
        found.append(say.uphill_by_loss(case.factor, case.relation.step))
    elif update.kind == "size":
        up = (case.moves.buffer * np.sign(rate) < 0).any(axis=1)
        first = int(case.moves.number[up.argmax()])
        found.append(say.without_sign(case.record, case.moving_names, rate, first, case.first_move))
    return found + _of_kind(case, rate)


def _of_kind(case: Case, rate: float) -> list[Finding]:
    """Kinds of update that are findings by themselves."""
    update = case.update
    if update.kind == "swapped":
        return [say.swapped(case.record, update.order, rate, case.first_move)]
    if update.kind == "stale":
        return [say.stale(rate, int(case.moves.number[update.step]))]
    if update.kind == "every_n":
        other = passes.out_of_step(update, case.clearing, case.clear_every)
        return other or [say.every_n(update.n, rate, kept=case.clearing.kind != "always")]
    if update.kind == "few" and case.reference is not None:
        return [say.too_few(case.moves)]
    if update.kind == "unknown":
        calls = tuple(one.optimizer for one in case.record.step_calls)
        return [say.unknown_rule(case.moves, update, case.record.names, calls)]
    return []


def _of_standing_still(case: Case, before: list[Finding]) -> list[Finding]:
    """Nothing moves."""
    if any(one.name == "cleared_before_update" for one in before):
        return []
    if case.record.update_tried and case.clearing.kind == "always":
        return [say.cleared_before_update(case.record)]
    return [say.not_updated(case.record, case.update.frozen, case.moves)]


def _of_rates(case: Case) -> list[Finding]:
    """Plain descent with a rate of its own for each number."""
    expected, single = case.rate, case.rates
    rates = {name: one.rate(expected) for name, one in single.items()}
    found = []
    if case.factor > 0:
        up = {name: rate for name, rate in rates.items() if rate < 0}
        if len(set(up.values())) == 1:
            found.append(
                say.uphill(case.record, [*up], next(iter(up.values())), "plain", case.first_move)
            )
        elif up:
            found.append(say.uphill_by_rates(case.record, up, case.first_move))
    if expected is None:
        return found
    rates = {name: rate for name, rate in rates.items() if rate > 0}
    other = {name: rate for name, rate in rates.items() if abs(rate / expected - 1) > 1e-6}
    whole = [name for name in other if holds(*single[name].bounds, 1.0)]
    if len(whole) < len(other):
        whole = []  # one sentence for all: 1 is one of the rates
    if whole:
        found.append(say.rate_not_applied(case.record, whole, expected, case.first_move))
    other = {name: rate for name, rate in other.items() if name not in whole}
    if other:
        found.append(say.other_rates(case.record, other, rates, expected, case.first_move))
    return found


def _of_clearing(case: Case) -> list[Finding]:
    """Buffers that are not cleared, or not as the reference's."""
    clearing, record, every = case.clearing, case.record, case.clear_every
    found = []
    if record.number[0] == 0 and (record.before[0] != 0).any():
        found.append(say.full_at_the_start(record))
    as_expected = same_clearing(clearing, expected_clearing(record.total, every))
    if as_expected and every != 1 and case.agrees_locally and not found:
        if clearing.kind == "never":
            return [say.not_cleared_as_reference(record, clearing, case.reference)]
        if clearing.kind == "every" and case.update.kind != "reference":
            return [say.cleared_every_n_as_reference(clearing.n, clearing.step)]
    if clearing.kind in {"unknown", "decays", "between"} or as_expected:
        return found
    if case.update.kind == "every_n":
        return found + _of_clearing_beside_updates(case)
    compared = case.reference is not None
    if clearing.kind == "every":
        found += passes.out_of_step(case.update, clearing, every) or [
            say.cleared_every_n(clearing.n, every, clearing.step, compared=compared)
        ]
    elif clearing.kind == "always":
        found.append(say.cleared(every, int(record.number[min(1, record.count - 1)])))
    else:
        found.append(say.not_cleared(record, clearing, compared=compared))
    return found


def _of_clearing_beside_updates(case: Case) -> list[Finding]:
    """The same where an update follows several passes: nothing is due between updates."""
    clearing, record, update = case.clearing, case.record, case.update
    if clearing.kind == "always":
        return [say.cleared(case.clear_every, int(record.number[min(1, record.count - 1)]))]
    compared = case.reference is not None
    if clearing.kind == "every" and clearing.n != update.n:
        return [say.cleared_every_n(clearing.n, case.clear_every, clearing.step, compared=compared)]
    kept = clearing.kind == "never" and clearing.cleared[update.first - 1 :][:1] == (False,)
    if not kept:
        return []
    after = replace(clearing, step=int(record.number[update.first]))
    return [say.not_cleared(record, after, compared=compared)]


def _of_loss(case: Case, before: list[Finding]) -> list[Finding]:
    """A loss or gradient that is not the reference's."""
    link, record, names = case.relation, case.record, {one.name for one in before}
    # Passes may be parts of a batch, which do not come together as they are.
    apart = "off_by_one" in names and link.kind not in _WHOLE
    if apart or link.kind in {"same", "unknown"}:
        return []
    if link.kind == "stale":
        return [] if "stale_gradient" in names else [say.stale_order()]
    if link.kind in {"factor", "gradient factor"}:
        if case.factor < 0 and "uphill" in names:
            return []
        rate = case.update.rate(case.rate)
        makes_up = _makes_up(case, rate)
        of_loss = link.kind == "factor"
        return [say.scaled(link, case.samples, record, of_loss=of_loss, makes_up=makes_up)]
    if link.kind == "swapped":
        return [say.swapped_loss(record.names, link.order, link.step)]
    return [
        say.other_gradient(record, link)
        if link.kind == "gradient"
        else say.other_loss(record, link)
    ]


def _of_start(case: Case) -> list[Finding]:
    """Another start."""
    record, reference = case.record, case.reference
    if reference is None or case.same_start:
        return []
    seed = seed_of(record.params[0]) if len(record.names) > 1 else None
    return [beside.other_start(record, reference, seed)]


def _of_rate(case: Case) -> list[Finding]:
    """Another learning rate, by the reference's rule."""
    update, expected = case.update, case.rate
    rate = update.rate(expected)
    if case.factor < 0 or update.high < 0:
        return []  # uphill, which is said
    whole = update.holds(1.0) and update.kind != "schedule"
    if case.reference is not None and case.reference.schedule is not None and not whole:
        return _of_changing_rate(case, rate)
    if expected is None or not case.same_rule or case.same_rate or not rate > 0:
        return []
    if abs(rate * case.factor / expected - 1) < 1e-3:
        # It makes up for a factor of the loss, which is said; or the difference is so small that a
        # weight decay, for instance, would look the same.
        return []
    scaled = _of_factor(case, rate, expected) if case.by_hand else []
    found = say.other_rate(rate, expected, case.first_move)
    if whole:
        found = say.rate_not_applied(case.record, case.record.names, expected, case.first_move)
    return scaled or [found]


def _makes_up(case: Case, rate: float) -> bool:
    """Whether a learning rate makes up for a factor of the loss."""
    if case.rate is None:
        return False
    left = float(abs(rate * case.factor / case.rate - 1))
    return left < min(1e-3, abs(case.factor - 1) / 2)


def _of_changing_rate(case: Case, rate: float) -> list[Finding]:
    """Another learning rate than that of a reference where it changes."""
    if case.other_rate is not None:
        return [say.other_rate_at(case.other_rate)]
    if case.same_rule and not case.same_rate and case.update.kind in MEMORY_RULES:
        return [say.constant_rate(rate)]
    return []


def _of_factor(case: Case, rate: float, expected: float) -> list[Finding]:
    """A gradient by hand that is off by a factor that is often forgotten."""
    samples = case.samples
    known = [2.0, 0.5, *([samples, 1 / samples] if samples else [])]
    near = [one for one in known if abs(rate / expected / one - 1) < 1e-4]
    if not near:
        return []
    return [say.scaled_by_hand(near[0], samples, rate, expected, case.first_move)]


def _of_length(case: Case) -> list[Finding]:
    """Too many or too few steps."""
    if case.reference is None or case.relation.kind == "stale":
        return []
    known = case.update.kind not in {"unknown", "few"}
    if case.update.kind in {"unknown", "every_n"}:
        return []  # an update may be made of several backward passes
    next_loss = None if case.reference.loss_tol is None else case.loss_at_the_end
    stop = stop_of(case.record, case.reference, case.moves, known=known, next_loss=next_loss)
    if stop.kind in {"same", "unknown"}:
        return []
    if stop.kind == "length" and case.reference.loss_tol is None:
        return [beside.other_length(stop)]
    return [beside.other_stop(stop, case.reference)]


def _of_agreement(case: Case) -> list[Finding]:
    """All as in the reference."""
    if case.reference is None or not case.agrees_locally:
        return []
    how, run = agreement(case.record, case.reference, case.moves)
    if not how.updates or not how.begins:
        return []
    return [beside.agrees(how, case.record, str(run.outcomes[0]), case.reference.title)]


def _of_rule(case: Case, before: list[Finding]) -> list[Finding]:
    """What rule it is, where nothing said before speaks of another."""
    update, reference, names = case.update, case.reference, {one.name for one in before}
    if names & {"uphill", "swapped", "stale_gradient"} or update.kind in _SAID_OTHERWISE:
        return []
    if update.kind == "per_parameter":
        rates = {name: one.rate() for name, one in case.rates.items()}
        return [named_rules.plain_rates(case.record, rates)] if reference is None and rates else []
    if "rate_not_applied" in names or (update.kind == "plain" and not np.isfinite(update.high)):
        return []
    other = "" if reference is None or case.same_rule else named_rules.rule_of(reference)
    return [named_rules.rule(update, update.rate(case.rate), case.clearing, other, case.rate)]
