"""All that is found out about a recorded loop before anything is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gdwidgets.core.diagnosis.clearing import Clearing, clearing_of
from gdwidgets.core.diagnosis.comparison import OtherRate, made_by, other_rate_of
from gdwidgets.core.diagnosis.evaluation import Evaluated, evaluated
from gdwidgets.core.diagnosis.losses import Relation, relation
from gdwidgets.core.diagnosis.matching import begins_at
from gdwidgets.core.diagnosis.moves import Moves, fit_together, holds, moves_of, rate_bounds
from gdwidgets.core.diagnosis.records import LoopRecord, Reference
from gdwidgets.core.diagnosis.update import Update
from gdwidgets.core.diagnosis.updates import identify
from gdwidgets.core.objectives.protocol import SteppedObjective

MEMORY_RULES = ("momentum", "nesterov", "rmsprop", "adam", "adamw", "adagrad")
"""Rules that remember gradients, by the names of their findings."""


class Case:
    """A record and its reference, and everything that is found out about them on the way."""

    def __init__(self, record: LoopRecord, reference: Reference | None) -> None:
        last = record.final
        if record.made_anew and last is not None and np.array_equal(last, record.params[-1]):
            # Tensors that are made for the backward pass alone: the parameters are others.
            record = replace(record, final=None)
        self.record = record
        self.reference = reference
        self.computed: Evaluated | None = None
        self.relation = Relation("unknown")
        self.made_by_reference = False
        if reference is not None:
            self.computed = evaluated(reference.objective, record.params, record.number, record.eps)
            self.relation = relation(record, reference.objective, self.computed)
        self.clearing: Clearing = clearing_of(record)
        self.by_hand = bool(np.isnan(record.grad).all())
        self.moves: Moves = moves_of(record, self.computed)
        self.rate = None if reference is None else reference.learning_rate
        self.update = Update("none")
        # Without gradients of its own, a loop with another loss has none that are known.
        if not self.by_hand or self.relation.kind in {"same", "factor"}:
            self.update = self._references_own() or self._identified()
            self._look_ahead()
        self.other_rate = self._other_rate()
        self.same_rule = self._same_rule()

    @property
    def factor(self) -> float:
        """How many times the reference's gradient the loop's own is."""
        return self.relation.factor if self.relation.kind in {"factor", "gradient factor"} else 1.0

    @property
    def _plain_reference(self) -> bool:
        """Whether the reference is plain gradient descent, its learning rate constant or not."""
        reference = self.reference
        return reference is not None and reference.rule.name == "gd" and not reference.weight_decay

    def _references_own(self) -> Update | None:
        """The reference's rule and rates, if they make every update; not for plain descent."""
        reference = self.reference
        if reference is None or self._plain_reference or not self.moves.delta.any():
            return None
        if self.clearing.kind == "decays" or not made_by(self.moves, reference):
            return None
        self.made_by_reference = True
        name, rate = str(reference.rule.name), reference.learning_rate
        constants = {
            key: float(getattr(reference.rule, key))
            for key in ("beta", "alpha", "beta1", "beta2")
            if isinstance(getattr(reference.rule, key, None), (int, float))
        }
        return Update(
            name if name in MEMORY_RULES else "reference", rate, rate, constants=constants
        )

    def _identified(self) -> Update:
        """The rule as the updates show it."""
        rule = None if self.reference is None else self.reference.rule
        found = identify(self.moves, rule, self.rate)
        if found.kind != "unknown" or self.record.final is None:
            return found
        # Nesterov's momentum in its first form takes the gradient at the point ahead, p + β v; at
        # the end p is left where it is, so the last update is another one.
        record = replace(self.record, final=None)
        ahead = identify(moves_of(record, self.computed), rule, self.rate)
        # The last update is then learning rate × gradient from the point ahead.
        last = self.moves.count == self.record.count and rate_bounds(
            self.moves.delta[-1:],
            self.moves.buffer[-1:],
            2 * self.moves.tol[-1:],
            self.moves.doubt[-1:],
        )
        if ahead.kind != "nesterov" or not last:
            return found
        if not fit_together(
            max(float(last[0].max()), ahead.low), min(float(last[1].min()), ahead.high)
        ):
            return found
        self.record, self.moves = record, moves_of(record, self.computed)
        return replace(ahead, form="ahead")

    def _look_ahead(self) -> None:
        """Take loss and gradient as those of the point ahead, where that is what they are.

        Nesterov's momentum in its first form computes the loss from p + β v: its p moves as by
        momentum, and the points ahead are those of the form that torch and the reference have.
        """
        record, update = self.record, self.update
        if self.reference is None or update.kind != "momentum" or self.relation.kind != "loss":
            return
        if record.thinned or record.count < 2:
            return
        before = np.concatenate([record.params[:1], record.params[:-1]])
        ahead = record.params + update.constants["beta"] * (record.params - before)
        record = replace(record, params=ahead, final=None)
        computed = evaluated(self.reference.objective, record.params, record.number, record.eps)
        there = relation(record, self.reference.objective, computed)
        if there.kind != "same":
            return
        moves = moves_of(record, computed)
        found = identify(moves, self.reference.rule, self.rate)
        if found.kind == "nesterov":
            self.record, self.moves, self.relation, self.computed = record, moves, there, computed
            self.update = replace(found, form="ahead")

    def _other_rate(self) -> OtherRate | None:
        """Where the reference's learning rate changes, and the loop's is another one."""
        reference = self.reference
        if reference is None or reference.schedule is None or not self._plain_reference:
            return None
        if self.update.kind not in {"plain", "schedule", "clipped", "normalised", "few"}:
            return None
        factor = self.factor
        found = other_rate_of(self.moves, reference, factor) if factor > 0 else None
        if found is None and factor > 0 and self.update.kind in {"clipped", "normalised", "few"}:
            self.update = Update("reference", self.rate or 0.0, self.rate or 0.0)
        return found

    def _same_rule(self) -> bool:
        """Whether the rule is the reference's, whatever its rate."""
        reference, kind = self.reference, self.update.kind
        if reference is None:
            return False
        if kind == "reference" or self.made_by_reference:
            return True
        if reference.weight_decay:
            return kind == "none"
        name = str(reference.rule.name)
        beta = self.clearing.beta if self.clearing.kind == "decays" else 0.0
        if name == "gd":
            kinds = {"plain", "none", *(["schedule"] if reference.schedule is not None else [])}
            return kind in kinds and not beta
        if kind == "plain" and beta and name == "momentum":
            return abs(beta - float(reference.rule.beta)) < 1e-4
        return kind == "none" or (kind == name and self._same_constants(reference.rule))

    def _same_constants(self, rule: Any) -> bool:
        """Whether the update's constants are a rule's, as far as both have them."""
        constants = {"weight_decay": 0.0, "dampening": 0.0, **self.update.constants}
        own = {key: getattr(rule, key, None) for key in constants}
        decay, dampening = constants.pop("weight_decay"), constants.pop("dampening")
        if dampening or abs(decay - float(own.pop("weight_decay") or 0.0)) > 1e-3 * decay:
            return False
        del own["dampening"]
        return (
            all(value is None or abs(value - constants[key]) < 1e-4 for key, value in own.items())
            and constants.get("corrected", 1.0) == 1.0
        )

    @property
    def same_rate(self) -> bool:
        """Whether rule and rate are the reference's."""
        if self.reference is None or not self.same_rule or self.rate is None:
            return False
        kind = self.update.kind
        if kind in {"none", "reference"} or self.made_by_reference:
            return True
        if self.reference.schedule is not None:
            return self._plain_reference and self.other_rate is None
        return holds(self.update.low, self.update.high, self.rate)

    @property
    def loss_at_the_end(self) -> float | None:
        """The loop's loss where its last update led to; ``None`` where that cannot be known."""
        reference, final = self.reference, self.record.final
        kind = self.relation.kind
        if reference is None or final is None or kind not in {"same", "factor", "gradient factor"}:
            return None
        there = evaluated(reference.objective, final[None], np.array([self.record.total]))
        return float(there.loss[0]) * (self.factor if kind == "factor" else 1.0)

    @property
    def first_move(self) -> int:
        """The record after which something moves for the first time."""
        moving = (self.moves.delta != 0).any(axis=1)
        return int(self.moves.number[moving.argmax()]) if moving.any() else 0

    @property
    def moving_names(self) -> list[str]:
        """Names of the numbers that move, or whose gradient is 0."""
        frozen = self.update.frozen
        return [name for place, name in enumerate(self.record.names) if place not in frozen]

    @property
    def rates(self) -> dict[str, Update]:
        """Where plain descent has a rate for each number: by name, those known to go up or down."""
        each = zip(self.moving_names, self.update.each, strict=True)
        return {name: Update("plain", *one) for name, one in each if one[0] > 0 or one[1] < 0}

    @property
    def clear_every(self) -> int | None:
        """After how many updates gradients are to be cleared: the reference's n."""
        return 1 if self.reference is None else self.reference.clear_every

    @property
    def samples(self) -> int | None:
        """How many samples the reference's loss is the mean of."""
        x: Any = None if self.reference is None else getattr(self.reference.objective, "x", None)
        return len(x) if hasattr(x, "__len__") else None

    @property
    def stochastic(self) -> bool:
        """Whether the reference's loss changes from step to step."""
        reference = self.reference
        return reference is not None and isinstance(reference.objective, SteppedObjective)

    @property
    def same_start(self) -> bool:
        """Whether the loop begins where the reference does, but for rounding to its dtype."""
        return self.reference is not None and begins_at(self.record, self.reference.start)

    @property
    def agrees_locally(self) -> bool:
        """Whether start, loss, gradients, rule and rate are the reference's."""
        return (
            self.reference is not None
            and self.relation.kind in {"same", "unknown"}
            and not (self.stochastic and self.relation.kind == "unknown")
            and self.same_rate
            and not self.update.frozen
            and self.same_start
        )
