"""`diagnose`: from a loop's records to findings. A pure function of its arguments."""

from __future__ import annotations

import numpy as np

from gdwidgets.core.diagnosis import sentences as say
from gdwidgets.core.diagnosis.clearing import (
    Clearing,
    clearing_of,
    expected_clearing,
    same_clearing,
)
from gdwidgets.core.diagnosis.comparison import agreement, made_by, same_start, seed_of, stop_of
from gdwidgets.core.diagnosis.divergence import divergence
from gdwidgets.core.diagnosis.evaluation import Evaluated, evaluated
from gdwidgets.core.diagnosis.findings import NO_MISTAKES, Finding, sorted_findings
from gdwidgets.core.diagnosis.losses import Relation, relation
from gdwidgets.core.diagnosis.matching import aligned
from gdwidgets.core.diagnosis.moves import Moves, holds, moves_of
from gdwidgets.core.diagnosis.records import LoopRecord, Reference
from gdwidgets.core.diagnosis.updates import Update, identify

_RULES = ("momentum", "nesterov", "rmsprop", "adam", "adagrad")


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
    found = [say.refused(refusal) for refusal in record.refusals]
    if not record.count:
        return sorted_findings(found or [say.nothing_recorded()])
    if any(refusal.kind == "lost_leaf" for refusal in record.refusals) and record.count > 1:
        return sorted_findings(found)  # the loop's parameters are no longer what was recorded
    if not record.names:
        return sorted_findings(
            [*found, say.values_not_kept(record), *divergence(record, None, found)]
        )
    if reference is not None:
        matched = aligned(record, reference.objective)
        if matched is None:
            found.append(say.other_parameters(record, reference))
            reference = None
        else:
            record = matched
    return sorted_findings(found + _Case(record, reference).findings(found))


class _Case:
    """A record and its reference, and everything that is found out about them on the way."""

    def __init__(self, record: LoopRecord, reference: Reference | None) -> None:
        self.record = record
        self.reference = reference
        self.computed: Evaluated | None = None
        self.relation = Relation("unknown")
        if reference is not None:
            self.computed = evaluated(reference.objective, record.params, record.number)
            self.relation = relation(record, reference.objective, self.computed)
        self.clearing: Clearing = clearing_of(record)
        self.by_hand = bool(np.isnan(record.grad).all())
        self.moves: Moves = moves_of(record, self.computed)
        rule = None if reference is None else reference.rule
        self.rate = None if reference is None else reference.learning_rate
        self.update = Update("none")
        # Without gradients of its own, a loop with another loss has none that are known.
        if not self.by_hand or self.relation.kind in {"same", "factor"}:
            self.update = self._references_own() or identify(self.moves, rule, self.rate)
        self.same_rule = self._same_rule()

    # -- what it is ------------------------------------------------------------------------

    @property
    def factor(self) -> float:
        """How many times the reference's gradient the loop's own is."""
        return self.relation.factor if self.relation.kind in {"factor", "gradient factor"} else 1.0

    def _references_own(self) -> Update | None:
        """The reference's rule and rate, if they make every update; plain descent is tested later."""
        reference = self.reference
        if reference is None or reference.rule.name == "gd" or not self.moves.delta.any():
            return None
        if self.clearing.kind == "decays" or not made_by(self.moves, reference):
            return None
        name, rate = str(reference.rule.name), reference.learning_rate
        constants = {
            key: float(getattr(reference.rule, key))
            for key in ("beta", "alpha", "beta1", "beta2")
            if isinstance(getattr(reference.rule, key, None), (int, float))
        }
        return Update(name if name in _RULES else "reference", rate, rate, constants=constants)

    def _same_rule(self) -> bool:
        """Whether the rule is the reference's, whatever its rate."""
        reference = self.reference
        if reference is None:
            return False
        name, update = str(reference.rule.name), self.update
        beta = self.clearing.beta if self.clearing.kind == "decays" else 0.0
        if name == "gd":
            return update.kind in {"plain", "none"} and not beta
        if update.kind in {"none", "reference"}:
            return True
        if update.kind == "plain" and beta and name == "momentum":
            return abs(beta - reference.rule.beta) < 1e-4
        if update.kind == name:
            own = {key: getattr(reference.rule, key, None) for key in update.constants}
            return (
                all(
                    value is None or abs(value - update.constants[key]) < 1e-4
                    for key, value in own.items()
                )
                and update.constants.get("corrected", 1.0) == 1.0
            )
        return False

    @property
    def same_rate(self) -> bool:
        """Whether rule and rate are the reference's."""
        if self.reference is None or not self.same_rule or self.rate is None:
            return False
        kind = self.update.kind
        if kind in {"none", "reference"}:
            return True
        return holds(self.update.low, self.update.high, self.rate)

    # -- what is said ----------------------------------------------------------------------

    def findings(self, before: list[Finding]) -> list[Finding]:
        """All findings; ``before`` are those about refusals."""
        found = self._of_update(before)
        found += self._of_clearing()
        found += self._of_loss(found)
        if self.reference is not None:
            found += self._of_comparison(before)
        mistakes = [one for one in before + found if one.name not in NO_MISTAKES]
        if self.reference is not None and not mistakes:
            found += self._agreement(self.reference)
        elif self.reference is not None and {one.name for one in mistakes} == {"interrupted"}:
            found += self._agreement(self.reference)
        found += divergence(
            self.record, self.reference, before + found, self.update.rate(self.rate)
        )
        return found + self._rule(before + found)

    def _of_update(self, before: list[Finding]) -> list[Finding]:
        update, names, record = self.update, self.record.names, self.record
        found: list[Finding] = []
        if update.kind == "still":
            if any(one.name == "cleared_before_update" for one in before):
                return []
            tried = record.update_tried and self.clearing.kind == "always"
            if (
                any(one.name in {"no_gradient", "interrupted"} for one in before)
                and record.count < 2
            ):
                return []
            return [
                say.cleared_before_update(record)
                if tried
                else say.not_updated(record, update.frozen, self.moves)
            ]
        if update.frozen:
            found.append(say.not_updated(record, update.frozen, self.moves))
        if update.kind == "per_parameter":
            return found + self._of_rates()
        rate = update.rate(self.rate)
        if update.kind in {"plain", "swapped", "every_n", "stale", *_RULES} and update.high < 0:
            # Uphill on the negative of the reference's loss is downhill on its loss.
            if self.factor > 0:
                moved = [name for place, name in enumerate(names) if place not in update.frozen]
                found.append(say.uphill(moved, rate, update.kind, self.first_move))
        elif self.factor < 0 and update.kind in {"plain", *_RULES}:
            found.append(say.uphill_by_loss(self.factor, self.relation.step))
        if update.kind == "swapped":
            found.append(say.swapped(names, update.order, rate, self.first_move))
        if update.kind == "stale":
            found.append(say.stale(rate, int(self.moves.number[update.step])))
        if update.kind == "every_n":
            found.append(say.every_n(update.n, rate, kept=self.clearing.kind != "always"))
        if update.kind == "unknown":
            found.append(say.unknown_rule(self.moves, update.step, names))
        return found

    @property
    def first_move(self) -> int:
        """The record after which something moves for the first time."""
        moving = (self.moves.delta != 0).any(axis=1)
        return int(self.moves.number[moving.argmax()]) if moving.any() else 0

    def _of_rates(self) -> list[Finding]:
        """Plain descent with a rate of its own for each number."""
        names = self.record.names
        places = [place for place in range(len(names)) if place not in self.update.frozen]
        single = [
            (names[place], Update("plain", *bounds))
            for place, bounds in zip(places, self.update.each, strict=True)
        ]
        known = [(name, one) for name, one in single if np.isfinite(one.high)]
        up = [(name, one) for name, one in known if one.high < 0]
        found = []
        if up and self.factor > 0:
            for rate in dict.fromkeys(one.rate(self.rate) for _, one in up):
                moved = [name for name, one in up if one.rate(self.rate) == rate]
                found.append(say.uphill(moved, rate, "plain", self.first_move))
        if self.reference is None or self.rate is None:
            return found
        rates = {name: one.rate(self.rate) for name, one in known if one.high > 0}
        expected = self.rate
        other = {
            name: rate for name, rate in rates.items() if abs(rate - expected) > 1e-6 * expected
        }
        bare = [name for name, rate in other.items() if holds(*dict(known)[name].bounds, 1.0)]
        if bare:
            found.append(say.rate_not_applied(bare, expected, self.first_move))
        other = {name: rate for name, rate in other.items() if name not in bare}
        if other:
            found.append(say.other_rates(other, rates, expected, self.first_move))
        return found

    def _of_clearing(self) -> list[Finding]:
        clearing, record = self.clearing, self.record
        expected_every = 1 if self.reference is None else self.reference.clear_every
        expected = expected_clearing(record.count, expected_every)
        found = []
        if record.number[0] == 0 and (record.before[0] != 0).any():
            found.append(say.full_at_the_start(record))
        if clearing.kind in {"unknown", "decays", "between"} or same_clearing(clearing, expected):
            return found
        if clearing.kind == "every":
            found.append(say.cleared_every_n(clearing.n, expected_every, clearing.step))
        elif clearing.kind == "always":
            found.append(say.cleared(expected_every, int(record.number[min(1, record.count - 1)])))
        elif self.update.kind != "every_n":
            found.append(say.not_cleared(record, clearing, self.reference is not None))
        return found

    def _of_loss(self, found: list[Finding]) -> list[Finding]:
        reference, link, record = self.reference, self.relation, self.record
        if reference is None or link.kind in {"same", "unknown"}:
            return []
        if link.kind == "stale":
            return [] if any(one.name == "stale_gradient" for one in found) else [say.stale_order()]
        if link.kind in {"factor", "gradient factor"}:
            if any(one.name == "uphill" and one.evidence.get("factor") for one in found):
                return []
            samples = _samples(reference)
            rate = self.update.rate(self.rate)
            makes_up = self.rate is not None and abs(rate * link.factor / self.rate - 1) < 1e-3
            return [
                say.scaled(
                    link.factor,
                    samples,
                    link.step,
                    of_loss=link.kind == "factor",
                    makes_up=makes_up,
                )
            ]
        if link.kind == "swapped":
            return [say.swapped_loss(record.names, link.order, link.step)]
        if link.kind == "gradient":
            return [say.other_gradient(record, link)]
        return [say.other_loss(record, link)]

    def _of_comparison(self, before: list[Finding]) -> list[Finding]:
        reference, update = self.reference, self.update
        if reference is None:
            return []
        found = []
        if not same_start(self.record, reference):
            seed = seed_of(self.record.params[0]) if len(self.record.names) > 1 else None
            found.append(say.other_start(self.record, reference, seed))
        if (
            self.same_rule
            and not self.same_rate
            and update.kind in {"plain", *_RULES}
            and update.high > 0
        ):
            found += self._other_rate(update.rate(self.rate), reference.learning_rate)
        if not before and self.relation.kind != "stale":
            known = update.kind not in {"unknown", "few"}
            stop = stop_of(self.record, reference, self.moves, known=known)
            if stop.kind == "length":
                found.append(say.other_length(stop))
            elif stop.kind not in {"same", "unknown"}:
                found.append(say.other_stop(stop, self.record, reference))
        return found

    def _other_rate(self, rate: float, expected: float) -> list[Finding]:
        reference = self.reference
        if reference is None or np.isnan(rate) or self.factor < 0:
            return []
        if abs(rate * self.factor / expected - 1) < 1e-3:
            return []  # makes up for a factor of the loss, which is said
        if self.by_hand:
            ratio = rate / expected
            samples = _samples(reference)
            known = [2.0, 0.5, *([samples, 1 / samples] if samples else [])]
            near = [one for one in known if abs(ratio / one - 1) < 1e-4]
            if near:
                return [say.scaled_by_hand(near[0], samples, rate, expected, self.first_move)]
        if holds(self.update.low, self.update.high, 1.0):
            return [say.rate_not_applied(self.record.names, expected, self.first_move)]
        return [say.other_rate(rate, expected, self.first_move)]

    def _agreement(self, reference: Reference) -> list[Finding]:
        same = (
            self.relation.kind in {"same", "unknown"}
            and self.same_rate
            and not self.update.frozen
            and same_start(self.record, reference)
        )
        if not same or (
            self.relation.kind == "unknown" and hasattr(reference.objective, "begin_step")
        ):
            return []
        how, run = agreement(self.record, reference)
        if not how.updates or not how.begins:
            return []
        return [say.agrees(how, self.record, str(run.outcomes[0]))]

    def _rule(self, found: list[Finding]) -> list[Finding]:
        """What rule it is, where that is known and nothing said before speaks of another."""
        update, reference = self.update, self.reference
        names = {one.name for one in found}
        if names & {"uphill", "swapped", "stale_gradient"} or update.kind in {
            "none",
            "still",
            "swapped",
            "stale",
            "every_n",
            "unknown",
            "few",
            "reference",
        }:
            return []
        differs = reference is not None and not self.same_rule
        label = "" if reference is None else str(reference.rule.label)
        if update.kind == "per_parameter":
            if reference is not None or not update.each:
                return []
            places = [
                place for place in range(len(self.record.names)) if place not in update.frozen
            ]
            rates = [
                (self.record.names[place], Update("plain", *bounds).rate())
                for place, bounds in zip(places, update.each, strict=True)
            ]
            return [say.plain_rates(rates)]
        if "rate_not_applied" in names and update.kind == "plain":
            return []
        return [
            say.rule(
                update, update.rate(self.rate), self.clearing, label if differs else "", self.rate
            )
        ]


def _samples(reference: Reference) -> int | None:
    """How many samples the reference's loss is the mean of."""
    x = getattr(reference.objective, "x", None)
    return len(x) if hasattr(x, "__len__") else None
